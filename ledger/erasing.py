"""Erases who a person was, once the law no longer asks for it, and leaves what was settled as it is.

Only the row that ties a token to a number and a name is removed. Events, accumulators, balances, statements and the
tree know the token alone, so none of them changes; the command itself is recorded, with the token.
"""

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import msgspec

from core_ext.layout import FACT
from ledger import clawbacks, payments
from ledger.events import CommandRecorded, Event, JobStarted
from ledger.keys import (
    account_stream,
    described_stream,
    disease_stream,
    entitlement_stream,
    filing_stream,
    member_stream,
    person_year_stream,
    reimbursement_stream,
    stay_stream,
    visit_stream,
)
from ledger.knowledge import streams_with_prefix
from ledger.line_events import LinesFiled
from ledger.manual.docket import applications
from ledger.manual.events import CONFIRMED, DECLINED, INSTRUCTED, RECOVERED
from ledger.mapper import decode_event
from ledger.refusals import Refusal, Refused

if TYPE_CHECKING:
    from ledger.store import Reader
    from ledger.verbs.base import Base

#: How long identity is kept: account books for 30 years (会计档案管理办法, 2015, annex 1), inpatient records likewise.
RETENTION_YEARS = 30

#: The first benefit year a ledger of this insurance can hold.
FIRST_YEAR = 1990

#: The streams that are a person's own.
_PERSONAL = (
    *(account_stream, member_stream, filing_stream, entitlement_stream, visit_stream),
    *(described_stream, disease_stream, stay_stream),
)

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


class Erased(msgspec.Struct, frozen=True):
    """Is a person erased: the token that stays in the events, and the last recorded time of anything about it."""

    position: int
    token: int
    last_recorded_at: int


def erase_person(ledger: "Base", psn_no: str, retention_years: int, reason: str) -> Erased:
    """Removes a person's number and name; refused within ``retention_years`` of the last event about the person.

    Refused too where nobody has that number, and while a clawback on one of the person's claims is outstanding.
    ``reason`` goes into the log for ever: it must not name the person.
    """
    if retention_years < 0:
        raise Refused(Refusal.RETENTION, f"expected a retention period of 0 years or more, got {retention_years}")
    with ledger.transaction() as tx:
        token = tx.tokens([psn_no]).get(psn_no, 0)
        if not token:
            raise Refused(
                Refusal.UNKNOWN_PSN_NO, "expected the number of a person of this ledger, got one that nobody has"
            )
        names = [psn_no, *(name for _, name in tx.persons([token]).values())]
        if any(name and name in reason for name in names):
            raise Refused(
                Refusal.RETENTION, "expected a reason without the person's number or name: the log keeps it for ever"
            )
        last = _last_recorded_at(tx, token)
        until = _years_later(last, retention_years)
        if last and tx.recorded_at < until:
            raise Refused(
                Refusal.RETENTION,
                f"expected the retention period of {retention_years} years to be over, got a last event of"
                f" {_day(last)}: person {token} may be erased from {_day(until)} on",
            )
        arguments = {"retention_years": retention_years, "token": token}
        position, command = ledger.command(tx, "erase", reason, arguments)
        tx.remove_person(token)
        ledger.append(tx, [command])
        return Erased(position, token, last)


def _last_recorded_at(reader: "Reader", token: int) -> int:
    """Returns when the last event about a person was recorded, 0 where there is none.

    Raises Refused where a clawback on one of the person's claims is outstanding, and where an application for manual
    reimbursement has not come to its end.
    """
    events: list[Event] = _of_applications(reader, token)
    year = (EPOCH + timedelta(microseconds=reader.recorded_at)).year
    streams = [person_year_stream(token, at) for at in range(FIRST_YEAR, year + 2)]
    streams += [of(token) for of in _PERSONAL]
    for stream in reader.stream_heads(streams):
        events += [decode_event(topic, state) for _, _, topic, state in reader.stream(stream)]
    claims, causes = _claims_of(reader, token)
    cases: dict[str, list[Event]] = {}
    for _, stream, _, topic, stored in streams_with_prefix(reader, "clawback") if claims else ():
        cases.setdefault(stream, []).append(decode_event(topic, stored))
    for stream, case in cases.items():
        state = clawbacks.ClawbackState()
        for event in case:
            state = clawbacks.evolve(state, event)
        if state.raised is None or state.raised.claim not in claims:
            continue
        if state.outstanding_fen:
            raise Refused(
                Refusal.RETENTION,
                f"expected no outstanding clawback on the person's claims, got {stream}: collect it first",
            )
        events += case
    causes |= {_cause_of(event) for event in events}
    found = reader.events_at(sorted(causes)).values()
    return max((_recorded_at(topic, state) for _, _, topic, state in found), default=0)


def _of_applications(reader: "Reader", token: int) -> list[Event]:
    """Returns the events of a person's applications; raises Refused for one that runs or of which something is owed."""
    events: list[Event] = []
    for application, state in applications(reader).items():
        if state.accepted is None or state.accepted.token != token:
            continue
        paid = state.instructed is None or payments.read_payment(reader, state.instructed.payment)[0].transit_fen == 0
        ended = state.stage in (DECLINED, RECOVERED) or (state.stage == CONFIRMED and not state.due)
        if not (ended or (state.stage == INSTRUCTED and paid)) or any(state.outstanding):
            raise Refused(
                Refusal.RETENTION,
                f"expected applications that have come to their end, got {application}: pay or collect it first",
            )
        stream = reader.stream(reimbursement_stream(application))
        events += [decode_event(topic, stored) for _, _, topic, stored in stream]
    return events


def _claims_of(reader: "Reader", token: int) -> tuple[set[int], set[int]]:
    """Returns the positions of a person's claims and of the commands and jobs that booked them or their fee lines.

    The log is read once, as columns: erasing is rare, and no stream is a person's.
    """
    from ledger.acts import read_acts

    claims: set[int] = set()
    causes: set[int] = set()
    for acts in read_acts(reader):
        own = acts.facts[:, FACT["token"]] == token
        claims.update(acts.claim[own].tolist())
        causes.update(acts.cause[own].tolist())
    for stream, _, _, _ in reader.events_at(sorted(claims)).values() if claims else ():
        for _, _, topic, state in reader.stream(stream):
            if topic == LinesFiled.TOPIC:
                causes.add(_cause_of(decode_event(topic, state)))
    return claims, causes


def _cause_of(event: Any) -> int:
    """Returns the command or job behind an event of a person's, a claim's or a clawback's stream: each names it."""
    cause: int = event.cause
    return cause


def _recorded_at(topic: str, state: bytes) -> int:
    cause = decode_event(topic, state)
    assert isinstance(cause, CommandRecorded | JobStarted)
    return cause.recorded_at


def _years_later(recorded_at: int, years: int) -> int:
    """Returns the microsecond ``years`` calendar years later; 29 February counts to 1 March."""
    moment = EPOCH + timedelta(microseconds=recorded_at)
    year = moment.year + years
    try:
        later = moment.replace(year=year)
    except ValueError:
        later = moment.replace(year=year, month=3, day=1)
    return (later - EPOCH) // timedelta(microseconds=1)


def _day(recorded_at: int) -> str:
    return f"{EPOCH + timedelta(microseconds=recorded_at):%Y-%m-%d}"
