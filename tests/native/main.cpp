// Holds the native code against slow oracles, without Python: for sanitizers and for processors of another kind.
//
// hammingway-check [cases]: that many random cases of each check on each instruction set, 25 if not given.
#include <cstdio>
#include <cstdlib>

#include "checks.hpp"
#include "dispatch.hpp"

namespace {

struct Check {
  const char* name;
  bool (*holds)(check::Random&, const hammingway::Kernel&);
};

constexpr Check kChecks[] = {
    {"rows come back from planes", check::rows_come_back},
    {"distances are counts of differing bits", check::distances_are_counts},
    {"the nearest are found", check::nearest_are_found},
    {"the best scores are found", check::best_scores_are_found},
    {"the best biased scores are found", check::best_biased_scores_are_found},
    {"probes find the nearest", check::probes_find_the_nearest},
    {"look-ups find what they reach", check::look_ups_find_what_they_reach},
    {"cells give what they hold", check::cells_give_what_they_hold},
    {"threads may search at once", check::threads_may_search_at_once},
};

// The number of the first case that fails, or -1.
int first_failure(const Check& check, const hammingway::Kernel& kernel, int n_cases) {
  for (int i = 0; i < n_cases; ++i) {
    check::Random random{uint64_t(i)};
    if (!check.holds(random, kernel)) return i;
  }
  return -1;
}

}  // namespace

int main(int n_arguments, char** arguments) {
  const int n_cases = n_arguments > 1 ? std::atoi(arguments[1]) : 25;
  if (n_cases < 1) {
    std::fprintf(stderr, "usage: %s [cases], a number from 1\n", arguments[0]);
    return 2;
  }
  int n_passed = 0, n_failed = 0;
  for (const hammingway::Kernel* kernel : hammingway::available_kernels())
    for (const Check& check : kChecks) {
      const int failure = first_failure(check, *kernel, n_cases);
      if (failure < 0) {
        ++n_passed;
        continue;
      }
      ++n_failed;
      std::printf("FAILED %s: %s (case %d)\n", kernel->name, check.name, failure);
    }
  std::printf("native checks of %d cases on", n_cases);
  for (const hammingway::Kernel* kernel : hammingway::available_kernels()) std::printf(" %s", kernel->name);
  std::printf(": %d passed, %d failed\n", n_passed, n_failed);
  return n_failed ? 1 : 0;
}
