// Compiled without contraction, see biased_keep.hpp.
#include "biased.hpp"

#include <algorithm>
#include <limits>
#include <vector>

#include "asymmetric_worker.hpp"
#include "biased_keep.hpp"
#include "cell_worker.hpp"

namespace hammingway {

namespace {

void fill_with_nothing(int64_t n, int64_t* slots, double* values) {
  std::fill_n(slots, n, int64_t(-1));
  std::fill_n(values, n, -std::numeric_limits<double>::infinity());
}

}  // namespace

void top_k_biased(const Kernel& kernel, const Planes& database, const Weights& weights, const double* units,
                  const Biases& biases, int64_t k, const Keys& keys, int n_threads, int64_t* slots, double* values) {
  fill_with_nothing(weights.count * k, slots, values);
  const int64_t useful = std::min(k, database.n_blocks * kLanes);
  if (useful == 0) return;
  const auto keeps_of = [&](int64_t start, int64_t n) {
    return biased_keeps(weights, units, biases, useful, keys.ids, start, n);
  };
  const auto finish = [&](const PreparedWeights&, int, int64_t query, std::vector<Valued>& all) {
    write_best(all, k, keys.ids, slots + query * k, values + query * k);
  };
  scan_asymmetric<BiasedKeep>(kernel, database, weights, n_threads, keeps_of, finish);
}

void top_k_biased_in_cells(const CellSearch& search, const Weights& weights, const double* units, const Biases& biases,
                           int64_t k, int64_t* slots, double* values) {
  fill_with_nothing(weights.count * k, slots, values);
  const int64_t useful = std::min(k, search.database.n_blocks * kLanes);
  if (useful == 0) return;
  const auto keeps_of = [&](int64_t start, int64_t n) {
    return biased_keeps(weights, units, biases, useful, search.keys.ids, start, n);
  };
  const auto finish = [&](const PreparedWeights&, int, int64_t query, std::vector<Valued>& all) {
    write_best(all, k, search.keys.ids, slots + query * k, values + query * k);
  };
  scan_cells<BiasedKeep>(search, weights, useful, keeps_of, finish);
}

}  // namespace hammingway
