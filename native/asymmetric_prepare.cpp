#include "asymmetric_prepare.hpp"

#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <cstring>

namespace hammingway {

namespace {

// The partial distances of one group of n <= 4 weights.
void fill_table(const int8_t* weights, int n, uint16_t* full) {
  for (int index = 0; index < kTable; ++index) {
    int sum = 0;
    for (int i = 0; i < n; ++i)
      if ((index >> i & 1) != (weights[i] > 0)) sum += std::abs(int(weights[i]));
    full[index] = uint16_t(sum);
  }
}

// The digit that makes the scan cheap. The high sums of lanes fall short by low / digit, half a digit
// a group on average; once that is more than a part of the distances' deviation, too many lanes pass.
// Within that bound, cheapest first: no sum can pass 255; sums near the best codes (three deviations
// under the mean) do not, and others saturate; the coarsest digit, whose sums take 16 bits.
int digit_of(const int8_t* weights, int n, int greatest_entry) {
  constexpr double kSlack = 0.7;
  constexpr int kByte = 255, kShort = 65535, kNearInByte = 240, kChunk = 9;
  double sum = 0, squares = 0;
  for (int j = 0; j < n; ++j) {
    sum += std::abs(int(weights[j]));
    squares += weights[j] * weights[j];
  }
  const double deviation = std::sqrt(squares) / 2, near = sum / 2 - 3 * deviation;
  const int finest = std::max({1, (greatest_entry + kByte - 1) / kByte, int(std::ceil(sum / kShort))});
  const int coarsest = 1 + int(kSlack * deviation * 2 / groups_of(n));
  const int never_over = int(std::ceil(sum / kByte)), rarely_over = int(std::ceil(near / kNearInByte));
  if (never_over <= coarsest) return std::max(finest, never_over);
  if (rarely_over <= coarsest) return std::max(finest, rarely_over);
  return std::max(finest, std::min(coarsest, (kChunk * greatest_entry + kByte - 1) / kByte));
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
  const size_t entries = size_t(groups_of(n_scored_)) * kTable;
  high_ = aligned_bytes(entries * size_t(n_queries_));
  low_ = aligned_bytes(entries * size_t(n_queries_));
  full_.resize(entries * size_t(n_queries_));
  for (int q = 0; q < n_queries_; ++q, weights += n_scored_) {
    const size_t start = size_t(q) * entries;
    uint16_t* full = full_.data() + start;
    for (int first = 0; first < n_scored_; first += kGroup)
      fill_table(weights + first, std::min(kGroup, n_scored_ - first), full + first / kGroup * kTable);
    const int greatest = *std::max_element(full, full + entries);
    const int digit = digit_of(weights, n_scored_, greatest);
    for (size_t i = 0; i < entries; ++i) {
      high_[start + i] = uint8_t(full[i] / digit);
      low_[start + i] = uint8_t(full[i] % digit);
    }
    high_chunk_ = std::min(high_chunk_, 255 / std::max(1, greatest / digit));
    low_chunk_ = std::min(low_chunk_, 255 / std::max(1, digit - 1));
    table_queries_.push_back(
        {high_.get() + start, digit > 1 ? low_.get() + start : nullptr, full, digit, greatest_[size_t(q)] / digit});
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
  scan.high_chunk = high_chunk_;
  scan.low_chunk = low_chunk_;
  scan.bits = bit_queries_.data();
  return scan;
}

void PreparedWeights::run(const AsymmetricScan& scan, const uint64_t* planes, const uint64_t* live, int64_t first,
                          int64_t last) const {
  (tables_ ? kernel_.scan_tables : kernel_.scan_bits)(scan, planes, live, first, last);
}

TableLimit PreparedWeights::table_limit(int q, int32_t limit) const {
  const int32_t digit = table_queries_[size_t(q)].digit;
  return {limit, uint16_t(std::min((limit + digit - 1) / digit, 65535))};
}

}  // namespace hammingway
