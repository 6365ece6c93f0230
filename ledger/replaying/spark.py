"""Replays a sealed period on Spark: the same kernel over the same segment, its batches shared out to the executors.

A batch holds whole persons, so no person is ever split. Executors have this package installed and read the segment's
files at the path the driver reads them at (a shared mount); of the log they are given the policies alone.
"""

import os
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import lru_cache
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec
import numpy as np

from core_ext.layout import AMOUNTS
from core_ext.replaying import COUNTED
from ledger.events import PolicyEnacted
from ledger.knowledge import streams_with_prefix
from ledger.mapper import decode_event
from ledger.plans import PolicyBook
from ledger.refusals import Refusal, Refused
from ledger.replay import Difference, ReplayReport
from ledger.replaying.comparing import Apart, apart_differences, checked_sums, replay_segment
from ledger.segments.reading import Segment
from ledger.segments.shape import LINE_INTS, Ints

if TYPE_CHECKING:
    from ledger.store import Reader

#: Tasks a core: enough that a slow one is not waited for long, few enough that a task is long beside its start.
TASKS_A_CORE = 4

#: What one task found: acts, differences, lines of the statement, positions of what only the log decides.
Found = tuple[int, tuple[Difference, ...], tuple[tuple[int, ...], ...], Apart]


def replay_on_spark(folder: Path, reader: "Reader") -> ReplayReport:
    """Returns what ``replay_segment`` returns of a segment, decided by the executors of Spark.

    Spark's own configuration says which master (every core of this machine unless another). Raises Refused where
    PySpark is not installed, where Spark does not start, and where a task fails.
    """
    segment = Segment(folder)
    enacted = [state for _, _, _, topic, state in streams_with_prefix(reader, "policy") if topic == PolicyEnacted.TOPIC]
    with session() as context:
        found = shared_out(context, folder, segment.batches, enacted)
    report = report_of(segment, found)
    apart = Apart([at for part in found for at in part[3].anew], [at for part in found for at in part[3].divided])
    more = apart_differences(reader, apart, book_of(tuple(enacted)))
    differences = sorted((*report.differences, *more), key=lambda each: each.position)
    return msgspec.structs.replace(report, differences=tuple(differences))


def shared_out(context: Any, folder: Path, batches: int, enacted: Sequence[bytes]) -> list[Found]:
    """Returns what the tasks of a Spark context find in a segment; ``enacted`` are the states of PolicyEnacted."""
    parts = shares(batches, context.defaultParallelism * TASKS_A_CORE)
    held = context.broadcast(tuple(enacted))
    place = str(folder.resolve())

    def work(part: tuple[int, int]) -> Found:
        return decide(place, held.value, range(*part))

    try:
        found: list[Found] = context.parallelize(parts, len(parts)).map(work).collect()
    except Exception as error:
        raise Refused(
            Refusal.SPARK_FAILED, f"expected every task of the replay to end, got: {_cause(error)}"
        ) from error
    return found


@lru_cache(maxsize=1)
def book_of(enacted: tuple[bytes, ...]) -> PolicyBook:
    """Returns the policies in force, from the states of their PolicyEnacted in log order.

    A worker of an executor keeps them from task to task: reading and compiling those of every province takes seconds.
    """
    book = PolicyBook()
    for state in enacted:
        event = decode_event(PolicyEnacted.TOPIC, state)
        assert isinstance(event, PolicyEnacted)
        book.enact(event)
    return book


def decide(place: str, enacted: tuple[bytes, ...], batches: Sequence[int]) -> Found:
    """Returns what some batches of a segment come to, as a task of an executor."""
    apart = Apart([], [])
    found = replay_segment(Path(place), book_of(enacted), threads=1, some=batches, apart=apart)
    return found.acts, found.differences, found.lines, apart


def report_of(segment: Segment, found: Sequence[Found]) -> ReplayReport:
    """Returns the report of a whole segment, put together from those of its parts."""
    # Every part has a line for each of the segment's, in the same order.
    keys = [line[: len(LINE_INTS)] for line in found[0][2]] if found else []
    width = len(COUNTED) + len(AMOUNTS)
    tables: list[Ints] = [np.zeros((len(keys), width), np.int64)]
    tables += [np.array([line[len(LINE_INTS) :] for line in part[2]], np.int64).reshape(-1, width) for part in found]
    sums = checked_sums(tables).tolist()
    lines = tuple((*key, *line) for key, line in zip(keys, sums, strict=True))
    differences = sorted((each for part in found for each in part[1]), key=lambda each: each.position)
    return ReplayReport(segment.period, sum(part[0] for part in found), tuple(differences), "spark", lines)


def shares(batches: int, parts: int) -> list[tuple[int, int]]:
    """Returns batches cut into ranges (first, behind the last), as many as asked for at most, none of them empty.

    >>> shares(5, 2)
    [(0, 2), (2, 5)]
    """
    edges = sorted({batches * at // parts for at in range(parts + 1)})
    return list(pairwise(edges))


@contextmanager
def session() -> Iterator[Any]:
    """Yields the context of Spark: the one there is, else one of its own that ends with the replay."""
    try:
        from pyspark import SparkConf, SparkContext
    except ImportError:
        raise Refused(
            Refusal.SPARK_MISSING,
            "--engine spark: expected PySpark, got none: pip install 'settlement-ledger[spark]', with Java 17 or newer",
        ) from None
    before = SparkContext._active_spark_context
    if before is not None:
        yield before
        return
    conf = SparkConf().setIfMissing("spark.master", "local[*]").setIfMissing("spark.app.name", "settlement replay")
    conf = conf.setIfMissing("spark.ui.enabled", "false").setIfMissing("spark.ui.showConsoleProgress", "false")
    if str(conf.get("spark.master")).startswith("local"):
        conf = conf.setIfMissing("spark.driver.bindAddress", "127.0.0.1").setIfMissing("spark.driver.host", "127.0.0.1")
        # Its workers import what this process imports, installed or not.
        paths = [str(Path(__file__).resolve().parents[2]), *filter(None, [os.environ.get("PYTHONPATH")])]
        conf = conf.setIfMissing("spark.executorEnv.PYTHONPATH", os.pathsep.join(paths))
        os.environ.setdefault("PYSPARK_PYTHON", sys.executable)
    try:
        context = SparkContext(conf=conf)
    except Exception as error:
        raise Refused(
            Refusal.SPARK_FAILED, f"expected Spark to start (Java 17 or newer), got: {_cause(error)}"
        ) from error
    try:
        context.setLogLevel("OFF")
        yield context
    finally:
        context.stop()


def _cause(error: Exception) -> str:
    """Returns the innermost line of an error that says what went wrong."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    named = [
        line for line in lines if ("Error" in line or "Refused" in line) and ": " in line and not line.startswith("at ")
    ]
    return (named[-1] if named else lines[0] if lines else type(error).__name__)[:500]
