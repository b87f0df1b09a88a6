#include "convergence/metric_preset.h"

#include <fmt/format.h>

#include <algorithm>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "convergence/error.h"
#include "lib/base/regex.h"
#include "lib/base/status_macros.h"

namespace convergence {
namespace {

// ---- texts for Prometheus ----------------------------------------------------------------------------------------

std::string promql_text(std::string_view value) {
  std::string out = "\"";
  for (const char c : value) {
    if (c == '"' || c == '\\') out += '\\';
    if (c == '\n') {
      out += "\\n";
    } else {
      out += c;
    }
  }
  return out + '"';
}

// A series that is not there yet counts for nothing, but only as long as `there` is: its zeros, so that a query of a
// proxy that nobody scrapes stays without an answer.
std::string sum_by(const CounterSum& sum, std::string_view labels, const RawCounter& there) {
  std::string out;
  for (const RawCounter& counter : sum.counters) {
    if (!out.empty()) out += " + ";
    out += counter.starts_absent ? fmt::format("(sum by ({0}) ({1}) or sum by ({0}) ({2}) * 0)", labels,
                                               selector_of(counter), selector_of(there))
                                 : fmt::format("sum by ({}) ({})", labels, selector_of(counter));
  }
  return out;
}

std::string increases(const CounterSum& sum, std::string_view window) {
  std::string out;
  for (const RawCounter& counter : sum.counters) {
    const std::string one = fmt::format("sum(increase({}[{}]))", selector_of(counter), window);
    if (!out.empty()) out += " + ";
    out += counter.starts_absent ? fmt::format("({} or vector(0))", one) : one;
  }
  return out;
}

// Prometheus has no fractions in its times.
std::string window_text(Duration window) {
  const auto milliseconds = std::chrono::duration_cast<std::chrono::milliseconds>(window).count();
  return milliseconds % 1000 == 0 ? fmt::format("{}s", milliseconds / 1000) : fmt::format("{}ms", milliseconds);
}

// ---- what each proxy counts --------------------------------------------------------------------------------------

// Label names of Consul's tags for Envoy: renamed in 1.9.
struct EnvoyLabels {
  std::string_view service, subset, datacenter, name_space;
};
constexpr EnvoyLabels kEnvoy = {"consul_destination_service", "consul_destination_service_subset",
                                "consul_destination_datacenter", "consul_destination_namespace"};
constexpr EnvoyLabels kEnvoy18 = {"consul_service", "consul_service_subset", "consul_datacenter", "consul_namespace"};

std::vector<LabelMatch> with(std::vector<LabelMatch> labels, const std::vector<LabelMatch>& more) {
  labels.insert(labels.end(), more.begin(), more.end());
  return labels;
}

RawCounter counter(std::string_view name, std::vector<LabelMatch> labels, bool starts_absent = false) {
  RawCounter out;
  out.name = std::string(name);
  out.labels = std::move(labels);
  out.starts_absent = starts_absent;
  return out;
}

LabelMatch label(std::string_view name, std::string_view value, bool pattern = false) {
  LabelMatch out;
  out.label = std::string(name);
  out.value = std::string(value);
  out.pattern = pattern;
  return out;
}

// A final answer is counted under upstream_rq, one that is retried under retry.upstream_rq; a class of codes has no
// series before its first answer.
void add_envoy(const EnvoyLabels& names, const PresetTarget& target, MetricPreset& out) {
  std::vector<LabelMatch> cluster = {label(names.service, target.service), label(names.subset, target.subset)};
  if (!target.datacenter.empty()) cluster.push_back(label(names.datacenter, target.datacenter));
  if (!target.name_space.empty()) cluster.push_back(label(names.name_space, target.name_space));
  cluster = with(std::move(cluster), target.more);
  const std::vector<LabelMatch> failed = with({label("envoy_response_code_class", "5")}, cluster);
  out.requests.counters = {counter("envoy_cluster_upstream_rq_completed", cluster),
                           counter("envoy_cluster_retry_upstream_rq_completed", cluster, true)};
  out.failures.counters = {counter("envoy_cluster_upstream_rq_xx", failed, true),
                           counter("envoy_cluster_retry_upstream_rq_xx", failed, true)};
  RawHistogram& latency = out.latency.emplace();
  latency.counter = counter("envoy_cluster_upstream_rq_time_bucket", cluster);
  latency.bounds = {0.5,  1,    5,     10,    25,    50,     100,    250,     500,    1000,
                    2500, 5000, 10000, 30000, 60000, 300000, 600000, 1800000, 3600000};
}

// Its exporter has a series for each class of codes from the beginning, and averages in place of a histogram.
void add_haproxy(std::string_view part, std::vector<LabelMatch> which, MetricPreset& out) {
  const std::string responses = fmt::format("haproxy_{}_http_responses_total", part);
  const std::string retries = fmt::format("haproxy_{}_retry_warnings_total", part);
  out.requests.counters = {counter(responses, which), counter(retries, which)};
  out.failures.counters = {counter(responses, with({label("code", "5xx")}, which)), counter(retries, which)};
}

absl::Status check_target(const PresetTarget& target, bool names_backend) {
  const auto refuse = [](std::string_view field, std::string_view problem) {
    return make_error(ErrorKind::kValidate, fmt::format("metric preset: {} {}", field, problem),
                      Json().set("where", "metric preset").set("field", field));
  };
  if (target.service.empty() && !names_backend) return refuse("service", "is missing: whose counters are wanted");
  if (target.subset.empty() && !names_backend) return refuse("subset", "is missing: whose counters are wanted");
  if (target.window < std::chrono::milliseconds(1)) return refuse("window", "must be 1 ms or more");
  if (target.instance_label.empty()) return refuse("instance_label", "must not be empty");
  return absl::OkStatus();
}

void write_queries(const PresetTarget& target, MetricPreset& out) {
  const std::string window = window_text(target.window);
  const std::string& by = out.instance_label;
  const RawCounter& there = out.requests.counters.front();
  out.requests.promql = sum_by(out.requests, by, there);
  out.failures.promql = sum_by(out.failures, by, there);
  out.success_rate =
      fmt::format("100 * (1 - ({}) / ({}))", increases(out.failures, window), increases(out.requests, window));
  if (!out.latency) return;
  RawHistogram& latency = *out.latency;
  latency.promql = fmt::format("sum by ({}, {}) ({})", by, latency.bound_label, selector_of(latency.counter));
  out.duration_p99 = fmt::format("histogram_quantile(0.99, sum by ({}) (rate({}[{}])))", latency.bound_label,
                                 selector_of(latency.counter), window);
}

}  // namespace

std::string selector_of(const RawCounter& counter) {
  std::string out = counter.name;
  std::string_view before = "{";
  for (const LabelMatch& one : counter.labels) {
    out += fmt::format("{}{}{}{}", before, one.label, one.pattern ? "=~" : "=", promql_text(one.value));
    before = ",";
  }
  return counter.labels.empty() ? out : out + "}";
}

std::vector<std::string_view> metric_preset_names() { return {"envoy", "envoy-1.8", "haproxy", "haproxy-server"}; }

absl::StatusOr<MetricPreset> metric_preset(std::string_view name, const PresetTarget& target) {
  MetricPreset out;
  out.name = std::string(name);
  out.instance_label = target.instance_label;
  CVG_RETURN_IF_ERROR(check_target(target, name == "haproxy" && !target.proxy.empty()));
  const std::string& backend = target.proxy;
  if (name == "envoy") {
    add_envoy(kEnvoy, target, out);
  } else if (name == "envoy-1.8") {
    add_envoy(kEnvoy18, target, out);
  } else if (name == "haproxy") {
    const std::string of_subset = fmt::format("{}-{}", target.service, target.subset);
    add_haproxy("backend", with({label("proxy", backend.empty() ? of_subset : backend)}, target.more), out);
  } else if (name == "haproxy-server") {
    add_haproxy("server",
                with({label("proxy", backend.empty() ? target.service : backend),
                      label("server", escape_regex(target.subset) + "([-_][0-9]+)?", true)},
                     target.more),
                out);
  } else {
    return make_error(ErrorKind::kValidate,
                      fmt::format("\"{}\" is no metric preset: {}", name, fmt::join(metric_preset_names(), ", ")),
                      Json().set("where", "metric preset").set("field", "name"));
  }
  write_queries(target, out);
  return out;
}

bool matches(const RawCounter& counter, std::string_view name,
             const std::vector<std::pair<std::string, std::string>>& labels) {
  if (name != counter.name) return false;
  return std::all_of(counter.labels.begin(), counter.labels.end(), [&](const LabelMatch& wanted) {
    const auto found =
        std::find_if(labels.begin(), labels.end(), [&](const auto& one) { return one.first == wanted.label; });
    const std::string_view value = found == labels.end() ? std::string_view() : std::string_view(found->second);
    if (!wanted.pattern) return value == wanted.value;
    const absl::StatusOr<Regex> pattern = Regex::compile(wanted.value);
    return pattern.ok() && pattern->full_match(value);
  });
}

}  // namespace convergence
