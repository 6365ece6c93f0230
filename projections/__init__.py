"""Reads a settlement ledger: balances, clearing statements, traces, events and proofs, derived from its log.

``open(url)`` gives a ``Projections``; every query first catches its model up to the head of the log and carries
the position it answers for. Nothing here writes an event.
"""

from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from ledger.store import Store
    from projections.reader import Projections

__all__ = ["grant_roles", "open", "post_within", "seal_within"]


def open(url: str, *, segments: str | Path | None = None) -> "Projections":
    """Returns the read side of the store at ``url``, a context manager; raises StoreError where there is none.

    ``segments`` is the folder of the sealed segments, as ``ledger.open`` takes it: ``verify`` looks at their files.
    """
    from ledger.store import connect
    from ledger.store.url import segments_folder
    from projections.reader import Projections

    folder = Path(segments) if segments is not None else None
    archives = segments_folder(url, folder)
    store = connect(url)
    try:
        read = Projections(store)
    except BaseException:
        store.close()
        raise
    read.segments, store.archives.folder = folder, archives
    return read


def post_within(store: "Store") -> None:
    """Lets every later transaction of this open store (``ledger.open(url).store``) post balances before it commits.

    Balances then stand at the head of the log behind every commit; appending costs more. Raises StoreError where they
    cannot be caught up first.
    """
    from projections.posting import post_within as post

    post(store)


def seal_within(store: "Store") -> None:
    """Lets every later transaction of this open store (``ledger.open(url).store``) enter the tree before it commits.

    What is durable is then proven: a checkpoint has nothing to catch up. Raises StoreError where the tree cannot be
    caught up first.
    """
    from projections.sealing import seal_within as seal

    seal(store)


def grant_roles(url: str) -> None:
    """Makes ``ledger_writer`` and ``ledger_reader`` on a PostgreSQL store, derived tables included.

    Raises StoreError on SQLite, where there is no store, and for an account that may not create roles.
    """
    from ledger.store import connect
    from ledger.store.roles import grant_roles as grant
    from projections.catch_up import STATE_TABLE, build_indexes, ensure
    from projections.reader import MODELS

    with connect(url) as store:
        ensure(store, MODELS)
        # Those that may fill them from now on own no table, so that they could build none.
        build_indexes(store, MODELS)
        grant(store, [STATE_TABLE, *(table.name for model in MODELS for table in model.tables)])
