#include <fmt/format.h>

#include <algorithm>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "convergence/deployment.h"
#include "convergence/error.h"
#include "convergence/filter.h"
#include "convergence/slices.h"
#include "lib/base/status_macros.h"
#include "lib/base/utf8.h"
#include "lib/plan/placement.h"
#include "lib/plan/services.h"
#include "lib/plan/slices.h"
#include "lib/plan/steps.h"
#include "lib/plan/traffic.h"

namespace convergence {
namespace {

constexpr std::size_t kMetaValue = 512;  // bytes that Consul takes
constexpr std::size_t kTold = 5;         // problems in one sentence

std::string cut(std::string text) {
  if (text.size() <= kMetaValue) return text;
  text.resize(kMetaValue);
  while (!text.empty() && invalid_utf8(text)) text.pop_back();
  return text;
}

// Of a switch that is refused before anything is looked at.
absl::Status usage_of(const SwitchRequest& request) {
  if (request.to == Slice::kNone && !request.back) {
    return make_error(ErrorKind::kUsage, fmt::format("{}: switch to what? say blue, green or back", request.service));
  }
  if (request.force && request.asked.reason.empty()) {
    return make_error(ErrorKind::kUsage, fmt::format("{}: a switch by force needs a reason", request.service));
  }
  return absl::OkStatus();
}

ConfigEntry entry_with(const SwitchPlan& plan, const SwitchRequest& request, const EntryMap& entries) {
  ConfigEntry entry;
  entry.kind = kServiceResolver;
  entry.name = plan.live.service;
  entry.body = ServiceResolver();
  if (const ConfigEntry* there = plan::resolver_of(plan.live.service, entries)) entry = *there;
  if (plan.live.slice == plan.to) return entry;
  auto& resolver = std::get<ServiceResolver>(entry.body);
  for (const Slice slice : plan::kBothSlices) {
    const std::string name(to_string(slice));
    ResolverSubset subset;
    subset.filter = fmt::format("Service.Meta.{} == {}", kMetaSlice, name);
    resolver.subsets.try_emplace(name, std::move(subset));
  }
  resolver.default_subset = to_string(plan.to);
  entry.meta[std::string(kMetaLiveSlice)] = to_string(plan.to);
  entry.meta[std::string(kMetaSwitchedBy)] = cut(describe(request.asked));
  entry.meta[std::string(kMetaSwitchedAt)] = std::to_string(request.asked.at.time_since_epoch().count());
  if (request.back || plan.live.slice == Slice::kNone) {
    entry.meta.erase(std::string(kMetaSliceBefore));
  } else {
    entry.meta[std::string(kMetaSliceBefore)] = to_string(plan.live.slice);
  }
  return entry;
}

// Looks at the instances of the side that is to have the traffic.
class Side {
 public:
  Side(const CatalogState& catalog, const ConfigEntry& entry, SwitchPlan& plan)
      : catalog_(catalog), plan_(plan), name_(entry.name) {
    const auto& subsets = std::get<ServiceResolver>(entry.body).subsets;
    const auto subset = subsets.find(std::string(to_string(plan.to)));
    if (subset == subsets.end()) return;
    absl::StatusOr<Filter> filter = Filter::parse(subset->second.filter);
    if (filter.ok()) filter_ = *std::move(filter);
    readable_ = filter.ok();
  }

  absl::Status look(const std::vector<const DesiredService*>& documents) {
    std::int64_t least = 0;
    std::set<std::string> versions;
    for (const DesiredService* document : documents) {
      CVG_RETURN_IF_ERROR(look(*document));
      versions.insert(document->release.version);
      least += document->strategy.min_healthy;
    }
    plan_.version = fmt::format("{}", fmt::join(versions, ", "));
    look_for_others();
    if (any_passes_ && static_cast<std::int64_t>(plan_.passing) < least) {
      problem(SwitchProblemKind::kTooFew, "", fmt::format("{} pass, min_healthy asks for {}", plan_.passing, least));
    }
    return absl::OkStatus();
  }

  // Whatever it runs.
  bool any_passes() const { return any_passes_; }

 private:
  void problem(SwitchProblemKind kind, std::string node, std::string why) {
    plan_.problems.push_back({kind, std::move(node), std::move(why)});
  }

  bool selects(const InstanceState& state, const NodeState& node) const {
    const absl::StatusOr<bool> selected = filter_.matches(state, node);
    return readable_ && selected.ok() && *selected;
  }

  absl::Status look(const DesiredService& document) {
    if (document.action == DesiredAction::kUninstall) {
      problem(SwitchProblemKind::kNotWanted, "", fmt::format("{} is asked to be gone", service_id(document)));
    }
    if (knows_release(document) && document.generation != 0 && document.progress.phase == FleetPhase::kReverted) {
      problem(SwitchProblemKind::kTakenBack, "",
              fmt::format("{} was taken back ({})", document.release.version, document.progress.why));
    }
    CVG_ASSIGN_OR_RETURN(const plan::NodeSelector selector, plan::NodeSelector::make(document));
    for (const auto& [name, node] : catalog_.nodes) {
      if (selector.selects(node->node)) look(document, *node);
    }
    return absl::OkStatus();
  }

  void look(const DesiredService& document, const NodeState& node) {
    const std::string& name = node.node.name;
    const InstanceId id{name, service_id(document)};
    wanted_.insert(id);
    std::vector<HealthCheck> checks = node.checks;
    const bool in_standby = std::erase_if(checks, [](const HealthCheck& check) {
                              return check.id == kStandbyCheck && check.status == CheckStatus::kCritical;
                            }) > 0;
    if (!in_standby) ++plan_.wanted;
    const InstanceState* state = find_instance(catalog_, name_, id);
    if (state == nullptr) {
      problem(SwitchProblemKind::kMissing, name, fmt::format("{} is not there", id.service_id));
      return;
    }
    const CheckStatus status = worst_status(state->checks, checks);
    if (status != CheckStatus::kPassing) {
      const bool lost = worst_status({}, checks) != CheckStatus::kPassing;
      problem(SwitchProblemKind::kNotPassing, name,
              fmt::format("{} is {}", lost ? "the node" : id.service_id, to_string(status)));
    }
    const std::string runs = other_release(document, state->instance);
    if (!runs.empty()) {
      problem(SwitchProblemKind::kVersion, name, fmt::format("{} runs, {} is wanted", runs, deployment_key(document)));
    }
    if (!selects(*state, node)) {
      problem(SwitchProblemKind::kNotSelected, name,
              fmt::format("subset {} of service-resolver/{} does not select {}", to_string(plan_.to), name_,
                          id.service_id));
      return;
    }
    if (status != CheckStatus::kPassing || in_standby) return;
    any_passes_ = true;
    if (runs.empty()) ++plan_.passing;
  }

  // What the instance runs in place of what is wanted; empty: that. Instances of no agent carry no deployment.
  static std::string other_release(const DesiredService& document, const ServiceInstance& instance) {
    const auto deployment = instance.meta.find(std::string(kMetaDeployment));
    if (deployment != instance.meta.end()) {
      return deployment->second == deployment_key(document) ? "" : deployment->second;
    }
    const std::string version = plan::version_in(instance);
    if (version == document.release.version) return "";
    return version.empty() ? "something without a version" : version;
  }

  // Instances that would have traffic and are wanted by nobody.
  void look_for_others() {
    const auto service = catalog_.services.find(name_);
    if (service == catalog_.services.end()) return;
    for (const InstanceState& state : service->second->instances) {
      const InstanceId id{state.instance.node, state.instance.id};
      const auto node = catalog_.nodes.find(id.node);
      if (wanted_.contains(id) || node == catalog_.nodes.end() || !selects(state, *node->second)) continue;
      if (worst_status(state.checks, node->second->checks) != CheckStatus::kPassing) continue;
      any_passes_ = true;
      problem(SwitchProblemKind::kUnexpected, id.node,
              fmt::format("{} would have traffic too, and no document of {} wants it there", id.service_id,
                          to_string(plan_.to)));
    }
  }

  const CatalogState& catalog_;
  SwitchPlan& plan_;
  std::string name_;
  Filter filter_{};
  bool readable_ = false;
  bool any_passes_ = false;
  std::set<InstanceId> wanted_;
};

// Why the traffic of the service would not be where the default subset leads; empty when it would.
std::string entries_in_the_way(const SwitchPlan& plan, const ConfigEntry& entry, const CatalogState& catalog,
                               ClusterIdentity cluster) {
  EntryMap after = catalog.entries;
  after[entry_key(entry)] = entry;
  ChainRequest request;
  request.service = plan.live.service;
  request.cluster = std::move(cluster);
  const absl::StatusOr<DiscoveryChain> chain = compile_chain(after, request);
  if (!chain.ok()) return std::string(chain.status().message());
  bool leads_there = false;
  for (const ChainTarget* target : plan::active_targets(*chain)) {
    if (entry_key(kServiceResolver, target->service) != entry_key(entry)) continue;
    if (target->service_subset != to_string(plan.to)) {
      return fmt::format("a router or splitter leads traffic to {}, whatever the default subset is", target->id);
    }
    leads_there = true;
  }
  return leads_there ? "" : fmt::format("the chain of {} does not come to its instances", plan.live.service);
}

// The write, put into the plan; or why there is none.
absl::Status add_write(const ConfigEntry& entry, const CatalogState& catalog, const PlanOptions& options,
                       SwitchPlan& plan) {
  const auto in_the_way = [&](std::string why) {
    plan.problems.push_back({SwitchProblemKind::kEntries, "", std::move(why)});
  };
  if (!plan.live.in_the_way.empty()) {
    in_the_way(plan.live.in_the_way);
    return absl::OkStatus();
  }
  PlanOptions by_hand = options;
  by_hand.take_foreign = true;  // an operator's word
  by_hand.prune = false;
  if (!catalog.datacenter.empty()) by_hand.cluster.datacenter = catalog.datacenter;
  std::string why = entries_in_the_way(plan, entry, catalog, by_hand.cluster);
  if (!why.empty()) in_the_way(std::move(why));
  if (plan.live.slice == plan.to) return absl::OkStatus();
  if (entry.meta.contains(std::string(plan::kExternalSource)) && !options.take_foreign) {
    in_the_way(fmt::format("{} {}, which would write it back; change it there, or take it over",
                           plan::label(entry_id(entry)), plan::owner_text(entry.meta)));
  }
  CVG_ASSIGN_OR_RETURN(plan.plan, plan_config({entry}, catalog.entries, by_hand));
  plan.plan.catalog_index = catalog.index;
  std::erase_if(plan.plan.held, [](const Held& held) { return held.reason == Reason::kNotPruned; });
  for (const Held& held : plan.plan.held) in_the_way(held.why);
  if (plan.plan.held.empty() && plan.plan.steps.size() != 1) in_the_way("it cannot be moved by one write");
  for (Step& step : plan.plan.steps) {
    if (auto* body = std::get_if<ConfigEntry>(&step.body)) body->meta = entry.meta;  // not ours for being moved once
  }
  return absl::OkStatus();
}

// The documents of the slice, and what is wrong with them as a whole.
std::vector<const DesiredService*> documents_of(const SwitchRequest& request,
                                                const std::vector<DesiredService>& services, SwitchPlan& plan) {
  std::vector<const DesiredService*> documents;
  std::set<std::string> names;
  for (const DesiredService& service : services) {
    const bool named = service.name == request.service || service_name(service) == request.service;
    if (!named || service.slice == Slice::kNone) continue;
    names.insert(service_name(service));
    if (service.slice == plan.to) documents.push_back(&service);
  }
  if (!names.empty()) plan.live.service = *names.begin();
  if (names.size() > 1) {
    plan.problems.push_back(
        {SwitchProblemKind::kNames, "",
         fmt::format("its slices are several services of the catalog: {}", fmt::join(names, ", "))});
  }
  return documents;
}

// By force everything that instances are like is set aside; for the way back, all but that nobody passes.
void set_aside(const SwitchRequest& request, SwitchPlan& plan) {
  const bool is_live = plan.live.slice == plan.to;
  std::vector<SwitchProblem> refusing;
  for (SwitchProblem& problem : plan.problems) {
    const bool structural = problem.kind == SwitchProblemKind::kEntries || problem.kind == SwitchProblemKind::kNames;
    const bool counts = structural || (problem.kind == SwitchProblemKind::kNobody && request.back);
    const bool aside = is_live || request.force ? !structural : request.back && !counts;
    (aside ? plan.set_aside : refusing).push_back(std::move(problem));
  }
  plan.problems = std::move(refusing);
}

}  // namespace

absl::StatusOr<SwitchPlan> plan_switch(const SwitchRequest& request, const std::vector<DesiredService>& services,
                                       const CatalogState& catalog, const PlanOptions& options) {
  CVG_RETURN_IF_ERROR(usage_of(request));
  SwitchPlan plan;
  plan.live.service = request.service;
  plan.to = request.to;
  plan.plan.catalog_index = catalog.index;
  (void)documents_of(request, services, plan);  // for the name in the catalog
  plan.problems.clear();
  plan.live = live_slice(plan.live.service, catalog.entries);
  if (request.back) plan.to = plan.live.before;
  if (plan.to == Slice::kNone) {
    plan.problems = {{SwitchProblemKind::kNoWayBack, "", "no switch is there to take back; say blue or green"}};
    return plan;
  }
  const std::vector<const DesiredService*> documents = documents_of(request, services, plan);
  if (!plan.problems.empty()) return plan;  // of several services of the catalog none is the one
  if (documents.empty()) {
    plan.problems.push_back(
        {SwitchProblemKind::kNotWanted, "", fmt::format("no document wants {} of it", to_string(plan.to))});
  }
  const ConfigEntry entry = entry_with(plan, request, catalog.entries);
  Side side(catalog, entry, plan);
  CVG_RETURN_IF_ERROR(side.look(documents));
  if (!side.any_passes()) {
    plan.problems.push_back(
        {SwitchProblemKind::kNobody, "", fmt::format("nobody would serve it: 0 of {} instances pass", plan.wanted)});
  }
  CVG_RETURN_IF_ERROR(add_write(entry, catalog, options, plan));
  set_aside(request, plan);
  if (!plan.problems.empty()) plan.plan.steps.clear();
  for (Step& step : plan.plan.steps) {
    step.why = fmt::format("{}, asked for by {}", describe(plan), describe(request.asked));
  }
  return plan;
}

absl::Status refusal_of(const SwitchPlan& plan) {
  if (plan.problems.empty()) return absl::OkStatus();
  std::string text = fmt::format("{}: not switched", describe(plan));
  Json::Array problems;
  std::string_view separator = ": ";
  for (const SwitchProblem& problem : plan.problems) {
    problems.push_back(Json().set("kind", to_string(problem.kind)).set("node", problem.node).set("why", problem.why));
    if (problems.size() > kTold) continue;
    text += std::exchange(separator, "; ");
    if (!problem.node.empty()) text += problem.node + ": ";
    text += problem.why;
  }
  if (problems.size() > kTold) text += fmt::format("; and {} more", problems.size() - kTold);
  return make_error(ErrorKind::kRefused, text, Json().set("problems", Json(std::move(problems))));
}

std::string describe(const SwitchPlan& plan) {
  if (plan.to == Slice::kNone) return plan.live.service;
  std::string text = fmt::format("{}: {} is live", plan.live.service, to_string(plan.to));
  if (plan.live.slice != plan.to) {
    const std::string_view from = !plan.live.in_the_way.empty()     ? "elsewhere"
                                  : plan.live.slice == Slice::kNone ? "both"
                                                                    : to_string(plan.live.slice);
    text = fmt::format("{}: {} -> {}", plan.live.service, from, to_string(plan.to));
  }
  return fmt::format("{}, {} of {} instances pass with {}", text, plan.passing, plan.wanted,
                     plan.version.empty() ? "nothing" : plan.version);
}

}  // namespace convergence
