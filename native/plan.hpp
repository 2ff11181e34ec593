// How the planes of a code are cut into chunks, and what a query picks from a chunk's tables.
//
// A chunk of P planes (a power of two) is counted as P - 1 planes and a carry-in. The P - 1 planes
// go through P / 2 - 1 full adders of weight one; each of these has three inputs whose polarity a
// query decides, so its carry is one of eight vectors, built once a block. The sums feed further
// adders of weight one and end in a single vector. A query therefore starts at weight two, with
// P / 2 - 1 loads and no arithmetic, after less than a third of the work of counting plane by plane.
#pragma once

#include <cstdint>

namespace hammingway {

constexpr int kChunk = 256;  // planes of the widest chunk

// Planes of the chunk that starts with `left` planes to go: a power of two, padded with zeros where
// planes are missing, unless a smaller one and the rest are less work.
inline int chunk_planes(int left) {
  if (left > 224) return 256;
  if (left > 88) return 128;
  if (left > 32) return 64;
  return left > 16 ? 32 : left > 8 ? 16 : 8;
}

inline int log2_of(int power) { int bits = 0; while (power > 1) { power >>= 1; ++bits; } return bits; }

// Planes that hold every distance from 0 to n_bits and the largest sum inside one chunk.
inline int counter_bits(int n_bits) {
  int bits = log2_of(chunk_planes(n_bits)) + 1;
  while ((1 << bits) <= n_bits) ++bits;
  return bits;
}

// Bytes that the picks of one query take, all chunks together.
inline int pick_bytes(int n_bits) {
  int bytes = 0;
  for (int left = n_bits; left > 0; left -= chunk_planes(left)) bytes += chunk_planes(left) / 2;
  return bytes;
}

}  // namespace hammingway
