#include "plan_command.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "convergence/codec.h"
#include "convergence/error.h"
#include "documents.h"

namespace cli {

using namespace convergence;  // NOLINT: a program's own source

absl::StatusOr<ConvergeOptions> converge_options(const Arguments& arguments, const Session& session) {
  ConvergeOptions options;
  options.prefix = session.prefix;
  options.plan.owner = session.prefix;
  options.plan.prune = arguments.has("prune");
  options.plan.take_foreign = arguments.has("take-foreign");
  options.read = session.read;
  absl::StatusOr<std::optional<long>> rounds = integer_flag(arguments, "max-rounds", 1, 1000);
  if (!rounds.ok()) return rounds.status();
  if (*rounds) options.max_rounds = static_cast<std::int32_t>(**rounds);
  if (!arguments.words.empty()) {
    absl::StatusOr<DesiredState> desired = read_desired_files(arguments.words);
    if (!desired.ok()) return desired.status();
    options.desired = *std::move(desired);
  }
  return options;
}

void say_broken(const std::vector<absl::Status>& broken, Output& output) {
  for (const absl::Status& status : broken) {
    output.say(fmt::format("cannot be read, left as it is: {}", std::string(status.message())));
  }
}

Json broken_json(const std::vector<absl::Status>& broken) {
  Json::Array list;
  for (const absl::Status& status : broken) {
    list.push_back(Json()
                       .set("kind", to_string(error_kind(status)))
                       .set("message", std::string(status.message()))
                       .set("detail", error_detail(status)));
  }
  return list;
}

Json step_json(const StepReport& report) {
  Json json;
  json.set("step", report.step).set("outcome", to_string(report.outcome));
  if (!report.status.ok()) json.set("error", std::string(report.status.message()));
  return json;
}

void say_progress(const ConvergeProgress& progress, Output& output) {
  if (!progress.step) {
    if (!progress.plan.steps.empty()) {
      output.progress(fmt::format("round {}: {} steps", progress.round, progress.plan.steps.size()));
    }
    return;
  }
  const StepReport& step = *progress.step;
  output.progress(fmt::format("round {}: {} of {}: {} {}{}", progress.round, progress.done, progress.plan.steps.size(),
                              step.step, to_string(step.outcome),
                              step.status.ok() ? "" : ": " + std::string(step.status.message())));
}

int run_plan(const Arguments& arguments, Output& output) {
  absl::StatusOr<Session> session = connect(arguments);
  if (!session.ok()) return output.fail(session.status(), kBadInput);
  absl::StatusOr<ConvergeOptions> options = converge_options(arguments, *session);
  if (!options.ok()) return output.fail(options.status(), kBadInput);
  absl::StatusOr<PlannedRound> round = await<PlannedRound>(
      *session->executor, [&](auto done) { plan_now(*session->client, *options, std::move(done)); });
  if (!round.ok()) return output.fail(round.status());
  if (output.json()) {
    output.document(to_json(round->plan).set("broken", broken_json(round->broken)));
  } else {
    std::string text = describe(round->plan);
    text.pop_back();  // say() ends the line
    output.say(text);
    say_broken(round->broken, output);
  }
  if (!round->broken.empty()) return kBadInput;
  return arguments.has("detailed-exitcode") && !round->plan.steps.empty() ? kChanges : kDone;
}

namespace {

// Creates or changes the keys of the files' documents, each against the index it was read with.
absl::Status write_documents(Session& session, const DesiredState& desired, Output& output) {
  for (const KvPair& pair : desired_to_kv(desired, session.prefix)) {
    using Read = Answer<std::optional<KvPair>>;
    absl::StatusOr<Read> present = await<Read>(
        *session.executor, [&](auto done) { session.client->kv_get(pair.key, session.read, std::move(done)); });
    if (!present.ok()) return present.status();
    if (present->value && present->value->value == pair.value) continue;
    const std::uint64_t cas = present->value ? present->value->modify_index : 0;
    absl::StatusOr<bool> put = await<bool>(*session.executor, [&](auto done) {
      WriteOptions write;
      write.datacenter = session.read.datacenter;
      write.namespace_name = session.read.namespace_name;
      session.client->kv_put({pair.key, pair.value, 0, cas, "", ""}, write, std::move(done));
    });
    if (!put.ok()) return put.status();
    if (!*put) return make_error(ErrorKind::kConflict, pair.key + ": was changed in the meantime; try again");
    output.say("wrote " + pair.key);
  }
  return absl::OkStatus();
}

Json report_json(const ConvergeReport& report, Json::Array steps) {
  return Json()
      .set("rounds", report.rounds)
      .set("steps_done", std::uint64_t{report.steps_done})
      .set("conflicts", std::uint64_t{report.conflicts})
      .set("steps", std::move(steps))
      .set("plan", to_json(report.last_plan))
      .set("broken", broken_json(report.broken));
}

}  // namespace

int run_apply(const Arguments& arguments, Output& output) {
  absl::StatusOr<Session> session = connect(arguments);
  if (!session.ok()) return output.fail(session.status(), kBadInput);
  absl::StatusOr<ConvergeOptions> options = converge_options(arguments, *session);
  if (!options.ok()) return output.fail(options.status(), kBadInput);
  if (options->desired) {
    absl::Status written = write_documents(*session, *options->desired, output);
    if (!written.ok()) return output.fail(written);
    options->desired.reset();  // from here on what stands in KV counts, all of it
  }
  Json::Array steps;
  bool failed = false;
  absl::StatusOr<ConvergeReport> report = await<ConvergeReport>(*session->executor, [&](auto done) {
    converge_once(
        *session->client, *options,
        [&](const ConvergeProgress& progress) {
          say_progress(progress, output);
          if (!progress.step) return;
          steps.push_back(step_json(*progress.step));
          failed = failed || progress.step->outcome == StepOutcome::kFailed;
        },
        std::move(done));
  });
  if (!report.ok()) return output.fail(report.status());
  if (output.json()) {
    output.document(report_json(*report, std::move(steps)));
  } else {
    for (const Held& held : report->last_plan.held) output.say(fmt::format("left: {}: {}", held.id, held.why));
    say_broken(report->broken, output);
    output.say(fmt::format("{}: {} steps in {} rounds", report->last_plan.steps.empty() ? "converged" : "not converged",
                           report->steps_done, report->rounds));
  }
  if (!report->broken.empty()) return kBadInput;
  return report->last_plan.steps.empty() && !failed ? kDone : kFailed;
}

}  // namespace cli
