// Exact top-k and radius search over bit planes, and moving codes between rows and planes.
#pragma once

#include <cstdint>
#include <vector>

#include "collect.hpp"
#include "kernel.hpp"

namespace hammingway {

// The database: blocks of 512 lanes, plane after plane, and their live planes.
struct Planes {
  const uint64_t* words;  // (n_blocks, n_bits, 8)
  const uint64_t* live;   // (n_blocks, 8)
  int64_t n_blocks;
  int n_bits;
};

struct Queries {
  const uint8_t* packed;  // (count, ceil(n_bits / 8)), pad bits zero
  int64_t count;
};

// Slots sorted by (distance, key), see Keys.
// slots, distances: (queries.count, k), filled with -1 and n_bits + 1 past the live codes.
void top_k(const Kernel& kernel, const Planes& database, const Queries& queries, int64_t k, const Keys& keys,
           int n_threads, int64_t* slots, int32_t* distances);

struct Ranges {
  std::vector<int64_t> slots;
  std::vector<int32_t> distances;
  std::vector<int64_t> offsets;  // (queries.count + 1)
};

Ranges within(const Kernel& kernel, const Planes& database, const Queries& queries, int radius, const Keys& keys,
              int n_threads);

void write_rows(const Kernel& kernel, uint64_t* planes, uint64_t* live, int n_bits, const uint8_t* packed, int64_t n,
                int64_t start);
void read_rows(const Kernel& kernel, const uint64_t* planes, int n_bits, const int64_t* slots, int64_t n,
               uint8_t* packed);
void pairwise(const Kernel& kernel, const Queries& queries, const Queries& database, int n_bytes, int n_threads,
              uint16_t* distances);

}  // namespace hammingway
