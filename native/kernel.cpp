// The scan, compiled once for each instruction set: -DHAMMINGWAY_ISA names the unit.
#include "kernel.hpp"
#include "kernel_count.hpp"
#include "kernel_rows.hpp"
#include "plan.hpp"
#include "vector.hpp"

#include <algorithm>

#define HAMMINGWAY_QUOTE2(a) #a
#define HAMMINGWAY_QUOTE(a) HAMMINGWAY_QUOTE2(a)

namespace {

using hammingway::Hit;
using hammingway::Kernel;
using hammingway::kChunk;
using hammingway::kLanes;
using hammingway::kLimitStride;
using hammingway::kMaxCounterBits;
using hammingway::kWords;
using hammingway::Scan;

constexpr int table_vectors(int planes) { return (planes / 2 - 1) * 8 + 8; }
constexpr int kTableBytes = table_vectors(kChunk) * kVectorBytes;

// ---- sources of one-bit vectors -------------------------------------------------------------

// Carries of weight two, picked from the tables of a chunk.
template <int P>
struct Picked {
  static constexpr int kLowest = 1;
  static constexpr int kCount = P / 2 - 1;
  const uint8_t* tables;
  const uint8_t* picks;

  template <int I>
  HAMMINGWAY_INLINE Vec at(const Picked& s) {
    return load(s.tables + I * 8 * kVectorBytes + size_t(s.picks[I]) * 8);
  }
  HAMMINGWAY_INLINE const uint8_t* rest(const Picked& s) {
    return s.tables + kCount * 8 * kVectorBytes + size_t(s.picks[kCount]) * 8;
  }
  HAMMINGWAY_INLINE Vec ones(const Picked& s) { return load(rest(s)); }
  HAMMINGWAY_INLINE Vec carry_in(const Picked& s) { return load(rest(s) + kVectorBytes); }
};

// Planes themselves, flipped where the query's bit is set.
template <int P>
struct Flipped {
  static constexpr int kLowest = 0;
  static constexpr int kCount = P - 1;
  const uint64_t* planes;
  const uint64_t* masks;

  template <int I>
  HAMMINGWAY_INLINE Vec at(const Flipped& s) {
    return load_unaligned(s.planes + I * kWords) ^ broadcast(s.masks[I]);
  }
  HAMMINGWAY_INLINE Vec carry_in(const Flipped& s) { return at<P - 1>(s); }
};

// ---- hits -----------------------------------------------------------------------------------

__attribute__((noinline, cold)) static void report(const Scan& scan, int query, int64_t block, int part, Vec lanes,
                                                    const Vec* totals) {
  alignas(64) uint64_t found[kVectorWords];
  store(found, lanes);
  const Hit hit{query, block, part * kVectorWords * 64, kVectorWords, found, reinterpret_cast<const uint64_t*>(totals)};
  scan.on_hit(scan.context, hit);
}

// ---- many queries: tables -------------------------------------------------------------------

static void build_tables(const uint64_t* planes, int n_planes, int padded, uint8_t* tables) {
  // The adders' sums queue up behind the planes; the last plane is the carry-in and takes no part.
  Vec sums[kChunk / 2];
  const auto plane = [&](int j) { return j < n_planes ? load_unaligned(planes + size_t(j) * kWords) : zero(); };
  const auto input = [&](int j) { return j < padded - 1 ? plane(j) : sums[j - (padded - 1)]; };
  const int n_adders = padded / 2 - 1;
  uint8_t* to = tables;
  for (int t = 0; t < n_adders; ++t, to += 8 * kVectorBytes) {
    const Vec a = input(3 * t), b = input(3 * t + 1), c = input(3 * t + 2);
    sums[t] = xor3(a, b, c);
#pragma GCC unroll 4
    for (int flip = 0; flip < 4; ++flip) {
      const Vec carry = majority(flip & 1 ? ~a : a, flip & 2 ? ~b : b, c);
      store(to + flip * kVectorBytes, carry);
      store(to + (7 - flip) * kVectorBytes, ~carry);
    }
  }
  const Vec sum = sums[n_adders - 1], last = plane(padded - 1);
  for (int flip = 0; flip < 4; ++flip) {
    store(to + 2 * flip * kVectorBytes, flip & 1 ? ~sum : sum);
    store(to + (2 * flip + 1) * kVectorBytes, flip & 2 ? ~last : last);
  }
}

struct Place {
  int64_t block;
  int part;
  Vec live;
};

// Planes wanted next, fetched a few lines a query: reading them only when their tables are built
// would stall on memory, for a tenth of the scan where measured.
class Ahead {
 public:
  Ahead(const uint64_t* planes, int n_planes, int n_queries)
      : next_(reinterpret_cast<const char*>(planes)), lines_((n_planes + n_queries - 1) / n_queries) {}

  HAMMINGWAY_INLINE void step(Ahead& ahead) {
    for (int i = 0; i < ahead.lines_; ++i, ahead.next_ += kWords * 8) __builtin_prefetch(ahead.next_, 0, 2);
  }

 private:
  const char* next_;
  int lines_;
};

// Codes of one chunk: totals never leave the registers, and only the carry out of the comparison is formed.
template <int P>
static void scan_only_chunk(const Scan& scan, const uint8_t* tables, const Place& place, Ahead ahead) {
  constexpr int kLow = log2_at_compile_time(P);
  for (int q = 0; q < scan.n_queries; ++q) {
    Ahead::step(ahead);
    const Picked<P> source{tables, scan.picks + size_t(q) * (P / 2)};
    const uint64_t* limit = scan.limits + size_t(q) * kLimitStride;
    Vec sums[kLow];
    count<P>(source, sums);
    const Vec in = Picked<P>::carry_in(source);
    Vec carry = in;
#pragma GCC unroll 16
    for (int b = 0; b < kLow; ++b) carry = majority(sums[b], broadcast(limit[b]), carry);
    carry &= broadcast(limit[kLow]);
    const Vec lanes = place.live & ~carry;
    if (__builtin_expect(any(lanes), 0)) {
      Vec totals[kLow + 2];
      for (int b = 0; b <= kLow; ++b) totals[b] = broadcast(limit[b]);
      totals[kLow + 1] = zero();
      add_count<P, kLow + 1>(sums, in, totals);
      report(scan, q, place.block, place.part, lanes, totals);
    }
  }
}

enum class Stage { kFirst, kMiddle, kLast };

// One chunk of wider codes for the queries still in play; returns how many remain.
template <int P, int W, Stage stage>
static int scan_chunk(const Scan& scan, const uint8_t* tables, const uint8_t* picks, const Place& place, Vec* counters,
                      int32_t* active, int n_active, Ahead ahead) {
  constexpr int kLow = log2_at_compile_time(P);
  int remaining = 0;
  for (int i = 0; i < n_active; ++i) {
    Ahead::step(ahead);
    const int q = stage == Stage::kFirst ? i : active[i];
    const Picked<P> source{tables, picks + size_t(q) * (P / 2)};
    Vec* mine = counters + size_t(q) * (W + 1);
    Vec sums[kLow], totals[W + 1];
    count<P>(source, sums);
    if constexpr (stage == Stage::kFirst) {
      const uint64_t* limit = scan.limits + size_t(q) * kLimitStride;
#pragma GCC unroll 16
      for (int b = 0; b < W; ++b) totals[b] = broadcast(limit[b]);
      totals[W] = zero();
    } else {
#pragma GCC unroll 16
      for (int b = 0; b <= W; ++b) totals[b] = mine[b];
    }
    add_count<P, W>(sums, Picked<P>::carry_in(source), totals);
    const Vec lanes = place.live & ~totals[W];
    if constexpr (stage == Stage::kLast) {
      if (__builtin_expect(any(lanes), 0)) report(scan, q, place.block, place.part, lanes, totals);
    } else {
#pragma GCC unroll 16
      for (int b = 0; b <= W; ++b) mine[b] = totals[b];
      active[remaining] = q;
      remaining += any(lanes);
    }
  }
  return remaining;
}

template <int W>
static void scan_wide(const Scan& scan, const uint64_t* planes, const Place& place, uint8_t* tables, Vec* counters,
                      int32_t* active) {
  const uint8_t* picks = scan.picks;
  int n_active = scan.n_queries;
  for (int done = 0; done < scan.n_bits && n_active;) {
    const int left = scan.n_bits - done;
    const int padded = hammingway::chunk_planes(left);
    build_tables(planes + size_t(done) * kWords, left < padded ? left : padded, padded, tables);
    const int after = left > padded ? left - padded : scan.n_bits;  // planes of this block, or of the next one
    const Ahead ahead(planes + size_t(left > padded ? done + padded : scan.n_bits) * kWords,
                      std::min(after, hammingway::chunk_planes(after)), n_active);
    const Stage stage = done == 0 ? Stage::kFirst : left > padded ? Stage::kMiddle : Stage::kLast;
#define HAMMINGWAY_CHUNK(P)                                                                                   \
  n_active = stage == Stage::kFirst                                                                            \
                 ? scan_chunk<P, W, Stage::kFirst>(scan, tables, picks, place, counters, active, n_active, ahead)     \
             : stage == Stage::kMiddle                                                                         \
                 ? scan_chunk<P, W, Stage::kMiddle>(scan, tables, picks, place, counters, active, n_active, ahead)    \
                 : scan_chunk<P, W, Stage::kLast>(scan, tables, picks, place, counters, active, n_active, ahead)
    switch (padded) {
      case 256: if constexpr (W >= 9) HAMMINGWAY_CHUNK(256); break;
      case 128: if constexpr (W >= 8) HAMMINGWAY_CHUNK(128); break;
      case 64: HAMMINGWAY_CHUNK(64); break;
      case 32: HAMMINGWAY_CHUNK(32); break;
      case 16: HAMMINGWAY_CHUNK(16); break;
      default: HAMMINGWAY_CHUNK(8); break;
    }
#undef HAMMINGWAY_CHUNK
    picks += size_t(scan.n_queries) * (padded / 2);
    done += padded;
  }
}

static size_t scratch_bytes(int n_bits, int n_queries) {
  size_t counters = 0;
  if (n_bits > hammingway::chunk_planes(n_bits))
    counters = size_t(n_queries) * (hammingway::counter_bits(n_bits) + 1) * kVectorBytes;
  return kTableBytes + counters + (size_t(n_queries) * sizeof(int32_t) + 63) / 64 * 64;
}

static void scan_tables_at(const Scan& scan, const uint64_t* planes, const Place& place) {
  uint8_t* tables = scan.scratch;
  Vec* counters = reinterpret_cast<Vec*>(tables + kTableBytes);
  int32_t* active = reinterpret_cast<int32_t*>(counters + size_t(scan.n_queries) * (scan.counter_bits + 1));
  const int padded = hammingway::chunk_planes(scan.n_bits);
  if (scan.n_bits <= padded) {
    build_tables(planes, scan.n_bits, padded, tables);
    const Ahead ahead(planes + size_t(scan.n_bits) * kWords, scan.n_bits, scan.n_queries);
    switch (padded) {
      case 256: return scan_only_chunk<256>(scan, tables, place, ahead);
      case 128: return scan_only_chunk<128>(scan, tables, place, ahead);
      case 64: return scan_only_chunk<64>(scan, tables, place, ahead);
      case 32: return scan_only_chunk<32>(scan, tables, place, ahead);
      case 16: return scan_only_chunk<16>(scan, tables, place, ahead);
      default: return scan_only_chunk<8>(scan, tables, place, ahead);
    }
  }
  switch (scan.counter_bits) {
    case 7: return scan_wide<7>(scan, planes, place, tables, counters, active);
    case 8: return scan_wide<8>(scan, planes, place, tables, counters, active);
    case 9: return scan_wide<9>(scan, planes, place, tables, counters, active);
    case 10: return scan_wide<10>(scan, planes, place, tables, counters, active);
    case 11: return scan_wide<11>(scan, planes, place, tables, counters, active);
    case 12: return scan_wide<12>(scan, planes, place, tables, counters, active);
    default: return scan_wide<13>(scan, planes, place, tables, counters, active);
  }
}

// ---- few queries: planes flipped on the fly -------------------------------------------------

template <int P, int W>
HAMMINGWAY_INLINE void add_planes(const uint64_t* planes, const uint64_t* masks, Vec* totals) {
  constexpr int kLow = log2_at_compile_time(P);
  const Flipped<P> source{planes, masks};
  Vec sums[kLow + 1];
  count<P>(source, sums);
  add_count<P, W>(sums, Flipped<P>::carry_in(source), totals);
}

template <int W>
static void scan_flipped(const Scan& scan, const uint64_t* planes, const Place& place) {
  for (int q = 0; q < scan.n_queries; ++q) {
    const uint64_t* limit = scan.limits + size_t(q) * kLimitStride;
    const uint64_t* masks = scan.masks + size_t(q) * scan.n_bits;
    Vec totals[W + 1];
    for (int b = 0; b < W; ++b) totals[b] = broadcast(limit[b]);
    totals[W] = zero();
    Vec lanes = place.live;
    int j = 0;
    // a power of two of planes at a time, so that nothing needs padding
    if constexpr (W >= 7)
      for (; j + 64 <= scan.n_bits && any(lanes); j += 64) {
        add_planes<64, W>(planes + size_t(j) * kWords, masks + j, totals);
        lanes = place.live & ~totals[W];
      }
    if (!any(lanes)) continue;
#define HAMMINGWAY_STEP(P)                                                   \
  if constexpr (W > log2_at_compile_time(P))                                 \
    if (scan.n_bits & P) {                                                   \
      add_planes<P, W>(planes + size_t(j) * kWords, masks + j, totals);      \
      j += P;                                                                \
    }
    HAMMINGWAY_STEP(32)
    HAMMINGWAY_STEP(16)
    HAMMINGWAY_STEP(8)
    HAMMINGWAY_STEP(4)
    HAMMINGWAY_STEP(2)
    HAMMINGWAY_STEP(1)
#undef HAMMINGWAY_STEP
    lanes = place.live & ~totals[W];
    if (__builtin_expect(any(lanes), 0)) report(scan, q, place.block, place.part, lanes, totals);
  }
}

static void scan_xor_at(const Scan& scan, const uint64_t* planes, const Place& place) {
  switch (scan.counter_bits) {
    case 4: return scan_flipped<4>(scan, planes, place);
    case 5: return scan_flipped<5>(scan, planes, place);
    case 6: return scan_flipped<6>(scan, planes, place);
    case 7: return scan_flipped<7>(scan, planes, place);
    case 8: return scan_flipped<8>(scan, planes, place);
    case 9: return scan_flipped<9>(scan, planes, place);
    case 10: return scan_flipped<10>(scan, planes, place);
    case 11: return scan_flipped<11>(scan, planes, place);
    case 12: return scan_flipped<12>(scan, planes, place);
    default: return scan_flipped<13>(scan, planes, place);
  }
}

template <void (*at)(const Scan&, const uint64_t*, const Place&)>
static void scan_blocks(const Scan& scan, const uint64_t* planes, const uint64_t* live, int64_t first, int64_t last) {
  for (int64_t block = first; block < last; ++block) {
    const uint64_t* here = planes + size_t(block) * scan.n_bits * kWords;
    for (int part = 0; part < kWords / kVectorWords; ++part) {
      const Place place{block, part, load_unaligned(live + block * kWords + part * kVectorWords)};
      if (any(place.live)) at(scan, here + part * kVectorWords, place);
    }
  }
}

const Kernel kKernel{
    HAMMINGWAY_QUOTE(HAMMINGWAY_ISA), kVectorBytes, scratch_bytes, scan_blocks<scan_tables_at>,
    scan_blocks<scan_xor_at>,         transpose,    pairwise,      &hammingway::HAMMINGWAY_PASTE(HAMMINGWAY_ISA, _asymmetric),
};

}  // namespace

namespace hammingway {
const Kernel* HAMMINGWAY_PASTE(HAMMINGWAY_ISA, _kernel)() { return &kKernel; }
}  // namespace hammingway
