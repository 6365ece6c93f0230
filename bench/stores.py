"""Gives each round an empty store, and takes away the one before it."""

import os
from collections.abc import Callable, Sequence
from itertools import count
from pathlib import Path
from time import sleep
from typing import Protocol

import psycopg
from eventsourcing.persistence import ApplicationRecorder, StoredEvent
from eventsourcing.postgres import PostgresApplicationRecorder, PostgresDatastore
from eventsourcing.sqlite import SQLiteApplicationRecorder, SQLiteDatastore
from psycopg import sql
from psycopg.conninfo import conninfo_to_dict


class Stock:
    """Is the library's own recorder over a table of its own, with text ids."""

    def __init__(self, recorder: ApplicationRecorder, close: Callable[[], None]) -> None:
        self.recorder = recorder
        self.close = close

    def append(self, events: Sequence[StoredEvent]) -> None:
        """Appends events in one transaction."""
        self.recorder.insert_events(events)


class Stores(Protocol):
    """Is where stores of one database are made; one at a time."""

    dialect: str
    #: The most events the library's recorder is given in one transaction.
    stock_events: int

    def fresh(self) -> str:
        """Returns the URL of a place without a store; what was made before is gone."""

    def stock(self) -> Stock:
        """Returns the library's recorder over an empty table; what was made before is gone."""

    def clear(self) -> None:
        """Takes away what was made."""


class SQLiteStores:
    """Makes stores in files of a folder."""

    dialect = "sqlite"
    stock_events = 16_384

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._numbers = count(1)

    def fresh(self) -> str:
        """Returns the URL of a file that is not there."""
        return f"sqlite:///{self._file()}"

    def stock(self) -> Stock:
        """Returns the library's recorder over a new file."""
        datastore = SQLiteDatastore(str(self._file()), originator_id_type="text")
        recorder = SQLiteApplicationRecorder(datastore)
        recorder.create_table()
        with datastore.transaction(commit=False) as cursor:
            cursor.execute("PRAGMA synchronous")
            (synchronous,) = cursor.fetchone()
        if synchronous != 2:
            raise RuntimeError(f"expected the library to keep SQLite's synchronous = FULL (2), got {synchronous}")
        return Stock(recorder, datastore.close)

    def clear(self) -> None:
        """Removes the files."""
        for file in self._folder.glob("store-*"):
            file.unlink()

    def _file(self) -> Path:
        self.clear()
        return self._folder / f"store-{next(self._numbers)}.db"


#: What docs/durability.md asks of a server's own settings, as SHOW says it.
WAL_WRITER_DELAY = "10ms"


class PostgresStores:
    """Makes stores in schemas of a server."""

    dialect = "postgres"
    # It sends all events of a transaction as one statement in pipeline mode, where client and server wait for each
    # other for ever once that is some megabytes over a local socket (seen at 16,384 events, not at 4,096).
    stock_events = 1_024

    def __init__(self, server: str) -> None:
        self._server = server
        self._numbers = count(1)
        self._schema = ""

    def fresh(self) -> str:
        """Returns the URL of a schema that is not there."""
        self._next()
        return f"{self._server}{'&' if '?' in self._server else '?'}schema={self._schema}"

    def stock(self) -> Stock:
        """Returns the library's recorder over a new schema."""
        self._next()
        with psycopg.connect(self._server, autocommit=True) as connection:
            connection.execute(sql.SQL("CREATE SCHEMA {}").format(sql.Identifier(self._schema)))
            parameters = connection.info.get_parameters()
        given = conninfo_to_dict(self._server)
        datastore = PostgresDatastore(
            parameters.get("dbname", ""),
            str(given.get("host") or parameters.get("host", "")),
            str(given.get("port") or parameters.get("port", "")),
            parameters.get("user", ""),
            str(given.get("password") or ""),
            schema=self._schema,
            originator_id_type="text",
        )
        recorder = PostgresApplicationRecorder(datastore)
        recorder.create_table()
        return Stock(recorder, datastore.close)

    def clear(self) -> None:
        """Drops the schema, and writes out what dropping left behind."""
        if self._schema:
            with psycopg.connect(self._server, autocommit=True) as connection:
                connection.execute("SET client_min_messages = warning")
                connection.execute(sql.SQL("DROP SCHEMA IF EXISTS {} CASCADE").format(sql.Identifier(self._schema)))
                connection.execute("CHECKPOINT")
            self._schema = ""

    def set_up(self) -> None:
        """Gives a server that is ours alone the settings that are recommended; RuntimeError where it takes none."""
        with psycopg.connect(self._server, autocommit=True) as connection:
            connection.execute(f"ALTER SYSTEM SET wal_writer_delay = '{WAL_WRITER_DELAY}'".encode())
            connection.execute("SELECT pg_reload_conf()")
            for _ in range(500):
                # Every process of the server hears of it by a signal of its own.
                if self.wal_writer_delay() == WAL_WRITER_DELAY:
                    return
                sleep(0.01)
        raise RuntimeError(f"expected wal_writer_delay = {WAL_WRITER_DELAY}, got {self.wal_writer_delay()}")

    def wal_writer_delay(self) -> str:
        """Returns how long the server leaves its log in memory where no commit waits for it."""
        with psycopg.connect(self._server, autocommit=True) as connection:
            return _shown(connection, "wal_writer_delay")

    def version(self) -> str:
        """Returns the server's version; raises RuntimeError where a commit would not wait for the disk."""
        with psycopg.connect(self._server, autocommit=True) as connection:
            for name in ("fsync", "synchronous_commit", "full_page_writes"):
                if (value := _shown(connection, name)) != "on":
                    raise RuntimeError(f"expected PostgreSQL with {name} = on, got {value}")
            return _shown(connection, "server_version")

    def _next(self) -> None:
        self.clear()
        self._schema = f"ledger_bench_{os.getpid()}_{next(self._numbers)}"


def _shown(connection: psycopg.Connection[tuple[str]], name: str) -> str:
    found = connection.execute(sql.SQL("SHOW {}").format(sql.Identifier(name))).fetchone()
    return found[0] if found else ""
