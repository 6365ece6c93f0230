"""Are the commands about clearing periods: close, replay, and what is open."""

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from ledger import explain, periods
from ledger.events import PeriodClosed
from ledger.keys import period_stream
from ledger.knowledge import Knowledge, unfinished_jobs
from ledger.refusals import Refusal, Refused
from ledger.reports import Closed, PeriodReport
from ledger.verbs.base import Base

if TYPE_CHECKING:
    from ledger.intake import Progress
    from ledger.replay import ReplayReport, Settle
    from ledger.segments.reading import Segment
    from ledger.segments.sealing import Sealed


class Periods(Base):
    """Closes clearing periods and decides them again."""

    def close(self, period: int, *, reason: str = "") -> Closed:
        """Closes a clearing period and freezes its statement; later claims of its months book into the next one.

        The acts there are are summed outside the log's lock, and under it those that came meanwhile.
        """
        from ledger.acts import read_acts
        from ledger.clearing.figures import Folding

        folding, folded = Folding(period), 0
        with self.store.read() as reader:
            known = Knowledge()
            known.refresh(reader)
            if not periods.decide_close(known.periods, period, unfinished_jobs(reader)):
                folded = reader.size
                folding.add(read_acts(reader, after=known.periods.opened[period], stop=folded))
        with self.transaction() as tx:
            state, unfinished = self.knowledge.periods, unfinished_jobs(tx)
            refusal = periods.decide_close(state, period, unfinished)
            if refusal:
                raise Refused(refusal, explain.period(refusal, period, state, unfinished))
            folding.add(read_acts(tx, after=max(folded, state.opened[period])))
            figures = folding.figures()
            cause, command = self.command(tx, "close", reason, {"period": period})
            totals = figures.totals
            event = PeriodClosed(
                cause, 0, period, figures.acts, figures.person_times, totals[2], tuple(totals[3:]),
                figures.late_acts, figures.late_medfee_fen, figures.digest(),
            )  # fmt: skip
            self.append(tx, [command, (period_stream(period), 2, event)])
            return Closed.of(event)

    def periods(self) -> list[PeriodReport]:
        """Returns every clearing period with the positions at which it opened and closed."""
        with self.store.read() as reader:
            return PeriodReport.read(reader)

    def seal(
        self,
        period: int,
        *,
        anchor: tuple[int, bytes] = (0, b""),
        reason: str = "",
        progress: "Progress | None" = None,
        step: "Callable[[str], None] | None" = None,
    ) -> "Sealed":
        """Seals a signed period: its acts as an Arrow segment, sorted by person, and their digest in the log.

        Beside a SQLite file in ``<file>.segments``; PostgreSQL needs ``segments`` when the ledger is opened. ``anchor``
        is the size and root of the Merkle tree to record. Of a sealed period whose files are gone it writes them anew.
        """
        from ledger.segments.sealing import expected_folder, seal

        folder = expected_folder(self.store.url, self.segments)
        tell = step or (lambda _: None)
        return seal(self, period, folder=folder, anchor=anchor, reason=reason, progress=progress, step=tell)

    def export(self, period: int, path: "str | Path") -> int:
        """Writes the segment of a sealed period as Parquet, for other tools to read; returns the rows written."""
        from ledger.segments.exporting import export_parquet

        return export_parquet(self._segment(period).folder, Path(path))

    def _segment(self, period: int) -> "Segment":
        from ledger.segments.sealing import expected_folder, open_segment, sealed_periods

        with self.store.read() as reader:
            event = sealed_periods(reader).get(period)
        if event is None:
            raise Refused(Refusal.PERIOD_NOT_SEALED, f"period {period} is not sealed: seal it first")
        return open_segment(expected_folder(self.store.url, self.segments), event)

    def replay_on_spark(self, period: int) -> "ReplayReport":
        """Returns what ``replay`` returns of a sealed period, decided on Spark (the optional extra ``spark``)."""
        from ledger.replaying.spark import replay_on_spark

        folder = self._segment(period).folder
        with self.store.read() as reader:
            return replay_on_spark(folder, reader)

    def replay(
        self,
        period: int,
        *,
        progress: "Progress | None" = None,
        settle: "Settle | None" = None,
        from_log: bool = False,
    ) -> "ReplayReport":
        """Recomputes every settlement of a period and returns what does not come out again.

        A sealed period is read from its segment, another one, or with ``from_log`` any, from the log. ``settle``
        decides with another kernel than the chosen one, to see what it would change.
        """
        from ledger import replay
        from ledger.acts import read_acts
        from ledger.replaying.comparing import replay_segment
        from ledger.segments.sealing import sealed_periods

        with self.store.read() as reader:
            known = Knowledge()
            known.refresh(reader)
            if period not in known.periods.opened:
                raise Refused(Refusal.PERIOD_EMPTY, explain.period(Refusal.PERIOD_EMPTY, period, known.periods, {}))
            if not from_log and period in sealed_periods(reader):
                return replay_segment(
                    self._segment(period).folder, known.policies, reader=reader, settle=settle, progress=progress
                )
            if unfinished := unfinished_jobs(reader):
                raise Refused(Refusal.JOB_UNFINISHED, explain.unfinished(unfinished))
            openings = replay.read_openings(reader)
            pages = read_acts(reader)
            return replay.replay(
                reader, pages, known.policies, period, openings=openings, progress=progress, settle=settle
            )
