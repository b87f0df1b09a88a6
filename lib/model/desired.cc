#include "convergence/desired.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <map>
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

absl::Status check_meta(std::string_view where, std::string_view prefix, const Release& release) {
  if (release.meta.size() > kMaxMetaPairs) {
    return invalid(where, fmt::format("{}meta", prefix),
                   fmt::format("has {} pairs; {} is the most", release.meta.size(), kMaxMetaPairs));
  }
  for (const auto& [key, value] : release.meta) {
    const std::string field = fmt::format("{}meta[{}]", prefix, key);
    if (key.empty() || key.size() > kMaxMetaKey) {
      return invalid(where, field, fmt::format("a key has 1 to {} bytes", kMaxMetaKey));
    }
    if (value.size() > kMaxMetaValue) {
      return invalid(where, field, fmt::format("has {} bytes; {} is the most", value.size(), kMaxMetaValue));
    }
  }
  const auto version = release.meta.find("version");
  if (version != release.meta.end() && version->second != release.version) {
    return invalid(where, fmt::format("{}meta[version]", prefix),
                   fmt::format("is \"{}\", but the version is \"{}\"; leave it out", version->second, release.version));
  }
  return absl::OkStatus();
}

absl::Status check_check(std::string_view where, std::string_view field, const CheckDefinition& check) {
  if (check.name.empty()) return invalid(where, field, "has no name");
  const int kinds = int{!check.http.empty()} + int{!check.tcp.empty()} + int{!check.grpc.empty()} +
                    int{!check.args.empty()} + int{check.ttl != Duration::zero()};
  if (kinds != 1) {
    return invalid(where, field, fmt::format("has {} of http, tcp, grpc, args and ttl; one is needed", kinds));
  }
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

bool is_sha256(std::string_view text) {
  return text.size() == 64 &&
         std::ranges::all_of(text, [](char c) { return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f'); });
}

absl::Status check_package(std::string_view where, std::string_view field, const Package& package) {
  if (package.source.empty()) {
    if (package == Package()) return absl::OkStatus();
    return invalid(where, field, "has a sha256 or a size, but no source");
  }
  const bool known = std::ranges::any_of(std::array{"file:///", "http://", "https://", "s3://"},
                                         [&](std::string_view scheme) { return package.source.starts_with(scheme); });
  if (!known) {
    return invalid(where, field,
                   fmt::format("the source \"{}\" is none of file:///..., http://..., https://... and s3://bucket/key",
                               package.source));
  }
  if (!package.sha256.empty() && !is_sha256(package.sha256)) {
    return invalid(where, field, "the sha256 is not 64 digits of 0-9 and a-f");
  }
  return absl::OkStatus();
}

// Deployments and versions name folders on the nodes (W-A11).
absl::Status check_piece(std::string_view where, std::string_view field, std::string_view piece) {
  if (piece.empty()) return absl::OkStatus();
  CVG_RETURN_IF_ERROR(check_name(where, field, piece));
  if (piece == "." || piece == "..") return invalid(where, field, fmt::format("\"{}\" can be no folder's name", piece));
  return absl::OkStatus();
}

absl::Status check_environment(std::string_view where, std::string_view field,
                               const std::map<std::string, std::string>& environment) {
  for (const auto& [name, value] : environment) {
    if (name.empty() || name.find('=') != std::string::npos || name.find('\0') != std::string::npos ||
        value.find('\0') != std::string::npos) {
      return invalid(where, fmt::format("{}[{}]", field, name), "can be no environment variable");
    }
  }
  return absl::OkStatus();
}

absl::Status check_strategy(std::string_view where, const Strategy& strategy) {
  for (const auto& [name, value, least] :
       {std::tuple{"max_unavailable", strategy.max_unavailable, 1}, std::tuple{"min_healthy", strategy.min_healthy, 0},
        std::tuple{"first_wave", strategy.first_wave, 0}}) {
    if (value < least)
      return invalid(where, fmt::format("strategy.{}", name), fmt::format("{} is below {}", value, least));
  }
  for (const auto& [name, value] :
       {std::pair{"bake", strategy.bake}, std::pair{"health_deadline", strategy.health_deadline}}) {
    if (value < Duration::zero()) return invalid(where, fmt::format("strategy.{}", name), "is negative");
  }
  return absl::OkStatus();
}

// `prefix` is "" for the release wanted and "last_good." for the other.
absl::Status check_release(const DesiredService& service, const Release& release, std::string_view prefix) {
  const std::string where = label(service);
  auto field = [&](std::string_view name) { return fmt::format("{}{}", prefix, name); };
  if (release.version.size() > kMaxMetaValue) {
    return invalid(where, field("version"),
                   fmt::format("has {} bytes; {} is the most", release.version.size(), kMaxMetaValue));
  }
  CVG_RETURN_IF_ERROR(check_piece(where, field("deployment"), release.deployment));
  CVG_RETURN_IF_ERROR(check_package(where, field("package"), release.package));
  if (release.port < 0 || release.port > kMaxPort) {
    return invalid(where, field("port"), fmt::format("{} is not in 0..{}", release.port, kMaxPort));
  }
  CVG_RETURN_IF_ERROR(check_meta(where, prefix, release));
  std::set<std::string> ids;
  for (std::size_t i = 0; i < release.checks.size(); ++i) {
    const std::string name = field(fmt::format("checks[{}]", i));
    CVG_RETURN_IF_ERROR(check_check(where, name, release.checks[i]));
    const std::string id = check_id(service_id(service), release.checks[i]);
    if (!ids.insert(id).second) return invalid(where, name, fmt::format("the id \"{}\" is there twice", id));
  }
  CVG_RETURN_IF_ERROR(check_environment(where, field("environment"), release.environment));
  for (const std::string& name : release.depends_on) {
    if (name == service.name) return invalid(where, field("depends_on"), "names the service itself");
  }
  if (release.deadline < Duration::zero()) return invalid(where, field("deadline"), "is negative");
  return absl::OkStatus();
}

absl::Status check_service(const DesiredService& service) {
  const std::string where = label(service);
  CVG_RETURN_IF_ERROR(check_name(where, "name", service.name));
  if (!service.id.empty()) CVG_RETURN_IF_ERROR(check_name(where, "id", service.id));
  if (!service.registered_name.empty()) {
    CVG_RETURN_IF_ERROR(check_name(where, "registered_name", service.registered_name));
  }
  CVG_RETURN_IF_ERROR(check_name(where, "placement.role", service.placement.role));
  CVG_RETURN_IF_ERROR(check_release(service, service.release, ""));
  if (service.last_good) CVG_RETURN_IF_ERROR(check_release(service, *service.last_good, "last_good."));
  return check_strategy(where, service.strategy);
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
  for (const CheckDefinition& check : service.release.checks) {
    if (!taken.check_ids.emplace(role, check_id(service_id(service), check)).second) {
      return invalid(
          where, "checks",
          fmt::format("another service of this role has a check \"{}\" too", check_id(service_id(service), check)));
    }
  }
  return absl::OkStatus();
}

auto service_order(const DesiredService& service) {
  return std::tie(service.placement.role, service.name, service.slice);
}

}  // namespace

std::string service_id(const DesiredService& service) {
  if (!service.id.empty()) return service.id;
  if (service.slice == Slice::kNone) return service.name;
  return fmt::format("{}-{}", service.name, to_string(service.slice));
}

const std::string& service_name(const DesiredService& service) {
  return service.registered_name.empty() ? service.name : service.registered_name;
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
