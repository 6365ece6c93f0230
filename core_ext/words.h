/* Looks at text eight bytes at a time. */
#ifndef CORE_EXT_WORDS_H
#define CORE_EXT_WORDS_H

#include <stdint.h>
#include <string.h>
#if defined(_MSC_VER)
#include <intrin.h>
static __inline int first_hit(uint64_t hits) { unsigned long at; _BitScanForward64(&at, hits); return (int)(at >> 3); }
#else
static inline int first_hit(uint64_t hits) { return __builtin_ctzll(hits) >> 3; }
#endif

/* Eight bytes of text, the first one lowest. */
static inline uint64_t word_at(const uint8_t *text) {
    uint64_t word;
    memcpy(&word, text, 8);
#if defined(__BYTE_ORDER__) && __BYTE_ORDER__ == __ORDER_BIG_ENDIAN__
    word = __builtin_bswap64(word);
#endif
    return word;
}

static inline uint64_t every(uint8_t byte) { return UINT64_C(0x0101010101010101) * byte; }
static inline uint64_t high(uint64_t word) { return word & UINT64_C(0x8080808080808080); }
/* High bits over the bytes below n (n <= 128): exact up to the first hit, noise only above it. */
static inline uint64_t below(uint64_t word, uint8_t n) { return high((word - every(n)) & ~word); }
static inline uint64_t equal(uint64_t word, uint8_t byte) { return below(word ^ every(byte), 1); }

#endif
