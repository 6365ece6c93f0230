"""Writers are killed and servers stopped at any moment: what they had acknowledged is in the log, whole, and once."""

import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

import ledger
from bench.stores import WAL_WRITER_DELAY
from ledger.service import Ledger
from projections.reader import Projections
from tests.faults.kills import Nursery, afterwards, broken, file_of, kill_often, nursery
from tests.faults.plan import drawn, report, times
from tests.faults.servers import server
from tests.ledger.registry import MEMBERS, registered
from tests.ledger.worlds import opened


@pytest.fixture(scope="module")
def mother() -> Iterator[Nursery]:
    with nursery() as made:
        yield made


def holding(book: Ledger, folder: Path) -> None:
    """Registers the persons of the files, each with something in their account."""
    held = [f"P{i},某,260101,310,11,,9{i}000.00" for i in range(7)]
    registered(book, folder, f"{MEMBERS},account_balance", *held)


@pytest.mark.parametrize(("database", "few", "many"), [("sqlite", 12, 500), ("postgres", 6, 120)])
def test_no_kill_loses_what_was_acknowledged(
    database: str, few: int, many: int, mother: Nursery, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    """Writers killed with SIGKILL at any moment: every acknowledged row is there, no batch is half there, the next
    writer goes on where the last one stopped, and at the end the read models are those of a replay."""
    with opened(request.getfixturevalue(f"{database}_url")) as book:
        holding(book, tmp_path)
        rng = drawn(f"kills {database}")
        toll = kill_often(mother, book, tmp_path, times(few, many), rng, middle=times(0, many))
        assert toll.wrong == []
        assert afterwards(book) == []
    counts = {"writers": toll.rounds, "killed_in_the_middle": toll.killed, "rows_acknowledged": toll.acknowledged}
    report(f"kill -9, {database}", **counts, lost=0)
    assert toll.killed >= times(few // 4 + 1, many)


@pytest.mark.parametrize(
    ("settings", "named"), [({}, ""), ({"wal_writer_delay": WAL_WRITER_DELAY}, ", as recommended")]
)
def test_no_immediate_stop_of_the_server_loses_what_was_acknowledged(
    settings: dict[str, str], named: str, mother: Nursery, tmp_path: Path
) -> None:
    """A PostgreSQL server stopped at once, as by ``pg_ctl stop -m immediate``, recovers every acknowledged row, also
    where the database's default is not to wait for the disk, and whatever the server has as recommended."""
    with server(**settings) as running:
        running.start()
        url = running.url
        with opened(url) as book, book.store.write() as writer:
            writer.execute("ALTER ROLE postgres SET synchronous_commit = off")

        def stop(_: int) -> None:
            running.stop(signal.SIGQUIT)
            running.start()

        with ledger.open(url, actor="auditor") as book:
            toll = kill_often(mother, book, tmp_path, times(1, 25), drawn(f"stops{named}"), stop)
            assert toll.wrong == []
            assert afterwards(book) == []
    counts = {"stops": toll.rounds, "writers_cut_off": toll.cut_off, "rows_acknowledged": toll.acknowledged}
    report(f"immediate server stops{named}", **counts, lost=0)


def test_an_acknowledgement_before_the_commit_is_noticed(store_url: str, mother: Nursery, tmp_path: Path) -> None:
    """The canary: a writer that speaks before its commit and dies in it has acknowledged rows that are not there."""
    with opened(store_url) as book:
        files = [file_of(tmp_path, 1)]
        mother.raised(store_url, files, "early")
        said = mother.heard()
        assert said.rows == {files[0]: 3}
        assert broken(book, said, files) == ["file-1.csv: rows to 3 were acknowledged, 0 are there"]


def test_half_a_batch_is_noticed(sqlite_url: str, mother: Nursery, tmp_path: Path) -> None:
    """The canary: a batch committed without its last event is not whole, and neither is the store."""
    with opened(sqlite_url) as book:
        files = [file_of(tmp_path, 1)]
        mother.raised(sqlite_url, files, "half")
        said = mother.heard()
        assert broken(book, said, files) != []
        assert Projections(book.store).verify() != []


@pytest.mark.parametrize("work", ["folding", "merging"])
def test_no_kill_while_runs_are_tidied_up_loses_anything(
    store_url: str, mother: Nursery, tmp_path: Path, work: str
) -> None:
    """Killed before any piece of folding or merging: all reads as before, and the next writer tidies up and goes on."""
    pieces = (1, 2, 5, 9, 12) if work == "folding" else (1, 2, 7, 14, 16)
    with opened(store_url) as book:
        holding(book, tmp_path)
        for number, piece in enumerate(pieces, 1):
            files = [file_of(tmp_path, number)]
            mother.raised(store_url, files, f"{work}-{piece}")
            said = mother.heard()
            assert (said.rows, said.done, said.errors) == ({files[0]: 12}, [], [])
            assert broken(book, said, files) == []
            assert Projections(book.store).verify() == []
            mother.raised(store_url, files)
            said = mother.heard()
            assert (said.done, said.errors) == (files, [])
        assert afterwards(book) == []


def test_runs_taken_away_before_they_are_merged_are_noticed(store_url: str, mother: Nursery, tmp_path: Path) -> None:
    """The canary: a writer that dies between taking its runs away and merging them has lost person-years."""
    with opened(store_url) as book:
        mother.raised(store_url, [file_of(tmp_path, 1)], "unmerged")
        mother.heard()
        found = {finding.where.split(" ")[0] for finding in Projections(book.store).verify()}
        assert "person_year" in found
