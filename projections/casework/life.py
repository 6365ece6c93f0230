"""Tells a case's whole life: every act on it and on its money in log order, with who, when, why and how much."""

from typing import TYPE_CHECKING

from ledger.casework.docket import case_states
from ledger.casework.events import (
    KINDS,
    CaseAppealed,
    CaseClosed,
    CaseDecided,
    CaseOpened,
    CaseSanctioned,
    CaseStageExpired,
    CaseSubmitted,
    RecoveryCollected,
    RecoveryRaised,
    RecoveryScheduled,
    TipRewarded,
)
from ledger.casework.wording import times
from ledger.event import Event
from ledger.events import CommandRecorded
from ledger.keys import docket_stream, recovery_stream
from ledger.mapper import decode_event
from ledger.money import yuan_display as yuan
from projections.casework.docket import KIND_NAMES, SOURCE_NAMES, STAGE_NAMES
from projections.trace_tree import CaseStep, CaseTrace

if TYPE_CHECKING:
    from ledger.store import Reader


def case_trace(reader: "Reader", case: str) -> CaseTrace | None:
    """Returns a case with all that touched it, None where there is none of that number."""
    streams = [docket_stream(case), *(recovery_stream(kind, case) for kind in KINDS.values())]
    events = [
        (position, stream, decode_event(topic, state))
        for stream in streams
        for position, _, topic, state in reader.stream(stream)
    ]
    if not events:
        return None
    causes = reader.events_at(sorted({_cause(event) for _, _, event in events}))
    commands = {at: decode_event(row[2], row[3]) for at, row in causes.items()}
    steps = []
    for position, stream, event in sorted(events, key=lambda each: each[0]):
        command = commands.get(_cause(event))
        assert isinstance(command, CommandRecorded)
        kind = KIND_NAMES[int(stream.split("-")[1])] if stream.startswith("recovery-") else ""
        day = int(getattr(event, "on", 0) or getattr(event, "opened", 0))
        said = (command.actor, command.recorded_at, command.source, int(getattr(event, "row", 0)))
        what = event.TOPIC.partition("/")[0]
        steps.append(CaseStep(position, day, what, kind, amount_of(event), text_of(event) or command.reason, *said))
    opened = events[0][2]
    assert isinstance(opened, CaseOpened)
    state = case_states(reader, case)[case]
    claims = tuple(claim for claim, _ in opened.items)
    return CaseTrace(
        *(case, SOURCE_NAMES[opened.source], opened.debtor, STAGE_NAMES[state.stage]),
        *(state.amount_fen, claims, opened.violations, tuple(steps)),
    )


def cases_of(reader: "Reader") -> dict[str | int, list[str]]:
    """Returns the numbers of the cases against each debtor, and on the claim at each position."""
    found: dict[str | int, list[str]] = {}
    for case, state in case_states(reader).items():
        assert state.opened is not None
        keys: list[str | int] = [state.opened.debtor, *(claim for claim, _ in state.opened.items)]
        for key in keys:
            found.setdefault(key, []).append(case)
    return found


def _cause(event: Event) -> int:
    return int(getattr(event, "cause", 0))


def amount_of(event: Event) -> int:
    """Returns the fen an event speaks of."""
    match event:
        case CaseOpened():
            return sum(fen for _, fen in event.items)
        case CaseSubmitted() | CaseDecided():
            return sum(event.shares)
        case RecoveryScheduled():
            return sum(fen for _, fen in event.instalments)
    return int(getattr(event, "amount_fen", 0))


def text_of(event: Event) -> str:
    """Returns what an event says beside its amount."""
    match event:
        case CaseOpened() | CaseSubmitted():
            return f"owner {event.owner} until {event.due}"
        case CaseDecided():
            panel = f", panel {' '.join(event.members)}" if event.members else ""
            until = f", owner {event.owner} until {event.due}" if event.due else ""
            return f"{STAGE_NAMES[event.stage]} decided{panel}, on to {STAGE_NAMES[event.next]}{until}"
        case CaseAppealed():
            return f"{event.grounds}; owner {event.owner} until {event.due}"
        case CaseStageExpired():
            return f"{STAGE_NAMES[event.stage]} ran out, on to {STAGE_NAMES[event.next]}"
        case CaseSanctioned():
            return f"status {event.status} from {event.begin}: {event.reason}"
        case RecoveryRaised() if event.multiple:
            return f"{times(event.multiple)} times {yuan(event.base_fen)}"
        case RecoveryRaised():
            funds: dict[int, int] = {}
            for _, _, _, fund, fen in event.parts:
                funds[fund] = funds.get(fund, 0) + fen
            return ", ".join(f"fund {fund}: {yuan(fen)}" for fund, fen in sorted(funds.items()))
        case RecoveryCollected() | TipRewarded():
            return f"receipt {event.receipt}"
        case RecoveryScheduled():
            return ", ".join(f"{yuan(fen)} by {day}" for day, fen in event.instalments)
        case CaseClosed():
            return ""
    return str(getattr(event, "reason", ""))
