"""Reads a segment's files where they lie, mapped into memory: columns as they are, rows where a kernel wants them."""

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, NamedTuple

import msgspec
import numpy as np
import pyarrow as pa

from core_ext.layout import ABSENT, AMOUNTS
from core_ext.reference.lanes import Lane
from core_ext.text import Texts
from ledger.acts import ACT_TEXTS
from ledger.events import BASIS_REFUND
from ledger.refusals import StoreError
from ledger.segments.shape import (
    ACT_INTS,
    CASE_INTS,
    LAYOUT,
    LINE_INTS,
    ODD,
    YEAR_INTS,
    Ints,
    digests,
    together,
)

FILES = ("acts.arrow", "years.arrow", "cases.arrow", "lines.arrow")


class Odd(NamedTuple):
    """Is what a row's columns do not say: the accumulators it records as its start where acts of other periods lie
    between, the amounts its source gave where they are not the booked ones, and what its start should have been where
    it does not follow from the acts before: accumulators, then the account's balance."""

    before: list[int] | None
    given: list[int] | None
    expected: list[int] | None


@dataclass
class Batch:
    """Is one record batch of a segment: whole persons. ``first_year`` is the number of its first row of years,
    ``policies`` the digests that its column ``policy`` numbers."""

    number: int
    acts: Any
    years: Any
    first_year: int
    policies: list[bytes]

    def __len__(self) -> int:
        """Returns the number of rows, originals of other periods included."""
        return int(self.acts.num_rows)

    def of_rows(self, marks: "np.ndarray[Any, np.dtype[np.bool_]]") -> "Batch":
        """Returns the marked acts alone, with every year of the batch; the acts of whole persons."""
        return Batch(self.number, self.acts.filter(pa.array(marks)), self.years, self.first_year, self.policies)

    def lane(self, name: str) -> Lane:
        """Returns a column of acts as it lies in the file."""
        return self._lanes[name]

    @cached_property
    def _lanes(self) -> "dict[str, np.ndarray[Any, Any]]":
        columns = zip(ACT_INTS, self.acts.columns, strict=False)
        return {name: column.to_numpy(zero_copy_only=True) for name, column in columns}

    def ints(self, name: str) -> Ints:
        """Returns a column of acts as int64."""
        return np.asarray(self._lanes[name], np.int64)

    def year(self, name: str) -> Lane:
        """Returns a column of years as it lies in the file."""
        column: np.ndarray[Any, Any] = self.years.column(name).to_numpy(zero_copy_only=True)
        return column

    def text(self, name: str) -> Texts:
        """Returns a column of texts."""
        column = self.acts.column(name)
        _, offsets, data = column.buffers()
        bounds = np.frombuffer(offsets, np.int32)[column.offset : column.offset + len(column) + 1].astype(np.int64)
        return Texts(bounds, np.frombuffer(data or b"", np.uint8))

    @cached_property
    def odd(self) -> "dict[int, Odd]":
        """Returns what their columns do not wholly say of rows, by row."""
        texts = self.text(ODD)
        rows = np.flatnonzero(np.diff(texts.offsets)).tolist()
        return {
            row: Odd(*msgspec.msgpack.decode(texts.data[texts.offsets[row] : texts.offsets[row + 1]].tobytes()))
            for row in rows
        }

    @cached_property
    def present(self) -> Lane:
        """Returns the bits of the amounts that sources gave: none of a refund's where it was filed without any."""
        lane = np.asarray(self.lane("present"))
        open_ = (lane < 0) & (np.asarray(self.lane("basis")) == BASIS_REFUND)
        return np.where(open_, lane.dtype.type(0), lane) if open_.any() else lane

    def given(self, booked: Ints) -> Ints:
        """Makes of the acts' amounts what their sources gave, and returns it: ABSENT where a source gave nothing.

        ``booked`` is changed. What no source settled keeps its amounts: nobody reads what was given of it, but of a
        refund.
        """
        present = self.present
        given = booked
        for pattern in np.flatnonzero(np.bincount(np.asarray(present, np.int64) + 1)).tolist():
            absent = [at for at in range(len(AMOUNTS)) if pattern and not (pattern - 1) >> at & 1]
            if absent:
                rows = np.flatnonzero(present == pattern - 1)
                if len(rows) == len(given):
                    given[:, absent] = ABSENT
                else:
                    given[rows[:, None], absent] = ABSENT
        for row, odd in self.odd.items():
            if odd.given is not None:
                given[row] = odd.given
        return given


class Segment:
    """Is a segment that lies in a folder; not to be shared by threads: open one each.

    Raises StoreError where a file is missing, damaged or of another layout.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._acts, meta = _open(folder / "acts.arrow")
        self._starts, _ = _open(folder / "years.arrow")
        self.period = int(meta["period"])
        self.policies = [bytes.fromhex(text) for text in meta["policies"]]
        if self._acts.num_record_batches != self._starts.num_record_batches:
            raise StoreError(
                f"{folder}: expected as many batches of years as of acts, got others: seal the period anew"
            )
        self.batches = int(self._acts.num_record_batches)

    @cached_property
    def cases(self) -> Ints:
        """Returns what the column ``case`` numbers, int64[cases, CASE_INTS]."""
        return _table(self.folder / "cases.arrow", CASE_INTS)

    @cached_property
    def lines(self) -> Ints:
        """Returns what the column ``line`` numbers, int64[lines, LINE_INTS]."""
        return _table(self.folder / "lines.arrow", LINE_INTS)

    @cached_property
    def _first_years(self) -> list[int]:
        first = [0]
        for number in range(self.batches):
            first.append(first[-1] + int(self._starts.get_batch(number).num_rows))
        return first

    def batch(self, number: int) -> Batch:
        """Returns one batch."""
        years = self._starts.get_batch(number)
        return Batch(number, self._acts.get_batch(number), years, self._first_years[number], self.policies)

    def all(self) -> Iterator[Batch]:
        """Yields every batch, in order of persons."""
        for number in range(self.batches):
            yield self.batch(number)

    def digest(self) -> bytes:
        """Returns the digest over the canonical values of what the files hold."""
        taken = digests()
        for batch in self.all():
            acts: dict[str, Ints | Texts] = {name: batch.ints(name) for name in ACT_INTS}
            taken["acts"].add(acts | {name: batch.text(name) for name in (*ACT_TEXTS, ODD)})
            taken["years"].add({name: np.asarray(batch.year(name), np.int64) for name in YEAR_INTS})
        for name, names, table in (("cases", CASE_INTS, self.cases), ("lines", LINE_INTS, self.lines)):
            taken[name].add({each: np.ascontiguousarray(table[:, at]) for at, each in enumerate(names)})
        return together(self.period, self.policies, taken)


def _open(path: Path) -> tuple[Any, dict[str, Any]]:
    try:
        reader = pa.ipc.open_file(pa.memory_map(str(path)))
        meta = json.loads((reader.schema.metadata or {}).get(b"settlement", b"{}"))
    except (OSError, pa.ArrowInvalid, ValueError) as error:
        raise StoreError(
            f"{path}: expected a file of a sealed segment, got: {error}; `settlement seal` writes it again from the log"
        ) from None
    if meta.get("layout") != LAYOUT:
        raise StoreError(f"{path}: expected layout {LAYOUT}, got {meta.get('layout')}: seal the period anew")
    return reader, meta


def _table(path: Path, names: Sequence[str]) -> Ints:
    reader, _ = _open(path)
    table = reader.read_all()
    return np.column_stack([np.asarray(table.column(name).to_numpy(), np.int64) for name in names])
