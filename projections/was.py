"""Says what an act was, out of its row in the trace model: its stream, its postings and its statement line."""

from collections.abc import Callable, Sequence
from typing import Any

import msgspec

from core_ext.layout import AMOUNTS, FACTS, FUND_PARTS
from ledger.acts import ACT_TEXTS
from ledger.benefit_events import AllowanceGranted
from ledger.events import (
    BASIS_REFUND,
    BASIS_RESETTLED,
    FLAG_ASSUMED,
    FLAG_LATE,
    FLAG_NOT_CHECKED,
    ClaimFiled,
    ClaimSettled,
    ClawbackRaised,
    PaymentInstructed,
)
from ledger.keys import claim_stream
from ledger.paying.events import ReceiptSuspended
from ledger.postings import Opened, Posting, postings
from projections.pages import Placed
from projections.statement import LINE
from projections.tables import Row
from projections.trace import ACT, fund_parts


class Was(msgspec.Struct, frozen=True):
    """Is an act as the trace model knows it: columns by name."""

    cells: dict[str, int | str | bytes]

    @classmethod
    def of(cls, row: Row) -> "Was":
        """Returns the act of a whole ``trace_act`` row."""
        return cls(dict(zip(ACT.columns, row, strict=True)))

    def number(self, name: str) -> int:
        """Returns an integer column."""
        value = self.cells[name]
        assert isinstance(value, int)
        return value

    @property
    def stream(self) -> str:
        """Returns the claim's stream."""
        return claim_stream(self.number("insured_region"), str(self.cells["setl_id"]))

    @property
    def filed(self) -> ClaimFiled:
        """Returns a ClaimFiled with what postings need of it; every other fact is 0."""
        values: dict[str, Any] = dict.fromkeys(("cause", "row", *FACTS), 0)
        values |= dict.fromkeys(ACT_TEXTS, "")
        values |= {name: self.number(name) for name in ("insured_region", "treatment_region", "insutype")}
        values["fixmedins_code"] = str(self.cells["fixmedins_code"])
        return ClaimFiled(**values, given=None)


def postings_of_act(was: Was) -> list[Posting]:
    """Returns what the act posted."""
    funds = was.cells["funds"]
    assert isinstance(funds, bytes)
    fund = was.number("fund_pay_sumamt")
    amounts = (0, *fund_parts(funds, fund), fund, 0, was.number("acct_pay"), 0, 0)
    return postings(ClaimSettled(0, 0, 0, 0, 0, 0, b"", 0, amounts, 0, (), (), (), 0), was.filed)


def line_of_act(was: Was) -> Row:
    """Returns what the act added to its statement line, as a row of the table."""
    basis, flags, medfee = was.number("basis"), was.number("flags"), was.number("medfee_sumamt")
    refund = int(basis == BASIS_REFUND)
    settled = int(basis not in (BASIS_REFUND, BASIS_RESETTLED))
    person_time = settled - refund
    funds = was.cells["funds"]
    assert isinstance(funds, bytes)
    values = {"settlements": settled, "refunds": refund}
    values |= zip((AMOUNTS[at] for at in FUND_PARTS), fund_parts(funds, was.number("fund_pay_sumamt")), strict=True)
    for flag, count, counted, amount in (
        (FLAG_LATE, "late_acts", 1, "late_medfee_fen"),
        (FLAG_ASSUMED, "assumed_claims", person_time, "assumed_medfee_fen"),
        (FLAG_NOT_CHECKED, "unchecked_claims", person_time, "unchecked_medfee_fen"),
    ):
        values[count] = counted if flags & flag else 0
        values[amount] = medfee if flags & flag else 0
    return tuple(values[name] if name in values else was.number(name) for name in LINE.columns)


def postings_of_events(events: Sequence[Placed], filed: Callable[[int], ClaimFiled | None]) -> list[Posting]:
    """Returns what a stream's events posted, the first of them opening the others; ``filed`` finds a claim's facts."""
    posted: list[Posting] = []
    for placed in events:
        event = placed.event
        opened: Opened | None = None
        if isinstance(event, ClawbackRaised):
            opened = filed(event.claim)
            if opened is None:
                continue
        elif isinstance(events[0].event, PaymentInstructed | ClawbackRaised | ReceiptSuspended | AllowanceGranted):
            opened = events[0].event
        posted += postings(event, opened)
    return posted
