"""Compiles the codec: see core_ext/reference/codec.py, its specification."""

from cpython.bytes cimport PyBytes_AS_STRING, PyBytes_CheckExact, PyBytes_GET_SIZE
from libc.stdint cimport int64_t, uint8_t
from libc.string cimport memcpy

from core_ext.msgpack cimport (
    COUNT, END, RANGE, READS, TRAILING, TYPE, UTF8, WIDE, Reader, address, copy_text, fail, get_binary, get_int,
    get_length, get_text, load_be64, put_head, put_int, value_of,
)

import numpy as np

from core_ext import codec_fields as shapes
from core_ext._records import cut, pack_copy, rows
from core_ext.codec_fields import Encoded
from core_ext.text import Texts

__all__ = ["cut", "decode", "encode", "pack_copy", "rows"]

cdef enum:
    # Kinds, as core_ext.codec_fields numbers them (checked below, as are the faults).
    INT, STR, BYTES, INTS, OPTIONAL_INTS, TABLE

cdef enum:
    PUT_INTS = 1, PUT_TEXT, PUT_BINARY, PUT_RAW, PUT_ARRAY

cdef enum:
    BAD_TEXT = 1, BAD_CHOICE, BAD_CELL

if (INT, STR, BYTES, INTS, OPTIONAL_INTS, TABLE) != (
    shapes.INT, shapes.STR, shapes.BYTES, shapes.INTS, shapes.OPTIONAL_INTS, shapes.TABLE
) or (END, TYPE, RANGE, UTF8, WIDE, COUNT, TRAILING) != (
    shapes.END, shapes.TYPE, shapes.RANGE, shapes.UTF8, shapes.WIDE, shapes.COUNT, shapes.TRAILING
):
    raise ImportError("core_ext._codec and core_ext.codec_fields number kinds or faults differently")

cdef int64_t ABSENT = -(2**63)
cdef int64_t LONGEST = 2**32 - 1  # of a str, bin or array in msgpack


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


cdef inline uint8_t* put_array(
    uint8_t* p, const int64_t* cells, int64_t width, bint optional, int* absent
) noexcept nogil:
    """Writes an array; without ``optional`` an ABSENT cell is written as an integer and told in ``absent``."""
    cdef int64_t k
    cdef bint found = 0
    p = put_head(p, width, 0x90, 16, 0, 0xDC)
    if optional:
        for k in range(width):
            p = put_int(p, cells[k], cells[k] == ABSENT)
        return p
    for k in range(width):
        # Most funds pay nothing most of the time: a zero is worth a branch of its own.
        if cells[k] == 0:
            p[0] = 0
            p += 1
            continue
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


cdef int64_t _fill(Field* field, object source, list held) except -1:
    """Fills one field from its source, keeps alive what it points into, returns its longest bytes beside text."""
    field.values, field.present, field.width = NULL, NULL, 1
    if isinstance(source, (shapes.Ints, shapes.Table)):
        field.put = PUT_INTS
        field.values, field.stride = <const char*>address(source.values), source.values.strides[0]
        field.width = source.values.shape[1] if source.values.ndim == 2 else 1
        return 9 * field.width
    if isinstance(source, (shapes.Text, shapes.Binary)):
        field.put = PUT_TEXT if isinstance(source, shapes.Text) else PUT_BINARY
        field.offsets, field.data = <const int64_t*>address(source.offsets), <const uint8_t*>address(source.data)
        field.size = len(source.data)
        return 5
    if isinstance(source, shapes.Array):
        field.put, field.width = PUT_ARRAY, source.values.shape[1]
        field.values = <const char*>address(source.values)
        if source.present is not None:
            field.present = <const int64_t*>address(source.present)
        return 5 + 9 * field.width
    field.put = PUT_RAW
    choice = isinstance(source, shapes.Choice)
    offsets, data, longest = shapes.joined(source.raws if choice else [source.raw])
    held.append((offsets, data))
    field.width = len(offsets) - 1
    if choice:
        field.values = <const char*>address(source.chosen)
    field.offsets, field.data = <const int64_t*>address(offsets), <const uint8_t*>address(data)
    return longest


def encode(fields, rows):
    """Returns one msgpack array a row that ``rows`` names; see the reference."""
    shapes.check_sources(fields, rows)
    cdef int64_t count = len(fields), cells = 0, longest = 5, texts, used, f
    cdef list held = []
    cdef const int64_t[::1] selected = rows
    cdef int64_t[::1] fault = np.zeros(5, dtype=np.int64)
    buffer = np.zeros(max(count, 1) * sizeof(Field), dtype=np.uint8)
    cdef Field* array = <Field*>address(buffer)
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
    cdef uint8_t* out = <uint8_t*>address(data)
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

cdef struct Out:
    int kind
    int64_t width
    int64_t* values
    int64_t* present
    int64_t* offsets
    uint8_t* data
    int64_t used


cdef inline const uint8_t* get_array(
    Reader* r, const uint8_t* p, int64_t* cells, int64_t width, int optional
) noexcept nogil:
    cdef int64_t k, n = 0
    cdef uint8_t head
    p = get_length(r, p, 0x90, 0xF0, 0, 0xDC, &n)
    if p == NULL:
        return NULL
    if n > width:
        return fail(r, WIDE, n)
    for k in range(n):
        # Whether a cell is 0 or how long it is cannot be foreseen: a table costs less than wrong guesses.
        if r.end - p >= 9:
            head = p[0]
            cells[k] = value_of(head, load_be64(p + 1))
            if not READS[head].bad and (head != 0xCF or cells[k] >= 0):
                p += 1 + READS[head].size
                continue
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
            n = 0
            p = get_text(r, p, out.data + out.used, &n)
            out.used += n
            out.offsets[row + 1] = out.used
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
            n = 0
            p = get_binary(r, p, out.data + out.used, &n)
            out.used += n
            out.offsets[row + 1] = out.used
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
        out.offsets, out.data = <int64_t*>address(offsets), <uint8_t*>address(data)
        return Texts(offsets, data)
    values = np.empty(n * out.width, dtype=np.int64)
    if out.kind != INT:
        values = values.reshape(n, out.width)
    out.values = <int64_t*>address(values)
    if out.kind != OPTIONAL_INTS:
        return values
    present = np.empty(n, dtype=np.int64)
    out.present = <int64_t*>address(present)
    return values, present


def decode(layout, states):
    """Returns one column a kind of ``layout``; see the reference."""
    cdef int64_t count = len(layout), fields = shapes.fields_of(layout), f, n, total, readable_end = 0, failed
    if isinstance(states, Encoded):
        n = shapes.texts_checked("states", states.offsets, states.data)
        starts, sizes = states.offsets[:n] + address(states.data), np.diff(states.offsets)
        total, readable_end = len(states.data), address(states.data) + len(states.data)
        held = states
    else:
        held = tuple(states)  # keeps every state alive while the lock is released
        n = len(held)
        starts, sizes, total = _places(held, n)
    buffer = np.zeros(max(count, 1) * sizeof(Out), dtype=np.uint8)
    cdef Out* outs = <Out*>address(buffer)
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
