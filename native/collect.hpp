// What a scan keeps of each query: the k best so far, or everything within the radius.
#pragma once

#include <cstddef>
#include <cstdint>
#include <limits>
#include <vector>

namespace hammingway {

// A found code in one word, ordered by (distance, slot).
using Found = uint64_t;
constexpr int kSlotBits = 44;  // 20 bits for the distance: a weighted one reaches 4096 * 127
inline Found found(int distance, int64_t slot) { return Found(distance) << kSlotBits | Found(slot); }
inline int distance_of(Found f) { return int(f >> kSlotBits); }
inline int64_t slot_of(Found f) { return int64_t(f & ((Found(1) << kSlotBits) - 1)); }

// Orders by (distance, key, slot), key = ids[slot].
struct ByKey {
  const int64_t* ids;
  bool operator()(Found a, Found b) const {
    if (distance_of(a) != distance_of(b)) return distance_of(a) < distance_of(b);
    const int64_t key_a = ids[slot_of(a)], key_b = ids[slot_of(b)];
    return key_a != key_b ? key_a < key_b : a < b;
  }
};

// Leaves the k best of the list, sorted.
void sort_best(std::vector<Found>& list, int64_t k, const int64_t* ids);

// What orders equal distances: a key a slot, or (null) the slot itself.
struct Keys {
  const int64_t* ids = nullptr;
  int64_t count = 0;

  // The smallest key of slots [first, last).
  int64_t least(int64_t first, int64_t last) const;
};

// The k best of one query, by counting: distances are small integers, so a histogram knows the
// k-th best distance after every code, and the list is only cut now and then.
class Best {
 public:
  Best(int64_t k, int n_bits, const int64_t* ids);

  // Codes at or above this distance are of no use.
  int limit() const { return full() ? (ids_ ? worst_ + 1 : worst_) : n_bits_ + 1; }
  bool full() const { return count_ >= k_; }
  int64_t k() const { return k_; }

  // A code at the worst distance with this key or a greater one is of no use.
  int64_t key_limit() const { return key_limit_; }

  void offer(int distance, int64_t slot) {
    if (distance > worst_ || (distance == worst_ && full() && (!ids_ || ids_[slot] >= key_limit_))) return;
    list_.push_back(found(distance, slot));
    ++histogram_[size_t(distance)];
    ++count_;
    if (count_ - histogram_[size_t(worst_)] >= k_) narrow();
    if (int64_t(list_.size()) >= capacity_) cut();
  }

  // Keeps exactly the k best and learns the key limit.
  void cut();

  const std::vector<Found>& list() const { return list_; }

 private:
  void narrow();

  int64_t k_;
  int n_bits_;
  const int64_t* ids_;
  int64_t capacity_;
  int64_t count_ = 0;  // entries of the list at distance worst_ or less
  int worst_;
  int64_t key_limit_ = std::numeric_limits<int64_t>::max();
  std::vector<int64_t> histogram_;
  std::vector<Found> list_;
};

}  // namespace hammingway
