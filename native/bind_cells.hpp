// Python's side of the search in cells.
#pragma once

#include <nanobind/nanobind.h>

namespace hammingway {

void bind_cells(nanobind::module_& m);

}  // namespace hammingway
