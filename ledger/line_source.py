"""Reads files of fee lines: CSV in the national field names, as batches of whole runs of lines of one claim.

A *run* is neighbouring lines of one claim; rows whose key cannot be read belong to the run they stand in. A batch
ends where a run ends, so what is decided does not depend on where a file is cut.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from core_ext.cells import new_cells
from core_ext.kernels import load
from core_ext.layout import ABSENT
from core_ext.line_cells import LINE, LINE_COLUMNS, LINE_TEXTS, OPTIONAL_CODES, PARTS, PRODUCT_PER_FEN
from core_ext.text import Texts, text_at
from ledger.money import LIMIT_FEN, round_half_up
from ledger.normalising import empty_nulls
from ledger.profile import Profile
from ledger.records import Records
from ledger.source import UNREADABLE, Source, blamed_fields, cut_texts

Int64s = NDArray[np.int64]

_MAY_BE_MISSING = frozenset((*OPTIONAL_CODES, "drug_trac_codg", "selfpay_prop", "pric_uplmt_amt", *PARTS))

#: Columns without which a file holds no fee lines.
REQUIRED = tuple(name for name in LINE_COLUMNS if name not in _MAY_BE_MISSING)


@dataclass(slots=True)
class LineColumns:
    """Holds a batch of fee lines, one row a record, from ``first_row`` of its file on.

    ``table`` int64[n, LINES], ``faults`` one bit a Refusal, ``field`` the file column of the lowest fault's cell (-1:
    none), ``head`` 1 where a run begins, ``texts`` by national column name, ``places`` of national columns in the file.
    """

    first_row: int
    n: int
    table: Int64s
    faults: Int64s
    field: Int64s
    head: Int64s
    texts: dict[str, Texts]
    places: dict[str, int]

    def fields_of(self, rows: Int64s, reasons: Int64s) -> Int64s:
        """Returns the file column to blame for each row's reason, as ``ClaimColumns.fields_of``."""
        return blamed_fields(self.faults[rows], self.field[rows], self.places, reasons)

    def fees_of(self, rows: Int64s) -> list[int | None]:
        """Returns the amount of lines in fen, as given, else price times count; None where it is none within range."""
        found: list[int | None] = []
        for line, faults in zip(self.table[rows].tolist(), self.faults[rows].tolist(), strict=True):
            whole = line[LINE[PARTS[0]]]
            product = round_half_up(line[LINE["pric"]] * line[LINE["cnt"]], PRODUCT_PER_FEN)
            fee = product if whole == ABSENT else whole
            found.append(None if abs(fee) > LIMIT_FEN or (not fee and faults & UNREADABLE) else fee)
        return found

    def slice(self, start: int, stop: int) -> "LineColumns":
        """Returns rows ``start`` up to ``stop`` as views; it is runs that are cut apart, never lines of one."""
        return LineColumns(
            self.first_row + start,
            stop - start,
            self.table[start:stop],
            self.faults[start:stop],
            self.field[start:stop],
            self.head[start:stop],
            {name: cut_texts(texts, start, stop) for name, texts in self.texts.items()},
            self.places,
        )

    def followed_by(self, other: "LineColumns") -> "LineColumns":
        """Returns these rows and, behind them, those of the next batch, whose first run may go on with the last."""
        head = np.concatenate([self.head, other.head])
        begins, goes_on = np.flatnonzero(self.head), np.flatnonzero(other.head)
        if len(begins) and len(goes_on) and self._key(int(begins[-1])) == other._key(int(goes_on[0])):
            head[self.n + goes_on[0]] = 0
        return LineColumns(
            self.first_row,
            self.n + other.n,
            np.concatenate([self.table, other.table]),
            np.concatenate([self.faults, other.faults]),
            np.concatenate([self.field, other.field]),
            head,
            {name: _joined(texts, other.texts[name]) for name, texts in self.texts.items()},
            self.places,
        )

    def _key(self, row: int) -> tuple[int, str]:
        return int(self.table[row, LINE["insu_admdvs"]]), text_at(self.texts["setl_id"], row)


def _joined(first: Texts, second: Texts) -> Texts:
    offsets = np.concatenate([first.offsets, second.offsets[1:] + first.offsets[-1]])
    return Texts(offsets, np.concatenate([first.data[: first.offsets[-1]], second.data]))


class LineSource(Source):
    """Is a file of fee lines that can be read: its name, its digest, its columns, its lines."""

    known = LINE_COLUMNS
    required = REQUIRED

    def _meaning(self) -> None:
        """Returns nothing: what a profile says of funds and totals is about claims, lines have none."""

    def lines(self, batch_rows: int) -> Iterator[LineColumns]:
        """Yields the file's lines in order, whole runs only, about ``batch_rows`` at a time.

        Raises SourceError where a record does not end within 64 MiB, or the file changed since it was opened.
        """
        pending: LineColumns | None = None
        for columns in self._cuts(batch_rows):
            joined = columns if pending is None else pending.followed_by(columns)
            last = np.flatnonzero(joined.head)
            # Rows without any key to go by wait for no line.
            cut = int(last[-1]) if len(last) else joined.n
            if cut:
                yield joined.slice(0, cut)
            pending = joined.slice(cut, joined.n) if cut < joined.n else None
        if pending is not None:
            yield pending
        self._check_unchanged()

    def _cuts(self, batch_rows: int) -> Iterator[LineColumns]:
        read = load("lines").read
        cells = new_cells(batch_rows, len(self.columns))
        places = {name: at for at, name in enumerate(self.national)}
        with Records(self.path, self.profile) as records:
            while count := records.cut(cells):
                empty_nulls(self.profile, records.data, cells, count)
                found = read(records.data, cells, count, self._places)
                texts = dict(zip(LINE_TEXTS, found.texts, strict=True))
                yield LineColumns(records.row, count, found.table, found.faults, found.field, found.head, texts, places)


def open_lines(path: str | Path, profile: Profile) -> LineSource:
    """Returns the file of fee lines at ``path``; raises SourceError where it has no header or lacks a column."""
    return LineSource(Path(path), profile)
