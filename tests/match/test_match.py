"""The match kernel: both twins bring the same rows together, find the same differences and refuse the same input."""

from types import ModuleType

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from core_ext import _match as compiled
from core_ext.layout import ABSENT
from core_ext.reference import match as reference
from core_ext.text import Texts, texts_from_list

TWINS = pytest.mark.parametrize("kernel", [compiled, reference], ids=["compiled", "reference"])

#: Few codes and short texts, so that keys meet; texts of 7 to 9 bytes and of one beginning, so that words end.
keys = st.lists(
    st.tuples(st.integers(0, 2), st.sampled_from([b"", b"S1", b"S2", b"A" * 7, b"A" * 8, b"A" * 9, b"A" * 8 + b"B"])),
    max_size=40,
)


def columns(found: list[tuple[int, bytes]]) -> tuple[np.ndarray, Texts]:
    return np.array([code for code, _ in found], np.int64), texts_from_list([text for _, text in found])


@given(keys, keys)
def test_both_twins_bring_the_same_rows_together(mine: list[tuple[int, bytes]], yours: list[tuple[int, bytes]]) -> None:
    """A row meets the first row of the other side with its region and number, and knows its repetitions."""
    sides = (*columns(mine), *columns(yours))
    expected = reference.join(*sides)
    for got, wanted in zip(compiled.join(*sides), expected, strict=True):
        assert got.tolist() == wanted.tolist()
    first_mine, first_yours, met = expected
    for row, key in enumerate(mine):
        assert first_mine[row] == (mine.index(key) if key[1] else -1)
    for row, key in enumerate(yours):
        assert first_yours[row] == (yours.index(key) if key[1] else -1)
        assert met[row] == (mine.index(key) if key[1] and key in mine else -1)


@TWINS
def test_many_keys_are_told_apart(kernel: ModuleType) -> None:
    """Keys that share a number but not a region, or a beginning but not an end, are never taken for one."""
    mine = [(code, b"%08d-%d" % (number, number % 3)) for number in range(3000) for code in (440100, 410100)]
    first, again, met = kernel.join(*columns(mine), *columns(mine[::-1]))
    assert first.tolist() == again.tolist() == list(range(6000))
    assert met.tolist() == list(range(6000))[::-1]


numbers = st.sampled_from([0, 1, -1, 2**62, ABSENT])


@given(
    st.integers(0, 62).flatmap(lambda width: st.lists(st.lists(numbers, min_size=width, max_size=width), min_size=1))
)
def test_both_twins_find_the_same_differences(rows: list[list[int]]) -> None:
    """A pair's mask names exactly the columns that differ; what the counterpart does not state differs from nothing."""
    table = np.array(rows, np.int64).reshape(len(rows), -1)
    a = np.arange(len(rows), dtype=np.int64)
    b = a[::-1].copy()
    masks = reference.differ(table, table, a, b)
    assert compiled.differ(table, table, a, b).tolist() == masks.tolist()
    for i, j, mask in zip(a.tolist(), b.tolist(), masks.tolist(), strict=True):
        expected = [c for c in range(table.shape[1]) if rows[j][c] not in (ABSENT, rows[i][c])]
        assert [c for c in range(table.shape[1]) if mask >> c & 1] == expected


@given(st.lists(st.sampled_from([b"", b"M1", b"M2", b"M10"]), min_size=1))
def test_both_twins_compare_texts_alike(texts: list[bytes]) -> None:
    """A text differs where the counterpart states another one."""
    held = texts_from_list(texts)
    a = np.arange(len(texts), dtype=np.int64)
    b = a[::-1].copy()
    expected = [int(texts[j] not in (b"", texts[i])) for i, j in zip(a.tolist(), b.tolist(), strict=True)]
    assert reference.differ_texts(held, held, a, b).tolist() == expected
    assert compiled.differ_texts(held, held, a, b).tolist() == expected


@TWINS
def test_what_does_not_fit_is_refused(kernel: ModuleType) -> None:
    """Columns of other lengths, rows there are not and tables of other widths are refused, never read past."""
    codes, texts = columns([(1, b"S1"), (2, b"S2")])
    rows = np.array([0, 2], np.int64)
    fine = np.array([0, 1], np.int64)
    with pytest.raises(ValueError, match="expected as many texts as codes, got 2 and 1"):
        kernel.join(codes[:1], texts, codes, texts)
    with pytest.raises(ValueError, match="expected rows from 0 to 1, got 0 to 2"):
        kernel.differ_texts(texts, texts, rows, fine)
    table = np.zeros((2, 3), np.int64)
    with pytest.raises(ValueError, match="expected rows from 0 to 1"):
        kernel.differ(table, table, fine, rows)
    with pytest.raises(ValueError, match="expected tables of one width up to 62, got 3 and 2 columns"):
        kernel.differ(table, np.zeros((2, 2), np.int64), fine, fine)
    with pytest.raises(ValueError, match="expected pairs, got 2 and 1 rows"):
        kernel.differ(table, table, fine, fine[:1])
