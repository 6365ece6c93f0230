"""Times appends against what their database can take at most, in small blocks, and behind two million events."""

import sqlite3
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from itertools import pairwise
from pathlib import Path
from statistics import fmean, median
from time import perf_counter_ns

import numpy as np
import psycopg
import pytest
from pytest_benchmark.fixture import BenchmarkFixture

from bench.columns import ColumnBlock
from bench.month import LogRow, digest_rows, log_rows
from bench.stores import SQLiteStores, Stores
from bench.test_append import Appends, FreshStore, event_block
from bench.timing import measure, settle_down, took_ns
from bench.workbench import Workbench
from console.places import regions
from core_ext.codec_fields import Encoded
from core_ext.kernels import load
from core_ext.text import texts_from_list
from ledger.ahead import Ahead
from ledger.block import EventBlock
from ledger.events import ClaimFiled, ClaimSettled
from ledger.store import Store, create
from ledger.store.postgres_connection import COPY_EVENTS, COPY_HEADER, COPY_TRAILER
from ledger.store.sqlite_recorder import INSERT_EVENTS, PRAGMAS

#: Events of the small transactions: where one statement is quicker than a copy.
SMALL = 100


class FromColumns(FreshStore):
    """Appends a month's events out of columns, states encoded on the way; its rival writes ready rows to the table."""

    def __init__(self, stores: Stores, workbench: Workbench) -> None:
        rows = workbench.events
        super().__init__(stores)
        parts = [(at, rows[at:stop]) for at, stop in pairwise(whole_acts(rows, workbench.size.append_events))]
        self._columns = [ColumnBlock(part) for _, part in parts]
        self._ready = [ready(event_block(part), at + 1, stores.dialect) for at, part in parts]

    def run(self) -> None:
        """Encodes every block, as an intake does while its predecessor is written, and appends it, each one durable.

        ``begin`` goes before.
        """
        assert self._store is not None
        with Ahead(columns.block() for columns in self._columns) as blocks:
            for block in blocks:
                with self._store.begin() as tx:
                    tx.append(block)

    def run_raw(self) -> None:
        """Writes the ready rows, each block one durable transaction; ``begin`` goes before."""
        with raw_writer(self.url) as write_raw:
            for block in self._ready:
                write_raw(block)

    def raw_ns(self) -> int:
        """Returns what the rival took."""
        return took_ns(self.run_raw, self.begin)


def whole_acts(rows: Sequence[LogRow], size: int) -> list[int]:
    """Returns where rows are cut: at every ``size`` of them, but never between a claim and its decision."""
    cuts = [0]
    while cuts[-1] < len(rows):
        stop = min(cuts[-1] + size, len(rows))
        cuts.append(stop + (stop < len(rows) and rows[stop - 1][3] == ClaimFiled.TOPIC))
    return cuts


def ready(block: EventBlock, first: int, dialect: str) -> object:
    """Returns a block as its database takes it: tuples, or the bytes of a binary COPY."""
    if dialect == "sqlite":
        return load("codec").rows(*block.columns, first)
    return b"".join(load("records").copy_pieces(*block.columns, first, len(block), COPY_HEADER, COPY_TRAILER))


@contextmanager
def raw_writer(url: str) -> Iterator[Callable[..., None]]:
    """Gives what writes one ready block to a store's table, behind the back of the ledger, and commits."""
    if url.startswith("sqlite"):
        raw = sqlite3.connect(url.removeprefix("sqlite:///"), isolation_level=None)
        for pragma in PRAGMAS:
            raw.execute(pragma)

        def insert(rows: list[tuple[object, ...]]) -> None:
            raw.execute("BEGIN IMMEDIATE")
            raw.executemany(INSERT_EVENTS, rows)
            raw.execute("COMMIT")

        try:
            yield insert
        finally:
            raw.close()
        return
    server, _, schema = url.rpartition("schema=")
    with psycopg.connect(server.rstrip("?&"), autocommit=True) as connection:
        connection.execute(f"SET search_path = {schema}".encode())

        def copy(packed: bytes) -> None:
            with connection.transaction(), connection.cursor() as cursor, cursor.copy(COPY_EVENTS) as stream:
                stream.write(packed)

        yield copy


@pytest.mark.benchmark(group="append")
def test_append_from_columns(benchmark: BenchmarkFixture, workbench: Workbench, stores: Stores) -> None:
    """Encodes and appends a month's events from columns, in turn with ready rows written to the bare table."""
    expected = digest_rows(workbench.events)
    appends = FromColumns(stores, workbench)
    appends.begin()
    appends.run_raw()
    assert digest_rows(log_rows_of(appends.url, stores, len(workbench.events))) == expected

    timing = measure(
        benchmark, appends.run, prepare=appends.begin, rival=appends.raw_ns, rounds=workbench.size.month_rounds
    )

    result = digest_rows(log_rows(appends.url))
    assert result == expected
    disk = disk_bytes(appends.url)
    appends.close()
    benchmark.extra_info["result_sha256"] = result
    rival = "raw_copy" if stores.dialect == "postgres" else "raw_executemany"
    workbench.note(
        {
            f"append.{stores.dialect}.from_columns_events_per_s": len(workbench.events) / timing.median_ns * 1e9,
            f"append.{stores.dialect}.vs_{rival}": timing.times_less,
            f"append.{stores.dialect}.disk_bytes_per_event": disk / len(workbench.events),
        }
    )


def log_rows_of(url: str, stores: Stores, events: int) -> Iterator[tuple[int, str, int, str, bytes]]:
    """Yields rows that were written behind the back of log_head."""
    if stores.dialect == "sqlite":
        raw = sqlite3.connect(url.removeprefix("sqlite:///"), isolation_level=None)
        raw.execute(f"UPDATE log_head SET size = {events}")
        raw.close()
    else:
        server, _, schema = url.rpartition("schema=")
        with psycopg.connect(server.rstrip("?&"), autocommit=True) as connection:
            connection.execute(f"UPDATE {schema}.log_head SET size = {events}".encode())
    yield from log_rows(url)


def disk_bytes(url: str) -> int:
    """Returns what the events take on disk, indexes included."""
    if url.startswith("sqlite"):
        raw = sqlite3.connect(url.removeprefix("sqlite:///"), isolation_level=None)
        raw.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        raw.close()
        return Path(url.removeprefix("sqlite:///")).stat().st_size
    server, _, schema = url.rpartition("schema=")
    with psycopg.connect(server.rstrip("?&")) as connection:
        found = connection.execute(f"SELECT pg_total_relation_size('{schema}.stored_events')".encode()).fetchone()
    assert found is not None
    return int(found[0])


@pytest.mark.benchmark(group="append")
def test_append_small(benchmark: BenchmarkFixture, workbench: Workbench, stores: Stores) -> None:
    """Appends a hundred events a transaction, in turn with the library's recorder."""
    rows = workbench.events[: SMALL * workbench.size.small_appends]
    appends = Appends(stores, rows, SMALL)

    timing = measure(
        benchmark,
        appends.run,
        prepare=appends.begin,
        rival=lambda: took_ns(appends.run_stock, appends.begin_stock),
        rounds=workbench.size.month_rounds,
    )

    assert digest_rows(log_rows(appends.url)) == digest_rows(rows)
    appends.close()
    workbench.note(
        {
            f"append.{stores.dialect}.at_100_events_per_s": len(rows) / timing.median_ns * 1e9,
            f"append.{stores.dialect}.at_100_vs_stock": timing.times_less,
        }
    )


class Aging:
    """Appends to one store for long: a claim's two events in turn, ids as a platform gives them.

    Both stand in the claim's stream, as an intake writes them; ``scattered`` puts each second one into a stream of
    its person, who may be anybody.
    """

    def __init__(self, store: Store, rows: Sequence[LogRow], events: int, *, scattered: bool) -> None:
        self._store = store
        self._scattered = scattered
        self._events = events
        self._states = [next(row[4] for row in rows if row[3] == topic) for topic in TOPICS]
        self._claims = 0

    def append(self, blocks: int) -> list[int]:
        """Appends blocks, each durable, and returns the nanoseconds each took."""
        took = []
        for _ in range(blocks):
            block = self._block()
            begun = perf_counter_ns()
            with self._store.begin() as tx:
                tx.append(block)
            took.append(perf_counter_ns() - begun)
        return took

    def _block(self) -> EventBlock:
        half = self._events // 2
        serials = range(self._claims, self._claims + half)
        self._claims += half
        claims = [f"claim-{REGIONS[n % len(REGIONS)]:06d}-S202403{n:011d}" for n in serials]
        # Persons come in no order; 64-bit mixing keeps them apart.
        seconds = [f"py-2024-{n * 0x9E3779B97F4A7C15 % 2**44}" for n in serials] if self._scattered else claims
        streams = [stream for both in zip(claims, seconds, strict=True) for stream in both]
        versions = np.ones(2 * half, np.int64)
        if not self._scattered:
            versions[1::2] = 2
        states = texts_from_list(self._states * half)
        topics = np.tile(np.arange(2, dtype=np.int64), half)
        return EventBlock(texts_from_list(streams), versions, topics, TOPICS, Encoded(*states))


TOPICS = (ClaimFiled.TOPIC, ClaimSettled.TOPIC)
REGIONS = tuple(place.code for place in regions())


@pytest.mark.benchmark(group="append")
@pytest.mark.parametrize("scattered", [False, True], ids=["claims", "scattered"])
def test_append_behind_millions(
    benchmark: BenchmarkFixture, workbench: Workbench, sqlite_stores: SQLiteStores, scattered: bool
) -> None:
    """Appends to a SQLite store that holds two million events, in turn with appending to one that is empty."""
    size = workbench.size
    folder = workbench.folder / "young"
    folder.mkdir(exist_ok=True)
    others = SQLiteStores(folder)
    young: list[list[int]] = []
    old: list[list[int]] = []

    def append_to_empty() -> None:
        with create(others.fresh()) as store:
            aging = Aging(store, workbench.events, size.append_events, scattered=scattered)
            settle_down()
            young.append(aging.append(size.append_transactions))

    with create(sqlite_stores.fresh()) as store:
        aging = Aging(store, workbench.events, size.append_events, scattered=scattered)
        aging.append(size.aged_events // size.append_events)
        with store.read() as reader:
            held = reader.size
        timing = measure(
            benchmark,
            lambda: old.append(aging.append(size.append_transactions)),
            rounds=size.month_rounds,
            rival=lambda: took_ns(append_to_empty),
        )
    others.clear()
    sqlite_stores.clear()
    kind = "append.sqlite.scattered" if scattered else "append.sqlite"
    # The first of each warmed up.
    pairs = list(zip(young[1:], old[1:], strict=True))
    workbench.note(
        {
            f"{kind}.aged_events": held,
            f"{kind}.aged_events_per_s": size.append_events * size.append_transactions / timing.median_ns * 1e9,
            f"{kind}.at_2m_vs_empty": median(median(few) / median(many) for few, many in pairs),
            f"{kind}.at_2m_vs_empty_mean": median(fmean(few) / fmean(many) for few, many in pairs),
        }
    )
