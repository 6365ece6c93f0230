# One benefit under one plan, steps 2 to 13; the specification is core_ext.reference.benefit, function by function.

cimport cython
from libc.stdint cimport int64_t, uint64_t

from core_ext.columns cimport *
from core_ext.terms cimport *


cdef struct Gives:
    int64_t base
    int64_t first_selfpay
    int64_t over_ceiling
    int64_t hospital
    bint continues

# A person's year while a claim is added to it: what it is, what it was, what the claim adds, and ``spread`` of its
# accumulators as they change.
cdef struct Year:
    int64_t* now
    const int64_t* before
    int64_t* added
    uint64_t bits


cdef inline int64_t least(int64_t a, int64_t b) noexcept nogil:
    return a if a < b else b


cdef inline int64_t most(int64_t a, int64_t b) noexcept nogil:
    return a if a > b else b


# Both operands are zero or above and the divisor is a positive constant: truncation is the floor.
@cython.cdivision(True)
cdef inline int64_t share(int64_t fen, int64_t ratio) noexcept nogil:
    cdef int64_t whole, rest
    if fen <= PLAIN_PRODUCT and ratio <= ONE:
        return <int64_t> (<uint64_t> (fen * ratio + ONE // 2) // <uint64_t> ONE)
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
    const Fund* fund, const int64_t* facts, const int64_t* amounts, const Gives* gives
) noexcept nogil:
    cdef int64_t amount
    cdef uint64_t less = fund.less
    if not fund.personal:
        return gives.over_ceiling
    amount = facts[F_INSCP_SCP_AMT] - amounts[A_HIFP_PAY]
    while less:
        amount -= amounts[FUND_PART_FIRST + lowest_bit(less)]
        less &= less - 1
    if not fund.first:
        amount -= gives.first_selfpay
    if not fund.over:
        amount -= gives.over_ceiling
    return most(0, amount)


cdef inline int64_t fund_pay(const Fund* fund, const int64_t* year, int64_t amount, int64_t left) noexcept nogil:
    cdef int64_t before = year[FUND_BASE[fund.code]] if fund.to_date else 0
    cdef int64_t start = most(0, before - fund.threshold)
    cdef int64_t stop = most(0, before + amount - fund.threshold)
    cdef const Piece* tiers = tiers_of(fund)
    cdef int64_t above = 0, paid = 0
    cdef Py_ssize_t at
    for at in range(fund.tiers):
        if stop <= above:
            break
        paid += share(within(start, stop, above, tiers[at].up_to), tiers[at].ratio)
        above = tiers[at].up_to
    return least(least(paid, most(0, fund.cap - year[FUND_PAID[fund.code]])), most(0, left))


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
cdef inline bint continues_a_stay(const Terms* terms, const int64_t* facts, const int64_t* year) noexcept nogil:
    cdef int64_t last = year[Y_LAST_DISCHARGE], days
    if not terms.joins or last <= 0:
        return False
    days = day_number(facts[F_BEGNDATE]) - last // 100
    return 0 <= days < (terms.readmission if last % 100 == discharge(facts) % 100 else terms.transfer)


# A stay's ordinal is unbounded in a foreign opening balance: past the last fall the floor holds, without a product.
@cython.cdivision(True)
cdef inline int64_t deductible(
    const Terms* terms, const int64_t* year, int64_t base, int64_t room, bint continues
) noexcept nogil:
    cdef int64_t due = 0, earlier, less
    if terms.deductible_exempt or (
        terms.deductible_waived and (room == 0 or year[Y_INSCP_SCP_AMT] >= terms.ceiling_cost)
    ):
        return 0
    if terms.deductible_kind == BY_ORDINAL:
        earlier, less = most(0, year[Y_STAYS] - continues), terms.deductible_less
        if earlier < 1_000 or less == 0 or earlier <= terms.deductible_amount // less:
            due = terms.deductible_amount - less * earlier
        due = share(most(terms.deductible_floor, due), terms.deductible_factor)
        if continues:
            due = most(0, due - year[Y_STAY_DEDUCTIBLE])
        due = least(due, most(0, terms.deductible_cap - year[Y_DEDUCTIBLE_STAYS]))
    elif terms.deductible_kind == ANNUAL:
        due = share(most(0, terms.deductible_amount - year[Y_DEDUCTIBLE]), terms.deductible_factor)
    return least(due, base)


# Fills parts and payments of a cost whose payments fill the segments one after the other, from ``start`` on.
cdef inline int64_t segments_on_payment(
    const Terms* terms, int64_t start, int64_t cost, int64_t* parts, int64_t* payments
) noexcept nogil:
    cdef const Piece* segments = segments_of(terms)
    cdef int64_t above = 0, paid = 0, room, ratio
    cdef Py_ssize_t at
    for at in range(terms.segments):
        ratio = segments[at].ratio
        room = segments[at].up_to - most(above, start)
        parts[at] = payments[at] = 0
        if room > 0 and cost > 0:
            parts[at], payments[at] = cost, share(cost, ratio)
            if payments[at] > room:
                payments[at] = room
                parts[at] = cost_of(room, ratio)
            cost -= parts[at]
            paid += payments[at]
        above = segments[at].up_to
    return paid


cdef inline int64_t uncovered_cost(
    const Terms* terms, const int64_t* parts, const int64_t* payments, int64_t left
) noexcept nogil:
    cdef const Piece* segments = segments_of(terms)
    cdef int64_t uncovered = 0, spent
    cdef Py_ssize_t at
    for at in range(terms.segments):
        spent = least(payments[at], left)
        left -= spent
        if spent < payments[at]:
            uncovered += parts[at]
            if spent:
                uncovered -= cost_of(spent, segments[at].ratio)
    return uncovered


# Fills parts and payments of the stretch (start, stop]. An empty part is paid nothing, without a jump over it: which
# segments a claim reaches cannot be foreseen.
cdef inline int64_t segments_on_cost(
    const Terms* terms, int64_t start, int64_t stop, int64_t* parts, int64_t* payments
) noexcept nogil:
    cdef const Piece* segments = segments_of(terms)
    cdef int64_t above = 0, paid = 0
    cdef Py_ssize_t at
    for at in range(terms.segments):
        parts[at] = within(start, stop, above, segments[at].up_to)
        payments[at] = share(parts[at], segments[at].ratio)
        paid += payments[at]
        above = segments[at].up_to
    return paid


cdef inline int64_t start_of(const Terms* terms, const int64_t* year) noexcept nogil:
    if terms.begins == 0:
        return 0
    if terms.begins == YEAR_OF_KIND:
        return year[terms.placed]
    if terms.begins == BEGINS_AT_PAYMENT:
        return year[Y_HIFP_PAY]
    return year[Y_PLACED_INPATIENT] + year[Y_PLACED_OUTPATIENT] + year[Y_PLACED_CHRONIC] + year[Y_PLACED_PHARMACY]


# Returns what the parts of the personal amount (ACCOUNT_*, summed) come to. Which parts they are is a mask over each of
# them: a jump a part would be one in three foreseen wrongly.
cdef inline int64_t personal(int64_t parts, const int64_t* facts, int64_t fund, int64_t dedc) noexcept nogil:
    return (
        ((facts[F_INSCP_SCP_AMT] - fund) & -(parts & 1)) - (dedc & -(parts >> 4 & 1))
        + (facts[F_PRESELFPAY_AMT] & -(parts >> 1 & 1)) + (facts[F_OVERLMT_SELFPAY] & -(parts >> 2 & 1))
        + (facts[F_FULAMT_OWNPAY_AMT] & -(parts >> 3 & 1))
    )


cdef inline int64_t hospital_share(const Terms* terms, const int64_t* facts, int64_t fund, int64_t dedc) noexcept nogil:
    if terms.hospital == 0 or facts[F_HOSP_PART_AMT]:
        return 0
    return share(most(0, personal(terms.hospital, facts, fund, dedc)), terms.hospital_ratio)


cdef inline int64_t account_pay(
    const Terms* terms, const int64_t* facts, int64_t fund, int64_t dedc, int64_t psn_part, int64_t balance
) noexcept nogil:
    return most(0, least(least(balance, personal(terms.account, facts, fund, dedc)), psn_part))


# Fills ``amounts`` with what the plan gives; steps 2 to 12.
cdef inline void benefit(
    const Terms* terms, const int64_t* facts, const int64_t* year, int64_t balance, int64_t* amounts, Gives* gives
) noexcept nogil:
    cdef int64_t parts[SEGMENTS_MAX]
    cdef int64_t payments[SEGMENTS_MAX]
    cdef int64_t inscp = facts[F_INSCP_SCP_AMT]
    cdef int64_t room = most(0, terms.ceiling - year[Y_HIFP_PAY])
    cdef int64_t above, dedc, start, paid, hifp, left, pays, psn_part, acct
    cdef const Fund* fund = funds_of(terms)
    cdef Py_ssize_t at
    clear_row(amounts)
    gives.first_selfpay = share(inscp, terms.first_ratio)
    gives.base = inscp - gives.first_selfpay
    above = least(gives.base, most(0, inscp - most(0, terms.ceiling_cost - year[Y_INSCP_SCP_AMT])))
    gives.base -= above
    gives.continues = continues_a_stay(terms, facts, year)
    dedc = deductible(terms, year, gives.base, room, gives.continues)
    start = start_of(terms, year)
    if terms.deductible_inside:
        start += dedc
    if terms.on_payment:
        paid = segments_on_payment(terms, start, gives.base - dedc, parts, payments)
    else:
        paid = segments_on_cost(terms, start, start + gives.base - dedc, parts, payments)
    hifp = least(paid, room)
    if hifp == paid:
        gives.over_ceiling = above
    elif terms.over_uncovered:
        gives.over_ceiling = above + uncovered_cost(terms, parts, payments, hifp)
    else:
        gives.over_ceiling = above + paid - hifp
    if terms.limit:
        hifp = least(hifp, terms.limit - 1)
    amounts[A_ACT_PAY_DEDC] = dedc
    amounts[A_HIFP_PAY] = hifp
    left = inscp - hifp
    for at in range(terms.funds):
        pays = fund_pay(fund, year, fund_base(fund, facts, amounts, gives), left)
        amounts[FUND_AMOUNT[fund.code]] += pays
        left -= pays
        fund = next_fund(fund)
    gives.hospital = hospital_share(terms, facts, inscp - left, dedc)
    psn_part = facts[F_MEDFEE_SUMAMT] - (inscp - left) - facts[F_HOSP_PART_AMT] - gives.hospital
    acct = account_pay(terms, facts, inscp - left, dedc, psn_part, balance)
    amounts[A_FUND_PAY_SUMAMT] = inscp - left
    amounts[A_PSN_PART_AMT] = psn_part
    amounts[A_ACCT_PAY] = acct
    amounts[A_PSN_CASH_PAY] = psn_part - acct


# Adds to one accumulator of the year, whatever was added to it in this claim before.
cdef inline void add(Year* year, Py_ssize_t at, int64_t amount) noexcept nogil:
    year.added[at] = amount
    year.now[at] = year.before[at] + amount
    year.bits |= <uint64_t> year.now[at] + <uint64_t> RANGE


# Adds what the booked amounts add to the person's year; step 13.
cdef inline void contribution(
    const Terms* terms, const int64_t* facts, const int64_t* booked, const Gives* gives, bint computed, Year* year
) noexcept nogil:
    cdef int64_t dedc = booked[A_ACT_PAY_DEDC], placed = gives.base - dedc, last
    cdef const Fund* fund = funds_of(terms)
    cdef Py_ssize_t at
    add(year, Y_HIFP_PAY, booked[A_HIFP_PAY])
    add(year, Y_FUND_PAY_SUMAMT, booked[A_FUND_PAY_SUMAMT])
    add(year, Y_INSCP_SCP_AMT, facts[F_INSCP_SCP_AMT])
    if not computed:
        add_funds(booked, year)
    if terms.stay and (placed > 0 or terms.stay_below_counts) and not gives.continues:
        add(year, Y_STAYS, 1)
    if terms.deductible_kind == ANNUAL:
        add(year, Y_DEDUCTIBLE, dedc)
    elif terms.deductible_kind == BY_ORDINAL and terms.deductible_cap < NO_LIMIT:
        add(year, Y_DEDUCTIBLE_STAYS, dedc)
    if terms.joins:
        last = discharge(facts)
        if last >= year.before[Y_LAST_DISCHARGE]:
            add(year, Y_LAST_DISCHARGE, last - year.before[Y_LAST_DISCHARGE])
            add(year, Y_STAY_DEDUCTIBLE, dedc if gives.continues else dedc - year.before[Y_STAY_DEDUCTIBLE])
    for at in range(terms.funds):
        # What a policy computed only the policy's funds have paid.
        if computed:
            add(year, FUND_PAID[fund.code], booked[FUND_AMOUNT[fund.code]])
        fund = next_fund(fund)
    add(year, terms.placed, gives.base if terms.deductible_inside else placed)
    fund = funds_of(terms)
    for at in range(terms.funds):
        if fund.to_date:
            add(year, FUND_BASE[fund.code], fund_base(fund, facts, booked, gives))
        fund = next_fund(fund)


# Adds what every further fund paid.
cdef inline void add_funds(const int64_t* booked, Year* year) noexcept nogil:
    cdef Py_ssize_t code
    for code in range(1, FUNDS_MAX + 1):
        add(year, FUND_PAID[code], booked[FUND_AMOUNT[code]])


# Adds what was paid, whoever decided it, and a stay: all that a settlement which no policy checks adds.
cdef inline void contribution_unchecked(const int64_t* facts, const int64_t* booked, Year* year) noexcept nogil:
    add(year, Y_HIFP_PAY, booked[A_HIFP_PAY])
    add(year, Y_FUND_PAY_SUMAMT, booked[A_FUND_PAY_SUMAMT])
    add(year, Y_INSCP_SCP_AMT, facts[F_INSCP_SCP_AMT])
    add_funds(booked, year)
    add(year, Y_STAYS, 1 if facts[F_MED_TYPE] == STAY_MED_TYPE else 0)
