// What is checked: each draws one case and tells whether the native code agrees with the slow truth.
#pragma once

#include "data.hpp"

namespace check {

bool rows_come_back(Random& random, const hammingway::Kernel& kernel);
bool distances_are_counts(Random& random, const hammingway::Kernel& kernel);
bool nearest_are_found(Random& random, const hammingway::Kernel& kernel);
bool best_scores_are_found(Random& random, const hammingway::Kernel& kernel);
bool best_biased_scores_are_found(Random& random, const hammingway::Kernel& kernel);

bool probes_find_the_nearest(Random& random, const hammingway::Kernel& kernel);
bool look_ups_find_what_they_reach(Random& random, const hammingway::Kernel& kernel);

bool cells_give_what_they_hold(Random& random, const hammingway::Kernel& kernel);

bool threads_may_search_at_once(Random& random, const hammingway::Kernel& kernel);

}  // namespace check
