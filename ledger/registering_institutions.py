"""Takes in institutions, dated: level, settlement grade, capabilities, bank account, suspension and termination."""

from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from ledger.keys import institution_stream
from ledger.refusals import Refusal, Refused
from ledger.register_events import (
    STATUS_ACTIVE,
    STATUS_ENDED,
    STATUS_SUSPENDED,
    InstitutionChanged,
    InstitutionRegistered,
    InstitutionSuspended,
    InstitutionTerminated,
)
from ledger.register_file import (
    DAY_OR_NOTHING,
    REGION,
    Headed,
    RegisterFile,
    Row,
    code,
    day_or_nothing,
    region,
    value_on,
)

if TYPE_CHECKING:
    from ledger.store import Transaction

STATUSES = {"in_network": STATUS_ACTIVE, "suspended": STATUS_SUSPENDED, "terminated": STATUS_ENDED}

REPLACE = (
    "ON CONFLICT (code, begin) DO UPDATE SET status = excluded.status, name = excluded.name,"
    " region = excluded.region, hosp_lv = excluded.hosp_lv, grade = excluded.grade, med_types = excluded.med_types,"
    " bank_account = excluded.bank_account"
)


class Institution(NamedTuple):
    """Is what holds of an institution from a day on; fields as in InstitutionRegistered."""

    status: int
    name: str
    region: int
    hosp_lv: int
    grade: int
    med_types: str
    bank_account: str


COLUMNS = f"begin, {', '.join(Institution._fields)}"


def register_institutions(tx: "Transaction", file: RegisterFile, cause: int) -> tuple[list[Headed], int]:
    """Returns what is new of institutions as events, and writes their register beside them."""
    rows = list(file.records())
    codes = {file.text(number, row, "fixmedins_code"): None for number, row in rows}
    heads = tx.stream_heads([institution_stream(each) for each in codes])
    known: dict[str, dict[int, Institution]] = {each: {} for each in codes}
    listed = list(codes)
    for at, begin, *values in tx.lookup("institution", "code", COLUMNS, listed) if listed else []:
        known[listed[int(at)]][int(begin)] = _stored(values)
    events: list[Headed] = []
    fresh: dict[tuple[str, int], Institution] = {}
    for number, row in rows:
        own = row["fixmedins_code"]
        history = known[own]
        begin = file.read(number, row, "from", DAY_OR_NOTHING, day_or_nothing)
        before = value_on(history, begin)
        now = _institution(file, number, row, before)
        if history.get(begin) == now:
            continue
        if (own, begin) in fresh:
            raise file.error(number, "from", "one row an institution and day", row.get("from", ""))
        stream = institution_stream(own)
        for event in _events(cause, number, own, begin, now, before, row.get("reason", "")):
            heads[stream] = heads.get(stream, 0) + 1
            events.append((stream, heads[stream], event))
        history[begin] = fresh[own, begin] = now
    _put(tx, fresh)
    return events, len(fresh)


def _stored(values: list[object]) -> Institution:
    status, name, place, level, grade, med_types, bank = values
    return Institution(
        int(str(status)), str(name), int(str(place)), int(str(level)), int(str(grade)), str(med_types), str(bank)
    )


def _institution(file: RegisterFile, number: int, row: Row, before: Institution | None) -> Institution:
    """Returns what a row states; an empty cell, or a column that is absent, leaves what holds on that day."""

    def own(column: str) -> bool:
        return before is None or bool(row.get(column))

    status = file.choice(number, row, "status", STATUSES, before.status if before else STATUS_ACTIVE)
    place = file.read(number, row, "region", REGION, region) if own("region") else _held(before).region
    level = file.read(number, row, "hosp_lv", "a hospital level", code) if own("hosp_lv") else _held(before).hosp_lv
    grade = before.grade if before else 0
    if row.get("settlement_grade"):
        grade = file.read(number, row, "settlement_grade", "a hospital level, or nothing", code)
    med_types = before.med_types if before else ""
    if row.get("capabilities"):
        med_types = _capabilities(file, number, row)
    return Institution(
        status,
        row.get("fixmedins_name") or (before.name if before else ""),
        place,
        level,
        grade,
        med_types,
        row.get("bank_account") or (before.bank_account if before else ""),
    )


def _held(before: Institution | None) -> Institution:
    assert before is not None
    return before


def _capabilities(file: RegisterFile, number: int, row: Row) -> str:
    """Returns med_types in ascending order between spaces, nothing for all."""
    if row["capabilities"] == "all":
        return ""
    try:
        codes = sorted({code(part) for part in row["capabilities"].split()})
    except ValueError:
        raise file.error(number, "capabilities", "med_types between spaces, or 'all'", row["capabilities"]) from None
    return " ".join(map(str, codes))


def _events(
    cause: int, number: int, own: str, begin: int, now: Institution, before: Institution | None, reason: str
) -> list[InstitutionRegistered | InstitutionChanged | InstitutionSuspended | InstitutionTerminated]:
    """Returns what a row changes: the values where they differ, and the status where it is not in network."""
    events: list[InstitutionRegistered | InstitutionChanged | InstitutionSuspended | InstitutionTerminated] = []
    if before is None or now[1:] != before[1:] or now.status == STATUS_ACTIVE:
        kind = InstitutionRegistered if before is None else InstitutionChanged
        med_types = tuple(map(int, now.med_types.split()))
        values = (now.name, now.region, now.hosp_lv, now.grade, med_types, now.bank_account)
        events.append(kind(cause, number, own, begin, *values))
    if now.status == STATUS_SUSPENDED:
        events.append(InstitutionSuspended(cause, number, own, begin, reason))
    elif now.status == STATUS_ENDED:
        events.append(InstitutionTerminated(cause, number, own, begin, reason))
    return events


def _put(tx: "Transaction", fresh: dict[tuple[str, int], Institution]) -> None:
    if not fresh:
        return
    rows = list(fresh.values())
    numbers = np.array([[begin, row.status, row.region, row.hosp_lv, row.grade] for (_, begin), row in fresh.items()])
    names = ("begin", "status", "region", "hosp_lv", "grade")
    texts = ("name", "med_types", "bank_account")
    tx.put(
        "institution",
        ("code", *names, *texts),
        [
            [each for each, _ in fresh],
            *(numbers[:, at].astype(np.int64) for at in range(len(names))),
            *([str(getattr(row, name)) for row in rows] for name in texts),
        ],
        REPLACE,
    )


def change_status(
    tx: "Transaction", cause: int, row: int, own: str, begin: int, status: int, reason: str
) -> InstitutionSuspended | InstitutionTerminated:
    """Returns the suspension or termination of an institution from a day on, and writes its register beside it.

    Raises Refused (institution_unknown) for a code that is not registered by that day.
    """
    found = {int(day): _stored(values) for _, day, *values in tx.lookup("institution", "code", COLUMNS, [own])}
    before = value_on(found, begin)
    if before is None:
        raise Refused(
            Refusal.INSTITUTION_UNKNOWN, f"expected an institution registered by {begin}, got {own}: register it first"
        )
    _put(tx, {(own, begin): before._replace(status=status)})
    kind = InstitutionSuspended if status == STATUS_SUSPENDED else InstitutionTerminated
    return kind(cause, row, own, begin, reason)
