"""Times a replay from a sealed segment to every pair's statement, against the kernel alone, DuckDB and the stock."""

from pathlib import Path
from typing import NamedTuple

import duckdb
import pytest
from eventsourcing.persistence import DatetimeAsISO, JSONTranscoder, UUIDAsHex
from pytest_benchmark.fixture import BenchmarkFixture

from bench.claims import Workload
from bench.replaying import replayed, run, run_apart
from bench.segments import claims_segment, repeat
from bench.settling import Settling, first_claims
from bench.timing import measure, took_ns
from bench.workbench import Workbench
from console.generate import SEED
from core_ext import _settle
from core_ext.layout import AMOUNTS, FACT
from core_ext.reference import settle as reference
from ledger.plans import PolicyBook
from ledger.replaying.comparing import replay_segment
from ledger.segments.exporting import export_parquet
from ledger.segments.reading import Segment

TIMES = 4
STOCK_EVENTS = 2_000

GROUPED = (
    "SELECT setl_time // 100000000 AS month, insured_region, treatment_region, insutype,"
    " SUM(1 - reversed), SUM(reversed), SUM(medfee_sumamt), " + ", ".join(f"SUM({name})" for name in AMOUNTS)
)


class Sealed(NamedTuple):
    """Is a segment to replay and what it was made from."""

    folder: Path
    book: PolicyBook
    workload: Workload


@pytest.fixture(scope="module")
def sealed(workbench: Workbench) -> Sealed:
    """Returns a segment that replays without a difference, by the compiled kernel and by its specification."""
    small, book, _ = claims_segment(workbench.folder, workbench.size.reference_claims)
    own, other = replay_segment(small, book), replay_segment(small, book, settle=reference.settle)
    assert own == other and own.differences == ()
    return Sealed(*claims_segment(workbench.folder, workbench.size.settle_claims))


@pytest.mark.benchmark(group="replay")
def test_replay(benchmark: BenchmarkFixture, workbench: Workbench, sealed: Sealed) -> None:
    """Replays a segment to its statement on all cores, in turn with DuckDB adding up amounts settled already."""
    claims = workbench.size.settle_claims
    parquet = workbench.folder / "acts.parquet"
    export_parquet(sealed.folder, parquet)
    connection = duckdb.connect()
    connection.execute("SET threads = 2")
    query = f"{GROUPED} FROM read_parquet('{parquet}') GROUP BY ALL ORDER BY ALL"
    expected = [tuple(map(int, row)) for row in connection.execute(query).fetchall()]
    report = replay_segment(sealed.folder, sealed.book)
    assert report.lines == tuple(expected) and report.differences == ()

    def again() -> None:
        replay_segment(sealed.folder, sealed.book)

    timing = measure(
        benchmark,
        again,
        rounds=workbench.size.rounds,
        rival=lambda: took_ns(lambda: connection.execute(query).fetchall()),
    )

    four = workbench.folder / "four"
    repeat(sealed.folder, four, TIMES)
    one, grown = run_apart(sealed.folder), run_apart(four)
    settling = Settling(sealed.workload.batch, _settle.settle)
    alone = took_ns(settling.run, settling.begin)
    single = took_ns(lambda: replay_segment(sealed.folder, sealed.book, threads=1))
    workbench.note(
        {
            "replay.claims": claims,
            "replay.seed": SEED,
            "replay.claims_per_s": claims / timing.median_ns * 1e9,
            "replay.vs_duckdb": timing.times_less,
            "replay.vs_kernel": single / alone,
            "replay.x4_growth": grown.wall_ns / one.wall_ns,
            "replay.peak_anonymous_mib": one.peak_anonymous_kib / 1024,
            "replay.x4_peak_anonymous_mib": grown.peak_anonymous_kib / 1024,
            "replay.workload_sha256": Segment(sealed.folder).digest().hex(),
            "replay.result_sha256": one.digest,
        }
    )
    assert one.digest == run(sealed.folder, None)[2]
    assert one.acts * TIMES == grown.acts
    benchmark.extra_info["result_sha256"] = one.digest


@pytest.mark.benchmark(group="replay")
def test_what_if(benchmark: BenchmarkFixture, workbench: Workbench, sealed: Sealed) -> None:
    """Settles the segment under another policy of one province and lists every changed claim."""
    diff = workbench.folder / "diff.parquet"
    expected = run_apart(sealed.folder, diff)

    timing = measure(benchmark, lambda: replayed(sealed.folder, diff), rounds=workbench.size.rounds)

    assert run(sealed.folder, diff)[2] == expected.digest and expected.changed
    workbench.note(
        {
            "replay.policy_claims_per_s": workbench.size.settle_claims / timing.median_ns * 1e9,
            "replay.policy_changed": expected.changed,
            "replay.policy_peak_anonymous_mib": expected.peak_anonymous_kib / 1024,
            "replay.policy_result_sha256": expected.digest,
        }
    )


@pytest.mark.benchmark(group="replay")
def test_stock(benchmark: BenchmarkFixture, workbench: Workbench, sealed: Sealed) -> None:
    """Times the stock way beside ours: one JSON event a claim, decoded by the library, decided one by one in Python."""
    transcoder = JSONTranscoder()
    transcoder.register(UUIDAsHex())
    transcoder.register(DatetimeAsISO())
    few = first_claims(sealed.workload.batch, min(STOCK_EVENTS, len(sealed.workload.batch.plan)))
    names = (*FACT, *(f"given_{name}" for name in AMOUNTS))
    rows = zip(few.facts.tolist(), few.given.tolist(), strict=True)
    states = [transcoder.encode(dict(zip(names, (*facts, *given), strict=True))) for facts, given in rows]
    settling = Settling(few, reference.settle)

    def stock() -> None:
        assert len([transcoder.decode(state) for state in states]) == len(states)
        settling.run()

    timing = measure(benchmark, stock, prepare=settling.begin, rounds=1)
    stock_ns = timing.median_ns / len(states)
    assert not settling.tables.code.any()
    own_ns = took_ns(lambda: replayed(sealed.folder, None)) / workbench.size.settle_claims
    workbench.note({"replay.vs_stock_eventsourcing": stock_ns / own_ns, "replay.stock_claims": len(states)})
