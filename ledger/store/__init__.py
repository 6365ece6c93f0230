"""Keeps the log and the write side's state in one database: SQLite in a file, or PostgreSQL in a schema of its own.

``connect(url)`` opens a store and never creates one; ``create(url)`` creates it, and opens an existing store of
the same schema as it is. Nothing is read from the environment. A store may be shared by threads, each ``with``
block has a connection of its own; a store is never carried across a fork: open it again in the child.
"""

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from ledger.store.faults import Conflict
from ledger.store.url import PostgresURL, parse_url

if TYPE_CHECKING:
    from ledger.store.link import Backend
    from ledger.store.session import Reader, Transaction, Writer
    from ledger.store.store import Store

__all__ = ["Conflict", "Reader", "Store", "Transaction", "Writer", "connect", "copy", "create", "upgrade"]


def connect(url: str, create: bool = False, *, connector: Callable[..., Any] | None = None) -> "Store":
    """Returns the store at ``url`` (``sqlite:///path`` or ``postgresql://…``), created first where ``create`` says so.

    ``connector`` stands in for ``sqlite3.connect`` (SQLite only). Raises StoreError: a URL that is not understood,
    no store there, a store of another schema version, or a server that does not answer.
    """
    from ledger.store.store import open_store

    return open_store(_backend(url, connector), create)


def upgrade(url: str) -> tuple[int, int]:
    """Moves the store at ``url`` up to this version's schema and returns (version before, version now).

    All of it or nothing. No event is touched. Raises StoreError: no store there, or a newer one.
    """
    from ledger.store.store import upgrade_store

    return upgrade_store(_backend(url, None))


def copy(store: "Store", to: str, progress: Callable[[int], None] | None = None) -> int:
    """Copies a store, as it is now, into an empty place at ``to`` and returns the number of events; on either database.

    Same ids, bytes and write-side state, in one transaction: nothing is there until all is. Raises Refused where
    anything is there already.
    """
    from ledger.store.copying import copy_store

    return copy_store(store, _backend(to, None), progress)


def _backend(url: str, connector: Callable[..., Any] | None) -> "Backend":
    place = parse_url(url)
    if isinstance(place, PostgresURL):
        from ledger.store.postgres import PostgresBackend

        return PostgresBackend(place)
    from ledger.store.sqlite import SQLiteBackend

    return SQLiteBackend(place, connector)


def create(url: str, *, connector: Callable[..., Any] | None = None) -> "Store":
    """Returns the store at ``url``, created if nothing is there; an existing one of the same schema is kept whole.

    Raises StoreError where something else than a ledger is there already.
    """
    return connect(url, create=True, connector=connector)


def __getattr__(name: str) -> object:
    """Returns the classes of the package on first use, so that importing it loads no database driver."""
    if name in ("Reader", "Transaction", "Writer"):
        from ledger.store import session

        return getattr(session, name)
    if name == "Store":
        from ledger.store.store import Store

        return Store
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
