"""Hashes the leaves and nodes of the log's tree; the specification is core_ext.reference.tree."""

from cpython.bytes cimport PyBytes_AsStringAndSize, PyBytes_AS_STRING, PyBytes_FromStringAndSize
from libc.stdint cimport int64_t, uint8_t
from libc.stdlib cimport free, malloc
from libc.string cimport memcpy

from core_ext.msgpack cimport address

from core_ext.codec_fields import joined
from core_ext.reference.records import check_rows


cdef extern from "Python.h":
    const char* PyUnicode_AsUTF8AndSize(object text, Py_ssize_t* size) except NULL


cdef extern from "sha256.h":
    ctypedef void* sha256_blocks_t
    sha256_blocks_t sha256_chosen(int portable)
    size_t sha256_padded(size_t length) noexcept nogil
    void sha256_digest(sha256_blocks_t run, uint8_t* buffer, size_t length, uint8_t* out) noexcept nogil


cdef sha256_blocks_t chosen = sha256_chosen(False)

cdef enum:
    HASH = 32
    HEAD = 17
    LONGEST_NAME = 65535


cdef struct Event:
    int64_t position
    int64_t version
    const char* topic
    const char* stream
    const char* state
    Py_ssize_t topic_size
    Py_ssize_t stream_size
    Py_ssize_t state_size


def use_portable(bint portable):
    """Chooses the portable rounds, or again the fastest the processor has; for tests of both."""
    global chosen
    chosen = sha256_chosen(portable)


cdef inline uint8_t* put_be(uint8_t* out, int64_t value, int size) noexcept nogil:
    cdef int at
    for at in range(size):
        out[at] = <uint8_t> (value >> (8 * (size - 1 - at)) & 0xFF)
    return out + size


cdef inline uint8_t* put(uint8_t* out, const char* text, Py_ssize_t size) noexcept nogil:
    memcpy(out, text, size)
    return out + size


cdef int read_event(Event* event, object position, object topic, object state, object stream, object version) except -1:
    """Points an event at its parts, which the caller keeps alive."""
    cdef char* raw
    event.position = position
    event.version = version
    event.topic = PyUnicode_AsUTF8AndSize(topic, &event.topic_size)
    event.stream = PyUnicode_AsUTF8AndSize(stream, &event.stream_size)
    PyBytes_AsStringAndSize(state, &raw, &event.state_size)
    event.state = raw
    return 0


cdef int check_event(const Event* event) except -1:
    cdef Py_ssize_t size = max(event.topic_size, event.stream_size)
    if event.position < 0 or event.version < 0:
        raise OverflowError(
            f"expected a position and a version of 63 bits, got {event.position} and {event.version}"
        )
    if size > LONGEST_NAME:
        raise ValueError(f"expected a topic or stream of at most {LONGEST_NAME} bytes, got {size}")
    return 0


cdef bytes hashed(const Event* events, Py_ssize_t n):
    """Returns the leaves of events."""
    cdef Py_ssize_t k, longest = 0
    cdef const Event* event
    cdef uint8_t* end
    for k in range(n):
        check_event(events + k)
        longest = max(longest, HEAD + 4 + events[k].topic_size + events[k].stream_size + events[k].state_size)
    cdef bytes out = PyBytes_FromStringAndSize(NULL, n * HASH)
    cdef uint8_t* leaves = <uint8_t*> PyBytes_AS_STRING(out)
    cdef uint8_t* buffer = <uint8_t*> malloc(64 * sha256_padded(longest))
    if buffer == NULL:
        raise MemoryError()
    with nogil:
        for k in range(n):
            event = events + k
            buffer[0] = 0
            end = put_be(put_be(buffer + 1, event.position, 8), event.version, 8)
            end = put(put_be(end, event.topic_size, 2), event.topic, event.topic_size)
            end = put(put_be(end, event.stream_size, 2), event.stream, event.stream_size)
            end = put(end, event.state, event.state_size)
            sha256_digest(chosen, buffer, end - buffer, leaves + k * HASH)
    free(buffer)
    return out


def leaf_hashes(positions, topics, states, streams, versions):
    """Returns the leaves of events given as columns; see the reference."""
    # The lists keep every string alive while the lock is released, and none of them is mutable.
    cdef list at_positions = list(positions), at_topics = list(topics), at_states = list(states)
    cdef list at_streams = list(streams), at_versions = list(versions)
    cdef Py_ssize_t n = len(at_positions), k
    if not (len(at_topics) == len(at_states) == len(at_streams) == len(at_versions) == n):
        raise ValueError("expected columns of one length")
    cdef Event* events = <Event*> malloc((n + 1) * sizeof(Event))
    if events == NULL:
        raise MemoryError()
    try:
        for k in range(n):
            read_event(events + k, at_positions[k], at_topics[k], at_states[k], at_streams[k], at_versions[k])
        return hashed(events, n)
    finally:
        free(events)


def leaf_columns(streams, versions, topics, names, states, int64_t first):
    """Returns the leaves of a block of events on their way into the log; see the reference."""
    cdef Py_ssize_t n = check_rows(streams, versions, topics, names, states), k
    name_offsets, name_data, _ = joined([name.encode() for name in names])
    cdef const int64_t* named = <const int64_t*> <size_t> address(name_offsets)
    cdef const int64_t* ids = <const int64_t*> <size_t> address(streams.offsets)
    cdef const int64_t* at = <const int64_t*> <size_t> address(states.offsets)
    cdef const int64_t* version = <const int64_t*> <size_t> address(versions)
    cdef const int64_t* topic = <const int64_t*> <size_t> address(topics)
    cdef const char* name_text = <const char*> <size_t> address(name_data)
    cdef const char* text = <const char*> <size_t> address(streams.data)
    cdef const char* data = <const char*> <size_t> address(states.data)
    cdef Event* events = <Event*> malloc((n + 1) * sizeof(Event))
    if events == NULL:
        raise MemoryError()
    try:
        with nogil:
            for k in range(n):
                events[k].position = first + k
                events[k].version = version[k]
                events[k].topic = name_text + named[topic[k]]
                events[k].topic_size = named[topic[k] + 1] - named[topic[k]]
                events[k].stream = text + ids[k]
                events[k].stream_size = ids[k + 1] - ids[k]
                events[k].state = data + at[k]
                events[k].state_size = at[k + 1] - at[k]
        return hashed(events, n)
    finally:
        free(events)


def root_of(bytes hashes not None):
    cdef Py_ssize_t count = len(hashes) // HASH, k
    if count == 0 or len(hashes) % HASH:
        raise ValueError(f"expected one hash of {HASH} bytes or more, got {len(hashes)} bytes")
    cdef uint8_t* level = <uint8_t*> malloc(count * HASH)
    cdef uint8_t node[128]
    if level == NULL:
        raise MemoryError()
    memcpy(level, PyBytes_AS_STRING(hashes), count * HASH)
    with nogil:
        while count > 1:
            for k in range(count // 2):
                node[0] = 1
                memcpy(node + 1, level + 2 * k * HASH, 2 * HASH)
                sha256_digest(chosen, node, 1 + 2 * HASH, level + k * HASH)
            # An odd one out goes up as it is: MTH splits at the largest power of two.
            if count & 1:
                memcpy(level + (count // 2) * HASH, level + (count - 1) * HASH, HASH)
            count = (count + 1) // 2
    try:
        return PyBytes_FromStringAndSize(<char*> level, HASH)
    finally:
        free(level)
