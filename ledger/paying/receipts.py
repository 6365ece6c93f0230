"""Decides receipts: one never confirms more than its amount, money that nobody can place is in suspense (待查)."""

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from ledger.event import Event
from ledger.keys import receipt_stream
from ledger.mapper import decode_event
from ledger.paying.events import ReceiptMatched, ReceiptNoted, ReceiptSentBack, ReceiptSuspended, ReceiptUsed
from ledger.refusals import Refusal

if TYPE_CHECKING:
    from ledger.store import Reader


@dataclass(frozen=True, slots=True)
class ReceiptState:
    """Is one receipt as its stream tells it: its amount, what was used of it (both absolute, fen), its version.

    ``sent_back_fen`` is what of the used part went back to its sender.
    """

    opened: ReceiptNoted | ReceiptSuspended | None = None
    used_fen: int = 0
    sent_back_fen: int = 0
    version: int = 0

    @property
    def amount_fen(self) -> int:
        """Returns the receipt's whole amount."""
        return self.opened.amount_fen if self.opened else 0

    @property
    def left_fen(self) -> int:
        """Returns what it may still confirm."""
        return self.amount_fen - self.used_fen


def evolve(state: ReceiptState, event: Event) -> ReceiptState:
    """Returns the state after an event of the receipt's stream."""
    version = state.version + 1
    if isinstance(event, (ReceiptNoted, ReceiptSuspended)):
        return replace(state, opened=event, version=version)
    if isinstance(event, (ReceiptUsed, ReceiptMatched)):
        return replace(state, used_fen=state.used_fen + event.amount_fen, version=version)
    if isinstance(event, ReceiptSentBack):
        used, back = state.used_fen + event.amount_fen, state.sent_back_fen + event.amount_fen
        return replace(state, used_fen=used, sent_back_fen=back, version=version)
    return state


def read_receipt(reader: "Reader", region: int, receipt: str) -> ReceiptState:
    """Returns a receipt of a region's bank."""
    state = ReceiptState()
    for _, _, topic, stored in reader.stream(receipt_stream(region, receipt)):
        state = evolve(state, decode_event(topic, stored))
    return state


def decide_use(
    state: ReceiptState, region: int, receipt: str, amount_fen: int, whole_fen: int | None, payment: str, cause: int
) -> list[Event] | Refusal:
    """Returns the events that use a part of a receipt for a payment, noting the receipt first, or why not.

    ``whole_fen`` is what the receipt comes to altogether, where it is stated; else the first use is all of it.
    Amounts are absolute: a receipt has no sign.
    """
    amount = abs(amount_fen)
    events: list[Event] = []
    if state.opened is None:
        whole = amount if whole_fen is None else abs(whole_fen)
        events.append(ReceiptNoted(cause, 0, region, receipt, whole))
        left = whole
    elif isinstance(state.opened, ReceiptSuspended) or whole_fen not in (None, state.amount_fen):
        return Refusal.RECEIPT_CONFLICT
    else:
        left = state.left_fen
    if amount > left:
        return Refusal.RECEIPT_EXHAUSTED
    return [*events, ReceiptUsed(cause, 0, amount, payment)]


def decide_suspend(
    state: ReceiptState, region: int, receipt: str, amount_fen: int, sender: str, cause: int
) -> list[Event] | Refusal:
    """Returns the event that takes a receipt into suspense; none where it is there already, equal in all."""
    if amount_fen <= 0:
        return Refusal.POSTINGS_EMPTY
    if state.opened is None:
        return [ReceiptSuspended(cause, 0, region, receipt, amount_fen, sender)]
    held = state.opened
    if isinstance(held, ReceiptSuspended) and (held.amount_fen, held.sender) == (amount_fen, sender):
        return []
    return Refusal.RECEIPT_CONFLICT


def decide_match(state: ReceiptState, amount_fen: int, key: str, cause: int) -> Event | Refusal:
    """Returns what takes a part of a suspended receipt out of suspense, or why not."""
    return _in_suspense(state, amount_fen) or ReceiptMatched(cause, 0, amount_fen, key)


def decide_send_back(state: ReceiptState, amount_fen: int, payee: str, payment: str, cause: int) -> Event | Refusal:
    """Returns what takes a part of a suspended receipt out of suspense to send it back, or why not."""
    refusal = _in_suspense(state, amount_fen)
    if refusal or state.opened is None:
        return refusal
    return ReceiptSentBack(cause, 0, state.opened.region, payee, amount_fen, payment)


def _in_suspense(state: ReceiptState, amount_fen: int) -> Refusal:
    if not isinstance(state.opened, ReceiptSuspended):
        return Refusal.UNKNOWN_KEY
    if amount_fen <= 0:
        return Refusal.POSTINGS_EMPTY
    return Refusal.RECEIPT_EXHAUSTED if amount_fen > state.left_fen else Refusal.NONE
