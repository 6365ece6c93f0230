# One row of a call: a settlement, decided by its policy or its source, or a refund; the specification is
# core_ext.reference.settle, function by function.

from libc.stdint cimport int64_t, uint32_t, uint64_t

from core_ext.benefit cimport *
from core_ext.columns cimport *
from core_ext.terms cimport *


# The tables of a call, as core_ext.settling.Batch names them; ``terms_at`` says where in ``terms`` a plan is packed.
cdef struct Tables:
    const int64_t* plan
    const int64_t* facts
    const int64_t* given
    const int64_t* kind
    const int64_t* ref
    int64_t* refunded
    const int64_t* lenient
    const int64_t* slot
    int64_t* state
    const int64_t* account
    int64_t* accounts
    int64_t* code
    int64_t* booked
    int64_t* computed
    int64_t* before
    int64_t* delta
    int64_t* balc
    int64_t* how
    Py_ssize_t n
    Py_ssize_t tail
    uint32_t* terms_at
    const char* terms

# Where the outputs of the rows from ``first`` on are written: in the tables themselves, or beside them.
cdef struct Written:
    int64_t* booked
    int64_t* computed
    int64_t* before
    int64_t* delta
    int64_t* balc
    int64_t* how
    Py_ssize_t first


cdef inline const Terms* terms_of(const Tables* tables, Py_ssize_t row) noexcept nogil:
    return <const Terms*> (tables.terms + <Py_ssize_t> (tables.terms_at[tables.plan[row]] - 1) * LINE)


cdef inline void clear_how(int64_t* how) noexcept nogil:
    cdef Py_ssize_t at
    for at in range(HOW_WIDTH):
        how[at] = 0


# Fills ``amounts`` with what a source's amounts book and returns the identity they break, 0 where they hold.
cdef inline int64_t settled_by_source(
    const int64_t* facts, const int64_t* given, int64_t policy_dedc, int64_t* amounts
) noexcept nogil:
    cdef Py_ssize_t at
    cdef int64_t psn_part, acct, cash
    for at in range(AMOUNTS_WIDTH):
        amounts[at] = 0 if given[at] == ABSENT else given[at]
    if given[A_ACT_PAY_DEDC] == ABSENT:
        amounts[A_ACT_PAY_DEDC] = policy_dedc
    if given[A_FUND_PAY_SUMAMT] == ABSENT:
        amounts[A_FUND_PAY_SUMAMT] = fund_parts(amounts)
    elif given[A_HIFP_PAY] == ABSENT:
        amounts[A_HIFP_PAY] = amounts[A_FUND_PAY_SUMAMT] - fund_parts(amounts)
    if given[A_PSN_PART_AMT] == ABSENT:
        amounts[A_PSN_PART_AMT] = facts[F_MEDFEE_SUMAMT] - amounts[A_FUND_PAY_SUMAMT] - facts[F_HOSP_PART_AMT]
    if given[A_ACCT_PAY] == ABSENT and given[A_PSN_CASH_PAY] != ABSENT:
        amounts[A_ACCT_PAY] = amounts[A_PSN_PART_AMT] - amounts[A_PSN_CASH_PAY]
    if given[A_PSN_CASH_PAY] == ABSENT:
        amounts[A_PSN_CASH_PAY] = amounts[A_PSN_PART_AMT] - amounts[A_ACCT_PAY]
    psn_part, acct, cash = amounts[A_PSN_PART_AMT], amounts[A_ACCT_PAY], amounts[A_PSN_CASH_PAY]
    if psn_part < 0 or facts[F_MEDFEE_SUMAMT] != amounts[A_FUND_PAY_SUMAMT] + psn_part + facts[F_HOSP_PART_AMT]:
        return IDENTITY_I2
    if acct < 0 or cash < 0 or psn_part != acct + cash or not 0 <= amounts[A_ACCT_MULAID_PAY] <= acct:
        return IDENTITY_I3
    if amounts[A_HIFP_PAY] < 0 or amounts[A_FUND_PAY_SUMAMT] != fund_parts(amounts):
        return IDENTITY_I5
    return 0


# Returns the hospital's share beside the claim's own: what I2 leaves.
cdef inline int64_t hospital_of(const int64_t* facts, const int64_t* amounts) noexcept nogil:
    return (
        facts[F_MEDFEE_SUMAMT] - facts[F_HOSP_PART_AMT] - amounts[A_FUND_PAY_SUMAMT] - amounts[A_PSN_PART_AMT]
    )


cdef inline int64_t relation_of(const int64_t* facts) noexcept nogil:
    if facts[F_INSURED_REGION] == facts[F_TREATMENT_REGION]:
        return 0
    return 1 if province(facts[F_INSU_ADMDVS]) == province(facts[F_MDTRTAREA_ADMVS]) else 2


# A floor division, as a code may be anything here: cdivision stays off.
cdef inline int64_t province(int64_t code) noexcept nogil:
    return code // 10_000


# Copies a person's year; returns bits that are all below those of RANGE where every accumulator is zero or above and
# in range, and anything else otherwise.
cdef inline uint64_t copied(const int64_t* year, int64_t* before) noexcept nogil:
    cdef uint64_t bits = 0
    cdef Py_ssize_t at
    for at in range(YEAR_WIDTH):
        before[at] = year[at]
        bits |= <uint64_t> year[at]
    return bits


# Returns why amounts cannot be settled at all: one below zero, one out of range, or I1; else 0. ``held`` are the bits
# of the year and the balance: where they and the facts are zero or above and in range, as nearly always, their bits
# together say so, and only else is each of them looked at.
cdef inline int64_t fault(
    const int64_t* facts, const int64_t* given, bint by_source, const int64_t* year, int64_t balance, uint64_t held
) noexcept nogil:
    cdef const int64_t* money = facts + F_MEDFEE_SUMAMT
    cdef int64_t refusal
    if (held | <uint64_t> signs(money, MONEY_FACTS)) >= RANGE or by_source:
        refusal = fault_of_amounts(money, given, by_source, year, balance)
        if refusal:
            return refusal
    if facts[F_MEDFEE_SUMAMT] != (
        facts[F_FULAMT_OWNPAY_AMT] + facts[F_OVERLMT_SELFPAY] + facts[F_PRESELFPAY_AMT] + facts[F_INSCP_SCP_AMT]
    ):
        return IDENTITY_I1
    return 0


# Returns whether an amount is below zero or out of range, as ``fault`` does.
cdef inline int64_t fault_of_amounts(
    const int64_t* money, const int64_t* given, bint by_source, const int64_t* year, int64_t balance
) noexcept nogil:
    cdef int64_t source[AMOUNTS_WIDTH]
    cdef int64_t below = signs(money, MONEY_FACTS)
    cdef uint64_t bits = spread(money, MONEY_FACTS) | spread(year, YEAR_WIDTH) | spread(&balance, 1)
    cdef Py_ssize_t at
    if by_source:
        for at in range(AMOUNTS_WIDTH):
            source[at] = 0 if given[at] == ABSENT else given[at]
        below |= signs(source, AMOUNTS_WIDTH)
        bits |= spread(source, AMOUNTS_WIDTH)
    if below < 0:
        return NEGATIVE_WITHOUT_INIT
    return ARITHMETIC_OVERFLOW if bits >> RANGE_BITS else 0


# Books one settlement and fills its outputs, but for what the policy gives where that is what is booked; returns 0, or
# why it is refused: its outputs are then to be cleared, and nothing else is touched.
cdef inline int64_t settlement(const Tables* tables, Py_ssize_t row, const Written* written) noexcept nogil:
    cdef int64_t kind = tables.kind[row]
    cdef const Terms* terms
    cdef const int64_t* facts = tables.facts + row * FACTS_WIDTH
    cdef const int64_t* given = tables.given + row * AMOUNTS_WIDTH
    cdef int64_t* balance = tables.accounts + tables.account[row]
    cdef Py_ssize_t place = row - written.first
    cdef int64_t* booked = written.booked + place * AMOUNTS_WIDTH
    cdef int64_t* computed = written.computed + place * AMOUNTS_WIDTH
    cdef int64_t* before = written.before + place * YEAR_WIDTH
    cdef int64_t* how = written.how + place * HOW_WIDTH
    cdef int64_t relation, filing = 0, balance_after, refusal = 0
    cdef Gives gives
    cdef Year year
    if kind != SOURCE_UNCHECKED and tables.plan[row] < 0:
        return NO_POLICY
    year.now, year.before = tables.state + tables.slot[row] * YEAR_WIDTH, before
    year.added, year.bits = written.delta + place * YEAR_WIDTH, 0
    refusal = fault(
        facts, given, kind != COMPUTE, year.now, balance[0], copied(year.now, before) | <uint64_t> balance[0]
    )
    if refusal:
        return refusal
    clear_year(year.added)
    if kind == COMPUTE:
        terms = terms_of(tables, row)
        benefit(terms, facts, year.now, balance[0], booked, &gives)
        if booked[A_PSN_PART_AMT] < 0:
            return IDENTITY_I2
        contribution(terms, facts, booked, &gives, True, &year)
        relation, filing = terms.relation, terms.filing
    elif kind == SOURCE:
        terms = terms_of(tables, row)
        benefit(terms, facts, year.now, balance[0], computed, &gives)
        refusal = settled_by_source(facts, given, computed[A_ACT_PAY_DEDC], booked)
        if refusal:
            return refusal
        if terms.mulaid:
            computed[A_ACCT_MULAID_PAY] = least(booked[A_ACCT_MULAID_PAY], computed[A_ACCT_PAY])
        contribution(terms, facts, booked, &gives, False, &year)
        relation, filing = terms.relation, terms.filing
    else:
        refusal = settled_by_source(facts, given, 0, booked)
        if refusal:
            return refusal
        copy_row(computed, booked)
        contribution_unchecked(facts, booked, &year)
        relation, gives.first_selfpay, gives.over_ceiling = relation_of(facts), 0, 0
    balance_after = balance[0] - booked[A_ACCT_PAY]
    # Facts in range and the identities keep every amount and every part of added in range: sums alone can leave it.
    if (year.bits | spread(&balance_after, 1)) >> RANGE_BITS:
        copy_year(year.now, before)
        return ARITHMETIC_OVERFLOW
    clear_how(how)
    how[0], how[1], how[2], how[3] = relation, filing, gives.first_selfpay, gives.over_ceiling
    if kind == COMPUTE:
        how[HOW_HOSP_PART_AMT] = gives.hospital
    balance[0] = balance_after
    written.balc[place] = balance_after
    return 0


# Two's complement: a sum that wraps to zero is only that of the smallest number with itself, which negates nothing.
cdef inline bint negates(int64_t fen, int64_t of) noexcept nogil:
    return <uint64_t> fen + <uint64_t> of == 0 and (fen != ABSENT)


# Returns what an original booked, from where this call wrote it or the log filled it in.
cdef inline const int64_t* booked_by(const Tables* tables, Py_ssize_t original, const Written* written) noexcept nogil:
    if written.first <= original < tables.n:
        return written.booked + (original - written.first) * AMOUNTS_WIDTH
    return tables.booked + original * AMOUNTS_WIDTH


# Returns what an original added to its person's year.
cdef inline const int64_t* added_by(const Tables* tables, Py_ssize_t original, const Written* written) noexcept nogil:
    if written.first <= original < tables.n:
        return written.delta + (original - written.first) * YEAR_WIDTH
    return tables.delta + original * YEAR_WIDTH


# Returns whether a refund is its original's person, negates its facts, and every amount the refund carries.
cdef inline bint mirrors(
    const Tables* tables, Py_ssize_t row, Py_ssize_t original, const int64_t* booked
) noexcept nogil:
    cdef const int64_t* facts = tables.facts + row * FACTS_WIDTH
    cdef const int64_t* facts_of = tables.facts + original * FACTS_WIDTH
    cdef const int64_t* given = tables.given + row * AMOUNTS_WIDTH
    cdef Py_ssize_t at
    if facts[F_TOKEN] != facts_of[F_TOKEN]:
        return False
    for at in range(F_MEDFEE_SUMAMT, F_MEDFEE_SUMAMT + MONEY_FACTS):
        if not negates(facts[at], facts_of[at]):
            return False
    if tables.lenient[original]:
        return True
    for at in range(AMOUNTS_WIDTH):
        if given[at] != ABSENT and not negates(given[at], booked[at]):
            return False
    return True


# Books the exact negative of the settlement a refund names and fills its outputs; returns 0, or the smallest reason
# to refuse it, and then touches nothing.
cdef inline int64_t refund(const Tables* tables, Py_ssize_t row, const Written* written) noexcept nogil:
    cdef int64_t found = tables.code[row]
    cdef Py_ssize_t original = tables.ref[row]
    cdef int64_t* year = tables.state + tables.slot[row] * YEAR_WIDTH
    cdef int64_t* balance = tables.accounts + tables.account[row]
    cdef const int64_t* amounts
    cdef const int64_t* contributed
    cdef int64_t after[YEAR_WIDTH]
    cdef int64_t balance_after
    cdef Py_ssize_t place = row - written.first, at
    if 0 < found < REFUND_UNKNOWN:
        return found
    if original < 0:
        return REFUND_UNKNOWN
    if original < tables.n and not (
        original < row and tables.code[original] == 0
        and (tables.kind[original] in (COMPUTE, SOURCE, SOURCE_UNCHECKED))
    ):
        return REFUND_UNKNOWN
    if tables.refunded[original]:
        return REFUND_TWICE
    amounts, contributed = booked_by(tables, original, written), added_by(tables, original, written)
    if not mirrors(tables, row, original, amounts):
        return REFUND_MISMATCH
    if found:
        return found
    if (
        out_of_range(amounts, AMOUNTS_WIDTH) or out_of_range(contributed, YEAR_WIDTH)
        or out_of_range(year, YEAR_WIDTH) or out_of_range(balance, 1)
    ):
        return ARITHMETIC_OVERFLOW
    for at in range(YEAR_WIDTH):
        after[at] = year[at] - contributed[at]
    balance_after = balance[0] + amounts[A_ACCT_PAY]
    if out_of_range(after, YEAR_WIDTH) or out_of_range(&balance_after, 1):
        return ARITHMETIC_OVERFLOW
    for at in range(AMOUNTS_WIDTH):
        written.booked[place * AMOUNTS_WIDTH + at] = -amounts[at]
    for at in range(YEAR_WIDTH):
        written.delta[place * YEAR_WIDTH + at] = -contributed[at]
    copy_year(written.before + place * YEAR_WIDTH, year)
    copy_year(year, after)
    clear_how(written.how + place * HOW_WIDTH)
    written.how[place * HOW_WIDTH] = relation_of(tables.facts + row * FACTS_WIDTH)
    # What the funds and the person do not account for is the hospital's; the refund gives that back as well.
    written.how[place * HOW_WIDTH + HOW_HOSP_PART_AMT] = hospital_of(
        tables.facts + row * FACTS_WIDTH, written.booked + place * AMOUNTS_WIDTH
    )
    balance[0] = balance_after
    written.balc[place] = balance_after
    tables.refunded[original] = 1
    return 0
