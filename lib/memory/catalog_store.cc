#include <utility>

#include "fmt/format.h"
#include "lib/memory/go_json.h"
#include "lib/memory/store.h"

namespace convergence::memory {
namespace {

template <typename Row>
bool same_but_indexes(const Row& a, Row b) {
  b.create_index = a.create_index;
  b.modify_index = a.modify_index;
  return a == b;
}

template <typename Map>
auto find_row(const Map& map, const typename Map::key_type& key) -> const typename Map::mapped_type* {
  const auto found = map.find(key);
  return found == map.end() ? nullptr : &found->second;
}

// The instances of one node stand together in the table.
std::vector<Instance> instances_of_node(const State& state, const std::string& node) {
  std::vector<Instance> out;
  for (auto it = state.services.lower_bound({node, ""}); it != state.services.end() && it->first.first == node; ++it) {
    out.push_back(it->first);
  }
  return out;
}

// A change of the node, or of one of its own checks, shows in the rows of all its services.
void touch_services_of_node(Store& store, const std::string& node) {
  for (const Instance& instance : instances_of_node(store.state(), node)) {
    store.touch(service_table(store.state().services.at(instance).service));
  }
}

std::string taken_name(const State& state, const MemoryNode& node, const MemoryNode& by_name) {
  if (by_name.id == node.id) return "";
  const MemoryCheck* serf = find_check(state, by_name.name, "serfHealth");
  if (serf == nullptr || serf->status == "critical" || by_name.id.empty()) return "";
  return fmt::format("Node name {} is reserved by node {} with name {} ({})", node.name, by_name.id, by_name.name,
                     by_name.address);
}

}  // namespace

bool same(const MemoryNode& a, const MemoryNode& b) { return same_but_indexes(a, b); }
bool same(const MemoryService& a, const MemoryService& b) { return same_but_indexes(a, b); }
bool same(const MemoryCheck& a, const MemoryCheck& b) { return same_but_indexes(a, b); }

const MemoryNode* find_node(const State& state, std::string_view name) { return find_row(state.nodes, lower(name)); }

const MemoryNode* find_node_by_id(const State& state, std::string_view id) {
  for (const auto& [name, node] : state.nodes) {
    if (!id.empty() && lower(node.id) == lower(id)) return &node;
  }
  return nullptr;
}

const MemoryService* find_service(const State& state, std::string_view node, std::string_view id) {
  return find_row(state.services, {lower(node), lower(id)});
}

const MemoryCheck* find_check(const State& state, std::string_view node, std::string_view id) {
  return find_row(state.checks, {lower(node), lower(id)});
}

std::string ensure_node(Store& store, MemoryNode node) {
  const std::string key = lower(node.name);
  const MemoryNode* existing = find_node(store.state(), key);
  if (!node.id.empty()) {
    if (existing != nullptr) {
      if (std::string taken = taken_name(store.state(), node, *existing); !taken.empty()) {
        return fmt::format("Error while renaming Node ID: \"{}\": {}", node.id, taken);
      }
    }
    const MemoryNode* by_id = find_node_by_id(store.state(), node.id);
    if (by_id != nullptr && lower(by_id->name) != key) {  // the node has a new name
      const MemoryNode old = *by_id;
      delete_node(store, lower(old.name));
      node.create_index = old.create_index;
      existing = find_node(store.state(), key);
    }
  }
  if (existing != nullptr) {
    if (same(*existing, node)) return "";
    node.create_index = existing->create_index;
  }
  if (node.create_index == 0) node.create_index = store.index();
  node.modify_index = store.index();
  store.put(&State::nodes, key, std::move(node));
  store.touch(kNodeTable);
  touch_services_of_node(store, key);
  return "";
}

std::string ensure_service(Store& store, MemoryService service) {
  if (find_node(store.state(), service.node) == nullptr) return "Missing node registration";
  if (service.id.empty() || service.service.empty()) return "failed inserting service: object missing primary index";
  if (service.weights.passing < 1 || service.weights.warning < 0) service.weights = {};
  const Instance key(lower(service.node), lower(service.id));
  const MemoryService* existing = find_row(store.state().services, key);
  if (existing != nullptr && same(*existing, service)) return "";
  const std::string name = lower(service.service);
  if (existing != nullptr && lower(existing->service) != name) {
    store.exclude(&State::instances, lower(existing->service), key);
  }
  service.create_index = existing != nullptr ? existing->create_index : store.index();
  service.modify_index = store.index();
  store.put(&State::services, key, std::move(service));
  store.include(&State::instances, name, key);
  store.touch(kServiceTable);
  store.touch(service_table(name));
  return "";
}

std::string ensure_check(Store& store, MemoryCheck check) {
  const std::string node = lower(check.node);
  if (find_node(store.state(), node) == nullptr) return "Missing node registration";
  if (check.id.empty()) return "failed inserting check: object missing primary index";
  if (check.status.empty()) check.status = "critical";
  if (!check.service_id.empty()) {
    const MemoryService* service = find_service(store.state(), node, check.service_id);
    if (service == nullptr) return "Missing service registration";
    check.service_name = service->service;
    check.service_tags = service->tags;
  }
  const std::pair<std::string, std::string> key(node, lower(check.id));
  const MemoryCheck* existing = find_row(store.state().checks, key);
  const bool modified = existing == nullptr || !same(*existing, check);
  // The table's index moves with every registration of a check, changed or not.
  store.touch(kCheckTable);
  if (modified) {
    if (existing != nullptr) {
      store.exclude(&State::checks_of, {node, lower(existing->service_id)}, key.second);
      store.exclude(&State::checks_in, existing->status, key);
    }
    check.create_index = existing != nullptr ? existing->create_index : store.index();
    check.modify_index = store.index();
    if (check.service_id.empty()) {
      touch_services_of_node(store, node);
    } else {
      store.touch(service_table(check.service_name));
    }
  }
  if (check.status == "critical") destroy_sessions_of_check(store, check);
  if (modified) {
    store.include(&State::checks_of, {node, lower(check.service_id)}, key.second);
    store.include(&State::checks_in, check.status, key);
    store.put(&State::checks, key, std::move(check));
  }
  return "";
}

void delete_check(Store& store, const std::string& node, const std::string& id) {
  const std::pair<std::string, std::string> key(lower(node), lower(id));
  const MemoryCheck* existing = find_row(store.state().checks, key);
  if (existing == nullptr) return;
  const MemoryCheck check = *existing;
  if (check.service_id.empty()) {
    touch_services_of_node(store, key.first);
    store.touch(kServiceTable);
  } else if (const MemoryService* service = find_service(store.state(), node, check.service_id)) {
    store.touch(service_table(service->service));
  }
  store.exclude(&State::checks_of, {key.first, lower(check.service_id)}, key.second);
  store.exclude(&State::checks_in, check.status, key);
  store.erase(&State::checks, key);
  store.touch(kCheckTable);
  destroy_sessions_of_check(store, check);
}

void delete_service(Store& store, const std::string& node, const std::string& id) {
  const Instance key(lower(node), lower(id));
  const MemoryService* existing = find_row(store.state().services, key);
  if (existing == nullptr) return;
  const std::string name = lower(existing->service);
  if (const std::set<std::string>* ids = find_row(store.state().checks_of, key)) {
    for (const std::string& check : std::set<std::string>(*ids)) delete_check(store, key.first, check);
  }
  store.erase(&State::services, key);
  store.exclude(&State::instances, name, key);
  store.touch(kServiceTable);
  store.touch(kCheckTable);  // whether it had checks or not
  store.touch(service_table(name));
  if (store.state().instances.count(name) == 0) {
    store.forget_table(service_table(name));
    store.touch(kExtinction);
  }
}

void delete_node(Store& store, const std::string& node) {
  const std::string key = lower(node);
  if (find_node(store.state(), key) == nullptr) return;
  for (const Instance& instance : instances_of_node(store.state(), key)) delete_service(store, key, instance.second);
  if (const std::set<std::string>* ids = find_row(store.state().checks_of, {key, ""})) {
    for (const std::string& check : std::set<std::string>(*ids)) delete_check(store, key, check);
  }
  store.erase(&State::nodes, key);
  store.touch(kNodeTable);
  destroy_sessions_of_node(store, key);
}

}  // namespace convergence::memory
