/* Writes msgpack states row by row: one program of operations, eight integers at a time where the processor can.
   The choice is made once, when the module is loaded, by asking the processor: a wheel runs anywhere. */
#ifndef CORE_EXT_ENCODE_H
#define CORE_EXT_ENCODE_H

#include "msgpack.h"
#include "wide.h"

enum { PUT_INTS = 1, PUT_GATHERED, PUT_TEXT, PUT_BINARY, PUT_RAW, PUT_ARRAY, PUT_OPTIONAL, PUT_NOTHING };
enum { BAD_TEXT = 1, BAD_CHOICE, BAD_CELL };

#define ENCODE_ABSENT INT64_MIN
/* What may be written behind the end of a state, and what no operation needs to check. */
#define ENCODE_SLACK 64

/* One step of a program: ``head_size`` bytes of ``head``, then what ``put`` says, of the row that is selected. */
typedef struct {
    int64_t put, field, width, stride;
    const char *values;
    const int64_t *present, *offsets;
    const uint8_t *data;
    int64_t size, head_size;
    uint8_t head[8];
    const char *from[8];  /* of integers that stand apart, each with its own stride */
    int64_t strides[8];
} encode_op;

typedef int (*encode_utf8_t)(const uint8_t *text, int64_t n);

static inline uint8_t *encode_int(uint8_t *p, int64_t value, int absent) {
    int64_t negative = value >> 63;
    int at = absent ? 129 : bits_of((uint64_t)(value ^ negative)) + (int)(negative & 64);
    p[0] = (uint8_t)(FORMS[at].head | ((uint8_t)value & FORMS[at].mask));
    store_be64(p + 1, (uint64_t)value << FORMS[at].shift);
    return p + 1 + FORMS[at].size;
}

static inline uint8_t *encode_length(uint8_t *p, int64_t n, int fix, int fix_below, int head8) {
    if (n < fix_below) {
        p[0] = (uint8_t)(fix | n);
        return p + 1;
    }
    if (n < 256) {
        p[0] = (uint8_t)head8;
        p[1] = (uint8_t)n;
        return p + 2;
    }
    int size = n < 65536 ? 2 : 4;
    p[0] = (uint8_t)(head8 + size / 2);
    store_be64(p + 1, (uint64_t)n << (64 - 8 * size));
    return p + 1 + size;
}

/* Copies n bytes to where there is slack; returns whether they are UTF-8. */
static inline int encode_text_portable(uint8_t *to, const uint8_t *from, int64_t n, int64_t readable, encode_utf8_t utf8) {
    if (n <= 32 && readable >= 32) return !copy32(to, from, n) || utf8(from, n);
    memcpy(to, from, (size_t)n);
    return utf8(from, n);
}

/* Writes n integers; with ``nil`` an ABSENT one is nil, else it is told in ``absent`` and written as a number. */
static inline uint8_t *encode_ints_portable(uint8_t *p, const int64_t *cells, int64_t n, int nil, int *absent) {
    for (int64_t k = 0; k < n; k++) {
        /* Most funds pay nothing most of the time: a zero is worth a branch of its own. */
        if (cells[k] == 0) {
            *p++ = 0;
            continue;
        }
        int gone = cells[k] == ENCODE_ABSENT;
        *absent |= gone;
        p = encode_int(p, cells[k], gone & nil);
    }
    return p;
}

static inline uint8_t *encode_gathered_portable(uint8_t *p, const encode_op *op, int64_t row) {
    for (int64_t k = 0; k < op->width; k++)
        p = encode_int(p, *(const int64_t *)(op->from[k] + row * op->strides[k]), 0);
    return p;
}

/* Returns the bytes of a field's selected texts, or -1 - row for the first whose offsets are none. */
static inline int64_t encode_text_bytes(const encode_op *op, const int64_t *rows, int64_t n) {
    int64_t total = 0, bad = 0;
    for (int64_t row = 0; row < n; row++) {
        int64_t start = op->offsets[rows[row]], stop = op->offsets[rows[row] + 1];
        bad |= start | (stop - start) | (op->size - stop) | (INT64_C(4294967295) - (stop - start));
        total += stop - start;
    }
    if (bad >= 0) return total;
    for (int64_t row = 0; row < n; row++) {
        int64_t start = op->offsets[rows[row]], stop = op->offsets[rows[row] + 1];
        if (start < 0 || stop < start || stop > op->size || stop - start > INT64_C(4294967295)) return -1 - row;
    }
    return 0;
}

typedef int64_t (*encode_rows_t)(const encode_op *, int64_t, const int64_t *, int64_t, int64_t *, uint8_t *, int64_t *,
                                 encode_utf8_t);

#define ENCODE_NAME(name) name##_portable
#include "encode_rows.h"
#undef ENCODE_NAME

#ifdef WIDE_KNOWN
WIDE_BEGIN(WIDE_512 ",avx512vbmi2,popcnt,lzcnt")

/* Bytes of eight 8-byte lanes, most significant first behind one free byte; and the first byte of each, eight times. */
static inline __m512i encode_turned(__m512i v) {
    return _mm512_shuffle_epi8(v, _mm512_broadcast_i32x4(_mm_set_epi64x(0x090A0B0C0D0E0F80LL, 0x0102030405060780LL)));
}

static inline __m512i encode_spread(__m512i v) {
    return _mm512_shuffle_epi8(v, _mm512_broadcast_i32x4(_mm_set_epi64x(0x0808080808080808LL, 0)));
}

/* Writes four integers of any size: sixteen bytes a lane, of which ``size + 1`` are kept. */
static inline uint8_t *encode_four(uint8_t *p, __m512i value, __m512i shift, __m512i head, __m512i size, __mmask64 lanes) {
    const __m512i turn = _mm512_broadcast_i32x4(_mm_set_epi64x((long long)0x8080808080808000ULL, 0x0102030405060780LL));
    const __m512i at = _mm512_broadcast_i32x4(_mm_set_epi64x(0x0F0E0D0C0B0A0908LL, 0x0706050403020100LL));
    __m512i bytes = _mm512_or_si512(_mm512_shuffle_epi8(_mm512_sllv_epi64(value, shift), turn), head);
    __mmask64 kept = _mm512_mask_cmple_epu8_mask(lanes, at, _mm512_shuffle_epi8(size, _mm512_setzero_si512()));
    _mm512_storeu_si512(p, _mm512_maskz_compress_epi8(kept, bytes));
    return p + _mm_popcnt_u64(kept);
}

/* Writes up to eight integers of which one is negative, absent or needs more than four bytes. */
static __attribute__((noinline)) uint8_t *encode_any(uint8_t *p, __m512i v, __mmask8 lanes, int nil, int *absent) {
    static const int64_t above[4] = {128, 256, 65536, INT64_C(1) << 32};
    static const int64_t below[4] = {-32, -128, -32768, -(INT64_C(1) << 31)};
    const __m512i byte = _mm512_set1_epi64(255);
    __m512i head = _mm512_and_si512(v, byte), size = _mm512_setzero_si512();
    __mmask8 gone = _mm512_mask_cmpeq_epi64_mask(lanes, v, _mm512_set1_epi64(ENCODE_ABSENT));
    for (int k = 0; k < 4; k++) {
        __mmask8 over = _mm512_cmpge_epi64_mask(v, _mm512_set1_epi64(above[k]));
        __mmask8 under = _mm512_cmplt_epi64_mask(v, _mm512_set1_epi64(below[k]));
        head = _mm512_mask_mov_epi64(head, over, _mm512_set1_epi64(0xCC + k));
        head = _mm512_mask_mov_epi64(head, under, _mm512_set1_epi64(0xD0 + k));
        size = _mm512_mask_mov_epi64(size, over | under, _mm512_set1_epi64(INT64_C(1) << k));
    }
    *absent |= gone;
    if (nil) {
        head = _mm512_mask_mov_epi64(head, gone, _mm512_set1_epi64(0xC0));
        size = _mm512_mask_mov_epi64(size, gone, _mm512_setzero_si512());
    }
    __m512i shift = _mm512_sub_epi64(_mm512_set1_epi64(64), _mm512_slli_epi64(size, 3));
    for (int half = 0; half < 2; half++, lanes >>= 4) {
        /* Lane k of the half goes to the low half of sixteen bytes. */
        const __m512i to = half ? _mm512_set_epi64(7, 7, 6, 6, 5, 5, 4, 4) : _mm512_set_epi64(3, 3, 2, 2, 1, 1, 0, 0);
        if (!(lanes & 15)) break;
        __mmask64 there = _cvtu64_mask64(~UINT64_C(0) >> (64 - 16 * _mm_popcnt_u32(lanes & 15)));
        p = encode_four(p, _mm512_permutexvar_epi64(to, v), _mm512_permutexvar_epi64(to, shift),
                        _mm512_maskz_permutexvar_epi64(0x55, to, head), _mm512_permutexvar_epi64(to, size), there);
    }
    return p;
}

/* Constants in memory, where they are operands: in a loop that calls, a compiler would make each anew in a register. */
const int64_t encode_words[] __attribute__((weak, visibility("hidden"))) = {
    128, 256, 65536, INT64_C(1) << 32, 0xCC | 1 << 8, 0xCD | 2 << 8, 0xCE | 4 << 8, 0x0706050403020100LL, 255, 64,
};
#define ENCODE_WORD(k) _mm512_set1_epi64(encode_words[k])

/* Writes up to eight integers, the frequent ones at once: each lane has its head and four bytes behind it. */
static inline uint8_t *encode_eight(uint8_t *p, __m512i v, __mmask8 lanes, int nil, int *absent) {
    __mmask8 one = _mm512_mask_cmpge_epu64_mask(lanes, v, ENCODE_WORD(0));
    if (!one) {
        _mm_storel_epi64((__m128i *)p, _mm512_cvtepi64_epi8(v));
        return p + _mm_popcnt_u32(lanes);
    }
    if (__builtin_expect(_mm512_mask_cmpge_epu64_mask(one, v, ENCODE_WORD(3)) != 0, 0))
        return encode_any(p, v, lanes, nil, absent);
    __mmask8 two = _mm512_mask_cmpge_epu64_mask(one, v, ENCODE_WORD(1));
    __mmask8 four = _mm512_mask_cmpge_epu64_mask(one, v, ENCODE_WORD(2));
    /* Head in the low byte, bytes behind it in the second. */
    __m512i form = _mm512_maskz_mov_epi64(one, ENCODE_WORD(4));
    form = _mm512_mask_mov_epi64(form, two, ENCODE_WORD(5));
    form = _mm512_mask_mov_epi64(form, four, ENCODE_WORD(6));
    __m512i size = _mm512_srli_epi64(form, 8);
    __m512i shift = _mm512_sub_epi64(ENCODE_WORD(9), _mm512_slli_epi64(size, 3));
    __m512i head = _mm512_mask_and_epi64(v, one, form, ENCODE_WORD(8));
    __m512i bytes = _mm512_or_si512(encode_turned(_mm512_sllv_epi64(v, shift)), head);
    __mmask64 kept = _mm512_cmple_epu8_mask(ENCODE_WORD(7), encode_spread(size));
    if (lanes != 0xFF) kept = _cvtu64_mask64(_cvtmask64_u64(kept) & (~UINT64_C(0) >> (64 - 8 * _mm_popcnt_u32(lanes))));
    _mm512_storeu_si512(p, _mm512_maskz_compress_epi8(kept, bytes));
    return p + _mm_popcnt_u64(_cvtmask64_u64(kept));
}

static inline uint8_t *encode_ints_wide(uint8_t *p, const int64_t *cells, int64_t n, int nil, int *absent) {
    for (; n >= 8; n -= 8, cells += 8) p = encode_eight(p, _mm512_loadu_si512(cells), 0xFF, nil, absent);
    if (!n) return p;
    __mmask8 lanes = (__mmask8)((1u << n) - 1);
    return encode_eight(p, _mm512_maskz_loadu_epi64(lanes, cells), lanes, nil, absent);
}

static inline uint8_t *encode_gathered_wide(uint8_t *p, const encode_op *op, int64_t row) {
    int absent = 0;
    __mmask8 lanes = (__mmask8)((1u << op->width) - 1);
    __m512i from = _mm512_loadu_si512(op->from), by = _mm512_loadu_si512(op->strides);
    from = _mm512_add_epi64(from, _mm512_mullo_epi64(by, _mm512_set1_epi64(row)));
    __m512i v = _mm512_mask_i64gather_epi64(_mm512_setzero_si512(), lanes, from, 0, 1);
    return encode_eight(p, v, lanes, 0, &absent);
}

static inline int encode_text_wide(uint8_t *to, const uint8_t *from, int64_t n, int64_t readable, encode_utf8_t utf8) {
    (void)readable;
    if (n <= 64) {
        /* Bytes behind the text are masked out, so none is read that is not ours. */
        __m512i text = _mm512_maskz_loadu_epi8(n ? ~UINT64_C(0) >> (64 - n) : 0, from);
        _mm512_storeu_si512(to, text);
        return !_mm512_movepi8_mask(text) || utf8(from, n);
    }
    memcpy(to, from, (size_t)n);
    return utf8(from, n);
}

#define ENCODE_NAME(name) name##_wide
#include "encode_rows.h"
#undef ENCODE_NAME

WIDE_END

static encode_rows_t encode_rows_chosen(int portable) {
    return !portable && wide_there() && __builtin_cpu_supports("avx512vbmi2") ? encode_rows_wide : encode_rows_portable;
}
#else
static encode_rows_t encode_rows_chosen(int portable) { return (void)portable, encode_rows_portable; }
#endif

#endif
