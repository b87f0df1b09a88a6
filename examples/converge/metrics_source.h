#ifndef CONVERGENCE_EXAMPLES_CONVERGE_METRICS_SOURCE_H_
#define CONVERGENCE_EXAMPLES_CONVERGE_METRICS_SOURCE_H_

#include <memory>
#include <vector>

#include "absl/status/statusor.h"
#include "convergence/metrics.h"
#include "options.h"

namespace cli {

// Where the evidence of a rollout comes from, with the connections that lead there.
struct Metrics {
  std::vector<std::unique_ptr<convergence::Transport>> transports;
  std::unique_ptr<convergence::MetricsSource> source;
};

// From --metrics or --metrics-command; INVALID_ARGUMENT naming the flag.
absl::StatusOr<Metrics> metrics_from(const Arguments& arguments, convergence::Executor& executor);

}  // namespace cli

#endif  // CONVERGENCE_EXAMPLES_CONVERGE_METRICS_SOURCE_H_
