"""Posts the money of cases; C collects (the treatment region, of a person the insured one), I is insured, X the debtor.

==============================  =====================================================================
refused, deducted               payable:C:X +a · expense:I:k −part; off site between them, per part,
                                receivable:C:I −part, and due:I:C +part in I's book
clawed back, voluntary          clawback:C:X +a · expense:I:k −part; off site owed:C:I −part, and
                                recoverable:I:C +part in I's book
penalty                         penalty:C:X +a · penalty_income:C −a
fine                            fine:treasury-C:X +a · fine_income:treasury-C −a
collected                       bank +a · what was raised −a (a fine: the treasury's bank)
offset                          payable:C:X +a · clawback:C:X −a
written off, cancelled          the parts of what was raised, the other way round
repaid, withheld kinds          what was raised, the other way round: the next payment is larger
repaid, an institution          payable:C:X −a · expense:I:k +part, off site over owed and recoverable
repaid, a person or no fund     bank −a · expense or income +a
reward of a tip-off             reward:treasury-C +a · bank:treasury-C −a
==============================  =====================================================================

A fine never meets a book of a fund: the treasury is a book of its own.
"""

from collections.abc import Sequence
from typing import TypeAlias

from ledger.casework.events import (
    FINE,
    PENALTY,
    WITHHELD_KINDS,
    RecoveryCollected,
    RecoveryOffset,
    RecoveryRaised,
    RecoveryReversed,
    RecoveryWrittenOff,
    TipRewarded,
)
from ledger.event import Event

Entry: TypeAlias = tuple[str, int]

MOVING = (RecoveryRaised, RecoveryCollected, RecoveryOffset, RecoveryWrittenOff, RecoveryReversed, TipRewarded)
FOLLOWING = (RecoveryCollected, RecoveryOffset, RecoveryWrittenOff, RecoveryReversed)


def entries_of(event: Event, raised: RecoveryRaised | None) -> list[Entry]:
    """Returns what an event of a case posts; ``raised`` is what opened its stream (None: the event itself)."""
    if isinstance(event, TipRewarded):
        book = f"treasury-{event.region:06d}"
        return [(f"reward:{book}", event.amount_fen), (f"bank:{book}", -event.amount_fen)]
    if isinstance(event, RecoveryRaised):
        return _raised(event, [part[4] for part in event.parts] or [event.amount_fen], 1)
    if not isinstance(event, FOLLOWING):
        return []
    assert raised is not None
    asset = _asset(raised)
    match event:
        case RecoveryCollected():
            return [(_bank(raised), event.amount_fen), (asset, -event.amount_fen)]
        case RecoveryOffset():
            payable = f"payable:{raised.region:06d}:{raised.debtor}"
            return [(payable, event.amount_fen), (asset, -event.amount_fen)]
        case RecoveryWrittenOff():
            return _raised(raised, event.shares, -1)
        case _:
            return _raised(raised, event.cancelled, -1) + _repaid(raised, event.repaid)


def _repaid(raised: RecoveryRaised, shares: Sequence[int]) -> list[Entry]:
    """Returns what goes back: an institution's by its next payment, a person's (and what is no fund's) by the bank."""
    amount = sum(shares)
    back = _raised(raised, shares, -1)
    if raised.kind in WITHHELD_KINDS:
        return back
    if raised.parts and not raised.debtor.startswith("person-"):
        to = f"payable:{raised.region:06d}:{raised.debtor}"
    else:
        to = _bank(raised)
    return [*back, (_asset(raised), amount), (to, -amount)]


def _raised(raised: RecoveryRaised, shares: Sequence[int], sign: int) -> list[Entry]:
    """Returns what raising these shares posts, or the other way round."""
    region = f"{raised.region:06d}"
    entries = [(_asset(raised), sign * sum(shares))]
    if raised.kind == FINE:
        return [*entries, (f"fine_income:treasury-{region}", -sign * sum(shares))]
    if raised.kind == PENALTY:
        return [*entries, (f"penalty_income:{region}", -sign * sum(shares))]
    held = raised.kind in WITHHELD_KINDS
    for (_, insured_region, _, code, _), share in zip(raised.parts, shares, strict=True):
        insured = f"{insured_region:06d}"
        if insured != region:
            between = (
                (f"receivable:{region}", f"due:{insured}") if held else (f"owed:{region}", f"recoverable:{insured}")
            )
            entries.append((f"{between[0]}:{insured}", -sign * share))
            entries.append((f"{between[1]}:{region}", sign * share))
        entries.append((f"expense:{insured}:{code}", -sign * share))
    return entries


def _asset(raised: RecoveryRaised) -> str:
    region = f"{raised.region:06d}"
    if raised.kind == FINE:
        return f"fine:treasury-{region}:{raised.debtor}"
    name = "payable" if raised.kind in WITHHELD_KINDS else "penalty" if raised.kind == PENALTY else "clawback"
    return f"{name}:{region}:{raised.debtor}"


def _bank(raised: RecoveryRaised) -> str:
    return f"bank:{'treasury-' if raised.kind == FINE else ''}{raised.region:06d}"
