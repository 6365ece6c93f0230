"""Specifies the index kernel: tables that find the row of a key, over columns of numbers and of texts.

A table is int64[slots], a power of two of them and at least twice as many as keys; a slot is 0, or the upper half of
a key's hash and its row + 1. A key stands in the first free slot from the one its hash names. Keys are held beside
the table, each once, and compared whole: a hash never decides.
"""

import numpy as np
from numpy.typing import NDArray

from core_ext.codec_fields import texts_checked

Int64s = NDArray[np.int64]
Texts = tuple[Int64s, NDArray[np.uint8]]

_WORD = 2**64 - 1
_SEED, _FACTOR = 0x9E3779B97F4A7C15, 0xD6E8FEB86659FD93
#: Digits of a day, and the bits of a hash that stand beside it in a key.
DAY_DIGITS, HASH_BITS = 8, 36


def check_table(slots: Int64s, held: int) -> None:
    """Raises ValueError for a table that is no power of two, or too small for its keys."""
    size = len(slots)
    if size < 2 or size & (size - 1) or size < 2 * held or held >= 2**31:
        raise ValueError(f"expected a power of two of at least {2 * held} slots, got {size}")


def check_rows(first: int, held: int) -> None:
    """Raises ValueError for a first row that is none of the held."""
    if not 0 <= first <= held:
        raise ValueError(f"expected a first row from 0 to {held}, got {first}")


def _signed(slot: int) -> int:
    return slot - 2**64 if slot >= 2**63 else slot


def _hash_int(key: int) -> int:
    h = (key & _WORD) * _SEED & _WORD
    return h ^ h >> 32


def _hash_text(text: bytes) -> int:
    h = (_SEED ^ len(text)) * _FACTOR & _WORD
    for at in range(0, len(text), 8):
        word = int.from_bytes(text[at : at + 8], "little")
        h = (h ^ h >> 32 ^ word) * _FACTOR & _WORD
    return h ^ h >> 32


def _place(slots: Int64s, held: "list[int] | list[bytes]", key: int | bytes, h: int) -> tuple[int, int]:
    """Returns (row, slot) of a key: row -1 where it is not there, and then the slot it would stand in."""
    at = h & len(slots) - 1
    while found := int(slots[at]):
        row = (found & 2**32 - 1) - 1
        if found >> 32 & 2**32 - 1 == h >> 32 and held[row] == key:
            return row, at
        at = (at + 1) & len(slots) - 1
    return -1, at


def _listed(texts: Texts) -> list[bytes]:
    offsets, data = texts
    raw = data.tobytes()
    return [raw[a:b] for a, b in zip(offsets[:-1].tolist(), offsets[1:].tolist(), strict=True)]


def find_ints(slots: Int64s, held: Int64s, keys: Int64s) -> Int64s:
    """Returns the row of ``held`` that each key stands in, -1 where none; raises ValueError for a table too small."""
    check_table(slots, len(held))
    there = held.tolist()
    return np.array([_place(slots, there, key, _hash_int(key))[0] for key in keys.tolist()], np.int64)


def put_ints(slots: Int64s, held: Int64s, first: int) -> None:
    """Puts the rows of ``held`` from ``first`` on into the table; a key that is there already stays where it was."""
    check_table(slots, len(held))
    check_rows(first, len(held))
    there = held.tolist()
    for row in range(first, len(there)):
        h = _hash_int(there[row])
        known, at = _place(slots, there, there[row], h)
        if known < 0:
            slots[at] = _signed(h >> 32 << 32 | row + 1)


def find_texts(slots: Int64s, held: Texts, texts: Texts) -> Int64s:
    """Returns the row of ``held`` that each text stands in, -1 where none, as ``find_ints`` does."""
    check_table(slots, texts_checked("held", *held))
    texts_checked("texts", *texts)
    there = _listed(held)
    return np.array([_place(slots, there, text, _hash_text(text))[0] for text in _listed(texts)], np.int64)


def put_texts(slots: Int64s, held: Texts, first: int) -> None:
    """Puts the texts of ``held`` from ``first`` on into the table, as ``put_ints`` does."""
    count = texts_checked("held", *held)
    check_table(slots, count)
    check_rows(first, count)
    there = _listed(held)
    for row in range(first, count):
        h = _hash_text(there[row])
        known, at = _place(slots, there, there[row], h)
        if known < 0:
            slots[at] = _signed(h >> 32 << 32 | row + 1)


def number_texts(texts: Texts) -> tuple[Int64s, Int64s]:
    """Returns (number of each text, row where each number first stands): equal texts have one, given in their order."""
    texts_checked("texts", *texts)
    numbers: dict[bytes, int] = {}
    first: list[int] = []
    found = []
    for row, text in enumerate(_listed(texts)):
        if text not in numbers:
            numbers[text] = len(first)
            first.append(row)
        found.append(numbers[text])
    return np.array(found, np.int64), np.array(first, np.int64)


def day_keys(texts: Texts) -> Int64s:
    """Returns a number by which each text is sorted and found again, int64[n] from 0 on; other texts may have it too.

    It is the day (yyyymmdd) that the text begins with, 0 where its first eight bytes are no digits, above the upper
    HASH_BITS bits of its hash. Stores keep these numbers: what a text has is never changed.
    """
    texts_checked("texts", *texts)
    keys = []
    for text in _listed(texts):
        first = text[:DAY_DIGITS]
        day = int(first) if len(first) == DAY_DIGITS and first.isdigit() else 0
        keys.append(day << HASH_BITS | _hash_text(text) >> 64 - HASH_BITS)
    return np.array(keys, np.int64)
