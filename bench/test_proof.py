"""Times sealing: the tree of a month's events built from the log, and its hashing against one hashlib call an event."""

import pytest
from pytest_benchmark.fixture import BenchmarkFixture

from bench.month import digest_rows
from bench.stores import Stores
from bench.test_append import event_block
from bench.timing import measure, took_ns
from bench.workbench import Workbench
from core_ext.reference import tree as reference
from ledger.store import create
from projections import proof
from projections.catch_up import catch_up, ensure


@pytest.mark.benchmark(group="proof")
def test_seal(benchmark: BenchmarkFixture, workbench: Workbench, stores: Stores) -> None:
    """Catches the tree up from nothing to the head of a month's log, tiles written and durable, and gives its root."""
    rows = workbench.events
    with create(stores.fresh()) as store:
        for at in range(0, len(rows), 8_192):
            with store.begin() as tx:
                tx.append(event_block(rows[at : at + 8_192]))
        model = [proof.MODEL]
        ensure(store, model)

        def begin() -> None:
            with store.write() as writer:
                writer.execute("DELETE FROM proof_tile")
                writer.execute("UPDATE projection SET position = 0")

        timing = measure(benchmark, lambda: catch_up(store, model), prepare=begin, rounds=workbench.size.month_rounds)
        with store.read() as reader:
            root = proof.tree_of(reader, len(rows)).root()
    positions, streams, versions, topics, states = zip(*rows, strict=True)
    assert root == reference.root_of(reference.leaf_hashes(positions, topics, states, streams, versions))
    benchmark.extra_info["result_sha256"] = root.hex()
    workbench.note(
        {
            f"proof.{stores.dialect}.ns_per_event": timing.median_ns / len(rows),
            "proof.events": len(rows),
            "proof.workload_sha256": digest_rows(rows),
            "proof.result_sha256": root.hex(),
        }
    )


@pytest.mark.benchmark(group="proof")
def test_hash(benchmark: BenchmarkFixture, workbench: Workbench) -> None:
    """Hashes a month's events into leaves and root, against a loop that calls hashlib for each leaf and node."""
    rows = workbench.events
    positions, streams, versions, topics, states = zip(*rows, strict=True)

    def own() -> bytes:
        return proof.root_of(proof.leaf_hashes(positions, topics, states, streams, versions))

    def naive() -> bytes:
        return reference.root_of(reference.leaf_hashes(positions, topics, states, streams, versions))

    assert own() == naive()
    timing = measure(benchmark, own, rival=lambda: took_ns(naive), rounds=workbench.size.month_rounds)
    workbench.note(
        {
            "proof.ns_per_event": timing.median_ns / len(rows),
            "proof.vs_hashlib": timing.times_less,
            "proof.result_sha256": own().hex(),
        }
    )
