"""Decides payments of drug suppliers for an institution (第三方支付) under a bank guarantee and its limit.

What is paid to a supplier stays in use of the guarantee until a clearing's payment to the institution is less by it.
"""

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from ledger.event import Event
from ledger.keys import guarantee_stream
from ledger.knowledge import streams_with_prefix
from ledger.mapper import decode_event
from ledger.paying.events import GuaranteeSet, SupplierPaid, SupplierRecovered
from ledger.paying.reports import Guarantee
from ledger.refusals import Refusal

if TYPE_CHECKING:
    from ledger.store import Reader


@dataclass(frozen=True, slots=True)
class GuaranteeState:
    """Is an institution's guarantee in force, what is in use of it (fen), and the invoices paid under it."""

    held: GuaranteeSet | None = None
    used_fen: int = 0
    invoices: frozenset[tuple[str, str]] = frozenset()
    version: int = 0

    def left_fen(self, on: int) -> int:
        """Returns what may still be paid on a day (yyyymmdd); nothing outside the guarantee's days."""
        if self.held is None or on < self.held.begin or (self.held.to and on > self.held.to):
            return 0
        return self.held.limit_fen - self.used_fen


def evolve(state: GuaranteeState, event: Event) -> GuaranteeState:
    """Returns the state after an event of the guarantee's stream."""
    version = state.version + 1
    match event:
        case GuaranteeSet():
            return replace(state, held=event, version=version)
        case SupplierPaid(supplier=supplier, invoice=invoice, amount_fen=a):
            invoices = state.invoices | {(supplier, invoice)}
            return replace(state, used_fen=state.used_fen + a, invoices=invoices, version=version)
        case SupplierRecovered(amount_fen=a):
            return replace(state, used_fen=state.used_fen - a, version=version)
    return state


def decide_pay(state: GuaranteeState, supplier: str, invoice: str, amount_fen: int, on: int) -> Refusal:
    """Returns why a supplier is not paid, or Refusal.NONE."""
    if amount_fen <= 0:
        return Refusal.POSTINGS_EMPTY
    if (supplier, invoice) in state.invoices:
        return Refusal.STREAM_EXISTS
    if amount_fen > state.left_fen(on):
        return Refusal.GUARANTEE_EXCEEDED
    return Refusal.NONE


def read_guarantee(reader: "Reader", region: int, institution: str) -> GuaranteeState:
    """Returns an institution's guarantee in a region."""
    state = GuaranteeState()
    for _, _, topic, stored in reader.stream(guarantee_stream(region, institution)):
        state = evolve(state, decode_event(topic, stored))
    return state


def read_all(reader: "Reader") -> list[GuaranteeState]:
    """Returns every institution's guarantee."""
    found: dict[str, GuaranteeState] = {}
    for _, stream, _, topic, stored in streams_with_prefix(reader, "guarantee"):
        found[stream] = evolve(found.get(stream, GuaranteeState()), decode_event(topic, stored))
    return list(found.values())


def report(state: GuaranteeState) -> Guarantee:
    """Returns the report of a guarantee."""
    held = state.held
    assert held is not None
    return Guarantee(held.region, held.payee, held.bank, held.code, held.begin, held.to, held.limit_fen, state.used_fen)
