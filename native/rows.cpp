// Codes between rows of bytes and planes of bits, 64 x 64 bits at a time; distances between rows.
#include <algorithm>
#include <cstring>

#include "parallel.hpp"
#include "search.hpp"

namespace hammingway {

namespace {

// Bytes of a row from byte `first` on, at most eight.
size_t bytes_at(int n_bits, int first) { return size_t(std::min(8, (n_bits + 7) / 8 - first)); }

// Rows [0, n) of packed codes into lanes [lane, lane + n) of one 64-lane word; n <= 64 - lane.
void write_word(const Kernel& kernel, uint64_t* planes, int n_bits, const uint8_t* packed, int lane, int n) {
  const size_t row = size_t(n_bits + 7) / 8;
  const uint64_t mask = (n == 64 ? ~uint64_t(0) : (uint64_t(1) << n) - 1) << lane;
  for (int done = 0; done < n_bits; done += 64) {
    alignas(64) uint64_t matrix[64] = {};
    const size_t bytes = bytes_at(n_bits, done / 8);
    for (int i = 0; i < n; ++i) memcpy(&matrix[lane + i], packed + size_t(i) * row + done / 8, bytes);
    kernel.transpose(matrix);
    for (int j = 0; j < 64 && done + j < n_bits; ++j) {
      uint64_t& word = planes[size_t(done + j) * kWords];
      word = (word & ~mask) | (matrix[j] & mask);
    }
  }
}

// The codes of all 64 lanes of one word as rows.
void read_word(const Kernel& kernel, const uint64_t* planes, int n_bits, uint8_t* packed) {
  const size_t row = size_t(n_bits + 7) / 8;
  for (int done = 0; done < n_bits; done += 64) {
    alignas(64) uint64_t matrix[64] = {};
    for (int j = 0; j < 64 && done + j < n_bits; ++j) matrix[j] = planes[size_t(done + j) * kWords];
    kernel.transpose(matrix);
    for (int i = 0; i < 64; ++i) memcpy(packed + size_t(i) * row + done / 8, &matrix[i], bytes_at(n_bits, done / 8));
  }
}

void read_lane(const uint64_t* planes, int n_bits, int lane, uint8_t* packed) {
  memset(packed, 0, size_t(n_bits + 7) / 8);
  for (int j = 0; j < n_bits; ++j) packed[j / 8] |= uint8_t((planes[size_t(j) * kWords] >> lane & 1) << (j % 8));
}

}  // namespace

void write_rows(const Kernel& kernel, uint64_t* planes, uint64_t* live, int n_bits, const uint8_t* packed, int64_t n,
                int64_t start) {
  const size_t row = size_t(n_bits + 7) / 8;
  for (int64_t i = 0; i < n;) {
    const int64_t slot = start + i, block = slot / kLanes;
    const int word = int(slot % kLanes) / 64, lane = int(slot % 64);
    const int count = int(std::min<int64_t>(64 - lane, n - i));
    uint64_t* to = planes + size_t(block) * size_t(n_bits) * kWords + word;
    write_word(kernel, to, n_bits, packed + size_t(i) * row, lane, count);
    live[block * kWords + word] |= (count == 64 ? ~uint64_t(0) : (uint64_t(1) << count) - 1) << lane;
    i += count;
  }
}

void read_rows(const Kernel& kernel, const uint64_t* planes, int n_bits, const int64_t* slots, int64_t n,
               uint8_t* packed) {
  constexpr int64_t kWorthTransposing = 4;
  const size_t row = size_t(n_bits + 7) / 8;
  std::vector<uint8_t> rows(64 * row);
  for (int64_t i = 0; i < n;) {
    const int64_t group = slots[i] / 64;
    int64_t end = i + 1;
    while (end < n && slots[end] / 64 == group) ++end;
    const uint64_t* word = planes + size_t(group / kWords) * size_t(n_bits) * kWords + group % kWords;
    const bool whole = end - i >= kWorthTransposing;
    if (whole) read_word(kernel, word, n_bits, rows.data());
    for (; i < end; ++i) {
      if (whole)
        memcpy(packed + size_t(i) * row, rows.data() + size_t(slots[i] % 64) * row, row);
      else
        read_lane(word, n_bits, int(slots[i] % 64), packed + size_t(i) * row);
    }
  }
}

void pairwise(const Kernel& kernel, const Queries& queries, const Queries& database, int n_bytes, int n_threads,
              uint16_t* distances) {
  constexpr int64_t kRows = 1024;  // of the database, kept in cache for every query
  const int64_t tiles = (database.count + kRows - 1) / kRows;
  const int64_t grain = std::max<int64_t>(1, tiles / (int64_t(n_threads) * 8));
  parallel_for(tiles, grain, int(std::clamp<int64_t>(tiles / 2, 1, n_threads)), [&](int, int64_t first, int64_t last) {
    for (int64_t tile = first; tile < last; ++tile)
      for (int64_t q = 0; q < queries.count; ++q)
        kernel.pairwise(queries.packed + size_t(q) * size_t(n_bytes),
                        database.packed + size_t(tile * kRows) * size_t(n_bytes),
                        std::min(kRows, database.count - tile * kRows), n_bytes,
                        distances + q * database.count + tile * kRows);
  });
}

}  // namespace hammingway
