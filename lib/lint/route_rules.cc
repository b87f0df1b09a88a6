#include <fmt/format.h>

#include <algorithm>
#include <string>

#include "lib/lint/rules.h"

namespace convergence::lint_rules {
namespace {

bool has_condition(const RouteDestination& to) {
  return to.retry_on_connect_failure || !to.retry_on_status_codes.empty() || !to.retry_on.empty();
}

bool retries(const Route& route) { return route.destination && has_condition(*route.destination); }

// A path of its own, or other conditions.
bool takes_everything(const Route& route) {
  if (!route.match || !route.match->http) return true;
  const HttpMatch& http = *route.match->http;
  const bool any_path =
      http.path_exact.empty() && http.path_regex.empty() && (http.path_prefix.empty() || http.path_prefix == "/");
  return any_path && http.header.empty() && http.query_param.empty() && http.methods.empty();
}

std::string place(std::size_t route, std::string_view member = "") {
  return fmt::format("/Routes/{}{}", route, member);
}

const std::string& service_of(const Route& route, const ConfigEntry& entry) {
  return route.destination && !route.destination->service.empty() ? route.destination->service : entry.name;
}

}  // namespace

// progressive-delivery.md 3.5: what no route takes goes to a route that the server makes up, which has no retries.
void catch_all_without_retries(const Context&, const ConfigEntry& entry, const ServiceRouter& router, Findings& out) {
  if (std::none_of(router.routes.begin(), router.routes.end(), retries)) return;
  for (std::size_t i = 0; i < router.routes.size(); ++i) {
    if (!takes_everything(router.routes[i])) continue;
    if (retries(router.routes[i])) return;
    out.add("catch-all-without-retries", Severity::kWarning, place(i),
            fmt::format("route {} takes every request that the routes before it leave, and retries none of them, "
                        "though other routes retry",
                        i),
            "give it NumRetries and what to retry on");
    return;
  }
  out.add("catch-all-without-retries", Severity::kWarning, "/Routes",
          fmt::format("a request that none of the {} routes takes goes to a route that Consul adds, which does not "
                      "retry",
                      router.routes.size()),
          fmt::format("end with a route of PathPrefix \"/\" to {} that has the retries", entry.name));
}

void retries_by_default(const Context&, const ConfigEntry&, const ServiceRouter& router, Findings& out) {
  for (std::size_t i = 0; i < router.routes.size(); ++i) {
    if (!retries(router.routes[i]) || router.routes[i].destination->num_retries != 0) continue;
    out.add("retries-by-default", Severity::kNote, place(i, "/Destination"),
            fmt::format("route {} says what to retry on and not how often: the proxy retries once", i),
            "write NumRetries");
  }
}

void retries_on_nothing(const Context&, const ConfigEntry&, const ServiceRouter& router, Findings& out) {
  for (std::size_t i = 0; i < router.routes.size(); ++i) {
    const Route& route = router.routes[i];
    if (!route.destination || route.destination->num_retries == 0 || has_condition(*route.destination)) continue;
    out.add("retries-on-nothing", Severity::kWarning, place(i, "/Destination/NumRetries"),
            fmt::format("route {} has NumRetries {} and names nothing to retry on: the proxy never retries", i,
                        route.destination->num_retries),
            "add RetryOnStatusCodes, RetryOnConnectFailure or RetryOn");
  }
}

// A retry goes to another instance of the subset that the first try went to (hashicorp/consul#9756).
void retries_stay(const Context& context, const ConfigEntry& entry, const ServiceRouter& router, Findings& out) {
  for (std::size_t i = 0; i < router.routes.size(); ++i) {
    const Route& route = router.routes[i];
    if (!retries(route) || !route.destination->service_subset.empty()) continue;
    const std::string& service = service_of(route, entry);
    const auto* splitter = context.body<ServiceSplitter>(kServiceSplitter, service);
    if (splitter == nullptr) continue;
    const auto legs = std::count_if(splitter->splits.begin(), splitter->splits.end(),
                                    [](const Split& split) { return split.weight > 0; });
    if (legs < 2) continue;
    const std::uint32_t tries = 1 + std::max<std::uint32_t>(route.destination->num_retries, 1);
    out.add("retries-stay", Severity::kNote, place(i, "/Destination"),
            fmt::format("route {} retries, and {} is split over {} legs: a retry stays in the leg of the first try, so "
                        "that a bad leg is tried up to {} times and a user of it is not helped",
                        i, service, legs, tries),
            "count on retries against single bad instances only; take weight from a bad subset");
  }
}

// discovery-chain.md (b) step 2.
void split_bypassed(const Context& context, const ConfigEntry& entry, const ServiceRouter& router, Findings& out) {
  for (std::size_t i = 0; i < router.routes.size(); ++i) {
    const Route& route = router.routes[i];
    if (!route.destination || route.destination->service_subset.empty()) continue;
    const std::string& service = service_of(route, entry);
    if (context.body<ServiceSplitter>(kServiceSplitter, service) == nullptr) continue;
    out.add("split-bypassed", Severity::kNote, place(i, "/Destination/ServiceSubset"),
            fmt::format("route {} goes to subset {} of {}: the splitter of {} has no part in it", i,
                        route.destination->service_subset, service, service),
            "leave ServiceSubset out where the split is to apply");
  }
}

void shadowed_route(const Context&, const ConfigEntry&, const ServiceRouter& router, Findings& out) {
  for (std::size_t later = 1; later < router.routes.size(); ++later) {
    for (std::size_t earlier = 0; earlier < later; ++earlier) {
      if (!takes_all_of(router.routes[earlier], router.routes[later])) continue;
      out.add("shadowed-route", Severity::kWarning, place(later),
              fmt::format("route {} is never taken: route {} takes everything that it would", later, earlier),
              "put it before that route, or take it out");
      break;
    }
  }
}

// discovery-chain.md (e) 1.
void hidden_protocol(const Context& context, const ConfigEntry& entry, const ServiceDefaults& defaults, Findings& out) {
  if (!defaults.protocol.empty()) return;
  const auto* all = context.body<ProxyDefaults>(kProxyDefaults, "global");
  const Json* protocol = all == nullptr ? nullptr : all->config.find("protocol");
  if (protocol == nullptr || protocol->as_string() == nullptr || *protocol->as_string() == "tcp") return;
  out.add("hidden-protocol", Severity::kWarning, "/Protocol",
          fmt::format("{} names no protocol and so is tcp: what proxy-defaults say ({}) does not reach a service that "
                      "has an entry of its own",
                      entry.name, *protocol->as_string()),
          fmt::format("write Protocol \"{}\"", *protocol->as_string()));
}

}  // namespace convergence::lint_rules
