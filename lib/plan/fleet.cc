#include <fmt/format.h>

#include <algorithm>
#include <string>
#include <utility>

#include "convergence/deployment.h"
#include "lib/base/status_macros.h"
#include "lib/base/tags.h"
#include "lib/plan/placement.h"

namespace convergence {
namespace {

constexpr std::int32_t kSmallFleet = 8;

bool plain(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '.' || c == '_' ||
         c == '+' || c == '-';
}

// Any text as one piece of a path, different texts as different pieces; at most 128 bytes of plain ones as they are.
std::string as_piece(std::string_view text) {
  std::string piece;
  for (const char c : text) {
    if (plain(c) && !(piece.empty() && c == '.')) {
      piece += c;
    } else {
      piece += fmt::format("%{:02X}", static_cast<unsigned char>(c));
    }
  }
  return piece;
}

std::string names(const std::vector<std::string>& nodes) { return fmt::format("{}", fmt::join(nodes, ", ")); }

bool contains(const std::vector<std::string>& list, std::string_view name) {
  return std::ranges::find(list, name) != list.end();
}

FleetProgress enter(const DesiredService& service, FleetPhase phase, const ServiceFleet& fleet, Time now) {
  FleetProgress progress;
  progress.generation = service.generation;
  progress.phase = phase;
  progress.since = now;
  progress.nodes = static_cast<std::int32_t>(fleet.nodes.size());
  if (knows_release(service)) progress.first_wave = service.progress.first_wave;
  return progress;
}

// How a new release begins.
FleetProgress begin(const DesiredService& service, const ServiceFleet& fleet, Time now) {
  const bool nothing_passes = std::ranges::none_of(fleet.nodes, [](const FleetNode& node) {
    return !node.deployment.empty() && node.status == CheckStatus::kPassing;
  });
  const bool nothing_to_lose = !service.last_good && nothing_passes;
  if (nothing_to_lose || service.strategy.first_wave == 0) return enter(service, FleetPhase::kRest, fleet, now);
  FleetProgress progress = enter(service, FleetPhase::kFirstWave, fleet, now);
  progress.first_wave.clear();
  for (const bool out_of_traffic : {false, true}) {
    for (const FleetNode& node : fleet.nodes) {
      if (progress.first_wave.size() == static_cast<std::size_t>(service.strategy.first_wave)) break;
      if (!node.lost && node.out_of_traffic == out_of_traffic) progress.first_wave.push_back(node.name);
    }
  }
  return progress;
}

// Who of the nodes named (all, when none is) has yet to pass with the deployment; lost ones are not waited for.
struct Standing {
  std::size_t asked = 0;
  std::vector<std::string> open{};
  const FleetNode* ill = nullptr;  // has the deployment and does not pass
};

Standing standing_of(const ServiceFleet& fleet, const std::string& deployment, const std::vector<std::string>* among) {
  Standing standing;
  for (const FleetNode& node : fleet.nodes) {
    if (node.lost || (among && !contains(*among, node.name))) continue;
    ++standing.asked;
    const bool has_it = node.deployment == deployment;
    if (has_it && node.status == CheckStatus::kPassing) continue;
    standing.open.push_back(node.name);
    if (has_it && !standing.ill) standing.ill = &node;
  }
  return standing;
}

std::optional<DesiredService> with(DesiredService service, FleetProgress progress) {
  if (service.progress == progress) return std::nullopt;
  service.progress = std::move(progress);
  return service;
}

std::optional<DesiredService> done(DesiredService service, const ServiceFleet& fleet, Time now) {
  const std::string key = deployment_key(service);
  service.progress = enter(service, FleetPhase::kDone, fleet, now);
  service.last_good = service.release;
  service.last_good->deployment = key;
  return service;
}

std::optional<DesiredService> revert(const DesiredService& service, std::string why, const ServiceFleet& fleet,
                                     Time now) {
  FleetProgress progress = enter(service, FleetPhase::kReverted, fleet, now);
  progress.why = std::move(why);
  return with(service, std::move(progress));
}

// Of Environment Manager's own agent the tag tells it.
std::string deployment_of(const ServiceInstance& instance) {
  const auto meta = instance.meta.find(std::string(kMetaDeployment));
  if (meta != instance.meta.end()) return meta->second;
  // Registered by others, or before there were deployments: there, but nothing that we know.
  return tag_value(instance.tags, "deployment_id:").value_or("?");
}

}  // namespace

bool takes_out_of_traffic(std::string_view node_check_id) {
  return node_check_id == kStandbyCheck || node_check_id == kNodeMaintenanceCheck;
}

bool knows_release(const DesiredService& service) { return service.progress.generation == service.generation; }

bool is_under_way(const DesiredService& service) {
  if (service.generation == 0) return false;
  const FleetPhase phase = service.progress.phase;
  return !knows_release(service) || (phase != FleetPhase::kDone && phase != FleetPhase::kReverted);
}

std::string deployment_key(const Release& release, std::uint64_t generation) {
  if (!release.deployment.empty()) return release.deployment;
  const std::string version = as_piece(release.version.empty() ? "unversioned" : release.version);
  return generation == 0 ? version : fmt::format("{}@{}", version, generation);
}

std::string deployment_key(const DesiredService& service) {
  return deployment_key(service.release, service.generation);
}

absl::StatusOr<ServiceFleet> fleet_of(const DesiredService& service, const CatalogState& catalog,
                                      const std::map<std::string, std::string>& failed) {
  CVG_ASSIGN_OR_RETURN(const plan::NodeSelector selector, plan::NodeSelector::make(service));
  const std::string id = service_id(service);
  ServiceFleet fleet;
  for (const auto& [name, state] : catalog.nodes) {
    if (!selector.selects(state->node)) continue;
    FleetNode& node = fleet.nodes.emplace_back();
    node.name = name;
    std::vector<HealthCheck> checks = state->checks;
    std::erase_if(checks, [&](const HealthCheck& check) {
      const bool on_purpose = takes_out_of_traffic(check.id);
      node.out_of_traffic |= on_purpose && check.status != CheckStatus::kPassing;
      return on_purpose;
    });
    node.lost = worst_status({}, checks) == CheckStatus::kCritical;
    if (auto found = failed.find(name); found != failed.end()) node.failed = found->second;
    const InstanceState* instance = find_instance(catalog, service_name(service), {name, id});
    if (!instance) continue;
    node.deployment = deployment_of(instance->instance);
    node.status = worst_status(instance->checks, checks);
  }
  return fleet;
}

static std::optional<DesiredService> next_phase(const DesiredService& service, const ServiceFleet& fleet, Time now) {
  if (service.action != DesiredAction::kInstall || service.generation == 0) return std::nullopt;
  // Nobody to wait for, and nobody who could show that the release is good: whoever reads this sees the catalog before
  // its own node is in it.
  if (std::ranges::all_of(fleet.nodes, &FleetNode::lost)) return std::nullopt;
  if (!knows_release(service)) return with(service, begin(service, fleet, now));
  const FleetProgress& progress = service.progress;
  if (progress.phase == FleetPhase::kDone || progress.phase == FleetPhase::kReverted) return std::nullopt;
  const std::string key = deployment_key(service);
  for (const FleetNode& node : fleet.nodes) {
    if (node.failed.empty() || !service.strategy.auto_revert || !service.last_good) continue;
    return revert(service, fmt::format("{}: {}", node.name, node.failed), fleet, now);
  }
  // The first release that passes anywhere is the last good one of those that come later.
  if (!service.last_good && progress.phase == FleetPhase::kRest) {
    const bool passes = std::ranges::any_of(fleet.nodes, [&](const FleetNode& node) {
      return node.deployment == key && node.status == CheckStatus::kPassing;
    });
    if (passes) {
      DesiredService next = service;
      next.last_good = service.release;
      next.last_good->deployment = key;
      return next;
    }
  }
  switch (progress.phase) {
    case FleetPhase::kFirstWave: {
      const Standing first = standing_of(fleet, key, &progress.first_wave);
      if (first.asked == 0) return with(service, begin(service, fleet, now));  // all of it is lost: others go first
      if (!first.open.empty()) return std::nullopt;
      return with(service, enter(service, FleetPhase::kBake, fleet, now));
    }
    case FleetPhase::kBake: {
      const Standing first = standing_of(fleet, key, &progress.first_wave);
      if (first.ill && service.strategy.auto_revert && service.last_good) {
        return revert(service, fmt::format("{}: is {} while it bakes", first.ill->name, to_string(first.ill->status)),
                      fleet, now);
      }
      if (fleet.watched < service.strategy.bake) return std::nullopt;
      return with(service, enter(service, FleetPhase::kRest, fleet, now));
    }
    case FleetPhase::kRest:
      if (!standing_of(fleet, key, nullptr).open.empty()) return std::nullopt;
      return done(service, fleet, now);
    case FleetPhase::kDone:
    case FleetPhase::kReverted:
      break;
  }
  return std::nullopt;
}

std::optional<DesiredService> advance(const DesiredService& service, const ServiceFleet& fleet, Time now) {
  std::optional<DesiredService> next = next_phase(service, fleet, now);
  if (next || service.action != DesiredAction::kInstall || !knows_release(service) || !is_under_way(service)) {
    return next;
  }
  // The nodes go by this number; one that is a little too low costs little.
  const auto nodes = static_cast<std::int32_t>(fleet.nodes.size());
  if (nodes <= 2 * std::max(service.progress.nodes, kSmallFleet)) return next;
  next = service;
  next->progress.nodes = nodes;
  return next;
}

std::int32_t slots_of(const Strategy& strategy, const ServiceFleet& fleet) {
  const auto instances = static_cast<std::int32_t>(
      std::ranges::count_if(fleet.nodes, [](const FleetNode& node) { return !node.deployment.empty(); }));
  return std::max(0, std::min(strategy.max_unavailable, instances - strategy.min_healthy));
}

NodeTarget target_on(const DesiredService& service, std::string_view node, std::string_view running) {
  const std::string wanted_key = deployment_key(service);
  auto wanted = [&](std::string why) { return NodeTarget{service.release, wanted_key, std::move(why)}; };
  auto last_good = [&](std::string why) {
    return NodeTarget{service.last_good, deployment_key(*service.last_good, 0), std::move(why)};
  };
  if (service.generation == 0) return wanted("wanted");
  const bool known = knows_release(service);
  const FleetProgress& progress = service.progress;
  if (known && progress.phase == FleetPhase::kDone) return wanted("wanted, and known to be good");
  if (known && progress.phase == FleetPhase::kReverted) {
    if (!service.last_good) return {std::nullopt, "", "taken back, and no release is known to be good"};
    return last_good(fmt::format("{} was taken back ({})", service.release.version, progress.why));
  }
  if (running == wanted_key) return wanted("wanted");
  if (known && contains(progress.first_wave, node)) return wanted("first wave");
  // A node that comes in the middle never gets what is not proven.
  if (running.empty() && service.last_good) return last_good(fmt::format("{} is on its way", service.release.version));
  if (known && progress.phase == FleetPhase::kRest) return wanted("wanted");
  if (!known) return {std::nullopt, "", fmt::format("{}: its first wave is not chosen yet", service.release.version)};
  return {std::nullopt, "",
          fmt::format("{} waits for the first wave: {}{}", service.release.version, names(progress.first_wave),
                      progress.phase == FleetPhase::kBake ? ", which bakes" : "")};
}

}  // namespace convergence
