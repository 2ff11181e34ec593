// Weights in the forms a kernel reads: look-up tables, or the planes of each bit of a magnitude.
#pragma once

#include <cstdint>
#include <vector>

#include "asymmetric_kernel.hpp"
#include "prepare.hpp"

namespace hammingway {

// A tile of queries, shared by all threads.
class PreparedWeights {
 public:
  PreparedWeights(const AsymmetricKernel& kernel, const int8_t* weights, int n_queries, int n_scored);

  int n_queries() const { return n_queries_; }
  bool tables() const { return tables_; }
  // The sum of the magnitudes of query q: the greatest distance and the greatest score.
  int32_t greatest(int q) const { return greatest_[size_t(q)]; }
  // The scan of one thread: limits, scratch and callbacks are its own.
  AsymmetricScan scan(int n_bits) const;
  void run(const AsymmetricScan& scan, const uint64_t* planes, const uint64_t* live, int64_t first, int64_t last) const;
  size_t scratch_bytes() const { return kernel_.scratch_bytes(n_scored_); }
  TableLimit table_limit(int q, int32_t limit) const;

 private:
  void tabulate(const int8_t* weights);
  void list(const int8_t* weights);

  const AsymmetricKernel& kernel_;
  int n_queries_;
  int n_scored_;
  bool tables_;
  std::vector<int32_t> greatest_;
  std::vector<uint16_t> high_runs_, low_runs_;
  std::vector<TableQuery> table_queries_;
  Aligned high_, low_;
  std::vector<uint16_t> halves_;
  std::vector<BitQuery> bit_queries_;
  std::vector<uint64_t> flips_;
  std::vector<uint16_t> counts_;
  std::vector<uint8_t> listed_;
};

}  // namespace hammingway
