#ifndef CONVERGENCE_LIB_CANARY_COUNTS_H_
#define CONVERGENCE_LIB_CANARY_COUNTS_H_

#include <algorithm>

#include "convergence/analysis.h"

namespace convergence {

// A sum that has no buckets yet takes those of the first count.
inline void add_count(const ArmCount& count, ArmCount& sum) {
  sum.requests += count.requests;
  sum.failures += count.failures;
  sum.buckets.resize(std::max(sum.buckets.size(), count.buckets.size()));
  for (std::size_t j = 0; j < count.buckets.size(); ++j) sum.buckets[j] += count.buckets[j];
}

}  // namespace convergence

#endif  // CONVERGENCE_LIB_CANARY_COUNTS_H_
