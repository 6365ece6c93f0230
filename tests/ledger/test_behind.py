"""What a store tidies up behind a job is only where its bytes lie: the log is the same, and an error is said."""

import shutil
from pathlib import Path

import pytest

from ledger import behind, store
from ledger.block import EventBlock
from ledger.events import PeriodOpened
from ledger.refusals import StoreError
from tests.ledger.test_intake import run, some_rows
from tests.ledger.worlds import events_of, opened, rows_of, write


def test_what_is_written_back_lies_in_the_file_itself(tmp_path: Path) -> None:
    """Once it is written back, the database file alone has what was committed, while its writer goes on."""
    with store.create(f"sqlite:///{tmp_path / 'ledger.db'}") as writing:
        for number in range(1, 4):
            with writing.begin() as tx:
                tx.append(EventBlock.from_events([(f"period-{number}", 1, PeriodOpened(1, 0, number))]))
            if number < 3:
                writing.write_back()
        shutil.copy(tmp_path / "ledger.db", tmp_path / "alone.db")
        with writing.read() as reader:
            assert reader.size == 3
    with store.connect(f"sqlite:///{tmp_path / 'alone.db'}") as alone, alone.read() as reader:
        assert reader.size == 2


def test_a_reader_keeps_its_view_while_the_store_is_written_back(store_url: str) -> None:
    """Writing back waits for nobody and changes nothing that anybody reads."""
    with store.create(store_url) as opened_store:
        with opened_store.begin() as tx:
            tx.append(EventBlock.from_events([("period-1", 1, PeriodOpened(1, 0, 1))]))
        with opened_store.read() as reader:
            with opened_store.begin() as tx:
                tx.append(EventBlock.from_events([("period-2", 1, PeriodOpened(1, 0, 2))]))
            opened_store.write_back()
            assert reader.size == len(reader.stream("period-1")) == 1
            assert reader.stream("period-2") == []


@pytest.mark.parametrize("batch_rows", [1, 2, 5])
def test_a_job_that_is_followed_leaves_what_it_leaves_alone(
    store_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, batch_rows: int
) -> None:
    """Written back after every transaction or never: the same events, the same state."""
    path = write(tmp_path / "claims.csv", some_rows())
    found = []
    for at, rows in enumerate((1, 1_000_000)):
        monkeypatch.setattr(behind, "ROWS_BETWEEN", rows)
        with opened(store_url if at == 0 else f"sqlite:///{tmp_path / 'alone.db'}") as book:
            book.clock_us = lambda: 1_711_929_600_000_000
            found.append((run(book, path, batch_rows), events_of(book), rows_of(book, "person_year", "key")))
    assert found[0] == found[1]


def test_a_large_store_is_written_back_in_larger_steps(store_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Between two of them a job writes half of what there is, so that no page is written back again and again."""
    monkeypatch.setattr(behind, "ROWS_BETWEEN", 10)
    with store.create(store_url) as opened_store:
        begun: list[int] = []
        written = 0
        write_back = opened_store.write_back

        def noted() -> None:
            write_back()
            begun.append(written)

        monkeypatch.setattr(opened_store, "write_back", noted)
        for held in (0, 1_000):
            begun.clear()
            written = 0
            with behind.Behind(opened_store, held) as follower:
                while written < 2_000:
                    written += 10
                    follower.wrote(10)
                    while follower.busy:
                        pass
            if held == 0:
                assert begun[:4] == [10, 20, 40, 80]
            else:
                assert begun == [1_000]


def test_what_goes_wrong_behind_a_job_is_raised_between_two_of_its_transactions(
    sqlite_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A store that cannot write back says so the next time the job asks, and not in another thread's traceback."""
    monkeypatch.setattr(behind, "ROWS_BETWEEN", 10)
    gone = store.create(sqlite_url)
    gone.close()
    with pytest.raises(StoreError, match="expected a connection"), behind.Behind(gone) as follower:
        follower.wrote(9)
        for _ in range(1_000_000):
            follower.wrote(10)
        pytest.fail("expected the error between two transactions, got none before the end")


def test_what_goes_wrong_last_is_raised_at_the_end(sqlite_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody asks behind the last transaction, and the error is said all the same; another error goes first."""
    monkeypatch.setattr(behind, "ROWS_BETWEEN", 10)
    gone = store.create(sqlite_url)
    gone.close()
    with pytest.raises(StoreError, match="expected a connection"), behind.Behind(gone) as follower:
        follower.wrote(10)
    with pytest.raises(RuntimeError, match="the job's own"), behind.Behind(gone) as follower:
        follower.wrote(10)
        raise RuntimeError("the job's own")
