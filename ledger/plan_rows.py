"""Works on plans as rows of a table: limits of diseases, pools, and facts as registers have them."""

import numpy as np
import numpy.typing as npt

from core_ext.layout import FACT
from core_ext.plan import PLAN_AT

Ints = npt.NDArray[np.int64]


def with_limits(plans: Ints, plan: Ints, limits: Ints) -> tuple[Ints, Ints]:
    """Returns (plans, plan row per claim) in which claims under a disease's limit have a plan of their own.

    ``limits`` [n] is 1 + what the limit leaves, fen, 0 where there is none.
    """
    rows = np.flatnonzero((limits > 0) & (plan >= 0))
    if not len(rows):
        return plans, plan
    own, plan = plans[plan[rows]].copy(), plan.copy()
    own[:, PLAN_AT["limit"]] = limits[rows]
    plan[rows] = len(plans) + np.arange(len(rows))
    return np.concatenate([plans, own]), plan


def pools_of(plans: Ints, plan: Ints, facts: Ints) -> Ints:
    """Returns the insurance type whose pool pays each claim by its plan, 0 its own or where it has no plan."""
    if not len(plans):
        return np.zeros(len(plan), np.int64)
    pool = np.where(plan >= 0, plans[plan, PLAN_AT["pool"]], 0)
    return np.where(pool == facts[:, FACT["insutype"]], 0, pool)


def resolved(facts: Ints, hosp_lv: Ints, psn_type: Ints) -> Ints:
    """Returns facts with the level and the class that registers gave instead of the claim's own, 0 where none did."""
    if not hosp_lv.any() and not psn_type.any():
        return facts
    facts = facts.copy()
    for name, values in (("hosp_lv", hosp_lv), ("psn_type", psn_type)):
        facts[:, FACT[name]] = np.where(values > 0, values, facts[:, FACT[name]])
    return facts
