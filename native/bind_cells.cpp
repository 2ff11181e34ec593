// Arguments were made by hammingway.indexes, see hammingway.kernels.cells; what a wrong one could read past is
// checked here too.
#include "bind_cells.hpp"

#include <nanobind/stl/string.h>

#include <algorithm>
#include <stdexcept>

#include "biased.hpp"
#include "bind_arrays.hpp"
#include "cells.hpp"
#include "dispatch.hpp"

namespace nb = nanobind;

namespace hammingway {

namespace {

struct Database {
  In<uint64_t, 3> planes;
  In<uint64_t, 2> live;
  In<int64_t, 1> ids, blocks, offsets;

  Planes view() const {
    if (live.shape(0) != planes.shape(0) || ids.shape(0) < planes.shape(0) * size_t(kLanes))
      throw std::invalid_argument("planes, live and ids do not belong together");
    return {planes.data(), live.data(), int64_t(planes.shape(0)), int(planes.shape(1))};
  }
  Cells cells() const {
    const int64_t n_listed = int64_t(blocks.shape(0)), n_blocks = int64_t(planes.shape(0));
    const int64_t* offset = offsets.data();
    if (!offsets.shape(0) || offset[0] != 0 || offset[offsets.shape(0) - 1] != n_listed ||
        !std::is_sorted(offset, offset + offsets.shape(0)))
      throw std::invalid_argument("offsets must run from 0 to the number of blocks");
    for (int64_t i = 0; i < n_listed; ++i)
      if (blocks.data()[i] < 0 || blocks.data()[i] >= n_blocks) throw std::invalid_argument("no such block");
    return {blocks.data(), offset};
  }
  Keys keys() const { return {ids.data(), int64_t(ids.shape(0))}; }
};

Visits visits_of(const In<int64_t, 2>& visits, const Database& database, size_t n_queries) {
  const int64_t n_cells = int64_t(database.offsets.shape(0)) - 1;
  if (visits.shape(0) != n_queries) throw std::invalid_argument("visits must have one row a query");
  for (size_t i = 0; i < visits.size(); ++i)
    if (visits.data()[i] < -1 || visits.data()[i] >= n_cells) throw std::invalid_argument("no such cell");
  return {visits.data(), int64_t(visits.shape(1))};
}

// Calls run(search) without the interpreter's lock.
template <class Run>
void run_search(const std::string& isa, const Database& database, const In<int64_t, 2>& visits, size_t n_queries,
                int n_threads, const Run& run) {
  const Kernel* kernel = find_kernel(isa);
  if (!kernel) throw std::invalid_argument("this processor cannot run the kernel " + isa);
  const Planes planes = database.view();
  const Cells cells = database.cells();
  const Visits checked = visits_of(visits, database, n_queries);
  const Keys keys = database.keys();
  nb::gil_scoped_release release;
  run(CellSearch{*kernel, planes, cells, checked, keys, n_threads});
}

}  // namespace

void bind_cells(nb::module_& m) {
  m.def("top_k_in_cells", [](const std::string& isa, In<uint64_t, 3> planes, In<uint64_t, 2> live, In<int64_t, 1> ids,
                             In<int64_t, 1> blocks, In<int64_t, 1> offsets, In<uint8_t, 2> queries,
                             In<int64_t, 2> visits, InOut<int64_t, 2> slots, InOut<int32_t, 2> distances,
                             int n_threads) {
    run_search(isa, {planes, live, ids, blocks, offsets}, visits, queries.shape(0), n_threads, [&](const auto& search) {
      top_k_in_cells(search, {queries.data(), int64_t(queries.shape(0))}, int64_t(slots.shape(1)), slots.data(),
                     distances.data());
    });
  });
  m.def("within_in_cells", [](const std::string& isa, In<uint64_t, 3> planes, In<uint64_t, 2> live, In<int64_t, 1> ids,
                              In<int64_t, 1> blocks, In<int64_t, 1> offsets, In<uint8_t, 2> queries,
                              In<int64_t, 2> visits, int radius, int n_threads) {
    Ranges ranges;
    run_search(isa, {planes, live, ids, blocks, offsets}, visits, queries.shape(0), n_threads, [&](const auto& search) {
      ranges = within_in_cells(search, {queries.data(), int64_t(queries.shape(0))}, radius);
    });
    return give_ranges(std::move(ranges));
  });
  m.def("top_k_asymmetric_in_cells", [](const std::string& isa, In<uint64_t, 3> planes, In<uint64_t, 2> live,
                                        In<int64_t, 1> ids, In<int64_t, 1> blocks, In<int64_t, 1> offsets,
                                        In<int8_t, 2> weights, In<int64_t, 2> visits, InOut<int64_t, 2> slots,
                                        InOut<int32_t, 2> scores, int n_threads) {
    run_search(isa, {planes, live, ids, blocks, offsets}, visits, weights.shape(0), n_threads, [&](const auto& search) {
      top_k_asymmetric_in_cells(search, {weights.data(), int64_t(weights.shape(0)), int(weights.shape(1))},
                                int64_t(slots.shape(1)), slots.data(), scores.data());
    });
  });
  m.def("top_k_biased_in_cells", [](const std::string& isa, In<uint64_t, 3> planes, In<uint64_t, 2> live,
                                    In<int64_t, 1> ids, In<int64_t, 1> blocks, In<int64_t, 1> offsets,
                                    In<int8_t, 2> weights, In<double, 1> units, In<float, 1> bias,
                                    In<float, 1> block_bias, In<int64_t, 2> visits, InOut<int64_t, 2> slots,
                                    InOut<double, 2> values, int n_threads) {
    if (units.shape(0) != weights.shape(0) || block_bias.shape(0) != planes.shape(0) ||
        bias.shape(0) != planes.shape(0) * size_t(kLanes))
      throw std::invalid_argument("weights, planes and biases do not belong together");
    run_search(isa, {planes, live, ids, blocks, offsets}, visits, weights.shape(0), n_threads, [&](const auto& search) {
      top_k_biased_in_cells(search, {weights.data(), int64_t(weights.shape(0)), int(weights.shape(1))}, units.data(),
                            {bias.data(), block_bias.data()}, int64_t(slots.shape(1)), slots.data(), values.data());
    });
  });
}

}  // namespace hammingway
