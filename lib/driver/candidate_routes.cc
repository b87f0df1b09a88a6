#include "lib/driver/candidate_routes.h"

#include <algorithm>

#include "fmt/format.h"
#include "lib/base/regex.h"

namespace convergence {
namespace {

// Meta of a router that was made for a rollout, so that it goes with it.
constexpr std::string_view kMadeFor = "convergence-made-for";

HeaderMatch header_of(const NamedMatch& match) {
  HeaderMatch out;
  out.name = match.name;
  switch (match.kind) {
    case MatchKind::kExact:
      out.exact = match.value;
      break;
    case MatchKind::kPrefix:
      out.prefix = match.value;
      break;
    case MatchKind::kSuffix:
      out.suffix = match.value;
      break;
    case MatchKind::kRegex:
      out.regex = match.value;
      break;
    case MatchKind::kPresent:
      out.present = true;
      break;
  }
  return out;
}

// A cookie is a part of the header of that name.
HeaderMatch cookie_of(const NamedMatch& match) {
  const std::string value = match.kind == MatchKind::kRegex     ? match.value
                            : match.kind == MatchKind::kPresent ? "[^;]*"
                                                                : escape_regex(match.value);
  HeaderMatch out;
  out.name = "cookie";
  out.regex = fmt::format("^(.*; *)?{}={}(;.*)?$", escape_regex(match.name), value);
  return out;
}

QueryMatch query_of(const NamedMatch& match) {
  QueryMatch out;
  out.name = match.name;
  out.present = match.kind == MatchKind::kPresent;
  (match.kind == MatchKind::kRegex ? out.regex : out.exact) = match.value;
  return out;
}

Route route_to(const CanaryState& state, HttpMatch http) {
  Route route;
  route.match.emplace().http = std::move(http);
  route.destination.emplace().service_subset = state.policy.candidate_subset;
  return route;
}

// What a cookie and a regular expression may hold without more ado.
std::string cookie_value(const CanaryState& state) {
  std::string value = state.rollout;
  for (char& c : value) {
    const bool plain =
        (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' || c == '_';
    if (!plain) c = '-';
  }
  return value;
}

void take_out(std::vector<Route>& routes, const std::vector<Route>& ours) {
  std::erase_if(routes, [&](const Route& route) { return std::find(ours.begin(), ours.end(), route) != ours.end(); });
}

}  // namespace

std::vector<Route> candidate_routes(const CanaryState& state) {
  std::vector<Route> routes;
  if (state.policy.affinity) {
    HttpMatch http;
    http.header = {cookie_of({state.policy.affinity->cookie, MatchKind::kExact, cookie_value(state)})};
    routes.push_back(route_to(state, std::move(http)));
  }
  for (const RequestMatch& match : state.policy.match) {
    HttpMatch http;
    for (const NamedMatch& header : match.headers) http.header.push_back(header_of(header));
    for (const NamedMatch& cookie : match.cookies) http.header.push_back(cookie_of(cookie));
    for (const NamedMatch& query : match.query) http.query_param.push_back(query_of(query));
    http.path_prefix = match.path_prefix;
    http.methods = match.methods;
    routes.push_back(route_to(state, std::move(http)));
  }
  return routes;
}

std::string affinity_cookie(const CanaryState& state) {
  const SessionAffinity& affinity = *state.policy.affinity;
  return fmt::format("{}={}; Max-Age={}; Path=/", affinity.cookie, cookie_value(state),
                     std::chrono::duration_cast<std::chrono::seconds>(affinity.max_age).count());
}

RouteEdit edit_routes(const CanaryState& state, bool routed, const std::optional<ConfigEntry>& router) {
  const std::vector<Route> ours = candidate_routes(state);
  RouteEdit edit;
  if (!router) {
    if (!routed || ours.empty()) return edit;
    edit.kind = RouteEdit::Kind::kPut;
    edit.entry.kind = std::string(kServiceRouter);
    edit.entry.name = state.policy.service;
    edit.entry.meta[std::string(kMadeFor)] = state.rollout;
    edit.entry.body = ServiceRouter{ours, {}, false};
    return edit;
  }
  edit.entry = *router;
  auto* body = std::get_if<ServiceRouter>(&edit.entry.body);
  if (!body) return {};
  take_out(body->routes, ours);
  if (routed) {
    body->routes.insert(body->routes.begin(), ours.begin(), ours.end());
  } else if (body->routes.empty() && edit.entry.meta.count(std::string(kMadeFor)) != 0) {
    edit.kind = RouteEdit::Kind::kDelete;
    return edit;
  }
  if (!(edit.entry == *router)) edit.kind = RouteEdit::Kind::kPut;
  return edit;
}

}  // namespace convergence
