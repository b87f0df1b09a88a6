// service-resolver.
#include <fmt/format.h>

#include <algorithm>
#include <string>
#include <string_view>
#include <vector>

#include "convergence/filter.h"
#include "lib/base/go_text.h"
#include "lib/base/status_macros.h"
#include "lib/chain/normalise.h"

namespace convergence {
namespace {

constexpr std::size_t kSubsetNameBytes = 63;

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

absl::Status check_subsets(const ServiceResolver& body, Dialect dialect) {
  for (const auto& [name, subset] : body.subsets) {
    CVG_RETURN_IF_ERROR(check_subset_name(name));
    if (dialect == Dialect::k1_8) continue;
    const absl::Status parsed = Filter::parse(subset.filter).status();
    if (!parsed.ok()) {
      return refused(fmt::format("Filter for subset {} is not a valid expression: {}", go_quote(name),
                                 std::string(parsed.message())));
    }
  }
  if (!body.default_subset.empty() && !body.subsets.contains(body.default_subset)) {
    return refused(fmt::format("DefaultSubset {} is not a valid subset", go_quote(body.default_subset)));
  }
  return absl::OkStatus();
}

// ---- redirect ----------------------------------------------------------------------------------------------------

// What the community edition has no part in; empty where nothing of it is set.
std::string enterprise_member(std::string_view partition, std::string_view namespace_name, std::string_view group) {
  const std::string_view member = !partition.empty()        ? "Partition"
                                  : !namespace_name.empty() ? "Namespace"
                                  : !group.empty()          ? "SamenessGroup"
                                                            : "";
  return member.empty() ? "" : fmt::format("Setting {} requires Consul Enterprise", member);
}

// The first two members of later Consuls that exclude each other, as the server names them; empty where none do.
std::string excluded(const ResolverRedirect& redirect) {
  if (redirect.peer.empty()) return "";
  if (!redirect.service_subset.empty()) return "Redirect.Peer cannot be set with Redirect.ServiceSubset";
  if (!redirect.partition.empty()) return "Redirect.Partition cannot be set with Redirect.Peer";
  if (!redirect.datacenter.empty()) return "Redirect.Peer cannot be set with Redirect.Datacenter";
  return "";
}

absl::Status check_redirect_alone(const ResolverRedirect& redirect) {
  const std::pair<std::string_view, const std::string&> members[] = {{"ServiceSubset", redirect.service_subset},
                                                                     {"Namespace", redirect.namespace_name},
                                                                     {"Partition", redirect.partition},
                                                                     {"Peer", redirect.peer}};
  for (const auto& [name, value] : members) {
    if (!value.empty()) return refused(fmt::format("Redirect.{} defined without Redirect.Service", name));
  }
  return absl::OkStatus();
}

absl::Status check_redirect(const ConfigEntry& entry, const ServiceResolver& body, Dialect dialect) {
  if (!body.redirect) return absl::OkStatus();
  const ResolverRedirect& redirect = *body.redirect;
  const bool current = dialect != Dialect::k1_8;
  if (current) {
    const std::string member = enterprise_member(redirect.partition, redirect.namespace_name, redirect.sameness_group);
    if (!member.empty()) return refused("Redirect: " + member);
  }
  if (!body.failover.empty()) return refused("Redirect and Failover cannot both be set");
  if (redirect.service.empty() && redirect.service_subset.empty() && redirect.namespace_name.empty() &&
      redirect.datacenter.empty() && redirect.partition.empty() && redirect.peer.empty()) {
    return refused("Redirect is empty");
  }
  if (const std::string text = excluded(redirect); current && !text.empty()) return refused(text);
  if (redirect.service.empty()) return check_redirect_alone(redirect);
  if (redirect.service == entry.name && !redirect.service_subset.empty() &&
      !body.subsets.contains(redirect.service_subset)) {
    return refused(fmt::format("Redirect.ServiceSubset {} is not a valid subset of {}",
                               go_quote(redirect.service_subset), go_quote(redirect.service)));
  }
  return absl::OkStatus();
}

// ---- failover ----------------------------------------------------------------------------------------------------

bool is_empty(const ResolverFailover& failover) {
  return failover.service.empty() && failover.service_subset.empty() && failover.namespace_name.empty() &&
         failover.datacenters.empty() && failover.targets.empty() && failover.sameness_group.empty();
}

bool names_missing_subset(const ConfigEntry& entry, const ServiceResolver& body, const std::string& service,
                          const std::string& subset) {
  return !subset.empty() && (service.empty() || service == entry.name) && !body.subsets.contains(subset);
}

absl::Status check_datacenters(const std::string& where, const ResolverFailover& failover) {
  const auto& datacenters = failover.datacenters;
  if (std::find(datacenters.begin(), datacenters.end(), "") == datacenters.end()) return absl::OkStatus();
  return refused(where + ".Datacenters: found empty datacenter");
}

absl::Status check_failover_1_8(const ConfigEntry& entry, const ServiceResolver& body, const std::string& subset,
                                const ResolverFailover& failover) {
  const std::string where = fmt::format("Bad Failover[{}]", go_quote(subset));
  if (subset != "*" && !body.subsets.contains(subset)) return refused(where + ": not a valid subset");
  if (is_empty(failover)) {
    return refused(where + " one of Service, ServiceSubset, Namespace, or Datacenters is required");
  }
  if (names_missing_subset(entry, body, failover.service, failover.service_subset)) {
    return refused(fmt::format("{}.ServiceSubset {} is not a valid subset of {}", where,
                               go_quote(failover.service_subset), go_quote(failover.service)));
  }
  return check_datacenters(where, failover);
}

absl::Status check_target(const ConfigEntry& entry, const ServiceResolver& body, const std::string& where,
                          const FailoverTarget& target) {
  const std::string member = enterprise_member(target.partition, target.namespace_name, "");
  if (!member.empty()) return refused(where + member);
  if (!target.peer.empty() && !target.service_subset.empty()) {
    return refused(where + "Peer cannot be set with ServiceSubset");
  }
  if (!target.peer.empty() && !target.datacenter.empty()) return refused(where + "Peer cannot be set with Datacenter");
  if (names_missing_subset(entry, body, target.service, target.service_subset)) {
    return refused(fmt::format("{}ServiceSubset {} is not a valid subset of {}", where, go_quote(target.service_subset),
                               go_quote(entry.name)));
  }
  return absl::OkStatus();
}

absl::Status check_targets(const ConfigEntry& entry, const ServiceResolver& body, const std::string& where,
                           const ResolverFailover& failover) {
  if (failover.targets.empty()) return absl::OkStatus();
  const std::string_view other = !failover.datacenters.empty()      ? "Datacenters"
                                 : !failover.service_subset.empty() ? "ServiceSubset"
                                 : !failover.service.empty()        ? "Service"
                                                                    : "";
  if (!other.empty()) return refused(fmt::format("{}: Targets cannot be set with {}", where, other));
  for (std::size_t i = 0; i < failover.targets.size(); ++i) {
    CVG_RETURN_IF_ERROR(check_target(entry, body, fmt::format("{}.Targets[{}]: ", where, i), failover.targets[i]));
  }
  return absl::OkStatus();
}

absl::Status check_failover(const ConfigEntry& entry, const ServiceResolver& body, const std::string& subset,
                            const ResolverFailover& failover) {
  const std::string where = fmt::format("Bad Failover[{}]", go_quote(subset));
  const std::string member = enterprise_member("", failover.namespace_name, failover.sameness_group);
  if (!member.empty()) return refused(fmt::format("{}: {}", where, member));
  if (subset != "*" && !body.subsets.contains(subset)) return refused(where + ": not a valid subset subset");
  if (is_empty(failover)) {
    return refused(where +
                   ": one of Service, ServiceSubset, Namespace, Targets, SamenessGroup, or Datacenters is required");
  }
  if (failover.policy && !failover.policy->mode.empty()) {
    return refused(where + ": Setting failover policies requires Consul Enterprise");
  }
  if (names_missing_subset(entry, body, failover.service, failover.service_subset)) {
    return refused(fmt::format("{}: ServiceSubset {} is not a valid subset of {}", where,
                               go_quote(failover.service_subset), go_quote(failover.service)));
  }
  CVG_RETURN_IF_ERROR(check_targets(entry, body, where, failover));
  return check_datacenters(where, failover);
}

// ---- load balancer -----------------------------------------------------------------------------------------------

bool is_word(std::string_view word, std::initializer_list<std::string_view> words) {
  return std::find(words.begin(), words.end(), word) != words.end();
}

absl::Status check_hash_policy(std::size_t i, const HashPolicy& policy) {
  const auto bad = [i](const std::string& problem) {
    return refused(fmt::format("Bad LoadBalancer HashPolicy[{}]: {}", i, problem));
  };
  if (!is_word(policy.field, {"", "header", "cookie", "query_parameter"})) {
    return bad(go_quote(policy.field) + " is not a supported field");
  }
  if (policy.source_ip && !policy.field.empty()) {
    return bad("A single hash policy cannot hash both a source address and a " + go_quote(policy.field));
  }
  if (policy.source_ip && !policy.field_value.empty()) {
    return bad("A FieldValue cannot be specified when hashing SourceIP");
  }
  if (!policy.field.empty() && policy.field_value.empty()) {
    return bad(fmt::format("Field {} was specified without a FieldValue", go_quote(policy.field)));
  }
  if (policy.field.empty() && !policy.field_value.empty()) return bad("FieldValue requires a Field to apply to");
  if (!policy.cookie_config) return absl::OkStatus();
  if (policy.field != "cookie") return bad("cookie_config provided for " + go_quote(policy.field));
  if (policy.cookie_config->session && policy.cookie_config->ttl != Duration{0}) {
    return bad("a session cookie cannot have an associated TTL");
  }
  return absl::OkStatus();
}

absl::Status check_load_balancer(const LoadBalancer& balancer) {
  const std::string policy = go_quote(balancer.policy);
  if (!is_word(balancer.policy, {"", "random", "round_robin", "least_request", "ring_hash", "maglev"})) {
    return refused(fmt::format("Bad LoadBalancer policy: {} is not supported", policy));
  }
  const std::string_view misplaced = balancer.ring_hash && balancer.policy != "ring_hash" ? "RingHashConfig"
                                     : balancer.least_request && balancer.policy != "least_request"
                                         ? "LeastRequestConfig"
                                         : "";
  if (!misplaced.empty()) {
    return refused(fmt::format("Bad LoadBalancer configuration. {} specified for incompatible load balancing policy {}",
                               misplaced, policy));
  }
  if (!is_hash_based(balancer) && !balancer.hash_policies.empty()) {
    return refused("Bad LoadBalancer configuration: HashPolicies specified for non-hash-based Policy: " + policy);
  }
  for (std::size_t i = 0; i < balancer.hash_policies.size(); ++i) {
    CVG_RETURN_IF_ERROR(check_hash_policy(i, balancer.hash_policies[i]));
  }
  return absl::OkStatus();
}

absl::Status check_timeout(std::string_view name, Duration timeout) {
  if (timeout >= Duration{0}) return absl::OkStatus();
  return refused(fmt::format("Bad {} '{}', must be >= 0", name, go_duration(timeout)));
}

}  // namespace

bool is_hash_based(const LoadBalancer& balancer) { return is_word(balancer.policy, {"ring_hash", "maglev"}); }

absl::Status normalise(ConfigEntry& entry, ServiceResolver& body, Dialect dialect) {
  CVG_RETURN_IF_ERROR(check_name(entry));
  CVG_RETURN_IF_ERROR(check_meta(entry.meta));
  CVG_RETURN_IF_ERROR(check_subsets(body, dialect));
  CVG_RETURN_IF_ERROR(check_redirect(entry, body, dialect));
  const auto check = dialect == Dialect::k1_8 ? check_failover_1_8 : check_failover;
  for (const auto& [subset, failover] : body.failover) CVG_RETURN_IF_ERROR(check(entry, body, subset, failover));
  CVG_RETURN_IF_ERROR(check_timeout("ConnectTimeout", body.connect_timeout));
  CVG_RETURN_IF_ERROR(check_timeout("RequestTimeout", body.request_timeout));
  if (body.load_balancer) CVG_RETURN_IF_ERROR(check_load_balancer(*body.load_balancer));
  if (body.prioritize_by_locality && *body.prioritize_by_locality != LocalityPriority()) {
    return refused("Prioritize-by-locality requires Consul Enterprise ");
  }
  return absl::OkStatus();
}

}  // namespace convergence
