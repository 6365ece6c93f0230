"""Specifies the codec: columns to msgpack array states, states to columns, and the rows stores take in.

Integers and lengths always take their shortest msgpack form, so that the bytes equal those of
``msgspec.msgpack.encode`` of an ``array_like`` Struct. The decoder takes every form of an integer.
"""

import struct
from collections.abc import Sequence
from typing import Any

import numpy as np

from core_ext.codec_fields import (
    BYTES,
    COUNT,
    END,
    INT,
    INTS,
    OPTIONAL_INTS,
    RANGE,
    STR,
    TABLE,
    TRAILING,
    TYPE,
    UTF8,
    WIDE,
    Array,
    Binary,
    Choice,
    Chosen,
    Column,
    Const,
    Encoded,
    Int64s,
    Ints,
    Source,
    Table,
    Text,
    absent_cell,
    check_sources,
    choice_out_of_range,
    chosen_checked,
    fields_of,
    malformed,
    not_utf8,
    parse_kind,
    state_at,
    text_outside,
)
from core_ext.layout import ABSENT
from core_ext.reference.records import cut, grouped, rows
from core_ext.text import texts_from_list

__all__ = ["cut", "decode", "encode", "grouped", "rows"]

_INT_FORMS = {0xCC: ">B", 0xCD: ">H", 0xCE: ">I", 0xCF: ">Q", 0xD0: ">b", 0xD1: ">h", 0xD2: ">i", 0xD3: ">q"}


def _int(value: int) -> bytes:
    if -32 <= value < 128:
        return struct.pack(">B", value & 0xFF)
    forms = (0xCC, 0xCD, 0xCE, 0xCF) if value >= 0 else (0xD0, 0xD1, 0xD2, 0xD3)
    bits = value.bit_length() if value >= 0 else (~value).bit_length() + 1
    head = forms[0 if bits <= 8 else 1 if bits <= 16 else 2 if bits <= 32 else 3]
    return bytes([head]) + struct.pack(_INT_FORMS[head], value)


def _head(length: int, fix: int, fix_below: int, forms: dict[int, tuple[int, str]]) -> bytes:
    if length < fix_below:
        return bytes([fix | length])
    for below, (head, form) in forms.items():
        if length < below:
            return bytes([head]) + struct.pack(form, length)
    raise ValueError(f"expected fewer than {2**32} bytes or cells, got {length}")


def _array_head(length: int) -> bytes:
    return _head(length, 0x90, 16, {2**16: (0xDC, ">H"), 2**32: (0xDD, ">I")})


def _str_head(length: int) -> bytes:
    return _head(length, 0xA0, 32, {2**8: (0xD9, ">B"), 2**16: (0xDA, ">H"), 2**32: (0xDB, ">I")})


def _bin_head(length: int) -> bytes:
    return _head(length, 0, 0, {2**8: (0xC4, ">B"), 2**16: (0xC5, ">H"), 2**32: (0xC6, ">I")})


def _array(source: Array, row: int, i: int, field: int) -> bytes:
    if source.present is not None and source.present[i] == 0:
        return b"\xc0"
    cells = source.values[i].tolist()
    if source.present is None and ABSENT in cells:
        raise absent_cell(row, field, cells.index(ABSENT))
    return _array_head(len(cells)) + b"".join(b"\xc0" if cell == ABSENT else _int(cell) for cell in cells)


def _value(source: Source, row: int, i: int, field: int) -> bytes:
    match source:
        case Ints(values):
            return _int(int(values[i]))
        case Table(values):
            return b"".join(map(_int, values[i].tolist()))
        case Text(offsets, data):
            raw = data[offsets[i] : offsets[i + 1]].tobytes()
            try:
                raw.decode()
            except UnicodeDecodeError:
                raise not_utf8(row, field) from None
            return _str_head(len(raw)) + raw
        case Binary(offsets, data):
            raw = data[offsets[i] : offsets[i + 1]].tobytes()
            return _bin_head(len(raw)) + raw
        case Const(raw):
            return raw
        case Choice(chosen, raws):
            at = int(chosen[i])
            if not 0 <= at < len(raws):
                raise choice_out_of_range(row, field, at, len(raws))
            return raws[at]
        case Array():
            return _array(source, row, i, field)


def encode(fields: Sequence[Source], rows: Int64s) -> Encoded:
    """Returns one msgpack array of ``len(fields)`` values (a Table is K of them) for each row that ``rows`` names.

    Raises ValueError for buffers of another shape or type, rows outside the sources, a choice there is not, text
    that is not UTF-8, and an ABSENT cell of an array without presence; it names the position in ``rows``.
    """
    check_sources(fields, rows)
    for field, source in enumerate(fields):
        if isinstance(source, Text | Binary):
            for row, i in enumerate(rows.tolist()):
                start, stop, size = int(source.offsets[i]), int(source.offsets[i + 1]), len(source.data)
                if not (0 <= start <= stop <= size and stop - start < 2**32):
                    raise text_outside(row, field, start, stop, size)
    head = _array_head(sum(source.values.shape[1] if isinstance(source, Table) else 1 for source in fields))
    states = []
    for row, i in enumerate(rows.tolist()):
        states.append(head + b"".join(_value(source, row, i, field) for field, source in enumerate(fields)))
    return Encoded(*texts_from_list(states))


class _MalformedError(Exception):
    """Carries (field, fault, detail) of a malformed state up to where the row is known."""


class _Reader:
    """Reads one state; ``field`` is the msgpack field it stands in."""

    def __init__(self, raw: bytes, field: int) -> None:
        self.raw, self.at, self.field = raw, 0, field

    def fault(self, fault: int, detail: int = 0) -> _MalformedError:
        return _MalformedError(self.field, fault, detail)

    def take(self, size: int) -> bytes:
        if len(self.raw) - self.at < size:
            raise self.fault(END)
        self.at += size
        return self.raw[self.at - size : self.at]

    def integer(self) -> int:
        head = self.take(1)[0]
        if head < 0x80:
            return head
        if head >= 0xE0:
            return head - 256
        form = _INT_FORMS.get(head)
        if form is None:
            raise self.fault(TYPE, head)
        value: int = struct.unpack(form, self.take(struct.calcsize(form)))[0]
        if value >= 2**63:
            raise self.fault(RANGE)
        return value

    def length(self, fix: int, fix_mask: int, forms: dict[int, str]) -> int:
        head = self.take(1)[0]
        if fix_mask and head & fix_mask == fix:
            return head & ~fix_mask
        form = forms.get(head)
        if form is None:
            raise self.fault(TYPE, head)
        value: int = struct.unpack(form, self.take(struct.calcsize(form)))[0]
        return value

    def array_length(self) -> int:
        return self.length(0x90, 0xF0, {0xDC: ">H", 0xDD: ">I"})

    def text(self) -> bytes:
        raw = self.take(self.length(0xA0, 0xE0, {0xD9: ">B", 0xDA: ">H", 0xDB: ">I"}))
        try:
            raw.decode()
        except UnicodeDecodeError:
            raise self.fault(UTF8) from None
        return raw

    def binary(self) -> bytes:
        return self.take(self.length(0, 0, {0xC4: ">B", 0xC5: ">H", 0xC6: ">I"}))

    def nil(self) -> bool:
        if self.raw[self.at : self.at + 1] == b"\xc0":
            self.at += 1
            return True
        return False

    def ints(self, width: int, optional: bool) -> list[int]:
        length = self.array_length()
        if length > width:
            raise self.fault(WIDE, length)
        cells = [ABSENT if optional and self.nil() else self.integer() for _ in range(length)]
        return cells + [ABSENT if optional else 0] * (width - length)


def _read(reader: _Reader, kinds: Sequence[tuple[int, int]]) -> list[object]:
    count, got = reader.field, reader.array_length()
    if got != count:
        raise reader.fault(COUNT, got)
    reader.field, values = 0, list[object]()
    for kind, width in kinds:
        if kind == TABLE:
            cells = []
            for _ in range(width):
                cells.append(reader.integer())
                reader.field += 1
            values.append(cells)
            continue
        if kind == INT:
            values.append(reader.integer())
        elif kind == STR:
            values.append(reader.text())
        elif kind == BYTES:
            values.append(reader.binary())
        elif kind == OPTIONAL_INTS and reader.nil():
            values.append(None)
        else:
            values.append(reader.ints(width, optional=kind == OPTIONAL_INTS))
        reader.field += 1
    if reader.at != len(reader.raw):
        raise reader.fault(TRAILING, len(reader.raw) - reader.at)
    return values


def _column(kind: int, width: int, values: list[Any]) -> Column:
    if kind in (STR, BYTES):
        return texts_from_list([bytes(value) for value in values])
    if kind == OPTIONAL_INTS:
        present = np.array([value is not None for value in values], dtype=np.int64)
        cells = [[ABSENT] * width if value is None else value for value in values]
        return np.array(cells, dtype=np.int64).reshape(len(cells), width), present
    if kind in (INTS, TABLE):
        return np.array(values, dtype=np.int64).reshape(len(values), width)
    return np.array(values, dtype=np.int64)


def _raws(states: Sequence[bytes] | Encoded | Chosen) -> list[bytes]:
    if isinstance(states, Encoded):
        return cut(states)
    if isinstance(states, Chosen):
        chosen_checked(states)
        return [state_at(states.encoded, row) for row in states.rows.tolist()]
    return list(states)


def decode(layout: Sequence[str], states: Sequence[bytes] | Encoded | Chosen) -> list[Column]:
    """Returns one column a kind of ``layout``: int64[n] (int), Texts (str, bytes), int64[n, W] (ints, table).

    An optional-ints column is (int64[n, W], present int64[n]), ABSENT where a cell or the whole array is nil. An
    array shorter than W was written before its last columns existed: those read 0 (ABSENT in optional-ints).
    Raises ValueError naming the row, the field, what was expected and what came.
    """
    kinds = [parse_kind(text) for text in layout]
    raws = _raws(states)
    values: list[list[object]] = [[] for _ in kinds]
    for row, raw in enumerate(raws):
        if not isinstance(raw, bytes):
            raise TypeError(f"row {row}: expected the bytes of a state, got {type(raw).__name__}")
        try:
            read = _read(_Reader(raw, fields_of(layout)), kinds)
        except _MalformedError as error:
            raise malformed(layout, row, *error.args) from None
        for column, value in zip(values, read, strict=True):
            column.append(value)
    return [_column(kind, width, column) for (kind, width), column in zip(kinds, values, strict=True)]
