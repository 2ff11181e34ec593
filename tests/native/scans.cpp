// Scans of planes and the ways between rows and planes, on every instruction set that can run here.
#include "checks.hpp"
#include "asymmetric.hpp"

#include <limits>

namespace check {

namespace {

using namespace hammingway;

struct Case {
  Database database;
  Codes queries;
  int64_t k;
  int n_threads;
};

Case random_case(Random& random, const Kernel& kernel) {
  const int n_bits = one_of(random, {1, 2, 7, 8, 9, 31, 63, 64, 65, 100, 127, 128, 129, 200, 256, 300, 520, 1030});
  const int64_t n = one_of<int64_t>(random, {0, 1, 63, 65, 511, 512, 513, 1100, 3000});
  Case one;
  one.database = random_database(random, kernel, n, n_bits);
  const std::vector<uint8_t> centre = n ? one.database.codes.bits[0] : std::vector<uint8_t>(size_t(n_bits), 0);
  one.queries = random_codes(random, one_of<int64_t>(random, {1, 1, 2, 9, 10, 13, 130}), n_bits,
                             one_of(random, {0, 1, 6}), centre);
  one.k = one_of<int64_t>(random, {1, 2, 10, 100, n + 3});
  one.n_threads = one_of(random, {1, 2, 5});
  return one;
}

int random_prefix(Random& random, const Case& one) {
  return random() & 1 ? one.queries.n_bits : 1 + int(below(random, one.queries.n_bits));
}

Exact<int8_t> random_weights(Random& random, size_t n) {
  const int greatest = one_of(random, {0, 1, 7, 127});
  Exact<int8_t> weights(n);
  for (size_t i = 0; i < n; ++i) weights[i] = int8_t(below(random, 2 * greatest + 1) - greatest);
  return weights;
}

}  // namespace

bool rows_come_back(Random& random, const Kernel& kernel) {
  const Case one = random_case(random, kernel);
  const Database& database = one.database;
  const int64_t n = database.codes.size(), n_bytes = (database.codes.n_bits + 7) / 8;
  Exact<int64_t> slots(size_t(n ? below(random, 3 * n) : 0));
  for (size_t i = 0; i < slots.size(); ++i)
    slots[i] = i && random() % 4 ? std::min(slots[i - 1] + 1, n - 1) : below(random, n);
  Exact<uint8_t> packed(slots.size() * size_t(n_bytes));
  read_rows(kernel, database.planes.data(), database.codes.n_bits, slots.data(), int64_t(slots.size()), packed.data());
  for (size_t i = 0; i < slots.size(); ++i) {
    const uint8_t* row = packed.data() + i * size_t(n_bytes);
    if (!std::equal(row, row + n_bytes, database.codes.packed.data() + slots[i] * n_bytes)) return false;
  }
  return true;
}

bool distances_are_counts(Random& random, const Kernel& kernel) {
  const Case one = random_case(random, kernel);
  const Codes &queries = one.queries, &codes = one.database.codes;
  Exact<uint16_t> found(size_t(queries.size() * codes.size()));
  pairwise(kernel, queries.queries(), codes.queries(), (codes.n_bits + 7) / 8, one.n_threads, found.data());
  for (size_t q = 0; q < queries.bits.size(); ++q)
    for (size_t i = 0; i < codes.bits.size(); ++i) {
      int distance = 0;
      for (size_t j = 0; j < queries.bits[q].size(); ++j) distance += queries.bits[q][j] != codes.bits[i][j];
      if (found[q * codes.bits.size() + i] != distance) return false;
    }
  return true;
}

bool nearest_are_found(Random& random, const Kernel& kernel) {
  const Case one = random_case(random, kernel);
  const size_t n_queries = one.queries.bits.size(), k = size_t(one.k);
  Exact<int64_t> slots(n_queries * k);
  Exact<int32_t> distances(n_queries * k);
  const int radius = int(below(random, one.queries.n_bits + 1));
  top_k(kernel, one.database.on_planes(), one.queries.queries(), one.k, one.database.keys(), one.n_threads,
        slots.data(), distances.data());
  const Ranges ranges = within(kernel, one.database.on_planes(), one.queries.queries(), radius, one.database.keys(),
                               one.n_threads);
  for (size_t q = 0; q < n_queries; ++q) {
    const std::vector<Near> truth = ranking(one.database, one.queries.bits[q]);
    if (!is_best(truth, one.k, slots.data() + q * k, distances.data() + q * k, one.queries.n_bits + 1,
                 [](int64_t distance) { return int32_t(distance); }))
      return false;
    if (!is_range(ranges, q, truth, radius)) return false;
  }
  return ranges.offsets.size() == n_queries + 1;
}

bool best_scores_are_found(Random& random, const Kernel& kernel) {
  const Case one = random_case(random, kernel);
  const size_t n_queries = one.queries.bits.size(), k = size_t(one.k);
  const int n_scored = random_prefix(random, one);
  const Exact<int8_t> weights = random_weights(random, n_queries * size_t(n_scored));
  Exact<int64_t> slots(n_queries * k);
  Exact<int32_t> scores(n_queries * k);
  top_k_asymmetric(kernel, one.database.on_planes(), {weights.data(), int64_t(n_queries), n_scored}, one.k,
                   one.database.keys(), one.n_threads, slots.data(), scores.data());
  for (size_t q = 0; q < n_queries; ++q)
    if (!is_best(ranking(one.database, weights.data() + q * size_t(n_scored), n_scored), one.k, slots.data() + q * k,
                 scores.data() + q * k, std::numeric_limits<int32_t>::min(),
                 [](int64_t distance) { return int32_t(-distance); }))
      return false;
  return true;
}

bool best_biased_scores_are_found(Random& random, const Kernel& kernel) {
  const Case one = random_case(random, kernel);
  const size_t n_queries = one.queries.bits.size(), k = size_t(one.k);
  const int n_scored = random_prefix(random, one);
  const Exact<int8_t> weights = random_weights(random, n_queries * size_t(n_scored));
  const Added added = random_biases(random, one.database, n_queries);
  Exact<int64_t> slots(n_queries * k);
  Exact<double> values(n_queries * k);
  top_k_biased(kernel, one.database.on_planes(), {weights.data(), int64_t(n_queries), n_scored}, added.units.data(),
               added.biases(), one.k, one.database.keys(), one.n_threads, slots.data(), values.data());
  for (size_t q = 0; q < n_queries; ++q)
    if (!is_best_biased(ranking(one.database, weights.data() + q * size_t(n_scored), n_scored), added, q, one.k,
                        slots.data() + q * k, values.data() + q * k))
      return false;
  return true;
}

}  // namespace check
