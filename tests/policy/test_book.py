"""Which policy, version, class and plan a claim gets."""

import numpy as np
import pytest
from numpy.typing import NDArray

from core_ext.layout import ABSENT, FACT, FACTS, HOW
from core_ext.plan import NO_LIMIT, PLAN_AT, RATIO_ONE
from ledger.plans import PolicyBook
from ledger.policy import PolicyInvalidError, digest_of
from ledger.refusals import Refusal, Refused
from ledger.regions import RELATIONS, Regions, relation
from ledger.registers import FILING_CLASSES
from tests.policy.documents import SMALL, book_with, enacted

REAL, HERE, PROVINCE, ABROAD = 441800, 441802, 440106, 110101


def facts_of(book: PolicyBook, **values: int) -> NDArray[np.int64]:
    """Returns one claim's facts: an active employee's stay at home on 2023-03-01 unless values say otherwise."""
    fact = dict.fromkeys(FACTS, 0) | {
        "insu_admdvs": HERE, "mdtrtarea_admvs": HERE, "insutype": 310, "psn_type": 11, "med_type": 21, "hosp_lv": 1,
        "setl_time": 20230301_080000,
    } | values  # fmt: skip
    codes = np.array([fact["insu_admdvs"], fact["mdtrtarea_admvs"]], np.int64)
    fact["insured_region"], fact["treatment_region"] = book.region_of(codes).tolist()
    return np.array([[fact[name] for name in FACTS]], np.int64)


def plan_of(book: PolicyBook, mask: int = 0, assist: int = 0, **values: int) -> dict[str, int] | None:
    """Returns the plan a claim gets, by column, or None."""
    plan, policy = book.resolve(facts_of(book, **values), np.array([mask]), np.array([assist]))
    assert (plan[0] < 0) == (policy[0] < 0)
    return None if plan[0] < 0 else dict(zip(PLAN_AT, book.plans[plan[0]].tolist(), strict=True))


def test_region_of_a_code() -> None:
    """The first four digits name the city; a municipality and a declared prefix own all their codes."""
    regions = Regions()
    codes = np.array([441802, 110101, 500101, 310115, 850101, 990101, 0, -1, ABSENT, 10**6, 9999999], np.int64)
    assert regions.region_of(codes).tolist() == [
        441800, 110000, 500000, 310000, 850100, 990100, 0, 0, 0, 0, 0,
    ]  # fmt: skip
    regions.declare(("8501", "8502"), 850000)
    assert regions.region_of(np.array([850101, 850201, 850301], np.int64)).tolist() == [850000, 850000, 850300]


def test_an_enacted_policy_declares_its_prefixes() -> None:
    """A policy's further prefixes belong to its region from the enactment on."""
    text = SMALL.replace('name = "small"', 'name = "small"\nregions = ["850000"]\nprefixes = ["8501", "8502"]')
    book = book_with(enacted(text, 850000))
    assert book.region_of(np.array([850101, 850201], np.int64)).tolist() == [850000, 850000]
    with pytest.raises(PolicyInvalidError, match="one region"):
        book.check(enacted(text, 850000, 860000))


def test_relation_of_two_codes() -> None:
    """One region is the same city, whatever its prefixes; else the first two digits tell the province."""
    insured = np.array([850101, 441802, 441802], np.int64)
    treatment = np.array([850201, 440106, 110101], np.int64)
    found = relation(insured, treatment, np.array([850000, 441800, 441800]), np.array([850000, 440100, 110000]))
    assert [RELATIONS[at] for at in found.tolist()] == ["same_city", "same_province", "cross_province"]


@pytest.mark.parametrize(
    ("treatment", "mask", "day", "expected"),
    [
        (HERE, 15, 20230301, ""),
        (PROVINCE, 0, 20230301, "no_filing_needed"),
        (PROVINCE, 0b1110, 20230301, "no_filing_needed"),
        (PROVINCE, 0b0001, 20230301, "long_term"),
        (PROVINCE, 0, 20240301, "unfiled"),
        (ABROAD, 0, 20230301, "unfiled"),
        (ABROAD, 0b1000, 20230301, "temporary"),
        (ABROAD, 0b1100, 20230301, "emergency"),
        (ABROAD, 0b1110, 20230301, "referral"),
        (ABROAD, 0b1111, 20230301, "long_term"),
    ],
)
def test_filing_class(treatment: int, mask: int, day: int, expected: str) -> None:
    """Long-term residence first, then what needs no filing, then referral, emergency, temporary, else unfiled."""
    book = book_with(enacted(SMALL, REAL))
    plan = plan_of(book, mask=mask, mdtrtarea_admvs=treatment, setl_time=day * 10**6)
    assert plan is not None
    assert FILING_CLASSES[plan["filing"]] == expected


def test_a_plan_carries_the_version_in_force() -> None:
    """The date of setl_time picks the version: first self-pay and a ceiling in 2023, a higher deductible in 2024."""
    book = book_with(enacted(SMALL, REAL))
    early = plan_of(book, mdtrtarea_admvs=ABROAD, setl_time=20230301_000000)
    later = plan_of(book, mdtrtarea_admvs=ABROAD, setl_time=20231231_235959)
    last = plan_of(book, mdtrtarea_admvs=ABROAD, setl_time=20240101_000000)
    assert early is not None
    assert later is not None
    assert last is not None
    assert (early["first_ratio"], early["ceiling"]) == (RATIO_ONE // 5, 10_000_000)
    assert (later["first_ratio"], later["ceiling"]) == (RATIO_ONE // 5, NO_LIMIT)
    assert (last["first_ratio"], last["deductible_factor"]) == (0, 3 * RATIO_ONE)
    assert plan_of(book, setl_time=20221231_235959) is None


@pytest.mark.parametrize(
    ("variant", "ratio"),
    [("V2", (8575 - 2000) * 10_000), ("V3", 8575 * (10_000 - 2000)), ("none", 8575 * 10_000)],
)
def test_ratios_after_the_off_site_step(variant: str, ratio: int) -> None:
    """V2 takes points off a ratio, V3 multiplies it and keeps every digit."""
    book = book_with(enacted(SMALL.replace('variant = "V1"', f'variant = "{variant}"'), REAL))
    plan = plan_of(book, mdtrtarea_admvs=ABROAD)
    assert plan is not None
    assert plan["segment_ratio_0"] == ratio
    assert plan["first_ratio"] == 0


def test_points_never_take_a_ratio_below_zero() -> None:
    """V2 stops at zero."""
    text = SMALL.replace('variant = "V1"', 'variant = "V2"').replace('unfiled = "0.20"', 'unfiled = "0.95"')
    plan = plan_of(book_with(enacted(text, REAL)), mdtrtarea_admvs=ABROAD)
    assert plan is not None
    assert plan["segment_ratio_0"] == 0


@pytest.mark.parametrize(
    "values",
    [
        {"insutype": 390}, {"insutype": 340}, {"med_type": 11}, {"med_type": 52}, {"med_type": ABSENT},
        {"hosp_lv": 2}, {"hosp_lv": ABSENT}, {"setl_time": 0}, {"setl_time": ABSENT}, {"insu_admdvs": 440106},
    ],
)  # fmt: skip
def test_no_rule_no_plan(values: dict[str, int]) -> None:
    """A region, day, insurance type, kind of treatment or level without a rule has no plan."""
    assert plan_of(book_with(enacted(SMALL, REAL)), **values) is None


def test_a_level_not_listed_is_read_as_the_policy_says() -> None:
    """Level 9 is read as level 1; under another policy every other level takes the default."""
    book = book_with(enacted(SMALL, REAL))
    assert plan_of(book, hosp_lv=9) == plan_of(book, hosp_lv=1)
    assert plan_of(book, hosp_lv=2) is None
    text = SMALL.replace('9 = "1"', 'other = "default"').replace("{ 1 =", "{ default =")
    book = book_with(enacted(text, REAL))
    other = plan_of(book, hosp_lv=3)
    assert other is not None
    assert plan_of(book, hosp_lv=ABSENT) == other


def test_status_and_class() -> None:
    """Retired persons have their own ratios, also under longer local codes; an exempt class owes no deductible."""
    book = book_with(enacted(SMALL, REAL))
    ratios = {psn_type: plan_of(book, psn_type=psn_type) for psn_type in (11, 12, 1201, 120, 1112, 0, ABSENT)}
    assert {code: plan and plan["segment_ratio_0"] for code, plan in ratios.items()} == {
        11: 85_750_000, 12: 90_000_000, 1201: 90_000_000, 120: 90_000_000, 1112: 85_750_000, 0: 85_750_000,
        ABSENT: 85_750_000,
    }  # fmt: skip
    exempt, other = plan_of(book, assist=1), plan_of(book, assist=2)
    assert exempt is not None
    assert other is not None
    assert (exempt["deductible_exempt"], other["deductible_exempt"]) == (1, 0)


def test_the_later_policy_wins_and_a_real_one_stays() -> None:
    """A region's later policy replaces its earlier one; an assumed one never replaces a real one."""
    other = SMALL.replace("0.8575", "0.5000")
    book = book_with(enacted(SMALL, REAL, 440100, assumed=True))
    assert book.assumed.tolist() == [True]
    assert not book.has_real(REAL)
    book.check(enacted(other, REAL))
    book.enact(enacted(other, REAL))
    plan, policy = book.resolve(facts_of(book), np.array([0]), np.array([0]))
    assert book.plans[plan[0], PLAN_AT["segment_ratio_0"]] == 50_000_000
    assert bytes(book.digests[policy[0]]) == digest_of(other)
    assert not book.assumed[policy[0]]
    with pytest.raises(Refused) as refused:
        book.check(enacted(SMALL, 440100, REAL, assumed=True))
    assert refused.value.refusal is Refusal.POLICY_ASSUMED_OVER_REAL
    book.check(enacted(SMALL, 440100, assumed=True))
    with pytest.raises(PolicyInvalidError, match="expected the regions"):
        book.check(enacted(SMALL))


def test_one_document_may_be_assumed_here_and_real_there() -> None:
    """What is assumed is the enactment, not the document."""
    book = book_with(enacted(SMALL, REAL), enacted(SMALL, 440100, assumed=True))
    facts = np.concatenate([facts_of(book), facts_of(book, insu_admdvs=440106, mdtrtarea_admvs=440106)])
    plan, policy = book.resolve(facts, np.zeros(2, np.int64), np.zeros(2, np.int64))
    assert plan[0] == plan[1]
    assert book.assumed[policy].tolist() == [False, True]
    assert (book.digests[policy[0]] == book.digests[policy[1]]).all()


def test_a_pinned_claim_gets_the_plan_it_was_decided_under() -> None:
    """Under the recorded document, relation, filing and assistance class a claim gets its plan again."""
    other = SMALL.replace("0.8575", "0.5000")
    book = book_with(enacted(SMALL, REAL))
    facts = facts_of(book, mdtrtarea_admvs=ABROAD)
    first, _ = book.resolve(facts, np.array([0b0100]), np.array([1]))
    book.enact(enacted(other, REAL))
    how = np.zeros((1, len(HOW)), np.int64)
    how[0, :2], how[0, HOW.index("assist_class")] = (2, FILING_CLASSES.index("emergency")), 1
    again = book.resolve_pinned(facts, (np.array([1]), [digest_of(other), digest_of(SMALL)]), how)
    assert (book.plans[again] == book.plans[first]).all()
    for digest in (b"", digest_of("nothing")):
        assert book.resolve_pinned(facts, (np.array([0]), [digest]), how).tolist() == [-1]
    how[0, 1] = 99
    assert book.resolve_pinned(facts, (np.array([0]), [digest_of(SMALL)]), how).tolist() == [-1]


def test_an_empty_book_has_no_plan() -> None:
    """Before any policy is enacted nothing can be computed, and no rows are no work."""
    book = PolicyBook()
    assert plan_of(book) is None
    none = np.zeros(0, np.int64)
    plan, policy = book.resolve(np.zeros((0, len(FACTS)), np.int64), none, none)
    assert (len(plan), len(policy)) == (0, 0)
    assert FACT["setl_time"] < len(FACTS)


def test_plans_are_compiled_once() -> None:
    """Cases that come to the same are one row; rows handed out stay where they are."""
    book = book_with(enacted(SMALL, REAL))
    facts = np.repeat(facts_of(book), 500, axis=0)
    facts[:, FACT["psn_type"]] = np.arange(500) % 3 + 11
    masks, assist = np.zeros(500, np.int64), np.arange(500) % 5
    first, _ = book.resolve(facts, masks, assist)
    before = book.plans.copy()
    for level in range(1, 100):
        facts[:, FACT["hosp_lv"]] = level
        book.resolve(facts, masks, assist)
    facts[:, FACT["hosp_lv"]] = 1
    again, _ = book.resolve(facts, masks, assist)
    assert (first == again).all()
    assert (book.plans[: len(before)] == before).all()
    assert len(before) == len(set(first.tolist())) == 4


def test_an_enacted_document_stays_known() -> None:
    """A document no longer in force still answers by its digest, as a clawback of an old settlement asks."""
    other = SMALL.replace("0.8575", "0.5000")
    book = book_with(enacted(SMALL, REAL), enacted(other, REAL))
    policy = book.policy_named(digest_of(SMALL))
    assert policy is not None
    assert policy.header.clawback_order[0] == "oth_pay"
    assert book.policy_named(b"") is None
    assert book.has_real(REAL)
    assert not book.has_real(440100)
