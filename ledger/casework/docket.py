"""Reads every case and every recovery as their streams tell them."""

from typing import TYPE_CHECKING

from ledger.casework import cases, recoveries
from ledger.casework.cases import CaseState
from ledger.casework.recoveries import RecoveryState
from ledger.keys import docket_stream
from ledger.knowledge import streams_with_prefix
from ledger.mapper import decode_event

if TYPE_CHECKING:
    from ledger.store import Reader


def case_states(reader: "Reader", only: str = "") -> dict[str, CaseState]:
    """Returns every case by its number, in the order they were opened; that of one number where one is given."""
    found: dict[str, CaseState] = {}
    if only:
        for _, _, topic, state in reader.stream(docket_stream(only)):
            cases.evolve(found.setdefault(only, CaseState()), decode_event(topic, state))
        return found
    for _, stream, _, topic, state in streams_with_prefix(reader, "docket"):
        case = found.setdefault(stream.removeprefix("docket-"), CaseState())
        cases.evolve(case, decode_event(topic, state))
    return found


def recovery_states(reader: "Reader") -> list[RecoveryState]:
    """Returns every recovery in the order they were raised."""
    found: dict[str, RecoveryState] = {}
    for _, stream, _, topic, state in streams_with_prefix(reader, "recovery"):
        recoveries.evolve(found.setdefault(stream, RecoveryState()), decode_event(topic, state))
    return list(found.values())
