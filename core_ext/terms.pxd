# What a plan says, in the few lines of memory that a claim needs of it: a plan is 193 columns, most of them zero, and
# a book of hundreds of policies has more plans than a cache holds. A call packs each plan it meets once; switches are
# bytes, segments, funds and tiers stand one behind the other. Amounts and ratios stay what they are.

from libc.stdint cimport int64_t, uint8_t, uint32_t

from core_ext.columns cimport *


# BEGINS_AT_PAYMENT: where segments begin, beside YEAR_OF_KIND and YEAR_OF_ALL_KINDS. LINE: of a cache, in bytes; most plans
# are packed in TERMS_USUAL, all of them in TERMS_MOST.
cdef enum:
    BEGINS_AT_PAYMENT = 3
    ACCOUNT_PARTS = 31
    LINE = 64
    TERMS_USUAL = 5 * LINE
    TERMS_MOST = 20 * LINE


# A half-open stretch up to an edge, from the edge before it, and the ratio paid on it.
cdef struct Piece:
    int64_t up_to
    int64_t ratio

# Its tiers follow it.
cdef struct Fund:
    int64_t threshold
    int64_t cap
    uint8_t code
    uint8_t personal
    uint8_t to_date
    uint8_t first
    uint8_t over
    uint8_t less
    uint8_t tiers

# Its segments follow it, then its funds.
cdef struct Terms:
    uint8_t deductible_kind
    uint8_t deductible_exempt
    uint8_t deductible_waived
    uint8_t deductible_inside
    uint8_t begins
    uint8_t on_payment
    uint8_t placed
    uint8_t stay
    uint8_t stay_below_counts
    uint8_t over_uncovered
    uint8_t account
    uint8_t hospital
    uint8_t mulaid
    uint8_t joins
    uint8_t segments
    uint8_t funds
    uint8_t usual
    int64_t first_ratio
    int64_t deductible_amount
    int64_t deductible_less
    int64_t deductible_floor
    int64_t ceiling
    int64_t deductible_factor
    int64_t deductible_cap
    int64_t ceiling_cost
    int64_t limit
    int64_t hospital_ratio
    int64_t relation
    int64_t filing
    int64_t readmission
    int64_t transfer


cdef inline const Piece* segments_of(const Terms* terms) noexcept nogil:
    return <const Piece*> (terms + 1)


cdef inline const Fund* funds_of(const Terms* terms) noexcept nogil:
    return <const Fund*> (segments_of(terms) + terms.segments)


cdef inline const Piece* tiers_of(const Fund* fund) noexcept nogil:
    return <const Piece*> (fund + 1)


cdef inline const Fund* next_fund(const Fund* fund) noexcept nogil:
    return <const Fund*> (tiers_of(fund) + fund.tiers)


# Returns whether a plan points nowhere outside itself; what ``pack`` needs to be true.
cdef inline bint sound(const int64_t* plan) noexcept nogil:
    cdef const int64_t* fund = plan + P_FUND_0
    cdef Py_ssize_t at
    if not (0 <= plan[P_PLACED] < YEAR_WIDTH and 0 <= plan[P_SEGMENTS] <= SEGMENTS_MAX
            and 0 <= plan[P_FUNDS] <= FUNDS_MAX):
        return False
    for at in range(plan[P_FUNDS]):
        if not (0 < fund[U_CODE] <= FUNDS_MAX and 0 <= fund[U_TIERS] <= TIERS_MAX):
            return False
        fund += FUND_WIDTH
    return True


# Returns whether a fund neither pays nor counts anything: one without tiers, named by a policy that gives it none.
cdef inline bint idle(const int64_t* fund) noexcept nogil:
    return fund[U_TIERS] == 0 and fund[U_TO_DATE] == 0


# Returns the bytes a sound plan takes at most, whole cache lines.
cdef inline Py_ssize_t packed_size(const int64_t* plan) noexcept nogil:
    cdef Py_ssize_t size = sizeof(Terms) + plan[P_SEGMENTS] * sizeof(Piece) + plan[P_FUNDS] * sizeof(Fund)
    cdef Py_ssize_t at
    for at in range(plan[P_FUNDS]):
        size += plan[P_FUND_0 + at * FUND_WIDTH + U_TIERS] * sizeof(Piece)
    return (size + LINE - 1) & ~<Py_ssize_t> (LINE - 1)


cdef inline void pack_pieces(const int64_t* edges, Py_ssize_t count, Piece* pieces) noexcept nogil:
    cdef Py_ssize_t at
    for at in range(count):
        pieces[at].up_to, pieces[at].ratio = edges[2 * at], edges[2 * at + 1]


# Returns a code that is one of the two that mean something, else 0.
cdef inline uint8_t one_of_two(int64_t code) noexcept nogil:
    return <uint8_t> code if 0 < code <= 2 else 0


# Fills ``terms`` with what a sound plan says.
cdef inline void pack(const int64_t* plan, Terms* terms) noexcept nogil:
    cdef const int64_t* said
    cdef Fund* fund
    cdef Py_ssize_t at
    terms.deductible_kind, terms.begins = one_of_two(plan[P_DEDUCTIBLE_KIND]), one_of_two(plan[P_TO_DATE])
    if plan[P_ON_PAYMENT]:
        terms.begins = BEGINS_AT_PAYMENT if plan[P_TO_DATE] else 0
    terms.deductible_exempt, terms.deductible_waived = plan[P_DEDUCTIBLE_EXEMPT] != 0, plan[P_DEDUCTIBLE_WAIVED] != 0
    terms.deductible_inside, terms.on_payment = plan[P_DEDUCTIBLE_INSIDE] != 0, plan[P_ON_PAYMENT] != 0
    terms.placed, terms.stay = <uint8_t> plan[P_PLACED], plan[P_STAY] != 0
    terms.stay_below_counts, terms.over_uncovered = plan[P_STAY_BELOW_COUNTS] != 0, plan[P_OVER_UNCOVERED] != 0
    terms.account, terms.mulaid = <uint8_t> (plan[P_ACCOUNT] & ACCOUNT_PARTS), plan[P_MULAID] != 0
    terms.hospital, terms.hospital_ratio = <uint8_t> (plan[P_HOSPITAL] & ACCOUNT_PARTS), plan[P_HOSPITAL_RATIO]
    terms.readmission, terms.transfer = plan[P_READMISSION], plan[P_TRANSFER]
    terms.joins = terms.stay and (terms.readmission != 0 or terms.transfer != 0)
    terms.segments, terms.funds = <uint8_t> plan[P_SEGMENTS], 0
    terms.first_ratio, terms.deductible_amount = plan[P_FIRST_RATIO], plan[P_DEDUCTIBLE_AMOUNT]
    terms.deductible_less, terms.deductible_floor = plan[P_DEDUCTIBLE_LESS], plan[P_DEDUCTIBLE_FLOOR]
    terms.deductible_factor, terms.deductible_cap = plan[P_DEDUCTIBLE_FACTOR], plan[P_DEDUCTIBLE_CAP]
    terms.ceiling, terms.ceiling_cost, terms.limit = plan[P_CEILING], plan[P_CEILING_COST], plan[P_LIMIT]
    terms.relation, terms.filing = plan[P_RELATION], plan[P_FILING]
    pack_pieces(plan + P_SEGMENT_EDGE_0, terms.segments, <Piece*> segments_of(terms))
    fund = <Fund*> funds_of(terms)
    for at in range(plan[P_FUNDS]):
        said = plan + P_FUND_0 + at * FUND_WIDTH
        if idle(said):
            continue
        fund.threshold, fund.cap, fund.code = said[U_THRESHOLD], said[U_CAP], <uint8_t> said[U_CODE]
        fund.personal, fund.to_date = said[U_PERSONAL] != 0, said[U_TO_DATE] != 0
        fund.first, fund.over = said[U_FIRST] != 0, said[U_OVER] != 0
        fund.less = <uint8_t> (said[U_LESS] >> FUND_PART_FIRST)
        fund.tiers = <uint8_t> said[U_TIERS]
        pack_pieces(said + U_EDGE_0, fund.tiers, <Piece*> tiers_of(fund))
        fund = <Fund*> next_fund(fund)
        terms.funds += 1
    terms.usual = is_usual(terms)


# Returns whether a deductible goes by the stay's ordinal for everyone, before the segments, is waived under a reached
# ceiling, and every claim counts as a stay: what most stays' plans say, and a claim need not ask one by one.
cdef inline bint is_usual(const Terms* terms) noexcept nogil:
    return (
        terms.deductible_kind == BY_ORDINAL and not terms.deductible_exempt and terms.deductible_waived
        and not terms.deductible_inside and terms.begins <= YEAR_OF_KIND and terms.stay and terms.stay_below_counts
    )


# Returns whether a plan says no more than the basic formula knows: as core_ext.reference.basic.is_basic does.
cdef inline bint is_basic(const int64_t* plan, const Terms* terms) noexcept nogil:
    cdef int64_t above = 0
    cdef Py_ssize_t at
    if terms.funds or terms.joins or terms.on_payment or terms.ceiling_cost < NO_LIMIT:
        return False
    if plan[P_LIMIT] or plan[P_HOSPITAL]:
        return False
    if terms.deductible_kind and (terms.deductible_factor != ONE or terms.deductible_cap < NO_LIMIT):
        return False
    if not (Y_PLACED_INPATIENT <= terms.placed <= Y_PLACED_PHARMACY and 0 <= terms.first_ratio <= ONE):
        return False
    for at in range(terms.segments):
        if not (0 <= segments_of(terms)[at].ratio <= ONE and above <= segments_of(terms)[at].up_to):
            return False
        above = segments_of(terms)[at].up_to
    return True


# Packs, one behind the other, the plans that ``at`` marks, and leaves there where each begins, from 1, or 0 where a plan
# is not sound; ``terms`` holds TERMS_MOST bytes for each of them. In order of the table: far quicker than as claims come.
# Returns how many are not sound.
cdef inline Py_ssize_t pack_plans(
    const int64_t* plans, Py_ssize_t count, uint32_t* at, uint32_t* basic_at, char* terms
) noexcept nogil:
    cdef const int64_t* said = plans
    cdef Py_ssize_t plan, lines = 0, unsound = 0
    for plan in range(count):
        if at[plan]:
            if sound(said):
                pack(said, <Terms*> (terms + lines * LINE))
                at[plan] = <uint32_t> (lines + 1)
                if is_basic(said, <const Terms*> (terms + lines * LINE)):
                    basic_at[plan] = at[plan]
                lines += packed_size(said) // LINE
            else:
                at[plan] = 0
                unsound += 1
        said += PLAN_WIDTH
    return unsound
