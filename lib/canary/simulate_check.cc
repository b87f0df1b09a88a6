#include <cmath>

#include "convergence/error.h"
#include "convergence/simulate.h"
#include "fmt/format.h"
#include "lib/base/status_macros.h"
#include "lib/canary/seconds.h"
#include "lib/canary/threshold_rule.h"

namespace convergence {
namespace {

absl::Status refuse_simulation(std::string_view what, std::string_view field, std::string_view problem) {
  return make_error(ErrorKind::kValidate, fmt::format("{}: {}: {}", what, field, problem),
                    Json(Json::Object{{"field", Json(field)}}));
}

// Written so that NaN fails.
absl::Status check_number(std::string_view field, double value, double low, double high) {
  if (value >= low && value <= high) return absl::OkStatus();
  return refuse_simulation("scenario", field, fmt::format("is {}; it must be in {}..{}", value, low, high));
}

absl::Status check_time(std::string_view field, Duration value, Duration low, Duration high) {
  if (value >= low && value <= high) return absl::OkStatus();
  return refuse_simulation(
      "scenario", field,
      fmt::format("is {} s; it must be in {}..{} s", seconds_of(value), seconds_of(low), seconds_of(high)));
}

constexpr double kMostRequests = 1e9;  // a second
constexpr Duration kLongestTime = std::chrono::hours(24 * 7);
constexpr Duration kShortestTime = std::chrono::milliseconds(100);
constexpr std::int64_t kMostRuns = 10'000'000;

absl::Status check_scenario_bounds(const std::vector<double>& bounds) {
  for (std::size_t j = 0; j < bounds.size(); ++j) {
    if (!std::isfinite(bounds[j]) || bounds[j] <= (j > 0 ? bounds[j - 1] : 0)) {
      return refuse_simulation("scenario", "bounds", "must be above 0 and rise");
    }
  }
  return bounds.size() <= 100 ? absl::OkStatus() : refuse_simulation("scenario", "bounds", "are more than 100");
}

absl::Status check_faults(const Scenario& scenario) {
  CVG_RETURN_IF_ERROR(check_number("canary.error_times", scenario.canary.error_times, 0, 1e6));
  CVG_RETURN_IF_ERROR(check_number("canary.error_add", scenario.canary.error_add, 0, 1));
  CVG_RETURN_IF_ERROR(check_number("canary.latency_times", scenario.canary.latency_times, 1e-6, 1e6));
  CVG_RETURN_IF_ERROR(check_number("canary.tail_share", scenario.canary.tail_share, 0, 1));
  CVG_RETURN_IF_ERROR(check_number("canary.tail_ms", scenario.canary.tail_ms, 0, 1e9));
  CVG_RETURN_IF_ERROR(check_time("canary.start_s", scenario.canary.start, Duration(0), kLongestTime));
  if (const auto& incident = scenario.incident) {
    CVG_RETURN_IF_ERROR(check_number("incident.error_rate", incident->error_rate, 0, 1));
    CVG_RETURN_IF_ERROR(check_number("incident.latency_times", incident->latency_times, 1e-6, 1e6));
    CVG_RETURN_IF_ERROR(check_time("incident.start_s", incident->start, Duration(0), kLongestTime));
    CVG_RETURN_IF_ERROR(check_time("incident.length_s", incident->length, Duration(0), kLongestTime));
  }
  if (const auto& drift = scenario.drift) {
    CVG_RETURN_IF_ERROR(check_number("drift.peak", drift->peak, 0, 1));
    CVG_RETURN_IF_ERROR(check_time("drift.period_s", drift->period, std::chrono::seconds(1), kLongestTime));
  }
  if (const auto& stall = scenario.stall) {
    CVG_RETURN_IF_ERROR(check_number("stall.share", stall->share, 0, 1));
    CVG_RETURN_IF_ERROR(check_number("stall.slow", stall->slow, 0, 1));
  }
  return absl::OkStatus();
}

}  // namespace

absl::Status validate(const Scenario& scenario) {
  CVG_RETURN_IF_ERROR(check_number("rps", scenario.rps, 0, kMostRequests));
  CVG_RETURN_IF_ERROR(check_number("error_rate", scenario.error_rate, 0, 1));
  CVG_RETURN_IF_ERROR(check_number("latency.median_ms", scenario.median_ms, 1e-3, 1e9));
  CVG_RETURN_IF_ERROR(check_number("latency.sigma", scenario.sigma, 1e-3, 10));
  CVG_RETURN_IF_ERROR(check_number("slow_ms", scenario.slow_ms, 0, 1e9));
  CVG_RETURN_IF_ERROR(check_number("retries", scenario.retries, 0, 100));
  CVG_RETURN_IF_ERROR(check_number("burst", scenario.burst, 1, 1000));
  CVG_RETURN_IF_ERROR(check_number("extrapolation", scenario.extrapolation, 1, 10));
  CVG_RETURN_IF_ERROR(check_number("primary_instances", scenario.primary_instances, 1, 1000));
  CVG_RETURN_IF_ERROR(check_number("canary_instances", scenario.canary_instances, 1, 1000));
  CVG_RETURN_IF_ERROR(check_time("scrape_offset_s", scenario.scrape_offset, Duration(0), kLongestTime));
  CVG_RETURN_IF_ERROR(check_time("before_s", scenario.before, Duration(0), kLongestTime));
  CVG_RETURN_IF_ERROR(check_time("horizon_s", scenario.horizon, std::chrono::seconds(1), kLongestTime));
  CVG_RETURN_IF_ERROR(check_scenario_bounds(scenario.bounds));
  return check_faults(scenario);
}

absl::Status validate(const SimulatedPolicy& policy) {
  if (policy.rule == SimulatedRule::kEvidence) {
    CVG_RETURN_IF_ERROR(validate(policy.evidence.analysis));
    return validate(policy.evidence.ramp);
  }
  const ThresholdRule& rule = policy.threshold;
  if (rule.interval < kShortestTime || rule.interval > kLongestTime)
    return refuse_simulation("policy", "interval", "must be in 0.1 s..7 days");
  if (rule.steps.empty()) return refuse_simulation("policy", "steps", "are none; give at least one weight");
  for (std::int32_t step : rule.steps) {
    if (step < 1 || step > 10000)
      return refuse_simulation("policy", "steps", fmt::format("{} is not in 1..10000", step));
  }
  if (rule.checks_per_step < 1) return refuse_simulation("policy", "checks_per_step", "must be at least 1");
  if (rule.threshold < 1) return refuse_simulation("policy", "threshold", "must be at least 1");
  if (!(rule.min_success_rate >= 0 && rule.min_success_rate <= 1))
    return refuse_simulation("policy", "min_success_rate", "must be in 0..1");
  return rule.max_latency_ms > 0 ? absl::OkStatus()
                                 : refuse_simulation("policy", "max_latency_ms", "must be more than 0");
}

absl::Status check_runs(std::int64_t runs) {
  if (runs >= 1 && runs <= kMostRuns) return absl::OkStatus();
  return refuse_simulation("simulation", "runs", fmt::format("is {}; it must be in 1..{}", runs, kMostRuns));
}

}  // namespace convergence
