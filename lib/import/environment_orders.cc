#include <fmt/format.h>

#include <algorithm>
#include <string>
#include <utility>

#include "convergence/codec.h"
#include "convergence/environment_fleet.h"
#include "convergence/error.h"
#include "lib/base/status_macros.h"
#include "lib/import/environment.h"

namespace convergence {
namespace environment {
namespace {

constexpr std::string_view kVersionTag = "version:";

std::string status_in(const Kv& kv, const std::string& deployment) {
  const auto found = deployment.empty() ? kv.end() : kv.find(overall_status_key(deployment));
  return found == kv.end() ? "" : found->second.value;
}

// Ends a deployment that nobody wants any more; one that has ended stays as it ended.
void end_overall(const std::string& deployment, const Kv& kv, EnvironmentWrite& out) {
  if (status_in(kv, deployment) != to_string(OverallStatus::kInProgress)) return;
  put(to_string(OverallStatus::kCancelled), overall_status_key(deployment), kv, out);
}

// `more` goes in front of the last operation, which is the pointer.
void put_before_pointer(EnvironmentWrite more, EnvironmentWrite& out) {
  const auto last = out.operations.end() - (out.operations.empty() ? 0 : 1);
  out.operations.insert(last, more.operations.begin(), more.operations.end());
}

void say_version(std::vector<std::string>& tags, const std::string& version) {
  const auto tag = std::ranges::find_if(tags, [](const std::string& one) { return one.starts_with(kVersionTag); });
  if (tag != tags.end()) *tag = std::string(kVersionTag) + version;
}

// "Web-blue" is the fleet of the slice blue (1.1).
absl::Status check_slice(const EnvironmentOrder& order) {
  const std::string_view other = order.service.slice == Slice::kBlue    ? "-green"
                                 : order.service.slice == Slice::kGreen ? "-blue"
                                                                        : "";
  if (other.empty() || !order.role.role.ends_with(other)) return absl::OkStatus();
  return make_error(ErrorKind::kValidate, fmt::format("{}/{}: the fleet {} is of the other slice", order.service.name,
                                                      to_string(order.service.slice), order.role.role));
}

// What was written before keys had slices would speak of the same service beside the new record (W-S16).
void delete_older_record(const EnvironmentOrder& order, const Kv& kv, EnvironmentWrite& out) {
  const auto found = kv.find(role_prefix(order.role) + order.service.name);
  if (found == kv.end()) return;
  const auto record = read_record(found->second, {order.service.name, {}});
  if (record.ok() && record->slice == order.service.slice) out.operations.push_back(delete_operation(found->second));
}

// The record of `record` with other members, in place of what is there.
absl::StatusOr<EnvironmentWrite> change_record(const EnvironmentRecord& record, const EnvironmentRole& role,
                                               const Kv& kv, const Json::Object& members) {
  const std::string key = pointing_key(record, role, kv);
  CVG_RETURN_IF_ERROR(seen_record(key, record, role, kv).status());
  CVG_ASSIGN_OR_RETURN(Json json, parse_json(kv.at(key).value, key));
  for (const Json::Member& member : members) json.set(member.name, member.value);
  EnvironmentWrite out;
  put(to_text(json), key, kv, out);
  return out;
}

}  // namespace
}  // namespace environment

std::string deployment_record_key(std::string_view deployment) {
  return fmt::format("deployments/{}/record", deployment);
}

absl::StatusOr<DesiredService> environment_release(const std::map<std::string, KvPair>& kv, const EnvironmentRole& role,
                                                   const DesiredService& there, const std::string& version,
                                                   const std::string& deployment) {
  // The record as it is going to be, among the keys of its version: read as everybody is going to read it.
  environment::Kv as_if;
  KvPair pointer;
  pointer.key = fmt::format("{}{}/{}", role_prefix(role), there.name, to_string(there.slice));
  pointer.value = to_text(Json().set("Version", version).set("DeploymentId", deployment));
  as_if[pointer.key] = pointer;
  for (const std::string& key : environment_keys(as_if, role)) {
    if (const auto found = kv.find(key); found != kv.end()) as_if[key] = found->second;
  }
  EnvironmentRead read = import_environment(as_if, role);
  if (!read.broken.empty()) return read.broken.front().status;
  DesiredService next = there;
  if (!read.services.empty()) {
    next.release = std::move(read.services.front().release);
  } else {
    next.release.version = version;
    next.release.deployment = deployment;
    next.release.package = {};
    environment::say_version(next.release.tags, version);
  }
  next.action = DesiredAction::kInstall;
  return next;
}

absl::StatusOr<EnvironmentWrite> deploy_environment(const EnvironmentOrder& order,
                                                    const std::map<std::string, KvPair>& kv) {
  CVG_RETURN_IF_ERROR(environment::check_slice(order));
  CVG_ASSIGN_OR_RETURN(EnvironmentWrite out, export_environment(order.service, order.role, kv, order.nodes));
  if (out.operations.empty()) return out;
  const Release& release = order.service.release;
  EnvironmentWrite more;
  const std::string record = deployment_record_key(release.deployment);
  if (!kv.contains(record)) {
    environment::put(to_text(to_json(DeploymentRecord{release.version, 0, order.asked})), record, kv, more);
  }
  if (order.before != release.deployment) environment::end_overall(order.before, kv, more);
  environment::delete_older_record(order, kv, more);
  environment::put_before_pointer(std::move(more), out);
  return out;
}

std::optional<GoodDeployment> last_good_of(const DesiredService& service, const EnvironmentRole& role,
                                           const std::vector<PastDeployment>& deployments,
                                           const std::map<std::string, KvPair>& kv) {
  const std::string id = service_id(service);
  for (const PastDeployment& past : deployments) {
    if (past.overall != to_string(OverallStatus::kSuccess) || past.role != role.role || past.service_id != id) continue;
    if (past.deployment == service.release.deployment || !past.record) continue;
    const std::string& version = past.record->version;
    if (!kv.contains(environment::definition_key(role.environment, service.name, version))) continue;
    if (!kv.contains(environment::installation_key(role.environment, service.name, version))) continue;
    return GoodDeployment{version, past.deployment};
  }
  return std::nullopt;
}

absl::StatusOr<EnvironmentWrite> cancel_environment(const EnvironmentRecord& record,
                                                    const std::optional<GoodDeployment>& back,
                                                    const EnvironmentRole& role,
                                                    const std::map<std::string, KvPair>& kv) {
  const std::string status = environment::status_in(kv, record.deployment);
  if (status != to_string(OverallStatus::kInProgress)) {
    return make_error(ErrorKind::kRefused, fmt::format("{}: nothing is on its way: {} is {}", record.service,
                                                       record.deployment, status.empty() ? "not begun" : status));
  }
  Json::Object members;
  if (back) {
    members.push_back({"Version", Json(back->version)});
    members.push_back({"DeploymentId", Json(back->deployment)});
  } else {
    members.push_back({"Action", Json(environment::action_text(DesiredAction::kIgnore))});
  }
  CVG_ASSIGN_OR_RETURN(EnvironmentWrite out, environment::change_record(record, role, kv, members));
  EnvironmentWrite more;
  environment::end_overall(record.deployment, kv, more);
  environment::put_before_pointer(std::move(more), out);
  return out;
}

absl::StatusOr<EnvironmentWrite> undeploy_environment(const EnvironmentRecord& record, Undeploy how,
                                                      const EnvironmentRole& role,
                                                      const std::map<std::string, KvPair>& kv) {
  CVG_ASSIGN_OR_RETURN(EnvironmentWrite out, how == Undeploy::kForget
                                                 ? remove_from_environment(record, role, kv, KvScope::kEnvironment)
                                                 : toggle_environment(record, DesiredAction::kUninstall, role, kv));
  if (!out.operations.empty()) environment::end_overall(record.deployment, kv, out);
  return out;
}

}  // namespace convergence
