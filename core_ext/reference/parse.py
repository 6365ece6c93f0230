"""Specifies how the cells of claim records become the integer tables of a batch.

Nothing a cell may hold raises: a record that fails carries faults.
"""

import numpy as np
from numpy.typing import NDArray

from core_ext import cells as c
from core_ext.cells import COLUMNS, TEXT_COLUMNS, Cells, Parsed
from core_ext.layout import ABSENT, AMOUNT, AMOUNTS, FACT, FACTS
from core_ext.reference.row import CODE, CONTROL, Row, day, decimal, is_setl_id, is_utf8, moment
from core_ext.text import texts_from_list

_CODES = ("insu_admdvs", "mdtrtarea_admvs", "hosp_lv", "psn_type", "med_type")
_DATES = ("begndate", "enddate")
_FACT_AMOUNTS = FACTS[FACTS.index("medfee_sumamt") :]
_PARTS = ("fulamt_ownpay_amt", "overlmt_selfpay", "preselfpay_amt", "inscp_scp_amt")
_AT = {name: at for at, name in enumerate(COLUMNS)}


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
        row = Row([raw[start:stop] for start, stop in bounds], where, _AT)
        for at, cell in enumerate(row.cells):
            if not is_utf8(cell):
                row.fail_at(c.NOT_UTF8, at)
        for column, text in zip(texts, _texts(row), strict=True):
            column.append(text)
        _codes_and_dates(row, facts[i], known)
        _amounts(row, facts[i], given[i])
        settled[i] = row.cell("fund_pay_sumamt") != b""
        refund[i] = row.cell("init_setl_id") != b""
        faults[i], field[i] = row.faults, row.field
    return Parsed(facts, given, settled, refund, faults, field, tuple(texts_from_list(column) for column in texts))


def _texts(row: Row) -> list[bytes]:
    """Returns the text cells, a failing one as empty: no reader downstream meets bytes it cannot hold."""
    texts = []
    for name in TEXT_COLUMNS:
        cell = row.cell(name)
        if not is_utf8(cell):
            texts.append(b"")
            continue
        text = cell.decode()
        fault = 0
        if name == "psn_name":
            if CONTROL.search(text) or text[:1] in tuple("=+-@"):
                fault = c.UNSAFE_TEXT
        elif len(cell) > c.KEY_BYTES or CONTROL.search(text) or (name == "setl_id" and not is_setl_id(text)):
            fault = c.BAD_KEY
        elif name == "psn_no" and text.strip(" ") == "":
            fault = c.MISSING_PSN_NO
        if fault:
            row.fail(fault, name)
        texts.append(b"" if fault else cell)
    return texts


def _codes_and_dates(row: Row, facts: NDArray[np.int64], insutypes: set[int]) -> None:
    for name in _CODES:
        if CODE.fullmatch(row.cell(name)):
            facts[FACT[name]] = int(row.cell(name))
        elif row.has(name):
            row.fail(c.BAD_CODE, name)
    insutype = row.cell("insutype")
    if CODE.fullmatch(insutype):
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


def _amounts(row: Row, facts: NDArray[np.int64], given: NDArray[np.int64]) -> None:
    sound = set()
    for name in _FACT_AMOUNTS + AMOUNTS:
        cell = row.cell(name)
        if not row.has(name) or (cell == b"" and name in AMOUNT):
            continue
        fen, faults = decimal(cell, 2, c.LIMIT_FEN)
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
