"""Withholds from what a clearing owes an institution: the retained share, suppliers paid for it, then clawbacks."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

import msgspec

from ledger import clawbacks
from ledger.clearing.terms import Terms, read_terms, shipped, terms_named
from ledger.events import PAYMENT_INSTITUTION, ClawbackRaised, Event
from ledger.keys import guarantee_stream
from ledger.knowledge import streams_with_prefix
from ledger.mapper import decode_event
from ledger.money import round_half_up
from ledger.paying.events import ClawbackOffset, SupplierRecovered
from ledger.paying.guarantees import read_guarantee
from ledger.payments import Due

if TYPE_CHECKING:
    from ledger.postings import Opened
    from ledger.store import Reader, Transaction
    from ledger.writing import Header


@dataclass(frozen=True, slots=True)
class Offset:
    """Is a part of a payment (``payment``) withheld for a clawback case's stream, or a guarantee's (no ``raised``)."""

    stream: str
    raised: ClawbackRaised | None
    amount_fen: int
    payment: str


def withhold(
    reader: "Reader", dues: Mapping[str, Due], paid: Mapping[str, int], digest: bytes, *, offset: bool
) -> tuple[dict[str, Due], list[Offset]]:
    """Returns the dues with what is withheld of each, and the offsets behind that; what is paid already stays as it is.

    The retained share is of the funds' part (the account's is the person's own), with its sign: a month of refunds
    gives back what was retained of them. ``digest`` names the terms. Suppliers paid for the institution come first,
    then, where ``offset``, cases in the order they were raised.
    """
    terms: Terms = terms_named(reader, digest) or read_terms(shipped(), "national.toml")
    owed = _outstanding(reader) if offset else {}
    found: dict[str, Due] = {}
    offsets: list[Offset] = []
    for stream, due in dues.items():
        if due.kind != PAYMENT_INSTITUTION or stream in paid:
            found[stream] = due
            continue
        retained = round_half_up(due.fund_fen * terms.retention.ratio_bp, 10_000)
        left = due.amount_fen - retained
        supplied = read_guarantee(reader, due.payer, due.payee).used_fen
        if min(left, supplied) > 0:
            offsets.append(Offset(guarantee_stream(due.payer, due.payee), None, min(left, supplied), stream))
            left -= min(left, supplied)
        for case in owed.get((due.payer, due.payee), []):
            part = min(left, case[2])
            if part > 0:
                offsets.append(Offset(case[0], case[1], part, stream))
                left -= part
        taken = sum(each.amount_fen for each in offsets if each.payment == stream)
        found[stream] = msgspec.structs.replace(due, retained_fen=retained, offset_fen=taken)
    return found, offsets


def offsets(tx: "Transaction", found: list[Offset], cause: int) -> "list[tuple[Header, Opened | None]]":
    """Returns the events that collect clawbacks by offset, each with the event that raised its case."""
    heads = tx.stream_heads(sorted({each.stream for each in found}))
    events: list[tuple[Header, Opened | None]] = []
    for each in found:
        heads[each.stream] += 1
        event: Event = ClawbackOffset(cause, 0, each.amount_fen, each.payment)
        if each.raised is None:
            _, region, institution = each.stream.split("-", 2)
            event = SupplierRecovered(cause, 0, int(region), institution, each.amount_fen, each.payment)
        events.append(((each.stream, heads[each.stream], event), each.raised))
    return events


def _outstanding(reader: "Reader") -> dict[tuple[int, str], list[tuple[str, ClawbackRaised, int]]]:
    """Returns (stream, raised, outstanding fen) of cases with something to collect, by (treatment, institution)."""
    states: dict[str, clawbacks.ClawbackState] = {}
    for _, stream, _, topic, state in streams_with_prefix(reader, "clawback"):
        case = states.setdefault(stream, clawbacks.ClawbackState())
        clawbacks.evolve(case, decode_event(topic, state))
    found: dict[tuple[int, str], list[tuple[str, ClawbackRaised, int]]] = {}
    for stream, case in states.items():
        if case.raised is not None and case.outstanding_fen > 0:
            key = (case.raised.treatment_region, case.raised.fixmedins_code)
            found.setdefault(key, []).append((stream, case.raised, case.outstanding_fen))
    return found
