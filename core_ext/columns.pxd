# The columns of core_ext.layout and core_ext.plan as C constants, so that every access is an offset the compiler
# knows. _settle.pyx refuses to be imported beside a layout that says otherwise.

from libc.stdint cimport int64_t, uint64_t

cdef enum:
    F_TOKEN, F_INSU_ADMDVS, F_MDTRTAREA_ADMVS, F_INSURED_REGION, F_TREATMENT_REGION, F_HOSP_LV, F_INSUTYPE,
    F_PSN_TYPE, F_MED_TYPE, F_BEGNDATE, F_ENDDATE, F_SETL_TIME, F_MEDFEE_SUMAMT, F_FULAMT_OWNPAY_AMT,
    F_OVERLMT_SELFPAY, F_PRESELFPAY_AMT, F_INSCP_SCP_AMT, F_HOSP_PART_AMT

cdef enum:
    A_ACT_PAY_DEDC, A_HIFP_PAY, A_CVLSERV_PAY, A_HIFES_PAY, A_HIFMI_PAY, A_HIFOB_PAY, A_HIFDM_PAY, A_MAF_PAY,
    A_OTH_PAY, A_FUND_PAY_SUMAMT, A_PSN_PART_AMT, A_ACCT_PAY, A_ACCT_MULAID_PAY, A_PSN_CASH_PAY

cdef enum:
    Y_STAYS, Y_DEDUCTIBLE, Y_PLACED_INPATIENT, Y_PLACED_OUTPATIENT, Y_PLACED_CHRONIC, Y_PLACED_PHARMACY, Y_HIFP_PAY,
    Y_HIFOB_PAY, Y_HIFMI_PAY, Y_CATASTROPHIC, Y_ASSISTANCE, Y_MAF_PAY, Y_INSCP_SCP_AMT, Y_FUND_PAY_SUMAMT,
    Y_CVLSERV_PAY, Y_HIFES_PAY, Y_HIFDM_PAY, Y_OTH_PAY, Y_FURTHER, Y_DEDUCTIBLE_STAYS, Y_LAST_DISCHARGE,
    Y_STAY_DEDUCTIBLE

cdef enum:
    P_RELATION, P_FILING, P_FIRST_RATIO, P_DEDUCTIBLE_KIND, P_DEDUCTIBLE_AMOUNT, P_DEDUCTIBLE_LESS,
    P_DEDUCTIBLE_FLOOR, P_DEDUCTIBLE_FACTOR, P_DEDUCTIBLE_CAP, P_DEDUCTIBLE_EXEMPT, P_DEDUCTIBLE_WAIVED,
    P_DEDUCTIBLE_INSIDE, P_READMISSION, P_TRANSFER, P_TO_DATE, P_ON_PAYMENT, P_PLACED, P_STAY, P_STAY_BELOW_COUNTS,
    P_CEILING, P_CEILING_COST, P_OVER_UNCOVERED, P_ACCOUNT, P_MULAID, P_SEGMENTS, P_SEGMENT_EDGE_0,
    P_SEGMENT_RATIO_0, P_FUNDS = P_SEGMENT_EDGE_0 + 16, P_FUND_0, P_LIMIT = P_FUND_0 + 147, P_HOSPITAL,
    P_HOSPITAL_RATIO, P_POOL

# One further fund, from its first column on.
cdef enum:
    U_CODE, U_PERSONAL, U_TO_DATE, U_FIRST, U_OVER, U_LESS, U_THRESHOLD, U_CAP, U_TIERS, U_EDGE_0, U_RATIO_0

cdef enum:
    FACTS_WIDTH = 18
    AMOUNTS_WIDTH = 14
    YEAR_WIDTH = 22
    HOW_WIDTH = 11
    HOW_HOSP_PART_AMT = 9
    PLAN_WIDTH = 193
    SEGMENTS_MAX = 8
    TIERS_MAX = 6
    FUNDS_MAX = 7
    FUND_WIDTH = 21
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
    YEAR_OF_KIND = 1
    YEAR_OF_ALL_KINDS = 2
    ACCOUNT_IN_SCOPE = 1
    ACCOUNT_PRESELF = 2
    ACCOUNT_OVER_LIMIT = 4
    ACCOUNT_FULL_SELFPAY = 8
    ACCOUNT_NOT_DEDUCTIBLE = 16
    STAY_MED_TYPE = 21
    RANGE_BITS = 57

# PLAIN_PRODUCT: up to here a product with a ratio of at most ONE, rounded, fits an int64.
cdef extern from *:
    """
    #define ABSENT INT64_MIN
    #define RANGE (INT64_C(1) << 56)
    #define ONE INT64_C(100000000)
    #define PLAIN_PRODUCT INT64_C(92000000000)
    #define NO_LIMIT INT64_C(1000000000000000000)
    """
    const int64_t ABSENT
    const int64_t RANGE
    const int64_t ONE
    const int64_t PLAIN_PRODUCT
    const int64_t NO_LIMIT

# Rows in pieces of 16 bytes: for a constant size like these compilers tuned for any machine emit a string
# instruction, whose start alone takes longer than the copy.
cdef extern from *:
    """
    #include <string.h>
    #define PIECE_OF_ROW(to, from, at) memcpy((to) + (at), (from) + (at), 2 * sizeof(int64_t))
    /* AMOUNTS_WIDTH numbers. */
    static inline void copy_row(int64_t *to, const int64_t *from) {
        PIECE_OF_ROW(to, from, 0);
        PIECE_OF_ROW(to, from, 2);
        PIECE_OF_ROW(to, from, 4);
        PIECE_OF_ROW(to, from, 6);
        PIECE_OF_ROW(to, from, 8);
        PIECE_OF_ROW(to, from, 10);
        PIECE_OF_ROW(to, from, 12);
    }
    /* YEAR_WIDTH numbers. */
    static inline void copy_year(int64_t *to, const int64_t *from) {
        copy_row(to, from);
        PIECE_OF_ROW(to, from, 14);
        PIECE_OF_ROW(to, from, 16);
        PIECE_OF_ROW(to, from, 18);
        PIECE_OF_ROW(to, from, 20);
    }
    static const int64_t ROW_OF_ZEROS[22];
    static inline void clear_row(int64_t *to) { copy_row(to, ROW_OF_ZEROS); }
    static inline void clear_year(int64_t *to) { copy_year(to, ROW_OF_ZEROS); }
    """
    void copy_row(int64_t* to, const int64_t* source) noexcept nogil
    void copy_year(int64_t* to, const int64_t* source) noexcept nogil
    void clear_row(int64_t* to) noexcept nogil
    void clear_year(int64_t* to) noexcept nogil

# The further funds by code, 1 and up: the amount each pays, the accumulator of that and the one of its base.
# _settle.pyx refuses to be imported beside a core_ext.plan that says otherwise.
cdef extern from *:
    """
    static const unsigned char FUND_AMOUNT[8] = {0, 5, 4, 7, 3, 2, 6, 8};
    static const unsigned char FUND_PAID[8] = {0, 7, 8, 11, 15, 14, 16, 17};
    static const unsigned char FUND_BASE[8] = {0, 18, 9, 10, 18, 18, 18, 18};
    """
    const unsigned char* FUND_AMOUNT
    const unsigned char* FUND_PAID
    const unsigned char* FUND_BASE

# ``stream`` writes numbers past the caches where the processor can, ``streamed`` waits until others see them.
# ``prefetch`` asks for memory that is needed soon. ``lowest_bit`` is the place of the lowest bit of a number but 0.
cdef extern from *:
    """
    #include <stddef.h>
    #if defined(__SSE2__)
    #include <emmintrin.h>
    static inline void stream(int64_t *to, const int64_t *from, size_t count) {
        size_t at = 0;
        if (((uintptr_t) to & 15) && count) {
            _mm_stream_si64((long long *) to, from[0]);
            at = 1;
        }
        for (; at + 2 <= count; at += 2)
            _mm_stream_si128((__m128i *) (to + at), _mm_loadu_si128((const __m128i *) (from + at)));
        if (at < count)
            _mm_stream_si64((long long *) (to + at), from[at]);
    }
    static inline void streamed(void) { _mm_sfence(); }
    #else
    static inline void stream(int64_t *to, const int64_t *from, size_t count) {
        memcpy(to, from, count * sizeof(int64_t));
    }
    static inline void streamed(void) {}
    #endif
    /* The empty instruction: compilers drop calls of functions that only ask for memory, as these have no effect. */
    static inline void prefetch(const void *from, size_t bytes) {
        size_t at;
        __asm__ __volatile__("" : : "r"(from));
        for (at = 0; at < bytes; at += 64)
            __builtin_prefetch((const char *) from + at);
    }
    static inline int lowest_bit(uint64_t bits) { return __builtin_ctzll(bits); }
    """
    int lowest_bit(uint64_t bits) noexcept nogil
    void stream(int64_t* to, const int64_t* source, size_t count) noexcept nogil
    void streamed() noexcept nogil
    void prefetch(const void* source, size_t size) noexcept nogil
