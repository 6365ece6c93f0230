"""Checks what a policy document says against itself: every error names file, key path, what was expected and got."""

import re
from collections.abc import Sequence
from datetime import date
from typing import Any

from core_ext.plan import SEGMENTS_MAX, TIERS_MAX
from ledger.money import yuan_text
from ledger.payment_terms import DipPayment, DrgPayment, PackagePayment, PaymentRule
from ledger.policy_errors import expect
from ledger.policy_terms import (
    FUNDS,
    AnnualDeductible,
    DeductibleByOrdinal,
    DiseaseLimit,
    FundTier,
    FurtherFund,
    Hifmi,
    HospitalShare,
    MaternityAllowance,
    OffSite,
    RatioByStatus,
    Rules,
    Segment,
    Tier,
    Treatment,
    Whose,
)
from ledger.registers import FILING_CLASSES

_NATIONAL_CLASS = re.compile(r"[1-9][0-9]")


def check_year_start(text: str, where: str) -> None:
    """Raises PolicyInvalidError unless ``text`` is a month and day that every year has."""
    try:
        found = date.fromisoformat(f"2001-{text}")
    except ValueError:
        found = None
    expect(
        found is not None and len(text) == 5, where, "policy.benefit_year_starts", "a month and day like '07-01'", text
    )


def check_value(value: Any, where: str, path: str) -> None:
    """Raises PolicyInvalidError where one value contradicts itself."""
    if isinstance(value, OffSite):
        check_off_site(value, where, path)
    elif isinstance(value, Hifmi):
        expect(bool(value.tiers), where, f"{path}.tiers", "at least one tier", [])
        check_contiguous(value.tiers, TIERS_MAX, where, f"{path}.tiers")
    elif isinstance(value, FurtherFund):
        check_further_fund(value, where, path)
    elif isinstance(value, DeductibleByOrdinal | AnnualDeductible):
        check_exceptions(value.exceptions, where, f"{path}.exceptions")
    elif isinstance(value, tuple) and value and isinstance(value[0], Segment):
        check_contiguous(value, SEGMENTS_MAX, where, path)
        for at, segment in enumerate(value):
            check_exceptions(segment.exceptions, where, f"{path}[{at}].exceptions")
    elif isinstance(value, HospitalShare):
        check_parts(value.of, where, f"{path}.of")
        whole = "some of in_scope, preself, overlmt, fulamt where there is a ratio"
        expect(bool(value.of) or not value.ratio, where, f"{path}.of", whole, [])
    elif isinstance(value, MaternityAllowance):
        named = [each.leave for each in value.leaves]
        expect(len(set(named)) == len(named), where, f"{path}.leaves", "each leave once", named)
    elif isinstance(value, tuple) and value and isinstance(value[0], DiseaseLimit):
        names = [each.disease for each in value]
        expect(len(set(names)) == len(names), where, path, "each disease once", names)
        for at, name in enumerate(names):
            expect(bool(name) and name.isalnum(), where, f"{path}[{at}].disease", "a code of letters and digits", name)
    elif isinstance(value, tuple) and value and isinstance(value[0], PaymentRule):
        check_payment_rules(value, where, path)
    elif isinstance(value, tuple):
        expect(len(set(value)) == len(value), where, path, "each name once", list(value))
        if path.split(".")[-2] == "deductible_exempt_psn_types":
            check_psn_types(value, where, path)
        check_parts(value, where, path)


def check_parts(parts: Sequence[str], where: str, path: str) -> None:
    """Raises PolicyInvalidError where parts of the personal amount hold the in-scope part twice."""
    both = {"in_scope", "in_scope_after_deductible"} <= set(parts)
    expect(not both, where, path, "in_scope or in_scope_after_deductible", list(parts))


def check_payment_rules(rules: Sequence[PaymentRule], where: str, path: str) -> None:
    """Raises PolicyInvalidError where rules of institution payment share a name, or one leaves its amounts open."""
    names = [rule.name for rule in rules]
    expect(len(set(names)) == len(names), where, path, "each name once", names)
    for at, rule in enumerate(rules):
        key = f"{path}[{at}]"
        named = bool(rule.name) and len(rule.name) <= 32 and rule.name.isprintable()
        expect(named, where, f"{key}.name", "1 to 32 printable characters", rule.name)
        expect(bool(rule.med_types), where, f"{key}.med_types", "at least one kind of treatment", [])
        if isinstance(rule, PackagePayment):
            codes = [each.institution for each in rule.heads]
            expect(bool(codes), where, f"{key}.heads", "at least one institution", [])
            expect(len(set(codes)) == len(codes), where, f"{key}.heads", "each institution once", codes)
        elif isinstance(rule, DrgPayment | DipPayment):
            groups = [each.group for each in rule.groups]
            expect(len(set(groups)) == len(groups), where, f"{key}.groups", "each group once", groups)


def check_psn_types(psn_types: Sequence[str], where: str, path: str) -> None:
    """Raises PolicyInvalidError unless each class is a national code."""
    for code in psn_types:
        expect(_NATIONAL_CLASS.fullmatch(code) is not None, where, path, "national codes of two digits", code)


def check_exceptions(exceptions: Sequence[Whose], where: str, path: str) -> None:
    """Raises PolicyInvalidError for an exception that names nobody, and so would hold for all."""
    for at, exception in enumerate(exceptions):
        check_psn_types(exception.psn_types, where, f"{path}[{at}].psn_types")
        expect(not exception.everybody, where, f"{path}[{at}]", "psn_types, assist_classes or an age", "none of them")
        check_ages(exception, where, f"{path}[{at}]")


def check_ages(whose: Whose, where: str, path: str) -> None:
    """Raises PolicyInvalidError where no age lies between the two that are named."""
    below, start = whose.age_below, whose.age_from or 0
    expect(below is None or below > start, where, f"{path}.age_below", f"more than {start}", below)


def check_further_fund(fund: FurtherFund, where: str, path: str) -> None:
    """Raises PolicyInvalidError where a further fund of the general form pays nobody, or contradicts itself."""
    expect(bool(fund.classes), where, f"{path}.classes", "at least one class", [])
    for at, entry in enumerate(fund.classes):
        key = f"{path}.classes[{at}]"
        check_psn_types(entry.psn_types, where, f"{key}.psn_types")
        last = at == len(fund.classes) - 1
        expected = "psn_types, assist_classes or an age before the last class"
        expect(last or not entry.everybody, where, key, expected, "none of them")
        check_ages(entry, where, key)
        expect(bool(entry.tiers), where, f"{key}.tiers", "at least one tier", [])
        check_contiguous(entry.tiers, TIERS_MAX, where, f"{key}.tiers")
    if fund.base == "over_ceiling":
        expect(fund.over_ceiling_counts, where, f"{path}.over_ceiling_counts", "true on base over_ceiling", False)
        expect(not fund.first_selfpay_counts, where, f"{path}.first_selfpay_counts", "false on base over_ceiling", True)


def check_bases(rules: Rules, day: int, where: str, insutype: str) -> None:
    """Raises PolicyInvalidError where more further funds count over the year than the year has places for."""
    shared = [
        name
        for name in FUNDS
        if name not in ("hifmi", "maf")
        and isinstance(fund := getattr(rules, name), FurtherFund)
        and fund.counts == "year"
    ]
    expected = f"at most one fund beside hifmi and maf that counts over the year on {day}"
    expect(len(shared) <= 1, where, f"{insutype}.{shared[-1] if shared else ''}", expected, shared)


def check_off_site(off_site: OffSite, where: str, path: str) -> None:
    """Raises PolicyInvalidError where a variant has no value for a relation and filing class it may meet."""
    if off_site.variant == "none":
        return
    for relation, table in (("same_province", off_site.same_province), ("cross_province", off_site.cross_province)):
        values = {} if table is None else table.values
        needed = relation in off_site.no_filing_needed
        for name in (
            ("long_term", "no_filing_needed")
            if needed
            else tuple(name for name in FILING_CLASSES[1:] if name != "no_filing_needed")
        ):
            expect(name in values, where, f"{path}.{relation}", f"a value for {name}", sorted(values))
        largest = max(values.values())
        expect(
            off_site.variant == "V4" or largest <= 10_000, where, f"{path}.{relation}", "values from 0 to 1", largest
        )


def check_contiguous(pieces: Sequence[Segment | Tier | FundTier], most: int, where: str, path: str) -> None:
    """Raises PolicyInvalidError unless the pieces follow each other from zero, each above the one before."""
    expect(len(pieces) <= most, where, path, f"at most {most} pieces", len(pieces))
    reached: int | None = 0
    for at, piece in enumerate(pieces):
        key, above, up_to = f"{path}[{at}]", yuan_text(piece.above), piece.up_to
        if expect(reached is not None, where, f"{key}.above", "nothing behind a piece without end", above):
            expected = f"{yuan_text(reached or 0)}, where the piece before ends"
            expect(piece.above == reached, where, f"{key}.above", expected, above)
        expect(up_to is None or up_to > piece.above, where, f"{key}.up_to", f"more than {above}",
                yuan_text(up_to or 0))  # fmt: skip
        reached = up_to


def check_treatment(
    treatment: Treatment, rules: Rules, statuses: tuple[str, ...], day: int, where: str, path: str
) -> None:
    """Raises PolicyInvalidError where a kind of treatment leaves a question open, or its parameters do not agree."""
    for name in Treatment._fields:
        expect(getattr(treatment, name) is not None, where, f"{path}.{name}", f"a value on {day}", None)
    for at, segment in enumerate(treatment.segments):
        stated = tuple(name for name in RatioByStatus.__struct_fields__ if getattr(segment.ratio, name) is not None)
        key = f"{path}.segments[{at}].ratio"
        expect(stated == statuses, where, key, f"a ratio for {' and '.join(statuses)}", stated)
    if treatment.segment_edges == "payment":
        expected = f"subtracted_first on {day}, as edges are of the payment"
        inside = treatment.deductible_place == "inside_first_segment"
        expect(not inside, where, f"{path}.deductible_place", expected, treatment.deductible_place)
        expected = f"per_claim or year_to_date_of_all_kinds on {day}, as edges are of the payment"
        expect(treatment.position != "year_to_date", where, f"{path}.position", expected, treatment.position)
    due = treatment.deductible
    if isinstance(due, DeductibleByOrdinal) and (due.readmission_days, due.transfer_days) != (None, None):
        expected = f"stay_below_deductible_counts true on {day}, as stays are one within days of a discharge"
        expect(rules.stay_below_deductible_counts, where, f"{path}.deductible", expected, False)
