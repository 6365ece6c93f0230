"""Times a sweep: a month settled under a grid of policies in one pass over its columns."""

import pytest
from pytest_benchmark.fixture import BenchmarkFixture

from bench.claims import provincial
from bench.segments import PERIOD, claims_segment
from bench.timing import measure
from bench.workbench import Workbench
from console.generate import SEED
from ledger.plans import PolicyBook
from ledger.policy import digest_of, read_policy
from ledger.replaying.sweeping import Question, sweep
from ledger.replaying.whatif import what_if

#: Policies of the grid: each in force nowhere, and asked about for every region at once.
VARIANTS = 16
#: A sweep settles every claim so many times: two rounds are as many claims as thirty-two of a replay.
ROUNDS = 2


def asked(book: PolicyBook) -> list[Question]:
    """Returns the questions of the sweep, their documents known to the book."""
    documents = [provincial(50 + at) for at in range(VARIANTS)]
    book.know({digest_of(each): read_policy(each, "variant") for each in documents})
    return [Question(f"v{at}", (), {0: digest_of(each)}) for at, each in enumerate(documents)]


@pytest.mark.benchmark(group="replay")
def test_sweep(benchmark: BenchmarkFixture, workbench: Workbench) -> None:
    """Settles every claim of a segment under policies that each change every region; a few are asked about alone."""
    own = workbench.folder / "sweep"
    own.mkdir()
    small, book, _ = claims_segment(own, workbench.size.reference_claims)
    questions = asked(book)
    found = sweep(small, book, questions, periods=[PERIOD])
    for at in (0, VARIANTS - 1):
        alone, each = what_if(small, book, questions[at].instead, periods=[PERIOD], kernel=b""), found.variants[at]
        assert (each.changed, each.refused, each.totals) == (alone.changed, alone.refused, alone.totals_new)
    assert len({each.totals for each in found.variants}) == VARIANTS

    folder, book, _ = claims_segment(own, workbench.size.settle_claims)
    questions = asked(book)
    expected = sweep(folder, book, questions, periods=[PERIOD])
    timing = measure(benchmark, lambda: sweep(folder, book, questions, periods=[PERIOD]), rounds=ROUNDS)
    assert sweep(folder, book, questions, periods=[PERIOD]) == expected
    workbench.note(
        {
            "sweep.claim_policies_per_s": workbench.size.settle_claims * VARIANTS / timing.median_ns * 1e9,
            "sweep.claims": workbench.size.settle_claims,
            "sweep.policies": VARIANTS,
            "sweep.changed": expected.variants[0].changed,
            "sweep.seed": SEED,
            "sweep.result_sha256": expected.digest,
        }
    )
