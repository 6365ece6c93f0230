"""Promises of the fold: equal keys meet in one group, sums are exact or refused, both twins alike."""

from types import ModuleType

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from core_ext import _fold as compiled
from core_ext.reference import fold as reference

BOTH = pytest.mark.parametrize("kernel", [reference, compiled], ids=["reference", "compiled"])
INT64 = st.one_of(st.sampled_from([0, 1, -1, 2**63 - 1, -(2**63)]), st.integers(-(2**63), 2**63 - 1))


def ints(values: list, width: int) -> np.ndarray:
    return np.array(values, dtype=np.int64).reshape(len(values), width)


def folded(kernel: ModuleType, groups: np.ndarray, values: np.ndarray, count: int) -> tuple[str, list]:
    out = np.zeros((count, values.shape[1]), dtype=np.int64)
    try:
        kernel.fold(groups, values, out)
    except OverflowError as error:
        return str(error), out.tolist()
    return "", out.tolist()


@settings(max_examples=100)
@given(st.integers(0, 3).flatmap(lambda k: st.lists(st.lists(st.integers(-2, 2), min_size=k, max_size=k), max_size=60)))
def test_groups_are_numbered_in_order_of_first_appearance(rows: list[list[int]]) -> None:
    """Rows share a number exactly when their keys are equal, and numbers rise as new keys come."""
    keys = ints(rows, len(rows[0]) if rows else 1)
    group, first = compiled.group(keys)
    expected, opened = reference.group(keys)
    assert group.tolist() == expected.tolist()
    assert first.tolist() == opened.tolist()
    assert [rows[at] for at in first] == [list(key) for key in dict.fromkeys(map(tuple, rows))]


def test_many_groups_outgrow_the_first_table() -> None:
    """Whether there are two groups or tens of thousands, and however keys collide, the numbering is the same."""
    generator = np.random.Generator(np.random.PCG64(11))
    for spread, step in ((2, 1), (20_000, 1), (20_000, 2**40), (600, 1024)):
        keys = generator.integers(0, spread, (30_000, 2)) * step
        for got, expected in zip(compiled.group(keys), reference.group(keys), strict=True):
            assert np.array_equal(got, expected)


@settings(max_examples=100)
@given(st.data())
def test_sums_are_exact_or_refused_alike(data: st.DataObject) -> None:
    """A sum beyond 64 bits is named by row and column; what was added before it stands, in both twins alike."""
    width = data.draw(st.integers(1, 3))
    rows = data.draw(st.lists(st.lists(INT64, min_size=width, max_size=width), max_size=20))
    groups = np.array([data.draw(st.integers(0, 2)) for _ in rows], dtype=np.int64)
    values = ints(rows, width)
    assert folded(compiled, groups, values, 3) == folded(reference, groups, values, 3)


@BOTH
def test_a_region_pair_sums_to_the_fen(kernel: ModuleType) -> None:
    """Claims of one ordered pair of regions add up to what is owed, refunds included."""
    pairs = ints([[440100, 110000], [320100, 110000], [440100, 110000], [440100, 110000]], 2)
    fees = ints([[10_000, 8_700], [500, 0], [-10_000, -8_700], [2**53, 1]], 2)
    group, first = kernel.group(pairs)
    sums = np.zeros((len(first), 2), dtype=np.int64)
    kernel.fold(group, fees, sums)
    kernel.fold(group[1:2], fees[1:2], sums)
    assert pairs[first].tolist() == [[440100, 110000], [320100, 110000]]
    assert sums.tolist() == [[2**53, 1], [1000, 0]]


@BOTH
def test_a_sum_that_does_not_fit_is_named(kernel: ModuleType) -> None:
    """Nothing wraps: the first sum that leaves 64 bits is told by row and column."""
    values, out = ints([[0, 5], [0, 2**63 - 5]], 2), np.zeros((1, 2), dtype=np.int64)
    with pytest.raises(OverflowError, match="row 1, column 1: expected a sum within 64 bits"):
        kernel.fold(np.zeros(2, dtype=np.int64), values, out)
    assert out.tolist() == [[0, 5]]


@BOTH
def test_shapes_that_do_not_fit_are_refused(kernel: ModuleType) -> None:
    """A group that has no row, or values of another shape, never touch memory."""
    values, out = np.zeros((2, 2), dtype=np.int64), np.zeros((1, 2), dtype=np.int64)
    for groups in ([0, 1], [-1, 0]):
        with pytest.raises(ValueError, match="group: expected 0 to 0"):
            kernel.fold(np.array(groups, dtype=np.int64), values, out)
    with pytest.raises(ValueError, match=r"got 2 rows of 2"):
        kernel.fold(np.zeros(3, dtype=np.int64), values, out)
    with pytest.raises(ValueError, match="expected int64"):
        kernel.fold(np.zeros(2, dtype=np.int64), values.astype(float), out)
    with pytest.raises(ValueError, match="apart from the values"):
        kernel.fold(np.zeros(2, dtype=np.int64), values, values)
    with pytest.raises(ValueError, match="C-contiguous"):
        kernel.group(np.zeros((2, 4), dtype=np.int64)[:, ::2])
