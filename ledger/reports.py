"""Defines what commands answer: plain frozen values, amounts in fen, ready for a table or for JSON."""

from typing import TYPE_CHECKING

import msgspec

from core_ext.layout import AMOUNTS
from ledger.clawbacks import ClawbackState
from ledger.clearing.states import Clearing, State, evolve
from ledger.events import (
    JobAbandoned,
    JobBatch,
    JobCompleted,
    JobStarted,
    PeriodClosed,
    PolicyEnacted,
)
from ledger.knowledge import streams_with_prefix
from ledger.mapper import decode_event
from ledger.payments import KIND_NAMES, PaymentState

if TYPE_CHECKING:
    from ledger.store import Reader


class Enacted(msgspec.Struct, frozen=True):
    """Is a policy in force for regions; ``already`` where the log had it before (position 0)."""

    position: int
    name: str
    digest: str
    regions: tuple[int, ...]
    assumed: bool
    already: bool


class RefusedRow(msgspec.Struct, frozen=True):
    """Is a row of a register that is sound but not allowed: its reason as a stable code, and in words."""

    row: int
    reason: str
    text: str


class Registered(msgspec.Struct, frozen=True):
    """Is a register taken in: its kind, rows read, rows that were new, the command's position (0: nothing new).

    ``refused`` are the rows that wrote nothing though they can be read: filings that may not be made now.
    """

    kind: str
    rows: int
    new: int
    position: int
    refused: tuple[RefusedRow, ...] = ()


class Reversed(msgspec.Struct, frozen=True):
    """Is a settlement cancelled: the refund's position and id, and what it booked."""

    position: int
    setl_id: str
    claim: str
    period: int
    amounts: dict[str, int]
    balc: int


class Closed(msgspec.Struct, frozen=True):
    """Is a clearing period frozen; ``late_acts`` booked into it from earlier months."""

    period: int
    acts: int
    person_times: int
    medfee_fen: int
    totals: dict[str, int]
    late_acts: int
    late_medfee_fen: int
    statement: str

    @classmethod
    def of(cls, event: PeriodClosed) -> "Closed":
        """Returns the report of a PeriodClosed."""
        return cls(
            event.period,
            event.acts,
            event.person_times,
            event.medfee_fen,
            dict(zip(AMOUNTS, event.totals, strict=True)),
            event.late_acts,
            event.late_medfee_fen,
            event.statement.hex(),
        )


class Payment(msgspec.Struct, frozen=True):
    """Is a payment: ``key`` names it everywhere; ``receipt`` is empty until it is confirmed.

    ``amount_fen`` is in transit, received or back (``failed`` or ``returned``: ``failure`` is the position that says
    so, which resending names); ``retained_fen`` and ``offset_fen`` were withheld from what was owed.
    ``set_off_fen`` is what of a payment below zero later payments took up.
    """

    key: str
    kind: str
    period: int
    payer: int
    payee: str
    acts: int
    fund_fen: int
    account_fen: int
    amount_fen: int
    receipt: str
    state: str
    withheld_fen: int
    returned_fen: int
    retained_fen: int
    offset_fen: int
    transit_fen: int
    received_fen: int
    back_fen: int
    attempt: int
    failure: int
    set_off_fen: int

    @classmethod
    def of(cls, key: str, state: PaymentState) -> "Payment":
        """Returns the report of an instructed payment."""
        event = state.instructed
        assert event is not None
        receipt = state.confirmed.receipt if state.confirmed else ""
        return cls(
            key,
            KIND_NAMES[event.kind],
            event.period,
            event.payer,
            event.payee,
            event.acts,
            event.fund_fen,
            event.account_fen,
            event.amount_fen,
            receipt,
            state.code,
            event.withheld_fen,
            event.returned_fen,
            event.retained_fen,
            event.offset_fen,
            state.transit_fen,
            state.received_fen,
            state.back_fen,
            state.attempt,
            state.failure,
            state.set_off_fen,
        )


class Clawback(msgspec.Struct, frozen=True):
    """Is a clawback case: raised, split over funds, collected, outstanding; fen."""

    case: str
    claim: str
    amount_fen: int
    funds: dict[str, int]
    collected_fen: int
    outstanding_fen: int

    @classmethod
    def of(cls, case: str, claim: str, state: ClawbackState) -> "Clawback":
        """Returns the report of a raised clawback."""
        assert state.raised is not None
        funds = {name: fen for name, fen in zip(AMOUNTS[1:9], state.raised.funds, strict=True) if fen}
        return cls(case, claim, state.raised.amount_fen, funds, state.collected_fen, state.outstanding_fen)


class ClearingReport(msgspec.Struct, frozen=True):
    """Is how far a period's clearing got: its state, the position it stands on, who checked and signed it.

    ``late`` holds (business month, acts, total fee in fen) of claims carried into it.
    """

    period: int
    state: str
    position: int
    checked_by: str
    signed_by: str
    acts: int
    person_times: int
    medfee_fen: int
    fund_fen: int
    account_fen: int
    late: tuple[tuple[int, int, int], ...]
    overdue_acts: int
    overdue_medfee_fen: int
    terms: str

    @classmethod
    def of(cls, state: Clearing, *, paid: bool) -> "ClearingReport":
        """Returns the report of a clearing; ``paid`` says that a signed one has payments."""
        code = "paid" if paid and state.state == State.SIGNED else state.state.code
        drafted = state.drafted
        if drafted is None:
            return cls(state.period, code, state.position, "", "", 0, 0, 0, 0, 0, (), 0, 0, "")
        return cls(
            state.period, code, state.position, state.checked_by, state.signed_by, drafted.acts, drafted.person_times,
            drafted.medfee_fen, drafted.fund_fen, drafted.account_fen, drafted.late, drafted.overdue_acts,
            drafted.overdue_medfee_fen, drafted.terms.hex(),
        )  # fmt: skip


class TermsReport(msgspec.Struct, frozen=True):
    """Is terms of clearing: their name and digest, the period they hold from, the document."""

    name: str
    digest: str
    period: int
    document: str


class PeriodReport(msgspec.Struct, frozen=True):
    """Is a clearing period's state; positions of its events, ``closed`` 0 while it is open."""

    period: int
    state: str
    opened: int
    closed: int

    @classmethod
    def read(cls, reader: "Reader") -> "list[PeriodReport]":
        """Returns every period of the log, earliest first."""
        found: dict[int, Clearing] = {}
        for position, stream, _, topic, stored in streams_with_prefix(reader, "period"):
            period = int(stream.removeprefix("period-"))
            found[period] = evolve(found.get(period, Clearing(period)), position, decode_event(topic, stored))
        return [
            cls(period, _PERIOD_STATES.get(each.state, each.state.code), each.opened, each.closed)
            for period, each in sorted(found.items())
        ]


#: A period that is cut off is closed, by the older word.
_PERIOD_STATES = {State.CUT_OFF: "closed"}


class PolicyReport(msgspec.Struct, frozen=True):
    """Is one enactment of a policy document."""

    position: int
    name: str
    digest: str
    regions: tuple[int, ...]
    assumed: bool
    document: str

    @classmethod
    def read(cls, reader: "Reader") -> "list[PolicyReport]":
        """Returns every enactment in log order."""
        found = []
        for position, _, _, topic, stored in streams_with_prefix(reader, "policy"):
            event = decode_event(topic, stored)
            assert isinstance(event, PolicyEnacted)
            found.append(cls(position, event.name, event.digest.hex(), event.regions, event.assumed, event.document))
        return found


class JobReport(msgspec.Struct, frozen=True):
    """Is one job over a file: its totals so far, ``completed`` once every row has an outcome."""

    job: int
    verb: str
    source: str
    digest: str
    actor: str
    reason: str
    recorded_at: int
    rows: int
    booked: int
    duplicate: int
    quarantined: int
    completed: bool
    abandoned: bool = False

    @classmethod
    def read(cls, reader: "Reader") -> "list[JobReport]":
        """Returns every job in log order."""
        jobs: dict[int, JobReport] = {}
        for position, _, _, topic, stored in streams_with_prefix(reader, "job"):
            event = decode_event(topic, stored)
            if isinstance(event, JobStarted):
                jobs[position] = cls(
                    position,
                    event.verb,
                    event.source,
                    event.digest.hex(),
                    event.actor,
                    event.reason,
                    event.recorded_at,
                    *(0, 0, 0, 0, False),
                )
            elif isinstance(event, JobBatch):
                job = jobs[event.cause]
                jobs[event.cause] = msgspec.structs.replace(
                    job,
                    rows=job.rows + event.rows,
                    booked=job.booked + event.booked,
                    duplicate=job.duplicate + len(event.duplicates),
                    quarantined=job.quarantined + len(event.quarantined),
                )
            elif isinstance(event, JobCompleted):
                jobs[event.cause] = msgspec.structs.replace(jobs[event.cause], completed=True)
            elif isinstance(event, JobAbandoned):
                jobs[event.cause] = msgspec.structs.replace(jobs[event.cause], abandoned=True)
        return list(jobs.values())
