/* Settles persons abreast: a window of rows sorted by person is cut into runs, one a person; runs of like length stand
   side by side, a lane each, and the k-th rows of all of them are settled in round k, so that one instruction serves
   many. The specification is core_ext.reference.basic.

   Whole numbers, and no operation that could leave them. What comes in is looked over first: every amount of a claim and
   everything a year and an account hold is 0 or more and below 2^30 fen (AMOUNT_BITS, ten million yuan), a claim's parts
   add up to its fee (I1), a year has below 2^10 stays (STAYS_BITS); and of a plan ``abreast.pxd`` takes only what says
   amounts below 2^30, a step of the deductible below 2^18 (LESS_BITS), ratios of whole basis points, and cuts edges and
   ceilings at 2^31 - 1. So within 32 bits there lie
   - a share, at most the amount it is a share of, as no ratio is above 10^4: (s r + 5000) // 10^4 is the reference's
     share, whose ratio and divisor both are 10^4 times these; how it is divided, see abreast_avx2.h and abreast_avx512.h;
   - a deductible before its floor, amount - less * stays - counted, above -(2^29 + 2^30), as rounds of a group, at most
     RUN_MOST, add so many stays to what it began with: below 2^11;
   - where segments begin: a part or the whole of four accumulators whose sum is below 2^30, or 0; where they stop:
     below 2^31, so that no edge that was cut lies below it;
   - what an account may pay: parts of one fee less a deductible, above -2^30 and below 2^30;
   - what a person pays: a fee less a hospital's part less a fund's, above -2^31; below 0 it is a fault.
   After each round everything held is again below those bounds, stays after the last, or the lanes have a fault, which is
   kept, whatever their later rounds come to: nothing of them is written, and they are settled one row at a time, as is
   every person of whom a row was not fit to go abreast. */
#ifndef CORE_EXT_ABREAST_H
#define CORE_EXT_ABREAST_H

#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "wide.h"

/* A window's rows, no page of a column, behind which STEP stand that are none; the most lanes there are; the longest run
   of one person's rows that goes abreast; how far columns of a window's amounts stand apart. */
enum { WINDOW = 320, STEP = 16, RUN_MOST = 32, BESIDE = WINDOW + STEP, NOBODY = BESIDE - 1 };
enum { AMOUNT_BITS = 30, STAYS_BITS = 10, LESS_BITS = 18, RATIO_BITS = 14, PLANS_BITS = 26 };
/* SAYS_USUAL: a deductible by the stay's ordinal, before the segments, is waived under a reached ceiling; segments are of
   inpatients and three at most, the third without an edge; a claim counts as a stay; an account pays what is in scope and
   the first self-pay, or nothing. */
enum {
    SAYS_STAY = 1, SAYS_WAIVED = 2, SAYS_INSIDE = 4, SAYS_BEGINS = 8, SAYS_BEGINS_ALL = 16, SAYS_ANNUAL = 32,
    SAYS_BELOW_COUNTS = 64, SAYS_IN_SCOPE = 128, SAYS_PRESELF = 256, SAYS_NOT_DEDUCTIBLE = 512, SAYS_PLACED = 1024,
    SAYS_USUAL = 1 << 14, SAYS_FIRST_AT = 16
};
/* The columns of a person's year. */
enum { H_STAYS, H_COUNTED, H_PLACED, H_HIFP = 6, H_INSCP, HELD };

/* What a plan says, in half a line of the cache: switches and above them the ratio of the first self-pay; the ratios of
   two segments in one number; the third segment's ratio and above it the step of the deductible; two edges. The first of
   a table is no plan's, and usual. */
typedef struct {
    int32_t amount, floor, ceiling, says, lower, upper, edge[2];
} abreast_terms;

/* Its numbers in their order. */
enum { T_AMOUNT, T_FLOOR, T_CEILING, T_SAYS, T_LOWER, T_UPPER, T_EDGE, TERMS = 8 };

/* What few plans say beside it: the third edge and the ratio above it; whether a plan goes abreast; of the first of a
   table, whether there is one that does not. */
typedef struct {
    int32_t edge, ratio, known, mixed;
} abreast_more;

/* Of a row its plan, from 1, and amounts, all 0 where it is not fit; a preself of -1 is a refund. */
enum { R_SAID, R_INSCP, R_PRESELF, R_DUE, ROW };
/* What takes their place once it is settled, and what follows from it. */
enum { B_DEDC, B_HIFP, B_PART, B_ACCT, B_CASH, BOOKED };

/* A window; rows begin at whole lines of the cache, as what is taken or put sixteen numbers at a time is dearer across
   two. */
typedef struct {
    __attribute__((aligned(64))) int32_t row[BESIDE][ROW];
    /* Of runs, in their order: the first row, behind the last run where it ends; how many rows, 0 where it goes row by
       row; whose it is, and the account. The last of them is NOBODY's. */
    int32_t begins[BESIDE], length[BESIDE], balance[BESIDE];
    int64_t person[BESIDE], account[BESIDE];
    /* Runs, longer ones first, behind them NOBODY; rows that are no claim fit to go abreast. */
    int32_t order[BESIDE], odd[BESIDE];
    /* Of rounds, WIDE lanes each, where their rows are; see abreast_rows.h. */
    uint32_t place[2 * BESIDE + STEP];
    size_t runs, odds, lanes;
    int64_t nobody[HELD];
    /* Of runs, whether they go one by one. */
    uint8_t apart[BESIDE + 64];
} abreast_window;

typedef struct {
    const int64_t *slot, *plan, *kind, *medfee, *fulamt, *overlmt, *preself, *inscp, *hosp, *holder;
    int64_t *years, *accounts;
    int64_t plans, compute;
    const abreast_terms *terms;
    const abreast_more *more;
} abreast_rows;

/* What a window books, beside the columns; so many numbers a column that each begins at a whole line. */
typedef struct {
    __attribute__((aligned(64))) int64_t booked[BOOKED * BESIDE];
} abreast_beside;

/* What a window booked, which stands beside the columns and has yet to leave for them past the caches, whole lines of
   each: the lines from ``at`` on. */
typedef struct {
    int64_t *to[BOOKED];
    const int64_t *from[BOOKED];
    size_t at, lines;
} abreast_left;

/* What the next window needs, asked for little by little: columns, eight rows each time, the years and accounts of its
   persons and what its plans say. */
typedef struct {
    const int64_t *column[9], *plan;
    const char *years, *terms;
    const int64_t *holder, *accounts;
    size_t at, rows, year, persons;
} abreast_next;

static inline void abreast_ask(abreast_next *next) {
    if (next->at + 8 > next->rows) return;
    for (int column = 0; column < 9; column++) __builtin_prefetch(next->column[column] + next->at, 0, 1);
    for (int row = 0; row < 8; row++)
        __builtin_prefetch(next->terms + (size_t)(uint32_t)(next->plan[next->at + row] + 1) * sizeof(abreast_terms), 0, 1);
    if (next->year + 4 <= next->persons) {
        for (int line = 0; line < 4; line++) __builtin_prefetch(next->years + (next->year + line) * 64, 0, 1);
        __builtin_prefetch(next->holder + next->year, 0, 1);
        __builtin_prefetch(next->accounts + next->year, 0, 1);
    }
    next->year += 4;
    next->at += 8;
}

/* Has the compiler read numbers from memory, rather than take them out of a wide register one by one: that is dearer. */
#define ABREAST_FROM_MEMORY(numbers) __asm__ __volatile__("" : "+m"(*(int32_t(*)[ABREAST_WIDE])(numbers)))

typedef struct {
    /* Looks ``count`` rows from ``first`` on over, and cuts them into runs, none of them ``apart``; returns whether they
       are sorted. Meanwhile, as in what follows, the next window is asked for and what is left of the one before leaves: a
       piece of each every so often, as memory takes them, so that both are done at the latest in time. */
    int (*look)(
        const abreast_rows *rows, size_t first, size_t count, abreast_window *window, abreast_next *next,
        abreast_left *left);
    /* Fills whose account each run's is, and what it holds; runs that share one, or hold what does not go abreast, are
       ``apart``. Returns whether accounts are sorted as persons are. */
    int (*hold)(abreast_window *window, const abreast_rows *rows);
    /* Puts runs that are not ``apart`` in order, longer ones first; returns how many places their rounds have. */
    size_t (*line_up)(abreast_window *window);
    /* Settles the lanes; those of whom something goes too far are ``apart`` from then on, and nothing of them counts. */
    void (*settle)(abreast_window *window, const abreast_rows *rows, abreast_next *next, abreast_left *left);
    /* Puts what rows booked beside the columns, 64 bits each. */
    void (*put)(const abreast_window *window, size_t count, int64_t *beside, abreast_next *next);
    /* Lets what is left of a window's rows leave. */
    void (*leave)(abreast_left *left);
} abreast_way;

#ifdef WIDE_KNOWN
#if defined(__clang__)
#define ABREAST_EACH _Pragma("clang loop vectorize(assume_safety)")
#define ABREAST_WIDEST
#else
#define ABREAST_EACH _Pragma("GCC ivdep")
#define ABREAST_WIDEST ",prefer-vector-width=512"
#endif
WIDE_BEGIN("avx2,bmi,bmi2,popcnt")
#include "abreast_avx2.h"
#include "abreast_rows.h"
WIDE_END
WIDE_BEGIN(WIDE_512 ",avx2,bmi,bmi2,popcnt,avx512ifma" ABREAST_WIDEST)
#include "abreast_avx512.h"
#include "abreast_rows.h"
WIDE_END

/* Returns how a processor settles, of so many lanes as are allowed at most; NULL where it cannot. */
static inline const abreast_way *abreast_chosen(int widest) {
    static const abreast_way avx512 = {
        abreast_look_avx512, abreast_hold_avx512, abreast_line_up_avx512, abreast_settle_avx512, abreast_put_avx512, abreast_leave_avx512
    };
    static const abreast_way avx2 = {
        abreast_look_avx2, abreast_hold_avx2, abreast_line_up_avx2, abreast_settle_avx2, abreast_put_avx2, abreast_leave_avx2
    };
    __builtin_cpu_init();
    if (widest >= 16 && wide_there() && __builtin_cpu_supports("avx512ifma") && __builtin_cpu_supports("bmi2"))
        return &avx512;
    return widest >= 8 && __builtin_cpu_supports("avx2") && __builtin_cpu_supports("bmi2") ? &avx2 : NULL;
}
#else
static inline const abreast_way *abreast_chosen(int widest) { return (void)widest, NULL; }
#endif

#endif
