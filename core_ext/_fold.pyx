"""Compiles the fold: see core_ext/reference/fold.py, its specification."""

from libc.stdint cimport int64_t, uint64_t

import numpy as np

from core_ext.codec_fields import int64s
from core_ext.reference.fold import check_fold, overflowed

cdef extern from *:
    """
    #include <stdint.h>
    #define add_overflows(a, b, sum) __builtin_add_overflow((int64_t)(a), (int64_t)(b), (int64_t *)(sum))
    #define prefetch(p) __builtin_prefetch(p)
    """
    bint add_overflows(int64_t a, int64_t b, int64_t* sum) noexcept nogil
    void prefetch(const void* p) noexcept nogil

cdef enum:
    AHEAD = 16  # rows between asking for a slot's memory and needing it


cdef inline uint64_t mixed(const int64_t* key, int64_t width) noexcept nogil:
    """Returns a hash of the key; multiply and fold the high half down, per word."""
    cdef uint64_t h = 0x9E3779B97F4A7C15
    cdef int64_t k
    for k in range(width):
        h = (h ^ <uint64_t>key[k]) * <uint64_t>0xD6E8FEB86659FD93
        h ^= h >> 32
    return h


cdef inline bint equal(const int64_t* a, const int64_t* b, int64_t width) noexcept nogil:
    cdef int64_t k
    for k in range(width):
        if a[k] != b[k]:
            return 0
    return 1


cdef int64_t place(
    const int64_t* keys, int64_t n, int64_t width, int64_t[::1] groups, int64_t[::1] first,
    int64_t[::1] slots, int64_t start, int64_t known, int64_t* stop,
) noexcept nogil:
    """Numbers rows from ``start`` until the table is half full; returns the groups known, ``stop`` the row reached."""
    cdef int64_t row, number, mask = slots.shape[0] - 1, limit = slots.shape[0] >> 1
    cdef uint64_t at
    for row in range(start, n):
        if known >= limit:
            stop[0] = row
            return known
        if row + AHEAD < n:
            prefetch(&slots[<int64_t>(mixed(keys + (row + AHEAD) * width, width) & <uint64_t>mask)])
        # Claims come in runs of one key: the row before is the likeliest group.
        if row and equal(keys + row * width, keys + (row - 1) * width, width):
            groups[row] = groups[row - 1]
            continue
        at = mixed(keys + row * width, width) & <uint64_t>mask
        while True:
            number = slots[<int64_t>at]
            if number < 0:
                slots[<int64_t>at] = known
                first[known] = row
                groups[row] = known
                known += 1
                break
            if equal(keys + row * width, keys + first[number] * width, width):
                groups[row] = number
                break
            at = (at + 1) & <uint64_t>mask
    stop[0] = n
    return known


cdef void refill(
    const int64_t* keys, int64_t width, const int64_t[::1] first, int64_t known, int64_t[::1] slots
) noexcept nogil:
    cdef int64_t number, mask = slots.shape[0] - 1
    cdef uint64_t at
    for number in range(known):
        at = mixed(keys + first[number] * width, width) & <uint64_t>mask
        while slots[<int64_t>at] >= 0:
            at = (at + 1) & <uint64_t>mask
        slots[<int64_t>at] = number


def group(keys):
    """Returns (group int64[n], first int64[g]) of keys int64[n, k]; see the reference."""
    int64s("keys", keys, 2)
    cdef int64_t n = keys.shape[0], width = keys.shape[1], size = 1024, known = 0, row = 0
    groups, first = np.empty(n, dtype=np.int64), np.empty(n, dtype=np.int64)
    if n == 0:
        return groups, first
    cdef const int64_t[::1] flat = keys.reshape(-1)
    cdef const int64_t* at = &flat[0] if width else NULL
    cdef int64_t[::1] numbers = groups, opened = first
    cdef int64_t[::1] slots = np.full(size, -1, dtype=np.int64)
    while True:
        with nogil:
            known = place(at, n, width, numbers, opened, slots, row, known, &row)
        if row == n:
            return groups, first[:known].copy()
        size *= 4
        slots = np.full(size, -1, dtype=np.int64)
        with nogil:
            refill(at, width, opened, known, slots)


cdef int64_t add_rows(
    const int64_t[::1] groups, const int64_t[:, ::1] values, int64_t[:, ::1] out
) noexcept nogil:
    """Returns -1, or row * width + column of the first sum that leaves 64 bits."""
    cdef int64_t row, column, width = values.shape[1], n = groups.shape[0], sum = 0
    cdef int64_t* to
    cdef const int64_t* addend
    for row in range(n):
        if row + AHEAD < n:
            prefetch(&out[groups[row + AHEAD], 0])
        to, addend = &out[groups[row], 0], &values[row, 0]
        for column in range(width):
            if add_overflows(to[column], addend[column], &sum):
                return row * width + column
            to[column] = sum
    return -1


def fold(groups, values, out):
    """Adds row i of values to row ``groups[i]`` of out; see the reference."""
    check_fold(groups, values, out)
    cdef int64_t width = values.shape[1], at
    if len(groups) == 0 or width == 0:
        return
    cdef const int64_t[::1] number = groups
    cdef const int64_t[:, ::1] addends = values
    cdef int64_t[:, ::1] sums = out
    with nogil:
        at = add_rows(number, addends, sums)
    if at >= 0:
        raise overflowed(at // width, at % width)
