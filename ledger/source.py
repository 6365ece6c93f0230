"""Reads claim files: CSV in the national field names (DOMAIN section 6), in one pass, as batches of columns.

Records are numbered from 1 without the header; empty lines are no records. A damaged record is a row with
faults at its place, never an error; only what makes the whole file unreadable raises ``SourceError``.
"""

import hashlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from core_ext.cells import (
    AMOUNT_PRECISION,
    AMOUNT_RANGE,
    AMOUNT_TEXT,
    COLUMNS,
    NOT_UTF8,
    ROW_SHAPE,
    TEXT_COLUMNS,
    Parsed,
    new_cells,
)
from core_ext.kernels import load
from core_ext.layout import FACT
from core_ext.text import Texts
from ledger.file_kinds import rather
from ledger.normalising import Normaliser, asks_for_normalising, empty_nulls
from ledger.profile import Profile
from ledger.quarantine import COLUMN_OF
from ledger.records import Records, each_record
from ledger.refusals import SourceError
from ledger.side_columns import read_side, side_places

__all__ = ["REQUIRED", "ClaimColumns", "Source", "SourceError", "open_source"]

#: Columns without which a file holds no claims.
REQUIRED = (
    "setl_id",
    "psn_no",
    "insutype",
    "psn_type",
    "insu_admdvs",
    "mdtrtarea_admvs",
    "med_type",
    "begndate",
    "enddate",
    "setl_time",
    "medfee_sumamt",
    "fulamt_ownpay_amt",
    "overlmt_selfpay",
    "preselfpay_amt",
    "inscp_scp_amt",
)

#: The faults under which an amount of a row may be no number.
UNREADABLE = sum(1 << at for at in (ROW_SHAPE, NOT_UTF8, AMOUNT_TEXT, AMOUNT_PRECISION, AMOUNT_RANGE))


@dataclass(slots=True)
class ClaimColumns:
    """Holds a batch of claims as integer tables, one row a record, from ``first_row`` of its file on.

    ``facts`` int64[n, FACTS] (what lookups find is 0: token and regions), ``given`` int64[n, AMOUNTS] (ABSENT where
    the cell is empty), ``settled`` and ``refund`` 0 or 1, ``faults`` one bit a Refusal, ``field`` the column of
    ``Source.columns`` whose cell shows the lowest fault (-1: none), ``texts`` by national column name. A text that
    fails its own check is empty, so that every text is sound UTF-8. An absent ``hosp_lv`` or ``hosp_part_amt``
    column reads as 0. ``places`` tells where a national column stands in the file.
    """

    first_row: int
    n: int
    facts: NDArray[np.int64]
    given: NDArray[np.int64]
    settled: NDArray[np.int64]
    refund: NDArray[np.int64]
    texts: dict[str, Texts]
    faults: NDArray[np.int64]
    field: NDArray[np.int64]
    places: dict[str, int]

    def fields_of(self, rows: NDArray[np.int64], reasons: NDArray[np.int64]) -> NDArray[np.int64]:
        """Returns the file column to blame for each row's reason (a Refusal), -1 where no one cell is.

        A reason found in the row alone has its failing cell, one found later its column (``quarantine.COLUMN_OF``).
        """
        return blamed_fields(self.faults[rows], self.field[rows], self.places, reasons)

    def fees_of(self, rows: NDArray[np.int64]) -> list[int | None]:
        """Returns the total fee of rows in fen, None where it cannot be read; 0.00 beside unreadable text counts so."""
        fees = self.facts[rows, FACT["medfee_sumamt"]].tolist()
        unsound = (self.faults[rows] & UNREADABLE) != 0
        return [None if lost and not fee else fee for fee, lost in zip(fees, unsound.tolist(), strict=True)]

    @classmethod
    def of(cls, found: Parsed, first_row: int, places: dict[str, int]) -> "ClaimColumns":
        """Returns what was parsed of records, the first of which is row ``first_row``."""
        return cls(
            first_row=first_row,
            n=len(found.facts),
            facts=found.facts,
            given=found.given,
            settled=found.settled,
            refund=found.refund,
            texts=dict(zip(TEXT_COLUMNS, found.texts, strict=True)),
            faults=found.faults,
            field=found.field,
            places=places,
        )

    def slice(self, start: int, stop: int) -> "ClaimColumns":
        """Returns rows ``start`` up to ``stop`` as views: nothing is copied but the offsets of the texts."""
        return ClaimColumns(
            first_row=self.first_row + start,
            n=stop - start,
            facts=self.facts[start:stop],
            given=self.given[start:stop],
            settled=self.settled[start:stop],
            refund=self.refund[start:stop],
            texts={name: cut_texts(texts, start, stop) for name, texts in self.texts.items()},
            faults=self.faults[start:stop],
            field=self.field[start:stop],
            places=self.places,
        )


def blamed_fields(
    faults: NDArray[np.int64], field: NDArray[np.int64], places: dict[str, int], reasons: NDArray[np.int64]
) -> NDArray[np.int64]:
    """Returns the file column to blame for each row's reason, see ``ClaimColumns.fields_of``."""
    of_reason = np.full(64, -1, np.int64)
    for refusal, name in COLUMN_OF.items():
        of_reason[refusal] = places.get(name, -1)
    return np.where(faults >> reasons & 1, field, of_reason[reasons])


def cut_texts(texts: Texts, start: int, stop: int) -> Texts:
    """Returns texts ``start`` up to ``stop``; the bytes are a view."""
    offsets = texts.offsets[start : stop + 1]
    return Texts(offsets - offsets[0], texts.data[offsets[0] : offsets[-1]])


class Source:
    """Is a claim file that can be read: its name, its digest, its columns, its claims.

    ``columns`` are the file's own column names, without the diagnostic ones of a quarantine file; ``national`` the
    same after the profile's renames.
    """

    #: National columns that are read, and those without which the file is of another kind.
    known: tuple[str, ...] = COLUMNS
    required: tuple[str, ...] = REQUIRED

    def __init__(self, path: Path, profile: Profile) -> None:
        self.path = path
        self.name = path.name
        self.profile = profile
        with Records(path, profile) as records:
            self.columns = list(records.header)
            self.is_quarantine = records.is_quarantine
        self._identity = _identity(path)
        self.national = [profile.columns.get(name, name) for name in self.columns]
        self._places = _places(self.columns, self.national, path, self.known, self.required)
        self._insutypes = np.array(profile.insutypes, np.int64)
        self._normaliser = self._meaning()
        self._side = side_places(self.national)
        #: About how many records the file has, as its first batch lets one think; 0 before that is read.
        self.expected_rows = 0

    def _meaning(self) -> Normaliser | None:
        """Returns what the profile makes of the file's amounts, None where it takes them as they are."""
        if missing := [name for name in self.profile.funds if name not in self.columns]:
            got = ", ".join(self.columns)
            raise SourceError(f"{self.path}: expected the profile's fund columns {', '.join(missing)}, got only: {got}")
        if not asks_for_normalising(self.profile):
            return None
        return Normaliser(self.profile, self.columns, self.national, self._places)

    @cached_property
    def digest(self) -> bytes:
        """Returns SHA-256 of the file's bytes, cut to 16; reads the file once."""
        with self.path.open("rb") as file:
            digest = hashlib.file_digest(file, "sha256").digest()[:16]
        self._check_unchanged()
        return digest

    def batches(self, batch_rows: int = 8192, first_rows: int | None = None) -> Iterator[ClaimColumns]:
        """Yields the file's claims in order, ``batch_rows`` at a time (fewer where records are very long).

        ``first_rows`` says how many the first batch has at most, where that is fewer.
        Raises SourceError where a record does not end within 64 MiB, or the file changed since it was opened.
        """
        parse = load("parse").parse
        cells = new_cells(min(batch_rows, first_rows or batch_rows), len(self.columns))
        places = {name: at for at, name in enumerate(self.national)}
        with Records(self.path, self.profile) as records:
            while count := records.cut(cells):
                if not self.expected_rows:
                    read = int(cells.records[count - 1, 1] - cells.records[0, 0])
                    self.expected_rows = self._identity[1] * count // max(read, 1) + 1
                empty_nulls(self.profile, records.data, cells, count)
                found = parse(records.data, cells, count, self._places, self._insutypes)
                if self._normaliser is not None:
                    found = self._normaliser.finish(found, records.data, cells, parse, self._insutypes)
                sides = read_side(self._side, records.data, cells, count, found.faults, found.field)
                columns = ClaimColumns.of(found, records.row, places)
                columns.texts |= sides
                yield columns
                if len(cells.records) < batch_rows:
                    cells = new_cells(batch_rows, len(self.columns))
        self._check_unchanged()

    def each_record(self, rows: Iterable[int]) -> Iterator[tuple[int, list[str]]]:
        """Yields (row, its cells as they stand in the file) of the given rows in order, in bounded memory.

        Bytes that are not text come as lone surrogates; a record of unsound quotes is one cell, its raw text.
        """
        return each_record(self.path, self.profile, set(rows))

    def records(self, rows: Iterable[int]) -> dict[int, list[str]]:
        """Returns the cells of the given rows as they stand in the file, see ``each_record``."""
        return dict(self.each_record(rows))

    def _check_unchanged(self) -> None:
        if _identity(self.path) != self._identity:
            raise SourceError(f"{self.path}: the file changed while it was read; start again with the file at rest")


def open_source(path: str | Path, profile: Profile) -> Source:
    """Returns the claim file at ``path``; raises SourceError where it has no header or lacks a required column."""
    return Source(Path(path), profile)


def _identity(path: Path) -> tuple[int, int, int]:
    status = path.stat()
    return status.st_ino, status.st_size, status.st_mtime_ns


def _places(
    columns: list[str], national: list[str], path: Path, known: tuple[str, ...], required: tuple[str, ...]
) -> NDArray[np.int64]:
    """Returns where each of the ``known`` columns stands in the file, -1 where it does not."""
    for name in known:
        if national.count(name) > 1:
            raise SourceError(f"{path}: expected one column {name}, got {national.count(name)} in the header")
    missing = [name for name in required if name not in national]
    if missing:
        got = ", ".join(columns)
        raise SourceError(
            f"{path}: expected the columns {', '.join(missing)} in the header, got only: {got}{rather(columns)}"
        )
    return np.array([national.index(name) if name in national else -1 for name in known], np.int64)
