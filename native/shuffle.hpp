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
HAMMINGWAY_INLINE Vec table_of(const uint8_t* sixteen) {
  return (Vec)_mm512_maskz_broadcast_i32x4(0xffff, _mm_load_si128(reinterpret_cast<const __m128i*>(sixteen)));
}
HAMMINGWAY_INLINE Vec look_up(Vec table, Vec index) { return (Vec)_mm512_shuffle_epi8((__m512i)table, (__m512i)index); }
HAMMINGWAY_INLINE Vec min_shorts(Vec a, Vec b) { return (Vec)_mm512_min_epu16((__m512i)a, (__m512i)b); }
HAMMINGWAY_INLINE bool any_short_below(Vec shorts, uint16_t limit) {
  return _mm512_cmplt_epu16_mask((__m512i)shorts, _mm512_set1_epi16(short(limit))) != 0;
}
HAMMINGWAY_INLINE Vec min_bytes(Vec a, Vec b) { return (Vec)_mm512_min_epu8((__m512i)a, (__m512i)b); }
HAMMINGWAY_INLINE Vec add_saturated(Vec a, Vec b) { return (Vec)_mm512_adds_epu8((__m512i)a, (__m512i)b); }
HAMMINGWAY_INLINE bool any_byte_below(Vec bytes, uint8_t limit) {
  return _mm512_cmplt_epu8_mask((__m512i)bytes, _mm512_set1_epi8(char(limit))) != 0;
}
// Byte i is all ones where bit i is set.
HAMMINGWAY_INLINE Vec spread_bits(const uint8_t* bits) {
  uint64_t word;
  memcpy(&word, bits, 8);
  return (Vec)_mm512_movm_epi8(word);
}
#elif defined(__AVX2__)
HAMMINGWAY_INLINE uint64_t byte_mask(Vec bytes) {
  return uint64_t(uint32_t(_mm256_movemask_epi8((__m256i)bytes)));
}
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
HAMMINGWAY_INLINE Vec spread_bits(const uint8_t* bits) {
  int word;
  memcpy(&word, bits, 4);
  const __m256i byte_of = _mm256_setr_epi64x(0, 0x0101010101010101LL, 0x0202020202020202LL, 0x0303030303030303LL);
  const __m256i bit_of = _mm256_set1_epi64x(int64_t(0x8040201008040201ULL));
  const __m256i bytes = _mm256_and_si256(_mm256_shuffle_epi8(_mm256_set1_epi32(word), byte_of), bit_of);
  return (Vec)_mm256_cmpeq_epi8(bytes, bit_of);
}
#else
HAMMINGWAY_INLINE uint64_t byte_mask(Vec bytes) {
  const uint8x16_t bits = vandq_u8((uint8x16_t)bytes, (uint8x16_t)(Vec{} + 0x8040201008040201ULL));
  return uint64_t(vaddv_u8(vget_low_u8(bits))) | uint64_t(vaddv_u8(vget_high_u8(bits))) << 8;
}
HAMMINGWAY_INLINE Vec table_of(const uint8_t* sixteen) { return (Vec)vld1q_u8(sixteen); }
HAMMINGWAY_INLINE Vec look_up(Vec table, Vec index) { return (Vec)vqtbl1q_u8((uint8x16_t)table, (uint8x16_t)index); }
HAMMINGWAY_INLINE Vec min_shorts(Vec a, Vec b) { return (Vec)vminq_u16((uint16x8_t)a, (uint16x8_t)b); }
HAMMINGWAY_INLINE bool any_short_below(Vec shorts, uint16_t limit) { return vminvq_u16((uint16x8_t)shorts) < limit; }
HAMMINGWAY_INLINE Vec min_bytes(Vec a, Vec b) { return (Vec)vminq_u8((uint8x16_t)a, (uint8x16_t)b); }
HAMMINGWAY_INLINE Vec add_saturated(Vec a, Vec b) { return (Vec)vqaddq_u8((uint8x16_t)a, (uint8x16_t)b); }
HAMMINGWAY_INLINE bool any_byte_below(Vec bytes, uint8_t limit) { return vminvq_u8((uint8x16_t)bytes) < limit; }
HAMMINGWAY_INLINE Vec spread_bits(const uint8_t* bits) {
  const uint8x16_t bytes = vcombine_u8(vdup_n_u8(bits[0]), vdup_n_u8(bits[1]));
  return (Vec)vtstq_u8(bytes, (uint8x16_t)(Vec{} + 0x8040201008040201ULL));
}
#endif

}  // namespace
#endif
