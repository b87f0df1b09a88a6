#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <optional>
#include <set>
#include <utility>

#include "convergence/error.h"
#include "convergence/plan.h"
#include "lib/base/ascii.h"
#include "lib/base/status_macros.h"
#include "lib/plan/apply.h"
#include "lib/plan/entries.h"
#include "lib/plan/guard.h"
#include "lib/plan/services.h"
#include "lib/plan/steps.h"
#include "lib/plan/traffic.h"

namespace convergence {
namespace {

// Makes a plan on a copy of the catalog, to which each step is applied as it is found. A round changes instances and
// then entries; what must wait for entries to cease sending traffic somewhere is found by the next round. The last
// round finds nothing more to do.
class Planner {
 public:
  Planner(const DesiredState& desired, const CatalogState& catalog, PlanOptions options)
      : desired_(desired), catalog_(catalog), without_gains_(catalog), options_(std::move(options)) {
    plan_.catalog_index = catalog.index;
    if (!catalog_.datacenter.empty()) options_.cluster.datacenter = catalog_.datacenter;
  }

  absl::StatusOr<Plan> run(bool with_services) {
    // Each round but the last writes something for good; a thing is wanted in one way only.
    const std::size_t most = 2 + desired_.entries.size() + desired_.services.size() + catalog_.entries.size();
    for (std::size_t round = 0; round < most + catalog_.services.size(); ++round) {
      const std::size_t before = plan_.steps.size();
      plan_.held.clear();
      if (with_services) CVG_RETURN_IF_ERROR(change_services());
      CVG_RETURN_IF_ERROR(change_entries(with_services));
      // Entries alone that have all come to what is wanted have nothing to wait for.
      if (plan_.steps.size() == before || (!with_services && plan_.held.empty())) {
        std::ranges::sort(plan_.held, {}, &Held::id);
        return std::move(plan_);
      }
    }
    return make_error(ErrorKind::kInvariant, "converge: the plan comes to no end; please report this");
  }

 private:
  absl::Status change_services() {
    CVG_ASSIGN_OR_RETURN(const plan::ServiceDiff diff, plan::diff_services(desired_, catalog_, options_));
    const plan::InstanceGuard guard(catalog_, options_.cluster);
    plan_.held.insert(plan_.held.end(), diff.held.begin(), diff.held.end());
    for (Step step : diff.steps) {
      const Blocks blocks = blocks_of(step);
      const std::string service = plan::service_before(step);
      const std::set<std::string> served = guard.served(catalog_, service);
      know_earlier(step);
      CVG_RETURN_IF_ERROR(plan::apply(catalog_, step, options_.cluster, plan::GraphCheck::kSkip));
      const std::string emptied = first_missing(served, guard.served(catalog_, service));
      if (!emptied.empty()) {
        put_back(blocks);
        plan_.held.push_back({step.id, Reason::kNoInstance,
                              fmt::format("{}; it waits: {} gets traffic and would be left without a passing instance",
                                          step.why, emptied)});
        continue;
      }
      add_service_needs(step, guard, served);
      add(std::move(step));
    }
    return absl::OkStatus();
  }

  // What a service step changes of the catalog.
  struct Blocks {
    std::uint64_t index = 0;
    std::map<std::string, std::optional<Shared<ServiceState>>> services{};
  };

  Blocks blocks_of(const Step& step) const {
    Blocks blocks;
    blocks.index = catalog_.index;
    for (const std::string& service : {plan::service_before(step), step.service}) {
      auto found = catalog_.services.find(service);
      blocks.services[service] =
          found == catalog_.services.end() ? std::nullopt : std::optional<Shared<ServiceState>>(found->second);
    }
    return blocks;
  }

  void put_back(const Blocks& blocks) {
    catalog_.index = blocks.index;
    for (const auto& [service, block] : blocks.services) {
      if (block) {
        catalog_.services[service] = *block;
      } else {
        catalog_.services.erase(service);
      }
    }
  }

  static std::string first_missing(const std::set<std::string>& before, const std::set<std::string>& after) {
    for (const std::string& target : before) {
      if (!after.contains(target)) return target;
    }
    return "";
  }

  // One service at a time on a node. What takes an instance away comes after the entries that ceased to send traffic
  // there, and after the instances that make it dispensable where those that were there alone do not.
  void add_service_needs(Step& step, const plan::InstanceGuard& guard, const std::set<std::string>& served) {
    const std::string service = plan::service_before(step);
    if (auto on_node = last_on_node_.find(step.instance.node); on_node != last_on_node_.end()) {
      need(step, on_node->second);
    }
    if (step.action != Action::kRegisterService) {
      for (const std::string& id : entry_steps_[ascii_lower(service)]) need(step, id);
      forget_instance(service, step.instance);
      if (!first_missing(served, guard.served(without_gains_, service)).empty()) {
        for (const std::string& id : gains_[ascii_lower(service)]) need(step, id);
      }
    }
    last_on_node_[step.instance.node] = step.id;
    for (const std::string& touched : std::set<std::string>{ascii_lower(service), ascii_lower(step.service)}) {
      service_steps_[touched].push_back(step.id);
    }
    if (step.action != Action::kRemoveService) gains_[ascii_lower(step.service)].push_back(step.id);
  }

  void forget_instance(const std::string& service, const InstanceId& id) {
    auto found = without_gains_.services.find(service);
    if (found == without_gains_.services.end()) return;
    ServiceState less = *found->second;
    std::erase_if(less.instances, [&](const InstanceState& state) {
      return state.instance.node == id.node && state.instance.id == id.service_id;
    });
    found->second = std::move(less);
  }

  absl::Status change_entries(bool with_services) {
    const plan::Traffic traffic(catalog_, desired_);
    CVG_ASSIGN_OR_RETURN(plan::EntryPlan found, plan::plan_entries(desired_.entries, catalog_.entries, options_,
                                                                   with_services ? &traffic : nullptr));
    plan_.held.insert(plan_.held.end(), found.held.begin(), found.held.end());
    std::size_t steps = plan_.steps.size();
    for (const plan::EntrySteps& group : found.groups) steps += group.steps.size();
    plan_.steps.reserve(steps);
    for (plan::EntrySteps& group : found.groups) {
      make_ids_unique(group);
      add_entry_needs(group);
      for (Step& step : group.steps) {
        know_earlier(step);
        CVG_RETURN_IF_ERROR(plan::apply(catalog_, step, options_.cluster, plan::GraphCheck::kSkip));
        add(std::move(step));
      }
    }
    return absl::OkStatus();
  }

  // Entries come after what happens to the instances that they send traffic to (whether they may be written was decided
  // on what is there then), and after earlier writes of entries of these services.
  void add_entry_needs(plan::EntrySteps& group) {
    Step& first = group.steps.front();
    for (const std::string& service : group.services) {
      for (const std::string& id : service_steps_[service]) need(first, id);
      for (const std::string& id : entry_steps_[service]) need(first, id);
    }
    for (const std::string& service : group.services) entry_steps_[service] = {group.steps.back().id};
  }

  // A later round may write again what an earlier one wrote in between.
  void make_ids_unique(plan::EntrySteps& group) {
    for (std::size_t i = 0; i < group.steps.size(); ++i) {
      Step& step = group.steps[i];
      const std::string plain = step.id;
      for (int number = 2; !ids_.insert(step.id).second; ++number) step.id = fmt::format("{}:{}", plain, number);
      if (step.id == plain) continue;
      for (std::size_t later = i + 1; later < group.steps.size(); ++later) {
        std::ranges::replace(group.steps[later].needs, plain, step.id);
      }
    }
  }

  static void need(Step& step, const std::string& id) {
    if (std::ranges::find(step.needs, id) == step.needs.end()) step.needs.push_back(id);
  }

  static std::string thing_of(const Step& step) {
    return plan::is_entry_action(step.action) ? plan::label(step.entry) : plan::label(step.instance);
  }

  // A thing that this plan has written already has an index that nobody knows yet.
  void know_earlier(Step& step) const {
    auto earlier = last_on_thing_.find(thing_of(step));
    if (earlier == last_on_thing_.end()) return;
    if (!std::holds_alternative<std::monostate>(step.before)) step.cas_from = earlier->second;
    step.cas_index = 0;
  }

  void add(Step step) {
    last_on_thing_[thing_of(step)] = step.id;
    plan_.steps.push_back(std::move(step));
  }

  const DesiredState& desired_;
  CatalogState catalog_;        // after the steps so far
  CatalogState without_gains_;  // as read, without the instances that steps change or remove
  PlanOptions options_;
  Plan plan_;
  std::set<std::string> ids_;                                      // of entry steps
  std::map<std::string, std::string> last_on_thing_;               // thing -> step
  std::map<std::string, std::string> last_on_node_;                // node -> step
  std::map<std::string, std::vector<std::string>> service_steps_;  // service in lower case -> its steps
  std::map<std::string, std::vector<std::string>> gains_;          // of these, those that gave it an instance
  std::map<std::string, std::vector<std::string>> entry_steps_;    // service -> last steps of entries that name it
};

}  // namespace

absl::StatusOr<Plan> converge(const DesiredState& desired, const CatalogState& catalog, const PlanOptions& options) {
  CVG_ASSIGN_OR_RETURN(const DesiredState normal, normalise(desired));
  CVG_RETURN_IF_ERROR(validate(normal));
  return Planner(normal, catalog, options).run(true);
}

absl::StatusOr<Plan> plan_config(const std::vector<ConfigEntry>& desired, const EntryMap& actual,
                                 const PlanOptions& options) {
  DesiredState wanted;
  wanted.entries = desired;
  CVG_ASSIGN_OR_RETURN(const DesiredState normal, normalise(std::move(wanted)));
  CatalogState catalog;
  catalog.datacenter = options.cluster.datacenter;
  catalog.entries = actual;
  for (const auto& [key, entry] : actual) catalog.index = std::max(catalog.index, entry->modify_index);
  return Planner(normal, catalog, options).run(false);
}

}  // namespace convergence
