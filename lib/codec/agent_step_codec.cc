#include <string>
#include <utility>
#include <variant>
#include <vector>

#include "convergence/codec.h"
#include "convergence/version.h"
#include "lib/codec/agent_codec.h"
#include "lib/codec/catalog_codec.h"
#include "lib/codec/desired_codec.h"
#include "lib/codec/object_reader.h"
#include "lib/codec/object_writer.h"

// An agent's whole state, and what its steps want done: for journals that are replayed.

namespace convergence::codec {

// ---- the state ---------------------------------------------------------------------------------------------------

static absl::Status decode(const Json& json, const Place& place, AgentConfig& out) {
  return ObjectReader(json, place)
      .optional("node", out.node)
      .optional("owner", out.owner)
      .optional("deadline", out.deadline)
      .optional("await_poll", out.await_poll)
      .optional("retry", out.retry)
      .optional("audit", out.audit)
      .optional("fleet_poll", out.fleet_poll)
      .optional("max_attempts", out.max_attempts)
      .optional("keep_outcomes", out.keep_outcomes)
      .optional("keep_folders", out.keep_folders)
      .finish();
}

static absl::Status decode(const Json& json, const Place& place, Parked& out) {
  return ObjectReader(json, place)
      .required("until", out.until)
      .optional("why", out.why)
      .optional("over", out.over)
      .finish();
}

static absl::Status decode(const Json& json, const Place& place, FleetLook& out) {
  return ObjectReader(json, place)
      .required("at", out.at)
      .optional("nodes", out.nodes)
      .required("since", out.since)
      .finish();
}

absl::Status decode(const Json& json, const Place& place, AgentState& out) {
  std::vector<std::uint64_t> indexes;
  CVG_RETURN_IF_ERROR(ObjectReader(json, place)
                          .schema(/*may_be_absent=*/false)
                          .required("config", out.config)
                          .required("memory", out.memory)
                          .optional("services", out.services)
                          .optional("indexes", indexes)
                          .optional("desired_known", out.desired_known)
                          .optional("local", out.local)
                          .optional("damaged", out.damaged)
                          .optional("parked", out.parked)
                          .optional("locked", out.locked)
                          .optional("last_event_at", out.last_event_at)
                          .optional("audit_at", out.audit_at)
                          .optional("looks", out.looks)
                          .finish());
  return put_indexes(json, place, indexes, out.services);
}

static Json nanoseconds(Duration duration) { return Json(std::int64_t{duration.count()}); }

static Json encode(const AgentConfig& config) {
  return ObjectWriter()
      .put("node", config.node)
      .put("owner", config.owner)
      .put("deadline", nanoseconds(config.deadline))
      .put("await_poll", nanoseconds(config.await_poll))
      .put("retry", nanoseconds(config.retry))
      .put("audit", nanoseconds(config.audit))
      .put("fleet_poll", nanoseconds(config.fleet_poll))
      .put("max_attempts", std::int64_t{config.max_attempts})
      .put("keep_outcomes", std::int64_t{config.keep_outcomes})
      .put("keep_folders", std::int64_t{config.keep_folders})
      .take();
}

static Json encode(const Parked& parked) {
  return ObjectWriter().put("until", encode(parked.until)).put("why", parked.why).put_if("over", parked.over).take();
}

static Json encode(const FleetLook& look) {
  return ObjectWriter()
      .put("at", encode(look.at))
      .put_if("nodes", std::int64_t{look.nodes})
      .put("since", encode(look.since))
      .take();
}

static Json encode(const AgentState& state) {
  return ObjectWriter()
      .put("schema", CVG_SCHEMA_CURRENT)
      .put("config", encode(state.config))
      .put("memory", encode(state.memory))
      .put("services", encode_list(state.services, encode))
      .put("indexes", encode_indexes(state.services))
      .put("desired_known", state.desired_known)
      .put("local", encode_map(state.local, encode))
      .put_if("damaged", state.damaged)
      .put("parked", encode_map(state.parked, encode))
      .put_if("locked", state.locked)
      .put("last_event_at", encode(state.last_event_at))
      .put("audit_at", encode(state.audit_at))
      .put("looks", encode_map(state.looks, encode))
      .take();
}

// ---- a step ------------------------------------------------------------------------------------------------------

namespace {

// Each effect as an object with its type.
struct EncodeEffect {
  Json operator()(const Remember& remember) const {
    return ObjectWriter().put("type", "remember").put("memory", encode(remember.memory)).take();
  }
  Json operator()(const Work& work) const {
    ObjectWriter writer;
    writer.put("type", "work")
        .put("id", work.id)
        .put("stage", to_string(work.stage))
        .put("service_id", work.service_id)
        .put("subject", encode(work.subject));
    if (!work.hooks.empty()) writer.put("hooks", encode(Hooks{{work.event, work.hooks}}));
    if (work.instance != ServiceInstance()) writer.put("instance", encode(work.instance));
    if (!work.checks.empty()) writer.put("checks", encode_list(work.checks, encode));
    writer.put_if("fresh", work.fresh);
    if (work.strategy != Strategy()) writer.put("strategy", encode(work.strategy));
    return writer.put_if("why", work.why).put("deadline", encode(work.deadline)).take();
  }
  Json operator()(const StopWork& stop) const {
    return ObjectWriter().put("type", "stop-work").put("id", stop.id).take();
  }
  Json operator()(const ReadLocal&) const { return ObjectWriter().put("type", "read-local").take(); }
  Json operator()(const ReadFleet& read) const {
    return ObjectWriter().put("type", "read-fleet").put("service_id", read.service_id).take();
  }
  Json operator()(const WriteDesired& write) const {
    return ObjectWriter()
        .put("type", "write-desired")
        .put("service", encode(write.service))
        .put("index", write.service.modify_index)
        .take();
  }
  Json operator()(const ReportNode& report) const {
    return ObjectWriter()
        .put("type", "report")
        .put("service_id", report.service_id)
        .put("deployment", report.deployment)
        .put("version", report.version)
        .put("finished", report.finished)
        .put("succeeded", report.succeeded)
        .put("stage", to_string(report.stage))
        .put("attempts", std::int64_t{report.attempts})
        .put("started", encode(report.started))
        .put("ended", encode(report.ended))
        .put_if("why", report.why)
        .take();
  }
  Json operator()(const Collect& stays) const {
    Json::Object folders;
    for (const auto& [service_id, deployments] : stays.folders) {
      folders.push_back({service_id, Json(Json::Array(deployments.begin(), deployments.end()))});
    }
    return ObjectWriter()
        .put("type", "collect")
        .put("folders", Json(std::move(folders)))
        .put("installed", encode(stays.installed))
        .put("packages", Json(Json::Array(stays.packages.begin(), stays.packages.end())))
        .take();
  }
  Json operator()(const WakeAgent& wake) const {
    return ObjectWriter().put("type", "wake").put("at", encode(wake.at)).take();
  }
};

}  // namespace

static Json encode(const NodeDecision& decision) {
  return ObjectWriter()
      .put("service_id", decision.service_id)
      .put("action", to_string(decision.action))
      .put_if("deployment", decision.target.deployment)
      .put_if("why", decision.why.empty() ? decision.target.why : decision.why)
      .take();
}

static Json encode(const AgentStep& step) {
  ObjectWriter writer;
  writer.put("effects",
             encode_each(step.effects, [](const AgentEffect& one) { return std::visit(EncodeEffect{}, one); }));
  if (!step.decisions.empty()) writer.put("decisions", encode_list(step.decisions, encode));
  if (!step.state.parked.empty()) writer.put("parked", encode_map(step.state.parked, encode));
  return writer.take();
}

}  // namespace convergence::codec

namespace convergence {

template <>
absl::StatusOr<AgentState> from_json(const Json& json, std::string_view document) {
  return codec::decode_document<AgentState>(json, document);
}

Json to_json(const AgentState& state) { return codec::encode(state); }
Json to_json(const AgentStep& step) { return codec::encode(step); }

}  // namespace convergence
