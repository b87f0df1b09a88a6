#include <doctest/doctest.h>

#include <algorithm>
#include <array>
#include <fstream>
#include <functional>
#include <map>
#include <set>
#include <sstream>
#include <string>

#include "convergence/codec.h"
#include "convergence/deployment_codec.h"
#include "convergence/error.h"
#include "tests/support/status_check.h"

namespace convergence {
namespace {

struct Outcome {
  std::string message;  // of the error
  Json again;           // what we would write for what we read
};

template <typename T>
Outcome read_as(const std::string& text) {
  const absl::StatusOr<T> value = parse<T>(text, "doc");
  if (!value.ok()) {
    CHECK(error_kind(value.status()) == ErrorKind::kDecode);
    return {std::string(value.status().message()), {}};
  }
  return {"", to_json(*value)};
}

const std::map<std::string, std::function<Outcome(const std::string&)>>& readers() {
  static const std::map<std::string, std::function<Outcome(const std::string&)>> table = {
      {"desired-service", read_as<DesiredService>},
      {"desired-state", read_as<DesiredState>},
      {"config-entry", read_as<ConfigEntry>},
      {"plan", read_as<Plan>},
      {"plan-options", read_as<PlanOptions>},
      {"canary-policy", read_as<CanaryPolicy>},
      {"canary-state", read_as<CanaryState>},
      {"canary-event", read_as<CanaryEvent>},
      {"canary-step", read_as<CanaryStep>},
      {"catalog", read_as<CatalogState>},
      {"route-result", read_as<RouteResult>},
      {"node-report", read_as<NodeReport>},
      {"lock", read_as<DeployLock>},
      {"deployment-record", read_as<DeploymentRecord>},
      {"service-fleet", read_as<ServiceFleet>},
      {"node-view", read_as<NodeView>},
      {"agent-state", read_as<AgentState>},
      {"agent-event", read_as<AgentEvent>},
  };
  return table;
}

TEST_CASE("documents of ours that cannot be read are refused with their place") {
  struct Case {
    const char* name;
    const char* type;
    const char* text;
    const char* message;
  };
  const Case cases[] = {
      {"not JSON", "canary-policy", "policy", "doc: (offset 0): not a JSON value"},
      {"not an object", "canary-policy", "1", "doc: (offset 0): must be an object, is a number"},
      {"a duplicate key", "canary-policy", R"({"settle":"1s","settle":"2s"})",
       "doc: /settle (offset 15): the key \"settle\" is there twice"},
      {"a schema from the future", "canary-policy", R"({"schema":2})",
       "doc: /schema (offset 10): unknown schema 2; this library reads 1 to 1"},
      {"a schema before the first", "desired-state", R"({"schema":0})",
       "doc: /schema (offset 10): unknown schema 0; this library reads 1 to 1"},
      {"a schema that is text", "plan", R"({"schema":"1","steps":[]})",
       "doc: /schema (offset 10): must be a number, is text"},
      {"a schema that is null", "plan", R"({"schema":null,"steps":[]})",
       "doc: /schema (offset 10): must be a number, is null"},
      {"a schema inside", "desired-state", R"({"services":[{"schema":7,"name":"x"}]})",
       "doc: /services/0/schema (offset 23): unknown schema 7; this library reads 1 to 1"},
      {"a plan without a schema", "plan", R"({"steps":[]})", "doc: (offset 0): needs a member \"schema\""},
      {"a state without a schema", "canary-state", R"({"rollout":"r"})", "doc: (offset 0): needs a member \"schema\""},
      {"a plan without steps", "plan", R"({"schema":1})", "doc: (offset 0): needs a member \"steps\""},
      {"an unknown member of a plan", "plan", R"({"schema":1,"steps":[],"x":1})",
       "doc: /x (offset 27): unknown member"},
      {"an unknown action", "plan", R"({"schema":1,"steps":[{"id":"a","action":"jump"}]})",
       "doc: /steps/0/action (offset 40): \"jump\" is none of register-service, change-service, remove-service, "
       "put-entry, "
       "delete-entry"},
      {"a target of the other sort", "plan",
       R"({"schema":1,"steps":[{"id":"a","action":"put-entry","reason":"missing","target":{"node":"n"}}]})",
       "doc: /steps/0/target (offset 80): needs a member \"kind\""},
      {"a body that is none", "plan",
       R"({"schema":1,"steps":[{"id":"a","action":"put-entry","reason":"missing","target":{"kind":"k","name":"n"},"body":{}}]})",
       "doc: /steps/0/body (offset 111): needs a member \"node\""},
      {"an unknown reason", "plan", R"({"schema":1,"steps":[],"held":[{"id":"a","reason":"why not"}]})",
       "doc: /held/0/reason (offset 50): \"why not\" is none of missing, version, definition, content, intermediate, "
       "not-wanted, foreign, not-pruned, no-node, agent, no-instance, no-safe-order"},
      {"an unknown dialect", "plan-options", R"({"dialect":"1.9"})",
       "doc: /dialect (offset 11): \"1.9\" is none of 1.8, current"},
      {"an unknown option", "plan-options", R"({"purge":true})", "doc: /purge (offset 9): unknown member"},
      {"a text for true", "plan-options", R"({"prune":"true"})",
       "doc: /prune (offset 9): must be true or false, is text"},
      {"a step of three decimals", "canary-policy", R"({"steps":[5,33.333]})",
       "doc: /steps/1 (offset 12): percent has at most two decimals, is 33.333"},
      {"a step out of range", "canary-policy", R"({"steps":[1e300]})",
       "doc: /steps/0 (offset 10): number out of range"},
      {"a number no double holds", "canary-policy", R"({"min_success_rate":1e999})",
       "doc: /min_success_rate (offset 20): number out of range"},
      {"a count out of range", "canary-policy", R"({"max_failures":2147483648})",
       "doc: /max_failures (offset 16): must be a whole number from -2147483648 to 2147483647, is 2147483648"},
      {"a count with a fraction", "canary-policy", R"({"max_failures":1.5})",
       "doc: /max_failures (offset 16): must be a whole number from -2147483648 to 2147483647, is 1.5"},
      {"a duration without a unit", "canary-policy", R"({"interval":"10"})",
       "doc: /interval (offset 12): \"10\" is no duration: a unit is missing; write it like 1m30s or 250ms"},
      {"a duration out of range", "canary-policy", R"({"interval":9223372036854775808})",
       "doc: /interval (offset 12): must be a whole number from -9223372036854775808 to 9223372036854775807, is "
       "9223372036854775808"},
      {"a duration that is a list", "canary-policy", R"({"interval":["10s"]})",
       "doc: /interval (offset 12): must be a duration, is a list"},
      {"a time that is text", "canary-event", R"({"at":"now","type":"tick"})",
       "doc: /at (offset 6): must be a number, is text"},
      {"an event without a time", "canary-event", R"({"type":"tick"})", "doc: (offset 0): needs a member \"at\""},
      {"an event of no type", "canary-event", R"({"at":1,"type":"tock"})",
       "doc: /type (offset 15): \"tock\" is none of tick, start, measurement, effect-done, "
       "gate-answer, candidate-health, command"},
      {"a member of another event", "canary-event", R"({"at":1,"type":"tick","epoch":1})",
       "doc: /epoch (offset 30): unknown member"},
      {"an unknown verb", "canary-event", R"({"at":1,"type":"command","verb":"stop"})",
       "doc: /verb (offset 32): \"stop\" is none of abort, promote, pause, resume, approve, retry"},
      {"a phase of no machine", "canary-state", R"({"schema":1,"phase":"Idle"})",
       "doc: /phase (offset 20): \"Idle\" is none of idle, waiting, settling, observing, promoting, copying, "
       "returning, baking, rolling-back, succeeded, "
       "failed"},
      {"an effect of no type", "canary-state", R"({"schema":1,"outbox":[{"id":"1","type":"sleep"}]})",
       "doc: /outbox/0/type (offset 39): \"sleep\" is none of write-weights, measure, wake-at, "
       "ask-gate, copy-to-stable"},
      {"half an effect", "canary-state", R"({"schema":1,"outbox":[{"id":"1","type":"write-weights","stable":5}]})",
       "doc: /outbox/0 (offset 22): needs a member \"candidate\""},
      {"a service without a name", "desired-service", R"({"version":"1"})", "doc: (offset 0): needs a member \"name\""},
      {"an unknown slice", "desired-service", R"({"name":"x","slice":"red"})",
       "doc: /slice (offset 20): \"red\" is none of none, blue, green"},
      {"an unknown member of a placement", "desired-service", R"({"name":"x","placement":{"rôle":"a"}})",
       "doc: /placement/r\xC3\xB4le (offset 33): unknown member"},
      {"tags that are text", "desired-service", R"({"name":"x","tags":"a"})",
       "doc: /tags (offset 19): must be a list, is text"},
      {"an entry without a kind", "desired-state", R"({"entries":[{"Name":"x"}]})",
       "doc: /entries/0 (offset 12): Payload does not contain a kind/Kind key at the top level"},
  };
  for (const Case& c : cases) {
    SUBCASE(c.name) { CHECK(readers().at(c.type)(c.text).message == std::string(c.message)); }
  }
}

TEST_CASE("people may leave out what has a default, and write durations as they like") {
  CHECK(*parse<CanaryPolicy>("{}", "doc") == CanaryPolicy{});
  CHECK(*parse<CanaryState>("{}", "doc") == CanaryState{});
  CHECK(*parse<PlanOptions>("{}", "doc") == PlanOptions{});
  CHECK(*parse<DesiredState>("{}", "doc") == DesiredState{});
  CHECK(parse<CanaryPolicy>(R"({"interval":10000000000,"settle":null})", "doc")->interval == std::chrono::seconds(10));
  CHECK(*parse<CanaryPolicy>(R"({"interval":"0h0m10s","settle":2e9})", "doc") == CanaryPolicy{});
}

TEST_CASE("members of others are kept") {
  const std::string text =
      R"({"name":"web","placement":{"role":"r"},"checks":[{"name":"c","http":"u","owner":"us"}],"ticket":{"id":[7]}})";
  const absl::StatusOr<DesiredService> service = parse<DesiredService>(text, "doc");
  REQUIRE_OK(service);
  CHECK(
      to_text(to_json(*service)) ==
      R"({"schema":1,"name":"web","version":"","slice":"none","placement":{"role":"r","node_meta":{},"nodes":[]},"port":0,)"
      R"("tags":[],"meta":{},"checks":[{"name":"c","http":"u","owner":"us"}],"ticket":{"id":[7]}})");
}

// Everything in `part` is in `whole`, so that no member of an example goes unread.
bool is_part(const Json& part, const Json& whole) {
  if (const Json::Object* members = part.as_object()) {
    return whole.is_object() && std::ranges::all_of(*members, [&whole](const Json::Member& member) {
             const Json* other = whole.find(member.name);
             return other != nullptr && is_part(member.value, *other);
           });
  }
  if (const Json::Array* items = part.as_array()) {
    const Json::Array* others = whole.as_array();
    if (!others || others->size() != items->size()) return false;
    for (std::size_t i = 0; i < items->size(); ++i) {
      if (!is_part((*items)[i], (*others)[i])) return false;
    }
    return true;
  }
  return part == whole;
}

TEST_CASE("docs/documents.md shows documents as they are") {
  std::ifstream file(CONVERGENCE_SOURCE_DIR "/docs/documents.md");
  REQUIRE(file.good());
  std::stringstream content;
  content << file.rdbuf();
  const std::string page = content.str();
  std::set<std::string> shown;
  for (std::size_t at = page.find("```json"); at != std::string::npos; at = page.find("```json", at)) {
    const std::size_t line_end = page.find('\n', at);
    const std::string type = page.substr(at + 8, line_end - at - 8);  // "```json plan"
    const std::size_t end = page.find("```", line_end);
    REQUIRE(end != std::string::npos);
    const std::string example = page.substr(line_end, end - line_end);
    at = end + 3;
    CAPTURE(type);
    CAPTURE(example);
    REQUIRE(readers().contains(type));
    const Outcome outcome = readers().at(type)(example);
    CHECK(outcome.message == "");
    CHECK(is_part(*parse_json(example, "example"), outcome.again));
    shown.insert(type);
  }
  CHECK(shown.size() == readers().size());
}

}  // namespace
}  // namespace convergence
