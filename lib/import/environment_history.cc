#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "convergence/codec.h"
#include "convergence/collect.h"
#include "convergence/error.h"
#include "convergence/operate.h"
#include "convergence/report.h"
#include "lib/base/pieces.h"
#include "lib/import/environment.h"

namespace convergence {
namespace environment {
namespace {

constexpr std::string_view kDeployments = "deployments/";
constexpr std::string_view kServicesOfRole = "/services/";

void take_pointer(const KvPair& pair, std::string_view roles, EnvironmentHistory& out) {
  const std::string_view rest = std::string_view(pair.key).substr(roles.size());
  const std::size_t services = rest.find('/');
  if (services == std::string_view::npos || !rest.substr(services).starts_with(kServicesOfRole)) return;
  EnvironmentPointer pointer;
  pointer.at = {pair.key, pair.modify_index};
  pointer.role = rest.substr(0, services);
  const std::string_view prefix =
      std::string_view(pair.key).substr(0, roles.size() + services + kServicesOfRole.size());
  const auto name = record_name(pair.key, prefix);
  pointer.readable = name.ok();
  if (name.ok()) {
    pointer.service = name->service;
    const auto record = read_record(pair, *name);
    pointer.readable = record.ok();
    if (record.ok()) {
      pointer.version = record->version;
      pointer.deployment = record->deployment;
    }
  }
  out.pointers.push_back(std::move(pointer));
}

using Versions = std::map<std::pair<std::string, std::string>, EnvironmentVersion>;

void take_version(const KvPair& pair, std::string_view services, Versions& out) {
  const auto pieces = pieces_of(std::string_view(pair.key).substr(services.size()));
  if (pieces.size() != 3 || (pieces[2] != "definition" && pieces[2] != "installation")) return;
  EnvironmentVersion& version = out[{std::string(pieces[0]), std::string(pieces[1])}];
  version.service = pieces[0];
  version.version = pieces[1];
  version.keys.push_back({pair.key, pair.modify_index});
}

// What is known of one id below deployments/.
struct Found {
  StoredDeployment stored{};
  std::optional<std::string> environment{};
  std::vector<SeenKey> last{};  // K4, K5 and our record
};

void take_service(const KvPair& pair, Found& found) {
  found.last.push_back({pair.key, pair.modify_index});
  Begun begun = read_begun(pair);
  found.environment = std::move(begun.environment);
  found.stored.service = std::move(begun.service);
  found.stored.version = std::move(begun.version);
}

void take_report(const KvPair& pair, Found& found) {
  found.stored.keys.push_back({pair.key, pair.modify_index});
  const absl::StatusOr<NodeReport> report = parse<NodeReport>(pair.value, pair.key);
  if (!report.ok()) return;
  found.stored.last_sign = std::max(found.stored.last_sign.value_or(Time{}), last_sign(*report));
  found.stored.under_way |= !report->end;
}

void take_record(const KvPair& pair, Found& found) {
  const absl::StatusOr<DeploymentRecord> record = parse<DeploymentRecord>(pair.value, pair.key);
  if (!record.ok() || record->asked.at == Time{}) return;
  found.stored.last_sign = std::max(found.stored.last_sign.value_or(Time{}), record->asked.at);
}

void take_deployment(const KvPair& pair, std::map<std::string, Found>& out) {
  const auto pieces = pieces_of(std::string_view(pair.key).substr(kDeployments.size()));
  const bool report = pieces.size() == 3 && pieces[1] == "nodes" && !pieces[2].empty();
  const bool service = pieces.size() == 2 && pieces[1] == "service";
  const bool beside = pieces.size() == 2 && (pieces[1] == "overall_status" || pieces[1] == "record");
  if (!piece_problem(pieces[0]).empty() || !(report || service || beside)) return;
  Found& found = out[std::string(pieces[0])];
  found.stored.deployment = pieces[0];
  if (report) take_report(pair, found);
  if (beside) found.last.push_back({pair.key, pair.modify_index});
  if (service) take_service(pair, found);
  if (beside && pieces[1] == "record") take_record(pair, found);
}

}  // namespace
}  // namespace environment

absl::StatusOr<EnvironmentHistory> environment_history(const std::vector<KvPair>& pairs, std::string_view name) {
  if (const std::string problem = environment::piece_problem(name); !problem.empty()) {
    return make_error(ErrorKind::kValidate, fmt::format("the environment {}", problem));
  }
  const std::string roles = fmt::format("environments/{}/roles/", name);
  const std::string services = fmt::format("environments/{}/services/", name);
  EnvironmentHistory out;
  out.environment = name;
  environment::Versions versions;
  std::map<std::string, environment::Found> deployments;
  for (const KvPair& pair : pairs) {
    if (pair.key.ends_with('/')) continue;
    if (pair.key.starts_with(roles)) environment::take_pointer(pair, roles, out);
    if (pair.key.starts_with(services)) environment::take_version(pair, services, versions);
    if (pair.key.starts_with(environment::kDeployments)) environment::take_deployment(pair, deployments);
  }
  for (auto& [key, version] : versions) out.versions.push_back(std::move(version));
  for (auto& [id, found] : deployments) {
    if (!found.environment) out.nobodys.push_back(id);
    if (found.environment != name) continue;
    StoredDeployment& stored = found.stored;
    if (const auto made = environment::time_in_uuid(id)) {
      stored.last_sign = std::max(stored.last_sign.value_or(*made), *made);
    }
    std::ranges::sort(found.last, {}, &SeenKey::key);  // overall_status, record, service
    stored.keys.insert(stored.keys.end(), found.last.begin(), found.last.end());
    out.deployments.push_back(std::move(stored));
  }
  return out;
}

}  // namespace convergence
