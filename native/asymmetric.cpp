#include "asymmetric.hpp"

#include <algorithm>
#include <limits>
#include <vector>

#include "asymmetric_worker.hpp"
#include "nearest.hpp"

namespace hammingway {

void top_k_asymmetric(const Kernel& kernel, const Planes& database, const Weights& weights, int64_t k, const Keys& keys,
                      int n_threads, int64_t* slots, int32_t* scores) {
  std::fill_n(slots, weights.count * k, int64_t(-1));
  std::fill_n(scores, weights.count * k, std::numeric_limits<int32_t>::min());
  const int64_t useful = std::min(k, database.n_blocks * kLanes);
  if (useful == 0) return;
  const auto keeps_of = [&](int64_t, int n) { return std::vector<NearestKeep>(size_t(n), NearestKeep(useful, keys.ids)); };
  const auto finish = [&](const PreparedWeights& prepared, int q, int64_t query, std::vector<Found>& all) {
    sort_best(all, k, keys.ids);
    int64_t at = query * k;
    for (const Found f : all) {
      slots[at] = slot_of(f);
      scores[at++] = prepared.greatest(q) - 2 * distance_of(f);
    }
  };
  scan_asymmetric<NearestKeep>(kernel, database, weights, n_threads, keeps_of, finish);
}

}  // namespace hammingway
