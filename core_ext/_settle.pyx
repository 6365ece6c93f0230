"""Settles a batch of claims in commit order; the specification is ``core_ext.reference.settle`` and ``.benefit``.

Arithmetic: every amount read is checked to lie within ±RANGE (2^56 fen) before it is used and every sum that is kept
before it is written; no expression between adds more than fifty of them, and products with a ratio are split where
they could leave an int64. So no operation can overflow unseen.
"""

from libc.stdint cimport int64_t, uint64_t

from core_ext.benefit cimport *
from core_ext.columns cimport *

from core_ext.layout import ACCUMULATOR, AMOUNT, FACT, HOW
from core_ext.plan import FUND, FUND_BASES, FURTHER_FUNDS, PLAN_AT
from core_ext.plan import NO_LIMIT as _NO_LIMIT
from core_ext.plan import RANGE as _RANGE
from core_ext.plan import RATIO_ONE as _RATIO_ONE
from core_ext.settling import Batch, check_shapes

# What this module was built for, by name; a layout that says otherwise is found when it is imported.
_FACT_BUILT = {
    "token": F_TOKEN, "insu_admdvs": F_INSU_ADMDVS, "mdtrtarea_admvs": F_MDTRTAREA_ADMVS,
    "insured_region": F_INSURED_REGION, "treatment_region": F_TREATMENT_REGION, "hosp_lv": F_HOSP_LV,
    "insutype": F_INSUTYPE, "psn_type": F_PSN_TYPE, "med_type": F_MED_TYPE, "begndate": F_BEGNDATE,
    "enddate": F_ENDDATE, "setl_time": F_SETL_TIME, "medfee_sumamt": F_MEDFEE_SUMAMT,
    "fulamt_ownpay_amt": F_FULAMT_OWNPAY_AMT, "overlmt_selfpay": F_OVERLMT_SELFPAY,
    "preselfpay_amt": F_PRESELFPAY_AMT, "inscp_scp_amt": F_INSCP_SCP_AMT, "hosp_part_amt": F_HOSP_PART_AMT,
}
_AMOUNT_BUILT = {
    "act_pay_dedc": A_ACT_PAY_DEDC, "hifp_pay": A_HIFP_PAY, "cvlserv_pay": A_CVLSERV_PAY, "hifes_pay": A_HIFES_PAY,
    "hifmi_pay": A_HIFMI_PAY, "hifob_pay": A_HIFOB_PAY, "hifdm_pay": A_HIFDM_PAY, "maf_pay": A_MAF_PAY,
    "oth_pay": A_OTH_PAY, "fund_pay_sumamt": A_FUND_PAY_SUMAMT, "psn_part_amt": A_PSN_PART_AMT,
    "acct_pay": A_ACCT_PAY, "acct_mulaid_pay": A_ACCT_MULAID_PAY, "psn_cash_pay": A_PSN_CASH_PAY,
}
_YEAR_BUILT = {
    "stays": Y_STAYS, "deductible": Y_DEDUCTIBLE, "placed_inpatient": Y_PLACED_INPATIENT,
    "placed_outpatient": Y_PLACED_OUTPATIENT, "placed_chronic": Y_PLACED_CHRONIC,
    "placed_pharmacy": Y_PLACED_PHARMACY, "hifp_pay": Y_HIFP_PAY, "hifob_pay": Y_HIFOB_PAY, "hifmi_pay": Y_HIFMI_PAY,
    "catastrophic": Y_CATASTROPHIC, "assistance": Y_ASSISTANCE, "maf_pay": Y_MAF_PAY,
    "inscp_scp_amt": Y_INSCP_SCP_AMT, "fund_pay_sumamt": Y_FUND_PAY_SUMAMT, "cvlserv_pay": Y_CVLSERV_PAY,
    "hifes_pay": Y_HIFES_PAY, "hifdm_pay": Y_HIFDM_PAY, "oth_pay": Y_OTH_PAY, "further": Y_FURTHER,
    "deductible_stays": Y_DEDUCTIBLE_STAYS, "last_discharge": Y_LAST_DISCHARGE,
    "stay_deductible": Y_STAY_DEDUCTIBLE,
}
_PLAN_BUILT = {
    "relation": P_RELATION, "filing": P_FILING, "first_ratio": P_FIRST_RATIO, "deductible_kind": P_DEDUCTIBLE_KIND,
    "deductible_amount": P_DEDUCTIBLE_AMOUNT, "deductible_less": P_DEDUCTIBLE_LESS,
    "deductible_floor": P_DEDUCTIBLE_FLOOR, "deductible_factor": P_DEDUCTIBLE_FACTOR,
    "deductible_cap": P_DEDUCTIBLE_CAP, "deductible_exempt": P_DEDUCTIBLE_EXEMPT,
    "deductible_waived": P_DEDUCTIBLE_WAIVED, "deductible_inside": P_DEDUCTIBLE_INSIDE, "readmission": P_READMISSION,
    "transfer": P_TRANSFER, "to_date": P_TO_DATE, "on_payment": P_ON_PAYMENT, "placed": P_PLACED, "stay": P_STAY,
    "stay_below_counts": P_STAY_BELOW_COUNTS, "ceiling": P_CEILING, "ceiling_cost": P_CEILING_COST,
    "over_uncovered": P_OVER_UNCOVERED, "account": P_ACCOUNT, "mulaid": P_MULAID, "segments": P_SEGMENTS,
    "segment_edge_0": P_SEGMENT_EDGE_0, "segment_ratio_0": P_SEGMENT_RATIO_0,
    "segment_edge_1": P_SEGMENT_EDGE_0 + 2, "funds": P_FUNDS, "fund_0_code": P_FUND_0,
    "fund_1_code": P_FUND_0 + FUND_WIDTH, "fund_6_code": P_FUND_0 + (FUNDS_MAX - 1) * FUND_WIDTH,
    "limit": P_LIMIT, "hospital": P_HOSPITAL, "hospital_ratio": P_HOSPITAL_RATIO, "pool": P_POOL,
}
_FUND_BUILT = {
    "code": U_CODE, "personal": U_PERSONAL, "to_date": U_TO_DATE, "first": U_FIRST, "over": U_OVER, "less": U_LESS,
    "threshold": U_THRESHOLD, "cap": U_CAP, "tiers": U_TIERS, "edge_0": U_EDGE_0, "ratio_0": U_RATIO_0,
    "edge_1": U_EDGE_0 + 2,
}


def _check_columns():
    """Raises ImportError where this module was built for other columns or limits than the layout names."""
    for built, columns, width in (
        (_FACT_BUILT, FACT, FACTS_WIDTH),
        (_AMOUNT_BUILT, AMOUNT, AMOUNTS_WIDTH),
        (_YEAR_BUILT, ACCUMULATOR, YEAR_WIDTH),
        (_PLAN_BUILT, PLAN_AT, PLAN_WIDTH),
        (_FUND_BUILT, {name: at for at, name in enumerate(FUND)}, FUND_WIDTH),
    ):
        if len(columns) != width or any(columns[name] != at for name, at in built.items()):
            raise ImportError(f"core_ext._settle is built for other columns, {list(built)}: run `make build`")
    if HOW[:4] != ("relation", "filing", "first_selfpay", "over_ceiling") or len(HOW) != HOW_WIDTH or (
        HOW[HOW_HOSP_PART_AMT] != "hosp_part_amt"
    ):
        raise ImportError(f"core_ext._settle is built for another HOW than {HOW}: run `make build`")
    if P_LIMIT != P_FUND_0 + FUNDS_MAX * FUND_WIDTH or FUND_WIDTH != U_EDGE_0 + 2 * TIERS_MAX:
        raise ImportError("core_ext._settle is built for other numbers of funds and tiers: run `make build`")
    for code, (fund, base) in enumerate(zip(FURTHER_FUNDS, FUND_BASES, strict=True)):
        built = (FUND_AMOUNT[code], FUND_PAID[code], FUND_BASE[code])
        if code and built != (AMOUNT[fund], ACCUMULATOR[fund], ACCUMULATOR[base]):
            raise ImportError(f"core_ext._settle is built for other further funds than {fund}: run `make build`")
    if _RANGE != RANGE or _RANGE.bit_length() != RANGE_BITS or _RATIO_ONE != ONE or _NO_LIMIT != NO_LIMIT:
        raise ImportError("core_ext._settle is built for other limits than core_ext.plan: run `make build`")


_check_columns()


cdef struct Tables:
    const int64_t* plans
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


cdef inline void clear_how(Tables* tables, Py_ssize_t row) noexcept nogil:
    cdef Py_ssize_t at
    for at in range(HOW_WIDTH):
        tables.how[row * HOW_WIDTH + at] = 0


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


# Returns why amounts cannot be settled at all: one below zero, one out of range, or I1; else 0.
cdef inline int64_t fault(
    const int64_t* facts, const int64_t* given, bint by_source, const int64_t* year, int64_t balance
) noexcept nogil:
    cdef const int64_t* money = facts + F_MEDFEE_SUMAMT
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
    if bits >> RANGE_BITS:
        return ARITHMETIC_OVERFLOW
    if facts[F_MEDFEE_SUMAMT] != (
        facts[F_FULAMT_OWNPAY_AMT] + facts[F_OVERLMT_SELFPAY] + facts[F_PRESELFPAY_AMT] + facts[F_INSCP_SCP_AMT]
    ):
        return IDENTITY_I1
    return 0


# Books one settlement and fills its outputs; returns 0, or why it is refused: its outputs are then to be cleared, and
# nothing else is touched.
cdef int64_t settlement(Tables* tables, Py_ssize_t row) noexcept nogil:
    cdef int64_t kind = tables.kind[row]
    cdef const int64_t* plan
    cdef const int64_t* facts = tables.facts + row * FACTS_WIDTH
    cdef const int64_t* given = tables.given + row * AMOUNTS_WIDTH
    cdef int64_t* year = tables.state + tables.slot[row] * YEAR_WIDTH
    cdef int64_t* balance = tables.accounts + tables.account[row]
    cdef int64_t* how = tables.how + row * HOW_WIDTH
    cdef int64_t booked[AMOUNTS_WIDTH]
    cdef int64_t computed[AMOUNTS_WIDTH]
    cdef int64_t* added = tables.delta + row * YEAR_WIDTH
    cdef int64_t* before = tables.before + row * YEAR_WIDTH
    cdef int64_t relation, filing = 0, balance_after, refusal = 0
    cdef uint64_t bits
    cdef Gives gives
    cdef Py_ssize_t at
    if kind != SOURCE_UNCHECKED and tables.plan[row] < 0:
        return NO_POLICY
    refusal = fault(facts, given, kind != COMPUTE, year, balance[0])
    if refusal:
        return refusal
    if kind == SOURCE_UNCHECKED:
        refusal = settled_by_source(facts, given, 0, booked)
        copy_row(computed, booked)
        clear_year(added)
        paid(facts, booked, added)
        added[Y_STAYS] = 1 if facts[F_MED_TYPE] == STAY_MED_TYPE else 0
        relation = relation_of(facts)
        gives.first_selfpay, gives.over_ceiling = 0, 0
    else:
        plan = tables.plans + tables.plan[row] * PLAN_WIDTH
        benefit(plan, facts, year, balance[0], computed, &gives)
        if kind == COMPUTE:
            copy_row(booked, computed)
            if computed[A_PSN_PART_AMT] < 0:
                refusal = IDENTITY_I2
        else:
            refusal = settled_by_source(facts, given, computed[A_ACT_PAY_DEDC], booked)
            if plan[P_MULAID]:
                computed[A_ACCT_MULAID_PAY] = least(booked[A_ACCT_MULAID_PAY], computed[A_ACCT_PAY])
        contribution(plan, facts, year, booked, &gives, added)
        relation, filing = plan[P_RELATION], plan[P_FILING]
    if refusal:
        return refusal
    balance_after = balance[0] - booked[A_ACCT_PAY]
    bits = spread(&balance_after, 1)
    # Facts in range and the identities keep every amount and every part of added in range: sums alone can leave it.
    for at in range(YEAR_WIDTH):
        before[at] = year[at]
        bits |= <uint64_t> (year[at] + added[at]) + <uint64_t> RANGE
    if bits >> RANGE_BITS:
        return ARITHMETIC_OVERFLOW
    copy_row(tables.booked + row * AMOUNTS_WIDTH, booked)
    copy_row(tables.computed + row * AMOUNTS_WIDTH, computed)
    for at in range(YEAR_WIDTH):
        year[at] = before[at] + added[at]
    clear_how(tables, row)
    how[0], how[1], how[2], how[3] = relation, filing, gives.first_selfpay, gives.over_ceiling
    if kind == COMPUTE:
        how[HOW_HOSP_PART_AMT] = gives.hospital
    balance[0] = balance_after
    tables.balc[row] = balance_after
    return 0


# Two's complement: a sum that wraps to zero is only that of the smallest number with itself, which negates nothing.
cdef inline bint negates(int64_t fen, int64_t of) noexcept nogil:
    return <uint64_t> fen + <uint64_t> of == 0 and (fen != ABSENT)


# Returns whether a refund is its original's person, negates its facts, and every amount the refund carries.
cdef bint mirrors(Tables* tables, Py_ssize_t row, Py_ssize_t original) noexcept nogil:
    cdef const int64_t* facts = tables.facts + row * FACTS_WIDTH
    cdef const int64_t* facts_of = tables.facts + original * FACTS_WIDTH
    cdef const int64_t* given = tables.given + row * AMOUNTS_WIDTH
    cdef const int64_t* booked = tables.booked + original * AMOUNTS_WIDTH
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
cdef int64_t refund(Tables* tables, Py_ssize_t row) noexcept nogil:
    cdef int64_t found = tables.code[row]
    cdef Py_ssize_t original = tables.ref[row]
    cdef int64_t* year = tables.state + tables.slot[row] * YEAR_WIDTH
    cdef int64_t* balance = tables.accounts + tables.account[row]
    cdef const int64_t* amounts
    cdef const int64_t* contributed
    cdef int64_t after[YEAR_WIDTH]
    cdef int64_t balance_after
    cdef Py_ssize_t at
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
    if not mirrors(tables, row, original):
        return REFUND_MISMATCH
    if found:
        return found
    amounts = tables.booked + original * AMOUNTS_WIDTH
    contributed = tables.delta + original * YEAR_WIDTH
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
        tables.booked[row * AMOUNTS_WIDTH + at] = tables.computed[row * AMOUNTS_WIDTH + at] = -amounts[at]
    for at in range(YEAR_WIDTH):
        tables.delta[row * YEAR_WIDTH + at] = -contributed[at]
    copy_year(tables.before + row * YEAR_WIDTH, year)
    copy_year(year, after)
    clear_how(tables, row)
    tables.how[row * HOW_WIDTH] = relation_of(tables.facts + row * FACTS_WIDTH)
    # What the funds and the person do not account for is the hospital's; the refund gives that back as well.
    tables.how[row * HOW_WIDTH + HOW_HOSP_PART_AMT] = hospital_of(
        tables.facts + row * FACTS_WIDTH, tables.booked + row * AMOUNTS_WIDTH
    )
    balance[0] = balance_after
    tables.balc[row] = balance_after
    tables.refunded[original] = 1
    return 0


cdef void clear(Tables* tables, Py_ssize_t row) noexcept nogil:
    clear_row(tables.booked + row * AMOUNTS_WIDTH)
    clear_row(tables.computed + row * AMOUNTS_WIDTH)
    clear_year(tables.before + row * YEAR_WIDTH)
    clear_year(tables.delta + row * YEAR_WIDTH)
    clear_how(tables, row)
    tables.balc[row] = 0


# Returns the first row whose kind, plan, ref, slot or account points outside its table, -1 if there is none.
cdef Py_ssize_t stray(
    Tables* tables, Py_ssize_t plans, Py_ssize_t slots, Py_ssize_t accounts
) noexcept nogil:
    cdef Py_ssize_t row
    for row in range(tables.n):
        if tables.kind[row] != SKIP and not (
            0 < tables.kind[row] <= SOURCE_UNCHECKED
            and -1 <= tables.plan[row] < plans
            and (tables.plan[row] < 0 or sound(tables.plans + tables.plan[row] * PLAN_WIDTH))
            and -1 <= tables.ref[row] < tables.tail
            and 0 <= tables.slot[row] < slots
            and 0 <= tables.account[row] < accounts
        ):
            return row
    return -1


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


cdef void settle_rows(Tables* tables) noexcept nogil:
    cdef Py_ssize_t row
    for row in range(tables.n):
        if tables.kind[row] == REFUND:
            tables.code[row] = refund(tables, row)
        elif tables.kind[row] != SKIP and tables.code[row] == 0:
            tables.code[row] = settlement(tables, row)
        if tables.kind[row] == SKIP or tables.code[row]:
            clear(tables, row)


cdef const int64_t* flat_in(const int64_t[::1] table) noexcept:
    return &table[0] if table.shape[0] else NULL


cdef int64_t* flat(int64_t[::1] table) noexcept:
    return &table[0] if table.shape[0] else NULL


def settle(
    plans, plan, facts, given, kind, ref, refunded, lenient, slot, state, account, accounts,
    code, booked, computed, before, delta, balc, how,
):
    batch = Batch(
        plans, plan, facts, given, kind, ref, refunded, lenient, slot, state, account, accounts,
        code, booked, computed, before, delta, balc, how,
    )
    check_shapes(batch)
    # Views of one dimension keep every table alive and refuse one that is not contiguous int64.
    cdef const int64_t[::1] v_plans = flattened(plans), v_plan = plan, v_facts = flattened(facts)
    cdef const int64_t[::1] v_given = flattened(given), v_kind = kind, v_ref = ref, v_lenient = lenient, v_slot = slot
    cdef const int64_t[::1] v_account = account
    cdef int64_t[::1] v_refunded = refunded, v_state = flattened(state), v_accounts = accounts, v_code = code
    cdef int64_t[::1] v_booked = flattened(booked), v_computed = flattened(computed), v_before = flattened(before)
    cdef int64_t[::1] v_delta = flattened(delta), v_balc = balc, v_how = flattened(how)
    cdef Tables tables
    tables.plans, tables.plan, tables.facts = flat_in(v_plans), flat_in(v_plan), flat_in(v_facts)
    tables.given, tables.kind, tables.ref = flat_in(v_given), flat_in(v_kind), flat_in(v_ref)
    tables.lenient, tables.slot, tables.account = flat_in(v_lenient), flat_in(v_slot), flat_in(v_account)
    tables.refunded, tables.state, tables.accounts = flat(v_refunded), flat(v_state), flat(v_accounts)
    tables.code, tables.booked, tables.computed = flat(v_code), flat(v_booked), flat(v_computed)
    tables.before, tables.delta, tables.balc = flat(v_before), flat(v_delta), flat(v_balc)
    tables.how = flat(v_how)
    tables.n, tables.tail = len(plan), len(facts)
    cdef Py_ssize_t plan_rows = len(plans), slots = len(state), holders = len(accounts), found, chosen
    with nogil:
        found = stray(&tables, plan_rows, slots, holders)
        if found < 0:
            settle_rows(&tables)
    if found >= 0:
        chosen = v_plan[found]
        if 0 <= chosen < plan_rows and not sound(&v_plans[chosen * PLAN_WIDTH]):
            raise IndexError(f"row {found}: its plan {chosen} points outside itself")
        raise IndexError(f"row {found}: its kind, plan, ref, slot or account points outside its table")


def flattened(table):
    """Returns the same memory in one dimension; raises ValueError where it is not contiguous."""
    if not table.flags.c_contiguous:
        raise ValueError(f"expected a C-contiguous table, got strides {table.strides}")
    return table.reshape(-1)
