"""Lets something follow the log inside the transactions that append to it, working while the database does."""

from collections.abc import Callable, Sequence
from contextlib import suppress
from threading import Thread
from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    from types import TracebackType

    from ledger.block import EventBlock
    from ledger.store.session import Transaction

#: From how many events on a block is worth a thread.
AHEAD_EVENTS = 1_024


class Follower(Protocol):
    """Is what a transaction that appended does last: keeps sums at the head of the log, say."""

    def ahead(self, first: int, block: "EventBlock") -> Any:
        """Returns what a block alone comes to, its first event at position ``first``; it hangs on nothing else.

        It is called in a thread of its own while the database takes the block in, and may raise what it likes: the
        transaction then does without.
        """

    def commit(self, tx: "Transaction", first: int, blocks: Sequence["EventBlock"], found: Any) -> None:
        """Is called inside the transaction with the first position and all its blocks.

        ``found`` is what ``ahead`` returned where one block was all, None otherwise.
        """


class Beside:
    """Calls a function in a thread of its own for as long as a ``with`` block lasts, or longer."""

    def __init__(self, call: Callable[[], Any]) -> None:
        self._call = call
        self._thread = Thread(target=self._run)
        #: What it returned; None where it raised.
        self.found: Any = None

    def __enter__(self) -> "Beside":
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: "TracebackType | None"
    ) -> None:
        self._thread.join()

    def _run(self) -> None:
        # Whatever is wrong with what it was given, the caller meets it again where it can say so.
        with suppress(Exception):
            self.found = self._call()
