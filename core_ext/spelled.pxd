"""Reads what digits spell: codes, days, moments and decimal numbers."""

from libc.stdint cimport int64_t, uint8_t


cdef inline int64_t digits(const uint8_t* cell, Py_ssize_t length, int longest) noexcept nogil:
    """Gives the number that 1 to longest digits spell, -1 for any other text."""
    cdef int64_t number = 0
    cdef Py_ssize_t at
    cdef int value
    if length == 0 or length > longest:
        return -1
    for at in range(length):
        value = <int>cell[at] - 48
        if value < 0 or value > 9:
            return -1
        number = number * 10 + value
    return number


cdef inline int two(const uint8_t* cell) noexcept nogil:
    """Gives the number of two digits; -1000 where they are none, so that no sum with it looks like one."""
    cdef int tens = <int>cell[0] - 48, ones = <int>cell[1] - 48
    if tens < 0 or tens > 9 or ones < 0 or ones > 9:
        return -1000
    return tens * 10 + ones


cdef inline int64_t day(const uint8_t* cell) noexcept nogil:
    """Gives yyyymmdd of the ten bytes YYYY-MM-DD, 0 where the calendar has no such day."""
    cdef int century = two(cell), of_century = two(cell + 2), month = two(cell + 5), of_month = two(cell + 8)
    cdef int year, last
    if cell[4] != 45 or cell[7] != 45 or century < 0 or of_century < 0:
        return 0
    # The divisors are positive and so are the years: truncation and floor agree.
    year = century * 100 + of_century
    if year == 0 or month < 1 or month > 12 or of_month < 1:
        return 0
    if month == 2:
        last = 29 if (year & 3 == 0 and of_century != 0) or (of_century == 0 and century & 3 == 0) else 28
    elif month == 4 or month == 6 or month == 9 or month == 11:
        last = 30
    else:
        last = 31
    if of_month > last:
        return 0
    return <int64_t>year * 10000 + month * 100 + of_month


cdef inline int64_t moment(const uint8_t* cell) noexcept nogil:
    """Gives yyyymmddHHMMSS of the nineteen bytes YYYY-MM-DD HH:MM:SS, 0 where there is no such time."""
    cdef int64_t date = day(cell)
    cdef int hour = two(cell + 11), minute = two(cell + 14), second = two(cell + 17)
    if date == 0 or (cell[10] != 32 and cell[10] != 84) or cell[13] != 58 or cell[16] != 58:
        return 0
    if hour < 0 or hour > 23 or minute < 0 or minute > 59 or second < 0 or second > 59:
        return 0
    return date * 1000000 + hour * 10000 + minute * 100 + second


cdef inline int decimal(
    const uint8_t* cell, const uint8_t* end, int decimals, int64_t limit, int64_t* scaled
) noexcept nogil:
    """Reads decimal text as an integer of 10**-decimals; gives 1 not a number | 2 too many decimals | 4 out of range."""
    cdef int64_t value = 0, bound = limit
    cdef int faults = 0, digit, k
    cdef bint negative = False, beyond = False
    for k in range(decimals):
        # The limit is above zero: truncation is the floor.
        bound = bound // 10
    if cell < end and (cell[0] == 45 or cell[0] == 43):
        negative = cell[0] == 45
        cell += 1
    if cell == end or cell[0] == 46:
        return 1
    while cell < end and cell[0] != 46:
        digit = <int>cell[0] - 48
        if digit < 0 or digit > 9:
            return 1
        # Above the bound the value need not grow on: it is out of range whatever follows.
        if value <= bound:
            value = value * 10 + digit
        cell += 1
    if cell < end:
        cell += 1
        if cell == end:
            return 1
    # The value is at most 10 * bound + 9, so that its scaled digits stay below 2**63.
    k = 0
    while cell < end:
        digit = <int>cell[0] - 48
        if digit < 0 or digit > 9:
            return 1
        if k < decimals:
            value = value * 10 + digit
            k += 1
        else:
            faults = 2
            beyond = beyond or digit > 0
        cell += 1
    while k < decimals:
        value = value * 10
        k += 1
    if value > limit or (value == limit and beyond):
        faults |= 4
    scaled[0] = -value if negative else value
    return faults
