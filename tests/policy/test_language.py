"""The policy language: dated values that are followed, never edited, and errors that name file and key."""

import pytest

from core_ext.plan import NO_LIMIT
from ledger.policy import PolicyInvalidError, digest_of, read_policy, shipped, shipped_names
from ledger.refusals import Refusal
from tests.policy.documents import SMALL


def test_a_version_is_the_values_in_force_on_a_day() -> None:
    """Each parameter keeps its value until a later one follows; the version starts with the latest change."""
    policy = read_policy(SMALL, "small.toml")
    assert policy.days == (20230101, 20230701, 20240101)
    assert [policy.version_on(day) for day in (20221231, 20230101, 20230630, 20230701, 20991231)] == [
        0, 20230101, 20230101, 20230701, 20240101,
    ]  # fmt: skip
    before, after = policy.rules_on("employee", 20230630), policy.rules_on("employee", 20230701)
    assert before is not None
    assert after is not None
    assert (before.ceiling_yearly_payment, after.ceiling_yearly_payment) == (10_000_000, NO_LIMIT)
    assert before.off_site == after.off_site
    assert policy.rules_on("employee", 20221231) is None
    assert policy.rules_on("resident", 20230701) is None
    assert policy.treatment_on("employee", "outpatient", 20230701) is None


# What is replaced in the document, by what, the key path the error names, and what it says.
WRONG = [
    ('ratio = "0.8"', "ratio = 0.8", "employee.hifob.2023-01-01", 'text like "0.8575", got 0.8 - at `$.ratio`'),
    ('"100000.00"', '"1,00"', "employee.ceiling_yearly_payment.2023-01-01", '"1200.00" or "none", got \'1,00\''),
    ('1 = "300.00"', '1 = "0.001"', "employee.inpatient.deductible.2023-01-01", "'0.001' - at `$.first_stay`"),
    ('1 = "0.8575"', '1 = "1.01"', "employee.inpatient.segments.2023-01-01", "'1.01' - at `$[0].ratio.active`"),
    ('1 = "0.8575"', 'i = "0.8"', "employee.inpatient.segments.2023-01-01", "a hospital level or 'default', got 'i'"),
    ("[employee.hifob]", "[employee.hifbo]", "employee.hifbo", "expected one of off_site"),
    (
        "[employee.hifob]",
        "[emploee.hifob]",
        "emploee",
        "expected one of policy, employee, resident, clearing, got 'emploee'",
    ),
    ("inpatient.position]", "inpatient.place]", "employee.inpatient.place", "expected one of deductible"),
    (
        "2023-07-01",
        "2023-7-1",
        "employee.ceiling_yearly_payment.2023-7-1",
        "expected the day a value starts as its key",
    ),
    ("2023-07-01", "2023-02-30", "employee.ceiling_yearly_payment.2023-02-30", "got '2023-02-30'"),
    ('variant = "V1"', 'variant = "V5"', "employee.off_site.2023-01-01", "Invalid enum value 'V5' - at `$.variant`"),
    ('variant = "V1"', 'variant = "V1"\nvar = "V1"', "employee.off_site.2023-01-01", "unknown field `var`"),
    ('unfiled = "0.20"', 'unfiled = "1.20"', "employee.off_site.2023-01-01.cross_province", "values from 0 to 1"),
    (', no_filing_needed = "0.02"', "", "employee.off_site.2023-01-01.same_province", "a value for no_filing_needed"),
    (', up_to = "10000"', "", "employee.inpatient.segments.2023-01-01[1].above", "nothing behind a piece without end"),
    (
        'above = "10000"',
        'above = "9"',
        "employee.inpatient.segments.2023-01-01[1].above",
        "10000.00, where the piece before ends, got '9.00'",
    ),
    ('pays]\n2023-01-01 = "in', 'pays]\n2023-07-01 = "in', "employee.account_pays", "a value on 20230101, got None"),
    ('["hifob"]', '["hifob", "maf"]', "employee.maf", "expected a value on 20230101, got None"),
    ('["hifob"]', '["hifob", "hifob"]', "employee.further_funds_in_order.2023-01-01", "expected each name once"),
    (', retired = { 1 = "0.95" }', "", "employee.inpatient.segments[1].ratio", "active and retired, got ('active',)"),
    ("position]\n2023", "position]\n2024", "employee.inpatient.position", "expected a value on 20230101"),
    ('"oth_pay", ', "", "policy.clawback_order", "expected each of hifp_pay"),
    ('{ 9 = "1" }', '{ 9 = "one" }', "policy.levels.9", "expected a level or 'default', got 'one'"),
    ('name = "small"', 'name = "small"\nprefixes = ["8501"]', "policy.regions", "one region that owns the prefixes"),
    ('name = "small"', "", "policy", "Object missing required field `name`"),
    ("[policy]", "[policy", "expected TOML", ""),
    ("2023-07-01", "2022-07-01", "employee.ceiling_yearly_payment.2022-07-01", "expected days in ascending order"),
]

FUND = """
[employee.hifes.2023-01-01]
base = "in_scope_personal"
counts = "claim"
med_types = ["inpatient"]
classes = [{ psn_types = ["12"], tiers = [{ above = "0", ratio = "0.5" }] }]
"""
YEARLY = FUND.replace('"claim"', '"year"')
MORE = "\n[employee.deductible_exempt_psn_types]\n2023-01-01 = "
POSITION = '[employee.inpatient.position]\n2023-01-01 = "per_claim"'
EDGES = '\n[employee.inpatient.segment_edges]\n2023-01-01 = "payment"'

WRONG += [
    (POSITION, POSITION + FUND.replace("personal", "part"), "employee.hifes.2023-01-01", "Invalid enum value"),
    (
        POSITION,
        POSITION + FUND.replace('["12"]', '["1201"]'),
        "employee.hifes.2023-01-01.classes[0].psn_types",
        "two digits",
    ),
    (POSITION, POSITION + FUND.replace('"0.5"', '"1.5"'), "employee.hifes.2023-01-01", "a ratio from 0 to 1"),
    (
        POSITION,
        POSITION + FUND.replace('above = "0"', 'above = "1"'),
        "employee.hifes.2023-01-01.classes[0].tiers[0].above",
        "0.00, where the piece before ends, got '1.00'",
    ),
    (
        POSITION,
        POSITION + FUND.replace("[{ psn", '[{ tiers = [{ above = "0", ratio = "1" }] }, { psn'),
        "employee.hifes.2023-01-01.classes[0]",
        "before the last class",
    ),
    (
        POSITION,
        POSITION + FUND.replace("in_scope_personal", "over_ceiling") + "over_ceiling_counts = false",
        "employee.hifes.2023-01-01.over_ceiling_counts",
        "true on base over_ceiling",
    ),
    (
        POSITION,
        POSITION + YEARLY + YEARLY.replace("hifes", "cvlserv"),
        "employee.cvlserv",
        "at most one fund beside hifmi and maf",
    ),
    (
        POSITION,
        POSITION + MORE + '["1"]',
        "employee.deductible_exempt_psn_types.2023-01-01",
        "national codes of two digits",
    ),
    (
        POSITION,
        POSITION.replace("per_claim", "year_to_date") + EDGES,
        "employee.inpatient.position",
        "as edges are of the payment",
    ),
    (
        'place]\n2023-01-01 = "subtracted_first"',
        'place]\n2023-01-01 = "inside_first_segment"' + EDGES,
        "employee.inpatient.deductible_place",
        "subtracted_first",
    ),
    (
        'floor = "0" }',
        'floor = "0", exceptions = [{ first_stay = { 1 = "1" } }] }',
        "employee.inpatient.deductible.2023-01-01.exceptions[0]",
        "psn_types, assist_classes or an age",
    ),
    (
        'floor = "0" }',
        'floor = "0", transfer_days = 400 }',
        "employee.inpatient.deductible.2023-01-01",
        "$.transfer_days",
    ),
    (
        "counts]\n2023-01-01 = true",
        "counts]\n2023-01-01 = false\n[employee.day_surgery.deductible.2023-01-01]\n"
        'kind = "by_level_and_ordinal"\nfirst_stay = { 1 = "1" }\n'
        'less_per_later_stay = "0"\nfloor = "0"\nreadmission_days = 15\n'
        '[employee.day_surgery]\ndeductible_place.2023-01-01 = "subtracted_first"\n'
        'position.2023-01-01 = "per_claim"\nsegments.2023-01-01 = [{ above = "0", ratio = { active = { 1 = "1" }, '
        'retired = { 1 = "1" } } }]',
        "employee.day_surgery.deductible",
        "stay_below_deductible_counts true",
    ),
    (
        '"in_scope_and_preself"',
        '["in_scope", "in_scope_after_deductible"]',
        "employee.account_pays.2023-01-01",
        "in_scope or in_scope_after_deductible",
    ),
    (
        'name = "small"',
        'name = "small"\nbenefit_year_starts = "02-29"',
        "policy.benefit_year_starts",
        "a month and day like '07-01'",
    ),
    ('name = "small"', 'name = "small"\npolicy_date = "crtedate"', "policy", "Invalid enum value 'crtedate'"),
    ('name = "small"', 'name = "small"\nstay_across_years = "halved"', "policy", "Invalid enum value 'halved'"),
]


@pytest.mark.parametrize(("old", "new", "path", "error"), WRONG)
def test_errors_name_file_and_key(old: str, new: str, path: str, error: str) -> None:
    """What a document gets wrong is refused by file and key path, with what was expected and what came."""
    assert old in SMALL
    with pytest.raises(PolicyInvalidError) as raised:
        read_policy(SMALL.replace(old, new, 1), "small.toml")
    assert str(raised.value).startswith(f"small.toml: {path}:")
    assert error in str(raised.value)
    assert raised.value.refusal is Refusal.POLICY_INVALID


def test_a_document_without_rules_is_refused() -> None:
    """A document that says nothing about anybody is no policy."""
    with pytest.raises(PolicyInvalidError, match="at least one parameter"):
        read_policy(SMALL[: SMALL.index("[employee")], "small.toml")


def test_shipped_policies_state_their_assumptions() -> None:
    """The shipped documents read, and each says in words what it assumes."""
    assert shipped_names() == ("national-default", "qingyuan", "taian")
    for name in shipped_names():
        text = shipped(name)
        header = read_policy(text, f"{name}.toml").header
        assert header.name == name
        assert header.assumptions
        assert len(digest_of(text)) == 16


def test_an_unknown_name_is_answered_with_those_that_are() -> None:
    """A policy that is not shipped is refused with the names of those that are."""
    with pytest.raises(PolicyInvalidError, match="national-default, qingyuan, taian, got 'qinyuan'"):
        shipped("qinyuan")
