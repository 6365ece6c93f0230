"""Lists cases with their stage, owner and limit, and sums the money they brought, kind by kind and never in one.

Their streams hold all of it, so they are read from the log itself and are never behind it.
"""

from collections.abc import Callable
from typing import TYPE_CHECKING

import msgspec

from ledger.casework.cases import CaseState
from ledger.casework.docket import case_states, recovery_states
from ledger.casework.events import CLOSED, FINE, KINDS, PENALTY, SOURCES, STAGES
from ledger.casework.recoveries import RecoveryState

if TYPE_CHECKING:
    from ledger.store import Reader

STAGE_NAMES = {number: name for name, number in STAGES.items()}
SOURCE_NAMES = {number: name for name, number in SOURCES.items()}
KIND_NAMES = {number: name for name, number in KINDS.items()}


class CaseLine(msgspec.Struct, frozen=True):
    """Is a case as it stands: stage, who owns it until when (0: no limit), whether that is past, fen that stand."""

    case: str
    source: str
    debtor: str
    region: int
    opened: int
    stage: str
    owner: str
    due: int
    late: bool
    items: int
    amount_fen: int


class MoneyLine(msgspec.Struct, frozen=True):
    """Sums up money of one kind (and what else the key says); fen.

    raised = collected + offset + written off + cancelled + outstanding; ``repaid`` went back of what had come in.
    """

    key: str
    kind: str
    recoveries: int
    raised_fen: int
    collected_fen: int
    offset_fen: int
    written_off_fen: int
    cancelled_fen: int
    repaid_fen: int
    outstanding_fen: int
    missed_fen: int


class FundLine(msgspec.Struct, frozen=True):
    """Sums up what came back to one fund of one insured region; fen."""

    region: int
    fund: int
    raised_fen: int
    came_in_fen: int
    written_off_fen: int
    reversed_fen: int
    outstanding_fen: int


class Recoveries(msgspec.Struct, frozen=True):
    """Is all money of cases: what comes back to funds, and apart from it penalties and fines."""

    principal: tuple[MoneyLine, ...]
    apart: tuple[MoneyLine, ...]
    funds: tuple[FundLine, ...]
    rewards_fen: int


def cases(reader: "Reader", on: int, due: bool = False) -> list[CaseLine]:
    """Returns every case in the order they were opened; ``due``: those past their limit on a day only."""
    lines = [_line(case, state, on) for case, state in case_states(reader).items()]
    return [line for line in lines if line.late or not due]


def _line(case: str, state: CaseState, on: int) -> CaseLine:
    opened = state.opened
    assert opened is not None
    late = bool(state.due) and state.due < on and state.stage != CLOSED
    return CaseLine(
        *(case, SOURCE_NAMES[opened.source], opened.debtor, opened.region, opened.opened, STAGE_NAMES[state.stage]),
        *(state.owner, state.due, late, len(opened.items), state.amount_fen),
    )


def _by_kind(state: RecoveryState) -> str:
    return ""


def _by_debtor(state: RecoveryState) -> str:
    assert state.raised is not None
    return state.raised.debtor


def _by_debtors(state: RecoveryState) -> str:
    return "person" if _by_debtor(state).startswith("person-") else "institution"


GROUPS: dict[str, Callable[[RecoveryState], str]] = {
    "kind": _by_kind,
    "debtor": _by_debtor,
    "debtors": _by_debtors,
}


def recoveries(reader: "Reader", on: int, by: str = "kind") -> Recoveries:
    """Returns the money of cases as of now; ``by`` is one of GROUPS, ``on`` says which instalments are missed."""
    groups: dict[tuple[str, int], list[RecoveryState]] = {}
    states = recovery_states(reader)
    for state in states:
        assert state.raised is not None
        groups.setdefault((GROUPS[by](state), state.raised.kind), []).append(state)
    principal: list[MoneyLine] = []
    apart: list[MoneyLine] = []
    for (key, kind), own in sorted(groups.items()):
        (apart if kind in (FINE, PENALTY) else principal).append(_sum(key, kind, own, on))
    rewards = sum(state.rewarded_fen for state in case_states(reader).values())
    return Recoveries(tuple(principal), tuple(apart), tuple(_funds(states)), rewards)


def _sum(key: str, kind: int, states: list[RecoveryState], on: int) -> MoneyLine:
    columns = [
        (state.due, state.collected, state.offset, state.written_off, state.cancelled, state.repaid, state.outstanding)
        for state in states
    ]
    raised, collected, offset, off, cancelled, repaid, left = (
        sum(sum(column) for column in each) for each in zip(*columns, strict=True)
    )
    missed = sum(state.missed_fen(on) for state in states)
    return MoneyLine(
        *(key, KIND_NAMES[kind]), len(states), raised, collected, offset, off, cancelled, repaid, left, missed
    )


def _funds(states: list[RecoveryState]) -> list[FundLine]:
    sums: dict[tuple[int, int], list[int]] = {}
    for state in states:
        assert state.raised is not None
        for at, (_, region, _, fund, fen) in enumerate(state.raised.parts):
            gone = state.cancelled[at] + state.repaid[at]
            row = (fen, state.came_in[at] - state.repaid[at], state.written_off[at], gone, state.outstanding[at])
            line = sums.setdefault((region, fund), [0] * len(row))
            sums[region, fund] = [a + b for a, b in zip(line, row, strict=True)]
    return [FundLine(*key, *line) for key, line in sorted(sums.items())]
