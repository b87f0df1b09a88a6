#include "convergence/replay.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "convergence/codec.h"
#include "convergence/error.h"
#include "lib/base/status_macros.h"

namespace convergence {
namespace {

const Json::Array& list_of(const Json& step, std::string_view name) {
  static const Json::Array none;
  const Json* list = step.find(name);
  return list && list->as_array() ? *list->as_array() : none;
}

// The first effect or decision that differs, null for one that is not there; the whole steps where neither does.
std::pair<Json, Json> first_difference(const Json& was, const Json& now) {
  for (const char* name : {"effects", "decisions"}) {
    const Json::Array& one = list_of(was, name);
    const Json::Array& other = list_of(now, name);
    for (std::size_t i = 0; i < std::max(one.size(), other.size()); ++i) {
      const Json left = i < one.size() ? one[i] : Json();
      const Json right = i < other.size() ? other[i] : Json();
      if (to_text(left) != to_text(right)) return {left, right};
    }
  }
  return {was, now};
}

}  // namespace

JournalReplay::JournalReplay(std::string name, JournalObserver observer)
    : name_(std::move(name)), observer_(std::move(observer)) {}

absl::Status JournalReplay::take(std::string_view record) {
  ++number_;
  const std::string place = fmt::format("{}: record {}", name_, number_);
  CVG_ASSIGN_OR_RETURN(const Json json, parse_json(record, place));
  if (const Json* begin = json.find("begin")) return take_begin(*begin, place);
  if (const Json* event = json.find("event")) return take_event(*event, place);
  if (const Json* step = json.find("step")) return take_step(*step, place);
  return make_error(ErrorKind::kDecode, place + ": is none of begin, event, step");
}

absl::Status JournalReplay::take_begin(const Json& begin, const std::string& place) {
  CVG_ASSIGN_OR_RETURN(state_, from_json<AgentState>(begin, place));
  ++processes_;
  made_.reset();
  if (observer_.on_begin) observer_.on_begin(*state_);
  return absl::OkStatus();
}

absl::Status JournalReplay::take_event(const Json& json, const std::string& place) {
  CVG_ASSIGN_OR_RETURN(const AgentEvent event, from_json<AgentEvent>(json, place));
  if (!state_) return make_error(ErrorKind::kDecode, place + ": there is no begin before it");
  AgentStep step = agent_step(*std::move(state_), event);
  made_ = to_json(step);
  steps_.push_back(Json().set("event", json).set("step", *made_));
  if (observer_.on_step) observer_.on_step(event, step, steps_.back());
  state_ = std::move(step.state);
  return absl::OkStatus();
}

// An event whose process ended before its step was written has nothing to be compared with.
absl::Status JournalReplay::take_step(const Json& was, const std::string& place) {
  if (!made_) return make_error(ErrorKind::kDecode, place + ": there is no event before it");
  const Json now = *std::exchange(made_, std::nullopt);
  if (to_text(was) == to_text(now)) return absl::OkStatus();
  auto [one, other] = first_difference(was, now);
  std::string text = fmt::format("{}: the step is another one: then {}, now {}", place, to_text(one), to_text(other));
  Json detail;
  detail.set("record", static_cast<std::int64_t>(number_)).set("was", std::move(one)).set("now", std::move(other));
  return make_error(ErrorKind::kConflict, std::move(text), std::move(detail));
}

}  // namespace convergence
