"""Makes the next item of an iterable while the last one is still worked on."""

from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from enum import Enum
from typing import TypeVar

Item = TypeVar("Item")


class _Over(Enum):
    """Is what stands where no item follows."""

    OVER = 0


def ahead(items: Iterable[Item]) -> Iterator[Item]:
    """Yields the items in order, each made in another thread while its predecessor is used; what that raises comes
    where its item would have come."""
    iterator = iter(items)

    def following() -> Item | _Over:
        return next(iterator, _Over.OVER)

    with ThreadPoolExecutor(1, "ahead") as thread:
        due = thread.submit(following)
        while (item := due.result()) is not _Over.OVER:
            due = thread.submit(following)
            yield item
