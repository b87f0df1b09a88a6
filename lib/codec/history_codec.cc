#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <string>
#include <string_view>
#include <tuple>
#include <utility>
#include <vector>

#include "convergence/codec.h"
#include "convergence/collect.h"
#include "convergence/operate.h"
#include "lib/base/status_macros.h"
#include "lib/codec/object_writer.h"

namespace convergence {
namespace {

// The role in P/desired/<role>/<service>/<slice>; of another key all that stands there.
std::string role_in(std::string_view key, std::string_view folder) {
  const std::string_view rest = key.substr(folder.size());
  return std::string(rest.substr(0, rest.find('/')));
}

void take_desired(const KvPair& pair, std::string_view prefix, std::string_view folder, DeploymentHistory& out) {
  // One by one, so that what cannot be read holds back its own role alone.
  absl::StatusOr<DesiredRead> read = desired_from_kv({pair}, prefix);
  if (!read.ok() || !read->broken.empty()) {
    out.unread_roles.insert(role_in(pair.key, folder));
    return;
  }
  for (DesiredService& service : read->desired.services) out.services.push_back(std::move(service));
}

StoredDeployment stored(const PastDeployment& past, std::string_view folder,
                        const std::map<std::string, std::uint64_t>& indexes) {
  StoredDeployment out;
  out.role = past.role;
  out.service = past.service_id;
  out.deployment = past.deployment;
  const std::string own = fmt::format("{}{}/{}/{}/", folder, past.role, past.service_id, past.deployment);
  const std::string nodes = own + "nodes/";
  for (auto it = indexes.lower_bound(nodes); it != indexes.end() && it->first.starts_with(nodes); ++it) {
    const std::string_view node = std::string_view(it->first).substr(nodes.size());
    if (!node.empty() && node.find('/') == std::string_view::npos) out.keys.push_back({it->first, it->second});
  }
  if (const auto record = indexes.find(own + "record"); record != indexes.end()) {
    out.keys.push_back({record->first, record->second});
  }
  if (past.record) out.last_sign = past.record->asked.at;
  for (const auto& [node, report] : past.reports) {
    out.last_sign = std::max(out.last_sign.value_or(Time{}), last_sign(report));
    out.under_way |= !report.end;
  }
  return out;
}

}  // namespace

Time last_sign(const NodeReport& report) {
  return std::max({report.start, report.end.value_or(report.start), report.updated.value_or(report.start)});
}

absl::StatusOr<DeploymentHistory> deployment_history(const std::vector<KvPair>& pairs, std::string_view prefix) {
  const std::string desired = fmt::format("{}/desired/", prefix);
  const std::string deployments = fmt::format("{}/deployments/", prefix);
  DeploymentHistory out;
  out.prefix = prefix;
  std::map<std::string, std::uint64_t> indexes;
  for (const KvPair& pair : pairs) {
    if (pair.key.starts_with(desired) && !pair.key.ends_with('/')) take_desired(pair, prefix, desired, out);
    if (pair.key.starts_with(deployments)) indexes[pair.key] = pair.modify_index;
  }
  CVG_ASSIGN_OR_RETURN(DesiredState normal, normalise({std::move(out.services), {}}));
  out.services = std::move(normal.services);
  std::vector<absl::Status> unread;  // counts as nothing told: of unknown age
  for (const PastDeployment& past : deployments_from_kv(pairs, prefix, unread)) {
    out.deployments.push_back(stored(past, deployments, indexes));
  }
  const auto place = [](const StoredDeployment& one) { return std::tie(one.role, one.service, one.deployment); };
  std::ranges::sort(out.deployments, {}, place);
  return out;
}

Json to_json(const CollectPlan& plan) {
  Json::Array goes;
  for (const CollectUnit& unit : plan.goes) {
    Json::Array keys;
    for (const SeenKey& seen : unit.keys) keys.push_back(Json(seen.key));
    goes.push_back(codec::ObjectWriter()
                       .put("kind", to_string(unit.kind))
                       .put("name", unit.name)
                       .put("last_sign", codec::encode(unit.last_sign))
                       .put("keys", Json(std::move(keys)))
                       .take());
  }
  Json::Array stays;
  for (const CollectKept& kept : plan.stays) {
    stays.push_back(
        codec::ObjectWriter().put("kind", to_string(kept.kind)).put("name", kept.name).put("why", kept.why).take());
  }
  return codec::ObjectWriter().put("goes", Json(std::move(goes))).put("stays", Json(std::move(stays))).take();
}

}  // namespace convergence
