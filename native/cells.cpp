#include "cells.hpp"

#include <algorithm>
#include <cstring>
#include <limits>
#include <vector>

#include "cell_worker.hpp"
#include "extract.hpp"
#include "nearest.hpp"
#include "prepare.hpp"

namespace hammingway {

namespace {

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
    for (int64_t q = 0; q < count; ++q) {
      std::vector<Found> all = gathered(workers, size_t(q));
      sort_best(all, k, search.keys.ids);
      use(first + q, std::move(all));
    }
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
  const auto keeps_of = [&](int64_t, int64_t n) {
    return std::vector<NearestKeep>(size_t(n), NearestKeep(useful, search.keys.ids));
  };
  const auto finish = [&](const PreparedWeights& prepared, int q, int64_t query, std::vector<Found>& all) {
    sort_best(all, useful, search.keys.ids);
    int64_t at = query * k;
    for (const Found f : all) {
      slots[at] = slot_of(f);
      scores[at++] = prepared.greatest(q) - 2 * distance_of(f);
    }
  };
  scan_cells<NearestKeep>(search, weights, useful, keeps_of, finish);
}

}  // namespace hammingway
