"""Reads a period's clearing from the log: its state at a position, and what its acts come to by business month."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np

from core_ext.layout import AMOUNT, FACT
from ledger.clearing.figures import PeriodFigures, fold_period
from ledger.clearing.terms import Terms
from ledger.events import BASIS_RESETTLED
from ledger.refusals import StoreError

if TYPE_CHECKING:
    from ledger.acts import Acts
    from ledger.clearing.states import Clearing


@dataclass(slots=True)
class Drawn:
    """Is a closed period's acts summed: the frozen figures again, and (acts, fee in fen) by business month."""

    figures: PeriodFigures
    months: dict[int, tuple[int, int]] = field(default_factory=dict)

    def late(self) -> tuple[tuple[int, int, int], ...]:
        """Returns (business month, acts, total fee) of what was carried into the period, earliest first."""
        period = self.figures.period
        return tuple((month, *sums) for month, sums in sorted(self.months.items()) if month < period)

    def overdue(self, terms: Terms) -> tuple[int, int]:
        """Returns (acts, total fee) of what was carried beyond the terms."""
        found = [sums for month, sums in self.months.items() if terms.overdue(month, self.figures.period)]
        return sum(acts for acts, _ in found), sum(fee for _, fee in found)

    @property
    def paid_fen(self) -> tuple[int, int]:
        """Returns what funds and accounts paid, in fen."""
        totals = self.figures.totals
        return totals[3 + AMOUNT["fund_pay_sumamt"]], totals[3 + AMOUNT["acct_pay"]]


def draw_up(pages: "Iterable[Acts]", state: "Clearing") -> Drawn:
    """Returns a closed period's acts summed anew.

    Raises StoreError where they do not come to what closing froze: the log was altered.
    """
    months: dict[int, tuple[int, int]] = {}

    def counted() -> "Iterator[Acts]":
        for acts in pages:
            _count(months, acts, state.period)
            yield acts

    drawn = Drawn(fold_period(counted(), state.period), months)
    assert state.frozen is not None
    if drawn.figures.digest() != state.frozen.statement:
        raise StoreError(
            f"period {state.period}: expected the statement that closing froze ({state.frozen.statement.hex()[:16]}…),"
            f" got {drawn.figures.digest().hex()[:16]}…: run verify"
        )
    return drawn


def _count(months: dict[int, tuple[int, int]], acts: "Acts", period: int) -> None:
    """Counts a page's acts by business month; a claim booked anew was cleared in its own period and is not late."""
    rows = np.flatnonzero((acts.period == period) & (acts.basis != BASIS_RESETTLED))
    month = acts.facts[rows, FACT["setl_time"]] // 10**8
    for each in np.unique(month).tolist():
        fees = acts.facts[rows[month == each], FACT["medfee_sumamt"]].tolist()
        acts_before, fee_before = months.get(each, (0, 0))
        months[each] = acts_before + len(fees), fee_before + sum(fees)
