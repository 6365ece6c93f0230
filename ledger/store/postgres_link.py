"""Is one transaction on one PostgreSQL connection: what is asked of it, and what waits to be sent with it."""

import re
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from functools import lru_cache
from typing import TYPE_CHECKING, Any

import psycopg
from psycopg.rows import TupleRow

from core_ext.kernels import load
from ledger.refusals import OutcomeUnknown, StoreError
from ledger.store.faults import Conflict, KeyTaken
from ledger.store.link import Link, Row, the_head
from ledger.store.postgres_connection import (
    APPEND_EVENTS,
    COPY_EVENTS,
    COPY_HEADER,
    COPY_TRAILER,
    ByteaArray,
    IntArray,
    TextArray,
    array_of,
    own,
    value_of,
)
from ledger.store.postgres_puts import Puts
from ledger.store.postgres_trips import ask, feed

if TYPE_CHECKING:
    from ledger.block import EventBlock
    from ledger.store.link import Column, Keys

# What a transaction ends with is one trip to the server.
COMMIT = b"COMMIT"
COMMIT_HEAD = "EXECUTE ledger_write_head({:d}, {:d}, {:d}); COMMIT"
WRITE_HEAD = "UPDATE log_head SET size = {}, recorded_at = {}, tokens = {} RETURNING pg_notify({}, '')"
# Behind a statement with such a status psycopg may have every prepared statement of the connection forgotten.
FORGETS = ("DROP", "ALTER", "ROLLBACK", "DISCARD ALL", "DEALLOCATE ALL")
HEAD = "SELECT size, recorded_at, tokens FROM log_head"
# Whoever waits for log_head waits for the transaction that has it.
ANYBODY_WAITS = (
    "SELECT EXISTS (SELECT FROM pg_locks WHERE NOT granted AND locktype IN ('transactionid', 'tuple')"
    " AND (transactionid = pg_current_xact_id()::xid OR relation = 'log_head'::regclass))"
)
MAY_READ = "SELECT has_table_privilege(?::text, 'SELECT')"

#: Events that go into one value: for one of more the server asks the system for memory anew each time.
PART_EVENTS = 512

# Between the parts of a column stands what stands between its values.
PACKED_BETWEEN = (b"", b",", b"\n", b"\n", b",")
PACKED = {
    wide: f"SELECT packed.* FROM generate_series(?::bigint, ?::bigint - 1, {PART_EVENTS}) AS part,"
    " LATERAL (SELECT string_agg(state, ''),"
    " convert_to(string_agg(((notification_id - ?::bigint) << 32 | octet_length(state)::bigint)::text, ','), 'UTF8'),"
    f" convert_to(string_agg(topic, E'\n'), 'UTF8'){more} FROM (SELECT * FROM stored_events"
    f" WHERE notification_id > part AND notification_id <= LEAST(part + {PART_EVENTS}, ?::bigint)"
    " ORDER BY notification_id) AS e) AS packed ORDER BY part"
    for wide, more in (
        (False, ""),
        (
            True,
            ", convert_to(string_agg(originator_id, E'\n'), 'UTF8'),"
            " convert_to(string_agg(originator_version::text, ','), 'UTF8')",
        ),
    )
}

#: From how many events on a block goes by COPY; fewer are put in with what else waits for a trip to the server.
BLOCK_COPY_FROM = 100

#: Events a piece of a COPY: some 100 kB, which psycopg hands on without cutting it up. No more than that, and no more
#: bytes of states than these, wait for the commit, to go with it: what is longer had better be under way.
PIECE_EVENTS = 512
WAITING_BYTES = 1 << 20

#: ``Key (originator_id, originator_version)=(claim-…, 1) already exists``, in any language.
_TAKEN = re.compile(r"=\((.*), (-?\d+)\)", re.DOTALL)


@lru_cache(maxsize=1024)
def _placeholders(sql: str) -> bytes:
    return sql.replace("%", "%%").replace("?", "%s").encode()


class PostgresLink(Link):
    """Is a transaction on one PostgreSQL connection."""

    def __init__(
        self, cursor: psycopg.Cursor[TupleRow], place: str, channel: str, head: tuple[int, int, int] | None
    ) -> None:
        self._cursor = cursor
        self._place = place
        self._channel = channel
        self._locked = head
        # What is put waits for the next thing that is asked: one trip to the server takes in several tables.
        self._puts = Puts()
        # So does a short block, as a COPY that goes with the commit where nothing is asked before.
        self._copy: bytes | None = None
        self._end = COMMIT

    def execute(self, sql: str, params: Sequence[Any] = ()) -> int:
        self.send()
        with self._refusing():
            self._cursor.execute(_placeholders(sql), params)
        if (self._cursor.statusmessage or "").startswith(FORGETS):
            own(self._cursor.connection).prepared = False
        return self._cursor.rowcount

    def query(self, sql: str, params: Sequence[Any] = ()) -> list[Row]:
        self.send()
        with self._refusing():
            return self._cursor.execute(_placeholders(sql), params).fetchall()

    def executemany(self, sql: str, rows: Iterable[Sequence[Any]]) -> int:
        self.send()
        with self._refusing():
            self._cursor.executemany(_placeholders(sql), rows)
            return self._cursor.rowcount

    def lookup(self, table: str, key: str, columns: str, keys: "Keys", also: str = "") -> list[Row]:
        named = ", ".join(f"t.{column.strip()}" for column in columns.split(","))
        # OFFSET 0 keeps the probe a probe: one index look-up a key, whatever the planner believes of a new table.
        return self._planned_now(
            f"SELECT k.at - 1, f.* FROM {{keys}} CROSS JOIN LATERAL"
            f" (SELECT {named} FROM {table} AS t WHERE t.{key} = k.value {also} OFFSET 0) AS f ORDER BY k.at",
            keys,
        )

    def each(self, expression: str, keys: "Keys") -> list[Row]:
        return self._planned_now(f"SELECT k.at - 1, {expression} FROM {{keys}} ORDER BY k.at", keys)

    def put(self, table: str, columns: Sequence[str], data: Sequence["Column"], conflict: str = "") -> None:
        if not len(data[0]):
            return
        if len(data[0]) == 1:
            # To unnest one large value has the server ask for memory for it several times.
            cells = [value_of(column) for column in data]
            source = f"SELECT {', '.join(place for _, place in cells)}"
        else:
            cells = [array_of(column) for column in data]
            source = f"SELECT * FROM unnest({', '.join(f'%s::{kind}[]' for _, kind in cells)})"
        values = [cell for cell, _ in cells]
        self._wait(table, f"INSERT INTO {table} ({', '.join(columns)}) {source} {conflict}", values, bool(conflict))

    def _wait(self, table: str, sql: str, arrays: Sequence[bytes], clause: bool) -> None:
        if not self._puts.takes(table, clause):
            self.send()
        self._puts.add(table, sql, arrays, clause)

    def send(self) -> None:
        """Has the server take in what waits."""
        self._send_copy()
        self._send_puts()

    def _send_copy(self) -> None:
        with self._refusing():
            rows, self._copy = self._copy, None
            if rows is not None:
                ask(self._cursor.connection, COPY_EVENTS)
                feed(self._cursor.connection, rows)

    def _send_puts(self) -> None:
        with self._refusing():
            found = self._puts.taken()
            if found is not None:
                sql, arrays = found
                self._cursor.execute(sql.encode(), arrays)

    def packed(self, after: int, stop: int, wide: bool) -> Row | None:
        columns = list(zip(*self.query(PACKED[wide], (after, stop, after, stop)), strict=True))
        # A part without an event has no values.
        return tuple(
            None if None in parts else between.join(parts)
            for between, parts in zip(PACKED_BETWEEN, columns, strict=False)
        )

    def may_read(self, table: str) -> bool:
        return bool(self.query(MAY_READ, (table,))[0][0])

    def erase(self, table: str, key: str, value: int | str) -> int:
        # The dead row goes with the next VACUUM, which no transaction may run.
        return self.execute(f"DELETE FROM {table} WHERE {key} = ?", (value,))

    def made_ready(self, block: "EventBlock", first: int) -> list[bytes] | None:
        return list(self._pieces(block, first)) if len(block) >= BLOCK_COPY_FROM else None

    def append(self, block: "EventBlock", first: int, ready: object = None) -> None:
        if len(block) < BLOCK_COPY_FROM:
            self._put_events(block, first)
            return
        pieces = ready if isinstance(ready, list) else self._pieces(block, first)
        if len(block) <= PIECE_EVENTS and len(block.states.data) <= WAITING_BYTES:
            self._send_copy()
            self._copy = b"".join(pieces)
            return
        with self._refusing(), self._cursor.copy(COPY_EVENTS) as copy:
            # The server takes a piece in while the next is packed.
            for piece in pieces:
                copy.write(piece)

    def _pieces(self, block: "EventBlock", first: int) -> Iterator[bytes]:
        pieces: Iterator[bytes] = load("records").copy_pieces(
            *block.columns, first, PIECE_EVENTS, COPY_HEADER, COPY_TRAILER
        )
        return pieces

    def _put_events(self, block: "EventBlock", first: int) -> None:
        positions, streams, versions, topics, states = load("records").pack_arrays(*block.columns, first)
        arrays = (IntArray(positions), TextArray(streams), IntArray(versions), TextArray(topics), ByteaArray(states))
        self._wait("stored_events", APPEND_EVENTS, arrays, False)

    def head(self) -> tuple[int, int, int]:
        if self._locked is not None:
            return self._locked
        return the_head(self.query(HEAD))

    def anybody_waits(self) -> bool:
        return bool(self.query(ANYBODY_WAITS)[0][0])

    def write_head(self, size: int, recorded_at: int, tokens: int) -> None:
        head = (size, recorded_at, tokens)
        if own(self._cursor.connection).prepared:
            self._end = COMMIT_HEAD.format(*head).encode()
        else:
            self._end = f"{WRITE_HEAD.format(*head, self._channel)}; COMMIT".encode()

    def _planned_now(self, sql: str, keys: "Keys") -> list[Row]:
        """Returns the rows of a statement planned for this call: a plan made while a table was empty would scan it."""
        if not len(keys):
            return []
        self.send()
        array, kind = array_of(keys)
        source = f"unnest(%s::{kind}[]) WITH ORDINALITY AS k(value, at)"
        with self._refusing():
            return self._cursor.execute(sql.format(keys=source).encode(), (array,), prepare=False).fetchall()

    @contextmanager
    def _refusing(self) -> Iterator[None]:
        try:
            yield
        except psycopg.Error as error:
            raise self._refused(error) from error
        except BaseException as error:
            # What was to be sent is gone: whoever is told and goes on must not commit what is left.
            self.failure = f"{type(error).__name__} {error}".rstrip()
            raise

    def _refused(self, error: psycopg.Error) -> StoreError | Conflict:
        self.failure = str(error)
        said = f"{self._place}: the database refused a statement, nothing was written: {error}"
        if not isinstance(error, psycopg.errors.UniqueViolation):
            return StoreError(said)
        taken = _TAKEN.search(error.diag.message_detail or "")
        if taken is not None and error.diag.table_name == "stored_events":
            return Conflict(taken[1], int(taken[2]))
        return KeyTaken(said)

    def commit(self) -> None:
        """Commits; what waits goes before, a short block in the same trip."""
        self._send_puts()
        if self.failure is not None:
            raise StoreError(f"{self._place}: a statement had failed, nothing was written: {self.failure}")
        connection = self._cursor.connection
        if self._copy is not None:
            # Without its rows it is no commit.
            with self._refusing():
                ask(connection, COPY_EVENTS + b"; " + self._end)
        try:
            status = self._committed()
        except psycopg.Error as error:
            if connection.broken:
                raise OutcomeUnknown(
                    f"{self._place}: the connection was lost while committing: {error}. Look whether the command is in"
                    " the log before repeating it"
                ) from error
            if isinstance(error, psycopg.errors.UniqueViolation):
                raise self._refused(error) from error
            raise StoreError(f"{self._place}: the commit was refused, nothing was written: {error}") from error
        if status != "COMMIT":
            raise StoreError(
                f"{self._place}: expected COMMIT, got {status}: a statement had failed, nothing was written"
            )

    def _committed(self) -> str | None:
        """Sends the rows that the server waits for, if it does, or the end of the transaction; returns its answer."""
        if self._copy is not None:
            results = feed(self._cursor.connection, self._copy)
            if self._cursor.pgresult is not None:
                own(self._cursor.connection).let_go()
            return (results[-1].command_status or b"").decode()
        # By the cursor, which so lets go of what was asked of it last.
        self._cursor.execute(self._end, binary=False)
        while self._cursor.nextset():
            pass
        return self._cursor.statusmessage

    def over(self) -> None:
        """Forgets what waits: behind its transaction nothing of it may go anywhere."""
        self._puts, self._copy = Puts(), None
