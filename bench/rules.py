"""Makes the workload of the rules: a pack of 7,566 instances, and a year of lines that violate few of them."""

from dataclasses import dataclass
from functools import cache, lru_cache

import numpy as np
from numpy.typing import NDArray

from core_ext import rule_tables as t
from core_ext.rule_tables import RULE
from ledger.supervision.book import Book
from ledger.supervision.charges import VISIT_COLUMNS, WHOLE, Bill, Charges, Visits, charges_of
from ledger.supervision.packs import read_pack
from ledger.supervision.volume import generated_pack, item_code

Int64s = NDArray[np.int64]

RULES, ITEMS, SEED = 7_566, 2_000, 20240301
LINES_A_VISIT, VISITS_A_PERSON = 5, 4
#: Of the lines that violate when drawn, one in so many stays.
KEPT = 60
#: Lines drawn at once; more lines are the same ones again for other persons.
BLOCK = 500_000
_MED_TYPES = np.array([11, 14, 21, 28, 41])
_MONTHS = np.cumsum([0, 31, 29, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31])


@dataclass(frozen=True)
class Workload:
    """Is a book and the lines to review by it, before they are charges and as such."""

    book: Book
    visits: Visits
    bill: Bill
    charges: Charges


@cache
def book_of(rules: int = RULES) -> Book:
    """Returns the book of a generated pack."""
    return Book([read_pack(generated_pack(rules, ITEMS), "generated")])


@lru_cache(maxsize=2)
def workload(lines: int) -> Workload:
    """Returns exactly ``lines`` lines of a year, few of which violate, over the generated pack.

    Raises RuntimeError where the workload is not what the figures promise: 8 kinds, 30 % windowed, 0.1 to 2 % hits.
    """
    book = book_of()
    asked = [code for code in map(item_code, range(ITEMS)) if book.items_of(code)]
    block = min(lines, BLOCK)
    visits, bill = _drawn(2 * block, asked)
    spared = np.zeros(len(bill), np.bool_)
    for draw in range(4):
        charges = _lines_only(book, visits, bill)
        hit = np.unique(charges.line[book.kernel.find(charges.table)[:, 1]])
        if not draw:
            spared[hit[::KEPT]] = True
        dropped = hit[~spared[hit]]
        bill, spared = _without(bill, dropped), np.delete(spared, dropped)
    bill = _without(bill, np.arange(block, len(bill)))
    visits, bill = _repeated(visits, bill, lines // block)
    charges = _lines_only(book, visits, bill)
    if len(bill) != lines or charges.table.shape[1] != lines:
        raise RuntimeError(f"expected {lines} lines that some rule asks about, got {charges.table.shape[1]}")
    hits = book.kernel.find(charges.table)
    share = len(np.unique(hits[:, 1])) / lines
    if not 0.001 <= share <= 0.02:
        raise RuntimeError(f"expected 0.1 to 2 % of lines to violate, got {share:.2%}")
    if windowed(book.rules) < 0.3 or len(np.unique(book.rules[:, RULE["op"]])) < 7:
        raise RuntimeError("expected at least 30 % of rules with a window and seven operations, got fewer")
    return Workload(book, visits, bill, charges)


def _repeated(visits: Visits, bill: Bill, times: int) -> tuple[Visits, Bill]:
    """Returns the same visits and lines for so many persons as many, each time other persons."""
    shift = np.arange(times)

    def again(column: Int64s, step: int = 0) -> Int64s:
        return (column + step * shift[:, None]).ravel()

    numbers = {name: again(getattr(visits, name)) for name in VISIT_COLUMNS}
    numbers |= {"token": again(visits.token, int(visits.token.max()) + 1), "key": again(visits.key, len(visits))}
    columns = (again(column) for column in (bill.day, bill.cnt, bill.pric, bill.amount))
    made = Bill(again(bill.visit, len(visits)), bill.items * times, *columns)
    return Visits(**numbers, diagnosis=visits.diagnosis * times), made


def windowed(rules: Int64s) -> float:
    """Returns the share of rules that look at a window."""
    return float(np.isin(rules[:, RULE["op"]], (t.TOTAL, t.PRESENT, t.MISSING, t.PARTS, t.DEARER)).mean())


def _lines_only(book: Book, visits: Visits, bill: Bill) -> Charges:
    """Returns the charges that are lines: no generated rule speaks of a visit as a whole."""
    charges = charges_of(book, visits, bill)
    kept = charges.line != WHOLE
    return Charges(np.ascontiguousarray(charges.table[:, kept]), charges.visit[kept], charges.line[kept])


def _without(bill: Bill, rows: Int64s) -> Bill:
    kept = np.delete(np.arange(len(bill)), rows)
    columns = (bill.day, bill.cnt, bill.pric, bill.amount)
    items = np.array(bill.items, object)[kept].tolist()
    return Bill(bill.visit[kept], items, *(column[kept] for column in columns))


def _drawn(lines: int, codes: list[str]) -> tuple[Visits, Bill]:
    random = np.random.Generator(np.random.PCG64(SEED))
    n = max(lines // LINES_A_VISIT, 1)
    person = random.integers(0, max(n // VISITS_A_PERSON, 1), n)
    day = random.integers(0, 366, n)
    med_type = _MED_TYPES[np.searchsorted([55, 70, 85, 88, 100], random.integers(0, 100, n), side="right")]
    stay = np.where(np.isin(med_type, (21,)), random.integers(1, 12, n), 0)
    sex, birth = 1 + person % 2, 1930 + person * 7 % 90
    insured = 440_100 + person % 20 * 100
    away = random.integers(0, 100, n)
    none = np.zeros(n, np.int64)
    visits = Visits(
        token=person + 1,
        key=np.arange(n),
        begin=_days(day),
        end=_days(np.minimum(day + stay, 365)),
        insutype=np.where(person % 3 == 0, 310, 390),
        hosp_lv=np.array([3, 3, 2, 3, 2, 1])[random.integers(0, 6, n)],
        med_type=med_type,
        insured_region=insured,
        treatment_region=np.where(away < 2, 110_000, np.where(away < 10, insured // 1000 * 1000, insured)),
        amount=none,
        institution=random.integers(0, 500, n),
        registered=none + 1,
        manual=none,
        applied=none,
        sex=sex,
        birth=birth * 10_000 + 615,
        death=none,
        diagnosis=[""] * n,
    )
    visit = np.sort(random.integers(0, n, lines))
    # Half of what a person gets is one of a few things; the rest is drawn from all, common ones more often.
    usual = (person[visit] * 31 + random.integers(0, 4, lines) * 557) % len(codes)
    rare = len(codes) * random.integers(0, 4_096, lines) * random.integers(0, 4_096, lines) >> 24
    item = np.where(random.integers(0, 2, lines) == 0, usual, rare)
    at = np.minimum(day[visit] + random.integers(0, 12, lines) % (stay[visit] + 1), 365)
    cnt = np.array([10_000, 10_000, 20_000, 30_000, 5_000])[random.integers(0, 5, lines)]
    pric = (20 + item % 17 + random.integers(0, 2, lines) // (1 + item % 3)) * 1_000_000
    items = [codes[number] for number in item.tolist()]
    return visits, Bill(visit, items, _days(at), cnt, pric, cnt * pric // 10**8)


def _days(day: Int64s) -> Int64s:
    """Returns days of 2024 from 0 as yyyymmdd."""
    month = np.searchsorted(_MONTHS, day, side="right")
    days: Int64s = 20_240_000 + month * 100 + day - _MONTHS[month - 1] + 1
    return days
