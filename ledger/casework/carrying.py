"""Carries what cases withhold and collect for others into the next payments of the regions concerned.

An institution's payment is lower by what was deducted from it or set off (withheld: the postings stand on its payable
already). A region's payment is lower by the deductions on its claims, and by what the treatment region has collected
for it (returned), so that off-site principal comes back to the insured place in its next clearing. What a claim owes
to a person who paid it at the counter (``ledger.manual``) comes off both in the same way: nobody else is paid for it.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import msgspec

from ledger.casework.events import (
    WITHHELD_KINDS,
    RecoveryCollected,
    RecoveryOffset,
    RecoveryRaised,
    RecoveryReversed,
)
from ledger.events import (
    PAYMENT_INSTITUTION,
    PAYMENT_REGION,
    ClawbackCollected,
    ClawbackRaised,
    Event,
    PaymentInstructed,
)
from ledger.knowledge import streams_with_prefix
from ledger.manual.owing import owed_events
from ledger.mapper import decode_event
from ledger.paying.events import ClawbackOffset
from ledger.payments import Due

if TYPE_CHECKING:
    from ledger.store import Reader

#: (PAYMENT_*, payer, payee)
Payee = tuple[int, int, str]


@dataclass(slots=True)
class Carried:
    """Is what stands to come off the next payment of each payee, fen; negative where more is to be paid."""

    withheld: dict[Payee, int] = field(default_factory=dict)
    returned: dict[Payee, int] = field(default_factory=dict)

    def withhold(self, payee: Payee, fen: int) -> None:
        """Adds to what is withheld from a payee."""
        self.withheld[payee] = self.withheld.get(payee, 0) + fen

    def give_back(self, insured: int, collector: int, fen: int) -> None:
        """Adds to what the collecting region holds for an insured region."""
        payee = (PAYMENT_REGION, insured, f"{collector:06d}")
        self.returned[payee] = self.returned.get(payee, 0) + fen


def carried(reader: "Reader") -> Carried:
    """Returns what the log's recoveries and clawbacks leave to its next payments."""
    found = Carried()
    raised: dict[str, Event] = {}
    for prefix in ("recovery", "clawback", "payment"):
        for _, stream, _, topic, state in streams_with_prefix(reader, prefix):
            event = decode_event(topic, state)
            if isinstance(event, RecoveryRaised | ClawbackRaised):
                raised[stream] = event
            if isinstance(event, PaymentInstructed):
                payee = (event.kind, event.payer, event.payee)
                found.withhold(payee, -event.withheld_fen)
                found.returned[payee] = found.returned.get(payee, 0) - event.returned_fen
            elif isinstance(event, ClawbackCollected | ClawbackOffset):
                opener = raised[stream]
                assert isinstance(opener, ClawbackRaised)
                if isinstance(event, ClawbackOffset):
                    debtor = (PAYMENT_INSTITUTION, opener.treatment_region, opener.fixmedins_code)
                    found.withhold(debtor, event.amount_fen)
                if opener.insured_region != opener.treatment_region:
                    found.give_back(opener.insured_region, opener.treatment_region, event.amount_fen)
            elif prefix == "recovery":
                opener = raised[stream]
                assert isinstance(opener, RecoveryRaised)
                _carry(found, opener, event)
    for owed in owed_events(reader):
        fen = owed.fund_fen + owed.account_fen
        found.withhold((PAYMENT_INSTITUTION, owed.treatment_region, owed.fixmedins_code), fen)
        if owed.insured_region != owed.treatment_region:
            found.withhold((PAYMENT_REGION, owed.insured_region, f"{owed.treatment_region:06d}"), fen)
    return found


def _carry(found: Carried, raised: RecoveryRaised, event: Event) -> None:
    institution = (PAYMENT_INSTITUTION, raised.region, raised.debtor)
    held = raised.kind in WITHHELD_KINDS
    if not raised.parts:
        return
    match event:
        case RecoveryRaised() if held:
            found.withhold(institution, event.amount_fen)
            _by_region(found, raised, [part[4] for part in raised.parts])
        case RecoveryOffset():
            found.withhold(institution, event.amount_fen)
            _by_region(found, raised, event.shares)
        case RecoveryCollected():
            _by_region(found, raised, event.shares)
        case RecoveryReversed():
            if not raised.debtor.startswith("person-"):
                found.withhold(institution, -sum(event.repaid))
            _by_region(found, raised, [-fen for fen in event.repaid])


def _by_region(found: Carried, raised: RecoveryRaised, shares: Sequence[int]) -> None:
    """Notes what of these shares belongs to other insured regions than the one that collects."""
    for (_, insured, _, _, _), fen in zip(raised.parts, shares, strict=True):
        if insured == raised.region:
            continue
        if raised.kind in WITHHELD_KINDS:
            found.withhold((PAYMENT_REGION, insured, f"{raised.region:06d}"), fen)
        else:
            found.give_back(insured, raised.region, fen)


def settle_carried(dues: Iterable[Due], owed: Carried, kinds: Sequence[int]) -> list[Due]:
    """Returns dues with what comes off them: never more than a due is, what is over stays for the next one.

    Where more is owed to a payee that has no due of its own, one is added.
    """
    settled = []
    seen: set[Payee] = set()
    for due in dues:
        payee = (due.kind, due.payer, due.payee)
        seen.add(payee)
        withheld = _within(owed.withheld.get(payee, 0), due.amount_fen)
        returned = _within(owed.returned.get(payee, 0), due.amount_fen - withheld)
        settled.append(msgspec.structs.replace(due, withheld_fen=withheld, returned_fen=returned))
    for payee in sorted((owed.withheld.keys() | owed.returned.keys()) - seen):
        if payee[0] in kinds:
            withheld, returned = (_within(each.get(payee, 0), 0) for each in (owed.withheld, owed.returned))
            if withheld or returned:
                settled.append(Due(*payee, 0, 0, 0, withheld, returned))
    return settled


def _within(fen: int, room: int) -> int:
    return fen if fen <= 0 else min(fen, max(room, 0))
