#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <map>
#include <set>
#include <string>
#include <tuple>
#include <utility>
#include <variant>
#include <vector>

#include "convergence/chain.h"
#include "convergence/error.h"
#include "lib/base/ascii.h"
#include "lib/base/go_text.h"
#include "lib/base/status_macros.h"
#include "lib/chain/unknown_members.h"

namespace convergence {
namespace {

constexpr std::size_t kMetaPairs = 64;
constexpr std::size_t kMetaKeyBytes = 128;
constexpr std::size_t kMetaValueBytes = 512;
constexpr std::size_t kSubsetNameBytes = 63;
constexpr std::int64_t kWholeWeight = 10000;  // hundredths of a percent

absl::Status refused(const std::string& text) { return make_error(ErrorKind::kValidate, text); }

// Several problems in the form that the server gives a list of errors.
std::string error_list(const std::vector<std::string>& texts) {
  std::string out = fmt::format("{} error{} occurred:\n", texts.size(), texts.size() == 1 ? "" : "s");
  for (const std::string& text : texts) out += fmt::format("\t* {}\n", text);
  return out + "\n";
}

absl::Status check_name(const ConfigEntry& entry) {
  return entry.name.empty() ? refused("Name is required") : absl::OkStatus();
}

absl::Status check_meta(const std::map<std::string, std::string>& meta) {
  std::vector<std::string> texts;
  if (meta.size() > kMetaPairs) texts.push_back(fmt::format("Meta exceeds maximum element count {}", kMetaPairs));
  for (const auto& [key, value] : meta) {
    if (key.size() > kMetaKeyBytes) {
      texts.push_back(fmt::format("Meta key {} exceeds maximum length {}", go_quote(key), kMetaKeyBytes));
    }
    if (value.size() > kMetaValueBytes) {
      texts.push_back(fmt::format("Meta value for key {} exceeds maximum length {}", go_quote(key), kMetaValueBytes));
    }
  }
  return texts.empty() ? absl::OkStatus() : refused(error_list(texts));
}

// ---- proxy-defaults, service-defaults ------------------------------------------------------------------------

absl::Status normalise(ConfigEntry& entry, ProxyDefaults&) {
  entry.name = "global";  // whatever it was (discovery-chain.md (a))
  return check_meta(entry.meta);
}

absl::Status normalise(ConfigEntry& entry, ServiceDefaults& body) {
  body.protocol = ascii_lower(body.protocol);
  return check_meta(entry.meta);
}

// ---- service-router ------------------------------------------------------------------------------------------

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

absl::Status check_methods(std::size_t i, const std::vector<std::string>& methods) {
  std::set<std::string_view> seen;
  for (const std::string& method : methods) {
    if (!seen.insert(method).second) {
      return refused(fmt::format("Route[{}] Methods contains {} more than once", i, go_quote(method)));
    }
  }
  return absl::OkStatus();
}

absl::Status check_route(std::size_t i, const Route& route) {
  bool rewritable = false;
  if (route.match && route.match->http) {
    const HttpMatch& http = *route.match->http;
    CVG_RETURN_IF_ERROR(check_paths(i, http));
    CVG_RETURN_IF_ERROR(check_headers(i, http.header));
    CVG_RETURN_IF_ERROR(check_query(i, http.query_param));
    CVG_RETURN_IF_ERROR(check_methods(i, http.methods));
    rewritable = !http.path_exact.empty() || !http.path_prefix.empty();
  }
  if (!rewritable && route.destination && !route.destination->prefix_rewrite.empty()) {
    return refused(fmt::format(
        "Route[{}] cannot make use of PrefixRewrite without configuring either PathExact or PathPrefix", i));
  }
  return absl::OkStatus();
}

absl::Status normalise(ConfigEntry& entry, ServiceRouter& body) {
  for (Route& route : body.routes) {
    if (!route.match || !route.match->http || route.match->http->methods.empty()) continue;
    for (std::string& method : route.match->http->methods) method = ascii_upper(method);
    // Only for routes with methods (discovery-chain.md (e) 8).
    if (route.destination && route.destination->namespace_name.empty()) route.destination->namespace_name = "default";
  }
  CVG_RETURN_IF_ERROR(check_name(entry));
  CVG_RETURN_IF_ERROR(check_meta(entry.meta));
  for (std::size_t i = 0; i < body.routes.size(); ++i) CVG_RETURN_IF_ERROR(check_route(i, body.routes[i]));
  return absl::OkStatus();
}

// ---- service-splitter ----------------------------------------------------------------------------------------

absl::Status normalise(ConfigEntry& entry, ServiceSplitter& body) {
  CVG_RETURN_IF_ERROR(check_name(entry));
  if (body.splits.empty()) return refused("no splits configured");
  CVG_RETURN_IF_ERROR(check_meta(entry.meta));
  std::set<std::tuple<std::string_view, std::string_view, std::string_view>> seen;
  std::int64_t sum = 0;
  for (const Split& split : body.splits) {
    const std::string& service = split.service.empty() ? entry.name : split.service;
    if (!seen.emplace(service, split.service_subset, split.namespace_name).second) {
      return refused(fmt::format("split destination occurs more than once: service={}, subset={}, namespace={}",
                                 go_quote(service), go_quote(split.service_subset), go_quote(split.namespace_name)));
    }
    sum += split.weight;
  }
  if (sum == kWholeWeight) return absl::OkStatus();
  const float percent = static_cast<float>(sum) / 100.0F;  // as the server prints it: 99.99 as 99.989998
  return refused(fmt::format("the sum of all split weights must be 100, not {:f}", static_cast<double>(percent)));
}

// ---- service-resolver ----------------------------------------------------------------------------------------

absl::Status check_subset_name(const std::string& name) {
  if (name.empty()) return refused("Subset defined with empty name");
  if (name.size() > kSubsetNameBytes) {
    return refused(fmt::format("Subset {} is invalid: must be non-empty and {} characters or fewer", go_quote(name),
                               kSubsetNameBytes));
  }
  const auto alphanumeric = [](char c) { return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9'); };
  const bool inner = std::all_of(name.begin(), name.end(), [&](char c) { return alphanumeric(c) || c == '-'; });
  if (inner && alphanumeric(name.front()) && alphanumeric(name.back())) return absl::OkStatus();
  return refused(fmt::format(
      "Subset {} is invalid: must be {} characters or fewer, begin or end with lower case alphanumeric characters, "
      "and contain lower case alphanumeric characters or '-' in between",
      go_quote(name), kSubsetNameBytes));
}

absl::Status check_redirect(const ConfigEntry& entry, const ServiceResolver& body) {
  if (!body.redirect) return absl::OkStatus();
  const ResolverRedirect& redirect = *body.redirect;
  if (!body.failover.empty()) return refused("Redirect and Failover cannot both be set");
  if (redirect.service.empty() && redirect.service_subset.empty() && redirect.namespace_name.empty() &&
      redirect.datacenter.empty()) {
    return refused("Redirect is empty");
  }
  if (redirect.service.empty() && !redirect.service_subset.empty()) {
    return refused("Redirect.ServiceSubset defined without Redirect.Service");
  }
  if (redirect.service.empty() && !redirect.namespace_name.empty()) {
    return refused("Redirect.Namespace defined without Redirect.Service");
  }
  if (redirect.service == entry.name && !redirect.service_subset.empty() &&
      !body.subsets.contains(redirect.service_subset)) {
    return refused(fmt::format("Redirect.ServiceSubset {} is not a valid subset of {}",
                               go_quote(redirect.service_subset), go_quote(redirect.service)));
  }
  return absl::OkStatus();
}

absl::Status check_failover(const ConfigEntry& entry, const ServiceResolver& body, const std::string& subset,
                            const ResolverFailover& failover) {
  const std::string where = fmt::format("Bad Failover[{}]", go_quote(subset));
  if (subset != "*" && !body.subsets.contains(subset)) return refused(where + ": not a valid subset");
  if (failover.service.empty() && failover.service_subset.empty() && failover.namespace_name.empty() &&
      failover.datacenters.empty()) {
    return refused(where + " one of Service, ServiceSubset, Namespace, or Datacenters is required");
  }
  const bool own = failover.service.empty() || failover.service == entry.name;
  if (own && !failover.service_subset.empty() && !body.subsets.contains(failover.service_subset)) {
    return refused(fmt::format("{}.ServiceSubset {} is not a valid subset of {}", where,
                               go_quote(failover.service_subset), go_quote(failover.service)));
  }
  if (std::find(failover.datacenters.begin(), failover.datacenters.end(), "") != failover.datacenters.end()) {
    return refused(where + ".Datacenters: found empty datacenter");
  }
  return absl::OkStatus();
}

absl::Status normalise(ConfigEntry& entry, ServiceResolver& body) {
  CVG_RETURN_IF_ERROR(check_name(entry));
  CVG_RETURN_IF_ERROR(check_meta(entry.meta));
  for (const auto& [name, subset] : body.subsets) CVG_RETURN_IF_ERROR(check_subset_name(name));
  if (!body.default_subset.empty() && !body.subsets.contains(body.default_subset)) {
    return refused(fmt::format("DefaultSubset {} is not a valid subset", go_quote(body.default_subset)));
  }
  CVG_RETURN_IF_ERROR(check_redirect(entry, body));
  for (const auto& [subset, failover] : body.failover) {
    CVG_RETURN_IF_ERROR(check_failover(entry, body, subset, failover));
  }
  if (body.connect_timeout < Duration{0}) {
    return refused(fmt::format("Bad ConnectTimeout '{}', must be >= 0", go_duration(body.connect_timeout)));
  }
  return absl::OkStatus();
}

// ---- what is common to all kinds -----------------------------------------------------------------------------

// Kept as it is: nothing about it is known here but its place in the store.
absl::Status normalise(ConfigEntry& entry, OpaqueEntry&) { return check_meta(entry.meta); }

absl::Status check_members(const ConfigEntry& entry) {
  std::vector<std::string> texts;
  for (const std::string& name : unknown_members(entry)) {
    const bool is_namespace = ascii_lower(name).ends_with("namespace");
    texts.push_back(fmt::format("invalid config key {}{}", go_quote(name),
                                is_namespace ? ", namespaces are a consul enterprise feature" : ""));
  }
  return texts.empty() ? absl::OkStatus() : make_error(ErrorKind::kDecode, error_list(texts));
}

// The alternative that a body of this kind is; that of OpaqueEntry for kinds without one.
std::size_t body_index(std::string_view kind) {
  if (kind == kProxyDefaults) return EntryBody(ProxyDefaults()).index();
  if (kind == kServiceDefaults) return EntryBody(ServiceDefaults()).index();
  if (kind == kServiceRouter) return EntryBody(ServiceRouter()).index();
  if (kind == kServiceSplitter) return EntryBody(ServiceSplitter()).index();
  if (kind == kServiceResolver) return EntryBody(ServiceResolver()).index();
  return EntryBody(OpaqueEntry()).index();
}

absl::Status check_kind(const ConfigEntry& entry, Dialect dialect) {
  if (body_index(entry.kind) != entry.body.index()) {
    return make_error(ErrorKind::kUsage,
                      fmt::format("config entry {}: its body is not one of kind {}; make it with that kind's struct",
                                  go_quote(entry.name), go_quote(entry.kind)));
  }
  const bool known = !std::holds_alternative<OpaqueEntry>(entry.body) || entry.kind == "ingress-gateway" ||
                     entry.kind == "terminating-gateway";
  if (known || (dialect != Dialect::k1_8 && !entry.kind.empty())) return absl::OkStatus();
  return make_error(ErrorKind::kDecode, "invalid config entry kind: " + entry.kind);
}

}  // namespace

// kCurrent takes members and kinds that 1.8 refuses, and is 1.8 in everything else: the newer rules of
// discovery-chain.md (a) and (b3) are not here yet.
absl::StatusOr<ConfigEntry> normalise_entry(ConfigEntry entry, Dialect dialect) {
  CVG_RETURN_IF_ERROR(check_kind(entry, dialect));
  if (dialect == Dialect::k1_8) CVG_RETURN_IF_ERROR(check_members(entry));
  CVG_RETURN_IF_ERROR(std::visit([&](auto& body) { return normalise(entry, body); }, entry.body));
  return entry;
}

}  // namespace convergence
