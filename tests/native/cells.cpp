// Searches of some cells of a database, whose blocks lie anywhere.
#include "cells.hpp"

#include <limits>
#include <numeric>

#include "checks.hpp"

namespace check {

namespace {

using namespace hammingway;

// A database whose blocks are dealt to cells, and the cells that each query visits.
struct Dealt {
  Database database;
  Codes queries;
  Exact<int64_t> blocks, offsets, visited;
  int64_t n_probe;
  int n_threads;

  Cells cells() const { return {blocks.data(), offsets.data()}; }
  Visits visits() const { return {visited.data(), n_probe}; }

  // What a query may find of its ranking of all codes.
  std::vector<Near> reached(size_t q, const std::vector<Near>& all) const {
    std::vector<bool> scanned(size_t(database.n_blocks()), false);
    for (int64_t rank = 0; rank < n_probe; ++rank) {
      const int64_t cell = visited[q * size_t(n_probe) + size_t(rank)];
      if (cell < 0) break;
      for (int64_t i = offsets[size_t(cell)]; i < offsets[size_t(cell) + 1]; ++i)
        scanned[size_t(blocks[size_t(i)])] = true;
    }
    std::vector<Near> some;
    for (const Near& near : all)
      if (scanned[size_t(near.slot / kLanes)]) some.push_back(near);
    return some;
  }
};

void deal(Random& random, Dealt& one) {
  const int64_t n_blocks = one.database.n_blocks(), n_cells = 1 + below(random, n_blocks + 2);
  one.blocks = Exact<int64_t>(size_t(n_blocks));
  std::iota(one.blocks.data(), one.blocks.data() + n_blocks, int64_t(0));
  std::shuffle(one.blocks.data(), one.blocks.data() + n_blocks, random);
  one.offsets = Exact<int64_t>(size_t(n_cells + 1));
  for (int64_t cell = 1; cell < n_cells; ++cell) one.offsets[size_t(cell)] = below(random, n_blocks + 1);
  one.offsets[size_t(n_cells)] = n_blocks;
  std::sort(one.offsets.data(), one.offsets.data() + n_cells + 1);
  one.n_probe = 1 + below(random, n_cells);
  one.visited = Exact<int64_t>(size_t(one.queries.size() * one.n_probe));
  std::vector<int64_t> order(static_cast<size_t>(n_cells));
  std::iota(order.begin(), order.end(), int64_t(0));
  for (int64_t q = 0; q < one.queries.size(); ++q) {
    std::shuffle(order.begin(), order.end(), random);
    std::copy_n(order.begin(), one.n_probe, one.visited.data() + q * one.n_probe);
    if (random() % 4 == 0) {
      const int64_t n_kept = below(random, one.n_probe);
      std::fill_n(one.visited.data() + q * one.n_probe + n_kept, one.n_probe - n_kept, int64_t(-1));
    }
  }
}

Dealt random_dealt(Random& random, const Kernel& kernel) {
  const int n_bits = one_of(random, {1, 8, 33, 64, 100, 256, 300});
  Dealt one;
  one.database = random_database(random, kernel, one_of<int64_t>(random, {1, 513, 1500, 4000}), n_bits);
  if (!one.database.ids.size()) {
    one.database.ids = Exact<int64_t>(size_t(one.database.n_blocks() * kLanes));
    std::iota(one.database.ids.data(), one.database.ids.data() + one.database.ids.size(), int64_t(0));
  }
  one.queries = random_codes(random, one_of<int64_t>(random, {1, 3, 12, 140}), n_bits, one_of(random, {0, 1, 6}),
                             one.database.codes.bits[0]);
  one.n_threads = one_of(random, {1, 2, 4});
  deal(random, one);
  return one;
}

}  // namespace

bool cells_give_what_they_hold(Random& random, const Kernel& kernel) {
  const Dealt one = random_dealt(random, kernel);
  const Planes planes = one.database.on_planes();
  const Cells cells = one.cells();
  const Visits visits = one.visits();
  const Keys keys = one.database.keys();
  const CellSearch search{kernel, planes, cells, visits, keys, one.n_threads};
  const size_t n_queries = one.queries.bits.size();
  const int64_t k = one_of<int64_t>(random, {1, 10, 600});
  const int radius = int(below(random, planes.n_bits + 1)), n_scored = 1 + int(below(random, planes.n_bits));
  Exact<int64_t> slots(n_queries * size_t(k)), best(n_queries * size_t(k)), best_biased(n_queries * size_t(k));
  Exact<int32_t> distances(n_queries * size_t(k)), scores(n_queries * size_t(k));
  Exact<double> values(n_queries * size_t(k));
  const Added added = random_biases(random, one.database, n_queries);
  Exact<int8_t> weights(n_queries * size_t(n_scored));
  for (size_t i = 0; i < weights.size(); ++i) weights[i] = int8_t(below(random, 255) - 127);
  top_k_in_cells(search, one.queries.queries(), k, slots.data(), distances.data());
  const Ranges ranges = within_in_cells(search, one.queries.queries(), radius);
  top_k_asymmetric_in_cells(search, {weights.data(), int64_t(n_queries), n_scored}, k, best.data(), scores.data());
  top_k_biased_in_cells(search, {weights.data(), int64_t(n_queries), n_scored}, added.units.data(), added.biases(), k,
                        best_biased.data(), values.data());
  for (size_t q = 0; q < n_queries; ++q) {
    const size_t at = q * size_t(k);
    const std::vector<Near> truth = one.reached(q, ranking(one.database, one.queries.bits[q]));
    if (!is_best(truth, k, slots.data() + at, distances.data() + at, planes.n_bits + 1,
                 [](int64_t distance) { return int32_t(distance); }))
      return false;
    if (!is_range(ranges, q, truth, radius)) return false;
    const std::vector<Near> by_score =
        one.reached(q, ranking(one.database, weights.data() + q * size_t(n_scored), n_scored));
    if (!is_best_biased(by_score, added, q, k, best_biased.data() + at, values.data() + at)) return false;
    if (!is_best(by_score, k, best.data() + at, scores.data() + at, std::numeric_limits<int32_t>::min(),
                 [](int64_t distance) { return int32_t(-distance); }))
      return false;
  }
  return true;
}

}  // namespace check
