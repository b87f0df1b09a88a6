// replay: what an agent was told goes through the same function again.

#include <fmt/format.h>

#include <filesystem>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "command.h"
#include "convergence/agent.h"
#include "convergence/codec.h"
#include "convergence/error.h"
#include "convergence/node_state.h"
#include "convergence/replay.h"
#include "fleet_words.h"

namespace cli {

using namespace convergence;  // NOLINT: a program's own source

namespace {

// The records as they are now: of a copy, since an agent may be writing, and evidence is not to be mended.
absl::StatusOr<std::vector<std::string>> records_of(const std::string& path) {
  std::string folder = (std::filesystem::temp_directory_path() / "converge-replay-XXXXXX").string();
  if (mkdtemp(folder.data()) == nullptr) {
    return make_error(ErrorKind::kRefused, "replay: no temporary folder can be made");
  }
  const std::shared_ptr<void> removed(nullptr, [&folder](void*) {
    std::error_code ignored;
    std::filesystem::remove_all(folder, ignored);
  });
  std::error_code error;
  std::filesystem::copy_file(path, folder + "/journal", error);
  if (error) return make_error(ErrorKind::kNotFound, fmt::format("{}: {}", path, error.message()));
  const absl::StatusOr<std::unique_ptr<Journal>> journal = Journal::open(folder + "/journal");
  if (!journal.ok()) {
    return make_error(error_kind(journal.status()),
                      fmt::format("{}: is no whole journal: {}", path, std::string(journal.status().message())));
  }
  return (*journal)->take_records();
}

std::string effect_line(const Json& effect) {
  std::string line;
  for (const char* name : {"type", "stage", "service_id", "version"}) {
    const Json* value = effect.find(name);
    if (value && value->as_string()) line += fmt::format("{}{}", line.empty() ? "" : " ", *value->as_string());
  }
  return line;
}

std::string decision_line(const NodeDecision& decision) {
  const std::string& why = decision.why.empty() ? decision.target.why : decision.why;
  return fmt::format("{}: {}{}{}", decision.service_id, to_string(decision.action), why.empty() ? "" : ": ", why);
}

// documents: {"event", "step"}.
void say_step(Output& output, const AgentEvent& event, const AgentStep& step, const Json& documents) {
  const Json* type = documents.find("event")->find("type");
  output.say(fmt::format("{} {}", time_text(event.at), type && type->as_string() ? *type->as_string() : ""));
  for (const NodeDecision& decision : step.decisions) output.say("  " + decision_line(decision));
  for (const Json& effect : *documents.find("step")->find("effects")->as_array())
    output.say("  > " + effect_line(effect));
}

}  // namespace

int run_replay(const Arguments& arguments, Output& output) {
  if (arguments.words.size() != 1) {
    return output.fail(make_error(ErrorKind::kUsage, "converge replay: needs one journal of an agent"), kBadInput);
  }
  const absl::StatusOr<std::vector<std::string>> records = records_of(arguments.words[0]);
  if (!records.ok()) return output.fail(records.status());
  JournalReplay replay(arguments.words[0],
                       {[&](const AgentState& state) { output.say(fmt::format("begin: node {}", state.config.node)); },
                        [&](const AgentEvent& event, const AgentStep& step, const Json& documents) {
                          say_step(output, event, step, documents);
                        }});
  for (const std::string& record : *records) {
    if (const absl::Status status = replay.take(record); !status.ok()) return output.fail(status);
  }
  output.say(
      fmt::format("{} events of {} processes: the same steps as then", replay.steps().size(), replay.processes()));
  if (output.json()) {
    output.document(
        Json().set("processes", static_cast<std::int64_t>(replay.processes())).set("steps", Json(replay.steps())));
  }
  return kDone;
}

}  // namespace cli
