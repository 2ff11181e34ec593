// The tables' part of the Python module.
#pragma once

#include <nanobind/nanobind.h>

namespace hammingway {

void bind_probing(nanobind::module_& m);

}  // namespace hammingway
