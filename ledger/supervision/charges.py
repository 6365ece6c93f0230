"""Makes the charges the rules kernel reads: lines and visits under the items of a book, sorted by person, item, day."""

import os
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, fields
from typing import NamedTuple, Protocol

import numpy as np

from core_ext.layout import ABSENT
from core_ext.reference.rules import part_of
from core_ext.rule_tables import CHARGE, CHARGES, RULE, Int64s
from ledger.policy_terms import INSUTYPES, MED_TYPES
from ledger.supervision.book import Book
from ledger.supervision.days import ages, apart, month_number, ordinal
from ledger.supervision.terms import BITS, GROUPS, MATERNITY, SETTINGS

#: A count of one, and 1e-6 yuan in a fen.
ONE, PRICE_PER_FEN = 10_000, 10_000
#: Codes of treatment that take a bed: inpatient, and births in hospital.
BEDDED = (MED_TYPES["inpatient"], MED_TYPES["maternity"])

#: As many charges are worth a thread each.
THREADED = 100_000

#: Stands for a charge that is a visit as a whole.
WHOLE = -1


class Finder(Protocol):
    """Is the rules kernel as charges need it."""

    def find(self, charges: Int64s) -> Int64s:
        """Returns the violations (rule, charge, fen) in a table of charges."""


@dataclass(slots=True)
class Visits:
    """Is visits, one row each: who, when and where; days yyyymmdd, 0 where unknown.

    ``key`` is what names a visit for ever (the position of its ClaimFiled). ``registered`` is 1 or 0, -1 where no
    register of institutions is kept; ``applied`` the day a manual claim was applied for; ``diagnosis`` empty: unknown.
    """

    token: Int64s
    key: Int64s
    begin: Int64s
    end: Int64s
    insutype: Int64s
    hosp_lv: Int64s
    med_type: Int64s
    insured_region: Int64s
    treatment_region: Int64s
    amount: Int64s
    institution: Int64s
    registered: Int64s
    manual: Int64s
    applied: Int64s
    sex: Int64s
    birth: Int64s
    death: Int64s
    diagnosis: list[str]

    def __len__(self) -> int:
        """Returns the number of visits."""
        return len(self.token)


#: The columns of visits that are numbers, in order.
VISIT_COLUMNS = tuple(each.name for each in fields(Visits))[:-1]


@dataclass(slots=True)
class Bill:
    """Is lines, one row each, under the row of their visit: codes of items, days, counts 1e-4, prices 1e-6 yuan."""

    visit: Int64s
    items: list[str]
    day: Int64s
    cnt: Int64s
    pric: Int64s
    amount: Int64s

    def __len__(self) -> int:
        """Returns the number of lines."""
        return len(self.visit)


class Charges(NamedTuple):
    """Is the kernel's table with where each charge came from: its row of visits, and its line or WHOLE."""

    table: Int64s
    visit: Int64s
    line: Int64s


class Hits(NamedTuple):
    """Is what violates: the rule (its place in ``Book.held``), the window it is in, and where each charge came from."""

    rule: Int64s
    kind: Int64s
    window: Int64s
    visit: Int64s
    line: Int64s
    fen: Int64s


def scope_of(visits: Visits) -> Int64s:
    """Returns the scope bits of each visit."""
    scope = _bits("insurance", visits.insutype, INSUTYPES)
    level = np.where((visits.hosp_lv >= 1) & (visits.hosp_lv <= 3), visits.hosp_lv, 4)
    scope |= BITS["level", "1"] << (level - 1)
    med_type = np.where(np.isin(visits.med_type, MATERNITY), MATERNITY[0], visits.med_type)
    scope |= _bits("setting", med_type, SETTINGS)
    province = visits.insured_region // 10_000 == visits.treatment_region // 10_000
    local = visits.insured_region == visits.treatment_region
    away = np.where(province, BITS["place", "province"], BITS["place", "cross_province"])
    scope |= np.where(local, BITS["place", "local"], away)
    scope |= np.where(visits.sex == 1, BITS["sex", "male"], 0) | np.where(visits.sex == 2, BITS["sex", "female"], 0)
    scope |= np.where(visits.manual == 1, BITS["channel", "manual"], BITS["channel", "direct"])
    scope |= np.where(visits.registered == 1, BITS["institution", "registered"], 0)
    scope |= np.where(visits.registered == 0, BITS["institution", "unknown"], 0)
    return scope


def _bits(group: str, codes: Int64s, known: dict[str, int]) -> Int64s:
    found = np.full(len(codes), BITS[group, GROUPS[group][-1]], np.int64)
    for name, code in known.items():
        found[codes == code] = BITS[group, name]
    return found


def net(bill: Bill) -> Bill:
    """Returns the lines without those that give something back: each takes away from the latest ones of its item."""
    back = (bill.cnt < 0) != (bill.pric < 0)
    if not back.any():
        return bill
    cnt, amount = np.abs(bill.cnt), np.abs(bill.amount)
    keys = {(int(bill.visit[at]), bill.items[at]) for at in np.flatnonzero(back).tolist()}
    visits = np.isin(bill.visit, np.array(sorted({visit for visit, _ in keys}), np.int64))
    groups: dict[tuple[int, str], list[int]] = {}
    for at in np.flatnonzero(visits & ~back).tolist():
        if (key := (int(bill.visit[at]), bill.items[at])) in keys:
            groups.setdefault(key, []).append(at)
    for group in groups.values():
        group.sort(key=lambda at: (int(bill.day[at]), at))
    for at in np.flatnonzero(back).tolist():
        left = int(cnt[at])
        for of in reversed(groups.get((int(bill.visit[at]), bill.items[at]), [])):
            taken = min(left, int(cnt[of]))
            if taken:
                amount[of] -= part_of(int(amount[of]), taken, int(cnt[of]))
                cnt[of] -= taken
                left -= taken
    return Bill(bill.visit, bill.items, bill.day, np.where(back, 0, cnt), np.abs(bill.pric), amount)


def charges_of(book: Book, visits: Visits, bill: Bill) -> Charges:
    """Returns the charges that some rule of the book asks about."""
    bill = net(bill)
    lines, line_items = book.expand(bill.items, bill.cnt > 0)
    every = np.arange(len(visits))
    beds = np.flatnonzero(np.isin(visits.med_type, BEDDED))
    known, known_items = _expanded([book.diagnoses_of(code) for code in visits.diagnosis] if book.diagnosed else [])
    whole = np.concatenate([every, beds, known])
    whole_items = np.repeat(np.array([book.visits, book.stays]), [len(every), len(beds)])
    visit = np.concatenate([bill.visit[lines], whole])
    line = np.concatenate([lines, np.full(len(whole), WHOLE)])
    item = np.concatenate([line_items, whole_items, known_items])
    day = np.concatenate([bill.day[lines], visits.begin[whole]])
    cnt = np.concatenate([bill.cnt[lines], np.full(len(whole), ONE)])
    amount = np.concatenate([bill.amount[lines], visits.amount[whole]])
    pric = np.concatenate([bill.pric[lines], visits.amount[whole] * PRICE_PER_FEN])
    person = np.unique(visits.token, return_inverse=True)[1].astype(np.int64)
    on = ordinal(day)
    order = _order(person[visit], item, on)
    visit, line, day = visit[order], line[order], day[order]
    table = np.empty((len(CHARGES), len(order)), np.int64)

    def put(name: str, column: Int64s) -> None:
        table[CHARGE[name]] = column

    put("person", person[visit])
    put("item", item[order])
    put("day", on[order])
    put("month", month_number(day))
    put("visit", visit)
    put("scope", scope_of(visits)[visit])
    put("cnt", cnt[order])
    put("amount", amount[order])
    put("pric", pric[order])
    put("begin", ordinal(visits.begin)[visit])
    put("end", ordinal(visits.end)[visit])
    put("institution", visits.institution[visit])
    put("age", ages(visits.birth[visit], day) if visits.birth.any() else np.full(len(day), ABSENT))
    put("late", apart(visits.applied, visits.end)[visit])
    put("after_death", apart(day, visits.death[visit]) if visits.death.any() else np.full(len(day), ABSENT))
    return Charges(table, visit, line)


def _expanded(items: list[tuple[int, ...]]) -> tuple[Int64s, Int64s]:
    """Returns (row, item): one a row for each item it is."""
    counts = np.fromiter(map(len, items), np.int64, len(items))
    rows = np.repeat(np.arange(len(counts)), counts)
    return rows, np.fromiter((item for each in items for item in each), np.int64, len(rows))


def _order(person: Int64s, item: Int64s, day: Int64s) -> Int64s:
    """Returns the order by person, item and day; what is equal stays as it is."""
    if not len(person):
        return np.zeros(0, np.int64)
    items, first = int(item.max()) + 1, int(day.min())
    days = int(day.max()) - first + 1
    if (int(person.max()) + 1) * items * days >= 2**63:
        return np.lexsort((day, item, person))
    return np.argsort((person * items + item) * days + (day - first), kind="stable")


def find_all(kernel: Finder, table: Int64s, threads: int = os.cpu_count() or 1) -> Int64s:
    """Returns what the kernel finds in charges, cut between persons into a block a thread where there are many."""
    n = table.shape[1]
    if threads == 1 or n < THREADED:
        return kernel.find(table)
    person = table[CHARGE["person"]]
    cuts = [0, *np.searchsorted(person, person[[n * at // threads for at in range(1, threads)]]).tolist(), n]
    with ThreadPoolExecutor(threads) as pool:
        parts = list(pool.map(lambda at: kernel.find(table[:, cuts[at] : cuts[at + 1]]), range(threads)))
    for begin, part in zip(cuts, parts, strict=False):
        part[:, 1] += begin
    return np.concatenate(parts)


def find_hits(book: Book, visits: Visits, bill: Bill) -> Hits:
    """Returns every violation of the book's rules, by rule and then in the order of charges."""
    charges = charges_of(book, visits, bill)
    found = find_all(book.kernel, charges.table)
    row, at, fen = found[:, 0], found[:, 1], found[:, 2]
    kind = book.rules[row, RULE["window"]]
    visit, line = charges.visit[at], charges.line[at]
    day = np.where(line == WHOLE, visits.begin[visit], bill.day[line] if len(bill) else 0)
    months = day // 100
    quarter = day // 10_000 * 10 + (months % 100 + 2) // 3
    window = np.choose(kind, [visits.key[visit], day, months, quarter, day // 10_000]) if len(kind) else kind
    return Hits(book.source[row], kind, window, visit, line, fen)
