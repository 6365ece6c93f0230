"""Writes and reads the msgpack values that states are made of (``msgpack.h`` has the tables)."""

from cpython.buffer cimport PyBUF_STRIDES, PyBuffer_Release, PyObject_GetBuffer
from libc.stdint cimport int8_t, int64_t, uint8_t, uint64_t
from libc.string cimport memcpy

from core_ext.utf8 cimport is_utf8

cdef extern from "msgpack.h":
    ctypedef struct int_read:
        uint8_t size
        uint8_t shift
        uint8_t with_sign
        uint8_t bad
    const int_read* READS
    uint64_t load_be64(const uint8_t* p) noexcept nogil
    int64_t load_be32(const uint8_t* p) noexcept nogil
    int64_t load_be16(const uint8_t* p) noexcept nogil
    uint64_t load_le64(const uint8_t* p) noexcept nogil
    int first_byte(uint64_t high) noexcept nogil
    void widen8(int64_t* cells, uint64_t word) noexcept nogil
    const uint64_t HIGH_BITS
    void store_be64(uint8_t* p, uint64_t word) noexcept nogil
    int copy32(uint8_t* to, const uint8_t* source, int64_t n) noexcept nogil

cdef enum:
    # Faults, as core_ext.codec_fields numbers them.
    END = 1, TYPE, RANGE, UTF8, WIDE, COUNT, TRAILING


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
    uint8_t last[32]  # takes the end of a state behind which nothing may be read


cdef inline const uint8_t* fail(Reader* r, int fault, int64_t detail) noexcept nogil:
    r.fault, r.detail = fault, detail
    return NULL


cdef inline int64_t value_of(uint8_t head, uint64_t word) noexcept nogil:
    """Returns the integer with this head and the eight bytes behind it, big-endian."""
    cdef int64_t value = <int64_t>word >> READS[head].shift
    if not READS[head].with_sign:
        value = <int64_t>(word >> READS[head].shift)
    return value if READS[head].size else <int8_t>head


cdef inline const uint8_t* get_int(Reader* r, const uint8_t* p, int64_t* value) noexcept nogil:
    """Reads one integer of any form and returns what follows it; NULL, and the fault in ``r``, when there is none.

    The frequent forms are branches: what stands at one place of a state mostly has one form, which is foreseen, and
    the next integer starts before this one's length has been loaded.
    """
    cdef uint8_t head
    if r.readable - p < 9:
        p = moved(r, p)
    if p >= r.end:
        return fail(r, END, 0)
    head = p[0]
    if head < 0x80:
        value[0] = head
        return p + 1
    if r.end - p >= 9:
        if head == 0xCE:
            value[0] = load_be32(p + 1)
            return p + 5
        if head == 0xCD:
            value[0] = load_be16(p + 1)
            return p + 3
    if READS[head].bad:
        return fail(r, TYPE, head)
    if r.end - p <= READS[head].size:
        return fail(r, END, 0)
    value[0] = value_of(head, load_be64(p + 1))
    if head == 0xCF and value[0] < 0:
        return fail(r, RANGE, 0)
    return p + 1 + READS[head].size


cdef inline const uint8_t* get_ints(
    Reader* r, const uint8_t* p, int64_t* cells, int64_t n, bint nil
) noexcept nogil:
    """Reads an array's n integers of any form (``nil``: or nils, as ABSENT) and returns what follows them.

    NULL for a fault, which is in ``r``. Up to eight cells behind the last one are overwritten. Most are 0 and stand
    together, so a run of small ones is told by one word and widened at once, and the form of the next is looked up:
    where it stands cannot be foreseen.
    """
    cdef int64_t k = 0, run, left
    cdef uint64_t word, wide
    cdef uint8_t head
    while k < n:
        if r.readable - p < 9:
            p = moved(r, p)
        word = load_le64(p)
        widen8(cells + k, word)
        wide = word & HIGH_BITS
        run = first_byte(wide) if wide else 8
        left = r.end - p
        run = min(run, min(left, n - k))
        k += run
        p += run
        if k == n:
            break
        if run == 8:
            continue
        if r.readable - p < 9:
            p = moved(r, p)
        if p >= r.end:
            return fail(r, END, 0)
        head = p[0]
        if READS[head].bad:
            if nil and head == 0xC0:
                cells[k] = -(2**63)
                k += 1
                p += 1
                continue
            return fail(r, TYPE, head)
        if r.end - p <= READS[head].size:
            return fail(r, END, 0)
        cells[k] = value_of(head, load_be64(p + 1))
        if head == 0xCF and cells[k] < 0:
            return fail(r, RANGE, 0)
        k += 1
        p += 1 + READS[head].size
    return p


cdef inline const uint8_t* moved(Reader* r, const uint8_t* p) noexcept nogil:
    """Moves the last few bytes of a state to where words may be read behind them; returns where they begin."""
    cdef int64_t left = r.end - p
    memcpy(r.last, p, left)
    r.end = r.last + left
    r.readable = r.last + sizeof(r.last)
    return r.last


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
