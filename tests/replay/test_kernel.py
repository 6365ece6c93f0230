"""The replay kernel: both twins decide, compare and add up alike, and refuse what points elsewhere."""

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from core_ext import _replay
from core_ext.layout import AMOUNTS
from core_ext.reference import replay as reference
from core_ext.replaying import COUNTED, Acts, Changed, Recorded, changed_tables
from core_ext.settling import SKIP
from ledger.segments.shape import Ints
from tests.replay.drawn import LINES, altered, segment

SEEDS = st.integers(min_value=0, max_value=2**48)


def told(kernel: Any, plans: Ints, acts: Acts, recorded: Recorded) -> tuple[Ints, Ints, str]:
    """Returns (marks, sums, what was refused) of a replay; sums are of no account where it was."""
    marks = np.zeros(len(acts.plan), np.uint8)
    sums = np.zeros((LINES, len(COUNTED) + len(AMOUNTS)), np.int64)
    try:
        kernel.again(kernel.Packed(plans), acts, recorded, marks, sums)
    except (OverflowError, IndexError) as error:
        return marks[:0], sums[:0], str(error)
    return marks, sums, ""


def changed(kernel: Any, plans: Ints, acts: Acts) -> tuple[Any, Changed]:
    """Returns what a change came to, and the rows of its tables that are filled."""
    out = changed_tables(len(acts.plan))
    found = kernel.change(kernel.Packed(plans), acts, out)
    rows = found[2][0]
    return found, Changed(*(table[:rows] for table in out[:-1]), out.values)


@settings(max_examples=60, deadline=None)
@given(SEEDS, st.integers(1, 5), st.booleans())
def test_twins_replay_alike(seed: int, batches: int, change: bool) -> None:
    """Acts come out as recorded but those refused; a changed cell marks its act in both twins, and sums agree."""
    plans, acts, recorded = segment(seed, batches)
    if change:
        acts, recorded = altered(seed, acts, recorded)
    (marks, sums, error), expected = (told(kernel, plans, acts, recorded) for kernel in (_replay, reference))
    assert np.array_equal(marks, expected[0]) and np.array_equal(sums, expected[1]) and error == expected[2]


@settings(max_examples=60, deadline=None)
@given(SEEDS, st.integers(1, 5), st.booleans())
def test_twins_change_alike(seed: int, batches: int, change: bool) -> None:
    """Under other plans both twins name the same acts, with the same tables, sums and persons."""
    plans, acts, recorded = segment(seed, batches)
    acts, _ = altered(seed, acts, recorded)
    if change:
        acts = acts._replace(plan=np.roll(acts.plan, 1))
    (found, tables), (expected, other) = (changed(kernel, plans, acts) for kernel in (_replay, reference))
    assert found == expected
    for name, one, another in zip(Changed._fields, tables, other, strict=True):
        assert np.array_equal(one, another), name


@settings(max_examples=40, deadline=None)
@given(SEEDS, st.integers(1, 4), st.booleans())
def test_twins_sweep_alike(seed: int, batches: int, change: bool) -> None:
    """Of many sets of plans, one the acts' own, both twins say the same, and of each what is said of it alone."""
    plans, acts, recorded = segment(seed, batches)
    if change:
        acts, _ = altered(seed, acts, recorded)
    few = np.where(acts.kind * (np.arange(len(acts.plan)) % 50 == 7) > 0, np.maximum(acts.plan - 1, -1), acts.plan)
    asked = np.array([np.roll(acts.plan, 1), acts.plan, few])
    found, expected = (kernel.sweep(kernel.Packed(plans), acts, asked) for kernel in (_replay, reference))
    assert found == expected
    for plan, said in zip(asked, found[2], strict=True):
        assert changed(_replay, plans, acts._replace(plan=plan))[0] == (*found[:2], said)


def test_draws_can_fail() -> None:
    """Of acts drawn, most come out again; a delta one fen off marks its act, and only its act."""
    plans, acts, recorded = segment(7, 6)
    marks, _, error = told(_replay, plans, acts, recorded)
    good = np.flatnonzero((marks == 0) & (acts.kind != SKIP))
    assert not error and len(good) > len(marks) // 2 and marks.any()
    deltas = [each.copy() for each in recorded.deltas]
    deltas[6][good[20]] ^= 1
    again, _, _ = told(_replay, plans, acts, recorded._replace(deltas=deltas))
    assert np.flatnonzero(again != marks).tolist() == [good[20]]


def test_a_person_with_hundreds_of_acts_is_one_block() -> None:
    """A person whose acts fill many blocks is decided from the first to the last."""
    plans, acts, recorded = segment(3, 20)
    token = np.zeros(len(acts.plan), np.int8)
    low, placed = acts.first_year, list(acts.placed)
    placed[2] = placed[3] = np.full(len(token), low, np.int16)
    acts = acts._replace(facts=[token, *acts.facts[1:]], placed=placed)
    (marks, sums, error), expected = (told(kernel, plans, acts, recorded) for kernel in (_replay, reference))
    assert np.array_equal(marks, expected[0]) and np.array_equal(sums, expected[1]) and error == expected[2]


@pytest.mark.parametrize("kernel", [_replay, reference])
@pytest.mark.parametrize(
    ("field", "at", "value"),
    [("placed", 1, 127), ("placed", 2, 2), ("placed", 3, 30_000), ("plan", None, 99), ("kind", None, 5)],
)
def test_a_row_that_points_elsewhere_is_refused(kernel: Any, field: str, at: int | None, value: int) -> None:
    """An original above the person, a year or account that is not there, an unknown plan or kind: an error, no read."""
    plans, acts, recorded = segment(5, 1)
    held = getattr(acts, field)
    spoilt = [each.copy() for each in held] if at is not None else held.copy()
    (spoilt[at] if at is not None else spoilt)[0] = value
    with pytest.raises(IndexError, match="row 0: expected"):
        kernel.again(
            kernel.Packed(plans), acts._replace(**{field: spoilt}), recorded, np.zeros(len(acts.plan), np.uint8),
            np.zeros((LINES, len(COUNTED) + len(AMOUNTS)), np.int64),
        )  # fmt: skip


@pytest.mark.parametrize("kernel", [_replay, reference])
def test_a_line_that_is_not_there_is_refused(kernel: Any) -> None:
    """A statement line behind the last, and tables of another shape, are refused by name."""
    plans, acts, recorded = segment(5, 1)
    line = np.full(len(acts.plan), LINES, np.int8)
    assert told(kernel, plans, acts, recorded._replace(line=line))[2].startswith("row 0: expected")
    with pytest.raises(ValueError, match="deltas: expected 22 lanes"):
        told(kernel, plans, acts, recorded._replace(deltas=recorded.deltas[1:]))
    with pytest.raises(ValueError, match="facts 0: expected"):
        told(kernel, plans, acts._replace(facts=[each.astype(np.uint8) for each in acts.facts]), recorded)
