"""Finds a claim by what people call it."""

from typing import TYPE_CHECKING

from ledger.events import ClaimFiled, ClaimReversed, ClaimSettled
from ledger.keys import claim_stream
from ledger.mapper import decode_event
from ledger.refusals import Refusal, Refused
from ledger.resettled import standing_of

if TYPE_CHECKING:
    from ledger.store import Reader


def find_claim(reader: "Reader", claim: str) -> tuple[int, ClaimFiled, ClaimSettled | ClaimReversed]:
    """Returns (position, filed, what stands of its decision) of a claim by ``region/setl_id``, or by setl_id
    where only one region has it.

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
    if isinstance(decision, ClaimSettled):
        decision, _ = standing_of(reader, {position: (filed, decision)})[position]
    return position, filed, decision


#: The regions that have claims, each found by one probe of the log's index: streams are claim-<six digits>-….
CLAIM_REGIONS = """
WITH RECURSIVE regions(stream) AS (
    SELECT MIN(originator_id) FROM stored_events WHERE originator_id >= 'claim-' AND originator_id < 'claim.'
    UNION ALL
    SELECT (SELECT MIN(originator_id) FROM stored_events
            WHERE originator_id >= SUBSTR(stream, 1, 12) || '.' AND originator_id < 'claim.')
    FROM regions WHERE stream IS NOT NULL)
SELECT SUBSTR(stream, 7, 6) FROM regions WHERE stream IS NOT NULL"""
