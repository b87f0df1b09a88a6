#include "convergence/desired.h"

#include <fmt/format.h>

#include <algorithm>
#include <set>
#include <tuple>
#include <utility>

#include "convergence/error.h"
#include "lib/base/status_macros.h"

namespace convergence {
namespace {

constexpr std::size_t kMaxName = 128;
// Consul's limits for Meta of services and config entries.
constexpr std::size_t kMaxMetaPairs = 64;
constexpr std::size_t kMaxMetaKey = 128;
constexpr std::size_t kMaxMetaValue = 512;
constexpr std::int32_t kMaxPort = 65535;

std::string label(const DesiredService& service) {
  return fmt::format("desired service {}/{}/{}", service.placement.role, service.name, to_string(service.slice));
}

// `where` is a service or entry as label() writes it, `field` the member at fault.
absl::Status invalid(std::string_view where, std::string_view field, std::string_view problem) {
  Json detail;
  detail.set("where", where).set("field", field);
  return make_error(ErrorKind::kValidate, fmt::format("{}: {}: {}", where, field, problem), std::move(detail));
}

// Names become pieces of KV keys and URLs.
absl::Status check_name(std::string_view where, std::string_view field, std::string_view name) {
  if (name.empty()) return invalid(where, field, "is empty");
  if (name.size() > kMaxName) {
    return invalid(where, field, fmt::format("has {} bytes; {} is the most", name.size(), kMaxName));
  }
  if (name.find('/') != std::string_view::npos) return invalid(where, field, "holds a slash");
  if (std::ranges::any_of(name, [](char c) { return static_cast<unsigned char>(c) < 0x20 || c == 0x7F; })) {
    return invalid(where, field, "holds a control character");
  }
  return absl::OkStatus();
}

absl::Status check_meta(const DesiredService& service) {
  const std::string where = label(service);
  if (service.meta.size() > kMaxMetaPairs) {
    return invalid(where, "meta", fmt::format("has {} pairs; {} is the most", service.meta.size(), kMaxMetaPairs));
  }
  for (const auto& [key, value] : service.meta) {
    const std::string field = fmt::format("meta[{}]", key);
    if (key.empty() || key.size() > kMaxMetaKey) {
      return invalid(where, field, fmt::format("a key has 1 to {} bytes", kMaxMetaKey));
    }
    if (value.size() > kMaxMetaValue) {
      return invalid(where, field, fmt::format("has {} bytes; {} is the most", value.size(), kMaxMetaValue));
    }
  }
  const auto version = service.meta.find("version");
  if (version != service.meta.end() && version->second != service.version) {
    return invalid(where, "meta[version]",
                   fmt::format("is \"{}\", but the version is \"{}\"; leave it out", version->second, service.version));
  }
  return absl::OkStatus();
}

absl::Status check_check(std::string_view where, std::string_view field, const CheckDefinition& check) {
  if (check.name.empty()) return invalid(where, field, "has no name");
  const int kinds = int{!check.http.empty()} + int{!check.tcp.empty()} + int{check.ttl != Duration::zero()};
  if (kinds != 1) return invalid(where, field, fmt::format("has {} of http, tcp and ttl; one is needed", kinds));
  for (const auto& [name, value] :
       {std::pair{"ttl", check.ttl}, std::pair{"interval", check.interval}, std::pair{"timeout", check.timeout},
        std::pair{"deregister_critical_service_after", check.deregister_critical_service_after}}) {
    if (value < Duration::zero()) return invalid(where, field, fmt::format("{} is negative", name));
  }
  if (check.ttl == Duration::zero() && check.interval == Duration::zero()) {
    return invalid(where, field, "has no interval");
  }
  return absl::OkStatus();
}

std::string check_id(const DesiredService& service, const CheckDefinition& check) {
  return check.id.empty() ? fmt::format("{}:{}", service_id(service), check.name) : check.id;
}

absl::Status check_service(const DesiredService& service) {
  const std::string where = label(service);
  CVG_RETURN_IF_ERROR(check_name(where, "name", service.name));
  CVG_RETURN_IF_ERROR(check_name(where, "placement.role", service.placement.role));
  if (service.version.size() > kMaxMetaValue) {
    return invalid(where, "version",
                   fmt::format("has {} bytes; {} is the most", service.version.size(), kMaxMetaValue));
  }
  if (service.port < 0 || service.port > kMaxPort) {
    return invalid(where, "port", fmt::format("{} is not in 0..{}", service.port, kMaxPort));
  }
  CVG_RETURN_IF_ERROR(check_meta(service));
  std::set<std::string> ids;
  for (std::size_t i = 0; i < service.checks.size(); ++i) {
    const std::string field = fmt::format("checks[{}]", i);
    CVG_RETURN_IF_ERROR(check_check(where, field, service.checks[i]));
    const std::string id = check_id(service, service.checks[i]);
    if (!ids.insert(id).second) return invalid(where, field, fmt::format("the id \"{}\" is there twice", id));
  }
  return absl::OkStatus();
}

// What a later service finds taken on a role.
struct Taken {
  std::set<std::tuple<std::string, std::string, Slice>> services;
  std::set<std::pair<std::string, std::string>> service_ids;  // {role, id}
  std::set<std::pair<std::string, std::string>> check_ids;
};

absl::Status check_apart(const DesiredService& service, Taken& taken) {
  const std::string where = label(service);
  const std::string& role = service.placement.role;
  if (!taken.services.emplace(role, service.name, service.slice).second) {
    return invalid(where, "name", "the service is there twice");
  }
  if (!taken.service_ids.emplace(role, service_id(service)).second) {
    return invalid(where, "name",
                   fmt::format("another service of this role has the id \"{}\" too", service_id(service)));
  }
  for (const CheckDefinition& check : service.checks) {
    if (!taken.check_ids.emplace(role, check_id(service, check)).second) {
      return invalid(where, "checks",
                     fmt::format("another service of this role has a check \"{}\" too", check_id(service, check)));
    }
  }
  return absl::OkStatus();
}

auto service_order(const DesiredService& service) {
  return std::tie(service.placement.role, service.name, service.slice);
}

}  // namespace

std::string service_id(const DesiredService& service) {
  if (service.slice == Slice::kNone) return service.name;
  return fmt::format("{}-{}", service.name, to_string(service.slice));
}

absl::Status validate(const DesiredState& desired) {
  Taken taken;
  for (const DesiredService& service : desired.services) {
    CVG_RETURN_IF_ERROR(check_service(service));
    CVG_RETURN_IF_ERROR(check_apart(service, taken));
  }
  std::set<EntryId> keys;
  for (const ConfigEntry& entry : desired.entries) {
    const std::string where = fmt::format("desired entry {}/{}", entry.kind, entry.name);
    CVG_RETURN_IF_ERROR(check_name(where, "Kind", entry.kind));
    CVG_RETURN_IF_ERROR(check_name(where, "Name", entry.name));
    if (!keys.insert(entry_key(entry)).second) {
      return invalid(where, "Name", "the entry is there twice; case makes no difference");
    }
  }
  return absl::OkStatus();
}

absl::StatusOr<DesiredState> normalise(DesiredState desired) {
  for (DesiredService& service : desired.services) {
    std::vector<std::string>& nodes = service.placement.nodes;
    std::ranges::sort(nodes);
    nodes.erase(std::unique(nodes.begin(), nodes.end()), nodes.end());
  }
  std::ranges::stable_sort(desired.services, [](const DesiredService& a, const DesiredService& b) {
    return service_order(a) < service_order(b);
  });
  std::ranges::stable_sort(desired.entries, {}, [](const ConfigEntry& entry) { return entry_key(entry); });
  for (std::size_t i = 1; i < desired.services.size(); ++i) {
    if (service_order(desired.services[i - 1]) == service_order(desired.services[i])) {
      return invalid(label(desired.services[i]), "name", "the service is there twice");
    }
  }
  for (std::size_t i = 1; i < desired.entries.size(); ++i) {
    const ConfigEntry& entry = desired.entries[i];
    if (entry_key(desired.entries[i - 1]) == entry_key(entry)) {
      return invalid(fmt::format("desired entry {}/{}", entry.kind, entry.name), "Name",
                     "the entry is there twice; case makes no difference");
    }
  }
  return desired;
}

}  // namespace convergence
