"""Compiles the codec: see core_ext/reference/codec.py, its specification."""

from cpython.bytes cimport PyBytes_AS_STRING, PyBytes_CheckExact, PyBytes_FromStringAndSize, PyBytes_GET_SIZE
from cpython.list cimport PyList_GET_ITEM
from cpython.ref cimport Py_INCREF
from cpython.tuple cimport PyTuple_New, PyTuple_SET_ITEM
from libc.stdint cimport int64_t, uint8_t
from libc.string cimport memcpy

from core_ext.msgpack cimport (
    COUNT, END, RANGE, TRAILING, TYPE, UTF8, WIDE, Reader, address, fail, get_binary, get_int, get_ints, get_length, get_text,
    put_head,
)
from core_ext.utf8 cimport is_utf8

import numpy as np

from core_ext import codec_fields as shapes
from core_ext._columns import int64s, uint8s
from core_ext._records import cut, grouped, rows
from core_ext.codec_fields import Chosen, Encoded
from core_ext.text import Texts

__all__ = ["cut", "decode", "encode", "grouped", "rows"]

cdef extern from "decode.h":
    enum:
        # Kinds, as core_ext.codec_fields numbers them (checked below, as are the faults).
        INT "DECODE_INT", STR "DECODE_STR", BYTES "DECODE_BYTES", INTS "DECODE_INTS"
        OPTIONAL_INTS "DECODE_OPTIONAL", TABLE "DECODE_TABLE"
        DECODE_ROWS, DECODE_SLACK
    ctypedef struct Out "decode_out":
        int64_t kind
        int64_t width
        int64_t* values
        int64_t* present
        int64_t* offsets
        uint8_t* data
        int64_t used
    ctypedef int (*decode_utf8_t)(const uint8_t* text, int64_t n) noexcept nogil
    ctypedef int (*decode_block_t)(
        Out* outs, int64_t count, int64_t fields, const int64_t* starts, const int64_t* sizes, int64_t row, int64_t n,
        decode_utf8_t utf8,
    ) noexcept nogil
    decode_block_t decode_block_chosen(int portable)
    void decode_ask_for(const void* place) noexcept nogil

if (INT, STR, BYTES, INTS, OPTIONAL_INTS, TABLE) != (
    shapes.INT, shapes.STR, shapes.BYTES, shapes.INTS, shapes.OPTIONAL_INTS, shapes.TABLE
) or (END, TYPE, RANGE, UTF8, WIDE, COUNT, TRAILING) != (
    shapes.END, shapes.TYPE, shapes.RANGE, shapes.UTF8, shapes.WIDE, shapes.COUNT, shapes.TRAILING
):
    raise ImportError("core_ext._codec and core_ext.codec_fields number kinds or faults differently")

cdef int64_t ABSENT = -(2**63)
cdef int64_t SLACK = 8  # cells that reading integers may overwrite behind the last one
cdef int64_t SMALL = 65536  # bytes of texts that are not worth a copy
cdef int64_t AHEAD = 16  # states that are asked for before their turn


# --- encode ---------------------------------------------------------------------------------------------------

cdef extern from "encode.h":
    enum:
        PUT_INTS, PUT_GATHERED, PUT_TEXT, PUT_BINARY, PUT_RAW, PUT_ARRAY, PUT_OPTIONAL, PUT_NOTHING
        BAD_TEXT, BAD_CELL, ENCODE_SLACK
    ctypedef struct encode_op:
        int64_t put
        int64_t field
        int64_t width
        int64_t stride
        const char* values
        const int64_t* present
        const int64_t* offsets
        const uint8_t* data
        int64_t size
        int64_t head_size
        uint8_t head[8]
        const char* origins "from"[8]
        int64_t strides[8]
    ctypedef int (*encode_utf8_t)(const uint8_t* text, int64_t n) noexcept nogil
    ctypedef int64_t (*encode_rows_t)(
        const encode_op* ops, int64_t count, const int64_t* rows, int64_t n, int64_t* offsets, uint8_t* out,
        int64_t* fault, encode_utf8_t utf8,
    ) noexcept nogil
    encode_rows_t encode_rows_chosen(int portable)
    int64_t encode_text_bytes(const encode_op* op, const int64_t* rows, int64_t n) noexcept nogil

cdef encode_rows_t write_rows = encode_rows_chosen(0)
cdef decode_block_t read_block = decode_block_chosen(0)


def use_portable(bint portable):
    """Chooses portable encoder and decoder, or again the fastest the processor has; for tests of both."""
    global write_rows, read_block
    write_rows, read_block = encode_rows_chosen(portable), decode_block_chosen(portable)


cdef int _is_utf8(const uint8_t* text, int64_t n) noexcept nogil:
    return is_utf8(text, n)


cdef class Program:
    """Is what writes one row: operations over the sources, whose buffers it keeps alive."""

    cdef object buffer
    cdef list held, gathered
    cdef bytes head
    cdef encode_op* ops
    cdef int64_t count, longest

    def __init__(self, fields):
        self.buffer = np.zeros((2 * len(fields) + 2) * sizeof(encode_op), dtype=np.uint8)
        self.ops = <encode_op*>address(self.buffer)
        self.held, self.gathered, self.longest = [], [], 0
        self.head = array_head(sum(source.values.shape[1] if type(source) is shapes.Table else 1 for source in fields))
        for field, source in enumerate(fields):
            self.add(field, source)
        self.add_gathered()
        if self.head:
            self.op(PUT_NOTHING, len(fields))

    cdef encode_op* op(self, int put, int64_t field) except NULL:
        cdef encode_op* op = self.ops + self.count
        self.count += 1
        op.put, op.field, op.head_size = put, field, len(self.head)
        self.longest += len(self.head)
        memcpy(op.head, PyBytes_AS_STRING(self.head), len(self.head))
        self.head = b""
        return op

    cdef int add_head(self, bytes raw, int64_t field) except -1:
        if len(self.head) + len(raw) > 8:
            self.op(PUT_NOTHING, field)
        self.head += raw
        return 0

    cdef int add(self, int64_t field, object source) except -1:
        """Adds the operation of one field."""
        cdef encode_op* op
        if isinstance(source, shapes.Ints):
            self.gathered.append((address(source.values), source.values.strides[0], field))
            return 0
        self.add_gathered()
        if isinstance(source, shapes.Const) and len(source.raw) <= 8:
            return self.add_head(source.raw, field)
        if isinstance(source, shapes.Table):
            self.add_ints(PUT_INTS, field, address(source.values), source.values.strides[0], source.values.shape[1])
        elif isinstance(source, shapes.Array):
            head = array_head(source.values.shape[1])
            self.add_head(head, field)
            put = PUT_ARRAY if source.present is None else PUT_OPTIONAL
            op = self.add_ints(
                put, field, address(source.values), source.values.strides[0], source.values.shape[1]
            )
            op.size = len(head)
            if source.present is not None:
                op.present = <const int64_t*>address(source.present)
        elif isinstance(source, (shapes.Text, shapes.Binary)):
            op = self.op(PUT_TEXT if isinstance(source, shapes.Text) else PUT_BINARY, field)
            op.offsets, op.data = <const int64_t*>address(source.offsets), <const uint8_t*>address(source.data)
            op.size = len(source.data)
            self.longest += 5
        else:
            choice = isinstance(source, shapes.Choice)
            offsets, data, longest = shapes.joined(source.raws if choice else [source.raw])
            data = np.concatenate([data, np.zeros(ENCODE_SLACK, dtype=np.uint8)])
            self.held.append((offsets, data))
            op = self.op(PUT_RAW, field)
            op.width = len(offsets) - 1
            op.values = <const char*>address(source.chosen) if choice else NULL
            op.offsets, op.data = <const int64_t*>address(offsets), <const uint8_t*>address(data)
            self.longest += longest
        return 0

    cdef encode_op* add_ints(self, int put, int64_t field, int64_t first, int64_t stride, int64_t width) except NULL:
        cdef encode_op* op = self.op(put, field)
        op.values, op.stride, op.width = <const char*>first, stride, width
        self.longest += 9 * width
        return op

    cdef int add_gathered(self) except -1:
        """Adds the operations of the integers so far: together where they are neighbours in a table."""
        cdef encode_op* op
        cdef list left = self.gathered, near
        self.gathered = []
        while left:
            near = left[: beside(left)]
            if len(near) >= 4 or len(near) == len(left):
                first, stride, field = near[0]
                self.add_ints(PUT_INTS, field, first, stride, len(near))
            else:
                # Up to where neighbours begin that are worth an operation of their own.
                near = left[: next((at for at in range(1, 8) if beside(left[at:]) >= 4), 8)]
                op = self.add_ints(PUT_GATHERED, near[0][2], 0, 0, len(near))
                for k, (first, stride, _) in enumerate(near):
                    op.origins[k], op.strides[k] = <const char*><int64_t>first, stride
            left = left[len(near) :]
        return 0


cdef int64_t beside(list ints) except -1:
    """Returns how many of the first (address, stride, field) are neighbours in the rows of one table."""
    cdef int64_t n = 1
    while n < len(ints) and ints[n][1] == ints[0][1] and ints[n][0] == ints[0][0] + 8 * n:
        n += 1
    return n if ints else 0


cdef bytes array_head(int64_t length):
    cdef uint8_t head[16]
    cdef uint8_t* end = put_head(head, length, 0x90, 16, 0, 0xDC)
    return PyBytes_FromStringAndSize(<const char*>head, end - head)


def encode(fields, rows):
    """Returns one msgpack array a row that ``rows`` names; see the reference."""
    shapes.check_sources(fields, rows)
    cdef Program program = Program(fields)
    cdef const int64_t[::1] selected = rows
    cdef int64_t n = selected.shape[0], texts = 0, used = 0, f, fault[4]
    cdef const int64_t* chosen = <const int64_t*>address(rows)
    cdef encode_op* ops = program.ops
    cdef encode_rows_t write = write_rows
    for f in range(program.count):
        if ops[f].put == PUT_TEXT or ops[f].put == PUT_BINARY:
            with nogil:
                used = encode_text_bytes(ops + f, chosen, n)
            if used < 0:
                at = fields[ops[f].field].offsets[selected[-1 - used] :][:2].tolist()
                raise shapes.text_outside(-1 - used, ops[f].field, *at, ops[f].size)
            texts += used
    # An upper bound: pages that are never written are never there.
    data = np.empty(texts + program.longest * n + ENCODE_SLACK, dtype=np.uint8)
    offsets = np.zeros(n + 1, dtype=np.int64)
    cdef int64_t* ends = <int64_t*>address(offsets)
    cdef uint8_t* out = <uint8_t*>address(data)
    with nogil:
        used = write(ops, program.count, chosen, n, ends, out, fault, _is_utf8)
    if used < 0:
        row, field = fault[0], fault[1]
        if fault[2] == BAD_TEXT:
            raise shapes.not_utf8(row, field)
        if fault[2] == BAD_CELL:
            cells_of_row = fields[field].values[selected[row]].tolist()
            raise shapes.absent_cell(row, field, cells_of_row.index(ABSENT))
        raise shapes.choice_out_of_range(row, field, fault[3], len(fields[field].raws))
    data.resize(used, refcheck=False)
    return Encoded(offsets, data)


# --- decode ---------------------------------------------------------------------------------------------------

cdef inline const uint8_t* get_array(
    Reader* r, const uint8_t* p, int64_t* cells, int64_t width, int optional
) noexcept nogil:
    cdef int64_t k, n = 0
    p = get_length(r, p, 0x90, 0xF0, 0, 0xDC, &n)
    if p == NULL:
        return NULL
    if n > width:
        return fail(r, WIDE, n)
    p = get_ints(r, p, cells, n, optional)
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
        elif out.kind == TABLE:
            values = out.values + row * out.width
            for k in range(out.width):
                p = get_int(r, p, values + k)
                if p == NULL:
                    return field + k
            field += out.width - 1
        elif out.kind == STR:
            n = 0
            p = get_text(r, p, out.data + out.used, &n)
            out.used += n
            out.offsets[row + 1] = out.used
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
    decode_block_t block, Out* outs, int64_t count, int64_t fields, const int64_t* starts, const int64_t* sizes,
    int64_t n, int64_t readable_end, int64_t[::1] fault,
) noexcept nogil:
    """Reads every state; returns 0, or -1 with (row, field, fault, detail) in fault."""
    cdef int64_t row = 0, stop, field
    cdef const uint8_t* p
    cdef Reader r
    r.fault, r.detail = 0, 0
    while row < n:
        stop = min(row + DECODE_ROWS, n)
        if block != NULL and stop - row == DECODE_ROWS and block(outs, count, fields, starts, sizes, row, n, _is_utf8):
            row = stop
        while row < stop:
            p = <const uint8_t*>starts[row]
            r.end = p + sizes[row]
            # States in one buffer may be over-read into the next one; a bytes object may not.
            r.readable = <const uint8_t*>readable_end if readable_end else r.end
            field = read_state(&r, p, outs, count, fields, row)
            if field >= 0:
                fault[0], fault[1], fault[2], fault[3] = row, field, r.fault, r.detail
                return -1
            row += 1
    return 0


cdef tuple _held(list states):
    """Returns (states, addresses, sizes, total bytes) of a list of bytes objects, which the states keep alive."""
    cdef int64_t n = len(states), row, total = 0
    starts, sizes = np.empty(n, dtype=np.int64), np.empty(n, dtype=np.int64)
    cdef int64_t[::1] at = starts, size = sizes
    cdef tuple held = PyTuple_New(n)
    cdef object state
    for row in range(n):
        if row + AHEAD < n:
            decode_ask_for(PyList_GET_ITEM(states, row + AHEAD))
        state = <object>PyList_GET_ITEM(states, row)
        if not PyBytes_CheckExact(state):
            raise TypeError(f"row {row}: expected the bytes of a state, got {type(state).__name__}")
        Py_INCREF(state)
        PyTuple_SET_ITEM(held, row, state)
        at[row] = <int64_t>PyBytes_AS_STRING(state)
        size[row] = PyBytes_GET_SIZE(state)
        total += size[row]
    return held, starts, sizes, total


cdef object _column(Out* out, int64_t n, int64_t total):
    """Allocates one column and points the reader at it; text columns get every byte there is as their bound."""
    if out.kind in (STR, BYTES):
        offsets, data = int64s(n + 1), uint8s(total + DECODE_SLACK)
        offsets[0] = 0
        out.offsets, out.data = <int64_t*>address(offsets), <uint8_t*>address(data)
        return Texts(offsets, data)
    values = int64s(n * out.width + SLACK)[: n * out.width]
    if out.kind != INT:
        values = values.reshape(n, out.width)
    out.values = <int64_t*>address(values)
    if out.kind != OPTIONAL_INTS:
        return values
    present = int64s(n)
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
    elif isinstance(states, Chosen):
        shapes.chosen_checked(states)
        held, offsets, n = states.encoded, states.encoded.offsets, len(states)
        starts, sizes = offsets[states.rows], offsets[1:][states.rows]
        sizes -= starts
        starts += address(held.data)
        total, readable_end = int(sizes.sum()), address(held.data) + len(held.data)
    else:
        # They are kept alive while the lock is released.
        held, starts, sizes, total = _held(states if type(states) is list else list(states))
        n = len(held)
    buffer = np.zeros(max(count, 1) * sizeof(Out), dtype=np.uint8)
    cdef Out* outs = <Out*>address(buffer)
    cdef list columns = []
    for f in range(count):
        outs[f].kind, outs[f].width = shapes.parse_kind(layout[f])
        columns.append(_column(&outs[f], n, total))
    cdef const int64_t* at = <const int64_t*>address(starts)
    cdef const int64_t* size = <const int64_t*>address(sizes)
    cdef decode_block_t block = read_block
    cdef int64_t[::1] fault = np.zeros(4, dtype=np.int64)
    with nogil:
        failed = read_states(block, outs, count, fields, at, size, n, readable_end, fault)
    if failed:
        raise shapes.malformed(layout, fault[0], fault[1], fault[2], fault[3])
    for f in range(count):
        if outs[f].kind in (STR, BYTES):
            # All bytes there are were its bound: a part of so large a block would keep all of it.
            data = columns[f].data[: outs[f].used]
            if total > SMALL:
                whole, data = data, uint8s(outs[f].used)
                data[:] = whole
            columns[f] = Texts(columns[f].offsets, data)
    return columns
