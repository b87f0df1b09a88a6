#ifndef CONVERGENCE_LIB_MODEL_ENTRY_PARTS_H_
#define CONVERGENCE_LIB_MODEL_ENTRY_PARTS_H_

#include <concepts>
#include <cstddef>
#include <string>
#include <string_view>
#include <type_traits>

#include "convergence/config_entry.h"

namespace convergence {

// A place in an entry, as a way up: costs nothing until somebody asks for its name.
struct EntryPlace {
  const EntryPlace* above = nullptr;
  std::string_view member{};
  std::string_view key{};     // of a map
  std::ptrdiff_t index = -1;  // of a list

  // "Routes[0].Match.HTTP"; empty for the entry itself.
  std::string text() const;
};

// Calls visit(place, part) for every struct of an entry that keeps `unknown` members, inner ones first, the body last.
// `visit.newer` says whether it wants the insides of parts that came after Consul 1.8 too. Works on values and
// constants alike.
template <typename Part, typename T>
concept IsPart = std::same_as<std::remove_const_t<Part>, T>;

template <typename Optional, typename Visit>
void visit_newer(const EntryPlace& above, std::string_view member, Optional& part, Visit& visit) {
  if (visit.newer && part) visit(EntryPlace{&above, member}, *part);
}

template <typename List, typename Visit>
void visit_items(const EntryPlace& above, std::string_view member, List& items, Visit& visit) {
  for (std::size_t i = 0; i < items.size(); ++i) {
    visit(EntryPlace{&above, member, {}, static_cast<std::ptrdiff_t>(i)}, items[i]);
  }
}

template <typename Match, typename Visit>
requires IsPart<Match, RouteMatch>
void visit_parts(const EntryPlace& at, Match& match, Visit& visit) {
  if (match.http) {
    const EntryPlace http{&at, "HTTP"};
    visit_items(http, "Header", match.http->header, visit);
    visit_items(http, "QueryParam", match.http->query_param, visit);
    visit(http, *match.http);
  }
  visit(at, match);
}

template <typename Destination, typename Visit>
requires IsPart<Destination, RouteDestination>
void visit_parts(const EntryPlace& at, Destination& destination, Visit& visit) {
  visit_newer(at, "RequestHeaders", destination.request_headers, visit);
  visit_newer(at, "ResponseHeaders", destination.response_headers, visit);
  visit(at, destination);
}

template <typename Router, typename Visit>
requires IsPart<Router, ServiceRouter>
void visit_parts(const EntryPlace& at, Router& router, Visit& visit) {
  for (std::size_t i = 0; i < router.routes.size(); ++i) {
    auto& route = router.routes[i];
    const EntryPlace place{&at, "Routes", {}, static_cast<std::ptrdiff_t>(i)};
    if (route.match) visit_parts(EntryPlace{&place, "Match"}, *route.match, visit);
    if (route.destination) visit_parts(EntryPlace{&place, "Destination"}, *route.destination, visit);
    visit(place, route);
  }
  visit(at, router);
}

template <typename Splitter, typename Visit>
requires IsPart<Splitter, ServiceSplitter>
void visit_parts(const EntryPlace& at, Splitter& splitter, Visit& visit) {
  for (std::size_t i = 0; i < splitter.splits.size(); ++i) {
    auto& split = splitter.splits[i];
    const EntryPlace place{&at, "Splits", {}, static_cast<std::ptrdiff_t>(i)};
    visit_newer(place, "RequestHeaders", split.request_headers, visit);
    visit_newer(place, "ResponseHeaders", split.response_headers, visit);
    visit(place, split);
  }
  visit(at, splitter);
}

template <typename Balancer, typename Visit>
requires IsPart<Balancer, LoadBalancer>
void visit_parts(const EntryPlace& at, Balancer& balancer, Visit& visit) {
  visit_newer(at, "RingHashConfig", balancer.ring_hash, visit);
  visit_newer(at, "LeastRequestConfig", balancer.least_request, visit);
  for (std::size_t i = 0; i < balancer.hash_policies.size(); ++i) {
    const EntryPlace place{&at, "HashPolicies", {}, static_cast<std::ptrdiff_t>(i)};
    visit_newer(place, "CookieConfig", balancer.hash_policies[i].cookie_config, visit);
    visit(place, balancer.hash_policies[i]);
  }
  visit(at, balancer);
}

template <typename Resolver, typename Visit>
requires IsPart<Resolver, ServiceResolver>
void visit_parts(const EntryPlace& at, Resolver& resolver, Visit& visit) {
  for (auto& [name, subset] : resolver.subsets) visit(EntryPlace{&at, "Subsets", name}, subset);
  if (resolver.redirect) visit(EntryPlace{&at, "Redirect"}, *resolver.redirect);
  for (auto& [name, failover] : resolver.failover) {
    const EntryPlace place{&at, "Failover", name};
    if (visit.newer) visit_items(place, "Targets", failover.targets, visit);
    visit_newer(place, "Policy", failover.policy, visit);
    visit(place, failover);
  }
  if (visit.newer && resolver.load_balancer) {
    visit_parts(EntryPlace{&at, "LoadBalancer"}, *resolver.load_balancer, visit);
  }
  visit_newer(at, "PrioritizeByLocality", resolver.prioritize_by_locality, visit);
  visit(at, resolver);
}

template <typename Defaults, typename Visit>
requires IsPart<Defaults, ProxyDefaults>
void visit_parts(const EntryPlace& at, Defaults& defaults, Visit& visit) {
  visit_newer(at, "TransparentProxy", defaults.transparent_proxy, visit);
  visit_newer(at, "FailoverPolicy", defaults.failover_policy, visit);
  visit_newer(at, "PrioritizeByLocality", defaults.prioritize_by_locality, visit);
  visit(at, defaults);
}

template <typename Defaults, typename Visit>
requires IsPart<Defaults, ServiceDefaults>
void visit_parts(const EntryPlace& at, Defaults& defaults, Visit& visit) {
  visit_newer(at, "TransparentProxy", defaults.transparent_proxy, visit);
  visit(at, defaults);
}

// Kept whole: it has no parts that we know.
template <typename Body, typename Visit>
requires IsPart<Body, OpaqueEntry>
void visit_parts(const EntryPlace&, Body&, Visit&) {}

}  // namespace convergence

#endif  // CONVERGENCE_LIB_MODEL_ENTRY_PARTS_H_
