"""Times single commands: claims settled one at a time, by one writer and by sixteen, alone and while a job runs."""

import csv
import threading
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from time import perf_counter_ns
from typing import Any

import numpy as np
import pytest
from pytest_benchmark.fixture import BenchmarkFixture

import ledger
from bench.month import MONTH_REGIONS, RECORDED_AT
from bench.stores import Stores
from bench.timing import measure
from bench.workbench import MONTH, Workbench
from console.generate import MOST_CLAIMS, SEED, generate
from ledger.claim import BOOKED, Claim
from ledger.service import Ledger

WRITERS = 16


def claims_of(path: Path) -> Iterator[Claim]:
    """Yields the claims of a file as values."""
    names = set(Claim.__struct_fields__)
    with path.open(encoding="utf-8", newline="") as file:
        for row in csv.DictReader(file):
            yield Claim(**{name: value for name, value in row.items() if name in names})


@pytest.fixture(scope="module")
def single_claims(workbench: Workbench) -> list[Claim]:
    """Returns claims without faults or refunds that no other file has, enough for every round."""
    path = workbench.folder / "single.csv"
    claims = workbench.size.single_claims * 4
    generate(path, claims, SEED + 1, MONTH, faults=0, numbered_from=MOST_CLAIMS + 1)
    return [claim for claim in claims_of(path) if not claim.init_setl_id]


def opened(url: str) -> Ledger:
    """Returns a ledger with a policy for every region."""
    book = ledger.create(url, actor="bench", clock_us=lambda: RECORDED_AT)
    book.enact("national-default", MONTH_REGIONS, assumed=True, reason="bench")
    return book


def settle_one_by_one(book: Ledger, claims: Sequence[Claim], until: Callable[[], bool] = lambda: False) -> list[int]:
    """Settles each claim by a command of its own and returns what each took, in nanoseconds."""
    took = []
    for claim in claims:
        begun = perf_counter_ns()
        (result,) = book.settle([claim])
        took.append(perf_counter_ns() - begun)
        if result.outcome != BOOKED:
            raise RuntimeError(f"expected claim {claim.setl_id} to book, got {result}")
        if until():
            break
    return took


def settle_by(book: Ledger, claims: Sequence[Claim], writers: int) -> list[int]:
    """Settles claims by so many threads, each its share one by one, and returns what each took."""
    took: list[list[int]] = [[] for _ in range(writers)]

    def work(writer: int) -> None:
        took[writer] = settle_one_by_one(book, claims[writer::writers])

    threads = [threading.Thread(target=work, args=(writer,)) for writer in range(writers)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return [one for found in took for one in found]


def percentiles_ms(prefix: str, took: Sequence[int]) -> dict[str, float]:
    """Returns the percentiles a service is held to, in milliseconds."""
    return {f"{prefix}.p{p}_ms": float(np.percentile(took, p)) / 1e6 for p in (50, 95, 99)}


@pytest.mark.benchmark(group="command")
@pytest.mark.parametrize("writers", [1, WRITERS])
def test_single_commands(
    benchmark: BenchmarkFixture, workbench: Workbench, stores: Stores, single_claims: list[Claim], writers: int
) -> None:
    """Settles claims one by one; every answer waited for the disk, sixteen writers share commits."""
    count = workbench.size.single_claims
    with opened(stores.fresh()) as book:
        took: list[int] = []
        shares = iter([single_claims[:count], single_claims[count : 2 * count]])
        timing = measure(benchmark, lambda: took.extend(settle_by(book, next(shares), writers)), rounds=1)
        name = f"command.{stores.dialect}.{writers}_writers"
        workbench.note(
            {f"{name}.claims_per_s": count / timing.median_ns * 1e9} | percentiles_ms(name, took[len(took) // 2 :])
        )


@pytest.mark.benchmark(group="command")
def test_commands_during_a_job(
    benchmark: BenchmarkFixture, workbench: Workbench, stores: Stores, single_claims: list[Claim]
) -> None:
    """Settles claims one by one while another thread takes a month in: what a person waits at the wrong time."""
    path = workbench.claim_file(workbench.size.job_claims)
    with opened(stores.fresh()) as book:
        took: list[int] = []
        ended = threading.Event()

        def job() -> None:
            try:
                book.intake(path, reason="bench", quarantine=path.with_suffix(".quarantine"))
            finally:
                ended.set()

        def run() -> None:
            thread = threading.Thread(target=job)
            thread.start()
            took.extend(settle_one_by_one(book, single_claims, ended.is_set))
            thread.join()

        untyped: Any = benchmark
        untyped.pedantic(run, rounds=1)
        with book.store.read() as reader:
            assert reader.size > 2 * workbench.size.job_claims
        if not all(report.completed for report in book.jobs()):
            raise RuntimeError("expected the job to be complete")
    name = f"command.{stores.dialect}"
    workbench.note(
        {
            "command.job_claims": workbench.size.job_claims,
            f"{name}.during_batch": len(took),
            f"{name}.p50_ms_during_batch": float(np.percentile(took, 50)) / 1e6,
            f"{name}.p99_ms_during_batch": float(np.percentile(took, 99)) / 1e6,
        }
    )
