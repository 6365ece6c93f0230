"""Finds what violates one rule among a run of charges: the ten operations, each over charges of one person and item.

``core_ext.reference.rules`` specifies them; ``_rules.pyx`` leads the runs to their rules.
"""

from libc.stdint cimport int16_t, int32_t, int64_t, uint64_t
from libc.stdlib cimport realloc

cdef extern from *:
    """
    #include <stdint.h>
    #define add_overflows(a, b, sum) __builtin_add_overflow((int64_t)(a), (int64_t)(b), (int64_t *)(sum))
    #define prefetch(p) __builtin_prefetch(p)
    /* amount * part / whole, halves up: exact in 128 bits, and never above the amount as part <= whole. */
    static inline int64_t part_of(int64_t amount, int64_t part, int64_t whole) {
        return (int64_t)((2 * (unsigned __int128)amount * (uint64_t)part + (uint64_t)whole)
                         / (2 * (unsigned __int128)whole));
    }
    /* A month's number is never negative, so C's division is the floor. */
    static inline int64_t of_months(int64_t month, int64_t window) {
        return window == 2 ? month : window == 3 ? month / 3 : month / 12;
    }
    """
    bint add_overflows(int64_t a, int64_t b, int64_t* sum) noexcept nogil
    void prefetch(const void* p) noexcept nogil
    int64_t part_of(int64_t amount, int64_t part, int64_t whole) noexcept nogil
    int64_t of_months(int64_t month, int64_t window) noexcept nogil
    const int64_t NOTHING "INT64_MIN"

cdef enum:
    FORBIDDEN, BETWEEN, OUTSIDE, TOTAL, PRESENT, MISSING, PARTS, DEARER, OVERLAP, RETURN
cdef enum:
    VISIT, DAY, MONTH, QUARTER, YEAR
cdef enum:
    COUNT, AMOUNT, TIMES, DAYS
cdef enum:
    PERSON, ITEM, ON, MONTH_OF, VISIT_OF, SCOPE, CNT, FEN, PRIC, BEGIN, END, INSTITUTION, AGE, LATE, AFTER_DEATH
cdef enum:
    R_ITEM, R_OP, R_OUTSIDE, R_WINDOW, R_FIELD, R_LOW, R_HIGH, R_BEGIN, R_UNTIL, R_OTHERS, R_COUNT
cdef enum:
    N_CHARGES = 15
    N_RULES = 11
cdef enum:
    SORTED, NO_MEMORY, UNSORTED, TOO_LARGE, UNSOUND


# What a run comes to as a whole, beside the four measures of a total: the dearest and the largest charge, and how many.
cdef enum:
    DEAREST = 4
    MOST_PIECES = 5
    LENGTH = 6
    GATES = 7


# A rule in one line of the processor's cache. Where ``gated``, no run violates it that comes to at most ``high`` by its
# ``gate`` and, of what has a least, to at least ``low``.
cdef struct Rule:
    int64_t outside
    int64_t low
    int64_t high
    int64_t others
    int64_t count
    int16_t op
    int16_t window
    int16_t gate
    int16_t gated
    int32_t field
    int32_t begin
    int32_t until
    int32_t forbids


cdef struct Work:
    const int64_t* charges[N_CHARGES]
    Rule* rules
    const int64_t* first
    const int64_t* others
    int64_t* hits        # (rule, charge, fen) triples
    int64_t found
    int64_t room
    int64_t kinds        # items there are
    uint64_t[4] filter   # the person's items, a bit each: one that is not in it is not there
    int64_t* items       # the person's runs: item, start of each, and behind the last its end
    int64_t* starts
    int64_t runs
    int64_t runs_room
    int64_t* slots       # of each charge of a run: the number of its visit in the run
    int64_t* state       # by slot: the rule that began it, total, last day or lowest price
    uint64_t* table      # visits by hash: slot + 1, 0 empty
    int64_t run_room
    int64_t bad


cdef inline int hit(Work* work, int64_t rule, int64_t charge, int64_t fen) noexcept nogil:
    cdef int64_t* more
    if work.found == work.room:
        more = <int64_t*>realloc(work.hits, <size_t>(2 * work.room * 3 * sizeof(int64_t)))
        if more == NULL:
            return NO_MEMORY
        work.hits = more
        work.room *= 2
    more = work.hits + 3 * work.found
    more[0] = rule
    more[1] = charge
    more[2] = fen
    work.found += 1
    return SORTED


cdef inline int64_t window_at(Work* work, int64_t window, int64_t at) noexcept nogil:
    if window == VISIT:
        return work.charges[VISIT_OF][at]
    if window == DAY:
        return work.charges[ON][at]
    return of_months(work.charges[MONTH_OF][at], window)


cdef inline bint applies(Work* work, const Rule* rule, int64_t at) noexcept nogil:
    cdef int64_t day = work.charges[ON][at]
    return work.charges[SCOPE][at] & rule.outside == 0 and rule.begin <= day and day <= rule.until


cdef inline int simple(Work* work, int64_t number, const Rule* rule, int64_t start, int64_t stop) noexcept nogil:
    """Finds what a charge shows by itself: a forbidden bit, a value out of its range, a day outside the visit."""
    cdef int64_t at, value, fen, op = rule.op, field = rule.field
    cdef int done
    for at in range(start, stop):
        # Nearly every charge is sound: that is seen first, and by one column.
        if op == FORBIDDEN:
            if work.charges[SCOPE][at] & rule.high == 0:
                continue
        elif op == BETWEEN:
            value = work.charges[field][at]
            if value == NOTHING or (rule.low <= value and value <= rule.high):
                continue
        if not applies(work, rule, at):
            continue
        fen = work.charges[FEN][at]
        if op == BETWEEN:
            if value > rule.high and value > 0 and (field == CNT or field == PRIC):
                fen = part_of(fen, value - (rule.high if rule.high > 0 else 0), value)
        elif op == OUTSIDE:
            value = work.charges[ON][at]
            if work.charges[BEGIN][at] <= value and value <= work.charges[END][at]:
                continue
        done = hit(work, number, at, fen)
        if done:
            return done
    return SORTED


cdef inline int stays(Work* work, int64_t number, const Rule* rule, int64_t start, int64_t stop) noexcept nogil:
    """Finds visits that begin before an earlier one has ended, or soon after the one before at one institution."""
    cdef int64_t at, latest = 0, before = -1, apart
    cdef const int64_t* begin = work.charges[BEGIN]
    cdef const int64_t* end = work.charges[END]
    cdef const int64_t* institution = work.charges[INSTITUTION]
    cdef bint found
    cdef int done
    for at in range(start, stop):
        if not applies(work, rule, at):
            continue
        found = 0
        if before >= 0:
            if rule.op == OVERLAP:
                found = begin[at] < latest
            elif institution[at] == institution[before]:
                apart = begin[at] - end[before]
                found = 0 <= apart and apart <= rule.high
        if found:
            done = hit(work, number, at, work.charges[FEN][at])
            if done:
                return done
        if before < 0 or end[at] > latest:
            latest = end[at]
        before = at
    return SORTED


cdef inline void number_visits(Work* work, int64_t start, int64_t stop) noexcept nogil:
    """Numbers the visits of a run in the order they come in."""
    cdef const int64_t* visit = work.charges[VISIT_OF]
    cdef int64_t at, slot, known = 0, size = 2
    cdef uint64_t place, mask
    while size < 2 * (stop - start):
        size *= 2
    mask = <uint64_t>(size - 1)
    for at in range(size):
        work.table[at] = 0
    for at in range(start, stop):
        if at > start and visit[at] == visit[at - 1]:
            work.slots[at - start] = work.slots[at - start - 1]
            continue
        place = (<uint64_t>visit[at] * <uint64_t>0x9E3779B97F4A7C15 >> 20) & mask
        while True:
            slot = <int64_t>work.table[place] - 1
            if slot < 0:
                work.table[place] = <uint64_t>(at - start) + 1
                work.slots[at - start] = known
                known += 1
                break
            if visit[start + slot] == visit[at]:
                work.slots[at - start] = work.slots[slot]
                break
            place = (place + 1) & mask


cdef inline int windowed(Work* work, int64_t number, const Rule* rule, int64_t start, int64_t stop) noexcept nogil:
    """Finds charges with which a window's total goes above its limit, or that are dearer than one before them."""
    cdef int64_t at, day, fen, added, over, window, kind = rule.window, last = NOTHING, slot = 0
    cdef int64_t measure = rule.field, limit = rule.high
    cdef bint total = rule.op == TOTAL, fresh
    cdef int64_t* state = work.state
    cdef int done
    if kind == VISIT:
        for at in range(stop - start):
            state[3 * at] = -1
    for at in range(start, stop):
        if not applies(work, rule, at):
            continue
        day = work.charges[ON][at]
        fen = work.charges[FEN][at]
        if kind == VISIT:
            slot = work.slots[at - start]
            fresh = state[3 * slot] < 0
        else:
            window = day if kind == DAY else of_months(work.charges[MONTH_OF][at], kind)
            fresh = window != last
            last = window
        if fresh:
            state[3 * slot] = 0
            state[3 * slot + 1] = 0 if total else work.charges[PRIC][at]
            state[3 * slot + 2] = NOTHING
        if not total:
            added = work.charges[PRIC][at]
            over = added - state[3 * slot + 1]
            if over <= 0:
                state[3 * slot + 1] = added
                continue
            fen = part_of(fen, over, added)
        else:
            if measure == COUNT:
                added = work.charges[CNT][at]
            elif measure == AMOUNT:
                added = fen
            elif measure == TIMES:
                added = 1
            else:
                added = state[3 * slot + 2] != day
                state[3 * slot + 2] = day
            if add_overflows(state[3 * slot + 1], added, &state[3 * slot + 1]):
                work.bad = at
                return TOO_LARGE
            over = state[3 * slot + 1] - limit
            if over <= 0 or (added == 0 and measure != DAYS):
                continue
            if over > added:
                over = added
            if measure == AMOUNT:
                fen = over
            elif measure == COUNT:
                fen = part_of(fen, over, added)
        done = hit(work, number, at, fen)
        if done:
            return done
    return SORTED


cdef inline bint beside(Work* work, int64_t item, int64_t kind, int64_t window) noexcept nogil:
    """Says whether the person has a charge of an item in a window."""
    cdef int64_t low = 0, high = work.runs, middle, stop
    while low < high:
        middle = (low + high) >> 1
        if work.items[middle] < item:
            low = middle + 1
        else:
            high = middle
    if low == work.runs or work.items[low] != item:
        return 0
    stop = work.starts[low + 1]
    low = work.starts[low]
    if kind == VISIT:
        for middle in range(low, stop):
            if work.charges[VISIT_OF][middle] == window:
                return 1
        return 0
    # Within a run days only grow, and with them every window of the calendar.
    high = stop
    while low < high:
        middle = (low + high) >> 1
        if window_at(work, kind, middle) < window:
            low = middle + 1
        else:
            high = middle
    return low < stop and window_at(work, kind, low) == window


cdef inline bint may_have(Work* work, int64_t item) noexcept nogil:
    """Says whether the person may have an item at all; no is certain."""
    return work.filter[(item >> 6) & 3] >> (item & 63) & 1


cdef inline int together(Work* work, int64_t number, const Rule* rule, int64_t start, int64_t stop) noexcept nogil:
    """Finds charges by which of the rule's others stand in the same window."""
    cdef int64_t at, k, others, window, last = NOTHING, kind = rule.window, op = rule.op
    cdef bint found = 0, known = 0
    cdef int done
    others = 0
    for k in range(rule.others, rule.others + rule.count):
        others += may_have(work, work.others[k])
    if (op == PRESENT and others == 0) or (op == PARTS and others + 1 < rule.high):
        return SORTED
    for at in range(start, stop):
        if not applies(work, rule, at):
            continue
        window = window_at(work, kind, at)
        # Charges of one window come one behind the other, mostly.
        if not known or window != last:
            others = 0
            for k in range(rule.others, rule.others + rule.count):
                others += beside(work, work.others[k], kind, window)
                if others and op != PARTS:
                    break
            found = others > 0 if op == PRESENT else others == 0 if op == MISSING else others + 1 >= rule.high
            last = window
            known = 1
        if found:
            done = hit(work, number, at, work.charges[FEN][at])
            if done:
                return done
    return SORTED
