// The k best of one query by score * unit + bias. To be compiled without contraction: a fused product and sum
// would round once where the oracle rounds twice.
#pragma once

#include <algorithm>
#include <cstdint>
#include <vector>

#include "biased.hpp"

namespace hammingway {

struct Valued {
  double value;
  int64_t slot;
};

struct Better {
  const int64_t* ids;
  bool operator()(const Valued& a, const Valued& b) const {
    if (a.value != b.value) return a.value > b.value;
    if (ids && ids[a.slot] != ids[b.slot]) return ids[a.slot] < ids[b.slot];
    return a.slot < b.slot;
  }
};

// The k best of one query; the list grows by a share of k and is then cut back to k.
class BiasedKeep {
 public:
  static constexpr bool kLimitABlock = true;

  BiasedKeep(int64_t k, const int64_t* ids, const Biases& biases, double unit, int32_t greatest)
      : k_(size_t(k)), cut_at_(size_t(k)), better_{ids}, biases_(biases), unit_(unit), greatest_(greatest) {}

  // The value falls with the distance and rises with the bias, and so do its roundings: what the
  // greatest bias of the block cannot bring up to the worst value kept, no other bias can.
  int32_t limit(int32_t greatest, int64_t block, int64_t) const {
    if (!full_ || !(unit_ > 0)) return greatest + 1;
    const double bias = double(biases_.of_block[block]);
    const double most = (greatest - (worst_.value - bias) / unit_) / 2 + 2;
    int32_t low = 0, high = greatest + 1;  // the first distance of no use lies from low to high
    if (most < greatest) {
      const int32_t guess = most > 0 ? int32_t(most) : 0;
      if (!useful(guess, bias)) return std::max(1, guess);
      low = guess + 1;  // the estimate drowned in rounding: biases that are huge beside the unit
    } else if (useful(greatest, bias)) {
      return greatest + 1;
    }
    while (low < high) {
      const int32_t middle = low + (high - low) / 2;
      if (useful(middle, bias))
        low = middle + 1;
      else
        high = middle;
    }
    return std::max(1, low);
  }

  const std::vector<Valued>& list() const { return list_; }

  void offer(int32_t distance, int64_t slot) {
    const Valued candidate{value_of(distance, double(biases_.of_slot[slot])), slot};
    if (full_ && !better_(candidate, worst_)) return;
    list_.push_back(candidate);
    if (list_.size() >= cut_at_) cut();
  }

 private:
  double value_of(int32_t distance, double bias) const {
    const double score = double(greatest_ - 2 * distance) * unit_;
    return score + bias;
  }
  bool useful(int32_t distance, double bias) const { return value_of(distance, bias) >= worst_.value; }

  void cut() {
    const auto last = list_.begin() + int64_t(k_ - 1);
    std::nth_element(list_.begin(), last, list_.end(), better_);
    worst_ = *last;
    full_ = true;
    list_.resize(k_);
    cut_at_ = k_ + std::max<size_t>(1, k_ / 8);
  }

  size_t k_, cut_at_;
  Better better_;
  Biases biases_;
  double unit_;
  int32_t greatest_;
  bool full_ = false;
  Valued worst_{0, 0};
  std::vector<Valued> list_;
};

// One a query of [start, start + n).
inline std::vector<BiasedKeep> biased_keeps(const Weights& weights, const double* units, const Biases& biases, int64_t k,
                                            const int64_t* ids, int64_t start, int64_t n) {
  std::vector<BiasedKeep> keeps;
  for (int64_t q = start; q < start + n; ++q) {
    const int8_t* values = weights.values + q * weights.n_scored;
    int32_t greatest = 0;
    for (int j = 0; j < weights.n_scored; ++j) greatest += values[j] < 0 ? -values[j] : values[j];
    keeps.emplace_back(k, ids, biases, units[q], greatest);
  }
  return keeps;
}

// Sorts the k best of `all` to its front and writes them.
inline void write_best(std::vector<Valued>& all, int64_t k, const int64_t* ids, int64_t* slots, double* values) {
  const size_t n = std::min(all.size(), size_t(k));
  std::partial_sort(all.begin(), all.begin() + int64_t(n), all.end(), Better{ids});
  for (size_t i = 0; i < n; ++i) {
    slots[i] = all[i].slot;
    values[i] = all[i].value;
  }
}

}  // namespace hammingway
