"""Is a job over a source as the log has it: JobStarted, a JobBatch for every batch that was taken, JobCompleted."""

from abc import ABC, abstractmethod
from collections.abc import Iterator
from typing import TYPE_CHECKING, Generic, Protocol, Self, TypeVar

import numpy as np
from numpy.typing import NDArray

from ledger import writing
from ledger.block import EventBlock
from ledger.events import Event, JobAbandoned, JobBatch, JobCompleted, JobStarted
from ledger.keys import job_stream
from ledger.mapper import decode_event
from ledger.profile import Profile
from ledger.refusals import Refusal, Refused
from ledger.source import Source

if TYPE_CHECKING:
    from ledger.store import Transaction
    from ledger.verbs.base import Base

Int64s = NDArray[np.int64]


class Columns(Protocol):
    """Is a batch of rows of a source, of claims or of fee lines."""

    first_row: int
    n: int

    def slice(self, start: int, stop: int) -> Self:
        """Returns rows ``start`` up to ``stop``."""
        ...

    def fields_of(self, rows: Int64s, reasons: Int64s) -> Int64s:
        """Returns the file column to blame for each row's reason, -1 where no one cell is."""
        ...

    def fees_of(self, rows: Int64s) -> list[int | None]:
        """Returns the whole amount of rows in fen, None where it cannot be read."""
        ...


Rows = TypeVar("Rows", bound=Columns)


Quarantined = tuple[tuple[tuple[int, int, int], ...], tuple[int, ...], tuple[int, ...]]


def quarantined(columns: Columns, reasons: Int64s) -> Quarantined:
    """Returns what a JobBatch says of the rows that have a reason.

    That is each as (row, reason, file column to blame or -1), what each amounts to in fen (0 where it cannot be read),
    and the rows where it cannot.
    """
    refused = np.flatnonzero(reasons)
    fields = columns.fields_of(refused, reasons[refused])
    rows = (columns.first_row + refused).tolist()
    fees = columns.fees_of(refused)
    unread = tuple(row for row, fee in zip(rows, fees, strict=True) if fee is None)
    named = tuple(zip(rows, reasons[refused].tolist(), fields.tolist(), strict=True))
    return named, tuple(fee or 0 for fee in fees), unread


class Job(ABC, Generic[Rows]):
    """Is one run over one source: what the log already holds of it, and the totals so far.

    The log is the truth: whoever else works on the same source at the same time works on the same job, and each
    takes up what the other has committed.
    """

    verb: str
    #: Whether somebody waits, or did lately.
    hurries = False

    def __init__(self, ledger: "Base", source: Source, profile: Profile, reason: str) -> None:
        self.ledger = ledger
        self.source = source
        self.profile = profile
        self.reason = reason
        self.stream = job_stream(self.verb, source.digest)
        self.position = 0
        self.version = 0
        self.completed = False
        self._reset()

    def _reset(self) -> None:
        self.next_row = 1
        self.booked = 0
        self.medfee_fen = 0
        self.late = 0
        self.periods: set[int] = set()
        self.duplicates: list[tuple[int, int]] = []
        self.quarantined: list[tuple[int, int, int]] = []

    def start(self, tx: "Transaction") -> None:
        """Starts the job, or takes up the one over the same source that is not complete."""
        events = self._events(tx)
        profile = b""
        for position, event in events:
            if isinstance(event, JobStarted):
                self.position, profile = position, event.profile
            elif isinstance(event, JobCompleted | JobAbandoned):
                self.position = 0
        if self.position:
            if profile != self.profile.digest:
                raise Refused(
                    Refusal.JOB_UNFINISHED,
                    f"{self.source.name}: expected the profile job {self.position} was started with, got"
                    f" {self.profile.name}: run it again with that one, or abandon the job",
                )
            self._take(events)
            return
        self.position = tx.size + 1
        started = JobStarted(
            tx.recorded_at,
            self.verb,
            self.ledger.actor,
            self.reason,
            self.source.name,
            self.source.digest,
            self.profile.digest,
            self.ledger.kernel,
            int(self.source.is_quarantine),
        )
        self.version += 1
        tx.append(EventBlock.from_events([(self.stream, self.version, started)]))

    def catch_up(self, tx: "Transaction") -> None:
        """Takes up what others committed to the job since."""
        if tx.stream_heads([self.stream])[self.stream] != self.version:
            self._take(self._events(tx))

    def roll_back(self) -> None:
        """Lets the next ``catch_up`` read what the log holds: of a transaction rolled back it holds nothing.

        As many batches may stand there as this worker had, and be another's.
        """
        self.version = -1

    def _events(self, tx: "Transaction") -> list[tuple[int, Event]]:
        events = [(position, decode_event(topic, state)) for position, _, topic, state in tx.stream(self.stream)]
        self.version = len(events)
        return events

    def _take(self, events: list[tuple[int, Event]]) -> None:
        """Makes the totals those of the job's events."""
        self._reset()
        for _, event in events:
            if isinstance(event, JobBatch) and event.cause == self.position:
                self._add(event)
            elif isinstance(event, JobCompleted | JobAbandoned) and event.cause == self.position:
                self.completed = True

    def _add(self, batch: JobBatch) -> None:
        self.next_row = batch.first_row + batch.rows
        self.booked += batch.booked
        self.medfee_fen += batch.medfee_fen
        self.late += batch.late
        self.periods.update(batch.periods)
        self.duplicates += batch.duplicates
        self.quarantined += batch.quarantined

    def doubt(self) -> bool:
        """Returns whether a batch that met a key the log has may be decided again, its keys looked up this time."""
        return False

    @abstractmethod
    def batches(self, batch_rows: int) -> Iterator[Rows]:
        """Yields the source's rows in order, about ``batch_rows`` at a time."""

    @abstractmethod
    def book(self, tx: "Transaction", columns: Rows) -> None:
        """Decides and writes the first rows of ``columns``, as many as can be decided together."""

    def note(self, event: JobBatch) -> writing.Header:
        """Returns a batch's outcome, ready to append, and adds it to the totals."""
        self._add(event)
        self.version += 1
        return self.stream, self.version, event

    def complete(self, tx: "Transaction") -> None:
        """Appends the JobCompleted with the job's totals, unless another worker has."""
        self.catch_up(tx)
        if self.completed:
            return
        totals = (self.next_row - 1, self.booked, len(self.duplicates), len(self.quarantined), self.medfee_fen)
        event = JobCompleted(self.position, tx.recorded_at, *totals)
        self.version += 1
        tx.append(EventBlock.from_events([(self.stream, self.version, event)]))
