"""Folds the log into an index of acts by every key an auditor may hold, and copies of the rare events beside them.

A row of ``trace_act`` carries every dimension and every posted amount of its act, so it also says what an act
was, should its events be altered or missing later (``verify``).
"""

from typing import TYPE_CHECKING

import numpy as np

from core_ext.layout import AMOUNT, AMOUNTS, FACT, FUND_PARTS
from core_ext.text import to_list
from ledger.events import (
    ClawbackRaised,
    FilingRegistered,
    MemberEnrolled,
    OpeningAccumulator,
)
from projections.pages import Page
from projections.tables import Change, Mode, ReadModel, Table, change_of

if TYPE_CHECKING:
    from ledger.store import Reader

ACT = Table(
    "trace_act",
    ("claim",),
    (
        *("reversed", "token", "insured_region", "treatment_region", "insutype"),
        *("month", "period", "cause", "row", "original", "basis", "flags", "medfee_sumamt"),
        *(AMOUNTS[at] for at in FUND_PARTS),
        *("fund_pay_sumamt", "acct_pay", "fixmedins_code", "setl_id", "medins_setl_id"),
    ),
    Mode.APPEND,
    dict.fromkeys(("fixmedins_code", "setl_id", "medins_setl_id"), "text"),
    (
        ("setl_id", "setl_id", ""),
        ("message", "medins_setl_id", "medins_setl_id <> ''"),
        ("person", "token", ""),
        ("institution", "fixmedins_code, period, treatment_region", ""),
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
    (("topic", "topic", ""), ("claim", "claim", "claim > 0")),
)

#: Registers are as many as persons and touch no claim and no balance: the log has them.
_LEFT_OUT = (MemberEnrolled, FilingRegistered, OpeningAccumulator)

_FACTS = ("token", "insured_region", "treatment_region", "insutype")
_PAID = (*FUND_PARTS, AMOUNT["fund_pay_sumamt"], AMOUNT["acct_pay"])


def fold(_: "Reader", page: Page) -> list[Change]:
    """Returns one index row an act and one copy of every event beside acts."""
    acts, facts = page.acts, page.acts.facts
    act = Change(
        ACT,
        [
            acts.claim,
            acts.reversed.astype(np.int64),
            *(facts[:, FACT[name]] for name in _FACTS),
            facts[:, FACT["setl_time"]] // 10**8,
            *(acts.period, acts.cause, acts.row, acts.original, acts.basis, acts.flags),
            facts[:, FACT["medfee_sumamt"]],
            *(acts.booked[:, at] for at in _PAID),
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


MODEL = ReadModel("trace", 1, (ACT, EVENT), fold)
