"""Computes one benefit under one plan, step by step as DOMAIN section 4 numbers them: the specification.

Every function takes and returns plain ``int`` fen. ``plan``, ``facts`` and ``year`` are mappings by the names in
``core_ext.plan.PLAN``, ``core_ext.layout.FACTS`` and ``core_ext.layout.ACCUMULATORS``; ``year`` is what the
person's benefit year holds before the claim. An amount is rounded half-up where a step says so and nowhere else.
"""

from collections.abc import Mapping
from typing import NamedTuple

from core_ext.layout import ACCUMULATORS, AMOUNTS, FUND_PARTS
from core_ext.plan import (
    ACCOUNT_FULL_SELFPAY,
    ACCOUNT_IN_SCOPE,
    ACCOUNT_NOT_DEDUCTIBLE,
    ACCOUNT_OVER_LIMIT,
    ACCOUNT_PRESELF,
    DEDUCTIBLE_ANNUAL,
    DEDUCTIBLE_BY_ORDINAL,
    FUND,
    FUND_BASES,
    FURTHER_FUNDS,
    NO_LIMIT,
    RATIO_ONE,
    YEAR_OF_ALL_KINDS,
    YEAR_OF_KIND,
)

Row = Mapping[str, int]

FUND_PART_NAMES = tuple(AMOUNTS[at] for at in FUND_PARTS)
PLACES = tuple(name for name in ACCUMULATORS if name.startswith("placed_"))


class Piece(NamedTuple):
    """Is a half-open interval (above, up_to] of an amount and the ratio paid on it."""

    above: int
    up_to: int
    ratio: int


class Benefit(NamedTuple):
    """Is what a plan gives for a claim: the amounts by name, and the policy's own figures behind them."""

    amounts: dict[str, int]
    base: int
    first_selfpay: int
    over_ceiling: int
    continues: bool
    hospital: int


def share(fen: int, ratio: int) -> int:
    """Returns ``fen`` × ``ratio`` rounded half-up to fen; both are zero or above."""
    return (fen * ratio + RATIO_ONE // 2) // RATIO_ONE


def cost_of(payment: int, ratio: int) -> int:
    """Returns the cost, rounded half-up to fen, of which ``payment`` is the share ``ratio`` (above zero)."""
    return (2 * payment * RATIO_ONE + ratio) // (2 * ratio)


def within(start: int, stop: int, piece: Piece) -> int:
    """Returns how much of the stretch (start, stop] lies inside the piece."""
    return max(0, min(stop, piece.up_to) - max(start, piece.above))


def segments(plan: Row) -> list[Piece]:
    """Returns the plan's segments in order; their ratios already carry the off-site step."""
    return _pieces([(plan[f"segment_edge_{at}"], plan[f"segment_ratio_{at}"]) for at in range(plan["segments"])])


def further_funds(plan: Row) -> list[Row]:
    """Returns the plan's further funds in order, each by the names in FUND."""
    return [{part: plan[f"fund_{at}_{part}"] for part in FUND} for at in range(plan["funds"])]


def tiers(fund: Row) -> list[Piece]:
    """Returns the tiers of a further fund in order, counted from its threshold."""
    return _pieces([(fund[f"edge_{at}"], fund[f"ratio_{at}"]) for at in range(fund["tiers"])])


def _pieces(edges: list[tuple[int, int]]) -> list[Piece]:
    lower = [0, *(edge for edge, _ in edges)]
    return [Piece(above, edge, ratio) for above, (edge, ratio) in zip(lower, edges, strict=False)]


def first_selfpay(plan: Row, facts: Row) -> int:
    """Returns V1's first self-pay (step 2): the part of the in-scope amount that no deductible or segment sees."""
    return share(facts["inscp_scp_amt"], plan["first_ratio"])


def room_under_ceiling(plan: Row, year: Row) -> int:
    """Returns what the basic fund may still pay this year (step 5)."""
    return max(0, plan["ceiling"] - year["hifp_pay"])


def cost_above_ceiling(plan: Row, facts: Row, year: Row, base: int) -> int:
    """Returns the part of ``base`` above the year's ceiling on in-scope amounts (step 5)."""
    room = max(0, plan["ceiling_cost"] - year["inscp_scp_amt"])
    return min(base, max(0, facts["inscp_scp_amt"] - room))


def day_number(day: int) -> int:
    """Returns days since 1 March of the year 0 for yyyymmdd; 0 for a number that is no day of the years 1 to 9999."""
    if not 1_01_01 <= day <= 9999_12_31:
        return 0
    year, month, in_month = day // 10_000, day // 100 % 100, day % 100
    year, month = (year, month - 3) if month > 2 else (year - 1, month + 9)
    return 365 * year + year // 4 - year // 100 + year // 400 + (153 * month + 2) // 5 + in_month - 1


def discharge(facts: Row) -> int:
    """Returns when and where a stay ends: the discharge's day number times 100, and the level, 0 where unknown."""
    level = facts["hosp_lv"] if 0 <= facts["hosp_lv"] < 100 else 0
    return day_number(facts["enddate"]) * 100 + level


def continues_a_stay(plan: Row, facts: Row, year: Row) -> bool:
    """Returns whether a stay is one with the person's last: a readmission or a transfer within the policy's days."""
    if not plan["stay"] or year["last_discharge"] <= 0:
        return False
    same_level = year["last_discharge"] % 100 == discharge(facts) % 100
    days = day_number(facts["begndate"]) - year["last_discharge"] // 100
    return 0 <= days < (plan["readmission"] if same_level else plan["transfer"])


def deductible(plan: Row, facts: Row, year: Row, base: int) -> int:
    """Returns act_pay_dedc (step 3): what is due, by the stay's ordinal or what the year still lacks, within base.

    A stay that continues another has that one's ordinal, and owes what its own deductible is more than was taken.
    """
    if plan["deductible_exempt"] or (plan["deductible_waived"] and ceiling_is_reached(plan, year)):
        return 0
    due = 0
    if plan["deductible_kind"] == DEDUCTIBLE_BY_ORDINAL:
        continues = continues_a_stay(plan, facts, year)
        earlier = max(0, year["stays"] - continues)
        due = max(plan["deductible_floor"], plan["deductible_amount"] - plan["deductible_less"] * earlier)
        due = share(due, plan["deductible_factor"])
        due = max(0, due - year["stay_deductible"]) if continues else due
        due = min(due, max(0, plan["deductible_cap"] - year["deductible_stays"]))
    elif plan["deductible_kind"] == DEDUCTIBLE_ANNUAL:
        due = share(max(0, plan["deductible_amount"] - year["deductible"]), plan["deductible_factor"])
    return min(due, base)


def ceiling_is_reached(plan: Row, year: Row) -> bool:
    """Returns whether the basic fund pays nothing more this year, by its payments or by the in-scope amounts."""
    return room_under_ceiling(plan, year) == 0 or year["inscp_scp_amt"] >= plan["ceiling_cost"]


def segment_payments(plan: Row, year: Row, base: int, dedc: int) -> list[tuple[Piece, int, int]]:
    """Returns (segment, part of the claim inside it, its payment) for each segment (step 4).

    The claim occupies a stretch of ``base - dedc`` fen, from zero or from what the year has placed (where edges are
    edges of the payment: has paid), further on by the deductible where that is taken inside the first segment.
    """
    start = 0
    if plan["to_date"] and plan["on_payment"]:
        start = year["hifp_pay"]
    elif plan["to_date"] == YEAR_OF_KIND:
        start = year[ACCUMULATORS[plan["placed"]]]
    elif plan["to_date"] == YEAR_OF_ALL_KINDS:
        start = sum(year[name] for name in PLACES)
    if plan["deductible_inside"]:
        start += dedc
    if plan["on_payment"]:
        return _segments_on_payment(plan, start, base - dedc)
    stop = start + base - dedc
    paid = []
    for segment in segments(plan):
        part = within(start, stop, segment)
        paid.append((segment, part, share(part, segment.ratio)))
    return paid


def _segments_on_payment(plan: Row, start: int, cost: int) -> list[tuple[Piece, int, int]]:
    """Returns the segments of a cost whose payments fill them one after the other, from the payment ``start`` on.

    The cost that fills a segment is computed back from the payment that is left in it.
    """
    paid = []
    for segment in segments(plan):
        part = payment = 0
        room = max(0, segment.up_to - max(segment.above, start))
        if room:
            payment = min(share(cost, segment.ratio), room)
            part = cost if share(cost, segment.ratio) <= room else cost_of(payment, segment.ratio)
        cost -= part
        paid.append((segment, part, payment))
    return paid


def uncovered_cost(paid: list[tuple[Piece, int, int]], hifp_pay: int) -> int:
    """Returns the cost that ``hifp_pay``, spent on the segments in order, does not cover (step 5)."""
    left, uncovered = hifp_pay, 0
    for segment, part, payment in paid:
        spent = min(payment, left)
        left -= spent
        if spent < payment:
            uncovered += part - (cost_of(spent, segment.ratio) if spent else 0)
    return uncovered


def fund_base(fund: Row, facts: Row, amounts: Row, first: int, over: int) -> int:
    """Returns a further fund's base in the claim (steps 6 to 9), from the amounts booked or being computed."""
    if not fund["personal"]:
        return over
    amount = facts["inscp_scp_amt"] - amounts["hifp_pay"]
    amount -= sum(amounts[AMOUNTS[at]] for at in FUND_PARTS if fund["less"] >> at & 1)
    if not fund["first"]:
        amount -= first
    if not fund["over"]:
        amount -= over
    return max(0, amount)


def fund_pay(fund: Row, year: Row, amount: int, left: int) -> int:
    """Returns what a further fund pays on its base: tiers above its threshold, within its yearly cap.

    No fund pays more than is ``left`` of the in-scope amount behind those before it.
    """
    before = year[FUND_BASES[fund["code"]]] if fund["to_date"] else 0
    start = max(0, before - fund["threshold"])
    stop = max(0, before + amount - fund["threshold"])
    paid = sum(share(within(start, stop, tier), tier.ratio) for tier in tiers(fund))
    return min(paid, max(0, fund["cap"] - year[FURTHER_FUNDS[fund["code"]]]), max(0, left))


def within_limit(plan: Row, hifp_pay: int) -> int:
    """Returns what the basic fund pays within the limit of the claim's disease (step 5)."""
    return min(hifp_pay, plan["limit"] - 1)


def personal(parts: int, facts: Row, amounts: Row) -> int:
    """Returns what the parts of the personal amount (ACCOUNT_*, summed) come to."""
    allowed = 0
    if parts & ACCOUNT_IN_SCOPE:
        allowed += facts["inscp_scp_amt"] - amounts["fund_pay_sumamt"]
    if parts & ACCOUNT_NOT_DEDUCTIBLE:
        allowed -= amounts["act_pay_dedc"]
    for part, name in (
        (ACCOUNT_PRESELF, "preselfpay_amt"),
        (ACCOUNT_OVER_LIMIT, "overlmt_selfpay"),
        (ACCOUNT_FULL_SELFPAY, "fulamt_ownpay_amt"),
    ):
        if parts & part:
            allowed += facts[name]
    return allowed


def hospital_share(plan: Row, facts: Row, amounts: Row) -> int:
    """Returns the hospital's share that the policy gives (step 10); a claim that states its own has no other."""
    if not plan["hospital"] or facts["hosp_part_amt"]:
        return 0
    return share(max(0, personal(plan["hospital"], facts, amounts)), plan["hospital_ratio"])


def account_pay(plan: Row, facts: Row, amounts: Row, balance: int) -> int:
    """Returns acct_pay (step 12): what the account may pay and holds, never more than the person's own part."""
    return max(0, min(balance, personal(plan["account"], facts, amounts), amounts["psn_part_amt"]))


def benefit(plan: Row, facts: Row, year: Row, balance: int) -> Benefit:
    """Returns what the plan gives for the claim (steps 2 to 12)."""
    amounts = dict.fromkeys(AMOUNTS, 0)
    first = first_selfpay(plan, facts)
    above = cost_above_ceiling(plan, facts, year, facts["inscp_scp_amt"] - first)
    base = facts["inscp_scp_amt"] - first - above
    amounts["act_pay_dedc"] = deductible(plan, facts, year, base)
    paid = segment_payments(plan, year, base, amounts["act_pay_dedc"])
    step_4 = sum(payment for _, _, payment in paid)
    amounts["hifp_pay"] = min(step_4, room_under_ceiling(plan, year))
    over = uncovered_cost(paid, amounts["hifp_pay"]) if plan["over_uncovered"] else step_4 - amounts["hifp_pay"]
    over += above
    if plan["limit"]:
        amounts["hifp_pay"] = within_limit(plan, amounts["hifp_pay"])
    left = facts["inscp_scp_amt"] - amounts["hifp_pay"]
    for fund in further_funds(plan):
        pays = fund_pay(fund, year, fund_base(fund, facts, amounts, first, over), left)
        amounts[FURTHER_FUNDS[fund["code"]]] += pays
        left -= pays
    amounts["fund_pay_sumamt"] = sum(amounts[part] for part in FUND_PART_NAMES)
    hospital = hospital_share(plan, facts, amounts)
    amounts["psn_part_amt"] = facts["medfee_sumamt"] - amounts["fund_pay_sumamt"] - facts["hosp_part_amt"] - hospital
    amounts["acct_pay"] = account_pay(plan, facts, amounts, balance)
    amounts["psn_cash_pay"] = amounts["psn_part_amt"] - amounts["acct_pay"]
    return Benefit(amounts, base, first, over, continues_a_stay(plan, facts, year), hospital)


def contribution(plan: Row, facts: Row, year: Row, booked: Row, given: Benefit) -> dict[str, int]:
    """Returns what the claim adds to the person's year (step 13).

    The amounts are the booked ones, whoever decided them; first self-pay, base and over-ceiling amount are the
    policy's.
    """
    added = dict.fromkeys(ACCUMULATORS, 0) | paid_contribution(facts, booked)
    dedc = booked["act_pay_dedc"]
    placed = given.base - dedc
    if plan["stay"] and (placed > 0 or plan["stay_below_counts"]) and not given.continues:
        added["stays"] = 1
    if plan["deductible_kind"] == DEDUCTIBLE_ANNUAL:
        added["deductible"] = dedc
    elif plan["deductible_kind"] == DEDUCTIBLE_BY_ORDINAL and plan["deductible_cap"] < NO_LIMIT:
        added["deductible_stays"] = dedc
    latest = plan["stay"] and discharge(facts) >= year["last_discharge"]
    if latest and (plan["readmission"] or plan["transfer"]):
        added["last_discharge"] = discharge(facts) - year["last_discharge"]
        added["stay_deductible"] = dedc if given.continues else dedc - year["stay_deductible"]
    added[ACCUMULATORS[plan["placed"]]] = given.base if plan["deductible_inside"] else placed
    for fund in further_funds(plan):
        if fund["to_date"]:
            name = FUND_BASES[fund["code"]]
            added[name] = fund_base(fund, facts, booked, given.first_selfpay, given.over_ceiling)
    return added


def paid_contribution(facts: Row, booked: Row) -> dict[str, int]:
    """Returns what was paid, which advances the person's year whoever decided it."""
    funds = ("hifp_pay", *FURTHER_FUNDS[1:], "fund_pay_sumamt")
    return {"inscp_scp_amt": facts["inscp_scp_amt"]} | {fund: booked[fund] for fund in funds}
