"""Gives columns their memory, and keeps for the next what they give back: see core_ext/reference/columns.py."""

from cpython.buffer cimport PyBuffer_FillInfo
from libc.stdint cimport int64_t
from libc.stdlib cimport free, malloc

import numpy as np

from core_ext.reference.columns import MOST_CELLS, no_count

cdef enum:
    LEAST = 1 << 16  # bytes: of smaller ones an allocator keeps its own
    MOST = 1 << 27  # bytes that may be kept for columns to come
    STEPS = 8  # sizes between one power of two and the next

cdef int64_t BEYOND = MOST_CELLS
cdef dict kept = {}
cdef int64_t kept_bytes = 0


cdef int64_t rounded(int64_t size) noexcept:
    """Returns the size of the block for so many bytes: few sizes, so that one block serves for another."""
    cdef int64_t step = LEAST // STEPS
    while step * 2 * STEPS < size:
        step *= 2
    return (size + step - 1) // step * step


cdef void* taken(int64_t size) except NULL:
    global kept_bytes
    cdef list there = kept.get(size)
    cdef void* first
    if there:
        kept_bytes -= size
        return <void*><int64_t>there.pop()
    first = malloc(size)
    if first == NULL:
        raise MemoryError(f"{size} bytes for a column")
    return first


cdef int given_back(void* first, int64_t size) except -1:
    global kept_bytes
    if kept_bytes + size > MOST:
        forget()
    if size > MOST:
        free(first)
        return 0
    kept.setdefault(size, []).append(<int64_t>first)
    kept_bytes += size
    return 0


def forget():
    """Gives what is kept back to the system."""
    global kept_bytes
    for there in kept.values():
        while there:
            free(<void*><int64_t>there.pop())
    kept.clear()
    kept_bytes = 0


def kept_in_all():
    """Returns how many bytes are kept."""
    return kept_bytes


cdef class Block:
    """Is the memory of one column, kept for another once no array looks at it any more."""

    cdef void* first
    cdef int64_t size

    def __cinit__(self, int64_t size):
        self.size = rounded(size)
        self.first = taken(self.size)

    def __getbuffer__(self, Py_buffer* view, int flags):
        PyBuffer_FillInfo(view, self, self.first, self.size, 0, flags)

    def __dealloc__(self):
        if self.first != NULL:
            given_back(self.first, self.size)


def int64s(int64_t n):
    """Returns an array of so many integers, whatever they are; see the reference."""
    if n < 0 or n >= BEYOND:
        raise no_count(n)
    return np.empty(n, np.int64) if 8 * n < LEAST else np.frombuffer(Block(8 * n), np.int64, n)


def uint8s(int64_t n):
    """Returns an array of so many bytes, whatever they are; see the reference."""
    if n < 0 or n >= BEYOND:
        raise no_count(n)
    return np.empty(n, np.uint8) if n < LEAST else np.frombuffer(Block(n), np.uint8, n)
