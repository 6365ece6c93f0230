"""Takes a file in as a job: JobStarted, batches of thousands of rows each in its own transaction, JobCompleted.

Every row's outcome is in the log: booked rows are events that carry the job and the row, the others are named in
the JobBatch event of their transaction. So a killed job leaves a whole number of batches, and the same command run
again reads where it stopped and goes on; until then the job is unfinished and refused by name elsewhere.
"""

from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec
import numpy as np

from ledger import booking, writing
from ledger.block import EventBlock
from ledger.events import Event, JobBatch, JobCompleted, JobStarted
from ledger.keys import job_stream
from ledger.mapper import decode_event
from ledger.profile import Profile
from ledger.quarantine import write_quarantine
from ledger.refusals import Refusal, Refused
from ledger.source import ClaimColumns, Source, open_source

if TYPE_CHECKING:
    from ledger.booking import Ints
    from ledger.service import Ledger
    from ledger.store import Transaction

Progress = Callable[[int], None]

#: Rows a transaction: long enough to be fast, short enough that a single command never waits long behind it.
BATCH_ROWS = 8_192


#: The cell to blame where a lookup or the kernel refuses a row.
BLAMED = {
    Refusal.SETL_ID_CONFLICT: "setl_id",
    Refusal.MSGID_CONFLICT: "medins_setl_id",
    Refusal.UNKNOWN_PSN_NO: "psn_no",
    Refusal.NO_POLICY: "insu_admdvs",
    Refusal.REFUND_UNKNOWN: "init_setl_id",
    Refusal.REFUND_TWICE: "init_setl_id",
    Refusal.REFUND_MISMATCH: "init_setl_id",
    Refusal.IDENTITY_I1: "medfee_sumamt",
    Refusal.IDENTITY_I2: "psn_part_amt",
    Refusal.IDENTITY_I3: "psn_cash_pay",
    Refusal.IDENTITY_I5: "fund_pay_sumamt",
    Refusal.ARITHMETIC_OVERFLOW: "medfee_sumamt",
}


class IntakeReport(msgspec.Struct, frozen=True):
    """Is what became of a file: rows = booked + duplicate + quarantined; ``job`` is the position of its JobStarted."""

    job: int
    source: str
    digest: str
    rows: int
    booked: int
    duplicate: int
    quarantined: int
    medfee_fen: int
    reasons: dict[str, int]
    quarantine_path: str | None
    periods: tuple[int, ...]
    late: int
    dry_run: bool = False


class _DryRunOver(Exception):
    """Ends a transaction without committing it."""


class Job:
    """Is one run over one source: what the log already holds of it, and the totals so far."""

    def __init__(self, ledger: "Ledger", source: Source, profile: Profile, reason: str) -> None:
        self.ledger = ledger
        self.source = source
        self.profile = profile
        self.reason = reason
        self.stream = job_stream("intake", source.digest)
        self.position = 0
        self.next_row = 1
        self.booked = 0
        self.medfee_fen = 0
        self.duplicates: list[tuple[int, int]] = []
        self.quarantined: list[tuple[int, int, int]] = []
        self.periods: Counter[int] = Counter()
        self.late = 0
        national = [profile.columns.get(name, name) for name in source.columns]
        self.places = {reason: national.index(name) for reason, name in BLAMED.items() if name in national}

    def start(self, tx: "Transaction") -> list[writing.Header]:
        """Returns the JobStarted to append, or nothing where an unfinished job goes on."""
        events = tx.stream(self.stream)
        started = None
        for position, _, topic, state in events:
            event = decode_event(topic, state)
            if isinstance(event, JobStarted):
                started, batches = position, []
            elif isinstance(event, JobBatch):
                batches.append(event)
            else:
                started = None
        if started is not None:
            self._resume(started, batches)
            return []
        self.position = tx.size + 1
        return [
            (
                self.stream,
                len(events) + 1,
                JobStarted(
                    tx.recorded_at,
                    "intake",
                    self.ledger.actor,
                    self.reason,
                    self.source.name,
                    self.source.digest,
                    self.profile.digest,
                    self.ledger.kernel,
                ),
            )
        ]

    def _resume(self, position: int, batches: list[JobBatch]) -> None:
        """Takes up the totals of the batches a killed run committed."""
        self.position = position
        for batch in batches:
            self.next_row = batch.first_row + batch.rows
            self.booked += batch.booked
            self.medfee_fen += batch.medfee_fen
            self.duplicates += batch.duplicates
            self.quarantined += batch.quarantined

    def batch_event(self, tx: "Transaction", batch: booking.Batch) -> JobBatch:
        """Returns the JobBatch of a decided batch and adds it to the totals."""
        columns = batch.columns
        rows = batch.booked_rows()
        reasons = batch.reasons()
        refused = np.flatnonzero(reasons)
        fields = self._fields(batch, refused, reasons)
        duplicates = tuple((columns.first_row + row, at) for row, at in sorted(batch.duplicate_of.items()))
        quarantined = tuple(
            zip((columns.first_row + refused).tolist(), reasons[refused].tolist(), fields.tolist(), strict=True)
        )
        medfee = booking.medfee_of(batch, rows)
        self.booked += len(rows)
        self.medfee_fen += medfee
        self.duplicates += duplicates
        self.quarantined += quarantined
        self.next_row = columns.first_row + columns.n
        self.periods.update(batch.period[rows].tolist())
        self.late += booking.late_count(batch, rows)
        return JobBatch(
            self.position, tx.recorded_at, columns.first_row, columns.n, len(rows), medfee, duplicates, quarantined
        )

    def _fields(self, batch: booking.Batch, refused: "Ints", reasons: "Ints") -> "Ints":
        """Returns the column number of the cell to blame for each refused row, -1 where no column has it."""
        own = batch.columns.faults[refused]
        lowest = np.where(own == 0, 0, np.int64(1) << reasons[refused])
        blamed = np.array([self.places.get(Refusal(reason), -1) for reason in reasons[refused].tolist()], np.int64)
        return np.where((own & -own) == lowest, np.where(own == 0, blamed, batch.columns.field[refused]), blamed)

    def completed(self, tx: "Transaction") -> Event:
        """Returns the JobCompleted with the job's totals."""
        return JobCompleted(
            self.position,
            tx.recorded_at,
            self.next_row - 1,
            self.booked,
            len(self.duplicates),
            len(self.quarantined),
            self.medfee_fen,
        )


def run_intake(
    ledger: "Ledger",
    path: str | Path,
    profile: Profile,
    *,
    reason: str,
    retry: bool,
    dry_run: bool,
    progress: Progress | None,
    quarantine: Path | None,
    batch_rows: int = BATCH_ROWS,
) -> IntakeReport:
    """Takes a file in and returns what became of every row; running it again books nothing twice.

    A dry run decides every row against the log as it stands in one transaction that is rolled back, so its report is
    the real run's.
    """
    source = open_source(path, profile)
    if retry != source.is_quarantine:
        raise Refused(Refusal.NOT_ALLOWED, _retry_text(source, retry))
    job = Job(ledger, source, profile, reason)
    if dry_run:
        _run_dry(ledger, job, batch_rows, progress)
    else:
        _run_batches(ledger, job, batch_rows, progress)
    written = None
    if job.quarantined and not dry_run:
        target = quarantine or source.path.with_name(f"{source.path.stem}.quarantine.csv")
        write_quarantine(
            target, source, [(row, Refusal(reason), field) for row, reason, field in sorted(job.quarantined)]
        )
        written = str(target)
    reasons = Counter(Refusal(reason).code for _, reason, _ in sorted(job.quarantined))
    return IntakeReport(
        job.position,
        source.name,
        source.digest.hex(),
        job.next_row - 1,
        job.booked,
        len(job.duplicates),
        len(job.quarantined),
        job.medfee_fen,
        dict(sorted(reasons.items())),
        written,
        tuple(sorted(job.periods)),
        job.late,
        dry_run,
    )


def _retry_text(source: Source, retry: bool) -> str:
    if retry:
        return f"{source.name}: expected a quarantine file (row, reason, field, expected, got in front) to retry"
    return f"{source.name}: this is a quarantine file: take it in with --retry once its rows are mended"


def _run_batches(ledger: "Ledger", job: Job, batch_rows: int, progress: Progress | None) -> None:
    """Runs the job, one transaction a batch; the first carries JobStarted, a last one JobCompleted."""
    with ledger.transaction() as tx:
        headers = job.start(tx)
        if headers:
            tx.append(EventBlock.from_events(headers))
    for columns in _left(job, batch_rows):
        rest = columns
        while rest.n:
            with ledger.transaction() as tx:
                taken = _book(tx, ledger, job, rest)
            rest = rest.slice(taken, rest.n)
            if progress is not None:
                progress(job.next_row - 1)
    with ledger.transaction() as tx:
        version = tx.stream_heads([job.stream])[job.stream]
        tx.append(EventBlock.from_events([(job.stream, version + 1, job.completed(tx))]))


def _run_dry(ledger: "Ledger", job: Job, batch_rows: int, progress: Progress | None) -> None:
    """Runs the whole job in one transaction and rolls it back."""
    try:
        with ledger.transaction() as tx:
            headers = job.start(tx)
            if headers:
                tx.append(EventBlock.from_events(headers))
            for columns in _left(job, batch_rows):
                rest = columns
                while rest.n:
                    rest = rest.slice(_book(tx, ledger, job, rest), rest.n)
                    if progress is not None:
                        progress(job.next_row - 1)
            raise _DryRunOver
    except _DryRunOver:
        ledger.forget()


def _left(job: Job, batch_rows: int) -> "Iterator[ClaimColumns]":
    """Yields the source's batches from the job's next row on."""
    for columns in job.source.batches(batch_rows):
        done = min(max(0, job.next_row - columns.first_row), columns.n)
        if done < columns.n:
            yield columns.slice(done, columns.n)


def _book(tx: "Transaction", ledger: "Ledger", job: Job, columns: "ClaimColumns") -> int:
    """Decides and writes the first rows of ``columns``; returns how many were taken."""
    batch = booking.decide(tx, columns, ledger.knowledge, job.profile)
    version = tx.stream_heads([job.stream])[job.stream] + 1
    header = (job.stream, version, job.batch_event(tx, batch))
    _, opened = writing.write(tx, batch, ledger.knowledge, job.position, [header])
    ledger.knowledge.appended(tx.size, opened)
    return batch.n
