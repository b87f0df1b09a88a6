#include "lib/plan/services.h"

#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <set>
#include <string>
#include <utility>

#include "convergence/deployment.h"
#include "lib/base/go_text.h"
#include "lib/base/status_macros.h"
#include "lib/plan/difference.h"
#include "lib/plan/placement.h"
#include "lib/plan/steps.h"

namespace convergence::plan {
namespace {

// By node and service id, whatever the service: an id is there once on a node.
using Instances = std::map<InstanceId, const InstanceState*>;

Instances all_instances(const CatalogState& catalog) {
  Instances instances;
  for (const auto& [name, service] : catalog.services) {
    for (const InstanceState& state : service->instances) {
      instances[{state.instance.node, state.instance.id}] = &state;
    }
  }
  return instances;
}

// Checks carry no Meta; their notes say whose they are.
std::string check_mark(const PlanOptions& options) { return fmt::format("{}={}", kMarkKey, options.owner); }

// As the catalog keeps it (Consul drops TTL there, so a check by TTL has an empty definition).
Json definition_of(const CheckDefinition& check) {
  Json definition{Json::Object{}};
  auto set_duration = [&](const char* name, Duration duration) {
    if (duration != Duration::zero()) definition.set(name, go_duration(duration));
  };
  set_duration("Interval", check.interval);
  set_duration("Timeout", check.timeout);
  set_duration("DeregisterCriticalServiceAfter", check.deregister_critical_service_after);
  if (!check.http.empty()) definition.set("HTTP", check.http);
  if (!check.method.empty()) definition.set("Method", check.method);
  if (check.tls_skip_verify) definition.set("TLSSkipVerify", true);
  if (!check.tcp.empty()) definition.set("TCP", check.tcp);
  for (const Json::Member& member : check.unknown) definition.set(member.name, member.value);
  return definition;
}

// As the server names it.
std::string check_type(const CheckDefinition& check) {
  if (!check.http.empty()) return "http";
  if (!check.tcp.empty()) return "tcp";
  if (!check.grpc.empty()) return "grpc";
  return check.args.empty() ? "ttl" : "script";
}

HealthCheck wanted_check(const CheckDefinition& check, const ServiceInstance& instance, const PlanOptions& options) {
  HealthCheck wanted;
  wanted.node = instance.node;
  wanted.id = check_id(instance.id, check);
  wanted.name = check.name;
  wanted.status = CheckStatus::kCritical;
  wanted.notes = check_mark(options);
  wanted.service_id = instance.id;
  wanted.service_name = instance.service;
  wanted.service_tags = instance.tags;
  wanted.type = check_type(check);
  wanted.definition = definition_of(check);
  return wanted;
}

// What should be registered. Of an instance that is there, what the desired service does not speak of stays.
ServiceRegistration wanted_registration(const DesiredService& service, const std::string& node,
                                        const InstanceState* there, const PlanOptions& options) {
  ServiceRegistration wanted;
  ServiceInstance& instance = wanted.instance;
  const Release& release = service.release;
  ServiceInstance ours = wanted_instance(service, release, release.deployment, options.owner);
  if (there) instance = there->instance;
  instance.create_index = instance.modify_index = 0;
  instance.node = node;
  instance.id = std::move(ours.id);
  instance.service = std::move(ours.service);
  instance.tags = std::move(ours.tags);
  instance.port = ours.port;
  instance.meta = std::move(ours.meta);
  for (const CheckDefinition& check : service.release.checks) {
    wanted.checks.push_back(wanted_check(check, instance, options));
  }
  std::ranges::sort(wanted.checks, {}, &HealthCheck::id);
  if (!there) return wanted;
  for (const HealthCheck& check : there->checks) {
    auto kept = std::ranges::find(wanted.checks, check.id, &HealthCheck::id);
    if (kept != wanted.checks.end()) {
      kept->status = check.status;
      kept->output = check.output;
    } else if (check.notes == check_mark(options)) {
      wanted.remove_checks.push_back(check.id);
    }
  }
  return wanted;
}

// The same things of what is there, for a comparison and for undo.
ServiceRegistration present_registration(const InstanceState& there, const ServiceRegistration& wanted) {
  ServiceRegistration present;
  present.instance = there.instance;
  present.checks = there.checks;
  for (const HealthCheck& check : wanted.checks) {
    if (std::ranges::find(there.checks, check.id, &HealthCheck::id) == there.checks.end()) {
      present.remove_checks.push_back(check.id);
    }
  }
  return present;
}

bool same_check(const HealthCheck& a, const HealthCheck& b) {
  return a.id == b.id && a.name == b.name && a.notes == b.notes && a.definition == b.definition &&
         a.service_name == b.service_name;
}

bool same(const InstanceState& there, const ServiceRegistration& wanted) {
  const ServiceInstance& a = there.instance;
  const ServiceInstance& b = wanted.instance;
  if (a.service != b.service || a.port != b.port || a.tags != b.tags || a.meta != b.meta) return false;
  if (!wanted.remove_checks.empty()) return false;
  return std::ranges::all_of(wanted.checks, [&](const HealthCheck& check) {
    auto found = std::ranges::find(there.checks, check.id, &HealthCheck::id);
    return found != there.checks.end() && same_check(*found, check);
  });
}

std::string version_of(const ServiceInstance& instance) {
  std::string version = version_in(instance);
  return version.empty() ? "no version" : version;
}

class Differ {
 public:
  Differ(const DesiredState& desired, const CatalogState& catalog, const PlanOptions& options)
      : desired_(desired), catalog_(catalog), options_(options), instances_(all_instances(catalog)) {}

  absl::StatusOr<ServiceDiff> run() {
    for (const DesiredService& service : desired_.services) {
      CVG_ASSIGN_OR_RETURN(const NodeSelector selector, NodeSelector::make(service));
      bool placed = false;
      for (const auto& [name, node] : catalog_.nodes) {
        if (!selector.selects(node->node)) continue;
        placed = true;
        if (by_agents(service)) {
          wanted_.insert({name, service_id(service)});
        } else {
          compare(service, name);
        }
      }
      if (!placed) hold_unplaced(service, selector);
      if (placed && by_agents(service)) hold_for_agents(service);
    }
    for (const auto& [id, there] : instances_) {
      if (!wanted_.contains(id) && is_ours(there->instance.meta, options_.owner)) remove(id, *there);
    }
    return std::move(diff_);
  }

 private:
  void hold_for_agents(const DesiredService& service) {
    diff_.held.push_back({held_id(service), Reason::kAgent,
                          fmt::format("{} {} is deployed by the agents of its nodes ({})", service.name,
                                      service.release.version, to_string(service.action))});
  }

  void compare(const DesiredService& service, const std::string& node) {
    const InstanceId id{node, service_id(service)};
    wanted_.insert(id);
    auto found = instances_.find(id);
    const InstanceState* there = found == instances_.end() ? nullptr : found->second;
    const ServiceRegistration wanted = wanted_registration(service, node, there, options_);
    if (!there) {
      Step step = make_step(Action::kRegisterService, id, service_name(service), Reason::kMissing);
      step.why = fmt::format("{} {} is wanted on {} (role {}) and not there", service.name, service.release.version,
                             node, service.placement.role);
      step.body = wanted;
      diff_.steps.push_back(std::move(step));
      return;
    }
    if (same(*there, wanted)) return;
    change(service, *there, wanted);
  }

  void change(const DesiredService& service, const InstanceState& there, const ServiceRegistration& wanted) {
    const InstanceId id{there.instance.node, there.instance.id};
    const ServiceRegistration present = present_registration(there, wanted);
    const std::string running = version_of(there.instance);
    const bool other_version = running != version_of(wanted.instance);
    const std::string what = other_version ? fmt::format("{} runs {} {}, wanted is {}", id.node, there.instance.service,
                                                         running, service.release.version)
                                           : fmt::format("{} differs: {}", label(id), difference(present, wanted));
    if (!options_.take_foreign && !is_ours(there.instance.meta, options_.owner)) {
      diff_.held.push_back(
          {step_id(Action::kChangeService, id), Reason::kForeign,
           fmt::format("{}; it {} and is changed only when taking over", what, owner_text(there.instance.meta))});
      return;
    }
    Step step = make_step(Action::kChangeService, id, service_name(service),
                          other_version ? Reason::kVersion : Reason::kDefinition);
    step.why = what;
    step.cas_index = there.instance.modify_index;
    step.body = wanted;
    step.before = present;
    diff_.steps.push_back(std::move(step));
  }

  void remove(const InstanceId& id, const InstanceState& there) {
    const std::string what =
        fmt::format("{} ({} {}) is ours and not wanted", label(id), there.instance.service, version_of(there.instance));
    if (!options_.prune) {
      diff_.held.push_back({step_id(Action::kRemoveService, id), Reason::kNotPruned,
                            fmt::format("{}; it is removed only when pruning", what)});
      return;
    }
    Step step = make_step(Action::kRemoveService, id, there.instance.service, Reason::kNotWanted);
    step.why = what;
    step.cas_index = there.instance.modify_index;
    ServiceRegistration present;
    present.instance = there.instance;
    present.checks = there.checks;
    step.before = std::move(present);
    diff_.steps.push_back(std::move(step));
  }

  void hold_unplaced(const DesiredService& service, const NodeSelector& selector) {
    diff_.held.push_back({held_id(service), Reason::kNoNode,
                          fmt::format("{} {} is wanted where no node is ({}; {} nodes are known)", service.name,
                                      service.release.version, selector.text(), catalog_.nodes.size())});
  }

  static std::string held_id(const DesiredService& service) {
    return fmt::format("{}:{}/{}/{}", to_string(Action::kRegisterService), service.placement.role, service.name,
                       to_string(service.slice));
  }

  static Step make_step(Action action, const InstanceId& id, const std::string& service, Reason reason) {
    Step step;
    step.id = step_id(action, id);
    step.action = action;
    step.instance = id;
    step.service = service;
    step.reason = reason;
    return step;
  }

  const DesiredState& desired_;
  const CatalogState& catalog_;
  const PlanOptions& options_;
  Instances instances_;
  std::set<InstanceId> wanted_;
  ServiceDiff diff_;
};

}  // namespace

std::string version_in(const ServiceInstance& instance) {
  auto found = instance.meta.find(std::string(kMetaVersion));
  return found == instance.meta.end() ? "" : found->second;
}

bool by_agents(const DesiredService& service) {
  return !service.release.package.source.empty() || service.action != DesiredAction::kInstall;
}

absl::StatusOr<ServiceDiff> diff_services(const DesiredState& desired, const CatalogState& catalog,
                                          const PlanOptions& options) {
  return Differ(desired, catalog, options).run();
}

}  // namespace convergence::plan
