"""Reads, splits and packs fee lines; ``core_ext.reference.lines`` is the specification.

The loops run without the GIL; a record that fails carries fault bits, an amount out of range raises afterwards.
"""

import numpy as np

from libc.stdint cimport int32_t, int64_t, uint8_t, uint64_t
from libc.string cimport memcmp

from core_ext.row cimport Row, begin_row, cell_of, copy_texts, end_texts, fail, is_readable
from core_ext.spelled cimport day, decimal, digits, moment
from core_ext.utf8 cimport has_control, has_gap, is_utf8

from core_ext import cells as c
from core_ext import line_cells as lc
from core_ext.layout import ABSENT
from core_ext.line_cells import LINE, LINE_COLUMNS, LINE_TEXTS, LINES, LineCells
from core_ext.text import Texts

cdef extern from *:
    """
    #include <stdint.h>
    /* a * b / per, halves up, exact in 128 bits; -1 where it is above the limit. */
    static inline int64_t share_of(uint64_t a, uint64_t b, uint64_t per, uint64_t limit) {
        unsigned __int128 found = ((unsigned __int128)a * b + per / 2) / per;
        return found > limit ? -1 : (int64_t)found;
    }
    """
    int64_t share_of(uint64_t a, uint64_t b, uint64_t per, uint64_t limit) noexcept nogil

cdef enum:
    TEXTS = 4
    CODES = 6
    NUMBERS = 9
    PARTS = 5
    PACKED_MAX = 10

cdef int ROW_SHAPE = c.ROW_SHAPE
cdef int NOT_UTF8 = c.NOT_UTF8
cdef int BAD_KEY = c.BAD_KEY
cdef int BAD_CODE = c.BAD_CODE
cdef int BAD_DATE = c.BAD_DATE
cdef int AMOUNT_TEXT = c.AMOUNT_TEXT
cdef int AMOUNT_PRECISION = c.AMOUNT_PRECISION
cdef int AMOUNT_RANGE = c.AMOUNT_RANGE
cdef int BAD_RATIO = lc.BAD_RATIO
cdef uint8_t WHOLE = c.WHOLE
cdef int KEY_BYTES = c.KEY_BYTES
cdef int CODE_DIGITS = c.CODE_DIGITS
cdef int64_t LIMIT_FEN = c.LIMIT_FEN
cdef int64_t PRODUCT_PER_FEN = lc.PRODUCT_PER_FEN
cdef int64_t ONE_BP = lc.ONE_BP
cdef int64_t NO_CAP = lc.NO_CAP
cdef int64_t NOTHING = ABSENT

cdef int N_LINES = len(LINES)
cdef int N_COLUMNS = len(LINE_COLUMNS)
cdef int L_CLASS = LINE["chrgitm_lv"]
cdef int L_DAY = LINE["fee_ocur_time"]
cdef int L_PRICE = LINE["pric"]
cdef int L_COUNT = LINE["cnt"]
cdef int L_RATIO = LINE["selfpay_prop"]
cdef int L_CAP = LINE["pric_uplmt_amt"]
cdef int[NUMBERS] DECIMALS
cdef int64_t[NUMBERS] LIMITS
cdef bint[CODES] CODE_MAY_BE_EMPTY

_SCALES = [(lc.PRICE_DECIMALS, lc.LIMIT_PRICE), (lc.COUNT_DECIMALS, lc.LIMIT_COUNT),
           (lc.RATIO_DECIMALS, lc.LIMIT_PRICE), (lc.PRICE_DECIMALS, lc.LIMIT_PRICE), *[(2, c.LIMIT_FEN)] * PARTS]
for _at, (_decimals, _limit) in enumerate(_SCALES):
    DECIMALS[_at] = _decimals
    LIMITS[_at] = _limit
for _at, _name in enumerate(lc.CODES):
    CODE_MAY_BE_EMPTY[_at] = _name in lc.OPTIONAL_CODES

if (
    LINE_TEXTS != ("setl_id", "feedetl_sn", "med_list_codg", "drug_trac_codg")
    or LINE_COLUMNS != LINE_TEXTS + LINES
    or (L_DAY, L_PRICE, N_LINES) != (CODES, CODES + 1, CODES + 1 + NUMBERS)
):
    raise ImportError("core_ext._lines: core_ext.line_cells is not the one it was written for")


def read(
    const uint8_t[::1] data not None, cells not None, Py_ssize_t rows, const int64_t[::1] columns not None
):
    """Returns what the first ``rows`` records of ``cells`` say, with every fault that the row alone can show."""
    cdef const int32_t[:, ::1] starts = cells.starts
    cdef const int32_t[:, ::1] ends = cells.ends
    cdef const int64_t[:, ::1] records = cells.records
    cdef const uint8_t[::1] shape = cells.shape
    cdef Py_ssize_t width = starts.shape[1], i, length, key_length = -1
    cdef int t
    if columns.shape[0] != N_COLUMNS or rows < 0 or rows > starts.shape[0] or rows > shape.shape[0]:
        raise ValueError(f"expected {N_COLUMNS} columns and at most {starts.shape[0]} rows, got {columns.shape[0]} and {rows}")
    for i in range(N_COLUMNS):
        if not -1 <= columns[i] < width:
            raise ValueError(f"expected places of columns below {width}, got {columns[i]}")
    table_out = np.zeros((rows, N_LINES), np.int64)
    marks_out = np.zeros((3, rows), np.int64)
    offsets_out = np.zeros((TEXTS, rows + 1), np.int64)
    cdef int64_t[:, ::1] table = table_out
    cdef int64_t[:, ::1] marks = marks_out
    cdef int64_t[:, ::1] offsets = offsets_out
    cdef uint8_t[::1] into
    cdef const uint8_t* raw = NULL if data.shape[0] == 0 else &data[0]
    cdef const uint8_t* key = NULL
    cdef const uint8_t* cell
    cdef Row row
    cdef int64_t bad, region = -1
    cdef bint sound
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
                    bad = read_texts(&row, width, records[i, 0], records[i, 1])
                    sound = read_codes(&row, &table[i, 0])
                    read_day(&row, &table[i, 0])
                    read_numbers(&row, &table[i, 0])
                    if sound and bad & 1 == 0:
                        cell = cell_of(&row, 0, &length)
                        if length != key_length or table[i, 0] != region or memcmp(cell, key, length) != 0:
                            marks[2, i] = 1
                            key, key_length, region = cell, length, table[i, 0]
                else:
                    row.faults = <int64_t>1 << ROW_SHAPE
                marks[0, i] = row.faults
                marks[1, i] = row.field
                end_texts(&row, TEXTS, bad, &offsets[0, 0], rows, i)
    texts = []
    for t in range(TEXTS):
        column = np.empty(offsets[t, rows], np.uint8)
        into = column
        if columns[t] >= 0 and into.shape[0]:
            with nogil:
                copy_texts(raw, &starts[0, columns[t]], width, &offsets[t, 0], rows, &into[0])
        texts.append(Texts(offsets_out[t], column))
    return LineCells(table_out, marks_out[0], marks_out[1], marks_out[2], tuple(texts))


cdef int64_t read_texts(Row* row, Py_ssize_t width, int64_t begin, int64_t end) noexcept nogil:
    """Checks the texts; gives a bit for each that is not to be handed on."""
    cdef int64_t bad = 0
    cdef Py_ssize_t length
    cdef int t
    cdef bint sound
    cdef bint readable = is_readable(row, width, begin, end, NOT_UTF8)
    cdef const uint8_t* cell
    for t in range(TEXTS):
        cell = cell_of(row, t, &length)
        if not readable and not is_utf8(cell, length):
            bad |= 1 << t
            continue
        sound = (length <= KEY_BYTES or t == 3) and not has_control(cell, length)
        if t == 0:
            sound = sound and length > 0 and not has_gap(cell, length)
        elif t == 1:
            sound = sound and length > 0
        if not sound:
            fail(row, BAD_KEY, row.columns[t])
            bad |= 1 << t
    return bad


cdef bint read_codes(Row* row, int64_t* table) noexcept nogil:
    """Reads the codes; tells whether that of the region, a part of the key, is sound."""
    cdef int k
    cdef Py_ssize_t length
    cdef const uint8_t* cell
    cdef int64_t code
    cdef bint key = True
    for k in range(CODES):
        cell = cell_of(row, TEXTS + k, &length)
        if length == 0 and CODE_MAY_BE_EMPTY[k]:
            continue
        code = digits(cell, length, CODE_DIGITS)
        if code >= 0:
            table[k] = code
        else:
            fail(row, BAD_CODE, row.columns[TEXTS + k])
            key = key and k != 0
    cell_of(row, TEXTS + L_CLASS, &length)
    if length and (table[L_CLASS] < 1 or table[L_CLASS] > 3):
        fail(row, BAD_CODE, row.columns[TEXTS + L_CLASS])
    return key


cdef void read_day(Row* row, int64_t* table) noexcept nogil:
    cdef Py_ssize_t length
    cdef const uint8_t* cell = cell_of(row, TEXTS + L_DAY, &length)
    if length == 10:
        table[L_DAY] = day(cell)
    elif length == 19:
        # A moment is above zero, and so is the divisor: truncation is the floor.
        table[L_DAY] = moment(cell) // 1_000_000
    if table[L_DAY] == 0:
        fail(row, BAD_DATE, row.columns[TEXTS + L_DAY])


cdef void read_numbers(Row* row, int64_t* table) noexcept nogil:
    cdef int k, column, faults
    cdef int64_t value
    cdef bint sound = True
    cdef Py_ssize_t length
    cdef const uint8_t* cell
    for k in range(NUMBERS):
        column = L_PRICE + k
        cell = cell_of(row, TEXTS + column, &length)
        if length == 0 and k >= 2:
            table[column] = NO_CAP if column == L_CAP else 0 if column == L_RATIO else NOTHING
            continue
        faults = decimal(cell, cell + length, DECIMALS[k], LIMITS[k], &value)
        if faults:
            value = 0
            if faults & 1:
                fail(row, AMOUNT_TEXT, row.columns[TEXTS + column])
            if faults & 2:
                fail(row, AMOUNT_PRECISION, row.columns[TEXTS + column])
            if faults & 4:
                fail(row, AMOUNT_RANGE, row.columns[TEXTS + column])
            sound = sound and k >= 2
        table[column] = value
        if column == L_CAP and value < 0:
            fail(row, AMOUNT_RANGE, row.columns[TEXTS + column])
        if column == L_RATIO and (value < 0 or value > ONE_BP):
            fail(row, BAD_RATIO, row.columns[TEXTS + column])
    if sound:
        if fen_of(size_of(table[L_PRICE]), size_of(table[L_COUNT])) < 0:
            fail(row, AMOUNT_RANGE, row.columns[TEXTS + L_PRICE])


cdef inline uint64_t size_of(int64_t value) noexcept nogil:
    return <uint64_t>value if value >= 0 else 0 - <uint64_t>value


cdef inline int64_t fen_of(uint64_t price, uint64_t count) noexcept nogil:
    """Gives price x count in fen, -1 where it is out of range."""
    return share_of(price, count, PRODUCT_PER_FEN, LIMIT_FEN)


def split(
    const int64_t[:, ::1] table not None,
    const int64_t[::1] full not None,
    const int64_t[::1] caps not None,
    const int64_t[:, ::1] slots not None,
    int64_t[::1] taken not None,
    const int64_t[::1] maximum not None,
):
    """Returns (parts int64[n, PARTS] in fen, used int64[n]) of each line; see the specification."""
    lc.check_split(
        np.asarray(table), np.asarray(full), np.asarray(caps), np.asarray(slots), np.asarray(taken), np.asarray(maximum)
    )
    cdef Py_ssize_t n = table.shape[0], i, failed = -1
    parts_out = np.zeros((n, PARTS), np.int64)
    used_out = np.zeros(n, np.int64)
    cdef int64_t[:, ::1] parts = parts_out
    cdef int64_t[::1] used = used_out
    cdef int64_t price, count, amount, over, payable, allowed, room, preself, sign
    cdef int k
    with nogil:
        for i in range(n):
            price, count = table[i, L_PRICE], table[i, L_COUNT]
            sign = -1 if (price < 0) != (count < 0) else 1
            amount = fen_of(size_of(price), size_of(count))
            if amount < 0:
                failed = i
                break
            parts[i, 0] = sign * amount
            if full[i]:
                parts[i, 1] = sign * amount
                continue
            over = 0
            if caps[i] < NO_CAP:
                room = <int64_t>size_of(price) - caps[i]
                if room > 0:
                    # The room is below the price, whose amount is within range.
                    over = fen_of(room, size_of(count))
            payable = amount - over
            allowed = payable
            for k in range(2):
                if slots[i, k] >= 0:
                    # What was taken is never above its maximum, both are amounts: their difference is exact.
                    room = taken[slots[i, k]] if sign < 0 else maximum[slots[i, k]] - taken[slots[i, k]]
                    allowed = min(allowed, max(<int64_t>0, room))
            for k in range(2):
                if slots[i, k] >= 0:
                    taken[slots[i, k]] += sign * allowed
                    used[i] = sign * allowed
            preself = share_of(allowed, table[i, L_RATIO], ONE_BP, LIMIT_FEN)
            parts[i, 1] = sign * (payable - allowed)
            parts[i, 2] = sign * over
            parts[i, 3] = sign * preself
            parts[i, 4] = sign * (allowed - preself)
    if failed >= 0:
        raise lc.too_large(failed)
    return parts_out, used_out


def pack(const int64_t[:, ::1] table not None, const int64_t[::1] starts not None):
    """Returns (offsets, bytes): the rows from ``starts[k]`` to the next start as one string of numbers."""
    cdef Py_ssize_t n = table.shape[0], width = table.shape[1], groups = starts.shape[0], k, i, j
    cdef Py_ssize_t begin, stop, at = 0
    for k in range(groups):
        stop = starts[k + 1] if k + 1 < groups else n
        if not 0 <= starts[k] <= stop <= n:
            raise ValueError(f"expected starts rising within {n} rows, got {starts[k]}")
    out_array = np.empty(n * width * PACKED_MAX + 1, np.uint8)
    offsets_out = np.zeros(groups + 1, np.int64)
    cdef uint8_t[::1] out = out_array
    cdef int64_t[::1] offsets = offsets_out
    cdef int64_t value
    cdef uint64_t coded
    with nogil:
        for k in range(groups):
            begin = starts[k]
            stop = starts[k + 1] if k + 1 < groups else n
            for i in range(begin, stop):
                for j in range(width):
                    value = table[i, j]
                    coded = 0
                    if value != NOTHING:
                        coded = (<uint64_t>value << 1 if value >= 0 else (<uint64_t>(-(value + 1)) << 1) | 1) + 1
                    while coded > 127:
                        out[at] = <uint8_t>(coded & 127) | 128
                        at += 1
                        coded >>= 7
                    out[at] = <uint8_t>coded
                    at += 1
            offsets[k + 1] = at
    return offsets_out, out_array[:at].copy()


def unpack(bytes packed not None, Py_ssize_t columns):
    """Returns the table int64[n, columns] that ``pack`` packed; raises ValueError for bytes that it never writes."""
    cdef const uint8_t* raw = packed
    cdef Py_ssize_t size = len(packed), at, count = 0, bad = -1
    cdef uint64_t coded = 0, low
    cdef int shift = 0
    values_out = np.empty(size, np.int64)
    cdef int64_t[::1] values = values_out
    with nogil:
        for at in range(size):
            low = raw[at] & 127
            if shift > 63 or (shift == 63 and low > 1):
                bad = at
                break
            coded |= low << shift
            if raw[at] & 128:
                shift += 7
                continue
            if coded == 0:
                values[count] = NOTHING
            elif (coded - 1) & 1 == 0:
                values[count] = <int64_t>((coded - 1) >> 1)
            else:
                values[count] = -<int64_t>((coded - 1) >> 1) - 1
            count += 1
            coded = 0
            shift = 0
    if bad >= 0:
        raise lc.not_packed(bad)
    if shift or count % columns:
        raise lc.not_packed(size)
    return values_out[:count].reshape(-1, columns).copy()
