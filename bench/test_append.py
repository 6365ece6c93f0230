"""Times appends of a month's own events to both databases, each block one durable transaction, and the library's."""

import numpy as np
import pytest
from eventsourcing.persistence import StoredEvent
from pytest_benchmark.fixture import BenchmarkFixture

from bench.month import LogRow, digest_rows, log_rows
from bench.stores import Stock, Stores
from bench.timing import measure, took_ns
from bench.workbench import Workbench
from core_ext.codec_fields import Encoded
from core_ext.text import texts_from_list
from ledger.block import EventBlock
from ledger.store import Store, create


def event_block(rows: list[LogRow]) -> EventBlock:
    """Returns rows of a log as a block."""
    names = tuple(dict.fromkeys(row[3] for row in rows))
    return EventBlock(
        streams=texts_from_list([row[1] for row in rows]),
        versions=np.array([row[2] for row in rows], np.int64),
        topics=np.array([names.index(row[3]) for row in rows], np.int64),
        topic_names=names,
        states=Encoded(*texts_from_list([row[4] for row in rows])),
    )


class FreshStore:
    """Is a store that is created anew for every round."""

    def __init__(self, stores: Stores) -> None:
        self._stores = stores
        self._store: Store | None = None
        self.url = ""

    def begin(self) -> None:
        """Opens a fresh store."""
        self.close()
        self.url = self._stores.fresh()
        self._store = create(self.url)

    def close(self) -> None:
        """Closes what is open."""
        if self._store is not None:
            self._store.close()
        self._store = None


class Appends(FreshStore):
    """Appends the same events to a fresh store, by the ledger or by the library's recorder."""

    def __init__(self, stores: Stores, rows: list[LogRow], events: int) -> None:
        super().__init__(stores)
        self._blocks = [event_block(rows[at : at + events]) for at in range(0, len(rows), events)]
        size = min(events, stores.stock_events)
        self._stored = [[StoredEvent(*row[1:]) for row in rows[at : at + size]] for at in range(0, len(rows), size)]
        self._stock: Stock | None = None

    def run(self) -> None:
        """Appends every block to the store; ``begin`` goes before."""
        assert self._store is not None
        for block in self._blocks:
            with self._store.begin() as tx:
                tx.append(block)

    def begin_stock(self) -> None:
        """Opens a fresh table of the library's."""
        self.close()
        self._stock = self._stores.stock()

    def run_stock(self) -> None:
        """Inserts every block by the library's recorder; ``begin_stock`` goes before."""
        assert self._stock is not None
        for events in self._stored:
            self._stock.append(events)

    def stock_digest(self) -> str:
        """Returns the digest of the rows the library's recorder wrote."""
        assert self._stock is not None
        read = self._stock.recorder.select_notifications(1, sum(map(len, self._stored)))
        return digest_rows(
            (int(row.id), str(row.originator_id), row.originator_version, row.topic, row.state) for row in read
        )

    def close(self) -> None:
        """Closes what is open."""
        super().close()
        if self._stock is not None:
            self._stock.close()
        self._stock = None


@pytest.mark.benchmark(group="append")
def test_append(benchmark: BenchmarkFixture, workbench: Workbench, stores: Stores) -> None:
    """Appends a month's events block by block, and has the library's recorder insert the same rows in turn."""
    rows = workbench.events
    expected = digest_rows(rows)
    appends = Appends(stores, rows, workbench.size.append_events)
    appends.begin_stock()
    appends.run_stock()
    assert appends.stock_digest() == expected
    appends.begin()
    appends.run()
    assert digest_rows(log_rows(appends.url)) == expected

    timing = measure(
        benchmark,
        appends.run,
        prepare=appends.begin,
        rival=lambda: took_ns(appends.run_stock, appends.begin_stock),
        rounds=workbench.size.month_rounds,
    )

    result = digest_rows(log_rows(appends.url))
    assert result == expected
    appends.close()
    benchmark.extra_info["result_sha256"] = result
    workbench.note(
        {
            f"append.{stores.dialect}.events_per_s": len(rows) / timing.median_ns * 1e9,
            f"append.{stores.dialect}.vs_stock": timing.times_less,
            f"append.{stores.dialect}.stock_events_per_transaction": min(
                workbench.size.append_events, stores.stock_events
            ),
            f"append.{stores.dialect}.result_sha256": result,
            "append.events": len(rows),
            "append.events_per_transaction": workbench.size.append_events,
            "append.bytes_per_event": sum(len(row[4]) for row in rows) / len(rows),
            "append.workload_sha256": expected,
        }
    )
