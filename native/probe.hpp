// Searches by hash tables: multi-index hashing, and look-ups of one table in any order of keys.
#pragma once

#include <cstdint>
#include <vector>

#include "search.hpp"
#include "tables.hpp"

namespace hammingway {

// What a search may cost, in any unit; see hammingway.kernels.probing.Budget.
struct Costs {
  int64_t probe, candidate, row, attempt, whole;
};

struct Limits {
  int flips;
  int64_t probes, candidates;
};

// What became of each query; radius -1: nothing is complete (multi-index hashing: given up).
struct Effort {
  int32_t* radius;
  int64_t* probes;
  int64_t* candidates;
};

struct Probing {
  std::vector<const Table*> tables;
  Rows rows;
  const uint64_t* queries;  // (n_queries, n_words)
  int64_t n_queries;
  Keys keys;
  int n_threads;
};

// slots, distances: (n_queries, k), -1 where nothing was found.
void probe_top_k(const Probing& probing, int64_t k, const Costs& costs, int64_t* slots, int32_t* distances,
                 const Effort& effort);
Ranges probe_within(const Probing& probing, int radius, const Costs& costs, const Effort& effort);

// The tables share one key; weights: (n_queries, key_bits), or null for keys by the number of flipped bits.
void lookup_top_k(const Probing& probing, int64_t k, const double* weights, const Limits& limits, int64_t* slots,
                  int32_t* distances, const Effort& effort);
Ranges lookup_within(const Probing& probing, int radius, const double* weights, const Limits& limits,
                     const Effort& effort);

}  // namespace hammingway
