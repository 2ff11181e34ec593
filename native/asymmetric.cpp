#include "asymmetric.hpp"

#include <algorithm>
#include <limits>
#include <vector>

#include "asymmetric_kernel.hpp"
#include "asymmetric_prepare.hpp"
#include "extract.hpp"
#include "nearest.hpp"
#include "parallel.hpp"
#include "share.hpp"

namespace hammingway {

namespace {

// What one thread keeps while it scans a tile of queries.
struct Worker {
  const PreparedWeights* prepared = nullptr;
  std::vector<Nearest> keeps;
  std::vector<TableLimit> table_limits;
  Aligned bit_limits, scratch;
  AsymmetricScan scan;

  void start(const PreparedWeights& weights, int n_bits, const Nearest& empty) {
    const size_t n = size_t(weights.n_queries());
    prepared = &weights;
    keeps.assign(n, empty);
    table_limits.resize(n);
    bit_limits = aligned_bytes(n * kBitLimitStride * sizeof(uint64_t));
    scratch = aligned_bytes(weights.scratch_bytes());
    scan = weights.scan(n_bits);
    scan.table_limits = table_limits.data();
    scan.bit_limits = words(0);
    scan.scratch = scratch.get();
    scan.context = this;
    scan.on_lanes = [](void* context, const LaneHit& hit) { static_cast<Worker*>(context)->take(hit); };
    scan.on_sums = [](void* context, const Hit& hit) { static_cast<Worker*>(context)->take(hit); };
    for (int q = 0; q < int(n); ++q) set(q, weights.greatest(q) + 1);
  }
  uint64_t* words(int q) { return reinterpret_cast<uint64_t*>(bit_limits.get()) + size_t(q) * kBitLimitStride; }
  int32_t limit(int q, int64_t unordered) const {
    return keeps[size_t(q)].limit(prepared->greatest(q), unordered);
  }

  void set(int q, int32_t limit) {
    if (prepared->tables())
      table_limits[size_t(q)] = prepared->table_limit(q, limit);
    else
      set_limit(words(q), scan.bits[q].counter_bits, limit);
  }

  void take(const LaneHit& hit) {
    for (int i = 0; i < hit.count; ++i)
      keeps[size_t(hit.query)].offer(hit.distances[i], hit.first_slot + hit.lanes[i]);
    set(hit.query, limit(hit.query, hit.first_slot));  // lanes of a block come in any order
  }

  void take(const Hit& hit) {
    constexpr int64_t kOrdered = std::numeric_limits<int64_t>::max();
    const int32_t before = limit(hit.query, kOrdered);
    for_each_lane(hit, scan.bits[hit.query].counter_bits, before, [&](int lane, int distance) {
      keeps[size_t(hit.query)].offer(distance, hit.block * kLanes + hit.first_lane + lane);
    });
    const int32_t after = limit(hit.query, kOrdered);
    if (after != before) set(hit.query, after);
  }
};

// The best of what all threads found of query q, sorted.
std::vector<Found> best_of(const std::vector<Worker>& workers, size_t q, int64_t k, const int64_t* ids) {
  std::vector<Found> all;
  for (const Worker& worker : workers) {
    if (worker.keeps.empty()) continue;  // this thread came too late to get any block
    const std::vector<Found>& list = worker.keeps[q].list();
    all.insert(all.end(), list.begin(), list.end());
  }
  sort_best(all, k, ids);
  return all;
}

}  // namespace

void top_k_asymmetric(const Kernel& kernel, const Planes& database, const Weights& weights, int64_t k, const Keys& keys,
                      int n_threads, int64_t* slots, int32_t* scores) {
  std::fill_n(slots, weights.count * k, int64_t(-1));
  std::fill_n(scores, weights.count * k, std::numeric_limits<int32_t>::min());
  const int threads = threads_for(database, weights.count, n_threads);
  const int64_t useful = std::min(k, database.n_blocks * kLanes);
  if (useful == 0) return;
  const Nearest empty(useful, keys.ids);
  for (int64_t start = 0; start < weights.count; start += kQueriesATile) {
    const int n = int(std::min<int64_t>(kQueriesATile, weights.count - start));
    const PreparedWeights prepared(*kernel.asymmetric, weights.values + start * weights.n_scored, n, weights.n_scored);
    std::vector<Worker> workers(static_cast<size_t>(threads));
    parallel_for(database.n_blocks, grain_for(database, threads), threads, [&](int w, int64_t first, int64_t last) {
      Worker& worker = workers[size_t(w)];
      if (worker.keeps.empty()) worker.start(prepared, database.n_bits, empty);
      prepared.run(worker.scan, database.words, database.live, first, last);
    });
    parallel_for(n, 1, threads, [&](int, int64_t from, int64_t to) {
      for (int64_t q = from; q < to; ++q) {
        int64_t at = (start + q) * k;
        for (const Found f : best_of(workers, size_t(q), k, keys.ids)) {
          slots[at] = slot_of(f);
          scores[at++] = prepared.greatest(int(q)) - 2 * distance_of(f);
        }
      }
    });
  }
}

}  // namespace hammingway
