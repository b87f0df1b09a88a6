#ifndef CONVERGENCE_ANALYSIS_H_
#define CONVERGENCE_ANALYSIS_H_

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"
#include "convergence/time.h"

namespace convergence {

// Is the canary worse than the primary, and is it proven not to be? A sequential comparison of the two arms' counts
// that may be looked at after each interval: rolling back a canary that is no worse has at most the probability alpha,
// promoting one that is worse by the margin at most beta, over all looks together (statistics.md 2 to 7).
// docs/canary-analysis.md explains the method. Pure values; no function here knows a clock.

// ---- what is counted ----------------------------------------------------------------------------------------------

// One arm in one interval: differences of raw counters. Fractions are allowed, for sources that extrapolate.
struct ArmCount {
  double requests = 0;
  double failures = 0;            // of the requests
  std::vector<double> buckets{};  // requests not slower than each of AnalysisOptions::bounds; one more entry is +Inf's
  friend bool operator==(const ArmCount&, const ArmCount&) = default;
};

// Both arms over the same time, under one weight.
struct Interval {
  ArmCount canary{};
  ArmCount primary{};
  std::optional<double> weight{};             // canary's, percent; for sentences alone
  std::vector<ArmCount> primary_instances{};  // for the dispersion; empty when they are not known apart
  friend bool operator==(const Interval&, const Interval&) = default;
};

// ---- how it is judged ---------------------------------------------------------------------------------------------

// Cold caches are another null hypothesis, not data to be skipped (statistics.md 8).
struct WarmUp {
  std::int64_t intervals = 0;  // so many of the first
  double rho0 = 2.0;
  double delta0 = 0.01;
  friend bool operator==(const WarmUp&, const WarmUp&) = default;
};

struct AnalysisOptions {
  double alpha = 0.01;             // false rollback of one rollout, 0..1
  double beta = 0.05;              // promotion of a canary that is worse by the margin, 0..1
  double rho0 = 1.0;               // tolerated before a rollback: p_canary <= rho0 * p_primary + delta0
  double delta0 = 0.0;             // 0..1
  std::optional<double> margin{};  // of failures; without it the traffic decides (statistics.md 5.1)
  std::optional<double> phi{};     // dispersion, >= 1; without it the primary's instances decide (7.1)
  double least_phi = 1.0;          // of the one that is estimated: 1 + retries, 4/3 of increase()
  WarmUp warm_up{};
  std::vector<double> bounds{};  // milliseconds, rising; empty: latency is not judged
  bool choose_bounds =
      false;  // judge only those that tell something, at most twelve; more than twelve always are chosen
  Duration interval = std::chrono::seconds(10);    // for margins and sentences; the tests do not depend on it
  Duration target = std::chrono::seconds(600);     // the duration that automatic margins are made for
  Duration phi_window = std::chrono::minutes(10);  // that the dispersion is estimated over, at least
  double error_share = 0.5;                        // of the evidence; the rest is latency's when it is judged
  friend bool operator==(const AnalysisOptions&, const AnalysisOptions&) = default;
};

// INVALID_ARGUMENT kind "validate" naming the field.
absl::Status validate(const AnalysisOptions& options);

// OK, or why an interval is no evidence of anything: NaN, infinite or negative counts, more failures than requests,
// buckets that fall, that are not as many as the bounds, or whose +Inf is not the count (statistics.md 8.1).
absl::Status check_interval(const AnalysisOptions& options, const Interval& interval);

// ---- what is fixed before the first request -----------------------------------------------------------------------

struct Boundary {
  std::int64_t bound = 0;  // index into AnalysisOptions::bounds
  double margin = 0;       // smallest rise of the share of slower requests that a promotion excludes
  bool promotes = true;    // false: too common to be held against a promotion
  friend bool operator==(const Boundary&, const Boundary&) = default;
};
struct AnalysisPlan {
  double margin = 0;  // smallest rise of the failure rate that a promotion excludes
  std::vector<Boundary> boundaries{};
  friend bool operator==(const AnalysisPlan&, const AnalysisPlan&) = default;
};

// From what the primary had before the rollout, and the service's requests a second: margins, and the boundaries that
// are judged.
AnalysisPlan plan_analysis(const AnalysisOptions& options, const ArmCount& primary, double rate);

// ---- the running evidence -----------------------------------------------------------------------------------------

// One metric: errors, or requests over one boundary.
struct MetricEvidence {
  std::vector<double> worse{};  // log S of each bet (statistics.md 2.3)
  std::vector<double> fine{};   // the same of the evidence that it is not worse by the margin (5)
  std::int64_t fine_at = 0;     // the last interval after which that was enough; 0: never
  double canary = 0;            // failures, or slower requests, so far
  double primary = 0;
  // Dispersion: sums of the window that is filled and of the one before (statistics.md 7.1).
  double squares = 0, expected = 0, squares_before = 0, expected_before = 0;
  double phi = 1;
  friend bool operator==(const MetricEvidence&, const MetricEvidence&) = default;
};

struct AnalysisState {
  std::optional<AnalysisPlan> plan{};  // without it the first usable interval gives it
  std::int64_t intervals = 0;          // t
  std::int64_t in_window = 0;          // intervals in the dispersion's window that is filled
  bool two_instances = false;          // the primary's instances were seen apart
  double canary_requests = 0;
  double primary_requests = 0;
  MetricEvidence errors{};
  std::vector<MetricEvidence> latency{};  // in the order of plan->boundaries
  // Of the bounds on the excess failure rate, for each bet (statistics.md 5): sums of A and G.
  std::vector<double> upper_a{}, upper_g{}, lower_a{}, lower_g{};
  double max_log_w = 0;
  std::int64_t refused = 0;         // intervals that were no evidence
  std::int64_t refused_in_row = 0;  // up to now
  std::string refusal{};            // why the last of them was not
  friend bool operator==(const AnalysisState&, const AnalysisState&) = default;
};

// The state after one more interval. An interval that is no evidence changes nothing but what says so; an error is only
// INVALID_ARGUMENT of options or of a state that is not of these options.
absl::StatusOr<AnalysisState> add_interval(const AnalysisOptions& options, AnalysisState state,
                                           const Interval& interval);

// Intervals of the time before the rollout: they make the plan and the dispersion, and are evidence of nothing else.
absl::StatusOr<AnalysisState> begin_analysis(const AnalysisOptions& options, const std::vector<Interval>& before);

// ---- the verdict --------------------------------------------------------------------------------------------------

enum class AnalysisVerdict { kContinue, kHold, kRollback, kPromote, kInconclusive };
std::string_view to_string(AnalysisVerdict verdict);

// Why. Closed.
enum class AnalysisReason {
  kUndecided,     // neither is proven yet
  kWorse,         // proven worse: evidence reached 1/alpha
  kSuspicious,    // evidence reached the square root of that: the weight is not raised
  kFine,          // a rise by the margin is excluded, for errors and each boundary
  kNoUsableData,  // three intervals in a row were no evidence
  kNoTraffic,     // nothing was counted in one of the arms
};
std::string_view to_string(AnalysisReason reason);

struct BoundaryJudgement {
  double bound = 0;  // milliseconds
  double margin = 0;
  bool promotes = true;
  double log_w = 0;  // of this boundary alone
  double log_fine = 0;
  bool fine = false;  // the margin is excluded
  double phi = 1;
  double canary = 0;  // slower requests
  double primary = 0;
  friend bool operator==(const BoundaryJudgement&, const BoundaryJudgement&) = default;
};

struct Judgement {
  AnalysisVerdict verdict = AnalysisVerdict::kContinue;
  AnalysisReason reason = AnalysisReason::kUndecided;
  std::optional<double> cause{};  // of a rollback or suspicion by latency: the boundary in milliseconds
  double log_w = 0;               // evidence that it is worse, now
  double log_f = 0;               // that its failures are not worse by the margin: the plain sum, which U is read from
  double log_fine = 0;            // the same as it is judged: by start times, and no interval above the cap
  bool fine = false;              // a rise of its failures by the margin is excluded
  double upper = 1;               // U: excess failure rate not above this, at all times together
  double lower = 0;               // L: not below this; 0 when nothing is proven
  double p_value = 1;             // valid at every look
  double phi = 1;
  double margin = 0;
  std::vector<BoundaryJudgement> latency{};
  std::string why{};  // one line for a person
  friend bool operator==(const Judgement&, const Judgement&) = default;
};

// What the sentence says beside the counts.
struct Occasion {
  Duration elapsed{0};             // since the start; 0 says nothing
  std::optional<double> weight{};  // canary's, percent
};

Judgement judge(const AnalysisOptions& options, const AnalysisState& state, const Occasion& occasion = {});

// ---- a whole series at once ---------------------------------------------------------------------------------------

struct RefusedInterval {
  std::int64_t interval = 0;  // from 0
  std::string why{};
  friend bool operator==(const RefusedInterval&, const RefusedInterval&) = default;
};
struct Comparison {
  Judgement judgement{};                     // after the last interval
  std::optional<std::int64_t> rolls_back{};  // the interval, from 0, whose evidence was enough; what follows it is moot
  std::int64_t intervals = 0;                // that were evidence
  std::vector<std::vector<double>> log_e{};  // of errors: for each interval one value a bet, before dispersion and cap
  std::vector<RefusedInterval> refused{};
  friend bool operator==(const Comparison&, const Comparison&) = default;
};

// Leading intervals without a request in the canary are the time before. INVALID_ARGUMENT for options alone.
absl::StatusOr<Comparison> compare(const std::vector<Interval>& intervals, const AnalysisOptions& options);

}  // namespace convergence

#endif  // CONVERGENCE_ANALYSIS_H_
