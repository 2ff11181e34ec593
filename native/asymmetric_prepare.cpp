#include "asymmetric_prepare.hpp"

#include <algorithm>
#include <cstdlib>
#include <cstring>

namespace hammingway {

namespace {

struct Digits {
  int high, low;
};

Digits split(int magnitude, bool two_digits) {
  if (!two_digits) return {magnitude, 0};
  const int high = (magnitude + kDigit / 2) / kDigit;
  return {high, magnitude - kDigit * high};
}

// The tables of one group of n <= 4 weights; returns what was taken off the low one to make its least entry 0.
int fill_tables(const int8_t* weights, int n, bool two_digits, uint8_t* high, uint8_t* low) {
  int low_sums[kTable], least = 0;
  for (int index = 0; index < kTable; ++index) {
    int high_sum = 0;
    low_sums[index] = 0;
    for (int i = 0; i < n; ++i) {
      const bool agrees = (index >> i & 1) == (weights[i] > 0);
      if (agrees) continue;
      const Digits digits = split(std::abs(int(weights[i])), two_digits);
      high_sum += digits.high;
      low_sums[index] += digits.low;
    }
    high[index] = uint8_t(high_sum);
    least = std::min(least, low_sums[index]);
  }
  for (int index = 0; index < kTable; ++index) low[index] = uint8_t(low_sums[index] - least);
  return least;
}

// Appends the planes of one chunk that have each bit of the magnitude, most significant bit first.
void list_chunk(const int8_t* weights, int n, std::vector<uint16_t>& counts, std::vector<uint8_t>& listed) {
  for (int level = kLevels - 1; level >= 0; --level) {
    const size_t before = listed.size();
    for (int j = 0; j < n; ++j)
      if (std::abs(int(weights[j])) >> level & 1) listed.push_back(uint8_t(j));
    counts.push_back(uint16_t(listed.size() - before));
  }
}

int bits_of(int32_t value) {
  int bits = 1;
  while (int32_t(1) << bits <= value) ++bits;
  return bits;
}

}  // namespace

PreparedWeights::PreparedWeights(const AsymmetricKernel& kernel, const int8_t* weights, int n_queries, int n_scored)
    : kernel_(kernel),
      n_queries_(n_queries),
      n_scored_(n_scored),
      tables_(kernel.scan_tables && n_queries >= kernel.few_queries) {
  for (int q = 0; q < n_queries; ++q) {
    int32_t sum = 0;
    for (int j = 0; j < n_scored; ++j) sum += std::abs(int(weights[size_t(q) * size_t(n_scored) + size_t(j)]));
    greatest_.push_back(sum);
  }
  if (tables_)
    tabulate(weights);
  else
    list(weights);
}

void PreparedWeights::tabulate(const int8_t* weights) {
  const size_t groups = size_t(groups_of(n_scored_)), bytes = groups * kTable;
  high_ = aligned_bytes(bytes * size_t(n_queries_));
  low_ = aligned_bytes(bytes * size_t(n_queries_));
  for (int q = 0; q < n_queries_; ++q, weights += n_scored_) {
    const bool two_digits =
        std::any_of(weights, weights + n_scored_, [](int8_t w) { return std::abs(int(w)) > kOneDigit; });
    uint8_t* high = high_.get() + size_t(q) * bytes;
    uint8_t* low = low_.get() + size_t(q) * bytes;
    TableQuery query{high, two_digits ? low : nullptr, 0};
    for (size_t g = 0; g < groups; ++g) {
      const int first = int(g) * kGroup;
      query.low_least += fill_tables(weights + first, std::min(kGroup, n_scored_ - first), two_digits,
                                     high + g * kTable, low + g * kTable);
    }
    table_queries_.push_back(query);
  }
}

void PreparedWeights::list(const int8_t* weights) {
  std::vector<size_t> starts;
  for (int q = 0; q < n_queries_; ++q, weights += n_scored_) {
    starts.push_back(listed_.size());
    for (int j = 0; j < n_scored_; ++j) flips_.push_back(weights[j] > 0 ? ~uint64_t(0) : 0);
    for (int done = 0; done < n_scored_; done += kBitChunk)
      list_chunk(weights + done, std::min(kBitChunk, n_scored_ - done), counts_, listed_);
  }
  for (int q = 0; q < n_queries_; ++q)
    bit_queries_.push_back({bits_of(greatest(q)), flips_.data() + size_t(q) * size_t(n_scored_),
                            counts_.data() + counts_.size() / size_t(n_queries_) * size_t(q),
                            listed_.data() + starts[size_t(q)]});
}

AsymmetricScan PreparedWeights::scan(int n_bits) const {
  AsymmetricScan scan{};
  scan.n_bits = n_bits;
  scan.n_scored = n_scored_;
  scan.n_queries = n_queries_;
  scan.tables = table_queries_.data();
  scan.bits = bit_queries_.data();
  return scan;
}

void PreparedWeights::run(const AsymmetricScan& scan, const uint64_t* planes, const uint64_t* live, int64_t first,
                          int64_t last) const {
  (tables_ ? kernel_.scan_tables : kernel_.scan_bits)(scan, planes, live, first, last);
}

TableLimit PreparedWeights::table_limit(int q, int32_t limit) const {
  const TableQuery& query = table_queries_[size_t(q)];
  const int32_t high = query.low ? (limit - query.low_least + kDigit - 1) / kDigit : limit;
  return {limit, uint16_t(std::min(high, 65535))};
}

}  // namespace hammingway
