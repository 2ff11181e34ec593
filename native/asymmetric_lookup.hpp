// Weighted distances by look-ups, several planes at a time, for a batch of queries.
#pragma once

#include "asymmetric_kernel.hpp"
#include "shuffle.hpp"

namespace {

using hammingway::AsymmetricScan;
using hammingway::kLanes;
using hammingway::kWords;
using hammingway::LaneHit;
using hammingway::Runs;
using hammingway::TableQuery;

// Registers of lanes, and queries, whose sums are kept at once: as many as the register file holds.
#if defined(__AVX512BW__) || defined(__ARM_NEON)
constexpr int kStrip = 4;
#else
constexpr int kStrip = 2;
#endif
constexpr int kPair = 2;
constexpr int kGroup = kIndexBits;
constexpr int kTable = 1 << kGroup;
// A register of plane bits makes this many registers of indices: byte b of register v is lane 8 b + v.
constexpr int kSpread = 8;
constexpr int kPieceLanes = kSpread * kVectorBytes;
constexpr int kStripLanes = kStrip * kVectorBytes;
static_assert(kLanes % kPieceLanes == 0 && kSpread % kStrip == 0, "a strip lies within one piece");

constexpr int groups_of(int n_scored) { return (n_scored + kGroup - 1) / kGroup; }

// The planes of one group from `bit` on; those past n_scored are clear.
HAMMINGWAY_INLINE void load_group(const uint64_t* planes, int bit, int n_scored, Vec* bits) {
  planes += size_t(bit) * kWords;
  if (__builtin_expect(bit + kGroup <= n_scored, 1)) {
#pragma GCC unroll 8
    for (int i = 0; i < kGroup; ++i) bits[i] = load_unaligned(planes + i * kWords);
  } else {
    for (int i = 0; i < kGroup; ++i) bits[i] = bit + i < n_scored ? load_unaligned(planes + i * kWords) : zero();
  }
}

// indices[g * 512 + place]: bits kGroup g and on of a lane's code, in places as lane_of says.
static void build_indices(const uint64_t* planes, int n_scored, uint8_t* indices) {
  for (int j = 0; j < n_scored; j += kGroup)
    for (int word = 0; word < kWords; word += kVectorWords, indices += kPieceLanes) {
      Vec bits[kGroup], index[kSpread];
      load_group(planes + word, j, n_scored, bits);
      spread_bits(bits, index);
#pragma GCC unroll 8
      for (int v = 0; v < kSpread; ++v) store(indices + v * kVectorBytes, index[v]);
    }
}

constexpr int lane_of(int place) {
  return place / kPieceLanes * kPieceLanes + place % kVectorBytes * kSpread + place / kVectorBytes % kSpread;
}

// Sums of table entries of one strip, 16 bits each: those of even places and of odd ones.
struct Sums {
  Vec even[kStrip];
  Vec odd[kStrip];
};

// The sums of the entries of groups [first, stop) in bytes, which do not overflow.
template <int Q>
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
      for (int q = 0; q < Q; ++q) bytes[q][v] = add_bytes(bytes[q][v], look_up(table[q], index));
    }
  }
}

// The same for all groups, a run at a time; a sum that would pass 255 stays there. Adding runs first
// is quicker than saturating every sum.
template <int Q>
HAMMINGWAY_INLINE void look_up_saturated(const uint8_t* indices, const uint8_t* const* tables, const Runs& runs,
                                         Vec (*bytes)[kStrip]) {
  look_up_bytes<Q>(indices, tables, 0, runs.stops[0], bytes);
  for (int r = 1; r < runs.count; ++r) {
    Vec more[Q][kStrip];
    look_up_bytes<Q>(indices, tables, runs.stops[r - 1], runs.stops[r], more);
#pragma GCC unroll 8
    for (int q = 0; q < Q; ++q)
#pragma GCC unroll 8
      for (int v = 0; v < kStrip; ++v) bytes[q][v] = add_saturated(bytes[q][v], more[q][v]);
  }
}

template <int Q>
HAMMINGWAY_INLINE void look_up_all(const uint8_t* indices, const uint8_t* const* tables, const Runs& runs,
                                   Sums* sums) {
#pragma GCC unroll 8
  for (int q = 0; q < Q; ++q)
#pragma GCC unroll 8
    for (int v = 0; v < kStrip; ++v) sums[q].even[v] = sums[q].odd[v] = zero();
  for (int r = 0, first = 0; r < runs.count; first = runs.stops[r++]) {
    Vec bytes[Q][kStrip];
    look_up_bytes<Q>(indices, tables, first, runs.stops[r], bytes);
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
  const uint8_t* indices;  // of its first place
  int n_groups;
  int first_place;
  int64_t block;
  const uint64_t* live;    // of the block
};

HAMMINGWAY_INLINE int32_t sum_of(const Sums& sums, int place) {
  const Vec* half = place & 1 ? sums.odd : sums.even;
  uint16_t sum;
  memcpy(&sum, reinterpret_cast<const uint8_t*>(half) + (place & ~1), sizeof sum);
  return sum;
}

// Both digits of a whole strip, for the places asked for.
static void measure_many(const AsymmetricScan& scan, const TableQuery& query, const Strip& strip,
                         const uint16_t* places, int n, int32_t* distances) {
  Sums sums;
  look_up_all<1>(strip.indices, &query.high, scan.high_runs, &sums);
  for (int i = 0; i < n; ++i) distances[i] = query.digit * sum_of(sums, places[i]);
  if (!query.low) return;
  look_up_all<1>(strip.indices, &query.low, scan.low_runs, &sums);
  for (int i = 0; i < n; ++i) distances[i] += sum_of(sums, places[i]);
}

static int32_t measure(const TableQuery& query, const Strip& strip, int place) {
  constexpr int kHalf = 1 << kGroup / 2;
  const uint8_t* index = strip.indices + place;
  const uint16_t* halves = query.halves;
  int32_t low = 0, high = 0;
#pragma GCC unroll 4
  for (int g = 0; g < strip.n_groups; ++g, index += kLanes, halves += 2 * kHalf) {
    low += halves[*index & (kHalf - 1)];
    high += halves[kHalf + (*index >> kGroup / 2 & (kHalf - 1))];
  }
  return low + high;
}

// `passed`: a bit for each place, of the strip's registers in turn, whose high digits pass.
__attribute__((noinline, cold)) static void report(const AsymmetricScan& scan, int q, const Strip& strip,
                                                    const uint64_t* passed) {
  constexpr int kFew = 6;
  uint16_t places[kStripLanes], lanes[kStripLanes];
  int32_t distances[kStripLanes];
  int n = 0, kept = 0;
  for (int v = 0; v < kStrip; ++v)
    for (uint64_t rest = passed[v]; rest; rest &= rest - 1) {
      const int place = v * kVectorBytes + __builtin_ctzll(rest), lane = lane_of(strip.first_place + place);
      places[n] = uint16_t(place);
      lanes[n] = uint16_t(lane);
      n += int(strip.live[lane / 64] >> lane % 64 & 1);
    }
  const TableQuery& query = scan.tables[q];
  if (n > kFew)
    measure_many(scan, query, strip, places, n, distances);
  else
    for (int i = 0; i < n; ++i) distances[i] = measure(query, strip, places[i]);
  const int32_t limit = scan.table_limits[q].limit;
  for (int i = 0; i < n; ++i) {
    lanes[kept] = lanes[i];
    distances[kept] = distances[i];
    kept += distances[i] < limit;
  }
  if (kept) scan.on_lanes(scan.context, LaneHit{q, strip.block * kLanes, kept, lanes, distances});
}

// Limits below 256: sums that saturate never look small.
template <int Q, bool Saturate>
HAMMINGWAY_INLINE void scan_strip_bytes(const AsymmetricScan& scan, int q, const Strip& strip,
                                        const uint8_t* const* tables) {
  Vec bytes[Q][kStrip];
  if constexpr (Saturate)
    look_up_saturated<Q>(strip.indices, tables, scan.high_runs, bytes);
  else
    look_up_bytes<Q>(strip.indices, tables, 0, strip.n_groups, bytes);
#pragma GCC unroll 8
  for (int i = 0; i < Q; ++i) {
    const uint8_t limit = uint8_t(scan.table_limits[q + i].high);
    Vec least = bytes[i][0];
#pragma GCC unroll 8
    for (int v = 1; v < kStrip; ++v) least = min_bytes(least, bytes[i][v]);
    if (__builtin_expect(!any_byte_below(least, limit), 1)) continue;
    uint64_t passed[kStrip];
#pragma GCC unroll 8
    for (int v = 0; v < kStrip; ++v) passed[v] = byte_mask(bytes_below(bytes[i][v], limit));
    report(scan, q + i, strip, passed);
  }
}

template <int Q>
HAMMINGWAY_INLINE void scan_strip_shorts(const AsymmetricScan& scan, int q, const Strip& strip,
                                         const uint8_t* const* tables) {
  Sums sums[Q];
  look_up_all<Q>(strip.indices, tables, scan.high_runs, sums);
#pragma GCC unroll 8
  for (int i = 0; i < Q; ++i) {
    const uint16_t limit = scan.table_limits[q + i].high;
    Vec least = min_shorts(sums[i].even[0], sums[i].odd[0]);
#pragma GCC unroll 8
    for (int v = 1; v < kStrip; ++v) least = min_shorts(least, min_shorts(sums[i].even[v], sums[i].odd[v]));
    if (__builtin_expect(!any_short_below(least, limit), 1)) continue;
    uint64_t passed[kStrip];
#pragma GCC unroll 8
    for (int v = 0; v < kStrip; ++v)
      passed[v] = byte_mask(merged(shorts_below(sums[i].even[v], limit), shorts_below(sums[i].odd[v], limit)));
    report(scan, q + i, strip, passed);
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
  const int n_groups = groups_of(scan.n_scored);
  for (int64_t block = first; block < last; ++block) {
    const uint64_t* alive = live + block * kWords;
    build_indices(planes + size_t(block) * size_t(scan.n_bits) * kWords, scan.n_scored, scan.scratch);
    for (int place = 0; place < kLanes; place += kStripLanes) {
      const Strip strip{scan.scratch + place, n_groups, place, block, alive};
      int q = 0;
      for (; q + kPair <= scan.n_queries; q += kPair) scan_strip<kPair>(scan, q, strip);
      for (; q < scan.n_queries; ++q) scan_strip<1>(scan, q, strip);
    }
  }
}

static size_t scratch_bytes(int n_scored) { return size_t(groups_of(n_scored)) * kLanes; }

}  // namespace
