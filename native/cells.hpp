// Search in some cells of an index: each query scans the blocks of the cells it visits, and no others.
#pragma once

#include <cstdint>

#include "asymmetric.hpp"
#include "search.hpp"

namespace hammingway {

// The blocks of cell c are blocks[offsets[c]] to before blocks[offsets[c + 1]]; a block is in one cell.
struct Cells {
  const int64_t* blocks;
  const int64_t* offsets;
};

// The cells each query visits, (queries, n_probe): distinct, the most promising first; -1 ends a row early.
struct Visits {
  const int64_t* cells;
  int64_t n_probe;
};

struct CellSearch {
  const Kernel& kernel;
  const Planes& database;
  const Cells& cells;
  const Visits& visits;
  const Keys& keys;  // of every slot
  int n_threads;
};

// As top_k, within and top_k_asymmetric, over the visited cells.
void top_k_in_cells(const CellSearch& search, const Queries& queries, int64_t k, int64_t* slots, int32_t* distances);
Ranges within_in_cells(const CellSearch& search, const Queries& queries, int radius);
void top_k_asymmetric_in_cells(const CellSearch& search, const Weights& weights, int64_t k, int64_t* slots,
                               int32_t* scores);

}  // namespace hammingway
