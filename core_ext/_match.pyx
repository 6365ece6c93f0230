"""Brings the rows of two sides together by key and compares them; the specification is core_ext.reference.match.

A hash table of row numbers, at most half full; a slot is followed by an exact comparison of code and text, so that
no two keys are ever taken for one.
"""

import numpy as np

from core_ext.codec_fields import texts_checked
from core_ext.layout import ABSENT
from core_ext.reference.match import check_keys, check_pairs, check_tables

from libc.stdint cimport int64_t, uint8_t, uint32_t, uint64_t
from libc.string cimport memcmp, memcpy

cdef int64_t NOTHING = ABSENT

cdef extern from *:
    """
    #define prefetch(p) __builtin_prefetch(p)
    """
    void prefetch(const void* p) noexcept nogil

cdef enum:
    AHEAD = 12  # rows between asking for a slot's memory and needing it


cdef struct Keys:
    const int64_t* codes
    const int64_t* offsets
    const uint8_t* data
    Py_ssize_t count


cdef struct Slot:
    uint32_t tag
    uint32_t row  # row number + 1; 0 is an empty slot


cdef inline uint64_t mixed(const Keys* keys, Py_ssize_t row) noexcept nogil:
    """Gives a hash of a row's key: eight bytes at a time, multiplied and folded."""
    cdef uint64_t h = <uint64_t>0x9E3779B97F4A7C15 ^ <uint64_t>keys.codes[row], word
    cdef const uint8_t* at = keys.data + keys.offsets[row]
    cdef int64_t length = keys.offsets[row + 1] - keys.offsets[row]
    h = (h ^ <uint64_t>length) * <uint64_t>0xD6E8FEB86659FD93
    while length > 0:
        word = 0
        memcpy(&word, at, 8 if length >= 8 else length)
        h = (h ^ (h >> 32) ^ word) * <uint64_t>0xD6E8FEB86659FD93
        at += 8
        length -= 8
    return h ^ (h >> 32)


cdef inline bint same(const Keys* a, Py_ssize_t i, const Keys* b, Py_ssize_t j) noexcept nogil:
    cdef int64_t length = a.offsets[i + 1] - a.offsets[i]
    return (
        a.codes[i] == b.codes[j]
        and length == b.offsets[j + 1] - b.offsets[j]
        and memcmp(a.data + a.offsets[i], b.data + b.offsets[j], length) == 0
    )


cdef Py_ssize_t found(
    Slot* slots, uint64_t mask, const Keys* held, const Keys* keys, Py_ssize_t row, uint64_t h, bint put
) noexcept nogil:
    """Gives the row of ``held`` with the key of ``row`` of ``keys``; -1 without one, and then puts it in if asked to."""
    cdef uint64_t at = h & mask
    cdef uint32_t tag = <uint32_t>(h >> 32)
    while slots[at].row:
        if slots[at].tag == tag and same(keys, row, held, slots[at].row - 1):
            return slots[at].row - 1
        at = (at + 1) & mask
    if put:
        slots[at].tag = tag
        slots[at].row = <uint32_t>(row + 1)
    return -1


cdef void fill(Slot* slots, uint64_t mask, const Keys* keys, uint64_t* hashes, int64_t* first) noexcept nogil:
    """Puts the first row of each key into the table and says for every row which that is; -1 without a key."""
    cdef Py_ssize_t row, known
    for row in range(keys.count):
        hashes[row] = mixed(keys, row)
    for row in range(keys.count):
        if row + AHEAD < keys.count:
            prefetch(&slots[hashes[row + AHEAD] & mask])
        if keys.offsets[row] == keys.offsets[row + 1]:
            first[row] = -1
            continue
        known = found(slots, mask, keys, keys, row, hashes[row], True)
        first[row] = row if known < 0 else known


cdef void look_up(
    Slot* slots, uint64_t mask, const Keys* held, const Keys* keys, const uint64_t* hashes, const int64_t* first, int64_t* met
) noexcept nogil:
    cdef Py_ssize_t row
    for row in range(keys.count):
        if row + AHEAD < keys.count:
            prefetch(&slots[hashes[row + AHEAD] & mask])
        if first[row] < 0:
            met[row] = -1
        elif first[row] < row:
            met[row] = met[first[row]]
        else:
            met[row] = found(slots, mask, held, keys, row, hashes[row], False)


cdef uint64_t room_for(Py_ssize_t count) noexcept:
    """Gives the slots of a table for so many rows: a power of two, at least twice as many."""
    cdef uint64_t slots = 16
    while slots < 2 * <uint64_t>count:
        slots *= 2
    return slots


def join(const int64_t[::1] mine_codes not None, mine_texts not None, const int64_t[::1] your_codes not None, your_texts not None):
    """Returns (first row of mine with a row's key, the same of yours, first row of mine with the key of yours)."""
    cdef Keys mine, yours
    mine.count = check_keys("mine", np.asarray(mine_codes), mine_texts)
    yours.count = check_keys("yours", np.asarray(your_codes), your_texts)
    if mine.count >= 0x7FFFFFFF or yours.count >= 0x7FFFFFFF:
        raise ValueError(f"expected fewer than 2**31 - 1 rows a side, got {mine.count} and {yours.count}")
    cdef const int64_t[::1] mine_offsets = mine_texts[0], your_offsets = your_texts[0]
    cdef const uint8_t[::1] mine_data = mine_texts[1], your_data = your_texts[1]
    mine.codes = &mine_codes[0] if mine.count else NULL
    yours.codes = &your_codes[0] if yours.count else NULL
    mine.offsets = &mine_offsets[0]
    yours.offsets = &your_offsets[0]
    mine.data = &mine_data[0] if mine_data.shape[0] else NULL
    yours.data = &your_data[0] if your_data.shape[0] else NULL
    first_mine = np.empty(mine.count, np.int64)
    first_yours = np.empty(yours.count, np.int64)
    met_out = np.empty(yours.count, np.int64)
    cdef int64_t[::1] mine_first = first_mine, your_first = first_yours, met = met_out
    cdef uint64_t mine_room = room_for(mine.count), your_room = room_for(yours.count)
    cdef uint64_t[::1] mine_table = np.zeros(mine_room, np.uint64), your_table = np.zeros(your_room, np.uint64)
    cdef uint64_t[::1] hashes = np.empty(max(mine.count, yours.count) + 1, np.uint64)
    with nogil:
        if mine.count:
            fill(<Slot*>&mine_table[0], mine_room - 1, &mine, &hashes[0], &mine_first[0])
        if yours.count:
            fill(<Slot*>&your_table[0], your_room - 1, &yours, &hashes[0], &your_first[0])
            look_up(<Slot*>&mine_table[0], mine_room - 1, &mine, &yours, &hashes[0], &your_first[0], &met[0])
    return first_mine, first_yours, met_out


def differ(
    const int64_t[:, ::1] mine not None,
    const int64_t[:, ::1] yours not None,
    const int64_t[::1] a not None,
    const int64_t[::1] b not None,
):
    """Returns a mask for each pair: bit c where the numbers of column c differ and yours states one."""
    check_tables(np.asarray(mine), np.asarray(yours), np.asarray(a), np.asarray(b))
    cdef Py_ssize_t pairs = a.shape[0], width = mine.shape[1], at, column
    cdef const int64_t* left
    cdef const int64_t* right
    cdef uint64_t bits
    masks = np.zeros(pairs, np.int64)
    cdef int64_t[::1] out = masks
    if pairs and width:
        with nogil:
            for at in range(pairs):
                if at + AHEAD < pairs:
                    for column in range(0, width, 8):
                        prefetch(&mine[a[at + AHEAD], column])
                left = &mine[a[at], 0]
                right = &yours[b[at], 0]
                bits = 0
                for column in range(width):
                    bits |= <uint64_t>(left[column] != right[column] and right[column] != NOTHING) << column
                out[at] = <int64_t>bits
    return masks


def differ_texts(mine not None, yours not None, const int64_t[::1] a not None, const int64_t[::1] b not None):
    """Returns 1 for each pair whose texts differ, where yours is not empty."""
    check_pairs(texts_checked("mine", *mine), texts_checked("yours", *yours), np.asarray(a), np.asarray(b))
    cdef const int64_t[::1] mine_offsets = mine[0], your_offsets = yours[0]
    cdef const uint8_t[::1] mine_data = mine[1], your_data = yours[1]
    cdef const uint8_t* left = &mine_data[0] if mine_data.shape[0] else NULL
    cdef const uint8_t* right = &your_data[0] if your_data.shape[0] else NULL
    cdef Py_ssize_t pairs = a.shape[0], at
    cdef int64_t i, j, length
    unlike = np.zeros(pairs, np.uint8)
    cdef uint8_t[::1] out = unlike
    with nogil:
        for at in range(pairs):
            i, j = a[at], b[at]
            length = your_offsets[j + 1] - your_offsets[j]
            if length == 0:
                continue
            out[at] = mine_offsets[i + 1] - mine_offsets[i] != length or memcmp(
                left + mine_offsets[i], right + your_offsets[j], length
            ) != 0
    return unlike
