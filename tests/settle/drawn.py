"""Draws plans and batches of claims at random: ordinary ones, the edges of rounding, and amounts no claim has."""

from random import Random
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from core_ext.layout import ABSENT, ACCUMULATOR, ACCUMULATORS, AMOUNT, AMOUNTS, FACT, FACTS
from core_ext.plan import FUNDS_MAX, NO_LIMIT, PLAN, RANGE, RATIO_ONE, SEGMENTS_MAX, TIERS_MAX
from core_ext.reference.benefit import day_number
from core_ext.settling import COMPUTE, REFUND, SKIP, SOURCE, SOURCE_UNCHECKED

Ints = NDArray[np.int64]

LARGEST_YUAN_TEXT = 10**15 - 1
EXTREMES = (RANGE - 1, RANGE, 2**63 - 1, -(2**63), -(2**63) + 1, -1, LARGEST_YUAN_TEXT)
MONEY = range(FACT["medfee_sumamt"], len(FACTS))


class Batch(NamedTuple):
    """Is what a call of settle reads."""

    plans: Ints
    plan: Ints
    facts: Ints
    given: Ints
    kind: Ints
    ref: Ints
    lenient: Ints
    slot: Ints
    state: Ints
    account: Ints
    accounts: Ints
    code: Ints


def amount(rng: Random) -> int:
    """Returns an amount a policy or a claim may hold: mostly small, sometimes as large as its text allows."""
    return rng.choice((0, 1, rng.randrange(100), rng.randrange(10**6), rng.randrange(10**8), rng.randrange(10**15)))


def ratio(rng: Random) -> int:
    """Returns a ratio as a plan holds it, exact in basis points or as a product of two."""
    return rng.choice((0, RATIO_ONE, RATIO_ONE // 2, rng.randrange(10_001) * 10_000, rng.randrange(RATIO_ONE + 1)))


def limit(rng: Random) -> int:
    """Returns a cap: none, or an amount."""
    return NO_LIMIT if rng.random() < 0.2 else amount(rng)


def pieces(rng: Random, name: str, most: int, plan: dict[str, int]) -> int:
    """Fills ascending edges and ratios under names with one place for "edge" and "ratio"; the last may have no end."""
    count = rng.randrange(most + 1)
    edges = sorted({amount(rng) + 1 for _ in range(count)})
    if edges and rng.random() < 0.7:
        edges[-1] = NO_LIMIT
    for at, edge in enumerate(edges):
        plan[name.format("edge", at)], plan[name.format("ratio", at)] = edge, ratio(rng)
    return len(edges)


def plan_row(rng: Random) -> list[int]:
    """Returns a plan as compilation could give it."""
    plan = dict.fromkeys(PLAN, 0)
    plan["first_ratio"] = rng.choice((0, ratio(rng)))
    plan["ceiling"], plan["ceiling_cost"] = limit(rng), rng.choice((NO_LIMIT, limit(rng)))
    plan["deductible_cap"] = rng.choice((NO_LIMIT, limit(rng)))
    for name in ("deductible_amount", "deductible_less", "deductible_floor"):
        plan[name] = amount(rng)
    for name in ("deductible_exempt", "deductible_waived", "deductible_inside", "stay", "stay_below_counts",
                 "over_uncovered", "mulaid"):  # fmt: skip
        plan[name] = rng.randrange(2)
    plan["deductible_factor"] = rng.choice((RATIO_ONE, ratio(rng), rng.randrange(10 * RATIO_ONE)))
    plan["deductible_exempt"] = int(rng.random() < 0.1)
    plan["on_payment"] = int(rng.random() < 0.25)
    plan["readmission"], plan["transfer"] = rng.choice((0, 1, 16)), rng.choice((0, 2, 30))
    plan["relation"], plan["filing"] = rng.randrange(3), rng.randrange(7)
    plan["deductible_kind"], plan["to_date"] = rng.randrange(3), rng.randrange(3)
    plan["account"] = rng.choice((0, 1, 3, rng.randrange(32)))
    plan["placed"] = rng.randrange(ACCUMULATOR["placed_inpatient"], ACCUMULATOR["placed_pharmacy"] + 1)
    plan["limit"] = rng.choice((0, 0, 0, 1, 1 + amount(rng)))
    plan["hospital"], plan["hospital_ratio"] = rng.choice((0, 0, 1, rng.randrange(32))), ratio(rng)
    plan["segments"] = pieces(rng, "segment_{}_{}", SEGMENTS_MAX, plan)
    funds = rng.sample(range(1, FUNDS_MAX + 1), rng.choice((0, 1, 2, 3, FUNDS_MAX)))
    plan["funds"] = len(funds)
    for at, fund in enumerate(funds):
        name = f"fund_{at}_"
        plan[f"{name}code"], plan[f"{name}less"] = fund, rng.choice((0, 1 << rng.randrange(2, 9), rng.randrange(512)))
        plan[f"{name}threshold"], plan[f"{name}cap"] = rng.choice((0, amount(rng))), limit(rng)
        for part in ("personal", "to_date", "first", "over"):
            plan[name + part] = rng.randrange(2)
        plan[f"{name}tiers"] = pieces(rng, name + "{}_{}", TIERS_MAX, plan)
    return [plan[name] for name in PLAN]


def day(rng: Random) -> int:
    """Returns a day of a few months around a year's end, at times one that no calendar has."""
    strange = rng.choice((0, -1, 2**62, 20241399, 99991231))
    usual = (20231220 + rng.randrange(12), 20240101 + rng.randrange(31), 20240226 + rng.randrange(4), 20240301)
    return rng.choice((*usual, strange))


def fact_row(rng: Random) -> list[int]:
    """Returns facts that satisfy I1, mostly."""
    fact = dict.fromkeys(FACTS, 0)
    fact["token"] = rng.randrange(2)
    fact["med_type"] = rng.choice((11, 21))
    fact["hosp_lv"] = rng.choice((1, 2, 3, 3, -1, 100))
    fact["begndate"] = day(rng)
    fact["enddate"] = rng.choice((fact["begndate"], day(rng)))
    for name in ("insured_region", "treatment_region", "insu_admdvs", "mdtrtarea_admvs"):
        fact[name] = rng.choice((0, 441800, 440100, 110000, -5))
    parts = ("fulamt_ownpay_amt", "overlmt_selfpay", "preselfpay_amt", "inscp_scp_amt")
    for name in parts:
        fact[name] = amount(rng) if name == "inscp_scp_amt" or rng.random() < 0.3 else 0
    fact["medfee_sumamt"] = sum(fact[name] for name in parts)
    if rng.random() < 0.2:
        fact["hosp_part_amt"] = rng.randrange(1 + fact["medfee_sumamt"])
    if rng.random() < 0.03:
        fact[rng.choice((*parts, "medfee_sumamt", "hosp_part_amt"))] = rng.choice(EXTREMES)
    return [fact[name] for name in FACTS]


def given_row(rng: Random, facts: list[int]) -> list[int]:
    """Returns a source's amounts that satisfy I2, I3 and I5, mostly, some of them left empty."""
    amounts = dict.fromkeys(AMOUNTS, 0)
    personal = max(0, facts[FACT["medfee_sumamt"]] - facts[FACT["hosp_part_amt"]])
    for name in rng.sample(("hifp_pay", "maf_pay", "hifmi_pay", "hifob_pay", "oth_pay"), 3):
        amounts[name] = rng.randrange(1 + personal)
        personal -= amounts[name]
        amounts["fund_pay_sumamt"] += amounts[name]
    amounts["psn_part_amt"] = personal
    amounts["acct_pay"] = rng.randrange(1 + personal)
    amounts["acct_mulaid_pay"] = rng.randrange(1 + amounts["acct_pay"])
    amounts["psn_cash_pay"] = personal - amounts["acct_pay"]
    amounts["act_pay_dedc"] = amount(rng)
    for name in AMOUNTS:
        if rng.random() < 0.1:
            amounts[name] = ABSENT
    if rng.random() < 0.05:
        amounts[rng.choice(AMOUNTS)] = rng.choice((*EXTREMES, amount(rng)))
    return [amounts[name] for name in AMOUNTS]


def negated(values: list[int]) -> list[int]:
    """Returns money negated; a number that has no negative stays."""
    return [value if value == ABSENT else -value for value in values]


def batch(seed: int, rows: int = 40) -> Batch:
    """Returns a batch of two persons with three person-years; later rows often refund earlier ones."""
    rng = Random(seed)
    plans = np.array([plan_row(rng) for _ in range(4)], np.int64)
    facts, given = np.zeros((rows, len(FACTS)), np.int64), np.full((rows, len(AMOUNTS)), ABSENT, np.int64)
    kind, ref, slot = (np.zeros(rows, np.int64) for _ in range(3))
    ref[:] = -1
    for row in range(rows):
        kind[row] = rng.choices((SKIP, COMPUTE, SOURCE, REFUND, SOURCE_UNCHECKED), (1, 8, 6, 5, 2))[0]
        fact = fact_row(rng)
        slot[row] = fact[0] * 2 + rng.randrange(1 + (fact[0] == 0)) * 2
        if kind[row] in (SOURCE, SOURCE_UNCHECKED):
            given[row] = given_row(rng, fact)
        if kind[row] == REFUND:
            ref[row] = rng.randrange(-1, rows if rng.random() < 0.1 else max(1, row))
            if ref[row] >= 0 and rng.random() < 0.9:
                original = int(ref[row])
                slot[row] = slot[original]
                fact[: MONEY.start] = facts[original, : MONEY.start].tolist()
                fact[MONEY.start :] = negated(facts[original, MONEY.start :].tolist())
                if rng.random() < 0.5:
                    given[row] = negated(given[original].tolist())
        facts[row] = fact
    state = np.zeros((4, len(ACCUMULATORS)), np.int64)
    for cell in range(state.size):
        if rng.random() < 0.2:
            state.flat[cell] = rng.choice((amount(rng), -rng.randrange(1000), amount(rng)))
    last = ACCUMULATOR["last_discharge"]
    state[:, last] = [rng.choice((0, day_number(day(rng)) * 100 + rng.randrange(4), amount(rng))) for _ in state]
    if rng.random() < 0.1:
        state.flat[rng.randrange(state.size)] = rng.choice(EXTREMES)
    accounts = np.array([rng.choice((0, amount(rng), -5)) for _ in range(2)], np.int64)
    code = np.array([rng.choice((0,) * 12 + (21, 20, 13)) for _ in range(rows)], np.int64)
    plan = np.array([rng.randrange(-1, 4) if rng.random() < 0.1 else rng.randrange(4) for _ in range(rows)], np.int64)
    lenient = np.array([int(rng.random() < 0.1) for _ in range(rows)], np.int64)
    return Batch(plans, plan, facts, given, kind, ref, lenient, slot, state, facts[:, 0].copy(), accounts, code)


def ordinary(drawn: Batch) -> int:
    """Returns how many rows are decided by policy or source: what a draw must be rich in to prove anything."""
    return int(np.isin(drawn.kind, (COMPUTE, SOURCE, SOURCE_UNCHECKED)).sum())


def amount_of(rows: Ints, name: str) -> Ints:
    """Returns one amount's column."""
    return np.asarray(rows[..., AMOUNT[name]])
