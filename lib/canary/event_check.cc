#include "lib/canary/event_check.h"

#include "convergence/error.h"
#include "fmt/format.h"
#include "lib/base/status_macros.h"
#include "lib/canary/invariants.h"
#include "lib/canary/verdict.h"

namespace convergence {
namespace {

absl::Status refuse(std::string_view problem) {
  return make_error(ErrorKind::kValidate, fmt::format("canary event: {}", problem));
}

absl::Status check_count(std::string_view subset, const RequestCount& count) {
  if (count.requests < 0 || count.errors < 0) return refuse(fmt::format("{}: a count is negative", subset));
  if (count.errors > count.requests) {
    return refuse(fmt::format("{}: {} errors of {} requests", subset, count.errors, count.requests));
  }
  return absl::OkStatus();
}

absl::Status check_measurement(const CanaryState& state, const Measurement& measured, Time at) {
  CVG_RETURN_IF_ERROR(check_count("stable", measured.stable));
  CVG_RETURN_IF_ERROR(check_count("candidate", measured.candidate));
  const Measure* window = pending<Measure>(state);
  if (window && measured.epoch == window->epoch && measured.kind == EvidenceKind::kCounted && at < window->to) {
    return refuse(fmt::format("window {} is measured {} before its end", measured.epoch, seconds(window->to - at)));
  }
  return absl::OkStatus();
}

}  // namespace

absl::Status check_event(const CanaryPolicy& policy, const CanaryState& state, const CanaryEvent& event) {
  if (event.at < Time{}) return refuse("its time is before 1970");
  if (event.at < state.last_event_at) {
    return refuse(fmt::format("its time is {} before the last event's", seconds(state.last_event_at - event.at)));
  }
  // A century before the end of time there is room to add deadlines.
  if (event.at > kNever - std::chrono::hours(24 * 365 * 100)) return refuse("its time is too far ahead");
  if (const auto* start = std::get_if<StartRollout>(&event.body)) {
    if (start->rollout.empty()) return refuse("the rollout has no id");
    if (start->rollout.size() > kMaxRollout)
      return refuse(fmt::format("the rollout's id is over {} bytes", kMaxRollout));
    if (start->revision.size() > kMaxWhy) return refuse(fmt::format("the revision is over {} bytes", kMaxWhy));
    CVG_RETURN_IF_ERROR(validate(policy));
  }
  if (const auto* health = std::get_if<CandidateHealth>(&event.body)) {
    if (health->passing < 0 || health->passing > health->total) {
      return refuse(fmt::format("{} of {} instances passing", health->passing, health->total));
    }
  }
  if (const auto* measured = std::get_if<Measurement>(&event.body)) {
    return check_measurement(state, *measured, event.at);
  }
  return absl::OkStatus();
}

}  // namespace convergence
