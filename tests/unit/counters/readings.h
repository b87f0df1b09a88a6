#ifndef CONVERGENCE_TESTS_UNIT_COUNTERS_READINGS_H_
#define CONVERGENCE_TESTS_UNIT_COUNTERS_READINGS_H_

#include <string>
#include <utility>
#include <vector>

#include "convergence/counters.h"

namespace convergence::test {

inline Time at_second(std::int64_t second) { return Time(std::chrono::seconds(1'000'000 + second)); }

inline InstanceCounters reading(std::string instance, std::int64_t second, double requests, double failures,
                                std::vector<double> buckets = {}) {
  InstanceCounters out;
  out.instance = std::move(instance);
  out.at = at_second(second);
  out.requests = requests;
  out.failures = failures;
  out.buckets = std::move(buckets);
  return out;
}

inline ArmCount arm(double requests, double failures, std::vector<double> buckets = {}) {
  ArmCount out;
  out.requests = requests;
  out.failures = failures;
  out.buckets = std::move(buckets);
  return out;
}

inline InstanceCount counted_from_to(std::string instance, std::int64_t from, std::int64_t to, ArmCount count,
                                     std::int32_t resets = 0) {
  InstanceCount out;
  out.instance = std::move(instance);
  out.count = std::move(count);
  out.from = at_second(from);
  out.to = at_second(to);
  out.resets = resets;
  return out;
}

}  // namespace convergence::test

#endif  // CONVERGENCE_TESTS_UNIT_COUNTERS_READINGS_H_
