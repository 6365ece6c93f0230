"""Decides the money of a case, kind by kind: raised, collected, offset, by instalments, written off, reversed."""

from collections.abc import Sequence
from dataclasses import dataclass, field

from core_ext.layout import AMOUNTS, FUND_PARTS
from ledger.casework.events import (
    FINE,
    PENALTY,
    WITHHELD_KINDS,
    RecoveryCollected,
    RecoveryOffset,
    RecoveryRaised,
    RecoveryReversed,
    RecoveryScheduled,
    RecoveryWrittenOff,
)
from ledger.clawbacks import split
from ledger.event import Event
from ledger.money import round_half_up
from ledger.postings import fund_codes
from ledger.refusals import Refusal

BASIS_POINTS = 10_000

Shares = tuple[int, ...]


@dataclass(slots=True)
class RecoveryState:
    """Is one kind of money of a case; lists hold fen per part, one entry for a penalty or a fine."""

    raised: RecoveryRaised | None = None
    due: list[int] = field(default_factory=list)
    collected: list[int] = field(default_factory=list)
    offset: list[int] = field(default_factory=list)
    written_off: list[int] = field(default_factory=list)
    cancelled: list[int] = field(default_factory=list)
    repaid: list[int] = field(default_factory=list)
    receipts: set[str] = field(default_factory=set)
    instalments: tuple[tuple[int, int], ...] = ()
    plan_came_in: int = 0

    @property
    def came_in(self) -> list[int]:
        """Returns what came in by each part, however it came and wherever it went since."""
        return [a + b for a, b in zip(self.collected, self.offset, strict=True)]

    @property
    def outstanding(self) -> list[int]:
        """Returns what is still to come in by each part."""
        columns = zip(self.due, self.came_in, self.written_off, self.cancelled, strict=True)
        return [due - came - off - gone for due, came, off, gone in columns]

    def missed_fen(self, on: int) -> int:
        """Returns how much of the instalments due before a day has not come in."""
        planned = sum(fen for day, fen in self.instalments if day < on)
        return min(sum(self.outstanding), max(0, planned - (sum(self.came_in) - self.plan_came_in)))


def evolve(state: RecoveryState, event: Event) -> RecoveryState:
    """Returns the state after an event of the recovery's stream."""
    match event:
        case RecoveryRaised():
            state.raised = event
            state.due = [part[4] for part in event.parts] or [event.amount_fen]
            zeros = [0] * len(state.due)
            state.written_off, state.cancelled, state.repaid = zeros[:], zeros[:], zeros[:]
            state.collected, state.offset = zeros[:], zeros[:]
            if event.kind in WITHHELD_KINDS:
                state.offset = state.due[:]
        case RecoveryCollected():
            _add(state.collected, event.shares)
            state.receipts.add(event.receipt)
        case RecoveryOffset():
            _add(state.offset, event.shares)
        case RecoveryScheduled():
            state.instalments, state.plan_came_in = event.instalments, sum(state.came_in)
        case RecoveryWrittenOff():
            _add(state.written_off, event.shares)
        case RecoveryReversed():
            _add(state.cancelled, event.cancelled)
            _add(state.repaid, event.repaid)
    return state


def _add(column: list[int], shares: Sequence[int]) -> None:
    for at, share in enumerate(shares):
        column[at] += share


def fill(amount_fen: int, room: Sequence[int], backward: bool = False) -> Shares:
    """Returns an amount filled into parts, the first first (``backward``: the last first); what is over is left."""
    shares = [0] * len(room)
    order = range(len(room) - 1, -1, -1) if backward else range(len(room))
    for at in order:
        shares[at] = min(amount_fen, room[at])
        amount_fen -= shares[at]
    return tuple(shares)


def parts_of(
    claim: int,
    insured_region: int,
    insutype: int,
    amount_fen: int,
    paid: Sequence[int],
    recovered: Sequence[int],
    order: Sequence[str],
) -> list[tuple[int, int, int, int, int]] | None:
    """Returns the parts of an amount on one claim, fund by fund in ``order``; None where the funds paid less."""
    funds = split(amount_fen, paid, recovered, order)
    if funds is None:
        return None
    codes = fund_codes(insutype)
    listed = [(claim, insured_region, fund, codes[fund], funds[fund]) for fund in range(len(FUND_PARTS)) if funds[fund]]
    rank = {name: at for at, name in enumerate(order)}
    return sorted(listed, key=lambda part: rank[AMOUNTS[FUND_PARTS[part[2]]]])


def decide_raise(
    state: RecoveryState,
    *,
    cause: int,
    kind: int,
    case: str,
    debtor: str,
    region: int,
    on: int,
    amount_fen: int,
    parts: Sequence[tuple[int, int, int, int, int]] = (),
    base_fen: int = 0,
    multiple: int = 0,
    allowed: tuple[int, int] = (0, 0),
) -> Event | Refusal:
    """Returns money of one kind raised, or why not; a fine is ``multiple`` basis points of ``base_fen``."""
    if state.raised is not None:
        return Refusal.STREAM_EXISTS
    if kind == FINE:
        if not allowed[0] <= multiple <= allowed[1]:
            return Refusal.FINE_OUT_OF_RANGE
        amount_fen = round_half_up(base_fen * multiple, BASIS_POINTS)
    if amount_fen <= 0:
        return Refusal.POSTINGS_EMPTY
    if kind in WITHHELD_KINDS and debtor.startswith("person-"):
        return Refusal.CASE_MIXED
    said = (kind, case, debtor, region, on, amount_fen, tuple(parts), base_fen, multiple)
    return RecoveryRaised(cause, 0, *said)


def _room(state: RecoveryState, amount_fen: int) -> Refusal:
    if state.raised is None:
        return Refusal.UNKNOWN_KEY
    if amount_fen <= 0:
        return Refusal.POSTINGS_EMPTY
    if amount_fen > sum(state.outstanding):
        return Refusal.OVER_COLLECTED
    return Refusal.NONE


def decide_collect(state: RecoveryState, cause: int, on: int, amount_fen: int, receipt: str) -> Event | Refusal:
    """Returns a collection by a receipt, or why not: never more than is outstanding, a receipt once."""
    if refusal := _room(state, amount_fen):
        return refusal
    if not receipt:
        return Refusal.BAD_KEY
    if receipt in state.receipts:
        return Refusal.STREAM_EXISTS
    return RecoveryCollected(cause, 0, on, amount_fen, fill(amount_fen, state.outstanding), receipt)


def decide_offset(state: RecoveryState, cause: int, on: int, amount_fen: int) -> Event | Refusal:
    """Returns an offset against the institution's next payment, or why not: a fine is the treasury's, a person's
    debt meets no payment."""
    if refusal := _room(state, amount_fen):
        return refusal
    assert state.raised is not None
    if state.raised.kind in (FINE, PENALTY) or state.raised.debtor.startswith("person-"):
        return Refusal.CASE_MIXED
    return RecoveryOffset(cause, 0, on, amount_fen, fill(amount_fen, state.outstanding))


def decide_instal(state: RecoveryState, cause: int, on: int, instalments: Sequence[tuple[int, int]]) -> Event | Refusal:
    """Returns a plan of instalments, or why not: days ahead in order, amounts that sum to what is outstanding."""
    if refusal := _room(state, sum(fen for _, fen in instalments)):
        return refusal if refusal != Refusal.OVER_COLLECTED else Refusal.INSTALMENTS_WRONG
    days = [day for day, _ in instalments]
    sound = days == sorted(set(days)) and days[0] >= on and all(fen > 0 for _, fen in instalments)
    if not sound or sum(fen for _, fen in instalments) != sum(state.outstanding):
        return Refusal.INSTALMENTS_WRONG
    return RecoveryScheduled(cause, 0, on, tuple(instalments))


def decide_write_off(state: RecoveryState, cause: int, on: int, amount_fen: int, reason: str) -> Event | Refusal:
    """Returns a write-off of what is outstanding, the last part first, or why not; it needs its reason."""
    if refusal := _room(state, amount_fen):
        return refusal
    if not reason.strip():
        return Refusal.BAD_VALUE
    shares = fill(amount_fen, state.outstanding, backward=True)
    return RecoveryWrittenOff(cause, 0, on, amount_fen, shares, reason)


def decide_reverse(state: RecoveryState, cause: int, on: int, amount_fen: int, reason: str) -> Event | Refusal:
    """Returns a reversal after a won appeal: first what is outstanding, then what came in, the last part first.

    Never more than was raised, less what was written off or reversed before.
    """
    if state.raised is None:
        return Refusal.UNKNOWN_KEY
    if amount_fen <= 0:
        return Refusal.POSTINGS_EMPTY
    if not reason.strip():
        return Refusal.BAD_VALUE
    cancelled = fill(amount_fen, state.outstanding, backward=True)
    held = [came - back for came, back in zip(state.came_in, state.repaid, strict=True)]
    repaid = fill(amount_fen - sum(cancelled), held, backward=True)
    if sum(cancelled) + sum(repaid) != amount_fen:
        return Refusal.REVERSED_TOO_MUCH
    return RecoveryReversed(cause, 0, on, amount_fen, cancelled, repaid, reason)
