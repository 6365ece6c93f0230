"""Times a sweep: a segment settled under many policies in one pass, against asking about each alone."""

import pytest
from pytest_benchmark.fixture import BenchmarkFixture

from bench.claims import provincial
from bench.segments import claims_segment
from bench.timing import measure, took_ns
from bench.workbench import Workbench
from ledger.policy import digest_of, read_policy
from ledger.replaying.sweeping import Question, sweep
from ledger.replaying.whatif import what_if

PERIOD = 202403
VARIANTS = 16


@pytest.mark.benchmark(group="replay")
def test_sweep(benchmark: BenchmarkFixture, workbench: Workbench) -> None:
    """Settles every claim of a segment under policies that are in force nowhere, for all regions at once."""
    folder, book, _ = claims_segment(workbench.folder, workbench.size.settle_claims)
    documents = [provincial(50 + at) for at in range(VARIANTS)]
    book.know({digest_of(each): read_policy(each, "variant") for each in documents})
    questions = [Question(f"v{at}", (), {0: digest_of(each)}) for at, each in enumerate(documents)]

    def alone(question: Question) -> tuple[int, int, tuple[int, ...]]:
        found = what_if(folder, book, question.instead, periods=[PERIOD], kernel=b"")
        return found.changed, found.refused, found.totals_new

    found = sweep(folder, book, questions, periods=[PERIOD])
    for at in (0, VARIANTS - 1):
        each = found.variants[at]
        assert (each.changed, each.refused, each.totals) == alone(questions[at])
    assert len({each.totals for each in found.variants}) == VARIANTS

    timing = measure(
        benchmark,
        lambda: sweep(folder, book, questions, periods=[PERIOD]),
        rounds=workbench.size.rounds,
        rival=lambda: took_ns(lambda: alone(questions[0])),
    )
    workbench.note(
        {
            "sweep.claim_policies_per_s": workbench.size.settle_claims * VARIANTS / timing.median_ns * 1e9,
            "sweep.vs_what_if": timing.times_less * VARIANTS,
            "sweep.policies": VARIANTS,
            "sweep.result_sha256": found.digest,
        }
    )
