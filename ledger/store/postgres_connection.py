"""Connects to PostgreSQL from the store URL alone, and packs columns the way its binary protocol takes them."""

import os
import pwd
import socket
import struct
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import cached_property
from threading import Lock
from typing import TYPE_CHECKING, Any

import numpy as np
import psycopg
from eventsourcing.postgres import ConnectionPool, PostgresDatastore
from psycopg import pq
from psycopg.adapt import Dumper, Loader
from psycopg.conninfo import conninfo_to_dict, make_conninfo
from psycopg.rows import TupleRow, dict_row, tuple_row
from psycopg.types.numeric import NumericBinaryLoader

from core_ext.kernels import load

if TYPE_CHECKING:
    from psycopg.abc import AdaptContext, Buffer

    from ledger.store.link import Column, Keys
    from ledger.store.url import PostgresURL

#: What a local socket is asked to hold on its way to the server; the system may give less (net.core.wmem_max).
SEND_BYTES = 4 << 20

#: From how many events on a binary COPY is faster than one INSERT of arrays.
COPY_FROM = 500

APPEND_EVENTS = (
    "INSERT INTO stored_events (notification_id, originator_id, originator_version, topic, state)"
    " SELECT * FROM unnest(%s::bigint[], %s::text[], %s::bigint[], %s::text[], %s::bytea[])"
)
COPY_EVENTS = (
    b"COPY stored_events (originator_id, originator_version, topic, state, notification_id) FROM STDIN (FORMAT BINARY)"
)
COPY_HEADER = b"PGCOPY\n\xff\r\n\0" + bytes(8)
COPY_TRAILER = b"\xff\xff"

# What libpq would take from the environment where a URL says nothing; an empty text means its default otherwise.
NEUTRAL = {
    "connect_timeout": "10",
    "client_encoding": "UTF8",
    "application_name": "settlement-ledger",
    "sslcertmode": "allow",
    "min_protocol_version": "3.0",
    "max_protocol_version": "3.0",
}

# A commit waits for the disk even where the database's default does not, and for replicas where it says so; a plan is
# never worth compiling here; a writer waits a minute for its turn, not for ever; the session of a machine that went
# away without a word, which may hold the log's head, ends in a minute instead of two hours (over TCP).
SETTINGS = """
SELECT set_config('search_path', %s, false), set_config('jit', 'off', false), set_config('lock_timeout', '60s', false),
  set_config('synchronous_commit', CASE current_setting('synchronous_commit') WHEN 'off' THEN 'on'
    ELSE current_setting('synchronous_commit') END, false),
  set_config('tcp_keepalives_idle', '30', false), set_config('tcp_keepalives_interval', '10', false),
  set_config('tcp_keepalives_count', '3', false), set_config('tcp_user_timeout', '60000', false)"""

# The settings of libpq that no connection option overrides.
HIDDEN = ("PGSERVICE", "PGDATESTYLE", "PGTZ", "PGGEQO")
_environment = Lock()


@contextmanager
def _hidden_environment() -> Iterator[None]:
    """Hides those settings while libpq connects; a process without them, which is nearly every one, is not touched."""
    if not any(name in os.environ for name in HIDDEN):
        yield
        return
    with _environment:
        values = {name: os.environ.pop(name) for name in HIDDEN if name in os.environ}
        try:
            yield
        finally:
            os.environ.update(values)


def conninfo(url: "PostgresURL") -> str:
    """Returns the connection string of a URL with every option said, so that the environment has no say in any.

    A user not named is the user of this process, a database not named has the user's name, a password not named is
    looked up in the password file, which ``passfile=`` may name.
    """
    options: dict[str, Any] = dict(conninfo_to_dict(url.conninfo))
    options.setdefault("user", pwd.getpwuid(os.geteuid()).pw_name)
    options.setdefault("dbname", options["user"])
    for option in pq.Conninfo.get_defaults():
        name = option.keyword.decode()
        if option.envvar and name != "service":
            options.setdefault(name, NEUTRAL.get(name, (option.compiled or b"").decode()))
    return make_conninfo("", **options)


class LedgerConnection(psycopg.Connection[Any]):
    """Is a connection made without the environment."""

    #: Whether it has the statements that every append runs (``ledger.store.postgres``).
    prepared = False

    @cached_property
    def appending(self) -> psycopg.Cursor[TupleRow]:
        """Returns the cursor of its appends: a new one would look up every type anew."""
        return self.cursor(binary=True, row_factory=tuple_row)

    def let_go(self) -> None:
        """Forgets that cursor: it keeps what was asked of it last, and the answer, for as long as there is one."""
        self.__dict__.pop("appending", None)

    @classmethod
    def connect(cls, conninfo: str = "", **options: Any) -> "LedgerConnection":
        """Returns a new connection."""
        with _hidden_environment():
            return super().connect(conninfo, **options)


def own(connection: psycopg.Connection[Any]) -> LedgerConnection:
    """Returns a connection as what every connection of a store is."""
    assert isinstance(connection, LedgerConnection)
    return connection


def connect(url: "PostgresURL") -> LedgerConnection:
    """Returns a connection to the URL's database; raises psycopg.Error."""
    connection = LedgerConnection.connect(conninfo(url), autocommit=True)
    _configured(url.schema)(connection)
    return connection


def _configured(schema: str) -> Callable[[psycopg.Connection[Any]], None]:
    def configure(connection: psycopg.Connection[Any]) -> None:
        connection.autocommit = True
        _widen(connection.fileno())
        connection.execute(SETTINGS, (schema,))
        for kind in _ARRAYS:
            connection.adapters.register_dumper(kind, _dumper(kind))
        connection.adapters.register_loader("numeric", IntegralNumeric)

    return configure


def _widen(descriptor: int) -> None:
    """Lets a local socket hold a whole block's rows: the server takes them in while the client does something else.

    TCP widens by itself as far as it is worth.
    """
    with socket.socket(fileno=os.dup(descriptor)) as local:
        if local.family == socket.AF_UNIX:
            local.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, SEND_BYTES)


class LedgerDatastore(PostgresDatastore):
    """Is the library's datastore over a pool that connects from the URL alone, with text ids."""

    def __init__(self, url: "PostgresURL") -> None:
        # The base class would put the connection together from five settings of its own.
        self.schema = url.schema
        self.originator_id_type = "text"
        self.single_row_tracking = True
        self.enable_db_functions = False
        self.pool_open_timeout = None
        self.lock_timeout = 0
        self.db_type_names = set()
        self.psycopg_type_adapters = {}
        self.psycopg_python_types = {}
        self.pool = ConnectionPool(
            conninfo(url),
            connection_class=LedgerConnection,
            kwargs={"row_factory": dict_row},
            min_size=1,
            max_size=16,
            open=False,
            configure=_configured(url.schema),
            timeout=30.0,
        )

    def register_type_adapters(self) -> None:
        """Registers nothing: events travel as arrays of plain columns, not as composites."""


class IntegralNumeric(Loader):
    """Loads the sum of integers, which PostgreSQL widens to numeric, as an int; raises for a fraction."""

    format = pq.Format.BINARY

    def __init__(self, oid: int, context: "AdaptContext | None" = None) -> None:
        super().__init__(oid, context)
        self._numeric = NumericBinaryLoader(oid, context)

    def load(self, data: "Buffer") -> int:
        """Returns the integer; raises psycopg.DataError for anything else."""
        value = self._numeric.load(data)
        if value != value.to_integral_value():
            raise psycopg.DataError(f"expected an integer, got {value}")
        return int(value)


class IntArray(bytes):
    """Is a bigint[] in PostgreSQL's binary form."""

    oid, item = 1016, 20


class TextArray(bytes):
    """Is a text[] in PostgreSQL's binary form."""

    oid, item = 1009, 25


class ByteaArray(bytes):
    """Is a bytea[] in PostgreSQL's binary form."""

    oid, item = 1001, 17


_ARRAYS = (IntArray, TextArray, ByteaArray)
_CELL = np.dtype([("length", ">i4"), ("value", ">i8")])


def _dumper(kind: type[IntArray] | type[TextArray] | type[ByteaArray]) -> type[Dumper]:
    class PackedDumper(Dumper):
        """Hands over an array that is already in binary form."""

        format = pq.Format.BINARY
        oid = kind.oid

        def dump(self, obj: bytes) -> bytes:
            """Returns the bytes as they are."""
            return obj

    return PackedDumper


def _array_header(n: int, item: int) -> bytes:
    return struct.pack(">iiiii", 1, 0, item, n, 1) if n else struct.pack(">iii", 0, 0, item)


def int_array(values: Any) -> IntArray:
    """Returns integers as a bigint[] parameter."""
    numbers = np.asarray(values, dtype=np.int64)
    cells = np.empty(len(numbers), dtype=_CELL)
    cells["length"] = 8
    cells["value"] = numbers
    return IntArray(_array_header(len(numbers), IntArray.item) + cells.tobytes())


def text_array(values: Any) -> TextArray:
    """Returns texts as a text[] parameter."""
    return TextArray(load("records").pack_texts(values))


def bytea_array(values: Any) -> ByteaArray:
    """Returns bytes as a bytea[] parameter."""
    return ByteaArray(_array_header(len(values), ByteaArray.item) + _cells(values))


def array_of(values: "Keys | Column") -> tuple[bytes, str]:
    """Returns keys or a column, at least one value, as one array parameter, and its type."""
    if hasattr(values, "dtype"):
        return int_array(values), "bigint"
    first = values[0]
    if isinstance(first, str):
        return text_array(values), "text"
    if isinstance(first, int):
        return int_array(values), "bigint"
    return bytea_array(values), "bytea"


def value_of(column: "Column") -> tuple[bytes, str]:
    """Returns the one value of a column as a parameter, and its place in a statement."""
    first = column[0]
    if isinstance(first, bytes):
        return first, "%s::bytea"
    array, kind = array_of(column)
    return array, f"(%s::{kind}[])[1]"


def _cells(raws: Sequence[bytes]) -> bytes:
    lengths = np.fromiter(map(len, raws), dtype=">i4", count=len(raws)).tobytes()
    heads = [lengths[at : at + 4] for at in range(0, len(lengths), 4)]
    cells: list[bytes] = [b""] * (2 * len(raws))
    cells[::2] = heads
    cells[1::2] = raws
    return b"".join(cells)
