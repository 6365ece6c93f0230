"""Compiles the lanes kernel: see core_ext/reference/lanes.py, its specification."""

from libc.stdint cimport int8_t, int16_t, int32_t, int64_t, uint8_t, uintptr_t

import numpy as np

from core_ext.reference.lanes import check_lanes, check_marks

cdef enum:
    LANES_MAX = 128
    PIECE = 128  # rows at a time, so that the rows written stay in the nearest cache while every lane passes

ctypedef fused narrow_t:
    int8_t
    int16_t
    int32_t
    int64_t


cdef struct Lanes:
    const void* data[LANES_MAX]
    int64_t constant[LANES_MAX]
    int size[LANES_MAX]  # bytes a value; 0 for a constant
    Py_ssize_t count


cdef int take(lanes, Py_ssize_t start, Lanes* into) except -1:
    """Fills ``into`` with where each lane's row ``start`` is; the lanes must outlive it."""
    cdef Py_ssize_t at
    cdef uintptr_t address
    if len(lanes) > LANES_MAX:
        raise ValueError(f"lanes: expected at most {LANES_MAX}, got {len(lanes)}")
    into.count = len(lanes)
    for at, lane in enumerate(lanes):
        if isinstance(lane, int):
            into.size[at], into.constant[at], into.data[at] = 0, lane, NULL
        else:
            address = lane.ctypes.data
            into.size[at] = lane.itemsize
            into.data[at] = <const void*> (address + <uintptr_t> (start * lane.itemsize))
    return 0


cdef inline void widen(
    const narrow_t* lane, Py_ssize_t n, int64_t* out, Py_ssize_t width
) noexcept nogil:
    cdef Py_ssize_t row
    for row in range(n):
        out[row * width] = lane[row]


cdef inline void compare(
    const narrow_t* lane, Py_ssize_t n, const int64_t* table, Py_ssize_t width, uint8_t* marks
) noexcept nogil:
    cdef Py_ssize_t row
    for row in range(n):
        marks[row] |= table[row * width] != lane[row]


cdef void fill(const Lanes* lanes, Py_ssize_t n, int64_t* out) noexcept nogil:
    cdef Py_ssize_t first, count, at, row, width = lanes.count
    cdef int64_t* to
    for first in range(0, n, 128):  # PIECE, as a step must be a literal
        count = PIECE if n - first > PIECE else n - first
        for at in range(width):
            to = out + first * width + at
            if lanes.size[at] == 1:
                widen(<const int8_t*> lanes.data[at] + first, count, to, width)
            elif lanes.size[at] == 2:
                widen(<const int16_t*> lanes.data[at] + first, count, to, width)
            elif lanes.size[at] == 4:
                widen(<const int32_t*> lanes.data[at] + first, count, to, width)
            elif lanes.size[at] == 8:
                widen(<const int64_t*> lanes.data[at] + first, count, to, width)
            else:
                for row in range(count):
                    to[row * width] = lanes.constant[at]


cdef Py_ssize_t mark(const Lanes* lanes, Py_ssize_t n, const int64_t* table, uint8_t* marks) noexcept nogil:
    cdef Py_ssize_t first, count, at, row, width = lanes.count, marked = 0
    cdef const int64_t* of
    for first in range(0, n, 128):  # PIECE, as a step must be a literal
        count = PIECE if n - first > PIECE else n - first
        for at in range(width):
            of = table + first * width + at
            if lanes.size[at] == 1:
                compare(<const int8_t*> lanes.data[at] + first, count, of, width, marks + first)
            elif lanes.size[at] == 2:
                compare(<const int16_t*> lanes.data[at] + first, count, of, width, marks + first)
            elif lanes.size[at] == 4:
                compare(<const int32_t*> lanes.data[at] + first, count, of, width, marks + first)
            elif lanes.size[at] == 8:
                compare(<const int64_t*> lanes.data[at] + first, count, of, width, marks + first)
            else:
                for row in range(count):
                    marks[first + row] |= of[row * width] != lanes.constant[at]
    for row in range(n):
        marked += marks[row] != 0
    return marked


def rows(lanes, Py_ssize_t start, Py_ssize_t stop, out):
    """Fills ``out`` with rows of the lanes; see the reference."""
    check_lanes(lanes, start, stop, out)
    cdef Lanes held
    cdef int64_t[::1] flat = out.reshape(-1)
    if stop == start or len(lanes) == 0:
        return
    take(lanes, start, &held)
    with nogil:
        fill(&held, stop - start, &flat[0])


def differing(lanes, Py_ssize_t start, Py_ssize_t stop, table, marks):
    """Marks rows of ``table`` that are not what the lanes hold; see the reference."""
    check_lanes(lanes, start, stop, table)
    check_marks(marks, start, stop)
    cdef Lanes held
    cdef const int64_t[::1] flat = table.reshape(-1)
    cdef uint8_t[::1] marked = marks
    cdef Py_ssize_t found
    if stop == start or len(lanes) == 0:
        return int(np.count_nonzero(marks))
    take(lanes, start, &held)
    with nogil:
        found = mark(&held, stop - start, &flat[0], &marked[0])
    return found
