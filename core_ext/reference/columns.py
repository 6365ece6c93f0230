"""Specifies the memory of columns: arrays of so many integers or bytes, each its own, that hold whatever they hold.

The compiled twin keeps the memory of large arrays that nobody looks at any more for the next ones, up to 128 MiB: a
system that gives a page of memory clears it first, which costs more than writing a column there.
"""

import numpy as np

from core_ext.codec_fields import Bytes, Int64s

#: Cells that no memory holds.
MOST_CELLS = 1 << 58


def no_count(count: int) -> ValueError:
    """Returns the error for a count below 0 or beyond what memory holds."""
    return ValueError(f"expected a count from 0 on, got {count}")


def _checked(count: int) -> int:
    if not 0 <= count < MOST_CELLS:
        raise no_count(count)
    return count


def int64s(count: int) -> Int64s:
    """Returns an array of so many integers, whatever they are; raises ValueError for a count there is not."""
    return np.empty(_checked(count), np.int64)


def uint8s(count: int) -> Bytes:
    """Returns an array of so many bytes, whatever they are; raises ValueError for a count there is not."""
    return np.empty(_checked(count), np.uint8)
