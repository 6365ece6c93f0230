"""Keeps the tree at the head of the log: what a transaction appends is hashed and sealed before it commits.

A job asks for it with ``seal_within``: its events' leaves are hashed out of the columns they are appended from, where
a tree that follows reads every event back first. Without it the tree follows when it is asked for.
"""

from collections.abc import Sequence
from typing import TYPE_CHECKING

from core_ext.kernels import load
from projections import proof
from projections.catch_up import LOCK_STATE, UPDATE_STATE, catch_up, ensure
from projections.tables import write

if TYPE_CHECKING:
    from ledger.block import EventBlock
    from ledger.store import Store, Transaction


def seal_within(store: "Store") -> None:
    """Lets every later transaction of this open store put what it appends into the tree before it commits.

    The tree is caught up first; what the store did last in a transaction it still does before. A tree that falls behind
    all the same, by an append of another process that does not seal, stays behind until it is asked for or this is
    called again. Raises StoreError as ``catch_up`` does.
    """
    ensure(store, [proof.MODEL])
    catch_up(store, [proof.MODEL])
    before = store.on_commit

    def seal(tx: "Transaction", first: int, blocks: Sequence["EventBlock"]) -> None:
        if before is not None:
            before(tx, first, blocks)
        if tx.query(LOCK_STATE[store.dialect], (proof.MODEL.name,)) != [(first - 1,)]:
            return
        kernel, leaves, at = load("tree"), [], first
        for block in blocks:
            leaves.append(kernel.leaf_columns(*block.columns, at))
            at += len(block)
        write(tx, proof.grow(tx, first - 1, b"".join(leaves)))
        tx.execute(UPDATE_STATE, (at - 1, proof.MODEL.name))

    store.on_commit = seal
