"""Computes one benefit under one plan, step by step as DOMAIN section 4 numbers them: the specification.

Every function takes and returns plain ``int`` fen. ``plan``, ``facts`` and ``year`` are mappings by the names in
``core_ext.plan.PLAN``, ``core_ext.layout.FACTS`` and ``core_ext.layout.ACCUMULATORS``; ``year`` is what the
person's benefit year holds before the claim. An amount is rounded half-up where a step says so and nowhere else.
"""

from collections.abc import Mapping
from typing import NamedTuple

from core_ext.layout import ACCUMULATORS, AMOUNTS, FUND_PARTS
from core_ext.plan import (
    ACCOUNT_IN_SCOPE_AND_PRESELF,
    ACCOUNT_NOTHING,
    DEDUCTIBLE_ANNUAL,
    DEDUCTIBLE_BY_ORDINAL,
    FUND_HIFMI,
    FUND_HIFOB,
    FUND_MAF,
    RATIO_ONE,
)

Row = Mapping[str, int]

FUND_PART_NAMES = tuple(AMOUNTS[at] for at in FUND_PARTS)


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
    return _pieces(plan, plan["segments"], "segment")


def tiers(plan: Row) -> list[Piece]:
    """Returns the tiers of the catastrophic fund in order, counted from its threshold."""
    return _pieces(plan, plan["tiers"], "tier")


def _pieces(plan: Row, count: int, name: str) -> list[Piece]:
    pieces, above = [], 0
    for at in range(count):
        up_to = plan[f"{name}_edge_{at}"]
        pieces.append(Piece(above, up_to, plan[f"{name}_ratio_{at}"]))
        above = up_to
    return pieces


def first_selfpay(plan: Row, facts: Row) -> int:
    """Returns V1's first self-pay (step 2): the part of the in-scope amount that no deductible or segment sees."""
    return share(facts["inscp_scp_amt"], plan["first_ratio"])


def room_under_ceiling(plan: Row, year: Row) -> int:
    """Returns what the basic fund may still pay this year (step 5)."""
    return max(0, plan["ceiling"] - year["hifp_pay"])


def deductible(plan: Row, year: Row, base: int) -> int:
    """Returns act_pay_dedc (step 3): what is due, by the stay's ordinal or what the year still lacks, within base."""
    kind = plan["deductible_kind"]
    if kind == DEDUCTIBLE_BY_ORDINAL:
        earlier = max(0, year["stays"])
        due = max(plan["deductible_floor"], plan["deductible_amount"] - plan["deductible_less"] * earlier)
    elif kind == DEDUCTIBLE_ANNUAL:
        due = max(0, plan["deductible_amount"] - year["deductible"])
    else:
        due = 0
    if plan["deductible_exempt"] or (plan["deductible_waived"] and room_under_ceiling(plan, year) == 0):
        due = 0
    return min(share(due, plan["deductible_factor"]), base)


def segment_payments(plan: Row, year: Row, base: int, dedc: int) -> list[tuple[Piece, int, int]]:
    """Returns (segment, part of the claim inside it, its payment) for each segment (step 4).

    The claim occupies a stretch of ``base - dedc`` fen, from zero or from what the year has placed, further on by
    the deductible where that is taken inside the first segment.
    """
    start = year[ACCUMULATORS[plan["placed"]]] if plan["to_date"] else 0
    if plan["deductible_inside"]:
        start += dedc
    stop = start + base - dedc
    paid = []
    for segment in segments(plan):
        part = within(start, stop, segment)
        paid.append((segment, part, share(part, segment.ratio)))
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


def catastrophic_amount(plan: Row, facts: Row, amounts: Row, first: int, over: int) -> int:
    """Returns the claim's catastrophic amount (step 7), from the amounts booked or being computed."""
    if not plan["catastrophic"]:
        return 0
    amount = facts["inscp_scp_amt"] - amounts["hifp_pay"]
    if plan["catastrophic_less_hifob"]:
        amount -= amounts["hifob_pay"]
    if not plan["catastrophic_first"]:
        amount -= first
    if not plan["catastrophic_over"]:
        amount -= over
    return max(0, amount)


def assistance_amount(plan: Row, facts: Row, amounts: Row, first: int) -> int:
    """Returns the claim's assistance amount (step 9), from the amounts booked or being computed."""
    if not plan["assistance"]:
        return 0
    amount = facts["inscp_scp_amt"] - amounts["hifp_pay"]
    if plan["assistance_less_hifob"]:
        amount -= amounts["hifob_pay"]
    if plan["assistance_less_hifmi"]:
        amount -= amounts["hifmi_pay"]
    if not plan["assistance_first"]:
        amount -= first
    return max(0, amount)


def hifob(plan: Row, year: Row, over: int) -> int:
    """Returns hifob_pay (step 6): a ratio of the over-ceiling amount within the year's cap."""
    return min(share(over, plan["hifob_ratio"]), max(0, plan["hifob_cap"] - year["hifob_pay"]))


def hifmi(plan: Row, year: Row, amount: int) -> int:
    """Returns hifmi_pay (step 7): tiers on the part of the year's catastrophic amounts above the threshold."""
    start = max(0, year["catastrophic"] - plan["catastrophic_threshold"])
    stop = max(0, year["catastrophic"] + amount - plan["catastrophic_threshold"])
    return sum(share(within(start, stop, tier), tier.ratio) for tier in tiers(plan))


def maf(plan: Row, year: Row, amount: int) -> int:
    """Returns maf_pay (step 9): a ratio of the assistance amounts above the class's threshold, within its cap."""
    start = max(0, year["assistance"] - plan["assistance_threshold"])
    stop = max(0, year["assistance"] + amount - plan["assistance_threshold"])
    paid = share(stop - start, plan["assistance_ratio"])
    return min(paid, max(0, plan["assistance_cap"] - year["maf_pay"]))


def account_pay(plan: Row, facts: Row, amounts: Row, balance: int) -> int:
    """Returns acct_pay (step 12): what the account may pay and holds, never more than the person's own part."""
    if plan["account"] == ACCOUNT_NOTHING:
        return 0
    allowed = facts["inscp_scp_amt"] - amounts["fund_pay_sumamt"]
    if plan["account"] == ACCOUNT_IN_SCOPE_AND_PRESELF:
        allowed += facts["preselfpay_amt"]
    return max(0, min(balance, allowed, amounts["psn_part_amt"]))


def benefit(plan: Row, facts: Row, year: Row, balance: int) -> Benefit:
    """Returns what the plan gives for the claim (steps 2 to 12)."""
    amounts = dict.fromkeys(AMOUNTS, 0)
    first = first_selfpay(plan, facts)
    base = facts["inscp_scp_amt"] - first
    amounts["act_pay_dedc"] = deductible(plan, year, base)
    paid = segment_payments(plan, year, base, amounts["act_pay_dedc"])
    step_4 = sum(payment for _, _, payment in paid)
    amounts["hifp_pay"] = min(step_4, room_under_ceiling(plan, year))
    over = uncovered_cost(paid, amounts["hifp_pay"]) if plan["over_uncovered"] else step_4 - amounts["hifp_pay"]
    for fund in (plan["fund_1"], plan["fund_2"], plan["fund_3"]):
        if fund == FUND_HIFOB:
            amounts["hifob_pay"] = hifob(plan, year, over)
        elif fund == FUND_HIFMI:
            amounts["hifmi_pay"] = hifmi(plan, year, catastrophic_amount(plan, facts, amounts, first, over))
        elif fund == FUND_MAF:
            amounts["maf_pay"] = maf(plan, year, assistance_amount(plan, facts, amounts, first))
    amounts["fund_pay_sumamt"] = sum(amounts[part] for part in FUND_PART_NAMES)
    amounts["psn_part_amt"] = facts["medfee_sumamt"] - amounts["fund_pay_sumamt"] - facts["hosp_part_amt"]
    amounts["acct_pay"] = account_pay(plan, facts, amounts, balance)
    amounts["psn_cash_pay"] = amounts["psn_part_amt"] - amounts["acct_pay"]
    return Benefit(amounts, base, first, over)


def contribution(plan: Row, facts: Row, booked: Row, given: Benefit) -> dict[str, int]:
    """Returns what the claim adds to the person's year (step 13).

    The amounts are the booked ones, whoever decided them; first self-pay, base and over-ceiling amount are the
    policy's.
    """
    added = dict.fromkeys(ACCUMULATORS, 0)
    placed = given.base - booked["act_pay_dedc"]
    if plan["stay"] and (placed > 0 or plan["stay_below_counts"]):
        added["stays"] = 1
    if plan["deductible_kind"] == DEDUCTIBLE_ANNUAL:
        added["deductible"] = booked["act_pay_dedc"]
    added[ACCUMULATORS[plan["placed"]]] = given.base if plan["deductible_inside"] else placed
    for fund in ("hifp_pay", "hifob_pay", "hifmi_pay", "maf_pay", "fund_pay_sumamt"):
        added[fund] = booked[fund]
    added["catastrophic"] = catastrophic_amount(plan, facts, booked, given.first_selfpay, given.over_ceiling)
    added["assistance"] = assistance_amount(plan, facts, booked, given.first_selfpay)
    added["inscp_scp_amt"] = facts["inscp_scp_amt"]
    return added
