#include "convergence/environment_fleet.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <chrono>
#include <iterator>
#include <set>
#include <utility>

#include "convergence/codec.h"
#include "convergence/deployment.h"
#include "convergence/error.h"
#include "lib/base/pieces.h"
#include "lib/base/tags.h"
#include "lib/import/environment.h"

namespace convergence {
namespace environment {
namespace {

constexpr std::string_view kBelowDeployments = "deployments/";
// RFC 4122: of a UUID of version 1, 100 ns since 1582-10-15.
constexpr std::uint64_t kUnixEpoch = 0x01B21DD213814000;

std::optional<std::string> text_of(const Json& json, std::string_view member) {
  const Json* value = json.find(member);
  const std::string* text = value ? value->as_string() : nullptr;
  return text ? std::optional<std::string>(*text) : std::nullopt;
}

// The ids that services have by the deployment that their records point to.
std::map<std::string, std::string> ids_by_deployment(const Kv& kv, std::string_view environment) {
  std::map<std::string, std::string> out;
  for (const std::string& name : roles_of(kv, environment)) {
    const EnvironmentRole role = {std::string(environment), name};
    for (const KvPair* pair : pairs_below(kv, role_prefix(role))) {
      const auto key = record_name(pair->key, role_prefix(role));
      if (!key.ok()) continue;
      const auto record = read_record(*pair, *key);
      if (!record.ok() || record->deployment.empty()) continue;
      out[record->deployment] = environment_service_id(role, record->service, record->slice);
    }
  }
  return out;
}

// One id below deployments/.
struct Told {
  PastDeployment past{};
  Begun begun{};
  std::vector<absl::Status> broken{};
};

void take(const KvPair& pair, std::map<std::string, Told>& out) {
  const auto pieces = pieces_of(std::string_view(pair.key).substr(kBelowDeployments.size()));
  const bool is_report = pieces.size() == 3 && pieces[1] == "nodes" && !pieces[2].empty();
  if (!piece_problem(pieces[0]).empty() || !(is_report || pieces.size() == 2)) return;
  Told& told = out[std::string(pieces[0])];
  told.past.deployment = pieces[0];
  if (is_report) {
    absl::StatusOr<NodeReport> report = parse<NodeReport>(pair.value, pair.key);
    if (!report.ok()) return told.broken.push_back(report.status());
    told.past.reports[std::string(pieces[2])] = *std::move(report);
  } else if (pieces[1] == "service") {
    told.begun = read_begun(pair);
  } else if (pieces[1] == "overall_status") {
    told.past.overall = pair.value;
  } else if (pieces[1] == "record") {
    absl::StatusOr<DeploymentRecord> record = parse<DeploymentRecord>(pair.value, pair.key);
    if (!record.ok()) return told.broken.push_back(record.status());
    told.past.record = *std::move(record);
  }
}

// Which slice it was in their K5 does not say: the record that points to it does, or a report of ours.
std::string service_id_of(const Told& told, const std::map<std::string, std::string>& ids) {
  if (const auto found = ids.find(told.past.deployment); found != ids.end()) return found->second;
  for (const auto& [instance, report] : told.past.reports) {
    if (!report.service.empty()) return report.service;
  }
  return environment_service_id({*told.begun.environment, told.begun.role}, told.begun.service, Slice::kNone);
}

}  // namespace

Begun read_begun(const KvPair& pair) {
  Begun out;
  const absl::StatusOr<Json> json = parse_json(pair.value, pair.key);
  if (!json.ok() || !json->is_object()) return out;
  out.environment = text_of(*json, "Environment");
  out.service = text_of(*json, "Name").value_or("");
  out.version = text_of(*json, "Version").value_or("");
  out.role = text_of(*json, "ServerRole").value_or("");
  return out;
}

std::optional<Time> time_in_uuid(std::string_view id) {
  if (id.size() != 36 || id[8] != '-' || id[13] != '-' || id[18] != '-' || id[23] != '-' || id[14] != '1') return {};
  const std::string hex = fmt::format("{}{}{}", id.substr(15, 3), id.substr(9, 4), id.substr(0, 8));
  std::uint64_t ticks = 0;
  const auto [end, error] = std::from_chars(hex.data(), hex.data() + hex.size(), ticks, 16);
  if (error != std::errc() || end != hex.data() + hex.size() || ticks < kUnixEpoch) return {};
  const std::uint64_t since = ticks - kUnixEpoch;
  constexpr std::uint64_t kMost = 92'000'000'000'000'000;  // what Time can say, in the year 2261
  if (since > kMost) return {};
  return Time(std::chrono::nanoseconds(static_cast<std::int64_t>(since) * 100));
}

std::vector<std::string> roles_of(const Kv& kv, std::string_view environment) {
  const std::string folder = fmt::format("environments/{}/roles/", environment);
  std::set<std::string> roles;
  for (const KvPair* pair : pairs_below(kv, folder)) {
    const auto pieces = pieces_of(std::string_view(pair->key).substr(folder.size()));
    if (pieces.size() > 2 && pieces[1] == "services") roles.insert(std::string(pieces[0]));
  }
  return {roles.begin(), roles.end()};
}

}  // namespace environment

absl::StatusOr<EnvironmentServices> environment_services(const std::map<std::string, KvPair>& kv,
                                                         std::string_view environment) {
  if (const std::string problem = environment::piece_problem(environment); !problem.empty()) {
    return make_error(ErrorKind::kValidate, fmt::format("the environment {}", problem));
  }
  EnvironmentServices out;
  for (const std::string& role : environment::roles_of(kv, environment)) {
    EnvironmentRead read = import_environment(kv, {std::string(environment), role});
    std::ranges::move(read.services, std::back_inserter(out.services));
    std::vector<UnreadService> unread = std::move(read.waiting);
    std::ranges::move(read.broken, std::back_inserter(unread));
    std::ranges::sort(unread, {}, &UnreadService::key);
    for (UnreadService& one : unread) out.unread.push_back(std::move(one.status));
  }
  return out;
}

std::vector<std::string> environment_deployment_ids(const std::vector<DesiredService>& services) {
  std::set<std::string> ids;
  for (const DesiredService& service : services) {
    if (!service.release.deployment.empty()) ids.insert(service.release.deployment);
  }
  return {ids.begin(), ids.end()};
}

std::vector<PastDeployment> environment_deployments(const std::map<std::string, KvPair>& kv,
                                                    std::string_view environment, std::vector<absl::Status>& broken) {
  std::map<std::string, environment::Told> all;
  for (const KvPair* pair : environment::pairs_below(kv, environment::kBelowDeployments)) environment::take(*pair, all);
  const std::map<std::string, std::string> ids = environment::ids_by_deployment(kv, environment);
  std::vector<PastDeployment> out;
  for (auto& [id, told] : all) {
    if (told.begun.environment != environment) continue;
    broken.insert(broken.end(), told.broken.begin(), told.broken.end());
    told.past.role = told.begun.role;
    told.past.service_id = environment::service_id_of(told, ids);
    if (!told.past.record) {
      const Time made = environment::time_in_uuid(id).value_or(Time{});
      told.past.record = DeploymentRecord{told.begun.version, 0, {"", "", made}};
    }
    out.push_back(std::move(told.past));
  }
  std::ranges::stable_sort(out, std::ranges::greater{}, began);
  return out;
}

OverallStatus overall_of(const std::vector<std::string>& nodes, const std::map<std::string, NodeReport>& reports) {
  bool failed = false;
  for (const std::string& node : nodes) {
    const auto report = reports.find(node);
    if (report == reports.end() || report->second.status == NodeStatus::kInProgress) return OverallStatus::kInProgress;
    failed |= report->second.status == NodeStatus::kFailed;
  }
  return failed ? OverallStatus::kFailed : OverallStatus::kSuccess;
}

std::string deployment_uuid(Time at, std::uint64_t random) {
  const auto since = std::chrono::nanoseconds(at.time_since_epoch()).count() / 100;
  const std::uint64_t ticks = environment::kUnixEpoch + static_cast<std::uint64_t>(since);
  const std::uint64_t clock = random >> 48 & 0x3FFF;
  constexpr std::uint64_t kNoRealNode = 0x010000000000;  // a group address, as RFC 4122 4.5 asks for
  return fmt::format("{:08x}-{:04x}-{:04x}-{:04x}-{:012x}", ticks & 0xFFFFFFFF, ticks >> 32 & 0xFFFF,
                     (ticks >> 48 & 0x0FFF) | 0x1000, clock | 0x8000, (random & 0xFFFFFFFFFFFF) | kNoRealNode);
}

absl::StatusOr<std::vector<UnexpectedInstance>> unexpected_in_environment(const std::vector<DesiredService>& services,
                                                                          const CatalogState& catalog,
                                                                          std::string_view environment) {
  std::set<std::pair<std::string, std::string>> wanted;  // (role, service id)
  for (const DesiredService& service : services) wanted.emplace(service.placement.role, service_id(service));
  std::vector<UnexpectedInstance> out;
  for (const auto& [name, service] : catalog.services) {
    for (const InstanceState& state : service->instances) {
      const ServiceInstance& instance = state.instance;
      const auto said = [&](std::string_view start) { return tag_value(instance.tags, start); };
      const auto node = catalog.nodes.find(instance.node);
      if (!said("deployment_id:") || node == catalog.nodes.end()) continue;
      const std::map<std::string, std::string>& meta = node->second->node.meta;
      const auto where = meta.find("environment");
      if (where == meta.end() || where->second != environment) continue;
      const auto role = meta.find(std::string(kMetaRole));
      if (role != meta.end() && wanted.contains({role->second, instance.id})) continue;
      out.push_back({instance.node, name, instance.id, said("version:").value_or("")});
    }
  }
  return out;
}

}  // namespace convergence
