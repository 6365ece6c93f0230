/* Eight lanes; see abreast.h. */
#define ABREAST_NAME(name) name##_avx2
#define ABREAST_WIDE 8
#define ABREAST_INTS abreast_ints_avx2
#define ABREAST_MASK abreast_ints_avx2
typedef int32_t abreast_ints_avx2 __attribute__((vector_size(32)));
#define ABREAST_ALL(number) ((abreast_ints_avx2)_mm256_set1_epi32(number))
#define ABREAST_LOAD(from) ((abreast_ints_avx2)_mm256_loadu_si256((const __m256i *)(from)))
#define ABREAST_STORE(to, ints) _mm256_storeu_si256((__m256i *)(to), (__m256i)(ints))
#define ABREAST_MOST(a, b) ((abreast_ints_avx2)_mm256_max_epi32((__m256i)(a), (__m256i)(b)))
#define ABREAST_LEAST(a, b) ((abreast_ints_avx2)_mm256_min_epi32((__m256i)(a), (__m256i)(b)))
#define ABREAST_ABOVE(a, b) ((abreast_ints_avx2)_mm256_cmpgt_epi32((__m256i)(a), (__m256i)(b)))
#define ABREAST_SAYS(says, what) ABREAST_NOT((abreast_ints_avx2)_mm256_cmpeq_epi32( \
    _mm256_and_si256((__m256i)(says), _mm256_set1_epi32(what)), _mm256_setzero_si256()))
#define ABREAST_NOT(mask) (~(mask))
#define ABREAST_WHERE(mask, ints) ((mask) & (ints))
#define ABREAST_LESS_WHERE(mask, a, b) ((a) - ((mask) & (b)))
#define ABREAST_AT(table, width, at) \
    ((abreast_ints_avx2)_mm256_i32gather_epi32((const int *)(table), (__m256i)((at) * (int32_t)(width)), 4))
#define ABREAST_CHOSEN(mask, a, b) \
    ((abreast_ints_avx2)_mm256_blendv_epi8((__m256i)(b), (__m256i)(a), (__m256i)(mask)))
#define ABREAST_SHIFTED(ints, bits) ((abreast_ints_avx2)_mm256_srli_epi32((__m256i)(ints), bits))
#define ABREAST_ANY(ints) (!_mm256_testz_si256((__m256i)(ints), (__m256i)(ints)))

/* n // 10^4 of numbers without sign: n 3518437209 / 2^45, as 10^4 3518437209 = 2^45 + 1168 and 2^32 1168 < 2^45. */
static inline ABREAST_INTS abreast_wholes_avx2(ABREAST_INTS ints) {
    const __m256i by = _mm256_set1_epi64x(3518437209);
    __m256i even = _mm256_srli_epi64(_mm256_mul_epu32((__m256i)ints, by), 45);
    __m256i odd = _mm256_srli_epi64(_mm256_mul_epu32(_mm256_srli_epi64((__m256i)ints, 32), by), 13);
    return (ABREAST_INTS)_mm256_blend_epi32(even, odd, 0xAA);
}

/* With s = 10^4 a + b, (s r + 5000) // 10^4 = a r + (b r + 5000) // 10^4, where b r + 5000 <= 9999 * 10^4 + 5000. */
static inline ABREAST_INTS abreast_share_avx2(ABREAST_INTS fen, ABREAST_INTS ratio) {
    ABREAST_INTS whole = abreast_wholes_avx2(fen), rest = fen - whole * 10000;
    return whole * ratio + abreast_wholes_avx2(rest * ratio + 5000);
}

/* The shares of three amounts, whose ratios stand two in one number, the third below another number. */
static inline ABREAST_INTS abreast_shares_avx2(
    ABREAST_INTS a, ABREAST_INTS b, ABREAST_INTS c, ABREAST_INTS lower, ABREAST_INTS upper
) {
    return abreast_share_avx2(a, lower & 65535) + abreast_share_avx2(b, ABREAST_SHIFTED(lower, 16))
         + abreast_share_avx2(c, upper & ((1 << RATIO_BITS) - 1));
}

/* Turns four rows of four numbers into four columns of them, or back, in each half. */
static inline void abreast_turn_avx2(__m256i four[4]) {
    __m256i ab = _mm256_unpacklo_epi32(four[0], four[1]), cd = _mm256_unpacklo_epi32(four[2], four[3]);
    __m256i ef = _mm256_unpackhi_epi32(four[0], four[1]), gh = _mm256_unpackhi_epi32(four[2], four[3]);
    four[0] = _mm256_unpacklo_epi64(ab, cd), four[1] = _mm256_unpackhi_epi64(ab, cd);
    four[2] = _mm256_unpacklo_epi64(ef, gh), four[3] = _mm256_unpackhi_epi64(ef, gh);
}

/* Takes the four numbers of each lane's row of a table, which is so many bytes from its first. */
static inline void abreast_four_avx2(const void *table, const uint32_t *at, ABREAST_INTS *words) {
    __m256i four[4];
    for (int row = 0; row < 4; row++)
        four[row] = _mm256_inserti128_si256(
            _mm256_castsi128_si256(_mm_loadu_si128((const __m128i *)((const char *)table + at[row]))),
            _mm_loadu_si128((const __m128i *)((const char *)table + at[row + 4])), 1);
    abreast_turn_avx2(four);
    for (int word = 0; word < 4; word++) words[word] = (ABREAST_INTS)four[word];
}

/* Takes the eight numbers of each lane's row of a table. */
static inline void abreast_eight_avx2(const void *table, const uint32_t *at, ABREAST_INTS *words) {
    __m256i part[2][4];
    for (int lane = 0; lane < 8; lane++)
        part[lane / 4][lane % 4] = _mm256_loadu_si256((const __m256i *)((const char *)table + at[lane]));
    abreast_turn_avx2(part[0]);
    abreast_turn_avx2(part[1]);
    for (int word = 0; word < 4; word++) {
        words[word] = (ABREAST_INTS)_mm256_permute2x128_si256(part[0][word], part[1][word], 0x20);
        words[word + 4] = (ABREAST_INTS)_mm256_permute2x128_si256(part[0][word], part[1][word], 0x31);
    }
}

/* Puts four numbers of each lane into its row. */
static inline void abreast_book_avx2(void *table, const uint32_t *at, const ABREAST_INTS words[ROW]) {
    __m256i four[4] = {(__m256i)words[0], (__m256i)words[1], (__m256i)words[2], (__m256i)words[3]};
    abreast_turn_avx2(four);
    for (int row = 0; row < 4; row++) {
        _mm_storeu_si128((__m128i *)((char *)table + at[row]), _mm256_castsi256_si128(four[row]));
        _mm_storeu_si128((__m128i *)((char *)table + at[row + 4]), _mm256_extracti128_si256(four[row], 1));
    }
}

/* Takes what the lanes' years hold; returns whether some of it is not within what goes abreast. */
static inline int abreast_take_avx2(int64_t *const *year, ABREAST_INTS *held) {
    uint64_t beyond = 0;
    for (int lane = 0; lane < 8; lane++) {
        for (int at = 0; at < HELD; at++) {
            beyond |= (uint64_t)year[lane][at];
            held[at][lane] = (int32_t)year[lane][at];
        }
        beyond |= (uint64_t)year[lane][H_STAYS] << (AMOUNT_BITS - STAYS_BITS);
    }
    return beyond >> AMOUNT_BITS != 0;
}

/* Gives back what of years is 0 or more. */
static inline void abreast_give_avx2(int64_t *const *year, const ABREAST_INTS *held) {
    for (int lane = 0; lane < 8; lane++)
        for (int at = 0; at < HELD; at++) year[lane][at] = held[at][lane];
}

/* Lets eight numbers leave past the caches, a whole line of them. */
static inline void abreast_past_avx2(int64_t *to, const int64_t *from) {
    _mm256_stream_si256((__m256i *)to, _mm256_loadu_si256((const __m256i *)from));
    _mm256_stream_si256((__m256i *)to + 1, _mm256_loadu_si256((const __m256i *)from + 1));
}

/* See abreast_rows.h. */
static inline void abreast_leave_some_avx2(abreast_left *left);

static int abreast_hold_avx2(abreast_window *window, const abreast_rows *rows) {
    uint8_t *apart = window->apart;
    int64_t before = -1;
    for (size_t run = 0; run < window->runs; run++) {
        int64_t holder = rows->holder[window->person[run]], balance = rows->accounts[holder];
        if (holder < before) return 0;
        if (holder == before) apart[run - 1] = apart[run] = 1;
        if ((uint64_t)balance >> AMOUNT_BITS) apart[run] = 1;
        window->account[run] = before = holder;
        window->balance[run] = (int32_t)balance;
    }
    return 1;
}

/* Fills plans and amounts of rows, four columns of them, as loops that compilers turn into wide instructions. */
static inline void abreast_told_avx2(const abreast_rows *rows, size_t first, size_t count, int32_t told[ROW][BESIDE]) {
    const int64_t *plan = rows->plan + first, *kind = rows->kind + first;
    const int64_t *medfee = rows->medfee + first, *fulamt = rows->fulamt + first, *overlmt = rows->overlmt + first;
    const int64_t *preself = rows->preself + first, *inscp = rows->inscp + first, *hosp = rows->hosp + first;
    const int64_t last_plan = rows->plans - 1, compute = rows->compute;
    ABREAST_EACH
    for (size_t at = 0; at < count; at++) {
        uint64_t amounts = (uint64_t)(medfee[at] | fulamt[at] | overlmt[at] | preself[at] | inscp[at] | hosp[at]);
        uint64_t apart = (uint64_t)medfee[at] - (uint64_t)fulamt[at] - (uint64_t)overlmt[at] - (uint64_t)preself[at]
                       - (uint64_t)inscp[at];
        uint64_t outside = ((uint64_t)plan[at] | ((uint64_t)last_plan - (uint64_t)plan[at])) >> 63;
        uint64_t unfit = amounts >> AMOUNT_BITS | apart | outside | (uint64_t)(kind[at] ^ compute);
        int32_t fit = -(int32_t)(unfit == 0);
        told[R_SAID][at] = ((int32_t)plan[at] + 1) & fit;
        told[R_INSCP][at] = (int32_t)inscp[at] & fit;
        told[R_PRESELF][at] = (int32_t)preself[at] & fit;
        told[R_DUE][at] = (int32_t)((uint64_t)medfee[at] - (uint64_t)hosp[at]) & fit;
    }
}

static int abreast_look_avx2(
    const abreast_rows *rows, size_t first, size_t count, abreast_window *window, abreast_next *next,
    abreast_left *left
) {
    int32_t told[ROW][BESIDE];
    const int64_t *slot = rows->slot + first;
    size_t runs = 0, odds = 0;
    int down = 0;
    abreast_told_avx2(rows, first, count, told);
    for (size_t at = 0; at < count; at++) {
        for (int word = 0; word < ROW; word++) window->row[at][word] = told[word][at];
        window->begins[runs] = (int32_t)at;
        window->person[runs] = slot[at];
        runs += at == 0 || slot[at] != slot[at - 1];
        down |= at && slot[at] < slot[at - 1];
        window->odd[odds] = (int32_t)at;
        odds += told[R_SAID][at] == 0;
        if (at % 16 == 0) abreast_leave_some_avx2(left);
        if (at % 32 == 8) abreast_ask(next);
    }
    window->begins[runs] = (int32_t)count;
    window->runs = runs;
    memset(window->apart, 0, runs);
    window->odds = odds;
    return !down;
}

static size_t abreast_line_up_avx2(abreast_window *window) {
    uint8_t *apart = window->apart;
    int32_t longer[RUN_MOST + 1];
    size_t rounds = 0;
    memset(longer, 0, sizeof(longer));
    for (size_t run = 0; run < window->runs; run++) {
        int32_t length = window->begins[run + 1] - window->begins[run];
        apart[run] |= length > RUN_MOST;
        window->length[run] = apart[run] ? 0 : length;
        if (!apart[run]) longer[length - 1]++;
    }
    for (int length = RUN_MOST - 1; length >= 0; length--) longer[length] += longer[length + 1];
    window->lanes = (size_t)longer[0];
    for (size_t run = 0; run < window->runs; run++)
        if (!apart[run]) window->order[longer[window->length[run]]++] = (int32_t)run;
    for (size_t lane = 0; lane < window->lanes; lane += 8) rounds += (size_t)window->length[window->order[lane]];
    return 8 * rounds;
}

static void abreast_put_avx2(const abreast_window *window, size_t count, int64_t *beside, abreast_next *next) {
    for (size_t at = 0; at < count; at += 8) {
        __m256i four[BOOKED], both[4];
        for (int row = 0; row < 4; row++) both[row] = _mm256_loadu_si256((const __m256i *)window->row[at + 2 * row]);
        for (int row = 0; row < 2; row++) {
            four[2 * row] = _mm256_permute2x128_si256(both[row], both[row + 2], 0x20);
            four[2 * row + 1] = _mm256_permute2x128_si256(both[row], both[row + 2], 0x31);
        }
        abreast_turn_avx2(four);
        four[B_CASH] = _mm256_sub_epi32(four[B_PART], four[B_ACCT]);
        for (int column = 0; column < BOOKED; column++) {
            __m256i *to = (__m256i *)(beside + column * BESIDE + at);
            _mm256_storeu_si256(to, _mm256_cvtepi32_epi64(_mm256_castsi256_si128(four[column])));
            _mm256_storeu_si256(to + 1, _mm256_cvtepi32_epi64(_mm256_extracti128_si256(four[column], 1)));
        }
        if (at % 32 == 8) abreast_ask(next);
    }
}
