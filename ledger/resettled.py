"""Says what stands of a claim now: what its decision booked, or what it was last booked anew with."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import msgspec

from ledger.events import ClaimFiled, ClaimSettled
from ledger.keys import claim_stream
from ledger.mapper import decode_event
from ledger.replaying.events import ClaimResettled

if TYPE_CHECKING:
    from ledger.store import Reader


def resettlements(reader: "Reader", streams: Sequence[str]) -> dict[int, list[tuple[int, ClaimResettled]]]:
    """Returns (position, event) of every ClaimResettled of claims, in log order, by the position of the ClaimFiled."""
    found: dict[int, list[tuple[int, ClaimResettled]]] = {}
    columns = "notification_id, state"
    rows = reader.lookup("stored_events", "originator_id", columns, streams, f"AND topic = '{ClaimResettled.TOPIC}'")
    for _, position, state in sorted(rows, key=lambda row: int(row[1])):
        event = decode_event(ClaimResettled.TOPIC, bytes(state))
        assert isinstance(event, ClaimResettled)
        found.setdefault(event.claim, []).append((int(position), event))
    return found


def standing(decision: ClaimSettled, later: Sequence[tuple[int, ClaimResettled]]) -> ClaimSettled:
    """Returns the decision with the amounts, contribution, policy and circumstances that stand now."""
    if not later:
        return decision
    delta = tuple(map(sum, zip(decision.delta, *(_padded(e.delta, decision.delta) for _, e in later), strict=True)))
    last = later[-1][1]
    return msgspec.structs.replace(decision, amounts=last.amounts, delta=delta, policy=last.policy, how=last.how)


def _padded(values: tuple[int, ...], like: tuple[int, ...]) -> tuple[int, ...]:
    return (*values, *(0,) * (len(like) - len(values)))


def standing_of(
    reader: "Reader", claims: Mapping[int, tuple[ClaimFiled, ClaimSettled]]
) -> dict[int, tuple[ClaimSettled, bool]]:
    """Returns (what stands, whether it was booked anew) of claims, by the position of each ClaimFiled."""
    streams = sorted({claim_stream(filed.insured_region, filed.setl_id) for filed, _ in claims.values()})
    later = resettlements(reader, streams) if streams else {}
    return {at: (standing(decision, later.get(at, ())), at in later) for at, (_, decision) in claims.items()}
