"""Compiles the codec: see core_ext/reference/codec.py, its specification."""

from cpython.buffer cimport PyBUF_STRIDES, PyBuffer_Release, PyObject_GetBuffer
from cpython.bytes cimport PyBytes_AS_STRING, PyBytes_CheckExact, PyBytes_FromStringAndSize, PyBytes_GET_SIZE
from cpython.unicode cimport PyUnicode_DecodeUTF8
from libc.stdint cimport int8_t, int64_t, uint8_t, uint64_t
from libc.string cimport memcpy

import numpy as np

from core_ext import codec_fields as shapes
from core_ext.codec_fields import Encoded
from core_ext.text import Texts

cdef extern from *:
    """
    #include <stdint.h>
    #include <string.h>
    #if __BYTE_ORDER__ != __ORDER_LITTLE_ENDIAN__
    #error "the codec reads and writes msgpack on little-endian machines only"
    #endif
    static inline uint64_t load_be64(const uint8_t *p) { uint64_t w; memcpy(&w, p, 8); return __builtin_bswap64(w); }
    static inline int64_t load_be32(const uint8_t *p) { uint32_t w; memcpy(&w, p, 4); return __builtin_bswap32(w); }
    static inline int64_t load_be16(const uint8_t *p) { uint16_t w; memcpy(&w, p, 2); return __builtin_bswap16(w); }
    static inline uint64_t load_le64(const uint8_t *p) { uint64_t w; memcpy(&w, p, 8); return w; }
    static inline void store_be64(uint8_t *p, uint64_t w) { w = __builtin_bswap64(w); memcpy(p, &w, 8); }
    static inline void copy32(uint8_t *to, const uint8_t *from) { memcpy(to, from, 32); }
    static inline int bits_of(uint64_t u) { return 64 - __builtin_clzll(u | 1); }
    """
    uint64_t load_be64(const uint8_t* p) noexcept nogil
    int64_t load_be32(const uint8_t* p) noexcept nogil
    int64_t load_be16(const uint8_t* p) noexcept nogil
    uint64_t load_le64(const uint8_t* p) noexcept nogil
    void store_be64(uint8_t* p, uint64_t w) noexcept nogil
    void copy32(uint8_t* to, const uint8_t* source) noexcept nogil
    int bits_of(uint64_t u) noexcept nogil

cdef enum:
    # Kinds and faults, as core_ext.codec_fields numbers them (checked below).
    INT, STR, BYTES, INTS, OPTIONAL_INTS, TABLE

cdef enum:
    END = 1, TYPE, RANGE, UTF8, WIDE, COUNT, TRAILING

cdef enum:
    PUT_INTS = 1, PUT_TEXT, PUT_BINARY, PUT_RAW, PUT_ARRAY

cdef enum:
    BAD_OFFSETS = 1, BAD_TEXT, BAD_CHOICE, BAD_CELL

if (INT, STR, BYTES, INTS, OPTIONAL_INTS, TABLE) != (
    shapes.INT, shapes.STR, shapes.BYTES, shapes.INTS, shapes.OPTIONAL_INTS, shapes.TABLE
) or (END, TYPE, RANGE, UTF8, WIDE, COUNT, TRAILING) != (
    shapes.END, shapes.TYPE, shapes.RANGE, shapes.UTF8, shapes.WIDE, shapes.COUNT, shapes.TRAILING
):
    raise ImportError("core_ext._codec and core_ext.codec_fields number kinds or faults differently")

cdef int64_t ABSENT = -(2**63)
cdef int64_t LONGEST = 2**32 - 1  # of a str, bin or array in msgpack

cdef struct IntForm:  # how to write an integer, by its sign and bit length
    uint8_t head
    uint8_t mask
    uint8_t size
    uint8_t shift

cdef struct IntRead:  # how to read an integer, by its first byte
    uint8_t size
    uint8_t shift
    uint8_t signed
    uint8_t bad

cdef IntForm FORMS[130]
cdef IntRead READS[256]
cdef uint64_t HIGH_BITS[4][33]  # the high bits of the first n bytes, by word


cdef void _prepare() except *:
    cdef int bits, size, byte, word
    for bits in range(65):
        if bits <= 7:
            FORMS[bits] = IntForm(0, 0x7F, 0, 0)
        else:
            size = 1 if bits <= 8 else 2 if bits <= 16 else 4 if bits <= 32 else 8
            FORMS[bits] = IntForm(0xCB + bits_of(size), 0, size, 64 - 8 * size)
        if bits <= 5:
            FORMS[64 + bits] = IntForm(0, 0xFF, 0, 0)
        else:
            size = 1 if bits <= 7 else 2 if bits <= 15 else 4 if bits <= 31 else 8
            FORMS[64 + bits] = IntForm(0xCF + bits_of(size), 0, size, 64 - 8 * size)
    FORMS[129] = IntForm(0xC0, 0, 0, 0)
    for byte in range(256):
        READS[byte] = IntRead(0, 0, 0, 0x80 <= byte < 0xE0)
    for bits in range(4):
        READS[0xCC + bits] = IntRead(1 << bits, 64 - (8 << bits), 0, 0)
        READS[0xD0 + bits] = IntRead(1 << bits, 64 - (8 << bits), 1, 0)
    for word in range(4):
        for size in range(33):
            bits = min(max(size - 8 * word, 0), 8)
            HIGH_BITS[word][size] = int.from_bytes(b"\x80" * bits, "little")


_prepare()


cdef int utf8_ok(const uint8_t* p, int64_t n) noexcept nogil:
    cdef int64_t i = 0
    cdef int follow, k
    cdef uint8_t b
    while i < n:
        if i + 8 <= n and load_le64(p + i) & HIGH_BITS[0][8] == 0:
            i += 8
            continue
        b = p[i]
        if b < 0x80:
            i += 1
            continue
        if b < 0xC2 or b > 0xF4:
            return 0
        follow = 1 if b < 0xE0 else 2 if b < 0xF0 else 3
        if i + follow >= n:
            return 0
        # The second byte rules out overlong forms, surrogates and code points beyond U+10FFFF.
        if (b == 0xE0 and p[i + 1] < 0xA0) or (b == 0xED and p[i + 1] > 0x9F):
            return 0
        if (b == 0xF0 and p[i + 1] < 0x90) or (b == 0xF4 and p[i + 1] > 0x8F):
            return 0
        for k in range(1, follow + 1):
            if (p[i + k] & 0xC0) != 0x80:
                return 0
        i += follow + 1
    return 1


cdef inline int copy_text(uint8_t* to, const uint8_t* source, int64_t n, int64_t readable) noexcept nogil:
    """Copies n bytes into a buffer with 32 bytes of slack; returns whether they are UTF-8."""
    cdef uint64_t a, b, c, d
    if n <= 32 and readable >= 32:
        copy32(to, source)
        a, b, c, d = load_le64(source), load_le64(source + 8), load_le64(source + 16), load_le64(source + 24)
        if (a | b | c | d) & HIGH_BITS[0][8] == 0:
            return 1
        # What follows the text may have a high bit where the text has none.
        a, b = a & HIGH_BITS[0][n], b & HIGH_BITS[1][n]
        c, d = c & HIGH_BITS[2][n], d & HIGH_BITS[3][n]
        return (a | b | c | d) == 0 or utf8_ok(source, n)
    memcpy(to, source, n)
    return utf8_ok(to, n)


# --- encode ---------------------------------------------------------------------------------------------------

cdef struct Field:
    int put
    int64_t width
    const char* values
    int64_t stride
    const int64_t* present
    const int64_t* offsets
    const uint8_t* data
    int64_t size


cdef inline uint8_t* put_int(uint8_t* p, int64_t value, int absent) noexcept nogil:
    cdef int64_t negative = value >> 63
    cdef int at = bits_of(<uint64_t>(value ^ negative)) + <int>(negative & 64)
    if absent:
        at = 129
    cdef IntForm form = FORMS[at]
    p[0] = form.head | (<uint8_t>value & form.mask)
    store_be64(p + 1, (<uint64_t>value) << form.shift)
    return p + 1 + form.size


cdef inline uint8_t* put_head(uint8_t* p, int64_t n, int fix, int fix_below, int head8, int head16) noexcept nogil:
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


cdef inline uint8_t* put_array(uint8_t* p, const int64_t* cells, int64_t width, int optional, int* absent) noexcept nogil:
    """Writes an array; without ``optional`` an ABSENT cell is written as an integer and told in ``absent``."""
    cdef int64_t k
    cdef int found = 0
    p = put_head(p, width, 0x90, 16, 0, 0xDC)
    if optional:
        for k in range(width):
            p = put_int(p, cells[k], cells[k] == ABSENT)
        return p
    for k in range(width):
        found |= cells[k] == ABSENT
        p = put_int(p, cells[k], 0)
    absent[0] = found
    return p


cdef int64_t text_bytes(const Field* fields, int64_t count, const int64_t[::1] rows, int64_t[::1] fault) noexcept nogil:
    """Returns the bytes of every selected text, -1 with (row, field, start, stop, size) in fault when outside."""
    cdef int64_t row, f, start, stop, total = 0
    cdef const int64_t* offsets
    for f in range(count):
        if fields[f].put != PUT_TEXT and fields[f].put != PUT_BINARY:
            continue
        for row in range(rows.shape[0]):
            offsets = fields[f].offsets + rows[row]
            start, stop = offsets[0], offsets[1]
            if start < 0 or stop < start or stop > fields[f].size or stop - start > LONGEST:
                fault[0], fault[1], fault[2], fault[3], fault[4] = row, f, start, stop, fields[f].size
                return -1
            total += stop - start
    return total


cdef int64_t write_states(
    const Field* fields, int64_t count, int64_t cells, const int64_t[::1] rows, int64_t[::1] offsets,
    uint8_t* out, int64_t[::1] fault,
) noexcept nogil:
    """Writes every state and its offset; returns their bytes, -1 with (row, field, fault, detail) in fault."""
    cdef int64_t row, f, i, k, start, n
    cdef uint8_t* p = out
    cdef const Field* field
    cdef const int64_t* values
    cdef int code = 0, absent = 0
    cdef int64_t detail = 0
    for row in range(rows.shape[0]):
        i = rows[row]
        offsets[row] = p - out
        p = put_head(p, cells, 0x90, 16, 0, 0xDC)
        for f in range(count):
            field = fields + f
            if field.put == PUT_INTS:
                values = <const int64_t*>(field.values + i * field.stride)
                for k in range(field.width):
                    p = put_int(p, values[k], 0)
            elif field.put == PUT_TEXT:
                start = field.offsets[i]
                n = field.offsets[i + 1] - start
                p = put_head(p, n, 0xA0, 32, 0xD9, 0xDA)
                if not copy_text(p, field.data + start, n, field.size - start):
                    code = BAD_TEXT
                p += n
            elif field.put == PUT_ARRAY:
                values = <const int64_t*>field.values + i * field.width
                if field.present == NULL:
                    p = put_array(p, values, field.width, 0, &absent)
                    if absent:
                        code = BAD_CELL
                elif field.present[i] == 0:
                    p[0] = 0xC0
                    p += 1
                else:
                    p = put_array(p, values, field.width, 1, &absent)
            elif field.put == PUT_RAW:
                # One constant, or one of the choices: raw msgpack without a head of its own.
                k = 0 if field.values == NULL else (<const int64_t*>field.values)[i]
                if k < 0 or k >= field.width:
                    code, detail = BAD_CHOICE, k
                else:
                    start = field.offsets[k]
                    n = field.offsets[k + 1] - start
                    memcpy(p, field.data + start, n)
                    p += n
            else:
                start = field.offsets[i]
                n = field.offsets[i + 1] - start
                p = put_head(p, n, 0, 0, 0xC4, 0xC5)
                memcpy(p, field.data + start, n)
                p += n
            if code:
                fault[0], fault[1], fault[2], fault[3] = row, f, code, detail
                return -1
    offsets[rows.shape[0]] = p - out
    return p - out


cdef object _raws(object raws):
    """Returns (offsets, data, longest) of raw msgpack values, data never empty so that it has an address."""
    kept = [bytes(raw) for raw in raws]
    offsets = np.zeros(len(kept) + 1, dtype=np.int64)
    np.cumsum([len(raw) for raw in kept], out=offsets[1:])
    return offsets, np.frombuffer(b"".join(kept) + b"\0", dtype=np.uint8), max(map(len, kept), default=0)


cdef int64_t _address(object array) except? -1:
    """Returns where an array's first element is; the caller keeps the array alive."""
    cdef Py_buffer view
    PyObject_GetBuffer(array, &view, PyBUF_STRIDES)
    cdef int64_t address = <int64_t>view.buf
    PyBuffer_Release(&view)
    return address


cdef int64_t _fill(Field* field, object source, list held) except -1:
    """Fills one field from its source, keeps alive what it points into, returns its longest bytes beside text."""
    field.values, field.present, field.width = NULL, NULL, 1
    if isinstance(source, (shapes.Ints, shapes.Table)):
        field.put = PUT_INTS
        field.values, field.stride = <const char*>_address(source.values), source.values.strides[0]
        field.width = source.values.shape[1] if source.values.ndim == 2 else 1
        return 9 * field.width
    if isinstance(source, (shapes.Text, shapes.Binary)):
        field.put = PUT_TEXT if isinstance(source, shapes.Text) else PUT_BINARY
        field.offsets, field.data = <const int64_t*>_address(source.offsets), <const uint8_t*>_address(source.data)
        field.size = len(source.data)
        return 5
    if isinstance(source, shapes.Array):
        field.put, field.width = PUT_ARRAY, source.values.shape[1]
        field.values = <const char*>_address(source.values)
        if source.present is not None:
            field.present = <const int64_t*>_address(source.present)
        return 5 + 9 * field.width
    field.put = PUT_RAW
    choice = isinstance(source, shapes.Choice)
    offsets, data, longest = _raws(source.raws if choice else [source.raw])
    held.append((offsets, data))
    field.width = len(offsets) - 1
    if choice:
        field.values = <const char*>_address(source.index)
    field.offsets, field.data = <const int64_t*>_address(offsets), <const uint8_t*>_address(data)
    return longest


def encode(fields, rows):
    """Returns one msgpack array a row that ``rows`` names; see the reference."""
    shapes.check_sources(fields, rows)
    cdef int64_t count = len(fields), cells = 0, longest = 5, texts, used, f
    cdef list held = []
    cdef const int64_t[::1] selected = rows
    cdef int64_t[::1] fault = np.zeros(5, dtype=np.int64)
    buffer = np.zeros(max(count, 1) * sizeof(Field), dtype=np.uint8)
    cdef Field* array = <Field*>_address(buffer)
    for f in range(count):
        longest += _fill(&array[f], fields[f], held)
        cells += array[f].width if array[f].put == PUT_INTS else 1
    with nogil:
        texts = text_bytes(array, count, selected, fault)
    if texts < 0:
        raise shapes.text_outside(*fault)
    # An upper bound: pages that are never written are never there; 64 bytes of slack for fixed-size copies.
    data = np.empty(texts + longest * selected.shape[0] + 64, dtype=np.uint8)
    offsets = np.zeros(selected.shape[0] + 1, dtype=np.int64)
    cdef int64_t[::1] at = offsets
    cdef uint8_t* out = <uint8_t*>_address(data)
    with nogil:
        used = write_states(array, count, cells, selected, at, out, fault)
    if used < 0:
        row, field, code, detail = fault[0], fault[1], fault[2], fault[3]
        if code == BAD_TEXT:
            raise shapes.not_utf8(row, field)
        if code == BAD_CELL:
            cells_of_row = fields[field].values[selected[row]].tolist()
            raise shapes.absent_cell(row, field, cells_of_row.index(ABSENT))
        raise shapes.choice_out_of_range(row, field, detail, len(fields[field].raws))
    data.resize(used, refcheck=False)
    return Encoded(offsets, data)


# --- decode ---------------------------------------------------------------------------------------------------

cdef struct Reader:
    const uint8_t* end  # of the state
    const uint8_t* readable  # of the memory behind it, at or after end
    int fault
    int64_t detail


cdef struct Out:
    int kind
    int64_t width
    int64_t* values
    int64_t* present
    int64_t* offsets
    uint8_t* data
    int64_t used


cdef inline const uint8_t* fail(Reader* r, int fault, int64_t detail) noexcept nogil:
    r.fault, r.detail = fault, detail
    return NULL


cdef inline int64_t value_of(uint8_t head, uint64_t word) noexcept nogil:
    """Returns the integer with this head and the eight bytes behind it, big-endian."""
    cdef IntRead form = READS[head]
    cdef int64_t low = <int64_t>word >> form.shift
    if not form.signed:
        low = <int64_t>(word >> form.shift)
    return low if form.size else <int8_t>head


cdef const uint8_t* get_last_int(Reader* r, const uint8_t* p, int64_t* value) noexcept nogil:
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


cdef inline const uint8_t* get_text(Reader* r, const uint8_t* p, Out* out, int64_t row) noexcept nogil:
    cdef int64_t n = 0
    p = get_length(r, p, 0xA0, 0xE0, 0xD9, 0xDA, &n)
    if p == NULL:
        return NULL
    if r.end - p < n:
        return fail(r, END, 0)
    if not copy_text(out.data + out.used, p, n, r.readable - p):
        return fail(r, UTF8, 0)
    out.used += n
    out.offsets[row + 1] = out.used
    return p + n


cdef inline const uint8_t* get_binary(Reader* r, const uint8_t* p, Out* out, int64_t row) noexcept nogil:
    cdef int64_t n = 0
    p = get_length(r, p, 0, 0, 0xC4, 0xC5, &n)
    if p == NULL:
        return NULL
    if r.end - p < n:
        return fail(r, END, 0)
    memcpy(out.data + out.used, p, n)
    out.used += n
    out.offsets[row + 1] = out.used
    return p + n


cdef inline const uint8_t* get_array(
    Reader* r, const uint8_t* p, int64_t* cells, int64_t width, int optional
) noexcept nogil:
    cdef int64_t k, n = 0
    p = get_length(r, p, 0x90, 0xF0, 0, 0xDC, &n)
    if p == NULL:
        return NULL
    if n > width:
        return fail(r, WIDE, n)
    for k in range(n):
        if optional and p < r.end and p[0] == 0xC0:
            cells[k] = ABSENT
            p += 1
            continue
        p = get_int(r, p, cells + k)
        if p == NULL:
            return NULL
    for k in range(n, width):
        cells[k] = ABSENT if optional else 0
    return p


cdef inline int64_t read_state(
    Reader* r, const uint8_t* p, Out* outs, int64_t count, int64_t fields, int64_t row
) noexcept nogil:
    """Reads one state into row ``row`` of every column; returns -1, or the field that is at fault."""
    cdef int64_t f, k, field = 0, n = 0
    cdef int64_t* values
    cdef Out* out
    p = get_length(r, p, 0x90, 0xF0, 0, 0xDC, &n)
    if p == NULL:
        return fields
    if n != fields:
        fail(r, COUNT, n)
        return fields
    for f in range(count):
        out = outs + f
        if out.kind == INT:
            p = get_int(r, p, out.values + row)
        elif out.kind == STR:
            p = get_text(r, p, out, row)
        elif out.kind == TABLE:
            n, values = out.width, out.values + row * out.width
            for k in range(n):
                p = get_int(r, p, values + k)
                if p == NULL:
                    return field + k
            field += n - 1
        elif out.kind == INTS:
            p = get_array(r, p, out.values + row * out.width, out.width, 0)
        elif out.kind == BYTES:
            p = get_binary(r, p, out, row)
        elif p < r.end and p[0] == 0xC0:
            p += 1
            out.present[row] = 0
            for k in range(out.width):
                out.values[row * out.width + k] = ABSENT
        else:
            out.present[row] = 1
            p = get_array(r, p, out.values + row * out.width, out.width, 1)
        if p == NULL:
            return field
        field += 1
    if p != r.end:
        fail(r, TRAILING, r.end - p)
        return fields
    return -1


cdef int64_t read_states(
    Out* outs, int64_t count, int64_t fields, const int64_t[::1] starts, const int64_t[::1] sizes,
    int64_t readable_end, int64_t[::1] fault,
) noexcept nogil:
    """Reads every state; returns 0, or -1 with (row, field, fault, detail) in fault."""
    cdef int64_t row, field
    cdef const uint8_t* p
    cdef Reader r
    r.fault, r.detail = 0, 0
    for row in range(starts.shape[0]):
        p = <const uint8_t*>starts[row]
        r.end = p + sizes[row]
        # States in one buffer may be over-read into the next one; a bytes object may not.
        r.readable = <const uint8_t*>readable_end if readable_end else r.end
        field = read_state(&r, p, outs, count, fields, row)
        if field >= 0:
            fault[0], fault[1], fault[2], fault[3] = row, field, r.fault, r.detail
            return -1
    return 0


cdef tuple _places(object states, int64_t n):
    """Returns (addresses, sizes, total bytes) of a tuple of bytes objects."""
    starts, sizes = np.empty(n, dtype=np.int64), np.empty(n, dtype=np.int64)
    cdef int64_t[::1] at = starts, size = sizes
    cdef int64_t row, total = 0
    cdef tuple held = states
    cdef object state
    for row in range(n):
        state = held[row]
        if not PyBytes_CheckExact(state):
            raise TypeError(f"row {row}: expected the bytes of a state, got {type(state).__name__}")
        at[row] = <int64_t>PyBytes_AS_STRING(state)
        size[row] = PyBytes_GET_SIZE(state)
        total += size[row]
    return starts, sizes, total


cdef object _column(Out* out, int64_t n, int64_t total):
    """Allocates one column and points the reader at it; text columns get every byte there is as their bound."""
    if out.kind in (STR, BYTES):
        offsets, data = np.zeros(n + 1, dtype=np.int64), np.empty(total + 32, dtype=np.uint8)
        out.offsets, out.data = <int64_t*>_address(offsets), <uint8_t*>_address(data)
        return Texts(offsets, data)
    values = np.empty(n * out.width, dtype=np.int64)
    if out.kind != INT:
        values = values.reshape(n, out.width)
    out.values = <int64_t*>_address(values)
    if out.kind != OPTIONAL_INTS:
        return values
    present = np.empty(n, dtype=np.int64)
    out.present = <int64_t*>_address(present)
    return values, present


def decode(layout, states):
    """Returns one column a kind of ``layout``; see the reference."""
    cdef int64_t count = len(layout), fields = shapes.fields_of(layout), f, n, total, readable_end = 0, failed
    if isinstance(states, Encoded):
        n = shapes.texts_checked("states", states.offsets, states.data)
        starts, sizes = states.offsets[:n] + _address(states.data), np.diff(states.offsets)
        total, readable_end = len(states.data), _address(states.data) + len(states.data)
        held = states
    else:
        held = tuple(states)  # keeps every state alive while the lock is released
        n = len(held)
        starts, sizes, total = _places(held, n)
    buffer = np.zeros(max(count, 1) * sizeof(Out), dtype=np.uint8)
    cdef Out* outs = <Out*>_address(buffer)
    cdef list columns = []
    for f in range(count):
        outs[f].kind, outs[f].width = shapes.parse_kind(layout[f])
        columns.append(_column(&outs[f], n, total))
    cdef const int64_t[::1] at = starts, size = sizes
    cdef int64_t[::1] fault = np.zeros(4, dtype=np.int64)
    with nogil:
        failed = read_states(outs, count, fields, at, size, readable_end, fault)
    if failed:
        raise shapes.malformed(layout, fault[0], fault[1], fault[2], fault[3])
    for f in range(count):
        if outs[f].kind in (STR, BYTES):
            columns[f].data.resize(outs[f].used, refcheck=False)
    return columns


# --- rows for stores ------------------------------------------------------------------------------------------

def cut(encoded):
    """Returns the states as bytes objects; see the reference."""
    cdef int64_t n = shapes.texts_checked("states", encoded.offsets, encoded.data), i
    cdef const int64_t[::1] at = encoded.offsets
    cdef const char* data = <const char*>_address(encoded.data)
    return [PyBytes_FromStringAndSize(data + at[i], at[i + 1] - at[i]) for i in range(n)]


cdef int64_t _check_rows(streams, versions, topics, names, states) except -1:
    cdef int64_t count = shapes.texts_checked("states", states.offsets, states.data)
    lengths = {
        "streams": shapes.texts_checked("streams", streams.offsets, streams.data),
        "versions": len(shapes.int64s("versions", versions)),
        "topics": len(shapes.int64s("topics", topics)),
    }
    for what, length in lengths.items():
        if length != count:
            raise ValueError(f"{what}: expected {count} of them, one a state, got {length}")
    if count and (topics.min() < 0 or topics.max() >= len(names)):
        raise ValueError(f"topics: expected 0 to {len(names) - 1}, got {topics.min()} to {topics.max()}")
    return count


def rows(streams, versions, topics, names, states, int64_t first_id):
    """Returns (id, stream, version, topic, state) a state; see the reference."""
    cdef int64_t n = _check_rows(streams, versions, topics, names, states), i
    cdef const int64_t[::1] ids = streams.offsets, at = states.offsets, version = versions, topic = topics
    cdef const char* texts = <const char*>_address(streams.data)
    cdef const char* data = <const char*>_address(states.data)
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
    cdef int64_t n = _check_rows(streams, versions, topics, names, states), i, total, t
    name_offsets, name_data, _ = _raws([name.encode() for name in names])
    cdef const int64_t[::1] ids = streams.offsets, at = states.offsets, version = versions, topic = topics
    cdef const int64_t[::1] name_at = name_offsets
    cdef const uint8_t* texts = <const uint8_t*>_address(streams.data)
    cdef const uint8_t* data = <const uint8_t*>_address(states.data)
    cdef const uint8_t* named = <const uint8_t*>_address(name_data)
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
