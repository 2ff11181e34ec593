#include "data.hpp"

#include <limits>
#include <numeric>

namespace check {

namespace {

void pack(Codes& codes) {
  const size_t n_bytes = size_t(codes.n_bits + 7) / 8, n_words = size_t(codes.n_words());
  codes.packed = Exact<uint8_t>(codes.bits.size() * n_bytes);
  codes.words = Exact<uint64_t>(codes.bits.size() * n_words);
  for (size_t i = 0; i < codes.bits.size(); ++i)
    for (size_t j = 0; j < size_t(codes.n_bits); ++j) {
      codes.packed[i * n_bytes + j / 8] |= uint8_t(codes.bits[i][j] << (j % 8));
      codes.words[i * n_words + j / 64] |= uint64_t(codes.bits[i][j]) << (j % 64);
    }
}

void kill_some(Random& random, Database& database) {
  const int64_t share = one_of<int64_t>(random, {0, 0, 3, 50, 100});  // of a hundred
  for (int64_t slot = 0; slot < database.codes.size(); ++slot)
    if (below(random, 100) < share) {
      database.is_live[size_t(slot)] = false;
      database.live[size_t(slot / 64)] &= ~(uint64_t(1) << (slot % 64));
    }
}

}  // namespace

Codes random_codes(Random& random, int64_t n, int n_bits, int near, const std::vector<uint8_t>& centre) {
  Codes codes;
  codes.n_bits = n_bits;
  for (int64_t i = 0; i < n; ++i) {
    std::vector<uint8_t> bits = centre;
    if (near == 0)
      for (uint8_t& bit : bits) bit = uint8_t(random() & 1);
    else
      for (int64_t flips = below(random, near); flips > 0; --flips) bits[size_t(below(random, n_bits))] ^= 1;
    codes.bits.push_back(bits);
  }
  pack(codes);
  return codes;
}

Database random_database(Random& random, const hammingway::Kernel& kernel, int64_t n, int n_bits) {
  Database database;
  const int near = one_of(random, {0, 0, 1, 4, 40});
  database.codes = random_codes(random, n, n_bits, near, std::vector<uint8_t>(size_t(n_bits), uint8_t(random() & 1)));
  const int64_t n_blocks = (n + hammingway::kLanes - 1) / hammingway::kLanes;
  database.planes = Exact<uint64_t>(size_t(n_blocks * n_bits * hammingway::kWords));
  database.live = Exact<uint64_t>(size_t(n_blocks * hammingway::kWords));
  const size_t n_bytes = size_t(n_bits + 7) / 8;
  for (int64_t start = 0; start < n;) {
    const int64_t some = std::min(n - start, 1 + below(random, one_of<int64_t>(random, {3, 100, 2000})));
    hammingway::write_rows(kernel, database.planes.data(), database.live.data(), n_bits,
                           database.codes.packed.data() + size_t(start) * n_bytes, some, start);
    start += some;
  }
  database.is_live.assign(size_t(n), true);
  kill_some(random, database);
  if (random() & 1) {
    database.ids = Exact<int64_t>(size_t(n_blocks * hammingway::kLanes));
    std::iota(database.ids.data(), database.ids.data() + database.ids.size(), int64_t(100));
    std::shuffle(database.ids.data(), database.ids.data() + database.ids.size(), random);
  }
  return database;
}

std::vector<Near> ranking(const Database& database, const std::vector<uint8_t>& query) {
  std::vector<Near> all;
  for (int64_t slot = 0; slot < database.codes.size(); ++slot) {
    if (!database.is_live[size_t(slot)]) continue;
    int64_t distance = 0;
    for (size_t j = 0; j < query.size(); ++j) distance += query[j] != database.codes.bits[size_t(slot)][j];
    all.push_back({distance, database.key(slot), slot});
  }
  std::sort(all.begin(), all.end());
  return all;
}

std::vector<Near> ranking(const Database& database, const int8_t* weights, int n_scored) {
  std::vector<Near> all;
  for (int64_t slot = 0; slot < database.codes.size(); ++slot) {
    if (!database.is_live[size_t(slot)]) continue;
    int64_t score = 0;
    for (int j = 0; j < n_scored; ++j)
      score += database.codes.bits[size_t(slot)][size_t(j)] ? weights[j] : -weights[j];
    all.push_back({-score, database.key(slot), slot});
  }
  std::sort(all.begin(), all.end());
  return all;
}

Added random_biases(Random& random, const Database& database, size_t n_queries) {
  const int64_t n_levels = one_of<int64_t>(random, {1, 3, 1000});
  const float step = one_of(random, {0.25F, 40.0F, 1e-3F, 1e12F});
  Added added{Exact<double>(n_queries), Exact<float>(size_t(database.n_blocks() * hammingway::kLanes)),
              Exact<float>(size_t(database.n_blocks()))};
  for (size_t q = 0; q < n_queries; ++q) added.units[q] = one_of(random, {0.0, 1.0, 0.3, 1e-9});
  std::fill_n(added.of_slot.data(), added.of_slot.size(), std::numeric_limits<float>::quiet_NaN());
  std::fill_n(added.of_block.data(), added.of_block.size(), -std::numeric_limits<float>::infinity());
  for (int64_t slot = 0; slot < database.codes.size(); ++slot) {
    if (!database.is_live[size_t(slot)]) continue;
    const float bias = step * float(below(random, n_levels) - n_levels / 2);
    float& greatest = added.of_block[size_t(slot / hammingway::kLanes)];
    added.of_slot[size_t(slot)] = bias;
    greatest = std::max(greatest, bias);
  }
  return added;
}

bool is_best_biased(const std::vector<Near>& by_score, const Added& added, size_t q, int64_t k, const int64_t* slots,
                    const double* values) {
  struct Rated {
    double value;
    int64_t key, slot;
  };
  std::vector<Rated> truth;
  for (const Near& near : by_score) {
    const double score = double(-near.distance) * added.units[q];
    truth.push_back({score + double(added.of_slot[size_t(near.slot)]), near.key, near.slot});
  }
  std::sort(truth.begin(), truth.end(), [](const Rated& a, const Rated& b) {
    return a.value != b.value ? a.value > b.value : a.key < b.key;
  });
  for (int64_t i = 0; i < k; ++i) {
    const bool there = i < int64_t(truth.size());
    if (slots[i] != (there ? truth[size_t(i)].slot : -1)) return false;
    if (values[i] != (there ? truth[size_t(i)].value : -std::numeric_limits<double>::infinity())) return false;
  }
  return true;
}

bool is_range(const hammingway::Ranges& ranges, size_t q, const std::vector<Near>& truth, int radius) {
  size_t at = size_t(ranges.offsets[q]);
  for (const Near& near : truth) {
    if (near.distance > radius) break;
    if (at >= ranges.slots.size() || ranges.slots[at] != near.slot || ranges.distances[at] != near.distance)
      return false;
    ++at;
  }
  return at == size_t(ranges.offsets[q + 1]);
}

}  // namespace check
