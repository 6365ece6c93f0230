# What other kernels see of this one: plans packed, see ``packed``.

from libc.stdint cimport uint8_t, uint32_t


cdef class Packed:
    # ``at``: where in ``terms`` each plan begins, in cache lines from 1; 0: not packed.
    # ``basic_at``: the same, but 0 also where a plan says more than the basic formula knows.
    cdef uint32_t[::1] at
    cdef uint32_t[::1] basic_at
    # ``abreast``: what ``_basic`` makes of them, once it was asked to.
    cdef uint8_t[::1] memory
    cdef uint8_t[::1] abreast
    cdef const char* terms
    cdef Py_ssize_t rows, unsound
