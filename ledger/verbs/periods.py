"""Are the commands about clearing periods: close, replay, and what is open."""

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


class Periods(Base):
    """Closes clearing periods and decides them again."""

    def close(self, period: int, *, reason: str = "") -> Closed:
        """Closes a clearing period and freezes its statement; later claims of its months book into the next one."""
        from ledger.acts import read_acts
        from ledger.clearing import fold_period

        with self.transaction() as tx:
            state, unfinished = self.knowledge.periods, unfinished_jobs(tx)
            refusal = periods.decide_close(state, period, unfinished)
            if refusal:
                raise Refused(refusal, explain.period(refusal, period, state, unfinished))
            figures = fold_period(read_acts(tx, after=state.opened[period]), period)
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

    def replay(
        self, period: int, *, progress: "Progress | None" = None, settle: "Settle | None" = None
    ) -> "ReplayReport":
        """Recomputes every settlement of a period from the log and returns what does not come out again.

        ``settle`` decides with another kernel than the chosen one, to see what it would change.
        """
        from ledger import replay
        from ledger.acts import read_acts

        with self.store.read() as reader:
            known = Knowledge()
            known.refresh(reader)
            if unfinished := unfinished_jobs(reader):
                raise Refused(Refusal.JOB_UNFINISHED, explain.unfinished(unfinished))
            if period not in known.periods.opened:
                raise Refused(Refusal.PERIOD_EMPTY, explain.period(Refusal.PERIOD_EMPTY, period, known.periods, {}))
            openings = replay.read_openings(reader)
            pages = read_acts(reader)
            return replay.replay(
                reader, pages, known.policies, period, openings=openings, progress=progress, settle=settle
            )
