// Counting set bits of many planes at once with carry-save adders, for the per-ISA units.
//
// A Source says which vectors are counted: `at<I>(source)` for I in [0, kCount), each of weight
// 2^kLowest, and a last one that the caller adds as the carry-in.
#pragma once

#include "vector.hpp"

namespace {

constexpr int log2_at_compile_time(int power) { return power <= 1 ? 0 : 1 + log2_at_compile_time(power / 2); }

// One vector of weight 2^Level made from the source's vectors from index I on, depth first, so that
// only one running sum a level is alive; sums stay in `sums`.
template <int Level, int I, class Source>
HAMMINGWAY_INLINE Vec gather(const Source& source, Vec* sums) {
  if constexpr (Level == Source::kLowest) {
    return Source::template at<I>(source);
  } else {
    constexpr int kHalf = 1 << (Level - 1 - Source::kLowest);
    const Vec a = gather<Level - 1, I>(source, sums);
    const Vec b = gather<Level - 1, I + kHalf>(source, sums);
    Vec carry;
    full_add(sums[Level - 1], a, b, carry);
    return carry;
  }
}

template <int Level, int Top, class Source>
HAMMINGWAY_INLINE void gather_all(const Source& source, Vec* sums) {
  if constexpr (Level < Top) {
    sums[Level] = gather<Level, (1 << (Level - Source::kLowest)) - 1>(source, sums);
    gather_all<Level + 1, Top>(source, sums);
  }
}

// Number of set bits among P - 1 planes of a chunk as log2(P) vertical bits.
template <int P, class Source>
HAMMINGWAY_INLINE void count(const Source& source, Vec* sums) {
  constexpr int kTop = log2_at_compile_time(P);
  if constexpr (Source::kLowest == 1) sums[0] = Source::ones(source);
  gather_all<Source::kLowest, kTop>(source, sums);
}

// totals (W bits and an overflow that stays set) += count + carry.
template <int P, int W>
HAMMINGWAY_INLINE void add_count(const Vec* sums, Vec carry, Vec* totals) {
  constexpr int kLow = log2_at_compile_time(P);
#pragma GCC unroll 16
  for (int b = 0; b < kLow; ++b) {
    const Vec c = carry;
    full_add(totals[b], sums[b], c, carry);
  }
#pragma GCC unroll 16
  for (int b = kLow; b < W; ++b) {
    const Vec t = totals[b];
    totals[b] = t ^ carry;
    carry = t & carry;
  }
  totals[W] |= carry;
}

}  // namespace
