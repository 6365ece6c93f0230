"""Takes a file of fee lines in as a job, like claims: batches, a quarantine file, resumed and retried."""

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Unpack

import numpy as np

from ledger import line_booking, line_writing
from ledger.events import JobBatch
from ledger.intake import IntakeReport, Taking, run_job
from ledger.jobs import Job, quarantined
from ledger.line_booking import OWN_EVENT, LineBatch
from ledger.line_source import LineColumns, LineSource, open_lines
from ledger.profile import Profile

if TYPE_CHECKING:
    from ledger.store import Transaction
    from ledger.verbs.base import Base

#: Lines a transaction: a line is a fraction of a claim, so a command waits as short as behind a batch of claims.
BATCH_LINES = 32_768


class LineJob(Job[LineColumns]):
    """Is a job over a file of fee lines."""

    verb = "lines"

    def __init__(self, ledger: "Base", source: LineSource, profile: Profile, reason: str) -> None:
        super().__init__(ledger, source, profile, reason)
        self.lines = source

    def batches(self, batch_rows: int) -> Iterator[LineColumns]:
        """Yields the file's lines in order, whole runs of one claim's lines."""
        return self.lines.lines(batch_rows)

    def book(self, tx: "Transaction", columns: LineColumns) -> None:
        """Decides and files the first runs of ``columns``, up to one whose claim an earlier run has."""
        knowledge = self.ledger.knowledge
        batch = line_booking.decide(tx, columns, knowledge, self.profile)
        # The header is the first event.
        order = line_writing.Order(batch, self.position, tx.size + 2)
        header = self.note(self._outcome(tx, batch, order))
        line_writing.write(tx, batch, order, self.position, header)
        knowledge.appended(tx.size)

    def _outcome(self, tx: "Transaction", batch: LineBatch, order: line_writing.Order) -> JobBatch:
        columns, reasons = batch.columns, batch.reasons()
        run = np.cumsum(columns.head) - 1
        duplicates = tuple(
            (columns.first_row + row, int(order.filed_at[run[row]]) if at == OWN_EVENT else at)
            for row, at in sorted(batch.duplicate_of.items())
        )
        refused, refused_fen, unread = quarantined(columns, reasons)
        return JobBatch(
            cause=self.position,
            recorded_at=tx.recorded_at,
            first_row=columns.first_row,
            rows=columns.n,
            booked=len(batch.rows),
            medfee_fen=sum(batch.sums[:, 0].tolist()),
            late=0,
            periods=(),
            duplicates=duplicates,
            quarantined=refused,
            quarantined_fen=refused_fen,
            unread=unread,
        )


def run_lines(
    ledger: "Base",
    path: str | Path,
    profile: Profile,
    *,
    reason: str,
    batch_rows: int = BATCH_LINES,
    **taking: Unpack[Taking],
) -> IntakeReport:
    """Files fee lines under their claims and returns what became of every row; ``medfee_fen`` is the lines' amount."""
    job = LineJob(ledger, open_lines(path, profile), profile, reason)
    return run_job(job, batch_rows=batch_rows, **taking)
