"""Keeps a store in one schema of a PostgreSQL database, for many writers."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import psycopg
import psycopg_pool
from psycopg.rows import TupleRow, tuple_row
from psycopg.sql import quote

from ledger.refusals import StoreError
from ledger.store.link import Backend, Link, Mode, the_head
from ledger.store.postgres_connection import LedgerDatastore, connect, own
from ledger.store.postgres_link import WRITE_HEAD, PostgresLink
from ledger.store.postgres_recorder import PostgresRecorder
from ledger.store.postgres_trips import ask, numbers
from ledger.store.schema import postgres_statements

if TYPE_CHECKING:
    from ledger.store.url import PostgresURL

# What a transaction begins with is one trip to the server.
BEGIN = {
    Mode.READ: b"BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY",
    # Whoever waits to alter a table waits for the APPEND, and this one would wait behind them: no database sees that.
    Mode.BESIDE: b"BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY; SET LOCAL lock_timeout = '1s'",
    Mode.WRITE: b"BEGIN",
    Mode.APPEND: b"BEGIN; EXECUTE ledger_lock_head",
}
# Parsed and planned once a connection: for a hundred events that is a twentieth of a transaction.
PREPARED = b"SELECT name FROM pg_prepared_statements WHERE name = 'ledger_write_head'"
PREPARE_HEAD = (
    "PREPARE ledger_lock_head AS SELECT size, recorded_at, tokens FROM log_head FOR UPDATE;"
    f"PREPARE ledger_write_head(bigint, bigint, bigint) AS {WRITE_HEAD}"
)
TABLES = "SELECT tablename FROM pg_tables WHERE schemaname = ?"
SCHEMA_EXISTS = "SELECT 1 FROM pg_namespace WHERE nspname = ?"
# One creator at a time in a database; the number is this package's own.
LOCK_CREATION = "SELECT pg_advisory_xact_lock(5230418966)"


class PostgresBackend(Backend):
    """Is a schema of a PostgreSQL database that holds one store."""

    dialect = "postgres"

    def __init__(self, url: "PostgresURL") -> None:
        self._url = url
        self.url = url.url
        self.place = url.place
        self.schema = url.schema
        #: What its subscribers listen on, quoted.
        self.channel = quote(url.schema)
        self._datastore = LedgerDatastore(url)
        self._recorder: PostgresRecorder | None = None

    @property
    def recorder(self) -> PostgresRecorder:
        if self._recorder is None:
            self._recorder = PostgresRecorder(self._datastore)
        return self._recorder

    def check_place(self, create: bool) -> None:
        # The pool would keep trying to connect in the background, and not say why it cannot.
        try:
            connect(self._url).close()
        except psycopg.Error as error:
            raise StoreError(f"expected a PostgreSQL server and database at {self.place}, got: {error}") from error

    @contextmanager
    def link(self, mode: Mode) -> Iterator[PostgresLink]:
        cursor, head = self._begun(mode)
        link = PostgresLink(cursor, self.place, self.channel, head)
        try:
            yield link
            if mode.writes:
                link.commit()
        finally:
            link.over()
            self._give_back(cursor.connection)

    @contextmanager
    def create_link(self) -> Iterator[PostgresLink]:
        with self.link(Mode.WRITE) as link:
            link.execute(LOCK_CREATION)
            if not link.query(SCHEMA_EXISTS, (self.schema,)):
                link.execute(f'CREATE SCHEMA "{self.schema}"')
            yield link

    def tables(self, link: Link) -> set[str]:
        return {name for (name,) in link.query(TABLES, (self.schema,))}

    def statements(self) -> list[str]:
        return postgres_statements()

    def close(self) -> None:
        self._datastore.close()

    def _begun(self, mode: Mode) -> tuple[psycopg.Cursor[TupleRow], tuple[int, int, int] | None]:
        """Returns a cursor in a new transaction, and the head it has locked where it is to append.

        A connection the server has dropped meanwhile is replaced.
        """
        pool = self._datastore.pool
        for _ in range(pool.max_size + 1):
            try:
                pool.open()
                connection = pool.getconn(mode.patience_s)
            except (psycopg_pool.PoolTimeout, psycopg_pool.PoolClosed) as error:
                raise StoreError(f"{self.place}: expected a connection, got none: {error}") from error
            try:
                if mode is not Mode.APPEND:
                    ask(connection, BEGIN[mode])
                    return connection.cursor(binary=True, row_factory=tuple_row), None
                cursor = own(connection).appending
                if not own(connection).prepared:
                    self._prepare(cursor)
                return cursor, the_head(numbers(ask(connection, BEGIN[mode])[-1]))
            except psycopg.Error as error:
                lost = connection.broken
                if isinstance(error, psycopg.errors.InvalidSqlStatementName):
                    # Somebody else has had the connection's statements forgotten: it is given them again.
                    lost, own(connection).prepared = True, False
                self._give_back(connection)
                if not lost:
                    raise StoreError(f"{self.place}: no transaction could begin: {error}") from error
            except BaseException:
                # Interrupted, say: it may have the lock already.
                self._give_back(connection)
                raise
        raise StoreError(f"{self.place}: expected a connection that lives, got none: is the server still there?")

    def _prepare(self, cursor: psycopg.Cursor[TupleRow]) -> None:
        """Gives a connection the statements that every append runs, where it has them no longer."""
        if cursor.execute(PREPARED, prepare=False).fetchone() is None:
            cursor.execute(PREPARE_HEAD.format("$1", "$2", "$3", self.channel).encode(), binary=False)
        own(cursor.connection).prepared = True

    def _give_back(self, connection: psycopg.Connection[Any]) -> None:
        try:
            if not connection.broken and connection.info.transaction_status != psycopg.pq.TransactionStatus.IDLE:
                own(connection).prepared = False
                connection.rollback()
        except psycopg.Error:
            # A connection that cannot roll back is one the server has rolled back; the pool throws it away.
            connection.close()
        finally:
            self._datastore.pool.putconn(connection)
