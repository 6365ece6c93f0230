"""Settles claims under the basic formula, from columns to columns; the specification is ``core_ext.reference.basic``.

Rows sorted by person go a window at a time, its persons abreast, where everything lies within the bounds that
``abreast.h`` proves enough; all others one by one. There arithmetic is checked as in ``core_ext._settle``: every amount
read lies within ±RANGE before it is used, every sum that is kept before it is written.
"""

from libc.stdint cimport int64_t, uint8_t, uint32_t, uint64_t, uintptr_t
from libc.string cimport memcpy

from core_ext._settle cimport Packed
from core_ext.abreast cimport *
from core_ext.formula cimport *
from core_ext.columns cimport *
from core_ext.terms cimport *
from core_ext.window cimport *

import numpy as np

from core_ext._settle import packed
from core_ext.basic import BASIC_AMOUNTS, BASIC_YEAR, check_columns
from core_ext.layout import ACCUMULATOR, ACCUMULATORS, FACT

if (
    BASIC_YEAR[:H_INSCP] != ACCUMULATORS[:H_INSCP] or ACCUMULATOR["hifp_pay"] != Y_HIFP_PAY
    or BASIC_YEAR[H_INSCP:] != ("inscp_scp_amt",) or len(BASIC_AMOUNTS) != BOOKED
    or FACT["hosp_part_amt"] - FACT["medfee_sumamt"] + 1 != MONEY_FACTS
):
    raise ImportError("core_ext._basic is built for other columns than core_ext.basic: run `make build`")

# Blocks are looked over and their terms and years asked for a block before they are settled. From STREAMED_FROM rows on
# amounts leave past the caches, which would only read what they overwrite.
cdef enum:
    STREAMED_FROM = 65_536
    LANES_MOST = 16
    BLOCK = 64
    TERMS_BASIC = 3 * LINE

# Which block was looked over ahead of its turn, and where the terms of its claims are.
cdef struct Ahead:
    const Terms* terms[2][BLOCK]
    Py_ssize_t at
    int turn


# Returns whether every amount of a block's claims is plain, I1 holds for each of them, and no row's plan or person-year
# lies outside its table. A row's kind makes a mask: all bits for a claim, none for a refund.
cdef bint plain(const Columns* columns, Py_ssize_t start, Py_ssize_t count) noexcept nogil:
    cdef const int64_t* kind = columns.kind + start
    cdef const int64_t* plan = columns.plan + start
    cdef const int64_t* slot = columns.slot + start
    cdef const int64_t* medfee = columns.medfee + start
    cdef const int64_t* fulamt = columns.fulamt + start
    cdef const int64_t* overlmt = columns.overlmt + start
    cdef const int64_t* preself = columns.preself + start
    cdef const int64_t* inscp = columns.inscp + start
    cdef const int64_t* hosp = columns.hosp + start
    cdef int64_t held = 0, differs = 0, sign = 0, mask
    cdef int64_t last_plan = columns.plans - 1, last_slot = columns.slots - 1
    cdef Py_ssize_t at
    for at in range(count):
        mask = <int64_t> (<uint64_t> kind[at] >> 1) - 1
        held |= (medfee[at] | fulamt[at] | overlmt[at] | preself[at] | inscp[at] | hosp[at]) & mask
        differs |= (medfee[at] - fulamt[at] - overlmt[at] - preself[at] - inscp[at]) & mask
        sign |= (PLAIN_PRODUCT - inscp[at]) & mask
        sign |= plan[at] | (last_plan - plan[at]) | slot[at] | (last_slot - slot[at])
    return <uint64_t> held < RANGE and differs == 0 and sign >= 0


# Looks a block over: fills where the terms of its claims are, NULL where a row wants a closer look, and asks for what
# they need.
cdef void look_over(const Columns* columns, Py_ssize_t start, Py_ssize_t count, const Terms** terms) noexcept nogil:
    cdef bint known = plain(columns, start, count)
    cdef uint32_t begins
    cdef Py_ssize_t at
    for at in range(count):
        terms[at] = NULL
        begins = columns.basic_at[columns.plan[start + at]] if known else 0
        if begins and columns.kind[start + at] == COMPUTE:
            terms[at] = <const Terms*> (columns.terms + <Py_ssize_t> (begins - 1) * LINE)
            prefetch(terms[at], TERMS_BASIC)
            prefetch(columns.years + columns.slot[start + at] * HELD, LINE)


# Whether what windows book leaves while the next ones are settled: there are enough rows, and columns that lie at numbers.
cdef bint leaves_later(const Columns* columns, const abreast_way* way) noexcept nogil:
    cdef uintptr_t places = 0
    cdef Py_ssize_t column
    for column in range(BOOKED):
        places |= <uintptr_t> columns.booked[column]
    return way != NULL and columns.n >= STREAMED_FROM and places % sizeof(int64_t) == 0


# Lets what a window booked leave for the columns: the last one at once, others while the next one is settled, as whole
# lines of the cache, wherever a column begins. What is no whole line yet, KEPT rows at most, leaves with the next window.
cdef void leave(const Columns* columns, Window* window, Py_ssize_t count, bint last) noexcept nogil:
    cdef const int64_t* beside
    cdef int64_t* to
    cdef Py_ssize_t column, kept
    for column in range(BOOKED):
        to, beside = columns.booked[column] + columns.first, columns.beside + column * BESIDE
        if columns.kept == 0:
            if columns.n < STREAMED_FROM:
                memcpy(to, beside, <size_t> count * sizeof(int64_t))
            else:
                stream(to, beside, <size_t> count)
            continue
        kept = KEPT - <Py_ssize_t> (-<uintptr_t> to // sizeof(int64_t) % KEPT)
        if last:
            kept = kept if columns.first else 0
            memcpy(to - kept, beside - kept, <size_t> (kept + count) * sizeof(int64_t))
            continue
        window.left.to[column], window.left.source[column] = to - kept, beside - kept
        if columns.first == 0:
            memcpy(to, beside, <size_t> (KEPT - kept) * sizeof(int64_t))
    if columns.kept and not last:
        window.left.at, window.left.lines = columns.first == 0, WINDOW // KEPT


# Settles rows up to ``stop`` one by one, or up to the first that cannot be, and returns where it ended; leaves why in
# ``fault``.
cdef Py_ssize_t one_by_one(
    const Columns* columns, Py_ssize_t begin, Py_ssize_t stop, Ahead* ahead, int* fault
) noexcept nogil:
    cdef const Terms** now
    cdef const Terms* said
    cdef int64_t* beside
    cdef Py_ssize_t start, end, at
    cdef bint done
    for start in range(begin, stop, 64):  # BLOCK, as a step must be a literal
        end = least(start + BLOCK, stop)
        if ahead.at != start:
            look_over(columns, start, end - start, ahead.terms[ahead.turn])
        now = ahead.terms[ahead.turn]
        ahead.turn, ahead.at = 1 - ahead.turn, end
        look_over(columns, end, least(BLOCK, columns.n - end), ahead.terms[ahead.turn])
        for at in range(start, end):
            said = now[at - start]
            beside = columns.beside + (at - columns.first)
            done = False
            if said != NULL:
                if said.usual:
                    done = settled_plainly(columns, at, said, True, beside)
                else:
                    done = settled_plainly(columns, at, said, False, beside)
            if not done:
                fault[0] = closely(columns, at)
                if fault[0]:
                    return at
    return stop


# Settles rows up to the first that cannot be, and returns its number, or how many there are; leaves why in ``fault``.
cdef Py_ssize_t settle_columns(Columns* columns, const abreast_way* way, int* fault) noexcept nogil:
    cdef abreast_beside beside
    cdef Window window
    cdef Ahead ahead
    cdef Py_ssize_t stop, found
    fault[0] = 0
    ahead.at, ahead.turn = -1, 0
    open_window(columns, way, &window)
    columns.beside, columns.kept = beside.booked + KEPT, KEPT if leaves_later(columns, window.way) else 0
    columns.first = 0
    while columns.first < columns.n:
        stop = least(columns.first + WINDOW, columns.n)
        if not settled_abreast(columns, &window, stop - columns.first):
            leave_now(columns, &window)
            found = one_by_one(columns, columns.first, stop, &ahead, fault)
            if fault[0]:
                leave(columns, &window, found - columns.first, True)
                return found
        leave(columns, &window, stop - columns.first, stop == columns.n)
        columns.first = stop
    streamed()
    return columns.n


cdef const int64_t* read(const int64_t[::1] column) noexcept:
    return &column[0] if column.shape[0] else NULL


cdef int64_t* written(int64_t[::1] column) noexcept:
    return &column[0] if column.shape[0] else NULL


cdef const abreast_way* way = abreast_chosen(LANES_MOST)


def use_lanes(int most):
    """Settles persons 16 or 8 abreast where the processor can, 0: one by one; for tests of each."""
    global way
    way = abreast_chosen(most)


def settle(plans, plan, kind, ref, slot, money, years, holder, accounts, code, booked):
    check_columns(plans, plan, kind, ref, slot, money, years, holder, accounts, code, booked)
    cdef Packed book = plans if isinstance(plans, Packed) else packed(plans)
    # A view of each keeps it alive and refuses one that is not contiguous int64.
    cdef const int64_t[::1] v_plan = plan, v_kind = kind, v_ref = ref, v_slot = slot, v_holder = holder
    cdef int64_t[::1] v_years = years.reshape(-1), v_accounts = accounts
    cdef uint8_t[::1] v_code = code, v_refunded = np.zeros(len(plan), np.uint8)
    cdef Columns columns
    cdef Py_ssize_t found
    cdef Py_ssize_t at
    cdef int fault
    columns.n, columns.plans, columns.slots = len(plan), book.rows, len(years)
    columns.terms_at, columns.basic_at, columns.terms = &book.at[0], &book.basic_at[0], book.terms
    columns.plan, columns.kind, columns.ref, columns.slot = read(v_plan), read(v_kind), read(v_ref), read(v_slot)
    columns.medfee, columns.fulamt, columns.overlmt = read(money[0]), read(money[1]), read(money[2])
    columns.preself, columns.inscp, columns.hosp = read(money[3]), read(money[4]), read(money[5])
    columns.holder, columns.years, columns.accounts = read(v_holder), written(v_years), written(v_accounts)
    for at in range(BOOKED):
        columns.booked[at] = written(booked[at])
    if not columns.n:
        return
    columns.abreast, columns.more = book.abreast, book.more
    columns.code, columns.refunded = &v_code[0], &v_refunded[0]
    code[:] = 0
    with nogil:
        found = settle_columns(&columns, way, &fault)
    if fault == MORE_THAN_BASIC:
        raise ValueError(f"row {found}: its plan {plan[found]} says more than the basic formula; settle it by `settle`")
    if fault == UNSOUND:
        raise IndexError(f"row {found}: its plan {plan[found]} points outside itself")
    if fault:
        raise IndexError(f"row {found}: its kind, plan, ref or slot points outside its table")
