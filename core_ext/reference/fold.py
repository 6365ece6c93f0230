"""Specifies the fold: rows with equal keys form a group, and a group's values add up without wrapping."""

import numpy as np

from core_ext.codec_fields import Int64s, int64s

_LARGEST = 2**63 - 1


def group(keys: Int64s) -> tuple[Int64s, Int64s]:
    """Returns (group int64[n], first int64[g]) of keys int64[n, k].

    Groups are numbered from 0 in order of first appearance; ``first`` is the row that opened each. Raises
    ValueError for keys of another type or shape.
    """
    int64s("keys", keys, 2)
    numbers: dict[tuple[int, ...], int] = {}
    first: list[int] = []
    groups: list[int] = []
    for row, key in enumerate(map(tuple, keys.tolist())):
        if key not in numbers:
            numbers[key] = len(first)
            first.append(row)
        groups.append(numbers[key])
    return np.array(groups, dtype=np.int64), np.array(first, dtype=np.int64)


def check_fold(groups: Int64s, values: Int64s, out: Int64s) -> None:
    """Checks what ``fold`` takes in; raises ValueError for shapes that do not fit or a group there is not."""
    int64s("group", groups)
    int64s("values", values, 2)
    int64s("out", out, 2)
    if len(groups) != len(values) or values.shape[1] != out.shape[1]:
        raise ValueError(
            f"expected {len(groups)} rows of values as wide as out ({out.shape[1]}), "
            f"got {values.shape[0]} rows of {values.shape[1]}"
        )
    if not out.flags.writeable or np.may_share_memory(out, values):
        raise ValueError("out: expected a writable array apart from the values, got another")
    if len(groups) and (groups.min() < 0 or groups.max() >= len(out)):
        raise ValueError(f"group: expected 0 to {len(out) - 1}, got {groups.min()} to {groups.max()}")


def overflowed(row: int, column: int) -> OverflowError:
    """Returns the error for a sum beyond 64 bits."""
    return OverflowError(f"row {row}, column {column}: expected a sum within 64 bits, got a larger one")


def fold(groups: Int64s, values: Int64s, out: Int64s) -> None:
    """Adds row i of values int64[n, w] to row ``groups[i]`` of out int64[g, w], in order of rows.

    Raises OverflowError naming the first row and column whose sum leaves 64 bits; ``out`` then holds the sums of
    what came before it. Raises ValueError for shapes that do not fit or a group outside ``out``.
    """
    check_fold(groups, values, out)
    for row, (at, addends) in enumerate(zip(groups.tolist(), values.tolist(), strict=True)):
        for column, addend in enumerate(addends):
            total = int(out[at, column]) + addend
            if not -_LARGEST - 1 <= total <= _LARGEST:
                raise overflowed(row, column)
            out[at, column] = total
