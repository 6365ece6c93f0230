# cython: freethreading_compatible = False
"""Gives columns their memory, and keeps for the next what they give back: see core_ext/reference/columns.py.

What is kept is guarded by nothing but the interpreter's lock.
"""

from cpython.buffer cimport PyBuffer_FillInfo
from libc.stdint cimport int64_t
from libc.stdlib cimport free, malloc

import numpy as np

from core_ext.reference.columns import MOST_CELLS, no_count

cdef enum:
    LEAST = 1 << 16  # bytes: of smaller ones an allocator keeps its own
    MOST = 1 << 27  # bytes that may be kept for columns to come
    STEPS = 8  # sizes between one power of two and the next
    SIZES = 11 * STEPS + 1  # from LEAST to MOST

# A block that no array looks at any more begins with where the next of its size is.
cdef struct Kept:
    Kept* next

cdef int64_t BEYOND = MOST_CELLS
cdef Kept* kept[SIZES]
cdef int64_t kept_bytes = 0


cpdef void forget() noexcept:
    """Gives what is kept back to the system."""
    global kept_bytes
    cdef Kept* first
    cdef int number
    for number in range(SIZES):
        while kept[number] != NULL:
            first = kept[number]
            kept[number] = first.next
            free(first)
    kept_bytes = 0


def kept_in_all():
    """Returns how many bytes are kept."""
    return kept_bytes


cdef class Block:
    """Is the memory of one column, kept for another once no array looks at it any more."""

    cdef Kept* first
    cdef int64_t size
    cdef int64_t number  # of its size: there are few, so that one block serves for another

    def __cinit__(self, int64_t size):
        global kept_bytes
        cdef int64_t step = LEAST // STEPS, steps
        size = max(size, LEAST)
        while step * 2 * STEPS < size:
            step *= 2
            self.number += STEPS
        steps = (size + step - 1) // step
        self.number += steps - STEPS
        self.size = steps * step
        if self.number < SIZES and kept[self.number] != NULL:
            self.first = kept[self.number]
            kept[self.number] = self.first.next
            kept_bytes -= self.size
            return
        self.first = <Kept*>malloc(self.size)
        if self.first == NULL:
            raise MemoryError(f"{self.size} bytes for a column")

    def __getbuffer__(self, Py_buffer* view, int flags):
        PyBuffer_FillInfo(view, self, self.first, self.size, 0, flags)

    def __dealloc__(self):
        global kept_bytes
        if self.number >= SIZES or self.first == NULL:
            free(self.first)
            return
        if kept_bytes + self.size > MOST:
            forget()
        self.first.next = kept[self.number]
        kept[self.number] = self.first
        kept_bytes += self.size


cdef object column(int64_t n, int64_t cell, kind):
    """Returns an array of n cells of so many bytes."""
    if n < 0 or n >= BEYOND:
        raise no_count(n)
    return np.empty(n, kind) if cell * n < LEAST else np.frombuffer(Block(cell * n), kind, n)


def int64s(int64_t n):
    """Returns an array of so many integers, whatever they are; see the reference."""
    return column(n, 8, np.int64)


def uint8s(int64_t n):
    """Returns an array of so many bytes, whatever they are; see the reference."""
    return column(n, 1, np.uint8)
