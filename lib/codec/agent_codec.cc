#include "lib/codec/agent_codec.h"

#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <variant>

#include "convergence/codec.h"
#include "convergence/version.h"
#include "lib/base/go_text.h"
#include "lib/codec/catalog_codec.h"
#include "lib/codec/desired_codec.h"
#include "lib/codec/object_reader.h"
#include "lib/codec/object_writer.h"

namespace convergence::codec {

// ---- what a package holds ----------------------------------------------------------------------------------------

absl::Status decode(const Json& json, const Place& place, AppFile& out) {
  return ObjectReader(json, place).required("source", out.source).required("destination", out.destination).finish();
}

absl::Status decode(const Json& json, const Place& place, AppPermission& out) {
  return ObjectReader(json, place)
      .required("object", out.object)
      .optional("pattern", out.pattern)
      .optional("except", out.except)
      .optional("types", out.types)
      .optional("owner", out.owner)
      .optional("group", out.group)
      .optional("mode", out.mode)
      .finish();
}

absl::Status decode(const Json& json, const Place& place, SensuCheck& out) {
  return ObjectReader(json, place)
      .required("id", out.id)
      .optional("script", out.script)
      .optional("json", out.json)
      .finish();
}

absl::Status decode(const Json& json, const Place& place, AppSpec& out) {
  return ObjectReader(json, place)
      .optional("os", out.os)
      .optional("files", out.files)
      .optional("permissions", out.permissions)
      .optional("hooks", out.hooks)
      .optional("checks", out.checks)
      .optional("sensu", out.sensu)
      .finish();
}

static Json encode(const AppFile& file) {
  return ObjectWriter().put("source", file.source).put("destination", file.destination).take();
}

static Json encode(const AppPermission& permission) {
  ObjectWriter writer;
  writer.put("object", permission.object)
      .put("pattern", permission.pattern)
      .put_if("except", permission.except)
      .put_if("types", permission.types)
      .put_if("owner", permission.owner)
      .put_if("group", permission.group);
  if (permission.mode) writer.put("mode", std::uint64_t{*permission.mode});
  return writer.take();
}

static Json encode(const SensuCheck& check) {
  return ObjectWriter().put("id", check.id).put_if("script", check.script).put("json", check.json).take();
}

Json encode(const AppSpec& spec) {
  ObjectWriter writer;
  writer.put_if("os", spec.os);
  if (!spec.files.empty()) writer.put("files", encode_list(spec.files, encode));
  if (!spec.permissions.empty()) writer.put("permissions", encode_list(spec.permissions, encode));
  if (!spec.hooks.empty()) writer.put("hooks", encode(spec.hooks));
  if (!spec.checks.empty()) writer.put("checks", encode_list(spec.checks, encode));
  if (!spec.sensu.empty()) writer.put("sensu", encode_list(spec.sensu, encode));
  return writer.take();
}

// ---- the memory --------------------------------------------------------------------------------------------------

absl::Status decode(const Json& json, const Place& place, Installed& out) {
  return ObjectReader(json, place)
      .required("name", out.name)
      .optional("registered_name", out.registered_name)
      .optional("slice", out.slice, decode_name<Slice>)
      .optional("role", out.role)
      .required("deployment", out.deployment)
      .optional("release", out.release)
      .optional("on_removal", out.on_removal, decode_name<OnRemoval>)
      .optional("spec", out.spec)
      .optional("undo", out.undo)
      .finish();
}

absl::Status decode(const Json& json, const Place& place, Outcome& out) {
  return ObjectReader(json, place)
      .optional("succeeded", out.succeeded)
      .optional("stage", out.stage, decode_name<Stage>)
      .optional("why", out.why)
      .optional("attempts", out.attempts)
      .optional("at", out.at)
      .finish();
}

absl::Status decode(const Json& json, const Place& place, Task& out) {
  return ObjectReader(json, place)
      .required("kind", out.kind, decode_name<TaskKind>)
      .required("service_id", out.service_id)
      .optional("why", out.why)
      .optional("next", out.next)
      .optional("previous", out.previous)
      .optional("strategy", out.strategy)
      .optional("previous_passed", out.previous_passed)
      .required("stage", out.stage, decode_name<Stage>)
      .optional("attempt", out.attempt)
      .optional("work", out.work)
      .optional("started", out.started)
      .optional("deadline", out.deadline)
      .optional("failure", out.failure)
      .optional("failed_stage", out.failed_stage, decode_name<Stage>)
      .finish();
}

absl::Status decode(const Json& json, const Place& place, AgentMemory& out) {
  return ObjectReader(json, place)
      .schema(/*may_be_absent=*/false)
      .optional("installed", out.installed)
      .optional("outcomes", out.outcomes)
      .optional("task", out.task)
      .optional("next_work", out.next_work)
      .optional("paused", out.paused)
      .finish();
}

Json encode(const Installed& installed) {
  ObjectWriter writer;
  writer.put("name", installed.name)
      .put_if("registered_name", installed.registered_name)
      .put("slice", to_string(installed.slice))
      .put("role", installed.role)
      .put("deployment", installed.deployment)
      .put("release", encode(installed.release))
      .put("on_removal", to_string(installed.on_removal))
      .put("spec", encode(installed.spec));
  if (!installed.undo.is_null()) writer.put("undo", installed.undo);
  return writer.take();
}

static Json encode(const Outcome& outcome) {
  return ObjectWriter()
      .put("succeeded", outcome.succeeded)
      .put("stage", to_string(outcome.stage))
      .put_if("why", outcome.why)
      .put("attempts", std::int64_t{outcome.attempts})
      .put("at", encode(outcome.at))
      .take();
}

static Json encode(const std::map<std::string, Outcome>& outcomes) { return encode_map(outcomes, encode); }

static Json encode(const Task& task) {
  ObjectWriter writer;
  writer.put("kind", to_string(task.kind))
      .put("service_id", task.service_id)
      .put("why", task.why)
      .put("next", encode(task.next));
  if (task.previous) writer.put("previous", encode(*task.previous));
  return writer.put("strategy", encode(task.strategy))
      .put("previous_passed", task.previous_passed)
      .put("stage", to_string(task.stage))
      .put("attempt", std::int64_t{task.attempt})
      .put("work", task.work)
      .put("started", encode(task.started))
      .put("deadline", encode(task.deadline))
      .put_if("failure", task.failure)
      .put("failed_stage", to_string(task.failed_stage))
      .take();
}

Json encode(const AgentMemory& memory) {
  ObjectWriter writer;
  writer.put("schema", CVG_SCHEMA_CURRENT)
      .put("installed", encode_map(memory.installed, encode))
      .put("outcomes", encode_map(memory.outcomes, encode));
  if (memory.task) writer.put("task", encode(*memory.task));
  return writer.put("next_work", memory.next_work).put("paused", memory.paused).take();
}

// ---- events ------------------------------------------------------------------------------------------------------

absl::Status decode(const Json& json, const Place& place, FleetNode& out) {
  return ObjectReader(json, place)
      .required("name", out.name)
      .optional("lost", out.lost)
      .optional("deployment", out.deployment)
      .optional("status", out.status, decode_name<CheckStatus>)
      .optional("failed", out.failed)
      .optional("out_of_traffic", out.out_of_traffic)
      .finish();
}

static absl::Status decode(const Json& json, const Place& place, NodeFacts& out) {
  return ObjectReader(json, place)
      .optional("disk_free", out.disk_free)
      .optional("memory_free", out.memory_free)
      .optional("port_taken_by", out.port_taken_by)
      .finish();
}

absl::Status decode(const Json& json, const Place& place, InstanceState& out) {
  return ObjectReader(json, place).required("service", out.instance).optional("checks", out.checks).finish();
}

absl::Status put_indexes(const Json& json, const Place& place, const std::vector<std::uint64_t>& indexes,
                         std::vector<DesiredService>& services) {
  if (indexes.size() != services.size()) return place.error(json, "needs one of indexes for each of services");
  for (std::size_t i = 0; i < indexes.size(); ++i) services[i].modify_index = indexes[i];
  return absl::OkStatus();
}

static absl::Status decode(const Json& json, const Place& place, DesiredSeen& out) {
  std::vector<std::uint64_t> indexes;
  CVG_RETURN_IF_ERROR(ObjectReader(json, place)
                          .skip("at")
                          .skip("type")
                          .optional("services", out.services)
                          .optional("indexes", indexes)
                          .optional("torn", out.torn)
                          .optional("locked", out.locked)
                          .finish());
  return put_indexes(json, place, indexes, out.services);
}

static absl::Status decode(const Json& json, const Place& place, LocalSeen& out) {
  return ObjectReader(json, place)
      .skip("at")
      .skip("type")
      .optional("local", out.local)
      .optional("damaged", out.damaged)
      .finish();
}

static absl::Status decode(const Json& json, const Place& place, FleetSeen& out) {
  return ObjectReader(json, place)
      .skip("at")
      .skip("type")
      .required("service_id", out.service_id)
      .optional("nodes", out.fleet.nodes)
      .finish();
}

static absl::Status decode(const Json& json, const Place& place, WorkDone& out) {
  return ObjectReader(json, place)
      .skip("at")
      .skip("type")
      .required("id", out.id)
      .optional("ok", out.ok)
      .optional("problem", out.problem)
      .optional("facts", out.facts)
      .optional("spec", out.spec)
      .optional("digest", out.digest)
      .optional("undo", out.undo)
      .finish();
}

static absl::Status decode(const Json& json, const Place& place, AgentCommand& out) {
  return ObjectReader(json, place)
      .skip("at")
      .skip("type")
      .required("verb", out.verb, decode_name<AgentVerb>)
      .optional("service_id", out.service_id)
      .finish();
}

template <typename T>
static absl::Status decode_body(const Json& json, const Place& place, AgentEvent& out) {
  return decode(json, place, out.body.emplace<T>());
}

absl::Status decode(const Json& json, const Place& place, AgentEvent& out) {
  std::string type;
  CVG_RETURN_IF_ERROR(ObjectReader(json, place).required("at", out.at).required("type", type).finish_ignoring());
  if (type == "started" || type == "woken") {
    if (type == "started") out.body = AgentStarted{};
    if (type == "woken") out.body = Woken{};
    return ObjectReader(json, place).skip("at").skip("type").finish();
  }
  if (type == "desired") return decode_body<DesiredSeen>(json, place, out);
  if (type == "local") return decode_body<LocalSeen>(json, place, out);
  if (type == "fleet") return decode_body<FleetSeen>(json, place, out);
  if (type == "work-done") return decode_body<WorkDone>(json, place, out);
  if (type == "command") return decode_body<AgentCommand>(json, place, out);
  return place.member("type").error(*json.find("type"), "\"" + type +
                                                            "\" is none of started, desired, local, fleet, work-done, "
                                                            "woken, command");
}

Json encode_indexes(const std::vector<DesiredService>& services) {
  return encode_each(services, [](const DesiredService& one) { return Json(one.modify_index); });
}

Json encode(const InstanceState& state) {
  Json::Array checks;
  for (const HealthCheck& check : state.checks) checks.push_back(to_json(check));
  return ObjectWriter().put("service", to_json(state.instance)).put("checks", Json(std::move(checks))).take();
}

Json encode(const FleetNode& node) {
  return ObjectWriter()
      .put("name", node.name)
      .put_if("lost", node.lost)
      .put_if("deployment", node.deployment)
      .put("status", to_string(node.status))
      .put_if("failed", node.failed)
      .put_if("out_of_traffic", node.out_of_traffic)
      .take();
}

namespace {

struct EncodeBody {
  ObjectWriter& writer;
  void operator()(const AgentStarted&) const { writer.put("type", "started"); }
  void operator()(const Woken&) const { writer.put("type", "woken"); }
  void operator()(const DesiredSeen& seen) const {
    writer.put("type", "desired")
        .put("services", encode_list(seen.services, encode))
        .put("indexes", encode_indexes(seen.services))
        .put_if("torn", seen.torn)
        .put_if("locked", seen.locked);
  }
  void operator()(const LocalSeen& seen) const {
    writer.put("type", "local").put("local", encode_map(seen.local, encode)).put_if("damaged", seen.damaged);
  }
  void operator()(const FleetSeen& seen) const {
    writer.put("type", "fleet").put("service_id", seen.service_id).put("nodes", encode_list(seen.fleet.nodes, encode));
  }
  void operator()(const WorkDone& done) const {
    writer.put("type", "work-done").put("id", done.id).put("ok", done.ok).put_if("problem", done.problem);
    if (done.facts) {
      writer.put("facts", ObjectWriter()
                              .put("disk_free", done.facts->disk_free)
                              .put("memory_free", done.facts->memory_free)
                              .put_if("port_taken_by", done.facts->port_taken_by)
                              .take());
    }
    if (done.spec) writer.put("spec", encode(*done.spec));
    writer.put_if("digest", done.digest);
    if (!done.undo.is_null()) writer.put("undo", done.undo);
  }
  void operator()(const AgentCommand& command) const {
    writer.put("type", "command").put("verb", to_string(command.verb)).put_if("service_id", command.service_id);
  }
};

}  // namespace

static Json encode(const AgentEvent& event) {
  ObjectWriter writer;
  writer.put("at", encode(event.at));
  std::visit(EncodeBody{writer}, event.body);
  return writer.take();
}

}  // namespace convergence::codec

namespace convergence {

template <>
absl::StatusOr<AgentMemory> from_json(const Json& json, std::string_view document) {
  return codec::decode_document<AgentMemory>(json, document);
}
template <>
absl::StatusOr<AgentEvent> from_json(const Json& json, std::string_view document) {
  return codec::decode_document<AgentEvent>(json, document);
}
template <>
absl::StatusOr<AppSpec> from_json(const Json& json, std::string_view document) {
  return codec::decode_document<AppSpec>(json, document);
}

Json to_json(const AgentMemory& memory) { return codec::encode(memory); }
Json to_json(const AgentEvent& event) { return codec::encode(event); }
Json to_json(const AppSpec& spec) { return codec::encode(spec); }

}  // namespace convergence
