#include "rollout_history.h"

#include <fmt/format.h>

#include <optional>
#include <sstream>

#include "convergence/codec.h"
#include "convergence/error.h"
#include "convergence/rollout_replay.h"
#include "documents.h"
#include "fleet_words.h"

namespace cli {

using namespace convergence;  // NOLINT: a program's own source

std::string line_of(const CanaryRecord& record) {
  return fmt::format("{:12} {:6g} %  {}", to_string(record.phase), record.weight / 100.0, record.why);
}

std::string line_of(const CanaryState& state) {
  return fmt::format("{} {}: {}{}, weight {:g} %{}", state.policy.service, state.revision, to_string(state.phase),
                     state.paused ? " (paused)" : "", state.weight / 100.0,
                     state.history.empty() ? "" : ": " + state.history.back().why);
}

int say_history(const CanaryState& state, Output& output) {
  for (const PastRollout& one : state.past) {
    output.say(fmt::format("{}  {} {} {}: {}", time_text(one.ended_at), one.rollout, one.revision, to_string(one.phase),
                           one.why));
  }
  output.say(fmt::format("{}  {} {} {}", time_text(state.last_event_at), state.rollout, state.revision,
                         to_string(state.phase)));
  for (const CanaryRecord& record : state.history) {
    output.say(fmt::format("  {}  {}", time_text(record.at), line_of(record)));
  }
  if (output.json()) {
    const Json rollout = to_json(state);
    const Json* past = rollout.find("past");
    output.document(Json().set("past", past ? *past : Json(Json::Array{})).set("rollout", rollout));
  }
  return kDone;
}

int replay_rollout(const std::string& file, const Arguments& arguments, Output& output) {
  absl::StatusOr<std::string> text = read_file(file);
  if (!text.ok()) return output.fail(text.status(), kBadInput);
  RolloutReplay replay(file);
  std::istringstream lines(*text);
  std::size_t told = 0;
  for (std::string line; std::getline(lines, line);) {
    if (line.empty()) continue;
    if (const absl::Status status = replay.take(line); !status.ok()) return output.fail(status, kFailed);
    const std::vector<CanaryRecord>& history = replay.state().history;
    if (told > history.size()) told = 0;  // another rollout began
    for (; told < history.size(); ++told) output.say(line_of(history[told]));
  }
  output.say(fmt::format("{} events: the same states as then", replay.events().size()));
  Json document =
      Json().set("events", static_cast<std::int64_t>(replay.events().size())).set("state", to_json(replay.state()));
  if (arguments.has("policy")) {
    absl::StatusOr<std::string> policy_text = read_file(arguments.get("policy"));
    if (!policy_text.ok()) return output.fail(policy_text.status(), kBadInput);
    absl::StatusOr<CanaryPolicy> policy = parse<CanaryPolicy>(*policy_text, arguments.get("policy"));
    if (!policy.ok()) return output.fail(policy.status(), kBadInput);
    if (policy->service.empty()) policy->service = replay.state().policy.service;
    absl::StatusOr<CanaryState> other = what_if(*policy, replay.events());
    if (!other.ok()) return output.fail(other.status(), kBadInput);
    output.say("under " + arguments.get("policy") + ":");
    for (const CanaryRecord& record : other->history) output.say("  " + line_of(record));
    document.set("what_if", to_json(*other));
  }
  if (output.json()) output.document(document);
  return kDone;
}

}  // namespace cli
