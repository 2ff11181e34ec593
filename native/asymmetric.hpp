// Exact top-k by the weighted distance of asymmetric_kernel.hpp.
#pragma once

#include <cstdint>

#include "collect.hpp"
#include "kernel.hpp"
#include "search.hpp"

namespace hammingway {

struct Weights {
  const int8_t* values;  // (count, n_scored), -127 to 127
  int64_t count;
  int n_scored;          // 1 to n_bits
};

// Slots sorted by (-score, key), see Keys.
// slots, scores: (weights.count, k), filled with -1 and -2^31 past the live codes.
void top_k_asymmetric(const Kernel& kernel, const Planes& database, const Weights& weights, int64_t k, const Keys& keys,
                      int n_threads, int64_t* slots, int32_t* scores);

}  // namespace hammingway
