#ifndef CONVERGENCE_LIB_CANARY_WEIGH_H_
#define CONVERGENCE_LIB_CANARY_WEIGH_H_

#include <optional>
#include <vector>

#include "convergence/analysis.h"

namespace convergence {

// The plan that these intervals of the primary give; none when none of them is usable.
std::optional<AnalysisPlan> plan_of(const AnalysisOptions& options, const std::vector<Interval>& before);
AnalysisState start_with(AnalysisPlan plan);

// log e of the errors in interval `number`, from 1, for each bet.
std::vector<double> error_evidence(const AnalysisOptions& options, std::int64_t number, const Interval& interval);

// The running evidence that the canary is worse, of errors and latency together (statistics.md 4).
double log_evidence(const AnalysisOptions& options, const AnalysisState& state);

// A metric's running evidence, of all its bets and of the stake that is not placed yet.
double log_of_bets(const std::vector<double>& bets, std::int64_t intervals);

// The plain sum of the evidence that the canary's failures are not worse by the plan's margin.
double log_plain_sum(const AnalysisState& state);

// Bounds on the excess failure rate that hold at all times together (statistics.md 5).
double upper_bound(const AnalysisOptions& options, const AnalysisState& state);
double lower_bound(const AnalysisOptions& options, const AnalysisState& state);

}  // namespace convergence

#endif  // CONVERGENCE_LIB_CANARY_WEIGH_H_
