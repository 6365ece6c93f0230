"""What follows the log works beside the database, and never in its way."""

import signal
from collections.abc import Sequence
from threading import Event, current_thread, main_thread
from time import sleep
from typing import Any

import pytest

from ledger import store
from ledger.block import EventBlock
from ledger.store import Conflict, Transaction
from ledger.store.follower import AHEAD_EVENTS, Beside
from tests.store.samples import all_rows, block_of, many


class Recorder:
    """Keeps what it was called with, and fails where it is told to."""

    def __init__(self, fails: bool = False) -> None:
        self.ahead_of: list[tuple[int, int, str]] = []
        self.committed: list[tuple[int, list[int], Any]] = []
        self._fails = fails

    def ahead(self, first: int, block: EventBlock) -> str:
        """Returns a word for the block."""
        self.ahead_of.append((first, len(block), current_thread().name))
        if self._fails:
            raise RuntimeError("cannot")
        return f"found {len(block)}"

    def commit(self, tx: Transaction, first: int, blocks: Sequence[EventBlock], found: Any) -> None:
        """Keeps the call."""
        assert tx.size == first + sum(map(len, blocks)) - 1
        self.committed.append((first, [len(block) for block in blocks], found))


@pytest.mark.parametrize("fails", [False, True])
def test_a_large_block_is_looked_at_beside_the_database(store_url: str, fails: bool) -> None:
    """What a thread found of each large block is there at its transaction's end; where it failed, nothing is."""
    n = AHEAD_EVENTS
    with store.create(store_url) as opened:
        opened.follower = recorder = Recorder(fails)
        with opened.begin() as tx:
            tx.append(block_of(many("claim-a", n)))
        with opened.begin() as tx:
            tx.append(block_of(many("job-b", 1)))
            tx.append(block_of(many("claim-b", n)))
            tx.append(block_of(many("claim-c", n + 1)))
        with opened.begin() as tx:
            tx.append(block_of(many("claim-d", 3)))
        with opened.begin():
            pass
        assert len(all_rows(opened)) == 3 * n + 5
    one, other = (None, None) if fails else (f"found {n}", f"found {n + 1}")
    assert recorder.committed == [
        (1, [n], [one]),
        (n + 1, [1, n, n + 1], [None, one, other]),
        (3 * n + 3, [3], [None]),
    ]
    assert [each[:2] for each in recorder.ahead_of] == [(1, n), (n + 2, n), (2 * n + 2, n + 1)]
    assert current_thread().name not in {name for _, _, name in recorder.ahead_of}


def test_what_was_found_of_a_block_that_conflicts_is_forgotten(store_url: str) -> None:
    """A block that is refused is committed by nobody, and its thread has ended."""
    with store.create(store_url) as opened:
        opened.follower = recorder = Recorder()
        block = block_of(many("claim-a", AHEAD_EVENTS))
        with opened.begin() as tx:
            tx.append(block)
        with pytest.raises(Conflict), opened.begin() as tx:
            tx.append(block)
        assert len(recorder.ahead_of) == 2 and len(recorder.committed) == 1


class _CalledOffError(BaseException):
    """Is what a host's signal handler raises in its main thread."""


def test_an_interrupt_waits_for_what_works_beside() -> None:
    """However often a signal comes meanwhile, the thread has ended before anything it works with is given back."""
    waits, ended = Event(), list[int]()

    def call_off(*_: object) -> None:
        raise _CalledOffError

    def work() -> None:
        assert waits.wait(30)
        for _ in range(2):
            sleep(0.05)
            signal.pthread_kill(main_thread().ident or 0, signal.SIGUSR1)
        sleep(0.05)
        ended.append(1)

    before = signal.signal(signal.SIGUSR1, call_off)
    try:
        with pytest.raises(_CalledOffError), Beside(work):
            waits.set()
        assert ended == [1]
    finally:
        signal.signal(signal.SIGUSR1, before)
