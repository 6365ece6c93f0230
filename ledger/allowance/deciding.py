"""Decides allowances: what is granted under a policy, what is paid of it, what is revoked.

生育津贴 = the employer's monthly mean wage of the year before ÷ the days of a month × the days of leave, rounded
half-up once (recall; wage, days and payee are policy and command, never constants here).
"""

from dataclasses import dataclass

from ledger.benefit_events import AllowanceGranted, AllowancePaid, AllowanceRevoked
from ledger.event import Event
from ledger.policy_terms import MaternityAllowance
from ledger.refusals import Refusal

#: The kind of allowance as its event and stream carry it.
MATERNITY_ALLOWANCE = 1


@dataclass(slots=True)
class AllowanceState:
    """Is one allowance as its stream tells it: granted, then paid, then perhaps revoked; granted anew once revoked."""

    granted: AllowanceGranted | None = None
    paid: AllowancePaid | None = None
    revoked: bool = False


def evolve(state: AllowanceState, event: Event) -> AllowanceState:
    """Returns the state after an event of the allowance's stream."""
    if isinstance(event, AllowanceGranted):
        return AllowanceState(event)
    if isinstance(event, AllowancePaid):
        return AllowanceState(state.granted, event, state.revoked)
    if isinstance(event, AllowanceRevoked):
        return AllowanceState(state.granted, state.paid, True)
    return state


def days_of_leave(terms: MaternityAllowance, leave: str, children: int) -> int | None:
    """Returns the days of a kind of leave, more for each further child; None for a leave the policy does not name."""
    named = next((each.days for each in terms.leaves if each.leave == leave), None)
    return None if named is None else named + terms.further_child_days * (children - 1)


def amount(base_fen: int, days: int, month_days: int) -> int:
    """Returns the allowance in fen: a monthly wage by its days, for the days of leave, half-up once.

    >>> amount(810_000, 98, 30)
    2646000
    """
    return (2 * base_fen * days + month_days) // (2 * month_days)


def decide_pay(state: AllowanceState, receipt: str, amount_fen: int, cause: int) -> Event | Refusal:
    """Returns the payment in full by the bank's receipt, or why not."""
    if state.granted is None:
        return Refusal.NOT_INSTRUCTED
    if state.revoked:
        return Refusal.ALLOWANCE_REVOKED
    if state.paid is not None:
        return Refusal.ALREADY_PAID
    if not receipt:
        return Refusal.BAD_KEY
    if amount_fen != state.granted.amount_fen:
        return Refusal.WRONG_AMOUNT
    return AllowancePaid(cause, 0, amount_fen, receipt)


def decide_revoke(state: AllowanceState, cause: int) -> Event | Refusal:
    """Returns the revocation in full; of one that was paid the payee then owes the amount back."""
    if state.granted is None:
        return Refusal.NOT_INSTRUCTED
    if state.revoked:
        return Refusal.ALLOWANCE_REVOKED
    return AllowanceRevoked(cause, 0, state.granted.amount_fen)
