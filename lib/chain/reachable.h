#ifndef CONVERGENCE_LIB_CHAIN_REACHABLE_H_
#define CONVERGENCE_LIB_CHAIN_REACHABLE_H_

#include <cstddef>
#include <cstdint>
#include <functional>
#include <map>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "convergence/chain.h"
#include "convergence/config_entry.h"
#include "lib/base/scratch.h"

namespace convergence {

// An entry that is to be written, or deleted when `next` is null, seen over those that are stored.
struct ProposedEntry {
  EntryId id;  // spelled as the writer spelled it
  const Shared<ConfigEntry>* next = nullptr;
};

// Entries by hash, for who asks among many again and again. Refers to them where they are. It is only asked, never gone
// through, so that the order of hashes shows nowhere.
class EntryIndex {
 public:
  explicit EntryIndex(const EntryMap& entries) : buckets_(entries.size() * 2 + 16) {
    for (const auto& [key, entry] : entries) put(key, entry);
  }
  void put(const EntryId& key, const Shared<ConfigEntry>& entry) {
    if (Item* known = find_in(bucket(key), key)) {
      known->entry = &entry;
    } else {
      bucket(key).push_back({key, &entry});
    }
  }
  void erase(const EntryId& key) {
    std::erase_if(bucket(key), [&](const Item& item) { return item.key == key; });
  }
  const Shared<ConfigEntry>* find(const EntryId& key) {
    const Item* found = find_in(bucket(key), key);
    return found == nullptr ? nullptr : found->entry;
  }

 private:
  struct Item {
    EntryId key;
    const Shared<ConfigEntry>* entry = nullptr;
  };
  static Item* find_in(std::vector<Item>& bucket, const EntryId& key) {
    for (Item& item : bucket) {
      if (item.key == key) return &item;
    }
    return nullptr;
  }
  std::vector<Item>& bucket(const EntryId& key) {
    const std::hash<std::string_view> hash;
    return buckets_[(hash(key.kind) * 31 + hash(key.name)) % buckets_.size()];
  }

  std::vector<std::vector<Item>> buckets_;
};

// The stored entries, by kind and name in any letter case. A proposed entry hides the stored one only from those who
// spell the name as the writer did; the server does the same (discovery-chain.md (e) 10).
class EntryLookup {
 public:
  explicit EntryLookup(const EntryMap& stored, const ProposedEntry* proposed = nullptr)
      : stored_(&stored), proposed_(proposed) {}
  explicit EntryLookup(EntryIndex& stored) : index_(&stored) {}

  // Null when there is none.
  const Shared<ConfigEntry>* find(std::string_view kind, std::string_view name);

  template <typename Body>
  const Body* find_body(std::string_view kind, std::string_view name) {
    const Shared<ConfigEntry>* entry = find(kind, name);
    return entry == nullptr ? nullptr : std::get_if<Body>(&(*entry)->body);
  }

 private:
  const EntryMap* stored_ = nullptr;  // one of these two
  EntryIndex* index_ = nullptr;
  const ProposedEntry* proposed_ = nullptr;
  EntryId key_;  // kept from call to call for its memory
};

struct ServiceEntries {
  const ServiceDefaults* defaults = nullptr;
  const Shared<ConfigEntry>* splitter_entry = nullptr;
  const ServiceSplitter* splitter = nullptr;
  const Shared<ConfigEntry>* resolver_entry = nullptr;
  const ServiceResolver* resolver = nullptr;
};

// The entries that may take part in one chain. Views and pointers are into the request and the stored entries.
struct ReachableEntries {
  explicit ReachableEntries(Scratch& scratch) : names(scratch), services(scratch) {}

  const ProxyDefaults* proxy_defaults = nullptr;
  const Shared<ConfigEntry>* router_entry = nullptr;
  const ServiceRouter* router = nullptr;
  const std::map<std::string, std::string>* own_meta = nullptr;  // of the service-defaults of the chain's service
  // Names as the references spell them: one that nothing reached has no entries, even where another spelling has.
  TextIndex names;
  ScratchVector<ServiceEntries> services;  // by the number of the name
};

ReachableEntries collect_reachable(EntryLookup& lookup, std::string_view service, Scratch& scratch);

// Calls visit(name) for the services that the entry names, other than itself; a router names itself too. In the
// entry's order, repeats and all. Services of a peer are not known here, so failover targets there do not count.
template <typename Visit>
void each_related_service(const ConfigEntry& entry, Visit visit) {
  const auto other = [&](const std::string& name) {
    if (!name.empty() && name != entry.name) visit(std::string_view(name));
  };
  if (const auto* router = std::get_if<ServiceRouter>(&entry.body)) {
    visit(std::string_view(entry.name));
    for (const Route& route : router->routes) {
      if (route.destination) other(route.destination->service);
    }
  } else if (const auto* splitter = std::get_if<ServiceSplitter>(&entry.body)) {
    for (const Split& split : splitter->splits) other(split.service);
  } else if (const auto* resolver = std::get_if<ServiceResolver>(&entry.body)) {
    if (resolver->redirect) other(resolver->redirect->service);
    for (const auto& section : resolver->failover) {
      const ResolverFailover& failover = section.second;
      if (failover.targets.empty()) other(failover.service);
      for (const FailoverTarget& target : failover.targets) {
        if (target.peer.empty()) other(target.service);
      }
    }
  }
}

}  // namespace convergence

#endif  // CONVERGENCE_LIB_CHAIN_REACHABLE_H_
