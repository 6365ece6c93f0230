"""What SQLite brings to its place beside a writer is only where bytes lie: the log is the same, errors are said."""

import shutil
import sqlite3
import threading
from contextlib import ExitStack
from pathlib import Path

import pytest

from ledger import store
from ledger.block import EventBlock
from ledger.events import PeriodOpened
from ledger.refusals import StoreError
from ledger.store import Store, sqlite, write_back
from ledger.store.link import Mode
from ledger.store.write_back import WriteBack
from tests.ledger.test_intake import run, some_rows
from tests.ledger.worlds import events_of, opened, rows_of, write


def append(to: Store, number: int) -> None:
    """Appends one event."""
    with to.begin() as tx:
        tx.append(EventBlock.from_events([(f"period-{number}", 1, PeriodOpened(1, 0, number))]))


def wait() -> None:
    """Waits for what is written back, which itself waits for nobody."""
    for thread in threading.enumerate():
        if thread.name == "write-back":
            thread.join(20)
            assert not thread.is_alive()


def test_what_is_written_back_lies_in_the_file_itself(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Behind enough pages the database file alone has what was committed, while its writer goes on."""
    monkeypatch.setattr(write_back, "PAGES_BETWEEN", 2 * write_back.PAGES_A_COMMIT)
    url = f"sqlite:///{tmp_path / 'ledger.db'}"
    store.create(url).close()
    sizes = []
    with store.connect(url) as writing:
        for number in range(1, 6):
            append(writing, number)
            wait()
            shutil.copy(tmp_path / "ledger.db", tmp_path / "alone.db")
            with sqlite3.connect(tmp_path / "alone.db") as alone:
                sizes.append(alone.execute("SELECT size FROM log_head").fetchone()[0])
            alone.close()
    assert sizes == [0, 2, 2, 4, 4]


def test_a_reader_keeps_its_view_while_the_store_is_written_back(
    sqlite_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Writing back waits for nobody and changes nothing that anybody reads."""
    monkeypatch.setattr(write_back, "PAGES_BETWEEN", 1)
    with store.create(sqlite_url) as opened_store:
        append(opened_store, 1)
        with opened_store.read() as reader:
            append(opened_store, 2)
            wait()
            assert reader.size == len(reader.stream("period-1")) == 1
            assert reader.stream("period-2") == []


@pytest.mark.parametrize("batch_rows", [1, 2, 5])
def test_a_job_beside_which_is_written_back_leaves_what_it_leaves_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, batch_rows: int
) -> None:
    """Written back after every transaction or never: the same events, the same state."""
    path = write(tmp_path / "claims.csv", some_rows())
    found = []
    for pages in (1, 1_000_000):
        monkeypatch.setattr(write_back, "PAGES_BETWEEN", pages)
        with opened(f"sqlite:///{tmp_path / f'{pages}.db'}") as book:
            book.clock_us = lambda: 1_711_929_600_000_000
            found.append((run(book, path, batch_rows), events_of(book), rows_of(book, "person_year", "key")))
    assert found[0] == found[1]


def test_there_is_one_at_a_time_and_enough_between_two(monkeypatch: pytest.MonkeyPatch) -> None:
    """However much is committed meanwhile, the next one begins once the last has ended, and once it is worth it."""
    monkeypatch.setattr(write_back, "PAGES_BETWEEN", 100)
    may_end, begun = threading.Semaphore(0), []

    def slow() -> None:
        begun.append(threading.active_count())
        assert may_end.acquire(timeout=60)

    behind = WriteBack()
    behind.wrote(99 * write_back.ROWS_A_PAGE, slow)
    wait()
    assert begun == []
    behind.wrote(1, slow)
    for _ in range(10):
        behind.wrote(1_000 * write_back.ROWS_A_PAGE, slow)
    may_end.release()
    behind.wait()
    assert len(begun) == 1
    behind.wrote(1, slow)
    may_end.release()
    behind.wait()
    behind.wrote(99 * write_back.ROWS_A_PAGE, slow)
    behind.wait()
    assert len(begun) == 2


def test_what_goes_wrong_is_said_before_the_next_transaction_once(
    sqlite_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The commit it came behind stands; the next writer is told and has written nothing, and the one behind writes."""
    monkeypatch.setattr(write_back, "PAGES_BETWEEN", 1)
    with store.create(sqlite_url) as opened_store:
        wait()

        def full() -> None:
            raise StoreError("expected room, got none")

        with monkeypatch.context() as failing:
            failing.setattr(opened_store._backend, "_write_back", full)
            append(opened_store, 1)
            wait()
        with opened_store.read() as reader:
            assert reader.size == 1
        with pytest.raises(StoreError, match="expected room, got none"):
            append(opened_store, 2)
        append(opened_store, 2)
        with opened_store.read() as reader:
            assert reader.size == 2


def test_a_store_may_be_closed_by_whoever_reads_it(sqlite_url: str) -> None:
    """What was read is read; nothing is raised behind it."""
    opened_store = store.create(sqlite_url)
    append(opened_store, 1)
    with opened_store.read() as reader:
        assert reader.size == 1
        opened_store.close()


def test_closing_a_store_waits_for_what_is_written_back(sqlite_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """A store is closed once nothing works on it any more: no thread is left behind."""
    monkeypatch.setattr(write_back, "PAGES_BETWEEN", 1)
    may_end = threading.Event()
    opened_store = store.create(sqlite_url)
    wait()
    monkeypatch.setattr(opened_store._backend, "_write_back", lambda: may_end.wait(60))
    append(opened_store, 1)
    closing = threading.Thread(target=opened_store.close)
    closing.start()
    closing.join(0.5)
    assert closing.is_alive()
    may_end.set()
    closing.join(60)
    assert not closing.is_alive()
    assert "write-back" not in {thread.name for thread in threading.enumerate()}


def test_where_no_thread_can_be_had_the_commit_stands(sqlite_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """A process that may start no thread any more appends as before: SQLite writes back within a commit."""
    monkeypatch.setattr(write_back, "PAGES_BETWEEN", 1)

    def refused(self: threading.Thread) -> None:
        raise RuntimeError("can't start new thread")

    with store.create(sqlite_url) as opened_store:
        monkeypatch.setattr(threading.Thread, "start", refused)
        append(opened_store, 1)
        with opened_store.read() as reader:
            assert reader.size == 1


def test_where_readers_have_every_connection_nothing_is_wrong(sqlite_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Writing back gives way to those who read: what is committed stands, and the next writer is told of nothing."""
    monkeypatch.setattr(write_back, "PAGES_BETWEEN", 1)
    monkeypatch.setattr(sqlite, "WRITE_BACK_PATIENCE_S", 0.1)
    with store.create(sqlite_url) as opened_store, ExitStack() as readers:
        wait()
        with pytest.raises(StoreError, match="expected a connection"):
            while True:
                readers.enter_context(opened_store._backend.link(Mode.BESIDE))
        for number in (1, 2):
            append(opened_store, number)
            wait()
