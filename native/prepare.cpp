#include "prepare.hpp"

#include "plan.hpp"

namespace hammingway {

namespace {

// Below this many queries, building the tables of a block costs more than they save.
constexpr int kFewQueries = 10;

bool bit_of(const uint8_t* packed, int j) { return packed[j / 8] >> (j % 8) & 1; }

// The picks of one query in one chunk, the recursion of build_tables repeated on single bits.
void pick_chunk(const uint8_t* packed, int done, int left, int vector_bytes, uint8_t* picks) {
  const int padded = chunk_planes(left);
  uint8_t queue[2 * kChunk] = {};
  for (int j = 0; j < padded && j < left; ++j) queue[j] = bit_of(packed, done + j);
  const int last = queue[padded - 1];
  const int n_adders = padded / 2 - 1;
  for (int t = 0; t < n_adders; ++t) {
    const int a = queue[3 * t], b = queue[3 * t + 1], c = queue[3 * t + 2];
    queue[padded - 1 + t] = uint8_t(a ^ b ^ c);
    picks[t] = uint8_t((a | b << 1 | c << 2) * vector_bytes / 8);
  }
  const int sum = queue[padded - 2 + n_adders];
  picks[n_adders] = uint8_t((sum | last << 1) * vector_bytes / 4);
}

}  // namespace

void set_limit(uint64_t* words, int counter_bits, int limit) {
  const uint64_t start = (uint64_t(1) << counter_bits) - uint64_t(limit);
  for (int b = 0; b < counter_bits; ++b) words[b] = start >> b & 1 ? ~uint64_t(0) : 0;
}

Prepared::Prepared(const Kernel& kernel, int n_bits, const uint8_t* packed, int n_queries)
    : kernel_(kernel), n_bits_(n_bits), n_queries_(n_queries), tables_(n_queries >= kFewQueries) {
  if (tables_)
    pick(packed);
  else
    mask(packed);
}

void Prepared::pick(const uint8_t* packed) {
  const size_t row = size_t(n_bits_ + 7) / 8;
  picks_.resize(size_t(pick_bytes(n_bits_)) * size_t(n_queries_));
  uint8_t* to = picks_.data();
  for (int done = 0; done < n_bits_; done += chunk_planes(n_bits_ - done))
    for (int q = 0; q < n_queries_; ++q) {
      pick_chunk(packed + size_t(q) * row, done, n_bits_ - done, kernel_.vector_bytes, to);
      to += chunk_planes(n_bits_ - done) / 2;
    }
}

void Prepared::mask(const uint8_t* packed) {
  const size_t row = size_t(n_bits_ + 7) / 8;
  masks_.reserve(size_t(n_bits_) * size_t(n_queries_));
  for (int q = 0; q < n_queries_; ++q)
    for (int j = 0; j < n_bits_; ++j) masks_.push_back(bit_of(packed + size_t(q) * row, j) ? ~uint64_t(0) : 0);
}

Scan Prepared::scan(uint64_t* limits, uint8_t* scratch) const {
  Scan scan{};
  scan.n_bits = n_bits_;
  scan.n_queries = n_queries_;
  scan.counter_bits = counter_bits(n_bits_);
  scan.picks = picks_.data();
  scan.masks = masks_.data();
  scan.limits = limits;
  scan.scratch = scratch;
  return scan;
}

void Prepared::run(const Scan& scan, const uint64_t* planes, const uint64_t* live, int64_t first, int64_t last) const {
  (tables_ ? kernel_.scan_tables : kernel_.scan_xor)(scan, planes, live, first, last);
}

}  // namespace hammingway
