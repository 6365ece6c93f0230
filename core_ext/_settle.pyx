"""Settles a batch of claims in commit order; the specification is ``core_ext.reference.settle`` and ``.benefit``.

Arithmetic: every amount read is checked to lie within ±RANGE (2^56 fen) before it is used and every sum that is kept
before it is written; no expression between adds more than fifty of them, and products with a ratio are split where
they could leave an int64. So no operation can overflow unseen.
"""

cimport cython
from libc.stdint cimport int64_t, uint8_t, uint32_t, uintptr_t

from core_ext.abreast cimport SAYS_USUAL, abreast_more, abreast_terms, pack_abreast
from core_ext.columns cimport *
from core_ext.settlement cimport *
from core_ext.terms cimport *

import numpy as np

from core_ext.layout import ACCUMULATOR, AMOUNT, FACT, HOW
from core_ext.plan import FUND, FUND_BASES, FURTHER_FUNDS, PLAN_AT
from core_ext.plan import NO_LIMIT as _NO_LIMIT
from core_ext.plan import RANGE as _RANGE
from core_ext.plan import RATIO_ONE as _RATIO_ONE
from core_ext.settling import Batch, check_plans, check_shapes

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


# Rows are settled in blocks: what a block writes is copied once it stands still, and stays in the first cache until it
# leaves for memory. From STREAMED_FROM rows on it leaves past the caches, which would only read what it overwrites;
# fewer rows are read again at once by whoever called. A table that nobody asked for (NULL) never leaves.
# AHEAD: how many rows earlier a row's year and terms are asked for. NAMED: marks a plan to be packed.
cdef enum:
    BLOCK = 32
    AHEAD = 12
    STREAMED_FROM = 65_536
    NAMED = 1


# Returns the first row whose kind, plan, ref, slot or account points outside its table, -1 if there is none; marks in
# ``terms_at`` which plans the rows before it name, where it is not told that all are packed.
cdef Py_ssize_t stray(
    Tables* tables, Py_ssize_t plans, Py_ssize_t slots, Py_ssize_t accounts, bint packed
) noexcept nogil:
    cdef Py_ssize_t row
    cdef int64_t plan
    for row in range(tables.n):
        if tables.kind[row] == SKIP:
            continue
        plan = tables.plan[row]
        if not (
            0 < tables.kind[row] <= SOURCE_UNCHECKED
            and -1 <= plan < plans
            and -1 <= tables.ref[row] < tables.tail
            and 0 <= tables.slot[row] < slots
            and 0 <= tables.account[row] < accounts
        ):
            return row
        if plan >= 0 and not packed:
            tables.terms_at[plan] = NAMED
    return -1


# Returns the first of ``rows`` rows that names a plan which is not packed, -1 if there is none.
cdef Py_ssize_t unpacked(const Tables* tables, Py_ssize_t rows) noexcept nogil:
    cdef Py_ssize_t row
    for row in range(rows):
        if tables.kind[row] != SKIP and tables.plan[row] >= 0 and tables.terms_at[tables.plan[row]] == 0:
            return row
    return -1


cdef void clear(Written* written, Py_ssize_t place) noexcept nogil:
    clear_row(written.booked + place * AMOUNTS_WIDTH)
    clear_row(written.computed + place * AMOUNTS_WIDTH)
    clear_year(written.before + place * YEAR_WIDTH)
    clear_year(written.delta + place * YEAR_WIDTH)
    clear_how(written.how + place * HOW_WIDTH)
    written.balc[place] = 0


cdef inline void ask_for(const Tables* tables, Py_ssize_t row) noexcept nogil:
    prefetch(tables.facts + row * FACTS_WIDTH, FACTS_WIDTH * sizeof(int64_t))
    if tables.kind[row] != COMPUTE:
        prefetch(tables.given + row * AMOUNTS_WIDTH, AMOUNTS_WIDTH * sizeof(int64_t))
    if tables.plan[row] >= 0:
        prefetch(terms_of(tables, row), TERMS_USUAL)
    prefetch(tables.state + tables.slot[row] * YEAR_WIDTH, YEAR_WIDTH * sizeof(int64_t))
    prefetch(tables.accounts + tables.account[row], 1)


cdef void settle_block(Tables* tables, Py_ssize_t start, Py_ssize_t stop, Written* written) noexcept nogil:
    cdef Py_ssize_t row, place
    for row in range(start, stop):
        if row + AHEAD < tables.n:
            ask_for(tables, row + AHEAD)
        if tables.kind[row] == REFUND:
            tables.code[row] = refund(tables, row, written)
        elif tables.kind[row] != SKIP and tables.code[row] == 0:
            tables.code[row] = settlement(tables, row, written)
    for row in range(start, stop):
        place = row - written.first
        if tables.kind[row] == SKIP or tables.code[row]:
            clear(written, place)
        elif tables.kind[row] == COMPUTE or tables.kind[row] == REFUND:
            copy_row(written.computed + place * AMOUNTS_WIDTH, written.booked + place * AMOUNTS_WIDTH)


@cython.cdivision(True)
cdef inline Py_ssize_t blocks(const Tables* tables) noexcept nogil:
    return (tables.n + BLOCK - 1) // BLOCK


# Where a block writes: at its rows of a table, or beside it, for what leaves past the caches or not at all.
cdef inline int64_t* place_for(int64_t* table, Py_ssize_t at, int64_t* beside, bint past) noexcept nogil:
    return beside if past or table == NULL else table + at


cdef inline void leave(int64_t* table, Py_ssize_t at, int64_t* beside, Py_ssize_t count) noexcept nogil:
    if table != NULL:
        stream(table + at, beside, count)


cdef void settle_rows(Tables* tables) noexcept nogil:
    cdef int64_t amounts[2][BLOCK * AMOUNTS_WIDTH]
    cdef int64_t years[2][BLOCK * YEAR_WIDTH]
    cdef int64_t balances[BLOCK]
    cdef int64_t hows[BLOCK * HOW_WIDTH]
    cdef Written written
    cdef Py_ssize_t block, at, stop, rows
    cdef bint past = tables.n >= STREAMED_FROM
    for block in range(blocks(tables)):
        at = block * BLOCK
        stop = least(at + BLOCK, tables.n)
        written.first, rows = at, stop - at
        written.booked = place_for(tables.booked, at * AMOUNTS_WIDTH, amounts[0], past)
        written.computed = place_for(tables.computed, at * AMOUNTS_WIDTH, amounts[1], past)
        written.before = place_for(tables.before, at * YEAR_WIDTH, years[0], past)
        written.delta = place_for(tables.delta, at * YEAR_WIDTH, years[1], past)
        written.balc = place_for(tables.balc, at, balances, past)
        written.how = place_for(tables.how, at * HOW_WIDTH, hows, past)
        settle_block(tables, at, stop, &written)
        if past:
            leave(tables.booked, at * AMOUNTS_WIDTH, written.booked, rows * AMOUNTS_WIDTH)
            leave(tables.computed, at * AMOUNTS_WIDTH, written.computed, rows * AMOUNTS_WIDTH)
            leave(tables.before, at * YEAR_WIDTH, written.before, rows * YEAR_WIDTH)
            leave(tables.delta, at * YEAR_WIDTH, written.delta, rows * YEAR_WIDTH)
            leave(tables.balc, at, written.balc, rows)
            leave(tables.how, at * HOW_WIDTH, written.how, rows * HOW_WIDTH)
    streamed()


cdef const int64_t* flat_in(const int64_t[::1] table) noexcept:
    return &table[0] if table.shape[0] else NULL


cdef int64_t* flat(int64_t[::1] table) noexcept:
    return &table[0] if table.shape[0] else NULL


# Returns where the first whole line of the cache begins.
cdef uint8_t* whole_line(uint8_t* memory) noexcept nogil:
    return <uint8_t*> ((<uintptr_t> memory + LINE - 1) & ~<uintptr_t> (LINE - 1))


# Makes what basic plans say to persons settled abreast; the first entry is no plan's.
cdef int make_abreast(Packed book) except -1:
    cdef Py_ssize_t plan
    book.memory_abreast = np.zeros((book.rows + 1) * (sizeof(abreast_terms) + sizeof(abreast_more)) + LINE, np.uint8)
    book.abreast = <abreast_terms*> whole_line(&book.memory_abreast[0])
    book.more = <abreast_more*> (book.abreast + book.rows + 1)
    book.abreast[0].says = SAYS_USUAL
    for plan in range(book.rows):
        if book.basic_at[plan]:
            pack_abreast(
                <const Terms*> (book.terms + <Py_ssize_t> (book.basic_at[plan] - 1) * LINE), book.abreast + plan + 1,
                book.more + plan + 1,
            )
        if not book.more[plan + 1].known:
            book.more[0].mixed = True
    return 0


cdef class Packed:
    """Is plans as this kernel reads them: see ``packed``."""

    def __init__(self, plans, marks):
        cdef const int64_t[::1] table = flattened(plans)
        self.rows, self.at, self.basic_at = len(plans), marks, np.zeros(len(plans) + 1, np.uint32)
        # The allocator of large arrays asks for large pages (terms are looked up all over) and gives them as they fill.
        self.memory = np.empty((np.count_nonzero(marks) + 1) * TERMS_MOST, np.uint8)
        self.terms = <const char*> whole_line(&self.memory[0])
        self.unsound, self.abreast, self.more = 0, NULL, NULL
        if self.rows:
            with nogil:
                self.unsound = pack_plans(&table[0], self.rows, &self.at[0], &self.basic_at[0], <char*> self.terms)

    def __len__(self):
        return self.rows

    @property
    def shape(self):
        return self.rows, PLAN_WIDTH


def packed(plans):
    check_plans(plans)
    cdef Packed book = Packed(plans, np.full(len(plans) + 1, NAMED, np.uint32))
    make_abreast(book)
    return book


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
    cdef const int64_t[::1] v_plan = plan, v_facts = flattened(facts)
    cdef const int64_t[::1] v_given = flattened(given), v_kind = kind, v_ref = ref, v_lenient = lenient, v_slot = slot
    cdef const int64_t[::1] v_account = account
    cdef int64_t[::1] v_refunded = refunded, v_state = flattened(state), v_accounts = accounts, v_code = code
    cdef int64_t[::1] v_booked = flattened(booked), v_computed = flattened(computed), v_before = flattened(before)
    cdef int64_t[::1] v_delta = flattened(delta), v_balc = balc, v_how = flattened(how)
    cdef bint ready = isinstance(plans, Packed)
    marks = None if ready else np.zeros(len(plans) + 1, np.uint32)
    cdef uint32_t[::1] v_marks = marks
    cdef Packed book = plans if ready else None
    cdef Tables tables
    tables.terms_at = &book.at[0] if ready else &v_marks[0]
    tables.plan, tables.facts = flat_in(v_plan), flat_in(v_facts)
    tables.given, tables.kind, tables.ref = flat_in(v_given), flat_in(v_kind), flat_in(v_ref)
    tables.lenient, tables.slot, tables.account = flat_in(v_lenient), flat_in(v_slot), flat_in(v_account)
    tables.refunded, tables.state, tables.accounts = flat(v_refunded), flat(v_state), flat(v_accounts)
    tables.code, tables.booked, tables.computed = flat(v_code), flat(v_booked), flat(v_computed)
    tables.before, tables.delta, tables.balc = flat(v_before), flat(v_delta), flat(v_balc)
    tables.how = flat(v_how)
    tables.n, tables.tail = len(plan), len(facts)
    cdef Py_ssize_t plan_rows = len(plans), slots = len(state), holders = len(accounts), found, unsound
    with nogil:
        found = stray(&tables, plan_rows, slots, holders, ready)
    if not ready:
        book = Packed(plans, marks)
    if book.unsound:
        unsound = unpacked(&tables, tables.n if found < 0 else found)
        if unsound >= 0:
            raise IndexError(f"row {unsound}: its plan {plan[unsound]} points outside itself")
    if found >= 0:
        raise IndexError(f"row {found}: its kind, plan, ref, slot or account points outside its table")
    tables.terms = book.terms
    with nogil:
        settle_rows(&tables)


def flattened(table):
    """Returns the same memory in one dimension; raises ValueError where it is not contiguous."""
    if not table.flags.c_contiguous:
        raise ValueError(f"expected a C-contiguous table, got strides {table.strides}")
    return table.reshape(-1)
