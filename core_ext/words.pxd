"""Looks at text eight bytes at a time (``words.h``)."""

from libc.stdint cimport uint8_t, uint64_t

cdef extern from "words.h":
    int first_hit(uint64_t hits) noexcept nogil
    uint64_t word_at(const uint8_t* text) noexcept nogil
    uint64_t high(uint64_t word) noexcept nogil
    uint64_t below(uint64_t word, uint8_t n) noexcept nogil
    uint64_t equal(uint64_t word, uint8_t byte) noexcept nogil
