// Searches by hash tables, and searches of one database by several threads at once.
#include <memory>
#include <numeric>
#include <thread>

#include "checks.hpp"
#include "probe.hpp"

namespace check {

namespace {

using namespace hammingway;

struct Tabled {
  Database database;
  Codes queries;
  std::vector<std::unique_ptr<Table>> tables;
  int n_threads;

  Probing probing() const {
    std::vector<const Table*> pointers;
    for (const auto& table : tables) pointers.push_back(table.get());
    return {pointers, database.rows(), queries.words.data(), queries.size(), database.keys(), n_threads};
  }
};

struct Answer {
  Exact<int64_t> slots;
  Exact<int32_t> distances;
  Exact<int32_t> radius;
  Exact<int64_t> probes, candidates;

  Answer(int64_t n_queries, int64_t k)
      : slots(size_t(n_queries * k)), distances(size_t(n_queries * k)), radius(size_t(n_queries)),
        probes(size_t(n_queries)), candidates(size_t(n_queries)) {}
  Effort effort() { return {radius.data(), probes.data(), candidates.data()}; }
};

Tabled random_tabled(Random& random, const Kernel& kernel) {
  const int n_bits = one_of(random, {1, 8, 20, 63, 64, 65, 100, 130});
  const int64_t n = one_of<int64_t>(random, {1, 2, 64, 600, 1500});
  Tabled one;
  one.database = random_database(random, kernel, n, n_bits);
  one.queries = random_codes(random, one_of<int64_t>(random, {1, 9, 40}), n_bits, one_of(random, {0, 2, 6}),
                             one.database.codes.bits[0]);
  one.n_threads = one_of(random, {1, 2, 4});
  return one;
}

std::vector<int> shuffled_bits(Random& random, int n_bits) {
  std::vector<int> bits(static_cast<size_t>(n_bits));
  std::iota(bits.begin(), bits.end(), 0);
  if (random() & 1) std::shuffle(bits.begin(), bits.end(), random);
  return bits;
}

// Disjoint keys that together make the code, over all slots but the last few.
void cut_into_tables(Random& random, Tabled& one) {
  const std::vector<int> bits = shuffled_bits(random, one.database.codes.n_bits);
  const int64_t n = one.database.codes.size(), last = n - below(random, std::min<int64_t>(n, 20));
  const size_t least = (bits.size() + 63) / 64, n_tables = std::max(least, std::min(bits.size(), size_t(1 + below(random, 9))));
  for (size_t z = 0; z < n_tables; ++z) {
    const std::vector<int> key(bits.begin() + long(z * bits.size() / n_tables),
                               bits.begin() + long((z + 1) * bits.size() / n_tables));
    one.tables.push_back(std::make_unique<Table>(one.database.rows(), key, 0, last));
  }
}

int key_distance(const std::vector<uint8_t>& a, const std::vector<uint8_t>& b, const std::vector<int>& key) {
  int distance = 0;
  for (const int bit : key) distance += a[size_t(bit)] != b[size_t(bit)];
  return distance;
}

}  // namespace

bool probes_find_the_nearest(Random& random, const Kernel& kernel) {
  Tabled one = random_tabled(random, kernel);
  cut_into_tables(random, one);
  const int64_t n_live = std::count(one.database.is_live.begin(), one.database.is_live.end(), true);
  if (n_live == 0) return true;  // an index without codes is never probed, nor for more than it holds
  const int64_t k = 1 + below(random, n_live);
  const int64_t dear = one_of<int64_t>(random, {50, 3000, 100'000});
  const Costs costs{1 + below(random, 3), 1, 1, dear, 4 * dear};
  Answer best(one.queries.size(), k), near(one.queries.size(), 0);
  const int radius = int(below(random, one.queries.n_bits + 1));
  probe_top_k(one.probing(), k, costs, best.slots.data(), best.distances.data(), best.effort());
  const Ranges ranges = probe_within(one.probing(), radius, costs, near.effort());
  for (size_t q = 0; q < one.queries.bits.size(); ++q) {
    const std::vector<Near> truth = ranking(one.database, one.queries.bits[q]);
    if (best.radius[q] >= 0 && !is_best(truth, k, best.slots.data() + q * size_t(k), best.distances.data() + q * size_t(k),
                                        -1, [](int64_t distance) { return int32_t(distance); }))
      return false;
    size_t expected = 0;
    while (expected < truth.size() && truth[expected].distance <= radius) ++expected;
    const size_t first = size_t(ranges.offsets[q]), n_found = size_t(ranges.offsets[q + 1]) - first;
    if (n_found != (near.radius[q] < 0 ? 0 : expected)) return false;
    for (size_t i = 0; i < n_found; ++i)
      if (ranges.slots[first + i] != truth[i].slot || ranges.distances[first + i] != truth[i].distance) return false;
  }
  return true;
}

bool look_ups_find_what_they_reach(Random& random, const Kernel& kernel) {
  Tabled one = random_tabled(random, kernel);
  const int n_bits = one.database.codes.n_bits;
  std::vector<int> key = shuffled_bits(random, n_bits);
  key.resize(size_t(1 + below(random, std::min(n_bits, 11))));
  const int64_t n = one.database.codes.size(), middle = below(random, n + 1);
  one.tables.push_back(std::make_unique<Table>(one.database.rows(), key, 0, middle));
  one.tables.push_back(std::make_unique<Table>(one.database.rows(), key, middle, n));
  Exact<double> weights(one.queries.bits.size() * key.size());
  for (size_t i = 0; i < weights.size(); ++i) weights[i] = double(below(random, 5));
  const int flips = int(below(random, int64_t(key.size()) + 1));
  const Limits limits{flips, int64_t(1) << 40, int64_t(1) << 40};
  const int64_t k = 1 + below(random, n);
  Answer best(one.queries.size(), k), all(one.queries.size(), 0);
  lookup_top_k(one.probing(), k, random() & 1 ? weights.data() : nullptr, limits, best.slots.data(),
               best.distances.data(), best.effort());
  const Ranges ranges = lookup_within(one.probing(), n_bits, weights.data(), limits, all.effort());
  for (size_t q = 0; q < one.queries.bits.size(); ++q) {
    size_t at = size_t(ranges.offsets[q]);
    const std::vector<Near> truth = ranking(one.database, one.queries.bits[q]);
    for (const Near& near : truth) {
      if (key_distance(one.queries.bits[q], one.database.codes.bits[size_t(near.slot)], key) > flips) continue;
      if (at >= ranges.slots.size() || ranges.slots[at] != near.slot || ranges.distances[at] != near.distance)
        return false;
      ++at;
    }
    if (at != size_t(ranges.offsets[q + 1])) return false;
    for (int64_t i = 0; i < k && i < int64_t(truth.size()) && truth[size_t(i)].distance <= best.radius[q]; ++i)
      if (best.slots[q * size_t(k) + size_t(i)] != truth[size_t(i)].slot) return false;
  }
  return true;
}

bool threads_may_search_at_once(Random& random, const Kernel& kernel) {
  Tabled one = random_tabled(random, kernel);
  cut_into_tables(random, one);
  constexpr int64_t kNeighbors = 7;
  if (std::count(one.database.is_live.begin(), one.database.is_live.end(), true) < kNeighbors) return true;
  constexpr size_t kCallers = 3;
  const Costs costs{1, 1, 1, 100'000, 400'000};
  std::vector<Answer> scanned, probed;
  for (size_t i = 0; i < kCallers; ++i) {
    scanned.emplace_back(one.queries.size(), kNeighbors);
    probed.emplace_back(one.queries.size(), kNeighbors);
  }
  std::vector<std::thread> callers;
  for (size_t i = 0; i < kCallers; ++i)
    callers.emplace_back([&, i] {
      top_k(kernel, one.database.on_planes(), one.queries.queries(), kNeighbors, one.database.keys(), 3,
            scanned[i].slots.data(), scanned[i].distances.data());
      probe_top_k(one.probing(), kNeighbors, costs, probed[i].slots.data(), probed[i].distances.data(),
                  probed[i].effort());
    });
  for (std::thread& caller : callers) caller.join();
  for (size_t i = 0; i < kCallers; ++i) {
    if (scanned[i].slots.memory != scanned[0].slots.memory || probed[i].slots.memory != probed[0].slots.memory)
      return false;
    for (size_t q = 0; q < one.queries.bits.size(); ++q)
      for (size_t j = q * kNeighbors; j < (q + 1) * kNeighbors; ++j)
        if (probed[i].radius[q] >= 0 && probed[i].slots[j] != scanned[i].slots[j]) return false;
  }
  return true;
}

}  // namespace check
