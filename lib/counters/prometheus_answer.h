#ifndef CONVERGENCE_LIB_COUNTERS_PROMETHEUS_ANSWER_H_
#define CONVERGENCE_LIB_COUNTERS_PROMETHEUS_ANSWER_H_

#include <string_view>
#include <vector>

#include "absl/status/statusor.h"
#include "lib/counters/labelled.h"

namespace convergence {

// The series in the body of an answer of /api/v1/query, a vector or a matrix. Kind "protocol" for what is no such
// answer, one of status "error", and one with warnings: those are not complete.
absl::StatusOr<std::vector<LabelledSeries>> read_prometheus_answer(std::string_view body);

}  // namespace convergence

#endif  // CONVERGENCE_LIB_COUNTERS_PROMETHEUS_ANSWER_H_
