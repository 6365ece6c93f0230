"""Says what stands of a claim now: what its decision booked, or what it was last booked anew with."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import msgspec

from ledger.events import FLAG_DIVIDED, ClaimFiled, ClaimSettled
from ledger.keys import claim_stream
from ledger.mapper import decode_event
from ledger.replaying.events import ClaimResettled

if TYPE_CHECKING:
    from ledger.store import Reader

#: The verb of the command that books claims anew.
COMMIT = "replay --commit"

#: Commands have streams of their own; '.' is the character behind '-'.
SELECT_COMMANDS = (
    "SELECT notification_id, originator_id, state FROM stored_events"
    " WHERE originator_id > ? AND originator_id < 'command.' ORDER BY originator_id LIMIT ?"
)

#: Commands read at once.
PAGE_ROWS = 65_536


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


def booked_anew(reader: "Reader") -> dict[int, bytes]:
    """Returns the policy that every claim booked anew stands under, by the position of its ClaimFiled."""
    from ledger.knowledge import caused_by

    commands: list[int] = []
    last = "command-"
    while rows := reader.query(SELECT_COMMANDS, (last, PAGE_ROWS)):
        commands += [int(position) for position, _, state in rows if COMMIT.encode() in bytes(state)]
        last = str(rows[-1][1])
    found: dict[int, bytes] = {}
    for position in sorted(commands):
        events = (event for event in caused_by(reader, position) if isinstance(event, ClaimResettled))
        found |= {event.claim: event.policy for event in events}
    return found


def acts_standing(reader: "Reader", claims: Sequence[int]) -> dict[int, int]:
    """Returns the position of the act that each claim stands by: its ClaimFiled, or its last ClaimResettled."""
    streams = {claim: row[0] for claim, row in reader.events_at(sorted(claims)).items()} if claims else {}
    later = resettlements(reader, sorted(set(streams.values()))) if streams else {}
    return {claim: later[claim][-1][0] if claim in later else claim for claim in claims}


def standing(decision: ClaimSettled, later: Sequence[tuple[int, ClaimResettled]]) -> ClaimSettled:
    """Returns the decision with the amounts, contribution, year, policy and circumstances that stand now.

    It is flagged as divided where it ever was: what stands in other years is then read from the person's parts.
    """
    if not later:
        return decision
    last = later[-1][1]
    return msgspec.structs.replace(
        decision, amounts=last.amounts, delta=last.contribution, policy=last.policy, how=last.how, year=last.year,
        flags=decision.flags | last.flags & FLAG_DIVIDED,
    )  # fmt: skip


def standing_of(
    reader: "Reader", claims: Mapping[int, tuple[ClaimFiled, ClaimSettled]]
) -> dict[int, tuple[ClaimSettled, int]]:
    """Returns (what stands, position of the last ClaimResettled, 0: none) of claims, by each ClaimFiled's position."""
    streams = sorted({claim_stream(filed.insured_region, filed.setl_id) for filed, _ in claims.values()})
    later = resettlements(reader, streams) if streams else {}
    return {
        at: (standing(decision, later.get(at, ())), later[at][-1][0] if at in later else 0)
        for at, (_, decision) in claims.items()
    }
