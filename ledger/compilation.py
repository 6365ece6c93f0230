"""Compiles a policy into plans, the flat rows of integers that the settle kernel reads.

Everything a policy can say is resolved here, once for each case: a combination of policy version, insurance type,
kind of treatment, hospital level, status, relation, filing class and assistance class. ``core_ext.plan`` names the
columns of a plan, DOMAIN section 4 the steps.
"""

from collections.abc import Sequence
from typing import NamedTuple

from core_ext.plan import (
    ACCOUNT_IN_SCOPE,
    ACCOUNT_IN_SCOPE_AND_PRESELF,
    ACCOUNT_NOTHING,
    DEDUCTIBLE_ANNUAL,
    DEDUCTIBLE_BY_ORDINAL,
    FUND_HIFMI,
    FUND_HIFOB,
    FUND_MAF,
    NO_LIMIT,
    PLACED,
    PLAN,
    RATIO_ONE,
    STAY_MED_TYPE,
)
from ledger.policy import Policy
from ledger.policy_terms import (
    MED_TYPES,
    AnnualDeductible,
    ByFiling,
    ByLevel,
    DeductibleByOrdinal,
    MafClass,
    OffSite,
    Rules,
    Treatment,
)
from ledger.regions import RELATIONS
from ledger.registers import FILING_CLASSES

#: One basis point in the one scale of a plan's ratios.
BASIS_POINT = RATIO_ONE // 10_000

_ACCOUNTS = {
    "nothing": ACCOUNT_NOTHING,
    "in_scope": ACCOUNT_IN_SCOPE,
    "in_scope_and_preself": ACCOUNT_IN_SCOPE_AND_PRESELF,
}
_FUND_CODES = {"hifob": FUND_HIFOB, "hifmi": FUND_HIFMI, "maf": FUND_MAF}
_ASSIST_FIELDS = {1: "first", 2: "second", 3: "third", 4: "fourth"}


class Case(NamedTuple):
    """Is one combination a plan is compiled for; ``day`` is the day its policy version starts."""

    day: int
    insutype: str
    treatment: str
    hosp_lv: int
    retired: bool
    relation: int
    filing: int
    assist_class: int


def filing_class(off_site: OffSite, related: int, mask: int) -> int:
    """Returns the index in FILING_CLASSES for a relation and the filing types that count (bit 0 long_term … bit 3)."""
    if related == 0:
        return 0
    if mask & 1:
        return FILING_CLASSES.index("long_term")
    if RELATIONS[related] in off_site.no_filing_needed:
        return FILING_CLASSES.index("no_filing_needed")
    for bit, name in ((2, "referral"), (4, "emergency"), (8, "temporary")):
        if mask & bit:
            return FILING_CLASSES.index(name)
    return FILING_CLASSES.index("unfiled")


def compile_plan(policy: Policy, case: Case) -> list[int] | None:
    """Returns the plan of one case in the order of PLAN, or None where the policy has no rule for it."""
    rules = policy.rules_on(case.insutype, case.day)
    treatment = policy.treatment_on(case.insutype, case.treatment, case.day)
    if rules is None or treatment is None:
        return None
    plan = dict.fromkeys(PLAN, 0) | {
        "relation": case.relation,
        "filing": case.filing,
        "placed": PLACED[MED_TYPES[case.treatment]],
        "stay": int(MED_TYPES[case.treatment] == STAY_MED_TYPE),
        "stay_below_counts": int(rules.stay_below_deductible_counts),
        "to_date": int(treatment.position == "year_to_date"),
        "ceiling": rules.ceiling_yearly_payment,
        "over_uncovered": int(rules.over_ceiling_amount == "uncovered_cost"),
        "account": _ACCOUNTS[rules.account_pays],
    }
    off_site = _off_site(rules.off_site, case)
    if off_site is None:
        return None
    variant, value = off_site
    plan["first_ratio"] = value * BASIS_POINT if variant == "V1" else 0
    complete = _deductible(plan, policy, rules, treatment, case, value if variant == "V4" else 10_000)
    complete = _segments(plan, policy, treatment, case, variant, value) and complete
    _further_funds(plan, rules, case)
    return [int(plan[name]) for name in PLAN] if complete else None


def _off_site(off_site: OffSite, case: Case) -> tuple[str, int] | None:
    """Returns step 2's variant and value in basis points, ("none", 0) where it does not apply, None if unstated."""
    if case.relation == 0 or off_site.variant == "none" or case.treatment not in off_site.med_types:
        return "none", 0
    table: ByFiling | None = getattr(off_site, RELATIONS[case.relation])
    value = None if table is None else table.values.get(FILING_CLASSES[case.filing])
    return None if value is None else (off_site.variant, value)


def _deductible(
    plan: dict[str, int], policy: Policy, rules: Rules, treatment: Treatment, case: Case, factor: int
) -> bool:
    """Fills step 3; returns False where the policy has no deductible for the hospital's level."""
    due = treatment.deductible
    if isinstance(due, DeductibleByOrdinal):
        amount = policy.level(due.first_stay, case.hosp_lv)
        if amount is None:
            return False
        plan["deductible_kind"], plan["deductible_amount"] = DEDUCTIBLE_BY_ORDINAL, amount
        plan["deductible_less"], plan["deductible_floor"] = due.less_per_later_stay, due.floor
    elif isinstance(due, AnnualDeductible):
        plan["deductible_kind"], plan["deductible_amount"] = DEDUCTIBLE_ANNUAL, due.amount
    plan["deductible_factor"] = factor * BASIS_POINT
    plan["deductible_exempt"] = int(str(case.assist_class) in rules.deductible_exempt_classes)
    plan["deductible_waived"] = int(rules.deductible_after_ceiling == "none")
    plan["deductible_inside"] = int(treatment.deductible_place == "inside_first_segment")
    return True


def _segments(plan: dict[str, int], policy: Policy, treatment: Treatment, case: Case, variant: str, value: int) -> bool:
    """Fills step 4 with ratios after step 2; returns False where a segment has none for the hospital's level."""
    status = "resident" if case.insutype == "resident" else ("retired" if case.retired else "active")
    for at, segment in enumerate(treatment.segments):
        table: ByLevel = getattr(segment.ratio, status)
        ratio = policy.level(table, case.hosp_lv)
        if ratio is None:
            return False
        if variant == "V2":
            adjusted = max(0, ratio - value) * BASIS_POINT
        elif variant == "V3":
            adjusted = ratio * (10_000 - value)
        else:
            adjusted = ratio * BASIS_POINT
        plan[f"segment_edge_{at}"] = NO_LIMIT if segment.up_to is None else segment.up_to
        plan[f"segment_ratio_{at}"] = adjusted
    plan["segments"] = len(treatment.segments)
    return True


def _further_funds(plan: dict[str, int], rules: Rules, case: Case) -> None:
    """Fills steps 6, 7 and 9, in the policy's order."""
    order = rules.further_funds_in_order
    for at, fund in enumerate(order, start=1):
        plan[f"fund_{at}"] = _FUND_CODES[fund]
    if rules.hifob is not None:
        plan["hifob_ratio"], plan["hifob_cap"] = rules.hifob.ratio * BASIS_POINT, rules.hifob.yearly_cap
    counted = rules.first_selfpay_counts_toward
    hifmi = rules.hifmi
    if hifmi is not None:
        poor = str(case.assist_class) in hifmi.poor_classes
        plan["catastrophic"] = int(case.treatment in hifmi.med_types)
        plan["catastrophic_first"] = int("catastrophic" in counted)
        plan["catastrophic_over"] = int(hifmi.over_ceiling_counts)
        plan["catastrophic_less_hifob"] = int(not _later(order, "hifob", "hifmi"))
        plan["catastrophic_threshold"] = hifmi.threshold_poor if poor else hifmi.threshold
        plan["tiers"] = len(hifmi.tiers)
        for at, tier in enumerate(hifmi.tiers):
            plan[f"tier_edge_{at}"] = NO_LIMIT if tier.up_to is None else tier.up_to
            plan[f"tier_ratio_{at}"] = (tier.ratio_poor if poor else tier.ratio) * BASIS_POINT
    maf: MafClass | None = None
    if rules.maf is not None and case.assist_class in _ASSIST_FIELDS:
        maf = getattr(rules.maf.classes, _ASSIST_FIELDS[case.assist_class])
    if rules.maf is not None and maf is not None:
        plan["assistance"] = int(case.treatment in rules.maf.med_types)
        plan["assistance_first"] = int("assistance" in counted)
        plan["assistance_less_hifob"] = int(not _later(order, "hifob", "maf"))
        plan["assistance_less_hifmi"] = int(not _later(order, "hifmi", "maf"))
        plan["assistance_threshold"], plan["assistance_cap"] = maf.yearly_threshold, maf.yearly_cap
        plan["assistance_ratio"] = maf.ratio * BASIS_POINT


def _later(order: Sequence[str], fund: str, than: str) -> bool:
    """Returns whether the policy's order pays ``fund`` behind ``than``."""
    return fund in order and than in order and order.index(fund) > order.index(than)
