// What searches of cells share: batches of queries, what all threads found, and the pass by weighted distance.
#pragma once

#include <algorithm>
#include <cstdint>
#include <type_traits>
#include <utility>
#include <vector>

#include "asymmetric_kernel.hpp"
#include "asymmetric_prepare.hpp"
#include "cells.hpp"
#include "extract.hpp"
#include "parallel.hpp"
#include "share.hpp"
#include "visits.hpp"

namespace hammingway {

constexpr int64_t kMostQueriesABatch = 4096;      // the more, the more of them visit a cell together
constexpr int64_t kEntriesABatch = 1 << 24;       // kept by all queries of a batch
constexpr int64_t kFewQueriesAThread = 64;        // with fewer, threads share the cells instead of the queries

// Calls batch(first, count, n_threads) until all queries are dealt with: a thread a batch where there are
// many queries, so that each has one limit, else all threads together.
template <class Batch>
void for_each_batch(int64_t n_queries, int64_t entries_a_query, int n_threads, const Batch& batch) {
  const bool alone = n_queries >= kFewQueriesAThread * n_threads;
  const int64_t share = alone ? (n_queries + n_threads - 1) / n_threads : n_queries;
  const int64_t room = std::max<int64_t>(1, kEntriesABatch / entries_a_query);
  const int64_t size = std::max<int64_t>(1, std::min({kMostQueriesABatch, share, room}));
  const auto one = [&](int64_t i, int threads) {
    batch(i * size, std::min(size, n_queries - i * size), threads);
  };
  const int64_t n_batches = (n_queries + size - 1) / size;
  if (alone)
    parallel_for(n_batches, 1, n_threads, [&](int, int64_t from, int64_t to) {
      for (int64_t i = from; i < to; ++i) one(i, 1);
    });
  else
    for (int64_t i = 0; i < n_batches; ++i) one(i, n_threads);
}

// What all threads kept of query q of a batch.
template <class Worker>
auto gathered(const std::vector<Worker>& workers, size_t q) {
  std::decay_t<decltype(workers[0].keeps[0].list())> all;
  for (const Worker& worker : workers) {
    if (worker.keeps.empty()) continue;  // this thread came too late to get any visit
    const auto& list = worker.keeps[q].list();
    all.insert(all.end(), list.begin(), list.end());
  }
  return all;
}

// What one thread keeps of a batch of queries that look for codes by weighted distance; the queries were prepared
// once for all their visits. A Keep is as in asymmetric_worker.hpp; slots come in no order.
template <class Keep>
struct WeightWorker {
  const CellSearch* search = nullptr;
  const PreparedWeights* prepared = nullptr;
  std::vector<Keep> keeps;
  const int* askers = nullptr;
  AsymmetricScan all, scan;  // of the whole batch, and of those who visit
  std::vector<TableQuery> tables;
  std::vector<BitQuery> bits;
  std::vector<int32_t> limits;
  std::vector<TableLimit> table_limits = std::vector<TableLimit>(size_t(kQueriesATile));
  Aligned bit_limits = aligned_bytes(size_t(kQueriesATile) * kBitLimitStride * sizeof(uint64_t));
  Aligned scratch;

  void start(const CellSearch& of, const PreparedWeights& weights, std::vector<Keep> empty) {
    search = &of;
    prepared = &weights;
    keeps = std::move(empty);
    scratch = aligned_bytes(weights.scratch_bytes());
    all = weights.scan(of.database.n_bits);
  }
  uint64_t* words(int i) { return reinterpret_cast<uint64_t*>(bit_limits.get()) + size_t(i) * kBitLimitStride; }
  Keep& keep(int i) { return keeps[size_t(askers[i])]; }

  void visit(const Visit& visit, const int* of_visit) {
    askers = of_visit;
    gather(visit.count);
    limits.assign(size_t(visit.count), 0);  // which no limit is
    for_each_run(search->cells, visit.cell, [&](int64_t first, int64_t last) {
      const int64_t step = Keep::kLimitABlock ? 1 : last - first;
      for (int64_t block = first; block < last; block += step) {
        for (int i = 0; i < visit.count; ++i) set(i, block);
        prepared->run(scan, search->database.words, search->database.live, block, block + step);
      }
    });
  }

 private:
  void gather(int n) {
    tables.clear();
    bits.clear();
    for (int i = 0; i < n; ++i)
      if (prepared->tables())
        tables.push_back(all.tables[askers[i]]);
      else
        bits.push_back(all.bits[askers[i]]);
    scan = all;
    scan.n_queries = n;
    scan.tables = tables.data();
    scan.bits = bits.data();
    scan.table_limits = table_limits.data();
    scan.bit_limits = words(0);
    scan.scratch = scratch.get();
    scan.context = this;
    scan.on_lanes = [](void* context, const LaneHit& hit) { static_cast<WeightWorker*>(context)->take(hit); };
    scan.on_sums = [](void* context, const Hit& hit) { static_cast<WeightWorker*>(context)->take(hit); };
  }

  void set(int i, int64_t block) {
    const int32_t limit = keep(i).limit(prepared->greatest(askers[i]), block, 0);
    if (limit == limits[size_t(i)]) return;
    limits[size_t(i)] = limit;
    if (prepared->tables())
      table_limits[size_t(i)] = prepared->table_limit(askers[i], limit);
    else
      set_limit(words(i), bits[size_t(i)].counter_bits, limit);
  }

  void take(const LaneHit& hit) {
    for (int i = 0; i < hit.count; ++i) keep(hit.query).offer(hit.distances[i], hit.first_slot + hit.lanes[i]);
    set(hit.query, hit.first_slot / kLanes);
  }

  void take(const Hit& hit) {
    for_each_lane(hit, bits[size_t(hit.query)].counter_bits, limits[size_t(hit.query)], [&](int lane, int distance) {
      keep(hit.query).offer(distance, hit.block * kLanes + hit.first_lane + lane);
    });
    set(hit.query, hit.block);
  }
};

// Scans the visited cells for all queries, a batch at a time. keeps_of(start, n): empty keeps of at most k entries of
// the queries start and on; finish(prepared, q, query, all): writes the results of the batch's query q from what
// all threads kept.
template <class Keep, class KeepsOf, class Finish>
void scan_cells(const CellSearch& search, const Weights& weights, int64_t k, const KeepsOf& keeps_of,
                const Finish& finish) {
  const int64_t entries = 2 * k + 16 * weights.n_scored;
  for_each_batch(weights.count, entries, search.n_threads, [&](int64_t first, int64_t count, int n_threads) {
    const Plan plan(search.visits, first, count);
    const PreparedWeights prepared(*search.kernel.asymmetric, weights.values + first * weights.n_scored, int(count),
                                   weights.n_scored);
    std::vector<WeightWorker<Keep>> workers(static_cast<size_t>(n_threads));
    plan.run(n_threads, [&](int w, const Visit& visit) {
      if (workers[size_t(w)].keeps.empty()) workers[size_t(w)].start(search, prepared, keeps_of(first, count));
      workers[size_t(w)].visit(visit, plan.askers(visit));
    });
    for (int64_t q = 0; q < count; ++q) {
      auto all = gathered(workers, size_t(q));
      finish(prepared, int(q), first + q, all);
    }
  });
}

}  // namespace hammingway
