"""Lists the settled claims that a register's change reaches back to; it prices none of them again.

A claim is touched where the change speaks of its person or institution on a day from its begin to its settlement,
and the claim was decided before the change, stands, and could have been decided by what the register says now.
"""

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, NamedTuple

import msgspec
import numpy as np

from core_ext.layout import FACT, HOW
from core_ext.text import text_at, to_list
from ledger.acts import Acts, read_acts
from ledger.event import Event
from ledger.events import BASIS_RESETTLED, CommandRecorded, FilingRegistered, MemberEnrolled
from ledger.filings import NEVER
from ledger.keys import entitlement_stream, institution_stream, member_stream
from ledger.knowledge import Knowledge, caused_by, streams_with_prefix
from ledger.mapper import decode_event
from ledger.policy_terms import MED_TYPES
from ledger.refusals import Refusal, Refused
from ledger.register_events import (
    EntitlementRegistered,
    InstitutionChanged,
    InstitutionRegistered,
    InstitutionSuspended,
    InstitutionTerminated,
    MemberChanged,
)
from ledger.register_file import day_before
from ledger.registers import Ints, pairs
from ledger.supervision.events import PersonDescribed

if TYPE_CHECKING:
    from ledger.plans import PolicyBook
    from ledger.store import Reader

Institutional = InstitutionRegistered | InstitutionChanged | InstitutionSuspended | InstitutionTerminated
_INSTITUTIONAL = (InstitutionRegistered, InstitutionChanged, InstitutionSuspended, InstitutionTerminated)


class TouchedClaim(msgspec.Struct, frozen=True):
    """Is a claim that a change reaches back to: the position of its ClaimFiled, its key, its days, what touches it."""

    claim: int
    key: str
    begndate: int
    setl_day: int
    by: str


class Touched(msgspec.Struct, frozen=True):
    """Is what a register command reaches back to, in log order."""

    position: int
    source: str
    claims: tuple[TouchedClaim, ...]


class Reach(NamedTuple):
    """Is one change's reach: a person's token or an institution's code, the days, and 0 or what narrows it.

    A day of birth reaches the claims that it would give another age than they were decided by.
    """

    by: str
    token: int
    code: str
    begin: int
    to: int
    region: int = 0
    med_type: int = 0
    born: int = 0


def last_register(reader: "Reader") -> int:
    """Returns the position of the last register command; refused where there is none."""
    for position, _, _, topic, state in reversed(streams_with_prefix(reader, "command")):
        command = decode_event(topic, state)
        if isinstance(command, CommandRecorded) and command.verb == "register":
            return position
    raise Refused(Refusal.UNKNOWN_KEY, "expected a register command in the log, got none")


def touched(reader: "Reader", position: int) -> Touched:
    """Returns the claims a register command at a position reaches back to; refused where it is no such command."""
    found = reader.events_at([position]).get(position)
    command = decode_event(found[2], found[3]) if found else None
    if not isinstance(command, CommandRecorded) or command.verb != "register":
        raise Refused(Refusal.UNKNOWN_KEY, f"expected the position of a register command, got {position}")
    events = list(caused_by(reader, position))
    reaches = _reaches(reader, events, position)
    claims: list[TouchedClaim] = []
    if reaches:
        known = Knowledge()
        if any(reach.born for reach in reaches):
            known.refresh(reader)
        for acts in read_acts(reader, stop=position):
            claims += _matching(acts, reaches, known.policies)
    reversed_ = reader.reversals([each.claim for each in claims]) if claims else {}
    return Touched(position, command.source, tuple(each for each in claims if each.claim not in reversed_))


def _reaches(reader: "Reader", events: Sequence[Event], position: int) -> list[Reach]:
    """Returns where each change reaches: from its first day until the day before the next value of its key."""
    last = position + len(events)
    members = [event for event in events if isinstance(event, MemberEnrolled | MemberChanged)]
    institutions = [event for event in events if isinstance(event, _INSTITUTIONAL)]
    chronic = [event for event in events if isinstance(event, EntitlementRegistered)]
    streams = {member_stream(event.token) for event in members}
    streams |= {institution_stream(event.code) for event in institutions}
    streams |= {entitlement_stream(event.token) for event in chronic}
    histories = _histories(reader, sorted(streams), last)
    reaches = []
    for member in members:
        until = _until(histories[member_stream(member.token)], member.begin)
        reaches.append(Reach("member", member.token, "", member.begin, until))
    for institution in institutions:
        until = _until(histories[institution_stream(institution.code)], institution.begin)
        reaches.append(Reach("institution", 0, institution.code, institution.begin, until))
    for one in chronic:
        ends = [
            each.to or NEVER
            for each in histories[entitlement_stream(one.token)]
            if isinstance(each, EntitlementRegistered) and (each.disease, each.begin) == (one.disease, one.begin)
        ]
        reaches.append(Reach("entitlement", one.token, "", one.begin, max(ends), med_type=MED_TYPES["chronic"]))
    for event in events:
        if isinstance(event, PersonDescribed) and event.brdy:
            reaches.append(Reach("person", event.token, "", event.brdy, NEVER, born=event.brdy))
        if isinstance(event, FilingRegistered):
            reaches.append(Reach("filing", event.token, "", event.begin, event.to or NEVER, region=event.region))
    return reaches


def _histories(reader: "Reader", streams: Sequence[str], last: int) -> dict[str, list[Event]]:
    histories: dict[str, list[Event]] = {stream: [] for stream in streams}
    columns = "notification_id, topic, state"
    for at, position, topic, state in reader.lookup("stored_events", "originator_id", columns, streams):
        if int(position) <= last:
            histories[streams[int(at)]].append(decode_event(str(topic), bytes(state)))
    return histories


def _until(history: Sequence[Event], begin: int) -> int:
    later = [
        event.begin
        for event in history
        if isinstance(event, MemberEnrolled | MemberChanged | Institutional) and event.begin > begin
    ]
    return day_before(min(later)) if later else NEVER


def _other_age(acts: Acts, row: int, born: int, policies: "PolicyBook") -> bool:
    """Returns whether the policy in force asks for ages and a day of birth gives another than decided the act."""
    one = np.ascontiguousarray(acts.facts[row : row + 1])
    age = int(policies.ages(one, np.array([born], np.int64), np.zeros(1, np.int64))[0])
    return 0 < age != int(acts.how[row, HOW.index("age")])


def _matching(acts: Acts, reaches: Sequence[Reach], policies: "PolicyBook") -> Iterator[TouchedClaim]:
    """Yields a page's settlements that a change reaches, each once, in log order."""
    facts = acts.facts
    begin, end = facts[:, FACT["begndate"]], facts[:, FACT["setl_time"]] // 1_000_000
    # A claim settled before its stay ended would be decided by any of its days.
    end = np.maximum(end, facts[:, FACT["enddate"]])
    first: dict[int, str] = {}
    for rows, of_reach in (_by_token(acts, reaches), _by_code(acts, reaches)):
        for row, at in zip(rows.tolist(), of_reach.tolist(), strict=True):
            reach = reaches[at]
            away = facts[row, FACT["insured_region"]] != facts[row, FACT["treatment_region"]]
            holds = begin[row] <= reach.to and end[row] >= reach.begin and not acts.reversed[row]
            holds = holds and acts.basis[row] != BASIS_RESETTLED
            if reach.region:
                holds = holds and away and facts[row, FACT["treatment_region"]] == reach.region
            if reach.med_type:
                holds = holds and facts[row, FACT["med_type"]] == reach.med_type
            if reach.born:
                holds = holds and _other_age(acts, row, reach.born, policies)
            if holds:
                first.setdefault(row, reach.by)
    for row in sorted(first):
        key = f"{int(facts[row, FACT['insured_region']]):06d}/{text_at(acts.texts['setl_id'], row)}"
        yield TouchedClaim(int(acts.claim[row]), key, int(begin[row]), int(end[row]), first[row])


def _by_token(acts: Acts, reaches: Sequence[Reach]) -> tuple[Ints, Ints]:
    """Returns (row, reach) of every act whose person a change speaks of."""
    at = np.array([i for i, reach in enumerate(reaches) if reach.token], np.int64)
    tokens = np.array([reaches[i].token for i in at.tolist()], np.int64)
    rows, found = pairs(tokens, acts.facts[:, FACT["token"]])
    return rows, at[found]


def _by_code(acts: Acts, reaches: Sequence[Reach]) -> tuple[Ints, Ints]:
    """Returns (row, reach) of every act whose institution a change speaks of."""
    of_code: dict[str, list[int]] = {}
    for i, reach in enumerate(reaches):
        if reach.code:
            of_code.setdefault(reach.code, []).append(i)
    if not of_code:
        return np.zeros(0, np.int64), np.zeros(0, np.int64)
    codes = to_list(acts.texts["fixmedins_code"])
    found = [(row, i) for row, code in enumerate(codes) for i in of_code.get(code, ())]
    table = np.array(found, np.int64).reshape(-1, 2)
    return table[:, 0], table[:, 1]
