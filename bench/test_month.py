"""Times a month from its file to the statement on both databases, and a month of ten times the claims."""

from collections.abc import Callable
from pathlib import Path
from statistics import median

import pytest
from pytest_benchmark.fixture import BenchmarkFixture

from bench.apart import run_apart
from bench.month import Month, digest_file, digest_month, run_month
from bench.sizes import GROWTH
from bench.stores import PostgresStores, SQLiteStores, Stores
from bench.timing import measure, took_ns
from bench.workbench import Workbench
from console.generate import SEED


class Months:
    """Runs the month of a file on fresh stores and keeps what each came to."""

    def __init__(self, stores: Stores, file: Path) -> None:
        self._stores = stores
        self._file = file
        self.url = ""
        self.done: list[Month] = []

    def begin(self) -> None:
        """Makes place for a store."""
        self.url = self._stores.fresh()

    def run(self) -> None:
        """Runs the month; ``begin`` goes before."""
        self.done.append(run_month(self.url, self._file))

    def timed(self) -> int:
        """Returns the nanoseconds of one run."""
        return took_ns(self.run, self.begin)

    def digest(self) -> str:
        """Returns the digest of the last run."""
        return digest_month(self.url, self.done[-1])

    def us_per_claim(self, part: Callable[[Month], int]) -> float:
        """Returns the median of a part of the runs, the first of which warmed up, in microseconds a claim."""
        return median(part(month) for month in self.done[1:]) / self.done[0].report.rows / 1000


@pytest.fixture(scope="module")
def checked(workbench: Workbench, sqlite_stores: SQLiteStores, postgres_stores: PostgresStores) -> str:
    """Returns the digest of a small month, the same by both sets of kernels and on both databases."""
    file = workbench.claim_file(workbench.size.checked_claims)
    runs = {
        (kernels, stores.dialect): run_apart(stores.fresh(), file, kernels)
        for kernels in ("compiled", "reference")
        for stores in (sqlite_stores, postgres_stores)
    }
    digests = {run.digest for run in runs.values()}
    assert len(digests) == 1, runs
    own, reference = (runs[kernels, "sqlite"].duration_ns for kernels in ("compiled", "reference"))
    workbench.note({"month.vs_reference": reference / own, "month.vs_reference_claims": workbench.size.checked_claims})
    return digests.pop()


@pytest.mark.benchmark(group="month")
@pytest.mark.usefixtures("checked")
def test_month(benchmark: BenchmarkFixture, workbench: Workbench, sqlite_stores: SQLiteStores) -> None:
    """Takes a month in and states it on SQLite, in turn with a month of ten times the claims."""
    size, stores = workbench.size, sqlite_stores
    claims = size.month_claims
    file, large = workbench.claim_file(claims), workbench.claim_file(claims * GROWTH)
    own, grown = Months(stores, file), Months(stores, large)
    expected, expected_grown = run_apart(stores.fresh(), file), run_apart(stores.fresh(), large)
    grown_digests = set()

    def run_grown() -> int:
        duration_ns = grown.timed()
        grown_digests.add(grown.digest())
        return duration_ns

    timing = measure(
        benchmark, own.run, prepare=own.begin, rounds=size.month_rounds, rival=run_grown, rival_rounds=size.grown_rounds
    )

    assert own.digest() == expected.digest
    assert grown_digests == {expected_grown.digest}
    report = own.done[-1].report
    assert report.rows == claims == report.booked + report.duplicate + report.quarantined
    stores.clear()
    benchmark.extra_info["result_sha256"] = expected.digest
    workbench.note(
        {
            "month.claims": claims,
            "month.seed": SEED,
            "month.booked": report.booked,
            "month.claims_per_s": claims / timing.median_ns * 1e9,
            "month.us_per_claim": timing.median_ns / claims / 1000,
            "month.intake_us_per_claim": own.us_per_claim(lambda month: month.intake_ns),
            "month.statement_us_per_claim": own.us_per_claim(lambda month: month.statement_ns),
            "month.x10_growth": timing.growth,
            "month.peak_rss_mib": expected.peak_rss_kib / 1024,
            "month.x10_peak_rss_mib": expected_grown.peak_rss_kib / 1024,
            "month.workload_sha256": digest_file(file),
            "month.x10_workload_sha256": digest_file(large),
            "month.result_sha256": expected.digest,
            "month.x10_result_sha256": expected_grown.digest,
        }
    )


@pytest.mark.benchmark(group="month")
@pytest.mark.usefixtures("checked")
def test_month_on_postgres(
    benchmark: BenchmarkFixture, workbench: Workbench, postgres_stores: PostgresStores, sqlite_stores: SQLiteStores
) -> None:
    """Takes the same month in and states it on PostgreSQL: what it comes to is what SQLite's came to."""
    claims = workbench.size.month_claims
    file = workbench.claim_file(claims)
    own, other = Months(postgres_stores, file), Months(sqlite_stores, file)
    other.timed()
    expected = other.digest()
    apart = run_apart(postgres_stores.fresh(), file)
    assert apart.digest == expected

    timing = measure(benchmark, own.run, prepare=own.begin, rounds=workbench.size.month_rounds)

    assert own.digest() == expected
    sqlite_stores.clear()
    benchmark.extra_info["result_sha256"] = expected
    workbench.note(
        {
            "month.postgres.claims_per_s": claims / timing.median_ns * 1e9,
            "month.postgres.us_per_claim": timing.median_ns / claims / 1000,
            "month.postgres.intake_us_per_claim": own.us_per_claim(lambda month: month.intake_ns),
            "month.postgres.statement_us_per_claim": own.us_per_claim(lambda month: month.statement_ns),
            "month.postgres.peak_rss_mib": apart.peak_rss_kib / 1024,
        }
    )
