"""Promises to those who wait for the log: they are seen, and a long job lets them in."""

import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from ledger import intake, store
from ledger.events import JobBatch
from ledger.mapper import decode_event
from ledger.refusals import StoreError
from ledger.store import Store
from ledger.verbs.base import Base
from tests.ledger.worlds import claim, events_of, opened, rows_of, write


def until(seen: Callable[[], bool]) -> bool:
    """Returns whether something was seen within half a minute."""
    end = time.monotonic() + 30
    while not seen():
        if time.monotonic() > end:
            return False
        time.sleep(0.005)
    return True


@pytest.mark.parametrize("own_store", [True, False], ids=["another store", "another thread of the store"])
def test_a_writer_sees_that_somebody_waits_and_the_waiter_goes_next(store_url: str, own_store: bool) -> None:
    """Nobody waits, somebody waits, and once the first is done the waiter has its turn."""
    store.create(store_url).close()
    went = threading.Event()
    with store.connect(store_url) as first, store.connect(store_url) as second:
        other: Store = second if own_store else first

        def wait() -> None:
            with other.begin():
                went.set()

        with first.begin() as tx:
            assert not tx.anybody_waits()
            thread = threading.Thread(target=wait)
            thread.start()
            assert until(tx.anybody_waits) and not went.is_set()
        assert went.wait(30)
        thread.join(30)
        with first.begin() as tx:
            assert not tx.anybody_waits()


def test_a_turn_that_does_not_come_is_refused_in_time(sqlite_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Another process that keeps the store is named as what it is, and nothing is written."""
    store.create(sqlite_url).close()
    monkeypatch.setattr("ledger.store.sqlite.LOCK_TIMEOUT_S", 0.05)
    with store.connect(sqlite_url) as first, store.connect(sqlite_url) as second:
        with first.begin() as tx:
            with (
                pytest.raises(StoreError, match="another process keeps the store, nothing was written"),
                second.begin(),
            ):
                pass
            assert not tx.anybody_waits()
        with second.begin():
            pass


def test_a_job_takes_small_bites_while_somebody_waits(
    store_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Once waited for, an intake commits a few rows at a time, later whole batches again; it books what it books."""
    rows = [claim(i, psn_no=f"P{i % 5:06d}") for i in range(1, 31)]
    path = write(tmp_path / "claims.csv", rows)
    with opened(f"sqlite:///{tmp_path / 'alone.db'}") as book:
        alone = book.intake(path)
        state = rows_of(book, "account", "token")
    monkeypatch.setattr(intake, "FEW_ROWS", 4)
    monkeypatch.setattr(intake, "POLITE_BATCHES", 2)
    asked: list[bool] = []

    def anybody_waits(*_: object) -> bool:
        asked.append(len(asked) == 0)
        return asked[-1]

    monkeypatch.setattr(Base, "anybody_waits", anybody_waits)
    with opened(store_url) as book:
        report = intake.run_intake(
            book, path, intake_profile(), reason="", retry=False, dry_run=False, progress=None, quarantine=None,
            batch_rows=10,
        )  # fmt: skip
        assert (report.rows, report.booked, report.medfee_fen) == (alone.rows, alone.booked, alone.medfee_fen)
        assert rows_of(book, "account", "token") == state
        sizes = [
            event.rows
            for _, _, _, topic, raw in events_of(book)
            if isinstance(event := decode_event(topic, raw), JobBatch)
        ]
        assert sizes == [10, 4, 4, 2, 10]


def intake_profile() -> intake.Profile:
    """Returns the national profile."""
    from ledger.profile import load_profile

    return load_profile()
