#include <fmt/format.h>

#include <algorithm>
#include <cstdlib>
#include <fstream>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "command.h"
#include "convergence/codec.h"
#include "convergence/driver.h"
#include "convergence/error.h"
#include "documents.h"
#include "gate_asker.h"
#include "metrics_command.h"
#include "metrics_source.h"
#include "rollout_history.h"

namespace cli {

using namespace convergence;  // NOLINT: a program's own source

namespace {

absl::StatusOr<std::vector<CanaryState>> rollouts_of(Session& session) {
  return await<std::vector<CanaryState>>(*session.executor, [&](auto done) {
    read_rollouts(*session.client, session.prefix, session.read, std::move(done));
  });
}

absl::StatusOr<std::optional<CanaryState>> rollout_of(Session& session, const std::string& service) {
  absl::StatusOr<std::vector<CanaryState>> all = rollouts_of(session);
  if (!all.ok()) return all.status();
  for (CanaryState& state : *all) {
    if (state.policy.service == service) return std::optional<CanaryState>(std::move(state));
  }
  return std::optional<CanaryState>();
}

absl::Status no_rollout(const std::string& service) {
  return make_error(ErrorKind::kNotFound, service + ": has no rollout; begin one with rollout start");
}

int list(Session& session, Output& output) {
  absl::StatusOr<std::vector<CanaryState>> all = rollouts_of(session);
  if (!all.ok()) return output.fail(all.status(), kFailed);
  Json::Array documents;
  for (const CanaryState& state : *all) {
    documents.push_back(to_json(state));
    output.say(line_of(state));
  }
  if (output.json()) output.document(Json(std::move(documents)));
  if (all->empty()) output.say("no rollout");
  return kDone;
}

int status(Session& session, const std::string& service, Output& output) {
  absl::StatusOr<std::optional<CanaryState>> state = rollout_of(session, service);
  if (!state.ok()) return output.fail(state.status(), kFailed);
  if (!*state) return output.fail(no_rollout(service), kFailed);
  if (output.json()) output.document(to_json(**state));
  output.say(line_of(**state));
  for (const CanaryRecord& record : (*state)->history) output.say("  " + line_of(record));
  return kDone;
}

int history(Session& session, const std::string& service, Output& output) {
  absl::StatusOr<std::optional<CanaryState>> state = rollout_of(session, service);
  if (!state.ok()) return output.fail(state.status(), kFailed);
  if (!*state) return output.fail(no_rollout(service), kFailed);
  return say_history(**state, output);
}

int command(Session& session, const std::string& service, CanaryVerb verb, const Arguments& arguments, Output& output) {
  MetricsCommand nothing("false");  // a command measures nothing
  RolloutOptions options;
  options.prefix = session.prefix;
  RolloutDriver driver(*session.client, nothing, service, options);
  const convergence::Command what{verb, actor_of(arguments), arguments.get("reason")};
  absl::StatusOr<CanaryState> state =
      await<CanaryState>(*session.executor, [&](auto done) { driver.command(what, std::move(done)); });
  if (!state.ok()) return output.fail(state.status(), kFailed);
  if (output.json()) output.document(to_json(*state));
  output.say(line_of(*state));
  return kDone;
}

struct StartInput {
  CanaryPolicy policy{};
  StartRollout start{};
};

absl::StatusOr<StartInput> start_input(const std::string& service, const Arguments& arguments) {
  if (!arguments.has("policy") || !arguments.has("revision")) {
    return absl::InvalidArgumentError("rollout start: needs --policy and --revision; see --help");
  }
  absl::StatusOr<std::string> text = read_file(arguments.get("policy"));
  if (!text.ok()) return text.status();
  StartInput input;
  absl::StatusOr<CanaryPolicy> policy = parse<CanaryPolicy>(*text, arguments.get("policy"));
  if (!policy.ok()) return policy.status();
  input.policy = *std::move(policy);
  if (input.policy.service.empty()) input.policy.service = service;
  if (input.policy.service != service) {
    return absl::InvalidArgumentError(
        fmt::format("{}: speaks of {}, not of {}", arguments.get("policy"), input.policy.service, service));
  }
  absl::Status valid = validate(input.policy);
  if (!valid.ok()) return valid;
  input.start.revision = arguments.get("revision");
  input.start.rollout = arguments.get("id", service + "-" + input.start.revision);
  input.start.actor = actor_of(arguments);
  return input;
}

// Drives to the end; one that was interrupted before goes on where it stood.
int start(Session& session, const std::string& service, const Arguments& arguments, Output& output) {
  absl::StatusOr<Metrics> metrics = metrics_from(arguments, *session.executor);
  if (!metrics.ok()) return output.fail(metrics.status(), kBadInput);
  absl::StatusOr<StartInput> input = start_input(service, arguments);
  if (!input.ok()) return output.fail(input.status(), kBadInput);
  absl::StatusOr<std::optional<CanaryState>> present = rollout_of(session, service);
  if (!present.ok()) return output.fail(present.status(), kFailed);
  const bool goes_on = *present && (*present)->rollout == input->start.rollout;

  std::ofstream journal;
  if (arguments.has("journal")) {
    journal.open(arguments.get("journal"), std::ios::app);
    if (!journal) {
      return output.fail(absl::InvalidArgumentError(
                             fmt::format("rollout start: --journal: {} cannot be written", arguments.get("journal"))),
                         kBadInput);
    }
  }
  GateAsker asker(*session.executor, service);
  std::size_t told = goes_on ? (*present)->history.size() : 0;
  RolloutOptions options;
  options.prefix = session.prefix;
  options.on_change = [&](const CanaryState& state) {
    told = std::min(told, state.history.size());
    for (; told < state.history.size(); ++told) output.say(line_of(state.history[told]));
  };
  options.ask_gate = [&](const AskGate& gate, auto answer) { asker.ask(gate, std::move(answer)); };
  if (journal.is_open()) {
    options.on_record = [&](const std::string& record) { journal << record << '\n' << std::flush; };
  }
  RolloutDriver driver(*session.client, *metrics->source, service, std::move(options));
  absl::StatusOr<CanaryState> end = await<CanaryState>(
      *session.executor,
      [&](auto done) {
        goes_on ? driver.resume(std::move(done)) : driver.start(input->policy, input->start, std::move(done));
      },
      std::chrono::hours(24 * 365));
  if (!end.ok()) return output.fail(end.status(), kFailed);
  if (output.json()) output.document(to_json(*end));
  output.say(line_of(*end));
  return end->phase == CanaryPhase::kSucceeded ? kDone : kFailed;
}

}  // namespace

int run_rollout(const Arguments& arguments, Output& output) {
  const std::vector<std::string>& words = arguments.words;
  static const std::pair<std::string_view, std::optional<CanaryVerb>> verbs[] = {{"start", {}},
                                                                                 {"list", {}},
                                                                                 {"status", {}},
                                                                                 {"history", {}},
                                                                                 {"replay", {}},
                                                                                 {"approve", CanaryVerb::kApprove},
                                                                                 {"retry", CanaryVerb::kRetry},
                                                                                 {"pause", CanaryVerb::kPause},
                                                                                 {"resume", CanaryVerb::kResume},
                                                                                 {"promote", CanaryVerb::kPromote},
                                                                                 {"abort", CanaryVerb::kAbort}};
  auto verb = std::find_if(std::begin(verbs), std::end(verbs),
                           [&](const auto& known) { return !words.empty() && known.first == words[0]; });
  if (verb == std::end(verbs)) {
    return output.fail(
        absl::InvalidArgumentError("rollout: start, list, status, history, pause, resume, approve, promote, abort, "
                                   "retry or replay"),
        kBadInput);
  }
  const std::size_t wanted = verb->first == "list" ? 1 : 2;
  if (words.size() != wanted) {
    return output.fail(absl::InvalidArgumentError(fmt::format("rollout {}: takes {}", words[0],
                                                              wanted == 1               ? "no service"
                                                              : verb->first == "replay" ? "one file"
                                                                                        : "one service")),
                       kBadInput);
  }
  if (verb->first == "replay") return replay_rollout(words[1], arguments, output);
  absl::StatusOr<Session> session = connect(arguments);
  if (!session.ok()) return output.fail(session.status(), kBadInput);
  if (verb->second) return command(*session, words[1], *verb->second, arguments, output);
  if (verb->first == "list") return list(*session, output);
  if (verb->first == "history") return history(*session, words[1], output);
  if (verb->first == "status") return status(*session, words[1], output);
  return start(*session, words[1], arguments, output);
}

}  // namespace cli
