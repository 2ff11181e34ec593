// Random codes in every form the kernels read, and what is true of them by counting bit after bit.
#pragma once

#include <algorithm>
#include <cstdint>
#include <random>
#include <utility>
#include <vector>

#include "biased.hpp"
#include "search.hpp"
#include "tables.hpp"

namespace check {

using Random = std::mt19937_64;
using Bits = std::vector<std::vector<uint8_t>>;  // (n, n_bits) of 0 and 1

inline int64_t below(Random& random, int64_t end) { return int64_t(random() % uint64_t(end)); }

template <class T>
T one_of(Random& random, std::initializer_list<T> choices) {
  return choices.begin()[below(random, int64_t(choices.size()))];
}

// An array that ends where its memory does, and starts at an address that no vector register is aligned to.
template <class T>
struct Exact {
  std::vector<T> memory;
  explicit Exact(size_t n = 0) : memory(n + 1) {}
  T* data() { return memory.data() + 1; }
  const T* data() const { return memory.data() + 1; }
  size_t size() const { return memory.size() - 1; }
  T& operator[](size_t i) { return memory[i + 1]; }
  const T& operator[](size_t i) const { return memory[i + 1]; }
};

struct Codes {
  int n_bits = 0;
  Bits bits;
  Exact<uint8_t> packed;    // (n, ceil(n_bits / 8))
  Exact<uint64_t> words;    // (n, ceil(n_bits / 64))

  int64_t size() const { return int64_t(bits.size()); }
  int n_words() const { return (n_bits + 63) / 64; }
  hammingway::Queries queries() const { return {packed.data(), size()}; }
};

// Uniform codes; or, near > 0, copies of one code with up to near - 1 changed bits: ties everywhere.
Codes random_codes(Random& random, int64_t n, int n_bits, int near, const std::vector<uint8_t>& centre);

// A database on planes; some slots are dead, and equal distances are ordered by ids or by slots.
struct Database {
  Codes codes;
  Exact<uint64_t> planes;
  Exact<uint64_t> live;
  std::vector<bool> is_live;
  Exact<int64_t> ids;  // of all slots of the blocks; empty: the slots themselves

  int64_t n_blocks() const { return int64_t(live.size()) / hammingway::kWords; }
  hammingway::Planes on_planes() const { return {planes.data(), live.data(), n_blocks(), codes.n_bits}; }
  hammingway::Keys keys() const {
    return ids.size() ? hammingway::Keys{ids.data(), int64_t(ids.size())} : hammingway::Keys{};
  }
  hammingway::Rows rows() const { return {codes.words.data(), live.data(), codes.size(), codes.n_words()}; }
  int64_t key(int64_t slot) const { return ids.size() ? ids[size_t(slot)] : slot; }
};

// Written through `kernel` in pieces of any length.
Database random_database(Random& random, const hammingway::Kernel& kernel, int64_t n, int n_bits);

struct Near {
  int64_t distance, key, slot;
  bool operator<(const Near& other) const {
    return distance != other.distance ? distance < other.distance : key < other.key;
  }
};

// Every live code with its distance from one query, sorted by (distance, key).
std::vector<Near> ranking(const Database& database, const std::vector<uint8_t>& query);
// The same by the negative inner product of weights and codes read as -1 and +1.
std::vector<Near> ranking(const Database& database, const int8_t* weights, int n_scored);

// Whether a table of k places holds the best of a ranking and then what stands for nothing.
template <class Value>
bool is_best(const std::vector<Near>& truth, int64_t k, const int64_t* slots, const int32_t* found, int32_t nothing,
             const Value& value_of) {
  for (int64_t i = 0; i < k; ++i) {
    const bool there = i < int64_t(truth.size());
    if (slots[i] != (there ? truth[size_t(i)].slot : -1)) return false;
    if (found[i] != (there ? value_of(truth[size_t(i)].distance) : nothing)) return false;
  }
  return true;
}

// A float a code, and what a query's score of 1 is worth beside it.
struct Added {
  Exact<double> units;
  Exact<float> of_slot, of_block;  // NaN where no code lives, so that reading it would show
  hammingway::Biases biases() const { return {of_slot.data(), of_block.data()}; }
};

Added random_biases(Random& random, const Database& database, size_t n_queries);

// Whether a table of k places holds the best by score * units[q] + bias of a ranking by negative score, sorted by
// (-value, key), and then what stands for nothing.
bool is_best_biased(const std::vector<Near>& by_score, const Added& added, size_t q, int64_t k, const int64_t* slots,
                    const double* values);

// Whether the part of query q in `ranges` is what a ranking holds up to a radius.
bool is_range(const hammingway::Ranges& ranges, size_t q, const std::vector<Near>& truth, int radius);

}  // namespace check
