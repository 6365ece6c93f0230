# What other kernels see of this one: plans packed, see ``packed``.

from libc.stdint cimport uint8_t, uint32_t

from core_ext.abreast cimport abreast_more, abreast_terms


cdef class Packed:
    # ``at``: where in ``terms`` each plan begins, in cache lines from 1; 0: not packed.
    # ``basic_at``: the same, but 0 also where a plan says more than the basic formula knows.
    cdef uint32_t[::1] at
    cdef uint32_t[::1] basic_at
    # ``abreast``, ``more``: what they say to persons settled abreast; NULL where ``packed`` did not make them.
    cdef uint8_t[::1] memory, memory_abreast
    cdef abreast_terms* abreast
    cdef abreast_more* more
    cdef const char* terms
    cdef Py_ssize_t rows, unsound
