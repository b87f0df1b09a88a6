#ifndef CONVERGENCE_LIB_COUNTERS_LABELLED_H_
#define CONVERGENCE_LIB_COUNTERS_LABELLED_H_

#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "absl/status/statusor.h"
#include "convergence/time.h"

namespace convergence {

struct CounterSample {
  Time at{};
  double value = 0;
  friend bool operator==(const CounterSample&, const CounterSample&) = default;
};

using Labels = std::vector<std::pair<std::string, std::string>>;  // in the order they came

// One series as a Prometheus or a page tells it.
struct LabelledSeries {
  std::string name{};
  Labels labels{};
  std::vector<CounterSample> samples{};
  friend bool operator==(const LabelledSeries&, const LabelledSeries&) = default;
};

// Empty when there is no such label.
std::string_view label_of(const LabelledSeries& series, std::string_view label);

// A number as Prometheus writes it: NaN and Inf are numbers.
bool number_from(std::string_view text, double& value);

}  // namespace convergence

#endif  // CONVERGENCE_LIB_COUNTERS_LABELLED_H_
