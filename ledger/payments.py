"""Decides payments: what is owed a payee is instructed once; every fen of it is in transit, received, back or set off.

At any time ``instructed = in transit + received + sent back + set off``. Amounts carry the sign of the instruction:
below zero the payee owes it, and what an institution owes is set off against a later payment to it. Only what failed
or came back is sent again, by reference to the event that said so.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

import msgspec

from ledger.events import (
    PAYMENT_ADVANCE,
    PAYMENT_INSTITUTION,
    PAYMENT_PERSON,
    PAYMENT_REGION,
    PAYMENT_RETENTION,
    PAYMENT_SENT_BACK,
    PAYMENT_SUPPLIER,
    PAYMENT_SURPLUS,
    PAYMENT_WORKING,
    Event,
    PaymentConfirmed,
    PaymentInstructed,
)
from ledger.keys import payment_stream
from ledger.knowledge import streams_with_prefix
from ledger.mapper import decode_event
from ledger.paying.events import PaymentFailed, PaymentReceivedInPart, PaymentResent, PaymentReturned, PaymentSetOff
from ledger.refusals import Refusal

if TYPE_CHECKING:
    from ledger.store import Reader

ALL_KINDS = (
    *(PAYMENT_REGION, PAYMENT_INSTITUTION, PAYMENT_RETENTION, PAYMENT_ADVANCE),
    *(PAYMENT_WORKING, PAYMENT_SUPPLIER, PAYMENT_SURPLUS, PAYMENT_SENT_BACK, PAYMENT_PERSON),
)
#: What each kind is called.
KIND_NAMES = dict(
    zip(
        ALL_KINDS,
        (
            *("region", "institution", "retention", "advance", "working_capital", "supplier", "surplus"),
            *("sent_back", "person"),
        ),
        strict=True,
    )
)  # fmt: skip
KINDS = {
    "regions": (PAYMENT_REGION,),
    "institutions": (PAYMENT_INSTITUTION,),
    "all": (PAYMENT_REGION, PAYMENT_INSTITUTION),
}


class Due(msgspec.Struct, frozen=True):
    """Is what one payer owes one payee for a period: acts, fund and account parts in fen.

    ``withheld_fen``, ``returned_fen``, ``retained_fen`` and ``offset_fen`` come off it, as in PaymentInstructed.
    """

    kind: int
    payer: int
    payee: str
    acts: int
    fund_fen: int
    account_fen: int
    withheld_fen: int = 0
    returned_fen: int = 0
    retained_fen: int = 0
    offset_fen: int = 0

    @property
    def less_fen(self) -> int:
        """Returns all that comes off."""
        return self.withheld_fen + self.returned_fen + self.retained_fen + self.offset_fen

    @property
    def amount_fen(self) -> int:
        """Returns fund and account parts together, less what comes off."""
        return self.fund_fen + self.account_fen - self.less_fen

    @property
    def moves(self) -> bool:
        """Returns whether there is anything to instruct, were it only that all of it is withheld."""
        less = (self.withheld_fen, self.returned_fen, self.retained_fen, self.offset_fen)
        return bool(self.amount_fen or any(less))


@dataclass(frozen=True, slots=True)
class PaymentState:
    """Is one payment as its stream tells it; ``confirmed`` is the last confirmation while nothing came back.

    ``failure`` is the position of the last event that sent money back, 0 where none did; ``receipts`` the bank's
    numbers that brought it forward, ``returns`` those that brought it back, ``failed`` the attempts that failed.
    """

    instructed: PaymentInstructed | None = None
    confirmed: PaymentConfirmed | None = None
    transit_fen: int = 0
    received_fen: int = 0
    back_fen: int = 0
    set_off_fen: int = 0
    attempt: int = 0
    failure: int = 0
    receipts: tuple[str, ...] = field(default=())
    returns: tuple[str, ...] = field(default=())
    failed: tuple[int, ...] = field(default=())

    @property
    def code(self) -> str:
        """Returns the state in a word: instructed, part, confirmed, failed, returned, resent, set_off or withheld."""
        if self.instructed is None:
            return "none"
        if self.back_fen:
            return "returned" if self.returns else "failed"
        if not self.transit_fen:
            return "confirmed" if self.received_fen else "set_off" if self.set_off_fen else "withheld"
        if self.received_fen:
            return "part"
        return "resent" if self.attempt > 1 else "instructed"


def evolve(state: PaymentState, event: Event, position: int = 0) -> PaymentState:
    """Returns the state after an event of the payment's stream, which stands at ``position``."""
    match event:
        case PaymentInstructed(amount_fen=a):
            return replace(state, instructed=event, transit_fen=a, attempt=1)
        case PaymentConfirmed(amount_fen=a, receipt=receipt) | PaymentReceivedInPart(amount_fen=a, receipt=receipt):
            return replace(
                state,
                confirmed=event if isinstance(event, PaymentConfirmed) else None,
                transit_fen=state.transit_fen - a,
                received_fen=state.received_fen + a,
                receipts=(*state.receipts, receipt),
            )
        case PaymentFailed(amount_fen=a, attempt=attempt):
            return replace(
                state,
                failure=position,
                failed=(*state.failed, attempt),
                transit_fen=state.transit_fen - a,
                back_fen=state.back_fen + a,
            )
        case PaymentReturned(amount_fen=a, receipt=receipt):
            return replace(
                state,
                failure=position,
                confirmed=None,
                returns=(*state.returns, receipt),
                received_fen=state.received_fen - a,
                back_fen=state.back_fen + a,
            )
        case PaymentSetOff(amount_fen=a):
            return replace(state, transit_fen=state.transit_fen - a, set_off_fen=state.set_off_fen + a)
        case PaymentResent(amount_fen=a, attempt=attempt):
            return replace(state, attempt=attempt, transit_fen=state.transit_fen + a, back_fen=state.back_fen - a)
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
    return [(stream, 1, instruction(period, moving[stream], cause)) for stream in fresh]


def instruction(period: int, due: Due, cause: int, behalf: str = "") -> PaymentInstructed:
    """Returns the instruction of a due."""
    return PaymentInstructed(
        cause, 0, period, due.kind, due.payer, due.payee, due.acts, due.fund_fen, due.account_fen, due.amount_fen,
        due.withheld_fen, due.returned_fen, due.retained_fen, due.offset_fen, behalf,
    )  # fmt: skip


def decide_confirm(state: PaymentState, amount_fen: int, receipt: str, cause: int) -> Event | Refusal:
    """Returns the confirmation of all that is in transit, or why not; the same receipt twice is ALREADY_PAID."""
    refusal = _receivable(state, receipt)
    if refusal:
        return refusal
    if amount_fen != state.transit_fen:
        return Refusal.WRONG_AMOUNT
    return PaymentConfirmed(cause, 0, amount_fen, receipt)


def decide_receive(state: PaymentState, amount_fen: int, receipt: str, cause: int, row: int = 0) -> Event | Refusal:
    """Returns what a receipt of an amount is to a payment: its confirmation where nothing is left, else a part."""
    refusal = _receivable(state, receipt)
    if refusal:
        return refusal
    if not _within(amount_fen, state.transit_fen):
        return Refusal.WRONG_AMOUNT
    if amount_fen == state.transit_fen:
        return PaymentConfirmed(cause, row, amount_fen, receipt)
    return PaymentReceivedInPart(cause, row, amount_fen, receipt)


def _receivable(state: PaymentState, receipt: str) -> Refusal:
    if state.instructed is None:
        return Refusal.NOT_INSTRUCTED
    if not state.transit_fen:
        return Refusal.NOT_IN_TRANSIT if state.back_fen else Refusal.ALREADY_PAID
    if not receipt:
        return Refusal.BAD_KEY
    return Refusal.ALREADY_PAID if receipt in state.receipts else Refusal.NONE


def decide_fail(state: PaymentState, attempt: int, reason: str, cause: int, row: int = 0) -> Event | Refusal:
    """Returns the failure of what is in transit, or why not; ``attempt`` must be the one that is under way."""
    if state.instructed is None:
        return Refusal.NOT_INSTRUCTED
    if attempt != state.attempt:
        return Refusal.STALE_ATTEMPT
    if not state.transit_fen:
        return Refusal.NOT_IN_TRANSIT
    return PaymentFailed(cause, row, attempt, state.transit_fen, reason)


def decide_return(
    state: PaymentState, amount_fen: int, receipt: str, reason: str, cause: int, row: int = 0
) -> Event | Refusal:
    """Returns the return of money that had been received, or why not; a return's receipt counts once."""
    if state.instructed is None:
        return Refusal.NOT_INSTRUCTED
    if not receipt:
        return Refusal.BAD_KEY
    if receipt in state.returns:
        return Refusal.RECEIPT_CONFLICT
    if not _within(amount_fen, state.received_fen):
        return Refusal.WRONG_AMOUNT
    return PaymentReturned(cause, row, amount_fen, receipt, reason)


def decide_resend(state: PaymentState, failure: int, cause: int) -> Event | Refusal:
    """Returns the instruction again of what failed or came back, or why not; ``failure`` names the last such event."""
    if state.instructed is None:
        return Refusal.NOT_INSTRUCTED
    if not state.back_fen:
        return Refusal.NOTHING_TO_RESEND
    if failure != state.failure:
        return Refusal.STALE_ATTEMPT
    return PaymentResent(cause, 0, state.attempt + 1, state.back_fen, failure)


def _within(amount_fen: int, limit_fen: int) -> bool:
    """Returns whether an amount other than 0 has the limit's sign and is not beyond it."""
    return 0 < amount_fen <= limit_fen or limit_fen <= amount_fen < 0


def due_stream(period: int, due: Due) -> str:
    """Returns the stream of the payment that settles a due."""
    return payment_stream(due.kind, period, due.payer, due.payee)


def read_payment(reader: "Reader", stream: str) -> tuple[PaymentState, int]:
    """Returns a payment and the version of its last event, 0 where there is none."""
    state, events = PaymentState(), reader.stream(stream)
    for position, _, topic, stored in events:
        state = evolve(state, decode_event(topic, stored), position)
    return state, len(events)


def read_payments(reader: "Reader", period: int, kinds: Iterable[int] = ALL_KINDS) -> dict[str, PaymentState]:
    """Returns every payment of a period, by its stream."""
    found: dict[str, PaymentState] = {}
    for kind in kinds:
        for position, stream, _, topic, stored in streams_with_prefix(reader, f"payment-{kind}-{period:06d}"):
            found[stream] = evolve(found.get(stream, PaymentState()), decode_event(topic, stored), position)
    return found
