#include "probe.hpp"

#include <algorithm>

#include "collect.hpp"
#include "extract.hpp"
#include "flips.hpp"
#include "gather.hpp"
#include "parallel.hpp"

namespace hammingway {

namespace {

constexpr int64_t kChunk = 512;           // distances measured before they are looked at
constexpr int64_t kQueriesAThread = 8;    // fewer are not worth starting a thread for
constexpr int kKeys = 64;                  // looked up together, so that their misses overlap
constexpr size_t kFirstSteps = 16;         // whose keys are asked for before the first is looked up
constexpr int kNoTarget = -1;

// The k best by (distance, key), offered in any order: the worst of them on top of a heap. The scan's
// Best takes slots in ascending order, which tables do not give.
struct KeepBest {
  size_t k;
  int n_bits;
  const int64_t* ids;
  std::vector<Found> heap;

  bool full() const { return heap.size() == k; }
  int limit() const { return full() ? distance_of(heap.front()) + 1 : n_bits + 1; }
  // Everything up to this distance must be compared; none while fewer than k codes are known.
  int target() const { return full() ? distance_of(heap.front()) : kNoTarget; }
  bool before(Found a, Found b) const { return ids ? ByKey{ids}(a, b) : a < b; }

  void take(int distance, int64_t slot) {
    const auto order = [this](Found a, Found b) { return before(a, b); };
    const Found candidate = found(distance, slot);
    if (full()) {
      if (!before(candidate, heap.front())) return;
      std::pop_heap(heap.begin(), heap.end(), order);
      heap.pop_back();
    }
    heap.push_back(candidate);
    std::push_heap(heap.begin(), heap.end(), order);
  }
  std::vector<Found> result() const {
    std::vector<Found> best = heap;
    sort_best(best, int64_t(k), ids);
    return best;
  }
};

struct KeepWithin {
  int radius;
  const int64_t* ids;
  std::vector<Found> all;
  int limit() const { return radius + 1; }
  int target() const { return radius; }
  void take(int distance, int64_t slot) { all.push_back(found(distance, slot)); }
  std::vector<Found> result() const {
    std::vector<Found> sorted = all;
    sort_best(sorted, int64_t(all.size()), ids);
    return sorted;
  }
};

// One query and what is known of it.
template <class Keep>
struct Query {
  const Probing& all;
  const uint64_t* words;
  Keep keep;
  int64_t probes = 0;
  int64_t candidates = 0;
  int complete = -1;  // all codes this near were compared

  bool finished() const { return keep.target() != kNoTarget && keep.target() <= complete; }

  // Compares slots, as many as kChunk; use(row) tells whether this is where a near code is to be taken.
  template <class Use>
  void compare(const uint32_t* slots, int64_t n, const Use& use) {
    static const Gather gather = gather_distances();
    uint16_t distances[kChunk];
    gather(all.rows.words, all.rows.n_words, slots, n, words, distances);
    for (int64_t i = 0; i < n; ++i)
      if (int(distances[i]) < keep.limit() && all.rows.is_live(slots[i]) && use(all.rows.row(slots[i])))
        keep.take(int(distances[i]), int64_t(slots[i]));
  }
};

// A query on its way through all tables, in steps of growing radius: step m * r + z looks up table z at
// all keys r bits away. After step s everything within s bits was compared (Norouzi et al. 2014, prop. 2).
template <class Keep>
class Prober {
 public:
  Prober(Query<Keep>& query, const Costs& costs) : query_(query), all_(query.all), costs_(costs) {
    for (const Table* table : all_.tables) {
      keys_.push_back(table->key_of(query.words));
      n_bits_ += table->key_bits();
    }
  }

  // False: given up, for a scan costs less.
  bool run() {
    if (!compare_tail()) return false;
    prefetch_first_steps();
    // No code is farther than n_bits_: after that step there is none left, should the query want more.
    while (!query_.finished() && query_.complete < n_bits_) {
      const int step = query_.complete + 1;
      found_.clear();
      if (!probe(step, costs_.attempt)) return run_to_the_end(step, step);
      if (cost_of(size_) > costs_.attempt) return run_to_the_end(step, step + 1);
      compare(step, 0, found_.size());
    }
    return true;
  }

 private:
  int n_tables() const { return int(all_.tables.size()); }
  int64_t cost_of(int64_t candidates) const {
    return candidates > (costs_.whole + costs_.attempt) / std::max<int64_t>(1, costs_.candidate)
               ? std::numeric_limits<int64_t>::max()
               : spent_ + candidates * costs_.candidate;
  }

  // The first steps look up one key each, and so would wait for memory again and again.
  void prefetch_first_steps() const {
    const size_t n = std::min(keys_.size(), kFirstSteps);
    for (size_t z = 0; z < n; ++z) all_.tables[z]->prefetch(keys_[z]);
    for (size_t z = 0; z < n; ++z) __builtin_prefetch(all_.tables[z]->find(keys_[z]).begin);
  }

  // Looks up all that is left from step `next` on, and compares it where that is cheaper than a scan;
  // the buckets of `step`, if it is an earlier one, were found already.
  bool run_to_the_end(int step, int next) {
    const int target = query_.keep.target();
    if (target == kNoTarget || !affordable(next, target)) return false;
    std::vector<size_t> ends{0};
    if (next > step) ends.push_back(found_.size());
    int64_t size = next > step ? size_ : 0;
    for (int later = next; later <= target; ++later) {
      if (!probe(later, 2 * costs_.attempt)) return false;
      size += size_;
      ends.push_back(found_.size());
    }
    if (cost_of(size) > costs_.whole) return false;
    for (size_t i = 0; i + 1 < ends.size() && !query_.finished(); ++i)
      compare(step + int(i), ends[i], ends[i + 1]);
    return true;
  }

  // Whether the keys of steps [first, last] may all be looked up.
  bool affordable(int first, int last) const {
    int64_t left = (2 * costs_.attempt - spent_) / costs_.probe;
    for (int step = first; step <= last && left >= 0; ++step) {
      const int64_t n_keys = count_flips(all_.tables[size_t(step % n_tables())]->key_bits(), step / n_tables());
      if (n_keys > left) return false;
      left -= n_keys;
    }
    return left >= 0;
  }

  // Adds the buckets of a step to found_ and counts what they hold in size_.
  bool probe(int step, int64_t budget) {
    const Table& table = *all_.tables[size_t(step % n_tables())];
    const int radius = step / n_tables();
    const int64_t n_keys = count_flips(table.key_bits(), radius);
    if (n_keys > (budget - spent_) / costs_.probe) return false;
    spent_ += n_keys * costs_.probe;
    query_.probes += n_keys;
    const uint64_t key = keys_[size_t(step % n_tables())];
    uint64_t keys[kKeys];
    int n = 0;
    size_ = 0;
    for_each_flip(table.key_bits(), radius, [&](uint64_t mask) {
      table.prefetch(key ^ mask);
      keys[n++] = key ^ mask;
      if (n == kKeys) {
        find(table, keys, n);
        n = 0;
      }
      return true;
    });
    find(table, keys, n);
    return true;
  }

  void find(const Table& table, const uint64_t* keys, int n) {
    for (int i = 0; i < n; ++i) {
      const Bucket bucket = table.find(keys[i]);
      if (bucket.begin == bucket.end) continue;
      __builtin_prefetch(bucket.begin);
      found_.push_back(bucket);
      size_ += bucket.end - bucket.begin;
    }
  }

  void compare(int step, size_t first, size_t last) {
    uint32_t slots[kChunk];
    int64_t n = 0, total = 0;
    const auto use = [&](const uint64_t* row) { return first_step_of(row, step) == step; };
    for (size_t i = first; i < last; ++i)
      for (const uint32_t* from = found_[i].begin; from != found_[i].end;) {
        const int64_t some = std::min<int64_t>(kChunk - n, found_[i].end - from);
        std::copy(from, from + some, slots + n);
        from += some;
        n += some;
        total += some;
        if (n == kChunk) {
          query_.compare(slots, n, use);
          n = 0;
        }
      }
    query_.compare(slots, n, use);
    spent_ += total * costs_.candidate;
    query_.candidates += total;
    query_.complete = step;
  }

  // The step that comes upon a code first, so that it is taken once.
  int first_step_of(const uint64_t* row, int first) const {
    for (int z = 0; z < n_tables(); ++z)
      first = std::min(first, ones_in(all_.tables[size_t(z)]->key_of(row) ^ keys_[size_t(z)]) * n_tables() + z);
    return first;
  }

  // Codes that no table holds yet.
  bool compare_tail() {
    const int64_t begin = all_.tables[0]->last(), end = all_.rows.count;
    spent_ = (end - begin) * costs_.row;
    if (spent_ > costs_.attempt) return false;
    query_.candidates += end - begin;
    uint32_t slots[kChunk];
    for (int64_t from = begin; from < end; from += kChunk) {
      const int64_t n = std::min(kChunk, end - from);
      for (int64_t i = 0; i < n; ++i) slots[i] = uint32_t(from + i);
      query_.compare(slots, n, [](const uint64_t*) { return true; });
    }
    return true;
  }

  Query<Keep>& query_;
  const Probing& all_;
  const Costs& costs_;
  std::vector<uint64_t> keys_;  // the query's, by table
  int n_bits_ = 0;              // of all keys
  std::vector<Bucket> found_;
  int64_t size_ = 0;
  int64_t spent_ = 0;
};

// A query that looks up the keys of one table in a given order, up to its limits.
template <class Keep>
class LookUp {
 public:
  LookUp(Query<Keep>& query, const Limits& limits)
      : query_(query), all_(query.all), limits_(limits), done_(size_t(key_bits()) + 2, 0) {
    key_ = all_.tables[0]->key_of(query.words);
  }

  void run(const double* weights) {
    if (weights) {
      ByConfidence order(weights, key_bits(), limits_.flips);
      for (uint64_t mask; order.next(mask) && look_up(mask);) {
      }
      return;
    }
    for (int flips = 0; flips <= std::min(limits_.flips, key_bits()); ++flips)
      if (!for_each_flip(key_bits(), flips, [&](uint64_t mask) { return look_up(mask); })) return;
  }

 private:
  int key_bits() const { return all_.tables[0]->key_bits(); }

  // False: enough was done, or nothing nearer can follow.
  bool look_up(uint64_t mask) {
    if (query_.probes == limits_.probes) return false;
    ++query_.probes;
    for (const Table* table : all_.tables)
      if (!compare(table->find(key_ ^ mask))) return false;
    int flips = 0;
    for (uint64_t rest = mask; rest; rest &= rest - 1) ++flips;
    ++done_[size_t(flips)];
    int& complete = query_.complete;
    while (complete < key_bits() && done_[size_t(complete + 1)] == count_flips(key_bits(), complete + 1)) ++complete;
    return !query_.finished();
  }

  // Compares the codes of a bucket that live; false: there were more than the limit leaves.
  bool compare(const Bucket& bucket) {
    uint32_t slots[kChunk];
    int64_t n = 0;
    bool within_limit = true;
    for (const uint32_t* slot = bucket.begin; slot != bucket.end; ++slot) {
      if (!all_.rows.is_live(*slot)) continue;
      if (!(within_limit = query_.candidates < limits_.candidates)) break;
      ++query_.candidates;
      slots[n++] = *slot;
      if (n == kChunk) {
        query_.compare(slots, n, [](const uint64_t*) { return true; });
        n = 0;
      }
    }
    query_.compare(slots, n, [](const uint64_t*) { return true; });
    return within_limit;
  }

  Query<Keep>& query_;
  const Probing& all_;
  const Limits& limits_;
  uint64_t key_;
  std::vector<int64_t> done_;  // keys looked up, by the number of their flipped bits
};

template <class Keep, class Run>
std::vector<std::vector<Found>> search_all(const Probing& probing, const Keep& empty, const Effort& effort,
                                           const Run& run) {
  std::vector<std::vector<Found>> lists(static_cast<size_t>(probing.n_queries));
  const int threads = int(std::clamp<int64_t>(probing.n_queries / kQueriesAThread, 1, probing.n_threads));
  parallel_for(probing.n_queries, 1, threads, [&](int, int64_t first, int64_t last) {
    for (int64_t q = first; q < last; ++q) {
      Query<Keep> query{probing, probing.queries + q * probing.rows.n_words, empty};
      const bool given_up = !run(query, q);
      if (!given_up) lists[size_t(q)] = query.keep.result();
      effort.radius[q] = given_up ? -1 : query.complete;
      effort.probes[q] = query.probes;
      effort.candidates[q] = query.candidates;
    }
  });
  return lists;
}

KeepBest best_of(const Probing& probing, int64_t k) {
  return {size_t(k), probing.rows.n_words * 64, probing.keys.ids, {}};
}

KeepWithin within_of(const Probing& probing, int radius) { return {radius, probing.keys.ids, {}}; }

void write_table(const std::vector<std::vector<Found>>& lists, int64_t k, int64_t* slots, int32_t* distances) {
  for (size_t q = 0; q < lists.size(); ++q)
    for (int64_t i = 0; i < k; ++i) {
      const bool there = i < int64_t(lists[q].size());
      slots[int64_t(q) * k + i] = there ? slot_of(lists[q][size_t(i)]) : -1;
      distances[int64_t(q) * k + i] = there ? distance_of(lists[q][size_t(i)]) : -1;
    }
}

Ranges as_ranges(const std::vector<std::vector<Found>>& lists) {
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

template <class Keep>
std::vector<std::vector<Found>> probe_all(const Probing& probing, const Keep& empty, const Costs& costs,
                                          const Effort& effort) {
  return search_all(probing, empty, effort, [&](Query<Keep>& query, int64_t) {
    return Prober<Keep>(query, costs).run();
  });
}

template <class Keep>
std::vector<std::vector<Found>> look_up_all(const Probing& probing, const Keep& empty, const double* weights,
                                            const Limits& limits, const Effort& effort) {
  return search_all(probing, empty, effort, [&](Query<Keep>& query, int64_t q) {
    const int key_bits = probing.tables[0]->key_bits();
    LookUp<Keep>(query, limits).run(weights ? weights + q * key_bits : nullptr);
    return true;
  });
}

}  // namespace

void probe_top_k(const Probing& probing, int64_t k, const Costs& costs, int64_t* slots, int32_t* distances,
                 const Effort& effort) {
  write_table(probe_all(probing, best_of(probing, k), costs, effort), k, slots, distances);
}

Ranges probe_within(const Probing& probing, int radius, const Costs& costs, const Effort& effort) {
  return as_ranges(probe_all(probing, within_of(probing, radius), costs, effort));
}

void lookup_top_k(const Probing& probing, int64_t k, const double* weights, const Limits& limits, int64_t* slots,
                  int32_t* distances, const Effort& effort) {
  write_table(look_up_all(probing, best_of(probing, k), weights, limits, effort), k, slots, distances);
}

Ranges lookup_within(const Probing& probing, int radius, const double* weights, const Limits& limits,
                     const Effort& effort) {
  return as_ranges(look_up_all(probing, within_of(probing, radius), weights, limits, effort));
}

}  // namespace hammingway
