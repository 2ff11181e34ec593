// The pass over the blocks that every asymmetric search makes; what is kept of each query is its own.
#pragma once

#include <algorithm>
#include <cstdint>
#include <limits>
#include <vector>

#include "asymmetric.hpp"
#include "asymmetric_kernel.hpp"
#include "asymmetric_prepare.hpp"
#include "extract.hpp"
#include "parallel.hpp"
#include "share.hpp"

namespace hammingway {

// What one thread keeps while it scans a tile of queries. A Keep has offer(distance, slot); list(), its
// candidates; and limit(greatest, block, unordered): distances there and above are of no use in the block,
// at least 1, where slots come in increasing order up to `unordered`. With kLimitABlock the limit may differ
// between blocks that follow each other.
template <class Keep>
struct AsymmetricWorker {
  const PreparedWeights* prepared = nullptr;
  std::vector<Keep> keeps;
  std::vector<TableLimit> table_limits;
  std::vector<int32_t> limits;
  Aligned bit_limits, scratch;
  AsymmetricScan scan;

  bool started() const { return !keeps.empty(); }

  void start(const PreparedWeights& weights, int n_bits, std::vector<Keep> empty) {
    const size_t n = size_t(weights.n_queries());
    prepared = &weights;
    keeps = std::move(empty);
    table_limits.resize(n);
    limits.assign(n, 0);
    bit_limits = aligned_bytes(n * kBitLimitStride * sizeof(uint64_t));
    scratch = aligned_bytes(weights.scratch_bytes());
    scan = weights.scan(n_bits);
    scan.table_limits = table_limits.data();
    scan.bit_limits = words(0);
    scan.scratch = scratch.get();
    scan.context = this;
    scan.on_lanes = [](void* context, const LaneHit& hit) { static_cast<AsymmetricWorker*>(context)->take(hit); };
    scan.on_sums = [](void* context, const Hit& hit) { static_cast<AsymmetricWorker*>(context)->take(hit); };
    for (int q = 0; q < int(n); ++q) set(q, weights.greatest(q) + 1);
  }
  uint64_t* words(int q) { return reinterpret_cast<uint64_t*>(bit_limits.get()) + size_t(q) * kBitLimitStride; }

  void run(const Planes& database, int64_t first, int64_t last) {
    if constexpr (!Keep::kLimitABlock) {
      prepared->run(scan, database.words, database.live, first, last);
    } else {
      for (int64_t block = first; block < last; ++block) {
        for (int q = 0; q < prepared->n_queries(); ++q) set(q, limit(q, block, 0));
        prepared->run(scan, database.words, database.live, block, block + 1);
      }
    }
  }

 private:
  int32_t limit(int q, int64_t block, int64_t unordered) const {
    return keeps[size_t(q)].limit(prepared->greatest(q), block, unordered);
  }

  void set(int q, int32_t limit) {
    if (limit == limits[size_t(q)]) return;
    limits[size_t(q)] = limit;
    if (prepared->tables())
      table_limits[size_t(q)] = prepared->table_limit(q, limit);
    else
      set_limit(words(q), scan.bits[q].counter_bits, limit);
  }

  void take(const LaneHit& hit) {
    for (int i = 0; i < hit.count; ++i)
      keeps[size_t(hit.query)].offer(hit.distances[i], hit.first_slot + hit.lanes[i]);
    // lanes of a block come in any order
    set(hit.query, limit(hit.query, hit.first_slot / kLanes, hit.first_slot));
  }

  void take(const Hit& hit) {
    const int32_t before = limits[size_t(hit.query)];
    for_each_lane(hit, scan.bits[hit.query].counter_bits, before, [&](int lane, int distance) {
      keeps[size_t(hit.query)].offer(distance, hit.block * kLanes + hit.first_lane + lane);
    });
    set(hit.query, limit(hit.query, hit.block, std::numeric_limits<int64_t>::max()));
  }
};

// Scans for all queries, a tile at a time. keeps_of(start, n): empty keeps of queries start and on;
// finish(prepared, q, query, all): writes the results of the tile's query q from what all threads kept.
template <class Keep, class KeepsOf, class Finish>
void scan_asymmetric(const Kernel& kernel, const Planes& database, const Weights& weights, int n_threads,
                     const KeepsOf& keeps_of, const Finish& finish) {
  const int threads = threads_for(database, weights.count, n_threads);
  for (int64_t start = 0; start < weights.count; start += kQueriesATile) {
    const int n = int(std::min<int64_t>(kQueriesATile, weights.count - start));
    const PreparedWeights prepared(*kernel.asymmetric, weights.values + start * weights.n_scored, n, weights.n_scored);
    std::vector<AsymmetricWorker<Keep>> workers(static_cast<size_t>(threads));
    parallel_for(database.n_blocks, grain_for(database, threads), threads, [&](int w, int64_t first, int64_t last) {
      AsymmetricWorker<Keep>& worker = workers[size_t(w)];
      if (!worker.started()) worker.start(prepared, database.n_bits, keeps_of(start, n));
      worker.run(database, first, last);
    });
    parallel_for(n, 1, threads, [&](int, int64_t from, int64_t to) {
      for (int64_t q = from; q < to; ++q) {
        auto all = keeps_of(start + q, 1)[0].list();
        for (const AsymmetricWorker<Keep>& worker : workers) {
          if (!worker.started()) continue;  // this thread came too late to get any block
          const auto& list = worker.keeps[size_t(q)].list();
          all.insert(all.end(), list.begin(), list.end());
        }
        finish(prepared, int(q), start + q, all);
      }
    });
  }
}

}  // namespace hammingway
