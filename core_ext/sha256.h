/* SHA-256 (FIPS 180-4) over whole padded blocks: portable C, and the processor's own rounds where it has them.
   The choice is made once, when the module is loaded, by asking the processor: a wheel runs anywhere. */
#ifndef CORE_EXT_SHA256_H
#define CORE_EXT_SHA256_H

#include <stddef.h>
#include <stdint.h>
#include <string.h>

static const uint32_t SHA256_FIRST[8] = {
    0x6a09e667, 0xbb67ae85, 0x3c6ef372, 0xa54ff53a, 0x510e527f, 0x9b05688c, 0x1f83d9ab, 0x5be0cd19};

static const uint32_t SHA256_K[64] = {
    0x428a2f98, 0x71374491, 0xb5c0fbcf, 0xe9b5dba5, 0x3956c25b, 0x59f111f1, 0x923f82a4, 0xab1c5ed5,
    0xd807aa98, 0x12835b01, 0x243185be, 0x550c7dc3, 0x72be5d74, 0x80deb1fe, 0x9bdc06a7, 0xc19bf174,
    0xe49b69c1, 0xefbe4786, 0x0fc19dc6, 0x240ca1cc, 0x2de92c6f, 0x4a7484aa, 0x5cb0a9dc, 0x76f988da,
    0x983e5152, 0xa831c66d, 0xb00327c8, 0xbf597fc7, 0xc6e00bf3, 0xd5a79147, 0x06ca6351, 0x14292967,
    0x27b70a85, 0x2e1b2138, 0x4d2c6dfc, 0x53380d13, 0x650a7354, 0x766a0abb, 0x81c2c92e, 0x92722c85,
    0xa2bfe8a1, 0xa81a664b, 0xc24b8b70, 0xc76c51a3, 0xd192e819, 0xd6990624, 0xf40e3585, 0x106aa070,
    0x19a4c116, 0x1e376c08, 0x2748774c, 0x34b0bcb5, 0x391c0cb3, 0x4ed8aa4a, 0x5b9cca4f, 0x682e6ff3,
    0x748f82ee, 0x78a5636f, 0x84c87814, 0x8cc70208, 0x90befffa, 0xa4506ceb, 0xbef9a3f7, 0xc67178f2};

static inline uint32_t sha256_turned(uint32_t x, int n) { return x >> n | x << (32 - n); }

static inline uint32_t sha256_word(const uint8_t *p) {
    return (uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 | (uint32_t)p[2] << 8 | p[3];
}

static void sha256_blocks_portable(uint32_t *state, const uint8_t *data, size_t blocks) {
    uint32_t w[64], s[8];
    for (; blocks; blocks--, data += 64) {
        for (int i = 0; i < 16; i++) w[i] = sha256_word(data + 4 * i);
        for (int i = 16; i < 64; i++) {
            uint32_t a = w[i - 15], b = w[i - 2];
            w[i] = w[i - 16] + (sha256_turned(a, 7) ^ sha256_turned(a, 18) ^ a >> 3) + w[i - 7]
                   + (sha256_turned(b, 17) ^ sha256_turned(b, 19) ^ b >> 10);
        }
        memcpy(s, state, sizeof s);
        for (int i = 0; i < 64; i++) {
            uint32_t e = s[4], a = s[0];
            uint32_t one = s[7] + (sha256_turned(e, 6) ^ sha256_turned(e, 11) ^ sha256_turned(e, 25))
                           + ((e & s[5]) ^ (~e & s[6])) + SHA256_K[i] + w[i];
            uint32_t two = (sha256_turned(a, 2) ^ sha256_turned(a, 13) ^ sha256_turned(a, 22))
                           + ((a & s[1]) ^ (a & s[2]) ^ (s[1] & s[2]));
            s[7] = s[6];
            s[6] = s[5];
            s[5] = e;
            s[4] = s[3] + one;
            s[3] = s[2];
            s[2] = s[1];
            s[1] = a;
            s[0] = one + two;
        }
        for (int i = 0; i < 8; i++) state[i] += s[i];
    }
}

typedef void (*sha256_blocks_t)(uint32_t *, const uint8_t *, size_t);

#if defined(__x86_64__) && (defined(__GNUC__) || defined(__clang__))
#include <cpuid.h>
#include <immintrin.h>

__attribute__((target("sha,sse4.1,ssse3")))
static void sha256_blocks_rounds(uint32_t *state, const uint8_t *data, size_t blocks) {
    const __m128i order = _mm_set_epi64x(0x0c0d0e0f08090a0bLL, 0x0405060700010203LL);
    __m128i held = _mm_shuffle_epi32(_mm_loadu_si128((const __m128i *)state), 0xB1);
    __m128i cdgh = _mm_shuffle_epi32(_mm_loadu_si128((const __m128i *)(state + 4)), 0x1B);
    __m128i abef = _mm_alignr_epi8(held, cdgh, 8);
    cdgh = _mm_blend_epi16(cdgh, held, 0xF0);
    for (; blocks; blocks--, data += 64) {
        const __m128i abef_before = abef, cdgh_before = cdgh;
        __m128i m[4];
        for (int i = 0; i < 4; i++)
            m[i] = _mm_shuffle_epi8(_mm_loadu_si128((const __m128i *)(data + 16 * i)), order);
#pragma GCC unroll 16
        for (int i = 0; i < 16; i++) {
            if (i >= 4)
                m[i & 3] = _mm_sha256msg2_epu32(
                    _mm_add_epi32(_mm_sha256msg1_epu32(m[i & 3], m[(i + 1) & 3]),
                                  _mm_alignr_epi8(m[(i + 3) & 3], m[(i + 2) & 3], 4)),
                    m[(i + 3) & 3]);
            __m128i k = _mm_add_epi32(m[i & 3], _mm_loadu_si128((const __m128i *)(SHA256_K + 4 * i)));
            cdgh = _mm_sha256rnds2_epu32(cdgh, abef, k);
            abef = _mm_sha256rnds2_epu32(abef, cdgh, _mm_shuffle_epi32(k, 0x0E));
        }
        abef = _mm_add_epi32(abef, abef_before);
        cdgh = _mm_add_epi32(cdgh, cdgh_before);
    }
    held = _mm_shuffle_epi32(abef, 0x1B);
    cdgh = _mm_shuffle_epi32(cdgh, 0xB1);
    _mm_storeu_si128((__m128i *)state, _mm_blend_epi16(held, cdgh, 0xF0));
    _mm_storeu_si128((__m128i *)(state + 4), _mm_alignr_epi8(cdgh, held, 8));
}

static int sha256_has_rounds(void) {
    unsigned a, b, c, d;
    if (!__get_cpuid(1, &a, &b, &c, &d) || !(c & 1u << 9) || !(c & 1u << 19)) return 0;
    return __get_cpuid_count(7, 0, &a, &b, &c, &d) && (b & 1u << 29);
}

static sha256_blocks_t sha256_chosen(int portable) {
    return !portable && sha256_has_rounds() ? sha256_blocks_rounds : sha256_blocks_portable;
}
#else
static sha256_blocks_t sha256_chosen(int portable) { return (void)portable, sha256_blocks_portable; }
#endif

/* Blocks of a padded message of so many bytes. */
static inline size_t sha256_padded(size_t length) { return (length + 8) / 64 + 1; }

/* Pads the message that stands in ``buffer`` (room: 64 * sha256_padded(length)) and writes its digest. */
static inline void sha256_digest(sha256_blocks_t run, uint8_t *buffer, size_t length, uint8_t *out) {
    uint32_t state[8];
    size_t blocks = sha256_padded(length);
    uint64_t bits = (uint64_t)length * 8;
    memcpy(state, SHA256_FIRST, sizeof state);
    buffer[length] = 0x80;
    memset(buffer + length + 1, 0, 64 * blocks - length - 9);
    for (int i = 0; i < 8; i++) buffer[64 * blocks - 1 - i] = (uint8_t)(bits >> 8 * i);
    run(state, buffer, blocks);
    for (int i = 0; i < 8; i++) {
        out[4 * i] = (uint8_t)(state[i] >> 24);
        out[4 * i + 1] = (uint8_t)(state[i] >> 16);
        out[4 * i + 2] = (uint8_t)(state[i] >> 8);
        out[4 * i + 3] = (uint8_t)state[i];
    }
}

#endif
