"""Decides payments: what a signed clearing owes each payee is instructed once and confirmed once."""

from collections.abc import Mapping
from dataclasses import dataclass

import msgspec

from ledger.events import (
    PAYMENT_INSTITUTION,
    PAYMENT_REGION,
    Event,
    PaymentConfirmed,
    PaymentInstructed,
)
from ledger.keys import payment_stream
from ledger.refusals import Refusal

KINDS = {
    "regions": (PAYMENT_REGION,),
    "institutions": (PAYMENT_INSTITUTION,),
    "all": (PAYMENT_REGION, PAYMENT_INSTITUTION),
}


class Due(msgspec.Struct, frozen=True):
    """Is what one payer owes one payee for a period: acts, fund and account parts in fen.

    ``withheld_fen`` and ``returned_fen`` come off it, as in PaymentInstructed.
    """

    kind: int
    payer: int
    payee: str
    acts: int
    fund_fen: int
    account_fen: int
    withheld_fen: int = 0
    returned_fen: int = 0

    @property
    def amount_fen(self) -> int:
        """Returns fund and account parts together, less what comes off."""
        return self.fund_fen + self.account_fen - self.withheld_fen - self.returned_fen

    @property
    def moves(self) -> bool:
        """Returns whether there is anything to instruct, were it only that all of it is withheld."""
        return bool(self.amount_fen or self.withheld_fen or self.returned_fen)


@dataclass(slots=True)
class PaymentState:
    """Is one payment as its stream tells it."""

    instructed: PaymentInstructed | None = None
    confirmed: PaymentConfirmed | None = None


def evolve(state: PaymentState, event: Event) -> PaymentState:
    """Returns the state after an event of the payment's stream."""
    if isinstance(event, PaymentInstructed):
        return PaymentState(event, state.confirmed)
    if isinstance(event, PaymentConfirmed):
        return PaymentState(state.instructed, event)
    return state


def decide_instruct(
    period: int, dues: Mapping[str, Due], paid: Mapping[str, int], cause: int
) -> list[tuple[str, int, Event]] | Refusal:
    """Returns the payments still to instruct for a signed period; ``paid`` holds the streams that already exist.

    A due of zero is no payment. A negative due (refunds above settlements) is instructed with its sign: the payee
    owes it back.
    """
    moving = {stream: due for stream, due in dues.items() if due.moves}
    if not moving:
        return Refusal.POSTINGS_EMPTY
    fresh = [stream for stream in moving if stream not in paid]
    if not fresh:
        return Refusal.ALREADY_PAID
    return [
        (
            stream,
            1,
            PaymentInstructed(
                cause,
                0,
                period,
                due.kind,
                due.payer,
                due.payee,
                due.acts,
                due.fund_fen,
                due.account_fen,
                due.amount_fen,
                due.withheld_fen,
                due.returned_fen,
            ),
        )
        for stream in fresh
        for due in (moving[stream],)
    ]


def decide_confirm(state: PaymentState, amount_fen: int, receipt: str, cause: int) -> Event | Refusal:
    """Returns the confirmation of a payment in full, or why not; the same receipt twice is ALREADY_PAID."""
    if state.instructed is None:
        return Refusal.NOT_INSTRUCTED
    if state.confirmed is not None:
        return Refusal.ALREADY_PAID
    if not receipt:
        return Refusal.BAD_KEY
    if amount_fen != state.instructed.amount_fen:
        return Refusal.WRONG_AMOUNT
    return PaymentConfirmed(cause, 0, amount_fen, receipt)


def due_stream(period: int, due: Due) -> str:
    """Returns the stream of the payment that settles a due."""
    return payment_stream(due.kind, period, due.payer, due.payee)
