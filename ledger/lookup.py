"""Finds a claim by what people call it, and what clawbacks took back from it."""

from typing import TYPE_CHECKING

from ledger.events import ClaimFiled, ClaimReversed, ClaimSettled, ClawbackRaised
from ledger.keys import claim_stream
from ledger.knowledge import streams_with_prefix
from ledger.mapper import decode_event
from ledger.refusals import Refusal, Refused

if TYPE_CHECKING:
    from ledger.store import Reader


def find_claim(reader: "Reader", claim: str) -> tuple[int, ClaimFiled, ClaimSettled | ClaimReversed]:
    """Returns (position, filed, decision) of a claim by ``region/setl_id`` or, where only one region has it, setl_id.

    Raises Refused for an unknown claim, and for a setl_id several regions use.
    """
    region, slash, setl_id = claim.partition("/")
    if slash:
        if not region.isdecimal():
            raise Refused(Refusal.UNKNOWN_KEY, f"expected region/setl_id with a six-digit region, got {claim!r}")
        found = reader.first_events([claim_stream(int(region), setl_id)])
    else:
        regions = {row[0] for row in reader.query(CLAIM_REGIONS)} if claim else set()
        found = reader.first_events([f"claim-{region}-{claim}" for region in sorted(regions)])
    if not found:
        raise Refused(Refusal.UNKNOWN_KEY, f"expected the setl_id of a booked claim (or region/setl_id), got {claim!r}")
    if len(found) > 1:
        named = ", ".join(sorted(stream.split("-")[1] for stream in found))
        raise Refused(Refusal.UNKNOWN_KEY, f"claim {claim!r} exists in regions {named}: write region/setl_id")
    ((position, state),) = found.values()
    filed = decode_event(ClaimFiled.TOPIC, state)
    _, _, topic, decided = reader.events_at([position + 1])[position + 1]
    decision = decode_event(topic, decided)
    assert isinstance(filed, ClaimFiled) and isinstance(decision, ClaimSettled | ClaimReversed)
    return position, filed, decision


def recovered_of(reader: "Reader", claim: int) -> list[int]:
    """Returns what clawbacks already took back from each fund of a claim (AMOUNTS[1:9] order, fen)."""
    recovered = [0] * 8
    for _, _, _, topic, state in streams_with_prefix(reader, "clawback"):
        if topic == ClawbackRaised.TOPIC:
            event = decode_event(topic, state)
            assert isinstance(event, ClawbackRaised)
            if event.claim == claim:
                recovered = [a + b for a, b in zip(recovered, event.funds, strict=True)]
    return recovered


CLAIM_REGIONS = """
WITH RECURSIVE regions(stream) AS (
    SELECT MIN(originator_id) FROM stored_events WHERE originator_id >= 'claim-' AND originator_id < 'claim.'
    UNION ALL
    SELECT (SELECT MIN(originator_id) FROM stored_events
            WHERE originator_id >= SUBSTR(stream, 1, 12) || '.' AND originator_id < 'claim.')
    FROM regions WHERE stream IS NOT NULL)
SELECT SUBSTR(stream, 7, 6) FROM regions WHERE stream IS NOT NULL"""
