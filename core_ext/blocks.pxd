# A block of a segment's acts: whole persons, few enough to stay in the second cache while their columns are widened,
# settled and looked at. The specification of what comes out is core_ext.reference.replay.

from libc.stdint cimport int8_t, int64_t, uint8_t, uint32_t
from libc.stdlib cimport free, malloc
from libc.string cimport memcpy, memset

from core_ext.columns cimport *
from core_ext.lanes cimport *
from core_ext.settlement cimport *

# Rows a block has at least, where its last person does not have more.
cdef enum:
    BLOCK_ROWS = 96

cdef enum:
    PRESENT, REF, SLOT, HOLDER

cdef enum:
    ACCOUNT, FIRST_ACCUMULATOR


# The columns of a batch, as core_ext.replaying.Acts names them.
cdef struct Acts:
    Lanes facts
    Lanes amounts
    Lanes placed
    Lanes years
    int64_t first_year
    Py_ssize_t year_rows
    Py_ssize_t n
    const int64_t* plan
    const int8_t* kind
    const int8_t* lenient

# One block of them: ``first`` its first row, ``n`` how many, ``years`` how many person-years from ``low`` on. ``began``
# and ``held`` are what its person-years and accounts start with, ``old`` the amounts that are booked.
cdef struct Block:
    Py_ssize_t first
    Py_ssize_t n
    Py_ssize_t low
    Py_ssize_t years
    Py_ssize_t capacity
    int64_t* slab
    int64_t* facts
    int64_t* given
    int64_t* old
    int64_t* kind
    int64_t* ref
    int64_t* lenient
    int64_t* slot
    int64_t* account
    int64_t* began
    int64_t* held
    bint has_old
    uint8_t* marks
    Tables tables
    Written written


# Returns the row at which a block that begins at ``start`` ends: where a person does.
cdef inline Py_ssize_t block_end(const Acts* acts, Py_ssize_t start) noexcept nogil:
    cdef Py_ssize_t stop = start + BLOCK_ROWS
    if stop >= acts.n:
        return acts.n
    while stop < acts.n and value_at(&acts.facts, F_TOKEN, stop) == value_at(&acts.facts, F_TOKEN, stop - 1):
        stop += 1
    return stop


cdef inline Py_ssize_t largest_block(const Acts* acts) noexcept nogil:
    cdef Py_ssize_t start = 0, stop, most_rows = 0
    while start < acts.n:
        stop = block_end(acts, start)
        most_rows = most(most_rows, stop - start)
        start = stop
    return most_rows


# Takes the memory of a block of at most so many rows; returns False where there is none. ``free_block`` gives it back.
cdef inline bint open_block(Block* block, Py_ssize_t capacity, uint32_t* terms_at, char* terms) noexcept nogil:
    cdef Py_ssize_t wide = FACTS_WIDTH + 4 * AMOUNTS_WIDTH + 4 * YEAR_WIDTH + HOW_WIDTH + 11
    cdef int64_t* at = <int64_t*> malloc((capacity * (wide + 1) + 8) * sizeof(int64_t))
    block.slab, block.capacity = at, capacity
    if at == NULL:
        return False
    block.facts, at = at, at + capacity * FACTS_WIDTH
    block.given, at = at, at + capacity * AMOUNTS_WIDTH
    block.old, at = at, at + capacity * AMOUNTS_WIDTH
    block.written.booked, at = at, at + capacity * AMOUNTS_WIDTH
    block.written.computed, at = at, at + capacity * AMOUNTS_WIDTH
    block.written.before, at = at, at + capacity * YEAR_WIDTH
    block.written.delta, at = at, at + capacity * YEAR_WIDTH
    block.tables.state, at = at, at + capacity * YEAR_WIDTH
    block.began, at = at, at + capacity * YEAR_WIDTH
    block.written.how, at = at, at + capacity * HOW_WIDTH
    block.kind, at = at, at + capacity
    block.ref, at = at, at + capacity
    block.lenient, at = at, at + capacity
    block.slot, at = at, at + capacity
    block.account, at = at, at + capacity
    block.held, at = at, at + capacity
    block.tables.accounts, at = at, at + capacity
    block.tables.refunded, at = at, at + capacity
    block.tables.code, at = at, at + capacity
    block.written.balc, at = at, at + capacity
    block.marks, block.written.first = <uint8_t*> at, 0
    block.tables.terms_at, block.tables.terms = terms_at, terms
    block.tables.facts, block.tables.given, block.tables.kind = block.facts, block.given, block.kind
    block.tables.ref, block.tables.lenient, block.tables.slot = block.ref, block.lenient, block.slot
    block.tables.account = block.account
    block.tables.booked, block.tables.computed = block.written.booked, block.written.computed
    block.tables.before, block.tables.delta = block.written.before, block.written.delta
    block.tables.balc, block.tables.how = block.written.balc, block.written.how
    return True


cdef inline void free_block(Block* block) noexcept nogil:
    free(block.slab)


# Widens what a block is settled from; returns the first row that points outside its person or its tables, -1 if none.
# Of the amounts only what a source gave is needed, and ``all_old`` where the amounts that stand are asked for besides.
cdef inline Py_ssize_t load_block(
    const Acts* acts, Block* block, Py_ssize_t start, Py_ssize_t stop, bint all_old
) noexcept nogil:
    cdef Py_ssize_t n = stop - start, row, at, high
    cdef int64_t present, kinds = 0
    block.first, block.n, block.tables.n, block.tables.tail = start, n, n, n
    if stop < acts.n:
        high = least(BLOCK_ROWS, acts.n - stop)
        ask_for_lanes(&acts.facts, stop, high)
        ask_for_lanes(&acts.amounts, stop, high)
        ask_for_lanes(&acts.placed, stop, high)
    widen_lanes(&acts.facts, start, n, block.facts)
    widen_lane(&acts.placed, REF, start, n, block.ref, 1)
    widen_lane(&acts.placed, SLOT, start, n, block.slot, 1)
    widen_lane(&acts.placed, HOLDER, start, n, block.account, 1)
    block.low, high = block.slot[0], block.slot[0]
    for row in range(n):
        block.kind[row], block.lenient[row] = acts.kind[start + row], acts.lenient[start + row]
        kinds |= <int64_t> 1 << (block.kind[row] & 7)
        if block.ref[row] <= 0:
            block.ref[row] = -1
        elif block.ref[row] > row:
            return start + row
        else:
            block.ref[row] = row - block.ref[row]
        block.low = least(block.low, least(block.slot[row], block.account[row]))
        high = most(high, most(block.slot[row], block.account[row]))
    block.years = high - block.low + 1
    block.low -= acts.first_year
    if block.years > n or block.low < 0 or block.low + block.years > acts.year_rows:
        return start
    for row in range(n):
        block.slot[row] -= block.low + acts.first_year
        block.account[row] -= block.low + acts.first_year
        if not 0 <= block.kind[row] <= SOURCE_UNCHECKED:
            return start + row
        if block.ref[row] >= 0 and (
            block.facts[row * FACTS_WIDTH + F_TOKEN] != block.facts[block.ref[row] * FACTS_WIDTH + F_TOKEN]
        ):
            return start + row
    widen_lane(&acts.years, ACCOUNT, block.low, block.years, block.held, 1)
    for at in range(YEAR_WIDTH):
        widen_lane(&acts.years, FIRST_ACCUMULATOR + at, block.low, block.years, block.began + at, YEAR_WIDTH)
    block.has_old = all_old or kinds >> SOURCE
    if block.has_old:
        widen_lanes(&acts.amounts, start, n, block.old)
    if kinds >> SOURCE:
        memcpy(block.given, block.old, n * AMOUNTS_WIDTH * sizeof(int64_t))
        for row in range(n):
            present = value_at(&acts.placed, PRESENT, start + row)
            if block.kind[row] > COMPUTE and present >= 0:
                for at in range(AMOUNTS_WIDTH):
                    if not present >> at & 1:
                        block.given[row * AMOUNTS_WIDTH + at] = ABSENT
    return -1


# Settles a block from its beginning, each row by its ``plan``; rows that are skipped or refused come out as nothing.
cdef inline void decide_block(Block* block, const int64_t* plan) noexcept nogil:
    cdef Py_ssize_t row
    block.tables.plan = plan
    memcpy(block.tables.state, block.began, block.years * YEAR_WIDTH * sizeof(int64_t))
    memcpy(block.tables.accounts, block.held, block.years * sizeof(int64_t))
    memset(block.tables.refunded, 0, block.n * sizeof(int64_t))
    memset(block.tables.code, 0, block.n * sizeof(int64_t))
    for row in range(block.n):
        if block.kind[row] == REFUND:
            block.tables.code[row] = refund(&block.tables, row, &block.written)
        elif block.kind[row] != SKIP:
            block.tables.code[row] = settlement(&block.tables, row, &block.written)
    for row in range(block.n):
        if block.kind[row] == SKIP or block.tables.code[row]:
            clear_row(block.written.booked + row * AMOUNTS_WIDTH)
            clear_year(block.written.before + row * YEAR_WIDTH)
            clear_year(block.written.delta + row * YEAR_WIDTH)
            clear_how(block.written.how + row * HOW_WIDTH)
            block.written.balc[row] = 0


# Gathers the bits of each column of a table: a column of zeros has none.
cdef inline void bits_of_rows(const int64_t* table, Py_ssize_t n, int64_t* bits) noexcept nogil:
    cdef Py_ssize_t row, at
    for at in range(AMOUNTS_WIDTH):
        bits[at] = 0
    for row in range(n):
        for at in range(AMOUNTS_WIDTH):
            bits[at] |= table[row * AMOUNTS_WIDTH + at]


cdef inline void bits_of_years(const int64_t* table, Py_ssize_t n, int64_t* bits) noexcept nogil:
    cdef Py_ssize_t row, at
    for at in range(YEAR_WIDTH):
        bits[at] = 0
    for row in range(n):
        for at in range(YEAR_WIDTH):
            bits[at] |= table[row * YEAR_WIDTH + at]


# Marks rows of a table that are not what the lanes hold. Most columns of most blocks are zeros on both sides, which
# is seen at once.
cdef inline void mark_differing(
    const Lanes* lanes, Py_ssize_t first, Py_ssize_t n, const int64_t* table, Py_ssize_t width, const int64_t* bits,
    uint8_t* marks
) noexcept nogil:
    cdef Py_ssize_t at
    for at in range(lanes.count):
        if bits[at] or not all_zero(lanes, at, first, n):
            compare_lane(lanes, at, first, n, table + at, width, marks)
