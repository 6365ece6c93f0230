"""Decides what becomes of a break: found, explained, carried, corrected or written off, with an owner (pure).

============  =======================================================
from          to
============  =======================================================
found         explained · carried · corrected · written off
explained     explained · carried · corrected · written off
carried       explained · carried (to ``most`` periods) · corrected · written off
corrected     found, when a later file shows it again
written off   found, when a later file shows it with other figures
============  =======================================================
"""

from collections.abc import Iterable
from dataclasses import dataclass
from enum import Enum

from ledger.event import Event
from ledger.keys import following_month
from ledger.reconciling.events import (
    CORRECTED,
    DUPLICATE,
    HERE,
    MISSING_HERE,
    MISSING_THERE,
    OTHER_PERIOD,
    OUTCOMES,
    THERE,
    WRITTEN_OFF,
    BreakAssigned,
    BreakCarried,
    BreakExplained,
    BreakFound,
    BreakResolved,
)
from ledger.refusals import Refusal

#: How many periods a break may be carried (DOMAIN section 2, recall); every command takes another number.
MOST_CARRIED = 2


class Status(Enum):
    """Is where a break stands."""

    FOUND = "found"
    EXPLAINED = "explained"
    CARRIED = "carried"
    CORRECTED = "corrected"
    WRITTEN_OFF = "written_off"

    @property
    def is_open(self) -> bool:
        """Returns whether somebody still has to follow it up."""
        return self not in (Status.CORRECTED, Status.WRITTEN_OFF)


@dataclass(slots=True)
class BreakState:
    """Is one break as its stream tells it; ``standing`` is the period whose statement lists it while it is open."""

    stream: str = ""
    version: int = 0
    position: int = 0
    first: BreakFound | None = None
    latest: BreakFound | None = None
    status: Status = Status.FOUND
    owner: str = ""
    carried: int = 0
    standing: int = 0
    resolved: BreakResolved | None = None
    reason: str = ""

    @property
    def found(self) -> BreakFound:
        """Returns what was found last; only for a break that was found."""
        assert self.latest is not None
        return self.latest

    @property
    def is_open(self) -> bool:
        """Returns whether it was found and did not end since."""
        return self.latest is not None and self.status.is_open

    @property
    def difference_fen(self) -> int:
        """Returns what is at stake: what they state less what we state."""
        return self.found.theirs_fen - self.found.ours_fen


def break_stream(period: int, counterpart: str, kind: int, region: int, setl_id: str) -> str:
    """Returns the stream of a break: one a period, counterpart and claim, and one more for a claim stated twice."""
    twice = "twice-" if kind == DUPLICATE else ""
    return f"break-{period:06d}-{counterpart}-{twice}{region:06d}-{setl_id}"


def run_stream(period: int, day: int, counterpart: str) -> str:
    """Returns the stream of the runs over one month or day against one counterpart."""
    return f"reconciliation-{day or period}-{counterpart}"


def evolve(state: BreakState, position: int, event: Event) -> BreakState:
    """Returns the state after an event of the break's stream at ``position``; never refuses."""
    state.version += 1
    match event:
        case BreakFound():
            if state.first is None:
                state.first, state.position, state.standing = event, position, event.period
            elif not state.is_open:
                state.carried, state.standing = 0, event.period
            if state.status is not Status.CARRIED:
                state.status = Status.FOUND
            state.latest, state.resolved = event, None
        case BreakAssigned():
            state.owner = event.owner
        case BreakExplained():
            # A carried break that is explained stays carried: it is still listed where it was carried to.
            state.status = state.status if state.status is Status.CARRIED else Status.EXPLAINED
            state.reason = event.reason
        case BreakCarried():
            state.status, state.standing, state.reason = Status.CARRIED, event.into, event.reason
            state.carried += 1
        case BreakResolved():
            state.status = Status.CORRECTED if event.how == CORRECTED else Status.WRITTEN_OFF
            state.resolved, state.reason = event, event.reason
    return state


def folded(stream: str, events: Iterable[tuple[int, Event]]) -> BreakState:
    """Returns the state of a break after its events (position, event), in order."""
    state = BreakState(stream)
    for position, event in events:
        evolve(state, position, event)
    return state


def decide_found(state: BreakState, found: BreakFound) -> BreakFound | None:
    """Returns the event a run appends about a break it sees, or None where that says nothing new.

    A break with the figures it had says nothing new, while it is open or written off. One that was corrected says so
    again by another file; not where a later period's file settled it and these are only its old figures.
    """
    if state.latest is None:
        return found
    same = figures(state.latest) == figures(found)
    if state.is_open or state.status is Status.WRITTEN_OFF:
        return None if same else found
    assert state.resolved is not None
    if state.resolved.period > found.period and settles_alike(state.latest, found):
        return None
    return None if same and state.latest.digest == found.digest and not state.resolved.period else found


def figures(found: BreakFound) -> tuple[object, ...]:
    """Returns what makes two findings of one break the same: all but the run and the row."""
    return (
        found.kind, found.ours_fen, found.theirs_fen, found.booked_period, found.copies, found.fields, found.texts,
    )  # fmt: skip


def settles_alike(before: BreakFound, now: BreakFound) -> bool:
    """Returns whether an earlier period's break, settled by a later one, only shows itself again."""
    turned = before.kind == MISSING_HERE and now.kind == OTHER_PERIOD
    alike = (before.ours_fen, before.theirs_fen) == (now.ours_fen, now.theirs_fen)
    return alike and (turned or before.kind == now.kind)


def decide_gone(state: BreakState, cause: int, period: int, is_here: bool) -> BreakResolved:
    """Returns the end of an open break that a run no longer sees: corrected, here or there.

    A claim that was missing here and now ``is_here`` was put right here; everything else was put right there, as
    what stands here is never edited.
    """
    side = HERE if state.found.kind == MISSING_HERE and is_here else THERE
    text = "booked here since" if side == HERE else "their file no longer shows it"
    return BreakResolved(cause, 0, CORRECTED, side, period, state.difference_fen, text)


def meets_carried(state: BreakState, found: BreakFound) -> bool:
    """Returns whether what a later period's run sees is the other half of a break carried into that period.

    What was missing there and is now in their file of the next period, or was missing here and is booked here as a
    late claim, with the same amount: the two halves are one claim, cleared one period apart.
    """
    if state.status is not Status.CARRIED or state.standing != found.period:
        return False
    before = state.found
    late_there = before.kind == MISSING_THERE and found.kind == OTHER_PERIOD and found.booked_period == before.period
    late_here = before.kind == MISSING_HERE and found.kind == MISSING_THERE
    if late_there:
        return before.ours_fen == found.theirs_fen and not found.fields and not found.texts
    return late_here and before.theirs_fen == found.ours_fen


def decide_assign(state: BreakState, cause: int, owner: str, reason: str) -> Event | Refusal:
    """Returns the assignment of an open break, or why not."""
    if refusal := _refused(state):
        return refusal
    return BreakAssigned(cause, 0, owner, reason) if owner.strip() else Refusal.BAD_VALUE


def decide_explain(state: BreakState, cause: int, reason: str) -> Event | Refusal:
    """Returns the explanation of an open break, or why not."""
    return _refused(state) or BreakExplained(cause, 0, reason)


def decide_carry(state: BreakState, cause: int, reason: str, most: int = MOST_CARRIED) -> Event | Refusal:
    """Returns the carrying of an open break into the next period, or why not; at most ``most`` times."""
    if refusal := _refused(state):
        return refusal
    if state.carried >= most:
        return Refusal.BREAK_CARRIED_OUT
    return BreakCarried(cause, 0, following_month(state.standing), reason)


def decide_resolve(state: BreakState, cause: int, how: int, side: int, reason: str) -> Event | Refusal:
    """Returns the end of an open break by a person, or why not."""
    return _refused(state) or BreakResolved(cause, 0, how, side, 0, state.difference_fen, reason)


def _refused(state: BreakState) -> Refusal:
    if state.latest is None:
        return Refusal.BREAK_UNKNOWN
    return Refusal.NONE if state.is_open else Refusal.BREAK_ENDED


assert OUTCOMES[DUPLICATE] == "duplicate" and WRITTEN_OFF != CORRECTED
