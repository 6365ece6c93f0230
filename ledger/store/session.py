"""Reads and writes a store inside one transaction: the log, and beside it what the write side keeps."""

import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from functools import cached_property
from os import urandom
from typing import TYPE_CHECKING, Any, TypeAlias

import msgspec
import numpy as np

from ledger.refusals import StoreError
from ledger.segments.events import PeriodAttached, PeriodDetached
from ledger.store.archives import Archives
from ledger.store.columns import Columns, listed, unpacked
from ledger.store.follower import AHEAD_EVENTS, Beside, Follower
from ledger.store.link import Link, Row
from ledger.store.run_writer import RunWriter
from ledger.store.seals import Random
from ledger.store.state import StateReader

if TYPE_CHECKING:
    from ledger.block import EventBlock
    from ledger.store.link import Column, Keys

#: position, stream, version, topic, state
EventRow: TypeAlias = tuple[int, str, int, str, bytes]

PAGE = 1_000

#: The first microsecond of the year 9999: what a clock says from there on counts something else, such as nanoseconds,
#: and recorded time never goes back.
LATEST_US = 253_370_764_800_000_000

STREAM = (
    "SELECT notification_id, originator_version, topic, state FROM stored_events"
    " WHERE originator_id = ? ORDER BY originator_version"
)
EVENT_COLUMNS = "notification_id, originator_id, originator_version, topic, state"
SELECT_EVENTS = (
    f"SELECT {EVENT_COLUMNS} FROM stored_events WHERE notification_id > ? AND notification_id <= ?"
    " ORDER BY notification_id"
)
DETACHED = (
    "SELECT topic, state FROM stored_events WHERE originator_id >= 'detached-' AND originator_id < 'detached.'"
    " ORDER BY notification_id"
)
HEAD_VERSION = "(SELECT MAX(originator_version) FROM stored_events WHERE originator_id = k.value)"


class Reader(StateReader):
    """Is one consistent view of a store: everything up to position ``size``."""

    def __init__(self, link: Link) -> None:
        self._link = link
        self._size, self._recorded_at, self._tokens = link.head()
        #: Where salts of persons come from.
        self.random: Random = urandom
        #: Where the states of detached events are.
        self.archives = Archives()

    @property
    def size(self) -> int:
        """Returns the position of the last event, which is the number of events."""
        return self._size

    @property
    def recorded_at(self) -> int:
        """Returns the recorded time of the last transaction, microseconds since 1970 UTC."""
        return self._recorded_at

    @property
    def tokens_given(self) -> int:
        """Returns the last person token given: they are 1 to this."""
        return self._tokens

    def made_ready(self, block: "EventBlock", first: int) -> object:
        """Returns what ``append`` makes of a block at positions ``first``, …, for a transaction to be given with it."""
        return self._link.made_ready(block, first) if len(block) else None

    def may_read(self, table: str) -> bool:
        """Returns whether this connection's role may read a table: persons are closed to readers."""
        return self._link.may_read(table)

    def query(self, sql: str, params: Sequence[Any] = ()) -> list[Row]:
        """Returns the rows of a statement with ``?`` placeholders (never a ``?`` inside a quoted literal)."""
        return self._link.query(sql, params)

    def renamed(self, names: Mapping[str, str]) -> "Reader":
        """Returns the same view, whose ``query`` reads other tables where a statement names a key of ``names``."""
        other = _Renamed(self._link, names)
        other.archives = self.archives
        return other

    def lookup(self, table: str, key: str, columns: str, keys: "Keys", also: str = "") -> list[Row]:
        """Returns (i, *columns) of the rows whose ``key`` equals ``keys[i]``: thousands of keys in one statement."""
        rows = self._link.lookup(table, key, columns, keys, also)
        named = [name.strip() for name in columns.split(",")]
        if table != "stored_events" or "state" not in named:
            return rows
        return self.archives.rows(rows, named.index("state") + 1)

    def whole(self, rows: list[Any], state: int, within: tuple[int, int] | None = None) -> list[Any]:
        """Returns rows whose states, in column ``state``, are whole: those of detached months from their archives.

        ``within`` are the positions behind which and up to which the rows lie: where no month is detached there, nobody
        looks at them.
        """
        if within is not None and not self._any_detached(*within):
            return rows
        return self.archives.rows(rows, state)

    @property
    def detached(self) -> "dict[int, PeriodDetached]":
        """Returns what detached each period whose events' states are in an archive."""
        standing: dict[int, PeriodDetached] = {}
        for event in self._detachings:
            if isinstance(event, PeriodDetached):
                standing[event.period] = event
            else:
                standing.pop(event.period, None)
        return standing

    def _any_detached(self, after: int, stop: int) -> bool:
        return any(a <= stop and b > after for a, b in self._detached)

    @cached_property
    def _detachings(self) -> "list[PeriodDetached | PeriodAttached]":
        detached, attached = msgspec.msgpack.Decoder(PeriodDetached), msgspec.msgpack.Decoder(PeriodAttached)
        rows = self._link.query(DETACHED)
        return [(detached if topic == PeriodDetached.TOPIC else attached).decode(state) for topic, state in rows]

    @cached_property
    def _detached(self) -> list[tuple[int, int]]:
        """Returns the first and last position of every month that is detached."""
        return [(event.first, event.last) for event in self.detached.values()]

    def columns(self, after: int, stop: int, names: list[str], wide: bool = False) -> Columns:
        """Returns the events behind ``after`` up to ``stop`` as columns, no object made of any of them.

        Topics are numbers into ``names``, where new ones are appended; ``wide`` has streams and versions besides.
        Raises StoreError naming the first position without an event or with a state that is no bytes.
        """
        if not self._any_detached(after, stop):
            packed = self._link.packed(after, stop, wide)
            found = None if packed is None else unpacked(packed, stop - after, names)
            if found is not None:
                return found
        rows = self._link.query(SELECT_EVENTS, (after, stop))
        return listed(self.whole(rows, 4, (after, stop)), after, stop, names)

    def stream(self, stream: str) -> list[tuple[int, int, str, bytes]]:
        """Returns (position, version, topic, state) of a stream's events, in order."""
        return self.archives.rows(self._link.query(STREAM, (stream,)), 3)

    def stream_heads(self, streams: Sequence[str]) -> dict[str, int]:
        """Returns the last version of every stream that has events."""
        rows = self._link.each(HEAD_VERSION, streams)
        return {streams[i]: version for i, version in rows if version is not None}

    def first_events(self, streams: Sequence[str]) -> dict[str, tuple[int, bytes]]:
        """Returns (position, state) of version 1 of every stream that has it."""
        rows = self.lookup(
            "stored_events", "originator_id", "notification_id, state", streams, "AND originator_version = 1"
        )
        return {streams[i]: (position, state) for i, position, state in rows}

    def events_at(self, positions: "Sequence[int] | Column") -> dict[int, tuple[str, int, str, bytes]]:
        """Returns (stream, version, topic, state) of every position that has an event."""
        keys = np.asarray(positions, dtype=np.int64)
        return {row[1]: row[2:] for row in self.lookup("stored_events", "notification_id", EVENT_COLUMNS, keys)}

    def pages(self, after: int = 0, limit: int = PAGE, topics: Sequence[str] | None = None) -> Iterator[list[EventRow]]:
        """Yields the events behind position ``after`` in log order, at most ``limit`` a page; ``topics`` filters."""
        return self._pages(EVENT_COLUMNS, after, self.size, limit, topics)

    def states(
        self, after: int, stop: int | None = None, topics: Sequence[str] | str | None = None, limit: int = PAGE
    ) -> Iterator[list[tuple[int, bytes]]]:
        """Yields (position, state) behind ``after`` up to and with ``stop``, in log order, at most ``limit`` a page."""
        wanted = [topics] if isinstance(topics, str) else topics
        return self._pages("notification_id, state", after, self.size if stop is None else stop, limit, wanted)

    def _pages(
        self, columns: str, after: int, stop: int, limit: int, topics: Sequence[str] | None
    ) -> Iterator[list[Any]]:
        topic = f" AND topic IN ({', '.join('?' * len(topics))})" if topics is not None else ""
        sql = (
            f"SELECT {columns} FROM stored_events WHERE notification_id > ? AND notification_id <= ?{topic}"
            f" ORDER BY notification_id LIMIT {int(limit)}"
        )
        if topics is not None and not topics:
            return
        state = len(columns.split(",")) - 1
        while page := self._link.query(sql, (after, min(stop, self.size), *(topics or ()))):
            yield self.whole(page, state, (after, page[-1][0]))
            if len(page) < limit:
                return
            after = page[-1][0]


class _Renamed(Reader):
    def __init__(self, link: Link, names: Mapping[str, str]) -> None:
        super().__init__(link)
        self._names = names
        self._word = re.compile(rf"\b({'|'.join(map(re.escape, names))})\b")

    def query(self, sql: str, params: Sequence[Any] = ()) -> list[Row]:
        return super().query(self._word.sub(lambda found: self._names[found[1]], sql), params)


class Writer(Reader):
    """Is a transaction over tables beside the log, a projection's say; it appends nothing."""

    def execute(self, sql: str, params: Sequence[Any] = ()) -> int:
        """Runs a statement with ``?`` placeholders and returns the number of rows it changed."""
        return self._link.execute(sql, params)

    def executemany(self, sql: str, rows: Iterable[Sequence[Any]]) -> int:
        """Runs a statement for every row and returns the number of rows it changed; ``put`` is faster for inserts."""
        return self._link.executemany(sql, rows)

    def put(self, table: str, columns: Sequence[str], data: Sequence["Column"], conflict: str = "") -> None:
        """Inserts rows given as columns (int64 arrays, lists of str or bytes); ``conflict`` is an ON CONFLICT clause.

        Fast on both databases for thousands of rows. A row may meet the clause at most once a call. What the database
        refuses may come with the next thing asked, or the commit.
        """
        self._link.put(table, columns, data, conflict)


class Transaction(RunWriter, Writer):
    """Is the one transaction that appends: it holds the lock on the log's head from its first line to its commit."""

    def __init__(self, link: Link, clock_us: Callable[[], int], follower: "Follower | None", random: Random) -> None:
        super().__init__(link)
        self.random = random
        now = int(clock_us())
        if now >= LATEST_US:
            raise StoreError(
                f"expected a clock of microseconds since 1970 UTC, before the year 9999, got {now:,}:"
                " nothing was written"
            )
        self._recorded_at = max(now, self._recorded_at)
        self._head = (self._size, self._tokens)
        self._follower = follower
        self._blocks: list[EventBlock] = []
        self._found: list[Any] = []
        self._runs = {}

    @property
    def appended(self) -> int:
        """Returns how many events it has appended so far."""
        return self._size - self._head[0]

    def append(self, block: "EventBlock", ready: object = None) -> int:
        """Appends a block and returns the position of its first event; positions have no gaps.

        ``ready`` is what ``made_ready`` returned of it. Raises Conflict where a (stream, version) is taken, at once or
        with the next thing asked or the commit: the transaction is then rolled back whatever follows.
        """
        first = self._size + 1
        if len(block):
            self._append(block, first, ready)
            self._size += len(block)
        return first

    def _append(self, block: "EventBlock", first: int, ready: object) -> None:
        follower, found = self._follower, None
        if follower is None:
            self._link.append(block, first, ready)
            return
        if len(block) < AHEAD_EVENTS:
            self._link.append(block, first, ready)
        else:
            with Beside(lambda: follower.ahead(first, block)) as beside:
                self._link.append(block, first, ready)
            found = beside.found
        self._blocks.append(block)
        self._found.append(found)

    def anybody_waits(self) -> bool:
        """Returns whether somebody else waits for this transaction to end, so that it may append."""
        return self._link.anybody_waits()

    def finish(self) -> None:
        """Writes the head back, if the log or the tokens grew; raises StoreError where a statement had failed."""
        if self._link.failure is not None:
            raise StoreError(f"expected a transaction without a failed statement, got one: {self._link.failure}")
        if self._follower is not None and self._blocks:
            self._follower.commit(self, self._head[0] + 1, self._blocks, self._found)
        if self._head != (self._size, self._tokens):
            self._link.write_head(self._size, self._recorded_at, self._tokens)
