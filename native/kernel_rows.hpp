// Transposition and distances between rows, compiled with kernel.cpp once for each instruction set.
#pragma once

#include <cstdint>
#include <cstring>

#include "vector.hpp"

namespace {

template <int Step>
HAMMINGWAY_INLINE void swap_off_diagonal(uint64_t* matrix, uint64_t mask) {
  for (int i = 0; i < 64; i += 2 * Step)
    for (int j = i; j < i + Step; ++j) {
      const uint64_t different = ((matrix[j] >> Step) ^ matrix[j + Step]) & mask;
      matrix[j] ^= different << Step;
      matrix[j + Step] ^= different;
    }
}

static void transpose(uint64_t* matrix) {
  swap_off_diagonal<32>(matrix, 0x00000000ffffffffULL);
  swap_off_diagonal<16>(matrix, 0x0000ffff0000ffffULL);
  swap_off_diagonal<8>(matrix, 0x00ff00ff00ff00ffULL);
  swap_off_diagonal<4>(matrix, 0x0f0f0f0f0f0f0f0fULL);
  swap_off_diagonal<2>(matrix, 0x3333333333333333ULL);
  swap_off_diagonal<1>(matrix, 0x5555555555555555ULL);
}

HAMMINGWAY_INLINE uint64_t ones_in(uint64_t x) {
#if defined(__POPCNT__) || defined(__ARM_NEON)
  return uint64_t(__builtin_popcountll(x));
#else
  x = x - ((x >> 1) & 0x5555555555555555ULL);
  x = (x & 0x3333333333333333ULL) + ((x >> 2) & 0x3333333333333333ULL);
  x = (x + (x >> 4)) & 0x0f0f0f0f0f0f0f0fULL;
  return (x * 0x0101010101010101ULL) >> 56;
#endif
}

HAMMINGWAY_INLINE uint64_t word_at(const uint8_t* bytes) {
  uint64_t word;
  memcpy(&word, bytes, 8);
  return word;
}

template <int Words>  // 0: any number of words and bytes
HAMMINGWAY_INLINE void row_distances(const uint8_t* query, const uint8_t* database, int64_t n, int n_bytes,
                                     uint16_t* distances) {
  const int words = Words ? Words : n_bytes / 8;
  const int rest = Words ? 0 : n_bytes % 8;
  for (int64_t i = 0; i < n; ++i, database += n_bytes) {
    uint64_t sum = 0;
    for (int w = 0; w < words; ++w) sum += ones_in(word_at(query + 8 * w) ^ word_at(database + 8 * w));
    if (rest) {
      uint64_t a = 0, b = 0;
      memcpy(&a, query + 8 * words, size_t(rest));
      memcpy(&b, database + 8 * words, size_t(rest));
      sum += ones_in(a ^ b);
    }
    distances[i] = uint16_t(sum);
  }
}

static void pairwise(const uint8_t* query, const uint8_t* database, int64_t n, int n_bytes, uint16_t* distances) {
  switch (n_bytes) {
    case 8: return row_distances<1>(query, database, n, 8, distances);
    case 16: return row_distances<2>(query, database, n, 16, distances);
    case 32: return row_distances<4>(query, database, n, 32, distances);
    case 64: return row_distances<8>(query, database, n, 64, distances);
    default: return row_distances<0>(query, database, n, n_bytes, distances);
  }
}

}  // namespace
