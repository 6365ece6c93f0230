"""A batch decided while the last one is written is the one decided behind it, or it is decided again."""

import sqlite3
from collections.abc import Callable
from contextlib import ExitStack, suppress
from functools import partial
from pathlib import Path
from threading import Event, Thread, current_thread
from threading import enumerate as enumerate_threads
from time import monotonic
from typing import Any

import numpy as np
import pytest

import ledger
import ledger.store
import projections
from ledger import accounts, intake, knowledge, known, person_years, writing
from ledger.claim import Claim
from ledger.events import JobBatch
from ledger.mapper import decode_event
from ledger.refusals import StoreError
from ledger.service import Ledger
from ledger.store import Transaction
from ledger.store.pending import Pending
from tests.faults.test_failing_disk import decisions
from tests.ledger.test_intake import run
from tests.ledger.test_taken_keys import TABLES, repeated
from tests.ledger.worlds import claim, events_of, opened, refund, rows_of, write

NOON = 1_711_929_600_000_000


def entangled() -> list[dict[str, str]]:
    """Returns claims of few persons, refunds of what stands just before them, second refunds, and repeated keys."""
    rows: list[dict[str, str]] = []
    for i in range(1, 41):
        rows.append(claim(i, psn_no=f"P{i % 5}", insutype="310", psn_type="11"))
        if i % 4 == 0:
            rows.append(refund(rows[-2], 100 + i))
        if i % 8 == 0:
            rows.append(refund(rows[-3], 200 + i))
        if i % 10 == 0:
            rows.append(claim(300 + i, psn_no=f"N{i}", medins_setl_id=rows[-4]["medins_setl_id"]))
    return [*rows, *repeated()]


class Counted:
    """Counts what was decided ahead, and whether it held; nothing is decided ahead where it is ``off``."""

    def __init__(self, patch: pytest.MonkeyPatch) -> None:
        self.off = False
        self.held = self.dropped = 0
        begin, holds = intake.ClaimJob._begin_ahead, intake.DecidedAhead.holds

        def counting(decided: intake.DecidedAhead, *asked: Any) -> bool:
            answer = holds(decided, *asked)
            self.held, self.dropped = self.held + answer, self.dropped + (not answer)
            return answer

        patch.setattr(intake.ClaimJob, "_begin_ahead", lambda job, *given: None if self.off else begin(job, *given))
        patch.setattr(intake.DecidedAhead, "holds", counting)


@pytest.fixture
def counted(monkeypatch: pytest.MonkeyPatch) -> Counted:
    return Counted(monkeypatch)


def state_of(book: Ledger) -> list[object]:
    """Returns the log and the write side's tables, salts aside."""
    return [events_of(book), *([row[:3] for row in rows_of(book, *table)] for table in TABLES)]


def one_after_the_other(
    counted: Counted, folder: Path, path: Path, batch_rows: int, between: Any = None
) -> list[object]:
    """Returns what the same job leaves in a store of its own where nothing is decided ahead."""
    counted.off = True
    with opened(f"sqlite:///{folder / 'plain.db'}") as book:
        book.clock_us = lambda: NOON
        run(book, path, batch_rows, between(book) if between else None)
        return state_of(book)


def decided_in_turn(counted: Counted, folder: Path, *files: tuple[Path, int]) -> object:
    """Returns what files, each with its rows a batch, come to in a store of their own with nothing decided ahead."""
    counted.off = True
    with opened(f"sqlite:///{folder / 'plain.db'}") as book:
        for path, batch_rows in files:
            run(book, path, batch_rows)
        return decisions(book)


@pytest.mark.parametrize("small", [False, True])
@pytest.mark.parametrize("batch_rows", [1, 2, 3, 16])
def test_the_log_is_that_of_a_job_that_decides_one_batch_after_the_other(
    store_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, counted: Counted, batch_rows: int, small: bool
) -> None:
    """Same events, ids, persons, person-years, accounts and message ids, and whether what is remembered is dropped."""
    if small:
        monkeypatch.setattr(knowledge, "CACHED_PERSONS", 2)
        monkeypatch.setattr(person_years, "MOST", 2)
        monkeypatch.setattr(accounts, "MOST", 2)
    path = write(tmp_path / "claims.csv", entangled())
    with opened(store_url) as book:
        book.clock_us = lambda: NOON
        run(book, path, batch_rows)
        found = state_of(book)
    assert counted.held > 3
    assert found == one_after_the_other(counted, tmp_path, path, batch_rows)


def settling(book: Ledger) -> Callable[[int], None]:
    """Returns what settles, by a ledger of its own, a claim of a person of the file whenever three batches are in."""
    calls = iter(range(1, 1_000))

    def between(row: int) -> None:
        if (at := next(calls)) % 3:
            return
        with ledger.open(book.store.url, actor="other", clock_us=lambda: NOON) as other:
            row_of = claim(700 + at, psn_no=f"P{at % 5}", insutype="310", psn_type="11")
            (result,) = other.settle([Claim(**{k: v for k, v in row_of.items() if k in Claim.__struct_fields__})])
            assert result.outcome == "booked", result

    return between


def test_what_was_decided_ahead_of_another_writer_is_decided_again(
    store_url: str, tmp_path: Path, counted: Counted
) -> None:
    """Somebody settles a claim of the same persons between two batches: the next one stands on that claim too."""
    path = write(tmp_path / "claims.csv", entangled())
    with opened(store_url) as book:
        book.clock_us = lambda: NOON
        run(book, path, 4, settling(book))
        found = state_of(book)
    assert counted.dropped >= 3 and counted.held >= 3
    assert found == one_after_the_other(counted, tmp_path, path, 4, settling)
    with projections.open(store_url) as read:
        assert read.verify() == []


def test_a_batch_that_meets_a_taken_key_takes_what_was_decided_behind_it_along(
    store_url: str, tmp_path: Path, counted: Counted
) -> None:
    """A conflict rolls a batch back once the next is decided: both are decided again, and are what they would be."""
    rows = entangled()
    first = write(tmp_path / "first.csv", rows[9:13])
    path = write(tmp_path / "claims.csv", rows)

    def leaves(url: str) -> list[object]:
        with opened(url) as book:
            book.clock_us = lambda: NOON
            run(book, first, 2)
            run(book, path, 4)
            return state_of(book)

    found = leaves(store_url)
    assert counted.held
    counted.off = True
    assert found == leaves(f"sqlite:///{tmp_path / 'plain.db'}")


def failing(patch: pytest.MonkeyPatch, at: int, behind: bool, failure: BaseException) -> None:
    """Lets the ``at``-th batch fail: before anything of it is written, or once all of it is but not committed."""
    put, calls = writing.put, iter(range(1, 1_000))

    def breaking(tx: Transaction, *given: Any) -> None:
        broken = next(calls) == at
        if not broken or behind:
            put(tx, *given)
        if broken:
            raise failure

    patch.setattr(writing, "put", breaking)


@pytest.mark.parametrize("failure", [StoreError("the disk is gone"), KeyboardInterrupt()], ids=["disk", "ctrl-c"])
@pytest.mark.parametrize("behind", [False, True])
@pytest.mark.parametrize("at", [1, 2, 5])
def test_a_batch_that_fails_leaves_nothing_of_the_next(
    store_url: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    counted: Counted,
    at: int,
    behind: bool,
    failure: BaseException,
) -> None:
    """A failed batch is not there, nor is what was decided on top of it; run again, by the same ledger, all is."""
    path = write(tmp_path / "claims.csv", entangled())
    said: list[int] = []
    with opened(store_url) as book:
        book.clock_us = lambda: NOON
        with monkeypatch.context() as patch:
            failing(patch, at, behind, failure)
            with pytest.raises(type(failure)):
                run(book, path, 4, said.append)
        batches = [decode_event(e[3], e[4]) for e in events_of(book) if e[3] == JobBatch.TOPIC]
        taken = sum(batch.rows for batch in batches if isinstance(batch, JobBatch))
        assert taken == (said[-1] if said else 0)
        run(book, path, 4)
        found = decisions(book)
    assert found == decided_in_turn(counted, tmp_path, (path, 4))
    with projections.open(store_url) as read:
        assert read.verify() == []


@pytest.mark.parametrize("at", [1, 2, 3, 4])
def test_memory_that_gives_out_while_a_batch_is_decided_ahead_leaves_nothing_half_known(
    sqlite_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, counted: Counted, at: int
) -> None:
    """Person-years half taken in would read as new ones: the job ends there, and goes on as one that had the room."""
    first = write(tmp_path / "first.csv", [claim(i, psn_no=f"P{i}") for i in range(1, 30)])
    path = write(tmp_path / "claims.csv", [claim(100 + i, psn_no=f"P{i}") for i in range(1, 30)])
    calls = iter(range(1, 1_000))

    def giving_out(column: Any, size: int) -> Any:
        if current_thread().name.startswith("ahead") and next(calls) == at:
            raise MemoryError
        return known.grown(column, size)

    with opened(sqlite_url) as book:
        book.clock_us = lambda: NOON
        run(book, first, 30)
        book.forget()
        with monkeypatch.context() as patch:
            patch.setattr(person_years, "grown", giving_out)
            patch.setattr(accounts, "grown", giving_out)
            with pytest.raises(MemoryError):
                run(book, path, 4)
        run(book, path, 4)
        found = decisions(book)
    assert found == decided_in_turn(counted, tmp_path, (first, 30), (path, 4))


@pytest.mark.parametrize("waiting", [False, True])
def test_a_job_that_is_stopped_leaves_no_thread_behind(
    sqlite_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, waiting: bool
) -> None:
    """Stopped while it writes, or while it waits for what is decided ahead: nobody works on when the command ends."""

    def stopped(*given: Any) -> None:
        raise KeyboardInterrupt

    path = write(tmp_path / "claims.csv", entangled())
    with opened(sqlite_url) as book:
        monkeypatch.setattr(*((intake, "_decided") if waiting else (writing, "put")), stopped)
        with pytest.raises(KeyboardInterrupt):
            run(book, path, 4)
        assert [thread.name for thread in enumerate_threads() if thread.name.startswith("ahead")] == []


def test_who_waits_to_alter_a_table_is_not_waited_for(
    postgres_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, counted: Counted
) -> None:
    """Deciding ahead gives way where it would stand behind somebody who waits for the batch being written."""
    book = opened(postgres_url)
    path = write(tmp_path / "claims.csv", entangled())
    put, queued, altering = writing.put, Event(), Thread()

    def alter() -> None:
        with book.store.write() as tx:
            # It gives up long before a writer would.
            tx.execute("SET LOCAL lock_timeout = '20s'")
            tx.execute("LOCK TABLE stored_events IN ACCESS EXCLUSIVE MODE")
        altered.append(True)

    def putting(*given: Any) -> None:
        nonlocal altering
        put(*given)
        if not queued.is_set():
            altering = Thread(target=alter)
            altering.start()
            waits = "SELECT 1 FROM pg_locks WHERE NOT granted AND mode = 'AccessExclusiveLock'"
            while altering.is_alive() and not given[0].query(waits):
                pass
            queued.set()

    def read_behind(*given: Any) -> Any:
        assert queued.wait(60)
        return behind(*given)

    altered: list[bool] = []
    behind = book.store.read_behind
    monkeypatch.setattr(writing, "put", putting)
    monkeypatch.setattr(book.store, "read_behind", read_behind)
    with book:
        run(book, path, 4)
        altering.join()
        assert altered
        found = decisions(book)
    assert counted.held
    assert found == decided_in_turn(counted, tmp_path, (path, 4))


def test_nobody_waits_for_a_connection_to_decide_ahead(store_url: str) -> None:
    """Where others have every connection there is none at once, and so none at all: the job has the log meanwhile."""
    none = np.zeros(0, np.int64)
    nothing = Pending(1, (), 0, {}, (none, none, np.zeros((0, 0), np.int64)), (none, none), ((), none), ())
    with ledger.store.create(store_url) as store, ExitStack() as others:
        for _ in range(64):
            begun = monotonic()
            try:
                others.enter_context(store.read_behind(nothing))
            except StoreError as error:
                assert "expected a connection, got none" in str(error)
                break
        else:
            raise AssertionError("expected connections to come to an end, got 64 of them")
        # Whoever needs one waits half a minute at least.
        assert monotonic() - begun < 20


def with_room_for(pages: int, *given: Any, **options: Any) -> sqlite3.Connection:
    """Returns a connection to a database that may have so many pages."""
    raw = sqlite3.connect(*given, **options)
    raw.execute(f"PRAGMA max_page_count = {pages}")
    return raw


def test_an_intake_on_a_full_disk_goes_on_where_there_is_room_again(tmp_path: Path, counted: Counted) -> None:
    """Refused for want of room in batch after batch, each with the next one decided, it ends as one with room."""
    path = write(tmp_path / "claims.csv", entangled())
    url = f"sqlite:///{tmp_path / 'ledger.db'}"
    opened(url).close_store()
    stopped, done = 0, False
    while not done:
        connect = partial(with_room_for, (tmp_path / "ledger.db").stat().st_size // 4096 + 2)
        with (
            suppress(StoreError),
            Ledger(ledger.store.connect(url, connector=connect), "tester", lambda: NOON) as book,
        ):
            run(book, path, 4)
            done = True
        stopped += not done
    assert stopped > 2 and counted.held
    with ledger.open(url, actor="auditor") as book:
        found = decisions(book)
    assert found == decided_in_turn(counted, tmp_path, (path, 4))
    with projections.open(url) as read:
        assert read.verify() == []
