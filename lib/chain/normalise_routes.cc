// service-router and service-splitter.
#include <fmt/format.h>

#include <algorithm>
#include <set>
#include <string>
#include <string_view>
#include <tuple>
#include <vector>

#include "lib/base/ascii.h"
#include "lib/base/go_text.h"
#include "lib/base/status_macros.h"
#include "lib/chain/normalise.h"

namespace convergence {
namespace {

constexpr std::int64_t kWholeWeight = 10000;  // hundredths of a percent

constexpr std::string_view kMethods[] = {"GET",    "HEAD",    "POST",    "PUT",  "PATCH",
                                         "DELETE", "CONNECT", "OPTIONS", "TRACE"};
constexpr std::string_view kRetryConditions[] = {"5xx",
                                                 "gateway-error",
                                                 "reset",
                                                 "connect-failure",
                                                 "envoy-ratelimited",
                                                 "retriable-4xx",
                                                 "refused-stream",
                                                 "cancelled",
                                                 "deadline-exceeded",
                                                 "internal",
                                                 "resource-exhausted",
                                                 "unavailable"};

template <std::size_t N>
bool is_one_of(std::string_view word, const std::string_view (&words)[N]) {
  return std::find(std::begin(words), std::end(words), word) != std::end(words);
}

absl::Status check_paths(std::size_t i, const HttpMatch& match) {
  const auto bad = [](const std::string& path) { return !path.empty() && path[0] != '/'; };
  if (bad(match.path_exact)) {
    return refused(fmt::format("Route[{}] PathExact doesn't start with '/': {}", i, go_quote(match.path_exact)));
  }
  if (bad(match.path_prefix)) {
    return refused(fmt::format("Route[{}] PathPrefix doesn't start with '/': {}", i, go_quote(match.path_prefix)));
  }
  if (!match.path_exact.empty() + !match.path_prefix.empty() + !match.path_regex.empty() > 1) {
    return refused(fmt::format("Route[{}] should only contain at most one of PathExact, PathPrefix, or PathRegex", i));
  }
  return absl::OkStatus();
}

absl::Status check_headers(std::size_t i, const std::vector<HeaderMatch>& headers) {
  for (std::size_t j = 0; j < headers.size(); ++j) {
    const HeaderMatch& header = headers[j];
    if (header.name.empty()) return refused(fmt::format("Route[{}] Header[{}] missing required Name field", i, j));
    const int forms = header.present + !header.exact.empty() + !header.prefix.empty() + !header.suffix.empty() +
                      !header.regex.empty();
    if (forms != 1) {
      return refused(fmt::format(
          "Route[{}] Header[{}] should only contain one of Present, Exact, Prefix, Suffix, or Regex", i, j));
    }
  }
  return absl::OkStatus();
}

absl::Status check_query(std::size_t i, const std::vector<QueryMatch>& parameters) {
  for (std::size_t j = 0; j < parameters.size(); ++j) {
    const QueryMatch& parameter = parameters[j];
    if (parameter.name.empty()) {
      return refused(fmt::format("Route[{}] QueryParam[{}] missing required Name field", i, j));
    }
    if (parameter.present + !parameter.exact.empty() + !parameter.regex.empty() != 1) {
      return refused(fmt::format("Route[{}] QueryParam[{}] should only contain one of Present, Exact, or Regex", i, j));
    }
  }
  return absl::OkStatus();
}

absl::Status check_methods(std::size_t i, const std::vector<std::string>& methods, Dialect dialect) {
  std::set<std::string_view> seen;
  for (const std::string& method : methods) {
    if (dialect != Dialect::k1_8 && !is_one_of(method, kMethods)) {
      return refused(fmt::format("Route[{}] Methods contains an invalid method {}", i, go_quote(method)));
    }
    if (!seen.insert(method).second) {
      return refused(fmt::format("Route[{}] Methods contains {} more than once", i, go_quote(method)));
    }
  }
  return absl::OkStatus();
}

absl::Status check_retry_on(std::size_t i, const std::vector<std::string>& conditions) {
  for (const std::string& condition : conditions) {
    if (!is_one_of(condition, kRetryConditions)) {
      return refused(fmt::format("Route[{}] contains an invalid retry condition: {}", i, go_quote(condition)));
    }
  }
  return absl::OkStatus();
}

absl::Status check_route(std::size_t i, const Route& route, Dialect dialect) {
  bool rewritable = false;
  if (route.match && route.match->http) {
    const HttpMatch& http = *route.match->http;
    CVG_RETURN_IF_ERROR(check_paths(i, http));
    CVG_RETURN_IF_ERROR(check_headers(i, http.header));
    CVG_RETURN_IF_ERROR(check_query(i, http.query_param));
    CVG_RETURN_IF_ERROR(check_methods(i, http.methods, dialect));
    rewritable = !http.path_exact.empty() || !http.path_prefix.empty();
  }
  if (!rewritable && route.destination && !route.destination->prefix_rewrite.empty()) {
    return refused(fmt::format(
        "Route[{}] cannot make use of PrefixRewrite without configuring either PathExact or PathPrefix", i));
  }
  return route.destination ? check_retry_on(i, route.destination->retry_on) : absl::OkStatus();
}

// Only 1.8, and only for routes with methods, fills the namespace in (discovery-chain.md (e) 8); where later ones do,
// they fill in the entry's own, which is empty in the community edition.
void normalise_route(Route& route, Dialect dialect) {
  if (!route.match || !route.match->http || route.match->http->methods.empty()) return;
  for (std::string& method : route.match->http->methods) method = ascii_upper(method);
  const bool fills = dialect == Dialect::k1_8 && route.destination && route.destination->namespace_name.empty();
  if (fills) route.destination->namespace_name = "default";
}

// Later Consuls compare legs with header modifiers by where these lie in memory, so that no two are the same.
absl::Status check_destinations(const ConfigEntry& entry, const ServiceSplitter& body, Dialect dialect) {
  std::set<std::tuple<std::string_view, std::string_view, std::string_view, std::string_view>> seen;
  for (const Split& split : body.splits) {
    if (split.request_headers || split.response_headers) continue;
    const std::string& service = split.service.empty() ? entry.name : split.service;
    if (seen.emplace(service, split.service_subset, split.namespace_name, split.partition).second) continue;
    const std::string partition =
        dialect == Dialect::k1_8 ? std::string() : fmt::format(", partition={}", go_quote(split.partition));
    return refused(fmt::format("split destination occurs more than once: service={}, subset={}, namespace={}{}",
                               go_quote(service), go_quote(split.service_subset), go_quote(split.namespace_name),
                               partition));
  }
  return absl::OkStatus();
}

}  // namespace

absl::Status normalise(ConfigEntry& entry, ServiceRouter& body, Dialect dialect) {
  for (Route& route : body.routes) normalise_route(route, dialect);
  CVG_RETURN_IF_ERROR(check_name(entry));
  CVG_RETURN_IF_ERROR(check_meta(entry.meta));
  for (std::size_t i = 0; i < body.routes.size(); ++i) CVG_RETURN_IF_ERROR(check_route(i, body.routes[i], dialect));
  return absl::OkStatus();
}

absl::Status normalise(ConfigEntry& entry, ServiceSplitter& body, Dialect dialect) {
  CVG_RETURN_IF_ERROR(check_name(entry));
  if (body.splits.empty()) return refused("no splits configured");
  CVG_RETURN_IF_ERROR(check_meta(entry.meta));
  CVG_RETURN_IF_ERROR(check_destinations(entry, body, dialect));
  std::int64_t sum = 0;
  for (const Split& split : body.splits) sum += split.weight;
  if (sum == kWholeWeight) return absl::OkStatus();
  const float percent = static_cast<float>(sum) / 100.0F;  // as the server prints it: 99.99 as 99.989998
  return refused(fmt::format("the sum of all split weights must be 100, not {:f}", static_cast<double>(percent)));
}

}  // namespace convergence
