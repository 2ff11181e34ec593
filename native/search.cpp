#include "search.hpp"

#include <algorithm>
#include <memory>

#include "collect.hpp"
#include "extract.hpp"
#include "parallel.hpp"
#include "plan.hpp"
#include "prepare.hpp"
#include "share.hpp"

namespace hammingway {

namespace {

// The smallest key of the block at hand, for all the queries that ask.
struct BlockKeys {
  Keys all;
  int64_t block = -1;
  int64_t value = 0;

  int64_t least(int64_t asked) {
    if (asked != block) value = all.least(asked * kLanes, (asked + 1) * kLanes);
    block = asked;
    return value;
  }
};

// What one thread keeps while it scans a tile of queries.
template <class Keep>
struct Worker {
  std::vector<Keep> keeps;
  Aligned limits;
  Aligned scratch;
  Scan scan;
  BlockKeys keys;

  void start(const Prepared& prepared) {
    limits = aligned_bytes(size_t(prepared.n_queries()) * kLimitStride * sizeof(uint64_t));
    scratch = aligned_bytes(prepared.scratch_bytes());
    scan = prepared.scan(words(0), scratch.get());
    scan.context = this;
    scan.on_hit = [](void* context, const Hit& hit) { static_cast<Worker*>(context)->take(hit); };
    for (int q = 0; q < prepared.n_queries(); ++q) set_limit(words(q), scan.counter_bits, keeps[size_t(q)].limit());
  }
  uint64_t* words(int q) { return reinterpret_cast<uint64_t*>(limits.get()) + size_t(q) * kLimitStride; }

  void take(const Hit& hit) {
    Keep& keep = keeps[size_t(hit.query)];
    const int before = keep.limit();
    keep.take(hit, scan.counter_bits, keys);
    const int after = keep.limit();
    if (after != before) set_limit(words(hit.query), scan.counter_bits, after);
  }
};

int64_t slot_of_lane(const Hit& hit, int lane) { return hit.block * kLanes + hit.first_lane + lane; }

struct KeepBest : Best {
  using Best::Best;
  int limit() const { return std::max(1, Best::limit()); }

  void take(const Hit& hit, int counter_bits, BlockKeys& keys) {
    constexpr int kManyTies = 16, kManySurplus = 32;  // where looking twice costs less than offering all
    if (Best::limit() == 0) return;  // k codes at distance 0 already, and no key can be smaller
    const int lanes = lanes_in(hit);
    if (keys.all.ids && full() && lanes > kManyTies && keys.least(hit.block) >= key_limit())
      offer_below(hit, counter_bits);
    else if (lanes >= k() + kManySurplus)
      offer_nearest(hit, counter_bits, keys.all.ids != nullptr);
    else
      offer_lanes(hit, counter_bits);
    // a tight key limit keeps ties out, but learning it is only worth its price now and then
    if (keys.all.ids && full() && int64_t(list().size()) >= k() + std::max<int64_t>(32, k() / 2)) cut();
  }

 private:
  void offer_lanes(const Hit& hit, int counter_bits) {
    for_each_lane(hit, counter_bits, limit(),
                  [&](int lane, int distance) { offer(distance, slot_of_lane(hit, lane)); });
  }

  // Offers no lane that k others of this hit beat: a radix selection on the vertical sums, which
  // keeps the first blocks, and codes sorted the wrong way round, from being read lane by lane.
  void offer_nearest(const Hit& hit, int counter_bits, bool by_key) {
    uint64_t chosen[kWords] = {}, open[kWords], zeros[kWords];
    std::copy_n(hit.lanes, hit.words, open);
    int64_t wanted = k();
    for (int b = counter_bits; b-- > 0;) {
      int n_zeros = 0;
      for (int w = 0; w < hit.words; ++w) {
        zeros[w] = open[w] & ~hit.totals[b * hit.words + w];
        n_zeros += ones_in(zeros[w]);
      }
      const bool enough = n_zeros >= wanted;
      if (!enough) wanted -= n_zeros;
      for (int w = 0; w < hit.words; ++w) {
        if (!enough) chosen[w] |= zeros[w];
        open[w] = enough ? zeros[w] : open[w] & ~zeros[w];
      }
    }
    // what is open still ties: by slot the first will do, by key any of them may be the best
    for (int w = 0; w < hit.words; ++w)
      for (; open[w] && (by_key || wanted > 0); open[w] &= open[w] - 1, --wanted) chosen[w] |= open[w] & -open[w];
    Hit nearest = hit;
    nearest.lanes = chosen;
    offer_lanes(nearest, counter_bits);
  }

  // Passes over the lanes at the worst distance, in a block none of whose keys is small enough.
  void offer_below(const Hit& hit, int counter_bits) {
    uint64_t lanes[kWords];
    for (int w = 0; w < hit.words; ++w) {
      uint64_t tied = hit.lanes[w];  // the greatest total under the limit is all ones
      for (int b = 0; b < counter_bits; ++b) tied &= hit.totals[b * hit.words + w];
      lanes[w] = hit.lanes[w] & ~tied;
    }
    Hit rest = hit;
    rest.lanes = lanes;
    offer_lanes(rest, counter_bits);
  }
};

class KeepWithin {
 public:
  explicit KeepWithin(int radius) : radius_(radius) {}
  int limit() const { return radius_ + 1; }
  const std::vector<Found>& list() const { return list_; }

  void take(const Hit& hit, int counter_bits, BlockKeys&) {
    for_each_lane(hit, counter_bits, limit(),
                  [&](int lane, int distance) { list_.push_back(found(distance, slot_of_lane(hit, lane))); });
  }

 private:
  int radius_;
  std::vector<Found> list_;
};

// Scans one tile of queries on several threads; returns what each thread kept.
template <class Keep>
std::vector<Worker<Keep>> scan_tile(const Kernel& kernel, const Planes& database, const uint8_t* packed, int n_queries,
                                    const Keep& empty, const Keys& keys, int n_threads) {
  const Prepared prepared(kernel, database.n_bits, packed, n_queries);
  std::vector<Worker<Keep>> workers(static_cast<size_t>(n_threads));
  parallel_for(database.n_blocks, grain_for(database, n_threads), n_threads, [&](int w, int64_t first, int64_t last) {
    Worker<Keep>& worker = workers[size_t(w)];
    if (worker.keeps.empty()) {
      worker.keys.all = keys;
      worker.keeps.assign(size_t(n_queries), empty);
      worker.start(prepared);
    }
    prepared.run(worker.scan, database.words, database.live, first, last);
  });
  return workers;
}

// All that the threads found of query q.
template <class Keep>
std::vector<Found> gather(const std::vector<Worker<Keep>>& workers, size_t q) {
  std::vector<Found> all;
  for (const Worker<Keep>& worker : workers) {
    if (worker.keeps.empty()) continue;  // this thread came too late to get any block
    const std::vector<Found>& list = worker.keeps[q].list();
    all.insert(all.end(), list.begin(), list.end());
  }
  return all;
}

template <class Each>
void for_each_tile(const Queries& queries, int n_bits, const Each& each) {
  const size_t row = size_t(n_bits + 7) / 8;
  for (int64_t first = 0; first < queries.count; first += kQueriesATile)
    each(first, queries.packed + size_t(first) * row, int(std::min<int64_t>(kQueriesATile, queries.count - first)));
}

}  // namespace

void top_k(const Kernel& kernel, const Planes& database, const Queries& queries, int64_t k, const Keys& keys,
           int n_threads, int64_t* slots, int32_t* distances) {
  std::fill_n(slots, queries.count * k, int64_t(-1));
  std::fill_n(distances, queries.count * k, int32_t(database.n_bits + 1));
  const int threads = threads_for(database, queries.count, n_threads);
  const int64_t useful = std::min(k, database.n_blocks * kLanes);
  if (useful == 0) return;
  for_each_tile(queries, database.n_bits, [&](int64_t first, const uint8_t* packed, int n) {
    const KeepBest empty(useful, database.n_bits, keys.ids);
    const auto workers = scan_tile(kernel, database, packed, n, empty, keys, threads);
    parallel_for(n, 1, threads, [&](int, int64_t from, int64_t to) {
      for (int64_t q = from; q < to; ++q) {
        std::vector<Found> all = gather(workers, size_t(q));
        sort_best(all, k, keys.ids);
        const int64_t n_found = std::min<int64_t>(k, int64_t(all.size()));
        for (int64_t i = 0; i < n_found; ++i) {
          slots[(first + q) * k + i] = slot_of(all[size_t(i)]);
          distances[(first + q) * k + i] = distance_of(all[size_t(i)]);
        }
      }
    });
  });
}

Ranges within(const Kernel& kernel, const Planes& database, const Queries& queries, int radius, const Keys& keys,
              int n_threads) {
  Ranges ranges;
  ranges.offsets.push_back(0);
  const int threads = threads_for(database, queries.count, n_threads);
  for_each_tile(queries, database.n_bits, [&](int64_t, const uint8_t* packed, int n) {
    const auto workers = scan_tile(kernel, database, packed, n, KeepWithin(radius), keys, threads);
    std::vector<std::vector<Found>> lists(static_cast<size_t>(n));
    parallel_for(n, 1, threads, [&](int, int64_t from, int64_t to) {
      for (int64_t q = from; q < to; ++q) {
        lists[size_t(q)] = gather(workers, size_t(q));
        sort_best(lists[size_t(q)], int64_t(lists[size_t(q)].size()), keys.ids);
      }
    });
    size_t n_found = ranges.slots.size();
    for (const std::vector<Found>& list : lists) n_found += list.size();
    ranges.slots.reserve(n_found);
    ranges.distances.reserve(n_found);
    for (const std::vector<Found>& list : lists) {
      for (const Found f : list) {
        ranges.slots.push_back(slot_of(f));
        ranges.distances.push_back(distance_of(f));
      }
      ranges.offsets.push_back(int64_t(ranges.slots.size()));
    }
  });
  return ranges;
}

}  // namespace hammingway
