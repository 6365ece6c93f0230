"""Reads a Parquet file, or JSON lines, as the CSV file it stands for, so that its rows meet the same checks.

Nothing passes through binary fractions: a number of JSON keeps its spelling, a decimal of Parquet its digits.
"""

import csv
import io
import json
from collections.abc import Iterable, Iterator, Mapping
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec

from ledger.file_kinds import GB18030, bytes_found, is_gb18030, is_utf8
from ledger.refusals import SourceError

if TYPE_CHECKING:
    import pyarrow as pa

#: How a Parquet file begins, and what a JSON line may have in front.
PARQUET = b"PAR1"
_BLANK = b" \t\r\n"

#: Rows turned into text at a time and about what they may hold, the longest line, which is as long as a record of CSV
#: may be, and the most names that the lines of a file may have between them: each is a column of every row.
ROWS = 4_096
ROWS_BYTES = 1 << 24
LINE_BYTES = 1 << 26
NAMES = 4_096

#: Columns of days: many tools keep a day as the moment at which it begins.
DAYS = ("begndate", "enddate")

#: China's time is so many seconds ahead of UTC; how many of its units Arrow counts in one.
_CHINA_S = 8 * 3600
_A_SECOND = {"s": 1, "ms": 10**3, "us": 10**6, "ns": 10**9}

#: How a colon stands that has no name right before it; no line has another blank in it.
_SPACED = (b" :", b"\t:", b"\r:")

_OBJECT = msgspec.json.Decoder(dict[str, Any], float_hook=str)
#: What a cell is written from as it is: a null is nothing.
_PLAIN = {str, int, type(None)}


def pieces_of(path: Path, start: bytes, renamed: Mapping[str, str]) -> Iterator[bytes] | None:
    """Returns a file as pieces of CSV in UTF-8, told by how it begins; None where it is text already.

    ``renamed`` has the national names of columns that have others.

    A line that is no JSON object is a record of one cell, which no header has so few of. Raises SourceError, also
    while it is read, where the file is damaged as a whole or has columns of other kinds than a claim has.
    """
    if start.startswith(PARQUET):
        return _parquet(path, renamed)
    text = start.removeprefix(b"\xef\xbb\xbf").lstrip(_BLANK)
    # A column's name may stand in brackets.
    if text.startswith(b"[") and text[1:].lstrip(_BLANK)[:1] in (b"", b"{", b"[", b"]"):
        raise SourceError(
            f"{path}: expected CSV, Parquet or an object of JSON a line, got a JSON array: write its objects"
            " one a line, without the brackets and commas between them"
        )
    if not text.startswith(b"{"):
        return None
    if is_gb18030(start):
        raise SourceError(f"{path}: expected JSON lines in UTF-8, as JSON is, got {GB18030}: save it as UTF-8")
    return _json_lines(path)


class Pieces(io.RawIOBase):
    """Is pieces of bytes, one behind the other, as a file that is read once."""

    def __init__(self, pieces: Iterator[bytes]) -> None:
        self._pieces = pieces
        self._rest = memoryview(b"")

    def readable(self) -> bool:
        """Returns True."""
        return True

    def readinto(self, buffer: Any) -> int:
        """Fills a buffer with what comes next and returns how many bytes; 0 at the end."""
        while not self._rest:
            piece = next(self._pieces, None)
            if piece is None:
                return 0
            self._rest = memoryview(piece)
        n = min(len(buffer), len(self._rest))
        buffer[:n], self._rest = self._rest[:n], self._rest[n:]
        return n


def _csv(rows: Iterable[Iterable[object]]) -> bytes:
    text = io.StringIO()
    csv.writer(text, lineterminator="\n", quoting=csv.QUOTE_ALL).writerows(rows)
    return text.getvalue().encode("utf-8", "surrogatepass")


def _json_lines(path: Path) -> Iterator[bytes]:
    """Yields the header, which has every name that some line has, then the rows."""
    status = path.stat()
    names = _names(path, (status.st_ino, status.st_size, status.st_mtime_ns))
    yield _csv([names])
    rows: list[list[object]] = []
    held = 0
    for line in _lines(path):
        cells = _cells(line, names)
        if cells is None:
            yield _csv(rows) + b'"' + line.strip(_BLANK).replace(b'"', b'""') + b'"\n'
            rows, held = [], 0
            continue
        rows.append(cells)
        held += len(line) + len(names)
        if len(rows) == ROWS or held > ROWS_BYTES:
            yield _csv(rows)
            rows, held = [], 0
    yield _csv(rows)


@lru_cache(maxsize=4)
def _names(path: Path, identity: tuple[int, int, int]) -> tuple[str, ...]:
    """Returns every name in the order in which it first appears; a file is opened more than once, and read once for it.

    ``identity`` is what changes where the file does. Raises SourceError for more than a table has columns, or none.
    """
    names: dict[str, None] = {}
    first = b""
    for line in _lines(path):
        row = _object(line)
        first = first or line
        if row is not None and not row.keys() <= names.keys():
            names |= dict.fromkeys(row)
            if len(names) > NAMES:
                raise SourceError(
                    f"{path}: expected objects that have their names in common, got more than {NAMES}:"
                    " write as a value what differs from line to line"
                )
    if not names:
        got = bytes_found(first) if not is_utf8(first) else "none that names anything: write each on its own line"
        raise SourceError(f"{path}: expected lines of JSON in UTF-8, an object each, got {got}")
    return tuple(names)


def _lines(path: Path) -> Iterator[bytes]:
    """Yields the lines of a file that have something in them."""
    with path.open("rb") as file:
        at = 0
        while line := file.readline(LINE_BYTES + 1):
            at += 1
            if len(line) > LINE_BYTES:
                raise SourceError(f"{path}: expected an object a line, got line {at} of more than {LINE_BYTES} bytes")
            if at == 1:
                line = line.removeprefix(b"\xef\xbb\xbf")
            if line.strip(_BLANK):
                yield line


def _object(line: bytes) -> dict[str, Any] | None:
    """Returns what a line says by name; None where it is no object."""
    try:
        return _OBJECT.decode(line)
    except (ValueError, RecursionError):
        return None


def _cells(line: bytes, names: tuple[str, ...]) -> list[object] | None:
    """Returns what a line says of each name, None where it is no object or says something twice."""
    row = _object(line)
    if row is None or _says_twice(line, row):
        return None
    cells = list(map(row.get, names))
    try:
        return cells if _PLAIN.issuperset(map(type, cells)) else list(map(_cell, cells))
    except RecursionError:
        return None


def _says_twice(line: bytes, row: dict[str, Any]) -> bool:
    """Returns whether a line says something of one name twice: ``row`` has the last of it alone."""
    # Where nothing stands between a name and its colon, names end so; in a value it may stand too.
    if line.count(b'":') == len(row) and not any(map(line.__contains__, _SPACED)):
        return False
    try:
        pairs: list[Any] = json.loads(line, object_pairs_hook=list)
    except (ValueError, RecursionError):
        return True
    return len(pairs) != len(row)


def _cell(value: object) -> object:
    """Returns a value of JSON as what a cell is written from: 1 or 0 for true or false, JSON for what has parts."""
    if isinstance(value, bool):
        return int(value)
    return json.dumps(value, ensure_ascii=False) if isinstance(value, list | dict) else value


def _parquet(path: Path, renamed: Mapping[str, str]) -> Iterator[bytes]:
    import pyarrow as pa
    import pyarrow.csv as pc
    import pyarrow.parquet as pq

    try:
        with pq.ParquetFile(path) as file:
            schema = file.schema_arrow
            for column in schema:
                _check_kind(path, column)
            yield _csv([schema.names])
            days = [renamed.get(name, name) in DAYS for name in schema.names]
            for batch in file.iter_batches(ROWS):
                text = pa.BufferOutputStream()
                columns = [_texts(column, day) for column, day in zip(batch.columns, days, strict=True)]
                texts = pa.record_batch(columns, schema.names)
                pc.write_csv(texts, text, pc.WriteOptions(include_header=False))
                yield text.getvalue().to_pybytes()
    except (pa.ArrowException, OSError, UnicodeDecodeError) as error:
        # A name that is no text is met by whoever asks for the names.
        raise SourceError(f"{path}: expected a Parquet file that can be read, got: {error}") from error


def _check_kind(path: Path, column: "pa.Field") -> None:
    """Raises SourceError for a column whose cells have no one spelling, binary fractions before all."""
    from pyarrow import types

    kind = column.type.value_type if types.is_dictionary(column.type) else column.type
    fits = (
        types.is_string, types.is_large_string, types.is_string_view, types.is_integer, types.is_decimal,
        types.is_date, types.is_timestamp, types.is_boolean, types.is_null,
    )  # fmt: skip
    if not any(fit(kind) for fit in fits):
        floats = "; an amount as a binary fraction is not exact to the fen" if types.is_floating(kind) else ""
        raise SourceError(
            f"{path}: expected columns of text, whole numbers, decimals, days or times, got {kind} in column"
            f" {column.name}{floats}: write it as decimal(18, 2) or as text"
        )


def _texts(column: "pa.Array", day: bool) -> "pa.Array":
    """Returns a column as texts: amounts with two decimals where that is exact, times to the second, in China's.

    Where a column is one of days, the beginning of a day is that day.
    """
    import pyarrow as pa
    import pyarrow.compute as pc
    from pyarrow import types

    if types.is_dictionary(column.type):
        column = column.dictionary_decode()
    kind = column.type
    if types.is_boolean(kind):
        column = column.cast(pa.int8())
    elif types.is_date(kind):
        column = column.cast(pa.date32())
    elif types.is_decimal(kind) and kind.scale > 2:
        return _shorter(column, pa.decimal256(76, 2))
    elif types.is_timestamp(kind):
        moments = _shorter(column, pa.timestamp("s", kind.tz))
        return pc.replace_substring_regex(moments, " 00:00:00$", "") if day else moments
    return _text(column)


def _shorter(column: "pa.Array", kind: "pa.DataType") -> "pa.Array":
    """Returns a column's texts as of another kind, but of its own in each cell of which that would lose anything."""
    import pyarrow as pa
    import pyarrow.compute as pc

    try:
        return _text(column.cast(kind))
    except pa.ArrowInvalid:
        short = column.cast(kind, safe=False)
        return pc.if_else(pc.equal(short.cast(column.type), column), _text(short), _text(column))


def _text(column: "pa.Array") -> "pa.Array":
    """Returns a column as texts, a moment with a zone as China's: whatever zone it names, what it counts is UTC."""
    import pyarrow as pa
    import pyarrow.compute as pc
    from pyarrow import types

    kind = column.type
    if types.is_timestamp(kind) and kind.tz is not None:
        column = pc.add(column.cast(pa.int64()), _CHINA_S * _A_SECOND[kind.unit]).cast(pa.timestamp(kind.unit))
    return column.cast(pa.string())
