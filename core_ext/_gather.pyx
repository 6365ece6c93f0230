"""Gathers texts out of several columns into one buffer; the specification is core_ext.reference.gather."""

import numpy as np

from core_ext.codec_fields import texts_checked
from core_ext.reference import gather as reference
from core_ext.text import Texts

from cpython.unicode cimport PyUnicode_DecodeUTF8
from libc.stdint cimport int64_t, uint8_t
from libc.stdlib cimport free, malloc
from libc.string cimport memcpy


def gather(parts, const int64_t[::1] part, const int64_t[::1] index):
    cdef Py_ssize_t n = part.shape[0], k, failed = -1
    cdef Py_ssize_t count = len(parts)
    if index.shape[0] != n:
        raise ValueError(f"expected as many parts as indexes, got {n} and {index.shape[0]}")
    cdef const int64_t[::1] offsets
    cdef const uint8_t[::1] data
    cdef const int64_t** starts = <const int64_t**> malloc((count + 1) * sizeof(int64_t*))
    cdef const uint8_t** bodies = <const uint8_t**> malloc((count + 1) * sizeof(uint8_t*))
    cdef int64_t* sizes = <int64_t*> malloc((count + 1) * sizeof(int64_t))
    cdef int64_t total = 0, at, which, length
    cdef int64_t[::1] ends
    cdef uint8_t[::1] body
    kept = []
    if starts == NULL or bodies == NULL or sizes == NULL:
        free(starts)
        free(bodies)
        free(sizes)
        raise MemoryError()
    try:
        for k in range(count):
            sizes[k] = texts_checked(f"part {k}", *parts[k])
            offsets, data = parts[k]
            kept.append((offsets, data))
            starts[k] = &offsets[0]
            bodies[k] = &data[0] if data.shape[0] else NULL
        out_offsets = np.empty(n + 1, np.int64)
        ends = out_offsets
        ends[0] = 0
        with nogil:
            for k in range(n):
                which, at = part[k], index[k]
                if which < 0 or which >= count or at < 0 or at >= sizes[which]:
                    failed = k
                    break
                total += starts[which][at + 1] - starts[which][at]
                ends[k + 1] = total
        if failed >= 0:
            raise ValueError(
                f"item {failed}: expected a text of one of {count} parts, got text {index[failed]} of part {part[failed]}"
            )
        out = np.empty(total, np.uint8)
        body = out
        if total:
            with nogil:
                for k in range(n):
                    which, at = part[k], index[k]
                    length = ends[k + 1] - ends[k]
                    if length:
                        memcpy(&body[ends[k]], bodies[which] + starts[which][at], length)
        return Texts(out_offsets, out)
    finally:
        free(starts)
        free(bodies)
        free(sizes)


def to_list(texts):
    cdef Py_ssize_t n = texts_checked("texts", *texts), k
    cdef const int64_t[::1] offsets = texts[0]
    cdef const uint8_t[::1] data = texts[1]
    cdef const char* body = NULL
    if data.shape[0]:
        body = <const char*> &data[0]
    found = [None] * n
    for k in range(n):
        found[k] = PyUnicode_DecodeUTF8(body + offsets[k], offsets[k + 1] - offsets[k], NULL)
    return found


def labelled(bytes label, const int64_t[::1] numbers, int width, texts):
    """Returns texts with a label and a number in front; see the reference."""
    cdef Py_ssize_t n = texts_checked("texts", *texts), k
    cdef const int64_t[::1] offsets = texts[0]
    cdef const uint8_t[::1] data = texts[1]
    cdef Py_ssize_t lead = len(label)
    cdef const char* head = label
    cdef int64_t total = 0, length, number
    cdef int digits, at
    if numbers.shape[0] != n:
        raise ValueError(f"expected as many numbers as texts, got {numbers.shape[0]} and {n}")
    if not 0 <= width <= 18:
        raise ValueError(f"expected a width from 0 to 18, got {width}")
    out_offsets = np.empty(n + 1, np.int64)
    cdef int64_t[::1] ends = out_offsets
    ends[0] = 0
    for k in range(n):
        if numbers[k] < 0:
            raise ValueError(f"expected numbers from 0, got {numbers[k]}")
        total += lead + digits_of(numbers[k], width) + 1 + offsets[k + 1] - offsets[k]
        ends[k + 1] = total
    out = np.empty(total, np.uint8)
    cdef uint8_t[::1] body = out
    cdef uint8_t* p
    if total == 0:
        return Texts(out_offsets, out)
    with nogil:
        for k in range(n):
            p = &body[ends[k]]
            if lead:
                memcpy(p, head, lead)
                p += lead
            number = numbers[k]
            digits = digits_of(number, width)
            for at in range(digits - 1, -1, -1):
                p[at] = <uint8_t> (48 + number % 10)
                number = number // 10
            p[digits] = 45
            length = offsets[k + 1] - offsets[k]
            if length:
                memcpy(p + digits + 1, &data[offsets[k]], length)
    return Texts(out_offsets, out)


cdef inline int digits_of(int64_t number, int width) noexcept nogil:
    cdef int digits = 1
    while number >= 10:
        number = number // 10
        digits += 1
    return digits if digits > width else width


def middle_first(texts, Py_ssize_t size, Py_ssize_t start, Py_ssize_t stop):
    """Returns texts of one size with their middle in front; see the reference."""
    cdef Py_ssize_t n = texts_checked("texts", *texts), k
    if not 0 <= start <= stop <= size:
        raise ValueError(f"expected 0 <= start <= stop <= size, got {start}, {stop}, {size}")
    cdef const int64_t[::1] offsets = texts[0]
    cdef const uint8_t[::1] data = texts[1]
    cdef int64_t total = offsets[n] - offsets[0]
    cdef const uint8_t* source
    cdef uint8_t* p
    cdef int64_t length, at
    out_offsets = np.asarray(offsets) - offsets[0]
    out = np.empty(total, np.uint8)
    cdef uint8_t[::1] body = out
    cdef Py_ssize_t wide = -1
    if total:
        with nogil:
            for k in range(n):
                length = offsets[k + 1] - offsets[k]
                if length == 0:
                    continue
                source = &data[offsets[k]]
                p = &body[offsets[k] - offsets[0]]
                for at in range(length):
                    if source[at] >= 128:
                        wide = k
                        break
                if wide >= 0:
                    break
                if length != size:
                    memcpy(p, source, length)
                    continue
                memcpy(p, source + start, stop - start)
                memcpy(p + stop - start, source, start)
                memcpy(p + stop, source + stop, size - stop)
    if wide >= 0:
        # Characters of several bytes are rare in ids: the specification knows how to cut them.
        return reference.middle_first(texts, size, start, stop)
    return Texts(out_offsets, out)
