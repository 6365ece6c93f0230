"""Cuts CSV bytes into records and cells (RFC 4180); ``core_ext.reference.split`` is the specification.

The loop runs without the GIL and never raises: a record that fails has a shape that says so.
"""

from libc.stdint cimport int32_t, int64_t, uint8_t, uint64_t
from libc.string cimport memmove, memset

from core_ext.words cimport equal, first_hit, word_at

from core_ext import cells as c

cdef uint8_t WHOLE = c.WHOLE
cdef uint8_t WRONG_COUNT = c.WRONG_COUNT
cdef uint8_t BAD_QUOTES = c.BAD_QUOTES


def split(
    uint8_t[::1] data not None,
    Py_ssize_t begin,
    Py_ssize_t end,
    bint final,
    int delimiter,
    int lead,
    cells not None,
    Py_ssize_t row,
):
    """Cuts the records of ``data[begin:end]`` into ``cells`` from ``row`` on; returns (next row, rest's begin)."""
    cdef int32_t[:, ::1] starts = cells.starts
    cdef int32_t[:, ::1] ends = cells.ends
    cdef int64_t[:, ::1] records = cells.records
    cdef uint8_t[::1] shape = cells.shape
    cdef Py_ssize_t rows = starts.shape[0], columns = starts.shape[1], count, stop
    cdef int state
    cdef uint8_t* raw
    if ends.shape[0] != rows or ends.shape[1] != columns or records.shape[0] != rows or records.shape[1] != 2 or shape.shape[0] != rows:
        raise ValueError("cells: expected four tables of one length")
    if not 0 <= begin <= end <= data.shape[0] or row < 0 or data.shape[0] > 0x7FFFFFFF:
        raise ValueError(f"expected 0 <= begin <= end <= {data.shape[0]}, got {begin} and {end}")
    if begin == end or columns == 0:
        return row, begin
    raw = &data[0]
    with nogil:
        while row < rows:
            while begin < end and (raw[begin] == 10 or raw[begin] == 13):
                begin += 1
            if begin == end:
                break
            stop = begin
            state = cut(raw, &stop, end, <uint8_t>delimiter, lead, columns, &starts[row, 0], &ends[row, 0], &count)
            if state & 1 == 0 and not final:
                break
            records[row, 0] = begin
            records[row, 1] = stop
            if state & 2:
                shape[row] = BAD_QUOTES
            elif count != lead + columns:
                shape[row] = WRONG_COUNT
            else:
                shape[row] = WHOLE
                if lead or state & 4:
                    tidy(raw, lead > 0, columns, &starts[row, 0], &ends[row, 0])
            if shape[row] != WHOLE:
                memset(&starts[row, 0], 0, columns * sizeof(int32_t))
                memset(&ends[row, 0], 0, columns * sizeof(int32_t))
            begin = stop
            row += 1
    return row, begin


cdef int cut(
    uint8_t* raw,
    Py_ssize_t* place,
    Py_ssize_t end,
    uint8_t delimiter,
    Py_ssize_t lead,
    Py_ssize_t columns,
    int32_t* starts,
    int32_t* ends,
    Py_ssize_t* cells,
) noexcept nogil:
    """Cuts one record; returns 1 line end seen | 2 quotes unsound | 4 some cell holds doubled quotes.

    A cell with doubled quotes has its end as ``~end`` until ``tidy`` has been there.
    """
    cdef Py_ssize_t at = place[0], count = 0, first, last
    cdef int state = 0
    cdef bint doubled
    cdef uint64_t word, hits
    while True:
        first = at
        if at < end and raw[at] == 34:
            doubled = False
            at += 1
            first = at
            while True:
                while at < end and raw[at] != 34:
                    at += 1
                if at >= end:
                    place[0] = end
                    cells[0] = count
                    return 2
                if at + 1 < end and raw[at + 1] == 34:
                    doubled = True
                    at += 2
                    continue
                break
            last = at
            at += 1
            if at < end and raw[at] != delimiter and raw[at] != 10 and raw[at] != 13:
                state |= 2
                while at < end and raw[at] != delimiter and raw[at] != 10 and raw[at] != 13:
                    at += 1
            if lead <= count < lead + columns:
                starts[count - lead] = <int32_t>first
                ends[count - lead] = <int32_t>(~last if doubled else last)
                if doubled:
                    state |= 4
        else:
            while at + 8 <= end:
                word = word_at(raw + at)
                hits = equal(word, delimiter) | equal(word, 10) | equal(word, 13)
                if hits:
                    at += first_hit(hits)
                    break
                at += 8
            while at < end and raw[at] != delimiter and raw[at] != 10 and raw[at] != 13:
                at += 1
            if lead <= count < lead + columns:
                starts[count - lead] = <int32_t>first
                ends[count - lead] = <int32_t>at
        count += 1
        if at >= end or raw[at] != delimiter:
            break
        at += 1
    place[0] = at
    cells[0] = count
    return state | (at < end)


cdef void tidy(uint8_t* raw, bint undo, Py_ssize_t columns, int32_t* starts, int32_t* ends) noexcept nogil:
    """Halves doubled quotes and undoes a quarantine file's marks, in place; what is left behind is blanked."""
    cdef Py_ssize_t column
    cdef int32_t first, last, stop, at, to
    for column in range(columns):
        first = starts[column]
        stop = ends[column]
        last = stop
        if stop < 0:
            stop = ~stop
            at = to = first
            while at < stop:
                raw[to] = raw[at]
                at += 2 if raw[at] == 34 else 1
                to += 1
            last = to
        if undo:
            last = first + undone(raw + first, last - first)
        ends[column] = last
        if last < stop:
            memset(raw + last, 32, stop - last)


cdef int32_t undone(uint8_t* cell, int32_t length) noexcept nogil:
    """Undoes ``core_ext.defusing`` in place; returns the new length."""
    cdef int32_t at = 0, to = 0
    cdef int upper, lower
    if length > 1 and cell[0] == 39 and is_formula(cell + 1, length - 1) and not is_plain_number(cell + 1, length - 1):
        length -= 1
        memmove(cell, cell + 1, length)
    while at < length:
        if cell[at] == 92 and at + 3 < length and cell[at + 1] == 120:
            upper = hex_digit(cell[at + 2])
            lower = hex_digit(cell[at + 3])
            if lower >= 0 and (upper >= 8 or (upper == 5 and lower == 12)):
                cell[to] = <uint8_t>(upper * 16 + lower)
                at += 4
                to += 1
                continue
        cell[to] = cell[at]
        at += 1
        to += 1
    return to


cdef inline int hex_digit(uint8_t byte) noexcept nogil:
    if 48 <= byte <= 57:
        return byte - 48
    if 65 <= byte <= 70:
        return byte - 55
    return -1


cdef bint is_formula(const uint8_t* cell, int32_t length) noexcept nogil:
    cdef int32_t at = 0
    cdef uint8_t byte
    while at < length and cell[at] == 39:
        at += 1
    if at == length:
        return False
    byte = cell[at]
    if byte == 61 or byte == 43 or byte == 45 or byte == 64 or byte == 9 or byte == 10 or byte == 13:
        return True
    if byte != 0xEF or at + 2 >= length or cell[at + 1] != 0xBC:
        return False
    byte = cell[at + 2]
    return byte == 0x9D or byte == 0x8B or byte == 0x8D or byte == 0xA0


cdef bint is_plain_number(const uint8_t* cell, int32_t length) noexcept nogil:
    cdef int32_t at = 0, digits = 0
    if length and (cell[0] == 43 or cell[0] == 45):
        at = 1
    while at < length and 48 <= cell[at] <= 57:
        at += 1
        digits += 1
    if digits == 0:
        return False
    if at == length:
        return True
    if cell[at] != 46 or at + 1 == length:
        return False
    at += 1
    while at < length and 48 <= cell[at] <= 57:
        at += 1
    return at == length
