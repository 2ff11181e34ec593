// NumPy arrays as the bindings take and give them. noconvert() makes nanobind refuse what it would
// otherwise copy, which would lose what is written in place.
#pragma once

#include <nanobind/nanobind.h>
#include <nanobind/ndarray.h>
#include <nanobind/stl/optional.h>

#include <optional>
#include <vector>

#include "search.hpp"

namespace hammingway {

template <class T, int Dimensions>
using In = nanobind::ndarray<const T, nanobind::numpy, nanobind::ndim<Dimensions>, nanobind::c_contig,
                             nanobind::device::cpu>;
template <class T, int Dimensions>
using InOut = nanobind::ndarray<T, nanobind::numpy, nanobind::ndim<Dimensions>, nanobind::c_contig,
                                nanobind::device::cpu>;
template <class T>
using Made = nanobind::ndarray<nanobind::numpy, T, nanobind::c_contig>;
using Ids = std::optional<In<int64_t, 1>>;

template <class T>
Made<T> give(std::vector<T>&& values) {
  auto* held = new std::vector<T>(std::move(values));
  nanobind::capsule owner(held, [](void* p) noexcept { delete static_cast<std::vector<T>*>(p); });
  return Made<T>(held->data(), {held->size()}, owner);
}

inline nanobind::tuple give_ranges(Ranges&& ranges) {
  return nanobind::make_tuple(give(std::move(ranges.slots)), give(std::move(ranges.distances)),
                              give(std::move(ranges.offsets)));
}

}  // namespace hammingway
