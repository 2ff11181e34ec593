// The k best of one query by a distance too great to count in a histogram.
#pragma once

#include <algorithm>
#include <cstdint>
#include <vector>

#include "collect.hpp"

namespace hammingway {

// The list grows by a share of k and is then cut back to k, which gives the next limit.
class Nearest {
 public:
  Nearest(int64_t k, const int64_t* ids) : k_(k), ids_(ids), cut_at_(size_t(k)) {}

  // Distances at or above this one are of no use; at least 1, as the kernels need. Slots come in
  // increasing order up to `unordered`, so that an equal distance is of use only from there on.
  int32_t limit(int32_t greatest, int64_t unordered = 0) const {
    if (!full_) return greatest + 1;
    return std::max(1, distance_of(worst_) + (ids_ || slot_of(worst_) >= unordered));
  }
  const std::vector<Found>& list() const { return list_; }

  void offer(int32_t distance, int64_t slot) {
    const Found candidate = found(distance, slot);
    if (full_ && !less(candidate, worst_)) return;
    list_.push_back(candidate);
    if (list_.size() >= cut_at_) cut();
  }

 private:
  bool less(Found a, Found b) const { return ids_ ? ByKey{ids_}(a, b) : a < b; }

  void cut() {
    const auto last = list_.begin() + (k_ - 1);
    if (ids_)
      std::nth_element(list_.begin(), last, list_.end(), ByKey{ids_});
    else
      std::nth_element(list_.begin(), last, list_.end());
    worst_ = *last;
    full_ = true;
    list_.resize(size_t(k_));
    cut_at_ = size_t(k_ + std::max<int64_t>(1, k_ / 8));
  }

  int64_t k_;
  const int64_t* ids_;
  size_t cut_at_;
  bool full_ = false;
  Found worst_ = 0;
  std::vector<Found> list_;
};

// The same as what a scan keeps, see asymmetric_worker.hpp: the limit is that of all blocks.
struct NearestKeep : Nearest {
  using Nearest::Nearest;
  static constexpr bool kLimitABlock = false;
  int32_t limit(int32_t greatest, int64_t, int64_t unordered) const { return Nearest::limit(greatest, unordered); }
};

}  // namespace hammingway
