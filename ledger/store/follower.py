"""Lets something follow the log inside the transactions that append to it, working while the database does."""

from _thread import start_new_thread
from collections.abc import Callable, Sequence
from contextlib import suppress
from threading import Event
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

    def commit(self, tx: "Transaction", first: int, blocks: Sequence["EventBlock"], found: Sequence[Any]) -> None:
        """Is called inside the transaction with the first position and all its blocks.

        ``found`` is, for each block, what ``ahead`` returned of it, None where it was not asked or raised.
        """


def wait_out(wait: Callable[[], object], over: Callable[[], bool]) -> None:
    """Waits until something is over; who is interrupted meanwhile hears of it behind that."""
    interrupt: BaseException | None = None
    while not over():
        try:
            wait()
        except BaseException as raised:
            interrupt = raised
    if interrupt is not None:
        raise interrupt


class Beside:
    """Calls a function in a thread of its own; the ``with`` block ends when it has.

    So does one that is interrupted, as by Ctrl-C: only then may what the function works with be given back.
    """

    def __init__(self, call: Callable[[], Any]) -> None:
        self._call = call
        self._over = Event()
        #: What it returned; None where it raised.
        self.found: Any = None

    def __enter__(self) -> "Beside":
        # Thread.start would wait for it, and it has the interpreter then: whoever has work for the database waits.
        start_new_thread(self._run, ())
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: "TracebackType | None"
    ) -> None:
        wait_out(self._over.wait, self._over.is_set)

    def _run(self) -> None:
        # Whatever is wrong with what it was given, the caller meets it again where it can say so.
        try:
            with suppress(Exception):
                self.found = self._call()
        finally:
            self._over.set()


class InTurn:
    """Is two followers, the second behind the first."""

    def __init__(self, first: Follower, second: Follower) -> None:
        self._first = first
        self._second = second

    def ahead(self, first: int, block: "EventBlock") -> tuple[Any, Any]:
        """Returns what a block comes to for each of them."""
        return self._first.ahead(first, block), self._second.ahead(first, block)

    def commit(
        self, tx: "Transaction", first: int, blocks: Sequence["EventBlock"], found: Sequence[tuple[Any, Any] | None]
    ) -> None:
        """Lets each of them do what it does last in a transaction."""
        own, other = zip(*[both or (None, None) for both in found], strict=True)
        self._first.commit(tx, first, blocks, own)
        self._second.commit(tx, first, blocks, other)


def in_turn(first: Follower | None, second: Follower | None) -> Follower | None:
    """Returns the follower that is both, or the one there is."""
    return InTurn(first, second) if first is not None and second is not None else first or second
