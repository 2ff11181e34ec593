#include "collect.hpp"

#include <algorithm>
#include <functional>
#include <numeric>

namespace hammingway {

namespace {

constexpr size_t kCountedFrom = 256;  // entries from which counting beats comparing

// Sorts by counting the distances. One distance's codes often are in order already: a thread finds them so.
template <class Less>
void sort_all(std::vector<Found>& list, const Less& less) {
  if (list.size() < kCountedFrom) return std::sort(list.begin(), list.end(), less);
  const auto [least, most] = std::minmax_element(list.begin(), list.end());
  const int nearest = distance_of(*least);
  const size_t n_distances = size_t(distance_of(*most) - nearest) + 1;
  if (n_distances > list.size()) return std::sort(list.begin(), list.end(), less);
  std::vector<size_t> places(n_distances + 1, 0);
  for (const Found f : list) ++places[size_t(distance_of(f) - nearest) + 1];
  std::partial_sum(places.begin(), places.end(), places.begin());
  std::vector<Found> sorted(list.size());
  for (const Found f : list) sorted[places[size_t(distance_of(f) - nearest)]++] = f;
  auto from = sorted.begin();
  for (size_t d = 0; d < n_distances; ++d) {  // each place has moved to the end of its distance
    const auto to = sorted.begin() + int64_t(places[d]);
    if (!std::is_sorted(from, to, less)) std::sort(from, to, less);
    from = to;
  }
  list.swap(sorted);
}

template <class Less>
void sort_best_by(std::vector<Found>& list, int64_t k, const Less& less) {
  if (int64_t(list.size()) > k) {
    std::nth_element(list.begin(), list.begin() + k, list.end(), less);
    list.resize(size_t(k));
  }
  sort_all(list, less);
}

}  // namespace

void sort_best(std::vector<Found>& list, int64_t k, const int64_t* ids) {
  if (ids)
    sort_best_by(list, k, ByKey{ids});
  else
    sort_best_by(list, k, std::less<Found>{});
}

int64_t Keys::least(int64_t first, int64_t last) const {
  int64_t least = std::numeric_limits<int64_t>::max();
  for (int64_t slot = first; slot < std::min(last, count); ++slot) least = std::min(least, ids[slot]);
  return least;
}

Best::Best(int64_t k, int n_bits, const int64_t* ids)
    : k_(k), n_bits_(n_bits), ids_(ids), capacity_(2 * k + 512), worst_(n_bits), histogram_(size_t(n_bits) + 1, 0) {}

void Best::narrow() {
  while (count_ - histogram_[size_t(worst_)] >= k_) count_ -= histogram_[size_t(worst_--)];
  key_limit_ = std::numeric_limits<int64_t>::max();
}

void Best::cut() {
  if (int64_t(list_.size()) < k_) return;
  const auto last = list_.begin() + (k_ - 1);
  if (ids_)
    std::nth_element(list_.begin(), last, list_.end(), ByKey{ids_});
  else
    std::nth_element(list_.begin(), last, list_.end());
  histogram_[size_t(worst_)] -= count_ - k_;
  count_ = k_;
  if (ids_) key_limit_ = ids_[slot_of(*last)];
  list_.resize(size_t(k_));
}

}  // namespace hammingway
