#include <fmt/format.h>

#include <algorithm>
#include <string>
#include <utility>
#include <vector>

#include "convergence/deployment.h"
#include "convergence/error.h"
#include "convergence/filter.h"
#include "convergence/slices.h"
#include "lib/base/status_macros.h"
#include "lib/plan/services.h"
#include "lib/plan/slices.h"
#include "lib/plan/traffic.h"

namespace convergence {
namespace {

// What selects the instances of the service that its chain leads traffic to.
absl::StatusOr<std::vector<Filter>> selections(std::string_view service, const CatalogState& catalog) {
  ChainRequest request;
  request.service = service;
  if (!catalog.datacenter.empty()) request.cluster.datacenter = catalog.datacenter;
  CVG_ASSIGN_OR_RETURN(const DiscoveryChain chain, compile_chain(catalog.entries, request));
  std::vector<Filter> filters;
  for (const ChainTarget* target : plan::active_targets(chain)) {
    if (entry_key("", target->service) != entry_key("", service)) continue;
    absl::StatusOr<Filter> filter = Filter::parse(target->subset->filter);
    if (filter.ok()) filters.push_back(*std::move(filter));  // one that cannot be read selects none, as on the server
  }
  return filters;
}

UpstreamHost host_of(const ServiceInstance& instance, const NodeState& node) {
  UpstreamHost host;
  host.node = instance.node;
  host.service_id = instance.id;
  host.address = instance.address.empty() ? node.node.address : instance.address;
  host.port = instance.port;
  const auto slice = instance.meta.find(std::string(kMetaSlice));
  host.slice = slice == instance.meta.end() ? Slice::kNone : plan::slice_named(slice->second);
  host.version = plan::version_in(instance);
  return host;
}

}  // namespace

absl::StatusOr<Upstream> upstream_of(std::string_view service, const CatalogState& catalog) {
  const auto there = catalog.services.find(std::string(service));
  if (there == catalog.services.end()) {
    return make_error(ErrorKind::kNotFound, fmt::format("{}: the catalog has no such service", service));
  }
  CVG_ASSIGN_OR_RETURN(const std::vector<Filter> filters, selections(service, catalog));
  Upstream out;
  out.service = service;
  out.configured = live_slice(service, catalog.entries);
  for (const InstanceState& state : there->second->instances) {
    const auto found = catalog.nodes.find(state.instance.node);
    const NodeState& node = found == catalog.nodes.end() ? NodeState() : *found->second;
    UpstreamHost& host = out.hosts.emplace_back(host_of(state.instance, node));
    host.status = worst_status(state.checks, node.checks);
    host.up = host.status == CheckStatus::kPassing && std::ranges::any_of(filters, [&](const Filter& filter) {
                const absl::StatusOr<bool> selected = filter.matches(state, node);
                return selected.ok() && *selected;
              });
    if (host.up && std::ranges::find(out.active, host.slice) == out.active.end()) out.active.push_back(host.slice);
  }
  std::ranges::sort(out.active);
  return out;
}

}  // namespace convergence
