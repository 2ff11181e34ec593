// What one instruction set provides: the only interface between the per-ISA translation units and the rest.
#pragma once

#include <cstddef>
#include <cstdint>

namespace hammingway {

constexpr int kLanes = 512;           // codes a block; part of the file format
constexpr int kWords = kLanes / 64;   // uint64 words a plane
constexpr int kMaxBits = 4096;
constexpr int kMaxCounterBits = 14;   // planes of the largest running total, its overflow included
constexpr int kLimitStride = 16;      // uint64 words a query's limit takes

// Lanes of one query under its limit, found in `words` words of a block from `first_lane` on.
struct Hit {
  int query;
  int64_t block;
  int first_lane;
  int words;
  const uint64_t* lanes;   // (words) a bit for each lane under the limit
  const uint64_t* totals;  // (counter_bits, words) vertical sums: distance + (2^counter_bits - limit)
};

// Queries made ready for a scan. `limits` may change inside on_hit, which is how a search narrows.
struct Scan {
  int n_bits;
  int n_queries;
  int counter_bits;        // planes of a total without its overflow
  const uint8_t* picks;    // tables: (chunk, query, planes / 2) bytes; see plan.hpp
  const uint64_t* masks;   // xor: (query, n_bits) words, all ones where the query's bit is set
  const uint64_t* limits;  // (query, kLimitStride) words 0 or ~0: the bits of 2^counter_bits - limit
  uint8_t* scratch;        // 64-byte aligned, scratch_bytes() of them
  void (*on_hit)(void* context, const Hit& hit);
  void* context;
};

struct AsymmetricKernel;  // asymmetric_kernel.hpp

struct Kernel {
  const char* name;
  int vector_bytes;
  size_t (*scratch_bytes)(int n_bits, int n_queries);
  // One pass over blocks [first, last): every query against a block before the next block.
  void (*scan_tables)(const Scan&, const uint64_t* planes, const uint64_t* live, int64_t first, int64_t last);
  void (*scan_xor)(const Scan&, const uint64_t* planes, const uint64_t* live, int64_t first, int64_t last);
  void (*transpose)(uint64_t* matrix);  // 64 x 64 bits in place
  void (*pairwise)(const uint8_t* query, const uint8_t* database, int64_t n, int n_bytes, uint16_t* distances);
  const AsymmetricKernel* asymmetric;
};

extern const AsymmetricKernel baseline_asymmetric, avx2_asymmetric, avx512_asymmetric, neon_asymmetric;

const Kernel* baseline_kernel();
const Kernel* avx2_kernel();
const Kernel* avx512_kernel();
const Kernel* neon_kernel();

}  // namespace hammingway
