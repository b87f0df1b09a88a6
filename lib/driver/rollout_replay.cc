#include "convergence/rollout_replay.h"

#include <algorithm>
#include <utility>

#include "convergence/codec.h"
#include "convergence/error.h"
#include "fmt/format.h"
#include "lib/base/fnv.h"
#include "lib/base/status_macros.h"
#include "lib/canary/invariants.h"

namespace convergence {
namespace {

constexpr int kMostEvents = 100000;  // of a what-if; one that still moves then is not led by its evidence

// Two states that differ are told apart; nobody is meant to forge one.
std::string digest_of(const CanaryState& state) { return fmt::format("{:016x}", fnv1a(to_text(to_json(state)))); }

// What a world that does as it is told reports next; the measurement at `next` answers a window.
std::optional<CanaryEvent> next_event(const CanaryState& state, const std::vector<const Measurement*>& evidence,
                                      std::size_t& next) {
  for (const Effect* effect : {pending_effect<WriteWeights>(state), pending_effect<CopyToStable>(state)}) {
    if (effect) return CanaryEvent{state.last_event_at, EffectDone{effect->id, WriteOutcome::kDone, ""}};
  }
  if (const Effect* ask = pending_effect<AskGate>(state)) {
    return CanaryEvent{state.last_event_at, GateAnswer{ask->id, true, ""}};
  }
  if (state.gate) return CanaryEvent{state.last_event_at, Command{CanaryVerb::kApprove, "what-if", ""}};
  const Effect* window = pending_effect<Measure>(state);
  if (!window) return CanaryEvent{state.deadline, Tick{}};
  if (next == evidence.size()) return std::nullopt;
  Measurement measured = *evidence[next++];
  const auto& measure = std::get<Measure>(window->body);
  measured.epoch = measure.epoch;
  return CanaryEvent{measure.to, std::move(measured)};
}

}  // namespace

absl::Status RolloutReplay::take(std::string_view record) {
  const std::string place = fmt::format("{}: record {}", name_, ++number_);
  CVG_ASSIGN_OR_RETURN(const Json json, parse_json(record, place));
  if (const Json* begin = json.find("begin")) {
    CVG_ASSIGN_OR_RETURN(state_, from_json<CanaryState>(*begin, place));
    return absl::OkStatus();
  }
  const Json* event_json = json.find("event");
  const Json* digest = json.find("state");
  if (!event_json || !digest || !digest->as_string()) {
    return make_error(ErrorKind::kDecode, place + ": is neither a begin nor an event with its state");
  }
  CVG_ASSIGN_OR_RETURN(const CanaryEvent event, from_json<CanaryEvent>(*event_json, place));
  CanaryPolicy policy = state_.policy;
  if (const Json* given = json.find("policy")) {
    CVG_ASSIGN_OR_RETURN(policy, from_json<CanaryPolicy>(*given, place));
  }
  CVG_ASSIGN_OR_RETURN(CanaryStep step, canary_step(policy, state_, event));
  const std::string now = digest_of(step.state);
  if (now != *digest->as_string()) {
    return make_error(ErrorKind::kConflict,
                      fmt::format("{}: gave state {} then and gives {} now: {} at {} hundredths of a percent", place,
                                  *digest->as_string(), now, to_string(step.state.phase), step.state.weight));
  }
  state_ = std::move(step.state);
  events_.push_back(event);
  return absl::OkStatus();
}

std::string begin_record(const CanaryState& state) { return to_text(Json().set("begin", to_json(state))); }

std::string step_record(const CanaryPolicy& policy, const CanaryEvent& event, const CanaryState& after) {
  Json record;
  // Every other event finds the policy in the state.
  if (std::holds_alternative<StartRollout>(event.body)) record.set("policy", to_json(policy));
  return to_text(record.set("event", to_json(event)).set("state", digest_of(after)));
}

absl::StatusOr<CanaryState> what_if(const CanaryPolicy& policy, const std::vector<CanaryEvent>& events) {
  const auto start = std::find_if(events.begin(), events.end(), [](const CanaryEvent& event) {
    return std::holds_alternative<StartRollout>(event.body);
  });
  if (start == events.end()) {
    return make_error(ErrorKind::kValidate, "what-if: the journal has no start of a rollout");
  }
  std::vector<const Measurement*> evidence;
  for (auto event = start; event != events.end(); ++event) {
    if (const auto* measured = std::get_if<Measurement>(&event->body)) evidence.push_back(measured);
  }
  CVG_ASSIGN_OR_RETURN(CanaryStep step, canary_step(policy, CanaryState{}, *start));
  std::size_t next = 0;
  for (int i = 0; i < kMostEvents && !is_terminal(step.state.phase); ++i) {
    const std::optional<CanaryEvent> event = next_event(step.state, evidence, next);
    if (!event) break;
    CVG_ASSIGN_OR_RETURN(step, canary_step(policy, step.state, *event));
  }
  return step.state;
}

}  // namespace convergence
