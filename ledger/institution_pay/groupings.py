"""Takes groupings in: the DRG group or DIP disease of booked claims, with their weight or points."""

from typing import TYPE_CHECKING

from ledger.benefit_events import ClaimGrouped
from ledger.keys import claim_stream, grouping_stream
from ledger.knowledge import streams_with_prefix
from ledger.mapper import decode_event
from ledger.money import scaled_from_text
from ledger.register_file import REGION, Headed, RegisterFile, region

if TYPE_CHECKING:
    from ledger.store import Reader, Transaction

WEIGHT_DECIMALS = 4


def _weight(text: str) -> int:
    """Returns a weight in 1/10000, 0 for no text; raises ValueError for another text."""
    weight = scaled_from_text(text, WEIGHT_DECIMALS) if text else 0
    if not 0 <= weight < 10**12:
        raise ValueError(text)
    return weight


def register_groupings(tx: "Transaction", file: RegisterFile, cause: int) -> tuple[list[Headed], int]:
    """Returns the groupings that are new; a claim's later grouping replaces the one before."""
    rows = []
    for number, row in file.records():
        insured = file.read(number, row, "insured_region", REGION, region)
        group = file.text(number, row, "group", 30)
        weight = file.read(number, row, "weight", "a weight with at most four decimals, or nothing", _weight)
        rows.append((number, claim_stream(insured, row["setl_id"]), group, weight))
    filed = tx.first_events(sorted({stream for _, stream, _, _ in rows}))
    events: list[Headed] = []
    known: dict[str, tuple[int, ClaimGrouped | None]] = {}
    for number, claim, group, weight in rows:
        if claim not in filed:
            raise file.error(number, "setl_id", "a claim that is booked in its insured_region", claim)
        position = filed[claim][0]
        stream = grouping_stream(position)
        if stream not in known:
            known[stream] = _last(tx, stream)
        version, last = known[stream]
        event = ClaimGrouped(cause, number, position, group, weight)
        if last is None or (last.group, last.weight) != (group, weight):
            known[stream] = version + 1, event
            events.append((stream, version + 1, event))
    return events, len(events)


def _last(tx: "Transaction", stream: str) -> tuple[int, ClaimGrouped | None]:
    events = [decode_event(topic, state) for _, _, topic, state in tx.stream(stream)]
    last = events[-1] if events else None
    assert last is None or isinstance(last, ClaimGrouped)
    return len(events), last


def groupings(reader: "Reader") -> dict[int, ClaimGrouped]:
    """Returns the grouping in force of every grouped claim, by the claim's position."""
    found: dict[int, ClaimGrouped] = {}
    for _, _, _, topic, state in streams_with_prefix(reader, "grouping"):
        event = decode_event(topic, state)
        assert isinstance(event, ClaimGrouped)
        found[event.claim] = event
    return found
