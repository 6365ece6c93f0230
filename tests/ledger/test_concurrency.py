"""Many writers: whatever their order, the log is one that some serial order gives."""

import multiprocessing
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

import ledger
from ledger.acts import read_acts
from ledger.refusals import Refused
from ledger.service import Ledger
from tests.ledger.worlds import claim, events_of, opened, rows_of, write

WRITERS = 8


def persons_file(folder: Path, writer: int) -> Path:
    """Returns one writer's file: twelve claims of the same four persons every other writer has claims of."""
    rows = [claim(writer * 100 + i, psn_no=f"P{i % 4:06d}", insutype="310", psn_type="11") for i in range(12)]
    return write(folder / f"writer-{writer}.csv", rows)


def take_in(url: str, path: str) -> None:
    """Takes one file in, in batches of three rows."""
    from ledger import intake
    from ledger.profile import load_profile

    with ledger.open(url, actor=f"writer of {path}") as book:
        intake.run_intake(
            book, path, load_profile(), reason="", retry=False, dry_run=False, progress=None, quarantine=None,
            batch_rows=3,
        )  # fmt: skip


def check_serial(book: Ledger, claims: int) -> None:
    """Checks that decisions chain person by person, positions have no gap and replay finds nothing."""
    events = events_of(book)
    assert [event[0] for event in events] == list(range(1, len(events) + 1))
    with book.store.read() as reader:
        assert sum(len(acts) for acts in read_acts(reader)) == claims
    assert book.replay(202401).differences == ()


def test_eight_processes_settle_claims_of_the_same_persons_in_some_serial_order(store_url: str, tmp_path: Path) -> None:
    """Eight processes over the same persons leave what taking the files one by one in commit order leaves."""
    opened(store_url).close_store()
    files = [persons_file(tmp_path, writer) for writer in range(WRITERS)]
    context = multiprocessing.get_context("spawn")
    processes = [context.Process(target=take_in, args=(store_url, str(path))) for path in files]
    for process in processes:
        process.start()
    for process in processes:
        process.join(120)
    assert [process.exitcode for process in processes] == [0] * WRITERS
    with ledger.open(store_url, actor="auditor") as book:
        check_serial(book, 12 * WRITERS)
        order = [event[1] for event in events_of(book) if event[3] == "claim-filed/1"]
        state = rows_of(book, "person_year", "key")
    by_claim = {row["setl_id"]: row for path in files for row in _read(path)}
    serial = write(tmp_path / "serial.csv", [by_claim[stream.rsplit("-", 1)[1]] for stream in order])
    with opened(f"sqlite:///{tmp_path / 'serial.db'}") as book:
        book.intake(serial)
        assert sorted(row[2] for row in rows_of(book, "person_year", "key")) == sorted(row[2] for row in state)


def _read(path: Path) -> list[dict[str, str]]:
    import csv

    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def test_the_same_file_from_eight_threads_books_once(store_url: str, tmp_path: Path) -> None:
    """Threads that take the same file in at once, through ledgers of their own, book every claim once."""
    opened(store_url).close_store()
    path = persons_file(tmp_path, 1)
    failures: list[BaseException] = []

    def work() -> None:
        try:
            take_in(store_url, str(path))
        except BaseException as error:
            failures.append(error)

    threads = [threading.Thread(target=work) for _ in range(WRITERS)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(120)
    assert failures == []
    with ledger.open(store_url, actor="auditor") as book:
        check_serial(book, 12)
        assert [job.completed for job in book.jobs()] == [True] * len(book.jobs())


class Watched(Ledger):
    """Is a ledger that notes whether another thread could have begun where it forgets what it knows."""

    def __init__(self, *given: Any) -> None:
        super().__init__(*given)
        self.free: list[bool] = []

    def forget(self) -> None:
        """Asks in another thread, as the lock lets its own in."""
        with ThreadPoolExecutor(1) as other:
            self.free.append(other.submit(self._lock.acquire, False).result())
            if self.free[-1]:
                other.submit(self._lock.release).result()
        super().forget()


def test_a_dry_run_leaves_alone_what_another_thread_rests_on(sqlite_url: str, tmp_path: Path) -> None:
    """What is known of the log is dropped while the dry run has the log, never in the midst of another's writing."""
    with opened(sqlite_url) as book:
        watched = Watched(book.store, "tester", book.clock_us)
        watched.intake(write(tmp_path / "claims.csv", [claim(1)]), dry_run=True)
        assert watched.free == [False]


def test_a_review_leaves_alone_what_another_thread_rests_on(sqlite_url: str, tmp_path: Path) -> None:
    """While one thread books, another that asks for a review takes away neither closed months nor persons' years."""
    with opened(sqlite_url) as book:
        book.intake(write(tmp_path / "claims.csv", [claim(1)]))
        book.close(202401)
        with book.transaction() as tx, ThreadPoolExecutor(1) as other:
            known = book.knowledge
            held = (known.periods, known.person_years, known.accounts)
            # A batch is known from when it is decided on, while the database takes it in.
            known.appended(tx.size + 1)
            with pytest.raises(Refused, match="rules enact"):
                other.submit(book.review_period, 202401).result()
            assert known.position == tx.size + 1
            assert all(a is b for a, b in zip(held, (known.periods, known.person_years, known.accounts), strict=True))
