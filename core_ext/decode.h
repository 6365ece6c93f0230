/* Reads msgpack states eight rows at a time where the processor can: of each row eight integers at once, wherever they
   begin. The choice is made once, when the module is loaded, by asking the processor.

   A block of rows is read here or not at all: whatever is unusual in one of them, and every fault, is left to the
   reader that goes field by field and says what is wrong. */
#ifndef CORE_EXT_DECODE_H
#define CORE_EXT_DECODE_H

#include "msgpack.h"
#include "wide.h"

enum { DECODE_INT, DECODE_STR, DECODE_BYTES, DECODE_INTS, DECODE_OPTIONAL, DECODE_TABLE };
#define DECODE_ABSENT INT64_MIN
/* Rows of a block, and what may be written behind the last text. */
#define DECODE_ROWS 8
#define DECODE_SLACK 64

/* One column; ``used`` counts the bytes of its texts. */
typedef struct {
    int64_t kind, width;
    int64_t *values, *present, *offsets;
    uint8_t *data;
    int64_t used;
} decode_out;

typedef int (*decode_utf8_t)(const uint8_t *text, int64_t n);
/* Reads DECODE_ROWS of n rows from ``row`` on and returns 1, or 0 where they are to be read one by one. */
typedef int (*decode_block_t)(decode_out *outs, int64_t count, int64_t fields, const int64_t *starts,
                              const int64_t *sizes, int64_t row, int64_t n, decode_utf8_t utf8);

#if defined(__GNUC__) || defined(__clang__)
static inline void decode_ask_for(const void *place) { __builtin_prefetch(place); }
#else
static inline void decode_ask_for(const void *place) { (void)place; }
#endif

#ifdef WIDE_KNOWN
WIDE_BEGIN(WIDE_512 ",avx512vbmi,bmi,bmi2")

typedef struct { const uint8_t *at[DECODE_ROWS], *end[DECODE_ROWS]; } decode_rows;

static inline __mmask64 decode_first(int64_t n) { return _cvtu64_mask64(n >= 64 ? ~UINT64_C(0) : (UINT64_C(1) << n) - 1); }

/* Constants in memory, where they are operands: in a loop that calls, a compiler would make each anew in a register. */
enum {
    DECODE_IOTA, DECODE_EIGHTFOLD = 8, DECODE_SIZES = 16, DECODE_HEADS = 24, DECODE_FIFTEEN = 26, DECODE_LAST = 28,
    DECODE_BEHIND = 30, DECODE_BITS = 32, DECODE_GONE = 34, DECODE_NONE_FROM = 36, DECODE_EIGHT = 38,
    DECODE_TWELVE = 40, DECODE_NIL = 42, DECODE_UNIT = 44, DECODE_FOUR = 46, DECODE_THREE = 48
};
#define DECODE_TWICE(byte) (int64_t)(UINT64_C(0x0101010101010101) * (byte)), (int64_t)(UINT64_C(0x0101010101010101) * (byte))
const int64_t decode_words[] __attribute__((weak, visibility("hidden"))) = {
    0x0706050403020100, 0x0F0E0D0C0B0A0908, 0x1716151413121110, 0x1F1E1D1C1B1A1918,
    0x2726252423222120, 0x2F2E2D2C2B2A2928, 0x3736353433323130, 0x3F3E3D3C3B3A3938,
    0, 0x0101010101010101, 0x0202020202020202, 0x0303030303030303,
    0x0404040404040404, 0x0505050505050505, 0x0606060606060606, 0x0707070707070707,
    0x0905030209050302, 0x0101010101010101, 0x0905030209050302, 0x0101010101010101,
    0x0905030209050302, 0x0101010101010101, 0x0905030209050302, 0x0101010101010101,
    DECODE_TWICE(0xCC), DECODE_TWICE(15), DECODE_TWICE(63),
    0x0102030405060708, 0x0102030405060708, 72, 72, DECODE_ABSENT, DECODE_ABSENT,
    DECODE_TWICE(0xB4), DECODE_TWICE(8), DECODE_TWICE(12), DECODE_TWICE(0xC0), DECODE_TWICE(1), DECODE_TWICE(4), DECODE_TWICE(3),
};
#define DECODE_ALL(name) _mm512_loadu_si512(decode_words + DECODE_##name)
#define DECODE_EACH(name) _mm512_set1_epi64(decode_words[DECODE_##name])
#define DECODE_FEW(name) _mm_loadu_si128((const __m128i *)(decode_words + DECODE_##name))

/* Reads up to n (1 to 8) integers at ``*at``, whose ``bytes`` have nothing but zeros behind the ``left`` there are, and
   moves behind them; returns how many end within 62 bytes and are integers throughout, 0 for none or a fault. With
   ``nil`` a nil is an absent one. */
static inline int decode_eight(__m512i bytes, const uint8_t **at, int64_t left, int n, int nil, __m512i *values) {
    /* Where the integer that began at each byte would end; then where the second and the fourth from there would. */
    __m512i form = _mm512_min_epu8(_mm512_sub_epi8(bytes, DECODE_EACH(HEADS)), DECODE_EACH(FIFTEEN));
    __m512i ends = _mm512_add_epi8(DECODE_ALL(IOTA), _mm512_shuffle_epi8(DECODE_ALL(SIZES), form));
    __m512i one = _mm512_min_epu8(ends, DECODE_EACH(LAST));
    __m512i two = _mm512_permutexvar_epi8(one, one);
    __m512i four = _mm512_permutexvar_epi8(two, two);
    __m128i start = _mm_bslli_si128(_mm512_castsi512_si128(one), 1);
    start = _mm_unpacklo_epi16(start, _mm512_castsi512_si128(_mm512_permutexvar_epi8(_mm512_castsi128_si512(start), two)));
    start = _mm_unpacklo_epi32(start, _mm512_castsi512_si128(_mm512_permutexvar_epi8(_mm512_castsi128_si512(start), four)));
    __m512i starts = _mm512_castsi128_si512(start);
    __m128i stop = _mm512_castsi512_si128(_mm512_permutexvar_epi8(starts, one));
    __m128i head = _mm512_castsi512_si128(_mm512_permutexvar_epi8(starts, bytes));
    __mmask16 lanes = (__mmask16)((1u << n) - 1);
    /* Heads are fixed integers or one of eight; those between are none. */
    __m128i kind = _mm_sub_epi8(head, DECODE_FEW(HEADS));
    __mmask16 bad = _mm_mask_cmpge_epu8_mask(lanes, kind, DECODE_FEW(NONE_FROM));
    bad |= _mm_mask_cmplt_epu8_mask(lanes, _mm_sub_epi8(kind, DECODE_FEW(EIGHT)), DECODE_FEW(TWELVE));
    __mmask16 gone = nil ? _mm_mask_cmpeq_epi8_mask(lanes, head, DECODE_FEW(NIL)) : 0;
    /* Those whose end may lie beyond what was looked at come the next time. */
    bad = (bad & ~gone) | _mm_mask_cmpge_epu8_mask(lanes, stop, DECODE_FEW(LAST));
    uint64_t stops = (uint64_t)_mm_cvtsi128_si64(stop);
    if (__builtin_expect(bad != 0, 0)) {
        n = __builtin_ctz(bad);
        if (!n) return 0;
        lanes = (__mmask16)((1u << n) - 1);
    }
    int64_t taken = (int64_t)(stops >> (8 * n - 8) & 255);
    if (__builtin_expect(taken > left, 0)) return 0;
    __m512i places = _mm512_add_epi8(_mm512_permutexvar_epi8(DECODE_ALL(EIGHTFOLD), starts), DECODE_EACH(BEHIND));
    __m512i value = _mm512_permutexvar_epi8(places, bytes);
    __m512i size = _mm512_cvtepu8_epi64(_mm_sub_epi8(stop, start));
    /* A size has one byte for the head: 64 bits less those that follow it. */
    __m512i shift = _mm512_sub_epi64(DECODE_EACH(BITS), _mm512_slli_epi64(size, 3));
    __mmask8 fixed = (__mmask8)_mm_movemask_epi8(_mm_cmpeq_epi8(_mm_sub_epi8(stop, start), DECODE_FEW(UNIT)));
    __mmask8 with_sign = (__mmask8)_mm_cmplt_epu8_mask(_mm_sub_epi8(kind, DECODE_FEW(FOUR)), DECODE_FEW(FOUR));
    __m512i found = _mm512_srlv_epi64(value, shift);
    found = _mm512_mask_srav_epi64(found, with_sign, value, shift);
    found = _mm512_mask_cvtepi8_epi64(found, fixed, head);
    __mmask8 beyond = _mm512_movepi64_mask(found) & (__mmask8)_mm_cmpeq_epi8_mask(kind, DECODE_FEW(THREE));
    if (__builtin_expect(beyond & lanes, 0)) return 0;
    if (nil) found = _mm512_mask_mov_epi64(found, (__mmask8)gone, DECODE_EACH(GONE));
    *values = found;
    *at += taken;
    return n;
}

/* Reads n integers of one row to ``cells``; up to seven cells behind them are overwritten. */
static inline int decode_cells(const uint8_t **at, const uint8_t *end, int64_t n, int nil, int64_t *cells) {
    while (n > 0) {
        __m512i values;
        int64_t left = end - *at;
        __m512i bytes = _mm512_maskz_loadu_epi8(decode_first(left), *at);
        /* Small ones up to the end, of an array of zeros say. */
        if (_tzcnt_u64(_cvtmask64_u64(_mm512_movepi8_mask(bytes))) >= (uint64_t)n) {
            if (left < n) return 0;
            _mm512_storeu_si512(cells, _mm512_cvtepu8_epi64(_mm512_castsi512_si128(bytes)));
            if (n > 8) {
                __m128i more = _mm512_extracti32x4_epi32(bytes, 1);
                _mm512_storeu_si512(cells + 8, _mm512_cvtepu8_epi64(_mm_bsrli_si128(_mm512_castsi512_si128(bytes), 8)));
                if (n > 16) _mm512_storeu_si512(cells + 16, _mm512_cvtepu8_epi64(more));
            }
            if (n <= 24) {
                *at += n;
                return 1;
            }
            *at += 24;
            cells += 24;
            n -= 24;
            continue;
        }
        int some = decode_eight(bytes, at, left, n < 8 ? (int)n : 8, nil, &values);
        if (__builtin_expect(!some, 0)) return 0;
        _mm512_storeu_si512(cells, values);
        cells += some;
        n -= some;
    }
    return 1;
}

/* Reads up to eight fields of every row to a column each. */
static inline int decode_columns(decode_rows *rows, decode_out *outs, int n, int64_t row) {
    __m512i a[8], b[8], c[8];
    for (int r = 0; r < 8; r++) {
        int64_t left = rows->end[r] - rows->at[r];
        __m512i bytes = _mm512_maskz_loadu_epi8(decode_first(left), rows->at[r]);
        int some = decode_eight(bytes, &rows->at[r], left, n, 0, &a[r]);
        if (__builtin_expect(some != n, 0)) {
            int64_t cells[16];
            if (!some) return 0;
            _mm512_storeu_si512(cells, a[r]);
            if (!decode_cells(&rows->at[r], rows->end[r], n - some, 0, cells + some)) return 0;
            a[r] = _mm512_loadu_si512(cells);
        }
    }
    for (int k = 0; k < 8; k += 2) {
        b[k] = _mm512_unpacklo_epi64(a[k], a[k + 1]);
        b[k + 1] = _mm512_unpackhi_epi64(a[k], a[k + 1]);
    }
    for (int k = 0; k < 2; k++) {
        c[k] = _mm512_shuffle_i64x2(b[k], b[k + 2], 0x88);
        c[k + 2] = _mm512_shuffle_i64x2(b[k], b[k + 2], 0xDD);
        c[k + 4] = _mm512_shuffle_i64x2(b[k + 4], b[k + 6], 0x88);
        c[k + 6] = _mm512_shuffle_i64x2(b[k + 4], b[k + 6], 0xDD);
    }
    for (int k = 0; k < 4; k++) {
        a[k] = _mm512_shuffle_i64x2(c[k], c[k + 4], 0x88);
        a[k + 4] = _mm512_shuffle_i64x2(c[k], c[k + 4], 0xDD);
    }
    for (int k = 0; k < n; k++) _mm512_storeu_si512(outs[k].values + row, a[k]);
    return 1;
}

/* Moves behind the head of an array of n; returns whether there is one, in its shortest form. */
static inline int decode_array(const uint8_t **at, const uint8_t *end, int64_t n) {
    const uint8_t *p = *at;
    if (n < 16) {
        *at = p + 1;
        return p < end && p[0] == (0x90 | n);
    }
    *at = p + 3;
    return end - p >= 3 && p[0] == 0xDC && load_be16(p + 1) == n;
}

/* Copies n bytes to where there is slack; returns whether they are ASCII. */
static inline int decode_copy(uint8_t *to, const uint8_t *from, int64_t n) {
    if (n > 64) {
        memcpy(to, from, (size_t)n);
        return 0;
    }
    __m512i text = _mm512_maskz_loadu_epi8(decode_first(n), from);
    _mm512_storeu_si512(to, text);
    return !_mm512_movepi8_mask(text);
}

static int decode_texts(decode_rows *rows, decode_out *out, int64_t row, decode_utf8_t utf8) {
    for (int r = 0; r < DECODE_ROWS; r++) {
        const uint8_t *p = rows->at[r];
        int64_t n, left = rows->end[r] - p;
        if (left < 2 && !(left == 1 && p[0] == 0xA0)) return 0;
        if (out->kind == DECODE_STR && (p[0] & 0xE0) == 0xA0) {
            n = p[0] & 31;
            p += 1;
        } else if (p[0] == (out->kind == DECODE_STR ? 0xD9 : 0xC4)) {
            n = p[1];
            p += 2;
        } else {
            return 0;
        }
        if (rows->end[r] - p < n) return 0;
        if (!decode_copy(out->data + out->used, p, n) && out->kind == DECODE_STR && !utf8(p, n)) return 0;
        out->used += n;
        out->offsets[row + r + 1] = out->used;
        rows->at[r] = p + n;
    }
    return 1;
}

static inline int decode_arrays(decode_rows *rows, decode_out *out, int64_t row) {
    int nil = out->kind == DECODE_OPTIONAL;
    for (int r = 0; r < DECODE_ROWS; r++) {
        int64_t *cells = out->values + (row + r) * out->width;
        if (nil) {
            int there = rows->at[r] == rows->end[r] || rows->at[r][0] != 0xC0;
            out->present[row + r] = there;
            if (!there) {
                rows->at[r]++;
                for (int64_t k = 0; k < out->width; k++) cells[k] = DECODE_ABSENT;
                continue;
            }
        }
        if (out->kind != DECODE_TABLE && !decode_array(&rows->at[r], rows->end[r], out->width)) return 0;
        if (!decode_cells(&rows->at[r], rows->end[r], out->width, nil, cells)) return 0;
    }
    return 1;
}

static int decode_fields(decode_out *outs, int64_t count, int64_t fields, const int64_t *starts, const int64_t *sizes,
                         int64_t row, decode_utf8_t utf8) {
    decode_rows rows;
    for (int r = 0; r < DECODE_ROWS; r++) {
        rows.at[r] = (const uint8_t *)starts[row + r];
        rows.end[r] = rows.at[r] + sizes[row + r];
        if (!decode_array(&rows.at[r], rows.end[r], fields)) return 0;
    }
    for (int64_t f = 0; f < count;) {
        int n = 0;
        switch (outs[f].kind) {
        case DECODE_INT:
            while (n < 8 && f + n < count && outs[f + n].kind == DECODE_INT) n++;
            if (!decode_columns(&rows, outs + f, n, row)) return 0;
            f += n;
            continue;
        case DECODE_STR:
        case DECODE_BYTES:
            if (!decode_texts(&rows, outs + f, row, utf8)) return 0;
            break;
        default:
            if (!decode_arrays(&rows, outs + f, row)) return 0;
        }
        f++;
    }
    for (int r = 0; r < DECODE_ROWS; r++)
        if (rows.at[r] != rows.end[r]) return 0;
    return 1;
}

static int decode_block_wide(decode_out *outs, int64_t count, int64_t fields, const int64_t *starts,
                             const int64_t *sizes, int64_t row, int64_t n, decode_utf8_t utf8) {
    for (int64_t next = row + DECODE_ROWS; next < row + 2 * DECODE_ROWS && next < n; next++)
        for (int64_t at = 0; at < sizes[next] && at < 512; at += 64) decode_ask_for((const char *)starts[next] + at);
    if (decode_fields(outs, count, fields, starts, sizes, row, utf8)) return 1;
    /* Texts of the block are forgotten: they began where the one before it ends. */
    for (int64_t f = 0; f < count; f++)
        if (outs[f].offsets) outs[f].used = outs[f].offsets[row];
    return 0;
}

WIDE_END

static decode_block_t decode_block_chosen(int portable) {
    return !portable && wide_there() && __builtin_cpu_supports("avx512vbmi") ? decode_block_wide : NULL;
}
#else
static decode_block_t decode_block_chosen(int portable) { return (void)portable, (decode_block_t)0; }
#endif

#endif
