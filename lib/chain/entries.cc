#include <utility>

#include "convergence/chain.h"
#include "lib/base/status_macros.h"
#include "lib/chain/graph_check.h"

namespace convergence {

absl::Status ConfigEntries::put(ConfigEntry entry, std::uint64_t index) {
  CVG_ASSIGN_OR_RETURN(ConfigEntry normal, normalise_entry(std::move(entry), cluster_.dialect));
  const EntryId key = entry_key(normal);
  const auto found = map_.find(key);
  normal.create_index = found == map_.end() ? index : found->second->create_index;
  normal.modify_index = index;
  const EntryId id = entry_id(normal);
  Shared<ConfigEntry> next = std::move(normal);
  CVG_RETURN_IF_ERROR(check_write(map_, {id, &next}, cluster_.dialect));
  map_.insert_or_assign(key, std::move(next));
  return absl::OkStatus();
}

absl::Status ConfigEntries::remove(std::string_view kind, std::string_view name) {
  if (kind == kProxyDefaults) name = "global";  // the server gives this name on deleting too, though not on reading
  const auto found = map_.find(entry_key(kind, name));
  if (found == map_.end()) return absl::OkStatus();
  CVG_RETURN_IF_ERROR(check_write(map_, {{std::string(kind), std::string(name)}, nullptr}, cluster_.dialect));
  map_.erase(found);
  return absl::OkStatus();
}

const ConfigEntry* ConfigEntries::get(std::string_view kind, std::string_view name) const {
  const auto found = map_.find(entry_key(kind, name));
  return found == map_.end() ? nullptr : &*found->second;
}

}  // namespace convergence
