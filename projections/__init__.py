"""Reads a settlement ledger: balances, clearing statements, traces, events and proofs, derived from its log.

``open(url)`` gives a ``Projections``; every query first catches its model up to the head of the log and carries
the position it answers for. Nothing here writes an event.
"""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from projections.reader import Projections

__all__ = ["open"]


def open(url: str) -> "Projections":
    """Returns the read side of the store at ``url``, a context manager; raises StoreError where there is none."""
    from ledger.store import connect
    from projections.reader import Projections

    return Projections(connect(url))
