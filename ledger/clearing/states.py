"""Decides the states of a clearing: cut off, drafted, checked, signed, sealed (DOMAIN section 2).

Whoever signs is another person than the one who checked. Until it is paid a clearing is withdrawn as a whole, by the
position of the confirmation it stands on; it then is cut off again. Sealing is an event of its own and is final.
"""

from dataclasses import dataclass
from enum import IntEnum
from typing import TYPE_CHECKING

from ledger.clearing.events import ClearingChecked, ClearingDrafted, ClearingSigned, ClearingWithdrawn
from ledger.events import PAYMENT_INSTITUTION, PAYMENT_REGION, Event, PeriodClosed, PeriodOpened
from ledger.keys import period_stream
from ledger.mapper import decode_event
from ledger.refusals import Refusal

if TYPE_CHECKING:
    from ledger.store import Reader

# A range over stream names: every payment of a kind and period.
ANY_PAYMENT = "SELECT 1 FROM stored_events WHERE originator_id >= ? AND originator_id < ? LIMIT 1"


class State(IntEnum):
    """Is how far a period's clearing got."""

    NONE = 0
    OPEN = 1
    CUT_OFF = 2
    DRAFTED = 3
    CHECKED = 4
    SIGNED = 5
    SEALED = 6

    @property
    def code(self) -> str:
        """Returns the lower-case name that tables and ``--json`` carry."""
        return self.name.lower()


@dataclass(frozen=True, slots=True)
class Clearing:
    """Is one period's clearing as its stream tells it; ``position`` is that of the last event that moved it.

    ``opened`` and ``closed`` are positions, 0 where it did not happen. Who acted is empty where nobody did.
    """

    period: int
    state: State = State.NONE
    position: int = 0
    opened: int = 0
    closed: int = 0
    frozen: PeriodClosed | None = None
    drafted: ClearingDrafted | None = None
    checked_by: str = ""
    signed_by: str = ""


def evolve(state: Clearing, position: int, event: Event) -> Clearing:
    """Returns the clearing after an event of its period's stream; one that is no step of it changes nothing."""
    period, opened, closed, frozen = state.period, state.opened, state.closed, state.frozen
    drafted, checker = state.drafted, state.checked_by
    match event:
        case PeriodOpened():
            return Clearing(period, State.OPEN, position, position)
        case PeriodClosed():
            return Clearing(period, State.CUT_OFF, position, opened, position, event)
        case ClearingDrafted():
            return Clearing(period, State.DRAFTED, position, opened, closed, frozen, event)
        case ClearingChecked():
            return Clearing(period, State.CHECKED, position, opened, closed, frozen, drafted, event.actor)
        case ClearingSigned():
            return Clearing(period, State.SIGNED, position, opened, closed, frozen, drafted, checker, event.actor)
        case ClearingWithdrawn():
            return Clearing(period, State.CUT_OFF, position, opened, closed, frozen)
    return state


def decide_draft(state: Clearing) -> Refusal:
    """Returns why a clearing is not drawn up, or Refusal.NONE; one drawn up is withdrawn before it is anew."""
    if state.state < State.CUT_OFF:
        return Refusal.PERIOD_NOT_CLOSED
    if state.state >= State.DRAFTED:
        return Refusal.CLEARING_STANDS
    return Refusal.NONE


def decide_check(state: Clearing, actor: str, cause: int, *, reasoned: bool) -> Event | Refusal:
    """Returns the check of a draft, or why not; claims carried beyond the terms need a reason on record."""
    if state.state < State.DRAFTED:
        return Refusal.CLEARING_NOT_DRAFTED
    if state.state > State.DRAFTED:
        return Refusal.CLEARING_STANDS
    assert state.drafted is not None
    if state.drafted.overdue_acts and not reasoned:
        return Refusal.CARRIED_TOO_LONG
    return ClearingChecked(cause, 0, state.period, actor, state.position)


def decide_sign(state: Clearing, actor: str, cause: int) -> Event | Refusal:
    """Returns the signature under a checked clearing, or why not; the checker may not sign."""
    if state.state < State.CHECKED:
        return Refusal.CLEARING_NOT_CHECKED
    if state.state > State.CHECKED:
        return Refusal.CLEARING_STANDS
    if actor == state.checked_by:
        return Refusal.SAME_PERSON
    return ClearingSigned(cause, 0, state.period, actor, state.position)


def decide_withdraw(state: Clearing, actor: str, of: int, cause: int, *, paid: bool) -> Event | Refusal:
    """Returns what takes a clearing back as a whole, or why not; ``of`` must be the position it stands on."""
    if state.state < State.DRAFTED:
        return Refusal.CLEARING_NOT_DRAFTED
    if state.state == State.SEALED:
        return Refusal.CLEARING_SEALED
    if paid:
        return Refusal.CLEARING_PAID
    if of != state.position:
        return Refusal.CLEARING_REFERENCE
    return ClearingWithdrawn(cause, 0, state.period, actor, state.position)


def decide_pay(state: Clearing) -> Refusal:
    """Returns why nothing of a clearing may be paid, or Refusal.NONE."""
    if state.state < State.CUT_OFF:
        return Refusal.PERIOD_NOT_CLOSED
    if state.state < State.SIGNED:
        return Refusal.CLEARING_NOT_SIGNED
    return Refusal.NONE


def read_clearing(reader: "Reader", period: int, stop: int | None = None) -> Clearing:
    """Returns a period's clearing as its stream tells it up to a position (None: the head of the log)."""
    state = Clearing(period)
    for position, _, topic, stored in reader.stream(period_stream(period)):
        if stop is None or position <= stop:
            state = evolve(state, position, decode_event(topic, stored))
    return state


def is_paid(reader: "Reader", period: int) -> bool:
    """Returns whether any payment of a period is instructed."""
    return any(
        reader.query(ANY_PAYMENT, (f"payment-{kind}-{period:06d}-", f"payment-{kind}-{period:06d}."))
        for kind in (PAYMENT_REGION, PAYMENT_INSTITUTION)
    )
