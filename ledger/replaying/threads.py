"""Shares the batches of a segment out to threads; kernels let the interpreter go, so two cores work at once."""

import os
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from threading import local
from typing import TypeVar

from ledger.segments.reading import Batch, Segment

Worker = TypeVar("Worker")
Result = TypeVar("Result")


def each_batch(
    folder: Path,
    workers: Callable[[Segment], Worker],
    work: Callable[[Worker, Batch], None],
    threads: int | None = None,
    progress: Callable[[int], None] | None = None,
    some: Sequence[int] | None = None,
) -> list[Worker]:
    """Returns the workers once every batch of the segment, or each of ``some``, was worked on by one of them.

    Each thread opens the segment for itself and takes the next batch that nobody has taken.
    """
    made: list[Worker] = []
    for _ in in_order(folder, workers, work, made, threads, progress, some):
        pass
    return made


def in_order(
    folder: Path,
    workers: Callable[[Segment], Worker],
    work: Callable[[Worker, Batch], Result],
    made: list[Worker],
    threads: int | None = None,
    progress: Callable[[int], None] | None = None,
    some: Sequence[int] | None = None,
) -> Iterator[Result]:
    """Yields what work on each batch returns, in the order of the batches; ``made`` receives the workers.

    A few batches are under way at once, so that memory stays bounded however slow the reader is.
    """
    batches = range(Segment(folder).batches) if some is None else some
    number = max(1, min(threads or os.cpu_count() or 1, len(batches)))
    own = local()

    def run(at: int) -> tuple[Result, int]:
        if not hasattr(own, "worker"):
            own.segment = Segment(folder)
            own.worker = workers(own.segment)
            made.append(own.worker)
        batch = own.segment.batch(at)
        return work(own.worker, batch), len(batch)

    done = 0
    with ThreadPoolExecutor(number) as pool:
        under_way: deque[Future[tuple[Result, int]]] = deque()
        for count, at in enumerate(batches, 1):
            under_way.append(pool.submit(run, at))
            if len(under_way) <= 2 * number and count < len(batches):
                continue
            while under_way and (len(under_way) > 2 * number or count == len(batches)):
                result, rows = under_way.popleft().result()
                done += rows
                if progress is not None:
                    progress(done)
                yield result
