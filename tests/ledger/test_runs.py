"""Intakes whose batches leave runs behind: what is booked, kept and verified is what it was without them."""

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

import ledger
import projections
from ledger import accounts, intake, person_years
from ledger.profile import load_profile
from ledger.service import Ledger
from ledger.source import open_source
from ledger.store import person_blocks, run_writer, runs, text_runs, tidying
from ledger.store.tidying import merge_runs
from tests.ledger.registry import MEMBERS, registered
from tests.ledger.worlds import claim, events_of, opened, refund, rows_of, write

TABLES = (("person_year", "key"), ("account", "token"), ("message", "msgid"), ("person", "token"))
RUNS = ("person_year_run", "account_run", "message_run")


@pytest.fixture(autouse=True)
def _small(monkeypatch: pytest.MonkeyPatch) -> None:
    """Makes every batch of two persons a run, and merges by two rows once a third run stands."""
    monkeypatch.setattr(run_writer, "RUN_ROWS", 2)
    monkeypatch.setattr(runs, "PAGE_ROWS", 2)
    monkeypatch.setattr(text_runs, "PAGE_ROWS", 2)
    monkeypatch.setattr(text_runs, "MERGED_ROWS", 2)
    monkeypatch.setattr(intake, "MOST_RUNS", 2)
    monkeypatch.setattr(person_blocks, "BLOCK_PERSONS", 2)


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
    """Returns what the write side keeps, its runs merged."""
    merge_runs(book.store)
    assert standing(book) == [0, 0, 0]
    return [rows_of(book, *table) for table in TABLES]


def holding(book: Ledger, folder: Path, persons: int = 11) -> None:
    """Registers persons of ``month``, each with something in their account."""
    held = [f"P{i},某,260101,310,11,,9{i}000.00" for i in range(persons)]
    registered(book, folder, f"{MEMBERS},account_balance", *held)


def beside(book: Ledger) -> int:
    """Returns how many runs of a table, at most, could have one key."""
    with book.store.read() as reader:
        return max(tidying._most_beside(reader.query(tidying.SELECT_SPANS.format(name))) for name in RUNS)


def standing(book: Ledger) -> list[int]:
    """Returns how many runs of each table stand."""
    return [len(rows_of(book, name, "run")) for name in RUNS]


@pytest.mark.parametrize(
    ("most", "few", "folded"), [(2, 0, 0), (99, 0, 1_000), (99, 99, 0)], ids=["merged", "folded", "left"]
)
@pytest.mark.parametrize("batch_rows", [3, 5, 16])
def test_a_month_taken_in_by_runs_is_the_month(
    store_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, batch_rows: int, most: int, few: int, folded: int
) -> None:
    """Events and state do not depend on whether batches leave runs, nor on what becomes of these behind a job."""
    monkeypatch.setattr(intake, "MOST_RUNS", most)
    monkeypatch.setattr(tidying, "FEW_RUNS", few)
    monkeypatch.setattr(tidying, "FOLDED_ROWS", folded)
    files = [month(tmp_path, 100, "one.csv"), month(tmp_path, 300, "two.csv")]
    with opened(store_url) as book:
        holding(book, tmp_path)
        for path in files:
            take(book, path, batch_rows)
            assert [count > 0 for count in standing(book)] == [most > 2] * 3
            assert (beside(book) <= 1) == (few == 0)
            with projections.open(store_url) as read:
                assert read.verify() == []
        again = take(book, files[0], batch_rows)
        assert (again.booked, again.duplicate) == (0, again.rows)
        found, kept = events_of(book), state(book)
    monkeypatch.setattr(run_writer, "RUN_ROWS", 1_000)
    with opened(f"sqlite:///{tmp_path / 'plain.db'}") as book:
        holding(book, tmp_path)
        for path in (*files, files[0]):
            take(book, path, batch_rows)
        assert (events_of(book), state(book)) == (found, kept)


@pytest.mark.parametrize("most", [1, 4, 9])
@pytest.mark.parametrize("known", [4, 11])
def test_a_memory_that_starts_anew_misses_no_run(
    store_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, most: int, known: int
) -> None:
    """Where more persons come than are remembered, new ones or others, those forgotten are read from the runs this very
    job has left."""
    monkeypatch.setattr(intake, "MOST_RUNS", 99)
    for kept in (accounts, person_years):
        monkeypatch.setattr(kept, "MOST", most)
    found = []
    for url, fewest in ((store_url, 2), (f"sqlite:///{tmp_path / 'plain.db'}", 1_000)):
        monkeypatch.setattr(run_writer, "RUN_ROWS", fewest)
        with opened(url) as book:
            holding(book, tmp_path, known)
            take(book, month(tmp_path, 100, "one.csv"), 5)
            found.append((events_of(book), state(book)))
    assert found[0] == found[1]


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
        assert book.replay(202401).differences == ()
        with projections.open(store_url) as read:
            assert read.verify() == []


@pytest.mark.parametrize(
    ("statement", "named"),
    [
        ("DELETE FROM person_year_run WHERE run = (SELECT MAX(run) FROM person_year_run)", True),
        ("UPDATE person_year_run SET versions = keys", True),
        ("UPDATE person_year_run SET run = run + 1000", False),
        ("DELETE FROM account_run WHERE run = (SELECT MAX(run) FROM account_run)", True),
        ("UPDATE account_run SET amounts = keys, width = 8", True),
        ("DELETE FROM message_run WHERE run = (SELECT MAX(run) FROM message_run)", True),
        ("UPDATE message_run SET positions = keys", True),
        ("UPDATE message_run SET run = run + 1000", False),
    ],
)
def test_an_edited_run_is_named(store_url: str, tmp_path: Path, statement: str, named: bool) -> None:
    """What stands in a run follows from the log like any other row: an altered or missing one is found by its key."""
    with opened(store_url) as book:
        holding(book, tmp_path)
        begin(book, month(tmp_path, 100, "one.csv"), 2)
        with book.store.write() as writer:
            assert writer.execute(statement) > 0
    found = found_wrong(store_url)
    assert bool(found) == named
    keys = {"person_year_run": "person_year key=", "account_run": "account token=", "message_run": "message msgid="}
    assert all(where.startswith(keys[next(name for name in RUNS if name in statement)]) for where in found)


def test_a_message_in_the_table_and_in_a_run_is_named(store_url: str, tmp_path: Path) -> None:
    """An id stands in one place: a second row of it, though it says the same, would stop every merge."""
    with opened(store_url) as book:
        begin(book, month(tmp_path, 100, "one.csv"), 2)
        with book.store.read() as reader:
            (msgid, position), *_ = next(text_runs.each_run(reader, text_runs.MESSAGE_RUNS)).listed()
        with book.store.write() as writer:
            writer.execute("INSERT INTO message (msgid, position) VALUES (?, ?)", (msgid, position))
        with projections.open(store_url) as read:
            found = [each for each in read.verify() if each.kind != "unfinished-job"]
    assert [each.where for each in found] == [f"message msgid={msgid}"]
    assert f"{position} and {position}" in str(found[0])


def test_what_an_edited_account_reads_as_is_what_is_named(store_url: str, tmp_path: Path) -> None:
    """Where the table and a run have an account of one version the table's balance is read, so it is what is found."""
    with opened(store_url) as book:
        holding(book, tmp_path)
        begin(book, month(tmp_path, 100, "one.csv"), 2)
        with book.store.read() as reader:
            run = runs.read_runs(reader, runs.ACCOUNT_RUNS)[-1]
        token, version = int(run.keys[0]), int(run.versions[0])
        with book.store.write() as writer:
            sql = "UPDATE account SET version = ?, balance_fen = 7 WHERE token = ?"
            assert writer.execute(sql, (version, token)) == 1
        with projections.open(store_url) as read:
            (found,) = [each for each in read.verify() if each.kind != "unfinished-job"]
    assert found.where == f"account token={token}" and found.got == "7"


def test_writers_at_once_leave_what_one_after_the_other_leaves(
    store_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Four who take files in at once, each folding and merging between the others' batches: every row is booked once,
    decisions follow each other person by person, and what is kept follows from the log."""
    monkeypatch.setattr(intake, "MOST_RUNS", 5)
    monkeypatch.setattr(tidying, "FEW_RUNS", 1)
    monkeypatch.setattr(tidying, "FOLDED_ROWS", 25)
    files = [month(tmp_path, 100 * at, f"{at}.csv") for at in range(1, 5)]
    with opened(store_url) as book:
        holding(book, tmp_path)

        def work(at: int) -> int:
            with ledger.open(store_url, actor=f"writer {at}") as own:
                return sum(take(own, path, 3 + at).booked for path in (files[at], files[at - 1]))

        with ThreadPoolExecutor(4) as pool:
            done = list(pool.map(work, range(4)))
        assert min(done) >= 42
        assert {take(book, path, 9).duplicate for path in files} == {42}
        assert book.replay(202401).differences == ()
        for _ in range(2):
            with projections.open(store_url) as read:
                assert read.verify() == []
            merge_runs(book.store)
