"""Opens, creates and closes a store, and gives out its transactions."""

import os
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from ledger.refusals import StoreError
from ledger.store.archives import Archives
from ledger.store.follower import Follower
from ledger.store.link import Backend, Link, Mode
from ledger.store.pending import Pending, PendingReader
from ledger.store.roles import grant_new_tables
from ledger.store.runs import bring_over
from ledger.store.schema import SCHEMA_VERSION, STEPS, UNFENCED, UNSEALED
from ledger.store.seals import Random, seal_all
from ledger.store.session import Reader, Transaction, Writer

if TYPE_CHECKING:
    from types import TracebackType

    from eventsourcing.persistence import ApplicationRecorder

VERSION = "SELECT version FROM schema_version"
WRITE_VERSION = "UPDATE schema_version SET version = ?"


def system_clock_us() -> int:
    """Returns the time of day in microseconds since 1970 UTC; every caller may put its own clock in its place."""
    return time.time_ns() // 1_000


class Store:
    """Is an open store. Threads may share it: every block has a connection of its own.

    Blocks do not nest in a thread: a second writing block would wait for the first. A child process opens its own.
    """

    def __init__(self, backend: Backend) -> None:
        self._backend = backend
        self._process = os.getpid()
        #: What a transaction that appended does last, if anything: keep sums at the head of the log, say.
        self.follower: Follower | None = None
        self.url = backend.url
        self.dialect = backend.dialect
        #: Where the states of detached events are: in the folder of the sealed segments.
        self.archives = Archives()
        #: Where the salts of persons' seals come from; another source may stand in its place, as another clock may.
        self.random: Random = os.urandom

    def __repr__(self) -> str:
        return f"<Store {self._backend.place}>"

    def __enter__(self) -> "Store":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: "TracebackType | None"
    ) -> None:
        self.close()

    @property
    def recorder(self) -> "ApplicationRecorder":
        """Returns the eventsourcing recorder over the same table of events, with text ids."""
        return self._backend.recorder

    @contextmanager
    def begin(self, clock_us: Callable[[], int] = system_clock_us) -> Iterator[Transaction]:
        """Gives the transaction that appends; commits at the end of the block, rolls back where it raises.

        It holds the lock on the log's head, so writers take turns. Raises Conflict, StoreError (nothing was
        written), or OutcomeUnknown where the connection was lost while committing.
        """
        with self._link(Mode.APPEND) as link:
            transaction = Transaction(link, clock_us, self.follower, self.random)
            transaction.archives = self.archives
            yield transaction
            transaction.finish()

    @contextmanager
    def write(self) -> Iterator[Writer]:
        """Gives a transaction over tables beside the log; on PostgreSQL it does not wait for those that append."""
        with self._link(Mode.WRITE) as link:
            writer = Writer(link)
            writer.archives = self.archives
            yield writer

    @contextmanager
    def read(self) -> Iterator[Reader]:
        """Gives one snapshot of the store; it waits for nobody and nobody waits for it."""
        with self._link(Mode.READ) as link:
            reader = Reader(link)
            reader.archives = self.archives
            yield reader

    @contextmanager
    def read_behind(self, pending: Pending) -> Iterator[PendingReader]:
        """Gives a view of the store as it will be behind a transaction of this process that is being written.

        Raises StoreError where that would have to wait for a connection: its transaction may be waiting for it.
        """
        with self._link(Mode.BESIDE) as link:
            reader = PendingReader(link, pending)
            reader.archives, reader.random = self.archives, self.random
            yield reader

    def close(self) -> None:
        """Closes every connection of the store; those of the process before a fork stay its own."""
        if os.getpid() == self._process:
            self._backend.close()

    def _check_process(self) -> None:
        if os.getpid() != self._process:
            raise StoreError(
                f"expected process {self._process}, which opened {self._backend.place}, got process {os.getpid()}:"
                " connections do not survive a fork, open the store again in the child"
            )

    @contextmanager
    def _link(self, mode: Mode) -> Iterator[Link]:
        self._check_process()
        with self._backend.link(mode) as link:
            yield link


def open_store(backend: Backend, create: bool) -> Store:
    """Returns the store of a backend, created first where ``create``; raises StoreError and closes it otherwise."""
    try:
        backend.check_place(create)
        if create:
            _create(backend)
        with backend.link(Mode.READ) as link:
            _check_version(backend, link)
    except BaseException:
        backend.close()
        raise
    return Store(backend)


def upgrade_store(backend: Backend) -> tuple[int, int]:
    """Moves a store up to this version's schema, in one transaction, and returns (version before, version now).

    Nothing changes where it is up to date. Raises StoreError for a newer store or none; the backend is closed.
    """
    try:
        backend.check_place(False)
        with backend.create_link() as link:
            if "schema_version" not in backend.tables(link):
                raise StoreError(f"expected a ledger at {backend.place}, got none: create it with `settlement init`")
            versions = [version for (version,) in link.query(VERSION)]
            before = versions[0] if len(versions) == 1 else 0
            if before != SCHEMA_VERSION and before not in STEPS:
                raise StoreError(
                    f"expected schema version {min(STEPS)} to {SCHEMA_VERSION} at {backend.place}, got {versions}:"
                    " move it up with the version of this package that knows it"
                )
            for version in range(before, SCHEMA_VERSION):
                for statement in STEPS[version][backend.dialect]:
                    link.execute(statement)
                if version == UNSEALED:
                    seal_all(link, link.head()[2], os.urandom)
                if version == UNFENCED:
                    bring_over(link)
            if before != SCHEMA_VERSION:
                link.execute(WRITE_VERSION, (SCHEMA_VERSION,))
                if backend.dialect == "postgres":
                    grant_new_tables(link)
        return before, SCHEMA_VERSION
    finally:
        backend.close()


def _create(backend: Backend) -> None:
    with backend.create_link() as link:
        tables = backend.tables(link)
        if "schema_version" in tables:
            return
        if tables:
            raise StoreError(
                f"expected nothing or a ledger at {backend.place}, got the tables {', '.join(sorted(tables)[:5])}:"
                " create the ledger in another file or schema"
            )
        for statement in backend.statements():
            link.execute(statement)


def _check_version(backend: Backend, link: Link) -> None:
    if "schema_version" not in backend.tables(link):
        raise StoreError(f"expected a ledger at {backend.place}, got none: create it with `settlement init`")
    versions = [version for (version,) in link.query(VERSION)]
    if versions != [SCHEMA_VERSION]:
        newer = any(isinstance(version, int) and version > SCHEMA_VERSION for version in versions)
        advice = "open it with a later version of this package" if newer else "move it up with `settlement upgrade`"
        raise StoreError(f"expected schema version {SCHEMA_VERSION} at {backend.place}, got {versions}: {advice}")
