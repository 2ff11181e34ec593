// Hash tables over rows of codes: the slots of an index grouped by some bits of each code, the key.
#pragma once

#include <cstdint>
#include <vector>

namespace hammingway {

// Codes as words, and which of them live.
struct Rows {
  const uint64_t* words;  // (count, n_words)
  const uint64_t* live;   // bit slot % 64 of word slot / 64
  int64_t count;
  int n_words;

  const uint64_t* row(int64_t slot) const { return words + slot * n_words; }
  bool is_live(int64_t slot) const { return live[slot / 64] >> (slot % 64) & 1; }
};

// Bits that lie side by side in a word of the code and in the key.
struct Run {
  int word;
  int first;  // in the word
  int shift;  // in the key
  uint64_t mask;
};

struct Bucket {
  const uint32_t* begin;
  const uint32_t* end;
};

class Table {
 public:
  // Groups slots [first, last) by the bits at these positions, of which there are 1 to 64.
  Table(const Rows& rows, const std::vector<int>& bits, int64_t first, int64_t last);

  int key_bits() const { return key_bits_; }
  int64_t last() const { return last_; }
  int64_t size_bytes() const;

  uint64_t key_of(const uint64_t* row) const {
    uint64_t key = 0;
    for (const Run& run : runs_) key |= (row[run.word] >> run.first & run.mask) << run.shift;
    return key;
  }

  // Asks for what find will read first.
  void prefetch(uint64_t key) const { __builtin_prefetch(offsets_.data() + place_of(key)); }

  // The slots with this key, ascending.
  Bucket find(uint64_t key) const {
    const uint64_t place = place_of(key);
    Bucket bucket{slots_.data() + offsets_[place], slots_.data() + offsets_[place + 1]};
    if (!direct_) narrow(key, bucket);
    return bucket;
  }

 private:
  uint64_t place_of(uint64_t key) const {
    return direct_ ? key : key * 0x9e3779b97f4a7c15u >> (64 - place_bits_);
  }
  void narrow(uint64_t key, Bucket& bucket) const;
  void split_into_runs(const std::vector<int>& bits);
  void order_by_key();

  int key_bits_;
  bool direct_;  // the place of a bucket is its key
  int place_bits_;
  int64_t last_;
  std::vector<Run> runs_;
  std::vector<uint32_t> offsets_;  // (2^place_bits + 1)
  std::vector<uint32_t> slots_;    // by (place, key, slot)
  std::vector<uint64_t> keys_;     // of slots_; none where direct_
};

}  // namespace hammingway
