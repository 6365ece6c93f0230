"""Finds the rows of keys by tables of slots; the specification is core_ext.reference.index.

The memory of a slot, and then that of the key it names, is asked for some rows before it is needed: a table of
hundreds of thousands of keys is in no cache, and the waits of many rows pass together.
"""

import numpy as np

from core_ext.codec_fields import texts_checked, texts_shaped
from core_ext.reference.index import check_rows, check_table

from libc.stdint cimport int64_t, uint8_t, uint32_t, uint64_t
from libc.stdlib cimport calloc, free
from libc.string cimport memcmp, memcpy

cdef extern from *:
    """
    #define prefetch(p) __builtin_prefetch(p)
    """
    void prefetch(const void* p) noexcept nogil

cdef enum:
    AHEAD = 16  # rows between asking for a slot's memory and needing it
    NEAR = 8  # rows between asking for the memory of the key it names and needing that
    DAY_DIGITS = 8  # bytes of a text that may be a day
    HASH_BITS = 36  # bits of a hash beside a day


cdef struct Texts:
    const int64_t* offsets
    const uint8_t* data
    int64_t size
    Py_ssize_t count


cdef inline uint64_t hash_int(int64_t key) noexcept nogil:
    cdef uint64_t h = <uint64_t> key * <uint64_t> 0x9E3779B97F4A7C15
    return h ^ (h >> 32)


cdef inline uint64_t hash_text(const Texts* texts, Py_ssize_t row) noexcept nogil:
    cdef const uint8_t* at = texts.data + texts.offsets[row]
    cdef int64_t length = texts.offsets[row + 1] - texts.offsets[row]
    cdef uint64_t h = (<uint64_t> 0x9E3779B97F4A7C15 ^ <uint64_t> length) * <uint64_t> 0xD6E8FEB86659FD93, word
    while length > 0:
        word = 0
        memcpy(&word, at, 8 if length >= 8 else length)
        h = (h ^ (h >> 32) ^ word) * <uint64_t> 0xD6E8FEB86659FD93
        at += 8
        length -= 8
    return h ^ (h >> 32)


cdef inline int64_t day_of(const Texts* texts, Py_ssize_t row) noexcept nogil:
    cdef const uint8_t* at = texts.data + texts.offsets[row]
    cdef int64_t day = 0
    cdef int i
    if texts.offsets[row + 1] - texts.offsets[row] < DAY_DIGITS:
        return 0
    for i in range(DAY_DIGITS):
        if at[i] < 48 or at[i] > 57:
            return 0
        day = 10 * day + at[i] - 48
    return day


cdef inline bint same(const Texts* a, Py_ssize_t i, const Texts* b, Py_ssize_t j) noexcept nogil:
    """Compares a held text with one that is asked for, whose offsets are checked; a held one outside is no match."""
    cdef int64_t length = b.offsets[j + 1] - b.offsets[j]
    return (
        a.offsets[i] >= 0
        and a.offsets[i] <= a.size - length
        and length == a.offsets[i + 1] - a.offsets[i]
        and memcmp(a.data + a.offsets[i], b.data + b.offsets[j], length) == 0
    )


cdef inline Py_ssize_t row_of(int64_t slot) noexcept nogil:
    return <Py_ssize_t> (<uint64_t> slot & <uint64_t> 0xFFFFFFFF) - 1


cdef inline bint tagged(int64_t slot, uint64_t h) noexcept nogil:
    return (<uint64_t> slot >> 32) == (h >> 32)


cdef inline int64_t slot_of(uint64_t h, Py_ssize_t row) noexcept nogil:
    return <int64_t> ((h >> 32 << 32) | <uint64_t> (row + 1))


cdef inline Py_ssize_t place_int(
    const int64_t* slots, uint64_t mask, const int64_t* held, Py_ssize_t count, int64_t key, uint64_t h, uint64_t* at
) noexcept nogil:
    at[0] = h & mask
    while slots[at[0]]:
        if tagged(slots[at[0]], h) and <size_t> row_of(slots[at[0]]) < <size_t> count and held[row_of(slots[at[0]])] == key:
            return row_of(slots[at[0]])
        at[0] = (at[0] + 1) & mask
    return -1


cdef inline Py_ssize_t place_text(
    const int64_t* slots, uint64_t mask, const Texts* held, const Texts* texts, Py_ssize_t row, uint64_t h, uint64_t* at
) noexcept nogil:
    at[0] = h & mask
    while slots[at[0]]:
        if tagged(slots[at[0]], h) and <size_t> row_of(slots[at[0]]) < <size_t> held.count and same(held, row_of(slots[at[0]]), texts, row):
            return row_of(slots[at[0]])
        at[0] = (at[0] + 1) & mask
    return -1


def find_ints(const int64_t[::1] slots not None, const int64_t[::1] held not None, const int64_t[::1] keys not None):
    """Returns the row of ``held`` that each key stands in, -1 where none; see the reference."""
    check_table(slots, held.shape[0])
    cdef Py_ssize_t n = keys.shape[0], count = held.shape[0], row
    cdef uint64_t mask = slots.shape[0] - 1, at
    found = np.full(n, -1, np.int64)
    cdef int64_t[::1] rows = found
    cdef int64_t slot
    if n == 0 or count == 0:
        return found
    with nogil:
        for row in range(n):
            if row + AHEAD < n:
                prefetch(&slots[hash_int(keys[row + AHEAD]) & mask])
            if row + NEAR < n:
                slot = slots[hash_int(keys[row + NEAR]) & mask]
                if slot:
                    prefetch(&held[row_of(slot)])
            rows[row] = place_int(&slots[0], mask, &held[0], count, keys[row], hash_int(keys[row]), &at)
    return found


def put_ints(int64_t[::1] slots not None, const int64_t[::1] held not None, Py_ssize_t first):
    """Puts the rows of ``held`` from ``first`` on into the table; see the reference."""
    check_table(slots, held.shape[0])
    check_rows(first, held.shape[0])
    cdef Py_ssize_t n = held.shape[0], row
    cdef uint64_t mask = slots.shape[0] - 1, at, h
    with nogil:
        for row in range(first, n):
            if row + AHEAD < n:
                prefetch(&slots[hash_int(held[row + AHEAD]) & mask])
            h = hash_int(held[row])
            if place_int(&slots[0], mask, &held[0], n, held[row], h, &at) < 0:
                slots[at] = slot_of(h, row)


cdef Texts texts_of(const int64_t[::1] offsets, const uint8_t[::1] data) noexcept:
    cdef Texts texts
    texts.offsets = &offsets[0]
    texts.data = &data[0] if data.shape[0] else NULL
    texts.size = data.shape[0]
    texts.count = offsets.shape[0] - 1
    return texts


def find_texts(const int64_t[::1] slots not None, held, texts):
    """Returns the row of ``held`` that each text stands in, -1 where none; see the reference."""
    # A batch must not pay for every text held: their offsets are checked where they are used.
    cdef Py_ssize_t count = texts_shaped("held", *held), n = texts_checked("texts", *texts), row
    check_table(slots, count)
    cdef const int64_t[::1] held_offsets = held[0], offsets = texts[0]
    cdef const uint8_t[::1] held_data = held[1], data = texts[1]
    found = np.full(n, -1, np.int64)
    hashes = np.empty(n, np.uint64)
    cdef int64_t[::1] rows = found
    cdef uint64_t[::1] hashed = hashes
    cdef uint64_t mask = slots.shape[0] - 1, at
    cdef int64_t slot
    if n == 0 or count == 0:
        return found
    cdef Texts there = texts_of(held_offsets, held_data), asked = texts_of(offsets, data)
    with nogil:
        for row in range(n):
            hashed[row] = hash_text(&asked, row)
        for row in range(n):
            if row + 2 * AHEAD < n:
                prefetch(&slots[hashed[row + 2 * AHEAD] & mask])
            if row + AHEAD < n:
                slot = slots[hashed[row + AHEAD] & mask]
                if slot:
                    prefetch(there.offsets + row_of(slot))
            if row + NEAR < n:
                slot = slots[hashed[row + NEAR] & mask]
                if <size_t> row_of(slot) < <size_t> count:
                    prefetch(there.data + there.offsets[row_of(slot)])
            rows[row] = place_text(&slots[0], mask, &there, &asked, row, hashed[row], &at)
    return found


def put_texts(int64_t[::1] slots not None, held, Py_ssize_t first):
    """Puts the texts of ``held`` from ``first`` on into the table; see the reference."""
    cdef Py_ssize_t count = texts_shaped("held", *held), row
    check_table(slots, count)
    check_rows(first, count)
    texts_checked("held", held[0][first:], held[1])
    cdef const int64_t[::1] offsets = held[0]
    cdef const uint8_t[::1] data = held[1]
    cdef uint64_t mask = slots.shape[0] - 1, at, h
    cdef Texts there = texts_of(offsets, data)
    with nogil:
        for row in range(first, count):
            h = hash_text(&there, row)
            if place_text(&slots[0], mask, &there, &there, row, h, &at) < 0:
                slots[at] = slot_of(h, row)


def number_texts(texts):
    """Returns (number of each text, row where each number first stands); see the reference."""
    cdef Py_ssize_t n = texts_checked("texts", *texts), row, known, given = 0
    cdef const int64_t[::1] offsets = texts[0]
    cdef const uint8_t[::1] data = texts[1]
    found = np.empty(n, np.int64)
    firsts = np.empty(n, np.int64)
    cdef int64_t[::1] numbers = found, first = firsts
    cdef uint64_t size = 2, mask, at, h
    if n == 0:
        return found, firsts
    while size < 2 * <uint64_t> n:
        size *= 2
    mask = size - 1
    cdef Texts all_of_them = texts_of(offsets, data)
    cdef int64_t* slots = <int64_t*> calloc(size, sizeof(int64_t))
    if slots == NULL:
        raise MemoryError()
    with nogil:
        for row in range(n):
            h = hash_text(&all_of_them, row)
            known = place_text(slots, mask, &all_of_them, &all_of_them, row, h, &at)
            if known < 0:
                slots[at] = slot_of(h, row)
                first[given] = row
                numbers[row] = given
                given += 1
            else:
                numbers[row] = numbers[known]
    free(slots)
    return found, firsts[:given].copy()


def day_keys(texts):
    """Returns the key of each text: the day it begins with, and a part of its hash; see the reference."""
    cdef Py_ssize_t n = texts_checked("texts", *texts), row
    cdef const int64_t[::1] offsets = texts[0]
    cdef const uint8_t[::1] data = texts[1]
    found = np.empty(n, np.int64)
    cdef int64_t[::1] keys = found
    if n == 0:
        return found
    cdef Texts all_of_them = texts_of(offsets, data)
    with nogil:
        for row in range(n):
            keys[row] = (day_of(&all_of_them, row) << HASH_BITS) | <int64_t> (hash_text(&all_of_them, row) >> (64 - HASH_BITS))
    return found
