#include "lib/model/names.h"

#include <doctest/doctest.h>

#include <set>
#include <string>

#include "convergence/canary.h"
#include "convergence/catalog.h"
#include "convergence/chain.h"
#include "convergence/desired.h"
#include "convergence/operate.h"
#include "convergence/plan.h"

namespace convergence {
namespace {

// Each enumerator has its own name and is found again by it; one past the last has none, so none was forgotten.
template <typename E>
void check_names(E last, const std::string& names) {
  CHECK(all_names<E>() == names);
  std::set<std::string> seen;
  for (int i = 0; i <= static_cast<int>(last); ++i) {
    const E value = static_cast<E>(i);
    const std::string name(to_string(value));
    CAPTURE(name);
    CHECK(seen.insert(name).second);
    CHECK(parse_name<E>(name) == value);
  }
  CHECK(to_string(static_cast<E>(static_cast<int>(last) + 1)) == "?");
  CHECK(parse_name<E>("?") == std::nullopt);
  CHECK(parse_name<E>("") == std::nullopt);
  CHECK(parse_name<E>("Passing") == std::nullopt);
}

TEST_CASE("names of enumerators are stable and lead back") {
  SUBCASE("check status") { check_names(CheckStatus::kCritical, "passing, warning, critical"); }
  SUBCASE("slice") { check_names(Slice::kGreen, "none, blue, green"); }
  SUBCASE("hook event") {
    check_names(HookEvent::kValidateService,
                "ApplicationStop, BeforeInstall, AfterInstall, ApplicationStart, ValidateService");
  }
  SUBCASE("on removal") { check_names(OnRemoval::kUninstall, "keep, uninstall"); }
  SUBCASE("desired action") { check_names(DesiredAction::kUninstall, "install, ignore, uninstall"); }
  SUBCASE("fleet phase") { check_names(FleetPhase::kReverted, "first-wave, bake, rest, done, reverted"); }
  SUBCASE("action") {
    check_names(Action::kDeleteEntry, "register-service, change-service, remove-service, put-entry, delete-entry");
  }
  SUBCASE("reason") {
    check_names(Reason::kNoSafeOrder,
                "missing, version, definition, content, intermediate, not-wanted, foreign, not-pruned, no-node, "
                "agent, no-instance, no-safe-order");
  }
  SUBCASE("canary phase") {
    check_names(CanaryPhase::kFailed,
                "idle, waiting, settling, observing, promoting, copying, returning, baking, rolling-back, succeeded, "
                "failed");
  }
  SUBCASE("canary reason") {
    check_names(CanaryReason::kAffinityCapped,
                "none, started, weight-written, good-evidence, bad-evidence, too-few-requests, source-broken, "
                "step-passed, all-steps-passed, failure-budget, no-evidence-deadline, step-deadline, aborted, "
                "promoted-by-hand, paused, resumed, conflict, candidate-unhealthy, superseded, write-failed, "
                "waits, approved, gate-closed, gate-deadline, critical-metric, inconclusive, copied, returned, "
                "stable-unhealthy, baked, queued, retried, yielded, affinity-capped");
  }
  SUBCASE("standing") {
    check_names(NodeStanding::kLost, "as-wanted, changing, missing, behind, ill, failed, ignored, unexpected, lost");
  }
  SUBCASE("end of a roll-out") { check_names(RolloutEnd::kSuperseded, "under-way, good, taken-back, superseded"); }
  SUBCASE("evidence") { check_names(EvidenceKind::kBrokenSource, "counted, none, broken-source"); }
  SUBCASE("write outcome") { check_names(WriteOutcome::kError, "done, conflict, error"); }
  SUBCASE("verb") { check_names(CanaryVerb::kRetry, "abort, promote, pause, resume, approve, retry"); }
  SUBCASE("strategy") { check_names(CanaryStrategy::kBlueGreen, "weights, match, blue-green"); }
  SUBCASE("mode") { check_names(CanaryMode::kKayenta, "own, flagger, consecutive, argo, kayenta"); }
  SUBCASE("match") { check_names(MatchKind::kPresent, "exact, prefix, suffix, regex, present"); }
  SUBCASE("gate") { check_names(GateAt::kPromotion, "start, step, promotion"); }
  SUBCASE("gate's deadline") { check_names(GateDeadline::kOpen, "rollback, open"); }
  SUBCASE("promotion") { check_names(Promotion::kCopy, "swap, copy"); }
  SUBCASE("new revision") { check_names(NewRevision::kRestart, "refuse, queue, restart"); }
  SUBCASE("foreign edit") { check_names(ForeignEdit::kReassert, "hold, yield, reassert"); }
  SUBCASE("dialect") { check_names(Dialect::kCurrent, "1.8, current"); }
}

}  // namespace
}  // namespace convergence
