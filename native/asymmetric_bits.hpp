// Weighted distances by adders at the level of each bit of the weights, where there is no byte shuffle.
#pragma once

#include "asymmetric_kernel.hpp"
#include "kernel_count.hpp"
#include "vector.hpp"

namespace {

using hammingway::AsymmetricScan;
using hammingway::BitQuery;
using hammingway::Hit;
using hammingway::kBitChunk;
using hammingway::kBitLimitStride;
using hammingway::kLevels;
using hammingway::kWords;

constexpr int kMaxTotal = 24;  // planes of the largest total, its overflow included

template <int P>
struct Listed {
  static constexpr int kLowest = 0;
  const uint8_t* flipped;
  const uint8_t* places;

  template <int I>
  HAMMINGWAY_INLINE Vec at(const Listed& s) {
    return load(s.flipped + size_t(s.places[I]) * kVectorBytes);
  }
};

// totals (`width` bits and an overflow that stays set) += the number of set bits among P planes.
template <int P>
HAMMINGWAY_INLINE void add_listed(const uint8_t* flipped, const uint8_t* places, Vec* totals, int width) {
  constexpr int kLow = log2_at_compile_time(P);
  const Listed<P> source{flipped, places};
  Vec sums[kLow + 1];
  count<P>(source, sums);
  Vec carry = Listed<P>::template at<P - 1>(source);
#pragma GCC unroll 8
  for (int b = 0; b < kLow; ++b) {
    const Vec c = carry;
    full_add(totals[b], sums[b], c, carry);
  }
  for (int b = kLow; b < width; ++b) {
    const Vec t = totals[b];
    totals[b] = t ^ carry;
    carry = t & carry;
  }
  totals[width] |= carry;
}

static void add_level(const uint8_t* flipped, const uint8_t* places, int n, Vec* totals, int width) {
  for (; n >= 32; n -= 32, places += 32) add_listed<32>(flipped, places, totals, width);
#define HAMMINGWAY_STEP(P)                                \
  if (n & P) {                                            \
    add_listed<P>(flipped, places, totals, width);        \
    places += P;                                          \
  }
  HAMMINGWAY_STEP(16)
  HAMMINGWAY_STEP(8)
  HAMMINGWAY_STEP(4)
  HAMMINGWAY_STEP(2)
  HAMMINGWAY_STEP(1)
#undef HAMMINGWAY_STEP
}

// Adds one chunk of planes, greatest bits first; returns the lanes still below the limit.
static Vec add_chunk(const BitQuery& query, const uint8_t* flipped, const uint16_t* counts, const uint8_t*& listed,
                     Vec live, Vec* totals) {
  Vec lanes = live & ~totals[query.counter_bits];
  for (int i = 0; i < kLevels; ++i) {
    const int level = kLevels - 1 - i;
    if (counts[i] && any(lanes)) {
      add_level(flipped, listed, counts[i], totals + level, query.counter_bits - level);
      lanes = live & ~totals[query.counter_bits];
    }
    listed += counts[i];
  }
  return lanes;
}

static void scan_bits_at(const AsymmetricScan& scan, int q, const uint64_t* planes, int64_t block, int part, Vec live) {
  const BitQuery& query = scan.bits[q];
  const uint64_t* limit = scan.bit_limits + size_t(q) * kBitLimitStride;
  const uint8_t* listed = query.listed;
  const uint16_t* counts = query.counts;
  Vec totals[kMaxTotal];
  for (int b = 0; b < query.counter_bits; ++b) totals[b] = broadcast(limit[b]);
  totals[query.counter_bits] = zero();
  Vec lanes = live;
  for (int done = 0; done < scan.n_scored; done += kBitChunk, counts += kLevels) {
    const int n = scan.n_scored - done < kBitChunk ? scan.n_scored - done : kBitChunk;
    for (int j = 0; j < n; ++j)
      store(scan.scratch + size_t(j) * kVectorBytes,
            load_unaligned(planes + size_t(done + j) * kWords) ^ broadcast(query.flips[done + j]));
    lanes = add_chunk(query, scan.scratch, counts, listed, live, totals);
    if (!any(lanes)) return;
  }
  alignas(64) uint64_t found[kVectorWords];
  store(found, lanes);
  scan.on_sums(scan.context, Hit{q, block, part * kVectorWords * 64, kVectorWords, found,
                                 reinterpret_cast<const uint64_t*>(totals)});
}

static void scan_bits(const AsymmetricScan& scan, const uint64_t* planes, const uint64_t* live, int64_t first,
                      int64_t last) {
  for (int64_t block = first; block < last; ++block) {
    const uint64_t* here = planes + size_t(block) * size_t(scan.n_bits) * kWords;
    for (int part = 0; part < kWords / kVectorWords; ++part) {
      const Vec alive = load_unaligned(live + block * kWords + part * kVectorWords);
      if (!any(alive)) continue;
      for (int q = 0; q < scan.n_queries; ++q) scan_bits_at(scan, q, here + part * kVectorWords, block, part, alive);
    }
  }
}

static size_t scratch_bytes(int) { return size_t(kBitChunk) * kVectorBytes; }

}  // namespace
