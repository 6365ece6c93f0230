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
#define ABREAST_LESS_WHERE(mask, a, b) \
    ((abreast_ints_avx512)_mm512_mask_sub_epi32((__m512i)(a), mask, (__m512i)(a), (__m512i)(b)))
#define ABREAST_AT(table, width, at) \
    ((abreast_ints_avx512)_mm512_i32gather_epi32((__m512i)((at) * (int32_t)(width)), (const int *)(table), 4))
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

/* The shares of three amounts, whose ratios stand two in one number, the third below another number. */
static inline ABREAST_INTS abreast_shares_avx512(
    ABREAST_INTS a, ABREAST_INTS b, ABREAST_INTS c, ABREAST_INTS lower, ABREAST_INTS upper
) {
    __m512i fen[3] = {(__m512i)a, (__m512i)b, (__m512i)c}, even = _mm512_setzero_si512(), odd = even;
    __m512i ratio[3] = {
        _mm512_and_si512((__m512i)lower, _mm512_set1_epi32(65535)), _mm512_srli_epi32((__m512i)lower, 16),
        _mm512_and_si512((__m512i)upper, _mm512_set1_epi32((1 << RATIO_BITS) - 1))
    };
    for (int at = 0; at < 3; at++) {
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

/* The first and third quarters of two vectors, and the second and fourth. */
#define ABREAST_NEAR _mm512_setr_epi64(0, 1, 8, 9, 4, 5, 12, 13)
#define ABREAST_FAR _mm512_setr_epi64(2, 3, 10, 11, 6, 7, 14, 15)

/* Turns eight rows of eight numbers, the lower half of one lane's and the upper of the one eight further, into eight
   columns of sixteen lanes. */
static inline void abreast_turned_avx512(__m512i part[2][4], ABREAST_INTS *columns) {
    abreast_turn_avx512(part[0]);
    abreast_turn_avx512(part[1]);
    for (int at = 0; at < 4; at++) {
        columns[at] = (ABREAST_INTS)_mm512_permutex2var_epi64(part[0][at], ABREAST_NEAR, part[1][at]);
        columns[at + 4] = (ABREAST_INTS)_mm512_permutex2var_epi64(part[0][at], ABREAST_FAR, part[1][at]);
    }
}

/* Takes the four numbers of each lane's row of a table, which is so many bytes from its first. */
static inline void abreast_four_avx512(const void *table, const uint32_t *at, ABREAST_INTS *words) {
    __m512i four[4];
    for (int row = 0; row < 4; row++) {
        four[row] = _mm512_castsi128_si512(_mm_loadu_si128((const __m128i *)((const char *)table + at[row])));
        four[row] = _mm512_inserti32x4(four[row], _mm_loadu_si128((const __m128i *)((const char *)table + at[row + 4])), 1);
        four[row] = _mm512_inserti32x4(four[row], _mm_loadu_si128((const __m128i *)((const char *)table + at[row + 8])), 2);
        four[row] = _mm512_inserti32x4(four[row], _mm_loadu_si128((const __m128i *)((const char *)table + at[row + 12])), 3);
    }
    abreast_turn_avx512(four);
    for (int word = 0; word < 4; word++) words[word] = (ABREAST_INTS)four[word];
}

/* Takes the eight numbers of each lane's row of a table. */
static inline void abreast_eight_avx512(const void *table, const uint32_t *at, ABREAST_INTS *words) {
    __m512i part[2][4];
    for (int lane = 0; lane < 8; lane++)
        part[lane / 4][lane % 4] = _mm512_inserti64x4(
            _mm512_castsi256_si512(_mm256_loadu_si256((const __m256i *)((const char *)table + at[lane]))),
            _mm256_loadu_si256((const __m256i *)((const char *)table + at[lane + 8])), 1);
    abreast_turned_avx512(part, words);
}

/* Puts four numbers of each lane into its row. */
static inline void abreast_book_avx512(void *table, const uint32_t *at, const ABREAST_INTS words[ROW]) {
    __m512i four[4] = {(__m512i)words[0], (__m512i)words[1], (__m512i)words[2], (__m512i)words[3]};
    abreast_turn_avx512(four);
    for (int row = 0; row < 4; row++) {
        __m256i near = _mm512_castsi512_si256(four[row]), far = _mm512_extracti64x4_epi64(four[row], 1);
        _mm_storeu_si128((__m128i *)((char *)table + at[row]), _mm256_castsi256_si128(near));
        _mm_storeu_si128((__m128i *)((char *)table + at[row + 4]), _mm256_extracti128_si256(near, 1));
        _mm_storeu_si128((__m128i *)((char *)table + at[row + 8]), _mm256_castsi256_si128(far));
        _mm_storeu_si128((__m128i *)((char *)table + at[row + 12]), _mm256_extracti128_si256(far, 1));
    }
}

/* Takes what the lanes' years hold; returns whether some of it is not within what goes abreast. */
static inline int abreast_take_avx512(int64_t *const *year, ABREAST_INTS *held) {
    const __m512i lower = _mm512_setr_epi32(0, 2, 4, 6, 8, 10, 12, 14, 16, 18, 20, 22, 24, 26, 28, 30);
    const __m512i within = _mm512_setr_epi64(
        -1LL << STAYS_BITS, -1LL << AMOUNT_BITS, -1LL << AMOUNT_BITS, -1LL << AMOUNT_BITS, -1LL << AMOUNT_BITS,
        -1LL << AMOUNT_BITS, -1LL << AMOUNT_BITS, -1LL << AMOUNT_BITS);
    __m512i part[2][4], bits = _mm512_setzero_si512();
    for (int lane = 0; lane < 8; lane++) {
        __m512i one = _mm512_loadu_si512(year[lane]), other = _mm512_loadu_si512(year[lane + 8]);
        bits = _mm512_ternarylogic_epi64(bits, one, other, 0xFE);
        part[lane / 4][lane % 4] = _mm512_permutex2var_epi32(one, lower, other);
        __asm__("" : "+v"(bits), "+v"(part[lane / 4][lane % 4]));
    }
    abreast_turned_avx512(part, held);
    return _mm512_test_epi64_mask(bits, within) != 0;
}

/* Gives back what of years is 0 or more. */
static inline void abreast_give_avx512(int64_t *const *year, const ABREAST_INTS *held) {
    const __m512i front = _mm512_setr_epi32(0, 0, 1, 0, 2, 0, 3, 0, 4, 0, 5, 0, 6, 0, 7, 0);
    const __m512i back = _mm512_setr_epi32(8, 0, 9, 0, 10, 0, 11, 0, 12, 0, 13, 0, 14, 0, 15, 0);
    __m512i part[2][4];
    for (int at = 0; at < 4; at++) {
        part[0][at] = _mm512_permutex2var_epi64((__m512i)held[at], ABREAST_NEAR, (__m512i)held[at + 4]);
        part[1][at] = _mm512_permutex2var_epi64((__m512i)held[at], ABREAST_FAR, (__m512i)held[at + 4]);
    }
    abreast_turn_avx512(part[0]);
    abreast_turn_avx512(part[1]);
    for (int lane = 0; lane < 8; lane++) {
        __m512i both = part[lane / 4][lane % 4];
        _mm512_storeu_si512(year[lane], _mm512_maskz_permutexvar_epi32(0x5555, front, both));
        _mm512_storeu_si512(year[lane + 8], _mm512_maskz_permutexvar_epi32(0x5555, back, both));
    }
}

/* Lets eight numbers leave past the caches, a whole line of them. */
static inline void abreast_past_avx512(int64_t *to, const int64_t *from) {
    _mm512_stream_si512((void *)to, _mm512_loadu_si512(from));
}

/* See abreast_rows.h. */
static inline void abreast_leave_some_avx512(abreast_left *left);

static int abreast_hold_avx512(abreast_window *window, const abreast_rows *rows) {
    uint8_t *apart = window->apart;
    const __m512i high = _mm512_set1_epi64(-1LL << AMOUNT_BITS), none = _mm512_setzero_si512();
    __m512i before = _mm512_set1_epi64(-1);
    uint32_t down = 0;
    for (size_t run = 0; run < window->runs; run += 8) {
        size_t left = window->runs - run;
        __mmask8 these = (__mmask8)_bzhi_u32(255, (uint32_t)(left < 8 ? left : 8));
        __m512i holder = _mm512_mask_i64gather_epi64(
            none, these, _mm512_loadu_si512(window->person + run), rows->holder, 8);
        __m512i balance = _mm512_mask_i64gather_epi64(none, these, holder, rows->accounts, 8);
        __m512i last = _mm512_alignr_epi64(holder, before, 7);
        uint32_t same = _mm512_mask_cmpeq_epi64_mask(these, holder, last);
        for (uint32_t bits = same | same >> 1 | _mm512_test_epi64_mask(balance, high); bits; bits &= bits - 1)
            apart[run + (size_t)__builtin_ctz(bits)] = 1;
        if (same & 1) apart[run - 1] = 1;
        down |= _mm512_mask_cmplt_epi64_mask(these, holder, last);
        _mm512_storeu_si512(window->account + run, holder);
        _mm256_storeu_si256((__m256i *)(window->balance + run), _mm512_cvtepi64_epi32(balance));
        before = holder;
    }
    return down == 0;
}

#define ABREAST_ROWS(column) (all ? _mm512_loadu_si512((column) + at) : _mm512_maskz_loadu_epi64(these, (column) + at))
/* Looks eight rows over, ``all`` or ``these``: fills plans and amounts; returns which of them are fit. */
static inline __attribute__((always_inline)) __mmask8 abreast_look_8(
    const abreast_rows *rows, size_t at, const int all, __mmask8 these, __m512i told[ROW]
) {
    const __m512i high = _mm512_set1_epi64(-1LL << AMOUNT_BITS), one = _mm512_set1_epi64(1);
    __m512i plan = ABREAST_ROWS(rows->plan), kind = ABREAST_ROWS(rows->kind);
    __m512i medfee = ABREAST_ROWS(rows->medfee);
    __m512i fulamt = ABREAST_ROWS(rows->fulamt);
    __m512i overlmt = ABREAST_ROWS(rows->overlmt);
    __m512i preself = ABREAST_ROWS(rows->preself);
    __m512i inscp = ABREAST_ROWS(rows->inscp);
    __m512i hosp = ABREAST_ROWS(rows->hosp);
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

/* Looks sixteen rows over, ``all`` or ``these``, from the window's row ``at`` on; returns whether they are not sorted. */
static inline __attribute__((always_inline)) uint32_t abreast_look_16(
    const abreast_rows *rows, size_t first, size_t at, const int all, uint32_t these, abreast_window *window, size_t *runs,
    size_t *odds
) {
    /* Quarters hold every fourth row, which are turned into rows in their order. */
    const __m512i order = _mm512_setr_epi32(0, 8, 16, 24, 2, 10, 18, 26, 4, 12, 20, 28, 6, 14, 22, 30);
    const __m512i here = _mm512_add_epi32(
        _mm512_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15), _mm512_set1_epi32((int32_t)at));
    uint32_t fit = 0, begins = 0, down = 0;
    __m512i told[2][ROW], four[4];
    for (int half = 0; half < 2; half++) {
        __mmask8 rest = (__mmask8)(these >> 8 * half);
        const int64_t *now = rows->slot + first + at + 8 * half;
        __m512i person = all ? _mm512_loadu_si512(now) : _mm512_maskz_loadu_epi64(rest, now);
        __m512i before = at + (size_t)half == 0 ? _mm512_mask_loadu_epi64(_mm512_set1_epi64(-1), 0xFE & rest, now - 1)
                       : all ? _mm512_loadu_si512(now - 1) : _mm512_maskz_loadu_epi64(rest, now - 1);
        uint32_t differs = _mm512_mask_cmpneq_epi64_mask(rest, person, before);
        fit |= (uint32_t)abreast_look_8(rows, first + at + 8 * half, all, rest, told[half]) << 8 * half;
        down |= _mm512_mask_cmplt_epi64_mask(rest, person, before);
        _mm512_storeu_si512(
            window->person + *runs + __builtin_popcount(begins),
            _mm512_maskz_compress_epi64((__mmask8)differs, person));
        begins |= differs << 8 * half;
    }
    for (int word = 0; word < 4; word++) four[word] = _mm512_permutex2var_epi32(told[0][word], order, told[1][word]);
    abreast_turn_avx512(four);
    for (int row = 0; row < 4; row++) _mm512_storeu_si512(window->row[at + 4 * row], four[row]);
    _mm512_storeu_si512(window->begins + *runs, _mm512_maskz_compress_epi32((__mmask16)begins, here));
    _mm512_storeu_si512(window->odd + *odds, _mm512_maskz_compress_epi32((__mmask16)(these & ~fit), here));
    *runs += (size_t)__builtin_popcount(begins);
    *odds += (size_t)__builtin_popcount(these & ~fit);
    return down;
}

static int abreast_look_avx512(
    const abreast_rows *rows, size_t first, size_t count, abreast_window *window, abreast_next *next,
    abreast_left *left
) {
    const abreast_rows own = *rows;
    size_t at = 0, runs = 0, odds = 0;
    uint32_t down = 0;
    for (; at + 16 <= count; at += 16) {
        down |= abreast_look_16(&own, first, at, 1, 65535, window, &runs, &odds);
        abreast_leave_some_avx512(left);
        if (at % 32) abreast_ask(next);
    }
    if (at < count)
        down |= abreast_look_16(&own, first, at, 0, _bzhi_u32(65535, (uint32_t)(count - at)), window, &runs, &odds);
    window->begins[runs] = (int32_t)count;
    window->runs = runs, window->odds = odds;
    for (size_t run = 0; run < runs; run += 64) _mm512_storeu_si512(window->apart + run, _mm512_setzero_si512());
    return down == 0;
}

static size_t abreast_line_up_avx512(abreast_window *window) {
    uint8_t *apart = window->apart;
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

static void abreast_put_avx512(const abreast_window *window, size_t count, int64_t *beside, abreast_next *next) {
    const __m512i front = _mm512_setr_epi32(0, 0, 0, 4, 0, 8, 0, 12, 0, 1, 0, 5, 0, 9, 0, 13);
    const __m512i back = _mm512_setr_epi32(0, 2, 0, 6, 0, 10, 0, 14, 0, 3, 0, 7, 0, 11, 0, 15);
    for (size_t at = 0; at < count; at += 16) {
        __m512i four[BOOKED];
        for (int row = 0; row < 4; row++) four[row] = _mm512_loadu_si512(window->row[at + 4 * row]);
        abreast_turn_avx512(four);
        four[B_CASH] = _mm512_sub_epi32(four[B_PART], four[B_ACCT]);
        for (int column = 0; column < BOOKED; column++) {
            int64_t *to = beside + column * BESIDE + at;
            _mm512_storeu_si512(to, _mm512_srai_epi64(_mm512_permutexvar_epi32(front, four[column]), 32));
            _mm512_storeu_si512(to + 8, _mm512_srai_epi64(_mm512_permutexvar_epi32(back, four[column]), 32));
        }
        if (at % 32) abreast_ask(next);
    }
}
