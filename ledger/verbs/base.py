"""Is an open log as every family of commands uses it: its store, who acts, the clock, and one way to append."""

import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec

from ledger import writing
from ledger.ahead import awaited
from ledger.block import EventBlock
from ledger.events import CommandRecorded
from ledger.keys import command_stream
from ledger.knowledge import Knowledge
from ledger.postings import checked_postings
from ledger.refusals import Refusal, Refused

if TYPE_CHECKING:
    from concurrent.futures import Future

    from ledger.postings import Opened
    from ledger.store import Store, Transaction


def check_actor(actor: str) -> None:
    """Refuses nobody: every command is recorded with who asked for it."""
    if not actor.strip():
        raise Refused(Refusal.BAD_VALUE, "expected the name of who acts, got nothing")


class Base:
    """Is what every family of commands stands on: the store, the actor, the clock, a transaction, an append."""

    def __init__(self, store: "Store", actor: str, clock_us: Callable[[], int]) -> None:
        check_actor(actor)
        self.store = store
        self.actor = actor
        self.clock_us = clock_us
        #: Where sealed segments are; None: beside a SQLite file.
        self.segments: Path | None = None
        self.knowledge = Knowledge()
        self._lock = threading.RLock()
        self._due: Future[Any] | None = None
        self._waiting: set[int] = set()

    def close_store(self) -> None:
        """Closes the store's connections."""
        self.store.close()

    @property
    def kernel(self) -> bytes:
        """Returns the digest of the kernel sources every decision of this process is made with."""
        from core_ext.kernels import digest

        return digest()

    @contextmanager
    def transaction(self) -> "Iterator[Transaction]":
        """Yields a transaction that holds the log, with what must be known of it brought up to its head."""
        thread = threading.get_ident()
        self._waiting.add(thread)
        try:
            self._lock.acquire()
        finally:
            self._waiting.discard(thread)
        try:
            with self.store.begin(self.clock_us) as tx:
                self.knowledge.refresh(tx)
                yield tx
        except BaseException:
            self.forget()
            raise
        finally:
            due, self._due = self._due, None
            try:
                if due is not None:
                    awaited(due)
            finally:
                self._lock.release()

    def goes_on(self, due: "Future[Any]") -> None:
        """Lets a call in another thread that uses what is known go on beside this transaction and its commit.

        Nobody begins another before it has ended.
        """
        self._due = due

    def anybody_waits(self, tx: "Transaction") -> bool:
        """Returns whether another thread, or another process, waits for this transaction to end."""
        return bool(self._waiting) or tx.anybody_waits()

    def forget(self) -> None:
        """Drops what was known of the log: after a rollback it may never have been."""
        self.knowledge = Knowledge()

    def command(
        self, tx: "Transaction", verb: str, reason: str, arguments: object, source: str = "", digest: bytes = b""
    ) -> tuple[int, writing.Header]:
        """Returns a command's position and its CommandRecorded, the first event it appends."""
        position = tx.size + 1
        text = msgspec.json.encode(arguments, order="sorted").decode()
        event = CommandRecorded(tx.recorded_at, verb, self.actor, reason, source, digest, self.kernel, text)
        return position, (command_stream(position), 1, event)

    def append(self, tx: "Transaction", events: Sequence[writing.Header], opened: "Opened | None" = None) -> None:
        """Appends a command's events once what moves money is known to balance; ``opened`` as ``postings`` takes it."""
        for _, _, event in events:
            checked_postings(event, opened)
        tx.append(EventBlock.from_events(events))
        self.knowledge.position = -1

    def append_opened(self, tx: "Transaction", events: "Sequence[tuple[writing.Header, Opened | None]]") -> None:
        """Appends as ``append`` does, where each event has an opener of its own."""
        for (_, _, event), opened in events:
            checked_postings(event, opened)
        tx.append(EventBlock.from_events([header for header, _ in events]))
        self.knowledge.position = -1
