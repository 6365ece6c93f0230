"""Compiles the rows that stores take in: see core_ext/reference/records.py, its specification."""

from cpython.bytes cimport PyBytes_AS_STRING, PyBytes_FromStringAndSize
from cpython.bytearray cimport PyByteArray_FromStringAndSize
from cpython.ref cimport Py_INCREF
from cpython.tuple cimport PyTuple_New, PyTuple_SET_ITEM
from cpython.unicode cimport PyUnicode_DecodeUTF8
from libc.stdint cimport int64_t, uint8_t, uint64_t
from libc.string cimport memcpy

from core_ext.msgpack cimport address, store_be64

from core_ext.codec_fields import joined, texts_checked
from core_ext.reference.records import check_rows


def cut(encoded):
    """Returns the states as bytes objects; see the reference."""
    cdef int64_t n = texts_checked("states", encoded.offsets, encoded.data), i
    cdef const int64_t[::1] at = encoded.offsets
    cdef const char* data = <const char*>address(encoded.data)
    return [PyBytes_FromStringAndSize(data + at[i], at[i + 1] - at[i]) for i in range(n)]


def rows(streams, versions, topics, names, states, int64_t first_id):
    """Returns (id, stream, version, topic, state) a state; see the reference."""
    cdef int64_t n = check_rows(streams, versions, topics, names, states), i
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
    cdef int64_t n = check_rows(streams, versions, topics, names, states), i, k, count
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


cdef inline uint8_t* put_copy(uint8_t* p, const uint8_t* source, int64_t n) noexcept nogil:
    store_be64(p, (<uint64_t>n) << 32)
    memcpy(p + 4, source, n)
    return p + 4 + n


cdef inline uint8_t* put_copy_int(uint8_t* p, int64_t value) noexcept nogil:
    store_be64(p, (<uint64_t>8) << 32)
    store_be64(p + 4, <uint64_t>value)
    return p + 12


def pack_copy(streams, versions, topics, names, states, int64_t first_id):
    """Returns the rows as PostgreSQL binary COPY tuples; see the reference."""
    cdef int64_t n = check_rows(streams, versions, topics, names, states), i, total, t
    name_offsets, name_data, _ = joined([name.encode() for name in names])
    cdef const int64_t[::1] ids = streams.offsets, at = states.offsets, version = versions, topic = topics
    cdef const int64_t[::1] name_at = name_offsets
    cdef const uint8_t* texts = <const uint8_t*>address(streams.data)
    cdef const uint8_t* data = <const uint8_t*>address(states.data)
    cdef const uint8_t* named = <const uint8_t*>address(name_data)
    total = (ids[n] - ids[0]) + (at[n] - at[0]) + 38 * n
    for i in range(n):
        total += name_at[topic[i] + 1] - name_at[topic[i]]
    packed = PyBytes_FromStringAndSize(NULL, total)
    cdef uint8_t* p = <uint8_t*>PyBytes_AS_STRING(packed)
    with nogil:
        for i in range(n):
            p[0], p[1] = 0, 5
            p = put_copy(p + 2, texts + ids[i], ids[i + 1] - ids[i])
            p = put_copy_int(p, version[i])
            t = topic[i]
            p = put_copy(p, named + name_at[t], name_at[t + 1] - name_at[t])
            p = put_copy(p, data + at[i], at[i + 1] - at[i])
            p = put_copy_int(p, first_id + i)
    return packed
