// replay: what an agent was told goes through the same function again.

#include <fmt/format.h>

#include <algorithm>
#include <filesystem>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <variant>
#include <vector>

#include "command.h"
#include "convergence/agent.h"
#include "convergence/codec.h"
#include "convergence/error.h"
#include "convergence/node_state.h"
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

class Replay {
 public:
  Replay(std::string path, Output& output) : path_(std::move(path)), output_(output) {}

  // Of the next record. An error where it is none, or its step is another one than was made then.
  absl::Status take(const std::string& text) {
    ++number_;
    const std::string place = fmt::format("{}: record {}", path_, number_);
    const absl::StatusOr<Json> record = parse_json(text, place);
    if (!record.ok()) return record.status();
    if (const Json* begin = record->find("begin")) return take_begin(*begin, place);
    if (const Json* event = record->find("event")) return take_event(*event, place);
    if (const Json* step = record->find("step")) return take_step(*step, place);
    return make_error(ErrorKind::kDecode, place + ": is none of begin, event, step");
  }

  const Json::Array& steps() const { return steps_; }
  std::size_t processes() const { return processes_; }

 private:
  absl::Status take_begin(const Json& begin, const std::string& place) {
    absl::StatusOr<AgentState> state = from_json<AgentState>(begin, place);
    if (!state.ok()) return state.status();
    ++processes_;
    output_.say(fmt::format("begin: node {}", state->config.node));
    state_ = *std::move(state);
    made_.reset();
    return absl::OkStatus();
  }

  absl::Status take_event(const Json& json, const std::string& place) {
    const absl::StatusOr<AgentEvent> event = from_json<AgentEvent>(json, place);
    if (!event.ok()) return event.status();
    if (!state_) return make_error(ErrorKind::kDecode, place + ": there is no begin before it");
    AgentStep step = agent_step(*std::move(state_), *event);
    made_ = to_json(step);
    steps_.push_back(Json().set("event", json).set("step", *made_));
    say(json, *event, step);
    state_ = std::move(step.state);
    return absl::OkStatus();
  }

  // An event whose process ended before its step was written has nothing to be compared with.
  absl::Status take_step(const Json& was, const std::string& place) {
    if (!made_) return make_error(ErrorKind::kDecode, place + ": there is no event before it");
    const Json now = *std::exchange(made_, std::nullopt);
    if (to_text(was) == to_text(now)) return absl::OkStatus();
    const auto [one, other] = first_difference(was, now);
    Json detail;
    detail.set("record", static_cast<std::int64_t>(number_)).set("was", one).set("now", other);
    return make_error(ErrorKind::kConflict,
                      fmt::format("{}: the step is another one: then {}, now {}", place, to_text(one), to_text(other)),
                      std::move(detail));
  }

  // The first effect, decision or wait that differs; null for one that is not there.
  static std::pair<Json, Json> first_difference(const Json& was, const Json& now) {
    for (const char* name : {"effects", "decisions"}) {
      static const Json::Array none;
      const Json* before = was.find(name);
      const Json* after = now.find(name);
      const Json::Array& one = before && before->as_array() ? *before->as_array() : none;
      const Json::Array& other = after && after->as_array() ? *after->as_array() : none;
      for (std::size_t i = 0; i < std::max(one.size(), other.size()); ++i) {
        const Json left = i < one.size() ? one[i] : Json();
        const Json right = i < other.size() ? other[i] : Json();
        if (to_text(left) != to_text(right)) return {left, right};
      }
    }
    return {was, now};
  }

  void say(const Json& json, const AgentEvent& event, const AgentStep& step) {
    const Json* type = json.find("type");
    output_.say(fmt::format("{} {}", time_text(event.at), type && type->as_string() ? *type->as_string() : ""));
    for (const NodeDecision& decision : step.decisions) output_.say("  " + decision_line(decision));
    for (const Json& effect : *made_->find("effects")->as_array()) output_.say("  > " + effect_line(effect));
  }

  const std::string path_;
  Output& output_;
  std::size_t number_ = 0;
  std::size_t processes_ = 0;
  std::optional<AgentState> state_;
  std::optional<Json> made_;  // of the last event, until its step was compared
  Json::Array steps_;
};

}  // namespace

int run_replay(const Arguments& arguments, Output& output) {
  if (arguments.words.size() != 1) {
    return output.fail(make_error(ErrorKind::kUsage, "converge replay: needs one journal of an agent"), kBadInput);
  }
  const absl::StatusOr<std::vector<std::string>> records = records_of(arguments.words[0]);
  if (!records.ok()) return output.fail(records.status());
  Replay replay(arguments.words[0], output);
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
