// The metrics of a Canary, with the MetricTemplates that they name.
#include <fmt/format.h>

#include <map>
#include <optional>
#include <string>
#include <string_view>

#include "convergence/codec.h"
#include "convergence/metric_preset.h"
#include "lib/import/flagger.h"

namespace convergence::importing {
namespace {

using enum ImportOutcome;

std::string trimmed(std::string_view text) {
  const std::size_t first = text.find_first_not_of(" \t\r\n-");
  if (first == std::string_view::npos) return "";
  return std::string(text.substr(first, text.find_last_not_of(" \t\r\n-") + 1 - first));
}

// {{ name }} and its like; `unknown` is the first that nobody knows.
std::string filled(std::string_view text, const std::map<std::string, std::string>& values, std::string& unknown) {
  std::string out;
  while (true) {
    const std::size_t begin = text.find("{{");
    const std::size_t end = begin == std::string_view::npos ? begin : text.find("}}", begin);
    if (end == std::string_view::npos) return out + std::string(text);
    const std::string name = trimmed(text.substr(begin + 2, end - begin - 2));
    const auto value = values.find(name);
    out += text.substr(0, begin);
    if (value == values.end()) {
      if (unknown.empty()) unknown = name;
      out += text.substr(begin, end + 2 - begin);
    } else {
      out += value->second;
    }
    text.remove_prefix(end + 2);
  }
}

std::map<std::string, std::string> variables_of(const CanaryDraft& draft, const At& metric) {
  std::map<std::string, std::string> out = {
      {"name", draft.name},
      {"namespace", draft.name_space},
      {"target", draft.target},
      {"service", draft.service},
      {"ingress", text_at(draft.spec("ingressRef").member("name")).value_or("")},
      {"route", text_at(draft.spec("routeRef").member("name")).value_or("")},
      {"interval", text_at(metric.member("interval")).value_or("1m")},
  };
  for (const auto& [name, value] : metric.member("templateVariables").members()) {
    out["variables." + name] = text_at(value).value_or("");
  }
  return out;
}

std::string about_query(std::string_view query, const std::string& unknown) {
  if (!unknown.empty()) return fmt::format("the metric's query; {{{{ {} }}}} is known to nobody and stays", unknown);
  for (const std::string_view word : {"pod", "kubernetes_", "deployment", "destination_workload", "namespace="}) {
    if (query.find(word) == std::string_view::npos || query.find("consul_") != std::string_view::npos) continue;
    return "the metric's query; its labels name Kubernetes' workloads, where Envoy on Consul has "
           "consul_destination_service and consul_destination_service_subset";
  }
  return "the metric's query";
}

// The limits of a metric, into `limit`. Flagger lets a builtin success rate be at least the old threshold, and
// everything else at most.
void read_limits(CanaryDraft& draft, const At& metric, bool at_least, Json& limit) {
  const At range = metric.member("thresholdRange");
  const At old = metric.member("threshold");
  const std::optional<double> threshold = number_at(old);
  bool limited = false;
  for (const std::string_view end : {"min", "max"}) {
    const At at = range.member(end);
    const std::optional<double> value = number_at(at);
    draft.say(at, value ? kTranslated : kUnsupported,
              value ? fmt::format("the metric's {}", end) : "is no number: no limit is made of it", "metrics");
    if (!value) continue;
    limit.set(std::string(end), *value);
    limited = true;
  }
  if (limited) return draft.say(old, kIgnored, "thresholdRange says it");
  if (threshold || !at_least) limit.set(at_least ? "min" : "max", threshold.value_or(0));
  draft.say(old, kTranslated, fmt::format("the metric's {}", at_least ? "min" : "max"), "metrics");
}

// Where the number comes from; empty when the host has to bring it.
std::string read_query(CanaryDraft& draft, const At& metric) {
  const At reference = metric.member("templateRef");
  const At own = metric.member("query");
  std::string unknown;
  if (!reference) {
    const std::string query = filled(text_at(own).value_or(""), variables_of(draft, metric), unknown);
    draft.say(own, kTranslated, about_query(query, unknown), "metrics");
    return query;
  }
  draft.say(own, kIgnored, "the template says it");
  const Source* found = referenced(draft, reference, "MetricTemplate");
  if (found == nullptr) {
    draft.say(reference, kUnsupported,
              "no MetricTemplate of this name is in the text: the host has to bring the number");
    return "";
  }
  draft.say(reference, kTranslated, "the template's query stands in the metric", "metrics");
  const At provider = found->root.member("spec").member("provider").member("type");
  const At text = found->root.member("spec").member("query");
  found->report->say("metadata.name", kTranslated, "its query stands in the metrics that name it", "metrics");
  const std::string kind = text_at(provider).value_or("prometheus");
  if (kind != "prometheus") {
    const std::string why = fmt::format("no source here asks {}: the host has to bring the number", kind);
    found->report->say(provider.path, kUnsupported, why);
    found->report->say(text.path, kUnsupported, why);
    return "";
  }
  const std::string query = filled(text_at(text).value_or(""), variables_of(draft, metric), unknown);
  found->report->say(provider.path, kTranslated, "the source that a rollout is started with", "metrics");
  found->report->say(text.path, kTranslated, about_query(query, unknown), "metrics");
  return query;
}

// The two metrics that Flagger asks each mesh for in its own words.
std::string builtin_query(const CanaryDraft& draft, const At& metric, bool success) {
  PresetTarget target;
  target.service = draft.service;
  target.subset = draft.candidate_subset;
  target.window = duration_at(metric.member("interval")).value_or(std::chrono::minutes(1));
  const auto preset = metric_preset("envoy", target);
  if (!preset.ok()) return "";
  return success ? preset->success_rate : preset->duration_p99;
}

void read_metric(CanaryDraft& draft, const At& metric, std::map<std::string, int>& names, bool& has_rate,
                 Json::Array& out) {
  const At named = metric.member("name");
  std::string name = text_at(named).value_or("metric");
  const bool plain = !metric.member("templateRef") && !metric.member("query");
  const bool success = plain && name == "request-success-rate";
  const bool builtin = success || (plain && name == "request-duration");
  Json limit;
  if (const int before = names[name]++; before > 0) name += fmt::format("-{}", before + 1);
  limit.set("name", name);
  const std::string query = builtin ? builtin_query(draft, metric, success) : read_query(draft, metric);
  if (!query.empty()) limit.set("query", query);
  draft.say(named, plain && !builtin ? kUnsupported : kTranslated,
            builtin ? "counted where Envoy of a caller counts it, for the candidate's subset"
            : plain ? "Flagger knows no metric of this name; the host has to bring the number"
                    : "the metric's name",
            "metrics");
  draft.say(metric.member("interval"), kTranslated, "the window of the metric's query", "metrics");
  draft.say(metric.member("templateVariables"), kTranslated, "filled into the metric's query", "metrics");
  read_limits(draft, metric, success, limit);
  const Json* least = limit.find("min");
  // A success rate is what the policy judges by itself, from raw counters.
  const double percent = least == nullptr ? -1 : least->to_double().value_or(-1);
  if (success && !has_rate && limit.find("max") == nullptr && percent >= 0 && percent <= 100) {
    has_rate = true;
    draft.policy.set("min_success_rate", percent / 100);
    draft.say(named, kTranslated, "min_success_rate, of raw counters", "min_success_rate");
    draft.say(metric.member("interval"), kIgnored, "raw counters are compared over the policy's interval");
    for (const char* end : {"thresholdRange", "threshold"}) {
      draft.say(metric.member(end), kTranslated, fmt::format("min_success_rate {}", percent / 100), "min_success_rate");
    }
    return;
  }
  out.push_back(std::move(limit));
}

}  // namespace

void read_metrics(CanaryDraft& draft, const At& metrics) {
  Json::Array limits;
  std::map<std::string, int> names;
  bool has_rate = false;
  for (const At& metric : metrics.items()) read_metric(draft, metric, names, has_rate, limits);
  // What a Canary does not ask for is not asked of its candidate.
  if (!has_rate) draft.policy.set("min_success_rate", 0);
  if (!limits.empty()) draft.policy.set("metrics", std::move(limits));
}

}  // namespace convergence::importing
