"""Keeps the person-years that a batch left behind as one row, a run, until the runs of many batches are merged.

Persons come in no order. In their own table each of a batch's thousands of person-years stands on another page, so
every batch would write the whole table anew; as a run they are a few hundred kilobytes behind each other. What is
true of a person-year is its highest version, wherever it stands: in a run or in the table. So a run is written in the
transaction that appends its events, and merging changes nothing that anybody reads.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from core_ext.layout import ACCUMULATORS
from ledger.refusals import StoreError

if TYPE_CHECKING:
    from ledger.store.link import Ints, Link, Row
    from ledger.store.session import Reader
    from ledger.store.store import Store

#: Fewer person-years than this are written to their table: merging them later would not be less.
RUN_ROWS = 2_048

#: Runs that may stand before whoever writes them merges them: each is looked through where a person-year is read.
MOST_RUNS = 128

#: Person-years a transaction of merging: it ends in a hundredth of a second, and others append between two of them.
MERGE_ROWS = 8_192

COLUMNS = ("run", "keys", "versions", "used", "width", "amounts")
SELECT_KEYS = "SELECT run, keys FROM person_year_run WHERE run <= ? ORDER BY run"
SELECT_RUN = "SELECT run, keys, versions, used, width, amounts FROM person_year_run WHERE run = ?"
SELECT_RUNS = "SELECT run FROM person_year_run ORDER BY run"
DELETE_RUNS = "DELETE FROM person_year_run WHERE run <= ?"
REPLACE_OLDER = (
    "ON CONFLICT (key) DO UPDATE SET version = excluded.version, state = excluded.state"
    " WHERE excluded.version > person_year.version"
)

#: Every run there may be.
LAST = 2**63 - 1


def put_run(link: "Link", run: int, keys: "Ints", versions: "Ints", values: "Ints") -> None:
    """Writes person-years, each key once, as the run of a position; accumulators that are all zero are left out."""
    order = np.argsort(keys)
    used = np.flatnonzero(values.any(axis=0))
    values = values[:, used][order]
    width = 4 if values.size == 0 or (values.min() >= -(2**31) and values.max() < 2**31) else 8
    link.put(
        "person_year_run",
        COLUMNS,
        (
            [run],
            [keys[order].astype("<i8").tobytes()],
            [versions[order].astype("<i8").tobytes()],
            [int((1 << used).sum())],
            [width],
            [values.astype(f"<i{width}").tobytes()],
        ),
    )


def find_in_runs(link: "Link", keys: "Ints", stop: int) -> tuple["Ints", "Ints"]:
    """Returns (versions, values) of person-years as the runs up to ``stop`` have them; 0 and zeros where none has."""
    versions = np.zeros(len(keys), dtype=np.int64)
    values = np.zeros((len(keys), len(ACCUMULATORS)), dtype=np.int64)
    for run, held in link.query(SELECT_KEYS, (stop,)):
        there = _ints(run, held)
        at = np.searchsorted(there, keys)
        at[at == len(there)] = 0
        hits = np.flatnonzero(there[at] == keys)
        if len(hits):
            # A later run has the higher version.
            found = _taken_apart(link.query(SELECT_RUN, (run,))[0])
            versions[hits], values[hits] = found.versions[at[hits]], found.values(at[hits])
    return versions, values


def keys_in_runs(link: "Link") -> "Ints":
    """Returns every key that some run has."""
    held = [_ints(run, keys) for run, keys in link.query(SELECT_KEYS, (LAST,))]
    return np.unique(np.concatenate(held)) if held else np.zeros(0, np.int64)


@dataclass(frozen=True, slots=True)
class Run:
    """Is what a batch left behind: keys in ascending order; accumulators as narrow as they are stored."""

    at: int
    keys: "Ints"
    versions: "Ints"
    used: "Ints"
    table: "Ints"

    def values(self, rows: "Ints | slice") -> "Ints":
        """Returns the accumulators of rows, int64[k, len(ACCUMULATORS)]."""
        narrow = self.table[rows]
        values = np.zeros((len(narrow), len(ACCUMULATORS)), dtype=np.int64)
        values[:, self.used] = narrow
        return values


def _taken_apart(row: "Row") -> Run:
    at, held, held_versions, bits, width, amounts = row
    keys, versions = _ints(at, held), _ints(at, held_versions)
    used = np.flatnonzero(bits >> np.arange(63) & 1)
    if width not in (4, 8) or len(versions) != len(keys) or len(amounts) != len(keys) * len(used) * width:
        raise StoreError(f"person_year_run {at}: expected columns of one length, got others: verify the store")
    if len(used) and used[-1] >= len(ACCUMULATORS):
        raise StoreError(
            f"person_year_run {at}: expected at most {len(ACCUMULATORS)} accumulators, got more:"
            " a later version of this package has written it"
        )
    return Run(at, keys, versions, used, np.frombuffer(amounts, f"<i{width}").reshape(len(keys), len(used)))


def _ints(run: int, held: bytes) -> "Ints":
    if not held or len(held) % 8:
        raise StoreError(f"person_year_run {run}: expected numbers of 8 bytes, got {len(held)} bytes: verify the store")
    return np.frombuffer(held, dtype="<i8")


def read_runs(reader: "Reader") -> list[Run]:
    """Returns every run there is, in order; raises StoreError for one that is not whole."""
    return [_taken_apart(reader.query(SELECT_RUN, (run,))[0]) for (run,) in reader.query(SELECT_RUNS)]


def newest(runs: Sequence[Run]) -> Iterator[tuple["Ints", "Ints", "Ints"]]:
    """Yields (keys, versions, values) of what runs have, each key once and as the last of them has it, by key."""
    every = np.unique(np.concatenate([run.keys for run in runs])) if runs else np.zeros(0, np.int64)
    for start in range(0, len(every), MERGE_ROWS):
        keys = every[start : start + MERGE_ROWS]
        versions = np.zeros(len(keys), np.int64)
        values = np.zeros((len(keys), len(ACCUMULATORS)), np.int64)
        for run in runs:
            first, last = np.searchsorted(run.keys, keys[0]), np.searchsorted(run.keys, keys[-1], side="right")
            at = np.searchsorted(keys, run.keys[first:last])
            versions[at], values[at] = run.versions[first:last], run.values(slice(first, last))
        yield keys, versions, values


def merge_runs(store: "Store", beyond: int = 0) -> None:
    """Writes what the runs have into the table of person-years, where more than ``beyond`` runs stand.

    Some thousand rows a transaction, others may append in between; killed anywhere it has changed nothing that
    anybody reads, and is done again by whoever merges next.
    """
    with store.read() as reader:
        if len(reader.query(SELECT_RUNS)) <= beyond:
            return
        runs = read_runs(reader)
    for keys, versions, values in newest(runs):
        with store.begin() as tx:
            tx.save_state(keys, versions, values, REPLACE_OLDER)
    with store.begin() as tx:
        tx.execute(DELETE_RUNS, (runs[-1].at,))
