"""Takes a file in as a job: JobStarted, batches of thousands of rows each in its own transaction, JobCompleted.

Every row's outcome is in the log: booked rows are events that carry the job and the row, the others are named in
the JobBatch event of their transaction. So a killed job leaves a whole number of batches, and the same command run
again reads where it stopped and goes on; until then the job is unfinished and refused by name elsewhere.
"""

import time
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, TypedDict, Unpack

import msgspec
import numpy as np
from msgspec.structs import replace

from core_ext.layout import FACT
from ledger import booking, writing
from ledger.ahead import Ahead
from ledger.events import JobBatch
from ledger.jobs import Job, Rows, quarantined
from ledger.knowledge import Knowledge
from ledger.profile import Profile
from ledger.quarantine import check_place, write_quarantine
from ledger.refusals import LedgerError, Refusal, Refused, SourceError, StoreError
from ledger.source import ClaimColumns, Source, open_source
from ledger.store.faults import Conflict, KeyTaken
from ledger.store.pending import Pending
from ledger.store.runs import MOST_RUNS
from ledger.store.tidying import merge_runs, tidy_runs

if TYPE_CHECKING:
    from concurrent.futures import Future

    from ledger.store import Reader, Transaction
    from ledger.verbs.base import Base

Progress = Callable[[int], None]

#: Rows a transaction: long enough to be fast, short enough that a single command never waits long behind it.
BATCH_ROWS = 8_192


#: Rows of a file's first batch: the database has something to take in while the next are read and decided on.
FIRST_ROWS = 3_072

#: Pieces of a batch that one transaction books, where rows of one key have to be decided one after the other.
MOST_PIECES = 4

#: Where somebody waits for the log: rows a transaction, for how many transactions after the last one that was waited
#: for, and the gap between them, in which a single command takes its turn.
FEW_ROWS = 1_024
POLITE_BATCHES = 64
GAP_MS = 3


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


class Taking(TypedDict):
    """Is how a file is taken in, of claims or of fee lines; ``retry`` says it is a mended quarantine file."""

    retry: bool
    dry_run: bool
    progress: Progress | None
    quarantine: Path | None


class _DryRunOver(Exception):
    """Ends a transaction without committing it."""


_REGIONS = [FACT["insured_region"], FACT["treatment_region"]]


@dataclass(frozen=True, slots=True)
class DecidedAhead:
    """Is a batch decided while what comes before it was written: true where the log then stands as it was taken to.

    ``knowledge`` is what it was decided with: dropped where a transaction failed, and with it whatever rests on it.
    """

    drafted: writing.Draft
    outcome: JobBatch
    knowledge: Knowledge
    size: int
    tokens: int
    rows: tuple[int, int]

    def holds(self, tx: "Transaction", columns: ClaimColumns, knowledge: Knowledge) -> bool:
        """Returns whether it is the decision on the first of ``columns``, in this transaction."""
        return self.knowledge is knowledge and (self.size, self.tokens, self.rows) == (
            tx.size,
            tx.tokens_given,
            (columns.first_row, columns.n),
        )


class ClaimJob(Job[ClaimColumns]):
    """Is a job over a file of claims; the next batch is decided while the database takes the last one in."""

    verb = "intake"
    #: Whether the memory it may come to need is taken.
    prepared = False
    #: Whether all keys are looked up before they are appended: from the first on that the log turns out to have.
    looks_up = True
    #: The rows of the file, behind those that were taken, that met a key of their own batch: those are looked up.
    repeated = np.zeros(0, np.int64)
    #: What is being decided ahead.
    _due: "Future[DecidedAhead | None] | None" = None
    #: All that the last transaction writes so far; None where that is more than batches.
    _written: Pending | None = None

    def start(self, tx: "Transaction") -> None:
        """Starts the job, or takes it up; one that begins anew trusts its keys to be new until one is not."""
        super().start(tx)
        self.looks_up = self.source.is_quarantine or self.next_row > 1

    def doubt(self) -> bool:
        """Looks keys up from now on; returns whether it did not before."""
        trusted, self.looks_up = not self.looks_up, True
        return trusted

    def batches(self, batch_rows: int) -> Iterator[ClaimColumns]:
        """Yields the file's claims in order, ``batch_rows`` at a time."""
        with Ahead(self.source.batches(batch_rows, FIRST_ROWS)) as self._ahead:
            yield from self._ahead

    def book(self, tx: "Transaction", columns: ClaimColumns) -> None:
        """Decides and books the first claims of ``columns``, as many as can be decided together."""
        knowledge = self.ledger.knowledge
        if not self.prepared:
            knowledge.expect(self.source.expected_rows)
            self.prepared = True
        due, self._due = self._due, None
        decided = _decided(due) if due is not None else None
        if decided is not None and decided.holds(tx, columns, knowledge):
            drafted, outcome = decided.drafted, decided.outcome
        else:
            drafted, outcome = self._draft(tx, columns, knowledge)
        batch, first = drafted.batch, columns.first_row
        self.repeated = np.union1d(self.repeated, first + batch.repeated)
        self.repeated = self.repeated[self.repeated >= first + batch.n]
        pending = writing.adopt(tx, drafted, [self.note(replace(outcome, recorded_at=tx.recorded_at))])
        knowledge.appended(pending.size, drafted.opened)
        # Giving back some megabytes takes as long as a statement, so that is left to the other thread too.
        before, self._written = [self._written], self._whole(tx, pending)

        def remember() -> None:
            before.clear()
            writing.remember(drafted, pending.size, knowledge)

        self._due = self._begin_ahead(columns.slice(batch.n, columns.n), self._written, knowledge, remember)
        if self._due is None:
            remember()
        else:
            # It goes on while the transaction is committed.
            self.ledger.goes_on(self._due)
        writing.put(tx, drafted, pending, knowledge)
        # The parts of a divided stay, for which nothing is decided ahead, come behind all that is pending.
        knowledge.appended(tx.size)

    def _draft(self, reader: "Reader", columns: ClaimColumns, knowledge: Knowledge) -> tuple[writing.Draft, JobBatch]:
        """Returns the decision on the first of ``columns``, ready to be written behind its outcome, recorded at 0."""
        first, end = columns.first_row, columns.first_row + columns.n
        asked = self.repeated[(self.repeated >= first) & (self.repeated < end)] - first
        batch = booking.decide(reader, columns, knowledge, self.profile, asked=None if self.looks_up else asked)
        return writing.draft(reader, batch, knowledge, self.position, [], later=1), self._outcome(batch)

    def _whole(self, tx: "Transaction", pending: Pending) -> Pending | None:
        """Returns a batch with those that the same transaction wrote before it, None where it wrote other things."""
        before, begun = self._written, tx.size - tx.appended + 1
        if pending.first == begun:
            return pending
        if before is None or (before.first, before.size + 1) != (begun, pending.first):
            return None
        return pending.behind(before)

    def _begin_ahead(
        self, left: ClaimColumns, pending: Pending | None, knowledge: Knowledge, remember: Callable[[], None]
    ) -> "Future[DecidedAhead | None] | None":
        """Begins to decide what comes behind a transaction, in the other thread; None where that must see it written.

        That is where it has more than batches, and where a decision asks for other things of them than those that are
        at hand; and it is of no use where somebody waits, and rows come in smaller bites. Else that thread, which alone
        asks what is known meanwhile, will ``remember`` what the transaction leaves.
        """
        policies = knowledge.policies
        if self.hurries or pending is None or policies.limits_diseases or policies.divides_stays:
            return None

        following = self._ahead.following()

        def decide() -> DecidedAhead | None:
            remember()
            rows = left if left.n else following()
            if rows is None:
                return None
            with self.ledger.store.read_behind(pending) as reader:
                drafted, outcome = self._draft(reader, rows, knowledge)
            return DecidedAhead(drafted, outcome, knowledge, pending.size, pending.tokens, (rows.first_row, rows.n))

        return self._ahead.submit(decide)

    def _outcome(self, batch: booking.Batch) -> JobBatch:
        """Returns the JobBatch of a decided batch, as recorded at 0."""
        columns = batch.columns
        rows = batch.booked_rows()
        reasons = batch.reasons()
        return JobBatch(
            self.position,
            0,
            columns.first_row,
            columns.n,
            len(rows),
            booking.medfee_of(batch, rows),
            booking.late_count(batch, rows),
            tuple(np.unique(batch.period[rows]).tolist()),
            tuple((columns.first_row + row, at) for row, at in sorted(batch.duplicate_of.items())),
            *quarantined(columns, reasons),
            tuple((int(insured), int(treatment)) for insured, treatment in batch.facts[reasons != 0][:, _REGIONS]),
        )


def _decided(due: "Future[DecidedAhead | None]") -> DecidedAhead | None:
    """Returns what was decided ahead; None where it was refused: deciding it in its turn will meet that again.

    Raises whatever else went wrong: want of memory, say, that may have left half of a batch in what is known.
    """
    try:
        return due.result()
    except LedgerError:
        return None


def run_intake(
    ledger: "Base",
    path: str | Path,
    profile: Profile,
    *,
    reason: str,
    batch_rows: int = BATCH_ROWS,
    **taking: Unpack[Taking],
) -> IntakeReport:
    """Takes a file in and returns what became of every row; running it again books nothing twice.

    A dry run decides every row against the log as it stands in one transaction that is rolled back, so its report is
    the real run's.
    """
    job = ClaimJob(ledger, open_source(path, profile), profile, reason)
    return run_job(job, batch_rows=batch_rows, **taking)


def run_job(
    job: Job[Rows],
    *,
    retry: bool,
    dry_run: bool,
    progress: Progress | None,
    quarantine: Path | None,
    batch_rows: int,
) -> IntakeReport:
    """Runs a job to its end, writes its quarantine file and returns what became of every row."""
    source = job.source
    if retry != source.is_quarantine:
        raise Refused(Refusal.NOT_ALLOWED, _retry_text(source, retry))
    target = quarantine or source.path.with_name(f"{source.path.stem}.quarantine.csv")
    if dry_run:
        _run_dry(job, batch_rows, progress)
    else:
        check_place(target, "the bad rows", "--quarantine")
        _run_batches(job, batch_rows, progress)
    written = None if dry_run else _finish(job, target)
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


def _finish(job: Job[Rows], target: Path) -> str | None:
    """Tidies up behind a complete job, and beside that writes its quarantine file; returns the path of one."""
    with ThreadPoolExecutor(1, "tidy") as beside:
        tidied = beside.submit(tidy_runs, job.ledger.store)
        refused = [(row, Refusal(reason), field) for row, reason, field in sorted(job.quarantined)]
        written = _write_rows(job, target, refused) if refused else None
        try:
            tidied.result()
        except StoreError as error:
            raise StoreError(
                f"{error}; job {job.position} is complete and stays, only its runs are not tidied up: the next job does"
                " that"
            ) from error
    return written


def _write_rows(job: Job[Rows], target: Path, refused: list[tuple[int, Refusal, int]]) -> str:
    """Writes the quarantine file of a complete job and returns its path; raises SourceError where it cannot."""
    try:
        return str(write_quarantine(target, job.source, refused))
    except OSError as error:
        raise SourceError(
            f"{target}: expected to write the bad rows there, got: {(error.strerror or str(error)).lower()}; job"
            f" {job.position} is complete and stays: take the same file in again with --quarantine FILE"
        ) from error


def _retry_text(source: Source, retry: bool) -> str:
    if retry:
        return f"{source.name}: expected a quarantine file (row, reason, field, expected, got in front) to retry"
    return f"{source.name}: this is a quarantine file: take it in with --retry once its rows are mended"


def _run_batches(job: Job[Rows], batch_rows: int, progress: Progress | None) -> None:
    """Runs the job, one transaction a batch; a first one carries JobStarted, a last one JobCompleted."""
    ledger = job.ledger
    with ledger.transaction() as tx:
        job.start(tx)
    try:
        _run_rows(job, batch_rows, progress)
    except SourceError as error:
        raise SourceError(
            f"{error}; job {job.position} stands at row {job.next_row - 1}, what it booked stays: run the same file"
            f" again once it can be read, or abandon the job"
        ) from error
    with ledger.transaction() as tx:
        job.complete(tx)


def _run_rows(job: Job[Rows], batch_rows: int, progress: Progress | None) -> None:
    """Books the source's rows batch by batch."""
    ledger, polite, unmerged = job.ledger, 0, 0
    for columns in job.batches(batch_rows):
        rest = _left(job, columns)
        while rest.n:
            try:
                with ledger.transaction() as tx:
                    job.catch_up(tx)
                    rest = _left(job, rest)
                    part = rest.slice(0, FEW_ROWS) if polite and rest.n > FEW_ROWS else rest
                    job.hurries = polite > 0
                    for _ in range(MOST_PIECES):
                        if part.n:
                            job.book(tx, part)
                            part = _left(job, part)
                    waited = ledger.anybody_waits(tx)
            except (Conflict, KeyTaken):
                if not job.doubt():
                    raise
                job.roll_back()
                continue
            if waited:
                time.sleep(GAP_MS / 1000)
            if waited and not polite:
                # Who waits, or comes next, would look through every run; what follows is too little for one.
                tidy_runs(ledger.store)
            elif (unmerged := unmerged + 1) > MOST_RUNS // 8:
                merge_runs(ledger.store, beyond=MOST_RUNS)
                unmerged = 0
            polite = POLITE_BATCHES if waited else max(0, polite - 1)
            rest = _left(job, rest)
            if progress is not None:
                progress(job.next_row - 1)


def _run_dry(job: Job[Rows], batch_rows: int, progress: Progress | None) -> None:
    """Runs the whole job in one transaction and rolls it back."""
    # The transaction drops what it made known itself; behind it, another thread already rests on what is known.
    with suppress(_DryRunOver), job.ledger.transaction() as tx:
        job.start(tx)
        # What it has written it cannot take back row by row.
        job.doubt()
        for columns in job.batches(batch_rows):
            rest = _left(job, columns)
            while rest.n:
                job.book(tx, rest)
                rest = _left(job, rest)
                if progress is not None:
                    progress(job.next_row - 1)
        raise _DryRunOver


def _left(job: Job[Rows], columns: Rows) -> Rows:
    """Returns the rows of a batch that the job has not taken yet."""
    done = min(max(0, job.next_row - columns.first_row), columns.n)
    return columns.slice(done, columns.n)
