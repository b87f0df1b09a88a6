#include "convergence/config_entry.h"

#include <algorithm>

namespace convergence {
namespace {

// Of ASCII alone, as Consul's names are; other bytes stay.
std::string lower(std::string_view text) {
  std::string out(text);
  std::transform(out.begin(), out.end(), out.begin(),
                 [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c; });
  return out;
}

}  // namespace

EntryId entry_id(const ConfigEntry& entry) { return {entry.kind, entry.name}; }

EntryId entry_key(std::string_view kind, std::string_view name) { return {std::string(kind), lower(name)}; }

EntryId entry_key(const ConfigEntry& entry) { return entry_key(entry.kind, entry.name); }

bool same_content(const ConfigEntry& a, const ConfigEntry& b) {
  return a.kind == b.kind && a.name == b.name && a.meta == b.meta && a.body == b.body;
}

}  // namespace convergence
