# One benefit under one plan, steps 2 to 13; the specification is core_ext.reference.benefit, function by function.

cimport cython
from libc.stdint cimport int64_t, uint64_t

from core_ext.columns cimport *


cdef struct Gives:
    int64_t base
    int64_t first_selfpay
    int64_t over_ceiling
    bint continues
    int64_t hospital


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


cdef inline int64_t fund_base(
    const int64_t* fund, const int64_t* facts, const int64_t* amounts, const Gives* gives
) noexcept nogil:
    cdef int64_t amount
    cdef Py_ssize_t at
    if not fund[U_PERSONAL]:
        return gives.over_ceiling
    amount = facts[F_INSCP_SCP_AMT] - amounts[A_HIFP_PAY]
    if fund[U_LESS]:
        for at in range(FUND_PART_FIRST, FUND_PART_LAST + 1):
            amount -= amounts[at] & -(fund[U_LESS] >> at & 1)
    if not fund[U_FIRST]:
        amount -= gives.first_selfpay
    if not fund[U_OVER]:
        amount -= gives.over_ceiling
    return most(0, amount)


cdef inline int64_t fund_pay(const int64_t* fund, const int64_t* year, int64_t amount, int64_t left) noexcept nogil:
    cdef int64_t before = year[FUND_BASE[fund[U_CODE]]] if fund[U_TO_DATE] else 0
    cdef int64_t start = most(0, before - fund[U_THRESHOLD])
    cdef int64_t stop = most(0, before + amount - fund[U_THRESHOLD])
    cdef int64_t above = 0, paid = 0
    cdef Py_ssize_t at
    for at in range(fund[U_TIERS]):
        if stop <= above:
            break
        paid += share(within(start, stop, above, fund[U_EDGE_0 + 2 * at]), fund[U_RATIO_0 + 2 * at])
        above = fund[U_EDGE_0 + 2 * at]
    return least(least(paid, most(0, fund[U_CAP] - year[FUND_PAID[fund[U_CODE]]])), most(0, left))


# Operands are zero or above where divided: truncation is the floor.
@cython.cdivision(True)
cdef inline int64_t day_number(int64_t day) noexcept nogil:
    cdef int64_t year, month
    if not 1_01_01 <= day <= 9999_12_31:
        return 0
    year, month = day // 10_000, day // 100 % 100
    if month > 2:
        month -= 3
    else:
        year -= 1
        month += 9
    return 365 * year + year // 4 - year // 100 + year // 400 + (153 * month + 2) // 5 + day % 100 - 1


cdef inline int64_t discharge(const int64_t* facts) noexcept nogil:
    return day_number(facts[F_ENDDATE]) * 100 + (facts[F_HOSP_LV] if 0 <= facts[F_HOSP_LV] < 100 else 0)


@cython.cdivision(True)
cdef inline bint continues_a_stay(const int64_t* plan, const int64_t* facts, const int64_t* year) noexcept nogil:
    cdef int64_t last = year[Y_LAST_DISCHARGE], days
    if last <= 0 or not plan[P_STAY] or not (plan[P_READMISSION] or plan[P_TRANSFER]):
        return False
    days = day_number(facts[F_BEGNDATE]) - last // 100
    return 0 <= days < (plan[P_READMISSION] if last % 100 == discharge(facts) % 100 else plan[P_TRANSFER])


# A stay's ordinal is unbounded in a foreign opening balance: past the last fall the floor holds, without a product.
@cython.cdivision(True)
cdef inline int64_t deductible(
    const int64_t* plan, const int64_t* year, int64_t base, int64_t room, bint continues
) noexcept nogil:
    cdef int64_t due = 0, earlier, less
    if plan[P_DEDUCTIBLE_EXEMPT] or (
        plan[P_DEDUCTIBLE_WAIVED] and (room == 0 or year[Y_INSCP_SCP_AMT] >= plan[P_CEILING_COST])
    ):
        return 0
    if plan[P_DEDUCTIBLE_KIND] == BY_ORDINAL:
        earlier, less = most(0, year[Y_STAYS] - continues), plan[P_DEDUCTIBLE_LESS]
        if earlier < 1_000 or less == 0 or earlier <= plan[P_DEDUCTIBLE_AMOUNT] // less:
            due = plan[P_DEDUCTIBLE_AMOUNT] - less * earlier
        due = share(most(plan[P_DEDUCTIBLE_FLOOR], due), plan[P_DEDUCTIBLE_FACTOR])
        if continues:
            due = most(0, due - year[Y_STAY_DEDUCTIBLE])
        due = least(due, most(0, plan[P_DEDUCTIBLE_CAP] - year[Y_DEDUCTIBLE_STAYS]))
    elif plan[P_DEDUCTIBLE_KIND] == ANNUAL:
        due = share(most(0, plan[P_DEDUCTIBLE_AMOUNT] - year[Y_DEDUCTIBLE]), plan[P_DEDUCTIBLE_FACTOR])
    return least(due, base)


# Fills parts and payments of a cost whose payments fill the segments one after the other, from ``start`` on.
cdef inline int64_t segments_on_payment(
    const int64_t* plan, int64_t start, int64_t cost, int64_t* parts, int64_t* payments
) noexcept nogil:
    cdef int64_t above = 0, paid = 0, room, edge, ratio
    cdef Py_ssize_t at
    for at in range(plan[P_SEGMENTS]):
        edge, ratio = plan[P_SEGMENT_EDGE_0 + 2 * at], plan[P_SEGMENT_RATIO_0 + 2 * at]
        room = edge - most(above, start)
        parts[at] = payments[at] = 0
        if room > 0 and cost > 0:
            parts[at], payments[at] = cost, share(cost, ratio)
            if payments[at] > room:
                payments[at] = room
                parts[at] = cost_of(room, ratio)
            cost -= parts[at]
            paid += payments[at]
        above = edge
    return paid


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
                uncovered -= cost_of(spent, plan[P_SEGMENT_RATIO_0 + 2 * at])
    return uncovered


# Fills parts and payments of the stretch (start, stop].
cdef inline int64_t segments_on_cost(
    const int64_t* plan, int64_t start, int64_t stop, int64_t* parts, int64_t* payments
) noexcept nogil:
    cdef int64_t above = 0, paid = 0
    cdef Py_ssize_t at
    for at in range(plan[P_SEGMENTS]):
        parts[at] = within(start, stop, above, plan[P_SEGMENT_EDGE_0 + 2 * at])
        payments[at] = share(parts[at], plan[P_SEGMENT_RATIO_0 + 2 * at]) if parts[at] else 0
        paid += payments[at]
        above = plan[P_SEGMENT_EDGE_0 + 2 * at]
    return paid


cdef inline int64_t start_of(const int64_t* plan, const int64_t* year) noexcept nogil:
    if not plan[P_TO_DATE]:
        return 0
    if plan[P_ON_PAYMENT]:
        return year[Y_HIFP_PAY]
    if plan[P_TO_DATE] == YEAR_OF_KIND:
        return year[plan[P_PLACED]]
    if plan[P_TO_DATE] == YEAR_OF_ALL_KINDS:
        return (
            year[Y_PLACED_INPATIENT] + year[Y_PLACED_OUTPATIENT] + year[Y_PLACED_CHRONIC] + year[Y_PLACED_PHARMACY]
        )
    return 0


# Returns what of the personal amount the parts (ACCOUNT_*, summed) come to.
cdef inline int64_t personal(int64_t parts, const int64_t* facts, const int64_t* amounts) noexcept nogil:
    cdef int64_t allowed = 0
    if parts & ACCOUNT_IN_SCOPE:
        allowed += facts[F_INSCP_SCP_AMT] - amounts[A_FUND_PAY_SUMAMT]
    if parts & ACCOUNT_NOT_DEDUCTIBLE:
        allowed -= amounts[A_ACT_PAY_DEDC]
    if parts & ACCOUNT_PRESELF:
        allowed += facts[F_PRESELFPAY_AMT]
    if parts & ACCOUNT_OVER_LIMIT:
        allowed += facts[F_OVERLMT_SELFPAY]
    if parts & ACCOUNT_FULL_SELFPAY:
        allowed += facts[F_FULAMT_OWNPAY_AMT]
    return allowed


cdef inline int64_t account_pay(
    const int64_t* plan, const int64_t* facts, const int64_t* amounts, int64_t balance
) noexcept nogil:
    cdef int64_t parts = plan[P_ACCOUNT]
    if parts == 0 or balance <= 0:
        return 0
    return most(0, least(least(balance, personal(parts, facts, amounts)), amounts[A_PSN_PART_AMT]))


cdef inline int64_t hospital_share(const int64_t* plan, const int64_t* facts, const int64_t* amounts) noexcept nogil:
    cdef int64_t shared
    if plan[P_HOSPITAL] == 0 or facts[F_HOSP_PART_AMT]:
        return 0
    shared = most(0, personal(plan[P_HOSPITAL], facts, amounts))
    return share(shared, plan[P_HOSPITAL_RATIO])


# Fills ``amounts`` with what the plan gives; steps 2 to 12.
cdef inline void benefit(
    const int64_t* plan, const int64_t* facts, const int64_t* year, int64_t balance, int64_t* amounts, Gives* gives
) noexcept nogil:
    cdef int64_t parts[SEGMENTS_MAX]
    cdef int64_t payments[SEGMENTS_MAX]
    cdef int64_t inscp = facts[F_INSCP_SCP_AMT]
    cdef int64_t room = most(0, plan[P_CEILING] - year[Y_HIFP_PAY])
    cdef int64_t above, dedc, start, paid, hifp, left, pays
    cdef const int64_t* fund = plan + P_FUND_0
    cdef Py_ssize_t at
    clear_row(amounts)
    gives.first_selfpay = share(inscp, plan[P_FIRST_RATIO]) if plan[P_FIRST_RATIO] else 0
    gives.base = inscp - gives.first_selfpay
    above = least(gives.base, most(0, inscp - most(0, plan[P_CEILING_COST] - year[Y_INSCP_SCP_AMT])))
    gives.base -= above
    gives.continues = continues_a_stay(plan, facts, year)
    dedc = deductible(plan, year, gives.base, room, gives.continues)
    start = start_of(plan, year)
    if plan[P_DEDUCTIBLE_INSIDE]:
        start += dedc
    if plan[P_ON_PAYMENT]:
        paid = segments_on_payment(plan, start, gives.base - dedc, parts, payments)
    else:
        paid = segments_on_cost(plan, start, start + gives.base - dedc, parts, payments)
    hifp = least(paid, room)
    if hifp == paid:
        gives.over_ceiling = above
    elif plan[P_OVER_UNCOVERED]:
        gives.over_ceiling = above + uncovered_cost(plan, parts, payments, hifp)
    else:
        gives.over_ceiling = above + paid - hifp
    if plan[P_LIMIT]:
        hifp = least(hifp, plan[P_LIMIT] - 1)
    amounts[A_ACT_PAY_DEDC] = dedc
    amounts[A_HIFP_PAY] = hifp
    left = inscp - hifp
    for at in range(plan[P_FUNDS]):
        pays = fund_pay(fund, year, fund_base(fund, facts, amounts, gives), left)
        amounts[FUND_AMOUNT[fund[U_CODE]]] += pays
        left -= pays
        fund += FUND_WIDTH
    amounts[A_FUND_PAY_SUMAMT] = inscp - left
    gives.hospital = hospital_share(plan, facts, amounts)
    amounts[A_PSN_PART_AMT] = facts[F_MEDFEE_SUMAMT] - inscp + left - facts[F_HOSP_PART_AMT] - gives.hospital
    amounts[A_ACCT_PAY] = account_pay(plan, facts, amounts, balance)
    amounts[A_PSN_CASH_PAY] = amounts[A_PSN_PART_AMT] - amounts[A_ACCT_PAY]


# Fills ``added`` with what the booked amounts add to the person's year; step 13.
cdef inline void contribution(
    const int64_t* plan, const int64_t* facts, const int64_t* year, const int64_t* booked, const Gives* gives,
    int64_t* added,
) noexcept nogil:
    cdef int64_t dedc = booked[A_ACT_PAY_DEDC], placed = gives.base - dedc, last
    cdef const int64_t* fund = plan + P_FUND_0
    cdef Py_ssize_t at
    clear_year(added)
    paid(facts, booked, added)
    if plan[P_STAY] and (placed > 0 or plan[P_STAY_BELOW_COUNTS]) and not gives.continues:
        added[Y_STAYS] = 1
    if plan[P_DEDUCTIBLE_KIND] == ANNUAL:
        added[Y_DEDUCTIBLE] = dedc
    elif plan[P_DEDUCTIBLE_KIND] == BY_ORDINAL and plan[P_DEDUCTIBLE_CAP] < NO_LIMIT:
        added[Y_DEDUCTIBLE_STAYS] = dedc
    if plan[P_STAY] and (plan[P_READMISSION] or plan[P_TRANSFER]):
        last = discharge(facts)
        if last >= year[Y_LAST_DISCHARGE]:
            added[Y_LAST_DISCHARGE] = last - year[Y_LAST_DISCHARGE]
            added[Y_STAY_DEDUCTIBLE] = dedc if gives.continues else dedc - year[Y_STAY_DEDUCTIBLE]
    added[plan[P_PLACED]] = gives.base if plan[P_DEDUCTIBLE_INSIDE] else placed
    for at in range(plan[P_FUNDS]):
        if fund[U_TO_DATE]:
            added[FUND_BASE[fund[U_CODE]]] = fund_base(fund, facts, booked, gives)
        fund += FUND_WIDTH


# Fills ``added`` with what was paid, whoever decided it.
cdef inline void paid(const int64_t* facts, const int64_t* booked, int64_t* added) noexcept nogil:
    added[Y_HIFP_PAY] = booked[A_HIFP_PAY]
    added[Y_HIFOB_PAY] = booked[A_HIFOB_PAY]
    added[Y_HIFMI_PAY] = booked[A_HIFMI_PAY]
    added[Y_MAF_PAY] = booked[A_MAF_PAY]
    added[Y_CVLSERV_PAY] = booked[A_CVLSERV_PAY]
    added[Y_HIFES_PAY] = booked[A_HIFES_PAY]
    added[Y_HIFDM_PAY] = booked[A_HIFDM_PAY]
    added[Y_OTH_PAY] = booked[A_OTH_PAY]
    added[Y_FUND_PAY_SUMAMT] = booked[A_FUND_PAY_SUMAMT]
    added[Y_INSCP_SCP_AMT] = facts[F_INSCP_SCP_AMT]
