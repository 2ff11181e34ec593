// Asymmetric scoring: what one instruction set provides, and the form in which it reads queries.
//
// A query is a signed weight a bit. The weighted distance of a code is the sum of the weights'
// magnitudes over the bits that disagree with their weight's sign (set where it is negative, clear
// where it is positive), so that the score, the sum of +w over set bits and -w over the others, is
// sum(|w|) - 2 * distance: the greatest score is the smallest distance, and distances only grow.
#pragma once

#include <cstddef>
#include <cstdint>

#include "kernel.hpp"

namespace hammingway {

// Tables: a few planes make an index of group_bits bits a lane, which looks up the partial distance of
// those bits. An entry is split in two digits of a byte, entry = digit * high + low with low under
// digit: the sums of the high digits alone reject almost every lane. They are summed in bytes, a run of
// groups at a time; runs are added up in bytes that saturate while limits are below 256, else in 16 bits.
// A lane that passes gets its distance from whole entries of half as many bits, which take less of the
// cache, or from both digits where many lanes pass.
struct TableQuery {
  const uint8_t* high;   // (n_groups, 1 << group_bits)
  const uint8_t* low;    // the same, or null where the digit is 1
  const uint16_t* halves;  // (n_groups, 2, 1 << group_bits / 2): what each half of an index adds
  int32_t digit;
  int32_t most;          // no sum of high digits is greater
};

// Groups up to stops[0], from there up to stops[1] and so on; no query's sum over a run passes 255.
struct Runs {
  int count;
  const uint16_t* stops;
};

struct TableLimit {
  int32_t limit;  // distances below are of use
  uint16_t high;  // sums of high digits below may be
};

// Bits: the planes of each bit of the magnitudes, added with carry-save adders at the bit's level.
constexpr int kBitChunk = 256;          // planes flipped at a time
constexpr int kLevels = 7;              // bits of a magnitude
constexpr int kBitLimitStride = 32;     // uint64 words a query's limit takes

struct BitQuery {
  int counter_bits;        // planes of a total without its overflow
  const uint64_t* flips;   // (n_scored) all ones where the weight is positive
  const uint16_t* counts;  // (chunk, kLevels) planes with that bit, most significant first
  const uint8_t* listed;   // those planes' places in their chunk, in the same order
};

// Lanes below the limit and their distances, in any order.
struct LaneHit {
  int query;
  int64_t first_slot;  // of lane 0
  int count;
  const uint16_t* lanes;
  const int32_t* distances;
};

// Limits may change inside a callback.
struct AsymmetricScan {
  int n_bits;    // planes a block
  int n_scored;  // the first so many count
  int n_queries;
  const TableQuery* tables;
  const TableLimit* table_limits;
  Runs high_runs;
  Runs low_runs;
  const BitQuery* bits;
  const uint64_t* bit_limits;  // (query, kBitLimitStride) words 0 or ~0: the bits of 2^counter_bits - limit
  uint8_t* scratch;            // 64-byte aligned, scratch_bytes() of them
  void (*on_lanes)(void* context, const LaneHit& hit);
  void (*on_sums)(void* context, const Hit& hit);
  void* context;
};

struct AsymmetricKernel {
  int group_bits;  // bits of the code a look-up takes; 0: no byte shuffle, queries are read as bits
  size_t (*scratch_bytes)(int n_scored);
  // One pass over blocks [first, last).
  void (*scan)(const AsymmetricScan&, const uint64_t* planes, const uint64_t* live, int64_t first, int64_t last);
};

// Look-ups in tables of 64, which some processors with AVX-512 have (VBMI).
extern const AsymmetricKernel avx512vbmi_asymmetric;

}  // namespace hammingway
