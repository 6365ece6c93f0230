# One claim under the basic formula, from columns to columns; the specification is core_ext.reference.basic, and behind
# it core_ext.reference.benefit. Amounts are checked as core_ext.settlement checks them.

cimport cython
from libc.stdint cimport int64_t, uint8_t, uint32_t, uint64_t

from core_ext.abreast cimport *
from core_ext.benefit cimport least, most, share, signs, spread
from core_ext.columns cimport *
from core_ext.terms cimport *


# A person's year is HELD numbers: the first seven accumulators as they are, behind them the in-scope amount, and nothing
# else moves. What rows book, BOOKED numbers each, stands beside the columns until the window of them is done. STRAY,
# UNSOUND, MORE_THAN_BASIC: what keeps a row from being settled or refused at all. KEPT: how many rows before a window's
# stand beside the columns yet, as they have not left or not all: one line of the cache of each column.
cdef enum:
    KEPT = 8
    STRAY = 1
    UNSOUND = 2
    MORE_THAN_BASIC = 3

# The columns of a call, as core_ext.reference.basic.settle names them.
cdef struct Columns:
    Py_ssize_t n
    Py_ssize_t plans
    Py_ssize_t slots
    const uint32_t* terms_at
    const uint32_t* basic_at
    const char* terms
    const abreast_terms* abreast
    const abreast_more* more
    const int64_t* plan
    const int64_t* kind
    const int64_t* ref
    const int64_t* slot
    const int64_t* medfee
    const int64_t* fulamt
    const int64_t* overlmt
    const int64_t* preself
    const int64_t* inscp
    const int64_t* hosp
    const int64_t* holder
    int64_t* years
    int64_t* accounts
    uint8_t* code
    uint8_t* refunded
    int64_t* booked[BOOKED]
    int64_t* beside
    Py_ssize_t first, kept

# What a claim books and what of the year it moves, but for the in-scope amount.
cdef struct Basic:
    int64_t dedc
    int64_t hifp
    int64_t part
    int64_t acct
    int64_t placed
    int64_t stays
    int64_t counted


cdef inline const Terms* basic_terms(const Columns* columns, Py_ssize_t row) noexcept nogil:
    return <const Terms*> (columns.terms + <Py_ssize_t> (columns.terms_at[columns.plan[row]] - 1) * LINE)


# ``share`` of a ratio that is a part. ``plain``, here and below: the claim's amounts are known to be zero or above and
# so small that their products fit, as nearly all are, and the year's are taken to be: what comes of that is thrown away
# where ``moved`` finds it wrong. ``usual``: the plan is one of those that ``is_usual`` knows.
@cython.cdivision(True)
cdef inline int64_t portion(int64_t fen, int64_t ratio, bint plain) noexcept nogil:
    if plain:
        return <int64_t> (<uint64_t> (fen * ratio + ONE // 2) // <uint64_t> ONE)
    return share(fen, ratio)


@cython.cdivision(True)
cdef inline int64_t basic_deductible(
    const Terms* terms, const int64_t* year, int64_t base, int64_t room, bint plain, bint usual
) noexcept nogil:
    cdef int64_t due = 0, earlier, less
    if (usual or terms.deductible_waived) and room == 0:
        return 0
    if not usual and terms.deductible_exempt:
        return 0
    if usual or terms.deductible_kind == BY_ORDINAL:
        earlier, less = year[Y_STAYS], terms.deductible_less
        if not plain:
            earlier = most(0, earlier)
        if earlier < 1_000 or less == 0 or earlier <= terms.deductible_amount // less:
            due = terms.deductible_amount - less * earlier
        due = most(terms.deductible_floor, due)
    elif terms.deductible_kind == ANNUAL:
        due = most(0, terms.deductible_amount - year[Y_DEDUCTIBLE])
    return least(due, base)


cdef inline int64_t basic_start(const Terms* terms, const int64_t* year, bint usual) noexcept nogil:
    if not usual and terms.begins == YEAR_OF_ALL_KINDS:
        return (
            year[Y_PLACED_INPATIENT] + year[Y_PLACED_OUTPATIENT] + year[Y_PLACED_CHRONIC] + year[Y_PLACED_PHARMACY]
        )
    # A mask, no jump: neighbouring claims' policies differ in it.
    return year[terms.placed] & -<int64_t> terms.begins


cdef inline int64_t parts_of_account(
    const Terms* terms, const Columns* columns, Py_ssize_t row, int64_t hifp, int64_t dedc
) noexcept nogil:
    cdef int64_t parts = terms.account
    if parts == (ACCOUNT_IN_SCOPE | ACCOUNT_PRESELF):
        return columns.inscp[row] - hifp + columns.preself[row]
    return (
        ((columns.inscp[row] - hifp) & -(parts & 1)) - (dedc & -(parts >> 4 & 1))
        + (columns.preself[row] & -(parts >> 1 & 1)) + (columns.overlmt[row] & -(parts >> 2 & 1))
        + (columns.fulamt[row] & -(parts >> 3 & 1))
    )


# Fills what the plan gives and what the claim adds to its year.
cdef inline void basic_benefit(
    const Terms* terms, const Columns* columns, Py_ssize_t row, const int64_t* year, int64_t balance, bint plain,
    bint usual, Basic* gives,
) noexcept nogil:
    cdef const Piece* segments = segments_of(terms)
    cdef int64_t inscp = columns.inscp[row]
    cdef int64_t room = most(0, terms.ceiling - year[Y_HIFP_PAY])
    cdef int64_t base = inscp - portion(inscp, terms.first_ratio, plain)
    cdef int64_t dedc = basic_deductible(terms, year, base, room, plain, usual)
    cdef int64_t start = basic_start(terms, year, usual)
    cdef int64_t stop, below = 0, reached = 0, paid = 0
    cdef Py_ssize_t at
    if not usual and terms.deductible_inside:
        start += dedc
    stop = start + base - dedc
    if not plain:
        stop, start = most(0, stop), most(0, start)
    # Edges ascend: what lies in a segment is what lies below its edge, less what lies below the edge before it.
    for at in range(terms.segments):
        reached = least(stop, segments[at].up_to) - least(start, segments[at].up_to)
        paid += portion(reached - below, segments[at].ratio, plain)
        below = reached
    gives.dedc, gives.hifp = dedc, least(paid, room)
    gives.part = columns.medfee[row] - gives.hifp - columns.hosp[row]
    gives.acct = most(0, least(least(balance, parts_of_account(terms, columns, row, gives.hifp, dedc)), gives.part))
    add_up(terms, base, dedc, usual, gives)


cdef inline void add_up(const Terms* terms, int64_t base, int64_t dedc, bint usual, Basic* gives) noexcept nogil:
    if usual:
        gives.placed, gives.stays, gives.counted = base - dedc, 1, 0
        return
    gives.placed = base - (dedc & <int64_t> terms.deductible_inside - 1)
    gives.stays = terms.stay & (terms.stay_below_counts | (base > dedc))
    gives.counted = dedc & -<int64_t> (terms.deductible_kind == ANNUAL)


# Returns whether an amount is below zero or out of range: what the bits of all of them together left open.
cdef inline int64_t basic_fault(const Columns* columns, Py_ssize_t row, const int64_t* year, int64_t balance) noexcept nogil:
    cdef int64_t money[MONEY_FACTS]
    money[0], money[1], money[2] = columns.medfee[row], columns.fulamt[row], columns.overlmt[row]
    money[3], money[4], money[5] = columns.preself[row], columns.inscp[row], columns.hosp[row]
    if signs(money, MONEY_FACTS) < 0:
        return NEGATIVE_WITHOUT_INIT
    if (spread(money, MONEY_FACTS) | spread(year, HELD) | spread(&balance, 1)) >> RANGE_BITS:
        return ARITHMETIC_OVERFLOW
    return 0


# Moves a year and a balance by what a claim adds, or takes off (``sign`` -1); returns false, and moves nothing, where
# one of them is or would be out of range; ``plain``: also where one is below zero.
cdef inline bint moved(
    const Terms* terms, int64_t* year, int64_t* balance, const Basic* gives, int64_t inscp, int64_t sign, bint plain
) noexcept nogil:
    cdef int64_t stays = year[Y_STAYS] + sign * gives.stays, hifp = year[Y_HIFP_PAY] + sign * gives.hifp
    cdef int64_t placed = year[terms.placed] + sign * gives.placed, scope = year[H_INSCP] + sign * inscp
    cdef int64_t counted = year[Y_DEDUCTIBLE] + sign * gives.counted, left = balance[0] - sign * gives.acct
    if plain:
        if <uint64_t> (
            year[Y_STAYS] | year[Y_DEDUCTIBLE] | year[Y_PLACED_INPATIENT] | year[Y_PLACED_OUTPATIENT]
            | year[Y_PLACED_CHRONIC] | year[Y_PLACED_PHARMACY] | year[Y_HIFP_PAY] | year[H_INSCP] | balance[0]
            | stays | counted | placed | hifp | scope
        ) >= RANGE:
            return False
    elif (
        (<uint64_t> stays + RANGE) | (<uint64_t> hifp + RANGE) | (<uint64_t> placed + RANGE)
        | (<uint64_t> scope + RANGE) | (<uint64_t> counted + RANGE) | (<uint64_t> left + RANGE)
    ) >> RANGE_BITS:
        return False
    year[Y_STAYS], year[Y_HIFP_PAY], year[terms.placed], year[H_INSCP] = stays, hifp, placed, scope
    year[Y_DEDUCTIBLE], balance[0] = counted, left
    return True


# Puts a row's amounts where its window gathers them, the first of them at ``beside``.
cdef inline void put(int64_t* beside, const Basic* gives, int64_t sign) noexcept nogil:
    beside[0], beside[BESIDE] = sign * gives.dedc, sign * gives.hifp
    beside[2 * BESIDE], beside[3 * BESIDE] = sign * gives.part, sign * gives.acct
    beside[4 * BESIDE] = sign * (gives.part - gives.acct)


# Returns an amount that an earlier row booked.
cdef inline int64_t booked_by(const Columns* columns, Py_ssize_t column, Py_ssize_t row) noexcept nogil:
    if row >= columns.first - columns.kept:
        return columns.beside[column * BESIDE + row - columns.first]
    return columns.booked[column][row]


# Settles a claim whose amounts are known to be plain; returns false, and does nothing, where it wants a closer look.
cdef inline bint settled_plainly(
    const Columns* columns, Py_ssize_t row, const Terms* terms, bint usual, int64_t* beside
) noexcept nogil:
    cdef int64_t slot = columns.slot[row]
    cdef int64_t* year = columns.years + slot * HELD
    cdef int64_t* balance = columns.accounts + columns.holder[slot]
    cdef Basic gives
    basic_benefit(terms, columns, row, year, balance[0], True, usual, &gives)
    if gives.part < 0 or not moved(terms, year, balance, &gives, columns.inscp[row], 1, True):
        return False
    put(beside, &gives, 1)
    return True


# Settles a claim whatever its amounts are; returns 0 or why it is refused.
cdef inline int64_t basic_settlement(
    const Columns* columns, Py_ssize_t row, const Terms* terms, int64_t* beside
) noexcept nogil:
    cdef int64_t* year = columns.years + columns.slot[row] * HELD
    cdef int64_t* balance = columns.accounts + columns.holder[columns.slot[row]]
    cdef int64_t refusal = basic_fault(columns, row, year, balance[0])
    cdef Basic gives
    if refusal:
        return refusal
    if columns.medfee[row] != (
        columns.fulamt[row] + columns.overlmt[row] + columns.preself[row] + columns.inscp[row]
    ):
        return IDENTITY_I1
    basic_benefit(terms, columns, row, year, balance[0], False, False, &gives)
    if gives.part < 0:
        return IDENTITY_I2
    if not moved(terms, year, balance, &gives, columns.inscp[row], 1, False):
        return ARITHMETIC_OVERFLOW
    put(beside, &gives, 1)
    return 0


# Whether a refund is its original's person and negates its facts.
cdef inline bint undoes(const Columns* columns, Py_ssize_t row, Py_ssize_t of) noexcept nogil:
    return (
        columns.holder[columns.slot[row]] == columns.holder[columns.slot[of]]
        and columns.medfee[row] == -columns.medfee[of] and columns.fulamt[row] == -columns.fulamt[of]
        and columns.overlmt[row] == -columns.overlmt[of] and columns.preself[row] == -columns.preself[of]
        and columns.inscp[row] == -columns.inscp[of] and columns.hosp[row] == -columns.hosp[of]
    )


# Takes off what the original, an earlier row, added: that is worked out again, from what it booked.
cdef inline int64_t basic_refund(const Columns* columns, Py_ssize_t row, int64_t* beside) noexcept nogil:
    cdef Py_ssize_t of = columns.ref[row]
    cdef int64_t* year = columns.years + columns.slot[row] * HELD
    cdef int64_t* balance = columns.accounts + columns.holder[columns.slot[row]]
    cdef const Terms* terms
    cdef Basic gives
    if not 0 <= of < row or columns.kind[of] != COMPUTE or columns.code[of]:
        return REFUND_UNKNOWN
    if columns.refunded[of]:
        return REFUND_TWICE
    if not undoes(columns, row, of):
        return REFUND_MISMATCH
    if (spread(year, HELD) | spread(balance, 1)) >> RANGE_BITS:
        return ARITHMETIC_OVERFLOW
    terms = basic_terms(columns, of)
    gives.dedc, gives.hifp = booked_by(columns, 0, of), booked_by(columns, 1, of)
    gives.part, gives.acct = booked_by(columns, 2, of), booked_by(columns, 3, of)
    add_up(terms, columns.inscp[of] - share(columns.inscp[of], terms.first_ratio), gives.dedc, False, &gives)
    if not moved(terms, year, balance, &gives, columns.inscp[of], -1, False):
        return ARITHMETIC_OVERFLOW
    put(beside, &gives, -1)
    columns.refunded[of] = 1
    return 0


cdef inline void nothing(int64_t* beside) noexcept nogil:
    cdef Py_ssize_t column
    for column in range(BOOKED):
        beside[column * BESIDE] = 0


# What keeps a row from being settled or refused at all, 0 nothing.
cdef inline int unfit(const Columns* columns, Py_ssize_t row) noexcept nogil:
    cdef int64_t plan = columns.plan[row], kind = columns.kind[row]
    if (
        not -1 <= plan < columns.plans or <uint64_t> columns.slot[row] >= <uint64_t> columns.slots
        or (kind != COMPUTE and (kind != REFUND or not -1 <= columns.ref[row] < columns.n))
    ):
        return STRAY
    if plan >= 0 and columns.terms_at[plan] == 0:
        return UNSOUND
    if kind == COMPUTE and plan >= 0 and columns.basic_at[plan] == 0:
        return MORE_THAN_BASIC
    return 0


# Settles, refuses or skips one row; returns what keeps it from all of that, 0 nothing.
cdef inline int closely(const Columns* columns, Py_ssize_t row) noexcept nogil:
    cdef int64_t* beside = columns.beside + (row - columns.first)
    cdef int64_t refusal
    cdef int fault
    if columns.kind[row] == SKIP:
        nothing(beside)
        return 0
    fault = unfit(columns, row)
    if fault:
        return fault
    if columns.kind[row] == REFUND:
        refusal = basic_refund(columns, row, beside)
    elif columns.plan[row] < 0:
        refusal = NO_POLICY
    else:
        refusal = basic_settlement(columns, row, basic_terms(columns, row), beside)
    if refusal:
        nothing(beside)
        columns.code[row] = <uint8_t> refusal
    return 0
