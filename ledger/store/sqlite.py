"""Keeps a store in one SQLite file: write-ahead log, every commit on disk before it returns."""

import sqlite3
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

import msgspec
from eventsourcing.persistence import ConnectionUnavailableError, InterfaceError, Notification, StoredEvent
from eventsourcing.sqlite import (
    SQLiteApplicationRecorder,
    SQLiteConnection,
    SQLiteConnectionPool,
    SQLiteCursor,
    SQLiteDatastore,
    SQLiteTransaction,
)

from core_ext.kernels import load
from ledger.refusals import OutcomeUnknown, StoreError
from ledger.store.faults import Conflict
from ledger.store.link import Backend, Link, Mode, Row
from ledger.store.schema import sqlite_statements

if TYPE_CHECKING:
    from ledger.block import EventBlock
    from ledger.store.link import Column, Keys
    from ledger.store.url import SQLiteURL

#: How long a writer waits for another one, in seconds.
LOCK_TIMEOUT_S = 60

CACHED_STATEMENTS = 256

# A commit is on disk when it returns (FULL, on purpose); REPLACE fires the triggers that refuse deletion; a longer
# write-ahead log before each checkpoint rewrites hot pages less often (16,384 pages of 4 KiB = 64 MiB).
PRAGMAS = (
    "PRAGMA synchronous = FULL",
    "PRAGMA recursive_triggers = ON",
    "PRAGMA wal_autocheckpoint = 16384",
    "PRAGMA cache_size = -65536",
    "PRAGMA temp_store = MEMORY",
)

INSERT_EVENTS = (
    "INSERT INTO stored_events (notification_id, originator_id, originator_version, topic, state)"
    " VALUES (?, ?, ?, ?, ?)"
)
HEAD = "SELECT size, recorded_at, tokens FROM log_head"
WRITE_HEAD = "UPDATE log_head SET size = ?, recorded_at = ?, tokens = ?"
TAKE_HEAD = "UPDATE log_head SET size = size + ? RETURNING size"
TABLES = "SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite_%'"
NOTIFICATIONS = (
    "SELECT notification_id, originator_id, originator_version, topic, state FROM stored_events"
    " WHERE notification_id >= ? AND notification_id <= ?{topics} ORDER BY notification_id LIMIT ?"
)
TOPICS = " AND topic IN (SELECT value FROM json_each(?))"
LAST_ID = 2**63 - 1


class LedgerConnection(SQLiteConnection):
    """Is a connection of the pool that shows the one underneath."""

    def __init__(self, raw: sqlite3.Connection, max_age: float | None) -> None:
        super().__init__(raw, max_age)
        self.raw = raw

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
        except sqlite3.Error as error:
            raise InterfaceError(error) from error
        raw.row_factory = sqlite3.Row
        return LedgerConnection(raw, self.max_age)


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
            params.insert(2, _json(list(topics)))
        statement = NOTIFICATIONS.format(topics=TOPICS if topics else "")
        with self.datastore.transaction(commit=False) as c:
            c.execute(statement, params)
            return [Notification(row[1], row[2], row[3], row[4], id=row[0]) for row in c.fetchall()]


class SQLiteLink(Link):
    """Is a transaction on one SQLite connection."""

    def __init__(self, raw: sqlite3.Connection, place: str) -> None:
        self._cursor = raw.cursor()
        # The pool's row factory serves the library; plain tuples are half the cost.
        self._cursor.row_factory = None
        self._place = place

    def execute(self, sql: str, params: Sequence[Any] = ()) -> int:
        with self._refusing():
            return self._cursor.execute(sql, params).rowcount

    def query(self, sql: str, params: Sequence[Any] = ()) -> list[Row]:
        with self._refusing():
            return self._cursor.execute(sql, params).fetchall()

    def executemany(self, sql: str, rows: Iterable[Sequence[Any]]) -> int:
        with self._refusing():
            return self._cursor.executemany(sql, rows).rowcount

    def lookup(self, table: str, key: str, columns: str, keys: "Keys", also: str = "") -> list[Row]:
        named = ", ".join(f"t.{column.strip()}" for column in columns.split(","))
        return self.query(
            f"SELECT k.key, {named} FROM json_each(?) AS k CROSS JOIN {table} AS t WHERE t.{key} = k.value {also}",
            (_json_keys(keys),),
        )

    def each(self, expression: str, keys: "Keys") -> list[Row]:
        return self.query(f"SELECT k.key, {expression} FROM json_each(?) AS k", (_json_keys(keys),))

    def put(self, table: str, columns: Sequence[str], data: Sequence["Column"], conflict: str = "") -> int:
        values: list[Any] = [column.tolist() if hasattr(column, "tolist") else column for column in data]
        places = ", ".join("?" * len(columns))
        return self.executemany(
            f"INSERT INTO {table} ({', '.join(columns)}) VALUES ({places}) {conflict}", zip(*values, strict=True)
        )

    def append(self, block: "EventBlock", first: int) -> None:
        rows = load("codec").rows(block.streams, block.versions, block.topics, block.topic_names, block.states, first)
        try:
            self._cursor.executemany(INSERT_EVENTS, rows)
        except sqlite3.IntegrityError as error:
            self.failure = str(error)
            if error.sqlite_errorname != "SQLITE_CONSTRAINT_UNIQUE":
                raise StoreError(f"{self._place}: expected position {first} to be free: {error}") from error
            raise self._conflict(rows, first) from error
        except sqlite3.Error as error:
            raise self._refused(error) from error

    def head(self) -> tuple[int, int, int]:
        size, recorded_at, tokens = self.query(HEAD)[0]
        return size, recorded_at, tokens

    def write_head(self, size: int, recorded_at: int, tokens: int) -> None:
        self.execute(WRITE_HEAD, (size, recorded_at, tokens))

    def _conflict(self, rows: list[tuple[int, str, int, str, bytes]], first: int) -> Conflict:
        """Returns the first row in order whose place another has: an event of the log, or an earlier row."""
        streams = list(dict.fromkeys(row[1] for row in rows))
        taken = {
            (streams[i], version)
            for i, version in self.lookup(
                "stored_events", "originator_id", "originator_version", streams, f"AND t.notification_id < {first}"
            )
        }
        for _, stream, version, _, _ in rows:
            if (stream, version) in taken:
                return Conflict(stream, version)
            taken.add((stream, version))
        raise AssertionError("a unique violation without two equal keys")

    @contextmanager
    def _refusing(self) -> Iterator[None]:
        try:
            yield
        except (sqlite3.Error, sqlite3.Warning) as error:
            raise self._refused(error) from error

    def _refused(self, error: Exception) -> StoreError:
        self.failure = str(error)
        return StoreError(f"{self._place}: the database refused a statement, nothing was written: {error}")


class SQLiteBackend(Backend):
    """Is a SQLite file that holds one store."""

    dialect = "sqlite"

    def __init__(self, url: "SQLiteURL", connector: Callable[..., Any] | None = None) -> None:
        self._url = url
        self.url = url.url
        self.place = url.place
        self._connector: Callable[..., Any] = connector or sqlite3.connect
        self._datastore = LedgerDatastore(LedgerPool(url, self._connector))
        self._recorder = SQLiteRecorder(self._datastore)

    @property
    def recorder(self) -> SQLiteRecorder:
        return self._recorder

    def check_place(self, create: bool) -> None:
        path = self._url.path
        if create:
            if not path.parent.is_dir():
                raise StoreError(f"expected the folder {path.parent} to be there, got none: make it first")
            path.touch()
        elif not path.is_file():
            raise StoreError(f"expected a ledger at {self.place}, got no such file: create it with `settlement init`")

    @contextmanager
    def link(self, mode: Mode) -> Iterator[SQLiteLink]:
        writes = mode is not Mode.READ
        with self._connection(writes) as raw:
            try:
                raw.execute("BEGIN IMMEDIATE" if writes else "BEGIN")
            except sqlite3.Error as error:
                raise self._not_begun(error) from error
            try:
                yield SQLiteLink(raw, self.place)
                if writes:
                    self._commit(raw)
            finally:
                if raw.in_transaction:
                    raw.rollback()

    @contextmanager
    def create_link(self) -> Iterator[SQLiteLink]:
        with self._connection(True) as raw:
            try:
                raw.execute("PRAGMA journal_mode = WAL")
            except sqlite3.Error as error:
                raise self._not_begun(error) from error
        with self.link(Mode.WRITE) as link:
            yield link

    def tables(self, link: Link) -> set[str]:
        return {name for (name,) in link.query(TABLES)}

    def statements(self) -> list[str]:
        return sqlite_statements()

    def close(self) -> None:
        self._datastore.close()

    @contextmanager
    def _connection(self, writes: bool) -> Iterator[sqlite3.Connection]:
        pool = self._datastore.pool
        try:
            connection = pool.get_connection(is_writer=writes)
        except ConnectionUnavailableError as error:
            raise StoreError(
                f"{self.place}: expected a turn within {LOCK_TIMEOUT_S} s, got none: {error}. Another thread of this"
                " process keeps the store, or a block was opened inside a block"
            ) from error
        except InterfaceError as error:
            raise StoreError(f"expected a SQLite database at {self.place}, got: {error}") from error
        assert isinstance(connection, LedgerConnection)
        try:
            yield connection.raw
        finally:
            pool.put_connection(connection)

    def _commit(self, raw: sqlite3.Connection) -> None:
        try:
            raw.execute("COMMIT")
        except sqlite3.Error as error:
            # After a failed sync the commit may already stand in the write-ahead log and come back in recovery.
            if getattr(error, "sqlite_errorcode", 0) & 0xFF == sqlite3.SQLITE_IOERR:
                raise OutcomeUnknown(
                    f"{self.place}: expected the commit to reach the disk, got: {error}. Open the store again and"
                    " look whether the command is in the log before repeating it"
                ) from error
            raise StoreError(f"{self.place}: the commit was refused, nothing was written: {error}") from error

    def _not_begun(self, error: sqlite3.Error) -> StoreError:
        if getattr(error, "sqlite_errorcode", 0) & 0xFF == sqlite3.SQLITE_BUSY:
            return StoreError(
                f"{self.place}: expected a turn to write within {LOCK_TIMEOUT_S} s, got none: another process keeps"
                " the store, nothing was written"
            )
        return StoreError(f"expected a SQLite database that can be used at {self.place}, got: {error}")


def _json(values: list[Any]) -> str:
    return msgspec.json.encode(values).decode()


def _json_keys(keys: "Keys") -> str:
    """Returns keys for json_each; raises StoreError for a text with a NUL, which SQLite would cut off there."""
    values = keys.tolist() if hasattr(keys, "tolist") else list(keys)
    text = _json(values)
    if "\\u0000" in text and any("\0" in key for key in values):
        raise StoreError("expected keys without NUL characters, got one: no store takes it")
    return text
