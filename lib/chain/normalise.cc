#include "lib/chain/normalise.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

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

// Several problems in the form that the server gives a list of errors.
std::string error_list(const std::vector<std::string>& texts) {
  std::string out = fmt::format("{} error{} occurred:\n", texts.size(), texts.size() == 1 ? "" : "s");
  for (const std::string& text : texts) out += fmt::format("\t* {}\n", text);
  return out + "\n";
}

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

// Of discovery-chain.md (a), "Names only".
constexpr std::array<std::string_view, 12> kLaterKinds = {"service-intentions", "mesh",
                                                          "exported-services",  "sameness-group",
                                                          "jwt-provider",       "control-plane-request-limit",
                                                          "api-gateway",        "bound-api-gateway",
                                                          "http-route",         "tcp-route",
                                                          "inline-certificate", "file-system-certificate"};

absl::Status check_kind(const ConfigEntry& entry, Dialect dialect) {
  if (body_index(entry.kind) != entry.body.index()) {
    return make_error(ErrorKind::kUsage,
                      fmt::format("config entry {}: its body is not one of kind {}; make it with that kind's struct",
                                  go_quote(entry.name), go_quote(entry.kind)));
  }
  const bool gateway = entry.kind == "ingress-gateway" || entry.kind == "terminating-gateway";
  if (gateway || !std::holds_alternative<OpaqueEntry>(entry.body)) return absl::OkStatus();
  const auto later = std::find(kLaterKinds.begin(), kLaterKinds.end(), entry.kind);
  if (dialect != Dialect::k1_8 && later != kLaterKinds.end()) return absl::OkStatus();
  return make_error(ErrorKind::kDecode, "invalid config entry kind: " + entry.kind);
}

// A server of version 1.8 that stores this crashes, and crashes again whenever it is started.
absl::Status check_protocol_is_no_null(const Json& config) {
  const Json::Object* members = config.as_object();
  if (members == nullptr) return absl::OkStatus();
  for (const Json::Member& member : *members) {
    if (ascii_equal_fold(member.name, "protocol") && member.value.is_null()) {
      return refused("proxy-defaults: Config.protocol is null, which ends a Consul 1.8 for good; leave it out");
    }
  }
  return absl::OkStatus();
}

}  // namespace

absl::Status refused(const std::string& text) { return make_error(ErrorKind::kValidate, text); }

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

absl::Status normalise(ConfigEntry& entry, ProxyDefaults& body, Dialect dialect) {
  if (dialect != Dialect::k1_8 && !entry.name.empty() && entry.name != "global") {
    return refused(fmt::format("invalid name ({}), only \"global\" is supported", go_quote(entry.name)));
  }
  entry.name = "global";  // whatever it was (discovery-chain.md (a))
  CVG_RETURN_IF_ERROR(check_meta(entry.meta));
  CVG_RETURN_IF_ERROR(check_protocol_is_no_null(body.config));
  if (body.failover_policy && !body.failover_policy->mode.empty()) {
    return refused("Setting failover policies requires Consul Enterprise");
  }
  if (body.prioritize_by_locality && *body.prioritize_by_locality != LocalityPriority()) {
    return refused("Prioritize-by-locality requires Consul Enterprise ");
  }
  return absl::OkStatus();
}

absl::Status normalise(ConfigEntry& entry, ServiceDefaults& body, Dialect dialect) {
  body.protocol = ascii_lower(body.protocol);
  if (dialect == Dialect::k1_8) return check_meta(entry.meta);
  CVG_RETURN_IF_ERROR(check_name(entry));
  if (entry.name == "*") return refused("service-defaults name must be the name of a service, and not a wildcard");
  CVG_RETURN_IF_ERROR(check_meta(entry.meta));
  if (!body.upstream_config.is_null() && !body.destination.is_null()) {
    return refused("UpstreamConfig and Destination are mutually exclusive for service defaults");
  }
  const auto is_one_of = [](std::string_view value, std::initializer_list<std::string_view> words) {
    return std::find(words.begin(), words.end(), value) != words.end();
  };
  if (!is_one_of(body.protocol, {"", "http", "http2", "grpc", "tcp"})) {
    return refused("invalid value for protocol: " + body.protocol);
  }
  if (!is_one_of(body.balance_inbound_connections, {"", "exact_balance"})) {
    return refused("invalid value for balance_inbound_connections: " + body.balance_inbound_connections);
  }
  return absl::OkStatus();
}

// Kept as it is: nothing about it is known here but its place in the store.
absl::Status normalise(ConfigEntry& entry, OpaqueEntry&, Dialect) { return check_meta(entry.meta); }

absl::StatusOr<ConfigEntry> normalise_entry(ConfigEntry entry, Dialect dialect) {
  CVG_RETURN_IF_ERROR(check_kind(entry, dialect));
  if (dialect == Dialect::k1_8) {
    CVG_RETURN_IF_ERROR(check_members(entry));
  } else {
    forget_empty_members(entry);
  }
  CVG_RETURN_IF_ERROR(std::visit([&](auto& body) { return normalise(entry, body, dialect); }, entry.body));
  return entry;
}

}  // namespace convergence
