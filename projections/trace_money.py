"""Reads a payment, and money claimed back, from its stream as a trace shows it."""

from typing import TYPE_CHECKING

from core_ext.layout import AMOUNTS, FUND_PARTS
from ledger.events import ClawbackCollected, ClawbackRaised, Event, PaymentConfirmed, PaymentInstructed
from ledger.mapper import decode_event
from ledger.paying.events import ClawbackOffset
from ledger.payments import KIND_NAMES, PaymentState, evolve
from projections.trace_tree import Clawback, Collection, Payment

if TYPE_CHECKING:
    from ledger.store import Reader


def _events(reader: "Reader", stream: str) -> list[tuple[int, Event]]:
    return [(position, decode_event(topic, state)) for position, _, topic, state in reader.stream(stream)]


def payment_of(reader: "Reader", stream: str) -> Payment | None:
    """Returns the payment of a stream, None where the log has none."""
    events = _events(reader, stream)
    if not events:
        return None
    position, instructed = events[0]
    assert isinstance(instructed, PaymentInstructed)
    state, confirmed = PaymentState(), 0
    for at, event in events:
        state = evolve(state, event, at)
        confirmed = at if isinstance(event, PaymentConfirmed) else confirmed
    receipt = state.confirmed.receipt if state.confirmed else ""
    return Payment(
        stream,
        position,
        KIND_NAMES[instructed.kind],
        instructed.period,
        instructed.payer,
        instructed.payee,
        instructed.acts,
        instructed.amount_fen + instructed.retained_fen + instructed.offset_fen,
        confirmed if state.confirmed else 0,
        receipt,
        instructed.withheld_fen,
        instructed.returned_fen,
        state.code,
    )


def clawback_of(reader: "Reader", stream: str) -> Clawback | None:
    """Returns the clawback of a stream with what came in and what was set off, None where the log has none."""
    events = _events(reader, stream)
    if not events:
        return None
    position, raised = events[0]
    assert isinstance(raised, ClawbackRaised)
    parts = zip((AMOUNTS[at] for at in FUND_PARTS), raised.funds, strict=True)
    collected = [
        Collection(at, event.amount_fen, event.receipt)
        if isinstance(event, ClawbackCollected)
        else Collection(at, event.amount_fen, "", event.payment)
        for at, event in events
        if isinstance(event, ClawbackCollected | ClawbackOffset)
    ]
    return Clawback(
        stream.removeprefix("clawback-"),
        position,
        raised.claim,
        raised.amount_fen,
        {name: part for name, part in parts if part},
        tuple(collected),
    )
