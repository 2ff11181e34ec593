// Reading distances out of vertical sums: lane by lane where few are wanted, all at once where many.
#pragma once

#include <cstdint>

#include "kernel.hpp"

namespace hammingway {

// Calls found(lane, distance) for every lane of the hit, in increasing order.
template <class Use>
void for_each_lane(const Hit& hit, int counter_bits, int limit, const Use& found);

// distances[lane] of all lanes of a hit.
void all_distances(const Hit& hit, int counter_bits, int limit, int32_t* distances);

// Written out: this file is compiled for the oldest processors, whose popcount is a library call.
inline int ones_in(uint64_t x) {
  x = x - (x >> 1 & 0x5555555555555555u);
  x = (x & 0x3333333333333333u) + (x >> 2 & 0x3333333333333333u);
  x = (x + (x >> 4)) & 0x0f0f0f0f0f0f0f0fu;
  return int(x * 0x0101010101010101u >> 56);
}

inline int lanes_in(const Hit& hit) {
  int lanes = 0;
  for (int w = 0; w < hit.words; ++w) lanes += ones_in(hit.lanes[w]);
  return lanes;
}

template <class Use>
void for_each_lane(const Hit& hit, int counter_bits, int limit, const Use& found) {
  constexpr int kMany = 128;  // where reading all lanes becomes cheaper
  const int offset = limit - (1 << counter_bits);
  alignas(64) int32_t distances[kLanes];
  const bool many = lanes_in(hit) >= kMany;
  if (many) all_distances(hit, counter_bits, limit, distances);
  for (int w = 0; w < hit.words; ++w)
    for (uint64_t rest = hit.lanes[w]; rest; rest &= rest - 1) {
      const int bit = __builtin_ctzll(rest);
      if (many) {
        found(w * 64 + bit, int(distances[w * 64 + bit]));
        continue;
      }
      int total = 0;
      for (int b = 0; b < counter_bits; ++b) total |= int(hit.totals[b * hit.words + w] >> bit & 1) << b;
      found(w * 64 + bit, total + offset);
    }
}

}  // namespace hammingway
