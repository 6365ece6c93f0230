/* Instructions that not every processor has. Where WIDE_KNOWN is defined functions between WIDE_BEGIN and WIDE_END may use
   those named; they are called where the processor says that it has them, wide_there() of WIDE_512. */
#ifndef CORE_EXT_WIDE_H
#define CORE_EXT_WIDE_H

#if defined(__x86_64__) && (defined(__GNUC__) || defined(__clang__))
#include <immintrin.h>
#define WIDE_KNOWN
#define WIDE_512 "avx512f,avx512bw,avx512dq,avx512vl"
#define WIDE_PRAGMA(...) _Pragma(#__VA_ARGS__)
#if defined(__clang__)
#define WIDE_BEGIN(names) WIDE_PRAGMA(clang attribute push(__attribute__((target(names))), apply_to = function))
#define WIDE_END WIDE_PRAGMA(clang attribute pop)
#else
#define WIDE_BEGIN(names) WIDE_PRAGMA(GCC push_options) WIDE_PRAGMA(GCC target(names))
#define WIDE_END WIDE_PRAGMA(GCC pop_options)
#endif

static inline int wide_there(void) {
    __builtin_cpu_init();
    return __builtin_cpu_supports("avx512bw") && __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512vl");
}
#endif

#endif
