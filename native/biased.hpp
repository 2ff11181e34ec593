// Exact top-k by score * unit + bias: integer scores as in asymmetric.hpp, and a float bias a code.
#pragma once

#include <cstdint>

#include "asymmetric.hpp"
#include "cells.hpp"
#include "collect.hpp"
#include "kernel.hpp"
#include "search.hpp"

namespace hammingway {

struct Biases {
  const float* of_slot;   // (n_blocks * 512) finite; not read where a slot is not live
  const float* of_block;  // (n_blocks) no bias of a live slot of the block is greater
};

// Slots sorted by (-value, key), value = double(score) * unit + double(bias), each step rounded once.
// units: (weights.count) >= 0. slots, values: (weights.count, k), filled with -1 and -inf past the live codes.
void top_k_biased(const Kernel& kernel, const Planes& database, const Weights& weights, const double* units,
                  const Biases& biases, int64_t k, const Keys& keys, int n_threads, int64_t* slots, double* values);

// The same over the visited cells.
void top_k_biased_in_cells(const CellSearch& search, const Weights& weights, const double* units, const Biases& biases,
                           int64_t k, int64_t* slots, double* values);

}  // namespace hammingway
