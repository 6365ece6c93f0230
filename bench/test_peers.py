"""Times the settle kernel against other means to the same tables, on the pinned workload sorted by person.

Results are equal before anything is timed. One thread of ours meets one of C, Python, Numba and NumPy;
Polars and DuckDB take every core, so two threads of ours meet them. The full formula is settled from tables to tables;
the narrower one, by every side, from the same columns into the same ones (``bench.peers.narrow``).
"""

from collections.abc import Iterator
from concurrent.futures import Executor, ThreadPoolExecutor
from dataclasses import dataclass
from types import ModuleType

import numpy as np
import pytest
from pytest_benchmark.fixture import BenchmarkFixture

from bench.blocks import person_blocks, run_blocks, settle_blocks
from bench.peers import frames, jit, narrow, plain_c, rounds, sql
from bench.peers.workload import INPATIENT, arrival, repeated, workload
from bench.settling import (
    CHANGED,
    RESULTS,
    ColumnSettling,
    Settling,
    check_alike,
    check_columns_alike,
    digest,
    first_claims,
)
from bench.timing import measure, took_ns
from bench.workbench import Workbench
from core_ext import _settle
from core_ext.basic import BASIC_YEAR
from core_ext.layout import ACCUMULATOR, FACT, HOW
from core_ext.plan import PLAN_AT
from core_ext.reference import settle as reference
from core_ext.settling import COMPUTE, REFUND, Batch, Table

THREADS = 2
GROWN, LARGE = 4, 5


@pytest.fixture(scope="module")
def whole(workbench: Workbench) -> Batch:
    """Returns the workload of the full formula, having checked that it is what its figures say."""
    size = workbench.size
    made = workload(size.peer_claims, narrow=False, cities=size.peer_cities)
    batch, own = made.batch, Settling(made.batch, _settle.settle)
    own.begin()
    own.run()
    stays = (batch.facts[:, FACT["med_type"]] == INPATIENT) & (batch.kind == COMPUTE)
    ceilings = float((own.tables.how[stays, HOW.index("over_ceiling")] > 0).mean() * 100)
    refunds = float((batch.kind == REFUND).mean() * 100)
    segments = int(batch.plans[:, PLAN_AT["segments"]].min())
    assert not own.tables.code.any()
    assert ceilings >= 1
    assert segments >= 3
    workbench.note(
        {
            "settle.sorted.claims": len(batch.plan),
            "settle.sorted.persons": len(batch.state),
            "settle.sorted.policies": made.policies,
            "settle.sorted.plans": len(batch.plans),
            "settle.sorted.refund_percent": refunds,
            "settle.sorted.late_percent": 100 * made.late / len(batch.plan),
            "settle.sorted.ceiling_percent": ceilings,
            "settle.sorted.workload_sha256": digest(batch),
            "settle.sorted.result_sha256": own.results(),
        }
    )
    return batch


@pytest.fixture(scope="module")
def threads() -> Iterator[Executor]:
    """Gives as many threads as the machine of the figures has cores."""
    with ThreadPoolExecutor(THREADS) as executor:
        yield executor


@pytest.mark.benchmark(group="settle.sorted")
def test_sorted_against_plain_c(benchmark: BenchmarkFixture, workbench: Workbench, whole: Batch) -> None:
    """Settles the full formula by the kernel and by a plain C loop; this one figure is ours over theirs."""
    own, plain = Settling(whole, _settle.settle), Settling(whole, plain_c.compiled(workbench.folder))
    check_alike(own, plain)

    timing = measure(
        benchmark,
        own.run,
        prepare=own.begin,
        rival=lambda: took_ns(plain.run, plain.begin),
        rounds=workbench.size.rounds,
    )

    assert own.results() == plain.results()
    benchmark.extra_info["result_sha256"] = own.results()
    workbench.note(
        {
            "settle.sorted.ns_per_claim": timing.median_ns / len(whole.plan),
            "settle.sorted.vs_c": 1 / timing.times_less,
        }
    )


@pytest.mark.benchmark(group="settle.sorted")
def test_sorted_against_python(benchmark: BenchmarkFixture, workbench: Workbench, whole: Batch) -> None:
    """Settles the first claims of the full formula by the kernel and by its specification in Python."""
    first = first_claims(whole, workbench.size.reference_claims)
    own, specified = Settling(first, _settle.settle), Settling(first, reference.settle)

    timing = measure(
        benchmark,
        own.run,
        prepare=own.begin,
        rival=lambda: took_ns(specified.run, specified.begin),
        rounds=workbench.size.rounds,
        rival_rounds=workbench.size.slow_rounds,
    )

    specified.begin()
    specified.run()
    assert own.results() == specified.results()
    workbench.note({"settle.sorted.vs_python": timing.growth})


@pytest.mark.benchmark(group="settle.sorted")
def test_two_threads(benchmark: BenchmarkFixture, workbench: Workbench, whole: Batch, threads: Executor) -> None:
    """Settles blocks of whole persons on two threads, and all of them on one, under plans that both find packed."""
    plans = _settle.packed(whole.plans)
    one, both = Settling(whole, _settle.settle, plans=plans), Settling(whole, _settle.settle)
    blocks = person_blocks(both.tables, THREADS * 16)

    timing = measure(
        benchmark,
        lambda: settle_blocks(blocks, plans, threads),
        prepare=both.begin,
        rival=lambda: took_ns(one.run, one.begin),
        rounds=workbench.size.rounds,
    )

    assert both.results() == one.results()
    workbench.note(
        {
            "settle.threads2.vs_1": timing.times_less,
            "settle.threads2.ns_per_claim": timing.median_ns / len(whole.plan),
        }
    )


@pytest.mark.benchmark(group="settle.sorted")
def test_arrival(benchmark: BenchmarkFixture, workbench: Workbench, whole: Batch) -> None:
    """Settles the claims as they come, persons at random, and sorted by person."""
    batch, order = arrival(whole)
    ordered, coming = Settling(whole, _settle.settle), Settling(batch, _settle.settle)

    timing = measure(
        benchmark,
        ordered.run,
        prepare=ordered.begin,
        rival=lambda: took_ns(coming.run, coming.begin),
        rounds=workbench.size.rounds,
    )

    for name in ("state", "accounts"):
        assert np.array_equal(getattr(ordered.tables, name), getattr(coming.tables, name)), name
    for name in ("code", "booked", "computed", "before", "delta", "balc", "how"):
        assert np.array_equal(getattr(ordered.tables, name)[order], getattr(coming.tables, name)), name
    workbench.note(
        {
            "settle.arrival.vs_sorted": timing.times_less,
            "settle.arrival.ns_per_claim": timing.median_ns * timing.times_less / len(whole.plan),
        }
    )


@pytest.mark.benchmark(group="settle.sorted")
def test_growth(benchmark: BenchmarkFixture, workbench: Workbench, whole: Batch) -> None:
    """Settles one, four and five times the claims, each time of other persons; the five also by plain C."""
    n, large = len(whole.plan), repeated(whole, LARGE)
    small = Settling(whole, _settle.settle)
    grown = Settling(first_claims(large, GROWN * n), _settle.settle, outputs=False)
    own = Settling(large, _settle.settle, outputs=False)
    plain = Settling(large, plain_c.compiled(workbench.folder), outputs=False)
    results = []
    for settling in (plain, own):
        for name in RESULTS[len(CHANGED) :]:
            getattr(large, name).fill(-7)
        settling.begin()
        settling.run()
        results.append(settling.results())
    assert results[0] == results[1]

    slow = workbench.size.slow_rounds + 1
    timing = measure(
        benchmark,
        small.run,
        prepare=small.begin,
        rival=lambda: took_ns(grown.run, grown.begin),
        rounds=workbench.size.rounds,
        rival_rounds=slow,
    )
    pairs = [(took_ns(plain.run, plain.begin), took_ns(own.run, own.begin)) for _ in range(slow)]
    workbench.note(
        {
            "settle.x4_growth": timing.growth,
            "settle.sorted.x5_claims": len(large.plan),
            "settle.sorted.x5_ns_per_claim": float(np.median([ours for _, ours in pairs])) / len(large.plan),
            "settle.sorted.x5_vs_c": float(np.median([ours / theirs for theirs, ours in pairs])),
            "settle.sorted.x5_result_sha256": results[0],
        }
    )


@dataclass(frozen=True)
class Narrow:
    """Is the workload of the narrower formula in columns and what every side must come to."""

    columns: narrow.Columns
    expected: dict[str, Table]


@pytest.fixture(scope="module")
def narrowed(workbench: Workbench) -> Narrow:
    """Returns the workload of the narrower formula, settled once by the kernel of the full formula."""
    size = workbench.size
    batch = workload(size.peer_claims, narrow=True, cities=size.peer_cities).batch
    whole = Settling(batch, _settle.settle)
    whole.begin()
    whole.run()
    assert not whole.tables.code.any()
    columns, expected = narrow.columns_of(batch), narrow.amounts_of(whole.tables.booked)
    own = ColumnSettling(columns)
    own.begin()
    own.run()
    assert not own.code.any()
    check_columns_alike(expected, own.results)
    assert np.array_equal(own.accounts, whole.tables.accounts)
    assert np.array_equal(own.years, whole.tables.state[:, [ACCUMULATOR[name] for name in BASIC_YEAR]])
    workbench.note(
        {
            "settle.narrow.claims": len(columns),
            "settle.narrow.workload_sha256": digest(batch),
            "settle.narrow.result_sha256": digest(expected.values()),
        }
    )
    return Narrow(columns, expected)


@pytest.mark.benchmark(group="settle.narrow")
def test_sorted_against_numba(benchmark: BenchmarkFixture, workbench: Workbench, narrowed: Narrow) -> None:
    """Settles the narrower formula by the kernel and by a loop that Numba compiled, from the same columns."""
    own, jitted = ColumnSettling(narrowed.columns), jit.Loop(narrowed.columns)
    jitted.begin()
    jitted.run()
    check_columns_alike(narrowed.expected, jitted.results)

    timing = measure(
        benchmark,
        own.run,
        prepare=own.begin,
        rival=lambda: took_ns(jitted.run, jitted.begin),
        rounds=workbench.size.rounds,
    )

    check_columns_alike(narrowed.expected, own.results)
    large = narrow.repeated(narrowed.columns, LARGE)
    own, jitted = ColumnSettling(large), jit.Loop(large)
    slow = workbench.size.slow_rounds + 1
    pairs = [(took_ns(jitted.run, jitted.begin), took_ns(own.run, own.begin)) for _ in range(slow)]
    check_columns_alike(jitted.results, own.results)
    workbench.note(
        {
            "settle.sorted.vs_numba": timing.times_less,
            "settle.narrow.ns_per_claim": timing.median_ns / len(narrowed.columns),
            "settle.narrow.x5_claims": len(large),
            "settle.narrow.x5_ns_per_claim": float(np.median([ours for _, ours in pairs])) / len(large),
            "settle.narrow.x5_vs_numba": float(np.median([theirs / ours for theirs, ours in pairs])),
        }
    )


@pytest.mark.benchmark(group="settle.narrow")
@pytest.mark.parametrize(("peer", "module"), [("numpy", rounds), ("polars", frames), ("duckdb", sql)])
def test_sorted_against_columns(
    benchmark: BenchmarkFixture,
    workbench: Workbench,
    narrowed: Narrow,
    threads: Executor,
    peer: str,
    module: ModuleType,
) -> None:
    """Settles the narrower formula by the kernel and by a library of columns, a round for each person's k-th claim."""
    columns = narrowed.columns
    check_columns_alike(narrowed.expected, module.settle(columns))
    own = ColumnSettling(columns, 1 if peer == "numpy" else THREADS * 4)

    timing = measure(
        benchmark,
        own.run if peer == "numpy" else lambda: run_blocks(own.blocks, threads),
        prepare=own.begin,
        rival=lambda: took_ns(lambda: module.settle(columns)),
        rounds=workbench.size.rounds,
        rival_rounds=workbench.size.slow_rounds,
    )

    check_columns_alike(narrowed.expected, own.results)
    workbench.note({f"settle.sorted.vs_{peer}": timing.growth})
