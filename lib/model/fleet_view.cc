#include "convergence/fleet_view.h"

#include <algorithm>
#include <cstring>

namespace convergence {
namespace {

constexpr std::string_view kMetaVersion = "version";
constexpr std::string_view kMetaDeployment = "deployment";

std::uint64_t load(const char* from, std::size_t size) {
  std::uint64_t value = 0;
  std::memcpy(&value, from, size);
  return value;
}

std::uint64_t mix(std::uint64_t a, std::uint64_t b) {
  constexpr std::uint64_t kOdd = 0x9E3779B97F4A7C15;
  const std::uint64_t product = (a ^ kOdd) * (b ^ 0xD6E8FEB86659FD93);
  return product ^ (product >> 32) ^ a;
}

// Names are short and differ at their ends.
std::uint32_t hash_of(std::string_view text) {
  const char* const begin = text.data();
  const std::size_t size = text.size();
  std::uint64_t hash = size;
  if (size >= 8) {
    for (std::size_t at = 0; at + 8 < size; at += 8) hash = mix(load(begin + at, 8), hash);
    hash = mix(load(begin + size - 8, 8), hash);
  } else if (size >= 4) {
    hash = mix(load(begin, 4) << 32 | load(begin + size - 4, 4), hash);
  } else {
    const auto byte = [begin](std::size_t at) { return std::uint64_t{static_cast<unsigned char>(begin[at])}; };
    hash = mix(byte(0) << 16 | byte(size / 2) << 8 | byte(size - 1), hash);
  }
  hash *= 0x9E3779B97F4A7C15;
  return static_cast<std::uint32_t>(hash >> 32);
}

// Where `text` ends with the node's name and has something before it.
bool ends_with_node(std::string_view text, std::string_view node) {
  return !node.empty() && text.size() > node.size() && text.ends_with(node);
}

template <typename Function>
void for_each_column(FleetView& view, Function function) {
  function(view.nodes);
  function(view.services);
  function(view.ids);
  function(view.versions);
  function(view.deployments);
  function(view.marks);
  function(view.modify_indexes);
}

// Rows that follow one another tend to have the same.
NameId intern_like(NameTable& names, std::string_view text, NameId last) {
  return names.text(last) == text ? last : names.intern(text);
}

std::string_view value_of(const std::map<std::string, std::string>& meta, std::string_view key) {
  const auto found = meta.find(std::string(key));
  return found == meta.end() ? std::string_view() : std::string_view(found->second);
}

}  // namespace

NameTable::NameTable() : ends_{0} {}

// Half of the slots are left free for names to come: at the most half as many more before the next time.
void NameTable::spread(std::size_t slots) {
  slots_.assign(slots, Slot());
  for (NameId id = 1; id < ends_.size(); ++id) {
    const std::uint32_t hash = hash_of(text(id));
    std::size_t at = hash & (slots - 1);
    while (slots_[at].id != 0) at = (at + 1) & (slots - 1);
    slots_[at] = {hash, id};
  }
}

NameId NameTable::intern(std::string_view name) {
  if (name.empty()) return 0;
  if (ends_.size() * 4 >= slots_.size() * 3) spread(std::max<std::size_t>(64, slots_.size() * 2));
  const std::uint32_t hash = hash_of(name);
  const std::size_t mask = slots_.size() - 1;
  std::size_t at = hash & mask;
  for (; slots_[at].id != 0; at = (at + 1) & mask) {
    if (slots_[at].hash == hash && text(slots_[at].id) == name) return slots_[at].id;
  }
  const auto id = static_cast<NameId>(ends_.size());
  bytes_.append(name);
  ends_.push_back(static_cast<std::uint32_t>(bytes_.size()));
  slots_[at] = {hash, id};
  return id;
}

std::optional<NameId> NameTable::find(std::string_view name) const {
  if (name.empty()) return 0;
  if (slots_.empty()) return std::nullopt;
  const std::uint32_t hash = hash_of(name);
  const std::size_t mask = slots_.size() - 1;
  for (std::size_t at = hash & mask; slots_[at].id != 0; at = (at + 1) & mask) {
    if (slots_[at].hash == hash && text(slots_[at].id) == name) return slots_[at].id;
  }
  return std::nullopt;
}

std::size_t NameTable::bytes_held() const {
  return bytes_.capacity() + ends_.capacity() * sizeof(std::uint32_t) + slots_.capacity() * sizeof(Slot);
}

void NameTable::forget_after(std::size_t size) {
  if (size >= ends_.size()) return;
  ends_.resize(size);
  bytes_.resize(ends_.back());
  spread(slots_.size());
}

void NameTable::shrink_to_fit() {
  bytes_.shrink_to_fit();
  ends_.shrink_to_fit();
}

ServiceIdRef intern_service_id(NameTable& names, NameId node, std::string_view service_id) {
  const std::string_view node_text = names.text(node);
  const bool follows = ends_with_node(service_id, node_text);
  if (follows) service_id.remove_suffix(node_text.size());
  return ServiceIdRef::make(names.intern(service_id), follows);
}

std::optional<ServiceIdRef> find_service_id(const NameTable& names, NameId node, std::string_view service_id) {
  const std::string_view node_text = names.text(node);
  const bool follows = ends_with_node(service_id, node_text);
  if (follows) service_id.remove_suffix(node_text.size());
  const std::optional<NameId> name = names.find(service_id);
  if (!name) return std::nullopt;
  return ServiceIdRef::make(*name, follows);
}

std::string service_id(const FleetView& view, std::size_t index) {
  std::string text(view.names.text(view.ids[index].name()));
  if (view.ids[index].node_follows()) text += view.names.text(view.nodes[index]);
  return text;
}

void resize_rows(FleetView& view, std::size_t size) {
  for_each_column(view, [size](auto& column) { column.resize(size); });
}

void reserve_rows(FleetView& view, std::size_t size) {
  for_each_column(view, [size](auto& column) { column.reserve(size); });
}

void set_row(FleetView& view, std::size_t index, const FleetRow& row) {
  const std::size_t like = index == 0 ? 0 : index - 1;
  NameTable& names = view.names;
  view.nodes[index] = intern_like(names, row.node, view.nodes[like]);
  view.services[index] = intern_like(names, row.service, view.services[like]);
  view.ids[index] = intern_service_id(names, view.nodes[index], row.service_id);
  view.versions[index] = intern_like(names, row.version, view.versions[like]);
  view.deployments[index] = intern_like(names, row.deployment, view.deployments[like]);
  view.marks[index] = OwnerAndStatus::make(intern_like(names, row.owner, view.marks[like].owner()), row.status);
  view.modify_indexes[index] = row.modify_index;
}

void add_row(FleetView& view, const FleetRow& row) {
  for_each_column(view, [](auto& column) { column.emplace_back(); });
  set_row(view, view.size() - 1, row);
}

FleetRow row_at(const FleetView& view, std::size_t index, std::string& id_text) {
  id_text = service_id(view, index);
  const NameTable& names = view.names;
  FleetRow row;
  row.node = names.text(view.nodes[index]);
  row.service = names.text(view.services[index]);
  row.service_id = id_text;
  row.version = names.text(view.versions[index]);
  row.deployment = names.text(view.deployments[index]);
  row.owner = names.text(view.marks[index].owner());
  row.status = view.marks[index].status();
  row.modify_index = view.modify_indexes[index];
  return row;
}

bool operator==(const FleetView& a, const FleetView& b) {
  if (a.size() != b.size()) return false;
  std::string id_of_a;
  std::string id_of_b;
  for (std::size_t i = 0; i < a.size(); ++i) {
    if (row_at(a, i, id_of_a) != row_at(b, i, id_of_b)) return false;
  }
  return true;
}

FleetView fleet_view(const CatalogState& catalog) {
  FleetView view;
  for (const auto& [name, service] : catalog.services) {
    for (const InstanceState& state : service->instances) {
      const ServiceInstance& instance = state.instance;
      const auto node = catalog.nodes.find(instance.node);
      static const std::vector<HealthCheck> kNone;
      FleetRow row;
      row.node = instance.node;
      row.service = instance.service;
      row.service_id = instance.id;
      row.version = value_of(instance.meta, kMetaVersion);
      row.deployment = value_of(instance.meta, kMetaDeployment);
      row.owner = value_of(instance.meta, kMarkKey);
      row.status = worst_status(state.checks, node == catalog.nodes.end() ? kNone : node->second->checks);
      row.modify_index = instance.modify_index;
      add_row(view, row);
    }
  }
  return view;
}

}  // namespace convergence
