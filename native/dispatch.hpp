// Which instruction sets this build has and this processor can run.
#pragma once

#include <string>
#include <vector>

#include "kernel.hpp"

namespace hammingway {

// Kernels that can run here, widest first; never empty.
const std::vector<const Kernel*>& available_kernels();
// The kernel of that name, or null where it cannot run.
const Kernel* find_kernel(const std::string& name);
// Processor features that matter to a scan, as the operating system lets them be used.
std::vector<std::string> cpu_features();
// Core clock while it runs: a chain of additions, each of which takes one cycle. Hz.
double measure_clock();

}  // namespace hammingway
