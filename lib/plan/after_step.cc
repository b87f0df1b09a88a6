#include <fmt/format.h>

#include <algorithm>
#include <optional>
#include <utility>
#include <variant>

#include "convergence/error.h"
#include "convergence/plan.h"
#include "lib/base/status_macros.h"
#include "lib/plan/apply.h"
#include "lib/plan/steps.h"

namespace convergence {
namespace {

absl::Status conflict(const Step& step, std::uint64_t there) {
  return make_error(ErrorKind::kConflict, fmt::format("step {}: decided on index {}, but {} is there; plan again",
                                                      step.id, step.cas_index, there));
}

// 0 stands for a thing that is not there. The index that an earlier step produced is not known to the plan.
absl::Status check_index(const Step& step, std::uint64_t there) {
  const bool right = step.cas_from.empty() ? step.cas_index == there : there != 0;
  return right ? absl::OkStatus() : conflict(step, there);
}

absl::Status malformed(const Step& step) {
  return make_error(ErrorKind::kUsage, fmt::format("step {}: has not the body of its action", step.id));
}

InstanceId id_of(const InstanceState& state) { return {state.instance.node, state.instance.id}; }

// Takes an instance out of one service; services without instances go, as in Consul.
std::optional<InstanceState> take_from(CatalogState& catalog, const std::string& name, const InstanceId& id) {
  auto shared = catalog.services.find(name);
  if (shared == catalog.services.end()) return std::nullopt;
  const std::vector<InstanceState>& instances = shared->second->instances;
  auto found = std::ranges::find(instances, id, id_of);
  if (found == instances.end()) return std::nullopt;
  InstanceState taken = *found;
  ServiceState service = *shared->second;
  service.instances.erase(service.instances.begin() + (found - instances.begin()));
  if (service.instances.empty()) {
    catalog.services.erase(shared);
  } else {
    shared->second = std::move(service);
  }
  return taken;
}

// An id is there once on a node, whatever its service; the one that the step thinks it has is looked at first.
std::optional<InstanceState> take_instance(CatalogState& catalog, const Step& step) {
  if (auto taken = take_from(catalog, plan::service_before(step), step.instance)) return taken;
  for (const auto& [name, service] : catalog.services) {
    if (std::ranges::find(service->instances, step.instance, id_of) == service->instances.end()) continue;
    return take_from(catalog, std::string(name), step.instance);
  }
  return std::nullopt;
}

void put_instance(CatalogState& catalog, InstanceState state) {
  const std::string name = state.instance.service;
  ServiceState service;
  if (auto found = catalog.services.find(name); found != catalog.services.end()) service = *found->second;
  service.name = name;
  auto at = std::ranges::lower_bound(service.instances, id_of(state), {}, id_of);
  service.instances.insert(at, std::move(state));
  catalog.services[name] = std::move(service);
}

// The registration's checks over those that are there. A check that is written as it is keeps its index.
std::vector<HealthCheck> merge_checks(std::vector<HealthCheck> there, const ServiceRegistration& registration,
                                      std::uint64_t index) {
  std::erase_if(there, [&](const HealthCheck& check) {
    return std::ranges::find(registration.remove_checks, check.id) != registration.remove_checks.end();
  });
  for (HealthCheck check : registration.checks) {
    auto found = std::ranges::find(there, check.id, &HealthCheck::id);
    const bool is_new = found == there.end();
    check.create_index = is_new ? index : found->create_index;
    check.modify_index = is_new ? index : found->modify_index;
    if (is_new) {
      there.push_back(std::move(check));
    } else if (!(check == *found)) {
      check.modify_index = index;
      *found = std::move(check);
    }
  }
  std::ranges::sort(there, {}, &HealthCheck::id);
  return there;
}

absl::Status put_service(CatalogState& catalog, const Step& step, std::uint64_t index) {
  const auto* registration = std::get_if<ServiceRegistration>(&step.body);
  if (!registration) return malformed(step);
  if (!catalog.nodes.contains(step.instance.node)) {
    return make_error(ErrorKind::kRefused, fmt::format("step {}: there is no node {}", step.id, step.instance.node));
  }
  std::optional<InstanceState> there = take_instance(catalog, step);
  CVG_RETURN_IF_ERROR(check_index(step, there ? there->instance.modify_index : 0));
  InstanceState next;
  next.instance = registration->instance;
  next.instance.create_index = there ? there->instance.create_index : index;
  next.instance.modify_index = index;
  next.checks = merge_checks(there ? std::move(there->checks) : std::vector<HealthCheck>(), *registration, index);
  put_instance(catalog, std::move(next));
  return absl::OkStatus();
}

absl::Status remove_service(CatalogState& catalog, const Step& step) {
  std::optional<InstanceState> there = take_instance(catalog, step);
  return check_index(step, there ? there->instance.modify_index : 0);
}

absl::Status put_entry(CatalogState& catalog, const Step& step, const ClusterIdentity& cluster, std::uint64_t index) {
  const auto* entry = std::get_if<ConfigEntry>(&step.body);
  if (!entry) return malformed(step);
  CVG_ASSIGN_OR_RETURN(ConfigEntry next, normalise_entry(*entry, cluster.dialect));
  const EntryId key = entry_key(next);
  auto there = catalog.entries.find(key);
  const bool is_new = there == catalog.entries.end();
  CVG_RETURN_IF_ERROR(check_index(step, is_new ? 0 : there->second->modify_index));
  next.create_index = is_new ? index : there->second->create_index;
  next.modify_index = index;
  catalog.entries[key] = std::move(next);
  return absl::OkStatus();
}

absl::Status delete_entry(CatalogState& catalog, const Step& step) {
  auto there = catalog.entries.find(step.entry);
  CVG_RETURN_IF_ERROR(check_index(step, there == catalog.entries.end() ? 0 : there->second->modify_index));
  if (there != catalog.entries.end()) catalog.entries.erase(there);
  return absl::OkStatus();
}

}  // namespace

namespace plan {

namespace {

absl::Status write(CatalogState& catalog, const Step& step, const ClusterIdentity& cluster) {
  const std::uint64_t index = ++catalog.index;
  switch (step.action) {
    case Action::kRegisterService:
    case Action::kChangeService:
      return put_service(catalog, step, index);
    case Action::kRemoveService:
      return remove_service(catalog, step);
    case Action::kPutEntry:
      return put_entry(catalog, step, cluster, index);
    case Action::kDeleteEntry:
      return delete_entry(catalog, step);
  }
  return malformed(step);
}

}  // namespace

absl::Status apply(CatalogState& catalog, const Step& step, const ClusterIdentity& cluster, GraphCheck check) {
  CVG_RETURN_IF_ERROR(write(catalog, step, cluster));
  if (!is_entry_action(step.action) || check == GraphCheck::kSkip) return absl::OkStatus();
  return check_entry_graph(catalog.entries, step.entry, cluster);
}

std::string service_before(const Step& step) {
  const auto* before = std::get_if<ServiceRegistration>(&step.before);
  return before ? before->instance.service : step.service;
}

}  // namespace plan

absl::StatusOr<CatalogState> after_step(CatalogState catalog, const Step& step) {
  ClusterIdentity cluster;
  if (!catalog.datacenter.empty()) cluster.datacenter = catalog.datacenter;
  CVG_RETURN_IF_ERROR(plan::apply(catalog, step, cluster, plan::GraphCheck::kMake));
  return catalog;
}

}  // namespace convergence
