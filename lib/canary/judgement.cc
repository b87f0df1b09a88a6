#include <cmath>
#include <string>

#include "convergence/analysis.h"
#include "fmt/format.h"
#include "lib/canary/evidence.h"
#include "lib/canary/weigh.h"
#include "lib/canary/words.h"

namespace convergence {
namespace {

// So many intervals in a row that were no evidence are told; they never count against the canary.
constexpr std::int64_t kManyRefused = 3;

// ---- words ---------------------------------------------------------------------------------------------------------

std::string opening(std::string_view verdict, const Occasion& occasion) {
  std::string text(verdict);
  if (occasion.elapsed > Duration(0)) text += " after " + elapsed_text(occasion.elapsed);
  if (occasion.weight) text += fmt::format(" at {:g}%", *occasion.weight);
  return text + ": ";
}

// ---- what the sentences say ---------------------------------------------------------------------------------------

std::string errors_worse(const AnalysisState& state, const Judgement& judgement) {
  const double canary = state.errors.canary / state.canary_requests;
  const double primary = state.primary_requests > 0 ? state.errors.primary / state.primary_requests : 0;
  std::string text = fmt::format("canary fails {}, primary {}", ratio_text(state.errors.canary, state.canary_requests),
                                 ratio_text(state.errors.primary, state.primary_requests));
  if (primary > 0) text += fmt::format(", {:.1f}x", canary / primary);
  if (judgement.lower > 0) text += fmt::format("; at least {} worse", points_text(judgement.lower));
  return text;
}

std::string latency_worse(const AnalysisState& state, const BoundaryJudgement& boundary) {
  return fmt::format("latency: {} of canary requests over {:g} ms ({}/{}), primary {}",
                     share_text(boundary.canary / state.canary_requests), boundary.bound, count_text(boundary.canary),
                     count_text(state.canary_requests), ratio_text(boundary.primary, state.primary_requests));
}

std::string worse(const AnalysisState& state, const Judgement& judgement) {
  for (const BoundaryJudgement& boundary : judgement.latency) {
    if (judgement.cause && boundary.bound == *judgement.cause) return latency_worse(state, boundary);
  }
  return errors_worse(state, judgement);
}

std::string fine(const AnalysisOptions& options, const AnalysisState& state, const Judgement& judgement) {
  std::string text = fmt::format("canary fails {}, primary {}; a rise of {} or more is excluded ({:g}%)",
                                 ratio_text(state.errors.canary, state.canary_requests),
                                 ratio_text(state.errors.primary, state.primary_requests),
                                 points_text(judgement.margin), 100 * (1 - options.beta));
  double widest = 0;
  for (const BoundaryJudgement& boundary : judgement.latency) {
    if (boundary.promotes) widest = std::max(widest, boundary.margin);
  }
  return widest > 0 ? text + fmt::format(", and {} at every latency boundary", points_text(widest)) : text;
}

// What a promotion still waits for, and how far a rollback is.
std::string undecided(const AnalysisOptions& options, const AnalysisState& state, const Judgement& judgement) {
  std::string text =
      fmt::format("the canary may still be {} worse ({}/{} against {}/{}), {} is to be excluded",
                  points_text(judgement.upper), count_text(state.errors.canary), count_text(state.canary_requests),
                  count_text(state.errors.primary), count_text(state.primary_requests), points_text(judgement.margin));
  if (judgement.fine) text = fmt::format("a rise of the errors by {} is excluded", points_text(judgement.margin));
  for (const BoundaryJudgement& boundary : judgement.latency) {
    if (!boundary.promotes || boundary.fine) continue;
    text +=
        fmt::format("; over {:g} ms a rise of {} is not excluded yet", boundary.bound, points_text(boundary.margin));
    break;
  }
  return text + fmt::format("; evidence against it {}, {} would roll it back", times_text(judgement.log_w),
                            times_text(std::log(1 / options.alpha)));
}

std::string sentence(const AnalysisOptions& options, const AnalysisState& state, const Judgement& judgement,
                     const Occasion& occasion) {
  const std::string needed = times_text(std::log(1 / options.alpha));
  switch (judgement.reason) {
    case AnalysisReason::kWorse:
      return fmt::format("{}{}; evidence {}, {} needed (false alarm below 1 in {})", opening("ROLLBACK", occasion),
                         worse(state, judgement), times_text(state.max_log_w), needed, needed);
    case AnalysisReason::kSuspicious:
      return fmt::format("{}suspicious, {}; evidence {} of {}; the weight is not raised", opening("HOLD", occasion),
                         worse(state, judgement), times_text(judgement.log_w), needed);
    case AnalysisReason::kFine:
      return opening("PROMOTE", occasion) + fine(options, state, judgement);
    case AnalysisReason::kNoUsableData:
      return fmt::format("{}no usable data for {} intervals ({})", opening("HOLD", occasion), state.refused_in_row,
                         state.refusal);
    case AnalysisReason::kNoTraffic:
      return fmt::format("{}nothing was counted in the {}", opening("INCONCLUSIVE", occasion),
                         state.canary_requests > 0 ? "primary" : "canary");
    case AnalysisReason::kUndecided:
      break;
  }
  return opening("CONTINUE", occasion) + undecided(options, state, judgement);
}

// ---- the verdict --------------------------------------------------------------------------------------------------

// Evidence that was enough at any look stays so (Ville); all metrics together need not have had it at the same one.
// Lately, because a canary may have become worse since.
constexpr std::int64_t kLately = 3;

bool is_fine(const MetricEvidence& metric, std::int64_t intervals) {
  return metric.fine_at > 0 && intervals - metric.fine_at < kLately;
}

BoundaryJudgement boundary_of(const AnalysisOptions& options, const AnalysisState& state, std::size_t j) {
  const Boundary& boundary = state.plan->boundaries[j];
  const MetricEvidence& metric = state.latency[j];
  BoundaryJudgement out;
  out.bound = options.bounds[static_cast<std::size_t>(boundary.bound)];
  out.margin = boundary.margin;
  out.promotes = boundary.promotes;
  out.log_w = log_mean(metric.worse);
  out.log_fine = log_of_bets(metric.fine, state.intervals);
  out.fine = is_fine(metric, state.intervals);
  out.phi = metric.phi;
  out.canary = metric.canary;
  out.primary = metric.primary;
  return out;
}

// The boundary with the most evidence, when latency has more of it than the errors.
std::optional<double> cause_of(const AnalysisOptions& options, const AnalysisState& state, const Judgement& judgement) {
  if (judgement.latency.empty()) return std::nullopt;
  const BoundaryJudgement* most = &judgement.latency.front();
  double log_latency = most->log_w;
  for (const BoundaryJudgement& boundary : judgement.latency) {
    if (boundary.log_w > most->log_w) most = &boundary;
    if (&boundary != &judgement.latency.front()) log_latency = log_add(log_latency, boundary.log_w);
  }
  log_latency += std::log(1 - options.error_share) - std::log(static_cast<double>(judgement.latency.size()));
  const double log_errors = std::log(options.error_share) + log_mean(state.errors.worse);
  return log_latency > log_errors ? std::optional<double>(most->bound) : std::nullopt;
}

AnalysisReason reason_of(const AnalysisOptions& options, const AnalysisState& state, const Judgement& judgement) {
  const double level = std::log(1 / options.alpha);
  // Against a limit alone the canary may only be held: the limit does not know what the primary does (2.2).
  const bool compares = options.rho0 > 0;
  if (state.max_log_w >= level) return compares ? AnalysisReason::kWorse : AnalysisReason::kSuspicious;
  if (state.refused_in_row >= kManyRefused) return AnalysisReason::kNoUsableData;
  if (state.canary_requests <= 0 || state.primary_requests <= 0) return AnalysisReason::kNoTraffic;
  if (judgement.log_w >= level / 2) return AnalysisReason::kSuspicious;
  bool fine = judgement.fine;
  for (const BoundaryJudgement& boundary : judgement.latency) fine = fine && (!boundary.promotes || boundary.fine);
  return fine ? AnalysisReason::kFine : AnalysisReason::kUndecided;
}

AnalysisVerdict verdict_of(AnalysisReason reason) {
  switch (reason) {
    case AnalysisReason::kWorse:
      return AnalysisVerdict::kRollback;
    case AnalysisReason::kSuspicious:
    case AnalysisReason::kNoUsableData:
      return AnalysisVerdict::kHold;
    case AnalysisReason::kFine:
      return AnalysisVerdict::kPromote;
    case AnalysisReason::kNoTraffic:
      return AnalysisVerdict::kInconclusive;
    case AnalysisReason::kUndecided:
      break;
  }
  return AnalysisVerdict::kContinue;
}

}  // namespace

Judgement judge(const AnalysisOptions& options, const AnalysisState& state, const Occasion& occasion) {
  Judgement out;
  if (state.plan && state.intervals > 0) {
    out.log_w = log_evidence(options, state);
    out.log_f = log_plain_sum(state);
    out.log_fine = log_of_bets(state.errors.fine, state.intervals);
    out.fine = is_fine(state.errors, state.intervals);
    out.upper = upper_bound(options, state);
    out.lower = lower_bound(options, state);
    out.p_value = std::min(1.0, std::exp(-state.max_log_w));
    out.phi = state.errors.phi;
    out.margin = state.plan->margin;
    for (std::size_t j = 0; j < state.latency.size(); ++j) out.latency.push_back(boundary_of(options, state, j));
    out.cause = cause_of(options, state, out);
  }
  out.reason = reason_of(options, state, out);
  out.verdict = verdict_of(out.reason);
  out.why = sentence(options, state, out, occasion);
  return out;
}

}  // namespace convergence
