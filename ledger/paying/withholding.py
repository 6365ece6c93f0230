"""Withholds from what a clearing owes an institution, and from what it owes another region.

Of a region's payment: what that region owes back from earlier payments of the same ordered pair that were below zero.
Of an institution's, in this order: the retained share, suppliers paid for it, what it owes back from earlier payments
below zero, and, where asked, what cases still claim of it. Offsets of cases are events of theirs, whoever decides them,
and come off the next payment as ``ledger.casework.carrying`` says; here they are decided together with the payment.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import msgspec

from ledger import clawbacks
from ledger.casework import recoveries
from ledger.casework.events import FINE, PENALTY, RecoveryRaised
from ledger.clearing.terms import Terms, read_terms, shipped, terms_named
from ledger.events import PAYMENT_INSTITUTION, PAYMENT_REGION, ClawbackRaised, Event
from ledger.keys import guarantee_stream
from ledger.knowledge import streams_with_prefix
from ledger.mapper import decode_event
from ledger.money import round_half_up
from ledger.paying.events import PaymentSetOff, SupplierRecovered
from ledger.paying.guarantees import read_guarantee
from ledger.payments import Due, PaymentState, evolve
from ledger.reversing import moment

if TYPE_CHECKING:
    from ledger.postings import Opened
    from ledger.store import Reader, Transaction
    from ledger.writing import Header

#: An institution and the region whose agency pays it.
Party = tuple[int, str]
#: (PAYMENT_*, payer, payee)
Payee = tuple[int, int, str]


@dataclass(slots=True)
class Withheld:
    """Is what was decided together with payments: events by stream, each with what opens it; ``cause`` commands it."""

    cause: int
    on: int
    events: "list[tuple[str, Event, Opened | None]]" = field(default_factory=list)

    def headed(self, tx: "Transaction") -> "list[tuple[Header, Opened | None]]":
        """Returns the events with their places in their streams."""
        heads = tx.stream_heads(sorted({stream for stream, _, _ in self.events}))
        found: list[tuple[Header, Opened | None]] = []
        for stream, event, opened in self.events:
            heads[stream] += 1
            found.append(((stream, heads[stream], event), opened))
        return found


def withhold(
    tx: "Transaction", dues: Mapping[str, Due], paid: Mapping[str, int], digest: bytes, cause: int, *, offset: bool
) -> tuple[dict[str, Due], Withheld]:
    """Returns the dues with what is withheld of each, and the events behind that; what is paid already stays as it is.

    The retained share is of the funds' part (the account's is the person's own), with its sign: a month of refunds
    gives back what was retained of them. ``digest`` names the terms. Nothing is withheld beyond what is due.
    """
    terms: Terms = terms_named(tx, digest) or read_terms(shipped(), "national.toml")
    behind = Withheld(cause, moment(tx.recorded_at) // 1_000_000)
    owed_back = _owed_back(tx, PAYMENT_INSTITUTION) | _owed_back(tx, PAYMENT_REGION)
    clawed = _clawbacks(tx) if offset else {}
    recovered = _recoveries(tx) if offset else {}
    found: dict[str, Due] = {}
    for stream, due in dues.items():
        if due.kind not in (PAYMENT_INSTITUTION, PAYMENT_REGION) or stream in paid:
            found[stream] = due
            continue
        owing = owed_back.get((due.kind, due.payer, due.payee), [])
        if due.kind == PAYMENT_REGION:
            found[stream] = msgspec.structs.replace(due, offset_fen=_set_off(owing, stream, due.amount_fen, behind))
            continue
        party = (due.payer, due.payee)
        due = msgspec.structs.replace(due, retained_fen=round_half_up(due.fund_fen * terms.retention.ratio_bp, 10_000))
        taken = _for_suppliers(tx, party, stream, due.amount_fen, behind)
        taken += _set_off(owing, stream, due.amount_fen - taken, behind)
        due = msgspec.structs.replace(due, offset_fen=taken)
        held = _for_clawbacks(clawed.get(party, []), stream, due.amount_fen, behind)
        held += _for_recoveries(recovered.get(party, []), due.amount_fen - held, behind)
        found[stream] = msgspec.structs.replace(due, withheld_fen=due.withheld_fen + held)
    return found, behind


def _for_suppliers(tx: "Transaction", party: Party, stream: str, left_fen: int, behind: Withheld) -> int:
    """Withholds what was paid to an institution's suppliers for it, and frees its guarantee of that."""
    part = min(left_fen, read_guarantee(tx, *party).used_fen)
    if part <= 0:
        return 0
    behind.events.append((guarantee_stream(*party), SupplierRecovered(behind.cause, 0, *party, part, stream), None))
    return part


def _set_off(owing: list[tuple[str, PaymentState]], stream: str, left_fen: int, behind: Withheld) -> int:
    """Sets earlier payments below zero off against this one, the earliest first."""
    taken = 0
    for earlier, state in owing:
        part = min(left_fen - taken, -state.transit_fen)
        if part > 0 and earlier != stream:
            behind.events.append((earlier, PaymentSetOff(behind.cause, 0, -part, stream), state.instructed))
            taken += part
    return taken


def _for_clawbacks(
    cases: list[tuple[str, clawbacks.ClawbackState]], stream: str, left_fen: int, behind: Withheld
) -> int:
    """Sets clawbacks off in the order they were raised."""
    taken = 0
    for case, state in cases:
        part = min(left_fen - taken, state.outstanding_fen)
        decided = clawbacks.decide_offset(state, cause=behind.cause, amount_fen=part, payment=stream)
        if isinstance(decided, Event):
            behind.events.append((case, decided, state.raised))
            taken += part
    return taken


def _for_recoveries(cases: list[tuple[str, recoveries.RecoveryState]], left_fen: int, behind: Withheld) -> int:
    """Sets the principal of cases off, in the order it was raised."""
    taken = 0
    for stream, state in cases:
        part = min(left_fen - taken, sum(state.outstanding))
        decided = recoveries.decide_offset(state, behind.cause, behind.on, part)
        if isinstance(decided, Event):
            behind.events.append((stream, decided, state.raised))
            taken += part
    return taken


def _owed_back(reader: "Reader", kind: int) -> dict[Payee, list[tuple[str, PaymentState]]]:
    """Returns the payments of a kind below zero that nobody has paid back yet, by who owes them."""
    states: dict[str, PaymentState] = {}
    for position, stream, _, topic, state in streams_with_prefix(reader, f"payment-{kind}"):
        states[stream] = evolve(states.get(stream, PaymentState()), decode_event(topic, state), position)
    found: dict[Payee, list[tuple[str, PaymentState]]] = {}
    for stream, each in sorted(states.items()):
        if each.instructed is not None and each.transit_fen < 0:
            found.setdefault((kind, each.instructed.payer, each.instructed.payee), []).append((stream, each))
    return found


def _clawbacks(reader: "Reader") -> dict[Party, list[tuple[str, clawbacks.ClawbackState]]]:
    """Returns the clawbacks with something to collect, by (treatment region, institution)."""
    states: dict[str, clawbacks.ClawbackState] = {}
    for _, stream, _, topic, state in streams_with_prefix(reader, "clawback"):
        clawbacks.evolve(states.setdefault(stream, clawbacks.ClawbackState()), decode_event(topic, state))
    found: dict[Party, list[tuple[str, clawbacks.ClawbackState]]] = {}
    for stream, case in states.items():
        if isinstance(case.raised, ClawbackRaised) and case.outstanding_fen > 0:
            found.setdefault((case.raised.treatment_region, case.raised.fixmedins_code), []).append((stream, case))
    return found


def _recoveries(reader: "Reader") -> dict[Party, list[tuple[str, recoveries.RecoveryState]]]:
    """Returns the principal of cases with something to collect, by party; instalments agreed on keep their plan."""
    states: dict[str, recoveries.RecoveryState] = {}
    for _, stream, _, topic, state in streams_with_prefix(reader, "recovery"):
        recoveries.evolve(states.setdefault(stream, recoveries.RecoveryState()), decode_event(topic, state))
    found: dict[Party, list[tuple[str, recoveries.RecoveryState]]] = {}
    for stream, case in states.items():
        raised = case.raised
        if not isinstance(raised, RecoveryRaised) or raised.kind in (FINE, PENALTY) or case.instalments:
            continue
        if sum(case.outstanding) > 0 and not raised.debtor.startswith("person-"):
            found.setdefault((raised.region, raised.debtor), []).append((stream, case))
    return found
