#include "convergence/collect.h"

#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <set>
#include <tuple>
#include <utility>

#include "convergence/deployment.h"

namespace convergence {
namespace {

constexpr std::string_view kDeploymentTag = "deployment_id:";

// What instances carry: deployments by service id in our own layout, ids of deployments in Environment Manager's tags.
struct Carried {
  std::set<std::pair<std::string, std::string>> ours{};  // service id, deployment
  std::set<std::string> theirs{};
  std::set<std::pair<std::string, std::string>> instances{};  // service, service id
};

Carried carried_by(const CatalogState& catalog) {
  Carried out;
  for (const auto& [name, service] : catalog.services) {
    for (const InstanceState& state : service->instances) {
      const ServiceInstance& instance = state.instance;
      out.instances.insert({name, instance.id});
      const auto meta = instance.meta.find(std::string(kMetaDeployment));
      if (meta != instance.meta.end()) out.ours.insert({instance.id, meta->second});
      for (const std::string& tag : instance.tags) {
        if (tag.starts_with(kDeploymentTag)) out.theirs.insert(tag.substr(kDeploymentTag.size()));
      }
    }
  }
  return out;
}

// Why time alone keeps a deployment; empty: it does not.
std::string kept_by_time(const std::optional<Time>& last_sign, bool under_way, Time now, const CollectRules& rules) {
  if (!last_sign) return "no time is known of it";
  const Duration age = now - *last_sign;
  if (age < rules.retention) return "it is younger than the retention";
  if (under_way && age < rules.silence) return "a node is at it";
  return "";
}

void keep(CollectPlan& plan, CollectKind kind, std::string name, std::string why) {
  plan.stays.push_back({kind, std::move(name), std::move(why)});
}

// ---- ours --------------------------------------------------------------------------------------------------------

using Place = std::tuple<std::string, std::string, std::string>;  // role, service id, deployment

std::map<Place, std::string> wanted_deployments(const std::vector<DesiredService>& services) {
  std::map<Place, std::string> out;
  for (const DesiredService& service : services) {
    const std::string& role = service.placement.role;
    if (service.last_good) {
      out[{role, service_id(service), deployment_key(*service.last_good, 0)}] = "it is known to be good";
    }
    out[{role, service_id(service), deployment_key(service)}] = "it is wanted";
  }
  return out;
}

std::string desired_key(const DeploymentHistory& history, const DesiredService& service) {
  return fmt::format("{}/desired/{}/{}/{}", history.prefix, service.placement.role, service.name,
                     to_string(service.slice));
}

// A service that was to be uninstalled, and is.
void judge_service(const DeploymentHistory& history, const DesiredService& service, const Carried& carried, Time now,
                   const CollectRules& rules, CollectPlan& plan) {
  if (service.action != DesiredAction::kUninstall) return;
  const std::string id = service_id(service);
  const std::string name = fmt::format("{}/{}", service.placement.role, id);
  std::optional<Time> last_sign;
  if (service.progress.since != Time{}) last_sign = service.progress.since;
  bool under_way = false;
  for (const StoredDeployment& one : history.deployments) {
    if (one.role != service.placement.role || one.service != id) continue;
    if (one.last_sign) last_sign = std::max(last_sign.value_or(*one.last_sign), *one.last_sign);
    under_way |= one.under_way;
  }
  std::string why = carried.instances.contains({service_name(service), id})
                        ? "an instance of it is there"
                        : kept_by_time(last_sign, under_way, now, rules);
  if (!why.empty()) return keep(plan, CollectKind::kService, name, std::move(why));
  CollectUnit unit;
  unit.kind = CollectKind::kService;
  unit.name = name;
  unit.last_sign = *last_sign;
  unit.keys = {{desired_key(history, service), service.modify_index}};
  plan.goes.push_back(std::move(unit));
}

// ---- Environment Manager's ---------------------------------------------------------------------------------------

class EnvironmentCollector {
 public:
  EnvironmentCollector(const EnvironmentHistory& history, const CatalogState& catalog, Time now,
                       const CollectRules& rules)
      : history_(history), carried_(carried_by(catalog)), now_(now), rules_(rules) {
    for (const EnvironmentPointer& pointer : history.pointers) {
      if (!pointer.readable) unread_.insert(pointer.service);
      pointed_.insert({pointer.service, pointer.version});
      if (!pointer.deployment.empty()) deployments_.insert(pointer.deployment);
    }
  }

  CollectPlan plan() {
    for (const StoredDeployment& one : history_.deployments) judge(one);
    for (const std::string& id : history_.nobodys) {
      keep(plan_, CollectKind::kDeployment, id, "nothing tells which environment it is of");
    }
    std::vector<CollectUnit> deployments = std::move(plan_.goes);
    plan_.goes.clear();
    for (const EnvironmentVersion& one : history_.versions) judge(one);
    std::ranges::move(deployments, std::back_inserter(plan_.goes));
    return std::move(plan_);
  }

 private:
  using Version = std::pair<std::string, std::string>;  // service, version

  bool unread(const std::string& service) const { return unread_.contains("") || unread_.contains(service); }

  std::string kept(const StoredDeployment& one) const {
    if (deployments_.contains(one.deployment)) return "a role points to it";
    if (carried_.theirs.contains(one.deployment)) return "an instance carries it";
    if (one.service.empty() ? !unread_.empty() : unread(one.service)) return "a record of its service cannot be read";
    return kept_by_time(one.last_sign, one.under_way, now_, rules_);
  }

  void judge(const StoredDeployment& one) {
    const Version version{one.service, one.version};
    std::string why = kept(one);
    if (!why.empty()) {
      used_.insert(version);
      return keep(plan_, CollectKind::kDeployment, one.deployment, std::move(why));
    }
    Time& last = ended_[version];
    last = std::max(last, *one.last_sign);
    CollectUnit unit;
    unit.name = one.deployment;
    unit.last_sign = *one.last_sign;
    unit.keys = one.keys;
    plan_.goes.push_back(std::move(unit));
  }

  // All places at which a record of the service could stand in the roles that have one: it may be pointed to the
  // version while this is decided.
  std::vector<SeenKey> places(const std::string& service) const {
    std::map<std::string, std::uint64_t> places;
    for (const EnvironmentPointer& pointer : history_.pointers) {
      if (pointer.service != service) continue;
      const std::string folder =
          fmt::format("environments/{}/roles/{}/services/{}", history_.environment, pointer.role, service);
      places.emplace(folder, 0);
      for (const Slice slice : {Slice::kNone, Slice::kBlue, Slice::kGreen}) {
        places.emplace(fmt::format("{}/{}", folder, to_string(slice)), 0);
      }
      places[pointer.at.key] = pointer.at.modify_index;
    }
    std::vector<SeenKey> out;
    for (const auto& [key, index] : places) out.push_back({key, index});
    return out;
  }

  std::string kept(const EnvironmentVersion& one) const {
    const Version version{one.service, one.version};
    if (pointed_.contains(version)) return "a role points to it";
    if (unread(one.service)) return "a record of its service cannot be read";
    if (used_.contains(version)) return "a deployment of it stays";
    if (!ended_.contains(version)) return "no time is known of it";
    return "";
  }

  void judge(const EnvironmentVersion& one) {
    const std::string name = fmt::format("{} {}", one.service, one.version);
    std::string why = kept(one);
    CollectUnit unit;
    if (why.empty()) {
      unit.unchanged = places(one.service);
      if (unit.unchanged.size() + one.keys.size() > kCollectBatch) why = "too many roles have the service for one look";
    }
    if (!why.empty()) return keep(plan_, CollectKind::kVersion, name, std::move(why));
    unit.kind = CollectKind::kVersion;
    unit.name = name;
    unit.last_sign = ended_.at({one.service, one.version});
    unit.keys = one.keys;
    plan_.goes.push_back(std::move(unit));
  }

  const EnvironmentHistory& history_;
  const Carried carried_;
  const Time now_;
  const CollectRules& rules_;
  CollectPlan plan_{};
  std::set<std::string> unread_{};       // services; "" for all
  std::set<std::string> deployments_{};  // that a role points to
  std::set<Version> pointed_{};
  std::set<Version> used_{};         // by a deployment that stays
  std::map<Version, Time> ended_{};  // of deployments that go, the last sign
};

Json operation(std::string_view verb, const SeenKey& seen, bool with_index) {
  Json kv;
  kv.set("Verb", verb).set("Key", seen.key);
  if (with_index) kv.set("Index", seen.modify_index);
  return Json().set("KV", std::move(kv));
}

}  // namespace

CollectPlan plan_collect(const DeploymentHistory& history, const CatalogState& catalog, Time now,
                         const CollectRules& rules) {
  const Carried carried = carried_by(catalog);
  const auto wanted = wanted_deployments(history.services);
  CollectPlan plan;
  for (const StoredDeployment& one : history.deployments) {
    const std::string name = fmt::format("{}/{} {}", one.role, one.service, one.deployment);
    const auto found = wanted.find({one.role, one.service, one.deployment});
    std::string why;
    if (found != wanted.end()) {
      why = found->second;
    } else if (history.unread_roles.contains(one.role)) {
      why = "a document of its role cannot be read";
    } else if (carried.ours.contains({one.service, one.deployment})) {
      why = "an instance carries it";
    } else {
      why = kept_by_time(one.last_sign, one.under_way, now, rules);
    }
    if (!why.empty()) {
      keep(plan, CollectKind::kDeployment, name, std::move(why));
      continue;
    }
    CollectUnit unit;
    unit.name = name;
    unit.last_sign = *one.last_sign;
    unit.keys = one.keys;
    plan.goes.push_back(std::move(unit));
  }
  for (const DesiredService& service : history.services) judge_service(history, service, carried, now, rules, plan);
  return plan;
}

CollectPlan plan_collect(const EnvironmentHistory& history, const CatalogState& catalog, Time now,
                         const CollectRules& rules) {
  return EnvironmentCollector(history, catalog, now, rules).plan();
}

std::vector<CollectBatch> collect_batches(const CollectPlan& plan) {
  std::vector<CollectBatch> out;
  bool shared = false;  // whether the last one may take more
  for (std::size_t i = 0; i < plan.goes.size(); ++i) {
    const CollectUnit& unit = plan.goes[i];
    const bool whole = !unit.unchanged.empty();
    const auto add = [&](Json operation, bool first) {
      if (out.empty() || (first && (whole || !shared)) || out.back().operations.size() == kCollectBatch) {
        out.emplace_back();
      }
      out.back().operations.push_back(std::move(operation));
      out.back().units.push_back(i);
    };
    bool first = true;
    for (const SeenKey& seen : unit.unchanged) {
      const bool there = seen.modify_index != 0;
      add(operation(there ? "check-index" : "check-not-exists", seen, there), std::exchange(first, false));
    }
    for (const SeenKey& seen : unit.keys) add(operation("delete-cas", seen, true), std::exchange(first, false));
    shared = !whole;
  }
  return out;
}

}  // namespace convergence
