#include <fmt/format.h>

#include <map>
#include <set>
#include <string>
#include <utility>

#include "command.h"
#include "convergence/chain.h"
#include "convergence/codec.h"
#include "convergence/error.h"
#include "convergence/filter.h"
#include "documents.h"

namespace cli {

using namespace convergence;  // NOLINT: a program's own source

namespace {

struct Health {
  int passing = 0;
  int total = 0;
};
using HealthByTarget = std::map<std::string, Health>;

// Draws the nodes below the start node, each once a way that leads to it.
class Tree {
 public:
  Tree(const DiscoveryChain& chain, const HealthByTarget& health) : chain_(chain), health_(health) {}

  std::string draw() {
    text_ = fmt::format("{} ({})\n", chain_.service_name, chain_.protocol);
    draw_node(chain_.start_node, "");
    return text_;
  }

 private:
  static std::string match_text(const Route& route) {
    if (!route.match || !route.match->http) return "any request";
    const HttpMatch& http = *route.match->http;
    std::string text;
    if (!http.path_exact.empty()) text += " path = " + http.path_exact;
    if (!http.path_prefix.empty()) text += " path " + http.path_prefix + "*";
    if (!http.path_regex.empty()) text += " path ~ " + http.path_regex;
    for (const std::string& method : http.methods) text += " " + method;
    for (const HeaderMatch& header : http.header) text += fmt::format(" header {}", header.name);
    for (const QueryMatch& query : http.query_param) text += fmt::format(" query {}", query.name);
    return text.empty() ? "any request" : text.substr(1);
  }

  static std::string retry_text(const Route& route) {
    if (!route.destination || route.destination->num_retries == 0) return "no retries";
    std::string codes;
    for (std::uint32_t code : route.destination->retry_on_status_codes) codes += fmt::format(" {}", code);
    return fmt::format("{} retries{}", route.destination->num_retries, codes.empty() ? "" : " on" + codes);
  }

  void line(const std::string& indent, bool last, const std::string& text) {
    text_ += fmt::format("{}{} {}\n", indent, last ? "└─" : "├─", text);
  }

  void draw_node(const std::string& name, const std::string& indent) {
    auto found = chain_.nodes.find(name);
    if (found == chain_.nodes.end()) return line(indent, true, name + " (missing)");
    if (const auto* router = std::get_if<RouterNode>(&found->second.body)) {
      for (std::size_t i = 0; i < router->routes.size(); ++i) {
        const ChainRoute& route = router->routes[i];
        const bool last = i + 1 == router->routes.size();
        line(indent, last, fmt::format("{}, {}", match_text(*route.definition), retry_text(*route.definition)));
        draw_node(route.next_node, indent + (last ? "   " : "│  "));
      }
    } else if (const auto* splitter = std::get_if<SplitterNode>(&found->second.body)) {
      for (std::size_t i = 0; i < splitter->splits.size(); ++i) {
        const ChainSplit& split = splitter->splits[i];
        const bool last = i + 1 == splitter->splits.size();
        line(indent, last, fmt::format("{:g} %", split.weight / 100.0));
        draw_node(split.next_node, indent + (last ? "   " : "│  "));
      }
    } else if (const auto* resolver = std::get_if<ResolverNode>(&found->second.body)) {
      draw_target(resolver->target, "", indent, resolver->failover_targets.empty());
      for (std::size_t i = 0; i < resolver->failover_targets.size(); ++i) {
        draw_target(resolver->failover_targets[i], "failover: ", indent, i + 1 == resolver->failover_targets.size());
      }
    }
  }

  void draw_target(const std::string& id, const std::string& lead, const std::string& indent, bool last) {
    std::string text = lead + id;
    auto target = chain_.targets.find(id);
    if (target != chain_.targets.end() && !target->second.subset.filter.empty()) {
      text += fmt::format("  [{}]", target->second.subset.filter);
    }
    auto health = health_.find(id);
    if (health != health_.end()) {
      text += fmt::format("  {} of {} passing", health->second.passing, health->second.total);
    }
    line(indent, last, text);
  }

  const DiscoveryChain& chain_;
  const HealthByTarget& health_;
  std::string text_;
};

absl::StatusOr<DiscoveryChain> chain_from_files(const std::string& service, const std::vector<std::string>& files,
                                                const Arguments& arguments) {
  absl::StatusOr<DesiredState> desired = read_desired_files(files);
  if (!desired.ok()) return desired.status();
  ClusterIdentity cluster;
  if (arguments.has("datacenter")) cluster.datacenter = arguments.get("datacenter");
  EntryMap entries;
  for (const ConfigEntry& entry : desired->entries) {
    absl::StatusOr<ConfigEntry> normal = normalise_entry(entry, cluster.dialect);
    if (!normal.ok()) return normal.status();
    const EntryId key = entry_key(*normal);
    entries.emplace(key, *std::move(normal));
  }
  ChainRequest request;
  request.service = service;
  request.cluster = cluster;
  return compile_chain(entries, request);
}

// Counts the instances behind each target of this datacenter.
absl::StatusOr<HealthByTarget> health_of(const DiscoveryChain& chain, Session& session) {
  HealthByTarget health;
  std::map<std::string, std::vector<HealthRow>> rows_of;
  for (const auto& item : chain.targets) {
    const std::string& id = item.first;
    const ChainTarget& target = item.second;
    if (target.datacenter != chain.datacenter) continue;
    auto known = rows_of.find(target.service);
    if (known == rows_of.end()) {
      auto rows = await<Answer<std::vector<HealthRow>>>(*session.executor, [&](auto done) {
        session.client->health_service(target.service, session.read, std::move(done));
      });
      if (!rows.ok()) return rows.status();
      known = rows_of.emplace(target.service, std::move(rows->value)).first;
    }
    absl::StatusOr<Filter> filter = Filter::parse(target.subset.filter);
    if (!filter.ok()) return filter.status();
    for (const HealthRow& row : known->second) {
      absl::StatusOr<bool> matches = filter->matches({row.instance, row.checks}, {row.node, {}});
      if (!matches.ok()) return matches.status();
      if (!*matches) continue;
      health[id].total += 1;
      health[id].passing += worst_status(row.checks, {}) == CheckStatus::kPassing ? 1 : 0;
    }
    health[id].total += 0;  // a target without an instance is worth a line too
  }
  return health;
}

Json health_json(const HealthByTarget& health) {
  Json::Object object;
  for (const auto& [id, count] : health) {
    object.push_back({id, Json().set("passing", count.passing).set("total", count.total)});
  }
  return object;
}

}  // namespace

int run_chain(const Arguments& arguments, Output& output) {
  if (arguments.words.empty()) {
    return output.fail(absl::InvalidArgumentError("chain: name the service; see --help"), kBadInput);
  }
  const std::string& service = arguments.words[0];
  const std::vector<std::string> files(arguments.words.begin() + 1, arguments.words.end());
  DiscoveryChain chain;
  HealthByTarget health;
  if (!files.empty()) {
    absl::StatusOr<DiscoveryChain> compiled = chain_from_files(service, files, arguments);
    if (!compiled.ok()) return output.fail(compiled.status(), kBadInput);
    chain = *std::move(compiled);
  } else {
    absl::StatusOr<Session> session = connect(arguments);
    if (!session.ok()) return output.fail(session.status(), kBadInput);
    auto read = await<Answer<DiscoveryChain>>(*session->executor, [&](auto done) {
      session->client->discovery_chain(service, session->read, std::move(done));
    });
    if (!read.ok()) return output.fail(read.status(), kFailed);
    chain = std::move(read->value);
    absl::StatusOr<HealthByTarget> counted = health_of(chain, *session);
    if (!counted.ok()) return output.fail(counted.status(), kFailed);
    health = *std::move(counted);
  }
  Json document = Json().set("Chain", to_json(chain)).set("health", health_json(health));
  std::string text = Tree(chain, health).draw();
  if (arguments.has("path")) {
    absl::StatusOr<RouteResult> routed = route(chain, {.path = arguments.get("path")});
    if (!routed.ok()) return output.fail(routed.status(), kFailed);
    document.set("route", to_json(*routed));
    text += fmt::format("\n{} goes:\n", arguments.get("path"));
    for (const std::string& why : routed->why) text += "  " + why + "\n";
  }
  if (output.json()) {
    output.document(document);
  } else {
    text.pop_back();
    output.say(text);
  }
  return kDone;
}

}  // namespace cli
