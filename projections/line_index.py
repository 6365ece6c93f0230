"""Folds the log into an index of what stands beside claims: fee lines, trace codes settled, and findings.

Rows name log positions; what a finding or a line says is read from the log. ``settled_code`` has every settlement of
a trace code, also one refunded since, so that a code leads to all its claims.
"""

from collections.abc import Collection
from typing import TYPE_CHECKING

import numpy as np

from ledger.events import SettlementDiffers
from ledger.line_columns import NUMBER, lines_of
from ledger.line_events import LinesDiffer, LinesFiled, TraceCodeRepeated
from ledger.mapper import decode_event
from ledger.trace_codes import codes_in
from projections.pages import Page
from projections.tables import Change, Mode, ReadModel, Table, change_of

if TYPE_CHECKING:
    from ledger.store import Reader

LINES = Table(
    "filed_lines",
    ("position",),
    ("claim", "cause", "row", "lines"),
    Mode.APPEND,
    {},
    (("claim", "claim", ""), ("file", "cause, row", "")),
)
CODE = Table(
    "settled_code",
    ("position", "code"),
    ("claim", "row"),
    Mode.APPEND,
    {"code": "text"},
    (("code", "code", ""),),
)
FINDING = Table("finding", ("position",), ("topic", "claim"), Mode.APPEND, {"topic": "text"}, (("claim", "claim", ""),))

TABLES = (LINES, CODE, FINDING)


def fold(_: "Reader", page: Page) -> list[Change]:
    """Returns one row a LinesFiled, one a trace code it settles, and one a finding."""
    return index(page)


def index(page: Page, without: Collection[int] = ()) -> list[Change]:
    """Returns what a page's events add to the index; those at positions ``without`` add nothing."""
    lines: list[tuple[int, ...]] = []
    codes: list[tuple[int, str, int, int]] = []
    findings: list[tuple[int, str, int]] = []
    for position, topic, state in page.beside:
        if position in without:
            continue
        event = decode_event(topic, state)
        if isinstance(event, LinesFiled):
            lines.append((position, event.claim, event.cause, event.row, event.lines))
            codes += [(position, code, event.claim, row) for code, row in _codes(event)]
        else:
            assert isinstance(event, SettlementDiffers | LinesDiffer | TraceCodeRepeated)
            findings.append((position, topic, event.claim))
    return [change_of(LINES, lines), change_of(CODE, codes), change_of(FINDING, findings)]


def _codes(event: LinesFiled) -> list[tuple[str, int]]:
    """Returns each trace code of an event's lines with the row that has it first; a line given back settles none."""
    # Most lines of most claims have no code: the text alone tells.
    if event.texts.count("\t\n") == event.lines:
        return []
    found = lines_of(event)
    given_back = (found.table[:, NUMBER["pric"]] < 0) != (found.table[:, NUMBER["cnt"]] < 0)
    first: dict[str, int] = {}
    for at in np.flatnonzero(~given_back).tolist():
        for code in codes_in(found.codes[at]):
            first.setdefault(code, int(found.table[at, NUMBER["row"]]))
    return list(first.items())


MODEL = ReadModel("lines", 1, TABLES, fold)
