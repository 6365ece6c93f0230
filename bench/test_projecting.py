"""Times followers: a month's log into balances, and a file from its bytes to durable, deduplicated, sealed events."""

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


@pytest.mark.benchmark(group="whole")
def test_whole_path(benchmark: BenchmarkFixture, workbench: Workbench, stores: Stores) -> None:
    """Takes a month in from its file, sealed in the same transactions, in turn with appending its events alone.

    The root is that of a tree which follows the log afterwards.
    """
    claims = workbench.size.month_claims
    file = workbench.claim_file(claims)
    url, roots, sizes = "", set(), set()

    def begin() -> None:
        nonlocal url
        url = stores.fresh()

    def run(within: bool = True) -> None:
        with opened(url) as book:
            if within:
                seal_within(book.store)
            book.intake(file, reason="bench", quarantine=file.with_suffix(".quarantine"))
        with connect(url) as store:
            ensure(store, [proof.MODEL])
            size = catch_up(store, [proof.MODEL])
            with store.read() as reader:
                roots.add(proof.tree_of(reader, size).root())
            sizes.add(size)

    begin()
    run(within=False)
    appends = Appends(stores, list(log_rows(url)), workbench.size.append_events)
    whole = digest_rows(log_rows(url))

    timing = measure(
        benchmark,
        run,
        prepare=begin,
        rival=lambda: took_ns(appends.run, appends.begin),
        rounds=workbench.size.month_rounds,
    )

    assert len(roots) == len(sizes) == 1 and digest_rows(log_rows(url)) == whole
    appends.close()
    events = sizes.pop()
    workbench.note(
        {
            f"intake.{stores.dialect}.claims_per_s": claims / timing.median_ns * 1e9,
            f"intake.{stores.dialect}.events_per_s": events / timing.median_ns * 1e9,
            f"intake.{stores.dialect}.of_bare_append": timing.times_less,
        }
    )
