# Columns of a segment as they lie: contiguous, 8 to 64 bits a value, or one value that stands in every row. The
# specification of what a lane is: core_ext.reference.lanes.

from cpython.buffer cimport PyBUF_SIMPLE, PyBuffer_Release, PyObject_GetBuffer
from libc.stdint cimport int8_t, int16_t, int32_t, int64_t, uint8_t

from core_ext.columns cimport prefetch

cdef enum:
    LANES_MAX = 128

ctypedef fused narrow_t:
    int8_t
    int16_t
    int32_t
    int64_t


cdef struct Lanes:
    const char* data[LANES_MAX]
    int64_t constant[LANES_MAX]
    int size[LANES_MAX]  # bytes a value; 0 for a constant
    Py_ssize_t count


# Fills ``into`` with where each lane's row ``start`` is; the lanes must outlive it.
cdef inline int take(lanes, Py_ssize_t start, Lanes* into) except -1:
    cdef Py_ssize_t at = 0
    cdef Py_buffer view
    if len(lanes) > LANES_MAX:
        raise ValueError(f"lanes: expected at most {LANES_MAX}, got {len(lanes)}")
    into.count = len(lanes)
    for lane in lanes:
        if isinstance(lane, int):
            into.size[at], into.constant[at], into.data[at] = 0, lane, NULL
        else:
            PyObject_GetBuffer(lane, &view, PyBUF_SIMPLE)
            into.size[at] = lane.itemsize
            into.data[at] = <const char*> view.buf + start * into.size[at]
            PyBuffer_Release(&view)
        at += 1
    return 0


cdef inline void widen(const narrow_t* lane, Py_ssize_t n, int64_t* out, Py_ssize_t width) noexcept nogil:
    cdef Py_ssize_t row
    for row in range(n):
        out[row * width] = lane[row]


cdef inline void compare(
    const narrow_t* lane, Py_ssize_t n, const int64_t* table, Py_ssize_t width, uint8_t* marks
) noexcept nogil:
    cdef Py_ssize_t row
    for row in range(n):
        marks[row] |= table[row * width] != lane[row]


# Writes ``n`` rows of one lane, from ``first`` on, to a column of a table of ``width`` columns.
cdef inline void widen_lane(
    const Lanes* lanes, Py_ssize_t at, Py_ssize_t first, Py_ssize_t n, int64_t* to, Py_ssize_t width
) noexcept nogil:
    cdef Py_ssize_t row
    if lanes.size[at] == 1:
        widen(<const int8_t*> lanes.data[at] + first, n, to, width)
    elif lanes.size[at] == 2:
        widen(<const int16_t*> lanes.data[at] + first, n, to, width)
    elif lanes.size[at] == 4:
        widen(<const int32_t*> lanes.data[at] + first, n, to, width)
    elif lanes.size[at] == 8:
        widen(<const int64_t*> lanes.data[at] + first, n, to, width)
    else:
        for row in range(n):
            to[row * width] = lanes.constant[at]


# Writes ``n`` rows of all lanes, from ``first`` on.
cdef inline void widen_lanes(const Lanes* lanes, Py_ssize_t first, Py_ssize_t n, int64_t* out) noexcept nogil:
    cdef Py_ssize_t at
    for at in range(lanes.count):
        widen_lane(lanes, at, first, n, out + at, lanes.count)


# Marks those of ``n`` rows, from ``first`` on, in which a column of a table is not what the lane holds.
cdef inline void compare_lane(
    const Lanes* lanes, Py_ssize_t at, Py_ssize_t first, Py_ssize_t n, const int64_t* of, Py_ssize_t width,
    uint8_t* marks
) noexcept nogil:
    cdef Py_ssize_t row
    if lanes.size[at] == 1:
        compare(<const int8_t*> lanes.data[at] + first, n, of, width, marks)
    elif lanes.size[at] == 2:
        compare(<const int16_t*> lanes.data[at] + first, n, of, width, marks)
    elif lanes.size[at] == 4:
        compare(<const int32_t*> lanes.data[at] + first, n, of, width, marks)
    elif lanes.size[at] == 8:
        compare(<const int64_t*> lanes.data[at] + first, n, of, width, marks)
    else:
        for row in range(n):
            marks[row] |= of[row * width] != lanes.constant[at]


cdef inline int64_t value_at(const Lanes* lanes, Py_ssize_t at, Py_ssize_t row) noexcept nogil:
    if lanes.size[at] == 1:
        return (<const int8_t*> lanes.data[at])[row]
    if lanes.size[at] == 2:
        return (<const int16_t*> lanes.data[at])[row]
    if lanes.size[at] == 4:
        return (<const int32_t*> lanes.data[at])[row]
    return (<const int64_t*> lanes.data[at])[row] if lanes.size[at] == 8 else lanes.constant[at]


# Returns whether ``n`` values of a lane, from ``first`` on, are all zero.
cdef inline bint all_zero(const Lanes* lanes, Py_ssize_t at, Py_ssize_t first, Py_ssize_t n) noexcept nogil:
    cdef Py_ssize_t row
    cdef const char* bytes = lanes.data[at] + first * lanes.size[at]
    cdef char bits = 0
    if lanes.size[at] == 0:
        return lanes.constant[at] == 0
    for row in range(n * lanes.size[at]):
        bits |= bytes[row]
    return bits == 0


# Asks for ``n`` rows of all lanes, from ``first`` on: more columns than a processor foresees are read side by side.
cdef inline void ask_for_lanes(const Lanes* lanes, Py_ssize_t first, Py_ssize_t n) noexcept nogil:
    cdef Py_ssize_t at
    for at in range(lanes.count):
        if lanes.size[at]:
            prefetch(lanes.data[at] + first * lanes.size[at], n * lanes.size[at])
