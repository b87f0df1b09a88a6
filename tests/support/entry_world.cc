#include "tests/support/entry_world.h"

#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <utility>

#include "tests/support/plan_values.h"
#include "tests/support/random_cases.h"

namespace convergence::test {

const std::vector<std::string> kServices = {"a", "b", "c", "d"};
const std::vector<std::string> kSubsets = {"v1", "v2", "v3"};

std::optional<DiscoveryChain> compile(const EntryMap& entries, const std::string& service) {
  ChainRequest request;
  request.service = service;
  auto chain = compile_chain(entries, request);
  if (!chain.ok()) return std::nullopt;
  return *std::move(chain);
}

bool all_compile(const EntryMap& entries) {
  return std::ranges::all_of(kServices,
                             [&](const std::string& service) { return compile(entries, service).has_value(); });
}

namespace {

ConfigEntry make(std::string_view kind, const std::string& name, EntryBody body) {
  ConfigEntry entry;
  entry.kind = std::string(kind);
  entry.name = name;
  entry.body = std::move(body);
  return entry;
}

std::string maybe_subset(std::mt19937_64& random) {
  return chance(random, 40) ? pick(random, kSubsets) : std::string();
}

ConfigEntry make_defaults(std::mt19937_64& random, const std::string& name) {
  ServiceDefaults body;
  body.protocol = pick(random, std::vector<std::string>{"http", "http", "http", "grpc", "tcp"});
  if (chance(random, 5)) body.external_sni = "outside.example";
  return make(kServiceDefaults, name, body);
}

ConfigEntry make_resolver(std::mt19937_64& random, const std::string& name) {
  ServiceResolver body;
  for (const std::string& subset : kSubsets) {
    if (!chance(random, 60)) continue;
    const char* version = chance(random, 80) ? subset.c_str() : "v9";
    body.subsets[subset].filter = fmt::format("Service.Meta.version == {}", version);
  }
  if (!body.subsets.empty() && chance(random, 40)) body.default_subset = body.subsets.begin()->first;
  if (chance(random, 25)) {
    body.redirect.emplace().service = pick(random, kServices);
    if (chance(random, 30)) body.redirect->service_subset = pick(random, kSubsets);
  } else if (chance(random, 20)) {
    body.failover["*"].service = pick(random, kServices);
  }
  if (chance(random, 20)) body.connect_timeout = std::chrono::seconds(1 + below(random, 3));
  return make(kServiceResolver, name, body);
}

ConfigEntry make_splitter(std::mt19937_64& random, const std::string& name) {
  ServiceSplitter body;
  const std::int32_t first = static_cast<std::int32_t>(100 * below(random, 101));
  for (std::int32_t weight : {first, 10000 - first}) {
    Split split;
    split.weight = weight;
    if (chance(random, 40)) split.service = pick(random, kServices);
    split.service_subset = maybe_subset(random);
    body.splits.push_back(std::move(split));
  }
  return make(kServiceSplitter, name, body);
}

ConfigEntry make_router(std::mt19937_64& random, const std::string& name) {
  ServiceRouter body;
  const std::size_t routes = below(random, 3);
  for (std::size_t i = 0; i < routes; ++i) {
    Route route;
    route.match.emplace().http.emplace().path_prefix = fmt::format("/{}", i);
    route.destination.emplace().service = pick(random, kServices);
    route.destination->service_subset = maybe_subset(random);
    body.routes.push_back(std::move(route));
  }
  return make(kServiceRouter, name, body);
}

ConfigEntry make_entry(std::mt19937_64& random, std::string_view kind, const std::string& name) {
  if (kind == kServiceDefaults) return make_defaults(random, name);
  if (kind == kServiceResolver) return make_resolver(random, name);
  if (kind == kServiceSplitter) return make_splitter(random, name);
  if (kind == kServiceRouter) return make_router(random, name);
  ProxyDefaults body;
  body.config = Json(Json::Object{}).set("protocol", chance(random, 70) ? "http" : "grpc");
  return make(kProxyDefaults, "global", body);
}

const std::vector<std::string_view> kKinds = {kServiceDefaults, kServiceDefaults, kServiceResolver, kServiceResolver,
                                              kServiceSplitter, kServiceRouter,   kProxyDefaults};

// A set that the server took entry by entry and whose chains all compile.
ConfigEntries make_set(std::mt19937_64& random, ConfigEntries set, std::size_t tries) {
  for (std::size_t i = 0; i < tries; ++i) {
    ConfigEntries next = set;
    const std::string& name = pick(random, kServices);
    const std::string_view kind = pick(random, kKinds);
    if (chance(random, 15)) {
      if (!next.remove(kind, kind == kProxyDefaults ? "global" : name).ok()) continue;
    } else if (!next.put(make_entry(random, kind, name)).ok()) {
      continue;
    }
    if (all_compile(next.map())) set = std::move(next);
  }
  return set;
}

// Changes that need care: every protocol moves, a subset gets another name everywhere, redirects change sides.
EntryMap careful_change(std::mt19937_64& random, const EntryMap& from) {
  EntryMap to = from;
  const std::size_t what = below(random, 3);
  for (auto& [key, shared] : to) {
    ConfigEntry entry = *shared;
    if (auto* defaults = std::get_if<ServiceDefaults>(&entry.body); defaults && what == 0) {
      if (defaults->protocol != "tcp") defaults->protocol = defaults->protocol == "http" ? "grpc" : "http";
    }
    if (auto* proxy = std::get_if<ProxyDefaults>(&entry.body); proxy && what == 0) {
      const Json* protocol = proxy->config.find("protocol");
      proxy->config =
          Json(Json::Object{}).set("protocol", protocol && *protocol->as_string() == "http" ? "grpc" : "http");
    }
    auto renamed = [](std::string& subset) {
      if (subset == "v1") subset = "v8";
    };
    if (auto* splitter = std::get_if<ServiceSplitter>(&entry.body); splitter && what == 1) {
      for (Split& split : splitter->splits) renamed(split.service_subset);
    }
    if (auto* router = std::get_if<ServiceRouter>(&entry.body); router && what == 1) {
      for (Route& route : router->routes) {
        if (route.destination) renamed(route.destination->service_subset);
      }
    }
    if (auto* resolver = std::get_if<ServiceResolver>(&entry.body)) {
      if (what == 1) {
        if (auto node = resolver->subsets.extract("v1")) {
          node.key() = "v8";
          resolver->subsets.insert(std::move(node));
        }
        renamed(resolver->default_subset);
        if (resolver->redirect) renamed(resolver->redirect->service_subset);
      }
      if (what == 2 && resolver->redirect) {
        resolver->redirect->service = pick(random, kServices);
        resolver->redirect->service_subset.clear();
        if (resolver->redirect->service == entry.name) resolver->redirect.reset();
      }
    }
    shared = std::move(entry);
  }
  return to;
}

std::vector<ConfigEntry> as_list(const EntryMap& map) {
  std::vector<ConfigEntry> list;
  for (const auto& [key, entry] : map) list.push_back(*entry);
  return list;
}

EntryMap with_indexes(EntryMap map, std::mt19937_64& random, std::size_t percent_ours) {
  std::uint64_t index = 100;
  for (auto& [key, shared] : map) {
    ConfigEntry entry = *shared;
    entry.create_index = entry.modify_index = ++index;
    if (chance(random, percent_ours)) entry = ours(std::move(entry));
    shared = std::move(entry);
  }
  return map;
}

}  // namespace

EntryWorld make_entry_world(std::mt19937_64& random, std::size_t percent_ours) {
  const ConfigEntries actual = make_set(random, ConfigEntries(), 4 + below(random, 16));
  EntryMap desired = actual.map();
  if (chance(random, 40)) {
    desired = careful_change(random, desired);
    if (!all_compile(desired)) desired = make_set(random, actual, 6).map();
  } else if (chance(random, 60)) {
    desired = make_set(random, actual, 1 + below(random, 8)).map();
  } else {
    desired = make_set(random, ConfigEntries(), 4 + below(random, 16)).map();
  }
  return {with_indexes(actual.map(), random, percent_ours), as_list(desired)};
}

}  // namespace convergence::test
