"""Registers what rules need and claims do not carry: sex, birth and death of persons, and claims reimbursed by hand."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from ledger.events import Event
from ledger.keys import claim_stream, described_stream, manual_stream
from ledger.mapper import decode_event
from ledger.register_file import (
    DAY,
    DAY_OR_NOTHING,
    REGION,
    Headed,
    RegisterError,
    RegisterFile,
    day,
    day_or_nothing,
    region,
)
from ledger.supervision.events import FEMALE, MALE, SEX_UNKNOWN, ManualClaimAccepted, PersonDescribed

if TYPE_CHECKING:
    from ledger.store import Transaction

#: National code of sex (gend): 1 male, 2 female, 9 not stated.
_GEND = {"1": MALE, "2": FEMALE, "9": SEX_UNKNOWN, "": SEX_UNKNOWN}


def register_persons(tx: "Transaction", file: RegisterFile, cause: int) -> tuple[list[Headed], int]:
    """Returns what is new of persons; a person without a token gets one."""
    rows = list(file.records())
    for number, row in rows:
        if not row["psn_no"]:
            raise RegisterError(f"{file.path.name} row {number}, psn_no: expected a person's number, got nothing")
    tokens = tx.add_persons([(row["psn_no"], "") for _, row in rows])
    wanted = []
    for number, row in rows:
        birth = file.read(number, row, "brdy", DAY_OR_NOTHING, day_or_nothing)
        death = file.read(number, row, "die_date", DAY_OR_NOTHING, day_or_nothing)
        if death and birth > death:
            raise file.error(number, "die_date", "the day of birth or a later one", row["die_date"])
        gend = file.choice(number, row, "gend", _GEND, SEX_UNKNOWN)
        token = tokens[row["psn_no"]]
        wanted.append((described_stream(token), PersonDescribed(cause, number, token, gend, birth, death)))
    return _new(tx, wanted)


def register_births(
    tx: "Transaction", file: RegisterFile, births: Sequence[tuple[int, int, int]], cause: int
) -> list[Headed]:
    """Returns what is new of births, (row, token, yyyymmdd) each, that members come with; the rest stays known."""
    tokens = list(dict.fromkeys(token for _, token, _ in births))
    held: dict[int, tuple[int, PersonDescribed]] = {}
    streams = [described_stream(token) for token in tokens]
    columns = "originator_version, topic, state"
    for at, version, topic, state in tx.lookup("stored_events", "originator_id", columns, streams) if tokens else ():
        event = decode_event(str(topic), bytes(state))
        if isinstance(event, PersonDescribed) and version > held.get(tokens[at], (0, event))[0]:
            held[tokens[at]] = (int(version), event)
    wanted: list[tuple[str, Event]] = []
    for number, token, born in births:
        last = held.get(token, (0, PersonDescribed(cause, number, token, SEX_UNKNOWN, 0, 0)))[1]
        if last.die_date and born > last.die_date:
            raise file.error(number, "birth", "the day of death that is registered, or an earlier one", str(born))
        wanted.append((described_stream(token), PersonDescribed(cause, number, token, last.gend, born, last.die_date)))
    return _new(tx, wanted)[0]


def register_manual_claims(tx: "Transaction", file: RegisterFile, cause: int) -> tuple[list[Headed], int]:
    """Returns which booked claims are new as reimbursed by hand; one that is not booked refuses the file."""
    from ledger.knowledge import Knowledge

    known = Knowledge()
    known.refresh(tx)
    streams = []
    rows = list(file.records())
    for number, row in rows:
        code = file.read(number, row, "insu_admdvs", REGION, region)
        owner = int(known.policies.region_of(np.array([code], np.int64))[0])
        streams.append(claim_stream(owner, file.text(number, row, "setl_id")))
    found = tx.first_events(sorted(set(streams)))
    wanted = []
    for (number, row), stream in zip(rows, streams, strict=True):
        if stream not in found:
            raise file.error(number, "setl_id", "a booked claim", row["setl_id"])
        claim = found[stream][0]
        applied = file.read(number, row, "applied", DAY, day)
        wanted.append((manual_stream(claim), ManualClaimAccepted(cause, number, claim, applied)))
    return _new(tx, wanted)


def _new(tx: "Transaction", wanted: Sequence[tuple[str, Event]]) -> tuple[list[Headed], int]:
    """Returns the events that say something else than the last of their stream."""
    held: dict[str, tuple[int, Event]] = {}
    streams = list(dict.fromkeys(stream for stream, _ in wanted))
    columns = "originator_version, topic, state"
    for at, version, topic, state in tx.lookup("stored_events", "originator_id", columns, streams):
        if version > held.get(streams[at], (0, None))[0]:
            held[streams[at]] = (int(version), decode_event(str(topic), bytes(state)))
    events: list[Headed] = []
    for stream, event in wanted:
        version, last = held.get(stream, (0, None))
        if last is None or _said(last) != _said(event):
            held[stream] = (version + 1, event)
            events.append((stream, version + 1, event))
    return events, len(events)


def _said(event: Event) -> tuple[object, ...]:
    """Returns what an event says beside its cause and row."""
    return tuple(getattr(event, name) for name in event.__struct_fields__[2:])
