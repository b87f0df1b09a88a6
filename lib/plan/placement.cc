#include "lib/plan/placement.h"

#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <string>
#include <utility>
#include <vector>

#include "convergence/deployment.h"
#include "convergence/error.h"

namespace convergence::plan {
namespace {

Json object(const std::map<std::string, std::string>& map) {
  Json::Object members;
  for (const auto& [key, value] : map) members.push_back({key, value});
  return Json(std::move(members));
}

// As /v1/catalog/nodes has it, with what a filter can ask about.
Json row(const Node& node) {
  Json json;
  json.set("ID", node.id)
      .set("Node", node.name)
      .set("Address", node.address)
      .set("Datacenter", node.datacenter)
      .set("TaggedAddresses", object(node.tagged_addresses))
      .set("Meta", object(node.meta));
  return json;
}

}  // namespace

absl::StatusOr<NodeSelector> NodeSelector::make(const DesiredService& service) {
  NodeSelector selector(service.placement);
  absl::StatusOr<Filter> filter = Filter::parse(service.placement.filter, RowKind::kNode);
  const absl::Status status = filter.ok() ? filter->check() : filter.status();
  if (!status.ok()) {
    return make_error(error_kind(status),
                      fmt::format("desired service {}/{}/{}: placement.filter: {}", service.placement.role,
                                  service.name, to_string(service.slice), std::string(status.message())),
                      error_detail(status));
  }
  selector.filter_ = *std::move(filter);
  return selector;
}

bool NodeSelector::selects(const Node& node) const {
  auto has = [&](const std::string& key, const std::string& value) {
    auto found = node.meta.find(key);
    return found != node.meta.end() && found->second == value;
  };
  if (!has(std::string(kMetaRole), placement_->role)) return false;
  for (const auto& [key, value] : placement_->node_meta) {
    if (!has(key, value)) return false;
  }
  const std::vector<std::string>& nodes = placement_->nodes;
  if (!nodes.empty() && std::find(nodes.begin(), nodes.end(), node.name) == nodes.end()) return false;
  return placement_->filter.empty() || filter_.matches(row(node)).value_or(false);
}

std::string NodeSelector::text() const {
  std::string where = fmt::format("role {}", placement_->role);
  for (const auto& [key, value] : placement_->node_meta) where += fmt::format(", {} {}", key, value);
  if (!placement_->nodes.empty()) where += fmt::format(", one of {}", fmt::join(placement_->nodes, " "));
  if (!placement_->filter.empty()) where += fmt::format(", {}", placement_->filter);
  return where;
}

}  // namespace convergence::plan
