#include <fmt/format.h>
#include <fmt/ranges.h>

#include <cmath>
#include <string>
#include <string_view>
#include <utility>
#include <variant>

#include "convergence/chain.h"
#include "convergence/error.h"
#include "lib/base/go_text.h"
#include "lib/base/status_macros.h"
#include "lib/chain/header_modifiers.h"
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

// Envoy retries once where conditions are given and no number is.
RetryPolicy retry_policy(const RouteDestination& destination) {
  RetryPolicy out;
  out.num_retries = destination.num_retries;
  out.on_connect_failure = destination.retry_on_connect_failure;
  out.on_status_codes = destination.retry_on_status_codes;
  out.on = destination.retry_on;
  const bool conditions = out.on_connect_failure || !out.on_status_codes.empty() || !out.on.empty();
  if (out.num_retries == 0 && conditions) out.num_retries = 1;
  return out;
}

std::string retry_text(const RetryPolicy& retry, const RouteDestination& destination) {
  std::string out = fmt::format("retries: up to {}", retry.num_retries);
  if (destination.num_retries == 0) out += " (the proxy's own number, as the route gives none)";
  if (!retry.on.empty()) out += fmt::format(", on {}", fmt::join(retry.on, " "));
  if (retry.on_connect_failure) out += ", on connect failure";
  if (!retry.on_status_codes.empty()) out += fmt::format(", on status {}", fmt::join(retry.on_status_codes, " "));
  if (retry.on.empty() && !retry.on_connect_failure && retry.on_status_codes.empty()) {
    out += ", but the route names nothing to retry on, so that the proxy never does";
  }
  return out;
}

std::string headers_text(std::string_view of, const HeaderModifiers& change) {
  std::string out = fmt::format("{} headers:", of);
  for (const auto& [name, value] : change.add) out += fmt::format(" add {}: {},", name, value);
  for (const auto& [name, value] : change.set) out += fmt::format(" set {}: {},", name, value);
  for (const std::string& name : change.remove) out += fmt::format(" remove {},", name);
  out.pop_back();
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
  if (destination.idle_timeout > Duration{0}) {
    out.why.push_back("idle timeout: " + go_duration(destination.idle_timeout));
  }
  out.retry = retry_policy(destination);
  if (out.retry.num_retries > 0) out.why.push_back(retry_text(out.retry, destination));
}

// Shortest text of a percentage in hundredths: 33.3, 0.05, -1.
std::string percent(std::int32_t weight) { return fmt::format("{}", weight / 100.0); }

// One request on its way.
class Way {
 public:
  Way(const DiscoveryChain& chain, const Regexes& regexes, const HttpRequestShape& request, const CatalogState* catalog)
      : chain_(chain), regexes_(regexes), request_(request), catalog_(catalog) {}

  absl::StatusOr<RouteResult> go() {
    out_.path = request_.path;
    NodeNumber node = chain_.start_node;
    CVG_RETURN_IF_ERROR(check_node(node));
    if (const auto* router = std::get_if<RouterNode>(&chain_.nodes[node].body)) {
      CVG_ASSIGN_OR_RETURN(node, choose_route(node_name(chain_, node), *router));
    }
    const auto* splitter = std::get_if<SplitterNode>(&chain_.nodes[node].body);
    CVG_RETURN_IF_ERROR(splitter == nullptr ? add_leg(node, kWhole, nullptr)
                                            : split(node_name(chain_, node), *splitter));
    return std::move(out_);
  }

 private:
  // A chain that a host has put together itself may refer to what it does not have.
  absl::Status check_node(NodeNumber node) const {
    if (node < chain_.nodes.size()) return absl::OkStatus();
    return broken(chain_, fmt::format("node {} of {} is missing", node, chain_.nodes.size()));
  }

  absl::Status check_target(TargetNumber target, std::string_view what) const {
    if (target < chain_.targets.size()) return absl::OkStatus();
    return broken(chain_, fmt::format("{} {} of {} is missing", what, target, chain_.targets.size()));
  }

  // The node that the first matching route leads to.
  absl::StatusOr<NodeNumber> choose_route(std::string_view name, const RouterNode& router) {
    for (std::size_t i = 0; i < router.routes.size(); ++i) {
      const ChainRoute& candidate = router.routes[i];
      CVG_ASSIGN_OR_RETURN(const MatchResult match, match_route(*candidate.definition, request_, regexes_));
      if (!match.matches) {
        out_.why.push_back(fmt::format("router {}: route {} does not match: not {}", name, i, match.why));
        continue;
      }
      CVG_RETURN_IF_ERROR(check_node(candidate.next_node));
      out_.why.push_back(fmt::format("router {}: route {} matches: {}; to {}", name, i, match.why,
                                     node_key(chain_, candidate.next_node)));
      out_.route = static_cast<int>(i);
      apply_destination(*candidate.definition, out_);
      return candidate.next_node;
    }
    Json detail;
    detail.set("service", chain_.service_name);
    return make_error(
        ErrorKind::kNotFound,
        fmt::format("chain {}: no route matches {} {}; a path begins with a slash, and a compiled chain ends "
                    "with a route for all of those",
                    go_quote(chain_.service_name), request_.method, go_quote(request_.path)),
        std::move(detail));
  }

  absl::Status split(std::string_view name, const SplitterNode& splitter) {
    if (splitter.load_balancer) {
      out_.why.push_back(fmt::format("splitter {}: every leg is balanced by {}", name, splitter.load_balancer->policy));
    }
    std::int64_t total = 0;
    for (const ChainSplit& one : splitter.splits) {
      CVG_RETURN_IF_ERROR(check_node(one.next_node));
      out_.why.push_back(
          fmt::format("splitter {}: {}% to {}", name, percent(one.weight), node_key(chain_, one.next_node)));
      CVG_RETURN_IF_ERROR(add_leg(one.next_node, one.weight, one.definition ? &**one.definition : nullptr));
      if (splitter.load_balancer) out_.legs.back().load_balancer = splitter.load_balancer;
      total += out_.legs.back().proxy_weight;
    }
    if (total != kWhole) {
      out_.why.push_back(fmt::format("splitter {}: the weights that the proxy is given total {}, not 100%", name,
                                     percent(static_cast<std::int32_t>(total)) + "%"));
    }
    return absl::OkStatus();
  }

  absl::Status add_leg(NodeNumber node, std::int32_t weight, const Split* definition) {
    const auto* resolver = std::get_if<ResolverNode>(&chain_.nodes[node].body);
    if (resolver == nullptr) {
      return broken(chain_, fmt::format("node {} stands where a resolver has to", go_quote(node_name(chain_, node))));
    }
    for (TargetNumber target : resolver->failover_targets) {
      CVG_RETURN_IF_ERROR(check_target(target, "failover target"));
    }
    CVG_RETURN_IF_ERROR(check_target(resolver->target, "target"));
    RouteLeg& leg = out_.legs.emplace_back();
    leg.weight = weight;
    leg.proxy_weight = proxy_weight(weight);
    leg.target = chain_.targets[resolver->target].id;
    for (TargetNumber target : resolver->failover_targets) leg.failover_targets.push_back(chain_.targets[target].id);
    leg.connect_timeout = resolver->connect_timeout;
    leg.request_timeout = resolver->request_timeout;
    leg.load_balancer = resolver->load_balancer;
    say_resolver(*resolver, leg);
    change_headers(definition, leg);
    if (catalog_ != nullptr) look_at_instances(*resolver, leg);
    return absl::OkStatus();
  }

  void say_resolver(const ResolverNode& resolver, const RouteLeg& leg) {
    if (leg.proxy_weight != leg.weight) {
      out_.why.push_back(fmt::format("  the proxy is given {}%: a hundredth is lost where the weight is cut off",
                                     percent(leg.proxy_weight)));
    }
    std::string line = fmt::format("resolver {}: to target {}", leg.target, leg.target);
    if (!leg.failover_targets.empty()) {
      line += fmt::format(", without instances there to {}", fmt::join(leg.failover_targets, ", then "));
    }
    out_.why.push_back(std::move(line));
    if (resolver.request_timeout > Duration{0}) {
      out_.why.push_back("  timeout where the route gives none: " + go_duration(resolver.request_timeout));
    }
    if (resolver.load_balancer) out_.why.push_back("  balanced by " + resolver.load_balancer->policy);
  }

  void change_headers(const Split* definition, RouteLeg& leg) {
    static const std::optional<HeaderModifiers> kNone;
    const bool has_route = out_.destination.has_value();
    // The proxy carries out the leg's changes first, so that the route's have the last word.
    leg.request_headers = merge_headers(definition ? definition->request_headers : kNone,
                                        has_route ? out_.destination->request_headers : kNone);
    leg.response_headers = merge_headers(definition ? definition->response_headers : kNone,
                                         has_route ? out_.destination->response_headers : kNone);
    if (!says_nothing(leg.request_headers)) out_.why.push_back("  " + headers_text("request", *leg.request_headers));
    if (!says_nothing(leg.response_headers)) out_.why.push_back("  " + headers_text("response", *leg.response_headers));
  }

  // Where the leg's requests end, by the instances there are.
  void look_at_instances(const ResolverNode& resolver, RouteLeg& leg) {
    std::vector<TargetNumber> candidates = {resolver.target};
    candidates.insert(candidates.end(), resolver.failover_targets.begin(), resolver.failover_targets.end());
    for (TargetNumber target : candidates) {
      const std::string& id = chain_.targets[target].id;
      const TargetHealth health = target_health(chain_.targets[target], *catalog_);
      if (!leg.health) leg.health = health;
      if (!health.known) {
        out_.why.push_back(fmt::format("  target {}: not of this catalog; taken to be served", id));
      } else {
        out_.why.push_back(fmt::format("  target {}: {} of {} instances healthy", id, health.healthy, health.total));
      }
      if (health.known && health.healthy == 0) continue;
      leg.serving = id;
      return;
    }
    out_.why.push_back("  nobody serves this leg: the proxy answers 503");
  }

  const DiscoveryChain& chain_;
  const Regexes& regexes_;
  const HttpRequestShape& request_;
  const CatalogState* catalog_;
  RouteResult out_;
};

}  // namespace

// The server has the weight as a float32 of percent and cuts the hundredfold of it off.
std::int32_t proxy_weight(std::int32_t weight) {
  const float percents = static_cast<float>(weight) / 100.0F;
  return static_cast<std::int32_t>(percents * 100.0F);
}

absl::StatusOr<RouteResult> route(const DiscoveryChain& chain, const HttpRequestShape& request,
                                  const CatalogState* catalog) {
  const Regexes none;
  return Way(chain, none, request, catalog).go();
}

struct RouteTable::Prepared {
  DiscoveryChain chain;
  Regexes regexes;
};

RouteTable::RouteTable(DiscoveryChain chain) {
  Regexes regexes(chain);
  prepared_ = std::make_shared<const Prepared>(Prepared{std::move(chain), std::move(regexes)});
}

const DiscoveryChain& RouteTable::chain() const { return prepared_->chain; }

absl::StatusOr<RouteResult> RouteTable::route(const HttpRequestShape& request, const CatalogState* catalog) const {
  return Way(prepared_->chain, prepared_->regexes, request, catalog).go();
}

}  // namespace convergence
