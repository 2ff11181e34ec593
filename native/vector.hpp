// One SIMD register and the few operations the scan needs. Everything has internal linkage: a
// function compiled for AVX-512 must never be the copy that the linker keeps for other units.
#pragma once

#include <cstdint>
#include <cstring>

#if defined(__AVX512F__)
#include <immintrin.h>
#define HAMMINGWAY_VECTOR_BYTES 64
#elif defined(__AVX2__)
#include <immintrin.h>
#define HAMMINGWAY_VECTOR_BYTES 32
#elif defined(__SSE2__)
#include <emmintrin.h>
#define HAMMINGWAY_VECTOR_BYTES 16
#elif defined(__ARM_NEON)
#include <arm_neon.h>
#define HAMMINGWAY_VECTOR_BYTES 16
#else
#define HAMMINGWAY_VECTOR_BYTES 16
#endif

#define HAMMINGWAY_PASTE2(a, b) a##b
#define HAMMINGWAY_PASTE(a, b) HAMMINGWAY_PASTE2(a, b)
#define HAMMINGWAY_INLINE static inline __attribute__((always_inline))

namespace {

constexpr int kVectorBytes = HAMMINGWAY_VECTOR_BYTES;
constexpr int kVectorWords = kVectorBytes / 8;

typedef uint64_t Vec __attribute__((vector_size(HAMMINGWAY_VECTOR_BYTES), may_alias));
typedef uint64_t UnalignedVec __attribute__((vector_size(HAMMINGWAY_VECTOR_BYTES), may_alias, aligned(8)));

HAMMINGWAY_INLINE Vec load(const void* from) { return *static_cast<const Vec*>(from); }
HAMMINGWAY_INLINE Vec load_unaligned(const uint64_t* from) { return *reinterpret_cast<const UnalignedVec*>(from); }
HAMMINGWAY_INLINE void store(void* to, Vec v) { *static_cast<Vec*>(to) = v; }
HAMMINGWAY_INLINE Vec zero() { return Vec{}; }
HAMMINGWAY_INLINE Vec broadcast(uint64_t word) { return Vec{} + word; }

#if defined(__AVX512F__)
HAMMINGWAY_INLINE Vec xor3(Vec a, Vec b, Vec c) {
  return (Vec)_mm512_ternarylogic_epi64((__m512i)a, (__m512i)b, (__m512i)c, 0x96);
}
HAMMINGWAY_INLINE Vec majority(Vec a, Vec b, Vec c) {
  return (Vec)_mm512_ternarylogic_epi64((__m512i)a, (__m512i)b, (__m512i)c, 0xe8);
}
HAMMINGWAY_INLINE void full_add(Vec& sum, Vec a, Vec b, Vec& carry) {
  const Vec s = sum;
  sum = xor3(s, a, b);
  carry = majority(s, a, b);
}
HAMMINGWAY_INLINE bool any(Vec v) { return _mm512_test_epi64_mask((__m512i)v, (__m512i)v) != 0; }
#else
HAMMINGWAY_INLINE Vec xor3(Vec a, Vec b, Vec c) { return a ^ b ^ c; }
#if defined(__ARM_NEON)
HAMMINGWAY_INLINE Vec majority(Vec a, Vec b, Vec c) {
  return (Vec)vbslq_u64((uint64x2_t)(a ^ b), (uint64x2_t)c, (uint64x2_t)a);
}
HAMMINGWAY_INLINE void full_add(Vec& sum, Vec a, Vec b, Vec& carry) {
  const Vec half = sum ^ a;
  carry = (Vec)vbslq_u64((uint64x2_t)half, (uint64x2_t)b, (uint64x2_t)a);
  sum = half ^ b;
}
HAMMINGWAY_INLINE bool any(Vec v) { return vmaxvq_u32((uint32x4_t)v) != 0; }
#else
HAMMINGWAY_INLINE Vec majority(Vec a, Vec b, Vec c) { return (a & b) | (c & (a | b)); }
HAMMINGWAY_INLINE void full_add(Vec& sum, Vec a, Vec b, Vec& carry) {
  const Vec half = sum ^ a;
  carry = (sum & a) | (half & b);
  sum = half ^ b;
}
#if defined(__AVX2__)
HAMMINGWAY_INLINE bool any(Vec v) { return !_mm256_testz_si256((__m256i)v, (__m256i)v); }
#elif defined(__SSE2__)
HAMMINGWAY_INLINE bool any(Vec v) {
  return _mm_movemask_epi8(_mm_cmpeq_epi8((__m128i)v, _mm_setzero_si128())) != 0xffff;
}
#else
HAMMINGWAY_INLINE bool any(Vec v) { return (v[0] | v[1]) != 0; }
#endif
#endif
#endif

}  // namespace
