"""Reads breaks from their streams: the write side's own view, without a projection."""

from collections.abc import Iterator
from typing import TYPE_CHECKING

from ledger.mapper import decode_event
from ledger.reconciling.reports import Break
from ledger.reconciling.states import BreakState, evolve, folded
from ledger.refusals import Refusal, Refused

if TYPE_CHECKING:
    from ledger.store import Reader

BREAKS = (
    "SELECT notification_id, originator_id, topic, state FROM stored_events"
    " WHERE originator_id >= ? AND originator_id < ? ORDER BY originator_id, originator_version"
)


def break_states(reader: "Reader", first: int = 0, last: int = 999_999) -> Iterator[BreakState]:
    """Yields every break found in the periods from ``first`` to ``last``, in order of streams."""
    state = BreakState()
    for position, stream, topic, stored in reader.query(BREAKS, (f"break-{first:06d}-", f"break-{last:06d}.")):
        if stream != state.stream:
            if state.stream:
                yield state
            state = BreakState(str(stream))
        evolve(state, int(position), decode_event(str(topic), bytes(stored)))
    if state.stream:
        yield state


def break_state(reader: "Reader", stream: str) -> BreakState:
    """Returns one break; one that was never found has no events."""
    events = reader.stream(stream) if stream.startswith("break-") else []
    return folded(stream, ((position, decode_event(topic, stored)) for position, _, topic, stored in events))


def named_break(reader: "Reader", key: str) -> BreakState:
    """Returns the break that a key names: its stream, or the claim (REGION/SETL_ID or SETL_ID) where one alone has it.

    Raises Refused for a key that names none, or several.
    """
    state = break_state(reader, key)
    if state.latest is not None:
        return state
    found = [
        each
        for each in break_states(reader)
        if key in (each.found.setl_id, f"{each.found.insured_region:06d}/{each.found.setl_id}")
    ]
    still = [each for each in found if each.is_open]
    found = still if len(still) == 1 else found
    if len(found) == 1:
        return found[0]
    if found:
        named = ", ".join(each.stream for each in found)
        raise Refused(Refusal.BREAK_UNKNOWN, f"{key!r} names several breaks, write one of {named}")
    raise Refused(
        Refusal.BREAK_UNKNOWN, f"expected the key of a break as `settlement breaks` lists it (break-…), got {key!r}"
    )


def carried(reader: "Reader", period: int) -> list[Break]:
    """Returns the open breaks that a period's statement lists: those found in it and those still open from before."""
    return [Break.of(state) for state in break_states(reader, last=period) if state.is_open]
