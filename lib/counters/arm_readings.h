#ifndef CONVERGENCE_LIB_COUNTERS_ARM_READINGS_H_
#define CONVERGENCE_LIB_COUNTERS_ARM_READINGS_H_

#include <vector>

#include "absl/status/statusor.h"
#include "convergence/counters.h"
#include "convergence/metric_preset.h"
#include "lib/counters/labelled.h"

namespace convergence {

// The series of one arm, in the order of the preset's counters.
struct ArmSeries {
  std::vector<std::vector<LabelledSeries>> requests{};
  std::vector<std::vector<LabelledSeries>> failures{};
  std::vector<LabelledSeries> latency{};
};

// What is asked of one arm, and what has come of it.
struct Arm {
  MetricPreset preset{};
  ArmSeries series{};
};
// With a place for the series of each of the preset's counters.
Arm arm_of(MetricPreset preset);

// The series as readings of instances: one for each moment at which an instance's requests were read. A series that is
// not there yet counts 0, one that is there no more keeps its last value. Kind "validate" where a counter that has to
// be there is not, and for a bound that the histogram does not have.
absl::StatusOr<std::vector<InstanceCounters>> readings_of(const MetricPreset& preset, const ArmSeries& series,
                                                          const std::vector<double>& bounds);

}  // namespace convergence

#endif  // CONVERGENCE_LIB_COUNTERS_ARM_READINGS_H_
