// Weighted distances, compiled once for each instruction set: -DHAMMINGWAY_ISA names the unit.
#include "asymmetric_kernel.hpp"
#include "shuffle.hpp"

#if defined(HAMMINGWAY_HAS_SHUFFLE)
#include "asymmetric_alone.hpp"
#include "asymmetric_lookup.hpp"

namespace {

constexpr int kGroupBits = kGroup;

static void scan_weighted(const AsymmetricScan& scan, const uint64_t* planes, const uint64_t* live, int64_t first,
                         int64_t last) {
  (scan.n_queries == 1 ? scan_alone : scan_tables)(scan, planes, live, first, last);
}

}  // namespace
#else
#include "asymmetric_bits.hpp"

namespace {

constexpr int kGroupBits = 0;
constexpr auto scan_weighted = scan_bits;

}  // namespace
#endif

namespace hammingway {
const AsymmetricKernel HAMMINGWAY_PASTE(HAMMINGWAY_ISA, _asymmetric){kGroupBits, scratch_bytes, scan_weighted};
}  // namespace hammingway
