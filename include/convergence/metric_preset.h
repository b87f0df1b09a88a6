#ifndef CONVERGENCE_METRIC_PRESET_H_
#define CONVERGENCE_METRIC_PRESET_H_

#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "absl/status/statusor.h"
#include "convergence/time.h"

namespace convergence {

// What proxies count of one subset of a service: the names of raw counters, for who scrapes a proxy's own page, and the
// same as texts for Prometheus. All of it at the caller, who also sees connections that were refused; the candidate's
// own sidecar does not. An attempt that was retried is a request, and a failure: a retry stays in the subset first
// chosen, and hides what the subset does from everybody but who counts attempts (statistics.md 8).

// One label that a series must have. The proxy's page is held against it with matches().
struct LabelMatch {
  std::string label{};
  std::string value{};
  bool pattern = false;  // `value` is a regular expression for the whole text
  friend bool operator==(const LabelMatch&, const LabelMatch&) = default;
};

// Series of one name; a sum is wanted where there are several with these labels.
struct RawCounter {
  std::string name{};
  std::vector<LabelMatch> labels{};
  bool starts_absent = false;  // the proxy has no such series before the first event: absent is 0, if others are there
  friend bool operator==(const RawCounter&, const RawCounter&) = default;
};

// The sum of counters.
struct CounterSum {
  std::vector<RawCounter> counters{};
  std::string promql{};  // the sum as it stands, for each instance of the proxy
  friend bool operator==(const CounterSum&, const CounterSum&) = default;
};

// A cumulative histogram: series `counter` with one more label, the upper bound. It counts answers, not attempts, so
// that its +Inf may be less than the requests.
struct RawHistogram {
  RawCounter counter{};
  std::string bound_label = "le";
  double milliseconds = 1;       // that a bound of 1 stands for
  std::vector<double> bounds{};  // milliseconds, as the proxy has them unless it is told others; without +Inf
  std::string promql{};          // the sums as they stand, for each instance and bound
  friend bool operator==(const RawHistogram&, const RawHistogram&) = default;
};

struct MetricPreset {
  std::string name{};
  std::string instance_label = "instance";  // in Prometheus' answers: which proxy counted
  CounterSum requests{};                    // attempts
  CounterSum failures{};                    // of them: answered 5xx, or not at all
  std::optional<RawHistogram> latency{};    // absent where the proxy counts none
  // One number over the window, for rules that compare it with a threshold.
  std::string success_rate{};  // percent of the attempts
  std::string duration_p99{};  // milliseconds; empty without latency
  friend bool operator==(const MetricPreset&, const MetricPreset&) = default;
};

// Whose counters. What is empty is not asked for.
struct PresetTarget {
  std::string service{};
  std::string subset{};
  std::string datacenter{};
  std::string name_space{};                   // Consul's
  Duration window = std::chrono::minutes(1);  // of success_rate and duration_p99; at least four scrapes
  std::string proxy{};                        // HAProxy: the backend, if it has another name
  std::vector<LabelMatch> more{};             // of the series: job, environment ...
  std::string instance_label = "instance";
  friend bool operator==(const PresetTarget&, const PresetTarget&) = default;
};

// The presets' names, in order:
//   envoy           Envoy that a Consul since 1.9 has configured: labels consul_destination_service_subset ...
//   envoy-1.8       Envoy of older Consuls: consul_service_subset ... (later ones have these too unless told not to)
//   haproxy         HAProxy's own exporter; a backend for each subset, "<service>-<subset>" unless `proxy` names it
//   haproxy-server  the same; one backend "<service>" whose servers are named v2, v2-1 or v2_1 for subset v2
std::vector<std::string_view> metric_preset_names();

// INVALID_ARGUMENT kind "validate" for a name that is none of these, a service or subset that is missing, and a window
// that is no positive time.
absl::StatusOr<MetricPreset> metric_preset(std::string_view name, const PresetTarget& target);

// The counter as Prometheus selects it: name{label="value",...}.
std::string selector_of(const RawCounter& counter);

// Whether a series of a page is one of the counter's. A label that it does not have is an empty text.
bool matches(const RawCounter& counter, std::string_view name,
             const std::vector<std::pair<std::string, std::string>>& labels);

}  // namespace convergence

#endif  // CONVERGENCE_METRIC_PRESET_H_
