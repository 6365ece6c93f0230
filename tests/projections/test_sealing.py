"""The tree sealed in the transaction that appends is the tree that follows it, and never half of one."""

from collections.abc import Callable, Sequence
from pathlib import Path

import pytest

from ledger import store
from ledger.block import EventBlock
from ledger.store import Store
from projections import balances, proof
from projections.catch_up import catch_up, ensure, positions
from projections.posting import post_within
from projections.sealing import seal_within
from projections.tables import Rows, read_table
from tests.projections.books import Book, append_each, derive_anew, full_book, pieces


def tree(opened: Store) -> tuple[int, int, Rows]:
    """Returns the log's size, the position of the tree and its tiles."""
    with opened.read() as reader:
        at = positions(reader, opened.dialect)[proof.MODEL.name][0]
        return reader.size, at, read_table(reader, proof.TILE)


def long_book() -> Book:
    """Returns a book of more events than a tile holds."""
    book = full_book()
    _, version, event = book.log[0]
    book.log += [(f"command-{number}", version, event) for number in range(1_000, 1_500)]
    return book


@pytest.mark.parametrize("size", [1, 77, 1_000])
def test_sealing_within_leaves_the_tree_that_follows(store_url: str, tmp_path: Path, size: int) -> None:
    """After every commit the tree stands over every event, with the tiles a tree has that was caught up at the end."""
    book = long_book()
    with store.create(store_url) as opened:
        seal_within(opened)
        for block in pieces(book, size):
            with opened.begin() as tx:
                tx.append(block)
            assert tree(opened)[0] == tree(opened)[1]
        sealed = tree(opened)
    with store.create(f"sqlite:///{tmp_path / 'follows.db'}") as followed:
        append_each(followed, pieces(book, 50))
        ensure(followed, [proof.MODEL])
        catch_up(followed, [proof.MODEL])
        assert tree(followed) == sealed
    assert sealed[0] == len(book.log) > proof.WIDTH


def test_blocks_of_one_transaction_are_sealed_in_their_order(store_url: str) -> None:
    """Events appended block by block in one transaction stand in the tree at their own positions."""
    book = full_book()
    with store.create(store_url) as opened:
        seal_within(opened)
        with opened.begin() as tx:
            for event in book.log:
                tx.append(EventBlock.from_events([event]))
        sealed = tree(opened)
    with store.connect(store_url) as opened:
        derive_anew(opened, proof.MODEL)
        assert tree(opened) == sealed


def test_a_transaction_that_fails_seals_nothing(store_url: str) -> None:
    """Events and tiles commit together or not at all."""
    book = full_book()
    *most, last = pieces(book, 40)
    with store.create(store_url) as opened:
        seal_within(opened)
        append_each(opened, most)
        before = tree(opened)
        with pytest.raises(RuntimeError, match="changed my mind"), opened.begin() as tx:
            tx.append(last)
            raise RuntimeError("changed my mind")
        assert tree(opened) == before


def test_a_tree_that_is_behind_is_left_to_whoever_asks(store_url: str) -> None:
    """Where another process appended without sealing, the next transaction adds no leaf at a wrong place."""
    book = full_book()
    first, second, *_, last = pieces(book, 40)
    with store.create(store_url) as opened, store.connect(store_url) as other:
        seal_within(opened)
        for writer, block in ((opened, first), (other, second), (opened, last)):
            append_each(writer, [block])
        size, at, _ = tree(opened)
        assert at == len(first) < size
        catch_up(opened, [proof.MODEL])
        with opened.read() as reader:
            root = proof.tree_of(reader, size).root()
        derive_anew(opened, proof.MODEL)
        with opened.read() as reader:
            assert proof.tree_of(reader, size).root() == root


@pytest.mark.parametrize("order", [(post_within, seal_within), (seal_within, post_within)])
def test_posting_and_sealing_go_together(store_url: str, order: Sequence[Callable[[Store], None]]) -> None:
    """A store asked for both, in either order, does both in every transaction."""
    book = full_book()
    with store.create(store_url) as opened:
        for ask in order:
            ask(opened)
        append_each(opened, pieces(book, 100))
        with opened.read() as reader:
            held = positions(reader, opened.dialect)
            assert held[proof.MODEL.name][0] == held[balances.MODEL.name][0] == reader.size == len(book.log)
