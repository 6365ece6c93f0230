"""Times the settle kernel over claims sorted by person, and against its specification."""

from collections import Counter

import pytest
from pytest_benchmark.fixture import BenchmarkFixture

from bench.claims import settle_claims
from bench.settling import Settling, check_alike, digest, first_claims
from bench.timing import measure, took_ns
from bench.workbench import Workbench
from console.generate import SEED
from core_ext import _settle
from core_ext.reference import settle as reference
from core_ext.settling import COMPUTE, REFUND, SOURCE, Batch
from ledger.refusals import Refusal


@pytest.fixture(scope="module")
def workload(workbench: Workbench) -> Batch:
    """Returns the claims to settle, and notes in the report what they are."""
    batch, policies = settle_claims(workbench.folder, workbench.size.settle_claims)
    kinds = Counter(batch.kind.tolist())
    workbench.note(
        {
            "settle.claims": len(batch.plan),
            "settle.seed": SEED,
            "settle.persons": len(batch.state),
            "settle.policies": policies,
            "settle.plans": len(batch.plans),
            "settle.computed_claims": kinds[COMPUTE],
            "settle.source_claims": kinds[SOURCE],
            "settle.refunds": kinds[REFUND],
            "settle.workload_sha256": digest(batch),
        }
    )
    return batch


@pytest.mark.benchmark(group="settle")
def test_settle(benchmark: BenchmarkFixture, workbench: Workbench, workload: Batch) -> None:
    """Settles every claim, once by the specification to compare, then by the compiled kernel against the clock."""
    own, specified = Settling(workload, _settle.settle), Settling(workload, reference.settle)
    check_alike(own, specified)
    refused = Counter(own.tables.code.tolist())
    refused.pop(0, None)
    assert not refused, {Refusal(code).code: rows for code, rows in refused.items()}

    timing = measure(benchmark, own.run, prepare=own.begin, rounds=workbench.size.rounds)

    assert own.results() == specified.results()
    benchmark.extra_info["result_sha256"] = own.results()
    workbench.note(
        {
            "settle.ns_per_claim": timing.median_ns / len(workload.plan),
            "settle.result_sha256": own.results(),
        }
    )


@pytest.mark.benchmark(group="settle")
def test_settle_against_the_reference(benchmark: BenchmarkFixture, workbench: Workbench, workload: Batch) -> None:
    """Settles the first claims by the compiled kernel and by its specification in turn."""
    first = first_claims(workload, workbench.size.reference_claims)
    own, specified = Settling(first, _settle.settle), Settling(first, reference.settle)

    timing = measure(
        benchmark,
        own.run,
        prepare=own.begin,
        rival=lambda: took_ns(specified.run, specified.begin),
        rounds=workbench.size.rounds,
    )

    assert own.results() == specified.results()
    benchmark.extra_info["result_sha256"] = own.results()
    workbench.note(
        {
            "settle.vs_reference": timing.times_less,
            "settle.vs_reference_claims": len(first.plan),
            "settle.reference_ns_per_claim": timing.median_ns * timing.times_less / len(first.plan),
        }
    )
