"""Sums up the log and the write side's tables, each read once, and says which of their rows cannot be alike.

Of a person's year, and of an account, a mark of what stands last is kept; of messages, of which there is one a claim
for ever, only sums of marks by bucket.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from core_ext.codec_fields import Int64s
from core_ext.layout import FACT, padded
from core_ext.text import Texts, texts_from_list, to_list
from ledger.acts import Acts
from ledger.keys import YEARS, message_key
from ledger.known import KnownInts, grown
from ledger.replay import read_openings
from ledger.stays.replaying import counted_parts
from ledger.store.runs import ACCOUNT_RUNS, YEAR_RUNS, distinct, newest, read_runs
from ledger.store.state import unpacked
from ledger.store.text_runs import MESSAGE_RUNS, each_run
from projections.row_marks import BUCKETS, Marker, Marks, bucket_of

if TYPE_CHECKING:
    from ledger.store import Reader

Bools = NDArray[np.bool_]

SELECT_YEARS = "SELECT key, version, state FROM person_year WHERE key {} ? ORDER BY key LIMIT ?"
SELECT_ACCOUNTS = "SELECT token, version, balance_fen FROM account WHERE token {} ? ORDER BY token LIMIT ?"
SELECT_MESSAGES = "SELECT msgid, position FROM message WHERE msgid {} ? ORDER BY msgid LIMIT ?"

#: Rows of a table read at once.
PAGE_ROWS = 65_536

#: Where the bytes of a message id stand in its key.
_TURNED = np.frombuffer(message_key(bytes(range(30)).decode("latin-1")).encode("latin-1"), np.uint8).astype(np.int64)


class Latest:
    """Is a mark of the last row of each key, how many rows it had, and where the last stood in the log."""

    def __init__(self) -> None:
        self.keys = KnownInts()
        self.marks: Marks = np.zeros(0, np.uint64)
        self.counts: Int64s = np.zeros(0, np.int64)
        self.moved: Int64s = np.zeros(0, np.int64)

    def add(self, keys: Int64s, marks: Marks, positions: Int64s) -> None:
        """Takes rows in log order; of rows of one key the last one stands."""
        rows = self.keys.find(keys)
        if (rows < 0).any():
            self._take(distinct(keys[rows < 0]))
            rows = self.keys.find(keys)
        # Where an index comes twice, the last assignment is the one that counts.
        self.marks[rows], self.moved[rows] = marks, positions
        np.add.at(self.counts, rows, 1)

    def begin(self, keys: Int64s, marks: Marks) -> None:
        """Takes rows from before the log's first, each key once: one stands where there is no other of its key."""
        rows = self.keys.find(keys)
        self.counts[rows[rows >= 0]] += 1
        fresh = rows < 0
        self.add(keys[fresh], marks[fresh], np.zeros(int(fresh.sum()), np.int64))

    def _take(self, fresh: Int64s) -> None:
        stop = self.keys.add(fresh).stop
        self.marks = grown(self.marks, stop)
        self.counts, self.moved = grown(self.counts, stop), grown(self.moved, stop)

    def unlike(self, tables: Iterator[tuple[Int64s, Int64s, Marks]], counted: bool) -> set[int]:
        """Returns the keys whose row in (keys, counts, marks) of the tables is another one, missing or too many.

        A key may come twice, its highest count stands; counts are compared where they are ``counted``.
        """
        n = len(self.keys)
        counts, marks = np.full(n, -1, np.int64), np.zeros(n, np.uint64)
        strays: set[int] = set()
        for keys, versions, seen in tables:
            rows = self.keys.find(keys)
            strays |= set(keys[(rows < 0) & ((seen != 0) | counted)].tolist())
            there = np.flatnonzero(rows >= 0)
            newer = there[versions[there] > counts[rows[there]]]
            counts[rows[newer]], marks[rows[newer]] = versions[newer], seen[newer]
        differs = marks != self.marks[:n]
        if counted:
            differs |= counts != self.counts[:n]
        return strays | set(self.keys.held[differs].tolist())


class MessageSums:
    """Is the sums of marks of (message id, claim) by bucket, the log's less the table's."""

    def __init__(self, marker: Marker) -> None:
        self._marker = marker
        self._sums = np.zeros(BUCKETS, np.uint64)

    def add(self, acts: Acts) -> None:
        """Adds a page of the log; an act without a message id has no row."""
        keys, there = self._filed(acts)
        np.add.at(self._sums, bucket_of(keys[there]), self._marker.with_number(keys, acts.claim)[there])

    def take(self, rows: Sequence[tuple[str, int]]) -> None:
        """Takes rows of the table away."""
        keys = self._kept(rows)
        positions = np.array([position for _, position in rows], np.int64)
        np.subtract.at(self._sums, bucket_of(keys), self._marker.with_number(keys, positions))

    def __bool__(self) -> bool:
        """Returns whether a bucket differs."""
        return bool(self._sums.any())

    def filed(self, acts: Acts) -> Bools:
        """Returns which acts have a message id of a bucket that differs."""
        keys, there = self._filed(acts)
        differs: Bools = there & (self._sums[bucket_of(keys)] != 0)
        return differs

    def kept(self, rows: Sequence[tuple[str, int]]) -> Bools:
        """Returns which rows of the table are of a bucket that differs."""
        differs: Bools = self._sums[bucket_of(self._kept(rows))] != 0
        return differs

    def _filed(self, acts: Acts) -> tuple[Marks, Bools]:
        msgids = acts.texts["medins_setl_id"]
        return marked_messages(self._marker, msgids), np.diff(msgids.offsets) > 0

    def _kept(self, rows: Sequence[tuple[str, int]]) -> Marks:
        return self._marker.of_texts(texts_from_list([msgid for msgid, _ in rows]))


def marked_messages(marker: Marker, msgids: Texts) -> Marks:
    """Returns the mark of each message id's key."""
    if (msgids.data >= 0x80).any():
        # Characters, not bytes, are what a key turns.
        return marker.of_texts(texts_from_list([message_key(msgid) for msgid in to_list(msgids)]))
    return marker.of_texts(msgids, _TURNED)


@dataclass
class Wrong:
    """Is the keys whose rows differ, the buckets of messages that do, and every reversal of the log."""

    years: set[int] = field(default_factory=set)
    accounts: set[int] = field(default_factory=set)
    #: Accounts that say they stood at a position the log does not have: nothing that follows would replace them.
    ahead: dict[int, int] = field(default_factory=dict)
    messages: MessageSums | None = None
    reversals: dict[int, int] = field(default_factory=dict)
    twice: list[tuple[int, int]] = field(default_factory=list)

    def __bool__(self) -> bool:
        """Returns whether any row has to be looked at again."""
        return bool(self.years or self.accounts or self.messages is not None)


class StateSums:
    """Is what the log says the tables hold, taken from its acts page by page while they are read for other checks."""

    def __init__(self) -> None:
        self._marker = Marker()
        self._years, self._accounts, self._messages = Latest(), Latest(), MessageSums(self._marker)
        self._wrong = Wrong()

    def add(self, acts: Acts) -> None:
        """Takes a page of the log, in log order."""
        if not len(acts):
            return
        tokens, mark = acts.facts[:, FACT["token"]], self._marker.of_cells
        self._years.add(tokens * YEARS + acts.year, mark(acts.before + acts.delta), acts.position)
        self._accounts.add(tokens, mark(acts.balc[:, None]), acts.position)
        self._messages.add(acts)
        for row in np.flatnonzero(acts.reversed).tolist():
            original, claim = int(acts.original[row]), int(acts.claim[row])
            if self._wrong.reversals.setdefault(original, claim) != claim:
                self._wrong.twice.append((original, claim))

    def different(self, reader: "Reader") -> Wrong:
        """Returns what differs between the log, all of whose acts were taken, and the tables."""
        wrong, mark = self._wrong, self._marker.of_cells
        self._open(reader)
        _count_parts(reader, self._marker, self._years)
        years = ((keys, versions, mark(values)) for keys, versions, values in person_years(reader))
        wrong.years = self._years.unlike(years, True)
        wrong.accounts = self._accounts.unlike(self._marked_accounts(reader), False)
        for page in messages_of(reader):
            self._messages.take(page)
        wrong.messages = self._messages if self._messages else None
        return wrong

    def _marked_accounts(self, reader: "Reader") -> Iterator[tuple[Int64s, Int64s, Marks]]:
        for tokens, versions, fen in accounts_of(reader):
            ahead = versions > reader.size
            self._wrong.ahead |= dict(zip(tokens[ahead].tolist(), versions[ahead].tolist(), strict=True))
            yield tokens, versions, self._marker.of_cells(fen[:, None])

    def _open(self, reader: "Reader") -> None:
        """Adds what persons began with: it counts, and stands where no act moved it."""
        openings, mark = read_openings(reader), self._marker.of_cells
        if openings.accumulators:
            values = np.array([padded(each) for each in openings.accumulators.values()], np.int64)
            self._years.begin(np.array(list(openings.accumulators), np.int64), mark(values))
        if openings.accounts:
            tokens, fen = np.array(list(openings.accounts.items()), np.int64).T
            self._accounts.begin(np.ascontiguousarray(tokens), mark(fen[:, None]))


def _count_parts(reader: "Reader", marker: Marker, years: Latest) -> None:
    """Adds the parts of divided stays: each counts, and stands where nothing moved its year since."""
    parts = [each for counted in counted_parts(reader).values() for each in counted]
    for position, part in sorted(parts, key=lambda each: each[0]):
        key = np.array([part.token * YEARS + part.year], np.int64)
        before, delta = (np.array([padded(each)], np.int64) for each in (part.before, part.delta))
        row = int(years.keys.find(key)[0])
        if row >= 0 and years.moved[row] > position:
            years.counts[row] += 1
        else:
            at = np.array([years.moved[row] if row >= 0 else 0], np.int64)
            years.add(key, marker.of_cells(before + delta), at)


def person_years(reader: "Reader") -> Iterator[tuple[Int64s, Int64s, Int64s]]:
    """Yields (keys, versions, values) of the table and of the runs; of a key in both the higher version holds."""
    for page in _rows_of(reader, SELECT_YEARS, -(2**63)):
        keys, versions, states = zip(*page, strict=True)
        yield np.array(keys, np.int64), np.array(versions, np.int64), unpacked(states)
    yield from newest(read_runs(reader, YEAR_RUNS))


def accounts_of(reader: "Reader") -> Iterator[tuple[Int64s, Int64s, Int64s]]:
    """Yields (tokens, versions, fen) of the table and of the runs, as ``person_years`` does."""
    for page in _rows_of(reader, SELECT_ACCOUNTS, -(2**63)):
        tokens, versions, fen = np.array(page, np.int64).T
        yield np.ascontiguousarray(tokens), versions, fen
    for tokens, versions, values in newest(read_runs(reader, ACCOUNT_RUNS)):
        yield tokens, versions, values[:, 0]


def messages_of(reader: "Reader") -> Iterator[list[tuple[str, int]]]:
    """Yields (key of a message id, position) of the table and of the runs, some at a time."""
    yield from _rows_of(reader, SELECT_MESSAGES, "")
    for run in each_run(reader, MESSAGE_RUNS):
        yield run.listed()


def _rows_of(reader: "Reader", select: str, first: int | str) -> Iterator[list[tuple[Any, ...]]]:
    """Yields a table's rows from a key on, some at a time; ``select`` takes how to compare, a key, and how many."""
    last: Any = first
    compare = ">="
    while rows := reader.query(select.format(compare), (last, PAGE_ROWS)):
        yield rows
        last, compare = rows[-1][0], ">"
