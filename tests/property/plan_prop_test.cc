// Properties of plans over generated worlds. CONVERGENCE_SEED and CONVERGENCE_CASES choose them; the seed of a failing
// case is printed with it.

#include <fmt/format.h>

#include <algorithm>
#include <cstdlib>
#include <functional>
#include <optional>
#include <random>
#include <set>
#include <string>
#include <vector>

#include "convergence/filter.h"
#include "tests/support/plan_values.h"

namespace convergence {
namespace {

using test::after_plan;

std::uint64_t number_from_environment(const char* name, std::uint64_t otherwise) {
  const char* text = std::getenv(name);
  return text ? std::strtoull(text, nullptr, 10) : otherwise;
}

// One seed a case, so that each can be run again alone.
void for_each_case(std::uint64_t cases, const std::function<void(std::mt19937_64&)>& check) {
  const std::uint64_t first = number_from_environment("CONVERGENCE_SEED", 1);
  const std::uint64_t count = number_from_environment("CONVERGENCE_CASES", cases);
  for (std::uint64_t i = 0; i < count; ++i) {
    const std::uint64_t seed = first + i;
    INFO("CONVERGENCE_SEED=", seed, " CONVERGENCE_CASES=1");
    std::mt19937_64 random(seed);
    check(random);
  }
}

std::size_t below(std::mt19937_64& random, std::size_t count) { return static_cast<std::size_t>(random() % count); }
bool chance(std::mt19937_64& random, std::size_t percent) { return below(random, 100) < percent; }

template <typename T>
const T& pick(std::mt19937_64& random, const std::vector<T>& choices) {
  return choices[below(random, choices.size())];
}

template <typename T>
void shuffle(std::mt19937_64& random, std::vector<T>& items) {
  for (std::size_t i = items.size(); i > 1; --i) std::swap(items[i - 1], items[below(random, i)]);
}

// ---- generated entries

const std::vector<std::string> kServices = {"a", "b", "c", "d"};
const std::vector<std::string> kSubsets = {"v1", "v2", "v3"};

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

struct EntryWorld {
  EntryMap actual;
  std::vector<ConfigEntry> desired;
};

EntryMap with_indexes(EntryMap map, std::mt19937_64& random, std::size_t percent_ours) {
  std::uint64_t index = 100;
  for (auto& [key, shared] : map) {
    ConfigEntry entry = *shared;
    entry.create_index = entry.modify_index = ++index;
    if (chance(random, percent_ours)) entry = test::ours(std::move(entry));
    shared = std::move(entry);
  }
  return map;
}

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

// ---- what holds of every plan

std::string bytes_of(const Plan& plan) { return to_text(to_json(plan)); }

CatalogState catalog_from(const EntryMap& entries) {
  CatalogState catalog;
  catalog.datacenter = "dc1";
  catalog.entries = entries;
  for (const auto& [key, entry] : entries) catalog.index = std::max(catalog.index, entry->modify_index);
  return catalog;
}

void check_form(const Plan& plan) {
  std::set<std::string> ids;
  for (const Step& step : plan.steps) {
    CHECK_FALSE(step.why.empty());
    for (const std::string& need : step.needs) CHECK(ids.contains(need));
    if (!step.cas_from.empty()) CHECK(ids.contains(step.cas_from));
    CHECK(ids.insert(step.id).second);
  }
  std::set<std::string> held;
  for (const Held& one : plan.held) {
    CHECK_FALSE(one.why.empty());
    CHECK(held.insert(one.id).second);
  }
}

// Applies the steps; after each, what compiled before compiles.
CatalogState check_every_prefix(CatalogState catalog, const std::vector<Step>& steps) {
  std::map<std::string, bool> compiled;
  for (const std::string& service : kServices) compiled[service] = compile(catalog.entries, service).has_value();
  for (const Step& step : steps) {
    INFO("step ", step.id);
    auto next = after_step(catalog, step);
    REQUIRE_OK(next);
    catalog = *std::move(next);
    for (auto& item : compiled) {  // INFO captures what it names, which clang 14 cannot of a structured binding
      const std::string& service = item.first;
      bool& before = item.second;
      const bool now = compile(catalog.entries, service).has_value();
      INFO("chain ", service);
      CHECK((now || !before));
      before = now;
    }
  }
  return catalog;
}

// Some of the steps, with all that they need: what is left when others fail.
std::vector<Step> closed_part(std::mt19937_64& random, const Plan& plan) {
  std::set<std::string> failed;
  std::vector<Step> part;
  for (const Step& step : plan.steps) {
    const bool skip = chance(random, 20) ||
                      std::ranges::any_of(step.needs, [&](const std::string& need) { return failed.contains(need); });
    if (skip) {
      failed.insert(step.id);
    } else {
      part.push_back(step);
    }
  }
  return part;
}

bool same_entries(const EntryMap& a, const EntryMap& b) {
  return std::ranges::equal(a, b, [](const auto& left, const auto& right) {
    return left.first == right.first && same_content(*left.second, *right.second);
  });
}

TEST_CASE("plans for generated entries") {
  std::size_t steps = 0;
  std::size_t with_intermediates = 0;
  std::size_t held = 0;
  for_each_case(400, [&](std::mt19937_64& random) {
    const EntryWorld world = make_entry_world(random, 100);
    PlanOptions options;
    options.prune = true;
    auto plan = plan_config(world.desired, world.actual, options);
    REQUIRE_OK(plan);
    INFO(describe(*plan));
    check_form(*plan);
    const CatalogState before = catalog_from(world.actual);
    const CatalogState after = check_every_prefix(before, plan->steps);
    check_every_prefix(before, closed_part(random, *plan));

    // The same bytes again, and whatever the order of the documents.
    std::vector<ConfigEntry> shuffled = world.desired;
    shuffle(random, shuffled);
    CHECK(bytes_of(*plan_config(shuffled, world.actual, options)) == bytes_of(*plan));

    // Applied, nothing is left to do, and what is not held is as it was wanted.
    auto again = plan_config(world.desired, after.entries, options);
    REQUIRE_OK(again);
    CHECK(again->steps.empty());
    CHECK(again->held == plan->held);
    if (plan->held.empty()) {
      CHECK(after.entries.size() == world.desired.size());
      for (const ConfigEntry& wanted : world.desired) {
        CHECK(after.entries.at(entry_key(wanted))->body == wanted.body);
      }
    }

    const CatalogState restored = check_every_prefix(after, undo(*plan).steps);
    CHECK(same_entries(restored.entries, before.entries));

    steps += plan->steps.size();
    held += plan->held.empty() ? 0 : 1;
    with_intermediates +=
        std::ranges::any_of(plan->steps, [](const Step& step) { return step.reason == Reason::kIntermediate; });
  });
  MESSAGE(steps, " steps; plans with forms in between: ", with_intermediates, ", with something held: ", held);
}

// ---- against an exhaustive search of orders of the plain writes

struct PlainWrite {
  EntryId key;
  std::optional<ConfigEntry> wanted;
};

// Whether some order of these writes is safe throughout; slow and obvious.
bool some_order_works(const ConfigEntries& at, const std::vector<PlainWrite>& writes, std::vector<bool>& done) {
  bool all = true;
  for (std::size_t i = 0; i < writes.size(); ++i) {
    if (done[i]) continue;
    all = false;
    ConfigEntries next = at;
    const absl::Status taken =
        writes[i].wanted ? next.put(*writes[i].wanted) : next.remove(writes[i].key.kind, writes[i].key.name);
    if (!taken.ok() || !all_compile(next.map())) continue;
    done[i] = true;
    if (some_order_works(next, writes, done)) return true;
    done[i] = false;
  }
  return all;
}

TEST_CASE("where an order of the plain writes is safe, the plan is one") {
  std::size_t plain = 0;
  std::size_t hard = 0;
  for_each_case(300, [&](std::mt19937_64& random) {
    const EntryWorld world = make_entry_world(random, 100);
    PlanOptions options;
    options.prune = true;
    auto plan = plan_config(world.desired, world.actual, options);
    REQUIRE_OK(plan);
    EntryMap wanted;
    for (const ConfigEntry& entry : world.desired) wanted[entry_key(entry)] = entry;
    std::vector<PlainWrite> writes;
    ConfigEntries start;
    // Put in the order of what stands on what, so that the set that is there can be built at all.
    for (const auto& [key, entry] : wanted) {
      auto there = world.actual.find(key);
      if (there == world.actual.end() || !(there->second->body == entry->body)) writes.push_back({key, *entry});
    }
    for (const auto& [key, entry] : world.actual) {
      if (!wanted.contains(key)) writes.push_back({key, std::nullopt});
    }
    if (writes.size() > 6) return;
    for (std::string_view kind :
         {kProxyDefaults, kServiceDefaults, kServiceResolver, kServiceSplitter, kServiceRouter}) {
      for (const auto& [key, entry] : world.actual) {
        if (key.kind == kind) (void)start.put(*entry);
      }
    }
    if (start.map().size() != world.actual.size()) return;  // this order of kinds does not build every set
    std::vector<bool> done(writes.size(), false);
    INFO(describe(*plan));
    if (some_order_works(start, writes, done)) {
      ++plain;
      CHECK(plan->held.empty());
      CHECK(plan->steps.size() == writes.size());
    } else {
      ++hard;
      CHECK((plan->steps.size() > writes.size() || !plan->held.empty()));
    }
  });
  MESSAGE("plain: ", plain, ", only with forms in between or not at all: ", hard);
  if (std::getenv("CONVERGENCE_CASES") == nullptr) {
    CHECK(plain > 100);
    CHECK(hard > 0);
  }
}

TEST_CASE("entries of others are never touched") {
  for_each_case(200, [&](std::mt19937_64& random) {
    const EntryWorld world = make_entry_world(random, 50);
    PlanOptions options;
    options.prune = chance(random, 50);
    auto plan = plan_config(world.desired, world.actual, options);
    REQUIRE_OK(plan);
    INFO(describe(*plan));
    const CatalogState after = check_every_prefix(catalog_from(world.actual), plan->steps);
    for (const Step& step : plan->steps) {
      auto there = world.actual.find(step.entry);
      if (there != world.actual.end()) CHECK(there->second->meta.contains(std::string(kMarkKey)));
      CHECK((options.prune || step.action != Action::kDeleteEntry || step.reason == Reason::kIntermediate));
    }
    auto again = plan_config(world.desired, after.entries, options);
    REQUIRE_OK(again);
    CHECK(again->steps.empty());
  });
}

// ---- instances and entries

DesiredService make_service(std::mt19937_64& random, const std::string& name, Slice slice) {
  DesiredService service;
  service.name = name;
  service.version = pick(random, kSubsets);
  service.slice = slice;
  service.placement.role = pick(random, std::vector<std::string>{"web", "web", "db", "none"});
  service.port = static_cast<std::int32_t>(8000 + below(random, 3));
  if (chance(random, 40)) {
    CheckDefinition check;
    check.name = pick(random, std::vector<std::string>{"health", "alive"});
    check.http = "http://127.0.0.1/health";
    check.interval = std::chrono::seconds(10);
    service.checks.push_back(std::move(check));
  }
  return service;
}

std::vector<DesiredService> make_services(std::mt19937_64& random) {
  std::vector<DesiredService> services;
  for (const std::string& name : kServices) {
    if (chance(random, 60)) services.push_back(make_service(random, name, Slice::kNone));
    if (chance(random, 25)) services.push_back(make_service(random, name, Slice::kGreen));
  }
  return services;
}

void randomise_health(std::mt19937_64& random, CatalogState& catalog) {
  for (auto& [name, shared] : catalog.services) {
    ServiceState state = *shared;
    for (InstanceState& instance : state.instances) {
      for (HealthCheck& check : instance.checks) {
        check.status = chance(random, 70) ? CheckStatus::kPassing : CheckStatus::kCritical;
      }
    }
    shared = std::move(state);
  }
}

struct FleetWorld {
  CatalogState catalog;
  DesiredState desired;
};

FleetWorld make_fleet_world(std::mt19937_64& random) {
  FleetWorld world;
  CatalogState catalog = test::catalog_of({{"n1", "web"}, {"n2", "web"}, {"n3", "db"}, {"n4", ""}});
  const EntryWorld entries = make_entry_world(random, 90);
  DesiredState before;
  before.services = make_services(random);
  auto plan = converge(before, catalog);
  REQUIRE_OK(plan);
  catalog = after_plan(std::move(catalog), *plan);
  randomise_health(random, catalog);
  catalog.entries = entries.actual;
  catalog.index = std::max<std::uint64_t>(catalog.index, 1000);
  if (chance(random, 20) && !catalog.services.empty()) {  // somebody else's instance
    ServiceState state = *catalog.services.begin()->second;
    state.instances.front().instance.meta.erase(std::string(kMarkKey));
    catalog.services.begin()->second = std::move(state);
  }
  world.catalog = std::move(catalog);
  world.desired.entries = entries.desired;
  world.desired.services = chance(random, 50) ? make_services(random) : before.services;
  for (DesiredService& service : world.desired.services) {
    if (chance(random, 30)) service.version = pick(random, kSubsets);
  }
  return world;
}

// The resolvers that a chain sends traffic to; written apart from lib/plan.
std::set<std::string> reached_targets(const DiscoveryChain& chain) {
  std::set<std::string> targets;
  std::set<std::string> reached{chain.start_node};
  std::vector<std::string> open{chain.start_node};
  while (!open.empty()) {
    const ChainNode node = chain.nodes.find(open.back())->second;
    open.pop_back();
    auto follow = [&](const std::string& next) {
      if (reached.insert(next).second) open.push_back(next);
    };
    if (auto* router = std::get_if<RouterNode>(&node.body)) {
      for (const ChainRoute& route : router->routes) follow(route.next_node);
    } else if (auto* splitter = std::get_if<SplitterNode>(&node.body)) {
      for (const ChainSplit& split : splitter->splits) {
        if (split.weight > 0) follow(split.next_node);
      }
    } else {
      targets.insert(std::get<ResolverNode>(node.body).target);
    }
  }
  return targets;
}

bool is_served(const CatalogState& catalog, const ChainTarget& target) {
  auto there = catalog.services.find(target.service);
  if (there == catalog.services.end()) return false;
  auto filter = Filter::parse(target.subset.filter);
  REQUIRE_OK(filter);
  return std::ranges::any_of(there->second->instances, [&](const InstanceState& state) {
    const NodeState& at = *catalog.nodes.at(state.instance.node);
    return *filter->matches(state, at) && worst_status(state.checks, at.checks) == CheckStatus::kPassing;
  });
}

// "chain -> target" of those that get traffic, and whether they are served; without those that nobody can judge.
std::map<std::string, bool> traffic_of(const CatalogState& catalog, const DesiredState& desired) {
  std::map<std::string, bool> found;
  for (const std::string& service : kServices) {
    const auto chain = compile(catalog.entries, service);
    if (!chain) continue;
    for (const std::string& id : reached_targets(*chain)) {
      const ChainTarget& target = chain->targets.find(id)->second;
      const bool wanted =
          std::ranges::any_of(desired.services, [&](const DesiredService& one) { return one.name == target.service; });
      if (target.external || (!catalog.services.contains(target.service) && !wanted)) continue;
      found[service + " -> " + id] = is_served(catalog, target);
    }
  }
  return found;
}

// The services that routers, splitters and resolvers name: whose instances traffic goes to because somebody said so.
std::set<std::string> named_by_routes(const EntryMap& entries) {
  std::set<std::string> named;
  for (const auto& [key, entry] : entries) {
    if (key.kind == kServiceDefaults || key.kind == kProxyDefaults) continue;
    named.insert(key.name);
    if (auto* router = std::get_if<ServiceRouter>(&entry->body)) {
      for (const Route& route : router->routes) named.insert(route.destination->service);
    }
    if (auto* splitter = std::get_if<ServiceSplitter>(&entry->body)) {
      for (const Split& split : splitter->splits) named.insert(split.service);
    }
    if (auto* resolver = std::get_if<ServiceResolver>(&entry->body)) {
      if (resolver->redirect) named.insert(resolver->redirect->service);
    }
  }
  return named;
}

// As check_every_prefix; and no entry comes to send traffic where nobody serves it, unless it did so when the plan was
// made; and no instance is taken from where traffic goes if it is the last.
CatalogState check_fleet_prefixes(CatalogState catalog, const DesiredState& desired, const std::vector<Step>& steps) {
  std::set<std::string> known;
  auto learn = [&](const std::map<std::string, bool>& traffic) {
    for (const auto& [target, served] : traffic) {
      if (!served) known.insert(target);
    }
  };
  std::map<std::string, bool> before = traffic_of(catalog, desired);
  learn(before);
  for (const Step& step : steps) {
    INFO("step ", step.id);
    const std::set<std::string> named = named_by_routes(catalog.entries);
    catalog = check_every_prefix(std::move(catalog), {step});
    std::map<std::string, bool> after = traffic_of(catalog, desired);
    const bool is_entry = step.action == Action::kPutEntry || step.action == Action::kDeleteEntry;
    if (!is_entry) {
      for (const auto& item : before) {
        const std::string& target = item.first;
        INFO("left without an instance: ", target);
        if (item.second && named.contains(target.substr(0, 1))) CHECK(after[target]);
      }
      learn(after);
    } else {
      for (const auto& item : after) {
        const std::string& target = item.first;
        INFO("nobody serves: ", target);
        CHECK((item.second || known.contains(target)));
      }
    }
    before = std::move(after);
  }
  return catalog;
}

// The steps on one node stand in a chain of needs.
void check_one_at_a_time(const Plan& plan, const CatalogState& catalog) {
  for (const auto& [node, state] : catalog.nodes) {
    std::string last;
    for (const Step& step : plan.steps) {
      if (step.instance.node != node) continue;
      if (!last.empty()) CHECK(std::ranges::find(step.needs, last) != step.needs.end());
      last = step.id;
    }
  }
}

TEST_CASE("plans for generated fleets") {
  std::size_t steps = 0;
  std::size_t waiting = 0;
  for_each_case(250, [&](std::mt19937_64& random) {
    const FleetWorld world = make_fleet_world(random);
    PlanOptions options;
    options.prune = chance(random, 70);
    auto plan = converge(world.desired, world.catalog, options);
    REQUIRE_OK(plan);
    INFO(describe(*plan));
    check_form(*plan);
    check_one_at_a_time(*plan, world.catalog);
    const CatalogState after = check_fleet_prefixes(world.catalog, world.desired, plan->steps);
    check_fleet_prefixes(world.catalog, world.desired, closed_part(random, *plan));

    DesiredState shuffled = world.desired;
    shuffle(random, shuffled.services);
    shuffle(random, shuffled.entries);
    CHECK(bytes_of(*converge(shuffled, world.catalog, options)) == bytes_of(*plan));

    auto again = converge(world.desired, after, options);
    REQUIRE_OK(again);
    CHECK(again->steps.empty());
    CHECK(again->held == plan->held);

    for (const auto& [name, service] : world.catalog.services) {
      for (const InstanceState& state : service->instances) {
        if (state.instance.meta.contains(std::string(kMarkKey))) continue;
        const InstanceState* there = find_instance(after, name, {state.instance.node, state.instance.id});
        REQUIRE(there != nullptr);
        CHECK(*there == state);
      }
    }
    steps += plan->steps.size();
    waiting += std::ranges::any_of(plan->held, [](const Held& one) { return one.reason == Reason::kNoInstance; });
  });
  MESSAGE(steps, " steps; plans with something waiting for instances: ", waiting);
}

// All checks pass in the end: repeated reading, planning and applying comes to rest with nothing waiting for
// instances that were wanted.
TEST_CASE("a fleet whose checks come to pass converges") {
  for_each_case(150, [&](std::mt19937_64& random) {
    FleetWorld world = make_fleet_world(random);
    PlanOptions options;
    options.prune = true;
    bool at_rest = false;
    for (int round = 0; round < 10 && !at_rest; ++round) {
      auto plan = converge(world.desired, world.catalog, options);
      REQUIRE_OK(plan);
      INFO("round ", round, ":\n", describe(*plan));
      at_rest = plan->steps.empty();
      world.catalog = check_fleet_prefixes(world.catalog, world.desired, plan->steps);
      test::set_checks(world.catalog, CheckStatus::kPassing);
    }
    CHECK(at_rest);
  });
}

}  // namespace
}  // namespace convergence
