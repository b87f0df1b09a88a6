// The service section of a Canary: Consul's router has routes, timeouts, retries and headers; all else is the
// cluster's.
#include <fmt/format.h>

#include <array>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "convergence/codec.h"
#include "lib/base/ascii.h"
#include "lib/import/flagger.h"

namespace convergence::importing {
namespace {

using enum ImportOutcome;

struct Said {
  std::string_view member;
  ImportOutcome outcome;
  std::string_view why;
};
constexpr std::string_view kPorts = "Consul's instances have ports of their own";
constexpr std::array kSaid = {
    Said{"port", kIgnored, kPorts},
    Said{"portName", kIgnored, kPorts},
    Said{"targetPort", kIgnored, kPorts},
    Said{"portDiscovery", kIgnored, kPorts},
    Said{"appProtocol", kUnsupported, "the protocol stands in the service's service-defaults"},
    Said{"headless", kIgnored, "of Kubernetes' own services"},
    Said{"trafficDistribution", kUnsupported, "nearness is a matter of the service-resolver"},
    Said{"unmanagedMetadata", kIgnored, "of Kubernetes' own services"},
    Said{"apex", kIgnored, "of Kubernetes' own services"},
    Said{"primary", kIgnored, "of Kubernetes' own services"},
    Said{"canary", kIgnored, "of Kubernetes' own services"},
    Said{"gateways", kIgnored, "a gateway names the service, not the other way"},
    Said{"gatewayRefs", kIgnored, "a gateway names the service, not the other way"},
    Said{"hosts", kIgnored, "a gateway names the service, not the other way"},
    Said{"delegation", kIgnored, "of another mesh"},
    Said{"backends", kIgnored, "of another mesh"},
    Said{"meshName", kIgnored, "of another mesh"},
    Said{"backendTimeout", kUnsupported, "Consul's router has one timeout a route"},
    Said{"mirror", kUnsupported, "Consul's router cannot send a request twice"},
    Said{"corsPolicy", kUnsupported, "Consul's router has no such policy"},
    Said{"trafficPolicy", kUnsupported,
         "load balancing and connections are a matter of the service-resolver and of service-defaults, which have to "
         "know the subsets; TLS within the mesh is always on"},
};

// ---- the destination ----------------------------------------------------------------------------------------

void read_retries(CanaryDraft& draft, const At& retries, Json& destination) {
  const At attempts = retries.member("attempts");
  const At on = retries.member("retryOn");
  const std::optional<double> count = number_at(attempts);
  if (count && *count >= 0 && *count <= 1000) {
    destination.set("NumRetries", static_cast<std::int64_t>(*count));
    draft.say(attempts, kTranslated, "NumRetries of the service-router");
  }
  draft.say(retries.member("perTryTimeout"), kUnsupported, "Consul's router has one timeout for all attempts together");
  Json::Array codes, conditions;
  std::string text = text_at(on).value_or("");
  while (!text.empty()) {
    const std::size_t end = std::min(text.find(','), text.size());
    std::string word = text.substr(0, end);
    text.erase(0, std::min(end + 1, text.size()));
    std::erase(word, ' ');
    if (word.empty()) continue;
    if (word == "connect-failure") {
      destination.set("RetryOnConnectFailure", true);
    } else if (word.size() == 3 && word.find_first_not_of("0123456789") == std::string::npos) {
      codes.push_back(Json(Json::Number{word}));
    } else {
      conditions.emplace_back(word);
    }
  }
  const bool newer = !conditions.empty();
  if (!codes.empty()) destination.set("RetryOnStatusCodes", std::move(codes));
  if (newer) destination.set("RetryOn", std::move(conditions));
  draft.say(on, kTranslated,
            newer ? "retries of the service-router; RetryOn needs Consul 1.14" : "retries of the service-router");
}

void read_headers(CanaryDraft& draft, const At& headers, Json& destination) {
  for (const auto& [side, member] :
       {std::pair("request", "RequestHeaders"), std::pair("response", "ResponseHeaders")}) {
    const At at = headers.member(side);
    if (!at || !at.json->is_object()) continue;
    Json changes;
    for (const auto& [kind, name] : {std::pair("add", "Add"), std::pair("set", "Set"), std::pair("remove", "Remove")}) {
      const At one = at.member(kind);
      const bool fits = one && (std::string_view(kind) == "remove" ? one.json->is_array() : one.json->is_object());
      if (fits) changes.set(name, *one.json);
      draft.say(one, fits ? kTranslated : kUnsupported,
                fits ? fmt::format("{} of the service-router", member) : "is of another form");
    }
    if (!changes.is_null()) destination.set(member, std::move(changes));
  }
}

// ---- matches ------------------------------------------------------------------------------------------------

// {"exact": ...} and its like under the names that Consul has for them.
bool put_test(const At& test, std::string_view before, Json& out) {
  for (const auto& [kind, name] : {std::pair("exact", "Exact"), std::pair("prefix", "Prefix"),
                                   std::pair("suffix", "Suffix"), std::pair("regex", "Regex")}) {
    const std::optional<std::string> value = text_at(test.member(kind));
    if (!value) continue;
    if (std::string_view(kind) == "suffix" && !before.empty()) return false;
    out.set(fmt::format("{}{}", before, name), *value);
    return true;
  }
  return false;
}

// One match as Consul's; nothing where a part of it cannot be had.
std::optional<Json> http_match(const At& match) {
  Json http;
  Json::Array headers, query;
  for (const auto& [name, part] : match.members()) {
    if (name == "name" || name == "gateways") continue;
    if (name == "uri") {
      if (!put_test(part, "Path", http)) return std::nullopt;
    } else if (name == "ignoreUriCase") {
      http.set("CaseInsensitive", bool_at(part) == true);
    } else if (name == "method" && text_at(part.member("exact"))) {
      http.set("Methods", Json::Array{Json(*text_at(part.member("exact")))});
    } else if (name == "headers" || name == "withoutHeaders") {
      for (const auto& [key, test] : part.members()) {
        Json one;
        one.set("Name", key);
        if (!put_test(test, "", one)) return std::nullopt;
        if (name == "withoutHeaders") one.set("Invert", true);
        headers.push_back(std::move(one));
      }
    } else if (name == "queryParams") {
      for (const auto& [key, test] : part.members()) {
        Json one;
        one.set("Name", key);
        if (!put_test(test, "", one) || one.find("Prefix") || one.find("Suffix")) return std::nullopt;
        query.push_back(std::move(one));
      }
    } else {
      return std::nullopt;
    }
  }
  if (!headers.empty()) http.set("Header", std::move(headers));
  if (!query.empty()) http.set("QueryParam", std::move(query));
  return http;
}

std::vector<Json> read_matches(CanaryDraft& draft, const At& matches) {
  std::vector<Json> out;
  for (const At& match : matches.items()) {
    const std::optional<Json> http = http_match(match);
    if (!http || http->is_null()) {
      draft.say(match, kUnsupported, "not taken, as a whole: Consul's router does not see all of it");
      continue;
    }
    draft.say(match, kTranslated, "a route of the service-router");
    for (const char* name : {"name", "gateways"}) draft.say(match.member(name), kIgnored, "of another mesh");
    out.push_back(*http);
  }
  return out;
}

bool takes_all(const Json& http) {
  const Json* prefix = http.find("PathPrefix");
  return http.as_object()->size() == 1 && prefix != nullptr && *prefix == Json("/");
}

}  // namespace

void read_service(CanaryDraft& draft, const At& service) {
  for (const Said& one : kSaid) draft.say(service.member(one.member), one.outcome, one.why);
  Json destination;
  if (const auto timeout = duration_at(service.member("timeout"))) {
    destination.set("RequestTimeout", duration_to_text(*timeout));
    draft.say(service.member("timeout"), kTranslated, "RequestTimeout of the service-router");
  }
  read_retries(draft, service.member("retries"), destination);
  read_headers(draft, service.member("headers"), destination);
  std::vector<Json> matches = read_matches(draft, service.member("match"));
  const At uri = service.member("rewrite").member("uri");
  draft.say(service.member("rewrite"), kUnsupported, "Consul's router rewrites the beginning of a path and no more");
  if (text_at(uri) == "/" && (matches.empty() || takes_all(matches.front()))) {
    draft.say(uri, kIgnored, "a path that begins with / would stay as it is");
  } else if (text_at(uri)) {
    destination.set("PrefixRewrite", *text_at(uri));
    draft.say(uri, kTranslated, "PrefixRewrite of the service-router");
    if (matches.empty()) matches.push_back(Json().set("PathPrefix", "/"));
  }
  if (matches.size() == 1 && takes_all(matches.front()) && destination.is_null()) {
    return draft.say(service.member("match"), kIgnored, "each request, as without a router");
  }
  if (matches.empty() && destination.is_null()) return;
  Json::Array routes;
  if (matches.empty()) matches.push_back(Json().set("PathPrefix", "/"));
  for (Json& http : matches) {
    Json route;
    route.set("Match", Json().set("HTTP", std::move(http)));
    if (!destination.is_null()) route.set("Destination", destination);
    routes.push_back(std::move(route));
  }
  draft.router = Json().set("Kind", "service-router").set("Name", draft.service).set("Routes", std::move(routes));
}

}  // namespace convergence::importing
