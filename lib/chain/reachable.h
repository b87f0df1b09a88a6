#ifndef CONVERGENCE_LIB_CHAIN_REACHABLE_H_
#define CONVERGENCE_LIB_CHAIN_REACHABLE_H_

#include <map>
#include <string_view>
#include <vector>

#include "convergence/chain.h"
#include "convergence/config_entry.h"

namespace convergence {

// An entry that is to be written, or deleted when `next` is null, seen over those that are stored.
struct ProposedEntry {
  EntryId id;  // spelled as the writer spelled it
  const ConfigEntry* next = nullptr;
};

// The stored entries, by kind and name in any letter case. A proposed entry hides the stored one only from those who
// spell the name as the writer did; the server does the same (discovery-chain.md (e) 10).
class EntryLookup {
 public:
  explicit EntryLookup(const EntryMap& stored, const ProposedEntry* proposed = nullptr)
      : stored_(stored), proposed_(proposed) {}

  // Null when there is none.
  const ConfigEntry* find(std::string_view kind, std::string_view name);

  template <typename Body>
  const Body* find_body(std::string_view kind, std::string_view name) {
    const ConfigEntry* entry = find(kind, name);
    return entry == nullptr ? nullptr : std::get_if<Body>(&entry->body);
  }

 private:
  const EntryMap& stored_;
  const ProposedEntry* proposed_;
  EntryId key_;  // kept from call to call for its memory
};

struct ServiceEntries {
  const ServiceDefaults* defaults = nullptr;
  const ServiceSplitter* splitter = nullptr;
  const ServiceResolver* resolver = nullptr;
};

// The entries that may take part in one chain. Views and pointers are into the request and the stored entries.
struct ReachableEntries {
  const ProxyDefaults* proxy_defaults = nullptr;
  std::string_view router_name;  // as stored
  const ServiceRouter* router = nullptr;
  // By name as the references spell it: a name that nothing reached has no entries, even where another spelling has.
  std::map<std::string_view, ServiceEntries> services;
};

ReachableEntries collect_reachable(EntryLookup& lookup, std::string_view service);

// The services that the entry names, other than itself; a router names itself too. In the entry's order, repeats and
// all.
std::vector<std::string_view> related_services(const ConfigEntry& entry);

}  // namespace convergence

#endif  // CONVERGENCE_LIB_CHAIN_REACHABLE_H_
