#ifndef CONVERGENCE_LIB_CANARY_WEIGH_EVIDENCE_H_
#define CONVERGENCE_LIB_CANARY_WEIGH_EVIDENCE_H_

#include "convergence/canary.h"

namespace convergence {

// Of a policy by evidence: with the interval and the weights that stand beside it.
AnalysisOptions analysis_of(const CanaryPolicy& policy);
RampPolicy ramp_of(const CanaryPolicy& policy);

// What one measurement of a rollout by evidence adds, and what follows from it.
struct Weighed {
  AnalysisState analysis{};
  bool usable = false;  // it was evidence of something
  Judgement judgement{};
  RampDecision decision{};
};
absl::StatusOr<Weighed> weigh_evidence(const CanaryState& state, const Measurement& measured, Time at);

}  // namespace convergence

#endif  // CONVERGENCE_LIB_CANARY_WEIGH_EVIDENCE_H_
