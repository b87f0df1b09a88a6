#include <algorithm>
#include <cmath>

#include "convergence/canary.h"
#include "convergence/error.h"
#include "fmt/format.h"
#include "lib/base/status_macros.h"
#include "lib/canary/weigh_evidence.h"

namespace convergence {
namespace {

// Ten years: far above any rollout, far below where nanoseconds overflow.
constexpr Duration kLongest = std::chrono::hours(24 * 365 * 10);
constexpr std::size_t kMostSteps = 1000;
constexpr std::size_t kLongestName = 256;

absl::Status refuse(std::string_view field, std::string_view problem) {
  return make_error(ErrorKind::kValidate, fmt::format("canary policy: {}: {}", field, problem),
                    Json(Json::Object{{"field", Json(field)}}));
}

absl::Status check_name(std::string_view field, std::string_view name) {
  if (name.empty()) return refuse(field, "is empty; it must be named");
  if (name.size() > kLongestName) return refuse(field, fmt::format("is longer than {} bytes", kLongestName));
  return absl::OkStatus();
}

absl::Status check_duration(std::string_view field, Duration duration, Duration above) {
  if (duration <= above) {
    return refuse(field, fmt::format("is {} ns; it must be more than {} ns", duration.count(), above.count()));
  }
  if (duration > kLongest) return refuse(field, "is longer than ten years");
  return absl::OkStatus();
}

absl::Status check_steps(const std::vector<std::int32_t>& steps) {
  if (steps.empty()) return refuse("steps", "is empty; give at least one weight");
  if (steps.size() > kMostSteps) return refuse("steps", fmt::format("has more than {} weights", kMostSteps));
  std::int32_t before = 0;
  for (std::size_t i = 0; i < steps.size(); ++i) {
    if (steps[i] < 1 || steps[i] > 10000) {
      return refuse("steps", fmt::format("weight {} is {}; it must be in 1..10000", i, steps[i]));
    }
    if (steps[i] <= before) {
      return refuse("steps", fmt::format("weight {} is {} after {}; weights must rise", i, steps[i], before));
    }
    before = steps[i];
  }
  return absl::OkStatus();
}

// ---- whom the candidate gets ------------------------------------------------------------------------------------

absl::Status check_named(const std::string& field, const std::vector<NamedMatch>& list, bool any_kind) {
  for (std::size_t i = 0; i < list.size(); ++i) {
    const std::string place = fmt::format("{}[{}]", field, i);
    CVG_RETURN_IF_ERROR(check_name(place + ".name", list[i].name));
    const bool partial = list[i].kind == MatchKind::kPrefix || list[i].kind == MatchKind::kSuffix;
    if (partial && !any_kind)
      return refuse(place, "takes exact, regex or present; only headers have prefix and suffix");
    if (list[i].kind != MatchKind::kPresent && list[i].value.empty()) {
      return refuse(place, fmt::format("{} is empty", to_string(list[i].kind)));
    }
  }
  return absl::OkStatus();
}

absl::Status check_match(const CanaryPolicy& policy) {
  for (std::size_t i = 0; i < policy.match.size(); ++i) {
    const RequestMatch& match = policy.match[i];
    const std::string field = fmt::format("match[{}]", i);
    CVG_RETURN_IF_ERROR(check_named(field + ".headers", match.headers, true));
    CVG_RETURN_IF_ERROR(check_named(field + ".cookies", match.cookies, false));
    CVG_RETURN_IF_ERROR(check_named(field + ".query", match.query, false));
    if (!match.path_prefix.empty() && match.path_prefix.front() != '/') {
      return refuse(field + ".path_prefix", "must begin with /");
    }
    if (match.headers.empty() && match.cookies.empty() && match.query.empty() && match.path_prefix.empty() &&
        match.methods.empty()) {
      return refuse(field, "names nothing; every request would match");
    }
    if (match.cookies.size() > 1) return refuse(field + ".cookies", "a route can look for one cookie");
  }
  if (policy.strategy == CanaryStrategy::kMatch && policy.match.empty()) {
    return refuse("match", "is empty; the strategy match needs to know whose requests go to the candidate");
  }
  return absl::OkStatus();
}

// What a cookie's name may hold (RFC 6265: a token).
bool is_cookie_name(std::string_view name) {
  return !name.empty() && name.size() <= kLongestName && std::all_of(name.begin(), name.end(), [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' || c == '_';
  });
}

absl::Status check_affinity(const CanaryPolicy& policy) {
  if (!policy.affinity) return absl::OkStatus();
  if (policy.strategy != CanaryStrategy::kWeights) {
    return refuse("affinity", fmt::format("is for weights; with {} a user's requests decide themselves",
                                          to_string(policy.strategy)));
  }
  if (!is_cookie_name(policy.affinity->cookie)) {
    return refuse("affinity.cookie", "must be letters, digits, - and _");
  }
  CVG_RETURN_IF_ERROR(check_duration("affinity.max_age", policy.affinity->max_age, Duration(0)));
  if (policy.affinity->cap < 1 || policy.affinity->cap > 10000) return refuse("affinity.cap", "must be in 0.01..100");
  return absl::OkStatus();
}

absl::Status check_services(const CanaryPolicy& policy) {
  for (std::size_t i = 0; i < policy.also.size(); ++i) {
    const RolloutService& service = policy.also[i];
    const std::string field = fmt::format("also[{}]", i);
    CVG_RETURN_IF_ERROR(check_name(field + ".service", service.service));
    CVG_RETURN_IF_ERROR(check_name(field + ".stable_subset", service.stable_subset));
    CVG_RETURN_IF_ERROR(check_name(field + ".candidate_subset", service.candidate_subset));
    if (service.stable_subset == service.candidate_subset) {
      return refuse(field + ".candidate_subset", fmt::format("is the stable subset, {}", service.stable_subset));
    }
    bool twice = service.service == policy.service;
    for (std::size_t j = 0; j < i; ++j) twice = twice || policy.also[j].service == service.service;
    if (twice) return refuse(field + ".service", fmt::format("{} is in the rollout already", service.service));
  }
  if (!policy.also.empty() && policy.evidence) {
    return refuse("also", "evidence compares one service; leave it out for a verdict over several");
  }
  return absl::OkStatus();
}

// ---- what decides -----------------------------------------------------------------------------------------------

absl::Status check_metrics(const CanaryPolicy& policy) {
  for (std::size_t i = 0; i < policy.metrics.size(); ++i) {
    const MetricLimit& limit = policy.metrics[i];
    const std::string field = fmt::format("metrics[{}]", i);
    CVG_RETURN_IF_ERROR(check_name(field + ".name", limit.name));
    for (std::size_t j = 0; j < i; ++j) {
      if (policy.metrics[j].name == limit.name)
        return refuse(field + ".name", fmt::format("{} is there twice", limit.name));
    }
    if (!limit.min && !limit.max && !limit.observe_only) {
      return refuse(field, "has neither min nor max; nothing would ever be outside");
    }
    if ((limit.min && !std::isfinite(*limit.min)) || (limit.max && !std::isfinite(*limit.max))) {
      return refuse(field, "min and max must be numbers");
    }
    if (limit.min && limit.max && *limit.min > *limit.max) return refuse(field + ".max", "is below min");
    if (!(limit.weight > 0 && limit.weight < 1e9)) return refuse(field + ".weight", "must be more than 0");
    if (limit.critical && limit.observe_only) return refuse(field, "cannot be both critical and observe_only");
  }
  if (!(policy.pass_score >= 0 && policy.pass_score <= 100)) return refuse("pass_score", "must be in 0..100");
  return absl::OkStatus();
}

absl::Status check_gates(const CanaryPolicy& policy) {
  for (std::size_t i = 0; i < policy.gates.size(); ++i) {
    const Gate& gate = policy.gates[i];
    const std::string field = fmt::format("gates[{}]", i);
    CVG_RETURN_IF_ERROR(check_name(field + ".name", gate.name));
    for (std::size_t j = 0; j < i; ++j) {
      if (policy.gates[j].name == gate.name)
        return refuse(field + ".name", fmt::format("{} is there twice", gate.name));
    }
    CVG_RETURN_IF_ERROR(check_duration(field + ".deadline", gate.deadline, Duration(0)));
    const bool http = gate.url.starts_with("http://") || gate.url.starts_with("https://");
    if (!gate.url.empty() && !http) return refuse(field + ".url", "must begin with http:// or https://");
  }
  return absl::OkStatus();
}

// ---- the end ----------------------------------------------------------------------------------------------------

absl::Status check_return(const CanaryPolicy& policy) {
  if (!policy.return_steps.empty() && policy.promotion != Promotion::kCopy) {
    return refuse("return_steps", "are for promotion copy; with swap no traffic returns");
  }
  if (policy.bake > Duration(0) && policy.promotion == Promotion::kCopy) {
    return refuse("bake", "is for promotion swap; after a copy no subset runs the old version");
  }
  std::int32_t before = 10001;
  for (std::int32_t weight : policy.return_steps) {
    if (weight < 1 || weight >= before) {
      return refuse("return_steps", fmt::format("{} after {}; weights must fall, in 10000..1", weight, before));
    }
    before = weight;
  }
  return absl::OkStatus();
}

absl::Status check_times(const CanaryPolicy& policy) {
  CVG_RETURN_IF_ERROR(check_duration("interval", policy.interval, Duration(0)));
  CVG_RETURN_IF_ERROR(check_duration("settle", policy.settle, Duration(-1)));
  CVG_RETURN_IF_ERROR(check_duration("initial_delay", policy.initial_delay, Duration(-1)));
  CVG_RETURN_IF_ERROR(check_duration("bake", policy.bake, Duration(-1)));
  // A deadline that comes before the evidence can would roll back every candidate.
  CVG_RETURN_IF_ERROR(
      check_duration("no_evidence_deadline", policy.no_evidence_deadline, policy.settle + policy.interval));
  if (policy.intervals_per_step > kLongest / policy.interval) {
    return refuse("intervals_per_step", "so many intervals last longer than ten years");
  }
  return check_duration("step_deadline", policy.step_deadline,
                        policy.settle + policy.interval * policy.intervals_per_step);
}

}  // namespace

absl::Status validate(const CanaryPolicy& policy) {
  CVG_RETURN_IF_ERROR(check_name("service", policy.service));
  CVG_RETURN_IF_ERROR(check_name("stable_subset", policy.stable_subset));
  CVG_RETURN_IF_ERROR(check_name("candidate_subset", policy.candidate_subset));
  if (policy.stable_subset == policy.candidate_subset) {
    return refuse("candidate_subset", fmt::format("is the stable subset, {}", policy.stable_subset));
  }
  CVG_RETURN_IF_ERROR(check_steps(policy.steps));
  CVG_RETURN_IF_ERROR(check_services(policy));
  CVG_RETURN_IF_ERROR(check_match(policy));
  CVG_RETURN_IF_ERROR(check_affinity(policy));
  CVG_RETURN_IF_ERROR(check_metrics(policy));
  CVG_RETURN_IF_ERROR(check_gates(policy));
  CVG_RETURN_IF_ERROR(check_return(policy));
  if (policy.min_passing < 1) return refuse("min_passing", "must be at least 1");
  if (policy.evidence && policy.mode != CanaryMode::kOwn) {
    return refuse("mode",
                  fmt::format("is {}, and evidence is to decide too; leave one of them out", to_string(policy.mode)));
  }
  if (policy.evidence) {
    CVG_RETURN_IF_ERROR(validate(analysis_of(policy)));
    CVG_RETURN_IF_ERROR(validate(ramp_of(policy)));
  }
  if (policy.intervals_per_step < 1) return refuse("intervals_per_step", "must be at least 1");
  if (policy.min_requests < 1) return refuse("min_requests", "must be at least 1; no request is no evidence");
  // Written so that NaN fails too.
  if (!(policy.min_success_rate >= 0.0 && policy.min_success_rate <= 1.0)) {
    return refuse("min_success_rate", "must be in 0..1");
  }
  if (policy.max_failures < 1) {
    return refuse("max_failures", "must be at least 1; it is the bad measurement that rolls back");
  }
  return check_times(policy);
}

}  // namespace convergence
