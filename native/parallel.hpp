// A parallel loop of our own: no second OpenMP runtime beside the ones that faiss and torch bring.
#pragma once

#include <atomic>
#include <cstdint>
#include <exception>
#include <mutex>
#include <system_error>
#include <thread>
#include <vector>

namespace hammingway {

// Calls work(worker, first, last) until [0, count) is covered, `grain` items at a time, on up to
// n_threads threads (the caller's among them). A worker gets its pieces in increasing order.
// The first exception is thrown again here, after every thread has ended.
template <class Work>
void parallel_for(int64_t count, int64_t grain, int n_threads, const Work& work) {
  std::atomic<int64_t> next{0};
  std::exception_ptr failure;
  std::mutex failure_lock;
  const auto run = [&](int worker) {
    try {
      for (int64_t first; (first = next.fetch_add(grain)) < count;)
        work(worker, first, first + grain < count ? first + grain : count);
    } catch (...) {
      const std::lock_guard<std::mutex> guard(failure_lock);
      if (!failure) failure = std::current_exception();
      next.store(count);
    }
  };
  std::vector<std::thread> threads;
  threads.reserve(size_t(n_threads));
  for (int worker = 1; worker < n_threads; ++worker) {
    try {
      threads.emplace_back(run, worker);
    } catch (const std::system_error&) {
      break;  // the system grants no more threads; those there are do the work, with the same result
    }
  }
  run(0);
  for (std::thread& thread : threads) thread.join();
  if (failure) std::rethrow_exception(failure);
}

}  // namespace hammingway
