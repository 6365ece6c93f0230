# One benefit under one plan, steps 2 to 13; the specification is core_ext.reference.benefit, function by function.

cimport cython
from libc.stdint cimport int64_t, uint64_t

from core_ext.columns cimport *


cdef struct Gives:
    int64_t base
    int64_t first_selfpay
    int64_t over_ceiling


cdef inline int64_t least(int64_t a, int64_t b) noexcept nogil:
    return a if a < b else b


cdef inline int64_t most(int64_t a, int64_t b) noexcept nogil:
    return a if a > b else b


# Both operands are zero or above and the divisor is a positive constant: truncation is the floor.
@cython.cdivision(True)
cdef inline int64_t share(int64_t fen, int64_t ratio) noexcept nogil:
    cdef int64_t whole, rest
    if fen <= PLAIN_PRODUCT and ratio <= ONE:
        return (fen * ratio + ONE // 2) // ONE
    whole = fen // ONE
    rest = fen - whole * ONE
    return whole * ratio + (rest * ratio + ONE // 2) // ONE


# The payment is zero or above and below its part's share, so the cost is at most the part; the ratio is above zero.
@cython.cdivision(True)
cdef inline int64_t cost_of(int64_t payment, int64_t ratio) noexcept nogil:
    cdef int64_t whole = payment // ratio
    cdef int64_t rest = payment - whole * ratio
    return whole * ONE + (2 * rest * ONE + ratio) // (2 * ratio)


cdef inline int64_t within(int64_t start, int64_t stop, int64_t above, int64_t up_to) noexcept nogil:
    return most(0, least(stop, up_to) - most(start, above))


# Returns bits that are all below 1 << RANGE_BITS if and only if every amount is at least -RANGE and below RANGE.
cdef inline uint64_t spread(const int64_t* fen, Py_ssize_t count) noexcept nogil:
    cdef uint64_t bits = 0
    cdef Py_ssize_t at
    for at in range(count):
        bits |= <uint64_t> fen[at] + <uint64_t> RANGE
    return bits


cdef inline bint out_of_range(const int64_t* fen, Py_ssize_t count) noexcept nogil:
    return spread(fen, count) >> RANGE_BITS != 0


# Returns a number below zero if and only if one of the amounts is.
cdef inline int64_t signs(const int64_t* fen, Py_ssize_t count) noexcept nogil:
    cdef int64_t bits = 0
    cdef Py_ssize_t at
    for at in range(count):
        bits |= fen[at]
    return bits


cdef inline int64_t fund_parts(const int64_t* amounts) noexcept nogil:
    cdef int64_t total = 0
    cdef Py_ssize_t at
    for at in range(FUND_PART_FIRST, FUND_PART_LAST + 1):
        total += amounts[at]
    return total


cdef inline int64_t catastrophic_amount(
    const int64_t* plan, const int64_t* facts, const int64_t* amounts, const Gives* gives
) noexcept nogil:
    cdef int64_t amount
    if not plan[P_CATASTROPHIC]:
        return 0
    amount = facts[F_INSCP_SCP_AMT] - amounts[A_HIFP_PAY]
    if plan[P_CATASTROPHIC_LESS_HIFOB]:
        amount -= amounts[A_HIFOB_PAY]
    if not plan[P_CATASTROPHIC_FIRST]:
        amount -= gives.first_selfpay
    if not plan[P_CATASTROPHIC_OVER]:
        amount -= gives.over_ceiling
    return most(0, amount)


cdef inline int64_t assistance_amount(
    const int64_t* plan, const int64_t* facts, const int64_t* amounts, const Gives* gives
) noexcept nogil:
    cdef int64_t amount
    if not plan[P_ASSISTANCE]:
        return 0
    amount = facts[F_INSCP_SCP_AMT] - amounts[A_HIFP_PAY]
    if plan[P_ASSISTANCE_LESS_HIFOB]:
        amount -= amounts[A_HIFOB_PAY]
    if plan[P_ASSISTANCE_LESS_HIFMI]:
        amount -= amounts[A_HIFMI_PAY]
    if not plan[P_ASSISTANCE_FIRST]:
        amount -= gives.first_selfpay
    return most(0, amount)


# A stay's ordinal is unbounded in a foreign opening balance: past the last fall the floor holds, without a product.
@cython.cdivision(True)
cdef inline int64_t deductible(const int64_t* plan, const int64_t* year, int64_t base, int64_t room) noexcept nogil:
    cdef int64_t due = 0, earlier, less
    if plan[P_DEDUCTIBLE_EXEMPT] or (plan[P_DEDUCTIBLE_WAIVED] and room == 0):
        return 0
    if plan[P_DEDUCTIBLE_KIND] == BY_ORDINAL:
        earlier, less = most(0, year[Y_STAYS]), plan[P_DEDUCTIBLE_LESS]
        if earlier < 1_000 or less == 0 or earlier <= plan[P_DEDUCTIBLE_AMOUNT] // less:
            due = plan[P_DEDUCTIBLE_AMOUNT] - less * earlier
        due = most(plan[P_DEDUCTIBLE_FLOOR], due)
    elif plan[P_DEDUCTIBLE_KIND] == ANNUAL:
        due = most(0, plan[P_DEDUCTIBLE_AMOUNT] - year[Y_DEDUCTIBLE])
    return least(share(due, plan[P_DEDUCTIBLE_FACTOR]), base)


cdef inline int64_t hifmi(const int64_t* plan, const int64_t* year, int64_t amount) noexcept nogil:
    cdef int64_t start = most(0, year[Y_CATASTROPHIC] - plan[P_CATASTROPHIC_THRESHOLD])
    cdef int64_t stop = most(0, year[Y_CATASTROPHIC] + amount - plan[P_CATASTROPHIC_THRESHOLD])
    cdef int64_t above = 0, paid = 0
    cdef Py_ssize_t at
    for at in range(plan[P_TIERS]):
        if stop <= above:
            break
        paid += share(within(start, stop, above, plan[P_TIER_EDGE_0 + at]), plan[P_TIER_RATIO_0 + at])
        above = plan[P_TIER_EDGE_0 + at]
    return paid


cdef inline int64_t maf(const int64_t* plan, const int64_t* year, int64_t amount) noexcept nogil:
    cdef int64_t start = most(0, year[Y_ASSISTANCE] - plan[P_ASSISTANCE_THRESHOLD])
    cdef int64_t stop = most(0, year[Y_ASSISTANCE] + amount - plan[P_ASSISTANCE_THRESHOLD])
    return least(share(stop - start, plan[P_ASSISTANCE_RATIO]), most(0, plan[P_ASSISTANCE_CAP] - year[Y_MAF_PAY]))


cdef inline int64_t uncovered_cost(
    const int64_t* plan, const int64_t* parts, const int64_t* payments, int64_t left
) noexcept nogil:
    cdef int64_t uncovered = 0, spent
    cdef Py_ssize_t at
    for at in range(plan[P_SEGMENTS]):
        spent = least(payments[at], left)
        left -= spent
        if spent < payments[at]:
            uncovered += parts[at]
            if spent:
                uncovered -= cost_of(spent, plan[P_SEGMENT_RATIO_0 + at])
    return uncovered


# Fills ``amounts`` with what the plan gives; steps 2 to 12.
cdef inline void benefit(
    const int64_t* plan, const int64_t* facts, const int64_t* year, int64_t balance, int64_t* amounts, Gives* gives
) noexcept nogil:
    cdef int64_t parts[SEGMENTS_MAX]
    cdef int64_t payments[SEGMENTS_MAX]
    cdef int64_t inscp = facts[F_INSCP_SCP_AMT]
    cdef int64_t room = most(0, plan[P_CEILING] - year[Y_HIFP_PAY])
    cdef int64_t dedc, start, stop, above = 0, paid = 0, hifp, over, allowed
    cdef Py_ssize_t at
    clear_row(amounts)
    gives.first_selfpay = share(inscp, plan[P_FIRST_RATIO]) if plan[P_FIRST_RATIO] else 0
    gives.base = inscp - gives.first_selfpay
    dedc = deductible(plan, year, gives.base, room)
    start = year[plan[P_PLACED]] if plan[P_TO_DATE] else 0
    if plan[P_DEDUCTIBLE_INSIDE]:
        start += dedc
    stop = start + gives.base - dedc
    for at in range(plan[P_SEGMENTS]):
        parts[at] = within(start, stop, above, plan[P_SEGMENT_EDGE_0 + at])
        payments[at] = share(parts[at], plan[P_SEGMENT_RATIO_0 + at]) if parts[at] else 0
        paid += payments[at]
        above = plan[P_SEGMENT_EDGE_0 + at]
    hifp = least(paid, room)
    if hifp == paid:
        over = 0
    elif plan[P_OVER_UNCOVERED]:
        over = uncovered_cost(plan, parts, payments, hifp)
    else:
        over = paid - hifp
    gives.over_ceiling = over
    amounts[A_ACT_PAY_DEDC] = dedc
    amounts[A_HIFP_PAY] = hifp
    for at in range(P_FUND_1, P_FUND_3 + 1):
        if plan[at] == HIFOB:
            amounts[A_HIFOB_PAY] = least(
                share(over, plan[P_HIFOB_RATIO]), most(0, plan[P_HIFOB_CAP] - year[Y_HIFOB_PAY])
            )
        elif plan[at] == HIFMI:
            amounts[A_HIFMI_PAY] = hifmi(plan, year, catastrophic_amount(plan, facts, amounts, gives))
        elif plan[at] == MAF:
            amounts[A_MAF_PAY] = maf(plan, year, assistance_amount(plan, facts, amounts, gives))
    amounts[A_FUND_PAY_SUMAMT] = fund_parts(amounts)
    amounts[A_PSN_PART_AMT] = facts[F_MEDFEE_SUMAMT] - amounts[A_FUND_PAY_SUMAMT] - facts[F_HOSP_PART_AMT]
    if plan[P_ACCOUNT] != ACCOUNT_NOTHING and balance > 0:
        allowed = inscp - amounts[A_FUND_PAY_SUMAMT]
        if plan[P_ACCOUNT] == IN_SCOPE_AND_PRESELF:
            allowed += facts[F_PRESELFPAY_AMT]
        amounts[A_ACCT_PAY] = most(0, least(least(balance, allowed), amounts[A_PSN_PART_AMT]))
    amounts[A_PSN_CASH_PAY] = amounts[A_PSN_PART_AMT] - amounts[A_ACCT_PAY]


# Fills ``added`` with what the booked amounts add to the person's year; step 13.
cdef inline void contribution(
    const int64_t* plan, const int64_t* facts, const int64_t* booked, const Gives* gives, int64_t* added
) noexcept nogil:
    cdef int64_t placed = gives.base - booked[A_ACT_PAY_DEDC]
    paid(facts, booked, added)
    if plan[P_STAY] and (placed > 0 or plan[P_STAY_BELOW_COUNTS]):
        added[Y_STAYS] = 1
    if plan[P_DEDUCTIBLE_KIND] == ANNUAL:
        added[Y_DEDUCTIBLE] = booked[A_ACT_PAY_DEDC]
    added[plan[P_PLACED]] = gives.base if plan[P_DEDUCTIBLE_INSIDE] else placed
    added[Y_CATASTROPHIC] = catastrophic_amount(plan, facts, booked, gives)
    added[Y_ASSISTANCE] = assistance_amount(plan, facts, booked, gives)


# Fills ``added`` with what was paid, whoever decided it.
cdef inline void paid(const int64_t* facts, const int64_t* booked, int64_t* added) noexcept nogil:
    clear_row(added)
    added[Y_HIFP_PAY] = booked[A_HIFP_PAY]
    added[Y_HIFOB_PAY] = booked[A_HIFOB_PAY]
    added[Y_HIFMI_PAY] = booked[A_HIFMI_PAY]
    added[Y_MAF_PAY] = booked[A_MAF_PAY]
    added[Y_FUND_PAY_SUMAMT] = booked[A_FUND_PAY_SUMAMT]
    added[Y_INSCP_SCP_AMT] = facts[F_INSCP_SCP_AMT]
