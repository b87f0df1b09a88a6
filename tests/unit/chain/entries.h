#ifndef CONVERGENCE_TESTS_UNIT_CHAIN_ENTRIES_H_
#define CONVERGENCE_TESTS_UNIT_CHAIN_ENTRIES_H_

#include <map>
#include <string>
#include <utility>
#include <vector>

#include "convergence/chain.h"
#include "convergence/config_entry.h"

namespace convergence::test {

inline ConfigEntry entry(std::string_view kind, std::string name, EntryBody body) {
  ConfigEntry out;
  out.kind = kind;
  out.name = std::move(name);
  out.body = std::move(body);
  return out;
}

inline ConfigEntry proxy_defaults(ProxyDefaults body) { return entry(kProxyDefaults, "global", std::move(body)); }

inline ConfigEntry defaults(std::string name, ServiceDefaults body) {
  return entry(kServiceDefaults, std::move(name), std::move(body));
}

inline ConfigEntry http(std::string name) { return defaults(std::move(name), {.protocol = "http"}); }

inline ConfigEntry router(std::string name, std::vector<Route> routes = {}) {
  return entry(kServiceRouter, std::move(name), ServiceRouter{.routes = std::move(routes)});
}

inline ConfigEntry splitter(std::string name, std::vector<Split> splits) {
  return entry(kServiceSplitter, std::move(name), ServiceSplitter{.splits = std::move(splits)});
}

inline ConfigEntry resolver(std::string name, ServiceResolver body = {}) {
  return entry(kServiceResolver, std::move(name), std::move(body));
}

inline Route route_with(HttpMatch match, RouteDestination destination = {}) {
  return {.match = RouteMatch{.http = std::move(match)}, .destination = std::move(destination)};
}

// As stored, without the checks on the way in: for graphs that no single write could make.
inline EntryMap entry_map(const std::vector<ConfigEntry>& entries) {
  EntryMap out;
  for (const ConfigEntry& one : entries) out.insert_or_assign(entry_key(one), one);
  return out;
}

}  // namespace convergence::test

#endif  // CONVERGENCE_TESTS_UNIT_CHAIN_ENTRIES_H_
