// Registers as bytes: look-ups in tables of sixteen, and bits spread over bytes. Internal linkage, as in vector.hpp.
#pragma once

#include "vector.hpp"

#if defined(__AVX512BW__) || defined(__AVX2__) || defined(__ARM_NEON)
#define HAMMINGWAY_HAS_SHUFFLE 1

namespace {

typedef uint8_t Bytes __attribute__((vector_size(HAMMINGWAY_VECTOR_BYTES)));
typedef uint16_t Shorts __attribute__((vector_size(HAMMINGWAY_VECTOR_BYTES)));

HAMMINGWAY_INLINE Vec add_bytes(Vec a, Vec b) { return (Vec)((Bytes)a + (Bytes)b); }
HAMMINGWAY_INLINE Vec add_shorts(Vec a, Vec b) { return (Vec)((Shorts)a + (Shorts)b); }
HAMMINGWAY_INLINE Vec even_bytes(Vec a) { return a & broadcast(0x00ff00ff00ff00ffULL); }
HAMMINGWAY_INLINE Vec take_off_high(Vec a, Vec b) { return (Vec)((Shorts)a - ((Shorts)b << 8)); }
HAMMINGWAY_INLINE Vec odd_bytes(Vec a) { return (Vec)((Shorts)a >> 8); }

// All ones where a short is below the limit.
HAMMINGWAY_INLINE Vec shorts_below(Vec shorts, uint16_t limit) { return (Vec)((Shorts)shorts < (Shorts{} + limit)); }
HAMMINGWAY_INLINE Vec bytes_below(Vec bytes, uint8_t limit) { return (Vec)((Bytes)bytes < (Bytes{} + limit)); }
// Bytes of even and odd lanes, as `shorts_below` gives them, merged in lane order.
HAMMINGWAY_INLINE Vec merged(Vec even, Vec odd) { return even_bytes(even) | (odd & ~broadcast(0x00ff00ff00ff00ffULL)); }

#if defined(__AVX512BW__)
HAMMINGWAY_INLINE uint64_t byte_mask(Vec bytes) {
  return uint64_t(_mm512_movepi8_mask((__m512i)bytes));
}
HAMMINGWAY_INLINE Vec choose(Vec mask, Vec a, Vec b) {
  return (Vec)_mm512_ternarylogic_epi64((__m512i)mask, (__m512i)a, (__m512i)b, 0xca);
}
#if defined(__AVX512VBMI__)
constexpr int kIndexBits = 6;
HAMMINGWAY_INLINE Vec table_of(const uint8_t* sixty_four) { return load(sixty_four); }
HAMMINGWAY_INLINE Vec look_up(Vec table, Vec index) {
  return (Vec)_mm512_maskz_permutexvar_epi8(~uint64_t(0), (__m512i)index, (__m512i)table);
}
#else
constexpr int kIndexBits = 4;
HAMMINGWAY_INLINE Vec table_of(const uint8_t* sixteen) {
  return (Vec)_mm512_maskz_broadcast_i32x4(0xffff, _mm_load_si128(reinterpret_cast<const __m128i*>(sixteen)));
}
HAMMINGWAY_INLINE Vec look_up(Vec table, Vec index) { return (Vec)_mm512_shuffle_epi8((__m512i)table, (__m512i)index); }
#endif
HAMMINGWAY_INLINE Vec min_shorts(Vec a, Vec b) { return (Vec)_mm512_min_epu16((__m512i)a, (__m512i)b); }
HAMMINGWAY_INLINE bool any_short_below(Vec shorts, uint16_t limit) {
  return _mm512_cmplt_epu16_mask((__m512i)shorts, _mm512_set1_epi16(short(limit))) != 0;
}
HAMMINGWAY_INLINE Vec min_bytes(Vec a, Vec b) { return (Vec)_mm512_min_epu8((__m512i)a, (__m512i)b); }
HAMMINGWAY_INLINE Vec add_saturated(Vec a, Vec b) { return (Vec)_mm512_adds_epu8((__m512i)a, (__m512i)b); }
HAMMINGWAY_INLINE bool any_byte_below(Vec bytes, uint8_t limit) {
  return _mm512_cmplt_epu8_mask((__m512i)bytes, _mm512_set1_epi8(char(limit))) != 0;
}
#elif defined(__AVX2__)
HAMMINGWAY_INLINE uint64_t byte_mask(Vec bytes) {
  return uint64_t(uint32_t(_mm256_movemask_epi8((__m256i)bytes)));
}
HAMMINGWAY_INLINE Vec choose(Vec mask, Vec a, Vec b) { return (a & mask) | (b & ~mask); }
constexpr int kIndexBits = 4;
HAMMINGWAY_INLINE Vec table_of(const uint8_t* sixteen) {
  return (Vec)_mm256_broadcastsi128_si256(_mm_load_si128(reinterpret_cast<const __m128i*>(sixteen)));
}
HAMMINGWAY_INLINE Vec look_up(Vec table, Vec index) { return (Vec)_mm256_shuffle_epi8((__m256i)table, (__m256i)index); }
HAMMINGWAY_INLINE Vec min_shorts(Vec a, Vec b) { return (Vec)_mm256_min_epu16((__m256i)a, (__m256i)b); }
HAMMINGWAY_INLINE bool any_short_below(Vec shorts, uint16_t limit) {
  if (!limit) return false;
  const Vec under = min_shorts(shorts, (Vec)_mm256_set1_epi16(short(limit - 1)));
  return _mm256_movemask_epi8(_mm256_cmpeq_epi16((__m256i)under, (__m256i)shorts)) != 0;
}
HAMMINGWAY_INLINE Vec min_bytes(Vec a, Vec b) { return (Vec)_mm256_min_epu8((__m256i)a, (__m256i)b); }
HAMMINGWAY_INLINE Vec add_saturated(Vec a, Vec b) { return (Vec)_mm256_adds_epu8((__m256i)a, (__m256i)b); }
HAMMINGWAY_INLINE bool any_byte_below(Vec bytes, uint8_t limit) {
  if (!limit) return false;
  const Vec under = min_bytes(bytes, (Vec)_mm256_set1_epi8(char(limit - 1)));
  return _mm256_movemask_epi8(_mm256_cmpeq_epi8((__m256i)under, (__m256i)bytes)) != 0;
}
#else
HAMMINGWAY_INLINE uint64_t byte_mask(Vec bytes) {
  const uint8x16_t bits = vandq_u8((uint8x16_t)bytes, (uint8x16_t)(Vec{} + 0x8040201008040201ULL));
  return uint64_t(vaddv_u8(vget_low_u8(bits))) | uint64_t(vaddv_u8(vget_high_u8(bits))) << 8;
}
HAMMINGWAY_INLINE Vec choose(Vec mask, Vec a, Vec b) {
  return (Vec)vbslq_u64((uint64x2_t)mask, (uint64x2_t)a, (uint64x2_t)b);
}
constexpr int kIndexBits = 4;
HAMMINGWAY_INLINE Vec table_of(const uint8_t* sixteen) { return (Vec)vld1q_u8(sixteen); }
HAMMINGWAY_INLINE Vec look_up(Vec table, Vec index) { return (Vec)vqtbl1q_u8((uint8x16_t)table, (uint8x16_t)index); }
HAMMINGWAY_INLINE Vec min_shorts(Vec a, Vec b) { return (Vec)vminq_u16((uint16x8_t)a, (uint16x8_t)b); }
HAMMINGWAY_INLINE bool any_short_below(Vec shorts, uint16_t limit) { return vminvq_u16((uint16x8_t)shorts) < limit; }
HAMMINGWAY_INLINE Vec min_bytes(Vec a, Vec b) { return (Vec)vminq_u8((uint8x16_t)a, (uint8x16_t)b); }
HAMMINGWAY_INLINE Vec add_saturated(Vec a, Vec b) { return (Vec)vqaddq_u8((uint8x16_t)a, (uint8x16_t)b); }
HAMMINGWAY_INLINE bool any_byte_below(Vec bytes, uint8_t limit) { return vminvq_u8((uint8x16_t)bytes) < limit; }
#endif

// Two registers of fields `width` bits wide become two of fields twice as wide, a's part low: those of
// the even fields (`lower`: their mask) and those of the odd ones.
HAMMINGWAY_INLINE void pair_fields(Vec a, Vec b, int width, uint64_t lower, Vec& even, Vec& odd) {
  even = choose(broadcast(lower), a, b << width);
  odd = choose(broadcast(lower), a >> width, b);
}

// Byte b of index[v] gets bit 8 b + v of every plane, plane i as bit i; bits that a look-up does not
// read may be anything. A transposition by bits in three steps, each for all bytes at once.
HAMMINGWAY_INLINE void spread_bits(const Vec* planes, Vec* index) {
  constexpr uint64_t kPairs = 0x5555555555555555ULL, kFours = 0x3333333333333333ULL, kLow = 0x0f0f0f0f0f0f0f0fULL;
  Vec even, odd, even2, odd2, fours[4];
  pair_fields(planes[0], planes[1], 1, kPairs, even, odd);
  pair_fields(planes[2], planes[3], 1, kPairs, even2, odd2);
  pair_fields(even, even2, 2, kFours, fours[0], fours[2]);
  pair_fields(odd, odd2, 2, kFours, fours[1], fours[3]);
#if defined(__AVX512VBMI__)
  const Vec low = broadcast(kLow);
  pair_fields(planes[4], planes[5], 1, kPairs, even, odd);
#pragma GCC unroll 2
  for (int i = 0; i < 2; ++i) {
    const Vec twos = i ? odd : even;
    index[i] = choose(low, fours[i], twos << 4);
    index[2 + i] = choose(low, fours[2 + i], twos << 2);
    index[4 + i] = choose(low, fours[i] >> 4, twos);
    index[6 + i] = choose(low, fours[2 + i] >> 4, twos >> 2);
  }
#else
#pragma GCC unroll 4
  for (int i = 0; i < 4; ++i) {
    index[i] = fours[i] & broadcast(kLow);
    index[4 + i] = fours[i] >> 4 & broadcast(kLow);
  }
#endif
}

}  // namespace
#endif
