"""Specifies the match kernel: rows of two sides brought together by their keys, and compared field by field.

A *key* is a code and a text, both exact: (insured region, settlement number). A row without a text has no key: it
meets nothing, not even its like.
"""

import numpy as np
from numpy.typing import NDArray

from core_ext.codec_fields import Bytes, Int64s, int64s, texts_checked
from core_ext.layout import ABSENT

Texts2 = tuple[Int64s, Bytes]

#: Columns that one mask of differences can name.
MOST_COLUMNS = 62


def check_keys(what: str, codes: Int64s, texts: Texts2) -> int:
    """Returns how many keys there are; raises ValueError unless there is a text a code."""
    int64s(f"{what} codes", codes)
    count = texts_checked(f"{what} texts", *texts)
    if count != len(codes):
        raise ValueError(f"{what}: expected as many texts as codes, got {count} and {len(codes)}")
    return count


def check_pairs(mine: int, yours: int, a: Int64s, b: Int64s) -> None:
    """Checks that pairs name rows there are; raises ValueError where they do not."""
    int64s("a", a)
    int64s("b", b)
    if len(a) != len(b):
        raise ValueError(f"expected pairs, got {len(a)} and {len(b)} rows")
    for what, rows, count in (("a", a, mine), ("b", b, yours)):
        if len(rows) and not 0 <= int(rows.min()) <= int(rows.max()) < count:
            raise ValueError(f"{what}: expected rows from 0 to {count - 1}, got {rows.min()} to {rows.max()}")


def check_tables(mine: Int64s, yours: Int64s, a: Int64s, b: Int64s) -> None:
    """Checks what ``differ`` takes in; raises ValueError for tables of different widths or rows there are not."""
    int64s("mine", mine, 2)
    int64s("yours", yours, 2)
    if mine.shape[1] != yours.shape[1] or mine.shape[1] > MOST_COLUMNS:
        raise ValueError(
            f"expected tables of one width up to {MOST_COLUMNS}, got {mine.shape[1]} and {yours.shape[1]} columns"
        )
    check_pairs(len(mine), len(yours), a, b)


def _keys(codes: Int64s, texts: Texts2) -> list[tuple[int, bytes]]:
    data, offsets = texts[1].tobytes(), texts[0].tolist()
    return [(code, data[offsets[at] : offsets[at + 1]]) for at, code in enumerate(codes.tolist())]


def join(
    mine_codes: Int64s, mine_texts: Texts2, your_codes: Int64s, your_texts: Texts2
) -> tuple[Int64s, Int64s, Int64s]:
    """Returns (first int64[n], first int64[m], met int64[m]) of n rows of mine and m of yours.

    ``first`` is the first row of the same side with the row's key (itself: it is that one, -1: it has no key);
    ``met`` the first row of mine with that key, -1 where there is none. Raises ValueError for columns that do not fit.
    """
    check_keys("mine", mine_codes, mine_texts)
    check_keys("yours", your_codes, your_texts)
    mine, yours = _keys(mine_codes, mine_texts), _keys(your_codes, your_texts)
    places: tuple[dict[tuple[int, bytes], int], dict[tuple[int, bytes], int]] = ({}, {})
    firsts = []
    for known, keys in zip(places, (mine, yours), strict=True):
        first = [known.setdefault(key, at) if key[1] else -1 for at, key in enumerate(keys)]
        firsts.append(np.array(first, np.int64))
    met = [places[0].get(key, -1) if key[1] else -1 for key in yours]
    return firsts[0], firsts[1], np.array(met, np.int64)


def differ(mine: Int64s, yours: Int64s, a: Int64s, b: Int64s) -> Int64s:
    """Returns for each pair a mask: bit c is set where ``mine[a, c]`` is not ``yours[b, c]``.

    A number that yours does not state (ABSENT) differs from nothing. Raises ValueError for tables that do not fit.
    """
    check_tables(mine, yours, a, b)
    left, right = mine[a], yours[b]
    unlike = (left != right) & (right != ABSENT)
    return np.asarray(unlike @ (np.int64(1) << np.arange(mine.shape[1], dtype=np.int64)), np.int64)


def differ_texts(mine: Texts2, yours: Texts2, a: Int64s, b: Int64s) -> NDArray[np.uint8]:
    """Returns for each pair 1 where text a of mine is not text b of yours, 0 where it is or yours is empty.

    Raises ValueError for texts or rows that do not fit.
    """
    check_pairs(texts_checked("mine", *mine), texts_checked("yours", *yours), a, b)
    left, right = (_keys(np.zeros(len(side[0]) - 1, np.int64), side) for side in (mine, yours))
    unlike = [right[j][1] not in (b"", left[i][1]) for i, j in zip(a.tolist(), b.tolist(), strict=True)]
    return np.array(unlike, np.uint8)
