"""Compiles a policy into plans, the flat rows of integers that the settle kernel reads.

Everything a policy can say is resolved here, once for each case: a combination of policy version, insurance type,
kind of treatment, hospital level, class of person, relation, filing class and assistance class. ``core_ext.plan``
names the columns of a plan, DOMAIN section 4 the steps.
"""

from typing import NamedTuple

from core_ext.plan import (
    ACCOUNT_FULL_SELFPAY,
    ACCOUNT_IN_SCOPE,
    ACCOUNT_NOT_DEDUCTIBLE,
    ACCOUNT_OVER_LIMIT,
    ACCOUNT_PRESELF,
    DEDUCTIBLE_ANNUAL,
    DEDUCTIBLE_BY_ORDINAL,
    NO_LIMIT,
    PER_CLAIM,
    PLACED,
    PLAN,
    PLAN_AT,
    STAY_MED_TYPE,
    YEAR_OF_ALL_KINDS,
    YEAR_OF_KIND,
)
from ledger.further import BASIS_POINT, further_funds
from ledger.policy import Policy
from ledger.policy_terms import (
    INSUTYPES,
    MATERNITY,
    MATERNITY_INSUTYPE,
    MED_TYPES,
    AnnualDeductible,
    ByFiling,
    ByLevel,
    DeductibleByOrdinal,
    OffSite,
    Rules,
    Treatment,
)
from ledger.regions import RELATIONS
from ledger.registers import FILING_CLASSES

#: The national class of a retired person (psn_type).
RETIRED = 12

_ACCOUNTS = {"nothing": (), "in_scope": ("in_scope",), "in_scope_and_preself": ("in_scope", "preself")}
_ACCOUNT_PARTS = {
    "in_scope": ACCOUNT_IN_SCOPE,
    "in_scope_after_deductible": ACCOUNT_IN_SCOPE + ACCOUNT_NOT_DEDUCTIBLE,
    "preself": ACCOUNT_PRESELF,
    "overlmt": ACCOUNT_OVER_LIMIT,
    "fulamt": ACCOUNT_FULL_SELFPAY,
}
_POSITIONS = {
    "per_claim": PER_CLAIM,
    "year_to_date": YEAR_OF_KIND,
    "year_to_date_of_all_kinds": YEAR_OF_ALL_KINDS,
}


class Case(NamedTuple):
    """Is one combination a plan is compiled for; ``day`` is the day its policy version starts.

    ``psn_class`` is the national class of two digits that psn_type begins with, 0 for none; ``age`` is whole years,
    None where it is not known or nothing asks for it.
    """

    day: int
    insutype: str
    treatment: str
    hosp_lv: int
    psn_class: int
    relation: int
    filing: int
    assist_class: int
    age: int | None = None

    @property
    def person(self) -> tuple[int, int, int | None]:
        """Returns whom exceptions ask about: national class, assistance class, age."""
        return self.psn_class, self.assist_class, self.age


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
    plan = {
        "relation": case.relation,
        "filing": case.filing,
        "placed": PLACED[MED_TYPES[case.treatment]],
        "stay": int(MED_TYPES[case.treatment] == STAY_MED_TYPE),
        "stay_below_counts": int(rules.stay_below_deductible_counts),
        "to_date": _POSITIONS[treatment.position],
        "on_payment": int(treatment.segment_edges == "payment"),
        "ceiling": rules.ceiling_yearly_payment,
        "ceiling_cost": rules.ceiling_yearly_cost,
        "over_uncovered": int(rules.over_ceiling_amount == "uncovered_cost"),
        "account": _account(rules, case),
        "mulaid": int(rules.family_sharing == "allowed"),
    }
    off_site = _off_site(rules.off_site, case)
    if off_site is None:
        return None
    variant, value = off_site
    plan["first_ratio"] = value * BASIS_POINT if variant == "V1" else 0
    complete = _deductible(plan, policy, rules, treatment, case, value if variant == "V4" else 10_000)
    complete = _segments(plan, policy, treatment, case, variant, value) and complete
    further_funds(plan, rules, case)
    _hospital(plan, rules, case)
    if case.insutype == "employee" and case.treatment in MATERNITY:
        plan["pool"] = MATERNITY_INSUTYPE if rules.maternity_paid_from == "maternity_fund" else INSUTYPES["employee"]
    if not complete:
        return None
    row = [0] * len(PLAN)
    for name, number in plan.items():
        row[PLAN_AT[name]] = int(number)
    return row


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
    plan["deductible_cap"] = NO_LIMIT
    if isinstance(due, DeductibleByOrdinal):
        own = next((entry for entry in due.exceptions if entry.holds_for(*case.person)), None)
        less, floor = due.less_per_later_stay, due.floor
        if own is not None:
            less, floor = own.less_per_later_stay or less, own.floor or floor
        found = [policy.level(table, case.hosp_lv) for table in ((own or due).first_stay, less, floor)]
        amounts = [amount for amount in found if amount is not None]
        if len(amounts) < len(found):
            return False
        plan["deductible_kind"], plan["deductible_cap"] = DEDUCTIBLE_BY_ORDINAL, due.yearly_cap
        plan["deductible_amount"], plan["deductible_less"], plan["deductible_floor"] = amounts
        plan["readmission"] = 0 if due.readmission_days is None else 1 + due.readmission_days
        plan["transfer"] = 0 if due.transfer_days is None else 1 + due.transfer_days
    elif isinstance(due, AnnualDeductible):
        own_amount = (entry.amount for entry in due.exceptions if entry.holds_for(*case.person))
        plan["deductible_kind"], plan["deductible_amount"] = DEDUCTIBLE_ANNUAL, next(own_amount, due.amount)
    plan["deductible_factor"] = factor * BASIS_POINT
    plan["deductible_exempt"] = int(
        str(case.assist_class) in rules.deductible_exempt_classes
        or f"{case.psn_class:02}" in rules.deductible_exempt_psn_types
    )
    plan["deductible_waived"] = int(rules.deductible_after_ceiling == "none")
    plan["deductible_inside"] = int(treatment.deductible_place == "inside_first_segment")
    return True


def _segments(plan: dict[str, int], policy: Policy, treatment: Treatment, case: Case, variant: str, value: int) -> bool:
    """Fills step 4 with ratios after step 2; returns False where a segment has none for the hospital's level."""
    status = "resident" if case.insutype == "resident" else ("retired" if case.psn_class == RETIRED else "active")
    for at, segment in enumerate(treatment.segments):
        own = (entry.ratio for entry in segment.exceptions if entry.holds_for(*case.person))
        table: ByLevel = next(own, getattr(segment.ratio, status))
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


def _hospital(plan: dict[str, int], rules: Rules, case: Case) -> None:
    """Fills step 10: what the hospital bears of the parts that the policy names."""
    shared = rules.hospital_share
    if case.treatment in (shared.med_types or MED_TYPES):
        plan["hospital"] = sum(_ACCOUNT_PARTS[part] for part in shared.of)
        plan["hospital_ratio"] = shared.ratio * BASIS_POINT


def _account(rules: Rules, case: Case) -> int:
    """Returns step 12's switches, summed."""
    if case.treatment not in rules.account_med_types:
        return 0
    pays = rules.account_pays
    return sum(_ACCOUNT_PARTS[part] for part in (_ACCOUNTS[pays] if isinstance(pays, str) else pays))
