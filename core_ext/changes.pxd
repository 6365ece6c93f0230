# What a block comes to under other plans: sums wide enough for any amounts. The specification is
# core_ext.reference.replay.

from libc.stdint cimport int64_t, uint8_t
from libc.string cimport memset

from core_ext.blocks cimport *

cdef extern from *:
    ctypedef long long wide_t "__int128"


cdef struct Sums:
    wide_t old[AMOUNTS_WIDTH]
    wide_t moved[AMOUNTS_WIDTH]
    wide_t gained
    wide_t lost
    int64_t gaining
    int64_t losing
    int64_t acts
    int64_t changed
    int64_t refused


cdef inline void add_old(const Block* block, Sums* sums) noexcept nogil:
    cdef Py_ssize_t row, at
    for row in range(block.n):
        if block.kind[row] != SKIP:
            sums.acts += 1
            for at in range(AMOUNTS_WIDTH):
                sums.old[at] += block.old[row * AMOUNTS_WIDTH + at]


cdef inline void add_person(wide_t gain, Sums* sums) noexcept nogil:
    if gain > 0:
        sums.gaining += 1
        sums.gained += gain
    elif gain < 0:
        sums.losing += 1
        sums.lost -= gain


# Marks what a block's rows change, adds it up and counts the persons who gain and lose; returns how many rows change.
cdef inline Py_ssize_t add_changes(const Acts* acts, Block* block, Sums* sums) noexcept nogil:
    cdef int64_t bits[AMOUNTS_WIDTH]
    cdef Py_ssize_t row, at, changed = 0
    cdef wide_t gain = 0
    cdef const int64_t* old
    cdef const int64_t* new
    memset(block.marks, 0, block.n)
    bits_of_rows(block.written.booked, block.n, bits)
    mark_differing(
        &acts.amounts, block.first, block.n, block.written.booked, AMOUNTS_WIDTH, bits, block.marks
    )
    for row in range(block.n):
        if row and block.facts[row * FACTS_WIDTH + F_TOKEN] != block.facts[(row - 1) * FACTS_WIDTH + F_TOKEN]:
            add_person(gain, sums)
            gain = 0
        block.marks[row] = block.kind[row] != SKIP and (block.marks[row] != 0 or block.tables.code[row] != 0)
        if not block.marks[row]:
            continue
        changed += 1
        sums.refused += block.tables.code[row] != 0
        old, new = block.old + row * AMOUNTS_WIDTH, block.written.booked + row * AMOUNTS_WIDTH
        for at in range(AMOUNTS_WIDTH):
            sums.moved[at] += <wide_t> new[at] - <wide_t> old[at]
        gain += <wide_t> old[A_PSN_PART_AMT] - <wide_t> new[A_PSN_PART_AMT]
    add_person(gain, sums)
    sums.changed += changed
    return changed


# Leaves out of a block the persons none of whose acts has another plan than its own, but those who do not come out as
# booked by it (``anew``); returns whether anybody is left.
cdef inline bint leave_out(const Acts* acts, Block* block, const int64_t* plan, const uint8_t* anew) noexcept nogil:
    cdef Py_ssize_t row, first = 0, at
    cdef bint moved = False, some = False
    for row in range(block.n + 1):
        if row == block.n or (
            row and block.facts[row * FACTS_WIDTH + F_TOKEN] != block.facts[(row - 1) * FACTS_WIDTH + F_TOKEN]
        ):
            for at in range(first, row):
                block.kind[at] = acts.kind[block.first + at] if moved else SKIP
            some |= moved
            first, moved = row, False
        if row < block.n:
            moved |= plan[row] != acts.plan[block.first + row] or anew[row] != 0
    return some
