"""The rules kernel: each thing a rule can do on hand-made charges, the compiled twin equal to the specification."""

from types import ModuleType
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from core_ext import _rules as compiled
from core_ext import rule_tables as t
from core_ext.layout import ABSENT
from core_ext.reference import rules as reference
from core_ext.rule_tables import CHARGE, CHARGES, RULE, RULES
from ledger.supervision.charges import THREADED, find_all

TWINS = pytest.mark.parametrize("twin", [compiled, reference], ids=["compiled", "reference"])
ONE = 10_000


def charges_of(*charges: dict[str, int]) -> np.ndarray:
    """Returns charges of one person by default: one piece for 1.00 on day 100 of visit 1, sorted."""
    plain = dict.fromkeys(CHARGES, 0)
    plain |= {"day": 100, "visit": 1, "cnt": ONE, "amount": 100, "pric": 10**6, "begin": 100, "end": 105}
    plain |= dict.fromkeys(("age", "late", "after_death"), ABSENT)
    made = [plain | charge for charge in charges]
    made.sort(key=lambda each: (each["person"], each["item"], each["day"]))
    table = [[charge[name] for name in CHARGES] for charge in made]
    return np.ascontiguousarray(np.array(table, np.int64).reshape(-1, len(CHARGES)).T)


def rules_of(items: int, *rules: dict[str, Any]) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Returns (rules, first, others) of rules given by column; ``others`` is a list of items."""
    others: list[int] = []
    table = []
    for rule in sorted(rules, key=lambda each: int(each.get("item", 0))):
        listed = list(rule.get("others", ()))
        row = dict.fromkeys(RULES, 0) | {"until": 10**6} | rule | {"others": len(others), "count": len(listed)}
        others += listed
        table.append([row[name] for name in RULES])
    rows = np.array(table, np.int64).reshape(-1, len(RULES))
    first = np.searchsorted(rows[:, RULE["item"]], np.arange(items + 1)).astype(np.int64)
    return rows, first, np.array(others, np.int64)


def found(twin: ModuleType, charges: np.ndarray, rule: dict[str, Any], items: int = 3) -> list[tuple[int, int]]:
    """Returns (charge, fen) of each violation of one rule."""
    hits = twin.Rules(*rules_of(items, rule)).find(charges)
    return [(charge, fen) for _, charge, fen in hits.tolist()]


@TWINS
def test_a_forbidden_fact_is_found_and_an_unknown_one_is_not(twin: ModuleType) -> None:
    """A charge with a forbidden bit violates; one without it, or outside the rule's scope, does not."""
    charges = charges_of({"scope": 1}, {"scope": 2}, {"scope": 5}, {"scope": 0})
    assert found(twin, charges, {"op": t.FORBIDDEN, "high": 1}) == [(0, 100), (2, 100)]
    assert found(twin, charges, {"op": t.FORBIDDEN, "high": 1, "outside": 4}) == [(0, 100)]


@TWINS
def test_a_value_outside_its_range_is_found_at_both_edges(twin: ModuleType) -> None:
    """Ages 2 to 12 hold 2 and 12; 1 and 13 violate, an unknown age does not."""
    charges = charges_of(*({"age": age} for age in (1, 2, 12, 13, ABSENT)))
    rule = {"op": t.BETWEEN, "field": CHARGE["age"], "low": 2, "high": 12}
    assert found(twin, charges, rule) == [(0, 100), (3, 100)]


@TWINS
def test_of_a_price_above_its_limit_the_part_above_counts(twin: ModuleType) -> None:
    """A price of 3.00 against 2.00 violates by a third of the amount, halves up."""
    charges = charges_of({"pric": 3 * 10**6, "amount": 500}, {"pric": 2 * 10**6})
    rule = {"op": t.BETWEEN, "field": CHARGE["pric"], "low": 0, "high": 2 * 10**6}
    assert found(twin, charges, rule) == [(0, 167)]
    free = charges_of({"pric": 0, "amount": 0})
    assert found(twin, free, rule | {"high": -1}) == [(0, 0)]


@TWINS
@pytest.mark.parametrize(
    ("window", "days", "expected"),
    [
        (t.DAY, [(100, 24), (100, 24), (101, 24)], [1]),
        (t.MONTH, [(100, 24), (130, 25), (131, 25)], [2]),
        (t.QUARTER, [(100, 24), (130, 26), (170, 27)], [1]),
        (t.YEAR, [(100, 24), (300, 35), (301, 36)], [1]),
    ],
)
def test_a_total_counts_within_its_window_only(
    twin: ModuleType, window: int, days: list[tuple[int, int]], expected: list[int]
) -> None:
    """Two pieces in one day, month, quarter or year are one too many; the next window starts anew."""
    charges = charges_of(*({"day": day, "month": month} for day, month in days))
    rule = {"op": t.TOTAL, "window": window, "field": t.COUNT, "high": ONE}
    assert [charge for charge, _ in found(twin, charges, rule)] == expected


@TWINS
def test_a_total_by_visit_keeps_visits_that_interleave_apart(twin: ModuleType) -> None:
    """Two visits whose days alternate each have their own total."""
    charges = charges_of(*({"day": 100 + at, "visit": 7 + at % 2} for at in range(5)))
    assert found(twin, charges, {"op": t.TOTAL, "window": t.VISIT, "field": t.TIMES, "high": 2}) == [(4, 100)]


@TWINS
def test_of_the_charge_that_crosses_a_limit_the_excess_counts(twin: ModuleType) -> None:
    """Of 2 + 2 pieces against 3, half the second charge violates; a day more is a day whatever it costs."""
    charges = charges_of({"cnt": 2 * ONE, "amount": 301}, {"cnt": 2 * ONE, "amount": 301})
    rule = {"op": t.TOTAL, "window": t.DAY, "field": t.COUNT, "high": 3 * ONE}
    assert found(twin, charges, rule) == [(1, 151)]
    assert found(twin, charges, rule | {"field": t.AMOUNT, "high": 400}) == [(1, 202)]
    days = charges_of(*({"day": day} for day in (100, 100, 101, 102)))
    course = {"op": t.TOTAL, "window": t.YEAR, "field": t.DAYS, "high": 2}
    assert found(twin, days, course) == [(3, 100)]


@TWINS
def test_what_stands_beside_a_charge_counts_in_its_window(twin: ModuleType) -> None:
    """Another item of the same visit is beside a charge, one of another visit is not."""
    charges = charges_of({"visit": 1}, {"visit": 2}, {"item": 2, "visit": 2, "day": 103})
    rule = {"window": t.VISIT, "others": [1, 2]}
    assert found(twin, charges, rule | {"op": t.PRESENT}) == [(1, 100)]
    assert found(twin, charges, rule | {"op": t.MISSING}) == [(0, 100)]
    assert found(twin, charges, rule | {"op": t.PRESENT, "window": t.DAY}) == []


@TWINS
def test_parts_of_a_whole_are_found_when_enough_of_them_meet(twin: ModuleType) -> None:
    """Three of three parts in a day are a whole that was split; two are not."""
    three = charges_of({}, {"item": 1}, {"item": 2})
    rule = {"op": t.PARTS, "window": t.DAY, "others": [1, 2], "high": 3}
    assert found(twin, three, rule) == [(0, 100)]
    assert found(twin, charges_of({}, {"item": 1}, {"item": 2, "day": 101}), rule) == []


@TWINS
def test_the_dearer_of_two_prices_violates_by_the_difference(twin: ModuleType) -> None:
    """After 2.00 in a month, 2.50 violates by a fifth; a lower price lowers the mark."""
    charges = charges_of(*({"pric": price * 10**4, "day": 100 + at} for at, price in enumerate((200, 250, 100, 200))))
    assert found(twin, charges, {"op": t.DEARER, "window": t.MONTH}) == [(1, 20), (3, 50)]


@TWINS
def test_stays_that_overlap_or_follow_too_soon_are_found(twin: ModuleType) -> None:
    """A stay that begins before an earlier one has ended overlaps; on its last day it only returns."""
    stays = charges_of(
        {"day": 100, "begin": 100, "end": 110, "visit": 1},
        {"day": 103, "begin": 103, "end": 104, "visit": 2},
        {"day": 109, "begin": 109, "end": 112, "visit": 3},
        {"day": 112, "begin": 112, "end": 113, "visit": 4, "institution": 1},
        {"day": 114, "begin": 114, "end": 115, "visit": 5, "institution": 1},
    )
    assert found(twin, stays, {"op": t.OVERLAP}) == [(1, 100), (2, 100)]
    assert found(twin, stays, {"op": t.RETURN, "high": 1}) == [(4, 100)]
    assert found(twin, stays, {"op": t.RETURN, "high": 5}) == [(2, 100), (4, 100)]


@TWINS
def test_a_rule_holds_on_its_days_only(twin: ModuleType) -> None:
    """Charges before a rule's first day and behind its last one are not seen by it, nor counted."""
    charges = charges_of(*({"day": day} for day in (100, 101, 102, 103)))
    rule = {"op": t.TOTAL, "window": t.YEAR, "field": t.TIMES, "high": 1, "begin": 101, "until": 102}
    assert found(twin, charges, rule) == [(2, 100)]


@TWINS
def test_what_cannot_be_is_refused(twin: ModuleType) -> None:
    """Charges out of order, negative ones and totals beyond 64 bits raise and name the charge."""
    charges = charges_of({"day": 100}, {"day": 101})
    rules = rules_of(1, {"op": t.TOTAL, "window": t.YEAR, "field": t.COUNT, "high": 0})
    backwards = np.ascontiguousarray(charges[:, ::-1])
    with pytest.raises(ValueError, match="charge 1: expected charges sorted"):
        twin.Rules(*rules).find(backwards)
    with pytest.raises(ValueError, match="no charge with a negative amount"):
        twin.Rules(*rules).find(charges_of({"amount": -1}))
    with pytest.raises(OverflowError, match="charge 1: expected a total within 64 bits"):
        twin.Rules(*rules).find(charges_of(*[{"cnt": 2**62}] * 2))


SMALL = st.integers(0, 3)
DRAWN_CHARGE = st.fixed_dictionaries(
    {
        "person": st.integers(0, 1),
        "item": SMALL,
        "day": st.integers(100, 104),
        "visit": st.integers(1, 4),
        "scope": st.integers(0, 7),
        "cnt": st.sampled_from([0, 1, 5_000, ONE, 2 * ONE]),
        "amount": st.sampled_from([0, 1, 99, 100, 12_345]),
        "pric": st.sampled_from([0, 1, 10**6, 2 * 10**6, 3 * 10**6 + 1]),
        "begin": st.integers(99, 103),
        "end": st.integers(101, 106),
        "institution": st.integers(0, 1),
        "age": st.sampled_from([ABSENT, 0, 5, 60]),
        "late": st.sampled_from([ABSENT, -3, 0, 400]),
        "after_death": st.sampled_from([ABSENT, -1, 0, 1]),
    }
)
DRAWN_RULE = st.fixed_dictionaries(
    {
        "item": SMALL,
        "op": st.integers(0, t.OPS - 1),
        "outside": st.integers(0, 3),
        "window": st.integers(0, 4),
        "field": st.integers(0, 3),
        "low": st.sampled_from([ABSENT, -1, 0, 3]),
        "high": st.sampled_from([-1, 0, 1, 2, 4, 99, ONE, 15_000, 10**6, 2**63 - 1]),
        "begin": st.integers(99, 102),
        "until": st.integers(102, 105),
        "others": st.lists(SMALL, max_size=3, unique=True),
    }
)


@settings(max_examples=400)
@given(
    charges=st.lists(DRAWN_CHARGE, max_size=24),
    rules=st.lists(DRAWN_RULE, max_size=8),
    field=st.sampled_from(["cnt", "amount", "pric", "age", "late", "after_death"]),
)
def test_both_twins_find_the_same(charges: list[dict], rules: list[dict], field: str) -> None:
    """Whatever the charges and the rules: the same violations by the same fen, in the same order."""
    for charge in charges:
        charge["month"] = 24 + (charge["day"] - 100) // 2 * 2
    for rule in rules:
        if rule["op"] == t.BETWEEN:
            rule["field"] = CHARGE[field]
    table, tables = charges_of(*charges), rules_of(4, *rules)
    hits = compiled.Rules(*tables).find(table)
    assert hits.tolist() == reference.Rules(*tables).find(table).tolist()
    assert all(0 <= fen <= table[CHARGE["amount"], charge] for _, charge, fen in hits.tolist())


def test_a_run_of_many_visits_is_numbered_right() -> None:
    """Ten thousand charges of three thousand visits in one run: the twins agree, the memory holds."""
    random = np.random.Generator(np.random.PCG64(7))
    visits = random.integers(0, 3_000, 10_000).tolist()
    charges = charges_of(*({"visit": visit, "day": 100 + at // 100} for at, visit in enumerate(visits)))
    rules = rules_of(1, {"op": t.TOTAL, "window": t.VISIT, "field": t.TIMES, "high": 4})
    hits = compiled.Rules(*rules).find(charges)
    assert len(hits) > 100
    assert hits.tolist() == reference.Rules(*rules).find(charges).tolist()


def test_blocks_of_persons_find_what_the_whole_finds() -> None:
    """Cut between persons, charges violate what they violate as a whole, each under its own number."""
    random = np.random.Generator(np.random.PCG64(11))
    drawn = random.integers(0, 4, (THREADED, 3)).tolist()
    charges = charges_of(
        *({"person": at // 9, "item": item, "day": 100 + day} for at, (item, day, _) in enumerate(drawn))
    )
    rules = rules_of(
        4, *({"item": item, "op": t.TOTAL, "window": t.DAY, "field": t.TIMES, "high": 1} for item in range(4))
    )
    kernel = compiled.Rules(*rules)
    whole = kernel.find(charges)
    assert len(whole) > 1_000
    for threads in (1, 2, 7):
        assert np.array_equal(find_all(kernel, charges, threads), whole)
