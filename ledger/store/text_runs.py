"""Keeps what a batch left behind of a table of texts as one row, a run, until many runs are merged into that table.

The texts are message ids, each with the position of its claim, and numbers of persons, each with its token. A run is in
order of the texts' numbers (``core_ext.reference.index.day_keys``), the texts beside them: two may have one number, so
what is found by it is compared whole.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from core_ext.kernels import load
from core_ext.text import Texts, texts_from_list, texts_taken, to_list
from ledger.refusals import StoreError
from ledger.store.runs import (
    DELETE_RUNS,
    PAGE_ROWS,
    SELECT_RUNS,
    check_ends,
    ints,
    page_numbers,
    places_in_runs,
    stand,
)

if TYPE_CHECKING:
    from ledger.store.link import Ints, Link, Row
    from ledger.store.session import Reader
    from ledger.store.store import Store

#: Rows of a transaction of merging, unless one run has more: others append between two of them. Into a table of a
#: million texts in no order that takes a tenth of a second, now and then two, as a batch does.
MERGED_ROWS = 1 << 13

SELECT_SIZES = "SELECT run, LENGTH(keys) / 8 FROM {} ORDER BY run"
HAS_RUN = "SELECT 1 FROM {} WHERE run = ?"
DELETE_RUN = "DELETE FROM {} WHERE run = ?"


@dataclass(frozen=True)
class TextRuns:
    """Is a table of runs: its name, the table they are merged into, and that one's columns, a text and a number."""

    name: str
    table: str
    text: str
    value: str

    @cached_property
    def columns(self) -> tuple[str, ...]:
        """Returns the columns of a run."""
        return ("run", "first", "last", "keys", f"{self.value}s", "ends", f"{self.text}s")

    @cached_property
    def select(self) -> str:
        """Returns the statement that reads a run."""
        return f"SELECT {', '.join(self.columns[1:])} FROM {self.name} WHERE run = ?"


MESSAGE_RUNS = TextRuns("message_run", "message", "msgid", "position")
NUMBER_RUNS = TextRuns("person_run", "person_number", "psn_no", "token")


class TextRows(NamedTuple):
    """Is texts, the number of each that runs are in order of, and what stands for each: a position, or a token."""

    texts: Texts
    keys: "Ints"
    values: "Ints"

    def taken(self, rows: "Ints") -> "TextRows":
        """Returns rows of them, in that order."""
        return TextRows(texts_taken(self.texts, rows), self.keys[rows], self.values[rows])

    def listed(self) -> list[tuple[str, int]]:
        """Returns (text, value) of each."""
        return list(zip(to_list(self.texts), self.values.tolist(), strict=True))


def text_rows(texts: Texts, values: "Ints") -> TextRows:
    """Returns texts with their values, in the order of their numbers."""
    keys = load("index").day_keys(texts)
    order = np.argsort(keys)
    return TextRows(texts_taken(texts, order), keys[order], values[order])


def joined(parts: Sequence[TextRows]) -> TextRows:
    """Returns the rows of all parts, one part behind the other."""
    bases = np.cumsum([0, *(len(part.texts.data) for part in parts[:-1])])
    offsets = [part.texts.offsets[1:] + base for part, base in zip(parts, bases.tolist(), strict=True)]
    return TextRows(
        Texts(np.concatenate([np.zeros(1, np.int64), *offsets]), np.concatenate([part.texts.data for part in parts])),
        np.concatenate([part.keys for part in parts]),
        np.concatenate([part.values for part in parts]),
    )


def put_texts(link: "Link", runs: TextRuns, run: int, rows: TextRows) -> None:
    """Writes rows as a run of that name."""
    if (rows.keys[1:] < rows.keys[:-1]).any():
        rows = rows.taken(np.argsort(rows.keys, kind="stable"))
    ints8 = [column.astype("<i8").tobytes() for column in (rows.keys, rows.values, rows.texts.offsets[1:])]
    cells: tuple[Any, ...] = (run, int(rows.keys[0]), int(rows.keys[-1]), *ints8, rows.texts.data.tobytes())
    link.put(runs.name, runs.columns, [[cell] for cell in cells])


def find_in_text_runs(link: "Link", runs: TextRuns, texts: Sequence[str]) -> dict[str, int]:
    """Returns the value of every text that a run has."""
    return {texts[row]: value for row, value, _, _ in _found(link, runs, texts)}


def remove_from_runs(link: "Link", runs: TextRuns, text: str, size: int) -> bool:
    """Writes the run that has a text anew without it, at a position of the log; returns whether there was one.

    It gets a name of its own, as folded runs do: whoever read it before finds that it no longer stands.
    """
    for _, _, run, place in _found(link, runs, [text]):
        held = read_texts(link, runs, run)
        name = next(page_numbers(size, link.query(SELECT_RUNS.format(runs.name))[0][0]))
        link.erase(runs.name, "run", run)
        if len(held.keys) > 1:
            put_texts(link, runs, name, held.taken(np.delete(np.arange(len(held.keys)), place)))
        return True
    return False


def _found(link: "Link", runs: TextRuns, texts: Sequence[str]) -> Iterator[tuple[int, int, int, int]]:
    """Yields (which of the texts, its value, the run, its place there) of every text that a run has."""
    keys = load("index").day_keys(texts_from_list(texts))
    for run, asked, at in places_in_runs(link, runs.name, keys):
        held = read_texts(link, runs, run)
        for row, place in zip(asked.tolist(), at.tolist(), strict=True):
            # Texts of one number stand one behind the other.
            while place < len(held.keys) and held.keys[place] == keys[row]:
                start, end = held.texts.offsets[place : place + 2].tolist()
                if held.texts.data[start:end].tobytes() == texts[row].encode():
                    yield row, int(held.values[place]), run, place
                place += 1


def read_texts(link: "Link | Reader", runs: TextRuns, run: int) -> TextRows:
    """Returns a run; raises StoreError for one that is not whole."""
    return _taken_apart(runs, run, link.query(runs.select, (run,))[0])


def _taken_apart(runs: TextRuns, run: int, row: "Row") -> TextRows:
    _, _, held, held_values, held_ends, data = row
    keys, values, ends = (ints(runs.name, run, column) for column in (held, held_values, held_ends))
    offsets = np.concatenate([np.zeros(1, np.int64), ends])
    if len(values) != len(keys) or len(ends) != len(keys) or (np.diff(offsets) < 0).any() or ends[-1] != len(data):
        raise StoreError(f"{runs.name} {run}: expected columns of one length, got others: verify the store")
    return TextRows(Texts(offsets, np.frombuffer(data, np.uint8)), keys, values)


def each_run(reader: "Reader", runs: TextRuns) -> Iterator[TextRows]:
    """Yields every run there is, in order; raises StoreError for one whose texts are not found by their numbers."""
    for (run,) in reader.query(SELECT_RUNS.format(runs.name)):
        yield _read_whole(reader, runs, run)


def _read_whole(reader: "Reader", runs: TextRuns, run: int) -> TextRows:
    row = reader.query(runs.select, (run,))[0]
    found = _taken_apart(runs, run, row)
    check_ends(runs.name, run, found.keys, row[0], row[1])
    if (np.diff(found.keys) < 0).any() or not np.array_equal(load("index").day_keys(found.texts), found.keys):
        raise StoreError(f"{runs.name} {run}: expected the numbers of its texts, in order, got others: it was edited")
    return found


def merge_texts(store: "Store", runs: TextRuns) -> None:
    """Writes what runs have into the table, some runs a transaction: no text ever stands in both."""
    with store.read() as reader:
        found = reader.query(SELECT_SIZES.format(runs.name))
    for few in _few_at_a_time(found):
        with store.begin() as tx:
            # Another may have merged some meanwhile.
            there = [run for run in few if tx.query(HAS_RUN.format(runs.name), (run,))]
            if there:
                rows = joined([_read_whole(tx, runs, run) for run in there])
                texts, values = to_list(rows.texts), rows.values
                # In this order a database meets each page of the table once. No pair is made of them to be sorted.
                order = sorted(range(len(texts)), key=texts.__getitem__)
                tx.add_texts(runs, [texts[at] for at in order], values[order])
            for run in there:
                tx.execute(DELETE_RUN.format(runs.name), (run,))


def _few_at_a_time(found: "Sequence[Row]") -> Iterator[list[int]]:
    """Yields runs, given as (run, rows), so many together as a transaction of merging may have rows, at least one."""
    few: list[int] = []
    rows = 0
    for run, more in found:
        if few and rows + more > MERGED_ROWS:
            yield few
            few, rows = [], 0
        few.append(run)
        rows += more
    if few:
        yield few


def fold_texts(store: "Store", runs: TextRuns) -> None:
    """Brings runs together into few, in order of their numbers, in one transaction."""
    with store.read() as reader:
        found = [run for (run,) in reader.query(SELECT_RUNS.format(runs.name))]
        if not found:
            return
        whole = joined([_read_whole(reader, runs, run) for run in found])
    order = np.argsort(whole.keys, kind="stable")
    with store.begin() as tx:
        if stand(tx, runs.name, found):
            tx.execute(DELETE_RUNS.format(runs.name), (found[-1],))
            for run, start in zip(page_numbers(tx.size, found[0]), range(0, len(order), PAGE_ROWS), strict=False):
                tx.put_texts(runs, run, whole.taken(order[start : start + PAGE_ROWS]))
