"""Writes and reads the msgpack values that states are made of (``msgpack.h`` has the tables)."""

from cpython.buffer cimport PyBUF_STRIDES, PyBuffer_Release, PyObject_GetBuffer
from libc.stdint cimport int8_t, int64_t, uint8_t, uint64_t
from libc.string cimport memcpy

from core_ext.utf8 cimport is_utf8

cdef extern from "msgpack.h":
    ctypedef struct int_form:
        uint8_t head
        uint8_t mask
        uint8_t size
        uint8_t shift
    ctypedef struct int_read:
        uint8_t size
        uint8_t shift
        uint8_t with_sign
        uint8_t bad
    const int_form* FORMS
    const int_read* READS
    int bits_of(uint64_t value) noexcept nogil
    uint64_t load_be64(const uint8_t* p) noexcept nogil
    int64_t load_be32(const uint8_t* p) noexcept nogil
    int64_t load_be16(const uint8_t* p) noexcept nogil
    void store_be64(uint8_t* p, uint64_t word) noexcept nogil
    int copy32(uint8_t* to, const uint8_t* source, int64_t n) noexcept nogil

cdef enum:
    # Faults, as core_ext.codec_fields numbers them.
    END = 1, TYPE, RANGE, UTF8, WIDE, COUNT, TRAILING

cdef enum:
    ABSENT_FORM = 129


cdef inline int64_t address(object array) except? -1:
    """Returns where an array's first element is; the caller keeps the array alive."""
    cdef Py_buffer view
    PyObject_GetBuffer(array, &view, PyBUF_STRIDES)
    cdef int64_t first = <int64_t>view.buf
    PyBuffer_Release(&view)
    return first


cdef inline bint copy_text(uint8_t* to, const uint8_t* source, int64_t n, int64_t readable) noexcept nogil:
    """Copies n bytes into a buffer with 32 bytes of slack; returns whether they are UTF-8."""
    if n <= 32 and readable >= 32:
        return not copy32(to, source, n) or is_utf8(source, n)
    memcpy(to, source, n)
    return is_utf8(source, n)


# Every put writes at most nine bytes beyond what it returns: buffers have slack.

cdef inline uint8_t* put_int(uint8_t* p, int64_t value, bint absent) noexcept nogil:
    """Writes an integer in its shortest form, or nil; returns what follows it."""
    cdef int64_t negative = value >> 63
    cdef int at = bits_of(<uint64_t>(value ^ negative)) + <int>(negative & 64)
    if absent:
        at = ABSENT_FORM
    p[0] = FORMS[at].head | (<uint8_t>value & FORMS[at].mask)
    store_be64(p + 1, (<uint64_t>value) << FORMS[at].shift)
    return p + 1 + FORMS[at].size


cdef inline uint8_t* put_head(uint8_t* p, int64_t n, int fix, int fix_below, int head8, int head16) noexcept nogil:
    """Writes the head of an array (head8 0), str or bin (fix_below 0) of length n."""
    if n < fix_below:
        p[0] = <uint8_t>(fix | n)
        return p + 1
    if n < 256 and head8:
        p[0] = head8
        p[1] = <uint8_t>n
        return p + 2
    if n < 65536:
        p[0] = head16
        p[1] = <uint8_t>(n >> 8)
        p[2] = <uint8_t>n
        return p + 3
    p[0] = head16 + 1
    store_be64(p + 1, (<uint64_t>n) << 32)
    return p + 5


cdef struct Reader:
    const uint8_t* end  # of the state
    const uint8_t* readable  # of the memory behind it, at or after end
    int fault
    int64_t detail


cdef inline const uint8_t* fail(Reader* r, int fault, int64_t detail) noexcept nogil:
    r.fault, r.detail = fault, detail
    return NULL


cdef inline int64_t value_of(uint8_t head, uint64_t word) noexcept nogil:
    """Returns the integer with this head and the eight bytes behind it, big-endian."""
    cdef int64_t value = <int64_t>word >> READS[head].shift
    if not READS[head].with_sign:
        value = <int64_t>(word >> READS[head].shift)
    return value if READS[head].size else <int8_t>head


cdef inline const uint8_t* get_last_int(Reader* r, const uint8_t* p, int64_t* value) noexcept nogil:
    """Reads an integer that may be malformed or near the end of what is readable."""
    cdef uint8_t bytes_there[16]
    cdef int64_t left = r.end - p
    if left <= 0:
        return fail(r, END, 0)
    if READS[p[0]].bad:
        return fail(r, TYPE, p[0])
    if left <= READS[p[0]].size:
        return fail(r, END, 0)
    memcpy(bytes_there, p, READS[p[0]].size + 1)
    value[0] = value_of(p[0], load_be64(bytes_there + 1))
    if p[0] == 0xCF and value[0] < 0:
        return fail(r, RANGE, 0)
    return p + 1 + READS[p[0]].size


cdef inline const uint8_t* get_int(Reader* r, const uint8_t* p, int64_t* value) noexcept nogil:
    """Reads one integer of any form and returns what follows it; NULL, and the fault in ``r``, when there is none.

    The position is passed by value: kept in memory, it would cost a store and a load between any two integers.
    The frequent forms are branches, so that the next integer starts before this one's length has been loaded.
    """
    cdef uint8_t head = p[0] if p < r.end else 0xC0
    if head < 0x80:
        value[0] = head
        return p + 1
    if r.end - p < 9:
        return get_last_int(r, p, value)
    if head == 0xCE:
        value[0] = load_be32(p + 1)
        return p + 5
    if head == 0xCD:
        value[0] = load_be16(p + 1)
        return p + 3
    value[0] = value_of(head, load_be64(p + 1))
    if READS[head].bad or (head == 0xCF and value[0] < 0):
        return get_last_int(r, p, value)
    return p + 1 + READS[head].size


cdef inline const uint8_t* get_length(
    Reader* r, const uint8_t* p, int fix, int fix_mask, int head8, int head16, int64_t* length
) noexcept nogil:
    """Reads the head of an array (head8 0), str or bin (fix_mask 0) and its length; NULL for a fault."""
    cdef uint8_t head
    cdef int size, k
    cdef int64_t n = 0
    if p >= r.end:
        return fail(r, END, 0)
    head = p[0]
    if fix_mask and (head & fix_mask) == fix:
        length[0] = head & ~fix_mask
        return p + 1
    if head8 and head == head8:
        size = 1
    elif head == head16:
        size = 2
    elif head == head16 + 1:
        size = 4
    else:
        return fail(r, TYPE, head)
    if r.end - p <= size:
        return fail(r, END, 0)
    for k in range(1, size + 1):
        n = n << 8 | p[k]
    length[0] = n
    return p + 1 + size


cdef inline const uint8_t* get_text(Reader* r, const uint8_t* p, uint8_t* to, int64_t* length) noexcept nogil:
    """Copies a text to where 32 bytes of slack follow it, its length to ``length``; NULL for a fault."""
    p = get_length(r, p, 0xA0, 0xE0, 0xD9, 0xDA, length)
    if p == NULL:
        return NULL
    if r.end - p < length[0]:
        return fail(r, END, 0)
    if not copy_text(to, p, length[0], r.readable - p):
        return fail(r, UTF8, 0)
    return p + length[0]


cdef inline const uint8_t* get_binary(Reader* r, const uint8_t* p, uint8_t* to, int64_t* length) noexcept nogil:
    """Copies raw bytes, and their length to ``length``; NULL for a fault."""
    p = get_length(r, p, 0, 0, 0xC4, 0xC5, length)
    if p == NULL:
        return NULL
    if r.end - p < length[0]:
        return fail(r, END, 0)
    memcpy(to, p, length[0])
    return p + length[0]
