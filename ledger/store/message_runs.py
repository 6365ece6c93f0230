"""Keeps the message ids of a batch as one row, a run, until the runs of many batches are merged into their table.

A run is in order of the ids' numbers (``core_ext.reference.index.day_keys``), the ids beside them: two may have one
number, so what is found by it is compared whole.
"""

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from core_ext.kernels import load
from core_ext.reference.index import HASH_BITS
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

#: Behind it comes no number of eight digits.
LAST_DAY = 99_999_999

NAME = "message_run"
COLUMNS = ("run", "first", "last", "keys", "positions", "ends", "msgids")
SELECT_RUN = f"SELECT first, last, keys, positions, ends, msgids FROM {NAME} WHERE run = ?"
HAS_RUN = f"SELECT 1 FROM {NAME} WHERE run = ?"
DELETE_RUN = f"DELETE FROM {NAME} WHERE run = ?"


class Messages(NamedTuple):
    """Is message ids as ``ledger.keys.message_key`` forms them, the number of each, and where their claims stand."""

    msgids: Texts
    keys: "Ints"
    positions: "Ints"

    def bounds(self) -> tuple[str, str] | None:
        """Returns texts between which all message ids stand, None where that cannot be told."""
        days = self.keys >> HASH_BITS
        if not len(days) or days.min() == 0 or days.max() == LAST_DAY:
            return None
        return f"{days.min():08}", f"{days.max() + 1:08}"

    def taken(self, rows: "Ints") -> "Messages":
        """Returns rows of them, in that order."""
        return Messages(texts_taken(self.msgids, rows), self.keys[rows], self.positions[rows])

    def listed(self) -> list[tuple[str, int]]:
        """Returns (message id, position) of each."""
        return list(zip(to_list(self.msgids), self.positions.tolist(), strict=True))


def messages_of(msgids: Texts, positions: "Ints") -> Messages:
    """Returns message ids, keys as ``ledger.keys.message_key`` forms them, with the positions of their claims.

    They come in the order of their numbers.
    """
    keys = load("index").day_keys(msgids)
    order = np.argsort(keys, kind="stable")
    return Messages(texts_taken(msgids, order), keys[order], positions[order])


def joined(parts: Sequence[Messages]) -> Messages:
    """Returns the messages of all parts, one part behind the other."""
    bases = np.cumsum([0, *(len(part.msgids.data) for part in parts[:-1])])
    offsets = [part.msgids.offsets[1:] + base for part, base in zip(parts, bases.tolist(), strict=True)]
    return Messages(
        Texts(np.concatenate([np.zeros(1, np.int64), *offsets]), np.concatenate([part.msgids.data for part in parts])),
        np.concatenate([part.keys for part in parts]),
        np.concatenate([part.positions for part in parts]),
    )


def put_messages(link: "Link", run: int, messages: Messages) -> None:
    """Writes messages as the run of a position."""
    if (messages.keys[1:] < messages.keys[:-1]).any():
        messages = messages.taken(np.argsort(messages.keys, kind="stable"))
    msgids = messages.msgids
    link.put(
        NAME,
        COLUMNS,
        (
            [run],
            [int(messages.keys[0])],
            [int(messages.keys[-1])],
            [messages.keys.astype("<i8").tobytes()],
            [messages.positions.astype("<i8").tobytes()],
            [msgids.offsets[1:].astype("<i8").tobytes()],
            [msgids.data.tobytes()],
        ),
    )


def find_messages_in_runs(link: "Link", msgids: Sequence[str]) -> dict[str, int]:
    """Returns the position of every message id that a run has."""
    found: dict[str, int] = {}
    keys = load("index").day_keys(texts_from_list(msgids))
    for run, asked, at in places_in_runs(link, NAME, keys):
        held = read_messages(link, run)
        for row, place in zip(asked.tolist(), at.tolist(), strict=True):
            # Ids of one number stand one behind the other.
            while place < len(held.keys) and held.keys[place] == keys[row]:
                start, end = held.msgids.offsets[place : place + 2].tolist()
                if held.msgids.data[start:end].tobytes() == msgids[row].encode():
                    found[msgids[row]] = int(held.positions[place])
                place += 1
    return found


def read_messages(link: "Link | Reader", run: int) -> Messages:
    """Returns a run; raises StoreError for one that is not whole."""
    return _taken_apart(run, link.query(SELECT_RUN, (run,))[0])


def _taken_apart(run: int, row: "Row") -> Messages:
    _, _, held, held_positions, held_ends, msgids = row
    keys, positions, ends = (ints(NAME, run, column) for column in (held, held_positions, held_ends))
    offsets = np.concatenate([np.zeros(1, np.int64), ends])
    if len(positions) != len(keys) or len(ends) != len(keys) or (np.diff(offsets) < 0).any() or ends[-1] != len(msgids):
        raise StoreError(f"{NAME} {run}: expected columns of one length, got others: verify the store")
    return Messages(Texts(offsets, np.frombuffer(msgids, np.uint8)), keys, positions)


def each_run(reader: "Reader") -> Iterator[Messages]:
    """Yields every run there is, in order; raises StoreError for one whose ids are not found by their numbers."""
    for (run,) in reader.query(SELECT_RUNS.format(NAME)):
        yield _read_whole(reader, run)


def _read_whole(reader: "Reader", run: int) -> Messages:
    row = reader.query(SELECT_RUN, (run,))[0]
    found = _taken_apart(run, row)
    check_ends(NAME, run, found.keys, row[0], row[1])
    if (np.diff(found.keys) < 0).any() or not np.array_equal(load("index").day_keys(found.msgids), found.keys):
        raise StoreError(f"{NAME} {run}: expected the numbers of its message ids, in order, got others: it was edited")
    return found


def merge_messages(store: "Store") -> None:
    """Writes what runs have into the table, a run a transaction: no message ever stands in both."""
    with store.read() as reader:
        found = [run for (run,) in reader.query(SELECT_RUNS.format(NAME))]
    for run in found:
        with store.begin() as tx:
            # Another may have merged it meanwhile.
            if tx.query(HAS_RUN, (run,)):
                messages = sorted(_read_whole(tx, run).listed())
                tx.add_messages(*map(list, zip(*messages, strict=True)))
                tx.execute(DELETE_RUN, (run,))


def fold_messages(store: "Store") -> None:
    """Brings runs together into few, in order of their numbers, in one transaction."""
    with store.read() as reader:
        found = [run for (run,) in reader.query(SELECT_RUNS.format(NAME))]
        if not found:
            return
        whole = joined([_read_whole(reader, run) for run in found])
    order = np.argsort(whole.keys, kind="stable")
    with store.begin() as tx:
        if stand(tx, NAME, found):
            tx.execute(DELETE_RUNS.format(NAME), (found[-1],))
            for run, start in zip(page_numbers(tx.size, found[0]), range(0, len(order), PAGE_ROWS), strict=False):
                tx.put_messages(run, whole.taken(order[start : start + PAGE_ROWS]))
