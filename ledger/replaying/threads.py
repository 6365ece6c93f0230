"""Shares the batches of a segment out to threads; kernels let the interpreter go, so two cores work at once."""

import os
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from itertools import count
from pathlib import Path
from typing import TypeVar

from ledger.segments.reading import Batch, Segment

Worker = TypeVar("Worker")


def each_batch(
    folder: Path,
    workers: Callable[[Segment], Worker],
    work: Callable[[Worker, Batch], None],
    threads: int | None = None,
    progress: Callable[[int], None] | None = None,
) -> list[Worker]:
    """Returns the workers once every batch of the segment was worked on by one of them.

    Each thread opens the segment for itself and takes the next batch that nobody has taken.
    """
    batches = Segment(folder).batches
    number = max(1, min(threads or os.cpu_count() or 1, batches))
    next_batch = count()

    def run(tell: Callable[[int], None] | None) -> Worker:
        segment = Segment(folder)
        worker = workers(segment)
        done = 0
        for batch in _taken(segment, next_batch, batches):
            work(worker, batch)
            done += len(batch)
            if tell is not None:
                tell(done * number)
        return worker

    if number == 1:
        return [run(progress)]
    with ThreadPoolExecutor(number) as pool:
        runs = [pool.submit(run, progress if at == 0 else None) for at in range(number)]
        return [each.result() for each in runs]


def _taken(segment: Segment, numbers: Iterator[int], batches: int) -> Iterator[Batch]:
    for number in numbers:
        if number >= batches:
            return
        yield segment.batch(number)
