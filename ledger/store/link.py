"""Says what a database must do for the store: one link is one connection inside one transaction."""

from abc import ABC, abstractmethod
from collections.abc import Iterable, Sequence
from contextlib import AbstractContextManager
from enum import Enum
from typing import TYPE_CHECKING, Any, TypeAlias

from ledger.refusals import StoreError

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt
    from eventsourcing.persistence import ApplicationRecorder

    from ledger.block import EventBlock

    Ints: TypeAlias = npt.NDArray[np.int64]
    Keys: TypeAlias = Ints | Sequence[str]
    Column: TypeAlias = Ints | Sequence[str] | Sequence[bytes] | Sequence[int]

Row: TypeAlias = tuple[Any, ...]


def the_head(rows: Sequence[Row]) -> tuple[int, int, int]:
    """Returns log_head's (size, recorded_at, tokens); raises StoreError unless there is one row of it."""
    if len(rows) != 1:
        raise StoreError(f"expected one row in log_head, got {len(rows)}: restore the store from a backup")
    size, recorded_at, tokens = rows[0]
    return size, recorded_at, tokens


#: What somebody who can do without a connection waits for one, in seconds: long enough to open one.
BESIDE_S = 0.1


class Mode(Enum):
    """Is what a transaction is for."""

    READ = "read"  # one snapshot, nothing written
    BESIDE = "beside"  # the same for somebody who can do without: there is a connection for it at once, or none
    WRITE = "write"  # tables beside the log
    APPEND = "append"  # the log and the write side's state, under the lock on log_head

    @property
    def writes(self) -> bool:
        """Returns whether it is to commit something."""
        return self in (Mode.WRITE, Mode.APPEND)

    @property
    def patience_s(self) -> float | None:
        """Returns how long it waits for a connection; None: as long as the pool has it."""
        return BESIDE_S if self is Mode.BESIDE else None


class Link(ABC):
    """Is an open transaction. Every method raises StoreError for what the database refuses, which ends it."""

    #: Why the transaction can no longer be committed; None while it can.
    failure: str | None = None

    @abstractmethod
    def execute(self, sql: str, params: Sequence[Any] = ()) -> int:
        """Runs one statement with ``?`` placeholders and returns the number of rows it changed."""

    @abstractmethod
    def query(self, sql: str, params: Sequence[Any] = ()) -> list[Row]:
        """Returns the rows of one statement with ``?`` placeholders, as tuples of int, str, bytes and None."""

    @abstractmethod
    def executemany(self, sql: str, rows: Iterable[Sequence[Any]]) -> int:
        """Runs one statement for every row and returns the number of rows it changed."""

    @abstractmethod
    def lookup(self, table: str, key: str, columns: str, keys: "Keys", also: str = "") -> list[Row]:
        """Returns (i, *columns) of every row of ``table`` whose ``key`` equals ``keys[i]``: one index probe a key.

        ``also`` is SQL that narrows it further, beginning with AND.
        """

    @abstractmethod
    def each(self, expression: str, keys: "Keys") -> list[Row]:
        """Returns (i, value of ``expression``) for every key, which the expression calls ``k.value``."""

    @abstractmethod
    def put(self, table: str, columns: Sequence[str], data: Sequence["Column"], conflict: str = "") -> None:
        """Inserts rows given as columns, before anything else is asked; ``conflict`` is an ON CONFLICT clause."""

    @abstractmethod
    def packed(self, after: int, stop: int, wide: bool) -> Row | None:
        """Returns the events behind ``after`` up to ``stop``, in order, packed into a few values as bytes.

        They are the states, one behind the other, and of each event ``(position - after) << 32 | bytes of its state``,
        with commas between, and its topic, with newlines between; ``wide`` adds streams and versions likewise. They are
        None where there is no event. An event with cells of other types may be left out; what does not go into one
        value at all is None as a whole.
        """

    @abstractmethod
    def may_read(self, table: str) -> bool:
        """Returns whether this connection's role may read a table."""

    @abstractmethod
    def erase(self, table: str, key: str, value: int | str) -> int:
        """Deletes the rows of a key, leaving as little of them behind as the database can; returns how many."""

    @abstractmethod
    def made_ready(self, block: "EventBlock", first: int) -> object:
        """Returns what ``append`` makes of a block before it asks the database anything, None where that is little."""

    @abstractmethod
    def append(self, block: "EventBlock", first: int, ready: object = None) -> None:
        """Inserts a block of events at positions ``first``, …; raises Conflict where a version is taken.

        What the database refuses may come with the next thing asked, or the commit.
        ``ready`` is what any link to the same database made ready of this block for these positions.
        """

    @abstractmethod
    def head(self) -> tuple[int, int, int]:
        """Returns log_head (size, recorded_at, tokens), locked where the transaction is to append."""

    @abstractmethod
    def anybody_waits(self) -> bool:
        """Returns whether another transaction waits for this one to end, so that it may append."""

    @abstractmethod
    def write_head(self, size: int, recorded_at: int, tokens: int) -> None:
        """Writes log_head and wakes the log's subscribers."""


class Backend(ABC):
    """Is a database that holds one store, by its URL."""

    dialect: str
    url: str
    #: The URL without secrets, for messages.
    place: str

    @property
    @abstractmethod
    def recorder(self) -> "ApplicationRecorder":
        """Returns the library's recorder over the same table of events."""

    @abstractmethod
    def check_place(self, create: bool) -> None:
        """Checks that the database can be reached (or made, where ``create``); raises StoreError."""

    @abstractmethod
    def link(self, mode: Mode) -> AbstractContextManager[Link]:
        """Gives a link: committed at the end of the block, rolled back where the block raises.

        Raises StoreError, also at the end, where the commit was refused; OutcomeUnknown where nobody can tell.
        """

    @abstractmethod
    def create_link(self) -> AbstractContextManager[Link]:
        """Gives a link that excludes every other creator of a store in the same place."""

    @abstractmethod
    def tables(self, link: Link) -> set[str]:
        """Returns the names of the tables already there."""

    @abstractmethod
    def statements(self) -> list[str]:
        """Returns the statements that create a store in an empty place."""

    @abstractmethod
    def close(self) -> None:
        """Closes every connection."""
