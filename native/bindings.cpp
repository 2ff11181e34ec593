// The only file that knows Python. Arguments were checked by hammingway.kernels.backends; noconvert()
// makes nanobind refuse what it would otherwise copy, which would lose what is written in place.
#include <nanobind/nanobind.h>
#include <nanobind/ndarray.h>
#include <nanobind/stl/optional.h>
#include <nanobind/stl/string.h>
#include <nanobind/stl/vector.h>

#include <optional>
#include <stdexcept>

#include "asymmetric.hpp"
#include "bind_cells.hpp"
#include "bind_probing.hpp"
#include "biased.hpp"
#include "dispatch.hpp"
#include "search.hpp"

namespace nb = nanobind;
using namespace nb::literals;
using namespace hammingway;

namespace {

template <class T, int Dimensions>
using In = nb::ndarray<const T, nb::numpy, nb::ndim<Dimensions>, nb::c_contig, nb::device::cpu>;
template <class T, int Dimensions>
using InOut = nb::ndarray<T, nb::numpy, nb::ndim<Dimensions>, nb::c_contig, nb::device::cpu>;
template <class T>
using Made = nb::ndarray<nb::numpy, T, nb::c_contig>;

template <class T>
Made<T> give(std::vector<T>&& values) {
  auto* held = new std::vector<T>(std::move(values));
  nb::capsule owner(held, [](void* p) noexcept { delete static_cast<std::vector<T>*>(p); });
  return Made<T>(held->data(), {held->size()}, owner);
}

const Kernel& kernel_named(const std::string& name) {
  const Kernel* kernel = find_kernel(name);
  if (!kernel) throw std::invalid_argument("this processor cannot run the kernel " + name);
  return *kernel;
}

Planes planes_of(const In<uint64_t, 3>& planes, const In<uint64_t, 2>& live) {
  return {planes.data(), live.data(), int64_t(planes.shape(0)), int(planes.shape(1))};
}

Keys keys_of(const std::optional<In<int64_t, 1>>& ids) {
  return ids ? Keys{ids->data(), int64_t(ids->shape(0))} : Keys{};
}

void bind_rows(nb::module_& m) {
  m.def("write_rows", [](const std::string& isa, InOut<uint64_t, 3> planes, InOut<uint64_t, 2> live,
                         In<uint8_t, 2> packed, int64_t start) {
    const Kernel& kernel = kernel_named(isa);
    nb::gil_scoped_release release;
    write_rows(kernel, planes.data(), live.data(), int(planes.shape(1)), packed.data(), int64_t(packed.shape(0)),
               start);
  }, "isa"_a, "planes"_a.noconvert(), "live"_a.noconvert(), "packed"_a.noconvert(), "start"_a);
  m.def("read_rows", [](const std::string& isa, In<uint64_t, 3> planes, In<int64_t, 1> slots,
                        InOut<uint8_t, 2> packed) {
    const Kernel& kernel = kernel_named(isa);
    nb::gil_scoped_release release;
    read_rows(kernel, planes.data(), int(planes.shape(1)), slots.data(), int64_t(slots.shape(0)), packed.data());
  }, "isa"_a, "planes"_a.noconvert(), "slots"_a.noconvert(), "packed"_a.noconvert());
  m.def("pairwise", [](const std::string& isa, In<uint8_t, 2> queries, In<uint8_t, 2> database,
                       InOut<uint16_t, 2> distances, int n_threads) {
    const Kernel& kernel = kernel_named(isa);
    nb::gil_scoped_release release;
    pairwise(kernel, {queries.data(), int64_t(queries.shape(0))}, {database.data(), int64_t(database.shape(0))},
             int(queries.shape(1)), n_threads, distances.data());
  }, "isa"_a, "queries"_a.noconvert(), "database"_a.noconvert(), "distances"_a.noconvert(), "n_threads"_a);
}

void bind_searches(nb::module_& m) {
  m.def("top_k", [](const std::string& isa, In<uint64_t, 3> planes, In<uint64_t, 2> live, In<uint8_t, 2> queries,
                    std::optional<In<int64_t, 1>> ids, InOut<int64_t, 2> slots, InOut<int32_t, 2> distances,
                    int n_threads) {
    const Kernel& kernel = kernel_named(isa);
    const Planes database = planes_of(planes, live);
    nb::gil_scoped_release release;
    top_k(kernel, database, {queries.data(), int64_t(queries.shape(0))}, int64_t(slots.shape(1)),
          keys_of(ids), n_threads, slots.data(), distances.data());
  }, "isa"_a, "planes"_a.noconvert(), "live"_a.noconvert(), "queries"_a.noconvert(), "ids"_a.noconvert().none(),
     "slots"_a.noconvert(), "distances"_a.noconvert(), "n_threads"_a);
  m.def("within", [](const std::string& isa, In<uint64_t, 3> planes, In<uint64_t, 2> live, In<uint8_t, 2> queries,
                     int radius, std::optional<In<int64_t, 1>> ids, int n_threads) {
    const Kernel& kernel = kernel_named(isa);
    const Planes database = planes_of(planes, live);
    Ranges ranges;
    {
      nb::gil_scoped_release release;
      ranges = within(kernel, database, {queries.data(), int64_t(queries.shape(0))}, radius,
                      keys_of(ids), n_threads);
    }
    return nb::make_tuple(give(std::move(ranges.slots)), give(std::move(ranges.distances)),
                          give(std::move(ranges.offsets)));
  }, "isa"_a, "planes"_a.noconvert(), "live"_a.noconvert(), "queries"_a.noconvert(), "radius"_a,
     "ids"_a.noconvert().none(), "n_threads"_a);
  m.def("top_k_asymmetric", [](const std::string& isa, In<uint64_t, 3> planes, In<uint64_t, 2> live,
                               In<int8_t, 2> weights, std::optional<In<int64_t, 1>> ids, InOut<int64_t, 2> slots,
                               InOut<int32_t, 2> scores, int n_threads) {
    const Kernel& kernel = kernel_named(isa);
    const Planes database = planes_of(planes, live);
    nb::gil_scoped_release release;
    top_k_asymmetric(kernel, database, {weights.data(), int64_t(weights.shape(0)), int(weights.shape(1))},
                     int64_t(slots.shape(1)), keys_of(ids), n_threads, slots.data(), scores.data());
  }, "isa"_a, "planes"_a.noconvert(), "live"_a.noconvert(), "weights"_a.noconvert(), "ids"_a.noconvert().none(),
     "slots"_a.noconvert(), "scores"_a.noconvert(), "n_threads"_a);
  m.def("top_k_biased", [](const std::string& isa, In<uint64_t, 3> planes, In<uint64_t, 2> live, In<int8_t, 2> weights,
                           In<double, 1> units, In<float, 1> bias, In<float, 1> block_bias,
                           std::optional<In<int64_t, 1>> ids, InOut<int64_t, 2> slots, InOut<double, 2> values,
                           int n_threads) {
    const Kernel& kernel = kernel_named(isa);
    const Planes database = planes_of(planes, live);
    nb::gil_scoped_release release;
    top_k_biased(kernel, database, {weights.data(), int64_t(weights.shape(0)), int(weights.shape(1))}, units.data(),
                 {bias.data(), block_bias.data()}, int64_t(slots.shape(1)), keys_of(ids), n_threads, slots.data(),
                 values.data());
  }, "isa"_a, "planes"_a.noconvert(), "live"_a.noconvert(), "weights"_a.noconvert(), "units"_a.noconvert(),
     "bias"_a.noconvert(), "block_bias"_a.noconvert(), "ids"_a.noconvert().none(), "slots"_a.noconvert(),
     "values"_a.noconvert(), "n_threads"_a);
}

}  // namespace

NB_MODULE(_native, m) {
  m.doc() = "Bit-plane kernels; use them through hammingway.kernels.";
  bind_rows(m);
  bind_searches(m);
  bind_probing(m);
  bind_cells(m);
  m.def("available", [] {
    std::vector<std::string> names;
    for (const Kernel* kernel : available_kernels()) names.emplace_back(kernel->name);
    return names;
  });
  m.def("cpu_features", &cpu_features);
  m.def("measure_clock", &measure_clock, nb::call_guard<nb::gil_scoped_release>());
  m.attr("COMPILER") = HAMMINGWAY_COMPILER;
}
