"""Folds the log into an index of acts by every key an auditor may hold, and copies of the rare events beside them.

A row of ``trace_act`` carries every dimension and every posted amount of its act, so it also says what an act
was, should its events be altered or missing later (``verify``).
"""

from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from core_ext.layout import AMOUNT, FACT, FUND_PARTS
from core_ext.text import to_list
from ledger.benefit_events import DiseaseLimitUsed
from ledger.events import ClawbackRaised, FilingRegistered, MemberEnrolled, OpeningAccumulator
from ledger.line_events import DrugCapSet, PriceCapSet
from ledger.register_events import EntitlementRegistered, FilingEnded, MemberChanged, VisitOpened
from ledger.stays.events import StayPartCounted
from projections.pages import Page
from projections.tables import Change, Mode, ReadModel, Table, change_of

if TYPE_CHECKING:
    from ledger.store import Reader

ACT = Table(
    "trace_act",
    ("claim",),
    (
        *("token", "insured_region", "treatment_region", "insutype", "month", "period", "cause", "row", "original"),
        *("basis", "flags", "medfee_sumamt", "fund_pay_sumamt", "acct_pay"),
        *("funds", "fixmedins_code", "setl_id", "medins_setl_id"),
    ),
    Mode.APPEND,
    {"funds": "blob"} | dict.fromkeys(("fixmedins_code", "setl_id", "medins_setl_id"), "text"),
    # A claim is found by its stream in the log's own index, and by its message id in the write side's.
    (
        ("person", "token", ""),
        ("institution", "fixmedins_code, period", ""),
        ("pair", "period, insured_region, treatment_region", "insured_region <> treatment_region"),
        ("file", "cause, row", ""),
        ("refund", "original", "original > 0"),
    ),
)

EVENT = Table(
    "trace_event",
    ("position",),
    ("stream", "version", "topic", "claim", "state"),
    Mode.APPEND,
    {"stream": "text", "topic": "text", "state": "blob"},
    (("topic", "topic", ""), ("stream", "stream", ""), ("claim", "claim", "claim > 0")),
)

#: Registers are as many as persons and items, and touch no claim and no balance: the log has them.
_LEFT_OUT = (
    *(MemberEnrolled, MemberChanged, FilingRegistered, FilingEnded, EntitlementRegistered, VisitOpened),
    *(OpeningAccumulator, PriceCapSet, DrugCapSet, DiseaseLimitUsed, StayPartCounted),
)

_FACTS = ("token", "insured_region", "treatment_region", "insutype")


def fold(_: "Reader", page: Page) -> list[Change]:
    """Returns one index row an act and one copy of every event beside acts."""
    acts, facts = page.acts, page.acts.facts
    act = Change(
        ACT,
        [
            acts.claim,
            *(facts[:, FACT[name]] for name in _FACTS),
            facts[:, FACT["setl_time"]] // 10**8,
            *(acts.period, acts.cause, acts.row, acts.original, acts.basis, acts.flags),
            facts[:, FACT["medfee_sumamt"]],
            acts.booked[:, AMOUNT["fund_pay_sumamt"]],
            acts.booked[:, AMOUNT["acct_pay"]],
            fund_cells(acts.booked[:, FUND_PARTS]),
            *(to_list(acts.texts[name]) for name in ("fixmedins_code", "setl_id", "medins_setl_id")),
        ],
    )
    events = [
        (
            placed.position,
            placed.stream,
            placed.version,
            placed.event.TOPIC,
            placed.event.claim if isinstance(placed.event, ClawbackRaised) else 0,
            placed.state,
        )
        for placed in page.others
        if not isinstance(placed.event, _LEFT_OUT)
    ]
    return [act, change_of(EVENT, events)]


def fund_cells(parts: NDArray[np.int64]) -> list[bytes]:
    """Returns the eight fund parts of each act as little-endian int64, nothing where the pool paid all there was."""
    raw = np.ascontiguousarray(parts, "<i8").tobytes()
    width = 8 * len(FUND_PARTS)
    cells = [b""] * len(parts)
    for at in np.unique(np.nonzero(parts[:, 1:])[0]).tolist():
        cells[at] = raw[at * width : (at + 1) * width]
    return cells


def fund_parts(cell: bytes, fund_pay_sumamt: int) -> tuple[int, ...]:
    """Returns the eight fund parts that ``fund_cells`` wrote."""
    if not cell:
        return (fund_pay_sumamt, *(0,) * (len(FUND_PARTS) - 1))
    return tuple(int(part) for part in np.frombuffer(cell, "<i8"))


MODEL = ReadModel("trace", 1, (ACT, EVENT), fold)
