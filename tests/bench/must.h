#ifndef CONVERGENCE_TESTS_BENCH_MUST_H_
#define CONVERGENCE_TESTS_BENCH_MUST_H_

#include <cstdio>
#include <cstdlib>
#include <string>

#include "absl/status/status.h"

namespace convergence::bench {

// What is timed has to be right: a benchmark that is not ends here.
inline void must(bool holds, const char* what) {
  if (holds) return;
  std::fprintf(stderr, "does not hold: %s\n", what);
  std::exit(1);
}

inline void must(const absl::Status& status) { must(status.ok(), std::string(status.message()).c_str()); }

}  // namespace convergence::bench

#endif  // CONVERGENCE_TESTS_BENCH_MUST_H_
