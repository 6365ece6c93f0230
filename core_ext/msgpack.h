/* Forms of msgpack integers as tables, and loads and stores of big-endian words. */
#ifndef CORE_EXT_MSGPACK_H
#define CORE_EXT_MSGPACK_H

#include <stdint.h>
#include <string.h>

#if __BYTE_ORDER__ != __ORDER_LITTLE_ENDIAN__
#error "the codec reads and writes msgpack on little-endian machines only"
#endif

/* How to write an integer, by its bit length; from 64 on a negative one by the bits of its complement; 129 is nil. */
typedef struct { uint8_t head, mask, size, shift; } int_form;
static const int_form FORMS[130] = {
    [0 ... 7] = {0x00, 0x7F, 0, 0}, [8] = {0xCC, 0, 1, 56}, [9 ... 16] = {0xCD, 0, 2, 48},
    [17 ... 32] = {0xCE, 0, 4, 32}, [33 ... 63] = {0xCF, 0, 8, 0},
    [64 ... 69] = {0x00, 0xFF, 0, 0}, [70 ... 71] = {0xD0, 0, 1, 56}, [72 ... 79] = {0xD1, 0, 2, 48},
    [80 ... 95] = {0xD2, 0, 4, 32}, [96 ... 128] = {0xD3, 0, 8, 0}, [129] = {0xC0, 0, 0, 0},
};

/* How to read an integer, by its first byte: bytes behind it, shift of the eight bytes there, sign; or not one. */
typedef struct { uint8_t size, shift, with_sign, bad; } int_read;
static const int_read READS[256] = {
    [0x80 ... 0xCB] = {0, 0, 0, 1}, [0xD4 ... 0xDF] = {0, 0, 0, 1},
    [0xCC] = {1, 56, 0, 0}, [0xCD] = {2, 48, 0, 0}, [0xCE] = {4, 32, 0, 0}, [0xCF] = {8, 0, 0, 0},
    [0xD0] = {1, 56, 1, 0}, [0xD1] = {2, 48, 1, 0}, [0xD2] = {4, 32, 1, 0}, [0xD3] = {8, 0, 1, 0},
};

static inline int bits_of(uint64_t value) { return 64 - __builtin_clzll(value | 1); }
static inline uint64_t load_be64(const uint8_t *p) { uint64_t w; memcpy(&w, p, 8); return __builtin_bswap64(w); }
static inline int64_t load_be32(const uint8_t *p) { uint32_t w; memcpy(&w, p, 4); return __builtin_bswap32(w); }
static inline int64_t load_be16(const uint8_t *p) { uint16_t w; memcpy(&w, p, 2); return __builtin_bswap16(w); }
static inline uint64_t load_le64(const uint8_t *p) { uint64_t w; memcpy(&w, p, 8); return w; }

/* Which byte of a word (not zero) has its high bit set first, and eight bytes as eight integers. */
#define HIGH_BITS UINT64_C(0x8080808080808080)
static inline int first_byte(uint64_t high) { return __builtin_ctzll(high) >> 3; }
static inline void widen8(int64_t *cells, uint64_t word) {
    for (int k = 0; k < 8; k++) cells[k] = (int64_t)(word >> 8 * k & 255);
}
static inline void store_be64(uint8_t *p, uint64_t w) { w = __builtin_bswap64(w); memcpy(p, &w, 8); }

/* Copies 32 bytes and returns whether one of the first n has its high bit set. */
static inline int copy32(uint8_t *to, const uint8_t *from, int64_t n) {
    const uint64_t high = UINT64_C(0x8080808080808080);
    uint64_t w[4], found = 0;
    memcpy(w, from, 32);
    memcpy(to, w, 32);
    if (!((w[0] | w[1] | w[2] | w[3]) & high)) return 0;
    for (int k = 0; k < 4; k++) {
        int64_t left = n - 8 * k;
        uint64_t mask = left >= 8 ? high : left <= 0 ? 0 : high >> (64 - 8 * left);
        found |= w[k] & mask;
    }
    return found != 0;
}

#endif
