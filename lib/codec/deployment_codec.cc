#include "convergence/deployment_codec.h"

#include <cstdint>
#include <map>
#include <string>
#include <utility>
#include <vector>

#include "convergence/version.h"
#include "lib/codec/agent_codec.h"
#include "lib/codec/desired_codec.h"
#include "lib/codec/object_reader.h"
#include "lib/codec/object_writer.h"

namespace convergence::codec {

static absl::Status decode(const Json& json, const Place& place, ServiceFleet& out) {
  return ObjectReader(json, place)
      .schema(/*may_be_absent=*/true)
      .optional("nodes", out.nodes)
      .optional("watched", out.watched)
      .finish();
}

static absl::Status decode(const Json& json, const Place& place, NodeView& out) {
  std::vector<std::string> damaged;
  CVG_RETURN_IF_ERROR(ObjectReader(json, place)
                          .schema(/*may_be_absent=*/true)
                          .required("node", out.node)
                          .optional("owner", out.owner)
                          .optional("installed", out.installed)
                          .optional("local", out.local)
                          .optional("damaged", damaged)
                          .optional("failed", out.failed)
                          .finish());
  out.damaged = {damaged.begin(), damaged.end()};
  return absl::OkStatus();
}

static absl::Status decode(const Json& json, const Place& place, Asked& out) {
  return ObjectReader(json, place)
      .optional("by", out.by)
      .optional("reason", out.reason)
      .optional("at", out.at)
      .finish();
}

static absl::Status decode(const Json& json, const Place& place, AclScope& out) {
  return ObjectReader(json, place)
      .optional("prefix", out.prefix)
      .optional("environment", out.environment)
      .optional("role", out.role)
      .optional("node", out.node)
      .optional("services", out.services)
      .finish();
}

static Json encode(const std::map<std::string, std::map<std::string, std::string>>& failed) {
  Json::Object object;
  for (const auto& [service_id, deployments] : failed) object.push_back({service_id, encode(deployments)});
  return Json(std::move(object));
}

static Json encode(const NodeView& view) {
  return ObjectWriter()
      .put("schema", CVG_SCHEMA_CURRENT)
      .put("node", view.node)
      .put("owner", view.owner)
      .put("installed", encode_map(view.installed, encode))
      .put("local", encode_map(view.local, encode))
      .put("damaged", Json(Json::Array(view.damaged.begin(), view.damaged.end())))
      .put("failed", encode(view.failed))
      .take();
}

static ObjectWriter& put_target(ObjectWriter& writer, const NodeTarget& target) {
  writer.put_if("deployment", target.deployment);
  if (target.release) writer.put("release", encode(*target.release));
  return writer;
}

static Json encode_decision(const NodeDecision& decision) {
  ObjectWriter writer;
  writer.put("service_id", decision.service_id)
      .put("action", to_string(decision.action))
      .put_if("why", decision.why.empty() ? decision.target.why : decision.why);
  if (decision.service) writer.put("service", Json(std::uint64_t{*decision.service}));
  return put_target(writer, decision.target).take();
}

}  // namespace convergence::codec

namespace convergence {

template <>
absl::StatusOr<ServiceFleet> from_json(const Json& json, std::string_view document) {
  return codec::decode_document<ServiceFleet>(json, document);
}
template <>
absl::StatusOr<NodeView> from_json(const Json& json, std::string_view document) {
  return codec::decode_document<NodeView>(json, document);
}
template <>
absl::StatusOr<Asked> from_json(const Json& json, std::string_view document) {
  return codec::decode_document<Asked>(json, document);
}
template <>
absl::StatusOr<AclScope> from_json(const Json& json, std::string_view document) {
  return codec::decode_document<AclScope>(json, document);
}

Json to_json(const ServiceFleet& fleet) {
  return codec::ObjectWriter()
      .put("schema", CVG_SCHEMA_CURRENT)
      .put("nodes", codec::encode_list(fleet.nodes, codec::encode))
      .put_if("watched", std::int64_t{fleet.watched.count()})
      .take();
}
Json to_json(const NodeView& view) { return codec::encode(view); }
Json to_json(const NodeTarget& target) {
  codec::ObjectWriter writer;
  return codec::put_target(writer, target).put_if("why", target.why).take();
}
Json to_json(const std::vector<NodeDecision>& decisions) {
  return codec::encode_each(decisions, codec::encode_decision);
}

}  // namespace convergence
