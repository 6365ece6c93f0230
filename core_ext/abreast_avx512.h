/* Sixteen lanes; see abreast.h. */
#define ABREAST_NAME(name) name##_avx512
#define ABREAST_WIDE 16
#define ABREAST_INTS abreast_ints_avx512
#define ABREAST_MASK __mmask16
typedef int32_t abreast_ints_avx512 __attribute__((vector_size(64)));
#define ABREAST_ALL(number) ((abreast_ints_avx512)_mm512_set1_epi32(number))
#define ABREAST_LOAD(from) ((abreast_ints_avx512)_mm512_loadu_si512(from))
#define ABREAST_STORE(to, ints) _mm512_storeu_si512(to, (__m512i)(ints))
#define ABREAST_MOST(a, b) ((abreast_ints_avx512)_mm512_max_epi32((__m512i)(a), (__m512i)(b)))
#define ABREAST_LEAST(a, b) ((abreast_ints_avx512)_mm512_min_epi32((__m512i)(a), (__m512i)(b)))
#define ABREAST_ABOVE(a, b) _mm512_cmpgt_epi32_mask((__m512i)(a), (__m512i)(b))
#define ABREAST_SAYS(says, what) _mm512_test_epi32_mask((__m512i)(says), _mm512_set1_epi32(what))
#define ABREAST_NOT(mask) ((__mmask16)~(mask))
#define ABREAST_WHERE(mask, ints) ((abreast_ints_avx512)_mm512_maskz_mov_epi32(mask, (__m512i)(ints)))
#define ABREAST_CHOSEN(mask, a, b) ((abreast_ints_avx512)_mm512_mask_mov_epi32((__m512i)(b), mask, (__m512i)(a)))
#define ABREAST_SHIFTED(ints, bits) ((abreast_ints_avx512)_mm512_srli_epi32((__m512i)(ints), bits))
#define ABREAST_ANY(ints) (_mm512_test_epi32_mask((__m512i)(ints), (__m512i)(ints)) != 0)

/* Adds shares to eight sums of 64 bits, whose amounts and ratios are the lower halves: with x = s r + 5000, x // 10^4 is
   (x // 16) // 625. As s < 2^30 and r <= 10^4, y = x // 16 < 2^40, and with m = 7205759403793, 625 m = 2^52 + 129:
   y m / 2^52 = y / 625 + 129 y / (625 * 2^52), which is above y / 625 by less than 1 / 625, so both have one floor; and
   the processor multiplies whole numbers of 52 bits and adds the product's upper 52. */
static inline __m512i abreast_shared_avx512(__m512i sums, __m512i fen, __m512i ratio) {
    __m512i product = _mm512_add_epi64(_mm512_mul_epu32(fen, ratio), _mm512_set1_epi64(5000));
    return _mm512_madd52hi_epu64(sums, _mm512_srli_epi64(product, 4), _mm512_set1_epi64(7205759403793));
}
static inline __m512i abreast_upper_avx512(__m512i ints) { return _mm512_srli_epi64(ints, 32); }

static inline ABREAST_INTS abreast_share_avx512(ABREAST_INTS fen, ABREAST_INTS ratio) {
    __m512i s = (__m512i)fen, r = (__m512i)ratio, none = _mm512_setzero_si512();
    __m512i even = abreast_shared_avx512(none, s, r);
    __m512i odd = abreast_shared_avx512(none, abreast_upper_avx512(s), abreast_upper_avx512(r));
    return (ABREAST_INTS)_mm512_or_si512(even, _mm512_slli_epi64(odd, 32));
}

/* The shares of four amounts, whose ratios stand two in one number. */
static inline ABREAST_INTS abreast_shares_avx512(
    ABREAST_INTS a, ABREAST_INTS b, ABREAST_INTS c, ABREAST_INTS d, ABREAST_INTS lower, ABREAST_INTS upper
) {
    const __m512i half = _mm512_set1_epi32(65535);
    __m512i fen[4] = {(__m512i)a, (__m512i)b, (__m512i)c, (__m512i)d}, even = _mm512_setzero_si512(), odd = even;
    __m512i ratio[4] = {
        _mm512_and_si512((__m512i)lower, half), _mm512_srli_epi32((__m512i)lower, 16),
        _mm512_and_si512((__m512i)upper, half), _mm512_srli_epi32((__m512i)upper, 16)
    };
    for (int at = 0; at < 4; at++) {
        even = abreast_shared_avx512(even, fen[at], ratio[at]);
        odd = abreast_shared_avx512(odd, abreast_upper_avx512(fen[at]), abreast_upper_avx512(ratio[at]));
    }
    return (ABREAST_INTS)_mm512_or_si512(even, _mm512_slli_epi64(odd, 32));
}

/* Turns four rows of four numbers into four columns of them, or back, in each quarter. */
static inline void abreast_turn_avx512(__m512i four[4]) {
    __m512i ab = _mm512_unpacklo_epi32(four[0], four[1]), cd = _mm512_unpacklo_epi32(four[2], four[3]);
    __m512i ef = _mm512_unpackhi_epi32(four[0], four[1]), gh = _mm512_unpackhi_epi32(four[2], four[3]);
    four[0] = _mm512_unpacklo_epi64(ab, cd), four[1] = _mm512_unpackhi_epi64(ab, cd);
    four[2] = _mm512_unpacklo_epi64(ef, gh), four[3] = _mm512_unpackhi_epi64(ef, gh);
}

/* Takes four numbers of each lane's row of a table, whose rows have so many. */
static inline void abreast_words_avx512(const int32_t *table, const int32_t *at, size_t width, ABREAST_INTS *words) {
    __m512i four[4];
    for (int row = 0; row < 4; row++) {
        four[row] = _mm512_castsi128_si512(_mm_loadu_si128((const __m128i *)(table + (size_t)at[row] * width)));
        four[row] = _mm512_mask_broadcast_i32x4(
            four[row], 0x00F0, _mm_loadu_si128((const __m128i *)(table + (size_t)at[row + 4] * width)));
        four[row] = _mm512_mask_broadcast_i32x4(
            four[row], 0x0F00, _mm_loadu_si128((const __m128i *)(table + (size_t)at[row + 8] * width)));
        four[row] = _mm512_mask_broadcast_i32x4(
            four[row], 0xF000, _mm_loadu_si128((const __m128i *)(table + (size_t)at[row + 12] * width)));
    }
    abreast_turn_avx512(four);
    for (int word = 0; word < 4; word++) words[word] = (ABREAST_INTS)four[word];
}

/* Puts four numbers of each lane into its row. */
static inline void abreast_book_avx512(int32_t *table, const int32_t *at, const ABREAST_INTS words[ROW]) {
    __m512i four[4] = {(__m512i)words[0], (__m512i)words[1], (__m512i)words[2], (__m512i)words[3]};
    abreast_turn_avx512(four);
    for (int row = 0; row < 4; row++) {
        _mm_storeu_si128((__m128i *)(table + at[row] * ROW), _mm512_castsi512_si128(four[row]));
        _mm_storeu_si128((__m128i *)(table + at[row + 4] * ROW), _mm512_extracti32x4_epi32(four[row], 1));
        _mm_storeu_si128((__m128i *)(table + at[row + 8] * ROW), _mm512_extracti32x4_epi32(four[row], 2));
        _mm_storeu_si128((__m128i *)(table + at[row + 12] * ROW), _mm512_extracti32x4_epi32(four[row], 3));
    }
}

/* Takes what the lanes' years and accounts hold; returns whether some of it is not within what goes abreast. */
static inline int abreast_take_avx512(
    int64_t *const *year, int64_t *const *account, ABREAST_INTS *held, ABREAST_INTS *balance
) {
    const __m512i lower = _mm512_setr_epi32(0, 2, 4, 6, 8, 10, 12, 14, 16, 18, 20, 22, 24, 26, 28, 30);
    const __m512i within = _mm512_setr_epi64(
        -1LL << STAYS_BITS, -1LL << AMOUNT_BITS, -1LL << AMOUNT_BITS, -1LL << AMOUNT_BITS, -1LL << AMOUNT_BITS,
        -1LL << AMOUNT_BITS, -1LL << AMOUNT_BITS, -1LL << AMOUNT_BITS);
    const __m512i front = _mm512_setr_epi64(0, 1, 8, 9, 4, 5, 12, 13), back = _mm512_setr_epi64(2, 3, 10, 11, 6, 7, 14, 15);
    __m512i part[2][4], beyond = _mm512_setzero_si512();
    for (int lane = 0; lane < 8; lane++) {
        __m512i one = _mm512_loadu_si512(year[lane]), other = _mm512_loadu_si512(year[lane + 8]);
        beyond = _mm512_or_si512(beyond, _mm512_and_si512(_mm512_or_si512(one, other), within));
        part[lane / 4][lane % 4] = _mm512_permutex2var_epi32(one, lower, other);
    }
    abreast_turn_avx512(part[0]);
    abreast_turn_avx512(part[1]);
    for (int at = 0; at < 4; at++) {
        held[at] = (ABREAST_INTS)_mm512_permutex2var_epi64(part[0][at], front, part[1][at]);
        held[at + 4] = (ABREAST_INTS)_mm512_permutex2var_epi64(part[0][at], back, part[1][at]);
    }
    __m512i one = _mm512_i64gather_epi64(_mm512_loadu_si512(account), NULL, 1);
    __m512i other = _mm512_i64gather_epi64(_mm512_loadu_si512(account + 8), NULL, 1);
    beyond = _mm512_or_si512(beyond, _mm512_srli_epi64(_mm512_or_si512(one, other), AMOUNT_BITS));
    *balance = (ABREAST_INTS)_mm512_permutex2var_epi32(one, lower, other);
    return _mm512_test_epi64_mask(beyond, beyond) != 0;
}

/* Gives back what is 0 or more, of years, and accounts. */
static inline void abreast_give_avx512(
    int64_t *const *year, int64_t *const *account, const ABREAST_INTS *held, ABREAST_INTS balance
) {
    const __m512i front = _mm512_setr_epi32(0, 0, 1, 0, 2, 0, 3, 0, 4, 0, 5, 0, 6, 0, 7, 0);
    const __m512i back = _mm512_setr_epi32(8, 0, 9, 0, 10, 0, 11, 0, 12, 0, 13, 0, 14, 0, 15, 0);
    const __m512i near = _mm512_setr_epi64(0, 1, 8, 9, 4, 5, 12, 13), far = _mm512_setr_epi64(2, 3, 10, 11, 6, 7, 14, 15);
    __m512i part[2][4];
    for (int at = 0; at < 4; at++) {
        part[0][at] = _mm512_permutex2var_epi64((__m512i)held[at], near, (__m512i)held[at + 4]);
        part[1][at] = _mm512_permutex2var_epi64((__m512i)held[at], far, (__m512i)held[at + 4]);
    }
    abreast_turn_avx512(part[0]);
    abreast_turn_avx512(part[1]);
    for (int lane = 0; lane < 8; lane++) {
        __m512i both = part[lane / 4][lane % 4];
        _mm512_storeu_si512(year[lane], _mm512_maskz_permutexvar_epi32(0x5555, front, both));
        _mm512_storeu_si512(year[lane + 8], _mm512_maskz_permutexvar_epi32(0x5555, back, both));
    }
    for (int lane = 0; lane < 16; lane++) *account[lane] = balance[lane];
}

/* Looks eight rows over, of those in ``these``: fills plans and amounts; returns which of them are fit. */
static inline __mmask8 abreast_look_8(const abreast_rows *rows, size_t at, __mmask8 these, __m512i told[ROW]) {
    const __m512i high = _mm512_set1_epi64(-1LL << AMOUNT_BITS), one = _mm512_set1_epi64(1);
    __m512i plan = _mm512_maskz_loadu_epi64(these, rows->plan + at), kind = _mm512_maskz_loadu_epi64(these, rows->kind + at);
    __m512i medfee = _mm512_maskz_loadu_epi64(these, rows->medfee + at);
    __m512i fulamt = _mm512_maskz_loadu_epi64(these, rows->fulamt + at);
    __m512i overlmt = _mm512_maskz_loadu_epi64(these, rows->overlmt + at);
    __m512i preself = _mm512_maskz_loadu_epi64(these, rows->preself + at);
    __m512i inscp = _mm512_maskz_loadu_epi64(these, rows->inscp + at);
    __m512i hosp = _mm512_maskz_loadu_epi64(these, rows->hosp + at);
    __m512i amounts = _mm512_or_si512(_mm512_or_si512(_mm512_or_si512(medfee, fulamt), _mm512_or_si512(overlmt, preself)),
                                      _mm512_or_si512(inscp, hosp));
    __m512i parts = _mm512_add_epi64(_mm512_add_epi64(fulamt, overlmt), _mm512_add_epi64(preself, inscp));
    __m512i unfit = _mm512_or_si512(_mm512_and_si512(amounts, high), _mm512_xor_si512(medfee, parts));
    unfit = _mm512_or_si512(unfit, _mm512_xor_si512(kind, _mm512_set1_epi64(rows->compute)));
    __mmask8 fit = _mm512_cmplt_epu64_mask(plan, _mm512_set1_epi64(rows->plans))
                 & _mm512_testn_epi64_mask(unfit, unfit) & these;
    told[R_SAID] = _mm512_maskz_add_epi64(fit, plan, one), told[R_INSCP] = _mm512_maskz_mov_epi64(fit, inscp);
    told[R_PRESELF] = _mm512_maskz_mov_epi64(fit, preself), told[R_DUE] = _mm512_maskz_sub_epi64(fit, medfee, hosp);
    return fit;
}

static int abreast_look_avx512(const abreast_rows *rows, size_t first, size_t count, abreast_window *window) {
    /* Quarters hold every fourth row, which are turned into rows in their order. */
    const __m512i order = _mm512_setr_epi32(0, 8, 16, 24, 2, 10, 18, 26, 4, 12, 20, 28, 6, 14, 22, 30);
    const __m512i places = _mm512_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15);
    const int64_t *slot = rows->slot + first;
    size_t runs = 0, odds = 0;
    uint32_t down = 0;
    __mmask8 known = 0xFE;
    for (size_t at = 0; at < count; at += 16) {
        uint32_t these = _bzhi_u32(65535, (uint32_t)(count - at < 16 ? count - at : 16)), fit = 0, begins = 0;
        __m512i told[2][ROW], four[4], here = _mm512_add_epi32(places, _mm512_set1_epi32((int32_t)at));
        for (int half = 0; half < 2; half++) {
            __mmask8 rest = (__mmask8)(these >> 8 * half);
            const int64_t *now = slot + at + 8 * half;
            __m512i person = _mm512_maskz_loadu_epi64(rest, now);
            __m512i before = _mm512_mask_loadu_epi64(_mm512_set1_epi64(-1), known & rest, now - 1);
            uint32_t differs = _mm512_mask_cmpneq_epi64_mask(rest, person, before);
            fit |= (uint32_t)abreast_look_8(rows, first + at + 8 * half, rest, told[half]) << 8 * half;
            known = 0xFF;
            down |= _mm512_mask_cmplt_epi64_mask(rest, person, before);
            _mm512_storeu_si512(
                window->person + runs + __builtin_popcount(begins), _mm512_maskz_compress_epi64((__mmask8)differs, person));
            begins |= differs << 8 * half;
        }
        for (int word = 0; word < 4; word++) four[word] = _mm512_permutex2var_epi32(told[0][word], order, told[1][word]);
        abreast_turn_avx512(four);
        for (int row = 0; row < 4; row++) _mm512_storeu_si512(window->row[at + 4 * row], four[row]);
        _mm512_storeu_si512(window->begins + runs, _mm512_maskz_compress_epi32((__mmask16)begins, here));
        _mm512_storeu_si512(window->odd + odds, _mm512_maskz_compress_epi32((__mmask16)(these & ~fit), here));
        runs += __builtin_popcount(begins);
        odds += __builtin_popcount(these & ~fit);
    }
    window->begins[runs] = (int32_t)count;
    window->runs = runs;
    window->odds = odds;
    return down == 0;
}

static size_t abreast_line_up_avx512(abreast_window *window, uint8_t *apart) {
    const __m512i places = _mm512_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15);
    const __m512i most = _mm512_set1_epi32(RUN_MOST), one = _mm512_set1_epi32(1);
    size_t runs = window->runs, lanes = 0, rounds = 0;
    __m512i lengths = _mm512_setzero_si512();
    for (size_t run = 0; run < runs; run += 16) {
        __mmask16 these = (__mmask16)_bzhi_u32(65535, (uint32_t)(runs - run < 16 ? runs - run : 16));
        __m512i length = _mm512_sub_epi32(
            _mm512_loadu_si512(window->begins + run + 1), _mm512_loadu_si512(window->begins + run));
        __m128i alone = _mm_mask_mov_epi8(
            _mm_loadu_si128((const __m128i *)(apart + run)), _mm512_cmpgt_epi32_mask(length, most), _mm_set1_epi8(1));
        _mm_storeu_si128((__m128i *)(apart + run), alone);
        length = _mm512_maskz_mov_epi32(these & _mm_testn_epi8_mask(alone, alone), length);
        _mm512_storeu_si512(window->length + run, length);
        lengths = _mm512_or_si512(lengths, _mm512_sllv_epi32(one, _mm512_sub_epi32(length, one)));
    }
    for (uint32_t left = (uint32_t)_mm512_reduce_or_epi32(lengths); left; left &= ~(1u << (31 - __builtin_clz(left)))) {
        int32_t longest = 32 - __builtin_clz(left);
        for (size_t run = 0; run < runs; run += 16) {
            __mmask16 such = _mm512_cmpeq_epi32_mask(
                _mm512_loadu_si512(window->length + run), _mm512_set1_epi32(longest));
            __m512i here = _mm512_add_epi32(places, _mm512_set1_epi32((int32_t)run));
            _mm512_storeu_si512(window->order + lanes, _mm512_maskz_compress_epi32(such, here));
            lanes += (size_t)__builtin_popcount(such);
        }
    }
    for (size_t lane = 0; lane < lanes; lane += 16) rounds += (size_t)window->length[window->order[lane]];
    window->lanes = lanes;
    return 16 * rounds;
}

static void abreast_put_avx512(const abreast_window *window, size_t count, int64_t *beside) {
    const __m512i front = _mm512_setr_epi32(0, 0, 0, 4, 0, 8, 0, 12, 0, 1, 0, 5, 0, 9, 0, 13);
    const __m512i back = _mm512_setr_epi32(0, 2, 0, 6, 0, 10, 0, 14, 0, 3, 0, 7, 0, 11, 0, 15);
    for (size_t at = 0; at < count; at += 16) {
        __m512i four[5];
        for (int row = 0; row < 4; row++) four[row] = _mm512_loadu_si512(window->row[at + 4 * row]);
        abreast_turn_avx512(four);
        four[4] = _mm512_sub_epi32(four[B_PART], four[B_ACCT]);
        for (int column = 0; column < 5; column++) {
            int64_t *to = beside + column * BESIDE + at;
            _mm512_storeu_si512(to, _mm512_srai_epi64(_mm512_permutexvar_epi32(front, four[column]), 32));
            _mm512_storeu_si512(to + 8, _mm512_srai_epi64(_mm512_permutexvar_epi32(back, four[column]), 32));
        }
    }
}

static void abreast_leave_avx512(int64_t *to, const int64_t *beside, size_t count) {
    size_t at = 0;
    for (; at < count && ((uintptr_t)(to + at) & 63); at++) _mm_stream_si64((long long *)(to + at), beside[at]);
    for (; at + 8 <= count; at += 8) _mm512_stream_si512((void *)(to + at), _mm512_loadu_si512(beside + at));
    for (; at < count; at++) _mm_stream_si64((long long *)(to + at), beside[at]);
}
