"""Folds the log into the breaks of reconciliation (对账): one row a break, as it stands, by period and counterpart.

A period can be closed with open breaks: they are carried, and its statement lists them with count and amount
(``carried``). Rows hold what lists sort and sum by; what a break says by field is read from its stream.
"""

from collections.abc import Iterable
from typing import TYPE_CHECKING

import msgspec

from ledger.mapper import decode_event
from ledger.reconciling.breaks import break_state
from ledger.reconciling.events import (
    BreakAssigned,
    BreakCarried,
    BreakExplained,
    BreakFound,
    BreakResolved,
)
from ledger.reconciling.reports import Break, BreakTotals
from ledger.reconciling.states import BreakState, Status, evolve, folded
from projections.pages import Page
from projections.tables import Change, Mode, ReadModel, Rows, Table, change_of

if TYPE_CHECKING:
    from ledger.store import Reader

BREAK = Table(
    "reconciliation_break",
    ("stream",),
    ("period", "standing", "counterpart", "kind", "status", "open", "owner", "ours_fen", "theirs_fen"),
    Mode.REPLACE,
    dict.fromkeys(("stream", "counterpart", "status", "owner"), "text"),
    (("standing", "standing, period", "open = 1"),),
)
TABLES = (BREAK,)

FAMILY = (BreakFound, BreakAssigned, BreakExplained, BreakCarried, BreakResolved)
#: States a list may ask for beside a single one.
OPEN, ALL = "open", "all"
STATUSES = (OPEN, ALL, *(status.value for status in Status))


class BreakList(msgspec.Struct, frozen=True):
    """Is some breaks as of a log position, with how many and how much; amounts in fen."""

    position: int
    totals: BreakTotals
    breaks: list[Break]


def fold(reader: "Reader", page: Page) -> list[Change]:
    """Returns the row of every break that a page's events are about, as it stands behind the page."""
    states: dict[str, BreakState] = {}
    for placed in page.others:
        if not isinstance(placed.event, FAMILY):
            continue
        if placed.stream not in states:
            states[placed.stream] = _before(reader, placed.stream, placed.position, placed.version)
        evolve(states[placed.stream], placed.position, placed.event)
    return [change_of(BREAK, [_row(state) for state in states.values()])]


def _before(reader: "Reader", stream: str, position: int, version: int) -> BreakState:
    if version == 1:
        return BreakState(stream)
    events = ((at, decode_event(topic, state)) for at, _, topic, state in reader.stream(stream) if at < position)
    return folded(stream, events)


def _row(state: BreakState) -> tuple[str | int, ...]:
    found = state.found
    return (
        state.stream, found.period, state.standing, found.counterpart, found.kind, state.status.value,
        int(state.is_open), state.owner, found.ours_fen, found.theirs_fen,
    )  # fmt: skip


def rows_at(reader: "Reader", streams: Iterable[str], stop: int) -> Rows:
    """Returns the rows of breaks as they stand at a position, each out of its own stream."""
    rows: Rows = {}
    for stream in sorted(streams):
        row = _row(_before(reader, stream, stop + 1, 0))
        rows[row[:1]] = row[1:]
    return rows


MODEL = ReadModel("breaks", 1, TABLES, fold)


def listed(
    reader: "Reader", period: int = 0, counterpart: str = "", owner: str = "", status: str = OPEN
) -> list[Break]:
    """Returns the breaks found in a period or standing in it (0: any), of a counterpart, an owner, in a state.

    ``status`` is one of STATUSES. For whoever has brought MODEL up to the head.
    """
    asked: list[tuple[str, list[str | int]]] = []
    if period:
        asked.append(("(period = ? OR standing = ?)", [period, period]))
    if counterpart:
        asked.append(("counterpart = ?", [counterpart]))
    if owner:
        asked.append(("owner = ?", [owner]))
    if status == OPEN:
        asked.append(("open = ?", [1]))
    elif status != ALL:
        asked.append(("status = ?", [status]))
    return _read(reader, " AND ".join(text for text, _ in asked), [value for _, values in asked for value in values])


def carried(reader: "Reader", period: int) -> list[Break]:
    """Returns the open breaks that a period's statement lists: those found in it and those still open from before.

    For whoever has brought MODEL up to the head; ``BreakTotals.of`` gives their count and amount. As of a past
    position ``ledger.reconciling.breaks.carried`` reads them from their streams.
    """
    return _read(reader, "open = ? AND period <= ?", [1, period])


def _read(reader: "Reader", condition: str, values: "list[str | int]") -> list[Break]:
    rows = reader.query(BREAK.select(condition), values)
    return [Break.of(break_state(reader, str(row[0]))) for row in rows]
