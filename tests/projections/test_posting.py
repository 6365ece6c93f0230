"""Balances posted in the transaction that appends are those that follow it, and never half of either."""

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from ledger import store
from ledger.block import EventBlock
from ledger.events import ClaimFiled
from ledger.refusals import StoreError
from ledger.store import session
from projections import balances, statement, trace
from projections.balance_runs import read_balances
from projections.catch_up import LOCK_STATE, catch_up, positions
from projections.posting import post_within
from tests.projections.books import append_each, derive_anew, full_book, pieces


@pytest.fixture(autouse=True, params=[1, 1_024])
def ahead_events(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Has every block decoded beside the database, or only large ones."""
    monkeypatch.setattr(session, "AHEAD_EVENTS", request.param)


def held(opened: store.Store) -> tuple[int, int, dict[str, int]]:
    """Returns the log's size, the position of the balances and the balances."""
    with opened.read() as reader:
        at = positions(reader, opened.dialect)[balances.MODEL.name][0]
        return reader.size, at, read_balances(reader)


@pytest.mark.parametrize("size", [1, 7, 1_000])
def test_posting_within_leaves_what_following_leaves(store_url: str, tmp_path: Path, size: int) -> None:
    """After every commit the balances stand at the head, of payments and clawbacks of earlier transactions too."""
    book = full_book()
    with store.create(store_url) as opened:
        post_within(opened)
        for block in pieces(book, size):
            with opened.begin() as tx:
                tx.append(block)
            assert held(opened)[0] == held(opened)[1]
        posted = held(opened)
    with store.create(f"sqlite:///{tmp_path / 'follows.db'}") as followed:
        append_each(followed, pieces(book, 50))
        post_within(followed)
        assert held(followed) == posted
    assert posted[0] == len(book.log) and sum(posted[2].values()) == 0


@pytest.mark.parametrize("size", [None, 1, 40])
def test_blocks_of_one_transaction_are_posted_together(store_url: str, size: int | None) -> None:
    """An act whose halves come in two blocks is one act, as they commit together; sums of many blocks are one sum."""
    book = full_book()
    blocks = pieces(book, size) if size else [EventBlock.from_events([event]) for event in book.log]
    with store.create(store_url) as opened:
        post_within(opened)
        with opened.begin() as tx:
            for block in blocks:
                tx.append(block)
        posted = held(opened)
        assert posted[1] == len(book.log)
    with store.connect(store_url) as opened:
        derive_anew(opened, balances.MODEL)
        assert held(opened) == posted


def test_a_transaction_that_fails_posts_nothing(store_url: str) -> None:
    """Events and balances commit together or not at all; what cannot be posted is not appended either."""
    book = full_book()
    *most, last = pieces(book, 40)
    with store.create(store_url) as opened:
        post_within(opened)
        append_each(opened, most)
        before = held(opened)
        with pytest.raises(RuntimeError, match="changed my mind"), opened.begin() as tx:
            tx.append(last)
            raise RuntimeError("changed my mind")
        assert held(opened) == before
        filed = next(event for event in book.log if isinstance(event[2], ClaimFiled))
        with pytest.raises(StoreError, match="expected the decision of the claim before"), opened.begin() as tx:
            tx.append(
                EventBlock.from_events(
                    [("claim-a", 1, filed[2]), ("claim-b", 1, filed[2]), ("command-x", 1, book.log[0][2])]
                )
            )
        assert held(opened) == before


def test_balances_left_behind_wait_until_they_are_asked_for(store_url: str) -> None:
    """Behind an append of somebody who does not post, a transaction leaves the balances to whoever asks for them."""
    first, second, third, *_ = pieces(full_book(), 20)
    with store.create(store_url) as opened, store.connect(store_url) as other:
        post_within(opened)
        for writer, block in ((opened, first), (other, second), (opened, third)):
            append_each(writer, [block])
        assert held(opened)[1] == len(first)
        catch_up(opened, [balances.MODEL])
        size, at, rows = held(opened)
        assert at == size and sum(rows.values()) == 0


def test_only_sums_are_posted(sqlite_url: str) -> None:
    """A model that hangs on what was folded before is refused by name."""
    with (
        store.create(sqlite_url) as opened,
        pytest.raises(ValueError, match="models of sums to post within the transaction, got trace"),
    ):
        post_within(opened, [trace.MODEL])


def test_models_are_taken_in_the_order_of_whoever_catches_up(postgres_url: str) -> None:
    """A transaction that posts waits for one that catches up, and the other way round, but never each for the other."""
    lock = LOCK_STATE["postgres"]
    block, *_ = pieces(full_book(), 40)

    with store.create(postgres_url) as opened, store.connect(postgres_url) as other, ThreadPoolExecutor(1) as thread:
        post_within(opened, [statement.MODEL, balances.MODEL])
        with other.write() as writer:
            writer.query(lock, (balances.MODEL.name,))
            appended = thread.submit(append_each, opened, [block])
            while not writer.query("SELECT 1 FROM pg_locks WHERE pg_backend_pid() = ANY(pg_blocking_pids(pid))"):
                assert not appended.done()
            assert writer.query(lock, (statement.MODEL.name,)) == [(0,)]
        appended.result()
        assert held(opened)[:2] == (len(block), len(block))
