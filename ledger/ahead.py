"""Makes the next item of an iterable while the last one is still worked on."""

from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

Item = TypeVar("Item")


def ahead(items: Iterable[Item]) -> Iterator[Item]:
    """Yields the items in order, each made in another thread while its predecessor is used; what that raises comes
    where its item would have come."""
    iterator, over = iter(items), object()
    with ThreadPoolExecutor(1, "ahead") as thread:
        due = thread.submit(next, iterator, over)
        while (item := due.result()) is not over:
            due = thread.submit(next, iterator, over)
            yield item  # type: ignore[misc]
