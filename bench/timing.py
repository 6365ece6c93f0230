"""Runs what is measured, round by round, in turn with what it is compared with."""

import gc
import os
from collections.abc import Callable
from dataclasses import dataclass
from statistics import median
from time import perf_counter_ns
from typing import Any

from pytest_benchmark.fixture import BenchmarkFixture

Run = Callable[[], object]


@dataclass(frozen=True, slots=True)
class Timing:
    """Is what rounds took, in nanoseconds: the subject's, and its rival's, which ran just before each of them."""

    own_ns: list[int]
    rival_ns: list[int]

    @property
    def median_ns(self) -> float:
        """Returns the median round of the subject."""
        return median(self.own_ns)

    @property
    def times_less(self) -> float:
        """Returns how many times the subject's time its rival took, the median over pairs of rounds."""
        return median(rival / own for rival, own in zip(self.rival_ns, self.own_ns, strict=True))

    @property
    def growth(self) -> float:
        """Returns the rival's median over the subject's, where the rival ran fewer rounds."""
        return median(self.rival_ns) / self.median_ns


def settle_down() -> None:
    """Clears away what came before: objects are collected, what is left is no longer looked at, files are on disk."""
    gc.collect()
    gc.freeze()
    os.sync()


def took_ns(run: Run, prepare: Run | None = None) -> int:
    """Returns how long a run took, in nanoseconds, ``prepare`` not counted."""
    if prepare is not None:
        prepare()
    settle_down()
    begun = perf_counter_ns()
    run()
    return perf_counter_ns() - begun


def measure(
    benchmark: BenchmarkFixture,
    run: Run,
    *,
    rounds: int,
    prepare: Run | None = None,
    rival: Callable[[], int] | None = None,
    rival_rounds: int | None = None,
) -> Timing:
    """Returns the timing of ``rounds`` rounds after one to warm up.

    ``rival`` runs what the subject is compared with and returns its nanoseconds (``took_ns``); it goes before the
    subject in each round, or in the first ``rival_rounds`` only, and warms up with it where it runs every round.
    """
    most = rounds if rival_rounds is None else rival_rounds
    rivals: list[int] = []
    passed = 0

    def setup() -> None:
        nonlocal passed
        warming = passed == 0
        if rival is not None and (rival_rounds is None if warming else len(rivals) < most):
            duration_ns = rival()
            if not warming:
                rivals.append(duration_ns)
        passed += 1
        if prepare is not None:
            prepare()
        settle_down()

    untyped: Any = benchmark
    try:
        untyped.pedantic(run, setup=setup, rounds=rounds, warmup_rounds=1)
    finally:
        gc.unfreeze()
    return Timing([round(taken_s * 1e9) for taken_s in untyped.stats.stats.data], rivals)
