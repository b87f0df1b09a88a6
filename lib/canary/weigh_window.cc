#include <algorithm>

#include "lib/canary/handlers.h"
#include "lib/canary/metric_limits.h"
#include "lib/canary/rank_test.h"
#include "lib/canary/shape.h"
#include "lib/canary/verdict.h"
#include "lib/canary/weigh_evidence.h"

namespace convergence {
namespace {

// Argo gives up at the fifth broken answer in a row.
constexpr std::int32_t kArgoBroken = 5;
// Kayenta's windows of one step; more say nothing new.
constexpr std::size_t kMostWindows = 120;

// ---- good and bad, counted ---------------------------------------------------------------------------------------

void good_evidence(Turn& turn, const Measurement& measured, std::string why) {
  CanaryState& state = turn.state;
  state.good = std::min(state.good + 1, state.policy.intervals_per_step);
  state.evidence_at = turn.at;
  note(turn, CanaryReason::kGoodEvidence, std::move(why), &measured);
  if (state.good >= state.policy.intervals_per_step && !state.paused) {
    pass_step(turn);
  } else {
    open_window(turn);
  }
}

// Flagger looks at what has failed before it looks at the next metrics, so that it rolls back one check later (E1).
bool counts_late(const CanaryPolicy& policy) { return policy.mode == CanaryMode::kFlagger && !policy.evidence; }

void spend_budget(Turn& turn, const std::string& why) {
  const CanaryState& state = turn.state;
  roll_back(
      turn, CanaryReason::kFailureBudget,
      fmt::format("{} of at most {} bad measurements; the last: {}", state.failures, state.policy.max_failures, why));
}

void bad_evidence(Turn& turn, const Measurement& measured, const std::string& why) {
  CanaryState& state = turn.state;
  state.failures = std::min(state.failures + 1, state.policy.max_failures);
  state.evidence_at = turn.at;
  note(turn, CanaryReason::kBadEvidence, why, &measured);
  if (state.failures >= state.policy.max_failures && !counts_late(state.policy)) return spend_budget(turn, why);
  open_window(turn);
}

void no_evidence(Turn& turn, const Measurement& measured, const Verdict& verdict) {
  const bool broken = verdict.kind == VerdictKind::kBroken;
  note(turn, broken ? CanaryReason::kSourceBroken : CanaryReason::kTooFewRequests, verdict.why,
       broken ? nullptr : &measured);
  open_window(turn);
}

// ---- by evidence (docs/canary-analysis.md) -----------------------------------------------------------------------

void pause_for_a_person(Turn& turn, CanaryReason reason, std::string why) {
  turn.state.paused = true;
  note(turn, reason, std::move(why));
  open_window(turn);
}

// A paused rollout is still measured, and taken back when it must be; it moves nowhere else.
void follow(Turn& turn, const RampDecision& decision) {
  if (decision.move == RampMove::kRollback) {
    return roll_back(turn, decision.at_deadline ? CanaryReason::kStepDeadline : CanaryReason::kBadEvidence,
                     decision.why);
  }
  if (turn.state.paused || decision.move == RampMove::kStay) return open_window(turn);
  if (decision.move == RampMove::kRaise) return pass_step(turn);
  if (decision.move == RampMove::kPause) return pause_for_a_person(turn, CanaryReason::kPaused, decision.why);
  promote_through_gates(turn, decision.at_deadline ? CanaryReason::kStepDeadline : CanaryReason::kAllStepsPassed,
                        decision.why);
}

void weigh_by_evidence(Turn& turn, const Measurement& measured) {
  absl::StatusOr<Weighed> weighed = weigh_evidence(turn.state, measured, turn.at);
  if (!weighed.ok() || !weighed->usable) {
    if (weighed.ok()) turn.state.analysis = weighed->analysis;
    note(turn, CanaryReason::kSourceBroken,
         fmt::format("no measurement: {}",
                     weighed.ok() ? weighed->analysis.refusal : std::string(weighed.status().message())));
    return open_window(turn);
  }
  turn.state.analysis = std::move(weighed->analysis);
  if (measured.candidate.requests > 0) turn.state.evidence_at = turn.at;
  const AnalysisReason reason = weighed->judgement.reason;
  const bool bad = reason == AnalysisReason::kWorse || reason == AnalysisReason::kSuspicious;
  const CanaryReason told = measured.candidate.requests == 0 ? CanaryReason::kTooFewRequests
                            : bad                            ? CanaryReason::kBadEvidence
                                                             : CanaryReason::kGoodEvidence;
  note(turn, told, weighed->decision.why, &measured);
  follow(turn, weighed->decision);
}

// ---- by the mode -------------------------------------------------------------------------------------------------

Verdict worse(Verdict a, Verdict b) {
  const auto rank = [](VerdictKind kind) {
    switch (kind) {
      case VerdictKind::kBad:
        return 3;
      case VerdictKind::kBroken:
        return 2;
      case VerdictKind::kTooFew:
        return 1;
      case VerdictKind::kGood:
        break;
    }
    return 0;
  };
  if (rank(b.kind) > rank(a.kind)) return b;
  return a;
}

// One verdict over all services of the rollout: good only where all are.
Verdict judge_counts(const CanaryPolicy& policy, const Measurement& measured) {
  Verdict verdict = judge(policy, measured);
  if (measured.kind != EvidenceKind::kCounted) return verdict;
  for (const RolloutService& service : policy.also) {
    Measurement other;
    other.kind = EvidenceKind::kNone;
    for (const ServiceCount& count : measured.also) {
      if (count.service != service.service) continue;
      other.kind = EvidenceKind::kCounted;
      other.stable = count.stable;
      other.candidate = count.candidate;
    }
    Verdict its = judge(policy, other);
    its.why = fmt::format("{}: {}", service.service, its.why);
    verdict = worse(std::move(verdict), std::move(its));
  }
  return verdict;
}

// Error rates of the step's windows, both arms. Too few windows exclude nothing, and pass (P36: Kayenta only warns).
Verdict judge_ranks(Turn& turn, const Measurement& measured, Verdict verdict) {
  if (verdict.kind == VerdictKind::kTooFew || verdict.kind == VerdictKind::kBroken) return verdict;
  if (measured.stable.requests == 0) return {VerdictKind::kTooFew, "no requests of the stable subset to compare with"};
  const auto share = [](const RequestCount& count) {
    return static_cast<double>(count.errors) / static_cast<double>(count.requests);
  };
  std::vector<WindowRates>& windows = turn.state.windows;
  windows.push_back({share(measured.stable), share(measured.candidate)});
  if (windows.size() > kMostWindows) windows.erase(windows.begin());
  std::vector<double> experiment;
  std::vector<double> control;
  for (const WindowRates& window : windows) {
    experiment.push_back(window.candidate);
    control.push_back(window.stable);
  }
  const bool high = is_rank_high(experiment, control);
  return {high ? VerdictKind::kBad : VerdictKind::kGood,
          fmt::format("{} windows, the last with {} of {} failed: {}", windows.size(), measured.candidate.errors,
                      measured.candidate.requests, high ? "high" : "not shown to be high")};
}

void weigh_by_mode(Turn& turn, const Measurement& measured, const Verdict& limits) {
  CanaryState& state = turn.state;
  Verdict verdict = judge_counts(state.policy, measured);
  if (state.policy.mode == CanaryMode::kKayenta) verdict = judge_ranks(turn, measured, std::move(verdict));
  verdict = worse(std::move(verdict), limits);
  const bool unknown = verdict.kind == VerdictKind::kTooFew || verdict.kind == VerdictKind::kBroken;
  switch (state.policy.mode) {
    case CanaryMode::kFlagger:
    case CanaryMode::kConsecutive:  // E9, E10: no values and no answer are failed checks there
      if (unknown) return bad_evidence(turn, measured, verdict.why);
      break;
    case CanaryMode::kArgo:
      state.broken = verdict.kind == VerdictKind::kBroken ? state.broken + 1 : 0;
      if (state.broken >= kArgoBroken) {
        return roll_back(turn, CanaryReason::kSourceBroken,
                         fmt::format("{} broken answers in a row; the last: {}", state.broken, verdict.why));
      }
      if (verdict.kind == VerdictKind::kTooFew && !state.paused) {
        return pause_for_a_person(turn, CanaryReason::kInconclusive, verdict.why);
      }
      break;
    case CanaryMode::kOwn:
    case CanaryMode::kKayenta:
      break;
  }
  if (unknown) return no_evidence(turn, measured, verdict);
  if (verdict.kind == VerdictKind::kBad) return bad_evidence(turn, measured, verdict.why);
  good_evidence(turn, measured, std::move(verdict.why));
}

// ---- affinity ----------------------------------------------------------------------------------------------------

// P22: those who came stay, and in time all would. From the cap on nobody is made to stay any more.
bool caps_affinity(Turn& turn, const Measurement& measured) {
  CanaryState& state = turn.state;
  if (!state.gives_cookie || state.paused || measured.kind != EvidenceKind::kCounted) return false;
  const double all = static_cast<double>(measured.candidate.requests) + static_cast<double>(measured.stable.requests);
  const double share = all > 0 ? 10000 * static_cast<double>(measured.candidate.requests) / all : 0;
  if (share < state.policy.affinity->cap || share <= state.weight) return false;
  state.gives_cookie = false;
  state.phase = CanaryPhase::kSettling;
  state.outbox.clear();
  note(turn, CanaryReason::kAffinityCapped,
       fmt::format("{} of the requests are the candidate's at {}: no more cookies",
                   percent(static_cast<std::int32_t>(share)), percent(state.weight)),
       &measured);
  write_traffic(turn);
  return true;
}

}  // namespace

void weigh(Turn& turn, const CanaryEvent& event) {
  const auto& measured = std::get<Measurement>(event.body);
  CanaryState& state = turn.state;
  if (measured.epoch != state.epoch) return;
  state.held = false;
  if (counts_late(state.policy) && state.failures >= state.policy.max_failures) {
    return spend_budget(turn, state.history.back().why);
  }
  const LimitsVerdict limits = judge_limits(state.policy, measured.metrics);
  if (limits.critical) return roll_back(turn, CanaryReason::kCritical, limits.verdict.why);
  if (caps_affinity(turn, measured)) return;
  if (state.policy.evidence && measured.kind == EvidenceKind::kCounted) {
    if (limits.verdict.kind == VerdictKind::kBad) return bad_evidence(turn, measured, limits.verdict.why);
    if (limits.verdict.kind != VerdictKind::kGood) return no_evidence(turn, measured, limits.verdict);
    return weigh_by_evidence(turn, measured);
  }
  weigh_by_mode(turn, measured, limits.verdict);
}

// Nothing is left to compare with: the fixed limits judge alone, and what is no evidence does not end the watch.
void weigh_bake(Turn& turn, const CanaryEvent& event) {
  const auto& measured = std::get<Measurement>(event.body);
  CanaryState& state = turn.state;
  if (measured.epoch != state.epoch) return;
  const LimitsVerdict limits = judge_limits(state.policy, measured.metrics);
  if (limits.critical) return roll_back(turn, CanaryReason::kCritical, limits.verdict.why);
  const Verdict verdict = worse(judge_counts(state.policy, measured), limits.verdict);
  if (verdict.kind == VerdictKind::kTooFew || verdict.kind == VerdictKind::kBroken) {
    return no_evidence(turn, measured, verdict);
  }
  if (verdict.kind == VerdictKind::kBad) {
    ++state.failures;
    note(turn, CanaryReason::kBadEvidence, verdict.why, &measured);
    if (state.failures >= state.policy.max_failures) return spend_budget(turn, verdict.why);
  } else {
    note(turn, CanaryReason::kGoodEvidence, verdict.why, &measured);
  }
  open_window(turn);
}

}  // namespace convergence
