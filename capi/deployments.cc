// Deployments without handles: what a fleet, a node and its agent decide, from documents to documents.
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "capi/documents.h"
#include "capi/guard.h"
#include "capi/reader.h"
#include "convergence/agent.h"
#include "convergence/appspec.h"
#include "convergence/codec.h"
#include "convergence/deployment.h"
#include "convergence/deployment_codec.h"
#include "convergence/driver.h"
#include "convergence/environment_manager.h"
#include "convergence/error.h"
#include "convergence/operate.h"
#include "convergence/replay.h"
#include "lib/base/status_macros.h"

namespace convergence::capi {
namespace {

absl::StatusOr<std::map<std::string, std::string>> read_texts(cvg_slice slice, std::string_view name) {
  CVG_ASSIGN_OR_RETURN(Json json, read_document(slice, name));
  std::map<std::string, std::string> texts;
  const Json::Object* members = json.as_object();
  if (members == nullptr) return shape_error(name, "is no object");
  for (const Json::Member& member : *members) {
    const std::string* text = member.value.as_string();
    if (text == nullptr) return shape_error(name, member.name + ": is no text");
    texts[member.name] = *text;
  }
  return texts;
}

absl::StatusOr<std::map<std::string, NodeReport>> read_reports(cvg_slice slice) {
  CVG_ASSIGN_OR_RETURN(Json json, read_document(slice, "reports"));
  std::map<std::string, NodeReport> reports;
  const Json::Object* members = json.as_object();
  if (members == nullptr) return shape_error("reports", "is no object");
  for (const Json::Member& member : *members) {
    CVG_ASSIGN_OR_RETURN(reports[member.name], from_json<NodeReport>(member.value, "reports/" + member.name));
  }
  return reports;
}

absl::StatusOr<std::map<std::string, KvPair>> read_pairs(cvg_slice slice) {
  CVG_ASSIGN_OR_RETURN(std::vector<KvPair> pairs, read_list<KvPair>(slice, "pairs"));
  std::map<std::string, KvPair> kv;
  for (KvPair& pair : pairs) {
    std::string key = pair.key;
    kv[std::move(key)] = std::move(pair);
  }
  return kv;
}

constexpr Parameter kRoleMembers[] = {{"environment", Shape::kText, true}, {"role", Shape::kText, true}};

absl::StatusOr<EnvironmentRole> read_role(cvg_slice slice) {
  CVG_ASSIGN_OR_RETURN(Json json, read_document(slice, "role"));
  CVG_RETURN_IF_ERROR(check_members(json, kRoleMembers, "role"));
  return EnvironmentRole{text_of(json, "environment"), text_of(json, "role")};
}

Json unread_json(const std::vector<UnreadService>& unread) {
  Json::Array list;
  for (const UnreadService& one : unread) {
    list.push_back(Json()
                       .set("key", one.key)
                       .set("service_id", one.service_id)
                       .set("needs", texts_json(one.needs))
                       .set("why", std::string(one.status.message())));
  }
  return list;
}

constexpr Parameter kAppspecOptions[] = {{"document"}, {"platform"}, {"slice"}, {"port", Shape::kInteger}, {"root"}};

absl::StatusOr<PackageContext> read_context(const Json& json) {
  CVG_RETURN_IF_ERROR(check_members(json, kAppspecOptions, "options"));
  PackageContext context;
  if (json.find("platform") != nullptr) context.platform = text_of(json, "platform");
  const std::int64_t port = integer_of(json, "port").value_or(0);
  if (port < 0 || port > 65535) return make_error(ErrorKind::kUsage, "port: is not within 0..65535");
  context.port = static_cast<std::int32_t>(port);
  context.root = text_of(json, "root");
  const std::string wanted = text_of(json, "slice");
  for (const Slice slice : {Slice::kNone, Slice::kBlue, Slice::kGreen}) {
    if (wanted.empty() || wanted == to_string(slice)) {
      context.slice = slice;
      return context;
    }
  }
  return make_error(ErrorKind::kUsage, "slice: \"" + wanted + "\" is none of none, blue, green");
}

absl::StatusOr<AclScope> read_scope(cvg_slice slice) {
  CVG_ASSIGN_OR_RETURN(AclScope scope, read_value<AclScope>(slice, "scope"));
  if (scope.prefix.empty()) scope.prefix = kDefaultPrefix;
  return scope;
}

Json service_or_null(const std::optional<DesiredService>& service) {
  return Json().set("service", service ? to_json(*service) : Json());
}

}  // namespace
}  // namespace convergence::capi

using namespace convergence;        // NOLINT: the functions below have C linkage and cannot live inside
using namespace convergence::capi;  // NOLINT

extern "C" {

cvg_code cvg_agent_step(cvg_slice state, cvg_slice event, cvg_buffer* out, cvg_error** error) noexcept {
  return guarded(error, [&]() -> absl::Status {
    CVG_RETURN_IF_ERROR(require(out, "out"));
    CVG_ASSIGN_OR_RETURN(AgentState before, read_value<AgentState>(state, "state"));
    CVG_ASSIGN_OR_RETURN(const AgentEvent told, read_value<AgentEvent>(event, "event"));
    const AgentStep step = agent_step(std::move(before), told);
    return give(to_json(step).set("state", to_json(step.state)), out);
  });
}

cvg_code cvg_replay(cvg_slice journal, cvg_buffer* out, cvg_error** error) noexcept {
  return guarded(error, [&]() -> absl::Status {
    CVG_RETURN_IF_ERROR(require(out, "out"));
    JournalReplay replay("journal");
    for (std::string_view rest = view(journal); !rest.empty();) {
      const std::size_t end = rest.find('\n');
      const std::string_view record = rest.substr(0, end);
      if (!record.empty()) CVG_RETURN_IF_ERROR(replay.take(record));
      rest.remove_prefix(end == std::string_view::npos ? rest.size() : end + 1);
    }
    return give(Json().set("processes", static_cast<std::int64_t>(replay.processes())).set("steps", replay.steps()),
                out);
  });
}

cvg_code cvg_plan_node(cvg_slice services, cvg_slice node, cvg_buffer* out, cvg_error** error) noexcept {
  return guarded(error, [&]() -> absl::Status {
    CVG_RETURN_IF_ERROR(require(out, "out"));
    CVG_ASSIGN_OR_RETURN(const auto wanted, read_list<DesiredService>(services, "services"));
    CVG_ASSIGN_OR_RETURN(const NodeView seen, read_value<NodeView>(node, "node"));
    return give(to_json(plan_node(wanted, seen)), out);
  });
}

cvg_code cvg_services_on(cvg_slice services, cvg_slice node, cvg_buffer* out, cvg_error** error) noexcept {
  return guarded(error, [&]() -> absl::Status {
    CVG_RETURN_IF_ERROR(require(out, "out"));
    CVG_ASSIGN_OR_RETURN(const auto wanted, read_list<DesiredService>(services, "services"));
    CVG_ASSIGN_OR_RETURN(const Node there, read_value<Node>(node, "node"));
    CVG_ASSIGN_OR_RETURN(const auto selected, services_on(wanted, there));
    return give(list_json(selected), out);
  });
}

cvg_code cvg_target_on(cvg_slice service, cvg_slice node, cvg_slice running, cvg_buffer* out,
                       cvg_error** error) noexcept {
  return guarded(error, [&]() -> absl::Status {
    CVG_RETURN_IF_ERROR(require(out, "out"));
    CVG_ASSIGN_OR_RETURN(const DesiredService wanted, read_value<DesiredService>(service, "service"));
    return give(to_json(target_on(wanted, view(node), view(running))), out);
  });
}

cvg_code cvg_fleet_of(cvg_slice service, cvg_slice catalog, cvg_slice failed, cvg_buffer* out,
                      cvg_error** error) noexcept {
  return guarded(error, [&]() -> absl::Status {
    CVG_RETURN_IF_ERROR(require(out, "out"));
    CVG_ASSIGN_OR_RETURN(const DesiredService wanted, read_value<DesiredService>(service, "service"));
    CVG_ASSIGN_OR_RETURN(const CatalogState present, read_value<CatalogState>(catalog, "catalog"));
    CVG_ASSIGN_OR_RETURN(const auto why, read_texts(failed, "failed"));
    CVG_ASSIGN_OR_RETURN(const ServiceFleet fleet, fleet_of(wanted, present, why));
    return give(to_json(fleet), out);
  });
}

cvg_code cvg_advance(cvg_slice service, cvg_slice fleet, int64_t now, cvg_buffer* out, cvg_error** error) noexcept {
  return guarded(error, [&]() -> absl::Status {
    CVG_RETURN_IF_ERROR(require(out, "out"));
    CVG_ASSIGN_OR_RETURN(const DesiredService wanted, read_value<DesiredService>(service, "service"));
    CVG_ASSIGN_OR_RETURN(const ServiceFleet stands, read_value<ServiceFleet>(fleet, "fleet"));
    return give(service_or_null(advance(wanted, stands, Time(Duration(now)))), out);
  });
}

cvg_code cvg_status_of(cvg_slice service, cvg_slice catalog, cvg_slice reports, cvg_buffer* out,
                       cvg_error** error) noexcept {
  return guarded(error, [&]() -> absl::Status {
    CVG_RETURN_IF_ERROR(require(out, "out"));
    CVG_ASSIGN_OR_RETURN(const DesiredService wanted, read_value<DesiredService>(service, "service"));
    CVG_ASSIGN_OR_RETURN(const CatalogState present, read_value<CatalogState>(catalog, "catalog"));
    CVG_ASSIGN_OR_RETURN(const auto told, read_reports(reports));
    CVG_ASSIGN_OR_RETURN(const ServiceStatus status, status_of(wanted, present, told));
    return give(to_json(status), out);
  });
}

cvg_code cvg_deploy(cvg_slice service, cvg_slice release, int32_t again, cvg_buffer* out, cvg_error** error) noexcept {
  return guarded(error, [&]() -> absl::Status {
    CVG_RETURN_IF_ERROR(require(out, "out"));
    CVG_ASSIGN_OR_RETURN(const DesiredService present, read_value<DesiredService>(service, "service"));
    CVG_ASSIGN_OR_RETURN(const Release wanted, read_value<Release>(release, "release"));
    return give(to_json(deploy(present, wanted, again != 0)), out);
  });
}

cvg_code cvg_cancel(cvg_slice service, cvg_slice asked, cvg_buffer* out, cvg_error** error) noexcept {
  return guarded(error, [&]() -> absl::Status {
    CVG_RETURN_IF_ERROR(require(out, "out"));
    CVG_ASSIGN_OR_RETURN(const DesiredService present, read_value<DesiredService>(service, "service"));
    CVG_ASSIGN_OR_RETURN(const Asked who, read_value<Asked>(asked, "asked"));
    CVG_ASSIGN_OR_RETURN(const DesiredService taken_back, cancel(present, who));
    return give(to_json(taken_back), out);
  });
}

cvg_code cvg_toggle(cvg_slice service, int32_t on, cvg_buffer* out, cvg_error** error) noexcept {
  return guarded(error, [&]() -> absl::Status {
    CVG_RETURN_IF_ERROR(require(out, "out"));
    CVG_ASSIGN_OR_RETURN(const DesiredService present, read_value<DesiredService>(service, "service"));
    return give(to_json(toggle(present, on != 0)), out);
  });
}

cvg_code cvg_import_environment(cvg_slice pairs, cvg_slice role, cvg_buffer* out, cvg_error** error) noexcept {
  return guarded(error, [&]() -> absl::Status {
    CVG_RETURN_IF_ERROR(require(out, "out"));
    CVG_ASSIGN_OR_RETURN(const auto kv, read_pairs(pairs));
    CVG_ASSIGN_OR_RETURN(const EnvironmentRole whose, read_role(role));
    const EnvironmentRead read = import_environment(kv, whose);
    return give(Json()
                    .set("services", list_json(read.services))
                    .set("waiting", unread_json(read.waiting))
                    .set("broken", unread_json(read.broken))
                    .set("prefix", role_prefix(whose))
                    .set("keys", texts_json(environment_keys(kv, whose))),
                out);
  });
}

cvg_code cvg_export_environment(cvg_slice service, cvg_slice role, cvg_slice pairs, int32_t expected_nodes,
                                cvg_buffer* out, cvg_error** error) noexcept {
  return guarded(error, [&]() -> absl::Status {
    CVG_RETURN_IF_ERROR(require(out, "out"));
    CVG_ASSIGN_OR_RETURN(const DesiredService wanted, read_value<DesiredService>(service, "service"));
    CVG_ASSIGN_OR_RETURN(const EnvironmentRole whose, read_role(role));
    CVG_ASSIGN_OR_RETURN(const auto kv, read_pairs(pairs));
    CVG_ASSIGN_OR_RETURN(EnvironmentWrite write, export_environment(wanted, whose, kv, expected_nodes));
    return give(Json()
                    .set("operations", std::move(write.operations))
                    .set("left_out", texts_json(write.left_out))
                    .set("keys", texts_json(export_keys(wanted, whose))),
                out);
  });
}

cvg_code cvg_appspec(cvg_slice text, cvg_slice options, cvg_buffer* out, cvg_error** error) noexcept {
  return guarded(error, [&]() -> absl::Status {
    CVG_RETURN_IF_ERROR(require(out, "out"));
    CVG_ASSIGN_OR_RETURN(const Json json, read_document(options, "options"));
    CVG_ASSIGN_OR_RETURN(const PackageContext context, read_context(json));
    const std::string document = text_of(json, "document");
    CVG_ASSIGN_OR_RETURN(const AppSpecRead read,
                         parse_appspec(view(text), document.empty() ? "appspec.yml" : document, context));
    return give(Json().set("spec", to_json(read.spec)).set("report", report_json(read.report)), out);
  });
}

cvg_code cvg_agent_rules(cvg_slice scope, cvg_buffer* out, cvg_error** error) noexcept {
  return guarded(error, [&]() -> absl::Status {
    CVG_RETURN_IF_ERROR(require(out, "out"));
    CVG_ASSIGN_OR_RETURN(const AclScope allowed, read_scope(scope));
    return give_text(agent_rules(allowed), out);
  });
}

cvg_code cvg_operator_rules(cvg_slice scope, cvg_buffer* out, cvg_error** error) noexcept {
  return guarded(error, [&]() -> absl::Status {
    CVG_RETURN_IF_ERROR(require(out, "out"));
    CVG_ASSIGN_OR_RETURN(const AclScope allowed, read_scope(scope));
    return give_text(operator_rules(allowed), out);
  });
}

}  // extern "C"
