/* Settles persons abreast: a window of rows sorted by person is taken round by round, the k-th row of every person in
   round k, so that one instruction serves many of them. The specification is core_ext.reference.basic.

   Whole numbers of 32 bits, and no operation that could leave them. What comes in is looked over first: every amount of
   a claim and everything a year and an account hold is 0 or more and below 2^30 fen (AMOUNT_BITS, ten million yuan), a
   claim's parts add up to its fee (I1), a year has below 2^10 stays (STAYS_BITS); and of a plan ``abreast.pxd`` takes
   only what says amounts below 2^30, a step of the deductible below 2^20 (LESS_BITS), ratios of whole basis points, and
   cuts edges and ceilings at 2^31 - 1. So
   - a share: with s = 10^4 a + b, (s r + 5000) // 10^4 = a r + (b r + 5000) // 10^4, where b r + 5000 <= 9999 * 10^4 +
     5000 and the result is at most s, as r is at most 10^4. It is the reference's share, whose ratio and divisor both
     are 10^4 times these;
   - a deductible before its floor, amount - less * stays - counted, lies above -(2^30 + 2^30);
   - where segments begin: a part or the whole of four accumulators whose sum is below 2^30, or 0; where they stop:
     below 2^31, so that no edge that was cut lies below it;
   - what an account may pay: parts of one fee less a deductible, above -2^30 and below 2^30;
   - what a person pays: a fee less a hospital's part less a fund's, above -2^31; below 0 it is a fault.
   After each round everything held is again below those bounds, or the window has a fault: nothing of it has been
   written, and it is settled one row at a time, as is every person of whom a row was not fit to go abreast. */
#ifndef CORE_EXT_ABREAST_H
#define CORE_EXT_ABREAST_H

#include <stddef.h>
#include <stdint.h>
#include <string.h>

/* A window's rows; lanes go by whole STEPs; the longest run of one person's rows that goes abreast; where amounts of
   a window stand beside the columns: a column every BESIDE, whose places behind WINDOW stand for no row. */
enum { WINDOW = 256, STEP = 16, RUN_MOST = 32, BESIDE = WINDOW + STEP };
enum { AMOUNT_BITS = 30, STAYS_BITS = 10, LESS_BITS = 20 };
enum {
    SAYS_ANNUAL = 1, SAYS_WAIVED = 2, SAYS_INSIDE = 4, SAYS_BEGINS = 8, SAYS_BEGINS_ALL = 16, SAYS_STAY = 32,
    SAYS_BELOW_COUNTS = 64, SAYS_IN_SCOPE = 128, SAYS_PRESELF = 256, SAYS_NOT_DEDUCTIBLE = 512, SAYS_PLACED = 1024,
    SAYS_FIRST_AT = 16
};
enum { H_STAYS, H_COUNTED, H_PLACED, H_HIFP = 6, H_INSCP, H_BALANCE, HELD };

/* What a plan says, in one line of the cache: switches and above them the ratio of the first self-pay; ratios of the
   segments, two in one number, the last of them without an edge. The first of a table, of no plan, says nothing but
   whether there is a plan that is not ``known``. */
typedef struct {
    int32_t amount, less, floor, ceiling, says, lower, upper, edge[3], unused[2], known, mixed, rest[2];
} abreast_terms;

typedef struct {
    /* Of the window's rows: their plans, from 1, and amounts, 0 where a row is not fit; a preself of -1 is a refund. */
    int32_t said[BESIDE], inscp[BESIDE], preself[BESIDE], due[BESIDE];
    /* Of lanes: the first row, and what is held. */
    int32_t begins[BESIDE], held[HELD][BESIDE];
    /* Of a round: its rows, their amounts and what their plans say. */
    int32_t row[BESIDE], plan[BESIDE], of_inscp[BESIDE], of_preself[BESIDE], of_due[BESIDE], says[12][BESIDE];
    /* What a round and the one before it booked and moved. */
    int32_t dedc[2][BESIDE], hifp[2][BESIDE], part[2][BESIDE], acct[2][BESIDE];
    int32_t placed[2][BESIDE], counted[2][BESIDE], stays[2][BESIDE], scope[2][BESIDE];
    /* What rows booked. */
    int32_t booked[BESIDE][4];
} abreast_lanes;

/* What is found of a window: where runs begin, and where the last ends; rows that are no claim fit to go abreast. */
typedef struct {
    size_t runs, odds;
    int32_t begins[BESIDE], odd[BESIDE];
} abreast_runs;

/* The numbers of abreast_terms in their order. */
enum { T_AMOUNT, T_LESS, T_FLOOR, T_CEILING, T_SAYS, T_LOWER, T_UPPER, T_EDGE };

typedef struct {
    const int64_t *plan, *kind, *medfee, *fulamt, *overlmt, *preself, *inscp, *hosp;
    int64_t plans, compute;
} abreast_rows;

static inline int32_t abreast_most(int32_t a, int32_t b) { return a > b ? a : b; }
static inline int32_t abreast_least(int32_t a, int32_t b) { return a < b ? a : b; }

/* All bits where a plan says so, else none. */
static inline int32_t abreast_mask(int32_t says, int32_t what) { return -(int32_t)((says & what) != 0); }

static inline int32_t abreast_share(int32_t fen, uint32_t ratio) {
    uint32_t whole = (uint32_t)fen / 10000u, rest = (uint32_t)fen - whole * 10000u;
    return (int32_t)(whole * ratio + (rest * ratio + 5000u) / 10000u);
}

/* What the next window needs, asked for little by little: columns, eight rows each time, the years of its persons and
   what its plans say. */
typedef struct {
    const int64_t *column[9], *plan;
    const char *years, *terms;
    size_t at, rows, year, persons;
} abreast_next;

static inline void abreast_ask(abreast_next *next) {
    if (next->at >= next->rows) return;
    for (int column = 0; column < 9; column++) __builtin_prefetch(next->column[column] + next->at);
    for (size_t row = next->at; row < next->at + 8 && row < next->rows; row++)
        __builtin_prefetch(next->terms + (size_t)(uint32_t)(next->plan[row] + 1) * sizeof(abreast_terms));
    for (int line = 0; line < 4 && next->year < next->persons; line++, next->year++)
        __builtin_prefetch(next->years + next->year * 64);
    next->at += 8;
}

#if defined(__clang__)
#define ABREAST_EACH _Pragma("clang loop vectorize(assume_safety)")
#else
#define ABREAST_EACH _Pragma("GCC ivdep")
#endif

typedef struct {
    void (*look)(const abreast_rows *rows, size_t first, size_t count, abreast_lanes *lanes);
    int (*find)(const int64_t *slot, size_t count, const abreast_lanes *lanes, abreast_runs *runs);
    uint64_t (*take)(const int64_t *years, const int64_t *holder, const int64_t *accounts, const int64_t *person,
                     size_t count, abreast_lanes *lanes);
    int (*settle)(abreast_lanes *lanes, const abreast_terms *terms, const int32_t *widths, size_t rounds, abreast_next *next);
    void (*put)(const abreast_lanes *lanes, size_t count, int64_t *beside);
} abreast_way;

#if defined(__x86_64__) && (defined(__GNUC__) || defined(__clang__))
#include <immintrin.h>
#if defined(__clang__)
#pragma clang attribute push(__attribute__((target("avx2,bmi,bmi2,popcnt"))), apply_to = function)
#else
#pragma GCC push_options
#pragma GCC target("avx2,bmi,bmi2,popcnt")
#endif
static inline __m128i abreast_part(const abreast_terms *terms, int32_t at, int part) {
    return _mm_loadu_si128((const __m128i *)&terms[at] + part);
}
/* Writes ``at`` and the place of each bit; returns how many. */
static inline size_t abreast_append(int32_t *to, uint32_t bits, int32_t at) {
    size_t count = 0;
    for (; bits; bits &= bits - 1) to[count++] = at + __builtin_ctz(bits);
    return count;
}
#define ABREAST_NAME(name) name##_avx2
#define ABREAST_WIDE 8
#define ABREAST_INTS __m256i
#define ABREAST_LOAD(from) _mm256_loadu_si256((const __m256i *)(from))
#define ABREAST_STORE(to, ints) _mm256_storeu_si256((__m256i *)(to), ints)
#define ABREAST_AT(from, at) _mm256_i32gather_epi32((const int *)(from), at, 4)
#define ABREAST_DIFFER64(a, b) (_mm256_movemask_pd(_mm256_castsi256_pd(_mm256_cmpeq_epi64(a, b))) ^ 15)
#define ABREAST_LESS64(a, b) _mm256_movemask_pd(_mm256_castsi256_pd(_mm256_cmpgt_epi64(b, a)))
#define ABREAST_NONE(a) _mm256_movemask_ps(_mm256_castsi256_ps(_mm256_cmpeq_epi32(a, _mm256_setzero_si256())))
#define ABREAST_APPEND(to, bits, at) abreast_append(to, bits, at)
#define ABREAST_FOUR(terms, at, part)                                                            \
    _mm256_inserti128_si256(_mm256_castsi128_si256(abreast_part(terms, (at)[0], part)), abreast_part(terms, (at)[4], part), 1)
#define ABREAST_LOW _mm256_unpacklo_epi32
#define ABREAST_HIGH _mm256_unpackhi_epi32
#define ABREAST_LOW2 _mm256_unpacklo_epi64
#define ABREAST_HIGH2 _mm256_unpackhi_epi64
#include "abreast_rows.h"
#undef ABREAST_NAME
#undef ABREAST_WIDE
#undef ABREAST_INTS
#undef ABREAST_LOAD
#undef ABREAST_STORE
#undef ABREAST_AT
#undef ABREAST_DIFFER64
#undef ABREAST_LESS64
#undef ABREAST_NONE
#undef ABREAST_APPEND
#undef ABREAST_FOUR
#undef ABREAST_LOW
#undef ABREAST_HIGH
#undef ABREAST_LOW2
#undef ABREAST_HIGH2
#if defined(__clang__)
#pragma clang attribute pop
#pragma clang attribute push(__attribute__((target("avx2,bmi,bmi2,popcnt,avx512f,avx512bw,avx512dq,avx512vl"))), apply_to = function)
#else
#pragma GCC pop_options
#pragma GCC push_options
#pragma GCC target("avx2,bmi,bmi2,popcnt,avx512f,avx512bw,avx512dq,avx512vl,prefer-vector-width=512")
#endif
#define ABREAST_NAME(name) name##_avx512
#define ABREAST_WIDE 16
#define ABREAST_INTS __m512i
#define ABREAST_LOAD(from) _mm512_loadu_si512(from)
#define ABREAST_STORE(to, ints) _mm512_storeu_si512(to, ints)
#define ABREAST_AT(from, at) _mm512_i32gather_epi32(at, (const int *)(from), 4)
#define ABREAST_DIFFER64(a, b) _mm512_cmpneq_epi64_mask(a, b)
#define ABREAST_LESS64(a, b) _mm512_cmplt_epi64_mask(a, b)
#define ABREAST_NONE(a) _mm512_testn_epi32_mask(a, a)
#define ABREAST_APPEND(to, bits, at) abreast_append_wide(to, bits, at)
#define ABREAST_FOUR(terms, at, part)                                                            \
    _mm512_inserti32x4(_mm512_inserti32x4(_mm512_inserti32x4(_mm512_castsi128_si512(             \
        abreast_part(terms, (at)[0], part)), abreast_part(terms, (at)[4], part), 1),             \
        abreast_part(terms, (at)[8], part), 2), abreast_part(terms, (at)[12], part), 3)
#define ABREAST_LOW _mm512_unpacklo_epi32
#define ABREAST_HIGH _mm512_unpackhi_epi32
#define ABREAST_LOW2 _mm512_unpacklo_epi64
#define ABREAST_HIGH2 _mm512_unpackhi_epi64
/* Writes ``at`` and the place of each bit; returns how many. */
static inline size_t abreast_append_wide(int32_t *to, uint32_t bits, int32_t at) {
    const __m512i places = _mm512_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15);
    _mm512_storeu_si512(to, _mm512_maskz_compress_epi32((__mmask16)bits, _mm512_add_epi32(places, _mm512_set1_epi32(at))));
    return (size_t)__builtin_popcount(bits);
}
#include "abreast_rows.h"
#undef ABREAST_NAME
#if defined(__clang__)
#pragma clang attribute pop
#else
#pragma GCC pop_options
#endif

/* Returns how many lanes at a time a processor settles at most, of so many as are allowed; NULL where it cannot. */
static inline const abreast_way *abreast_chosen(int widest) {
    static const abreast_way avx512 = {abreast_look_avx512, abreast_find_avx512, abreast_take_avx512, abreast_settle_avx512, abreast_put_avx512};
    static const abreast_way avx2 = {abreast_look_avx2, abreast_find_avx2, abreast_take_avx2, abreast_settle_avx2, abreast_put_avx2};
    __builtin_cpu_init();
    if (widest >= 16 && __builtin_cpu_supports("avx512bw") && __builtin_cpu_supports("avx512dq")
        && __builtin_cpu_supports("avx512vl") && __builtin_cpu_supports("bmi2"))
        return &avx512;
    return widest >= 8 && __builtin_cpu_supports("avx2") && __builtin_cpu_supports("bmi2") ? &avx2 : NULL;
}
#else
static inline const abreast_way *abreast_chosen(int widest) { return (void)widest, NULL; }
#endif

#endif
