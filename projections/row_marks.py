"""Marks rows with 64 keyed bits, so that tables too large for memory are compared by marks or by sums of marks.

The key is drawn anew each time: nobody can prepare two rows, or two sets of rows, that come to the same. What differs
is then read again and compared cell by cell, so a mark decides only where to look.
"""

import os

import numpy as np
from numpy.typing import NDArray

from core_ext.codec_fields import Int64s
from core_ext.text import Texts
from projections.grouping import padded

Marks = NDArray[np.uint64]

#: Sums of marks are kept apart by as many buckets, so that a difference leads to a few rows and not to all.
BUCKETS = 4_096
_SHIFT = np.uint64(64 - 12)

_ODD = 0x9E3779B97F4A7C15
_WRAP = 2**64 - 1
_FIRST, _SECOND = np.uint64(0xFF51AFD7ED558CCD), np.uint64(0xC4CEB9FE1A85EC53)
_HALF = np.uint64(33)


class Marker:
    """Is a way to mark rows, another one each time it is made."""

    def __init__(self) -> None:
        self._key = int.from_bytes(os.urandom(8), "little")

    def of_cells(self, table: Int64s) -> Marks:
        """Returns a mark of each row of int64[n, k]: zero for zeros, however many they are."""
        marks = np.zeros(len(table), np.uint64)
        for at, column in enumerate(table.T):
            if column.any():
                marks += np.where(column == 0, np.uint64(0), self._mixed(column, at))
        return marks

    def of_texts(self, texts: Texts, turned: Int64s | None = None) -> Marks:
        """Returns a mark of each text; ``turned`` is the order in which to take the bytes of those as long as it."""
        lengths, cells = padded(texts, 0 if turned is None else len(turned))
        if turned is not None:
            rows = np.flatnonzero(lengths == len(turned))
            cells[rows, : len(turned)] = cells[rows][:, turned]
        words = cells.view(np.int64).reshape(len(lengths), cells.shape[1] // 8)
        return self.of_cells(np.column_stack([lengths, words]))

    def with_number(self, marks: Marks, numbers: Int64s) -> Marks:
        """Returns marks of marked keys and a number of each."""
        return self._mixed(marks.view(np.int64) + self._mixed(numbers, 1).view(np.int64), 0)

    def _mixed(self, column: Int64s, at: int) -> Marks:
        """Returns a column's cells mixed by the key and the column's number."""
        salt = (self._key + (2 * at + 1) * _ODD) & _WRAP
        mixed = column.astype(np.uint64) * np.uint64(_ODD) + np.uint64(salt)
        for by in (_FIRST, _SECOND):
            mixed ^= mixed >> _HALF
            mixed *= by
        mixed ^= mixed >> _HALF
        return mixed


def bucket_of(marks: Marks) -> Int64s:
    """Returns the bucket of each marked key."""
    return (marks >> _SHIFT).astype(np.int64)
