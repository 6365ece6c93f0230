"""Cuts a CSV file, or one that is read as such, into records, in order and in bounded memory: tables of cells out."""

import codecs
from collections.abc import Iterator
from io import BufferedReader, FileIO
from pathlib import Path
from types import TracebackType

import numpy as np

from core_ext.cells import BAD_QUOTES, WRONG_COUNT, Cells, cut_record, new_cells
from core_ext.defusing import undone
from core_ext.kernels import load
from ledger.as_csv import Pieces, pieces_of
from ledger.file_kinds import GB18030, bytes_found, check_at_rest, is_gb18030
from ledger.profile import Profile
from ledger.quarantine import DIAGNOSTICS
from ledger.refusals import SourceError

#: What is read at a time, what a batch may hold before it is handed on, and what one record may be long.
BLOCK_BYTES = 1 << 20
BATCH_BYTES = 1 << 25
RECORD_BYTES = 1 << 26

_QUARANTINE = ",".join(DIAGNOSTICS).encode() + b","
_UNREADABLE = "ledger-unreadable"


def _as_surrogates(error: UnicodeError) -> tuple[str, int]:
    """Gives unreadable bytes as lone surrogates, which no UTF-8 text holds: the cell stays recognisably damaged."""
    if not isinstance(error, UnicodeDecodeError):
        raise error
    unreadable = error.object[error.start : error.end]
    return "".join(chr(byte if byte < 0x80 else 0xDC00 + byte) for byte in unreadable), error.end


codecs.register_error(_UNREADABLE, _as_surrogates)


class Records:
    """Hands out a file's records as tables of cells, after its header; a context manager.

    ``header`` has the file's column names without those a quarantine file puts in front. ``data`` is the buffer
    that the cells of the last ``cut`` lie in, valid until the next one.
    """

    def __init__(self, path: Path, profile: Profile) -> None:
        self.path = path
        self.row = 1
        self._handed = 0
        self.data = np.empty(4 * BLOCK_BYTES, np.uint8)
        self._split = load("split").split
        self._begin = self._end = 0
        self._final = False
        check_at_rest(path)
        try:
            self._file: BufferedReader[FileIO | Pieces] = BufferedReader(FileIO(path), BLOCK_BYTES)
        except OSError as error:
            raise SourceError(f"{path}: expected a readable file, got: {error.strerror}") from error
        try:
            self._open(profile)
        except BaseException:
            self._file.close()
            raise

    def _open(self, profile: Profile) -> None:
        start = self._file.peek()
        pieces = pieces_of(self.path, start, profile.columns)
        if pieces is not None:
            self._file.close()
            self._file = BufferedReader(Pieces(pieces), BLOCK_BYTES)
        self.is_quarantine = start.removeprefix(codecs.BOM_UTF8).startswith(_QUARANTINE)
        self._lead = len(DIAGNOSTICS) if self.is_quarantine else 0
        # UTF-8 and commas, whatever its first source was, has what we wrote.
        ours = self.is_quarantine or pieces is not None
        encoding = "utf-8" if ours else profile.encoding
        self._delimiter = ord("," if ours else profile.delimiter)
        if encoding == "utf-8" and not ours:
            self._refuse_gb18030(start)
        self._decoder = None if encoding == "utf-8" else codecs.getincrementaldecoder(encoding)(_UNREADABLE)
        self._show = "surrogateescape" if self._decoder is None else "surrogatepass"
        self.header = self._read_header(encoding)

    def _refuse_gb18030(self, start: bytes) -> None:
        """Raises SourceError for a file in the encoding of Chinese spreadsheets, each row of which would be damaged."""
        if is_gb18030(start):
            raise SourceError(
                f"{self.path}: expected text in UTF-8, got {GB18030}: save it as UTF-8, or take it in with"
                " --profile national-gb18030"
            )

    def __enter__(self) -> "Records":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._file.close()

    def _read_header(self, encoding: str) -> tuple[str, ...]:
        self._more(BLOCK_BYTES)
        if self.data[: self._end].tobytes().startswith(codecs.BOM_UTF8):
            self._begin = len(codecs.BOM_UTF8)
        while True:
            raw = self.data[: self._end].tobytes()
            while self._begin < len(raw) and raw[self._begin] in b"\r\n":
                self._begin += 1
            stop, bounds, sound, ended = cut_record(raw, self._begin, len(raw), self._delimiter)
            if ended or self._final:
                break
            if len(raw) > RECORD_BYTES:
                raise SourceError(
                    f"{self.path}: expected a header of column names, got {RECORD_BYTES} bytes without one"
                )
            self._more(len(raw))
        if self._begin == stop:
            raise SourceError(f"{self.path}: expected a header of column names, got an empty file")
        if not sound:
            raise SourceError(f"{self.path}: expected a header of column names, got quotes that do not close")
        self._begin = stop
        try:
            cells = [raw[a:b].replace(b'""', b'"') if quoted else raw[a:b] for a, b, quoted in bounds]
            names = [(undone(cell) if self._lead else cell).decode() for cell in cells]
        except UnicodeDecodeError as error:
            raise SourceError(f"{self.path}: expected a header in {encoding}, got {bytes_found(raw)}") from error
        return tuple(names[self._lead :])

    def _more(self, least: int) -> None:
        """Reads at least ``least`` bytes more behind those held, or up to the file's end."""
        raw: bytes = self._file.read(max(least, BLOCK_BYTES))
        self._final = not raw
        if self._decoder is not None:
            raw = self._decoder.decode(raw, self._final).encode("utf-8", "surrogatepass")
        if self._end + len(raw) > len(self.data):
            wider = np.empty(2 * (self._end + len(raw)), np.uint8)
            wider[: self._end] = self.data[: self._end]
            self.data = wider
        self.data[self._end : self._end + len(raw)] = np.frombuffer(raw, np.uint8)
        self._end += len(raw)

    def cut(self, cells: Cells) -> int:
        """Fills ``cells`` with the next records and returns how many; 0 at the end. ``row`` is the first one's number.

        Raises SourceError where a record is longer than RECORD_BYTES, as one is whose quote is never closed.
        """
        self.row += self._handed
        if self._begin > len(self.data) // 2:
            rest = self._end - self._begin
            self.data[:rest] = self.data[self._begin : self._end].copy()
            self._begin, self._end = 0, rest
        at: int = 0
        rows, origin = len(cells.shape), self._begin
        while True:
            at, self._begin = self._split(
                self.data, self._begin, self._end, self._final, self._delimiter, self._lead, cells, at
            )
            if at == rows or self._final or (at and self._begin - origin > BATCH_BYTES):
                break
            rest = self._end - self._begin
            if rest > RECORD_BYTES:
                raise SourceError(
                    f"{self.path}: record {self.row + at} is longer than {RECORD_BYTES} bytes; is a quote left open?"
                )
            self._more(rest)
        self._handed = at
        return at

    def texts(self, cells: Cells, at: int) -> list[str]:
        """Returns the cells of record ``at`` of the last cut as they stand in the file, damaged ones included.

        Unreadable bytes come as lone surrogates. A record whose quotes are unsound is one cell: its raw text.
        """
        begin, stop = cells.records[at].tolist()
        if cells.shape[at] == BAD_QUOTES:
            return [self._text(self.data[begin:stop].tobytes())]
        if cells.shape[at] == WRONG_COUNT:
            raw = self.data[begin:stop].tobytes()
            _, parts, _, _ = cut_record(raw, 0, len(raw), self._delimiter)
            found = [raw[a:b].replace(b'""', b'"') if quoted else raw[a:b] for a, b, quoted in parts]
            return [self._text(undone(cell) if self._lead else cell) for cell in found[self._lead :]]
        bounds = zip(cells.starts[at].tolist(), cells.ends[at].tolist(), strict=True)
        return [self._text(self.data[a:b].tobytes()) for a, b in bounds]

    def _text(self, cell: bytes) -> str:
        return cell.decode("utf-8", self._show)


def each_record(path: Path, profile: Profile, rows: set[int]) -> Iterator[tuple[int, list[str]]]:
    """Yields (row, its cells) of the given rows in order, reading the file once and only as far as needed."""
    wanted = sorted(rows)
    with Records(path, profile) as records:
        cells = new_cells(1024, len(records.header))
        at = 0
        while at < len(wanted) and (count := records.cut(cells)):
            while at < len(wanted) and wanted[at] < records.row + count:
                if wanted[at] >= records.row:
                    yield wanted[at], records.texts(cells, wanted[at] - records.row)
                at += 1
