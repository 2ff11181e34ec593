// The order in which a batch of queries visits cells: every query's best cell first, so that the rest are
// scanned under a limit that is nearly the final one, and queries of one cell together.
#pragma once

#include <algorithm>
#include <cstdint>
#include <vector>

#include "cells.hpp"
#include "parallel.hpp"
#include "share.hpp"

namespace hammingway {

// Some queries of a batch, named by their places in Plan::askers, that scan one cell together.
struct Visit {
  int64_t cell;
  size_t first;
  int count;
};

class Plan {
 public:
  // Of queries [first, first + count).
  Plan(const Visits& visits, int64_t first, int64_t count) {
    add(visits, first, count, 0, std::min<int64_t>(1, visits.n_probe));
    n_first_ = list_.size();
    add(visits, first, count, 1, visits.n_probe);
  }

  const int* askers(const Visit& visit) const { return askers_.data() + visit.first; }

  // Calls work(worker, visit) for all visits, the first ones before the others.
  template <class Work>
  void run(int n_threads, const Work& work) const {
    const int64_t n_first = int64_t(n_first_), n_all = int64_t(list_.size());
    const auto part = [&](int64_t begin, int64_t end) {
      parallel_for(end - begin, 1, int(std::clamp<int64_t>(end - begin, 1, n_threads)),
                   [&](int w, int64_t from, int64_t to) {
                     for (int64_t i = from; i < to; ++i) work(w, list_[size_t(begin + i)]);
                   });
    };
    part(0, n_first);
    part(n_first, n_all);
  }

 private:
  void add(const Visits& visits, int64_t first, int64_t count, int64_t from_rank, int64_t to_rank) {
    std::vector<std::pair<int64_t, int>> pairs;
    for (int64_t q = 0; q < count; ++q)
      for (int64_t rank = from_rank; rank < to_rank; ++rank) {
        const int64_t cell = visits.cells[(first + q) * visits.n_probe + rank];
        if (cell < 0) break;
        pairs.emplace_back(cell, int(q));
      }
    std::sort(pairs.begin(), pairs.end());
    for (const auto& [cell, query] : pairs) {
      const bool same = list_.size() > n_first_ && list_.back().cell == cell && list_.back().count < kQueriesATile;
      if (!same) list_.push_back({cell, askers_.size(), 0});
      ++list_.back().count;
      askers_.push_back(query);
    }
  }

  size_t n_first_ = 0;
  std::vector<int> askers_;
  std::vector<Visit> list_;
};

// Calls scan(first block, last block) for each run of blocks of a cell that lie side by side.
template <class Scanning>
void for_each_run(const Cells& cells, int64_t cell, const Scanning& scan) {
  for (int64_t i = cells.offsets[cell]; i < cells.offsets[cell + 1];) {
    const int64_t first = cells.blocks[i];
    int64_t last = first;
    while (i < cells.offsets[cell + 1] && cells.blocks[i] == last) ++i, ++last;
    scan(first, last);
  }
}

}  // namespace hammingway
