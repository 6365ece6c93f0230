"""Times followers: a month's log into balances, and a file from its bytes to durable, deduplicated, sealed events."""

from pathlib import Path

import pytest
from pytest_benchmark.fixture import BenchmarkFixture

from bench.month import digest_rows, log_rows
from bench.stores import Stores
from bench.test_append import Appends
from bench.test_append_limits import FromColumns
from bench.test_single import opened
from bench.timing import measure, took_ns
from bench.workbench import Workbench
from ledger.events import ClaimReversed, ClaimSettled
from ledger.service import Ledger
from ledger.store import Store, connect
from projections import balances, proof
from projections.balance_runs import read_balances
from projections.catch_up import catch_up, ensure, positions
from projections.posting import post_within
from projections.sealing import seal_within


def forget(store: Store) -> None:
    """Takes the models back to position 0."""
    with store.write() as writer:
        for table in (*balances.MODEL.tables, *proof.MODEL.tables):
            writer.execute(f"DELETE FROM {table.name}")
        writer.execute("UPDATE projection SET position = 0")


@pytest.mark.benchmark(group="project")
def test_project(benchmark: BenchmarkFixture, workbench: Workbench, stores: Stores) -> None:
    """Folds a month's log into balances, rows written and durable; page by page or event by event, the same book."""
    appends = Appends(stores, workbench.events, workbench.size.append_events)
    appends.begin()
    appends.run()
    with connect(appends.url) as store:
        ensure(store, [balances.MODEL, proof.MODEL])
        forget(store)
        timing = measure(
            benchmark,
            lambda: catch_up(store, [balances.MODEL]),
            prepare=lambda: forget(store),
            rounds=workbench.size.month_rounds,
        )
        with store.read() as reader:
            found = read_balances(reader)
        forget(store)
        catch_up(store, [balances.MODEL], page_events=1_000)
        with store.read() as reader:
            assert read_balances(reader) == found and sum(found.values()) == 0
    appends.close()
    workbench.note(
        {
            f"project.{stores.dialect}.events_per_s": len(workbench.events) / timing.median_ns * 1e9,
            "project.accounts": len(found),
        }
    )


class Posting(FromColumns):
    """Appends a month's events out of columns, balances posted in the same transactions; its rival posts none."""

    def begin_posting(self) -> None:
        """Opens a fresh store that posts."""
        self.begin()
        assert self._store is not None
        post_within(self._store)


@pytest.mark.benchmark(group="project")
def test_post(benchmark: BenchmarkFixture, workbench: Workbench, stores: Stores) -> None:
    """Appends a month's events from columns with balances in the same transaction, in turn with appending alone."""
    posting = Posting(stores, workbench)
    timing = measure(
        benchmark,
        posting.run,
        prepare=posting.begin_posting,
        rival=lambda: took_ns(posting.run, posting.begin),
        rounds=workbench.size.month_rounds,
    )
    assert digest_rows(log_rows(posting.url)) == digest_rows(workbench.events)
    with connect(posting.url) as store:
        with store.read() as reader:
            assert positions(reader, store.dialect)[balances.MODEL.name][0] == reader.size == len(workbench.events)
            found = read_balances(reader)
        ensure(store, [proof.MODEL])
        forget(store)
        catch_up(store, [balances.MODEL])
        with store.read() as reader:
            assert read_balances(reader) == found and sum(found.values()) == 0
    posting.close()
    claims = sum(row[3] in (ClaimSettled.TOPIC, ClaimReversed.TOPIC) for row in workbench.events)
    workbench.note(
        {
            f"post.{stores.dialect}.claims_per_s": claims / timing.median_ns * 1e9,
            f"post.{stores.dialect}.of_append_alone": timing.times_less,
        }
    )


class Whole:
    """Takes a file in, sealed in the same transactions, from an open store to a closed one."""

    def __init__(self, stores: Stores, file: Path) -> None:
        self._stores = stores
        self._file = file
        self.url = ""
        self._book: Ledger | None = None

    def begin(self, sealed: bool = True) -> None:
        """Opens a fresh store with its policies."""
        self.url = self._stores.fresh()
        self._book = opened(self.url)
        if sealed:
            seal_within(self._book.store)

    def run(self) -> None:
        """Takes the file in and closes the store; ``begin`` goes before."""
        assert self._book is not None
        with self._book as book:
            book.intake(self._file, reason="bench", quarantine=self._file.with_suffix(".quarantine"))


@pytest.mark.benchmark(group="whole")
def test_whole_path(benchmark: BenchmarkFixture, workbench: Workbench, stores: Stores) -> None:
    """Takes a month in from its file, sealed in the same transactions, in turn with appending its events alone.

    Both from an open store to a closed one. The root is that of a tree which follows the log afterwards.
    """
    claims = workbench.size.month_claims
    whole = Whole(stores, workbench.claim_file(claims))
    whole.begin(sealed=False)
    whole.run()
    followed = root_of(whole.url)
    expected = list(log_rows(whole.url))
    appends = Appends(stores, expected, workbench.size.append_events)

    def append_all() -> None:
        appends.run()
        appends.close()

    timing = measure(
        benchmark,
        whole.run,
        prepare=whole.begin,
        rival=lambda: took_ns(append_all, appends.begin),
        rounds=workbench.size.month_rounds,
    )

    with connect(whole.url) as store, store.read() as reader:
        assert positions(reader, store.dialect)[proof.MODEL.name][0] == reader.size == len(expected)
    assert root_of(whole.url) == followed and digest_rows(log_rows(whole.url)) == digest_rows(expected)
    workbench.note(
        {
            f"intake.{stores.dialect}.claims_per_s": claims / timing.median_ns * 1e9,
            f"intake.{stores.dialect}.events_per_s": len(expected) / timing.median_ns * 1e9,
            f"intake.{stores.dialect}.of_bare_append": timing.times_less,
        }
    )


def root_of(url: str) -> bytes:
    """Returns the root over all of a store's events, its tree caught up."""
    with connect(url) as store:
        ensure(store, [proof.MODEL])
        size = catch_up(store, [proof.MODEL])
        with store.read() as reader:
            return proof.tree_of(reader, size).root()
