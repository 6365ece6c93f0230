"""Specifies the memory of columns: arrays of so many integers or bytes, each its own, that hold whatever they hold.

The compiled twin keeps the memory of large arrays that nobody looks at any more for the next ones, up to 128 MiB: a
system that gives a page of memory clears it first, which costs more than writing a column there.
"""

import numpy as np

from core_ext.codec_fields import Bytes, Int64s


def count_checked(count: int) -> int:
    """Returns the count itself; raises ValueError for one below 0 or beyond what memory holds."""
    if not 0 <= count < 1 << 58:
        raise ValueError(f"expected a count from 0 on, got {count}")
    return count


def int64s(count: int) -> Int64s:
    """Returns an array of so many integers, whatever they are; raises ValueError for a count below 0."""
    return np.empty(count_checked(count), np.int64)


def uint8s(count: int) -> Bytes:
    """Returns an array of so many bytes, whatever they are; raises ValueError for a count below 0."""
    return np.empty(count_checked(count), np.uint8)


def forget() -> None:
    """Gives what is kept back to the system."""


def kept_in_all() -> int:
    """Returns how many bytes are kept."""
    return 0
