"""Defines the terms of the policy language: every parameter a pooling area may set, and the type of its value.

Section and step numbers are DOMAIN's; ``core_ext.reference.benefit`` computes what the parameters mean.
"""

from collections.abc import Iterable
from typing import Annotated, Any, Literal, NamedTuple

import msgspec

from core_ext.plan import NO_LIMIT

INSUTYPES = {"employee": 310, "resident": 390}
STATUSES = {"employee": ("active", "retired"), "resident": ("resident",)}
MED_TYPES = {
    "inpatient": 21, "outpatient": 11, "chronic": 14, "pharmacy": 41, "day_surgery": 28, "maternity_outpatient": 51,
    "maternity": 52,
}  # fmt: skip
#: The kinds of treatment that take a bed: their claims are of stays, which have days.
STAYS = ("inpatient", "day_surgery", "maternity")
#: The kinds of treatment that the maternity fund paid before it was merged, and the insurance type of its claims.
MATERNITY, MATERNITY_INSUTYPE = ("maternity_outpatient", "maternity"), 510

#: Stands in ``[policy.levels]`` for every hospital level not named, and in a table by level for its common value.
OTHER_LEVEL, DEFAULT_LEVEL = "other", "default"

#: The key of an amount that holds at every hospital level; no document can write it.
EVERY_LEVEL = "*"

MedType = Literal["inpatient", "outpatient", "chronic", "pharmacy", "day_surgery", "maternity_outpatient", "maternity"]
AssistClass = Literal["1", "2", "3", "4"]
Fund = Literal["hifob", "hifes", "hifmi", "cvlserv", "maf", "hifdm", "oth"]
Days = Annotated[int, msgspec.Meta(ge=0, le=366)]
#: A person's age in whole years on the policy's day.
Age = Annotated[int, msgspec.Meta(ge=0, le=150)]
AccountPart = Literal["in_scope", "in_scope_after_deductible", "preself", "overlmt", "fulamt"]
ClaimDate = Literal["begndate", "enddate", "setl_time"]


class Fen(int):
    """Is an amount, written as yuan: ``"1200.00"``."""


class Limit(int):
    """Is an amount, or ``"none"`` for no limit (NO_LIMIT)."""


class Ratio(int):
    """Is a ratio from 0 to 1 in basis points, written ``"0.8575"``."""


class Factor(int):
    """Is a factor below 10 in basis points, written ``"1.2000"``."""


class ByLevel:
    """Is a value for each hospital level, and one under ``default`` for levels mapped to it."""

    def __init__(self, values: dict[str, int]) -> None:
        self.values = values


class FenByLevel(ByLevel):
    """Is an amount for each hospital level."""


class RatioByLevel(ByLevel):
    """Is a ratio for each hospital level."""


class FenAtLevel(ByLevel):
    """Is an amount for each hospital level, or one amount, under EVERY_LEVEL, for all of them."""


class ByFiling:
    """Is a factor for each filing class."""

    def __init__(self, values: dict[str, int]) -> None:
        self.values = values


class Part(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Is the base of every value that is a table."""


class Whose(Part, frozen=True, kw_only=True):
    """Is the base of what holds for some persons only: those of these classes and ages, all where none are named.

    ``psn_types`` are national codes of two digits; a longer local code belongs to the one it begins with. Ages are
    whole years, from ``age_from`` on and below ``age_below``; a person whose age nobody stated has none of them.
    """

    psn_types: tuple[str, ...] = ()
    assist_classes: tuple[AssistClass, ...] = ()
    age_from: Age | None = None
    age_below: Age | None = None

    @property
    def everybody(self) -> bool:
        """Returns whether it names no class and no age."""
        return not self.psn_types and not self.assist_classes and self.age_from is None and self.age_below is None

    def holds_for(self, psn_class: int, assist_class: int, age: int | None) -> bool:
        """Returns whether it holds for a person of this national class (two digits), assistance class and age."""
        if (self.age_from, self.age_below) != (None, None) and (
            age is None
            or (self.age_from is not None and age < self.age_from)
            or (self.age_below is not None and age >= self.age_below)
        ):
            return False
        return (not self.psn_types or f"{psn_class:02}" in self.psn_types) and (
            not self.assist_classes or str(assist_class) in self.assist_classes
        )


class OffSite(Part, frozen=True):
    """Is step 2: the variant, where it applies and its value by relation and filing class."""

    variant: Literal["none", "V1", "V2", "V3", "V4"]
    no_filing_needed: tuple[Literal["same_province", "cross_province"], ...]
    med_types: tuple[MedType, ...] = ()
    same_province: ByFiling | None = None
    cross_province: ByFiling | None = None


class NoDeductible(Part, frozen=True, tag_field="kind", tag="none"):
    """Is a benefit without deductible (step 3)."""


class FirstStays(Whose, frozen=True):
    """Is a deductible by level that some persons have instead; what it leaves out is as for all others."""

    first_stay: FenByLevel
    less_per_later_stay: FenAtLevel | None = None
    floor: FenAtLevel | None = None


class DeductibleByOrdinal(Part, frozen=True, tag_field="kind", tag="by_level_and_ordinal"):
    """Is a deductible by hospital level that falls with each stay of the year, down to a floor (step 3).

    A stay that begins within ``readmission_days`` of the last discharge from the same level, or ``transfer_days``
    of one from another, is one stay with it: it owes only what its own deductible is more than was taken.
    """

    first_stay: FenByLevel
    less_per_later_stay: FenAtLevel
    floor: FenAtLevel
    yearly_cap: Limit = Limit(NO_LIMIT)
    readmission_days: Days | None = None
    transfer_days: Days | None = None
    exceptions: tuple[FirstStays, ...] = ()


class Amount(Whose, frozen=True):
    """Is a yearly deductible that some persons have instead."""

    amount: Fen


class AnnualDeductible(Part, frozen=True, tag_field="kind", tag="annual_cumulative"):
    """Is a deductible of the year, over every kind of treatment that has one (step 3)."""

    amount: Fen
    exceptions: tuple[Amount, ...] = ()


class RatioByStatus(Part, frozen=True):
    """Is the ratios of a segment by the person's status."""

    active: RatioByLevel | None = None
    retired: RatioByLevel | None = None
    resident: RatioByLevel | None = None


class Ratios(Whose, frozen=True):
    """Is the ratios of a segment that some persons have instead."""

    ratio: RatioByLevel


class Segment(Part, frozen=True):
    """Is a half-open segment (above, up_to] of step 4; without ``up_to`` it has no end."""

    above: Fen
    ratio: RatioByStatus
    up_to: Fen | None = None
    exceptions: tuple[Ratios, ...] = ()


class Hifob(Part, frozen=True):
    """Is step 6, on the over-ceiling amount."""

    ratio: Ratio
    yearly_cap: Limit


class Tier(Part, frozen=True):
    """Is a tier of step 7, counted from the threshold."""

    above: Fen
    ratio: Ratio
    ratio_poor: Ratio
    up_to: Fen | None = None


class Hifmi(Part, frozen=True):
    """Is step 7, on the year's catastrophic amounts."""

    med_types: tuple[MedType, ...]
    over_ceiling_counts: bool
    threshold: Fen
    threshold_poor: Fen
    poor_classes: tuple[AssistClass, ...]
    tiers: tuple[Tier, ...]


class MafClass(Part, frozen=True):
    """Is what one assistance class gets in step 9."""

    ratio: Ratio
    yearly_threshold: Fen
    yearly_cap: Limit


class MafClasses(Part, frozen=True, rename={"first": "1", "second": "2", "third": "3", "fourth": "4"}):
    """Is step 9 by assistance class; a class that is not there gets nothing."""

    first: MafClass | None = None
    second: MafClass | None = None
    third: MafClass | None = None
    fourth: MafClass | None = None


class Maf(Part, frozen=True):
    """Is step 9, on the year's assistance amounts."""

    med_types: tuple[MedType, ...]
    classes: MafClasses


class FundTier(Part, frozen=True):
    """Is a tier of a further fund, counted from the threshold."""

    above: Fen
    ratio: Ratio
    up_to: Fen | None = None


class FundClass(Whose, frozen=True):
    """Is what some persons get from a further fund."""

    tiers: tuple[FundTier, ...]
    threshold: Fen = Fen(0)
    yearly_cap: Limit = Limit(NO_LIMIT)


class FurtherFund(Part, frozen=True):
    """Is any of steps 6 to 9 in the general form: the first of ``classes`` that holds for a person is what it gets.

    ``base`` is the over-ceiling amount, what the basic fund leaves of the in-scope amount, or what it and the funds
    before leave; ``counts`` says whether threshold and tiers look at one claim's base or at the year's.
    """

    base: Literal["over_ceiling", "in_scope_personal", "remaining_in_scope_personal"]
    counts: Literal["claim", "year"]
    med_types: tuple[MedType, ...]
    classes: tuple[FundClass, ...]
    over_ceiling_counts: bool = True
    first_selfpay_counts: bool = False


class HospitalShare(Part, frozen=True):
    """Is step 10's hospital share: a ratio of parts of the personal amount, where the claim itself states none."""

    ratio: Ratio = Ratio(0)
    of: tuple[AccountPart, ...] = ()
    med_types: tuple[MedType, ...] = ()


class DiseaseLimit(Part, frozen=True):
    """Is what the basic fund pays a person for one chronic disease (``dise_codg``) in a year and in a month at most."""

    disease: str
    yearly_cap: Limit = Limit(NO_LIMIT)
    monthly_cap: Limit = Limit(NO_LIMIT)


class Leave(Part, frozen=True):
    """Is a kind of maternity leave and its days."""

    leave: str
    days: Annotated[int, msgspec.Meta(ge=1, le=400)]


class MaternityAllowance(Part, frozen=True):
    """Is 生育津贴: the days of each leave, more for each further child, and whom it is paid to; without leaves none."""

    leaves: tuple[Leave, ...] = ()
    further_child_days: Days = 0
    month_days: Annotated[int, msgspec.Meta(ge=28, le=31)] = 30
    paid_to: Literal["person", "employer"] = "person"


class Header(Part, frozen=True):
    """Is ``[policy]``: the document's name and source, the area's further prefixes, and its assumptions in words.

    ``policy_date`` is the date of a claim that picks the version, ``benefit_year_date`` the one that picks the benefit
    year; that starts on ``benefit_year_starts`` (month-day) and is named by the calendar year in which it does. A stay
    over the year's turn belongs to one year as a whole, or is divided between its years by days; the day of discharge
    is a day of the stay where ``discharge_day_counts``.
    """

    name: str
    title: str
    source: str
    assumptions: tuple[str, ...]
    clawback_order: tuple[str, ...]
    regions: tuple[str, ...] = ()
    prefixes: tuple[str, ...] = ()
    levels: dict[str, str] = {}
    policy_date: ClaimDate = "setl_time"
    benefit_year_date: ClaimDate = "setl_time"
    benefit_year_starts: str = "01-01"
    stay_across_years: Literal["whole", "split_by_days"] = "whole"
    discharge_day_counts: bool = False


class Rules(NamedTuple):
    """Is the parameters of one insurance type in force on a day."""

    off_site: OffSite
    first_selfpay_counts_toward: tuple[Literal["catastrophic", "assistance"], ...]
    deductible_exempt_classes: tuple[AssistClass, ...]
    deductible_after_ceiling: Literal["none", "taken"]
    stay_below_deductible_counts: bool
    ceiling_yearly_payment: Limit
    over_ceiling_amount: Literal["uncovered_cost", "cut_payment"]
    further_funds_in_order: tuple[Fund, ...]
    account_pays: Literal["nothing", "in_scope", "in_scope_and_preself"] | tuple[AccountPart, ...]
    hifob: Hifob | FurtherFund | None
    hifes: FurtherFund | None
    hifmi: Hifmi | FurtherFund | None
    cvlserv: FurtherFund | None
    maf: Maf | FurtherFund | None
    hifdm: FurtherFund | None
    oth: FurtherFund | None
    deductible_exempt_psn_types: tuple[str, ...]
    ceiling_yearly_cost: Limit
    account_med_types: tuple[MedType, ...]
    family_sharing: Literal["allowed", "forbidden"]
    hospital_share: HospitalShare
    maternity_paid_from: Literal["employee_pool", "maternity_fund"]
    disease_limits: tuple[DiseaseLimit, ...]
    maternity_allowance: MaternityAllowance


class Treatment(NamedTuple):
    """Is the parameters of one kind of treatment in force on a day."""

    deductible: NoDeductible | DeductibleByOrdinal | AnnualDeductible
    deductible_place: Literal["inside_first_segment", "subtracted_first"]
    position: Literal["per_claim", "year_to_date", "year_to_date_of_all_kinds"]
    segments: tuple[Segment, ...]
    segment_edges: Literal["cost", "payment"]


#: What holds where a document does not state a parameter; every other one must be stated.
DEFAULTS: dict[str, Any] = {
    "deductible_exempt_psn_types": (),
    "ceiling_yearly_cost": Limit(NO_LIMIT),
    "account_med_types": tuple(MED_TYPES),
    "family_sharing": "allowed",
    "segment_edges": "cost",
    "hospital_share": HospitalShare(),
    "maternity_paid_from": "employee_pool",
    "disease_limits": (),
    "maternity_allowance": MaternityAllowance(),
}

#: The further funds and the form each may take beside the general one; only those that ``further_funds_in_order``
#: names need their parameter.
FUNDS: dict[str, Any] = {
    "hifob": Hifob, "hifes": FurtherFund, "hifmi": Hifmi, "cvlserv": FurtherFund, "maf": Maf, "hifdm": FurtherFund,
    "oth": FurtherFund,
}  # fmt: skip

#: The type of each parameter of an insurance type, and of each parameter of a kind of treatment, by name.
RULE_TYPES: dict[str, Any] = Rules.__annotations__ | FUNDS
TREATMENT_TYPES: dict[str, Any] = dict(Treatment.__annotations__)


def form_of(kind: Any, value: Any) -> Any:
    """Returns the type a parameter's value is read as: a further fund with a ``base`` has the general form."""
    return FurtherFund if kind in FUNDS.values() and isinstance(value, dict) and "base" in value else kind


def age_edges(parameters: Iterable[Any]) -> list[int]:
    """Returns the ages, ascending, at which any of these values begins or ceases to hold for a person."""
    edges: set[int] = set()
    waiting = list(parameters)
    while waiting:
        value = waiting.pop()
        if isinstance(value, Whose):
            edges |= {age for age in (value.age_from, value.age_below) if age is not None}
        if isinstance(value, msgspec.Struct):
            waiting += msgspec.structs.astuple(value)
        elif isinstance(value, tuple):
            waiting += value
    return sorted(edges)
