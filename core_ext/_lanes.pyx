"""Compiles the lanes kernel: see core_ext/reference/lanes.py, its specification."""

from libc.stdint cimport int64_t, uint8_t

from core_ext.lanes cimport Lanes, compare_lane, take, widen_lane

import numpy as np

from core_ext.reference.lanes import check_lanes, check_marks

cdef enum:
    PIECE = 128  # rows at a time, so that the rows written stay in the nearest cache while every lane passes


cdef void fill(const Lanes* lanes, Py_ssize_t n, int64_t* out) noexcept nogil:
    cdef Py_ssize_t first, count, at, width = lanes.count
    for first in range(0, n, 128):  # PIECE, as a step must be a literal
        count = PIECE if n - first > PIECE else n - first
        for at in range(width):
            widen_lane(lanes, at, first, count, out + first * width + at, width)


cdef Py_ssize_t mark(const Lanes* lanes, Py_ssize_t n, const int64_t* table, uint8_t* marks) noexcept nogil:
    cdef Py_ssize_t first, count, at, row, width = lanes.count, marked = 0
    for first in range(0, n, 128):  # PIECE, as a step must be a literal
        count = PIECE if n - first > PIECE else n - first
        for at in range(width):
            compare_lane(lanes, at, first, count, table + first * width + at, width, marks + first)
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
