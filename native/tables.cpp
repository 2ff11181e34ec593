#include "tables.hpp"

#include <algorithm>
#include <stdexcept>

namespace hammingway {

namespace {

constexpr int kSpareBits = 3;  // a directory of up to eight places a code beats hashing

int bits_for(int64_t count) {
  int bits = 1;
  while ((int64_t(1) << bits) < count) ++bits;
  return bits;
}

}  // namespace

Table::Table(const Rows& rows, const std::vector<int>& bits, int64_t first, int64_t last)
    : key_bits_(int(bits.size())), last_(last) {
  if (bits.empty() || bits.size() > 64 || first < 0 || first > last || last > rows.count || last > UINT32_MAX)
    throw std::invalid_argument("a table takes 1 to 64 key bits and slots of the rows, up to 2^32 - 1");
  for (const int bit : bits)
    if (bit < 0 || bit >= rows.n_words * 64) throw std::invalid_argument("a key bit lies outside the rows");
  split_into_runs(bits);
  const size_t count = size_t(last - first);
  const int most = bits_for(last - first);
  direct_ = key_bits_ <= most + kSpareBits;
  place_bits_ = direct_ ? key_bits_ : most;
  std::vector<uint64_t> keys(count);
  for (size_t i = 0; i < count; ++i) keys[i] = key_of(rows.row(first + int64_t(i)));

  offsets_.assign((size_t(1) << place_bits_) + 1, 0);
  for (const uint64_t key : keys) ++offsets_[place_of(key) + 1];
  for (size_t place = 1; place < offsets_.size(); ++place) offsets_[place] += offsets_[place - 1];
  slots_.resize(count);
  std::vector<uint32_t> next(offsets_.begin(), offsets_.end() - 1);
  for (size_t i = 0; i < count; ++i) slots_[next[place_of(keys[i])]++] = uint32_t(size_t(first) + i);
  if (!direct_) {
    keys_.resize(count);
    for (size_t i = 0; i < count; ++i) keys_[i] = keys[slots_[i] - size_t(first)];
    order_by_key();
  }
}

int64_t Table::size_bytes() const {
  return int64_t(offsets_.size() * sizeof(uint32_t) + slots_.size() * sizeof(uint32_t) +
                 keys_.size() * sizeof(uint64_t));
}

void Table::split_into_runs(const std::vector<int>& bits) {
  for (size_t i = 0; i < bits.size();) {
    size_t end = i + 1;
    while (end < bits.size() && bits[end] == bits[end - 1] + 1 && bits[end] % 64) ++end;
    const uint64_t mask = end - i == 64 ? ~uint64_t(0) : (uint64_t(1) << (end - i)) - 1;
    runs_.push_back({bits[i] / 64, bits[i] % 64, int(i), mask});
    i = end;
  }
}

// Inside a place, slots came in ascending order: a stable sort by key leaves them so.
void Table::order_by_key() {
  std::vector<std::pair<uint64_t, uint32_t>> entries;
  for (size_t place = 0; place + 1 < offsets_.size(); ++place) {
    const size_t begin = offsets_[place], end = offsets_[place + 1];
    if (end - begin < 2) continue;
    entries.clear();
    for (size_t i = begin; i < end; ++i) entries.emplace_back(keys_[i], slots_[i]);
    std::sort(entries.begin(), entries.end());
    for (size_t i = begin; i < end; ++i) {
      keys_[i] = entries[i - begin].first;
      slots_[i] = entries[i - begin].second;
    }
  }
}

void Table::narrow(uint64_t key, Bucket& bucket) const {
  const uint64_t* keys = keys_.data();
  const auto range = std::equal_range(keys + (bucket.begin - slots_.data()), keys + (bucket.end - slots_.data()), key);
  bucket = {slots_.data() + (range.first - keys), slots_.data() + (range.second - keys)};
}

}  // namespace hammingway
