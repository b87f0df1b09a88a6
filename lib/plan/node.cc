#include <fmt/format.h>

#include <algorithm>
#include <string>
#include <tuple>
#include <utility>

#include "convergence/deployment.h"
#include "lib/base/status_macros.h"
#include "lib/plan/placement.h"

namespace convergence {
namespace {

// Consul's word for what a check does; empty for what we do not know.
std::string_view type_of(const CheckDefinition& check) {
  if (!check.http.empty()) return "http";
  if (!check.tcp.empty()) return "tcp";
  if (!check.grpc.empty()) return "grpc";
  if (!check.args.empty()) return "script";
  return check.ttl == Duration::zero() ? "" : "ttl";
}

// Of a check Consul tells the name and, where an agent runs it, the type; what it asks for and how often it keeps to
// itself.
std::string difference(const HealthCheck& there, const CheckDefinition& wanted) {
  if (!there.name.empty() && !wanted.name.empty() && there.name != wanted.name) {
    return fmt::format("its check {} has the name {}, wanted is {}", wanted.id, there.name, wanted.name);
  }
  const std::string_view type = type_of(wanted);
  if (!there.type.empty() && !type.empty() && there.type != type) {
    return fmt::format("its check {} is of type {}, wanted is {}", wanted.id, there.type, type);
  }
  return "";
}

// What differs between the registration that is there and the one wanted; empty when nothing does. `registered`: the
// checks as the agent has registered them last.
std::string difference(const InstanceState& there, const ServiceInstance& wanted,
                       const std::vector<CheckDefinition>& checks, const std::vector<CheckDefinition>& registered) {
  const ServiceInstance& now = there.instance;
  if (now.port != wanted.port) return fmt::format("its port is {}, wanted is {}", now.port, wanted.port);
  if (now.tags != wanted.tags) {
    return fmt::format("its tags are [{}], wanted are [{}]", fmt::join(now.tags, " "), fmt::join(wanted.tags, " "));
  }
  for (const auto& [key, value] : wanted.meta) {
    auto found = now.meta.find(key);
    if (found == now.meta.end()) return fmt::format("its Meta has no {}", key);
    if (found->second != value) return fmt::format("its Meta has {} {}, wanted is {}", key, found->second, value);
  }
  for (const CheckDefinition& check : checks) {
    const auto found = std::ranges::find(there.checks, check.id, &HealthCheck::id);
    if (found == there.checks.end()) return fmt::format("its check {} is missing", check.id);
    if (std::string differs = difference(*found, check); !differs.empty()) return differs;
    if (std::ranges::find(registered, check) == registered.end()) {
      return fmt::format("its check {} is not the one that is wanted", check.id);
    }
  }
  for (const CheckDefinition& check : registered) {
    const bool stays = std::ranges::find(checks, check.id, &CheckDefinition::id) != checks.end();
    const bool is_there = std::ranges::find(there.checks, check.id, &HealthCheck::id) != there.checks.end();
    if (is_there && !stays) return fmt::format("its check {} is not wanted any more", check.id);
  }
  return "";
}

class NodePlanner {
 public:
  NodePlanner(const std::vector<DesiredService>& services, const NodeView& view) : services_(services), view_(view) {}

  std::vector<NodeDecision> run() {
    std::vector<const DesiredService*> left;
    for (const DesiredService& service : services_) left.push_back(&service);
    std::ranges::stable_sort(left, [](const DesiredService* a, const DesiredService* b) {
      return std::tie(a->name, a->slice) < std::tie(b->name, b->slice);
    });
    while (!left.empty()) {
      auto next = std::ranges::find_if(left, [&](const DesiredService* one) { return !waits_for_any_of(*one, left); });
      if (next == left.end()) break;
      decide(**next);
      left.erase(next);
    }
    for (const DesiredService* service : left) {
      std::vector<std::string> others;
      for (const DesiredService* other : left) others.push_back(other->name);
      add(*service, NodeAction::kWait,
          fmt::format("services wait for each other in a circle: {}", fmt::join(others, ", ")));
    }
    not_wanted();
    return std::move(decisions_);
  }

 private:
  static bool waits_for_any_of(const DesiredService& service, const std::vector<const DesiredService*>& left) {
    return std::ranges::any_of(service.release.depends_on, [&](const std::string& name) {
      return std::ranges::any_of(left, [&](const DesiredService* other) { return other->name == name; });
    });
  }

  NodeDecision& add(const DesiredService& service, NodeAction action, std::string why) {
    NodeDecision& decision = decisions_.emplace_back();
    decision.service_id = service_id(service);
    decision.action = action;
    decision.why = std::move(why);
    decision.service = static_cast<std::size_t>(&service - services_.data());
    return decision;
  }

  const Installed* installed(const std::string& id) const {
    auto found = view_.installed.find(id);
    return found == view_.installed.end() ? nullptr : &found->second;
  }
  const InstanceState* local(const std::string& id) const {
    auto found = view_.local.find(id);
    return found == view_.local.end() ? nullptr : &found->second;
  }
  const std::string* failure(const std::string& id, const std::string& deployment) const {
    auto service = view_.failed.find(id);
    if (service == view_.failed.end()) return nullptr;
    auto found = service->second.find(deployment);
    return found == service->second.end() ? nullptr : &found->second;
  }

  void decide(const DesiredService& service) {
    const std::string id = service_id(service);
    const Installed* there = installed(id);
    if (service.action == DesiredAction::kIgnore) {
      add(service, NodeAction::kIgnore, "asked to be left as it is");
      return;
    }
    if (service.action == DesiredAction::kUninstall) {
      add(service, there ? NodeAction::kUninstall : NodeAction::kNothing,
          there ? "asked to be gone" : "gone, as asked");
      return;
    }
    NodeTarget target = target_on(service, view_.node, there ? std::string_view(there->deployment) : "");
    if (!target.release) {
      add(service, NodeAction::kWait, target.why);
      return;
    }
    if (there && there->deployment == target.deployment) {
      keep(service, *there, std::move(target));
    } else {
      install(service, there, std::move(target));
    }
  }

  // The right deployment is installed: does all of it stand?
  void keep(const DesiredService& service, const Installed& there, NodeTarget target) {
    const std::string id = service_id(service);
    auto decide = [&](NodeAction action, std::string why) { add(service, action, std::move(why)).target = target; };
    if (view_.damaged.contains(id)) {
      if (const std::string* why = failure(id, target.deployment)) {
        decide(NodeAction::kWait, fmt::format("its files are not as installed, and a repair failed: {}", *why));
      } else {
        decide(NodeAction::kRepair, "its files are not as installed");
      }
      return;
    }
    const ServiceInstance wanted = wanted_instance(service, *target.release, target.deployment, view_.owner);
    const InstanceState* registered = local(id);
    if (!registered) {
      decide(NodeAction::kReregister, "it is not registered");
      return;
    }
    const std::string differs = difference(*registered, wanted, wanted_checks(id, *target.release, there.spec),
                                           wanted_checks(id, there.release, there.spec));
    decide(differs.empty() ? NodeAction::kNothing : NodeAction::kReregister, differs.empty() ? target.why : differs);
  }

  void install(const DesiredService& service, const Installed* there, NodeTarget target) {
    const std::string id = service_id(service);
    auto wait = [&](std::string why) { add(service, NodeAction::kWait, std::move(why)).target = target; };
    const std::string& version = target.release->version;
    if (const std::string* why = failure(id, target.deployment)) {
      wait(fmt::format("{} failed here: {}", version, *why));
      return;
    }
    if (const InstanceState* registered = local(id); registered && !there) {
      auto mark = registered->instance.meta.find(std::string(kMarkKey));
      if (mark == registered->instance.meta.end() || mark->second != view_.owner) {
        wait(fmt::format("a service {} is registered here that is not ours", id));
        return;
      }
    }
    for (const std::string& name : target.release->depends_on) {
      const std::string reason = not_ready(name);
      if (!reason.empty()) {
        wait(fmt::format("it needs {}, which {}", name, reason));
        return;
      }
    }
    NodeAction action = NodeAction::kInstall;
    std::string why = fmt::format("{} is not here ({})", version, target.why);
    if (there) {
      action = there->release.version == version ? NodeAction::kRedeploy : NodeAction::kUpgrade;
      why = fmt::format("{} runs, {} is due ({})", there->release.version, version, target.why);
      if (action == NodeAction::kRedeploy) why = fmt::format("{} is to be deployed again ({})", version, target.why);
    }
    add(service, action, std::move(why)).target = std::move(target);
  }

  // Empty when an instance of the service passes on this node.
  std::string not_ready(const std::string& name) const {
    std::string reason = "is not here";
    for (const auto& [id, state] : view_.local) {
      if (state.instance.service != name) continue;
      const CheckStatus status = worst_status(state.checks, {});
      if (status == CheckStatus::kPassing) return "";
      reason = fmt::format("is {}", to_string(status));
    }
    return reason;
  }

  void not_wanted() {
    for (const auto& [id, there] : view_.installed) {
      if (std::ranges::find(decisions_, id, &NodeDecision::service_id) != decisions_.end()) continue;
      NodeDecision& decision = decisions_.emplace_back();
      decision.service_id = id;
      const bool go = there.on_removal == OnRemoval::kUninstall;
      decision.action = go ? NodeAction::kUninstall : NodeAction::kNothing;
      decision.why = go ? "not wanted any more" : "not wanted any more; its strategy keeps it";
    }
  }

  const std::vector<DesiredService>& services_;
  const NodeView& view_;
  std::vector<NodeDecision> decisions_;
};

}  // namespace

ServiceInstance wanted_instance(const DesiredService& service, const Release& release, const std::string& deployment,
                                const std::string& owner) {
  ServiceInstance instance;
  instance.id = service_id(service);
  instance.service = service_name(service);
  instance.tags = release.tags;
  instance.port = release.port;
  instance.meta = release.meta;
  instance.meta[std::string(kMarkKey)] = owner;
  instance.meta[std::string(kMetaVersion)] = release.version;
  if (!deployment.empty()) instance.meta[std::string(kMetaDeployment)] = deployment;
  instance.meta[std::string(kMetaRole)] = service.placement.role;
  if (service.slice != Slice::kNone) instance.meta[std::string(kMetaSlice)] = std::string(to_string(service.slice));
  return instance;
}

std::vector<CheckDefinition> wanted_checks(const std::string& service_id, const Release& release, const AppSpec& spec) {
  std::vector<CheckDefinition> checks;
  for (const std::vector<CheckDefinition>* list : {&release.checks, &spec.checks}) {
    for (const CheckDefinition& check : *list) {
      CheckDefinition& wanted = checks.emplace_back(with_port(check, release.port));
      wanted.id = check_id(service_id, check);
    }
  }
  return checks;
}

absl::StatusOr<std::vector<DesiredService>> services_on(const std::vector<DesiredService>& services, const Node& node) {
  std::vector<DesiredService> here;
  for (const DesiredService& service : services) {
    CVG_ASSIGN_OR_RETURN(const plan::NodeSelector selector, plan::NodeSelector::make(service));
    if (selector.selects(node)) here.push_back(service);
  }
  return here;
}

std::vector<NodeDecision> plan_node(const std::vector<DesiredService>& services, const NodeView& view) {
  return NodePlanner(services, view).run();
}

}  // namespace convergence
