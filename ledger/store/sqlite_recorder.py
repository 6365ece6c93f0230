"""Is the library's SQLite recorder over the ledger's table, and the connections it shares with the store."""

import sqlite3
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

import msgspec
from eventsourcing.persistence import InterfaceError, Notification, StoredEvent
from eventsourcing.sqlite import (
    SQLiteApplicationRecorder,
    SQLiteConnection,
    SQLiteConnectionPool,
    SQLiteCursor,
    SQLiteDatastore,
    SQLiteTransaction,
)

if TYPE_CHECKING:
    from ledger.store.url import SQLiteURL

#: How long a writer waits for another one, in seconds.
LOCK_TIMEOUT_S = 60

CACHED_STATEMENTS = 256

# A commit is on disk when it returns (FULL, on purpose); REPLACE fires the triggers that refuse deletion. The commit
# that finds a write-ahead log of 64 MiB (16,384 pages of 4 KiB) brings it to its place: a longer one rewrites hot pages
# less often, and keeps whoever comes upon its end waiting longer. What is deleted is overwritten with zeros, in tables
# and indexes: it may be somebody erased.
PRAGMAS = (
    "PRAGMA synchronous = FULL",
    "PRAGMA recursive_triggers = ON",
    "PRAGMA wal_autocheckpoint = 16384",
    "PRAGMA cache_size = -65536",
    "PRAGMA temp_store = MEMORY",
    "PRAGMA secure_delete = ON",
)

INSERT_EVENTS = (
    "INSERT INTO stored_events (notification_id, originator_id, originator_version, topic, state)"
    " VALUES (?, ?, ?, ?, ?)"
)
TAKE_HEAD = "UPDATE log_head SET size = size + ? RETURNING size"
NOTIFICATIONS = (
    "SELECT notification_id, originator_id, originator_version, topic, state FROM stored_events"
    " WHERE notification_id >= ? AND notification_id <= ?{topics} ORDER BY notification_id LIMIT ?"
)
TOPICS = " AND topic IN (SELECT value FROM json_each(?))"
LAST_ID = 2**63 - 1


def json_text(values: list[Any]) -> str:
    """Returns values as JSON, for json_each."""
    return msgspec.json.encode(values).decode()


class LedgerConnection(SQLiteConnection):
    """Is a connection of the pool that shows the one underneath."""

    def __init__(self, raw: sqlite3.Connection, max_age: float | None) -> None:
        super().__init__(raw, max_age)
        self.raw = raw
        self.user = 0

    @contextmanager
    def transaction(self, *, commit: bool) -> Iterator[SQLiteCursor]:
        """Gives a cursor in a transaction that takes the write lock at once where it will commit."""
        with LedgerTransaction(self, commit=commit) as cursor, cursor:
            yield cursor


class LedgerTransaction(SQLiteTransaction):
    """Begins with the write lock: a reader that turns writer later can only fail."""

    def __enter__(self) -> SQLiteCursor:
        cursor = self.connection.cursor()
        cursor.execute("BEGIN IMMEDIATE" if self.commit else "BEGIN")
        return cursor


class LedgerPool(SQLiteConnectionPool):
    """Opens connections to an existing file, each with the settings a ledger needs."""

    def __init__(self, url: "SQLiteURL", connector: Callable[..., Any]) -> None:
        super().__init__(
            db_name=f"file:{quote(str(url.path))}?mode=rw",
            lock_timeout=LOCK_TIMEOUT_S,
            pool_timeout=LOCK_TIMEOUT_S,
        )
        self._connector = connector

    def _create_connection(self) -> LedgerConnection:
        try:
            raw = self._connector(
                self.db_name,
                uri=True,
                check_same_thread=False,
                isolation_level=None,
                cached_statements=CACHED_STATEMENTS,
                timeout=LOCK_TIMEOUT_S,
            )
            for pragma in PRAGMAS:
                raw.execute(pragma)
        except (sqlite3.Error, UnicodeDecodeError) as error:
            # Of a damaged schema the very message may be no text.
            raise InterfaceError(error) from error
        raw.row_factory = sqlite3.Row
        return LedgerConnection(raw, self.max_age)

    def get_connection(self, *args: Any, **kwargs: Any) -> SQLiteConnection:
        """Returns a connection, and notes the thread that has it."""
        connection = super().get_connection(*args, **kwargs)
        assert isinstance(connection, LedgerConnection)
        connection.user = threading.get_ident()
        return connection

    def close(self) -> None:
        """Closes the pool once what other threads have under way has come back.

        A connection closed under a thread that is inside SQLite takes the process down with it: one that does not
        come back in time is left to its user. This thread is inside nothing, so its own are closed at once.
        """
        with self._put_condition:
            if self._closed:
                return
            self._put_condition.wait_for(lambda: not self._elsewhere(), timeout=LOCK_TIMEOUT_S)
            elsewhere = self._elsewhere()
            self._closed = True
            for connection in [*self._in_use.values(), *self._pool]:
                if connection not in elsewhere:
                    connection.close()
            self._pool.clear()

    def _elsewhere(self) -> list[SQLiteConnection]:
        here = threading.get_ident()
        return [one for one in self._in_use.values() if isinstance(one, LedgerConnection) and one.user != here]


class LedgerDatastore(SQLiteDatastore):
    """Is the library's datastore over that pool, with text ids."""

    def __init__(self, pool: LedgerPool) -> None:
        # The base class would make a pool of its own, from a name it opens in its own way.
        self.pool = pool
        self.single_row_tracking = True
        self.originator_id_type = "text"


class SQLiteRecorder(SQLiteApplicationRecorder):
    """Is the library's recorder over the ledger's table: positions come from log_head, under the write lock."""

    def construct_create_table_statements(self) -> list[str]:
        """Returns nothing: ``ledger.store.create`` makes the tables."""
        return []

    def _insert_events(self, c: SQLiteCursor, stored_events: Sequence[StoredEvent], **_: Any) -> Sequence[int]:
        c.execute(TAKE_HEAD, (len(stored_events),))
        last = c.fetchall()[0][0]
        ids = range(last - len(stored_events) + 1, last + 1)
        c.executemany(
            INSERT_EVENTS,
            [
                (position, str(event.originator_id), event.originator_version, event.topic, event.state)
                for position, event in zip(ids, stored_events, strict=True)
            ],
        )
        return list(ids)

    def select_notifications(
        self,
        start: int | None,
        limit: int,
        stop: int | None = None,
        topics: Sequence[str] = (),
        *,
        inclusive_of_start: bool = True,
    ) -> Sequence[Notification]:
        """Returns at most ``limit`` notifications from ``start`` to ``stop``, both included unless told otherwise."""
        first = 0 if start is None else start if inclusive_of_start else start + 1
        params: list[int | str] = [first, LAST_ID if stop is None else stop, limit]
        if topics:
            params.insert(2, json_text(list(topics)))
        statement = NOTIFICATIONS.format(topics=TOPICS if topics else "")
        with self.datastore.transaction(commit=False) as c:
            c.execute(statement, params)
            return [Notification(row[1], row[2], row[3], row[4], id=row[0]) for row in c.fetchall()]
