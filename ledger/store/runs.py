"""Keeps what a batch left behind of a table as one row, a run, until the runs of many batches are merged into it.

Persons, accounts and message ids come in no order. In a table of its own each of a batch's thousands of rows stands on
another page, or costs a step down an index; as a run they are a few hundred kilobytes behind each other. A run is
written in the transaction that appends its events, so readers look through the runs and the table, and neither
bringing runs together (``fold``) nor merging them into the table changes anything that anybody reads.

Here are the runs of numbers: what is true of a key is its highest version, wherever it stands, in a run or in the
table. ``ledger.store.text_runs`` has those of message ids and of persons' numbers.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np

from core_ext.layout import ACCUMULATORS
from ledger.refusals import StoreError

if TYPE_CHECKING:
    from ledger.store.link import Ints, Link, Row
    from ledger.store.session import Reader, Transaction
    from ledger.store.store import Store

#: Fewer rows than this are written to their table: merging them later would not be less.
RUN_ROWS = 2_048

#: About as many runs may stand before whoever writes them merges them: each is looked through where a key is read.
MOST_RUNS = 128

#: Rows of a run that others were folded into, and of a transaction of merging: it ends in a hundredth of a second, and
#: others append between two of them.
PAGE_ROWS = 4_096

#: A job leaves no more runs than this that could have one and the same key: whoever reads it looks through them.
FEW_RUNS = 4

#: Runs with more rows than these are merged into their table where they would be folded, which writes them all again.
FOLDED_ROWS = 1 << 18

#: A run's columns but its position: first and last key, keys, versions, used, width, amounts.
Packed: TypeAlias = tuple[int, int, bytes, bytes, int, int, bytes]

COLUMNS = ("run", "first", "last", "keys", "versions", "used", "width", "amounts")
SELECT_KEYS = "SELECT run, first, last, keys FROM {} WHERE run <= ? AND first <= ? AND last >= ? ORDER BY run"
SELECT_RUN = "SELECT run, keys, versions, used, width, amounts FROM {} WHERE run = ?"
SELECT_WHOLE = "SELECT first, last, run, keys, versions, used, width, amounts FROM {} WHERE run = ?"
SELECT_RUNS = "SELECT run FROM {} ORDER BY run"
COUNT = "(SELECT COUNT(*) FROM {})"
SELECT_BEFORE = "SELECT run, keys, versions, used, width, amounts FROM person_year_run_before ORDER BY run"
DELETE_RUNS = "DELETE FROM {} WHERE run <= ?"

#: Every run there may be, and every key.
LAST = 2**63 - 1

#: Names that folded runs may get at one position of the log.
NAMES = 1 << 20


@dataclass(frozen=True, slots=True)
class Runs:
    """Is a table of runs: its name, and how many numbers a row has beside its key and version."""

    name: str
    width: int


YEAR_RUNS = Runs("person_year_run", len(ACCUMULATORS))
ACCOUNT_RUNS = Runs("account_run", 1)


def packed_run(keys: "Ints", versions: "Ints", values: "Ints") -> Packed:
    """Returns rows, each key once, as a run has them: ``values`` int64[k, width]; columns that are all zero go out."""
    order = np.argsort(keys)
    keys = keys[order]
    used = np.flatnonzero(values.any(axis=0))
    values = values[:, used][order]
    width = 4 if values.size == 0 or (values.min() >= -(2**31) and values.max() < 2**31) else 8
    return (
        int(keys[0]),
        int(keys[-1]),
        keys.astype("<i8").tobytes(),
        versions[order].astype("<i8").tobytes(),
        int((1 << used).sum()),
        width,
        values.astype(f"<i{width}").tobytes(),
    )


def put_run(link: "Link", runs: Runs, run: int, packed: Packed) -> None:
    """Writes rows as the run of a position."""
    cells: list[Any] = [[cell] for cell in (run, *packed)]
    link.put(runs.name, COLUMNS, cells)


def find_in_runs(link: "Link", runs: Runs, keys: "Ints", stop: int) -> tuple["Ints", "Ints"]:
    """Returns (versions, values) of keys as the runs up to ``stop`` have them; 0 and zeros where none has."""
    versions = np.zeros(len(keys), dtype=np.int64)
    values = np.zeros((len(keys), runs.width), dtype=np.int64)
    for run, asked, at in places_in_runs(link, runs.name, keys, stop):
        # A later run has the higher version.
        found = _taken_apart(link.query(SELECT_RUN.format(runs.name), (run,))[0], runs)
        versions[asked], values[asked] = found.versions[at], found.values(at)
    return versions, values


def places_in_runs(link: "Link", name: str, keys: "Ints", stop: int = LAST) -> Iterator[tuple[int, "Ints", "Ints"]]:
    """Yields (run, rows of ``keys``, where each first stands in the run) of every run up to ``stop`` that has any."""
    if not len(keys):
        return
    order = np.argsort(keys)
    ascending = keys[order]
    for run, first, last, held in link.query(SELECT_KEYS.format(name), (stop, int(ascending[-1]), int(ascending[0]))):
        start, end = np.searchsorted(ascending, first), np.searchsorted(ascending, last, side="right")
        if start == end:
            continue
        there = ints(name, run, held)
        at = np.searchsorted(there, ascending[start:end])
        at[at == len(there)] = 0
        hits = np.flatnonzero(there[at] == ascending[start:end])
        if len(hits):
            yield run, order[start + hits], at[hits]


def keys_in_runs(link: "Link | Reader", name: str) -> "Ints":
    """Returns every key that some run has, each once, in order."""
    held = [ints(name, run, keys) for run, _, _, keys in link.query(SELECT_KEYS.format(name), (LAST, LAST, -LAST - 1))]
    return distinct(np.concatenate(held)) if held else np.zeros(0, np.int64)


def distinct(keys: "Ints") -> "Ints":
    """Returns each of the keys once, in order; numpy's ``unique`` hashes them, some fifty times as slowly."""
    ascending = np.sort(keys)
    first = np.ones(len(keys), np.bool_)
    first[1:] = ascending[1:] != ascending[:-1]
    return ascending[first]


@dataclass(frozen=True, slots=True)
class Run:
    """Is what a batch left behind: keys in ascending order; numbers as narrow as they are stored, ``width`` a row."""

    at: int
    keys: "Ints"
    versions: "Ints"
    used: "Ints"
    table: "Ints"
    width: int

    def values(self, rows: "Ints | slice") -> "Ints":
        """Returns the numbers of rows, int64[k, width]."""
        narrow = self.table[rows]
        values = np.zeros((len(narrow), self.width), dtype=np.int64)
        values[:, self.used] = narrow
        return values


def _taken_apart(row: "Row", runs: Runs) -> Run:
    at, held, held_versions, bits, width, amounts = row
    keys, versions = ints(runs.name, at, held), ints(runs.name, at, held_versions)
    used = np.flatnonzero(bits >> np.arange(63) & 1)
    if width not in (4, 8) or len(versions) != len(keys) or len(amounts) != len(keys) * len(used) * width:
        raise StoreError(f"{runs.name} {at}: expected columns of one length, got others: verify the store")
    if len(used) and used[-1] >= runs.width:
        raise StoreError(
            f"{runs.name} {at}: expected at most {runs.width} accumulators, got more:"
            " a later version of this package has written it"
        )
    table = np.frombuffer(amounts, f"<i{width}").reshape(len(keys), len(used))
    return Run(at, keys, versions, used, table, runs.width)


def ints(name: str, run: int, held: bytes) -> "Ints":
    """Returns a column of a run; raises StoreError where it is none."""
    if not held or len(held) % 8:
        raise StoreError(f"{name} {run}: expected numbers of 8 bytes, got {len(held)} bytes: verify the store")
    return np.frombuffer(held, dtype="<i8")


def check_ends(name: str, run: int, keys: "Ints", first: int, last: int) -> None:
    """Raises StoreError where a run is not found by its keys: they begin or end elsewhere than it says."""
    if (int(keys[0]), int(keys[-1])) != (first, last):
        raise StoreError(
            f"{name} {run}: expected what it has, {keys[0]} to {keys[-1]}, got {first} to {last}: it was edited"
        )


def read_runs(reader: "Reader", runs: Runs) -> list[Run]:
    """Returns every run there is, in order; raises StoreError for one that is not whole or in no order."""
    select = SELECT_WHOLE.format(runs.name)
    found = []
    for (run,) in reader.query(SELECT_RUNS.format(runs.name)):
        first, last, *row = reader.query(select, (run,))[0]
        each = _taken_apart(tuple(row), runs)
        check_ends(runs.name, run, each.keys, first, last)
        if (np.diff(each.keys) <= 0).any():
            raise StoreError(f"{runs.name} {run}: expected each key once and in order, got others: it was edited")
        found.append(each)
    return found


def newest(found: Sequence[Run]) -> Iterator[tuple["Ints", "Ints", "Ints"]]:
    """Yields (keys, versions, values) of what runs have, each key once and as the last of them has it, by key."""
    every = distinct(np.concatenate([run.keys for run in found])) if found else np.zeros(0, np.int64)
    for start in range(0, len(every), PAGE_ROWS):
        keys = every[start : start + PAGE_ROWS]
        versions = np.zeros(len(keys), np.int64)
        values = np.zeros((len(keys), found[0].width), np.int64)
        for run in found:
            first, last = np.searchsorted(run.keys, keys[0]), np.searchsorted(run.keys, keys[-1], side="right")
            at = np.searchsorted(keys, run.keys[first:last])
            versions[at], values[at] = run.versions[first:last], run.values(slice(first, last))
        yield keys, versions, values


def merge_numbers(store: "Store", runs: Runs) -> None:
    """Writes what runs have into their table; killed anywhere it is done again by whoever merges next.

    Runs that somebody folded meanwhile are left: what they were folded with may not be in the table.
    """
    with store.read() as reader:
        found = read_runs(reader, runs)
    for keys, versions, values in newest(found):
        with store.begin() as tx:
            tx.save_merged(runs, keys, versions, values)
    if found:
        with store.begin() as tx:
            if stand(tx, runs.name, [run.at for run in found]):
                tx.execute(DELETE_RUNS.format(runs.name), (found[-1].at,))


def fold_numbers(store: "Store", runs: Runs) -> None:
    """Brings runs together into few, in order of their keys, in one transaction."""
    with store.read() as reader:
        found = read_runs(reader, runs)
    pages = list(newest(found))
    with store.begin() as tx:
        if stand(tx, runs.name, [run.at for run in found]):
            tx.execute(DELETE_RUNS.format(runs.name), (found[-1].at,))
            for run, page in zip(page_numbers(tx.size, found[0].at), pages, strict=False):
                tx.put_run(runs, run, packed_run(*page))


def stand(tx: "Transaction", name: str, found: Sequence[int]) -> bool:
    """Returns whether runs that were read before still stand and are the first: nobody else has brought them away."""
    now = [run for (run,) in tx.query(SELECT_RUNS.format(name))]
    return bool(found) and now[: len(found)] == list(found)


def page_numbers(size: int, lowest: int) -> Iterator[int]:
    """Yields what runs are called that are folded at a position of the log, ``lowest`` the first that stands there.

    They are below every run they come from: whoever remembers what was written behind a position looks through the
    runs before it alone. And nothing is ever called as another was, so that whoever read runs before knows by their
    names whether they stand: at a later position of the log names are lower, and at one there is nothing new to fold.
    """
    number = min(lowest, -size * NAMES)
    while True:
        number -= 1
        yield number


def bring_over(link: "Link") -> None:
    """Writes the runs of a store of version 4 as they are written now, and drops the table they stood in."""
    for run, keys, *rest in link.query(SELECT_BEFORE):
        held = ints("person_year_run", run, keys)
        put_run(link, YEAR_RUNS, run, (int(held[0]), int(held[-1]), keys, *rest))
    link.execute("DROP TABLE person_year_run_before")
