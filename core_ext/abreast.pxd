# What a plan says to persons settled abreast, and how a window of them is settled: see abreast.h.

from libc.stdint cimport int32_t, int64_t, uint8_t

from core_ext.benefit cimport least, most
from core_ext.columns cimport *
from core_ext.terms cimport *

cdef extern from "abreast.h":
    enum:
        WINDOW
        STEP
        BESIDE
        AMOUNT_BITS
        LESS_BITS
        SAYS_ANNUAL
        SAYS_WAIVED
        SAYS_INSIDE
        SAYS_BEGINS
        SAYS_BEGINS_ALL
        SAYS_STAY
        SAYS_BELOW_COUNTS
        SAYS_IN_SCOPE
        SAYS_PRESELF
        SAYS_NOT_DEDUCTIBLE
        SAYS_PLACED
        SAYS_USUAL
        SAYS_FIRST_AT
        RATIO_BITS
        PLANS_BITS
        H_INSCP
        HELD
        R_SAID
        R_PRESELF
        ROW
        BOOKED
    ctypedef struct abreast_terms:
        int32_t amount, floor, ceiling, says, lower, upper
        int32_t edge[2]
    ctypedef struct abreast_more:
        int32_t edge, ratio, known, mixed
    ctypedef struct abreast_window:
        int32_t row[BESIDE][ROW]
        int32_t begins[BESIDE]
        int32_t length[BESIDE]
        int32_t odd[BESIDE]
        int64_t person[BESIDE]
        size_t runs, odds, lanes
        uint8_t apart[BESIDE]
    ctypedef struct abreast_beside:
        int64_t booked[BOOKED * BESIDE]
    ctypedef struct abreast_left:
        int64_t* to[BOOKED]
        const int64_t* source "from"[BOOKED]
        size_t at, lines
    ctypedef struct abreast_next:
        const int64_t* column[9]
        const int64_t* plan
        const char* years
        const char* terms
        const int64_t* holder
        const int64_t* accounts
        size_t at, rows, year, persons
    ctypedef struct abreast_rows:
        const int64_t* slot
        const int64_t* plan
        const int64_t* kind
        const int64_t* medfee
        const int64_t* fulamt
        const int64_t* overlmt
        const int64_t* preself
        const int64_t* inscp
        const int64_t* hosp
        const int64_t* holder
        int64_t* years
        int64_t* accounts
        int64_t plans, compute
        const abreast_terms* terms
        const abreast_more* more
    ctypedef struct abreast_way:
        bint (*look)(
            const abreast_rows* rows, size_t first, size_t count, abreast_window* window, abreast_next* next,
            abreast_left* left
        ) noexcept nogil
        bint (*hold)(abreast_window* window, const abreast_rows* rows) noexcept nogil
        size_t (*line_up)(abreast_window* window) noexcept nogil
        void (*settle)(
            abreast_window* window, const abreast_rows* rows, abreast_next* next, abreast_left* left
        ) noexcept nogil
        void (*put)(
            const abreast_window* window, size_t count, int64_t* beside, abreast_next* next
        ) noexcept nogil
        void (*leave)(abreast_left* left) noexcept nogil
    const abreast_way* abreast_chosen(int widest)

cdef enum:
    SEGMENTS_ABREAST = 4
    BASIS_POINT = 10_000
    ACCOUNT_ABREAST = ACCOUNT_IN_SCOPE | ACCOUNT_PRESELF | ACCOUNT_NOT_DEDUCTIBLE
    EDGE_MOST = 0x7FFFFFFF


# Returns whether a basic plan's numbers fit 32 bits as abreast.h needs them; the last of four segments has no edge.
cdef inline bint fits(const Terms* terms) noexcept nogil:
    cdef int64_t finer = terms.first_ratio % BASIS_POINT
    cdef Py_ssize_t at
    if terms.deductible_kind and not 0 <= terms.deductible_amount < <int64_t> 1 << AMOUNT_BITS:
        return False
    if terms.deductible_kind == BY_ORDINAL and not (
        0 <= terms.deductible_floor < <int64_t> 1 << AMOUNT_BITS and 0 <= terms.deductible_less < 1 << LESS_BITS
    ):
        return False
    if terms.segments > SEGMENTS_ABREAST or terms.account & ~ACCOUNT_ABREAST:
        return False
    if terms.segments == SEGMENTS_ABREAST and segments_of(terms)[SEGMENTS_ABREAST - 1].up_to < EDGE_MOST:
        return False
    for at in range(terms.segments):
        finer |= segments_of(terms)[at].ratio % BASIS_POINT
    return finer == 0


cdef inline int32_t switches(const Terms* terms) noexcept nogil:
    return (
        SAYS_ANNUAL * (terms.deductible_kind == ANNUAL) | SAYS_WAIVED * terms.deductible_waived
        | SAYS_INSIDE * terms.deductible_inside | SAYS_BEGINS * (terms.begins == YEAR_OF_KIND)
        | SAYS_BEGINS_ALL * (terms.begins == YEAR_OF_ALL_KINDS) | SAYS_STAY * terms.stay
        | SAYS_BELOW_COUNTS * terms.stay_below_counts | SAYS_IN_SCOPE * (terms.account & ACCOUNT_IN_SCOPE != 0)
        | SAYS_PRESELF * (terms.account & ACCOUNT_PRESELF != 0)
        | SAYS_NOT_DEDUCTIBLE * (terms.account & ACCOUNT_NOT_DEDUCTIBLE != 0)
        | SAYS_PLACED << (terms.placed - Y_PLACED_INPATIENT)
    )


# Whether lanes need not ask a plan for what SAYS_USUAL tells them.
cdef inline bint is_usual_abreast(const Terms* terms, const abreast_more* more) noexcept nogil:
    return (
        terms.deductible_kind != ANNUAL and terms.deductible_waived and not terms.deductible_inside
        and terms.begins <= YEAR_OF_KIND and terms.placed == Y_PLACED_INPATIENT and terms.stay
        and terms.stay_below_counts and terms.account in (0, ACCOUNT_IN_SCOPE | ACCOUNT_PRESELF)
        and more.edge == EDGE_MOST
    )


# Fills ``into`` and ``more`` with what a basic plan says, with nothing where it does not fit.
cdef inline void pack_abreast(const Terms* terms, abreast_terms* into, abreast_more* more) noexcept nogil:
    cdef const Piece* segments = segments_of(terms)
    cdef int32_t ratio[SEGMENTS_ABREAST]
    cdef int32_t edge[SEGMENTS_ABREAST]
    cdef int32_t less = 0
    cdef Py_ssize_t at
    if not fits(terms):
        return
    if terms.deductible_kind and not terms.deductible_exempt:
        into.amount = <int32_t> terms.deductible_amount
        if terms.deductible_kind == BY_ORDINAL:
            less, into.floor = <int32_t> terms.deductible_less, <int32_t> terms.deductible_floor
    for at in range(SEGMENTS_ABREAST):
        edge[at], ratio[at] = EDGE_MOST, 0
        if at < terms.segments:
            edge[at] = <int32_t> least(segments[at].up_to, EDGE_MOST)
            ratio[at] = <int32_t> (segments[at].ratio // BASIS_POINT)
    more.known, more.edge, more.ratio = True, edge[2], ratio[3]
    into.says = switches(terms) | <int32_t> (terms.first_ratio // BASIS_POINT) << SAYS_FIRST_AT
    into.says |= SAYS_USUAL * is_usual_abreast(terms, more)
    into.ceiling = <int32_t> most(0, least(terms.ceiling, EDGE_MOST))
    into.edge[0], into.edge[1] = edge[0], edge[1]
    into.lower, into.upper = ratio[0] | ratio[1] << 16, ratio[2] | less << RATIO_BITS
