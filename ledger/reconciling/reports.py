"""Defines what reconciliation answers: runs and breaks as plain frozen values, amounts in fen."""

import msgspec

from ledger.reconciling.events import NOBODY, OUTCOMES
from ledger.reconciling.states import BreakState
from ledger.reconciling.totals import TotalsLine

SIDES = ("", "here", "there")


class Break(msgspec.Struct, frozen=True):
    """Is one break: whose, what about, where it stands, and the fen each side states as due.

    ``key`` names it in commands. ``standing`` is the period whose statement lists it while it is open,
    ``difference_fen`` theirs less ours, ``fields`` (column, ours, theirs) with amounts in fen and persons as tokens.
    """

    key: str
    position: int
    period: int
    counterpart: str
    claim: str
    kind: str
    status: str
    owner: str
    standing: int
    carried: int
    ours_fen: int
    theirs_fen: int
    difference_fen: int
    booked_period: int
    copies: int
    fields: tuple[tuple[str, str, str], ...]
    corrected: str
    reason: str

    @property
    def is_open(self) -> bool:
        """Returns whether somebody still has to follow it up."""
        return self.status in ("found", "explained", "carried")

    @classmethod
    def of(cls, state: BreakState) -> "Break":
        """Returns the report of a break that was found."""
        found = state.found
        numbers = tuple((name, str(a), str(b)) for name, a, b in found.fields)
        return cls(
            key=state.stream,
            position=state.position,
            period=found.period,
            counterpart=found.counterpart,
            claim=f"{found.insured_region:06d}/{found.setl_id}",
            kind=OUTCOMES[found.kind],
            status=state.status.value,
            owner=state.owner,
            standing=state.standing,
            carried=state.carried,
            ours_fen=found.ours_fen,
            theirs_fen=found.theirs_fen,
            difference_fen=state.difference_fen,
            booked_period=found.booked_period,
            copies=found.copies,
            fields=numbers + found.texts,
            corrected=SIDES[state.resolved.side if state.resolved else NOBODY],
            reason=state.reason,
        )


class BreakTotals(msgspec.Struct, frozen=True):
    """Is what a statement says of open breaks: how many, what is at stake in all, and both parts of that, in fen.

    ``difference_fen`` is theirs less ours; ``theirs_more_fen`` sums what they state beyond us, ``ours_more_fen`` what
    we state beyond them, both at least 0.
    """

    count: int
    difference_fen: int
    theirs_more_fen: int
    ours_more_fen: int

    @classmethod
    def of(cls, breaks: "list[Break]") -> "BreakTotals":
        """Returns the totals of some breaks."""
        amounts = [each.difference_fen for each in breaks]
        more = sum(amount for amount in amounts if amount > 0)
        return cls(len(amounts), sum(amounts), more, more - sum(amounts))


class Reconciled(msgspec.Struct, frozen=True):
    """Is one reconciliation: totals of both sides, what became of every row, and the breaks seen in this file.

    ``position`` is that of the ReconciliationRun; ``already`` says that an earlier run said just this, and nothing
    was written. ``found`` and ``resolved`` count the breaks that this run changed. ``adds_up`` is False where the
    totals file is not the sum of the rows: then no break is taken for corrected.
    """

    position: int
    already: bool
    period: int
    day: int
    counterpart: str
    source: str
    digest: str
    refunds: bool
    totals: tuple[TotalsLine, ...]
    adds_up: bool
    outcomes: dict[str, int]
    found: int
    resolved: int
    breaks: tuple[Break, ...]
    mismatch_path: str | None

    @property
    def agrees(self) -> bool:
        """Returns whether totals and every row stand alike on both sides."""
        apart = any(count for name, count in self.outcomes.items() if name != "matched")
        return self.adds_up and not apart and all(line.agrees for line in self.totals)
