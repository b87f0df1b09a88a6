#include "lib/model/names.h"

#include <array>

#include "convergence/agent.h"
#include "convergence/analysis.h"
#include "convergence/canary.h"
#include "convergence/catalog.h"
#include "convergence/chain.h"
#include "convergence/collect.h"
#include "convergence/deployment.h"
#include "convergence/desired.h"
#include "convergence/draw.h"
#include "convergence/lint.h"
#include "convergence/operate.h"
#include "convergence/plan.h"
#include "convergence/report.h"
#include "convergence/simulate.h"
#include "convergence/slices.h"

namespace convergence {
namespace {

template <typename E>
struct NameRow {
  E value;
  std::string_view name;
};

// One table an enum, in the order of its enumerators.
template <typename E>
constexpr int kNames = 0;

template <>
constexpr std::array kNames<CheckStatus> = {
    NameRow<CheckStatus>{CheckStatus::kPassing, "passing"},
    NameRow<CheckStatus>{CheckStatus::kWarning, "warning"},
    NameRow<CheckStatus>{CheckStatus::kCritical, "critical"},
};

template <>
constexpr std::array kNames<Slice> = {
    NameRow<Slice>{Slice::kNone, "none"},
    NameRow<Slice>{Slice::kBlue, "blue"},
    NameRow<Slice>{Slice::kGreen, "green"},
};

template <>
constexpr std::array kNames<HookEvent> = {
    NameRow<HookEvent>{HookEvent::kApplicationStop, "ApplicationStop"},
    NameRow<HookEvent>{HookEvent::kBeforeInstall, "BeforeInstall"},
    NameRow<HookEvent>{HookEvent::kAfterInstall, "AfterInstall"},
    NameRow<HookEvent>{HookEvent::kApplicationStart, "ApplicationStart"},
    NameRow<HookEvent>{HookEvent::kValidateService, "ValidateService"},
};

template <>
constexpr std::array kNames<OnRemoval> = {
    NameRow<OnRemoval>{OnRemoval::kKeep, "keep"},
    NameRow<OnRemoval>{OnRemoval::kUninstall, "uninstall"},
};

template <>
constexpr std::array kNames<DesiredAction> = {
    NameRow<DesiredAction>{DesiredAction::kInstall, "install"},
    NameRow<DesiredAction>{DesiredAction::kIgnore, "ignore"},
    NameRow<DesiredAction>{DesiredAction::kUninstall, "uninstall"},
};

template <>
constexpr std::array kNames<FleetPhase> = {
    NameRow<FleetPhase>{FleetPhase::kFirstWave, "first-wave"},
    NameRow<FleetPhase>{FleetPhase::kBake, "bake"},
    NameRow<FleetPhase>{FleetPhase::kRest, "rest"},
    NameRow<FleetPhase>{FleetPhase::kDone, "done"},
    NameRow<FleetPhase>{FleetPhase::kReverted, "reverted"},
};

template <>
constexpr std::array kNames<CollectKind> = {
    NameRow<CollectKind>{CollectKind::kDeployment, "deployment"},
    NameRow<CollectKind>{CollectKind::kService, "service"},
    NameRow<CollectKind>{CollectKind::kVersion, "version"},
};

template <>
constexpr std::array kNames<NodeStanding> = {
    NameRow<NodeStanding>{NodeStanding::kAsWanted, "as-wanted"},
    NameRow<NodeStanding>{NodeStanding::kChanging, "changing"},
    NameRow<NodeStanding>{NodeStanding::kMissing, "missing"},
    NameRow<NodeStanding>{NodeStanding::kBehind, "behind"},
    NameRow<NodeStanding>{NodeStanding::kIll, "ill"},
    NameRow<NodeStanding>{NodeStanding::kFailed, "failed"},
    NameRow<NodeStanding>{NodeStanding::kIgnored, "ignored"},
    NameRow<NodeStanding>{NodeStanding::kUnexpected, "unexpected"},
    NameRow<NodeStanding>{NodeStanding::kLost, "lost"},
};

template <>
constexpr std::array kNames<SliceTraffic> = {
    NameRow<SliceTraffic>{SliceTraffic::kNoSlice, "no-slice"}, NameRow<SliceTraffic>{SliceTraffic::kLive, "live"},
    NameRow<SliceTraffic>{SliceTraffic::kIdle, "idle"},        NameRow<SliceTraffic>{SliceTraffic::kShared, "shared"},
    NameRow<SliceTraffic>{SliceTraffic::kUnknown, "unknown"},
};

template <>
constexpr std::array kNames<SwitchProblemKind> = {
    NameRow<SwitchProblemKind>{SwitchProblemKind::kNotWanted, "not-wanted"},
    NameRow<SwitchProblemKind>{SwitchProblemKind::kNames, "names"},
    NameRow<SwitchProblemKind>{SwitchProblemKind::kTakenBack, "taken-back"},
    NameRow<SwitchProblemKind>{SwitchProblemKind::kMissing, "missing"},
    NameRow<SwitchProblemKind>{SwitchProblemKind::kVersion, "version"},
    NameRow<SwitchProblemKind>{SwitchProblemKind::kNotPassing, "not-passing"},
    NameRow<SwitchProblemKind>{SwitchProblemKind::kNotSelected, "not-selected"},
    NameRow<SwitchProblemKind>{SwitchProblemKind::kUnexpected, "unexpected"},
    NameRow<SwitchProblemKind>{SwitchProblemKind::kTooFew, "too-few"},
    NameRow<SwitchProblemKind>{SwitchProblemKind::kNobody, "nobody"},
    NameRow<SwitchProblemKind>{SwitchProblemKind::kNoWayBack, "no-way-back"},
    NameRow<SwitchProblemKind>{SwitchProblemKind::kEntries, "entries"},
};

template <>
constexpr std::array kNames<RolloutEnd> = {
    NameRow<RolloutEnd>{RolloutEnd::kUnderWay, "under-way"},
    NameRow<RolloutEnd>{RolloutEnd::kGood, "good"},
    NameRow<RolloutEnd>{RolloutEnd::kTakenBack, "taken-back"},
    NameRow<RolloutEnd>{RolloutEnd::kSuperseded, "superseded"},
};

template <>
constexpr std::array kNames<NodeAction> = {
    NameRow<NodeAction>{NodeAction::kInstall, "install"},
    NameRow<NodeAction>{NodeAction::kUpgrade, "upgrade"},
    NameRow<NodeAction>{NodeAction::kRedeploy, "redeploy"},
    NameRow<NodeAction>{NodeAction::kRepair, "repair"},
    NameRow<NodeAction>{NodeAction::kReregister, "reregister"},
    NameRow<NodeAction>{NodeAction::kUninstall, "uninstall"},
    NameRow<NodeAction>{NodeAction::kIgnore, "ignore"},
    NameRow<NodeAction>{NodeAction::kWait, "wait"},
    NameRow<NodeAction>{NodeAction::kNothing, "nothing"},
};

template <>
constexpr std::array kNames<Stage> = {
    NameRow<Stage>{Stage::kCheckNode, "check-node"},
    NameRow<Stage>{Stage::kFetch, "fetch"},
    NameRow<Stage>{Stage::kUnpack, "unpack"},
    NameRow<Stage>{Stage::kCheckPackage, "check-package"},
    NameRow<Stage>{Stage::kPlaceAside, "place-aside"},
    NameRow<Stage>{Stage::kAcquire, "acquire"},
    NameRow<Stage>{Stage::kQuiet, "quiet"},
    NameRow<Stage>{Stage::kStop, "stop"},
    NameRow<Stage>{Stage::kBeforeInstall, "before-install"},
    NameRow<Stage>{Stage::kSwap, "swap"},
    NameRow<Stage>{Stage::kAfterInstall, "after-install"},
    NameRow<Stage>{Stage::kStart, "start"},
    NameRow<Stage>{Stage::kValidateService, "validate-service"},
    NameRow<Stage>{Stage::kRegister, "register"},
    NameRow<Stage>{Stage::kAwait, "await"},
    NameRow<Stage>{Stage::kLoud, "loud"},
    NameRow<Stage>{Stage::kBackStop, "back-stop"},
    NameRow<Stage>{Stage::kBackSwap, "back-swap"},
    NameRow<Stage>{Stage::kBackStart, "back-start"},
    NameRow<Stage>{Stage::kBackDeregister, "back-deregister"},
    NameRow<Stage>{Stage::kBackRegister, "back-register"},
    NameRow<Stage>{Stage::kBackAwait, "back-await"},
    NameRow<Stage>{Stage::kBackLoud, "back-loud"},
    NameRow<Stage>{Stage::kDeregister, "deregister"},
    NameRow<Stage>{Stage::kRemove, "remove"},
};

template <>
constexpr std::array kNames<TaskKind> = {
    NameRow<TaskKind>{TaskKind::kDeploy, "deploy"},
    NameRow<TaskKind>{TaskKind::kReregister, "reregister"},
    NameRow<TaskKind>{TaskKind::kUninstall, "uninstall"},
};

template <>
constexpr std::array kNames<AgentVerb> = {
    NameRow<AgentVerb>{AgentVerb::kPause, "pause"},
    NameRow<AgentVerb>{AgentVerb::kResume, "resume"},
    NameRow<AgentVerb>{AgentVerb::kRetry, "retry"},
};

template <>
constexpr std::array kNames<NodeStatus> = {
    NameRow<NodeStatus>{NodeStatus::kInProgress, "In Progress"},
    NameRow<NodeStatus>{NodeStatus::kSuccess, "Success"},
    NameRow<NodeStatus>{NodeStatus::kFailed, "Failed"},
};

template <>
constexpr std::array kNames<OverallStatus> = {
    NameRow<OverallStatus>{OverallStatus::kInProgress, "In Progress"},
    NameRow<OverallStatus>{OverallStatus::kSuccess, "Success"},
    NameRow<OverallStatus>{OverallStatus::kFailed, "Failed"},
    NameRow<OverallStatus>{OverallStatus::kCancelled, "Cancelled"},
};

template <>
constexpr std::array kNames<Action> = {
    NameRow<Action>{Action::kRegisterService, "register-service"},
    NameRow<Action>{Action::kChangeService, "change-service"},
    NameRow<Action>{Action::kRemoveService, "remove-service"},
    NameRow<Action>{Action::kPutEntry, "put-entry"},
    NameRow<Action>{Action::kDeleteEntry, "delete-entry"},
};

template <>
constexpr std::array kNames<Reason> = {
    NameRow<Reason>{Reason::kMissing, "missing"},
    NameRow<Reason>{Reason::kVersion, "version"},
    NameRow<Reason>{Reason::kDefinition, "definition"},
    NameRow<Reason>{Reason::kContent, "content"},
    NameRow<Reason>{Reason::kIntermediate, "intermediate"},
    NameRow<Reason>{Reason::kNotWanted, "not-wanted"},
    NameRow<Reason>{Reason::kForeign, "foreign"},
    NameRow<Reason>{Reason::kNotPruned, "not-pruned"},
    NameRow<Reason>{Reason::kNoNode, "no-node"},
    NameRow<Reason>{Reason::kAgent, "agent"},
    NameRow<Reason>{Reason::kNoInstance, "no-instance"},
    NameRow<Reason>{Reason::kNoSafeOrder, "no-safe-order"},
};

template <>
constexpr std::array kNames<CanaryStrategy> = {
    NameRow<CanaryStrategy>{CanaryStrategy::kWeights, "weights"},
    NameRow<CanaryStrategy>{CanaryStrategy::kMatch, "match"},
    NameRow<CanaryStrategy>{CanaryStrategy::kBlueGreen, "blue-green"},
};

template <>
constexpr std::array kNames<CanaryMode> = {
    NameRow<CanaryMode>{CanaryMode::kOwn, "own"},
    NameRow<CanaryMode>{CanaryMode::kFlagger, "flagger"},
    NameRow<CanaryMode>{CanaryMode::kConsecutive, "consecutive"},
    NameRow<CanaryMode>{CanaryMode::kArgo, "argo"},
    NameRow<CanaryMode>{CanaryMode::kKayenta, "kayenta"},
};

template <>
constexpr std::array kNames<MatchKind> = {
    NameRow<MatchKind>{MatchKind::kExact, "exact"},     NameRow<MatchKind>{MatchKind::kPrefix, "prefix"},
    NameRow<MatchKind>{MatchKind::kSuffix, "suffix"},   NameRow<MatchKind>{MatchKind::kRegex, "regex"},
    NameRow<MatchKind>{MatchKind::kPresent, "present"},
};

template <>
constexpr std::array kNames<GateAt> = {
    NameRow<GateAt>{GateAt::kStart, "start"},
    NameRow<GateAt>{GateAt::kStep, "step"},
    NameRow<GateAt>{GateAt::kPromotion, "promotion"},
};

template <>
constexpr std::array kNames<GateDeadline> = {
    NameRow<GateDeadline>{GateDeadline::kRollback, "rollback"},
    NameRow<GateDeadline>{GateDeadline::kOpen, "open"},
};

template <>
constexpr std::array kNames<Promotion> = {
    NameRow<Promotion>{Promotion::kSwap, "swap"},
    NameRow<Promotion>{Promotion::kCopy, "copy"},
};

template <>
constexpr std::array kNames<NewRevision> = {
    NameRow<NewRevision>{NewRevision::kRefuse, "refuse"},
    NameRow<NewRevision>{NewRevision::kQueue, "queue"},
    NameRow<NewRevision>{NewRevision::kRestart, "restart"},
};

template <>
constexpr std::array kNames<ForeignEdit> = {
    NameRow<ForeignEdit>{ForeignEdit::kHold, "hold"},
    NameRow<ForeignEdit>{ForeignEdit::kYield, "yield"},
    NameRow<ForeignEdit>{ForeignEdit::kReassert, "reassert"},
};

template <>
constexpr std::array kNames<CanaryPhase> = {
    NameRow<CanaryPhase>{CanaryPhase::kIdle, "idle"},
    NameRow<CanaryPhase>{CanaryPhase::kWaiting, "waiting"},
    NameRow<CanaryPhase>{CanaryPhase::kSettling, "settling"},
    NameRow<CanaryPhase>{CanaryPhase::kObserving, "observing"},
    NameRow<CanaryPhase>{CanaryPhase::kPromoting, "promoting"},
    NameRow<CanaryPhase>{CanaryPhase::kCopying, "copying"},
    NameRow<CanaryPhase>{CanaryPhase::kReturning, "returning"},
    NameRow<CanaryPhase>{CanaryPhase::kBaking, "baking"},
    NameRow<CanaryPhase>{CanaryPhase::kRollingBack, "rolling-back"},
    NameRow<CanaryPhase>{CanaryPhase::kSucceeded, "succeeded"},
    NameRow<CanaryPhase>{CanaryPhase::kFailed, "failed"},
};

template <>
constexpr std::array kNames<CanaryReason> = {
    NameRow<CanaryReason>{CanaryReason::kNone, "none"},
    NameRow<CanaryReason>{CanaryReason::kStarted, "started"},
    NameRow<CanaryReason>{CanaryReason::kWeightWritten, "weight-written"},
    NameRow<CanaryReason>{CanaryReason::kGoodEvidence, "good-evidence"},
    NameRow<CanaryReason>{CanaryReason::kBadEvidence, "bad-evidence"},
    NameRow<CanaryReason>{CanaryReason::kTooFewRequests, "too-few-requests"},
    NameRow<CanaryReason>{CanaryReason::kSourceBroken, "source-broken"},
    NameRow<CanaryReason>{CanaryReason::kStepPassed, "step-passed"},
    NameRow<CanaryReason>{CanaryReason::kAllStepsPassed, "all-steps-passed"},
    NameRow<CanaryReason>{CanaryReason::kFailureBudget, "failure-budget"},
    NameRow<CanaryReason>{CanaryReason::kNoEvidenceDeadline, "no-evidence-deadline"},
    NameRow<CanaryReason>{CanaryReason::kStepDeadline, "step-deadline"},
    NameRow<CanaryReason>{CanaryReason::kAborted, "aborted"},
    NameRow<CanaryReason>{CanaryReason::kPromotedByHand, "promoted-by-hand"},
    NameRow<CanaryReason>{CanaryReason::kPaused, "paused"},
    NameRow<CanaryReason>{CanaryReason::kResumed, "resumed"},
    NameRow<CanaryReason>{CanaryReason::kConflict, "conflict"},
    NameRow<CanaryReason>{CanaryReason::kCandidateUnhealthy, "candidate-unhealthy"},
    NameRow<CanaryReason>{CanaryReason::kSuperseded, "superseded"},
    NameRow<CanaryReason>{CanaryReason::kWriteFailed, "write-failed"},
    NameRow<CanaryReason>{CanaryReason::kWaits, "waits"},
    NameRow<CanaryReason>{CanaryReason::kApproved, "approved"},
    NameRow<CanaryReason>{CanaryReason::kGateClosed, "gate-closed"},
    NameRow<CanaryReason>{CanaryReason::kGateDeadline, "gate-deadline"},
    NameRow<CanaryReason>{CanaryReason::kCritical, "critical-metric"},
    NameRow<CanaryReason>{CanaryReason::kInconclusive, "inconclusive"},
    NameRow<CanaryReason>{CanaryReason::kCopied, "copied"},
    NameRow<CanaryReason>{CanaryReason::kReturned, "returned"},
    NameRow<CanaryReason>{CanaryReason::kStableUnhealthy, "stable-unhealthy"},
    NameRow<CanaryReason>{CanaryReason::kBaked, "baked"},
    NameRow<CanaryReason>{CanaryReason::kQueued, "queued"},
    NameRow<CanaryReason>{CanaryReason::kRetried, "retried"},
    NameRow<CanaryReason>{CanaryReason::kYielded, "yielded"},
    NameRow<CanaryReason>{CanaryReason::kAffinityCapped, "affinity-capped"},
};

template <>
constexpr std::array kNames<EvidenceKind> = {
    NameRow<EvidenceKind>{EvidenceKind::kCounted, "counted"},
    NameRow<EvidenceKind>{EvidenceKind::kNone, "none"},
    NameRow<EvidenceKind>{EvidenceKind::kBrokenSource, "broken-source"},
};

template <>
constexpr std::array kNames<WriteOutcome> = {
    NameRow<WriteOutcome>{WriteOutcome::kDone, "done"},
    NameRow<WriteOutcome>{WriteOutcome::kConflict, "conflict"},
    NameRow<WriteOutcome>{WriteOutcome::kError, "error"},
};

template <>
constexpr std::array kNames<CanaryVerb> = {
    NameRow<CanaryVerb>{CanaryVerb::kAbort, "abort"},     NameRow<CanaryVerb>{CanaryVerb::kPromote, "promote"},
    NameRow<CanaryVerb>{CanaryVerb::kPause, "pause"},     NameRow<CanaryVerb>{CanaryVerb::kResume, "resume"},
    NameRow<CanaryVerb>{CanaryVerb::kApprove, "approve"}, NameRow<CanaryVerb>{CanaryVerb::kRetry, "retry"},
};

template <>
constexpr std::array kNames<AnalysisVerdict> = {
    NameRow<AnalysisVerdict>{AnalysisVerdict::kContinue, "continue"},
    NameRow<AnalysisVerdict>{AnalysisVerdict::kHold, "hold"},
    NameRow<AnalysisVerdict>{AnalysisVerdict::kRollback, "rollback"},
    NameRow<AnalysisVerdict>{AnalysisVerdict::kPromote, "promote"},
    NameRow<AnalysisVerdict>{AnalysisVerdict::kInconclusive, "inconclusive"},
};

template <>
constexpr std::array kNames<AnalysisReason> = {
    NameRow<AnalysisReason>{AnalysisReason::kUndecided, "undecided"},
    NameRow<AnalysisReason>{AnalysisReason::kWorse, "worse"},
    NameRow<AnalysisReason>{AnalysisReason::kSuspicious, "suspicious"},
    NameRow<AnalysisReason>{AnalysisReason::kFine, "fine"},
    NameRow<AnalysisReason>{AnalysisReason::kNoUsableData, "no-usable-data"},
    NameRow<AnalysisReason>{AnalysisReason::kNoTraffic, "no-traffic"},
};

template <>
constexpr std::array kNames<OnDeadline> = {
    NameRow<OnDeadline>{OnDeadline::kPromote, "promote"},
    NameRow<OnDeadline>{OnDeadline::kPause, "pause"},
    NameRow<OnDeadline>{OnDeadline::kRollback, "rollback"},
};

template <>
constexpr std::array kNames<RampMove> = {
    NameRow<RampMove>{RampMove::kStay, "stay"},       NameRow<RampMove>{RampMove::kRaise, "raise"},
    NameRow<RampMove>{RampMove::kPromote, "promote"}, NameRow<RampMove>{RampMove::kRollback, "rollback"},
    NameRow<RampMove>{RampMove::kPause, "pause"},
};

template <>
constexpr std::array kNames<SimulatedRule> = {
    NameRow<SimulatedRule>{SimulatedRule::kEvidence, "evidence"},
    NameRow<SimulatedRule>{SimulatedRule::kFlagger, "flagger"},
    NameRow<SimulatedRule>{SimulatedRule::kConsecutive, "consecutive"},
    NameRow<SimulatedRule>{SimulatedRule::kArgo, "argo"},
};

template <>
constexpr std::array kNames<RolloutOutcome> = {
    NameRow<RolloutOutcome>{RolloutOutcome::kPromoted, "promoted"},
    NameRow<RolloutOutcome>{RolloutOutcome::kRolledBack, "rolled-back"},
    NameRow<RolloutOutcome>{RolloutOutcome::kInconclusive, "inconclusive"},
};

template <>
constexpr std::array kNames<Severity> = {
    NameRow<Severity>{Severity::kWarning, "warning"},
    NameRow<Severity>{Severity::kNote, "note"},
};

template <>
constexpr std::array kNames<Drawing> = {
    NameRow<Drawing>{Drawing::kTree, "tree"},
    NameRow<Drawing>{Drawing::kDot, "dot"},
    NameRow<Drawing>{Drawing::kMermaid, "mermaid"},
    NameRow<Drawing>{Drawing::kSvg, "svg"},
};

template <>
constexpr std::array kNames<Dialect> = {
    NameRow<Dialect>{Dialect::k1_8, "1.8"},
    NameRow<Dialect>{Dialect::kCurrent, "current"},
};

// A value that no enumerator names (a cast gone wrong) is shown as such.
template <typename E>
std::string_view name_of(E value) {
  for (const NameRow<E>& row : kNames<E>) {
    if (row.value == value) return row.name;
  }
  return "?";
}

}  // namespace

std::string_view to_string(CheckStatus status) { return name_of(status); }
std::string_view to_string(Slice slice) { return name_of(slice); }
std::string_view to_string(HookEvent value) { return name_of(value); }
std::string_view to_string(OnRemoval value) { return name_of(value); }
std::string_view to_string(DesiredAction value) { return name_of(value); }
std::string_view to_string(NodeStanding value) { return name_of(value); }
std::string_view to_string(SliceTraffic value) { return name_of(value); }
std::string_view to_string(SwitchProblemKind value) { return name_of(value); }
std::string_view to_string(CollectKind value) { return name_of(value); }
std::string_view to_string(RolloutEnd value) { return name_of(value); }
std::string_view to_string(NodeAction value) { return name_of(value); }
std::string_view to_string(Stage value) { return name_of(value); }
std::string_view to_string(TaskKind value) { return name_of(value); }
std::string_view to_string(AgentVerb value) { return name_of(value); }
std::string_view to_string(FleetPhase value) { return name_of(value); }
std::string_view to_string(NodeStatus status) { return name_of(status); }
std::string_view to_string(OverallStatus status) { return name_of(status); }
std::string_view to_string(Action action) { return name_of(action); }
std::string_view to_string(Reason reason) { return name_of(reason); }
std::string_view to_string(CanaryStrategy strategy) { return name_of(strategy); }
std::string_view to_string(CanaryMode mode) { return name_of(mode); }
std::string_view to_string(MatchKind kind) { return name_of(kind); }
std::string_view to_string(GateAt at) { return name_of(at); }
std::string_view to_string(GateDeadline action) { return name_of(action); }
std::string_view to_string(Promotion promotion) { return name_of(promotion); }
std::string_view to_string(NewRevision action) { return name_of(action); }
std::string_view to_string(ForeignEdit action) { return name_of(action); }
std::string_view to_string(CanaryPhase phase) { return name_of(phase); }
std::string_view to_string(CanaryReason reason) { return name_of(reason); }
std::string_view to_string(EvidenceKind kind) { return name_of(kind); }
std::string_view to_string(WriteOutcome outcome) { return name_of(outcome); }
std::string_view to_string(CanaryVerb verb) { return name_of(verb); }
std::string_view to_string(AnalysisVerdict verdict) { return name_of(verdict); }
std::string_view to_string(AnalysisReason reason) { return name_of(reason); }
std::string_view to_string(OnDeadline action) { return name_of(action); }
std::string_view to_string(RampMove move) { return name_of(move); }
std::string_view to_string(SimulatedRule rule) { return name_of(rule); }
std::string_view to_string(RolloutOutcome outcome) { return name_of(outcome); }
std::string_view to_string(Dialect dialect) { return name_of(dialect); }
std::string_view to_string(Severity severity) { return name_of(severity); }
std::string_view to_string(Drawing drawing) { return name_of(drawing); }

std::string_view node_status(const NodeReport* report) { return report ? name_of(report->status) : "Not Started"; }

template <typename E>
std::optional<E> parse_name(std::string_view name) {
  for (const NameRow<E>& row : kNames<E>) {
    if (row.name == name) return row.value;
  }
  return std::nullopt;
}

template <typename E>
std::string all_names() {
  std::string names;
  for (const NameRow<E>& row : kNames<E>) {
    if (!names.empty()) names += ", ";
    names += row.name;
  }
  return names;
}

template std::optional<CheckStatus> parse_name(std::string_view);
template std::optional<Slice> parse_name(std::string_view);
template std::optional<HookEvent> parse_name(std::string_view);
template std::optional<OnRemoval> parse_name(std::string_view);
template std::optional<DesiredAction> parse_name(std::string_view);
template std::optional<NodeStanding> parse_name(std::string_view);
template std::optional<RolloutEnd> parse_name(std::string_view);
template std::optional<NodeAction> parse_name(std::string_view);
template std::optional<Stage> parse_name(std::string_view);
template std::optional<TaskKind> parse_name(std::string_view);
template std::optional<AgentVerb> parse_name(std::string_view);
template std::optional<FleetPhase> parse_name(std::string_view);
template std::optional<NodeStatus> parse_name(std::string_view);
template std::optional<Action> parse_name(std::string_view);
template std::optional<Reason> parse_name(std::string_view);
template std::optional<CanaryStrategy> parse_name(std::string_view);
template std::optional<CanaryMode> parse_name(std::string_view);
template std::optional<MatchKind> parse_name(std::string_view);
template std::optional<GateAt> parse_name(std::string_view);
template std::optional<GateDeadline> parse_name(std::string_view);
template std::optional<Promotion> parse_name(std::string_view);
template std::optional<NewRevision> parse_name(std::string_view);
template std::optional<ForeignEdit> parse_name(std::string_view);
template std::optional<CanaryPhase> parse_name(std::string_view);
template std::optional<CanaryReason> parse_name(std::string_view);
template std::optional<EvidenceKind> parse_name(std::string_view);
template std::optional<WriteOutcome> parse_name(std::string_view);
template std::optional<CanaryVerb> parse_name(std::string_view);
template std::optional<AnalysisVerdict> parse_name(std::string_view);
template std::optional<AnalysisReason> parse_name(std::string_view);
template std::optional<OnDeadline> parse_name(std::string_view);
template std::optional<RampMove> parse_name(std::string_view);
template std::optional<SimulatedRule> parse_name(std::string_view);
template std::optional<RolloutOutcome> parse_name(std::string_view);
template std::optional<Dialect> parse_name(std::string_view);
template std::optional<Severity> parse_name(std::string_view);
template std::optional<Drawing> parse_name(std::string_view);
template std::string all_names<CheckStatus>();
template std::string all_names<Slice>();
template std::string all_names<HookEvent>();
template std::string all_names<OnRemoval>();
template std::string all_names<DesiredAction>();
template std::string all_names<NodeStanding>();
template std::string all_names<RolloutEnd>();
template std::string all_names<NodeAction>();
template std::string all_names<Stage>();
template std::string all_names<TaskKind>();
template std::string all_names<AgentVerb>();
template std::string all_names<FleetPhase>();
template std::string all_names<NodeStatus>();
template std::string all_names<Action>();
template std::string all_names<Reason>();
template std::string all_names<CanaryStrategy>();
template std::string all_names<CanaryMode>();
template std::string all_names<MatchKind>();
template std::string all_names<GateAt>();
template std::string all_names<GateDeadline>();
template std::string all_names<Promotion>();
template std::string all_names<NewRevision>();
template std::string all_names<ForeignEdit>();
template std::string all_names<CanaryPhase>();
template std::string all_names<CanaryReason>();
template std::string all_names<EvidenceKind>();
template std::string all_names<WriteOutcome>();
template std::string all_names<CanaryVerb>();
template std::string all_names<AnalysisVerdict>();
template std::string all_names<AnalysisReason>();
template std::string all_names<OnDeadline>();
template std::string all_names<RampMove>();
template std::string all_names<SimulatedRule>();
template std::string all_names<RolloutOutcome>();
template std::string all_names<Dialect>();
template std::string all_names<Severity>();
template std::string all_names<Drawing>();

}  // namespace convergence
