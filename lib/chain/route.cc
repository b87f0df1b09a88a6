#include <fmt/format.h>
#include <fmt/ranges.h>

#include <string>
#include <string_view>
#include <utility>
#include <variant>

#include "convergence/chain.h"
#include "convergence/error.h"
#include "lib/base/go_text.h"
#include "lib/base/status_macros.h"
#include "lib/chain/match.h"

namespace convergence {
namespace {

constexpr std::int32_t kWhole = 10000;  // hundredths of a percent

absl::Status broken(const DiscoveryChain& chain, std::string_view problem) {
  Json detail;
  detail.set("service", chain.service_name);
  return make_error(ErrorKind::kGraph,
                    fmt::format("chain {}: {}; compile it again", go_quote(chain.service_name), problem),
                    std::move(detail));
}

absl::StatusOr<const ChainNode*> find_node(const DiscoveryChain& chain, const std::string& key) {
  const auto found = chain.nodes.find(key);
  if (found == chain.nodes.end()) return broken(chain, fmt::format("node {} is missing", go_quote(key)));
  return &found->second;
}

// Envoy retries once where conditions are given and no number is.
RetryPolicy retry_policy(const RouteDestination& destination) {
  RetryPolicy out;
  out.num_retries = destination.num_retries;
  out.on_connect_failure = destination.retry_on_connect_failure;
  out.on_status_codes = destination.retry_on_status_codes;
  if (out.num_retries == 0 && (out.on_connect_failure || !out.on_status_codes.empty())) out.num_retries = 1;
  return out;
}

std::string retry_text(const RetryPolicy& retry, const RouteDestination& destination) {
  std::string out = fmt::format("retries: up to {}", retry.num_retries);
  if (destination.num_retries == 0) out += " (the proxy's own number, as the route gives none)";
  if (retry.on_connect_failure) out += ", on connect failure";
  if (!retry.on_status_codes.empty()) out += fmt::format(", on status {}", fmt::join(retry.on_status_codes, " "));
  return out;
}

std::string rewritten_path(const Route& route, const std::string& path) {
  const std::string& rewrite = route.destination->prefix_rewrite;
  const HttpMatch* match = route.match && route.match->http ? &*route.match->http : nullptr;
  if (match == nullptr) return path;
  if (!match->path_exact.empty()) return rewrite;
  return rewrite + path.substr(match->path_prefix.size());
}

// Takes over what the chosen route says about the request.
void apply_destination(const Route& route, RouteResult& out) {
  out.destination = route.destination;
  if (!route.destination) return;
  const RouteDestination& destination = *route.destination;
  if (!destination.prefix_rewrite.empty()) {
    std::string path = rewritten_path(route, out.path);
    out.why.push_back(fmt::format("rewrite: path {} becomes {}", go_quote(out.path), go_quote(path)));
    out.path = std::move(path);
  }
  if (destination.request_timeout > Duration{0}) {
    out.why.push_back("timeout: " + go_duration(destination.request_timeout));
  }
  out.retry = retry_policy(destination);
  if (out.retry.num_retries > 0) out.why.push_back(retry_text(out.retry, destination));
}

// The node that the first matching route leads to.
absl::StatusOr<const ChainNode*> choose_route(const DiscoveryChain& chain, const ChainNode& node,
                                              const RouterNode& router, const HttpRequestShape& request,
                                              RouteResult& out) {
  for (std::size_t i = 0; i < router.routes.size(); ++i) {
    const ChainRoute& candidate = router.routes[i];
    CVG_ASSIGN_OR_RETURN(const MatchResult match, match_route(*candidate.definition, request));
    if (!match.matches) {
      out.why.push_back(fmt::format("router {}: route {} does not match: not {}", node.name, i, match.why));
      continue;
    }
    out.why.push_back(
        fmt::format("router {}: route {} matches: {}; to {}", node.name, i, match.why, candidate.next_node));
    out.route = static_cast<int>(i);
    apply_destination(*candidate.definition, out);
    return find_node(chain, candidate.next_node);
  }
  Json detail;
  detail.set("service", chain.service_name);
  return make_error(
      ErrorKind::kNotFound,
      fmt::format("chain {}: no route matches {} {}; a path begins with a slash, and a compiled chain ends "
                  "with a route for all of those",
                  go_quote(chain.service_name), request.method, go_quote(request.path)),
      std::move(detail));
}

absl::Status add_leg(const DiscoveryChain& chain, const ChainNode& node, std::int32_t weight, RouteResult& out) {
  const auto* resolver = std::get_if<ResolverNode>(&node.body);
  if (resolver == nullptr) {
    return broken(chain, fmt::format("node {} stands where a resolver has to", go_quote(node.name)));
  }
  for (const std::string& failover : resolver->failover_targets) {
    if (!chain.targets.contains(failover)) {
      return broken(chain, fmt::format("failover target {} is missing", go_quote(failover)));
    }
  }
  if (!chain.targets.contains(resolver->target)) {
    return broken(chain, fmt::format("target {} is missing", go_quote(resolver->target)));
  }
  std::string line = fmt::format("resolver {}: to target {}", node.name, resolver->target);
  if (!resolver->failover_targets.empty()) {
    line += fmt::format(", without instances there to {}", fmt::join(resolver->failover_targets, ", then "));
  }
  out.why.push_back(std::move(line));
  out.legs.push_back({weight, resolver->target, resolver->failover_targets, resolver->connect_timeout});
  return absl::OkStatus();
}

// Shortest text of a percentage in hundredths: 33.3, 0.05, -1.
std::string percent(std::int32_t weight) { return fmt::format("{}", weight / 100.0); }

}  // namespace

absl::StatusOr<RouteResult> route(const DiscoveryChain& chain, const HttpRequestShape& request) {
  RouteResult out;
  out.path = request.path;
  CVG_ASSIGN_OR_RETURN(const ChainNode* node, find_node(chain, chain.start_node));
  if (const auto* router = std::get_if<RouterNode>(&node->body)) {
    CVG_ASSIGN_OR_RETURN(node, choose_route(chain, *node, *router, request, out));
  }
  const auto* splitter = std::get_if<SplitterNode>(&node->body);
  if (splitter == nullptr) {
    CVG_RETURN_IF_ERROR(add_leg(chain, *node, kWhole, out));
    return out;
  }
  for (const ChainSplit& split : splitter->splits) {
    out.why.push_back(fmt::format("splitter {}: {}% to {}", node->name, percent(split.weight), split.next_node));
    CVG_ASSIGN_OR_RETURN(const ChainNode* leg, find_node(chain, split.next_node));
    CVG_RETURN_IF_ERROR(add_leg(chain, *leg, split.weight, out));
  }
  return out;
}

}  // namespace convergence
