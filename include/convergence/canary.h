#ifndef CONVERGENCE_CANARY_H_
#define CONVERGENCE_CANARY_H_

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "absl/status/statusor.h"
#include "convergence/analysis.h"
#include "convergence/json.h"
#include "convergence/ramp.h"
#include "convergence/time.h"

namespace convergence {

// How a new version earns its traffic: a pure state machine. Time comes with the events; what it wants done leaves as
// effects, each with an id; a driver carries them out and reports back with events. docs/canary.md draws the table.

// ---- policy --------------------------------------------------------------------------------------------------

// A rollout by evidence: both arms compared interval by interval (docs/canary-analysis.md). The ladder of its ramp are
// the policy's steps, the interval of its analysis is the policy's.
struct EvidencePolicy {
  AnalysisOptions analysis{};
  RampPolicy ramp{};
  friend bool operator==(const EvidencePolicy&, const EvidencePolicy&) = default;
};

// How the candidate comes to its first users.
enum class CanaryStrategy {
  kWeights,    // a share of all requests, step by step
  kMatch,      // only requests that match (A/B): one step, at weight 0
  kBlueGreen,  // none, or those that match (a preview), until it has all: one step, at weight 0
};
std::string_view to_string(CanaryStrategy strategy);

// Whose rule makes decisions of measurements, where no `evidence` does (progressive-delivery.md 2.2, 2.9, 2.12, 2.14).
enum class CanaryMode {
  kOwn,          // good and bad are counted; what is no evidence never counts
  kFlagger,      // no data and a broken source are failed checks; rolls back one check after the budget is spent
  kConsecutive,  // as consul-release-controller: failed checks in one step, good ones forgive them
  kArgo,         // no data pauses; the fifth broken answer in a row, or a failure over the limit, ends it
  kKayenta,      // the error rates of a step's windows, both arms, by Mann-Whitney
};
std::string_view to_string(CanaryMode mode);

// Requests that go to the candidate whatever its weight: all that is given must hold. As a Consul route matches.
enum class MatchKind { kExact, kPrefix, kSuffix, kRegex, kPresent };
std::string_view to_string(MatchKind kind);
struct NamedMatch {
  std::string name{};
  MatchKind kind = MatchKind::kExact;
  std::string value{};
  friend bool operator==(const NamedMatch&, const NamedMatch&) = default;
};
struct RequestMatch {
  std::vector<NamedMatch> headers{};
  std::vector<NamedMatch> cookies{};  // exact, regex or present
  std::vector<NamedMatch> query{};    // exact, regex or present
  std::string path_prefix{};
  std::vector<std::string> methods{};
  friend bool operator==(const RequestMatch&, const RequestMatch&) = default;
};

// A user who once met the candidate stays with it: by a cookie that the candidate's leg sets and a route sends back.
// The cookie's value is the rollout's id, so that it ends with the rollout. Consul's entries carry no more than that.
struct SessionAffinity {
  std::string cookie = "convergence-candidate";
  Duration max_age = std::chrono::hours(24);
  std::int32_t cap = 5000;  // share of requests at which no more cookies are given, hundredths of a percent
  friend bool operator==(const SessionAffinity&, const SessionAffinity&) = default;
};

// Who may hold a rollout up: a person (`approve`), or whoever answers at `url`.
enum class GateAt { kStart, kStep, kPromotion };
std::string_view to_string(GateAt at);
enum class GateDeadline { kRollback, kOpen };
std::string_view to_string(GateDeadline action);
struct Gate {
  std::string name{};
  GateAt at = GateAt::kPromotion;
  std::string url{};  // asked once an interval until it answers that the gate is open; empty: only `approve` opens it
  Duration deadline = std::chrono::hours(24);
  GateDeadline on_deadline = GateDeadline::kRollback;
  friend bool operator==(const Gate&, const Gate&) = default;
};

// A number that a source brings with each measurement, and within what it must be.
struct MetricLimit {
  std::string name{};
  std::string query{};  // for the source: how to ask for it
  std::optional<double> min{};
  std::optional<double> max{};
  double weight = 1;          // in the score
  bool critical = false;      // outside once: back at once
  bool observe_only = false;  // told, never decides
  friend bool operator==(const MetricLimit&, const MetricLimit&) = default;
};

// Another service of the same rollout: same weights, one verdict.
struct RolloutService {
  std::string service{};
  std::string stable_subset{};
  std::string candidate_subset{};
  friend bool operator==(const RolloutService&, const RolloutService&) = default;
};

// How the candidate becomes what is stable: its subset gets all traffic and the two have changed roles, or the host
// puts its version into the stable subset and traffic returns there.
enum class Promotion { kSwap, kCopy };
std::string_view to_string(Promotion promotion);
enum class NewRevision { kRefuse, kQueue, kRestart };
std::string_view to_string(NewRevision action);
enum class ForeignEdit { kHold, kYield, kReassert };
std::string_view to_string(ForeignEdit action);

struct CanaryPolicy {
  std::string service{};
  std::string stable_subset{};
  std::string candidate_subset{};
  std::vector<RolloutService> also{};  // moved with it
  CanaryStrategy strategy = CanaryStrategy::kWeights;
  std::vector<RequestMatch> match{};  // any of them; weights with a match have both
  std::optional<SessionAffinity> affinity{};
  std::vector<std::int32_t> steps = {500, 2000, 5000};  // candidate's weight, hundredths of a percent, rising, 1..10000
  Duration initial_delay{0};                            // before the first weight
  Duration interval = std::chrono::seconds(10);         // one measurement
  Duration settle = std::chrono::seconds(2);            // after a change of weight, before measuring
  CanaryMode mode = CanaryMode::kOwn;
  std::optional<EvidencePolicy> evidence{};  // decides; without it the mode does, by the next four
  std::int32_t intervals_per_step = 2;       // good measurements a step needs
  std::int64_t min_requests = 50;            // of the candidate, in one measurement; fewer are no evidence
  double min_success_rate = 0.99;            // share of requests without a server error, 0..1
  std::int32_t max_failures = 2;             // bad measurements in all before the rollback
  std::vector<MetricLimit> metrics{};        // beside the request counts, whatever decides by those
  double pass_score = 100;                   // percent of the metrics' weights that must be within, 0..100
  std::vector<Gate> gates{};                 // those of one point are asked in this order
  std::int32_t min_passing = 1;              // instances of the candidate, before it gets traffic
  std::string version_meta{};                // key of Service.Meta that must be the revision; empty: not looked at
  Promotion promotion = Promotion::kSwap;
  std::vector<std::int32_t> return_steps{};  // candidate's weights on the way back after a copy, falling, before 0
  Duration bake{0};                          // watched so long after the promotion, the old subset ready to take over
  NewRevision on_new_revision = NewRevision::kRefuse;
  ForeignEdit on_foreign_edit = ForeignEdit::kHold;
  Duration no_evidence_deadline = std::chrono::minutes(10);  // without good or bad evidence: roll back
  Duration step_deadline = std::chrono::minutes(30);         // in one step, whatever happens: roll back
  Json::Object unknown{};
  friend bool operator==(const CanaryPolicy&, const CanaryPolicy&) = default;
};

// INVALID_ARGUMENT kind "validate" naming the field.
absl::Status validate(const CanaryPolicy& policy);

// ---- state ---------------------------------------------------------------------------------------------------

enum class CanaryPhase {
  kIdle,         // no rollout
  kWaiting,      // for its initial delay or a gate; no traffic yet
  kSettling,     // a weight is being written, or was and needs time to arrive
  kObserving,    // waits for measurements at a step's weight
  kPromoting,    // writes all traffic to the candidate
  kCopying,      // the host puts the candidate's version into the stable subset
  kReturning,    // traffic goes back to the stable subset, which runs the new version now
  kBaking,       // promoted, and watched
  kRollingBack,  // writes all traffic to the stable subset
  kSucceeded,
  kFailed,
};
std::string_view to_string(CanaryPhase phase);
constexpr bool is_terminal(CanaryPhase phase) {
  return phase == CanaryPhase::kIdle || phase == CanaryPhase::kSucceeded || phase == CanaryPhase::kFailed;
}

// Why a transition happened. Closed.
enum class CanaryReason {
  kNone,
  kStarted,
  kWeightWritten,
  kGoodEvidence,
  kBadEvidence,
  kTooFewRequests,
  kSourceBroken,
  kStepPassed,
  kAllStepsPassed,
  kFailureBudget,
  kNoEvidenceDeadline,
  kStepDeadline,
  kAborted,
  kPromotedByHand,
  kPaused,
  kResumed,
  kConflict,  // somebody else wrote the splitter; read again
  kCandidateUnhealthy,
  kSuperseded,
  kWriteFailed,  // an effect could not be carried out; it is tried again
  kWaits,        // for a delay or a gate
  kApproved,
  kGateClosed,  // it was asked and said no
  kGateDeadline,
  kCritical,      // a critical metric
  kInconclusive,  // no data where the mode wants a person then
  kCopied,
  kReturned,  // one step of the way back
  kStableUnhealthy,
  kBaked,
  kQueued,  // a newer revision waits for the end of this one
  kRetried,
  kYielded,  // to somebody who moved the weights
  kAffinityCapped,
};
std::string_view to_string(CanaryReason reason);

// What a driver is to do. Carrying one out twice does no harm.
struct WriteWeights {
  std::int32_t stable = 10000;
  std::int32_t candidate = 0;
  bool routed = false;        // requests that match go to the candidate
  bool gives_cookie = false;  // the candidate's leg makes its users stay
  friend bool operator==(const WriteWeights&, const WriteWeights&) = default;
};
// Measure both subsets from `from` to `to`, then send a Measurement with this epoch.
struct Measure {
  std::int64_t epoch = 0;
  Time from{};
  Time to{};
  friend bool operator==(const Measure&, const Measure&) = default;
};
struct WakeAt {
  Time at{};
  friend bool operator==(const WakeAt&, const WakeAt&) = default;
};
// Ask the gate's url, then send a GateAnswer with the effect's id.
struct AskGate {
  std::string gate{};
  std::string url{};
  Time until{};
  friend bool operator==(const AskGate&, const AskGate&) = default;
};
// Put the candidate's version into the stable subset, then report the effect done.
struct CopyToStable {
  std::string revision{};
  friend bool operator==(const CopyToStable&, const CopyToStable&) = default;
};
struct Effect {
  std::string id{};  // "<rollout>/<number>", never used again
  std::variant<WriteWeights, Measure, WakeAt, AskGate, CopyToStable> body{};
  friend bool operator==(const Effect&, const Effect&) = default;
};

// One decision, as the page and the log show it.
struct CanaryRecord {
  Time at{};
  CanaryPhase phase = CanaryPhase::kIdle;
  CanaryReason reason = CanaryReason::kNone;
  std::int32_t weight = 0;  // candidate's, after the decision
  std::int64_t stable_requests = 0;
  std::int64_t stable_errors = 0;
  std::int64_t candidate_requests = 0;
  std::int64_t candidate_errors = 0;
  std::string why{};  // one line with the numbers
  friend bool operator==(const CanaryRecord&, const CanaryRecord&) = default;
};

// The gate that holds the rollout up.
struct GateWait {
  std::string gate{};
  Time since{};
  Time until{};
  friend bool operator==(const GateWait&, const GateWait&) = default;
};
// A newer revision that begins when this one has ended.
struct QueuedRollout {
  std::string rollout{};
  std::string revision{};
  std::string actor{};
  CanaryPolicy policy{};
  friend bool operator==(const QueuedRollout&, const QueuedRollout&) = default;
};
// One that has ended.
struct PastRollout {
  std::string rollout{};
  std::string revision{};
  CanaryPhase phase = CanaryPhase::kIdle;
  Time started_at{};
  Time ended_at{};
  std::string why{};
  friend bool operator==(const PastRollout&, const PastRollout&) = default;
};
// A window of a step as kKayenta remembers it: shares of failed requests.
struct WindowRates {
  double stable = 0;
  double candidate = 0;
  friend bool operator==(const WindowRates&, const WindowRates&) = default;
};

struct CanaryState {
  std::string rollout{};   // id given by the Start event
  std::string revision{};  // what is being rolled out: the candidate's version
  CanaryPolicy policy{};   // as it was at the start: a later edit does not change a running rollout
  CanaryPhase phase = CanaryPhase::kIdle;
  bool paused = false;
  std::int32_t step = -1;     // index into policy.steps
  std::int32_t weight = 0;    // candidate's, last wanted
  std::int64_t epoch = 0;     // counts measuring windows; a Measurement of another epoch is not evidence
  std::int32_t good = 0;      // good measurements in this step
  std::int32_t failures = 0;  // bad ones in all
  std::int32_t broken = 0;    // answers of a broken source in a row
  bool routed = false;        // requests that match go to the candidate
  bool gives_cookie = false;  // its users are made to stay
  bool lost_stable = false;   // while copying: it ends on the candidate, as failed
  bool held = false;          // by a gate alone: the last window was good enough
  std::optional<GateWait> gate{};
  std::vector<std::string> opened{};        // gates that need not be asked again before the next move
  std::vector<WindowRates> windows{};       // of this step, for kKayenta
  std::optional<AnalysisState> analysis{};  // of a rollout by evidence
  Time started_at{};
  Time step_started_at{};
  Time evidence_at{};      // last good or bad measurement, or the step's start
  Time deadline = kNever;  // when the state moves by itself
  Time last_event_at{};    // events never go back in time
  std::int64_t next_effect = 1;
  std::vector<Effect> outbox{};  // effects not yet reported done, in order
  std::vector<CanaryRecord> history{};
  std::optional<QueuedRollout> queued{};
  std::vector<PastRollout> past{};  // the latest last, at most 20
  Json::Object unknown{};
  friend bool operator==(const CanaryState&, const CanaryState&) = default;
};

// Meta keys of the splitter by which a driver knows its own write again: the effect's id, the ModifyIndex of the state
// that it came from, and the candidate's weight. They belong to the rollout, whatever a desired entry says.
inline constexpr std::string_view kStampEffect = "convergence-rollout";
inline constexpr std::string_view kStampStateIndex = "convergence-state-index";
inline constexpr std::string_view kStampWeight = "convergence-weight";

// ---- events --------------------------------------------------------------------------------------------------

enum class EvidenceKind { kCounted, kNone, kBrokenSource };
std::string_view to_string(EvidenceKind kind);

struct RequestCount {
  std::int64_t requests = 0;
  std::int64_t errors = 0;
  friend bool operator==(const RequestCount&, const RequestCount&) = default;
};

struct StartRollout {
  std::string rollout{};
  std::string revision{};
  std::string actor{};
  friend bool operator==(const StartRollout&, const StartRollout&) = default;
};
struct Tick {
  friend bool operator==(const Tick&, const Tick&) = default;
};
struct MetricValue {
  std::string name{};
  EvidenceKind kind = EvidenceKind::kCounted;
  double value = 0;
  std::string problem{};
  friend bool operator==(const MetricValue&, const MetricValue&) = default;
};
struct ServiceCount {
  std::string service{};
  RequestCount stable{};
  RequestCount candidate{};
  friend bool operator==(const ServiceCount&, const ServiceCount&) = default;
};
struct Measurement {
  std::int64_t epoch = 0;
  EvidenceKind kind = EvidenceKind::kCounted;
  RequestCount stable{};
  RequestCount candidate{};
  // For a rollout by evidence, each empty when it is not known: requests not slower than each bound of its analysis,
  // and the stable subset's instances apart.
  std::vector<double> stable_buckets{};
  std::vector<double> candidate_buckets{};
  std::vector<ArmCount> stable_instances{};
  std::vector<MetricValue> metrics{};  // of policy.metrics
  std::vector<ServiceCount> also{};    // of policy.also
  std::string problem{};               // of a broken source
  friend bool operator==(const Measurement&, const Measurement&) = default;
};
enum class WriteOutcome { kDone, kConflict, kError };
std::string_view to_string(WriteOutcome outcome);
struct EffectDone {
  std::string effect{};
  WriteOutcome outcome = WriteOutcome::kDone;
  std::string problem{};
  friend bool operator==(const EffectDone&, const EffectDone&) = default;
};
struct GateAnswer {
  std::string effect{};
  bool open = false;
  std::string problem{};  // what it said, or why it could not be asked
  friend bool operator==(const GateAnswer&, const GateAnswer&) = default;
};
struct CandidateHealth {
  std::int32_t passing = 0;
  std::int32_t total = 0;
  std::optional<std::int32_t> stable_passing{};  // when it was looked at
  std::string revision{};                        // that the instances have, where it is not the rollout's
  friend bool operator==(const CandidateHealth&, const CandidateHealth&) = default;
};
enum class CanaryVerb { kAbort, kPromote, kPause, kResume, kApprove, kRetry };
std::string_view to_string(CanaryVerb verb);
struct Command {
  CanaryVerb verb = CanaryVerb::kAbort;
  std::string actor{};
  std::string reason{};
  friend bool operator==(const Command&, const Command&) = default;
};

struct CanaryEvent {
  Time at{};
  std::variant<Tick, StartRollout, Measurement, EffectDone, GateAnswer, CandidateHealth, Command> body{};
  friend bool operator==(const CanaryEvent&, const CanaryEvent&) = default;
};

// ---- the step ------------------------------------------------------------------------------------------------

struct CanaryStep {
  CanaryState state{};
  std::vector<Effect> effects{};  // new ones; they are in state.outbox too, where a driver that resumes finds them
  friend bool operator==(const CanaryStep&, const CanaryStep&) = default;
};

// Total: every event is legal in every phase (what makes no sense there changes nothing). INVALID_ARGUMENT kind
// "validate" only for a policy, state or event that contradicts itself: negative counts, more errors than requests,
// weights outside 0..10000; the state is then unchanged.
absl::StatusOr<CanaryStep> canary_step(const CanaryPolicy& policy, const CanaryState& state, const CanaryEvent& event);

}  // namespace convergence

#endif  // CONVERGENCE_CANARY_H_
