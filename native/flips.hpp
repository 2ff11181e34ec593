// Which bits of a key to flip, and in what order: by number, or by the sum of their weights.
#pragma once

#include <algorithm>
#include <cstdint>
#include <limits>
#include <numeric>
#include <queue>
#include <vector>

namespace hammingway {

// Sets of `chosen` out of `n` bits, or the largest int64 where they are more.
inline int64_t count_flips(int n, int chosen) {
  if (chosen < 0 || chosen > n) return 0;
  __extension__ typedef unsigned __int128 Wide;
  Wide count = 1;
  for (int i = 1; i <= chosen; ++i) {
    count = count * Wide(n - chosen + i) / Wide(i);
    if (count > Wide(std::numeric_limits<int64_t>::max())) return std::numeric_limits<int64_t>::max();
  }
  return int64_t(count);
}

// Calls use(mask) for all masks of `chosen` of the lowest n <= 64 bits, ascending, while it returns true.
template <class Use>
bool for_each_flip(int n, int chosen, const Use& use) {
  if (chosen > n) return true;
  if (chosen == 0) return use(uint64_t(0));
  uint64_t mask = ~uint64_t(0) >> (64 - chosen);
  const uint64_t last = mask << (n - chosen);
  for (;;) {
    if (!use(mask)) return false;
    if (mask == last) return true;
    const uint64_t lowest = mask & (~mask + 1), carried = mask + lowest;  // Gosper's next larger set
    mask = carried | (mask ^ carried) >> __builtin_ctzll(mask) >> 2;
  }
}

// Masks in increasing order of the flipped bits' weight (Lv et al. 2007, section 4.4): each set of the
// sorted weights is followed by the one with its last element moved up and the one with one more.
// Sums are added up from the smallest weight on, so rounding never puts a set before a part of it.
class ByConfidence {
 public:
  ByConfidence(const double* weights, int n, int max_flips) : weights_(size_t(n)), max_flips_(max_flips) {
    order_.resize(size_t(n));
    std::iota(order_.begin(), order_.end(), 0);
    std::stable_sort(order_.begin(), order_.end(), [&](int a, int b) { return weights[a] < weights[b]; });
    for (int i = 0; i < n; ++i) weights_[size_t(i)] = weights[order_[size_t(i)]];
    heap_.push({0.0, 0});
  }

  // The next mask; false after the last.
  bool next(uint64_t& mask) {
    if (heap_.empty()) return false;
    const uint64_t places = heap_.top().places;
    heap_.pop();
    mask = 0;
    for (uint64_t rest = places; rest; rest &= rest - 1) mask |= uint64_t(1) << order_[size_t(__builtin_ctzll(rest))];
    const int last = places ? 63 - __builtin_clzll(places) : -1;
    if (last + 1 < int(order_.size())) {
      const uint64_t up = uint64_t(1) << (last + 1);
      push(places | up);
      if (places) push((places ^ up >> 1) | up);
    }
    return true;
  }

 private:
  struct Set {
    double weight;
    uint64_t places;
    bool operator<(const Set& other) const {  // the heap gives the greatest first
      return weight != other.weight ? weight > other.weight : places > other.places;
    }
  };

  void push(uint64_t places) {
    double weight = 0;
    int flips = 0;
    for (uint64_t rest = places; rest; rest &= rest - 1, ++flips) weight += weights_[size_t(__builtin_ctzll(rest))];
    if (flips <= max_flips_) heap_.push({weight, places});
  }

  std::vector<double> weights_;  // ascending
  std::vector<int> order_;
  int max_flips_;
  std::priority_queue<Set> heap_;
};

}  // namespace hammingway
