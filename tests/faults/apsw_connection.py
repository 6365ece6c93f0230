"""Makes APSW, which carries a SQLite of its own and takes a file system of ours, look like ``sqlite3`` to the store."""

import contextlib
import sqlite3
from collections.abc import Callable, Iterable, Sequence
from typing import Any

import apsw

#: What sqlite3 raises for a primary result code; anything else is an OperationalError, as with sqlite3.
_KINDS: dict[int, type[sqlite3.Error]] = {
    apsw.SQLITE_CONSTRAINT: sqlite3.IntegrityError,
    apsw.SQLITE_MISMATCH: sqlite3.IntegrityError,
    apsw.SQLITE_CORRUPT: sqlite3.DatabaseError,
    apsw.SQLITE_NOTADB: sqlite3.DatabaseError,
    apsw.SQLITE_MISUSE: sqlite3.ProgrammingError,
}


def translated(error: apsw.Error) -> sqlite3.Error:
    """Returns an error of APSW as sqlite3 would raise it, with code and name."""
    code = int(getattr(error, "extendedresult", 0) or getattr(error, "result", 0))
    kind = _KINDS.get(code & 0xFF, sqlite3.OperationalError)
    if isinstance(error, apsw.ConnectionClosedError | apsw.CursorClosedError):
        kind = sqlite3.ProgrammingError
    raised = kind(str(error))
    raised.sqlite_errorcode = code
    names = {**apsw.mapping_result_codes, **apsw.mapping_extended_result_codes}
    raised.sqlite_errorname = str(names.get(code, "SQLITE_ERROR"))
    return raised


AUTOCHECKPOINT = "PRAGMA wal_autocheckpoint = "


class Cursor:
    """Is the part of sqlite3.Cursor that the store and the library use."""

    row_factory: object = None

    def __init__(self, connection: "Connection") -> None:
        self._connection = connection
        self._cursor = connection.raw.cursor()
        self.rowcount = -1

    def execute(self, sql: str, params: Sequence[Any] = ()) -> "Cursor":
        """Runs one statement; the pragmas that the connector was told to change are changed."""
        if sql.startswith(AUTOCHECKPOINT):
            self._connection.checkpoint_every(int(self._connection.changed(sql).removeprefix(AUTOCHECKPOINT)))
            return self
        return self._run(lambda: self._cursor.execute(self._connection.changed(sql), tuple(params)))

    def executemany(self, sql: str, rows: Iterable[Sequence[Any]]) -> "Cursor":
        """Runs one statement for every row."""
        return self._run(lambda: self._cursor.executemany(sql, map(tuple, rows)))

    def fetchall(self) -> list[Any]:
        """Returns the rows left."""
        try:
            return self._cursor.fetchall()
        except apsw.Error as error:
            raise translated(error) from error

    def fetchone(self) -> Any:
        """Returns the next row."""
        try:
            return self._cursor.fetchone()
        except apsw.Error as error:
            raise translated(error) from error

    def close(self) -> None:
        """Closes the cursor."""
        self._cursor.close(True)

    def _run(self, statement: Callable[[], object]) -> "Cursor":
        raw = self._connection.raw
        try:
            before = raw.total_changes()
            statement()
            self.rowcount = raw.total_changes() - before
        except apsw.Error as error:
            raise translated(error) from error
        return self


class Connection:
    """Is the part of sqlite3.Connection that the store and the library use."""

    row_factory: object = None

    def __init__(self, raw: apsw.Connection, pragmas: dict[str, str]) -> None:
        self.raw = raw
        self._pragmas = pragmas

    def changed(self, sql: str) -> str:
        """Returns a pragma with the value it was told to have instead, and any other statement as it is."""
        name = sql.removeprefix("PRAGMA ").partition(" = ")[0]
        return f"PRAGMA {name} = {self._pragmas[name]}" if name in self._pragmas and "=" in sql else sql

    def checkpoint_every(self, pages: int) -> None:
        """Checkpoints as SQLite's own hook does: after a commit, and silently where the checkpoint fails.

        Under that hook APSW raises the file system's exception out of a COMMIT that has succeeded.
        """

        def after_commit(raw: apsw.Connection, name: str, frames: int) -> int:
            if frames >= pages:
                with contextlib.suppress(apsw.Error):
                    raw.wal_checkpoint(name, apsw.SQLITE_CHECKPOINT_PASSIVE)
            return apsw.SQLITE_OK

        self.raw.set_wal_hook(after_commit)

    @property
    def total_changes(self) -> int:
        """Returns how many rows were changed since it was opened."""
        return int(self.raw.total_changes())

    @property
    def in_transaction(self) -> bool:
        """Returns whether a transaction is open."""
        return bool(self.raw.in_transaction)

    def cursor(self) -> Cursor:
        """Returns a cursor."""
        try:
            return Cursor(self)
        except apsw.Error as error:
            raise translated(error) from error

    def execute(self, sql: str, params: Sequence[Any] = ()) -> Cursor:
        """Runs one statement."""
        return self.cursor().execute(sql, params)

    def commit(self) -> None:
        """Commits what is open."""
        if self.in_transaction:
            self.execute("COMMIT")

    def rollback(self) -> None:
        """Rolls back what is open."""
        if self.in_transaction:
            self.execute("ROLLBACK")

    def close(self) -> None:
        """Closes the connection; APSW also tells what failed while doing so, which sqlite3 does not."""
        try:
            self.raw.close(True)
        except apsw.Error as error:
            raise translated(error) from error


def connector(vfs: str, **pragmas: str) -> Callable[..., Connection]:
    """Returns what stands in for ``sqlite3.connect``: over the file system ``vfs``, with pragmas set otherwise."""

    def connect(name: str, *, timeout: float, cached_statements: int, **_: Any) -> Connection:
        flags = apsw.SQLITE_OPEN_READWRITE | apsw.SQLITE_OPEN_URI
        try:
            raw = apsw.Connection(name, flags=flags, vfs=vfs, statementcachesize=cached_statements)
            raw.set_busy_timeout(int(timeout * 1000))
        except apsw.Error as error:
            raise translated(error) from error
        return Connection(raw, pragmas)

    return connect
