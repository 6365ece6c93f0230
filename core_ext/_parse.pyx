"""Reads cells into integer tables; ``core_ext.reference.parse`` is the specification.

The loop runs without the GIL and never raises: a record that fails carries fault bits.
"""

import numpy as np

from libc.stdint cimport int32_t, int64_t, uint8_t

from core_ext.row cimport Row, begin_row, cell_of, copy_texts, end_texts, fail, is_readable
from core_ext.spelled cimport day, decimal, digits, moment
from core_ext.utf8 cimport has_control, has_gap, is_utf8

from core_ext import cells as c
from core_ext.cells import COLUMNS, TEXT_COLUMNS, Parsed
from core_ext.layout import ABSENT, AMOUNTS, FACT, FACTS
from core_ext.text import Texts

cdef enum:
    TEXTS = 7

cdef int ROW_SHAPE = c.ROW_SHAPE
cdef int NOT_UTF8 = c.NOT_UTF8
cdef int UNSAFE_TEXT = c.UNSAFE_TEXT
cdef int BAD_KEY = c.BAD_KEY
cdef int MISSING_PSN_NO = c.MISSING_PSN_NO
cdef int BAD_CODE = c.BAD_CODE
cdef int BAD_DATE = c.BAD_DATE
cdef int END_BEFORE_BEGIN = c.END_BEFORE_BEGIN
cdef int UNKNOWN_INSUTYPE = c.UNKNOWN_INSUTYPE
cdef int AMOUNT_TEXT = c.AMOUNT_TEXT
cdef int AMOUNT_PRECISION = c.AMOUNT_PRECISION
cdef int AMOUNT_RANGE = c.AMOUNT_RANGE
cdef int NEGATIVE_WITHOUT_INIT = c.NEGATIVE_WITHOUT_INIT
cdef int IDENTITY_I1 = c.IDENTITY_I1
cdef uint8_t WHOLE = c.WHOLE
cdef int KEY_BYTES = c.KEY_BYTES
cdef int CODE_DIGITS = c.CODE_DIGITS
cdef int64_t LIMIT_FEN = c.LIMIT_FEN
cdef int64_t NOTHING = ABSENT

# Places in COLUMNS, FACTS and AMOUNTS, looked up once.
cdef int C_SETL_ID = COLUMNS.index("setl_id")
cdef int C_INIT = COLUMNS.index("init_setl_id")
cdef int C_PSN_NO = COLUMNS.index("psn_no")
cdef int C_PSN_NAME = COLUMNS.index("psn_name")
cdef int C_INSUTYPE = COLUMNS.index("insutype")
cdef int C_BEGIN = COLUMNS.index("begndate")
cdef int C_END = COLUMNS.index("enddate")
cdef int C_TIME = COLUMNS.index("setl_time")
cdef int C_MEDFEE = COLUMNS.index("medfee_sumamt")
cdef int C_GIVEN = COLUMNS.index("act_pay_dedc")
cdef int C_FUND = COLUMNS.index("fund_pay_sumamt")
cdef int F_INSUTYPE = FACT["insutype"]
cdef int F_BEGIN = FACT["begndate"]
cdef int F_END = FACT["enddate"]
cdef int F_TIME = FACT["setl_time"]
cdef int F_MEDFEE = FACT["medfee_sumamt"]
cdef int N_FACTS = len(FACTS)
cdef int N_GIVEN = len(AMOUNTS)
cdef int N_COLUMNS = len(COLUMNS)
cdef int N_CODES = 5
cdef int[5] CODE_COLUMN
cdef int[5] CODE_FACT
for _at, _name in enumerate(("insu_admdvs", "mdtrtarea_admvs", "hosp_lv", "psn_type", "med_type")):
    CODE_COLUMN[_at] = COLUMNS.index(_name)
    CODE_FACT[_at] = FACT[_name]

if len(TEXT_COLUMNS) != TEXTS or FACTS[FACT["medfee_sumamt"]:] != COLUMNS[C_MEDFEE:C_GIVEN] or COLUMNS[C_GIVEN:] != AMOUNTS:
    raise ImportError("core_ext._parse: core_ext.cells and core_ext.layout are not the ones it was written for")


cdef struct Outs:
    int64_t* facts
    int64_t* given
    int64_t settled
    int64_t refund


def parse(
    const uint8_t[::1] data not None,
    cells not None,
    Py_ssize_t rows,
    const int64_t[::1] columns not None,
    const int64_t[::1] insutypes not None,
):
    """Returns what the first ``rows`` records of ``cells`` say, with every fault that the row alone can show."""
    cdef const int32_t[:, ::1] starts = cells.starts
    cdef const int32_t[:, ::1] ends = cells.ends
    cdef const int64_t[:, ::1] records = cells.records
    cdef const uint8_t[::1] shape = cells.shape
    cdef Py_ssize_t width = starts.shape[1], i
    cdef int t
    if columns.shape[0] != N_COLUMNS or rows < 0 or rows > starts.shape[0] or rows > shape.shape[0]:
        raise ValueError(f"expected {N_COLUMNS} columns and at most {starts.shape[0]} rows, got {columns.shape[0]} and {rows}")
    for i in range(N_COLUMNS):
        if not -1 <= columns[i] < width:
            raise ValueError(f"expected places of columns below {width}, got {columns[i]}")
    facts_out = np.zeros((rows, N_FACTS), np.int64)
    given_out = np.full((rows, N_GIVEN), ABSENT, np.int64)
    marks_out = np.zeros((4, rows), np.int64)
    offsets_out = np.zeros((TEXTS, rows + 1), np.int64)
    cdef int64_t[:, ::1] facts = facts_out
    cdef int64_t[:, ::1] given = given_out
    cdef int64_t[:, ::1] marks = marks_out
    cdef int64_t[:, ::1] offsets = offsets_out
    cdef uint8_t[::1] into
    cdef const uint8_t* raw = NULL if data.shape[0] == 0 else &data[0]
    cdef const int64_t* known = NULL if insutypes.shape[0] == 0 else &insutypes[0]
    cdef Py_ssize_t n_known = insutypes.shape[0]
    cdef Row row
    cdef Outs outs
    cdef int64_t bad
    if rows and width:
        with nogil:
            row.raw = raw
            row.columns = &columns[0]
            for i in range(rows):
                begin_row(&row)
                bad = (1 << TEXTS) - 1
                if shape[i] == WHOLE:
                    row.starts = &starts[i, 0]
                    row.ends = &ends[i, 0]
                    outs.facts = &facts[i, 0]
                    outs.given = &given[i, 0]
                    bad = read_row(&row, &outs, width, records[i, 0], records[i, 1], known, n_known)
                    marks[0, i] = outs.settled
                    marks[1, i] = outs.refund
                else:
                    row.faults = <int64_t>1 << ROW_SHAPE
                marks[2, i] = row.faults
                marks[3, i] = row.field
                end_texts(&row, TEXTS, bad, &offsets[0, 0], rows, i)
    texts = []
    for t in range(TEXTS):
        column = np.empty(offsets[t, rows], np.uint8)
        into = column
        if columns[t] >= 0 and into.shape[0]:
            with nogil:
                copy_texts(raw, &starts[0, columns[t]], width, &offsets[t, 0], rows, &into[0])
        texts.append(Texts(offsets_out[t], column))
    return Parsed(facts_out, given_out, marks_out[0], marks_out[1], marks_out[2], marks_out[3], tuple(texts))


cdef int64_t read_row(
    Row* row,
    Outs* outs,
    Py_ssize_t width,
    int64_t begin,
    int64_t end,
    const int64_t* insutypes,
    Py_ssize_t n_insutypes,
) noexcept nogil:
    """Reads one record; gives a bit for each text that is not to be handed on."""
    cdef int64_t bad = 0
    cdef Py_ssize_t length
    cdef int t, fault
    cdef bint readable = is_readable(row, width, begin, end, NOT_UTF8)
    cdef const uint8_t* cell
    for t in range(TEXTS):
        cell = cell_of(row, t, &length)
        if not readable and not is_utf8(cell, length):
            bad |= 1 << t
            continue
        fault = text_fault(t, cell, length)
        if fault:
            fail(row, fault, row.columns[t])
            bad |= 1 << t
    cell_of(row, C_FUND, &length)
    outs.settled = length > 0
    cell_of(row, C_INIT, &length)
    outs.refund = length > 0
    read_codes(row, outs.facts, insutypes, n_insutypes)
    read_dates(row, outs.facts)
    read_amounts(row, outs)
    return bad


cdef int text_fault(int text, const uint8_t* cell, Py_ssize_t length) noexcept nogil:
    """Gives the fault of a text cell that is UTF-8, 0 without one."""
    cdef Py_ssize_t at
    cdef bint strict = text == C_SETL_ID
    if text == C_PSN_NAME:
        if length and (cell[0] == 61 or cell[0] == 43 or cell[0] == 45 or cell[0] == 64):
            return UNSAFE_TEXT
        return UNSAFE_TEXT if has_control(cell, length) else 0
    if length > KEY_BYTES:
        return BAD_KEY
    if strict:
        return BAD_KEY if length == 0 or has_gap(cell, length) else 0
    if has_control(cell, length):
        return BAD_KEY
    if text == C_PSN_NO:
        for at in range(length):
            if cell[at] != 32:
                return 0
        return MISSING_PSN_NO
    return 0


cdef void read_codes(Row* row, int64_t* facts, const int64_t* insutypes, Py_ssize_t n_insutypes) noexcept nogil:
    cdef int k
    cdef Py_ssize_t at, length
    cdef const uint8_t* cell
    cdef int64_t code
    for k in range(N_CODES):
        if row.columns[CODE_COLUMN[k]] < 0:
            continue
        cell = cell_of(row, CODE_COLUMN[k], &length)
        code = digits(cell, length, CODE_DIGITS)
        if code < 0:
            fail(row, BAD_CODE, row.columns[CODE_COLUMN[k]])
        else:
            facts[CODE_FACT[k]] = code
    cell = cell_of(row, C_INSUTYPE, &length)
    code = digits(cell, length, CODE_DIGITS)
    if code > 0:
        facts[F_INSUTYPE] = code
    else:
        code = 0
    for at in range(n_insutypes):
        if insutypes[at] == code:
            return
    fail(row, UNKNOWN_INSUTYPE, row.columns[C_INSUTYPE])


cdef void read_dates(Row* row, int64_t* facts) noexcept nogil:
    cdef Py_ssize_t length
    cdef const uint8_t* cell
    cell = cell_of(row, C_BEGIN, &length)
    facts[F_BEGIN] = day(cell) if length == 10 else 0
    if facts[F_BEGIN] == 0:
        fail(row, BAD_DATE, row.columns[C_BEGIN])
    cell = cell_of(row, C_END, &length)
    facts[F_END] = day(cell) if length == 10 else 0
    if facts[F_END] == 0:
        fail(row, BAD_DATE, row.columns[C_END])
    elif facts[F_END] < facts[F_BEGIN]:
        fail(row, END_BEFORE_BEGIN, row.columns[C_END])
    cell = cell_of(row, C_TIME, &length)
    facts[F_TIME] = moment(cell) if length == 19 else 0
    if facts[F_TIME] == 0:
        fail(row, BAD_DATE, row.columns[C_TIME])


cdef void read_amounts(Row* row, Outs* outs) noexcept nogil:
    cdef int k, faults
    cdef int64_t at, fen
    cdef int64_t* value
    cdef int sound = 0
    cdef Py_ssize_t length
    cdef const uint8_t* cell
    for k in range(C_MEDFEE, N_COLUMNS):
        at = row.columns[k]
        if at < 0:
            continue
        cell = cell_of(row, k, &length)
        if length == 0 and k >= C_GIVEN:
            continue
        faults = decimal(cell, cell + length, 2, LIMIT_FEN, &fen)
        if faults:
            if faults & 1:
                fail(row, AMOUNT_TEXT, at)
            if faults & 2:
                fail(row, AMOUNT_PRECISION, at)
            if faults & 4:
                fail(row, AMOUNT_RANGE, at)
            continue
        if k < C_GIVEN:
            outs.facts[F_MEDFEE + k - C_MEDFEE] = fen
            sound += k < C_MEDFEE + 5
        else:
            outs.given[k - C_GIVEN] = fen
        if fen < 0 and not outs.refund:
            fail(row, NEGATIVE_WITHOUT_INIT, at)
    value = outs.facts + F_MEDFEE
    # Five amounts of at most LIMIT_FEN (10**15) each: their sums cannot leave 64 bits.
    if sound == 5 and value[0] != value[1] + value[2] + value[3] + value[4]:
        fail(row, IDENTITY_I1, row.columns[C_MEDFEE])
