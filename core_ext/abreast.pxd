# Which rows of a window go abreast, and of whom: see abreast.h. The others of the window go one by one, each person's in
# their order; as persons have nothing in common it does not matter who goes first.

from libc.stdint cimport int32_t, int64_t, uint8_t, uint32_t
from libc.string cimport memset

from core_ext.benefit cimport least, most
from core_ext.columns cimport *
from core_ext.terms cimport *

cdef extern from "abreast.h":
    enum:
        WINDOW
        STEP
        RUN_MOST
        BESIDE
        AMOUNT_BITS
        STAYS_BITS
        LESS_BITS
        SAYS_ANNUAL
        SAYS_WAIVED
        SAYS_INSIDE
        SAYS_BEGINS
        SAYS_BEGINS_ALL
        SAYS_STAY
        SAYS_BELOW_COUNTS
        SAYS_ACCOUNT
        SAYS_PLACED
        H_STAYS
        H_PLACED
        H_BALANCE
        HELD
    ctypedef struct abreast_terms:
        int32_t first, amount, less, floor, ceiling, says
        uint32_t lower, upper
        int32_t edge[4]
        int32_t known
    ctypedef struct abreast_lanes:
        int32_t said[BESIDE]
        int32_t refund[BESIDE]
        int32_t begins[BESIDE]
        int32_t held[HELD][BESIDE]
    ctypedef struct abreast_rows:
        const int64_t* plan
        const int64_t* kind
        const int64_t* medfee
        const int64_t* fulamt
        const int64_t* overlmt
        const int64_t* preself
        const int64_t* inscp
        const int64_t* hosp
        int64_t plans, compute
    ctypedef struct abreast_way:
        void (*look)(const abreast_rows* rows, size_t first, size_t count, abreast_lanes* lanes) noexcept nogil
        int (*settle)(
            abreast_lanes* lanes, const abreast_terms* terms, const int32_t* widths, size_t rounds, int64_t* beside
        ) noexcept nogil
    const abreast_way* abreast_chosen(int portable)

cdef enum:
    SEGMENTS_ABREAST = 4
    BASIS_POINT = 10_000
    ACCOUNT_ABREAST = ACCOUNT_IN_SCOPE | ACCOUNT_PRESELF | ACCOUNT_OVER_LIMIT | ACCOUNT_NOT_DEDUCTIBLE
    EDGE_MOST = 0x7FFFFFFF


# Returns whether a basic plan's numbers fit 32 bits as abreast.h needs them.
cdef inline bint fits(const Terms* terms) noexcept nogil:
    cdef int64_t out = terms.deductible_amount | terms.deductible_floor
    cdef int64_t finer = terms.first_ratio % BASIS_POINT
    cdef Py_ssize_t at
    if terms.deductible_kind == BY_ORDINAL and (out >> AMOUNT_BITS or terms.deductible_less >> LESS_BITS):
        return False
    if terms.deductible_kind == ANNUAL and terms.deductible_amount >> AMOUNT_BITS:
        return False
    if terms.segments > SEGMENTS_ABREAST or terms.account & ~ACCOUNT_ABREAST:
        return False
    for at in range(terms.segments):
        finer |= segments_of(terms)[at].ratio % BASIS_POINT
    return finer == 0


cdef inline uint32_t pair(const uint32_t* ratio) noexcept nogil:
    return ratio[0] | ratio[1] << 16


# Fills ``into`` with what a basic plan says, as nothing known where it does not fit.
cdef inline void pack_abreast(const Terms* terms, abreast_terms* into) noexcept nogil:
    cdef uint32_t ratio[SEGMENTS_ABREAST]
    cdef int32_t says = 0
    cdef Py_ssize_t at
    if not fits(terms):
        return
    into.known = True
    into.first = <int32_t> (terms.first_ratio // BASIS_POINT)
    into.ceiling = <int32_t> most(0, least(terms.ceiling, EDGE_MOST))
    if not terms.deductible_exempt and terms.deductible_kind:
        into.amount = <int32_t> terms.deductible_amount
    if not terms.deductible_exempt and terms.deductible_kind == BY_ORDINAL:
        into.less, into.floor = <int32_t> terms.deductible_less, <int32_t> terms.deductible_floor
    memset(ratio, 0, sizeof(ratio))
    for at in range(SEGMENTS_ABREAST):
        into.edge[at] = into.edge[at - 1] if at else 0
        if at < terms.segments:
            into.edge[at] = <int32_t> least(segments_of(terms)[at].up_to, EDGE_MOST)
            ratio[at] = <uint32_t> (segments_of(terms)[at].ratio // BASIS_POINT)
    into.lower, into.upper = pair(ratio), pair(ratio + 2)
    says = (SAYS_PLACED << (terms.placed - Y_PLACED_INPATIENT)) | SAYS_ACCOUNT * terms.account
    says |= SAYS_ANNUAL * (terms.deductible_kind == ANNUAL) | SAYS_WAIVED * terms.deductible_waived
    says |= SAYS_INSIDE * terms.deductible_inside | SAYS_STAY * terms.stay
    says |= SAYS_BEGINS * (terms.begins == YEAR_OF_KIND) | SAYS_BEGINS_ALL * (terms.begins == YEAR_OF_ALL_KINDS)
    into.says = says | SAYS_BELOW_COUNTS * terms.stay_below_counts
