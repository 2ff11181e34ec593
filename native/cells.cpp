#include "cells.hpp"

#include <algorithm>
#include <cstring>
#include <limits>
#include <vector>

#include "asymmetric_prepare.hpp"
#include "extract.hpp"
#include "nearest.hpp"
#include "prepare.hpp"
#include "visits.hpp"

namespace hammingway {

namespace {

constexpr int64_t kMostQueriesABatch = 4096;      // the more, the more of them visit a cell together
constexpr int64_t kEntriesABatch = 1 << 24;       // kept by all queries of a batch
constexpr int64_t kFewQueriesAThread = 64;        // with fewer, threads share the cells instead of the queries

struct KeepBest {
  Best best;
  int64_t usual_entries() const { return 2 * best.k() + 512; }
  int limit() const { return std::max(1, best.limit()); }
  const std::vector<Found>& list() const { return best.list(); }

  void take(const Hit& hit, int counter_bits) {
    for_each_lane(hit, counter_bits, limit(), [&](int lane, int distance) {
      best.offer(distance, hit.block * kLanes + hit.first_lane + lane);
    });
    // a tight key limit keeps ties out, but learning it is only worth its price now and then
    if (best.full() && int64_t(list().size()) >= best.k() + std::max<int64_t>(32, best.k() / 2)) best.cut();
  }
};

struct KeepWithin {
  int radius;
  std::vector<Found> kept;
  int64_t usual_entries() const { return 4096; }
  int limit() const { return radius + 1; }
  const std::vector<Found>& list() const { return kept; }

  void take(const Hit& hit, int counter_bits) {
    for_each_lane(hit, counter_bits, limit(), [&](int lane, int distance) {
      kept.push_back(found(distance, hit.block * kLanes + hit.first_lane + lane));
    });
  }
};

// What one thread keeps of a batch of queries that look for codes by their Hamming distance.
template <class Keep>
struct BitWorker {
  const CellSearch* search = nullptr;
  const uint8_t* packed = nullptr;  // of the batch
  std::vector<Keep> keeps;
  const int* askers = nullptr;
  Scan scan;
  Aligned limits = aligned_bytes(size_t(kQueriesATile) * kLimitStride * sizeof(uint64_t));
  Aligned scratch;
  size_t scratch_bytes = 0;
  std::vector<uint8_t> rows;

  uint64_t* words(int i) { return reinterpret_cast<uint64_t*>(limits.get()) + size_t(i) * kLimitStride; }
  Keep& keep(int i) { return keeps[size_t(askers[i])]; }

  void visit(const Visit& visit, const int* of_visit) {
    const int n_bits = search->database.n_bits;
    const size_t row = size_t(n_bits + 7) / 8;
    askers = of_visit;
    rows.resize(row * size_t(visit.count));
    for (int i = 0; i < visit.count; ++i) memcpy(rows.data() + size_t(i) * row, packed + size_t(askers[i]) * row, row);
    const Prepared prepared(search->kernel, n_bits, rows.data(), visit.count);
    if (scratch_bytes < prepared.scratch_bytes()) {
      scratch_bytes = prepared.scratch_bytes();
      scratch = aligned_bytes(scratch_bytes);
    }
    scan = prepared.scan(words(0), scratch.get());
    scan.context = this;
    scan.on_hit = [](void* context, const Hit& hit) { static_cast<BitWorker*>(context)->take(hit); };
    for (int i = 0; i < visit.count; ++i) set_limit(words(i), scan.counter_bits, keep(i).limit());
    for_each_run(search->cells, visit.cell, [&](int64_t first, int64_t last) {
      prepared.run(scan, search->database.words, search->database.live, first, last);
    });
  }

  void take(const Hit& hit) {
    Keep& mine = keep(hit.query);
    const int before = mine.limit();
    mine.take(hit, scan.counter_bits);
    if (mine.limit() != before) set_limit(words(hit.query), scan.counter_bits, mine.limit());
  }
};

// The same by weighted distance; the queries were prepared once for all their visits.
struct WeightWorker {
  const CellSearch* search = nullptr;
  const PreparedWeights* prepared = nullptr;
  std::vector<Nearest> keeps;
  const int* askers = nullptr;
  AsymmetricScan all, scan;  // of the whole batch, and of those who visit
  std::vector<TableQuery> tables;
  std::vector<BitQuery> bits;
  std::vector<TableLimit> table_limits = std::vector<TableLimit>(size_t(kQueriesATile));
  Aligned bit_limits = aligned_bytes(size_t(kQueriesATile) * kBitLimitStride * sizeof(uint64_t));
  Aligned scratch;

  void start(const CellSearch& of, const PreparedWeights& weights, const Nearest& empty) {
    search = &of;
    prepared = &weights;
    keeps.assign(size_t(weights.n_queries()), empty);
    scratch = aligned_bytes(weights.scratch_bytes());
    all = weights.scan(of.database.n_bits);
  }
  uint64_t* words(int i) { return reinterpret_cast<uint64_t*>(bit_limits.get()) + size_t(i) * kBitLimitStride; }
  Nearest& keep(int i) { return keeps[size_t(askers[i])]; }
  int32_t limit(int i) { return keep(i).limit(prepared->greatest(askers[i])); }

  void visit(const Visit& visit, const int* of_visit) {
    askers = of_visit;
    tables.clear();
    bits.clear();
    for (int i = 0; i < visit.count; ++i)
      if (prepared->tables())
        tables.push_back(all.tables[askers[i]]);
      else
        bits.push_back(all.bits[askers[i]]);
    scan = all;
    scan.n_queries = visit.count;
    scan.tables = tables.data();
    scan.bits = bits.data();
    scan.table_limits = table_limits.data();
    scan.bit_limits = words(0);
    scan.scratch = scratch.get();
    scan.context = this;
    scan.on_lanes = [](void* context, const LaneHit& hit) { static_cast<WeightWorker*>(context)->take(hit); };
    scan.on_sums = [](void* context, const Hit& hit) { static_cast<WeightWorker*>(context)->take(hit); };
    for (int i = 0; i < visit.count; ++i) set(i);
    for_each_run(search->cells, visit.cell, [&](int64_t first, int64_t last) {
      prepared->run(scan, search->database.words, search->database.live, first, last);
    });
  }

  void set(int i) {
    if (prepared->tables())
      table_limits[size_t(i)] = prepared->table_limit(askers[i], limit(i));
    else
      set_limit(words(i), bits[size_t(i)].counter_bits, limit(i));
  }

  void take(const LaneHit& hit) {
    const int32_t before = limit(hit.query);
    for (int i = 0; i < hit.count; ++i) keep(hit.query).offer(hit.distances[i], hit.first_slot + hit.lanes[i]);
    if (limit(hit.query) != before) set(hit.query);
  }

  void take(const Hit& hit) {
    const int32_t before = limit(hit.query);
    for_each_lane(hit, bits[size_t(hit.query)].counter_bits, before, [&](int lane, int distance) {
      keep(hit.query).offer(distance, hit.block * kLanes + hit.first_lane + lane);
    });
    if (limit(hit.query) != before) set(hit.query);
  }
};

// The k best of what all threads found of query q of a batch, sorted.
template <class Worker>
std::vector<Found> best_of(const std::vector<Worker>& workers, size_t q, int64_t k, const int64_t* ids) {
  std::vector<Found> all;
  for (const Worker& worker : workers) {
    if (worker.keeps.empty()) continue;  // this thread came too late to get any visit
    const std::vector<Found>& list = worker.keeps[q].list();
    all.insert(all.end(), list.begin(), list.end());
  }
  sort_best(all, k, ids);
  return all;
}

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

// Calls use(query, what it found) for all queries, each query once, in any order.
template <class Keep, class Use>
void search_bits(const CellSearch& search, const Queries& queries, const Keep& empty, int64_t k, const Use& use) {
  const size_t row = size_t(search.database.n_bits + 7) / 8;
  const int64_t entries = empty.usual_entries() + search.database.n_bits;
  for_each_batch(queries.count, entries, search.n_threads, [&](int64_t first, int64_t count, int n_threads) {
    const Plan plan(search.visits, first, count);
    std::vector<BitWorker<Keep>> workers(static_cast<size_t>(n_threads));
    plan.run(n_threads, [&](int w, const Visit& visit) {
      BitWorker<Keep>& worker = workers[size_t(w)];
      if (worker.keeps.empty()) {
        worker.search = &search;
        worker.packed = queries.packed + size_t(first) * row;
        worker.keeps.assign(size_t(count), empty);
      }
      worker.visit(visit, plan.askers(visit));
    });
    for (int64_t q = 0; q < count; ++q) use(first + q, best_of(workers, size_t(q), k, search.keys.ids));
  });
}

}  // namespace

void top_k_in_cells(const CellSearch& search, const Queries& queries, int64_t k, int64_t* slots, int32_t* distances) {
  std::fill_n(slots, queries.count * k, int64_t(-1));
  std::fill_n(distances, queries.count * k, int32_t(search.database.n_bits + 1));
  const int64_t useful = std::min(k, search.database.n_blocks * kLanes);
  if (useful == 0) return;
  const KeepBest empty{Best(useful, search.database.n_bits, search.keys.ids)};
  search_bits(search, queries, empty, useful, [&](int64_t query, const std::vector<Found>& best) {
    int64_t at = query * k;
    for (const Found f : best) {
      slots[at] = slot_of(f);
      distances[at++] = distance_of(f);
    }
  });
}

Ranges within_in_cells(const CellSearch& search, const Queries& queries, int radius) {
  std::vector<std::vector<Found>> lists(static_cast<size_t>(queries.count));
  const int64_t all = std::numeric_limits<int64_t>::max();
  search_bits(search, queries, KeepWithin{radius, {}}, all, [&](int64_t query, std::vector<Found>&& found) {
    lists[size_t(query)] = std::move(found);
  });
  Ranges ranges;
  ranges.offsets.push_back(0);
  for (const std::vector<Found>& list : lists) {
    for (const Found f : list) {
      ranges.slots.push_back(slot_of(f));
      ranges.distances.push_back(distance_of(f));
    }
    ranges.offsets.push_back(int64_t(ranges.slots.size()));
  }
  return ranges;
}

void top_k_asymmetric_in_cells(const CellSearch& search, const Weights& weights, int64_t k, int64_t* slots,
                               int32_t* scores) {
  std::fill_n(slots, weights.count * k, int64_t(-1));
  std::fill_n(scores, weights.count * k, std::numeric_limits<int32_t>::min());
  const int64_t useful = std::min(k, search.database.n_blocks * kLanes);
  if (useful == 0) return;
  const Nearest empty(useful, search.keys.ids);
  const int64_t entries = 2 * useful + 16 * weights.n_scored;
  for_each_batch(weights.count, entries, search.n_threads, [&](int64_t first, int64_t count, int n_threads) {
    const Plan plan(search.visits, first, count);
    const PreparedWeights prepared(*search.kernel.asymmetric, weights.values + first * weights.n_scored, int(count),
                                   weights.n_scored);
    std::vector<WeightWorker> workers(static_cast<size_t>(n_threads));
    plan.run(n_threads, [&](int w, const Visit& visit) {
      if (workers[size_t(w)].keeps.empty()) workers[size_t(w)].start(search, prepared, empty);
      workers[size_t(w)].visit(visit, plan.askers(visit));
    });
    for (int64_t q = 0; q < count; ++q) {
      int64_t at = (first + q) * k;
      for (const Found f : best_of(workers, size_t(q), useful, search.keys.ids)) {
        slots[at] = slot_of(f);
        scores[at++] = prepared.greatest(int(q)) - 2 * distance_of(f);
      }
    }
  });
}

}  // namespace hammingway
