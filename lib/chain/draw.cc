#include "lib/chain/draw.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <map>
#include <utility>
#include <variant>

#include "convergence/error.h"
#include "lib/model/names.h"

namespace convergence {
namespace draw_chain {
namespace {

template <typename Match>
std::string condition(const Match& match) {
  std::string sign = " ";
  std::string value;
  if (!match.exact.empty()) {
    value = "= " + match.exact;
  } else if (!match.regex.empty()) {
    value = "~ " + match.regex;
  } else if constexpr (requires { match.prefix; }) {
    if (!match.prefix.empty()) value = match.prefix + "*";
    if (!match.suffix.empty()) value = "*" + match.suffix;
  }
  return value.empty() ? match.name : match.name + sign + value;
}

std::string match_label(const Route& route) {
  if (!route.match || !route.match->http) return "any request";
  const HttpMatch& http = *route.match->http;
  std::vector<std::string> parts;
  if (!http.path_exact.empty()) parts.push_back("path = " + http.path_exact);
  if (!http.path_prefix.empty()) parts.push_back("path " + http.path_prefix + "*");
  if (!http.path_regex.empty()) parts.push_back("path ~ " + http.path_regex);
  for (const std::string& method : http.methods) parts.push_back(method);
  for (const HeaderMatch& header : http.header) {
    parts.push_back(fmt::format("header {}{}", header.invert ? "not " : "", condition(header)));
  }
  for (const QueryMatch& query : http.query_param) parts.push_back("query " + condition(query));
  return parts.empty() ? "any request" : fmt::format("{}", fmt::join(parts, " "));
}

std::string retry_label(const Route& route) {
  if (!route.destination || route.destination->num_retries == 0) return "no retries";
  std::string codes;
  for (std::uint32_t code : route.destination->retry_on_status_codes) codes += fmt::format(" {}", code);
  return fmt::format("{} retries{}", route.destination->num_retries, codes.empty() ? "" : " on" + codes);
}

// Puts a box for every node and target that the start node leads to.
class Boxes {
 public:
  Boxes(const DiscoveryChain& chain, const HealthMap& health)
      : chain_(chain), health_(health), by_node_(chain.nodes.size(), kNone), by_target_(chain.targets.size(), kNone) {}

  std::vector<Box> run() {
    node(chain_.start_node);
    place_columns();
    return std::move(boxes_);
  }

 private:
  static constexpr std::size_t kNone = ~std::size_t{0};

  std::size_t node(NodeNumber place) {
    if (place >= chain_.nodes.size()) return add("(missing)");
    const ChainNode& there = chain_.nodes[place];
    if (const auto* resolver = std::get_if<ResolverNode>(&there.body)) return resolved(*resolver);
    if (by_node_[place] != kNone) return by_node_[place];
    const std::size_t number = by_node_[place] = add(there.name);
    std::vector<Way> ways;
    if (const auto* router = std::get_if<RouterNode>(&there.body)) {
      boxes_[number].kind = Box::Kind::kRouter;
      for (const ChainRoute& route : router->routes) {
        ways.push_back({route_label(*route.definition), node(route.next_node)});
      }
    } else if (const auto* splitter = std::get_if<SplitterNode>(&there.body)) {
      boxes_[number].kind = Box::Kind::kSplitter;
      for (const ChainSplit& split : splitter->splits) {
        ways.push_back({weight_label(split.weight), node(split.next_node), false, split.weight == 0});
      }
    }
    boxes_[number].ways = std::move(ways);
    return number;
  }

  std::size_t resolved(const ResolverNode& resolver) {
    const bool is_new = resolver.target >= by_target_.size() || by_target_[resolver.target] == kNone;
    const std::size_t number = target(resolver.target);
    if (!is_new) return number;
    std::vector<Way> ways;
    for (TargetNumber other : resolver.failover_targets) ways.push_back({"failover", target(other), true});
    boxes_[number].ways = std::move(ways);
    return number;
  }

  std::size_t target(TargetNumber place) {
    if (place >= chain_.targets.size()) return add("(missing)");
    if (by_target_[place] != kNone) return by_target_[place];
    const ChainTarget& there = chain_.targets[place];
    const std::size_t number = by_target_[place] = add(there.id);
    boxes_[number].notes = target_notes(chain_, there, health_);
    const auto health = health_.find(there.id);
    boxes_[number].in_trouble = health != health_.end() && health->second.known && health->second.healthy == 0;
    return number;
  }

  std::size_t add(const std::string& title) {
    boxes_.push_back({Box::Kind::kTarget, title});
    return boxes_.size() - 1;
  }

  // Failover may lead in circles, so only the other ways push boxes to the right.
  void place_columns() {
    for (bool moved = true; moved;) {
      moved = false;
      for (const Box& box : boxes_) {
        for (const Way& way : box.ways) {
          if (way.failover || boxes_[way.to].column > box.column) continue;
          boxes_[way.to].column = box.column + 1;
          moved = true;
        }
      }
    }
    std::vector<bool> led_to(boxes_.size(), false);
    for (const Box& box : boxes_) {
      for (const Way& way : box.ways) led_to[way.to] = led_to[way.to] || !way.failover;
    }
    for (const Box& box : boxes_) {
      for (const Way& way : box.ways) {
        if (way.failover && !led_to[way.to] && way.to != 0) {
          boxes_[way.to].column = std::max(boxes_[way.to].column, box.column + 1);
        }
      }
    }
  }

  const DiscoveryChain& chain_;
  const HealthMap& health_;
  std::vector<std::size_t> by_node_;  // the box of each, once there is one
  std::vector<std::size_t> by_target_;
  std::vector<Box> boxes_;
};

// Draws the nodes below the start node, each once a way that leads to it.
class Tree {
 public:
  Tree(const DiscoveryChain& chain, const HealthMap& health) : chain_(chain), health_(health) {}

  std::string draw() {
    text_ = fmt::format("{} ({})\n", chain_.service_name, chain_.protocol);
    draw_node(chain_.start_node, "");
    return text_;
  }

 private:
  void line(const std::string& indent, bool last, const std::string& text) {
    text_ += fmt::format("{}{} {}\n", indent, last ? "└─" : "├─", text);
  }

  void draw_node(NodeNumber place, const std::string& indent) {
    if (place >= chain_.nodes.size()) return line(indent, true, "(missing)");
    const ChainNode& node = chain_.nodes[place];
    if (const auto* router = std::get_if<RouterNode>(&node.body)) {
      for (std::size_t i = 0; i < router->routes.size(); ++i) {
        const bool last = i + 1 == router->routes.size();
        line(indent, last, route_label(*router->routes[i].definition));
        draw_node(router->routes[i].next_node, indent + (last ? "   " : "│  "));
      }
    } else if (const auto* splitter = std::get_if<SplitterNode>(&node.body)) {
      for (std::size_t i = 0; i < splitter->splits.size(); ++i) {
        const bool last = i + 1 == splitter->splits.size();
        line(indent, last, weight_label(splitter->splits[i].weight));
        draw_node(splitter->splits[i].next_node, indent + (last ? "   " : "│  "));
      }
    } else if (const auto* resolver = std::get_if<ResolverNode>(&node.body)) {
      draw_target(resolver->target, "", indent, resolver->failover_targets.empty());
      for (std::size_t i = 0; i < resolver->failover_targets.size(); ++i) {
        draw_target(resolver->failover_targets[i], "failover: ", indent, i + 1 == resolver->failover_targets.size());
      }
    }
  }

  void draw_target(TargetNumber place, const std::string& lead, const std::string& indent, bool last) {
    if (place >= chain_.targets.size()) return line(indent, last, lead + "(missing)");
    const ChainTarget& target = chain_.targets[place];
    std::string text = lead + target.id;
    for (const std::string& note : target_notes(chain_, target, health_)) text += "  " + note;
    line(indent, last, text);
  }

  const DiscoveryChain& chain_;
  const HealthMap& health_;
  std::string text_;
};

}  // namespace

std::string route_label(const Route& route) { return fmt::format("{}, {}", match_label(route), retry_label(route)); }

std::string weight_label(std::int32_t weight) { return fmt::format("{:g} %", weight / 100.0); }

std::vector<std::string> target_notes(const DiscoveryChain& chain, const ChainTarget& target, const HealthMap& health) {
  std::vector<std::string> out;
  if (!target.subset->filter.empty()) out.push_back(fmt::format("[{}]", target.subset->filter));
  if (!target.external_sni.empty()) out.push_back(fmt::format("external: {}", target.external_sni));
  if (!target.peer.empty()) out.push_back(fmt::format("peer {}", target.peer));
  if (target.peer.empty() && target.datacenter != chain.datacenter) {
    out.push_back(fmt::format("datacenter {}", target.datacenter));
  }
  const auto counted = health.find(target.id);
  if (counted != health.end() && counted->second.known) {
    out.push_back(fmt::format("{} of {} healthy", counted->second.healthy, counted->second.total));
  }
  return out;
}

std::vector<Box> boxes(const DiscoveryChain& chain, const HealthMap& health) { return Boxes(chain, health).run(); }

std::string tree(const DiscoveryChain& chain, const HealthMap& health) { return Tree(chain, health).draw(); }

}  // namespace draw_chain

absl::StatusOr<Drawing> drawing_from(std::string_view name) {
  if (const auto drawing = parse_name<Drawing>(name)) return *drawing;
  return make_error(ErrorKind::kUsage, fmt::format("\"{}\" is no drawing: {}", name, all_names<Drawing>()));
}

std::string draw(const DiscoveryChain& chain, Drawing drawing, const std::map<std::string, TargetHealth>& health) {
  if (drawing == Drawing::kTree) return draw_chain::tree(chain, health);
  const std::vector<draw_chain::Box> boxes = draw_chain::boxes(chain, health);
  if (drawing == Drawing::kDot) return draw_chain::dot(boxes);
  if (drawing == Drawing::kMermaid) return draw_chain::mermaid(boxes);
  return draw_chain::svg(boxes, fmt::format("{} ({})", chain.service_name, chain.protocol));
}

}  // namespace convergence
