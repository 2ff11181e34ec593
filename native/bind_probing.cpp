// Python's side of the tables; arguments were made by hammingway.indexes, see hammingway.kernels.probing.
#include "bind_probing.hpp"

#include <nanobind/stl/vector.h>

#include <optional>
#include <stdexcept>

#include "bind_arrays.hpp"
#include "probe.hpp"

namespace nb = nanobind;
using namespace nb::literals;

namespace hammingway {

namespace {

using Weights = std::optional<In<double, 2>>;

Rows rows_of(const In<uint64_t, 2>& rows, const uint64_t* live) {
  return {rows.data(), live, int64_t(rows.shape(0)), int(rows.shape(1))};
}

Probing probing_of(const std::vector<const Table*>& tables, const In<uint64_t, 2>& rows, const In<uint64_t, 2>& live,
                   const In<uint64_t, 2>& queries, const Ids& ids, int n_threads) {
  if (tables.empty() || queries.shape(1) != rows.shape(1) || live.size() * 64 < rows.shape(0) ||
      (ids && ids->shape(0) < rows.shape(0)))
    throw std::invalid_argument("tables, rows, live, queries and ids do not belong together");
  for (const Table* table : tables)
    if (table->last() > int64_t(rows.shape(0))) throw std::invalid_argument("a table holds slots past the last row");
  const Keys keys = ids ? Keys{ids->data(), int64_t(ids->shape(0))} : Keys{};
  return {tables, rows_of(rows, live.data()), queries.data(), int64_t(queries.shape(0)), keys, n_threads};
}

const double* weights_of(const Weights& weights, const Probing& probing) {
  if (!weights) return nullptr;
  if (int64_t(weights->shape(0)) != probing.n_queries || int(weights->shape(1)) != probing.tables[0]->key_bits())
    throw std::invalid_argument("weights must have one row a query and one column a key bit");
  return weights->data();
}

void bind_multi_index(nb::module_& m) {
  m.def("probe_top_k", [](const std::vector<const Table*>& tables, In<uint64_t, 2> rows, In<uint64_t, 2> live, Ids ids,
                        In<uint64_t, 2> queries, InOut<int64_t, 2> slots, InOut<int32_t, 2> distances,
                          InOut<int32_t, 1> radius, InOut<int64_t, 1> probes, InOut<int64_t, 1> candidates,
                          int64_t probe, int64_t candidate, int64_t row, int64_t attempt, int64_t whole,
                          int n_threads) {
    const Probing probing = probing_of(tables, rows, live, queries, ids, n_threads);
    nb::gil_scoped_release release;
    probe_top_k(probing, int64_t(slots.shape(1)), {probe, candidate, row, attempt, whole}, slots.data(),
                distances.data(), {radius.data(), probes.data(), candidates.data()});
  });
  m.def("probe_within", [](const std::vector<const Table*>& tables, In<uint64_t, 2> rows, In<uint64_t, 2> live, Ids ids,
                        In<uint64_t, 2> queries, int within, InOut<int32_t, 1> radius,
                           InOut<int64_t, 1> probes, InOut<int64_t, 1> candidates, int64_t probe, int64_t candidate,
                           int64_t row, int64_t attempt, int64_t whole, int n_threads) {
    const Probing probing = probing_of(tables, rows, live, queries, ids, n_threads);
    Ranges ranges;
    {
      nb::gil_scoped_release release;
      ranges = probe_within(probing, within, {probe, candidate, row, attempt, whole},
                            {radius.data(), probes.data(), candidates.data()});
    }
    return give_ranges(std::move(ranges));
  });
}

void bind_look_up(nb::module_& m) {
  m.def("lookup_top_k", [](const std::vector<const Table*>& tables, In<uint64_t, 2> rows, In<uint64_t, 2> live, Ids ids,
                        In<uint64_t, 2> queries, Weights weights, InOut<int64_t, 2> slots,
                           InOut<int32_t, 2> distances, InOut<int32_t, 1> radius, InOut<int64_t, 1> probes,
                           InOut<int64_t, 1> candidates, int max_flips, int64_t max_probes, int64_t max_candidates,
                           int n_threads) {
    const Probing probing = probing_of(tables, rows, live, queries, ids, n_threads);
    const double* data = weights_of(weights, probing);
    nb::gil_scoped_release release;
    lookup_top_k(probing, int64_t(slots.shape(1)), data, {max_flips, max_probes, max_candidates}, slots.data(),
                 distances.data(), {radius.data(), probes.data(), candidates.data()});
  });
  m.def("lookup_within", [](const std::vector<const Table*>& tables, In<uint64_t, 2> rows, In<uint64_t, 2> live, Ids ids,
                        In<uint64_t, 2> queries, int within, Weights weights, InOut<int32_t, 1> radius,
                            InOut<int64_t, 1> probes, InOut<int64_t, 1> candidates, int max_flips, int64_t max_probes,
                            int64_t max_candidates, int n_threads) {
    const Probing probing = probing_of(tables, rows, live, queries, ids, n_threads);
    const double* data = weights_of(weights, probing);
    Ranges ranges;
    {
      nb::gil_scoped_release release;
      ranges = lookup_within(probing, within, data, {max_flips, max_probes, max_candidates},
                             {radius.data(), probes.data(), candidates.data()});
    }
    return give_ranges(std::move(ranges));
  });
}

}  // namespace

void bind_probing(nb::module_& m) {
  nb::class_<Table>(m, "Table")
      .def("__init__", [](Table* self, In<uint64_t, 2> rows, const std::vector<int>& bits, int64_t first,
                          int64_t last) {
        nb::gil_scoped_release release;
        new (self) Table(rows_of(rows, nullptr), bits, first, last);
      }, "rows"_a, "bits"_a, "first"_a, "last"_a)
      .def_prop_ro("size_bytes", &Table::size_bytes)
      .def_prop_ro("last", &Table::last);
  bind_multi_index(m);
  bind_look_up(m);
}

}  // namespace hammingway
