"""Compiles the rows that stores take in: see core_ext/reference/records.py, its specification."""

from cpython.bytes cimport PyBytes_AS_STRING, PyBytes_FromStringAndSize
from cpython.bytearray cimport PyByteArray_FromStringAndSize
from cpython.ref cimport Py_INCREF
from cpython.tuple cimport PyTuple_New, PyTuple_SET_ITEM
from cpython.unicode cimport PyUnicode_DecodeUTF8
from libc.stdint cimport int64_t, uint8_t, uint64_t
from libc.string cimport memchr, memcmp, memcpy

from core_ext.msgpack cimport address, store_be64

import numpy as np

from core_ext.codec_fields import joined, texts_checked
from core_ext.reference.records import DIGITS as MOST_DIGITS, bad_integer, check_rows

cdef enum:
    INT8 = 20, TEXT = 25, BYTEA = 17  # as PostgreSQL numbers types
    SLACK = 16  # bytes that storing words may write behind the last one
    DIGITS = 18  # which always fit into 64 bits

if DIGITS != MOST_DIGITS:
    raise ImportError("core_ext._records and core_ext.reference.records take integers of different lengths")


cdef bint rises(const int64_t* offsets, int64_t n, int64_t size) noexcept nogil:
    """Tells whether n + 1 offsets rise within so many bytes."""
    cdef int64_t i
    cdef bint whole = offsets[0] >= 0 and offsets[n] <= size
    for i in range(n):
        whole &= offsets[i] <= offsets[i + 1]
    return whole


cdef int64_t rows_checked(streams, versions, topics, names, states) except -1:
    """Returns how many rows there are; what ``check_rows`` would refuse, that refuses."""
    cdef const int64_t[::1] ids, at, version, topic
    cdef int64_t n, i, known = len(names)
    cdef bint whole = True
    for column in (streams.offsets, states.offsets, versions, topics):
        whole &= type(column) is np.ndarray and column.dtype == np.int64 and column.ndim == 1 and column.flags.c_contiguous
    for column in (streams.data, states.data):
        whole &= type(column) is np.ndarray and column.dtype == np.uint8 and column.ndim == 1 and column.flags.c_contiguous
    if not whole:
        return check_rows(streams, versions, topics, names, states)
    ids, at, version, topic = streams.offsets, states.offsets, versions, topics
    n = at.shape[0] - 1
    if n < 0 or ids.shape[0] != n + 1 or version.shape[0] != n or topic.shape[0] != n:
        return check_rows(streams, versions, topics, names, states)
    whole = rises(&ids[0], n, len(streams.data)) and rises(&at[0], n, len(states.data))
    for i in range(n):
        whole &= 0 <= topic[i] < known
    return n if whole else check_rows(streams, versions, topics, names, states)


cdef extern from "Python.h":
    const char* PyUnicode_AsUTF8AndSize(object text, Py_ssize_t* size) except NULL


def cut(encoded):
    """Returns the states as bytes objects; see the reference."""
    cdef int64_t n = texts_checked("states", encoded.offsets, encoded.data), i
    cdef const int64_t[::1] at = encoded.offsets
    cdef const char* data = <const char*>address(encoded.data)
    return [PyBytes_FromStringAndSize(data + at[i], at[i + 1] - at[i]) for i in range(n)]


def rows(streams, versions, topics, names, states, int64_t first_id):
    """Returns (id, stream, version, topic, state) a state; see the reference."""
    cdef int64_t n = rows_checked(streams, versions, topics, names, states), i
    cdef const int64_t[::1] ids = streams.offsets, at = states.offsets, version = versions, topic = topics
    cdef const char* texts = <const char*>address(streams.data)
    cdef const char* data = <const char*>address(states.data)
    cdef tuple named = tuple(names)
    cdef list out = []
    for i in range(n):
        out.append((
            first_id + i,
            PyUnicode_DecodeUTF8(texts + ids[i], ids[i + 1] - ids[i], NULL),
            version[i],
            named[topic[i]],
            PyBytes_FromStringAndSize(data + at[i], at[i + 1] - at[i]),
        ))
    return out


def grouped(streams, versions, topics, names, states, int64_t first_id, int64_t per):
    """Yields the rows' cells, ``per`` rows a tuple; see the reference."""
    if per < 1:
        raise ValueError(f"expected at least 1 row a tuple, got {per}")
    cdef int64_t n = rows_checked(streams, versions, topics, names, states), i, k, count
    cdef const int64_t[::1] ids = streams.offsets, at = states.offsets, version = versions, topic = topics
    cdef const char* texts = <const char*>address(streams.data)
    cdef const char* data = <const char*>address(states.data)
    cdef list named = list(names)
    for i in range(0, n, per):
        count = per if per < n - i else n - i
        yield group_of(texts, data, ids, at, version, topic, named, first_id, i, count)


cdef tuple group_of(
    const char* texts, const char* data, const int64_t[::1] ids, const int64_t[::1] at,
    const int64_t[::1] version, const int64_t[::1] topic, list named, int64_t first_id, int64_t i, int64_t count,
):
    cdef tuple cells = PyTuple_New(5 * count)
    cdef int64_t k
    cdef object cell
    for k in range(count):
        cell = first_id + i + k
        put_cell(cells, 5 * k, cell)
        cell = PyUnicode_DecodeUTF8(texts + ids[i + k], ids[i + k + 1] - ids[i + k], NULL)
        put_cell(cells, 5 * k + 1, cell)
        cell = version[i + k]
        put_cell(cells, 5 * k + 2, cell)
        put_cell(cells, 5 * k + 3, named[topic[i + k]])
        cell = PyByteArray_FromStringAndSize(data + at[i + k], at[i + k + 1] - at[i + k])
        put_cell(cells, 5 * k + 4, cell)
    return cells


cdef inline void put_cell(tuple cells, int64_t at, object cell):
    Py_INCREF(cell)
    PyTuple_SET_ITEM(cells, at, cell)


def integers(bytes text not None):
    """Returns whole numbers that commas stand between; see the reference."""
    cdef const uint8_t* p = <const uint8_t*>PyBytes_AS_STRING(text)
    cdef const uint8_t* end = p + len(text)
    cdef const uint8_t* start = p
    cdef int64_t n = 0, value = 0
    if p == end:
        return np.empty(0, dtype=np.int64)
    numbers = np.empty(text.count(b",") + 1, dtype=np.int64)
    cdef int64_t[::1] found = numbers
    with nogil:
        while True:
            # Behind the end of a bytes object stands a NUL.
            if 48 <= p[0] <= 57 and p - start < DIGITS:
                value = 10 * value + (p[0] - 48)
                p += 1
                continue
            if p == start or (p < end and p[0] != 44):
                break
            found[n] = value
            n += 1
            if p == end:
                break
            p += 1
            start, value = p, 0
    if n < found.shape[0]:
        raise bad_integer(text, n)
    return numbers


def named(bytes text not None, list names not None):
    """Returns the number of each line of a text, and appends those that are new to names; see the reference."""
    cdef const char* p = PyBytes_AS_STRING(text)
    cdef const char* end = p + len(text)
    cdef const char* stop
    cdef int64_t n = text.count(b"\n") + 1, i, number = -1, guess
    cdef Py_ssize_t size
    cdef dict known = {name.encode(): at for at, name in enumerate(names)}
    # What followed a line the last time mostly follows it again: a claim's events come in turn.
    cdef list raws = list(known), after = [-1] * (len(known) + 1)
    cdef bytes raw
    numbers = np.empty(n, dtype=np.int64)
    cdef int64_t[::1] found = numbers
    for i in range(n):
        guess = after[number + 1]
        if guess >= 0:
            raw = <bytes>raws[guess]
            size = len(raw)
            if end - p >= size and memcmp(p, PyBytes_AS_STRING(raw), size) == 0 and (p + size == end or p[size] == 10):
                number = found[i] = guess
                p += size + 1
                continue
        stop = <const char*>memchr(p, 10, end - p)
        raw = PyBytes_FromStringAndSize(p, (end if stop == NULL else stop) - p)
        guess = known.setdefault(raw, len(known))
        if guess == len(raws):
            names.append(raw.decode())
            raws.append(raw)
            after.append(-1)
        after[number + 1] = guess
        number = found[i] = guess
        p += len(raw) + 1
    return numbers


cdef inline uint8_t* put_copy(uint8_t* p, const uint8_t* source, int64_t n) noexcept nogil:
    store_be64(p, (<uint64_t>n) << 32)
    memcpy(p + 4, source, n)
    return p + 4 + n


cdef inline uint8_t* put_copy_int(uint8_t* p, int64_t value) noexcept nogil:
    store_be64(p, (<uint64_t>8) << 32)
    store_be64(p + 4, <uint64_t>value)
    return p + 12


cdef bytes copy_tuples(
    const int64_t[::1] ids, const uint8_t* texts, const int64_t[::1] version, const int64_t[::1] topic,
    const int64_t[::1] name_at, const uint8_t* named, const int64_t[::1] at, const uint8_t* data,
    int64_t first_id, int64_t begin, int64_t stop, bytes head, bytes tail,
):
    """Returns rows ``begin`` to ``stop`` as binary COPY tuples between ``head`` and ``tail``."""
    cdef int64_t i, t, before = len(head), behind = len(tail)
    cdef int64_t total = before + behind + (ids[stop] - ids[begin]) + (at[stop] - at[begin]) + 38 * (stop - begin)
    for i in range(begin, stop):
        total += name_at[topic[i] + 1] - name_at[topic[i]]
    cdef bytes packed = PyBytes_FromStringAndSize(NULL, total)
    cdef uint8_t* p = <uint8_t*>PyBytes_AS_STRING(packed)
    memcpy(p, PyBytes_AS_STRING(head), before)
    p += before
    with nogil:
        for i in range(begin, stop):
            p[0], p[1] = 0, 5
            p = put_copy(p + 2, texts + ids[i], ids[i + 1] - ids[i])
            p = put_copy_int(p, version[i])
            t = topic[i]
            p = put_copy(p, named + name_at[t], name_at[t + 1] - name_at[t])
            p = put_copy(p, data + at[i], at[i + 1] - at[i])
            p = put_copy_int(p, first_id + i)
    memcpy(p, PyBytes_AS_STRING(tail), behind)
    return packed


def copy_pieces(
    streams, versions, topics, names, states, int64_t first_id, int64_t per, bytes head not None, bytes tail not None
):
    """Yields the rows as PostgreSQL binary COPY tuples, ``per`` rows a piece; see the reference."""
    cdef int64_t n = rows_checked(streams, versions, topics, names, states), begin, stop
    if per < 1:
        raise ValueError(f"expected at least 1 row a piece, got {per}")
    name_offsets, name_data, _ = joined([name.encode() for name in names])
    cdef const int64_t[::1] ids = streams.offsets, at = states.offsets, version = versions, topic = topics
    cdef const int64_t[::1] name_at = name_offsets
    cdef const uint8_t* texts = <const uint8_t*>address(streams.data)
    cdef const uint8_t* data = <const uint8_t*>address(states.data)
    cdef const uint8_t* named = <const uint8_t*>address(name_data)
    for begin in range(0, max(n, 1), per):
        stop = min(begin + per, n)
        yield copy_tuples(
            ids, texts, version, topic, name_at, named, at, data, first_id, begin, stop,
            head if begin == 0 else b"", tail if stop == n else b"",
        )


cdef inline uint8_t* put_head(uint8_t* p, int64_t count, int64_t item) noexcept nogil:
    """Writes the head of a PostgreSQL array of one dimension, from 1 up; of none where it is empty."""
    store_be64(p, (<uint64_t>(1 if count else 0)) << 32)
    store_be64(p + 8, <uint64_t>item << 32 | <uint64_t>count)
    store_be64(p + 16, <uint64_t>1 << 32)
    return p + (20 if count else 12)


cdef bytes int_array(const int64_t* values, int64_t first, int64_t n):
    """Returns values, or numbers from ``first`` where there are none, as a bigint[]."""
    cdef bytes packed = PyBytes_FromStringAndSize(NULL, (20 if n else 12) + 12 * n + SLACK)
    cdef uint8_t* p = put_head(<uint8_t*>PyBytes_AS_STRING(packed), n, INT8)
    cdef int64_t i
    for i in range(n):
        p = put_copy_int(p, values[i] if values != NULL else first + i)
    return packed[: len(packed) - SLACK]


cdef bytes text_array(const uint8_t* data, const int64_t* offsets, const int64_t* chosen, int64_t n, int64_t item):
    """Returns texts, those that ``chosen`` names where it is there, as an array of ``item``."""
    cdef int64_t i, t, total = (20 if n else 12) + 4 * n
    for i in range(n):
        t = chosen[i] if chosen != NULL else i
        total += offsets[t + 1] - offsets[t]
    cdef bytes packed = PyBytes_FromStringAndSize(NULL, total + SLACK)
    cdef uint8_t* p = put_head(<uint8_t*>PyBytes_AS_STRING(packed), n, item)
    for i in range(n):
        t = chosen[i] if chosen != NULL else i
        p = put_copy(p, data + offsets[t], offsets[t + 1] - offsets[t])
    return packed[:total]


def pack_arrays(streams, versions, topics, names, states, int64_t first_id):
    """Returns the rows as PostgreSQL binary arrays, a column each; see the reference."""
    cdef int64_t n = rows_checked(streams, versions, topics, names, states)
    name_offsets, name_data, _ = joined([name.encode() for name in names])
    cdef const int64_t* ids = <const int64_t*>address(streams.offsets)
    cdef const int64_t* at = <const int64_t*>address(states.offsets)
    cdef const int64_t* version = <const int64_t*>address(versions)
    cdef const int64_t* topic = <const int64_t*>address(topics)
    cdef const int64_t* name_at = <const int64_t*>address(name_offsets)
    return (
        int_array(NULL, first_id, n),
        text_array(<const uint8_t*>address(streams.data), ids, NULL, n, TEXT),
        int_array(version, 0, n),
        text_array(<const uint8_t*>address(name_data), name_at, topic, n, TEXT),
        text_array(<const uint8_t*>address(states.data), at, NULL, n, BYTEA),
    )


def pack_texts(values):
    """Returns texts as a PostgreSQL binary text[]; see the reference."""
    cdef list held = list(values)
    cdef int64_t n = len(held), i, total = 20 if n else 12
    cdef Py_ssize_t size = 0
    for i in range(n):
        PyUnicode_AsUTF8AndSize(held[i], &size)
        total += 4 + size
    cdef bytes packed = PyBytes_FromStringAndSize(NULL, total + SLACK)
    cdef uint8_t* p = put_head(<uint8_t*>PyBytes_AS_STRING(packed), n, TEXT)
    cdef const char* text
    for i in range(n):
        text = PyUnicode_AsUTF8AndSize(held[i], &size)
        p = put_copy(p, <const uint8_t*>text, size)
    return packed[:total]
