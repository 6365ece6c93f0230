"""Makes the next item of an iterable in another thread while the last one is still worked on."""

from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from enum import Enum
from typing import TYPE_CHECKING, Generic, Self, TypeVar

if TYPE_CHECKING:
    from types import TracebackType

Item = TypeVar("Item")
Found = TypeVar("Found")


class _Over(Enum):
    """Is what stands where no item follows."""

    OVER = 0


class Ahead(Generic[Item]):
    """Yields the items in order, each made in the one other thread while its predecessor is used.

    A context manager; what making an item raises comes where the item would have come.
    """

    def __init__(self, items: Iterable[Item]) -> None:
        self._iterator = iter(items)
        self._thread = ThreadPoolExecutor(1, "ahead")
        self._due = self._thread.submit(self._make)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: "TracebackType | None"
    ) -> None:
        self._thread.shutdown(wait=True)

    def __iter__(self) -> Iterator[Item]:
        while (item := self._due.result()) is not _Over.OVER:
            self._due = self._thread.submit(self._make)
            yield item

    def submit(self, call: Callable[[], Found]) -> Future[Found]:
        """Has the same thread call a function once the next item is made, which ``following`` then returns."""
        return self._thread.submit(call)

    def following(self) -> Item | None:
        """Returns the item that comes next, None at the end; raises what making it raised."""
        item = self._due.result()
        return None if item is _Over.OVER else item

    def _make(self) -> Item | _Over:
        return next(self._iterator, _Over.OVER)
