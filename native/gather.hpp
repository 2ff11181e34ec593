// Distances of a query to rows that lie anywhere.
#pragma once

#include <cstdint>

namespace hammingway {

// distances[i]: bits in which rows[slots[i]] differs from the query, each n_words long.
using Gather = void (*)(const uint64_t* rows, int n_words, const uint32_t* slots, int64_t n, const uint64_t* query,
                        uint16_t* distances);
// The fastest this processor can run.
Gather gather_distances();

}  // namespace hammingway
