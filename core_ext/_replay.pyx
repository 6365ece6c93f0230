"""Compiles the replay kernel: see core_ext/reference/replay.py, its specification."""

cimport cython
from libc.stdint cimport int8_t, int64_t, uint8_t, uint32_t, uint64_t, uintptr_t

from core_ext.blocks cimport *
from core_ext.changes cimport *
from core_ext.columns cimport *
from core_ext.lanes cimport *
from core_ext.settlement cimport *
from core_ext.terms cimport *

import numpy as np

from core_ext.layout import AMOUNT, AMOUNTS, FACT, HOW
from core_ext.plan import PLAN
from core_ext.replaying import VALUES, check_acts, check_rows, check_table, year_rows

cdef extern from *:
    """
    #define add_overflows(a, b, sum) __builtin_add_overflow((int64_t)(a), (int64_t)(b), (int64_t *)(sum))
    """
    bint add_overflows(int64_t a, int64_t b, int64_t* sum) noexcept nogil

cdef enum:
    LINE_WIDTH = 3 + AMOUNTS_WIDTH
    VALUES_WIDTH = 6

if len(AMOUNTS) != AMOUNTS_WIDTH or len(FACT) != FACTS_WIDTH or len(HOW) != HOW_WIDTH or len(VALUES) != VALUES_WIDTH:
    raise ImportError("core_ext._replay is built for other columns than core_ext.layout: run `make build`")
if AMOUNT["fund_pay_sumamt"] != A_FUND_PAY_SUMAMT or AMOUNT["psn_part_amt"] != A_PSN_PART_AMT:
    raise ImportError("core_ext._replay is built for other amounts than core_ext.layout: run `make build`")


cdef class Packed:
    """Holds plans as a claim reads them; threads share it. Raises ValueError for a plan that points outside itself."""

    cdef uint32_t* terms_at
    cdef char* terms
    cdef readonly Py_ssize_t plans
    cdef object _owned

    def __init__(self, plans):
        check_table("plans", plans, len(plans), len(PLAN))
        cdef Py_ssize_t plan, lines = 0, count = len(plans)
        cdef const int64_t[::1] flat = plans.reshape(-1)
        cdef object terms_at, terms
        terms_at = np.zeros(count + 1, np.uint32)
        cdef uint32_t[::1] at = terms_at
        for plan in range(count):
            if not sound(&flat[plan * PLAN_WIDTH]):
                raise ValueError(f"plans: expected a sound plan, got {plans[plan].tolist()} in row {plan}")
            at[plan] = <uint32_t> (lines + 1)
            lines += packed_size(&flat[plan * PLAN_WIDTH]) // LINE
        terms = np.empty((lines + 1) * LINE, np.uint8)
        cdef uint8_t[::1] held = terms
        self._owned = (terms_at, terms)
        self.plans, self.terms_at = count, &at[0]
        self.terms = <char*> ((<uintptr_t> &held[0] + LINE - 1) & ~<uintptr_t> (LINE - 1))
        for plan in range(count):
            pack(&flat[plan * PLAN_WIDTH], <Terms*> (self.terms + <Py_ssize_t> (at[plan] - 1) * LINE))


cdef int take_acts(acts, Acts* into) except -1:
    cdef const int64_t[::1] plan = acts.plan
    cdef const int8_t[::1] kind = acts.kind, lenient = acts.lenient
    into.n, into.first_year, into.year_rows = check_acts(acts), acts.first_year, year_rows(acts)
    take(acts.facts, 0, &into.facts)
    take(acts.amounts, 0, &into.amounts)
    take(acts.placed, 0, &into.placed)
    take(acts.years, 0, &into.years)
    if into.n:
        into.plan, into.kind, into.lenient = &plan[0], &kind[0], &lenient[0]
    return 0


cdef inline Py_ssize_t stray_plan(const int64_t* plan, Py_ssize_t n, Py_ssize_t plans) noexcept nogil:
    cdef Py_ssize_t row
    for row in range(n):
        if not -1 <= plan[row] < plans:
            return row
    return -1


cdef object stray_row(Py_ssize_t row):
    return IndexError(f"row {row}: expected a kind, a plan, an original, a year and an account of these, got others")


# ---- again: the acts as they were recorded, added up ----

cdef struct Line:
    Lanes deltas
    Lanes how
    Lanes rest
    int64_t hows[HOW_WIDTH]
    int64_t* sums
    Py_ssize_t lines

cdef enum:
    BALC, REVERSED, NUMBER


cdef void mark_block(const Acts* acts, const Line* line, Block* block, uint8_t* marks) noexcept nogil:
    cdef int64_t amounts[AMOUNTS_WIDTH]
    cdef int64_t years[YEAR_WIDTH]
    cdef Py_ssize_t at, row, n = block.n, first = block.first
    memset(block.marks, 0, n)
    if first + n < acts.n:
        ask_for_lanes(&line.deltas, first + n, least(BLOCK_ROWS, acts.n - first - n))
    bits_of_rows(block.written.booked, n, amounts)
    bits_of_years(block.written.delta, n, years)
    mark_differing(&acts.amounts, first, n, block.written.booked, AMOUNTS_WIDTH, amounts, block.marks)
    mark_differing(&line.deltas, first, n, block.written.delta, YEAR_WIDTH, years, block.marks)
    for at in range(line.how.count):
        compare_lane(&line.how, at, first, n, block.written.how + line.hows[at], HOW_WIDTH, block.marks)
    compare_lane(&line.rest, BALC, first, n, block.written.balc, 1, block.marks)
    for row in range(n):
        if block.kind[row] != SKIP:
            marks[first + row] |= block.marks[row] != 0 or block.tables.code[row] != 0


# Adds a block to its lines; returns -1, the row that names a line there is not, or -2 - row of a sum beyond 64 bits.
cdef Py_ssize_t add_block(const Line* line, Block* block) noexcept nogil:
    cdef Py_ssize_t row, at, number
    cdef int64_t reversed
    cdef int64_t* to
    cdef const int64_t* booked
    cdef bint over = False
    for row in range(block.n):
        number = value_at(&line.rest, NUMBER, block.first + row)
        if not 0 <= number < line.lines:
            return block.first + row
        block.ref[row] = number
        prefetch(line.sums + number * LINE_WIDTH, LINE_WIDTH * sizeof(int64_t))
    for row in range(block.n):
        if block.kind[row] == SKIP:
            continue
        to, booked = line.sums + block.ref[row] * LINE_WIDTH, block.written.booked + row * AMOUNTS_WIDTH
        reversed = value_at(&line.rest, REVERSED, block.first + row)
        to[0] += 1 - reversed
        to[1] += reversed
        over |= add_overflows(to[2], block.facts[row * FACTS_WIDTH + F_MEDFEE_SUMAMT], to + 2)
        for at in range(AMOUNTS_WIDTH):
            over |= add_overflows(to[3 + at], booked[at], to + 3 + at)
        if over:
            return -2 - (block.first + row)
    return -1


cdef Py_ssize_t again_blocks(
    const Acts* acts, const Line* line, Block* block, Py_ssize_t plans, uint8_t* marks, bint* strayed
) noexcept nogil:
    cdef Py_ssize_t start = 0, stop, found
    strayed[0] = True
    while start < acts.n:
        stop = block_end(acts, start)
        found = stray_plan(acts.plan + start, stop - start, plans)
        if found >= 0:
            return start + found
        found = load_block(acts, block, start, stop, False)
        if found >= 0:
            return found
        decide_block(block, acts.plan + start)
        mark_block(acts, line, block, marks)
        found = add_block(line, block)
        if found != -1:
            strayed[0] = found >= 0
            return found if found >= 0 else -2 - found
        start = stop
    return -1


def again(Packed packed, acts, recorded, marks, sums):
    """Settles acts again, marks those that differ and adds all of them up by line; see the reference."""
    cdef Acts held
    cdef Line line
    cdef Block block
    cdef bint strayed = False
    cdef Py_ssize_t found = -1, at
    cdef object number, rest
    take_acts(acts, &held)
    if marks.dtype != np.uint8 or marks.shape != (held.n,):
        raise ValueError(f"marks: expected {held.n} uint8, got {marks.dtype}{list(marks.shape)}")
    check_table("sums", sums, len(sums), LINE_WIDTH)
    check_rows("deltas", recorded.deltas, YEAR_WIDTH, held.n)
    check_rows("how", recorded.how, len(recorded.hows), held.n)
    rest = (recorded.balc, recorded.reversed, recorded.line)
    check_rows("balc, reversed and line", rest, 3, held.n)
    take(recorded.deltas, 0, &line.deltas)
    take(recorded.how, 0, &line.how)
    take(rest, 0, &line.rest)
    for at, number in enumerate(recorded.hows):
        if not 0 <= number < HOW_WIDTH or at >= HOW_WIDTH:
            raise ValueError(f"hows: expected columns of HOW, got {list(recorded.hows)}")
        line.hows[at] = number
    if held.n == 0:
        return
    cdef uint8_t[::1] marked = marks
    cdef int64_t[::1] flat = sums.reshape(-1)
    line.sums, line.lines = (&flat[0] if len(sums) else NULL), len(sums)
    if not open_block(&block, largest_block(&held), packed.terms_at, packed.terms):
        raise MemoryError
    with nogil:
        found = again_blocks(&held, &line, &block, packed.plans, &marked[0], &strayed)
        free_block(&block)
    if found >= 0:
        raise stray_row(found) if strayed else OverflowError(f"row {found}: expected sums within 64 bits of fen")


# ---- change: what acts come to under other plans ----

cdef struct Out:
    int64_t* rows
    int64_t* code
    int64_t* booked
    int64_t* before
    int64_t* delta
    int64_t* balc
    int64_t* how
    int64_t* values


cdef void write_changes(const Block* block, const Out* out, Py_ssize_t at) noexcept nogil:
    cdef Py_ssize_t row
    for row in range(block.n):
        if not block.marks[row]:
            continue
        out.rows[at], out.code[at] = block.first + row, block.tables.code[row]
        copy_row(out.booked + at * AMOUNTS_WIDTH, block.written.booked + row * AMOUNTS_WIDTH)
        copy_year(out.before + at * YEAR_WIDTH, block.written.before + row * YEAR_WIDTH)
        copy_year(out.delta + at * YEAR_WIDTH, block.written.delta + row * YEAR_WIDTH)
        memcpy(out.how + at * HOW_WIDTH, block.written.how + row * HOW_WIDTH, HOW_WIDTH * sizeof(int64_t))
        out.balc[at] = block.written.balc[row]
        at += 1


cdef void write_values(const Block* block, int64_t* values) noexcept nogil:
    cdef Py_ssize_t row
    cdef const int64_t* old
    cdef const int64_t* new
    for row in range(block.n):
        old, new = block.old + row * AMOUNTS_WIDTH, block.written.booked + row * AMOUNTS_WIDTH
        if block.kind[row] == SKIP:
            memset(values, 0, VALUES_WIDTH * sizeof(int64_t))
        else:
            values[0], values[1] = 1, block.marks[row]
            values[2], values[3] = old[A_FUND_PAY_SUMAMT], new[A_FUND_PAY_SUMAMT]
            values[4], values[5] = old[A_PSN_PART_AMT], new[A_PSN_PART_AMT]
        values += VALUES_WIDTH


cdef Py_ssize_t change_blocks(
    const Acts* acts, Block* block, Py_ssize_t plans, const Out* out, Sums* sums
) noexcept nogil:
    cdef Py_ssize_t start = 0, stop, found, changed = 0, more
    while start < acts.n:
        stop = block_end(acts, start)
        found = stray_plan(acts.plan + start, stop - start, plans)
        if found >= 0:
            return start + found
        found = load_block(acts, block, start, stop, True)
        if found >= 0:
            return found
        decide_block(block, acts.plan + start)
        add_old(block, sums)
        more = add_changes(acts, block, sums)
        if more:
            write_changes(block, out, changed)
        write_values(block, out.values + start * VALUES_WIDTH)
        changed += more
        start = stop
    return -1


# Sums are wider than what an array is aligned to.
cdef inline void* aligned(void* memory) noexcept nogil:
    return <void*> ((<uintptr_t> memory + 15) & ~<uintptr_t> 15)


cdef object number_of(wide_t value):
    return (<object> <int64_t> (value >> 64) << 64) + <uint64_t> value


cdef object figures(const Sums* sums):
    cdef Py_ssize_t at
    cdef object persons, moved
    persons = (sums.gaining, sums.losing, number_of(sums.gained), number_of(sums.lost))
    moved = []
    for at in range(AMOUNTS_WIDTH):
        moved.append(number_of(sums.moved[at]))
    return sums.changed, sums.refused, persons, moved


def change(Packed packed, acts, out):
    """Settles acts under other plans and writes those that change; see the reference."""
    cdef Acts held
    cdef Block block
    cdef Sums sums
    cdef Out to
    cdef Py_ssize_t found = -1, at
    cdef object name, width, old
    memset(&sums, 0, sizeof(Sums))
    take_acts(acts, &held)
    cdef int64_t[::1] rows = out.rows, code = out.code, balc = out.balc
    for name, width in (
        ("booked", AMOUNTS_WIDTH), ("before", YEAR_WIDTH), ("delta", YEAR_WIDTH), ("how", HOW_WIDTH),
        ("values", VALUES_WIDTH),
    ):
        check_table(name, getattr(out, name), held.n, width)
    if not len(rows) == len(code) == len(balc) == held.n:
        raise ValueError(f"rows, code and balc: expected {held.n} rows, got others")
    if held.n == 0:
        return 0, [0] * AMOUNTS_WIDTH, figures(&sums)
    cdef int64_t[::1] booked = out.booked.reshape(-1), before = out.before.reshape(-1), delta = out.delta.reshape(-1)
    cdef int64_t[::1] how = out.how.reshape(-1), values = out.values.reshape(-1)
    to.rows, to.code, to.balc, to.booked = &rows[0], &code[0], &balc[0], &booked[0]
    to.before, to.delta, to.how, to.values = &before[0], &delta[0], &how[0], &values[0]
    if not open_block(&block, largest_block(&held), packed.terms_at, packed.terms):
        raise MemoryError
    with nogil:
        found = change_blocks(&held, &block, packed.plans, &to, &sums)
        free_block(&block)
    if found >= 0:
        raise stray_row(found)
    old = []
    for at in range(AMOUNTS_WIDTH):
        old.append(number_of(sums.old[at]))
    return sums.acts, old, figures(&sums)


# ---- sweep: what acts come to under each of many sets of plans ----


cdef Py_ssize_t sweep_blocks(
    const Acts* acts, Block* block, Py_ssize_t plans, const int64_t* asked, Py_ssize_t variants, Sums* own,
    Sums* sums, uint8_t* anew
) noexcept nogil:
    cdef Py_ssize_t start = 0, stop, found, variant
    while start < acts.n:
        stop = block_end(acts, start)
        found = stray_plan(acts.plan + start, stop - start, plans)
        if found >= 0:
            return start + found
        found = load_block(acts, block, start, stop, True)
        if found >= 0:
            return found
        decide_block(block, acts.plan + start)
        add_old(block, own)
        add_changes(acts, block, own)
        memcpy(anew, block.marks, block.n)
        for variant in range(variants):
            found = stray_plan(asked + variant * acts.n + start, block.n, plans)
            if found >= 0:
                return start + found
            if leave_out(acts, block, asked + variant * acts.n + start, anew):
                decide_block(block, asked + variant * acts.n + start)
                add_changes(acts, block, sums + variant)
        start = stop
    return -1


def sweep(Packed packed, acts, plans):
    """Settles acts under each row of plans and adds up what changes; see the reference."""
    cdef Acts held
    cdef Block block
    cdef Sums own
    cdef Py_ssize_t found = -1, at, variants = len(plans), rows
    cdef object totals, lines
    memset(&own, 0, sizeof(Sums))
    take_acts(acts, &held)
    check_table("plans", plans, variants, held.n)
    rows = largest_block(&held)
    cdef const int64_t[::1] asked = plans.reshape(-1)
    cdef uint8_t[::1] sums = np.zeros((variants + 1) * sizeof(Sums), np.uint8)
    cdef uint8_t[::1] anew = np.zeros(rows + 1, np.uint8)
    if held.n and variants:
        if not open_block(&block, rows, packed.terms_at, packed.terms):
            raise MemoryError
        with nogil:
            found = sweep_blocks(
                &held, &block, packed.plans, &asked[0], variants, &own, <Sums*> aligned(&sums[0]), &anew[0]
            )
            free_block(&block)
    if found >= 0:
        raise stray_row(found)
    totals, lines = [], []
    for at in range(AMOUNTS_WIDTH):
        totals.append(number_of(own.old[at]))
    for at in range(variants):
        lines.append(figures(<Sums*> aligned(&sums[0]) + at))
    return own.acts, totals, lines
