"""Holds what one record of a file says while its cells are read: where they are, and the faults found so far."""

from libc.stdint cimport int32_t, int64_t, uint8_t
from libc.string cimport memcpy

from core_ext.utf8 cimport is_utf8


cdef struct Row:
    const uint8_t* raw
    const int32_t* starts
    const int32_t* ends
    const int64_t* columns
    int64_t faults
    int lowest
    int64_t field


cdef inline void begin_row(Row* row) noexcept nogil:
    row.faults = 0
    row.lowest = 64
    row.field = -1


cdef inline void fail(Row* row, int fault, int64_t at) noexcept nogil:
    """Notes a fault of a file column's cell; the lowest fault's leftmost cell is the one to show."""
    row.faults |= <int64_t>1 << fault
    if fault < row.lowest or (fault == row.lowest and at < row.field):
        row.lowest = fault
        row.field = at


cdef inline const uint8_t* cell_of(Row* row, int column, Py_ssize_t* length) noexcept nogil:
    """Gives a national column's cell, empty where the file has no such column."""
    cdef int64_t at = row.columns[column]
    if at < 0:
        length[0] = 0
        return row.raw
    length[0] = row.ends[at] - row.starts[at]
    return row.raw + row.starts[at]


cdef inline bint is_readable(Row* row, Py_ssize_t width, int64_t begin, int64_t end, int fault) noexcept nogil:
    """Tells whether a record is UTF-8; notes ``fault`` for each of its cells that is not."""
    cdef Py_ssize_t at
    # Delimiters and quotes are ASCII, so a record is UTF-8 exactly where each of its cells is.
    if is_utf8(row.raw + begin, end - begin):
        return True
    for at in range(width):
        if not is_utf8(row.raw + row.starts[at], row.ends[at] - row.starts[at]):
            fail(row, fault, at)
    return False


cdef inline void end_texts(
    Row* row, int texts, int64_t bad, int64_t* offsets, Py_ssize_t rows, Py_ssize_t at
) noexcept nogil:
    """Adds the lengths of a record's texts to their columns' offsets; a text whose bit is set in ``bad`` is empty."""
    cdef int t
    cdef Py_ssize_t length
    for t in range(texts):
        length = 0
        if bad >> t & 1 == 0:
            cell_of(row, t, &length)
        offsets[t * (rows + 1) + at + 1] = offsets[t * (rows + 1) + at] + length


cdef inline void copy_texts(
    const uint8_t* raw, const int32_t* starts, Py_ssize_t width, const int64_t* offsets, Py_ssize_t rows, uint8_t* to
) noexcept nogil:
    """Copies a column's texts; ``starts`` points at the column's cell of the first record."""
    cdef Py_ssize_t i, length
    for i in range(rows):
        length = offsets[i + 1] - offsets[i]
        if length:
            memcpy(to + offsets[i], raw + starts[i * width], length)
