"""Compiles the rules: see core_ext/reference/rules.py, its specification.

One pass over charges sorted by person, item and day. A person's runs of one item are noted first, so that what stands
beside a charge in its window is found by looking into the other item's run.
"""

import numpy as np

from libc.stdint cimport int16_t, int32_t, int64_t, uint64_t
from libc.stdlib cimport free, malloc, realloc
from libc.string cimport memcpy

from core_ext.violations cimport *

from core_ext import rule_tables as t
from core_ext.layout import ABSENT
from core_ext.rule_tables import CHARGE, CHARGES, HITS, RULES

#: Rules of an item asked for while its charges are still read; most items have fewer.
cdef enum:
    AHEAD = 4

if (
    ABSENT != NOTHING
    or len(CHARGES) != N_CHARGES
    or len(RULES) != N_RULES
    or CHARGE["after_death"] != AFTER_DEATH
    or CHARGE["institution"] != INSTITUTION
    or (t.FORBIDDEN, t.RETURN, t.OPS) != (FORBIDDEN, RETURN, RETURN + 1)
    or (t.VISIT, t.YEAR) != (VISIT, YEAR)
    or (t.COUNT, t.DAYS) != (COUNT, DAYS)
    or HITS != ("rule", "charge", "fen")
):
    raise ImportError("core_ext._rules: core_ext.rule_tables is not the one it was written for")


cdef void narrow(const int64_t* row, Rule* rule) noexcept nogil:
    """Takes a rule over, whose days are known to be below 2**31, and says by what a whole run is known to keep it."""
    cdef int64_t op = row[R_OP], field = row[R_FIELD]
    rule.outside, rule.low, rule.high = row[R_OUTSIDE], row[R_LOW], row[R_HIGH]
    rule.others, rule.count = row[R_OTHERS], row[R_COUNT]
    rule.op, rule.window, rule.field = <int16_t>op, <int16_t>row[R_WINDOW], <int32_t>field
    rule.begin, rule.until = <int32_t>row[R_BEGIN], <int32_t>row[R_UNTIL]
    rule.gate, rule.gated, rule.forbids = 0, 0, op == FORBIDDEN
    if op == FORBIDDEN:
        rule.gated = 1
    elif op == TOTAL:
        rule.gate, rule.gated = <int16_t>field, 1
    elif op == DEARER:
        # One charge is never dearer than one before it; the limit of such a rule is not read otherwise.
        rule.gate, rule.gated, rule.high = LENGTH, 1, 1
    elif op == BETWEEN and rule.low <= 0 and (field == PRIC or field == CNT):
        rule.gate, rule.gated = DEAREST if field == PRIC else MOST_PIECES, 1


cdef int make_room(Work* work, int64_t length) noexcept nogil:
    """Makes room for a run of so many charges."""
    cdef int64_t room = work.run_room
    if length <= room:
        return SORTED
    while room < length:
        room *= 2
    free(work.slots)
    free(work.state)
    free(work.table)
    work.slots = <int64_t*>malloc(<size_t>room * sizeof(int64_t))
    work.state = <int64_t*>malloc(<size_t>(3 * room) * sizeof(int64_t))
    work.table = <uint64_t*>malloc(<size_t>(4 * room) * sizeof(uint64_t))
    work.run_room = room
    return NO_MEMORY if work.slots == NULL or work.state == NULL or work.table == NULL else SORTED


cdef inline bint sum_up(
    Work* work, int64_t start, int64_t stop, int64_t* most, int64_t* some, int64_t* every
) noexcept nogil:
    """Sums a run up as if it were one window; no charge has bits beyond ``some``, none lacks one of ``every``.

    Says whether its sums are within 64 bits: a run whose are not is looked at window by window.
    """
    cdef int64_t at, cnt = 0, fen = 0, dearest = 0, pieces = 0, bits
    cdef bint over = 0
    some[0], every[0] = 0, -1
    for at in range(start, stop):
        bits = work.charges[SCOPE][at]
        some[0] |= bits
        every[0] &= bits
        over |= add_overflows(cnt, work.charges[CNT][at], &cnt)
        over |= add_overflows(fen, work.charges[FEN][at], &fen)
        dearest = max(dearest, work.charges[PRIC][at])
        pieces = max(pieces, work.charges[CNT][at])
    most[COUNT], most[AMOUNT], most[DEAREST], most[MOST_PIECES] = cnt, fen, dearest, pieces
    most[TIMES] = most[DAYS] = most[LENGTH] = stop - start
    return not over


cdef inline bint kept(const Rule* rule, const int64_t* most, int64_t some, int64_t every, bint sound) noexcept nogil:
    """Says whether a whole run is known to keep a rule; without a branch, for which rules differ too much.

    No charge is of the rule's scope, or none has a forbidden bit, or what the run comes to is within the limit.
    """
    cdef bint clear = (some & rule.high) == 0, within = most[rule.gate] <= rule.high
    cdef bint fine = (rule.forbids & clear) | ((1 - rule.forbids) & within & sound)
    return ((every & rule.outside) != 0) | (rule.gated & fine)


cdef int meet(Work* work, int64_t start, int64_t stop) noexcept nogil:
    """Meets a run with the rules of its item; most are kept by the run as a whole, and go no further."""
    cdef int64_t item = work.charges[ITEM][start], number, op, some, every
    cdef int64_t[GATES] most
    cdef const Rule* rule
    cdef bint numbered = 0, sound = sum_up(work, start, stop, most, &some, &every)
    cdef int done = SORTED
    for number in range(work.first[item], work.first[item + 1]):
        rule = work.rules + number
        if kept(rule, most, some, every, sound):
            continue
        op = rule.op
        if op <= OUTSIDE:
            done = simple(work, number, rule, start, stop)
        elif op == TOTAL or op == DEARER:
            if not numbered:
                done = make_room(work, stop - start)
                if done:
                    return done
                if rule.window == VISIT:
                    number_visits(work, start, stop)
                    numbered = 1
            done = windowed(work, number, rule, start, stop)
        elif op == OVERLAP or op == RETURN:
            done = stays(work, number, rule, start, stop)
        else:
            done = together(work, number, rule, start, stop)
        if done:
            return done
    return SORTED


cdef int note_runs(Work* work, int64_t at, int64_t n) noexcept nogil:
    """Notes the runs of the person whose charges begin at ``at``; checks that they are in order."""
    cdef const int64_t* person = work.charges[PERSON]
    cdef const int64_t* item = work.charges[ITEM]
    cdef const int64_t* day = work.charges[ON]
    cdef int64_t who = person[at], one, own, signs = 0, begin = at
    cdef int64_t* more
    work.runs = 0
    work.filter[0] = work.filter[1] = work.filter[2] = work.filter[3] = 0
    while at < n and person[at] == who:
        if work.runs + 1 >= work.runs_room:
            more = <int64_t*>realloc(work.items, <size_t>(2 * work.runs_room) * sizeof(int64_t))
            if more == NULL:
                return NO_MEMORY
            work.items = more
            more = <int64_t*>realloc(work.starts, <size_t>(2 * work.runs_room) * sizeof(int64_t))
            if more == NULL:
                return NO_MEMORY
            work.starts = more
            work.runs_room *= 2
        one = item[at]
        if one < 0 or one >= work.kinds:
            return UNSOUND
        work.filter[(one >> 6) & 3] |= <uint64_t>1 << (one & 63)
        for own in range(AHEAD):
            prefetch(work.rules + work.first[one] + own)
        work.items[work.runs] = one
        work.starts[work.runs] = at
        work.runs += 1
        at += 1
        while at < n and person[at] == who and item[at] == one:
            if day[at] < day[at - 1]:
                work.bad = at
                return UNSORTED
            at += 1
        if at < n and (person[at] < who or (person[at] == who and item[at] < one)):
            work.bad = at
            return UNSORTED
    work.starts[work.runs] = at
    for own in range(begin, at):
        signs |= work.charges[CNT][own] | work.charges[FEN][own] | work.charges[PRIC][own]
        signs |= work.charges[MONTH_OF][own] | day[own]
    return UNSOUND if signs < 0 else SORTED


cdef int run(Work* work, int64_t n) noexcept nogil:
    cdef int64_t at = 0, k
    cdef int done
    while at < n:
        done = note_runs(work, at, n)
        if done:
            return done
        for k in range(work.runs):
            if work.first[work.items[k]] == work.first[work.items[k] + 1]:
                continue
            done = meet(work, work.starts[k], work.starts[k + 1])
            if done:
                return done
        at = work.starts[work.runs]
    return SORTED


cdef class Rules:
    """Holds rules as the loop reads them, checked once; see the specification."""

    cdef Rule* rules
    cdef object first_array
    cdef object others_array
    cdef Py_ssize_t items

    def __cinit__(
        self,
        const int64_t[:, ::1] rules not None,
        const int64_t[::1] first not None,
        const int64_t[::1] others not None,
    ):
        cdef int64_t at
        t.check(np.asarray(rules), np.asarray(first), np.asarray(others))
        self.rules = <Rule*>malloc(<size_t>(rules.shape[0] + 1) * sizeof(Rule))
        if self.rules == NULL:
            raise MemoryError()
        for at in range(rules.shape[0]):
            narrow(&rules[at, 0], self.rules + at)
        self.first_array = np.array(first)
        self.others_array = np.append(others, 0)
        self.items = first.shape[0] - 1

    def __dealloc__(self):
        free(self.rules)

    def find(self, const int64_t[:, :] charges not None):
        """Returns every violation as (rule, charge, fen), int64[k, 3], in the order of the specification."""
        if charges.shape[0] != N_CHARGES or (charges.shape[1] > 1 and charges.strides[1] != sizeof(int64_t)):
            raise ValueError(f"expected {N_CHARGES} contiguous columns of charges, got {charges.shape[0]}")
        cdef int64_t n = charges.shape[1], at
        cdef const int64_t[::1] first = self.first_array
        cdef const int64_t[::1] others = self.others_array
        cdef Work work
        cdef int done = SORTED
        cdef int64_t nothing = 0
        cdef int64_t[:, ::1] out
        for at in range(N_CHARGES):
            work.charges[at] = &charges[at, 0] if n else &nothing
        work.rules = self.rules
        work.first = &first[0]
        work.kinds = self.items
        work.others = &others[0]
        work.found, work.room, work.runs, work.runs_room, work.run_room = 0, 1024, 0, 1024, 64
        work.bad = -1
        work.hits = <int64_t*>malloc(3 * 1024 * sizeof(int64_t))
        work.items = <int64_t*>malloc(1024 * sizeof(int64_t))
        work.starts = <int64_t*>malloc(1024 * sizeof(int64_t))
        work.slots = <int64_t*>malloc(64 * sizeof(int64_t))
        work.state = <int64_t*>malloc(3 * 64 * sizeof(int64_t))
        work.table = <uint64_t*>malloc(4 * 64 * sizeof(uint64_t))
        try:
            if (
                work.hits == NULL or work.items == NULL or work.starts == NULL
                or work.slots == NULL or work.state == NULL or work.table == NULL
            ):
                raise MemoryError()
            with nogil:
                done = run(&work, n)
            if done == UNSORTED or done == UNSOUND:
                t.check_charges(np.asarray(charges), self.items)
            if done == UNSORTED:
                raise t.unsorted(work.bad)
            if done == TOO_LARGE:
                raise t.too_large(work.bad)
            if done:
                raise MemoryError()
            found = np.empty((work.found, 3), np.int64)
            if work.found:
                out = found
                memcpy(&out[0, 0], work.hits, <size_t>(3 * work.found) * sizeof(int64_t))
            return found
        finally:
            free(work.hits)
            free(work.items)
            free(work.starts)
            free(work.slots)
            free(work.state)
            free(work.table)
