#ifndef CONVERGENCE_LIB_COUNTERS_EXPOSITION_H_
#define CONVERGENCE_LIB_COUNTERS_EXPOSITION_H_

#include <functional>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"
#include "lib/counters/labelled.h"

namespace convergence {

// The series of a page in the text form that Prometheus scrapes, each with its one sample: of the names that are
// wanted, for a proxy's page may have a hundred thousand lines. A page that ends within a line, or has a line that is
// none, is kind "protocol" with the line's number: nothing of it is known then.
absl::StatusOr<std::vector<LabelledSeries>> read_exposition(std::string_view page, Time read_at,
                                                            const std::function<bool(std::string_view name)>& wanted);

}  // namespace convergence

#endif  // CONVERGENCE_LIB_COUNTERS_EXPOSITION_H_
