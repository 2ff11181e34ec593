// Queries in the form a kernel reads: picks into its tables, or masks to flip planes with.
#pragma once

#include <cstdint>
#include <memory>
#include <new>
#include <vector>

#include "kernel.hpp"

namespace hammingway {

struct FreeAligned {
  void operator()(uint8_t* memory) const { ::operator delete[](memory, std::align_val_t{64}); }
};
using Aligned = std::unique_ptr<uint8_t[], FreeAligned>;
inline Aligned aligned_bytes(size_t size) {
  return Aligned(static_cast<uint8_t*>(::operator new[](size, std::align_val_t{64})));
}

// A tile of queries, shared by all threads.
class Prepared {
 public:
  Prepared(const Kernel& kernel, int n_bits, const uint8_t* packed, int n_queries);

  int n_queries() const { return n_queries_; }
  // The scan of one thread: limits and scratch are its own.
  Scan scan(uint64_t* limits, uint8_t* scratch) const;
  void run(const Scan& scan, const uint64_t* planes, const uint64_t* live, int64_t first, int64_t last) const;
  size_t scratch_bytes() const { return kernel_.scratch_bytes(n_bits_, n_queries_); }

 private:
  void pick(const uint8_t* packed);
  void mask(const uint8_t* packed);

  const Kernel& kernel_;
  int n_bits_;
  int n_queries_;
  bool tables_;
  std::vector<uint8_t> picks_;
  std::vector<uint64_t> masks_;
};

// Writes the bits of 2^counter_bits - limit as words 0 and ~0; 1 <= limit <= n_bits + 1.
void set_limit(uint64_t* words, int counter_bits, int limit);

}  // namespace hammingway
