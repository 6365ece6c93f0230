# The columns of core_ext.layout and core_ext.plan as C constants, so that every access is an offset the compiler
# knows. _settle.pyx refuses to be imported beside a layout that says otherwise.

from libc.stdint cimport int64_t

cdef enum:
    F_TOKEN, F_INSU_ADMDVS, F_MDTRTAREA_ADMVS, F_INSURED_REGION, F_TREATMENT_REGION, F_HOSP_LV, F_INSUTYPE,
    F_PSN_TYPE, F_MED_TYPE, F_BEGNDATE, F_ENDDATE, F_SETL_TIME, F_MEDFEE_SUMAMT, F_FULAMT_OWNPAY_AMT,
    F_OVERLMT_SELFPAY, F_PRESELFPAY_AMT, F_INSCP_SCP_AMT, F_HOSP_PART_AMT

cdef enum:
    A_ACT_PAY_DEDC, A_HIFP_PAY, A_CVLSERV_PAY, A_HIFES_PAY, A_HIFMI_PAY, A_HIFOB_PAY, A_HIFDM_PAY, A_MAF_PAY,
    A_OTH_PAY, A_FUND_PAY_SUMAMT, A_PSN_PART_AMT, A_ACCT_PAY, A_ACCT_MULAID_PAY, A_PSN_CASH_PAY

cdef enum:
    Y_STAYS, Y_DEDUCTIBLE, Y_PLACED_INPATIENT, Y_PLACED_OUTPATIENT, Y_PLACED_CHRONIC, Y_PLACED_PHARMACY, Y_HIFP_PAY,
    Y_HIFOB_PAY, Y_HIFMI_PAY, Y_CATASTROPHIC, Y_ASSISTANCE, Y_MAF_PAY, Y_INSCP_SCP_AMT, Y_FUND_PAY_SUMAMT

cdef enum:
    P_RELATION, P_FILING, P_FIRST_RATIO, P_DEDUCTIBLE_KIND, P_DEDUCTIBLE_AMOUNT, P_DEDUCTIBLE_LESS,
    P_DEDUCTIBLE_FLOOR, P_DEDUCTIBLE_FACTOR, P_DEDUCTIBLE_EXEMPT, P_DEDUCTIBLE_WAIVED, P_DEDUCTIBLE_INSIDE,
    P_TO_DATE, P_PLACED, P_STAY, P_STAY_BELOW_COUNTS, P_CEILING, P_OVER_UNCOVERED, P_FUND_1, P_FUND_2, P_FUND_3,
    P_HIFOB_RATIO, P_HIFOB_CAP, P_CATASTROPHIC, P_CATASTROPHIC_FIRST, P_CATASTROPHIC_OVER, P_CATASTROPHIC_LESS_HIFOB,
    P_CATASTROPHIC_THRESHOLD, P_ASSISTANCE, P_ASSISTANCE_FIRST, P_ASSISTANCE_LESS_HIFOB, P_ASSISTANCE_LESS_HIFMI,
    P_ASSISTANCE_THRESHOLD, P_ASSISTANCE_RATIO, P_ASSISTANCE_CAP, P_ACCOUNT, P_SEGMENTS,
    P_SEGMENT_EDGE_0, P_SEGMENT_RATIO_0 = P_SEGMENT_EDGE_0 + 8, P_TIERS = P_SEGMENT_RATIO_0 + 8,
    P_TIER_EDGE_0, P_TIER_RATIO_0 = P_TIER_EDGE_0 + 6

cdef enum:
    FACTS_WIDTH = 18
    AMOUNTS_WIDTH = 14
    YEAR_WIDTH = 14
    HOW_WIDTH = 7
    PLAN_WIDTH = 65
    SEGMENTS_MAX = 8
    TIERS_MAX = 6
    MONEY_FACTS = 6
    FUND_PART_FIRST = 1
    FUND_PART_LAST = 8

cdef enum:
    SKIP = 0
    COMPUTE = 1
    SOURCE = 2
    REFUND = 3
    SOURCE_UNCHECKED = 4

cdef enum:
    NO_POLICY = 13
    NEGATIVE_WITHOUT_INIT = 17
    REFUND_UNKNOWN = 18
    REFUND_TWICE = 19
    REFUND_MISMATCH = 20
    IDENTITY_I1 = 21
    IDENTITY_I2 = 22
    IDENTITY_I3 = 23
    IDENTITY_I5 = 24
    ARITHMETIC_OVERFLOW = 25

cdef enum:
    BY_ORDINAL = 1
    ANNUAL = 2
    HIFOB = 1
    HIFMI = 2
    MAF = 3
    ACCOUNT_NOTHING = 0
    IN_SCOPE_AND_PRESELF = 2
    STAY_MED_TYPE = 21
    RANGE_BITS = 57

# PLAIN_PRODUCT: up to here a product with a ratio of at most ONE, rounded, fits an int64.
cdef extern from *:
    """
    #define ABSENT INT64_MIN
    #define RANGE (INT64_C(1) << 56)
    #define ONE INT64_C(100000000)
    #define PLAIN_PRODUCT INT64_C(92000000000)
    """
    const int64_t ABSENT
    const int64_t RANGE
    const int64_t ONE
    const int64_t PLAIN_PRODUCT

# A row of 14, in pieces of 16 bytes: for a constant size like this compilers tuned for any machine emit a string
# instruction, whose start alone takes longer than the copy.
cdef extern from *:
    """
    #include <string.h>
    #define PIECE_OF_ROW(to, from, at) memcpy((to) + (at), (from) + (at), 2 * sizeof(int64_t))
    static inline void copy_row(int64_t *to, const int64_t *from) {
        PIECE_OF_ROW(to, from, 0);
        PIECE_OF_ROW(to, from, 2);
        PIECE_OF_ROW(to, from, 4);
        PIECE_OF_ROW(to, from, 6);
        PIECE_OF_ROW(to, from, 8);
        PIECE_OF_ROW(to, from, 10);
        PIECE_OF_ROW(to, from, 12);
    }
    static const int64_t ROW_OF_ZEROS[14];
    static inline void clear_row(int64_t *to) { copy_row(to, ROW_OF_ZEROS); }
    """
    void copy_row(int64_t* to, const int64_t* source) noexcept nogil
    void clear_row(int64_t* to) noexcept nogil
