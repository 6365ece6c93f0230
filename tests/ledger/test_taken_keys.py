"""Keys that were not looked up are found taken all the same, and the log is the one of a job that looked."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

import ledger
import projections
from ledger import intake
from ledger.service import Ledger
from ledger.store import Transaction
from ledger.store.faults import Conflict, KeyTaken
from tests.ledger.test_intake import run, some_rows
from tests.ledger.worlds import claim, clock, events_of, opened, refund, rows_of, write

TABLES = (("person", "token"), ("person_year", "key"), ("account", "token"), ("message", "msgid"))


def repeated() -> list[dict[str, str]]:
    """Returns rows whose keys come again, booked or refused, in batches far behind them."""
    plain = [claim(i, psn_no=f"P{i:06d}") for i in range(20, 40)]
    return [
        *some_rows(),
        *plain,
        claim(50, medfee_sumamt="1.00"),  # I1: it books nothing, so its key is free
        claim(21, medfee_sumamt="1.00"),  # I1 too, but its key is taken by other content
        claim(51, medins_setl_id=plain[0]["medins_setl_id"]),  # another claim with a known message id
        claim(50),
        plain[3],
        refund(plain[4], 60),
        refund(plain[3], 61),
        *[claim(i, psn_no=f"P{i:06d}") for i in range(70, 80)],
        *some_rows(),
    ]


@pytest.mark.parametrize("batch_rows", [1, 2, 7, 16, 100])
def test_a_job_that_trusts_its_keys_leaves_the_log_of_one_that_looks(
    store_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, batch_rows: int
) -> None:
    """Duplicates, conflicts and refused rows with a taken key have the outcome they have where every key is asked."""
    paths = [
        write(tmp_path / "new.csv", [claim(i) for i in range(100, 130)]),
        write(tmp_path / "claims.csv", repeated()),
        write(tmp_path / "known.csv", [*[claim(i) for i in range(200, 220)], *repeated()]),
    ]

    def taken_in(url: str) -> tuple[object, ...]:
        with opened(url) as book:
            # A transaction that is decided again has another time of day.
            book.clock_us = lambda: 1_711_929_600_000_000
            reports = [run(book, path, batch_rows) for path in paths]
            return reports, events_of(book), [rows_of(book, *table) for table in TABLES]

    trusting = taken_in(store_url)
    start = intake.ClaimJob.start

    def looking(job: intake.ClaimJob, tx: Transaction) -> None:
        start(job, tx)
        job.doubt()

    monkeypatch.setattr(intake.ClaimJob, "start", looking)
    assert trusting == taken_in(f"sqlite:///{tmp_path / 'looking.db'}")


def test_a_job_that_met_a_taken_key_looks_from_then_on(sqlite_url: str, tmp_path: Path) -> None:
    """It trusts until a transaction finds a key taken, which wrote nothing, and decides that one again."""
    from ledger.profile import load_profile
    from ledger.source import open_source

    rows = [claim(i) for i in range(1, 9)]
    with opened(sqlite_url) as book:
        book.intake(write(tmp_path / "a.csv", rows[:6]))
        path = write(tmp_path / "b.csv", [*[claim(i) for i in range(20, 24)], *rows])
        job = intake.ClaimJob(book, open_source(path, load_profile()), load_profile(), "")
        seen: list[tuple[int, bool]] = []
        report = intake.run_job(
            job,
            retry=False,
            dry_run=False,
            progress=lambda done: seen.append((done, job.looks_up)),
            quarantine=None,
            batch_rows=4,
        )
        assert seen == [(4, False), (8, True), (12, True)]
        assert (report.booked, report.duplicate, report.quarantined) == (6, 6, 0)


class Interrupted(Ledger):
    """Is a ledger behind whose first failed transaction somebody else writes."""

    meanwhile: Callable[[], object] | None = None

    @contextmanager
    def transaction(self) -> Iterator[Transaction]:
        """Lets the other write once what failed is rolled back."""
        try:
            with super().transaction() as tx:
                yield tx
        except (Conflict, KeyTaken):
            if self.meanwhile is not None:
                then, self.meanwhile = self.meanwhile, None
                then()
            raise


def test_a_batch_decided_again_goes_on_from_what_another_worker_took_meanwhile(store_url: str, tmp_path: Path) -> None:
    """No row is lost where one worker's batch is rolled back and another commits as many of the same file."""
    rows = [claim(i) for i in range(1, 13)]
    path = write(tmp_path / "claims.csv", rows)
    with opened(store_url) as book, ledger.open(store_url, actor="other", clock_us=clock()) as other:
        book.intake(write(tmp_path / "before.csv", rows[7:8]))
        job = Interrupted(book.store, "tester", book.clock_us)

        def killed(done: int) -> None:
            raise InterruptedError

        def take_four() -> None:
            with pytest.raises(InterruptedError):
                run(other, path, 4, killed)

        job.meanwhile = take_four
        report = run(job, path, 12)
        assert job.meanwhile is None, "expected the other worker between two decisions, got no transaction that failed"
        assert (report.rows, report.booked, report.duplicate) == (12, 11, 1)
        assert len(rows_of(book, "message", "msgid")) == 12
    with projections.open(store_url) as read:
        assert read.verify() == []
