#include "lib/counters/arm_readings.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <map>
#include <optional>
#include <set>

#include "convergence/error.h"
#include "fmt/format.h"
#include "lib/base/status_macros.h"

namespace convergence {
namespace {

absl::Status not_counted(std::string_view problem) { return make_error(ErrorKind::kValidate, problem); }

using OfInstance = std::map<std::string, std::vector<const LabelledSeries*>, std::less<>>;

OfInstance by_instance(const std::vector<LabelledSeries>& all, std::string_view label) {
  OfInstance out;
  for (const LabelledSeries& one : all) {
    if (!one.samples.empty()) out[std::string(label_of(one, label))].push_back(&one);
  }
  return out;
}

double value_at(const LabelledSeries& series, Time at) {
  const auto after = std::upper_bound(series.samples.begin(), series.samples.end(), at,
                                      [](Time time, const CounterSample& sample) { return time < sample.at; });
  return after == series.samples.begin() ? 0 : after[-1].value;
}

double sum_at(const OfInstance& all, std::string_view instance, Time at) {
  const auto found = all.find(instance);
  double sum = 0;
  if (found == all.end()) return sum;
  for (const LabelledSeries* one : found->second) sum += value_at(*one, at);
  return sum;
}

double sum_at(const std::vector<OfInstance>& counters, std::string_view instance, Time at) {
  double sum = 0;
  for (const OfInstance& counter : counters) sum += sum_at(counter, instance, at);
  return sum;
}

// Without this a metric that nobody has would look like one that never counts a failure.
absl::StatusOr<std::vector<OfInstance>> split(const CounterSum& sum,
                                              const std::vector<std::vector<LabelledSeries>>& all,
                                              std::string_view label) {
  std::vector<OfInstance> out;
  for (std::size_t i = 0; i < sum.counters.size(); ++i) {
    out.push_back(i < all.size() ? by_instance(all[i], label) : OfInstance());
    if (out.back().empty() && !sum.counters[i].starts_absent) {
      return not_counted(fmt::format("there is no {}", selector_of(sum.counters[i])));
    }
  }
  return out;
}

std::optional<double> bound_of(const LabelledSeries& series, const RawHistogram& histogram) {
  double bound = 0;
  if (!number_from(label_of(series, histogram.bound_label), bound) || std::isnan(bound)) return std::nullopt;
  return bound * histogram.milliseconds;
}

bool same_bound(double a, double b) {
  if (std::isinf(a) || std::isinf(b)) return a == b;
  return std::abs(a - b) <= 1e-9 * std::max(std::abs(a), std::abs(b));
}

// One counter for each bound that is wanted, and one of all answers.
absl::StatusOr<std::vector<OfInstance>> split_buckets(const MetricPreset& preset, const ArmSeries& series,
                                                      const std::vector<double>& bounds) {
  std::vector<OfInstance> out;
  if (bounds.empty()) return out;
  if (!preset.latency) return not_counted(fmt::format("{} counts no durations; leave the bounds away", preset.name));
  std::vector<double> wanted = bounds;
  wanted.push_back(std::numeric_limits<double>::infinity());
  for (const double bound : wanted) {
    OfInstance& of_bound = out.emplace_back();
    for (const LabelledSeries& one : series.latency) {
      const std::optional<double> its = bound_of(one, *preset.latency);
      if (!its || !same_bound(*its, bound) || one.samples.empty()) continue;
      of_bound[std::string(label_of(one, preset.instance_label))].push_back(&one);
    }
    if (of_bound.empty()) {
      return not_counted(fmt::format("{} has no bucket of {} ms", selector_of(preset.latency->counter), bound));
    }
  }
  return out;
}

}  // namespace

Arm arm_of(MetricPreset preset) {
  Arm arm;
  arm.series.requests.resize(preset.requests.counters.size());
  arm.series.failures.resize(preset.failures.counters.size());
  arm.preset = std::move(preset);
  return arm;
}

absl::StatusOr<std::vector<InstanceCounters>> readings_of(const MetricPreset& preset, const ArmSeries& series,
                                                          const std::vector<double>& bounds) {
  std::map<std::string, std::set<Time>, std::less<>> moments;
  for (const std::vector<LabelledSeries>& counter : series.requests) {
    for (const LabelledSeries& one : counter) {
      for (const CounterSample& sample : one.samples) {
        moments[std::string(label_of(one, preset.instance_label))].insert(sample.at);
      }
    }
  }
  std::vector<InstanceCounters> out;
  if (moments.empty()) return out;
  CVG_ASSIGN_OR_RETURN(const std::vector<OfInstance> requests,
                       split(preset.requests, series.requests, preset.instance_label));
  CVG_ASSIGN_OR_RETURN(const std::vector<OfInstance> failures,
                       split(preset.failures, series.failures, preset.instance_label));
  CVG_ASSIGN_OR_RETURN(const std::vector<OfInstance> buckets, split_buckets(preset, series, bounds));
  for (const auto& [instance, times] : moments) {
    for (const Time at : times) {
      InstanceCounters reading;
      reading.instance = instance;
      reading.at = at;
      reading.requests = sum_at(requests, instance, at);
      reading.failures = sum_at(failures, instance, at);
      for (const OfInstance& bucket : buckets) reading.buckets.push_back(sum_at(bucket, instance, at));
      out.push_back(std::move(reading));
    }
  }
  return out;
}

}  // namespace convergence
