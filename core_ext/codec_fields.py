"""Names what the codec kernels take in and hand out: one source a field, one buffer of states.

A *source* is where the encoder finds a field's value for row ``i``. A *kind* is what the decoder expects at a
field: ``int``, ``str``, ``bytes``, ``ints:W`` (an array of at most W ints), ``optional-ints:W`` (nil, or an
array of at most W ints and nils), ``table:K`` (K consecutive int fields that become one table).
"""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import accumulate
from typing import NamedTuple, TypeAlias

import numpy as np
from numpy.typing import NDArray

from core_ext.text import Texts

Int64s: TypeAlias = NDArray[np.int64]
Bytes: TypeAlias = NDArray[np.uint8]


class Encoded(NamedTuple):
    """Holds one msgpack state a row: state ``i`` is ``data[offsets[i]:offsets[i + 1]]``."""

    offsets: Int64s
    data: Bytes


@dataclass(frozen=True, slots=True)
class Chosen:
    """Is some states of a buffer, those that ``rows`` names, in that order."""

    encoded: Encoded
    rows: Int64s

    def __len__(self) -> int:
        """Returns how many there are."""
        return len(self.rows)

    def __getitem__(self, which: slice | NDArray[np.bool_]) -> "Chosen":
        """Returns some of them."""
        return Chosen(self.encoded, self.rows[which])


def state_at(encoded: Encoded, row: int) -> bytes:
    """Returns one state of a buffer."""
    return encoded.data[encoded.offsets[row] : encoded.offsets[row + 1]].tobytes()


def joined_states(parts: Sequence[Encoded]) -> Encoded:
    """Returns the states of several buffers as one."""
    if len(parts) == 1:
        return parts[0]
    starts = accumulate((len(part.data) for part in parts), initial=0)
    offsets = [part.offsets[:-1] + start for part, start in zip(parts, starts, strict=False)]
    data = np.concatenate([np.zeros(0, np.uint8), *(part.data for part in parts)])
    return Encoded(np.concatenate([*offsets, [len(data)]]).astype(np.int64, copy=False), data)


class Ints(NamedTuple):
    """Is a field of integers, ``values[i]`` in row i; any stride, so that a column of a table needs no copy."""

    values: Int64s


class Table(NamedTuple):
    """Is K consecutive integer fields, ``values[i, 0..K-1]`` in row i; rows contiguous."""

    values: Int64s


class Text(NamedTuple):
    """Is a field of UTF-8 text in the shape of ``core_ext.text.Texts``."""

    offsets: Int64s
    data: Bytes


class Binary(NamedTuple):
    """Is a field of raw bytes in the shape of ``core_ext.text.Texts``."""

    offsets: Int64s
    data: Bytes


class Const(NamedTuple):
    """Is a field with one value in every row, already msgpack."""

    raw: bytes


class Choice(NamedTuple):
    """Is a field of few values, each already msgpack: ``raws[chosen[i]]`` in row i."""

    chosen: Int64s
    raws: Sequence[bytes]


class Array(NamedTuple):
    """Is a field of integer arrays, ``values[i]`` in row i.

    With ``present`` the array is nil where ``present[i]`` is 0 and an ABSENT cell is nil; without it every cell
    must be there, and an ABSENT one is refused.
    """

    values: Int64s
    present: Int64s | None = None


Source: TypeAlias = Ints | Table | Text | Binary | Const | Choice | Array
OptionalInts: TypeAlias = tuple[Int64s, Int64s]
Column: TypeAlias = Int64s | Texts | OptionalInts

INT, STR, BYTES, INTS, OPTIONAL_INTS, TABLE = range(6)
_NAMES = {"int": INT, "str": STR, "bytes": BYTES, "ints": INTS, "optional-ints": OPTIONAL_INTS, "table": TABLE}
_WIDE = (INTS, OPTIONAL_INTS, TABLE)

#: Faults of a state, as the kernels report them: (row, field, fault, detail).
END, TYPE, RANGE, UTF8, WIDE, COUNT, TRAILING = range(1, 8)


def parse_kind(text: str) -> tuple[int, int]:
    """Returns a kind's number and width (1 where it has none); raises ValueError for a kind there is not."""
    name, _, width = text.partition(":")
    kind = _NAMES.get(name)
    if kind is None or (kind in _WIDE) != (width.isdecimal() and 0 < int(width) < 65536):
        raise ValueError(f"expected int, str, bytes, ints:W, optional-ints:W or table:K as a kind, got {text!r}")
    return kind, int(width) if width else 1


def fields_of(layout: Sequence[str]) -> int:
    """Returns how many msgpack fields a state of this layout has."""
    return sum(width if kind == TABLE else 1 for kind, width in map(parse_kind, layout))


def _expected(layout: Sequence[str], field: int) -> str:
    at = 0
    for text in layout:
        kind, width = parse_kind(text)
        at += width if kind == TABLE else 1
        if field < at:
            return {
                STR: "UTF-8 text",
                BYTES: "bytes",
                INTS: f"an array of at most {width} ints",
                OPTIONAL_INTS: f"nil or an array of at most {width} ints and nils",
            }.get(kind, "an int of 64 bits")
    return f"an array of {fields_of(layout)} fields"


def malformed(layout: Sequence[str], row: int, field: int, fault: int, detail: int) -> ValueError:
    """Returns the error for a state that is not what the layout says; ``field`` is the field count at the header."""
    got = {
        END: "the end of the state",
        TYPE: f"byte 0x{detail:02x}",
        RANGE: "a larger one",
        UTF8: "bytes that are not UTF-8",
        WIDE: f"{detail} of them",
        COUNT: f"{detail} of them",
        TRAILING: f"{detail} bytes behind it",
    }[fault]
    where = f"field {field}" if field < fields_of(layout) else "the state"
    return ValueError(f"row {row}, {where}: expected {_expected(layout, field)}, got {got}")


def absent_cell(row: int, field: int, column: int) -> ValueError:
    """Returns the error for an ABSENT cell of an array that has no presence column."""
    return ValueError(
        f"row {row}, field {field}: expected an integer in every cell, got an absent one in cell {column}"
    )


def choice_out_of_range(row: int, field: int, index: int, choices: int) -> ValueError:
    """Returns the error for a choice there is not."""
    return ValueError(f"row {row}, field {field}: expected a choice from 0 to {choices - 1}, got {index}")


def not_utf8(row: int, field: int) -> ValueError:
    """Returns the error for a text to encode that is not UTF-8."""
    return ValueError(f"row {row}, field {field}: expected UTF-8 text, got bytes that are not UTF-8")


def text_outside(row: int, field: int, start: int, stop: int, size: int) -> ValueError:
    """Returns the error for a text whose offsets do not rise within its data, or that is 4 GiB or longer."""
    return ValueError(f"row {row}, field {field}: expected offsets rising within {size} bytes, got {start} to {stop}")


def int64s(what: str, values: Int64s, dimensions: int = 1, contiguous: bool = True) -> Int64s:
    """Returns the array itself once it has the shape a kernel reads; raises ValueError otherwise.

    With two dimensions rows are always contiguous; ``contiguous`` asks it of the whole array.
    """
    if not isinstance(values, np.ndarray) or values.dtype != np.int64 or values.ndim != dimensions:
        got = f"{values.dtype}[{values.ndim}]" if isinstance(values, np.ndarray) else type(values).__name__
        raise ValueError(f"{what}: expected int64 values in {dimensions} dimensions, got {got}")
    if contiguous and not values.flags.c_contiguous:
        raise ValueError(f"{what}: expected C-contiguous values, got strides {values.strides}")
    return values


def texts_shaped(what: str, offsets: Int64s, data: Bytes) -> int:
    """Returns how many texts the buffer holds; raises ValueError for arrays of another type or shape."""
    int64s(f"{what} offsets", offsets)
    if not isinstance(data, np.ndarray) or data.dtype != np.uint8 or data.ndim != 1 or not data.flags.c_contiguous:
        raise ValueError(f"{what}: expected contiguous uint8 data, got {getattr(data, 'dtype', type(data).__name__)}")
    if len(offsets) == 0:
        raise ValueError(f"{what}: expected one offset more than texts, got none")
    return len(offsets) - 1


def texts_checked(what: str, offsets: Int64s, data: Bytes) -> int:
    """Returns how many texts the buffer holds; raises ValueError unless its offsets rise within the data."""
    count = texts_shaped(what, offsets, data)
    if offsets[0] < 0 or offsets[-1] > len(data) or bool(np.any(offsets[1:] < offsets[:-1])):
        raise ValueError(f"{what}: expected offsets rising within {len(data)} bytes, got others")
    return count


def chosen_checked(states: Chosen) -> None:
    """Checks that every row named is there; raises ValueError else."""
    count, rows = texts_checked("states", *states.encoded), int64s("rows", states.rows, contiguous=False)
    if len(rows) and not 0 <= rows.min() <= rows.max() < count:
        raise ValueError(f"expected rows from 0 to {count - 1}, got {rows.min()} to {rows.max()}")


def joined(raws: Sequence[bytes]) -> tuple[Int64s, Bytes, int]:
    """Returns (offsets, data, length of the longest) of raw values; the data is never empty."""
    lengths = [len(raw) for raw in raws]
    offsets = np.array([0, *accumulate(lengths)], dtype=np.int64)
    return offsets, np.frombuffer(b"".join(raws) + b"\0", dtype=np.uint8), max(lengths, default=0)


def rows_of(source: Source, field: int) -> int | None:
    """Returns how many rows a source has, None for a constant; raises ValueError for arrays of another shape.

    Offsets are checked row by row where they are used: a batch must not pay for the whole column.
    """
    what = f"field {field}"
    match source:
        case Const():
            return None
        case Ints(values):
            return len(int64s(what, values, contiguous=False))
        case Table(values):
            return len(int64s(what, values, 2))
        case Text(offsets, data) | Binary(offsets, data):
            return texts_shaped(what, offsets, data)
        case Choice(chosen, _):
            return len(int64s(what, chosen))
        case Array(values, present):
            rows = len(int64s(what, values, 2))
            if present is not None and len(int64s(f"{what} present", present)) != rows:
                raise ValueError(f"{what}: expected {rows} rows in present, got {len(present)}")
            return rows
    raise TypeError(f"{what}: expected a source of core_ext.codec_fields, got {type(source).__name__}")


def check_sources(fields: Sequence[Source], rows: Int64s) -> None:
    """Checks that sources agree on their row count and that ``rows`` lie within it; raises ValueError if not."""
    int64s("rows", rows)
    counts = {count for field, source in enumerate(fields) if (count := rows_of(source, field)) is not None}
    if len(counts) > 1:
        raise ValueError(f"expected every field to have the same number of rows, got {sorted(counts)}")
    if len(rows) and counts and (rows.min() < 0 or rows.max() >= max(counts)):
        raise ValueError(f"expected rows from 0 to {max(counts) - 1}, got {rows.min()} to {rows.max()}")
