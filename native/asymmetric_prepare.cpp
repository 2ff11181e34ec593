#include "asymmetric_prepare.hpp"

#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <cstring>
#include <numeric>

namespace hammingway {

namespace {

// The partial distances of one group of n weights for all indices of n_bits bits.
void fill_table(const int8_t* weights, int n, int n_bits, uint16_t* full) {
  int clear = 0;  // of the code whose bits are all clear
  for (int i = 0; i < n; ++i) clear += std::max<int>(0, weights[i]);
  full[0] = uint16_t(clear);
  for (int i = 0; i < n_bits; ++i)
    for (int index = 0, weight = i < n ? weights[i] : 0; index < 1 << i; ++index)
      full[index | 1 << i] = uint16_t(full[index] - weight);
}

// The same for every group.
void fill_tables(const int8_t* weights, int n, int n_bits, uint16_t* full) {
  for (int first = 0; first < n; first += n_bits, full += size_t(1) << n_bits)
    fill_table(weights + first, std::min(n_bits, n - first), n_bits, full);
}

// The digit that makes the scan cheap. The high sums of lanes fall short by low / digit, half a digit
// a group on average; once that is more than a part of the distances' deviation, too many lanes pass.
// Within that bound, cheapest first: no sum can pass 255; sums near the best codes (three deviations
// under the mean) do not, and others saturate; the coarsest digit of use, whose sums take 16 bits.
int digit_of(const int8_t* weights, int n, int n_groups, int greatest_entry) {
  constexpr double kSlack = 0.5, kRun = 6;  // measured: benchmarks/asymmetric.py
  constexpr int kByte = 255, kNearInByte = 240;
  constexpr int kShort = 65534;  // a limit that lets the greatest sum pass is one more, and takes 16 bits too
  double sum = 0, squares = 0;
  for (int j = 0; j < n; ++j) {
    sum += std::abs(int(weights[j]));
    squares += weights[j] * weights[j];
  }
  const double deviation = std::sqrt(squares) / 2, near = sum / 2 - 3 * deviation;
  const int finest = std::max({1, (greatest_entry + kByte - 1) / kByte, int(std::ceil(sum / kShort))});
  const int coarsest = 1 + int(kSlack * deviation * 2 / n_groups);
  const int never_over = int(std::ceil(sum / kByte)), rarely_over = int(std::ceil(near / kNearInByte));
  if (never_over <= coarsest) return std::max(finest, never_over);
  if (rarely_over <= coarsest) return std::max(finest, rarely_over);
  return std::max(finest, std::min(coarsest, int(std::ceil(kRun * sum / n_groups / kByte))));
}

// Splits the entries of a query into digits; a division by multiplication, exact as entries are under
// 2^10 and digits under 2^10.
void split(const uint16_t* full, size_t n, int digit, uint8_t* high, uint8_t* low) {
  constexpr int kShift = 20;
  const uint32_t reciprocal = ((uint32_t(1) << kShift) + uint32_t(digit) - 1) / uint32_t(digit);
  for (size_t i = 0; i < n; ++i) {
    const uint32_t quotient = full[i] * reciprocal >> kShift;
    high[i] = uint8_t(quotient);
    low[i] = uint8_t(full[i] - quotient * uint32_t(digit));
  }
}

// The longest runs of groups over which no query's greatest entries (query, group) pass 255.
std::vector<uint16_t> runs_of(const std::vector<uint8_t>& greatest, size_t n_groups) {
  std::vector<uint16_t> stops;
  std::vector<int> sums(greatest.size() / n_groups);
  for (size_t g = 0; g < n_groups; ++g) {
    bool over = false;
    for (size_t q = 0; q < sums.size(); ++q) over |= (sums[q] += greatest[q * n_groups + g]) > 255;
    if (!over) continue;
    stops.push_back(uint16_t(g));
    for (size_t q = 0; q < sums.size(); ++q) sums[q] = greatest[q * n_groups + g];
  }
  stops.push_back(uint16_t(n_groups));
  return stops;
}

// Written as a loop that compilers turn into vector instructions, unlike std::max_element.
template <class Entry>
Entry greatest_of(const Entry* entries, size_t n) {
  Entry greatest = 0;
  for (size_t i = 0; i < n; ++i) greatest = entries[i] > greatest ? entries[i] : greatest;
  return greatest;
}

// Appends the greatest entry of each group.
void append_greatest(const uint8_t* entries, size_t n_groups, size_t table, std::vector<uint8_t>& greatest) {
  for (size_t g = 0; g < n_groups; ++g, entries += table)
    greatest.push_back(greatest_of(entries, table));
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
      tables_(kernel.group_bits > 0) {
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
  const int group = kernel_.group_bits, half = group / 2;
  const size_t table = size_t(1) << group, n_groups = size_t((n_scored_ + group - 1) / group);
  const size_t entries = n_groups * table, half_entries = n_groups * 2 << half;
  high_ = aligned_bytes(entries * size_t(n_queries_));
  low_ = aligned_bytes(entries * size_t(n_queries_));
  halves_.resize(half_entries * size_t(n_queries_));
  std::vector<uint16_t> full(entries);
  std::vector<uint8_t> greatest_high, greatest_low;
  for (int q = 0; q < n_queries_; ++q, weights += n_scored_) {
    const size_t start = size_t(q) * entries;
    uint16_t* halves = halves_.data() + size_t(q) * half_entries;
    fill_tables(weights, n_scored_, group, full.data());
    fill_tables(weights, n_scored_, half, halves);
    const int digit = digit_of(weights, n_scored_, int(n_groups), greatest_of(full.data(), entries));
    split(full.data(), entries, digit, high_.get() + start, low_.get() + start);
    append_greatest(high_.get() + start, n_groups, table, greatest_high);
    append_greatest(low_.get() + start, n_groups, table, greatest_low);
    const int32_t most = std::accumulate(greatest_high.end() - int64_t(n_groups), greatest_high.end(), 0);
    table_queries_.push_back(
        {high_.get() + start, digit > 1 ? low_.get() + start : nullptr, halves, digit, most});
  }
  high_runs_ = runs_of(greatest_high, n_groups);
  low_runs_ = runs_of(greatest_low, n_groups);
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
  scan.high_runs = {int(high_runs_.size()), high_runs_.data()};
  scan.low_runs = {int(low_runs_.size()), low_runs_.data()};
  scan.bits = bit_queries_.data();
  return scan;
}

void PreparedWeights::run(const AsymmetricScan& scan, const uint64_t* planes, const uint64_t* live, int64_t first,
                          int64_t last) const {
  kernel_.scan(scan, planes, live, first, last);
}

TableLimit PreparedWeights::table_limit(int q, int32_t limit) const {
  const int32_t digit = table_queries_[size_t(q)].digit;
  return {limit, uint16_t(std::min((limit + digit - 1) / digit, 65535))};
}

}  // namespace hammingway
