"""Are the commands about claims and their fee lines."""

from pathlib import Path
from typing import TYPE_CHECKING

from ledger.events import JobAbandoned
from ledger.knowledge import Knowledge, unfinished_jobs
from ledger.line_events import LinesDiffer
from ledger.lookup import find_claim
from ledger.refusals import Refusal, Refused
from ledger.reports import JobReport, Reversed
from ledger.verbs.base import Base

if TYPE_CHECKING:
    from ledger.explanation import Explanation
    from ledger.intake import IntakeReport, Progress


STREAMS_WITH = "SELECT COUNT(DISTINCT originator_id) FROM stored_events WHERE topic = ? AND notification_id > ?"


class Claims(Base):
    """Takes claims and fee lines in, cancels them and explains them."""

    def intake(
        self,
        path: str | Path,
        profile: str | Path = "national",
        *,
        retry: bool = False,
        dry_run: bool = False,
        reason: str = "",
        progress: "Progress | None" = None,
        quarantine: str | Path | None = None,
    ) -> "IntakeReport":
        """Takes a file of claims in, books what can be booked and writes the rest to a quarantine file.

        It is CSV, Parquet or JSON lines, as its first bytes say. Rows are unique on (insured region, setl_id) and on
        medins_setl_id: the same file again books nothing.
        ``retry`` says the file is a mended quarantine file. A killed intake goes on where it stopped.
        """
        from ledger.intake import run_intake
        from ledger.profile import load_profile

        return run_intake(
            self,
            path,
            load_profile(profile),
            reason=reason,
            retry=retry,
            dry_run=dry_run,
            progress=progress,
            quarantine=Path(quarantine) if quarantine is not None else None,
        )

    def abandon(self, job: int, reason: str) -> JobReport:
        """Ends a job that can never complete (its file is lost, or was changed) and returns what stands of it.

        What it booked stays booked; ``job`` is the position of its JobStarted. A complete job is refused.
        """
        with self.transaction() as tx:
            streams = {position: stream for stream, position in unfinished_jobs(tx).items()}
            if job not in streams:
                raise Refused(Refusal.UNKNOWN_KEY, f"expected the position of an unfinished job, got {job}")
            _, command = self.command(tx, "abandon", reason, {"job": job})
            version = tx.stream_heads([streams[job]])[streams[job]]
            self.append(tx, [command, (streams[job], version + 1, JobAbandoned(job, tx.recorded_at, tx.size + 1))])
        return next(report for report in self.jobs() if report.job == job)

    def lines(
        self,
        path: str | Path,
        profile: str | Path = "national",
        *,
        retry: bool = False,
        dry_run: bool = False,
        reason: str = "",
        progress: "Progress | None" = None,
        quarantine: str | Path | None = None,
    ) -> "IntakeReport":
        """Takes a file of fee lines in, files them under their booked claims; what does not agree is a finding.

        A line is unique on its claim and feedetl_sn: the same file again files nothing. Otherwise as ``intake``.
        """
        from ledger.line_intake import run_lines
        from ledger.profile import load_profile

        return run_lines(
            self,
            path,
            load_profile(profile),
            reason=reason,
            retry=retry,
            dry_run=dry_run,
            progress=progress,
            quarantine=Path(quarantine) if quarantine is not None else None,
        )

    def lines_that_differ(
        self,
        path: str | Path,
        profile: str | Path = "national",
        *,
        reason: str = "",
        progress: "Progress | None" = None,
        quarantine: str | Path | None = None,
    ) -> "tuple[IntakeReport, int]":
        """Files fee lines as ``lines`` does; returns its report and how many claims then do not agree with theirs."""
        with self.store.read() as reader:
            head = reader.size
        report = self.lines(path, profile, reason=reason, progress=progress, quarantine=quarantine)
        with self.store.read() as reader:
            ((differing,),) = reader.query(STREAMS_WITH, (LinesDiffer.TOPIC, head))
        return report, int(differing)

    def reverse(self, claim: str, reason: str, *, setl_id: str | None = None) -> Reversed:
        """Cancels a settlement in full by filing its exact negative (I7); nobody is priced again.

        ``claim`` is a setl_id or ``region/setl_id``; the refund gets ``setl_id`` or the claim's own with ``-R``.
        """
        from ledger.reversing import reverse_claim

        return reverse_claim(self, claim, reason, setl_id)

    def explain(self, claim: str) -> "Explanation":
        """Explains how a booked claim's amounts come about, step by step, under the policy it was decided by.

        ``claim`` is as for ``reverse``; what the policy gives stands beside what is booked.
        """
        from ledger.acts import read_acts
        from ledger.events import FLAG_DIVIDED
        from ledger.explanation import Explainer
        from ledger.stays.booking import counted_by_claim

        with self.store.read() as reader:
            position, _, _ = find_claim(reader, claim)
            known = Knowledge()
            known.refresh(reader)
            (acts,) = read_acts(reader, after=position, stop=position + 1)
            parts = counted_by_claim(reader, acts, 0) if acts.flags[0] & FLAG_DIVIDED else []
            return Explainer(known.policies).explain(acts, 0, parts)

    def jobs(self) -> list[JobReport]:
        """Returns every job over a file with its totals; an unfinished one has no completion."""
        with self.store.read() as reader:
            return JobReport.read(reader)
