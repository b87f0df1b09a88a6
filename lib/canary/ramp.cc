#include "convergence/ramp.h"

#include <algorithm>

#include "convergence/error.h"
#include "fmt/format.h"
#include "lib/base/status_macros.h"
#include "lib/canary/seconds.h"
#include "lib/canary/words.h"

namespace convergence {
namespace {

absl::Status refuse_ramp(std::string_view field, std::string_view problem) {
  return make_error(ErrorKind::kValidate, fmt::format("ramp: {}: {}", field, problem),
                    Json(Json::Object{{"field", Json(field)}}));
}

absl::Status check_ladder(const std::vector<std::int32_t>& ladder) {
  if (ladder.empty()) return refuse_ramp("ladder", "is empty; give at least one weight");
  std::int32_t before = 0;
  for (std::int32_t weight : ladder) {
    if (weight < 1 || weight > 10000) return refuse_ramp("ladder", fmt::format("{} is not in 1..10000", weight));
    if (weight <= before) return refuse_ramp("ladder", fmt::format("{} after {}; weights must rise", weight, before));
    before = weight;
  }
  return absl::OkStatus();
}

double as_share(std::int32_t weight) { return weight / 10000.0; }

// The largest weight at which what may still be wrong stays within one of the two risks.
double largest_safe(const RampPolicy& policy, const RampState& state, double upper) {
  const double seconds = seconds_of(policy.react);
  const double by_service = policy.service_risk / upper;
  const double by_count = state.rate > 0 ? policy.absolute_risk / (seconds * state.rate * upper) : 1;
  return std::max(by_service, by_count);
}

std::int32_t next_weight(const RampPolicy& policy, const RampState& state, double safe) {
  if (!policy.free) {
    const auto next = std::upper_bound(policy.ladder.begin(), policy.ladder.end(), state.weight);
    return next == policy.ladder.end() ? state.weight : *next;
  }
  // Down to what a splitter can say.
  const double limit = std::min({2.0 * state.weight, 10000 * safe, double{10000}});
  return std::min(policy.ladder.back(), std::max(state.weight, static_cast<std::int32_t>(limit)));
}

RampDecision stay(const RampState& state, std::string why) {
  return {RampMove::kStay, state.weight, false, std::move(why)};
}

RampDecision at_deadline(const RampPolicy& policy, const RampState& state, const Judgement& judgement) {
  const std::string found = fmt::format(
      "INCONCLUSIVE after {} at {}: a rise of up to {} cannot be excluded, {} was to be", elapsed_text(state.elapsed),
      percent_text(state.weight), points_text(judgement.upper), points_text(judgement.margin));
  switch (policy.on_deadline) {
    case OnDeadline::kPromote:
      return {RampMove::kPromote, 10000, true, found + "; promoted by on_deadline"};
    case OnDeadline::kRollback:
      return {RampMove::kRollback, 0, true, found + "; rolled back by on_deadline"};
    case OnDeadline::kPause:
      break;
  }
  return {RampMove::kPause, state.weight, true, found + "; paused by on_deadline"};
}

// Calm, and not at the top: may the next weight come?
RampDecision raise(const RampPolicy& policy, const RampState& state, const Judgement& judgement) {
  const double safe = largest_safe(policy, state, judgement.upper);
  const std::int32_t next = next_weight(policy, state, safe);
  const double risk = as_share(next) * judgement.upper;
  if (as_share(next) <= safe && next > state.weight) {
    return {RampMove::kRaise, next, false,
            fmt::format("RAISE to {}: the canary is at most {} worse; that is {} of all requests, limit {}",
                        percent_text(next), points_text(judgement.upper), share_text(risk),
                        share_text(policy.service_risk))};
  }
  return stay(
      state, fmt::format("HOLD at {}: the canary may still be {} worse; at {} that could fail {} of all requests, "
                         "limit {}",
                         percent_text(state.weight), points_text(judgement.upper), percent_text(next), share_text(risk),
                         share_text(policy.service_risk)));
}

}  // namespace

absl::Status validate(const RampPolicy& policy) {
  CVG_RETURN_IF_ERROR(check_ladder(policy.ladder));
  if (policy.dwell < Duration(0)) return refuse_ramp("dwell", "is negative");
  if (policy.min_time < Duration(0)) return refuse_ramp("min_time", "is negative");
  if (policy.max_time <= policy.min_time) return refuse_ramp("max_time", "is not after min_time");
  // A ladder that cannot be climbed in time would never be judged at its top.
  if (!policy.free && static_cast<std::int64_t>(policy.ladder.size()) * policy.dwell > policy.max_time) {
    return refuse_ramp("max_time", "is over before every weight of the ladder had its dwell");
  }
  if (!(policy.service_risk > 0 && policy.service_risk <= 1))
    return refuse_ramp("service_risk", "must be in 0..1, above 0");
  if (!(policy.absolute_risk >= 0 && policy.absolute_risk < 1e12))
    return refuse_ramp("absolute_risk", "must be 0 or more");
  if (policy.react <= Duration(0)) return refuse_ramp("react", "must be more than 0");
  return absl::OkStatus();
}

RampDecision ramp_step(const RampPolicy& policy, const RampState& state, const Judgement& judgement) {
  if (judgement.verdict == AnalysisVerdict::kRollback) return {RampMove::kRollback, 0, false, judgement.why};
  if (state.elapsed >= policy.max_time) return at_deadline(policy, state, judgement);
  // Not calm, or nothing is known: the weight stays as it is. A weight is lowered by a rollback alone.
  if (judgement.verdict == AnalysisVerdict::kHold || judgement.verdict == AnalysisVerdict::kInconclusive) {
    return stay(state, judgement.why);
  }
  if (state.at_weight < policy.dwell) return stay(state, judgement.why);
  if (state.weight < policy.ladder.back()) return raise(policy, state, judgement);
  if (judgement.verdict != AnalysisVerdict::kPromote) return stay(state, judgement.why);
  if (state.elapsed < policy.min_time) {
    return stay(
        state, fmt::format("HOLD at {}: nothing against a promotion but the time, {} of {}", percent_text(state.weight),
                           elapsed_text(state.elapsed), elapsed_text(policy.min_time)));
  }
  return {RampMove::kPromote, 10000, false, judgement.why};
}

}  // namespace convergence
