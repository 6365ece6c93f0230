"""Decides clawbacks (追回): raised on a settled claim, split over the funds that paid, collected piece by piece."""

from collections.abc import Sequence
from dataclasses import dataclass, field

from core_ext.layout import AMOUNT, AMOUNTS, FUND_PARTS
from ledger.events import ClawbackCollected, ClawbackRaised, Event
from ledger.paying.events import ClawbackOffset
from ledger.refusals import Refusal

#: The order in which funds get their money back where the policy names none: last payer first.
DEFAULT_FUND_ORDER = (
    "oth_pay",
    "maf_pay",
    "hifdm_pay",
    "cvlserv_pay",
    "hifmi_pay",
    "hifes_pay",
    "hifob_pay",
    "hifp_pay",
)


@dataclass(slots=True)
class ClawbackState:
    """Is one clawback case as its stream tells it."""

    raised: ClawbackRaised | None = None
    collected_fen: int = 0
    receipts: set[str] = field(default_factory=set)

    @property
    def outstanding_fen(self) -> int:
        """Returns what is still to collect."""
        return (self.raised.amount_fen if self.raised else 0) - self.collected_fen


def evolve(state: ClawbackState, event: Event) -> ClawbackState:
    """Returns the state after an event of the case's stream."""
    if isinstance(event, ClawbackRaised):
        state.raised = event
    elif isinstance(event, ClawbackCollected):
        state.collected_fen += event.amount_fen
        state.receipts.add(event.receipt)
    elif isinstance(event, ClawbackOffset):
        state.collected_fen += event.amount_fen
    return state


def split(
    amount_fen: int, paid: Sequence[int], recovered: Sequence[int], order: Sequence[str]
) -> tuple[int, ...] | None:
    """Returns the parts of a clawback per fund (AMOUNTS[1:9] order), or None where the funds did not pay that much.

    ``paid`` and ``recovered`` are fen per fund in the same order: what the claim's funds paid and what earlier
    clawbacks already took back. Each fund is filled in turn, so the parts sum to the amount exactly.
    """
    parts = [0] * len(FUND_PARTS)
    rest = amount_fen
    for name in order:
        at = AMOUNT[name] - FUND_PARTS[0]
        parts[at] = min(rest, max(0, paid[at] - recovered[at]))
        rest -= parts[at]
    return None if rest else tuple(parts)


def decide_raise(
    state: ClawbackState,
    *,
    cause: int,
    claim: int,
    regions: tuple[int, int],
    institution: str,
    amount_fen: int,
    amounts: Sequence[int],
    recovered: Sequence[int],
    reversed_: bool,
    order: Sequence[str],
) -> Event | Refusal:
    """Returns the clawback raised on a claim whose booked ``amounts`` stand, or why not."""
    if state.raised is not None:
        return Refusal.STREAM_EXISTS
    if amount_fen <= 0:
        return Refusal.POSTINGS_EMPTY
    if reversed_:
        return Refusal.ALREADY_REVERSED
    paid = [amounts[at] for at in FUND_PARTS]
    parts = split(amount_fen, paid, recovered, order)
    if parts is None:
        return Refusal.CLAWBACK_TOO_LARGE
    return ClawbackRaised(cause, 0, claim, regions[0], regions[1], institution, amount_fen, parts)


def decide_collect(state: ClawbackState, *, cause: int, amount_fen: int, receipt: str) -> Event | Refusal:
    """Returns the collection of a part of a clawback, or why not; never more than is outstanding."""
    if state.raised is None:
        return Refusal.UNKNOWN_KEY
    if not receipt:
        return Refusal.BAD_KEY
    if receipt in state.receipts:
        return Refusal.STREAM_EXISTS
    if amount_fen <= 0:
        return Refusal.POSTINGS_EMPTY
    if amount_fen > state.outstanding_fen:
        return Refusal.OVER_COLLECTED
    return ClawbackCollected(cause, 0, amount_fen, receipt)


def decide_offset(state: ClawbackState, *, cause: int, amount_fen: int, payment: str = "") -> Event | Refusal:
    """Returns an offset against the institution's next payments (or with ``payment``), or why not."""
    if state.raised is None:
        return Refusal.UNKNOWN_KEY
    if amount_fen <= 0:
        return Refusal.POSTINGS_EMPTY
    if amount_fen > state.outstanding_fen:
        return Refusal.OVER_COLLECTED
    return ClawbackOffset(cause, 0, amount_fen, payment)


assert set(DEFAULT_FUND_ORDER) == {AMOUNTS[at] for at in FUND_PARTS}
