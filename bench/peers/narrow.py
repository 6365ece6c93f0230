"""Names what the narrower formula reads of a plan and what of its results is not zero, for peers that have columns.

Steps: first self-pay (V1) or points off the ratio (V2, already in the plan's ratios), a deductible by level and ordinal
with a floor, none once the ceiling is reached, segments per claim or on the year to date, a yearly ceiling on payment,
a personal account; a refund takes off what the person's claim before it added.
"""

from collections.abc import Mapping
from typing import Any

import numpy as np

from core_ext.layout import ABSENT, ACCUMULATOR, AMOUNT, FACT, HOW
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
#: What a claim brings.
GIVEN = {
    "medfee": FACT["medfee_sumamt"],
    "preself": FACT["preselfpay_amt"],
    "inscp": FACT["inscp_scp_amt"],
    "hosp": FACT["hosp_part_amt"],
}
#: What a person's year holds before a claim.
HELD = ("stays", "placed", "hifp", "scope", "balance")
#: What comes out of a claim and cannot be told from the rest.
RESULTS = ("dedc", "pays", "acct", "first", "over", "stay", "places", *(f"{name}_before" for name in HELD))


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


def tables_of(batch: Batch, got: Mapping[str, Any]) -> tuple[Table, ...]:
    """Returns (booked, computed, before, delta, balc, how) that columns of RESULTS stand for, to compare."""
    n = len(batch.plan)
    result = {name: np.asarray(got[name], np.int64) for name in RESULTS}
    refund = batch.kind == REFUND
    sign = np.where(refund, -1, 1)
    fact = {name: batch.facts[:n, at] for name, at in GIVEN.items()}
    part = fact["medfee"] - result["pays"] - fact["hosp"]
    booked, before, delta, how = (np.zeros_like(t) for t in (batch.booked, batch.before, batch.delta, batch.how))
    for name, values in (
        ("act_pay_dedc", result["dedc"]), ("hifp_pay", result["pays"]), ("fund_pay_sumamt", result["pays"]),
        ("psn_part_amt", part), ("acct_pay", result["acct"]), ("psn_cash_pay", part - result["acct"]),
    ):  # fmt: skip
        booked[:, AMOUNT[name]] = values
    for name, held, added in (
        ("stays", "stays", result["stay"]), ("placed_inpatient", "placed", result["places"]),
        ("hifp_pay", "hifp", result["pays"]), ("fund_pay_sumamt", "hifp", result["pays"]),
        ("inscp_scp_amt", "scope", fact["inscp"]),
    ):  # fmt: skip
        before[:, ACCUMULATOR[name]], delta[:, ACCUMULATOR[name]] = result[f"{held}_before"], added
    plans = batch.plans[batch.plan]
    how[:, HOW.index("relation")] = plans[:, PLAN_AT["relation"]]
    how[:, HOW.index("filing")] = np.where(refund, 0, plans[:, PLAN_AT["filing"]])
    how[:, HOW.index("first_selfpay")] = result["first"] * (sign > 0)
    how[:, HOW.index("over_ceiling")] = result["over"] * (sign > 0)
    return booked, booked.copy(), before, delta, result["balance_before"] - result["acct"], how
