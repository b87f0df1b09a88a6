#include "tests/bench/chain_cases.h"

#include <fmt/format.h>

namespace convergence::bench {
namespace {

template <typename Body>
ConfigEntry entry(std::string_view kind, std::string name, Body body) {
  ConfigEntry out;
  out.kind = kind;
  out.name = std::move(name);
  out.body = std::move(body);
  return out;
}

ConfigEntry http(std::string name) {
  ServiceDefaults body;
  body.protocol = "http";
  return entry(kServiceDefaults, std::move(name), std::move(body));
}

Route route(std::string prefix, std::string service) {
  Route out;
  out.match.emplace().http.emplace().path_prefix = std::move(prefix);
  RouteDestination& destination = out.destination.emplace();
  destination.service = std::move(service);
  destination.num_retries = 3;
  destination.retry_on_status_codes = {500, 503};
  return out;
}

Split leg(std::int32_t weight, std::string service, std::string subset) {
  Split out;
  out.weight = weight;
  out.service = std::move(service);
  out.service_subset = std::move(subset);
  return out;
}

ResolverSubset version(std::string_view value) {
  ResolverSubset out;
  out.filter = fmt::format("Service.Meta.version == {}", value);
  return out;
}

}  // namespace

ChainCase trivial() { return {"trivial", "api", {}}; }

ChainCase canary() {
  ServiceRouter router;
  router.routes = {route("/admin", "api"), route("/v1", "api"), route("/", "api")};
  ServiceSplitter splitter;
  splitter.splits = {leg(9000, "", "v1"), leg(1000, "", "v2")};
  ServiceResolver resolver;
  resolver.default_subset = "v1";
  resolver.subsets = {{"v1", version("1")}, {"v2", version("2")}};
  return {"canary",
          "api",
          {http("api"), entry(kServiceRouter, "api", router), entry(kServiceSplitter, "api", splitter),
           entry(kServiceResolver, "api", resolver)}};
}

ChainCase big() {
  ChainCase out{"big", "split-00", {}};
  ServiceRouter router;
  for (int i = 0; i < 50; ++i) {
    const std::string name = fmt::format("split-{:02}", i);
    Route past = route(fmt::format("/{:02}/", i), fmt::format("service-{:02}", i));
    past.destination->service_subset = "v1";
    router.routes.push_back(std::move(past));
    ServiceSplitter splitter;
    if (i < 49) splitter.splits.push_back(leg(4000, fmt::format("split-{:02}", i + 1), ""));
    const std::int32_t rest = i < 49 ? 6000 : 10000;
    for (int j = 0; j < 6; ++j) {
      const std::int32_t share = j == 5 ? rest - 5 * (rest / 6) : rest / 6;
      splitter.splits.push_back(leg(share, fmt::format("service-{:02}", i * 2 + j / 3), fmt::format("v{}", j % 3 + 1)));
    }
    out.entries.push_back(entry(kServiceSplitter, name, splitter));
    out.entries.push_back(http(name));
  }
  out.entries.push_back(entry(kServiceRouter, "split-00", router));
  for (int i = 0; i < 100; ++i) {
    const std::string name = fmt::format("service-{:02}", i);
    ServiceResolver resolver;
    resolver.subsets = {{"v1", version("1")}, {"v2", version("2")}, {"v3", version("3")}};
    for (const char* subset : {"v1", "v2"}) resolver.failover[subset].datacenters = {"dc2"};
    if (i == 0) resolver.failover["v3"].datacenters = {"dc2"};
    out.entries.push_back(entry(kServiceResolver, name, resolver));
    out.entries.push_back(http(name));
  }
  return out;
}

}  // namespace convergence::bench
