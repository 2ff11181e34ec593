// Weighted distances by look-ups for one query: indices are used where they are made, and stored only
// for a block with lanes to report.
#pragma once

#include "asymmetric_lookup.hpp"

namespace {

// The sums of the entries of groups [first, stop) in bytes, which do not overflow.
HAMMINGWAY_INLINE void look_up_once(const uint64_t* planes, int n_scored, const uint8_t* tables, int first, int stop,
                                    Vec* bytes) {
#pragma GCC unroll 8
  for (int v = 0; v < kSpread; ++v) bytes[v] = zero();
  for (int g = first; g < stop; ++g) {
    Vec bits[kGroup], index[kSpread];
    load_group(planes, g * kGroup, n_scored, bits);
    spread_bits(bits, index);
    const Vec table = table_of(tables + size_t(g) * kTable);
#pragma GCC unroll 8
    for (int v = 0; v < kSpread; ++v) bytes[v] = add_bytes(bytes[v], look_up(table, index[v]));
  }
}

// passed[v]: the places of a piece whose high digits pass.
HAMMINGWAY_INLINE bool pass_bytes(const AsymmetricScan& scan, const uint64_t* planes, uint64_t* passed) {
  const Runs& runs = scan.high_runs;
  const uint8_t* tables = scan.tables->high;
  Vec sums[kSpread];
  look_up_once(planes, scan.n_scored, tables, 0, runs.stops[0], sums);
  for (int r = 1; r < runs.count; ++r) {
    Vec bytes[kSpread];
    look_up_once(planes, scan.n_scored, tables, runs.stops[r - 1], runs.stops[r], bytes);
#pragma GCC unroll 8
    for (int v = 0; v < kSpread; ++v) sums[v] = add_saturated(sums[v], bytes[v]);
  }
  const uint8_t limit = uint8_t(scan.table_limits->high);
  Vec least = sums[0];
#pragma GCC unroll 8
  for (int v = 1; v < kSpread; ++v) least = min_bytes(least, sums[v]);
  if (__builtin_expect(!any_byte_below(least, limit), 1)) return false;
  for (int v = 0; v < kSpread; ++v) passed[v] = byte_mask(bytes_below(sums[v], limit));
  return true;
}

HAMMINGWAY_INLINE bool pass_shorts(const AsymmetricScan& scan, const uint64_t* planes, uint64_t* passed) {
  const Runs& runs = scan.high_runs;
  Vec even[kSpread] = {}, odd[kSpread] = {}, least = ~zero();
  for (int r = 0, first = 0; r < runs.count; first = runs.stops[r++]) {
    Vec bytes[kSpread];
    look_up_once(planes, scan.n_scored, scan.tables->high, first, runs.stops[r], bytes);
#pragma GCC unroll 8
    for (int v = 0; v < kSpread; ++v) {
      even[v] = add_shorts(even[v], bytes[v]);
      odd[v] = add_shorts(odd[v], odd_bytes(bytes[v]));
    }
  }
  const uint16_t limit = scan.table_limits->high;
#pragma GCC unroll 8
  for (int v = 0; v < kSpread; ++v) {
    even[v] = take_off_high(even[v], odd[v]);
    least = min_shorts(least, min_shorts(even[v], odd[v]));
  }
  if (__builtin_expect(!any_short_below(least, limit), 1)) return false;
  for (int v = 0; v < kSpread; ++v)
    passed[v] = byte_mask(merged(shorts_below(even[v], limit), shorts_below(odd[v], limit)));
  return true;
}

static void scan_alone(const AsymmetricScan& scan, const uint64_t* planes, const uint64_t* live, int64_t first,
                       int64_t last) {
  const int n_groups = groups_of(scan.n_scored);
  for (int64_t block = first; block < last; ++block) {
    const uint64_t* here = planes + size_t(block) * size_t(scan.n_bits) * kWords;
    bool stored = false;
    for (int place = 0; place < kLanes; place += kPieceLanes) {
      const uint64_t* piece = here + place / 64;
      uint64_t passed[kSpread];
      if (!(scan.table_limits->high <= 255 ? pass_bytes : pass_shorts)(scan, piece, passed)) continue;
      if (!stored) build_indices(here, scan.n_scored, scan.scratch);
      stored = true;
      for (int v = 0; v < kSpread; v += kStrip) {
        const int at = place + v * kVectorBytes;
        report(scan, 0, {scan.scratch + at, n_groups, at, block, live + block * kWords}, passed + v);
      }
    }
  }
}

}  // namespace
