"""Specifies how the cells of claim records become the integer tables of a batch.

Nothing a cell may hold raises: a record that fails carries faults.
"""

import re
from datetime import date

import numpy as np
from numpy.typing import NDArray

from core_ext import cells as c
from core_ext.cells import COLUMNS, TEXT_COLUMNS, Cells, Parsed
from core_ext.layout import ABSENT, AMOUNT, AMOUNTS, FACT, FACTS
from core_ext.text import texts_from_list

_CONTROL = re.compile("[\x00-\x1f\x7f-\x9f]")
#: Control characters, spaces of every width, invisible marks and the comma: nothing a settlement's key may hold.
_NOT_IN_SETL_ID = re.compile(
    "[\x00-\x20,\x7f-\xa0\u1680\u2000-\u200f\u2028-\u202f\u205f-\u206f\u3000\ufeff]",
)
_AMOUNT = re.compile(rb"([+-]?)([0-9]+)(?:\.([0-9]+))?")
_DATE = re.compile(rb"([0-9]{4})-([0-9]{2})-([0-9]{2})")
_TIME = re.compile(rb"(.{10})[ T]([01][0-9]|2[0-3]):([0-5][0-9]):([0-5][0-9])", re.DOTALL)
_CODE = re.compile(rb"[0-9]{1,%d}" % c.CODE_DIGITS)

_CODES = ("insu_admdvs", "mdtrtarea_admvs", "hosp_lv", "psn_type", "med_type")
_DATES = ("begndate", "enddate")
_FACT_AMOUNTS = FACTS[FACTS.index("medfee_sumamt") :]
_PARTS = ("fulamt_ownpay_amt", "overlmt_selfpay", "preselfpay_amt", "inscp_scp_amt")
_AT = {name: at for at, name in enumerate(COLUMNS)}


class _Row:
    """Collects what one record says and the faults it has."""

    def __init__(self, cells: list[bytes], columns: list[int]) -> None:
        self.cells = cells
        self.columns = columns
        self.faults = 0
        self.lowest = 64
        self.field = -1

    def has(self, name: str) -> bool:
        """Returns whether the file has the column at all."""
        return self.columns[_AT[name]] >= 0

    def cell(self, name: str) -> bytes:
        """Returns the cell of a national column, empty where the file has no such column."""
        at = self.columns[_AT[name]]
        return self.cells[at] if at >= 0 else b""

    def fail(self, fault: int, name: str) -> None:
        """Notes a fault of a national column's cell."""
        self.fail_at(fault, self.columns[_AT[name]])

    def fail_at(self, fault: int, at: int) -> None:
        """Notes a fault of a file column's cell; the lowest fault's leftmost cell is the one to show."""
        self.faults |= 1 << fault
        if (fault, at) < (self.lowest, self.field):
            self.lowest, self.field = fault, at


def parse(
    data: NDArray[np.uint8],
    cells: Cells,
    rows: int,
    columns: NDArray[np.int64],
    insutypes: NDArray[np.int64],
) -> Parsed:
    """Returns what the first ``rows`` records of ``cells`` say, with every fault that the row alone can show."""
    facts = np.zeros((rows, len(FACTS)), np.int64)
    given = np.full((rows, len(AMOUNTS)), ABSENT, np.int64)
    settled, refund, faults = (np.zeros(rows, np.int64) for _ in range(3))
    field = np.full(rows, -1, np.int64)
    texts: list[list[bytes]] = [[] for _ in TEXT_COLUMNS]
    raw, where, known = data.tobytes(), columns.tolist(), set(insutypes.tolist())
    for i in range(rows):
        if cells.shape[i] != c.WHOLE:
            faults[i] = 1 << c.ROW_SHAPE
            for column in texts:
                column.append(b"")
            continue
        bounds = zip(cells.starts[i].tolist(), cells.ends[i].tolist(), strict=True)
        row = _Row([raw[start:stop] for start, stop in bounds], where)
        for at, cell in enumerate(row.cells):
            if not _is_utf8(cell):
                row.fail_at(c.NOT_UTF8, at)
        for column, text in zip(texts, _texts(row), strict=True):
            column.append(text)
        _codes_and_dates(row, facts[i], known)
        _amounts(row, facts[i], given[i])
        settled[i] = row.cell("fund_pay_sumamt") != b""
        refund[i] = row.cell("init_setl_id") != b""
        faults[i], field[i] = row.faults, row.field
    return Parsed(facts, given, settled, refund, faults, field, tuple(texts_from_list(column) for column in texts))


def _is_utf8(cell: bytes) -> bool:
    try:
        cell.decode()
    except UnicodeDecodeError:
        return False
    return True


def _texts(row: _Row) -> list[bytes]:
    """Returns the text cells, a failing one as empty: no reader downstream meets bytes it cannot hold."""
    texts = []
    for name in TEXT_COLUMNS:
        cell = row.cell(name)
        if not _is_utf8(cell):
            texts.append(b"")
            continue
        text = cell.decode()
        fault = 0
        if name == "psn_name":
            if _CONTROL.search(text) or text[:1] in tuple("=+-@"):
                fault = c.UNSAFE_TEXT
        elif len(cell) > c.KEY_BYTES or _CONTROL.search(text) or (name == "setl_id" and not _is_setl_id(text)):
            fault = c.BAD_KEY
        elif name == "psn_no" and text.strip(" ") == "":
            fault = c.MISSING_PSN_NO
        if fault:
            row.fail(fault, name)
        texts.append(b"" if fault else cell)
    return texts


def _is_setl_id(text: str) -> bool:
    return text != "" and _NOT_IN_SETL_ID.search(text) is None


def _codes_and_dates(row: _Row, facts: NDArray[np.int64], insutypes: set[int]) -> None:
    for name in _CODES:
        if _CODE.fullmatch(row.cell(name)):
            facts[FACT[name]] = int(row.cell(name))
        elif row.has(name):
            row.fail(c.BAD_CODE, name)
    insutype = row.cell("insutype")
    if _CODE.fullmatch(insutype):
        facts[FACT["insutype"]] = int(insutype)
    if int(facts[FACT["insutype"]]) not in insutypes:
        row.fail(c.UNKNOWN_INSUTYPE, "insutype")
    for name in _DATES:
        facts[FACT[name]] = day(row.cell(name))
        if not facts[FACT[name]]:
            row.fail(c.BAD_DATE, name)
    facts[FACT["setl_time"]] = moment(row.cell("setl_time"))
    if not facts[FACT["setl_time"]]:
        row.fail(c.BAD_DATE, "setl_time")
    if facts[FACT["begndate"]] and 0 < facts[FACT["enddate"]] < facts[FACT["begndate"]]:
        row.fail(c.END_BEFORE_BEGIN, "enddate")


def _amounts(row: _Row, facts: NDArray[np.int64], given: NDArray[np.int64]) -> None:
    sound = set()
    for name in _FACT_AMOUNTS + AMOUNTS:
        cell = row.cell(name)
        if not row.has(name) or (cell == b"" and name in AMOUNT):
            continue
        fen, faults = amount(cell)
        for fault in faults:
            row.fail(fault, name)
        if faults:
            continue
        sound.add(name)
        if name in AMOUNT:
            given[AMOUNT[name]] = fen
        else:
            facts[FACT[name]] = fen
        if fen < 0 and row.cell("init_setl_id") == b"":
            row.fail(c.NEGATIVE_WITHOUT_INIT, name)
    # Five amounts of at most LIMIT_FEN: their sums cannot leave 64 bits.
    if sound.issuperset(("medfee_sumamt", *_PARTS)):
        parts = sum(int(facts[FACT[name]]) for name in _PARTS)
        if int(facts[FACT["medfee_sumamt"]]) != parts:
            row.fail(c.IDENTITY_I1, "medfee_sumamt")


def amount(cell: bytes) -> tuple[int, tuple[int, ...]]:
    """Returns an amount of yuan text in fen, and its faults: optional sign, digits, optional point and decimals."""
    match = _AMOUNT.fullmatch(cell)
    if match is None:
        return 0, (c.AMOUNT_TEXT,)
    sign, yuan, decimals = match[1], match[2], match[3] or b""
    yuan = yuan.lstrip(b"0")
    # No text of more digits than the limit has is within it; so long a text is not even made a number.
    fen = c.LIMIT_FEN + 1 if len(yuan) > 15 else int(yuan or b"0") * 100 + int(decimals[:2].ljust(2, b"0"))
    faults = []
    if len(decimals) > 2:
        faults.append(c.AMOUNT_PRECISION)
    # Decimals beyond the second count for the range only, where they carry an amount over the limit.
    if fen > c.LIMIT_FEN or (fen == c.LIMIT_FEN and decimals[2:].strip(b"0")):
        faults.append(c.AMOUNT_RANGE)
    if faults:
        return 0, tuple(faults)
    return (-fen if sign == b"-" else fen), ()


def day(cell: bytes) -> int:
    """Returns a date ``YYYY-MM-DD`` as the integer yyyymmdd, 0 where the calendar has no such day."""
    match = _DATE.fullmatch(cell)
    if match is None:
        return 0
    year, month, of_month = (int(part) for part in match.groups())
    try:
        date(year, month, of_month)
    except ValueError:
        return 0
    return year * 10000 + month * 100 + of_month


def moment(cell: bytes) -> int:
    """Returns a time ``YYYY-MM-DD HH:MM:SS`` (or with a T) as the integer yyyymmddHHMMSS, 0 where it is none."""
    match = _TIME.fullmatch(cell)
    if match is None or not day(match[1]):
        return 0
    hour, minute, second = (int(part) for part in match.groups()[1:])
    return day(match[1]) * 1000000 + hour * 10000 + minute * 100 + second
