"""Makes the next item of an iterable in another thread while the last one is still worked on."""

from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor, wait
from enum import Enum
from typing import TYPE_CHECKING, Any, Generic, Self, TypeVar

from ledger.store.follower import wait_out

if TYPE_CHECKING:
    from types import TracebackType

Item = TypeVar("Item")
Found = TypeVar("Found")


def awaited(due: "Future[Any]") -> None:
    """Waits until a call has ended, whatever it came to, as ``wait_out`` does."""
    wait_out(lambda: wait([due]), due.done)


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
        """Has the same thread call a function once the next item is made, which ``following`` knows."""
        return self._thread.submit(call)

    def following(self) -> Callable[[], Item | None]:
        """Returns what returns the item that comes next now, whatever is taken meanwhile.

        That is None at the end, and raises what making it raised.
        """
        due = self._due

        def item() -> Item | None:
            made = due.result()
            return None if made is _Over.OVER else made

        return item

    def _make(self) -> Item | _Over:
        return next(self._iterator, _Over.OVER)
