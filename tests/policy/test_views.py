"""Reading policies: the values in force on a day, what differs, and what a plan hangs on."""

import numpy as np
import pytest

from core_ext.layout import FACT, HOW
from core_ext.plan import NO_LIMIT, PLAN, RATIO_ONE
from ledger.plan_sources import kind_of, sources_of
from ledger.policy import read_policy, shipped, shipped_names
from ledger.policy_leaves import leaves, per_cent, variations, written
from ledger.policy_terms import Fen, Limit, Ratio
from ledger.policy_views import differences, header_of, in_force, values_of
from tests.policy.documents import SMALL, book_with, enacted
from tests.policy.test_book import ABROAD, REAL, facts_of


def test_the_values_in_force_on_a_day_with_the_day_they_started() -> None:
    """Each figure comes with its key and the day it started; before the first day there is none."""
    policy = read_policy(SMALL, "small.toml")
    found = {each.key: (each.since, each.text) for each in in_force(policy, 20230801)}
    assert found["employee.ceiling_yearly_payment"] == (20230701, "no limit")
    assert found["employee.off_site.cross_province.unfiled"] == (20230101, "20 %")
    assert found["employee.inpatient.segments[0].ratio.active.1"] == (20230101, "85.75 %")
    assert found["employee.inpatient.deductible.kind"] == (20230101, "by_level_and_ordinal")
    assert found["employee.inpatient.deductible.first_stay.1"] == (20230101, "300.00 yuan")
    assert in_force(policy, 20221231) == in_force(policy, 20230801, "resident") == []
    assert dict(values_of(policy, 20230801)) == {key: text for key, (_, text) in found.items()}


@pytest.mark.parametrize("name", shipped_names())
def test_every_value_of_a_shipped_policy_can_be_read(name: str) -> None:
    """Whatever a shipped policy says is written out: there is no value that a reader is not shown."""
    policy = read_policy(shipped(name), name)
    for path, dated in policy.parameters.items():
        for value in dated.values:
            assert list(leaves(value)), path


def test_figures_as_a_reader_writes_them() -> None:
    """Amounts are yuan with their thousands, ratios per cent without needless zeros."""
    values = (Fen(123456789), Limit(NO_LIMIT), Limit(5), Ratio(8575), True, (), ("a", "b"))
    assert [written(each) for each in values] == [
        "1,234,567.89 yuan", "no limit", "0.05 yuan", "85.75 %", "yes", "none", "a, b",
    ]  # fmt: skip
    assert [per_cent(each, RATIO_ONE) for each in (RATIO_ONE, 68_600_000, 1, 0)] == [
        "100 %",
        "68.6 %",
        "0.000001 %",
        "0 %",
    ]
    with pytest.raises(TypeError, match="got object"):
        written(object())


def test_differences_between_days_and_between_documents() -> None:
    """What differs is named by key with its old and new value, None where one side has no such key."""
    policy = read_policy(SMALL, "small.toml")
    assert differences(values_of(policy, 20230101), values_of(policy, 20230801)) == [
        ("employee.ceiling_yearly_payment", "100,000.00 yuan", "no limit"),
    ]
    other = read_policy(SMALL.replace("0.8575", "0.86").replace(', retired = { 1 = "0.95" }', ""
                        ).replace('active = { 1 = "0.90" } }', 'active = { 1 = "0.90" }, retired = { 2 = "0.95" } }'),
                        "other.toml")  # fmt: skip
    assert differences(values_of(policy), values_of(other)) == [
        ("employee.inpatient.segments.2023-01-01[0].ratio.active.1", "85.75 %", "86 %"),
        ("employee.inpatient.segments.2023-01-01[1].ratio.retired.1", "95 %", None),
        ("employee.inpatient.segments.2023-01-01[1].ratio.retired.2", None, "95 %"),
    ]
    assert differences(values_of(policy), values_of(policy)) == []


def test_what_the_head_of_a_document_decides_is_read_and_compared() -> None:
    """Dates, years, stays, levels and the order of clawbacks are values like any other; a title is none."""
    old = read_policy(SMALL, "small.toml")
    assert header_of(old)["policy.policy_date"] == "setl_time"
    told = 'name = "other"\nstay_across_years = "split_by_days"\npolicy_date = "enddate"'
    text = SMALL.replace('name = "small"', told)
    assert differences(header_of(old), header_of(read_policy(text, "other.toml"))) == [
        ("policy.policy_date", "setl_time", "enddate"),
        ("policy.stay_across_years", "whole", "split_by_days"),
    ]


@pytest.mark.parametrize("name", shipped_names())
def test_a_variation_changes_the_leaf_it_names(name: str) -> None:
    """Changing one leaf changes what is read at its key, and never a key beside it."""
    policy = read_policy(shipped(name), name)
    for path, dated in policy.parameters.items():
        value = dated.values[0]
        before = dict(leaves(value))
        for inner, changed in variations(value, kind_of(path)):
            after = dict(leaves(changed))
            keys = {key for key in before | after if before.get(key) != after.get(key)}
            assert keys, (path, inner)
            if not inner.endswith(".kind"):
                assert keys == {inner}, (path, inner)


def test_a_plan_names_the_keys_it_hangs_on() -> None:
    """Each figure of a plan is traced to the leaves that set it, off-site value and ratio alike."""
    policy = read_policy(SMALL.replace('variant = "V1"', 'variant = "V2"'), "small.toml")
    facts = facts_of(book_with(enacted(SMALL, REAL)), mdtrtarea_admvs=ABROAD)[0]
    facts[FACT["setl_time"]] = 20230801_120000
    how = np.zeros(len(HOW), np.int64)
    how[:2] = 2, 6
    found = sources_of(policy, "small.toml", 20230801, facts, how)
    assert set(found) <= set(PLAN)
    keys = {column: {(each.key, each.since, each.text) for each in sources} for column, sources in found.items()}
    assert {
        ("employee.inpatient.segments[0].ratio.active.1", 20230101, "85.75 %"),
        ("employee.off_site.cross_province.unfiled", 20230101, "20 %"),
    } <= keys["segment_ratio_0"]
    assert keys["ceiling"] == {("employee.ceiling_yearly_payment", 20230701, "no limit")}
    assert all(each.file == "small.toml" for sources in found.values() for each in sources)
    assert not any("retired" in key for entries in keys.values() for key, _, _ in entries)
