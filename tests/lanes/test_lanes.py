"""The lanes kernel: both twins widen and compare alike, and refuse the same shapes."""

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from core_ext import _lanes
from core_ext.reference import lanes as reference

KINDS = (np.int8, np.int16, np.int32, np.int64)


@st.composite
def drawn(draw: st.DrawFn) -> tuple[list[Any], int, int]:
    """Draws lanes of every width, constants among them, and a range of their rows."""
    n = draw(st.integers(0, 300))
    lanes: list[Any] = []
    for kind in draw(st.lists(st.sampled_from((*KINDS, None)), min_size=1, max_size=6)):
        if kind is None:
            lanes.append(draw(st.integers(-(2**63), 2**63 - 1)))
        else:
            edge = np.iinfo(kind)
            values = draw(st.lists(st.integers(edge.min, edge.max), min_size=4, max_size=4))
            lanes.append(np.resize(np.array(values, kind), n))
    start = draw(st.integers(0, n))
    return lanes, start, draw(st.integers(start, n))


@given(drawn(), st.integers(0, 2**32), st.booleans())
def test_both_twins_widen_and_compare_alike(case: tuple[list[Any], int, int], seed: int, change: bool) -> None:
    """Rows come out as the columns say, and every row that is changed is marked, and no other."""
    lanes, start, stop = case
    out = {kernel: np.full((stop - start, len(lanes)), -7, np.int64) for kernel in (_lanes, reference)}
    for kernel, table in out.items():
        kernel.rows(lanes, start, stop, table)
    assert np.array_equal(out[_lanes], out[reference])
    changed = np.random.default_rng(seed).random(stop - start) < 0.2 if change else np.zeros(stop - start, bool)
    table = out[_lanes]
    table[changed, seed % len(lanes)] ^= 1
    for kernel in (_lanes, reference):
        marks = np.zeros(stop - start, np.uint8)
        assert kernel.differing(lanes, start, stop, table, marks) == changed.sum()
        assert np.array_equal(marks != 0, changed)


@pytest.mark.parametrize("kernel", [_lanes, reference])
@pytest.mark.parametrize(
    ("lane", "shape"),
    [
        (np.zeros(5, np.uint8), (5, 1)),
        (np.zeros(4, np.int32), (5, 1)),
        (np.zeros(10, np.int32)[::2], (5, 1)),
        (np.zeros(5, np.int32), (5, 2)),
        (2**63, (5, 1)),
    ],
)
def test_a_lane_of_another_type_or_length_is_refused(kernel: Any, lane: Any, shape: tuple[int, int]) -> None:
    """Unsigned, short or strided columns, another table's shape and constants past 64 bits are refused by name."""
    with pytest.raises(ValueError, match="expected"):
        kernel.rows([lane], 0, 5, np.zeros(shape, np.int64))
    with pytest.raises(ValueError, match="marks"):
        kernel.differing([np.zeros(5, np.int8)], 0, 5, np.zeros((5, 1), np.int64), np.zeros(4, np.uint8))
