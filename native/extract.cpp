#include "extract.hpp"

#include <array>
#include <cstring>

namespace hammingway {

namespace {

// spread[x]: bit i of x as byte i of a word.
constexpr std::array<uint64_t, 256> make_spread() {
  std::array<uint64_t, 256> table{};
  for (int x = 0; x < 256; ++x)
    for (int i = 0; i < 8; ++i) table[size_t(x)] |= uint64_t(x >> i & 1) << (8 * i);
  return table;
}
constexpr std::array<uint64_t, 256> kSpread = make_spread();

// Sums of eight lanes from up to eight planes, one byte a lane.
uint64_t eight_lanes(const uint64_t* totals, int words, int first, int last, int w, int shift) {
  uint64_t sums = 0;
  for (int b = first; b < last; ++b) sums |= kSpread[size_t(totals[b * words + w] >> shift & 255)] << (b - first);
  return sums;
}

}  // namespace

void all_distances(const Hit& hit, int counter_bits, int limit, int32_t* distances) {
  const int offset = limit - (1 << counter_bits);
  for (int w = 0; w < hit.words; ++w)
    for (int shift = 0; shift < 64; shift += 8, distances += 8) {
      for (int i = 0; i < 8; ++i) distances[i] = offset;
      for (int b = 0; b < counter_bits; b += 8) {
        const int last = counter_bits < b + 8 ? counter_bits : b + 8;
        const uint64_t sums = eight_lanes(hit.totals, hit.words, b, last, w, shift);
        for (int i = 0; i < 8; ++i) distances[i] += int(sums >> (8 * i) & 255) << b;
      }
    }
}

}  // namespace hammingway
