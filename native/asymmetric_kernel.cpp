// Weighted distances, compiled once for each instruction set: -DHAMMINGWAY_ISA names the unit.
#include "asymmetric_kernel.hpp"
#include "kernel_count.hpp"
#include "shuffle.hpp"
#include "vector.hpp"

namespace {

using hammingway::AsymmetricKernel;
using hammingway::AsymmetricScan;
using hammingway::BitQuery;
using hammingway::Hit;
using hammingway::kBitChunk;
using hammingway::kBitLimitStride;
using hammingway::kGroup;
using hammingway::kLanes;
using hammingway::kLevels;
using hammingway::kTable;
using hammingway::kWords;
using hammingway::LaneHit;
using hammingway::TableQuery;

// ---- one query: adders at the level of each bit of the weights --------------------------------

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

// ---- many queries: four planes a look-up ------------------------------------------------------

#if defined(HAMMINGWAY_HAS_SHUFFLE)

// Registers of lanes, and queries, whose sums are kept at once: as many as the register file holds.
#if defined(__AVX512BW__) || defined(__ARM_NEON)
constexpr int kStrip = 4;
#else
constexpr int kStrip = 2;
#endif
constexpr int kPair = 2;
constexpr int kStripLanes = kStrip * kVectorBytes;
constexpr int kStripWords = kStripLanes / 64;
static_assert(kStripLanes % 64 == 0, "a strip is whole words of lanes");

// indices[g * 512 + lane]: bits 4 g to 4 g + 3 of the lane's code.
static void build_indices(const uint64_t* planes, int n_scored, uint8_t* indices) {
  for (int j = 0; j < n_scored; j += kGroup)
    for (int at = 0; at < kLanes; at += kVectorBytes, indices += kVectorBytes) {
      Vec index = zero();
      for (int i = 0; i < kGroup && j + i < n_scored; ++i)
        index |= spread_bits(reinterpret_cast<const uint8_t*>(planes + size_t(j + i) * kWords) + at / 8) &
                 broadcast(0x0101010101010101ULL << i);
      store(indices, index);
    }
}

// Sums of table entries of one strip, 16 bits each: those of even lanes and of odd ones.
struct Sums {
  Vec even[kStrip];
  Vec odd[kStrip];
};

// The sum of the entries of groups [first, stop) in bytes, which must not overflow (or Saturate).
template <int Q, bool Saturate>
HAMMINGWAY_INLINE void look_up_bytes(const uint8_t* indices, const uint8_t* const* tables, int first, int stop,
                                     Vec (*bytes)[kStrip]) {
#pragma GCC unroll 8
  for (int q = 0; q < Q; ++q)
#pragma GCC unroll 8
    for (int v = 0; v < kStrip; ++v) bytes[q][v] = zero();
#pragma GCC unroll 2
  for (int g = first; g < stop; ++g) {
    Vec table[Q];
#pragma GCC unroll 8
    for (int q = 0; q < Q; ++q) table[q] = table_of(tables[q] + size_t(g) * kTable);
#pragma GCC unroll 8
    for (int v = 0; v < kStrip; ++v) {
      const Vec index = load(indices + size_t(g) * kLanes + size_t(v) * kVectorBytes);
#pragma GCC unroll 8
      for (int q = 0; q < Q; ++q) {
        const Vec entry = look_up(table[q], index);
        bytes[q][v] = Saturate ? add_saturated(bytes[q][v], entry) : add_bytes(bytes[q][v], entry);
      }
    }
  }
}

template <int Q>
HAMMINGWAY_INLINE void look_up_all(const uint8_t* indices, const uint8_t* const* tables, int n_groups, int chunk,
                                   Sums* sums) {
#pragma GCC unroll 8
  for (int q = 0; q < Q; ++q)
#pragma GCC unroll 8
    for (int v = 0; v < kStrip; ++v) sums[q].even[v] = sums[q].odd[v] = zero();
  for (int g = 0; g < n_groups; g += chunk) {
    Vec bytes[Q][kStrip];
    look_up_bytes<Q, false>(indices, tables, g, n_groups - g < chunk ? n_groups : g + chunk, bytes);
#pragma GCC unroll 8
    for (int q = 0; q < Q; ++q)
#pragma GCC unroll 8
      for (int v = 0; v < kStrip; ++v) {
        // the odd bytes spoil the even sums by 256 times their own, which is taken off at the end
        sums[q].even[v] = add_shorts(sums[q].even[v], bytes[q][v]);
        sums[q].odd[v] = add_shorts(sums[q].odd[v], odd_bytes(bytes[q][v]));
      }
  }
#pragma GCC unroll 8
  for (int q = 0; q < Q; ++q)
#pragma GCC unroll 8
    for (int v = 0; v < kStrip; ++v) sums[q].even[v] = take_off_high(sums[q].even[v], sums[q].odd[v]);
}

struct Strip {
  const uint8_t* indices;  // of its first lane
  int n_groups;
  int64_t first_slot;
  const uint64_t* live;
};

HAMMINGWAY_INLINE int32_t sum_of(const Sums& sums, int lane) {
  const Vec* half = lane & 1 ? sums.odd : sums.even;
  uint16_t sum;
  memcpy(&sum, reinterpret_cast<const uint8_t*>(half) + (lane & ~1), sizeof sum);
  return sum;
}

// Both digits of a whole strip, for the lanes asked for.
static void measure_many(const AsymmetricScan& scan, const TableQuery& query, const Strip& strip, const uint16_t* lanes,
                         int n, int32_t* distances) {
  Sums sums;
  look_up_all<1>(strip.indices, &query.high, strip.n_groups, scan.high_chunk, &sums);
  for (int i = 0; i < n; ++i) distances[i] = query.digit * sum_of(sums, lanes[i]);
  if (!query.low) return;
  look_up_all<1>(strip.indices, &query.low, strip.n_groups, scan.low_chunk, &sums);
  for (int i = 0; i < n; ++i) distances[i] += sum_of(sums, lanes[i]);
}

static int32_t measure(const TableQuery& query, const Strip& strip, int lane) {
  const uint8_t* index = strip.indices + lane;
  int32_t even = 0, odd = 0;
  int g = 0;
  for (; g + 1 < strip.n_groups; g += 2) {
    even += query.full[g * kTable + index[size_t(g) * kLanes]];
    odd += query.full[(g + 1) * kTable + index[size_t(g + 1) * kLanes]];
  }
  if (g < strip.n_groups) even += query.full[g * kTable + index[size_t(g) * kLanes]];
  return even + odd;
}

// `words`: a bit for each lane whose high digits pass.
__attribute__((noinline, cold)) static void report(const AsymmetricScan& scan, int q, const Strip& strip,
                                                    const uint64_t* words) {
  constexpr int kFew = 6;
  uint16_t lanes[kStripLanes];
  int32_t distances[kStripLanes];
  int n = 0, kept = 0;
  for (int w = 0; w < kStripWords; ++w)
    for (uint64_t rest = words[w] & strip.live[w]; rest; rest &= rest - 1)
      lanes[n++] = uint16_t(w * 64 + __builtin_ctzll(rest));
  const TableQuery& query = scan.tables[q];
  if (n > kFew)
    measure_many(scan, query, strip, lanes, n, distances);
  else
    for (int i = 0; i < n; ++i) distances[i] = measure(query, strip, lanes[i]);
  const int32_t limit = scan.table_limits[q].limit;
  for (int i = 0; i < n; ++i) {
    lanes[kept] = lanes[i];
    distances[kept] = distances[i];
    kept += distances[i] < limit;
  }
  if (kept) scan.on_lanes(scan.context, LaneHit{q, strip.first_slot, kept, lanes, distances});
}

HAMMINGWAY_INLINE void put_mask(uint64_t* words, int v, Vec bytes) {
  words[v * kVectorBytes / 64] |= byte_mask(bytes) << (v * kVectorBytes % 64);
}

// Limits below 256: sums that saturate never look small.
template <int Q, bool Saturate>
HAMMINGWAY_INLINE void scan_strip_bytes(const AsymmetricScan& scan, int q, const Strip& strip,
                                        const uint8_t* const* tables) {
  Vec bytes[Q][kStrip];
  look_up_bytes<Q, Saturate>(strip.indices, tables, 0, strip.n_groups, bytes);
#pragma GCC unroll 8
  for (int i = 0; i < Q; ++i) {
    const uint8_t limit = uint8_t(scan.table_limits[q + i].high);
    Vec least = bytes[i][0];
#pragma GCC unroll 8
    for (int v = 1; v < kStrip; ++v) least = min_bytes(least, bytes[i][v]);
    if (__builtin_expect(!any_byte_below(least, limit), 1)) continue;
    uint64_t words[kStripWords] = {};
#pragma GCC unroll 8
    for (int v = 0; v < kStrip; ++v) put_mask(words, v, bytes_below(bytes[i][v], limit));
    report(scan, q + i, strip, words);
  }
}

template <int Q>
HAMMINGWAY_INLINE void scan_strip_shorts(const AsymmetricScan& scan, int q, const Strip& strip,
                                         const uint8_t* const* tables) {
  Sums sums[Q];
  look_up_all<Q>(strip.indices, tables, strip.n_groups, scan.high_chunk, sums);
#pragma GCC unroll 8
  for (int i = 0; i < Q; ++i) {
    const uint16_t limit = scan.table_limits[q + i].high;
    Vec least = min_shorts(sums[i].even[0], sums[i].odd[0]);
#pragma GCC unroll 8
    for (int v = 1; v < kStrip; ++v) least = min_shorts(least, min_shorts(sums[i].even[v], sums[i].odd[v]));
    if (__builtin_expect(!any_short_below(least, limit), 1)) continue;
    uint64_t words[kStripWords] = {};
#pragma GCC unroll 8
    for (int v = 0; v < kStrip; ++v)
      put_mask(words, v, merged(shorts_below(sums[i].even[v], limit), shorts_below(sums[i].odd[v], limit)));
    report(scan, q + i, strip, words);
  }
}

template <int Q>
HAMMINGWAY_INLINE void scan_strip(const AsymmetricScan& scan, int q, const Strip& strip) {
  const uint8_t* tables[Q];
  bool bytes = true, saturate = false;
  for (int i = 0; i < Q; ++i) {
    tables[i] = scan.tables[q + i].high;
    bytes &= scan.table_limits[q + i].high <= 255;
    saturate |= scan.tables[q + i].most > 255;
  }
  if (!bytes)
    scan_strip_shorts<Q>(scan, q, strip, tables);
  else if (saturate)
    scan_strip_bytes<Q, true>(scan, q, strip, tables);
  else
    scan_strip_bytes<Q, false>(scan, q, strip, tables);
}

static void scan_tables(const AsymmetricScan& scan, const uint64_t* planes, const uint64_t* live, int64_t first,
                        int64_t last) {
  const int n_groups = hammingway::groups_of(scan.n_scored);
  for (int64_t block = first; block < last; ++block) {
    build_indices(planes + size_t(block) * size_t(scan.n_bits) * kWords, scan.n_scored, scan.scratch);
    for (int lane = 0; lane < kLanes; lane += kStripLanes) {
      const Strip strip{scan.scratch + lane, n_groups, block * kLanes + lane, live + block * kWords + lane / 64};
      int q = 0;
      for (; q + kPair <= scan.n_queries; q += kPair) scan_strip<kPair>(scan, q, strip);
      for (; q < scan.n_queries; ++q) scan_strip<1>(scan, q, strip);
    }
  }
}
#else
constexpr void (*scan_tables)(const AsymmetricScan&, const uint64_t*, const uint64_t*, int64_t, int64_t) = nullptr;
#endif

constexpr int kFewQueries = 2;

static size_t scratch_bytes(int n_scored) {
  const size_t indices = size_t(hammingway::groups_of(n_scored)) * kLanes, flipped = size_t(kBitChunk) * kVectorBytes;
  return indices > flipped ? indices : flipped;
}

}  // namespace

namespace hammingway {
const AsymmetricKernel HAMMINGWAY_PASTE(HAMMINGWAY_ISA, _asymmetric){kFewQueries, scratch_bytes, scan_tables, scan_bits};
}  // namespace hammingway
