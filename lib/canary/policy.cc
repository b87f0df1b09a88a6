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

absl::Status check_times(const CanaryPolicy& policy) {
  CVG_RETURN_IF_ERROR(check_duration("interval", policy.interval, Duration(0)));
  CVG_RETURN_IF_ERROR(check_duration("settle", policy.settle, Duration(-1)));
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
