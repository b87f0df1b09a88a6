#include "convergence/operate.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "convergence/error.h"
#include "lib/base/status_macros.h"
#include "lib/base/tags.h"
#include "lib/plan/placement.h"
#include "lib/plan/services.h"

namespace convergence {
namespace {

// Of a node that should have a release.
void judge(const FleetNode& node, const NodeTarget& target, NodeLine& line) {
  if (!target.release) {
    line.standing = node.deployment.empty() ? NodeStanding::kMissing : NodeStanding::kBehind;
    line.why = target.why;
    return;
  }
  const bool has_it = node.deployment == target.deployment;
  if (has_it && node.status == CheckStatus::kPassing) return;  // whatever its report says yet
  const bool reported = line.report && line.report->status != NodeStatus::kSuccess;
  if (!has_it && reported && line.report->status == NodeStatus::kFailed) {
    line.standing = NodeStanding::kFailed;
    // Agents of ours say the stage in the reason; of others it is all that is known.
    const NodeReport& report = *line.report;
    const bool said = report.reason.starts_with(report.last_completed_stage);
    line.why = said ? report.reason : fmt::format("{}: {}", report.last_completed_stage, report.reason);
  } else if (reported && line.report->status == NodeStatus::kInProgress) {
    line.standing = NodeStanding::kChanging;
    line.why = fmt::format("at {}", line.report->stage);
  } else if (node.deployment.empty()) {
    line.standing = NodeStanding::kMissing;
    line.why = target.why;
  } else if (!has_it) {
    line.standing = NodeStanding::kBehind;
    line.why = fmt::format("{} runs, {} is wanted", node.deployment, target.deployment);
  } else {
    line.standing = NodeStanding::kIll;
    line.why = fmt::format("is {}", to_string(node.status));
  }
}

std::string shown_version(const ServiceInstance& instance) {
  const std::string version = plan::version_in(instance);
  return version.empty() ? tag_value(instance.tags, "version:").value_or("") : version;
}

NodeLine line_of(const DesiredService& service, const FleetNode& node) {
  NodeLine line;
  line.node = node.name;
  line.deployment = node.deployment;
  line.out_of_traffic = node.out_of_traffic;
  if (node.lost) {
    line.standing = NodeStanding::kLost;
    line.why = "a check of the node is critical";
  } else if (service.action == DesiredAction::kIgnore) {
    line.standing = NodeStanding::kIgnored;
    line.why = "switched off";
  } else if (service.action == DesiredAction::kUninstall && !node.deployment.empty()) {
    line.standing = NodeStanding::kUnexpected;
    line.why = "asked to be gone";
  }
  return line;
}

}  // namespace

std::string describe(const Asked& asked) {
  const std::string who = asked.by.empty() ? "somebody" : asked.by;
  return asked.reason.empty() ? who : fmt::format("{}: {}", who, asked.reason);
}

DesiredService deploy(const DesiredService& service, const Release& release, bool again) {
  const bool there = service.release == release && service.action == DesiredAction::kInstall;
  const bool taken_back = knows_release(service) && service.progress.phase == FleetPhase::kReverted;
  if (there && service.generation != 0 && !taken_back && !again) return service;
  DesiredService next = service;
  next.release = release;
  next.action = DesiredAction::kInstall;
  next.generation = std::max(service.generation, service.progress.generation) + 1;
  return next;
}

absl::StatusOr<DesiredService> cancel(const DesiredService& service, const Asked& asked) {
  if (!is_under_way(service)) {
    return make_error(
        ErrorKind::kRefused,
        fmt::format("{}: nothing is on its way: {} is {}", service.name, service.release.version,
                    service.generation == 0 ? "wanted without phases" : to_string(service.progress.phase)));
  }
  DesiredService next = service;
  if (!knows_release(service)) next.progress = {};
  next.progress.generation = service.generation;
  next.progress.phase = FleetPhase::kReverted;
  next.progress.since = asked.at;
  next.progress.why = "cancelled by " + describe(asked);
  return next;
}

DesiredService toggle(const DesiredService& service, bool on) {
  DesiredService next = service;
  next.action = on ? DesiredAction::kInstall : DesiredAction::kIgnore;
  return next;
}

std::string maintenance_key(std::string_view prefix, std::string_view node) {
  return fmt::format("{}/nodes/{}/maintenance", prefix, node);
}

absl::StatusOr<ServiceStatus> status_of(const DesiredService& service, const CatalogState& catalog,
                                        const std::map<std::string, NodeReport>& reports) {
  CVG_ASSIGN_OR_RETURN(const ServiceFleet fleet, fleet_of(service, catalog, {}));
  ServiceStatus status;
  status.service_id = service_id(service);
  status.name = service.name;
  status.role = service.placement.role;
  status.slice = service.slice;
  status.version = service.release.version;
  status.deployment = deployment_key(service);
  status.last_good = service.last_good ? service.last_good->version : "";
  status.action = service.action;
  const bool known = knows_release(service);
  status.phase = service.generation == 0 ? "wanted" : !known ? "new" : to_string(service.progress.phase);
  status.why = known ? service.progress.why : "";
  for (const FleetNode& node : fleet.nodes) {
    NodeLine& line = status.nodes.emplace_back(line_of(service, node));
    const InstanceState* there = find_instance(catalog, service_name(service), {node.name, status.service_id});
    if (there) line.version = shown_version(there->instance);
    if (auto found = reports.find(node.name); found != reports.end()) line.report = found->second;
    if (line.standing != NodeStanding::kAsWanted || service.action != DesiredAction::kInstall) continue;
    const NodeTarget target = target_on(service, node.name, node.deployment);
    line.wanted = target.deployment;
    judge(node, target, line);
  }
  status.satisfied = std::ranges::all_of(status.nodes, [](const NodeLine& line) {
    return line.standing == NodeStanding::kAsWanted || line.standing == NodeStanding::kIgnored ||
           line.standing == NodeStanding::kLost;
  });
  return status;
}

std::string deployment_folder(std::string_view prefix, std::string_view role, std::string_view service_id,
                              std::string_view deployment) {
  return fmt::format("{}/deployments/{}/{}/{}/", prefix, role, service_id, deployment);
}

std::string deployment_folder(std::string_view prefix, const DesiredService& service) {
  return deployment_folder(prefix, service.placement.role, service_id(service), deployment_key(service));
}

RolloutEnd end_of(const DesiredService& service, std::uint64_t generation, const ServiceStatus& status) {
  if (service.generation != generation) return RolloutEnd::kSuperseded;
  if (std::ranges::all_of(status.nodes, [](const NodeLine& line) { return line.standing == NodeStanding::kLost; })) {
    return RolloutEnd::kGood;
  }
  if (!knows_release(service)) return RolloutEnd::kUnderWay;
  if (service.progress.phase == FleetPhase::kDone) return RolloutEnd::kGood;
  return service.progress.phase == FleetPhase::kReverted ? RolloutEnd::kTakenBack : RolloutEnd::kUnderWay;
}

absl::StatusOr<std::vector<UnexpectedInstance>> unexpected_instances(const std::vector<DesiredService>& services,
                                                                     const CatalogState& catalog,
                                                                     std::string_view owner) {
  std::map<InstanceId, bool> wanted;
  for (const DesiredService& service : services) {
    CVG_ASSIGN_OR_RETURN(const plan::NodeSelector selector, plan::NodeSelector::make(service));
    for (const auto& [name, state] : catalog.nodes) {
      if (selector.selects(state->node)) wanted[{name, service_id(service)}] = true;
    }
  }
  std::vector<UnexpectedInstance> out;
  for (const auto& [name, service] : catalog.services) {
    for (const InstanceState& state : service->instances) {
      const ServiceInstance& instance = state.instance;
      auto mark = instance.meta.find(std::string(kMarkKey));
      if (mark == instance.meta.end() || mark->second != owner) continue;
      if (wanted.contains({instance.node, instance.id})) continue;
      out.push_back({instance.node, name, instance.id, plan::version_in(instance)});
    }
  }
  return out;
}

}  // namespace convergence
