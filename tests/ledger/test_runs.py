"""Intakes whose batches leave runs of person-years: what is booked, kept and verified is what it was without them."""

from pathlib import Path

import pytest

import ledger
import ledger.store.runs
import ledger.store.session
import projections
from ledger import intake
from ledger.profile import load_profile
from ledger.service import Ledger
from ledger.source import open_source
from tests.ledger.worlds import claim, events_of, opened, refund, rows_of, write

TABLES = (("person_year", "key"), ("person_year_run", "run"), ("account", "token"), ("person", "token"))


@pytest.fixture(autouse=True)
def _small(monkeypatch: pytest.MonkeyPatch) -> None:
    """Makes every batch of two persons a run, and merges by two person-years once a third run stands."""
    monkeypatch.setattr(ledger.store.session, "RUN_ROWS", 2)
    monkeypatch.setattr(ledger.store.runs, "MERGE_ROWS", 2)
    monkeypatch.setattr(intake, "MOST_RUNS", 2)


def month(folder: Path, first: int, name: str) -> Path:
    """Returns a file of forty claims of eleven persons, some of them given back."""
    rows = [claim(first + i, psn_no=f"P{i * 7 % 11}", insutype="310", psn_type="11") for i in range(40)]
    return write(folder / name, [*rows[:20], refund(rows[3], first + 90), *rows[20:], refund(rows[30], first + 91)])


def take(book: Ledger, path: Path, batch_rows: int) -> intake.IntakeReport:
    """Takes a file in, in batches of so many rows."""
    return intake.run_intake(
        book, path, load_profile(), reason="", retry=False, dry_run=False, progress=None, quarantine=None,
        batch_rows=batch_rows,
    )  # fmt: skip


def state(book: Ledger) -> list[object]:
    """Returns what the write side keeps."""
    return [rows_of(book, *table) for table in TABLES]


@pytest.mark.parametrize("batch_rows", [3, 5, 16])
def test_a_month_taken_in_by_runs_is_the_month(
    store_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, batch_rows: int
) -> None:
    """Events and state do not depend on whether batches leave runs, and at the end of a job none is left."""
    files = [month(tmp_path, 100, "one.csv"), month(tmp_path, 300, "two.csv")]
    with opened(store_url) as book:
        for path in files:
            take(book, path, batch_rows)
        found, kept = events_of(book), state(book)
        assert kept[1] == []
        with projections.open(store_url) as read:
            assert read.verify() == []
    monkeypatch.setattr(ledger.store.session, "RUN_ROWS", 1_000)
    with opened(f"sqlite:///{tmp_path / 'plain.db'}") as book:
        for path in files:
            take(book, path, batch_rows)
        assert (events_of(book), state(book)) == (found, kept)


class _Stopped(Exception):
    pass


def found_wrong(url: str) -> list[str]:
    """Returns where verify finds something else than a job that is not at its end."""
    with projections.open(url) as read:
        return [finding.where for finding in read.verify() if finding.kind != "unfinished-job"]


def begin(book: Ledger, path: Path, batches: int) -> None:
    """Takes some batches of a file in and stops, as a killed job does."""
    left = batches

    def told(_: int) -> None:
        nonlocal left
        left -= 1
        if not left:
            raise _Stopped

    job = intake.ClaimJob(book, open_source(path, load_profile()), load_profile(), "")
    with pytest.raises(_Stopped):
        intake.run_job(job, retry=False, dry_run=False, progress=told, quarantine=None, batch_rows=4)


def test_another_writer_reads_what_stands_in_runs(store_url: str, tmp_path: Path) -> None:
    """While a job's runs stand, others settle, reverse and verify the same persons as if they were merged."""
    one, two = month(tmp_path, 100, "one.csv"), month(tmp_path, 300, "two.csv")
    with opened(store_url) as book:
        begin(book, one, 2)
        assert len(rows_of(book, "person_year_run", "run")) == 2
        with ledger.open(store_url, actor="another") as other:
            other.reverse("S000101", "filed twice")
            begin(other, two, 2)
            begin(book, one, 2)
            assert found_wrong(store_url) == []
            take(other, two, 6)
        take(book, one, 6)
        assert rows_of(book, "person_year_run", "run") == []
        assert book.replay(202401).differences == ()
        with projections.open(store_url) as read:
            assert read.verify() == []


@pytest.mark.parametrize(
    ("statement", "named"),
    [
        ("DELETE FROM person_year_run WHERE run = (SELECT MAX(run) FROM person_year_run)", True),
        ("UPDATE person_year_run SET versions = keys", True),
        ("UPDATE person_year_run SET run = run + 1000", False),
    ],
)
def test_an_edited_run_is_named(store_url: str, tmp_path: Path, statement: str, named: bool) -> None:
    """A person-year in a run follows from the log like any other: an altered or missing one is found by its key."""
    with opened(store_url) as book:
        begin(book, month(tmp_path, 100, "one.csv"), 2)
        with book.store.write() as writer:
            assert writer.execute(statement) > 0
    found = found_wrong(store_url)
    assert bool(found) == named
    assert all(where.startswith("person_year key=") for where in found)
