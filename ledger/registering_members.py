"""Takes in members, dated, with what they start with, and the rules by which an enrolment begins to pay."""

from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from ledger.enrolment import Enrolment, EnrolmentRule, coverage
from ledger.events import MemberEnrolled
from ledger.keys import enrolment_stream, member_stream
from ledger.openings import OpeningsOfMembers
from ledger.register_events import STATUS_ACTIVE, STATUS_ENDED, STATUS_SUSPENDED, EnrolmentRuleSet, MemberChanged
from ledger.register_file import (
    DAY,
    DAY_OR_NOTHING,
    REGION,
    Headed,
    RegisterError,
    RegisterFile,
    Row,
    code,
    day,
    day_or_nothing,
    region,
    value_on,
)
from ledger.supervision.events import PersonDescribed
from ledger.supervision.registers import register_births

if TYPE_CHECKING:
    from ledger.store import Transaction

STATUSES = {"active": STATUS_ACTIVE, "suspended": STATUS_SUSPENDED, "ended": STATUS_ENDED}

REPLACE_MEMBER = (
    "ON CONFLICT (token, begin) DO UPDATE SET insu_admdvs = excluded.insu_admdvs, insutype = excluded.insutype,"
    " psn_type = excluded.psn_type, assist_class = excluded.assist_class, covered_from = excluded.covered_from,"
    " status = excluded.status"
)
REPLACE_RULE = (
    "ON CONFLICT (region, insutype, begin) DO UPDATE SET newborn_days = excluded.newborn_days,"
    " on_time_until = excluded.on_time_until, late_months = excluded.late_months, exempt = excluded.exempt"
)
SELECT_RULES = "SELECT region, insutype, begin, newborn_days, on_time_until, late_months, exempt FROM enrolment_rule"

RuleKey = tuple[int, int]


class Member(NamedTuple):
    """Is what holds of a person from a day on; fields as in MemberEnrolled."""

    insu_admdvs: int
    insutype: int
    psn_type: int
    assist_class: int
    covered_from: int
    status: int


#: What makes a row of members a new one.
_NEW = (MemberEnrolled, MemberChanged, PersonDescribed)

MEMBER_COLUMNS = f"begin, {', '.join(Member._fields)}"


def register_members(tx: "Transaction", file: RegisterFile, cause: int) -> tuple[list[Headed], int]:
    """Returns the enrolments, changes and openings that are new, and writes the member register beside them."""
    rows = list(file.records())
    for number, row in rows:
        if not row["psn_no"]:
            raise RegisterError(f"{file.path.name} row {number}, psn_no: expected a person's number, got nothing")
    tokens = tx.add_persons([(row["psn_no"], row["psn_name"]) for _, row in rows])
    heads = tx.stream_heads([member_stream(token) for token in tokens.values()])
    known = members_of(tx, list(tokens.values()))
    rules = _Rules(tx)
    events: list[Headed] = []
    fresh: dict[tuple[int, int], Member] = {}
    said: dict[tuple[int, int], int] = {}
    openings = OpeningsOfMembers(file)
    births: list[tuple[int, int, int]] = []
    for number, row in rows:
        token = tokens[row["psn_no"]]
        history = known.setdefault(token, {})
        begin, member, why = _member(file, number, row, history, rules)
        if history.get(begin) != member:
            if (token, begin) in said:
                raise file.error(
                    number, "from", f"one row a person and day, as row {said[token, begin]} states", row.get("from", "")
                )
            stream = member_stream(token)
            heads[stream] = heads.get(stream, 0) + 1
            kind = MemberChanged if history else MemberEnrolled
            values = (*member[:4], begin, *member[4:], why)
            events.append((stream, heads[stream], kind(cause, number, token, *values)))
            history[begin] = fresh[token, begin] = member
        said.setdefault((token, begin), number)
        openings.read(number, row, token)
        if row.get("birth"):
            births.append((number, token, day(row["birth"])))
    described = register_births(tx, file, births, cause)
    new = len({each.row for _, _, each in (*events, *described) if isinstance(each, _NEW)})
    events += described + openings.events(tx, cause)
    if fresh:
        data = np.array([(*key, *member) for key, member in fresh.items()], np.int64)
        columns = [data[:, at].copy() for at in range(data.shape[1])]
        tx.put("member", ("token", "begin", *Member._fields), columns, REPLACE_MEMBER)
    return events, new


def members_of(tx: "Transaction", tokens: list[int]) -> dict[int, dict[int, Member]]:
    """Returns what holds of each person by the day it holds from."""
    found: dict[int, dict[int, Member]] = {}
    if tokens:
        for at, begin, *values in tx.lookup("member", "token", MEMBER_COLUMNS, np.array(tokens, np.int64)):
            found.setdefault(tokens[int(at)], {})[int(begin)] = Member(*map(int, values))
    return found


def _member(
    file: RegisterFile, number: int, row: Row, history: dict[int, Member], rules: "_Rules"
) -> tuple[int, Member, int]:
    """Returns (day it holds from, values, why coverage begins when it does); what a row leaves out stays as it is."""
    insu_admdvs = file.read(number, row, "insu_admdvs", REGION, region)
    insutype = file.read(number, row, "insutype", "an insurance type", code)
    psn_type = file.read(number, row, "psn_type", "a class of persons", code)
    assist = file.read(number, row, "assist_class", "an assistance class from 1 to 4, or nothing", _assist)
    begin = file.read(number, row, "from", DAY_OR_NOTHING, day_or_nothing)
    enrolled = file.read(number, row, "enrolled", DAY_OR_NOTHING, day_or_nothing)
    birth = file.read(number, row, "birth", DAY_OR_NOTHING, day_or_nothing)
    if birth and enrolled and birth > enrolled:
        raise file.error(number, "birth", "a day up to that of the enrolment", row["birth"])
    covered, why = 0, 0
    if enrolled:
        rule = rules.on(insu_admdvs, insutype, enrolled)
        covered, why = coverage(rule, Enrolment(begin, enrolled, birth, row.get("enrolment_class", "")))
        begin = min(begin or enrolled, covered)
    before = value_on(history, begin)
    if not enrolled and before is not None:
        covered = before.covered_from
    status = file.choice(number, row, "status", STATUSES, STATUS_ACTIVE if before is None else before.status)
    return begin, Member(insu_admdvs, insutype, psn_type, assist, covered, status), why


def _assist(text: str) -> int:
    value = code(text) if text else 0
    if value > 4:
        raise ValueError(text)
    return value


class _Rules:
    """Is every enrolment rule of the store, looked up by insured code, insurance type and day."""

    def __init__(self, tx: "Transaction") -> None:
        self.dated = _rules(tx)

    def on(self, insu_admdvs: int, insutype: int, on: int) -> EnrolmentRule | None:
        """Returns the rule of the county, else of its city, else of its province; None where none is in force."""
        for place in (insu_admdvs, insu_admdvs // 100 * 100, insu_admdvs // 10_000 * 10_000):
            rule = value_on(self.dated.get((place, insutype), {}), on)
            if rule is not None:
                return rule
        return None


def _rules(tx: "Transaction") -> dict[RuleKey, dict[int, EnrolmentRule]]:
    found: dict[RuleKey, dict[int, EnrolmentRule]] = {}
    for place, insutype, begin, newborn, until, months, exempt in tx.query(SELECT_RULES):
        rule = EnrolmentRule(int(newborn), int(until), int(months), tuple(str(exempt).split()))
        found.setdefault((int(place), int(insutype)), {})[int(begin)] = rule
    return found


def register_rules(tx: "Transaction", file: RegisterFile, cause: int) -> tuple[list[Headed], int]:
    """Returns the enrolment rules that are new, and writes them beside."""
    known = _rules(tx)
    events: list[Headed] = []
    fresh: dict[tuple[int, int, int], EnrolmentRule] = {}
    heads: dict[str, int] = {}
    for number, row in file.records():
        key = (
            file.read(number, row, "region", REGION, region),
            file.read(number, row, "insutype", "an insurance type", code),
        )
        begin = file.read(number, row, "from", DAY, day)
        rule = EnrolmentRule(
            file.read(number, row, "newborn_days", "a number of days", code),
            file.read(number, row, "on_time_until", "a day of the year as MM-DD", _day_of_year),
            file.read(number, row, "late_months", "a number of months", code),
            tuple(sorted(row["exempt_classes"].split())),
        )
        if known.get(key, {}).get(begin) == rule:
            continue
        if (*key, begin) in fresh:
            raise file.error(number, "from", "one rule a region, insurance type and day", row["from"])
        known.setdefault(key, {})[begin] = fresh[*key, begin] = rule
        stream = enrolment_stream(*key)
        if stream not in heads:
            heads |= tx.stream_heads([stream]) or {stream: 0}
        heads[stream] += 1
        events.append((stream, heads[stream], EnrolmentRuleSet(cause, number, *key, begin, *rule[:3], rule.exempt)))
    if fresh:
        keys = np.array(list(fresh), np.int64)
        numbers = np.array([rule[:3] for rule in fresh.values()], np.int64)
        columns = ("region", "insutype", "begin", "newborn_days", "on_time_until", "late_months", "exempt")
        data = [*(keys[:, at].copy() for at in range(3)), *(numbers[:, at].copy() for at in range(3))]
        tx.put("enrolment_rule", columns, [*data, [" ".join(rule.exempt) for rule in fresh.values()]], REPLACE_RULE)
    return events, len(fresh)


def _day_of_year(text: str) -> int:
    return day(f"2024-{text}") % 10_000
