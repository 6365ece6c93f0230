"""Names what the narrower formula reads of a plan and what comes of it, and lays both out in columns for every side.

Steps: first self-pay (V1) or points off the ratio (V2, already in the plan's ratios), a deductible by level and ordinal
with a floor, none once the ceiling is reached, segments per claim or on the year to date, a yearly ceiling on payment,
a personal account; a refund takes off what the person's claim before it added. It is within the basic formula
(``core_ext.basic``), so the kernel is given the same columns and fills the same ones.
"""

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from core_ext._settle import Packed, packed
from core_ext.basic import BASIC_AMOUNTS, BASIC_FACTS, BASIC_YEAR
from core_ext.layout import ABSENT, ACCUMULATOR, AMOUNT, FACT
from core_ext.plan import NO_LIMIT, PLAN_AT, RATIO_ONE
from core_ext.settling import REFUND, Batch, Table

SEGMENTS = 3
ONE, HALF = RATIO_ONE, RATIO_ONE // 2

#: Columns of a plan: the terms, and the edges and ratios of its segments.
TERMS = {
    "first_ratio": PLAN_AT["first_ratio"],
    "due": PLAN_AT["deductible_amount"],
    "less": PLAN_AT["deductible_less"],
    "floor": PLAN_AT["deductible_floor"],
    "ceiling": PLAN_AT["ceiling"],
    "to_date": PLAN_AT["to_date"],
    "account_pays": PLAN_AT["account"],
    **{f"{part}_{at}": PLAN_AT[f"segment_{part}_{at}"] for at in range(SEGMENTS) for part in ("edge", "ratio")},
}
#: What of a claim's facts the formula needs.
GIVEN = {"medfee": "medfee_sumamt", "preself": "preselfpay_amt", "inscp": "inscp_scp_amt", "hosp": "hosp_part_amt"}
#: What a person's year holds before a claim.
HELD = ("stays", "placed", "hifp", "balance")
#: What comes out of a claim, by the names of the kernel's columns.
RESULTS = dict(zip(("dedc", "pays", "part", "acct", "cash"), BASIC_AMOUNTS, strict=True))


@dataclass(frozen=True)
class Columns:
    """Is the narrower formula's claims in columns, by person, and its plans as each side reads them.

    What is prepared is prepared for all: columns of claims, and the plans: packed for the kernel, a column a term, and
    for a compiled loop a row of terms a plan. Years begin with nothing held but the balance.
    """

    plans: Packed
    terms: dict[str, Table]
    term_rows: Table
    plan: Table
    kind: Table
    refund: NDArray[np.bool_]
    ref: Table
    person: Table
    facts: dict[str, Table]
    balances: Table

    def __len__(self) -> int:
        """Returns the number of claims."""
        return len(self.plan)

    @property
    def given(self) -> dict[str, Table]:
        """Returns the columns the peers read, by the names of GIVEN."""
        return {name: self.facts[fact] for name, fact in GIVEN.items()}

    @property
    def money(self) -> tuple[Table, ...]:
        """Returns the columns the kernel reads: two more, to check that the parts add up."""
        return tuple(self.facts[name] for name in BASIC_FACTS)


def columns_of(batch: Batch) -> Columns:
    """Returns a batch of the narrower formula in columns; raises RuntimeError where a plan of it says more."""
    check_narrow(batch)
    if not np.array_equal(batch.slot, batch.account) or batch.state.any():
        raise RuntimeError("expected fresh years, one a person, got others")
    terms = {name: np.ascontiguousarray(batch.plans[:, at]) for name, at in TERMS.items()}
    return Columns(
        packed(batch.plans), terms, np.ascontiguousarray(batch.plans[:, list(TERMS.values())]), batch.plan, batch.kind,
        batch.kind == REFUND, batch.ref, batch.slot,
        {name: np.ascontiguousarray(batch.facts[:, FACT[name]]) for name in BASIC_FACTS}, batch.accounts,
    )  # fmt: skip


def repeated(columns: Columns, times: int) -> Columns:
    """Returns as many times the claims, each time of other persons; plans are the same."""
    n, persons = len(columns), len(columns.balances)
    turn = np.repeat(np.arange(times), n)
    return replace(
        columns,
        plan=np.tile(columns.plan, times),
        kind=np.tile(columns.kind, times),
        refund=np.tile(columns.refund, times),
        ref=np.where(np.tile(columns.refund, times), np.tile(columns.ref, times) + turn * n, -1),
        person=np.tile(columns.person, times) + turn * persons,
        facts={name: np.tile(column, times) for name, column in columns.facts.items()},
        balances=np.tile(columns.balances, times),
    )


def amounts_of(booked: Table) -> dict[str, Table]:
    """Returns the columns of RESULTS out of a table of amounts; raises RuntimeError where it holds what they do not."""
    rest = [at for name, at in AMOUNT.items() if name not in (*BASIC_AMOUNTS, "fund_pay_sumamt")]
    if booked[:, rest].any() or (booked[:, AMOUNT["fund_pay_sumamt"]] != booked[:, AMOUNT["hifp_pay"]]).any():
        raise RuntimeError("expected amounts of the narrower formula alone, got others")
    return {name: np.ascontiguousarray(booked[:, AMOUNT[amount]]) for name, amount in RESULTS.items()}


def years_for(persons: int) -> Table:
    """Returns years of nothing, each in one line of the cache."""
    width = len(BASIC_YEAR)
    memory = np.zeros((persons + 1) * width, np.int64)
    begins = -memory.ctypes.data // memory.itemsize % width
    return memory[begins : begins + persons * width].reshape(persons, width)


def check_narrow(batch: Batch) -> None:
    """Raises RuntimeError where a plan of the batch says more than the narrower formula does."""
    plans = batch.plans
    same = {
        "deductible_kind": 1, "deductible_factor": RATIO_ONE, "deductible_cap": NO_LIMIT, "deductible_exempt": 0,
        "deductible_waived": 1, "deductible_inside": 0, "readmission": 0, "transfer": 0, "on_payment": 0, "stay": 1,
        "placed": ACCUMULATOR["placed_inpatient"], "stay_below_counts": 1, "ceiling_cost": NO_LIMIT,
        "over_uncovered": 0, "segments": SEGMENTS, "limit": 0, "hospital": 0, "pool": 0,
    }  # fmt: skip
    wrong = [name for name, value in same.items() if (plans[:, PLAN_AT[name]] != value).any()]
    tiers = [at for name, at in PLAN_AT.items() if name.startswith("fund_") and name.endswith("_tiers")]
    if wrong or plans[:, tiers].any() or not np.isin(plans[:, PLAN_AT["account"]], (0, 3)).all():
        raise RuntimeError(f"expected plans of the narrower formula, got others in {wrong or 'funds or account'}")
    if (plans[:, PLAN_AT["to_date"]] > 1).any() or (batch.given != ABSENT).any():
        raise RuntimeError("expected segments per claim or by kind and no source's amounts, got others")
