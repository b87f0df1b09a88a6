#include <cmath>

#include "convergence/analysis.h"
#include "convergence/error.h"
#include "fmt/format.h"
#include "lib/base/status_macros.h"

namespace convergence {
namespace {

constexpr std::size_t kMostBounds = 1000;

absl::Status refuse_option(std::string_view field, std::string_view problem) {
  return make_error(ErrorKind::kValidate, fmt::format("analysis: {}: {}", field, problem),
                    Json(Json::Object{{"field", Json(field)}}));
}

// Written so that NaN fails.
absl::Status check_within(std::string_view field, double value, double low, double high) {
  if (value >= low && value <= high) return absl::OkStatus();
  return refuse_option(field, fmt::format("is {}; it must be in {}..{}", value, low, high));
}

absl::Status check_level(std::string_view field, double level) {
  if (level > 0 && level < 1) return absl::OkStatus();
  return refuse_option(field, fmt::format("is {}; a probability between 0 and 1 is wanted, as 0.01", level));
}

absl::Status check_option_bounds(const std::vector<double>& bounds) {
  if (bounds.size() > kMostBounds) return refuse_option("bounds", fmt::format("are more than {}", kMostBounds));
  for (std::size_t j = 0; j < bounds.size(); ++j) {
    if (!std::isfinite(bounds[j]) || bounds[j] < 0)
      return refuse_option("bounds", fmt::format("{} is not a latency", bounds[j]));
    if (j > 0 && bounds[j] <= bounds[j - 1]) {
      return refuse_option("bounds", fmt::format("{} after {}; bounds must rise", bounds[j], bounds[j - 1]));
    }
  }
  return absl::OkStatus();
}

constexpr double kMostPhi = 1e6;
constexpr double kMostRho = 1e6;

// ---- intervals -----------------------------------------------------------------------------------------------------

absl::Status unusable(std::string_view arm, std::string_view problem) {
  return make_error(ErrorKind::kValidate, fmt::format("{}: {}", arm, problem));
}

absl::Status check_buckets(const AnalysisOptions& options, std::string_view arm, const ArmCount& count) {
  const std::size_t bounds = options.bounds.size();
  const std::size_t buckets = count.buckets.size();
  if (buckets != bounds && buckets != bounds + 1) {
    return unusable(arm, fmt::format("{} buckets for {} bounds", buckets, bounds));
  }
  double before = 0;
  for (std::size_t j = 0; j < buckets; ++j) {
    const double bucket = count.buckets[j];
    if (!std::isfinite(bucket) || bucket < 0) return unusable(arm, fmt::format("bucket {} is {}", j, bucket));
    if (bucket < before)
      return unusable(arm, fmt::format("bucket {} is {} after {}; buckets never fall", j, bucket, before));
    before = bucket;
  }
  if (before > count.requests)
    return unusable(arm, fmt::format("{} in the buckets of {} requests", before, count.requests));
  if (buckets == bounds + 1 && before != count.requests) {
    return unusable(arm, fmt::format("the bucket without a bound has {} of {} requests", before, count.requests));
  }
  return absl::OkStatus();
}

absl::Status check_arm(const AnalysisOptions& options, std::string_view arm, const ArmCount& count) {
  if (!std::isfinite(count.requests) || count.requests < 0) {
    return unusable(arm, fmt::format("{} requests", count.requests));
  }
  if (!std::isfinite(count.failures) || count.failures < 0) {
    return unusable(arm, fmt::format("{} failures", count.failures));
  }
  if (count.failures > count.requests) {
    return unusable(arm, fmt::format("{} failures of {} requests", count.failures, count.requests));
  }
  return options.bounds.empty() ? absl::OkStatus() : check_buckets(options, arm, count);
}

}  // namespace

absl::Status validate(const AnalysisOptions& options) {
  CVG_RETURN_IF_ERROR(check_level("alpha", options.alpha));
  CVG_RETURN_IF_ERROR(check_level("beta", options.beta));
  CVG_RETURN_IF_ERROR(check_within("rho0", options.rho0, 0, kMostRho));
  CVG_RETURN_IF_ERROR(check_within("delta0", options.delta0, 0, 1));
  CVG_RETURN_IF_ERROR(check_within("warm_up.rho0", options.warm_up.rho0, 0, kMostRho));
  CVG_RETURN_IF_ERROR(check_within("warm_up.delta0", options.warm_up.delta0, 0, 1));
  if (options.warm_up.intervals < 0) return refuse_option("warm_up.intervals", "is negative");
  if (options.margin && !(*options.margin > 0 && *options.margin <= 1)) {
    return refuse_option("margin", fmt::format("is {}; a share above 0, at most 1, is wanted", *options.margin));
  }
  if (options.phi) CVG_RETURN_IF_ERROR(check_within("phi", *options.phi, 1, kMostPhi));
  CVG_RETURN_IF_ERROR(check_within("least_phi", options.least_phi, 1, kMostPhi));
  CVG_RETURN_IF_ERROR(check_level("error_share", options.error_share));
  for (const auto& [field, duration] : {std::pair<std::string_view, Duration>{"interval", options.interval},
                                        {"target", options.target},
                                        {"phi_window", options.phi_window}}) {
    if (duration <= Duration(0))
      return refuse_option(field, fmt::format("is {} ns; it must be more than 0", duration.count()));
  }
  return check_option_bounds(options.bounds);
}

absl::Status check_interval(const AnalysisOptions& options, const Interval& interval) {
  CVG_RETURN_IF_ERROR(check_arm(options, "canary", interval.canary));
  CVG_RETURN_IF_ERROR(check_arm(options, "primary", interval.primary));
  for (const ArmCount& instance : interval.primary_instances) {
    CVG_RETURN_IF_ERROR(check_arm(options, "an instance of the primary", instance));
  }
  return absl::OkStatus();
}

}  // namespace convergence
