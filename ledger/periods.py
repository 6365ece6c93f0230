"""Decides which clearing period a claim books into, and when a period may close (DOMAIN sections 2 and 1b)."""

from collections.abc import Iterable
from dataclasses import dataclass, field

from ledger.events import Event, PeriodClosed, PeriodOpened
from ledger.keys import following_month
from ledger.refusals import Refusal


@dataclass(slots=True)
class Periods:
    """Is the state of all clearing periods: the positions at which each opened and closed (yyyymm → position)."""

    opened: dict[int, int] = field(default_factory=dict)
    closed: dict[int, int] = field(default_factory=dict)

    @property
    def closed_through(self) -> int:
        """Returns the latest closed period, or 0."""
        return max(self.closed, default=0)

    @property
    def open(self) -> list[int]:
        """Returns the open periods, earliest first."""
        return sorted(self.opened.keys() - self.closed.keys())

    def period_for(self, month: int) -> int:
        """Returns the period a claim of a month books into: its own until that is closed, then the earliest open.

        Closing a period closes every earlier month, opened or not. Where none is open behind the last closed one
        the month after it opens.
        """
        through = self.closed_through
        if month > through:
            return month
        return next((period for period in self.open if period > through), following_month(through))


def evolve(state: Periods, position: int, event: Event) -> None:
    """Applies a period event; never refuses."""
    if isinstance(event, PeriodOpened):
        state.opened[event.period] = position
    elif isinstance(event, PeriodClosed):
        state.closed[event.period] = position


def decide_close(state: Periods, period: int, unfinished_jobs: Iterable[str]) -> Refusal:
    """Returns why a period may not close, or Refusal.NONE."""
    if list(unfinished_jobs):
        return Refusal.JOB_UNFINISHED
    if period in state.closed:
        return Refusal.PERIOD_CLOSED
    if period not in state.opened:
        return Refusal.PERIOD_EMPTY
    if any(earlier < period for earlier in state.open):
        return Refusal.PERIOD_OUT_OF_ORDER
    return Refusal.NONE
