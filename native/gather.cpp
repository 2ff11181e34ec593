#include "gather.hpp"

#include "extract.hpp"

namespace hammingway {

namespace {

constexpr int64_t kAhead = 16;  // rows asked for before they are needed; they lie all over memory

template <int Words>  // 0: any number
void gather_portably(const uint64_t* rows, int n_words, const uint32_t* slots, int64_t n, const uint64_t* query,
                     uint16_t* distances) {
  const int words = Words ? Words : n_words;
  for (int64_t i = 0; i < n; ++i) {
    if (i + kAhead < n) __builtin_prefetch(rows + int64_t(slots[i + kAhead]) * words);
    const uint64_t* row = rows + int64_t(slots[i]) * words;
    int sum = 0;
    for (int w = 0; w < words; ++w) sum += ones_in(row[w] ^ query[w]);
    distances[i] = uint16_t(sum);
  }
}

#if defined(__x86_64__)
template <int Words>
__attribute__((target("popcnt"))) void gather_by_popcnt(const uint64_t* rows, int n_words, const uint32_t* slots,
                                                        int64_t n, const uint64_t* query, uint16_t* distances) {
  const int words = Words ? Words : n_words;
  for (int64_t i = 0; i < n; ++i) {
    if (i + kAhead < n) __builtin_prefetch(rows + int64_t(slots[i + kAhead]) * words);
    const uint64_t* row = rows + int64_t(slots[i]) * words;
    int sum = 0;
    for (int w = 0; w < words; ++w) sum += __builtin_popcountll(row[w] ^ query[w]);
    distances[i] = uint16_t(sum);
  }
}

bool has_popcnt() { return __builtin_cpu_supports("popcnt"); }
#endif

void gather(const uint64_t* rows, int n_words, const uint32_t* slots, int64_t n, const uint64_t* query,
            uint16_t* distances) {
  switch (n_words) {
    case 1: return gather_portably<1>(rows, 1, slots, n, query, distances);
    case 2: return gather_portably<2>(rows, 2, slots, n, query, distances);
    default: return gather_portably<0>(rows, n_words, slots, n, query, distances);
  }
}

#if defined(__x86_64__)
void gather_popcnt(const uint64_t* rows, int n_words, const uint32_t* slots, int64_t n, const uint64_t* query,
                   uint16_t* distances) {
  switch (n_words) {
    case 1: return gather_by_popcnt<1>(rows, 1, slots, n, query, distances);
    case 2: return gather_by_popcnt<2>(rows, 2, slots, n, query, distances);
    default: return gather_by_popcnt<0>(rows, n_words, slots, n, query, distances);
  }
}
#endif

}  // namespace

Gather gather_distances() {
#if defined(__x86_64__)
  static const bool popcnt = has_popcnt();
  if (popcnt) return gather_popcnt;
#endif
  return gather;
}

}  // namespace hammingway
