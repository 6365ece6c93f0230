"""Columns have memory of their own, which serves another once nobody looks at it any more, and never before."""

from types import ModuleType

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from core_ext import _columns as compiled
from core_ext.reference import columns as reference

BOTH = pytest.mark.parametrize("kernel", [compiled, reference])
COUNTS = st.sampled_from([0, 1, 8_191, 8_192, 8_193, 9_000, 20_000, 65_536, 70_000])


@BOTH
@settings(max_examples=60, deadline=None)
@given(steps=st.lists(st.tuples(COUNTS, st.booleans(), st.integers(0, 20)), max_size=20))
def test_no_two_columns_share_memory(kernel: ModuleType, steps: list[tuple[int, bool, int]]) -> None:
    """Whatever is taken and given back in between, a column holds what was written to it; a part of it keeps it."""
    held: list[tuple[np.ndarray, int]] = []
    for mark, (count, wide, dropped) in enumerate(steps):
        column = kernel.int64s(count) if wide else kernel.uint8s(count)
        assert column.shape == (count,) and column.dtype == (np.int64 if wide else np.uint8)
        assert column.flags.writeable and column.flags.c_contiguous and column.ctypes.data % column.itemsize == 0
        column[:] = mark
        held.append((column[count // 2 :], mark))
        del column
        if dropped < len(held):
            held.pop(dropped)
        assert all((part == own).all() for part, own in held)


def test_memory_given_back_is_kept_for_the_next_and_never_without_end() -> None:
    """A column as large as one that is gone lies where that lay; what is kept stays below its bound."""
    compiled.forget()
    first = compiled.int64s(100_000)
    place = first.ctypes.data
    assert compiled.kept_in_all() == 0
    del first
    assert 800_000 <= compiled.kept_in_all() <= 900_000
    again = compiled.int64s(99_000)
    assert again.ctypes.data == place and compiled.kept_in_all() == 0
    held = [compiled.uint8s(40 << 20) for _ in range(5)]
    for column in held:
        column[::4096] = 1
    del column
    while held:
        held.pop()
        assert compiled.kept_in_all() <= 1 << 27
    assert compiled.kept_in_all() > 0
    compiled.forget()
    assert compiled.kept_in_all() == 0
    again[:] = 7
    assert int(again.sum()) == 7 * 99_000
    del again
    kept = compiled.kept_in_all()
    assert kept > 0
    large = compiled.uint8s(1 << 28)
    del large
    assert compiled.kept_in_all() == kept


@BOTH
@pytest.mark.parametrize("count", [-1, 1 << 58])
def test_a_count_that_is_none_is_refused(kernel: ModuleType, count: int) -> None:
    """No column has fewer than no cells, or more than memory has."""
    for take in (kernel.int64s, kernel.uint8s):
        with pytest.raises(ValueError, match=f"expected a count from 0 on, got {count}"):
            take(count)
