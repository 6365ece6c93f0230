"""Keeps the tree at the head of the log: what a transaction appends is hashed and sealed before it commits.

A job asks for it with ``seal_within``: its events' leaves are hashed out of the columns they are appended from, where
a tree that follows reads every event back first. Without it the tree follows when it is asked for.
"""

from collections.abc import Sequence
from typing import TYPE_CHECKING, TypeAlias

from core_ext.kernels import load
from ledger.store.follower import in_turn
from projections import proof
from projections.catch_up import LOCK_STATE, catch_up, ensure, move_on
from projections.tables import write

if TYPE_CHECKING:
    from ledger.block import EventBlock
    from ledger.store import Store, Transaction


#: Leaves, and the roots of the tiles that they alone fill, by their numbers.
Hashed: TypeAlias = tuple[bytes, dict[int, bytes]]


def seal_within(store: "Store") -> None:
    """Lets every later transaction of this open store put what it appends into the tree before it commits.

    The tree is caught up first; what the store did last in a transaction it still does before. A tree that falls behind
    all the same, by an append of another process that does not seal, stays behind until it is asked for or this is
    called again. Raises StoreError as ``catch_up`` does.
    """
    ensure(store, [proof.MODEL])
    catch_up(store, [proof.MODEL])
    store.follower = in_turn(store.follower, Sealing(store.dialect))


class Sealing:
    """Seals what a transaction appends; a block's leaves, and the tiles they fill, are hashed while it is taken in."""

    def __init__(self, dialect: str) -> None:
        self._lock = LOCK_STATE[dialect]

    def ahead(self, first: int, block: "EventBlock") -> Hashed:
        """Returns the leaves of a block, and the roots of the tiles they fill."""
        leaves: bytes = load("tree").leaf_columns(*block.columns, first)
        return leaves, proof.roots_within(first - 1, leaves)

    def commit(
        self, tx: "Transaction", first: int, blocks: Sequence["EventBlock"], found: Sequence[Hashed | None]
    ) -> None:
        """Writes the tiles that the blocks fill or begin, where the tree stands directly before them."""
        if tx.query(self._lock, (proof.MODEL.name,)) != [(first - 1,)]:
            return
        stop, leaves, roots = first - 1, [], dict[int, bytes]()
        for block, hashed in zip(blocks, found, strict=True):
            own, filled = hashed or self.ahead(stop + 1, block)
            leaves.append(own)
            roots |= filled
            stop += len(block)
        write(tx, proof.grow(tx, first - 1, b"".join(leaves), roots))
        move_on(tx, proof.MODEL, stop)
