#include "lib/plan/difference.h"

#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <string_view>
#include <variant>
#include <vector>

namespace convergence::plan {
namespace {

using Words = std::vector<std::string>;

std::string or_nothing(const std::string& text) { return text.empty() ? "nothing" : text; }

// "v1 90%, api.v2 10%"
std::string legs_text(const ServiceSplitter& splitter) {
  Words legs;
  for (const Split& split : splitter.splits) {
    Words name;
    if (!split.service.empty()) name.push_back(split.service);
    if (!split.service_subset.empty()) name.push_back(split.service_subset);
    if (name.empty()) name.emplace_back("itself");
    legs.push_back(fmt::format("{} {}%", fmt::join(name, "."), split.weight / 100.0));
  }
  return fmt::format("{}", fmt::join(legs, ", "));
}

template <typename T>
void add_if_other(Words& words, const T& a, const T& b, std::string_view name) {
  if (!(a == b)) words.emplace_back(name);
}

void compare(Words& words, const ServiceDefaults& a, const ServiceDefaults& b) {
  if (a.protocol != b.protocol) {
    words.push_back(fmt::format("Protocol {} -> {}", or_nothing(a.protocol), or_nothing(b.protocol)));
  }
  add_if_other(words, a.mesh_gateway_mode, b.mesh_gateway_mode, "MeshGateway");
  add_if_other(words, a.expose, b.expose, "Expose");
  add_if_other(words, a.external_sni, b.external_sni, "ExternalSNI");
  add_if_other(words, a.unknown, b.unknown, "other fields");
}

void compare(Words& words, const ProxyDefaults& a, const ProxyDefaults& b) {
  add_if_other(words, a.config, b.config, "Config");
  add_if_other(words, a.mesh_gateway_mode, b.mesh_gateway_mode, "MeshGateway");
  add_if_other(words, a.expose, b.expose, "Expose");
  add_if_other(words, a.unknown, b.unknown, "other fields");
}

void compare(Words& words, const ServiceRouter& a, const ServiceRouter& b) {
  if (!(a.routes == b.routes)) {
    words.push_back(fmt::format("Routes ({} -> {})", a.routes.size(), b.routes.size()));
  }
  add_if_other(words, a.unknown, b.unknown, "other fields");
}

void compare(Words& words, const ServiceSplitter& a, const ServiceSplitter& b) {
  if (!(a.splits == b.splits)) words.push_back(fmt::format("{} -> {}", legs_text(a), legs_text(b)));
  add_if_other(words, a.unknown, b.unknown, "other fields");
}

std::string subset_names(const ServiceResolver& resolver) {
  Words names;
  for (const auto& [name, subset] : resolver.subsets) names.push_back(name);
  return names.empty() ? "none" : fmt::format("{}", fmt::join(names, ", "));
}

void compare(Words& words, const ServiceResolver& a, const ServiceResolver& b) {
  if (a.default_subset != b.default_subset) {
    words.push_back(fmt::format("DefaultSubset {} -> {}", or_nothing(a.default_subset), or_nothing(b.default_subset)));
  }
  if (!(a.subsets == b.subsets)) {
    const std::string before = subset_names(a);
    const std::string after = subset_names(b);
    words.push_back(before == after ? fmt::format("Subsets (filters of {})", after)
                                    : fmt::format("Subsets {} -> {}", before, after));
  }
  add_if_other(words, a.redirect, b.redirect, "Redirect");
  add_if_other(words, a.failover, b.failover, "Failover");
  add_if_other(words, a.connect_timeout, b.connect_timeout, "ConnectTimeout");
  add_if_other(words, a.unknown, b.unknown, "other fields");
}

void compare(Words& words, const OpaqueEntry& a, const OpaqueEntry& b) {
  add_if_other(words, Json(a.members), Json(b.members), "content");
}

std::string list_text(const Words& words) { return words.empty() ? "none" : fmt::format("{}", fmt::join(words, " ")); }

std::string joined(const Words& words) { return fmt::format("{}", fmt::join(words, "; ")); }

}  // namespace

std::string difference(const ConfigEntry& now, const ConfigEntry& wanted) {
  Words words;
  std::visit(
      [&](const auto& a) {
        using Body = std::decay_t<decltype(a)>;
        if (const Body* b = std::get_if<Body>(&wanted.body)) compare(words, a, *b);
      },
      now.body);
  for (const auto& [key, value] : wanted.meta) {
    auto found = now.meta.find(key);
    if (key == kMarkKey || (found != now.meta.end() && found->second == value)) continue;
    words.push_back(fmt::format("Meta {}", key));
  }
  return joined(words);
}

std::string difference(const ServiceRegistration& now, const ServiceRegistration& wanted) {
  const ServiceInstance& a = now.instance;
  const ServiceInstance& b = wanted.instance;
  Words words;
  if (a.service != b.service) words.push_back(fmt::format("service {} -> {}", a.service, b.service));
  if (a.port != b.port) words.push_back(fmt::format("port {} -> {}", a.port, b.port));
  if (a.tags != b.tags) words.push_back(fmt::format("tags {} -> {}", list_text(a.tags), list_text(b.tags)));
  std::map<std::string, bool> keys;  // of both, whether they differ
  for (const auto& [key, value] : a.meta) keys[key] = true;
  for (const auto& [key, value] : b.meta) {
    auto found = a.meta.find(key);
    keys[key] = found == a.meta.end() || found->second != value;
  }
  for (const auto& [key, differs] : keys) {
    if (differs) words.push_back(fmt::format("meta {}", key));
  }
  for (const HealthCheck& check : wanted.checks) {
    auto found = std::ranges::find(now.checks, check.id, &HealthCheck::id);
    if (found == now.checks.end() || found->name != check.name || !(found->definition == check.definition) ||
        found->notes != check.notes) {
      words.push_back(fmt::format("check {}", check.id));
    }
  }
  for (const std::string& id : wanted.remove_checks) words.push_back(fmt::format("check {} not wanted", id));
  return joined(words);
}

}  // namespace convergence::plan
