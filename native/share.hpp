// How a scan is shared among threads.
#pragma once

#include <algorithm>
#include <cstdint>

#include "search.hpp"

namespace hammingway {

constexpr int kQueriesATile = 128;  // their counters stay in the second-level cache

// A thread is worth starting for this much work, in words of planes times queries.
constexpr int64_t kWordsAThread = 1 << 16;

inline int threads_for(const Planes& database, int64_t n_queries, int n_threads) {
  const int64_t words = database.n_blocks * database.n_bits * kWords * std::min<int64_t>(n_queries, kQueriesATile);
  return int(std::max<int64_t>(1, std::min<int64_t>(n_threads, words / kWordsAThread)));
}

// Blocks handed to a thread at a time: enough to forget the hand-over, few enough to share evenly.
inline int64_t grain_for(const Planes& database, int n_threads) {
  return std::clamp<int64_t>(database.n_blocks / (int64_t(n_threads) * 8), 1, 1024);
}

}  // namespace hammingway
