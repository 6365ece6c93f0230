"""Keeps a store in one SQLite file: write-ahead log, every commit on disk before it returns."""

import os
import sqlite3
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager, nullcontext, suppress
from functools import cache
from itertools import chain, islice
from threading import Lock
from typing import TYPE_CHECKING, Any

import numpy as np
from eventsourcing.persistence import ConnectionPoolClosedError, ConnectionUnavailableError, InterfaceError

from core_ext.kernels import load
from ledger.refusals import OutcomeUnknown, StoreError
from ledger.store.faults import Conflict, KeyTaken
from ledger.store.link import Backend, Link, Mode, Row, the_head
from ledger.store.schema import sqlite_statements
from ledger.store.sqlite_packed import Packed, packed
from ledger.store.sqlite_recorder import (
    LOCK_TIMEOUT_S,
    LedgerConnection,
    LedgerDatastore,
    LedgerPool,
    SQLiteRecorder,
    json_text,
)
from ledger.store.turns import Turns
from ledger.store.write_back import WriteBack

if TYPE_CHECKING:
    from ledger.block import EventBlock
    from ledger.store.link import Column, Keys
    from ledger.store.url import SQLiteURL

#: Rows of one INSERT: past this many there is little left to save.
ROWS_A_STATEMENT = 16

HEAD = "SELECT size, recorded_at, tokens FROM log_head"
WRITE_HEAD = "UPDATE log_head SET size = ?, recorded_at = ?, tokens = ?"
EVENTS = "stored_events (notification_id, originator_id, originator_version, topic, state)"
# Bytes put together keep every one. Integers, fractions and texts are all below the empty blob, blobs are not.
PACKED = {
    wide: f"SELECT CAST(group_concat(state, '') AS BLOB),"
    " CAST(group_concat((notification_id - ?1) << 32 | length(state)) AS BLOB),"
    f" CAST(group_concat(topic, '\n') AS BLOB){more} FROM stored_events"
    f" WHERE notification_id > ?1 AND notification_id <= ?2 AND state >= x'' AND topic < x''{also}"
    for wide, more, also in (
        (False, "", ""),
        (
            True,
            ", CAST(group_concat(originator_id, '\n') AS BLOB), CAST(group_concat(originator_version) AS BLOB)",
            " AND originator_id < x''",
        ),
    )
}
#: What SQLite calls a key that another row has.
TAKEN = ("SQLITE_CONSTRAINT_PRIMARYKEY", "SQLITE_CONSTRAINT_UNIQUE")
TABLES = "SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite_%'"


#: How long writing back waits for a connection that others use.
WRITE_BACK_PATIENCE_S = 1


class _NoConnection(StoreError):
    """Is a connection that others kept, or that a closed store has no more."""


class SQLiteLink(Link):
    """Is a transaction on one SQLite connection."""

    def __init__(self, raw: sqlite3.Connection, place: str, anybody_waits: Callable[[], bool]) -> None:
        self._cursor = raw.cursor()
        self._anybody_waits = anybody_waits
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

    def put(self, table: str, columns: Sequence[str], data: Sequence["Column"], conflict: str = "") -> None:
        values = [_bindable(column) for column in data]
        cells = chain.from_iterable(zip(*values, strict=True))
        groups = iter(lambda: tuple(islice(cells, ROWS_A_STATEMENT * len(columns))), ())
        with self._refusing():
            self._insert(f"{table} ({', '.join(columns)})", len(columns), len(values[0]), groups, conflict)

    def _insert(self, into: str, width: int, rows: int, groups: Iterator[Sequence[Any]], conflict: str = "") -> None:
        """Inserts rows that come ROWS_A_STATEMENT a group, the last group shorter.

        A statement of many rows pays for its beginning and its end once.
        """
        full, rest = divmod(rows, ROWS_A_STATEMENT)
        if full:
            statement = _insert_statement(into, width, ROWS_A_STATEMENT, conflict)
            self._cursor.executemany(statement, islice(groups, full))
        if rest:
            self._cursor.execute(_insert_statement(into, width, rest, conflict), next(groups))

    def packed(self, after: int, stop: int, wide: bool) -> Row | None:
        with self._refusing():
            try:
                found: Row = self._cursor.execute(PACKED[wide], (after, stop)).fetchone()
            except sqlite3.DataError:
                # More than SQLite holds in one value.
                return None
            return found

    def may_read(self, table: str) -> bool:
        # Whoever may open the file may read all of it.
        return True

    def erase(self, table: str, key: str, value: int | str) -> int:
        # Every connection overwrites what is deleted with zeros.
        return self.execute(f"DELETE FROM {table} WHERE {key} = ?", (value,))

    def made_ready(self, block: "EventBlock", first: int) -> Packed | None:
        return packed(block, first)

    def append(self, block: "EventBlock", first: int, ready: object = None) -> None:
        columns = (block.streams, block.versions, block.topics, block.topic_names, block.states, first)
        whole = ready if isinstance(ready, Packed) else packed(block, first)
        try:
            if whole is not None:
                self._cursor.execute(whole.statement, whole.params)
            else:
                self._insert(EVENTS, 5, len(block), load("codec").grouped(*columns, ROWS_A_STATEMENT))
        except sqlite3.IntegrityError as error:
            self.failure = str(error)
            if error.sqlite_errorname != "SQLITE_CONSTRAINT_UNIQUE":
                raise StoreError(f"{self._place}: expected position {first} to be free: {error}") from error
            raise self._conflict(load("codec").rows(*columns), first) from error
        except sqlite3.Error as error:
            raise self._refused(error) from error

    def head(self) -> tuple[int, int, int]:
        return the_head(self.query(HEAD))

    def anybody_waits(self) -> bool:
        return self._anybody_waits()

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
        except (sqlite3.Error, sqlite3.Warning, UnicodeDecodeError) as error:
            raise self._refused(error) from error

    def _refused(self, error: Exception) -> StoreError:
        self.failure = str(error)
        kind = KeyTaken if getattr(error, "sqlite_errorname", "") in TAKEN else StoreError
        return kind(f"{self._place}: the database refused a statement, nothing was written: {error}")


#: What to do about a store that may be read only.
COPY_FIRST = "even a query brings derived tables up to date, so copy it (and its -wal file) to a folder of your own"


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
        # Writers take turns on one connection: its page cache stays true as long as no other process writes.
        self._writers = LedgerPool(url, self._connector)
        self._turns = Turns(url.path)
        self._next = Lock()
        self._writing = Lock()
        self._behind = WriteBack()

    @property
    def recorder(self) -> SQLiteRecorder:
        return self._recorder

    def check_place(self, create: bool) -> None:
        path = self._url.path
        if path.is_dir():
            raise StoreError(
                f"expected a file at {self.place}, got a folder: name a file in it, as {self.place}/ledger.db"
            )
        if create:
            if not path.parent.is_dir():
                raise StoreError(f"expected the folder {path.parent} to be there, got none: make it first")
            try:
                path.touch()
            except OSError as error:
                raise StoreError(f"expected to be allowed to create {self.place}, got: {error.strerror}") from error
        elif not path.is_file():
            raise StoreError(f"expected a ledger at {self.place}, got no such file: create it with `settlement init`")
        elif not os.access(path, os.R_OK | os.W_OK):
            raise StoreError(f"expected to be allowed to read and write {self.place}, got no permission: {COPY_FIRST}")
        elif not os.access(path.parent, os.W_OK) and not path.with_name(f"{path.name}-wal").exists():
            raise StoreError(f"expected to be allowed to write in {path.parent}, got no permission: {COPY_FIRST}")

    @contextmanager
    def link(self, mode: Mode) -> Iterator[SQLiteLink]:
        writes = mode.writes
        if writes:
            self._behind.check()
        changed = 0
        with self._connection(writes, mode.patience_s) as raw:
            try:
                if writes:
                    # Once it has begun nobody is in its way, so only here is there anything to wait for.
                    raw.execute("PRAGMA busy_timeout = 0")
                    self._turns.wait(lambda: raw.execute("BEGIN IMMEDIATE"), LOCK_TIMEOUT_S)
                else:
                    raw.execute("BEGIN")
            except sqlite3.Error as error:
                raise self._not_begun(error) from error
            try:
                before = raw.total_changes
                yield SQLiteLink(raw, self.place, self._anybody_waits)
                if writes:
                    self._commit(raw)
                    changed = raw.total_changes - before
            finally:
                # A connection closed meanwhile, by Store.close in another thread say, has rolled back already.
                with suppress(sqlite3.Error):
                    if raw.in_transaction:
                        raw.rollback()
        if writes:
            self._behind.wrote(changed, self._write_back)

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
        self._behind.wait()
        self._writers.close()
        self._datastore.close()

    @contextmanager
    def _connection(self, writes: bool, patience_s: float | None = None) -> Iterator[sqlite3.Connection]:
        pool = self._writers if writes else self._datastore.pool
        with self._turn() if writes else nullcontext():
            try:
                connection = pool.get_connection(patience_s)
            except (ConnectionUnavailableError, ConnectionPoolClosedError) as error:
                raise _NoConnection(f"{self.place}: expected a connection, got none: {error!r}") from error
            except InterfaceError as error:
                raise StoreError(f"expected a SQLite database at {self.place}, got: {error}") from error
            assert isinstance(connection, LedgerConnection)
            try:
                yield connection.raw
            finally:
                with suppress(ConnectionPoolClosedError):
                    pool.put_connection(connection)

    def _write_back(self) -> None:
        # Where readers have every connection, or the store closes, what is committed lies safely where it is.
        with suppress(_NoConnection), self._connection(False, WRITE_BACK_PATIENCE_S) as raw:
            try:
                raw.execute("PRAGMA wal_checkpoint(PASSIVE)").fetchall()
            except sqlite3.Error as error:
                raise StoreError(
                    f"{self.place}: the database could not bring what is committed to its place, where it is safe in"
                    f" the write-ahead log: {error}"
                ) from error

    def _anybody_waits(self) -> bool:
        # A thread that waits longest holds the first lock.
        return self._next.locked() or self._turns.anybody_waits()

    @contextmanager
    def _turn(self) -> Iterator[None]:
        """Lets the writing threads of this process in one by one, none overtaking the one that waits longest.

        The pool's own interlock would do the first, but keeps readers waiting behind a waiting writer.
        """
        if not self._next.acquire(timeout=LOCK_TIMEOUT_S):
            raise self._no_turn()
        try:
            if not self._writing.acquire(timeout=LOCK_TIMEOUT_S):
                raise self._no_turn()
        finally:
            self._next.release()
        try:
            yield
        finally:
            self._writing.release()

    def _no_turn(self) -> StoreError:
        return StoreError(
            f"{self.place}: expected a turn to write within {LOCK_TIMEOUT_S} s, got none: another thread keeps the"
            " store, or a writing block was opened inside another; nothing was written"
        )

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


@cache
def _insert_statement(into: str, width: int, rows: int, conflict: str) -> str:
    one = f"({', '.join('?' * width)})"
    return f"INSERT INTO {into} VALUES {', '.join([one] * rows)} {conflict}"


def _bindable(column: "Column") -> list[Any]:
    """Returns a column's cells as sqlite3 takes them in fastest: bytes would each be searched an adapter for."""
    if isinstance(column, np.ndarray):
        found: list[Any] = column.tolist()
        return found
    cells: list[Any] = list(column)
    return list(map(bytearray, cells)) if cells and isinstance(cells[0], bytes) else cells


def _json_keys(keys: "Keys") -> str:
    """Returns keys for json_each; raises StoreError for a text with a NUL, which SQLite would cut off there."""
    values = keys.tolist() if hasattr(keys, "tolist") else list(keys)
    text = json_text(values)
    if "\\u0000" in text and any("\0" in key for key in values):
        raise StoreError("expected keys without NUL characters, got one: no store takes it")
    return text
