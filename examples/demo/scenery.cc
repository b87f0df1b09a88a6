#include "scenery.h"

#include <fmt/format.h>

namespace demo {

using namespace convergence;  // NOLINT: a program's own source

Roles Scenery::first_roles() const {
  Roles roles;
  roles.stable_version = "1.0";
  return roles;
}

Json Scenery::node(const std::string& role, int index, int number) const {
  return Json()
      .set("Node", fmt::format("{}-{}-{}", prefix_, role, index))
      .set("Address", fmt::format("10.1.0.{}", number))
      .set("NodeMeta", Json().set("role", name(role)));
}

DesiredService Scenery::service(const std::string& plain, const std::string& version, Slice slice, int port) const {
  DesiredService service;
  service.name = name(plain);
  service.release.version = version;
  service.slice = slice;
  service.placement.role = name(plain);
  service.release.port = port;
  CheckDefinition check;
  check.name = "http";
  check.http = fmt::format("http://127.0.0.1:{}/health", port);
  check.interval = std::chrono::seconds(10);
  service.release.checks = {check};
  return service;
}

DesiredState Scenery::desired(const Roles& roles) const {
  DesiredState desired;
  desired.services.push_back(service("web", "1.0", Slice::kNone, 8080));
  const auto port = [](Slice slice) { return slice == Slice::kBlue ? 9090 : 9091; };
  desired.services.push_back(service("api", roles.stable_version, roles.stable, port(roles.stable)));
  if (!roles.candidate_version.empty()) {
    desired.services.push_back(service("api", roles.candidate_version, roles.candidate, port(roles.candidate)));
  }
  desired.entries = entries(roles);
  return desired;
}

std::vector<ConfigEntry> Scenery::entries(const Roles& roles) const {
  ServiceDefaults defaults;
  defaults.protocol = "http";

  ServiceResolver resolver;
  for (Slice slice : {Slice::kBlue, Slice::kGreen}) {
    resolver.subsets[std::string(to_string(slice))].filter = fmt::format("Service.Meta.slice == {}", to_string(slice));
  }
  resolver.default_subset = to_string(roles.stable);

  ServiceSplitter splitter;
  splitter.splits.resize(2);
  splitter.splits[0].weight = 10000;
  splitter.splits[0].service_subset = to_string(roles.stable);
  splitter.splits[1].service_subset = to_string(roles.candidate);

  // An explicit last route, since the one that Consul appends has no retries.
  Route route;
  route.match.emplace().http.emplace().path_prefix = "/";
  RouteDestination& destination = route.destination.emplace();
  destination.service = name("api");
  destination.num_retries = 3;
  destination.retry_on_status_codes = {500, 503};
  ServiceRouter router;
  router.routes = {route};

  std::vector<ConfigEntry> entries(4);
  entries[0].kind = kServiceDefaults;
  entries[0].body = defaults;
  entries[1].kind = kServiceResolver;
  entries[1].body = resolver;
  entries[2].kind = kServiceSplitter;
  entries[2].body = splitter;
  entries[3].kind = kServiceRouter;
  entries[3].body = router;
  for (ConfigEntry& entry : entries) entry.name = name("api");
  return entries;
}

CanaryPolicy Scenery::policy(const Roles& roles, Duration interval, Duration settle) const {
  CanaryPolicy policy;
  policy.service = name("api");
  policy.stable_subset = to_string(roles.stable);
  policy.candidate_subset = to_string(roles.candidate);
  policy.steps = {500, 2000, 5000};
  policy.interval = interval;
  policy.settle = settle;
  policy.min_requests = 20;
  policy.min_success_rate = 0.98;
  policy.max_failures = 2;
  return policy;
}

}  // namespace demo
