#include "convergence/fleet_view.h"

#include <doctest/doctest.h>
#include <fmt/format.h>

#include <string>
#include <vector>

namespace convergence {
namespace {

TEST_CASE("names are numbered as they come") {
  NameTable names;
  CHECK(names.intern("") == 0);
  CHECK(names.find("a") == std::nullopt);
  CHECK(names.intern("a") == 1);
  CHECK(names.intern("b") == 2);
  CHECK(names.intern("a") == 1);
  CHECK(names.find("b") == NameId{2});
  CHECK(names.find("") == NameId{0});
  CHECK(names.text(2) == "b");
  CHECK(names.text(0) == "");
  CHECK(names.size() == 3);
}

TEST_CASE("many names, and some of them forgotten") {
  NameTable names;
  const auto text_of = [](std::size_t i) { return std::string(i % 40, 'x') + fmt::format("{}", i); };
  for (std::size_t i = 1; i < 3000; ++i) CHECK(names.intern(text_of(i)) == i);
  for (std::size_t i = 1; i < 3000; ++i) CHECK(names.find(text_of(i)) == NameId(i));
  const NameTable before = [&] {
    NameTable few;
    for (std::size_t i = 1; i < 100; ++i) few.intern(text_of(i));
    return few;
  }();
  names.forget_after(100);
  CHECK(names == before);
  CHECK(names.find(text_of(99)) == NameId{99});
  CHECK(names.find(text_of(100)) == std::nullopt);
  CHECK(names.intern("new") == 100);
}

TEST_CASE("service ids that end with their node's name share what stands before it") {
  NameTable names;
  const NameId a = names.intern("node-a");
  const NameId b = names.intern("node-b");
  const ServiceIdRef on_a = intern_service_id(names, a, "api-node-a");
  CHECK(intern_service_id(names, b, "api-node-b") == on_a);
  CHECK(on_a.node_follows());
  CHECK(names.text(on_a.name()) == "api-");
  CHECK(intern_service_id(names, b, "api-node-a") != on_a);
  CHECK(intern_service_id(names, a, "api-") != on_a);
  CHECK_FALSE(intern_service_id(names, a, "node-a").node_follows());
  CHECK(find_service_id(names, a, "api-node-a") == on_a);
  CHECK(find_service_id(names, a, "web") == std::nullopt);
}

FleetRow row(std::string_view node, std::string_view id, std::string_view version) {
  FleetRow row;
  row.node = node;
  row.service = "api";
  row.service_id = id;
  row.version = version;
  row.owner = "convergence";
  row.status = CheckStatus::kWarning;
  row.modify_index = 9;
  return row;
}

TEST_CASE("rows come back as they were put in; views are equal by what they say") {
  const std::vector<FleetRow> rows = {row("a", "api-a", "1"), row("b", "api", "2"), row("b", "api-b", "")};
  FleetView view;
  FleetView other;
  other.names.intern("2");
  for (const FleetRow& one : rows) {
    add_row(view, one);
    add_row(other, one);
  }
  std::string id;
  for (std::size_t i = 0; i < rows.size(); ++i) CHECK(row_at(view, i, id) == rows[i]);
  CHECK(view == other);
  set_row(other, 1, row("b", "api", "3"));
  CHECK_FALSE(view == other);
  set_row(view, 1, row("b", "api", "3"));
  CHECK(view == other);
  resize_rows(view, 2);
  CHECK_FALSE(view == other);
}

TEST_CASE("the view of a catalog") {
  CatalogState catalog;
  NodeState node;
  node.node.name = "a";
  HealthCheck check;
  check.status = CheckStatus::kWarning;
  node.checks = {check};
  catalog.nodes["a"] = node;
  InstanceState instance;
  instance.instance.node = "a";
  instance.instance.id = "api-a";
  instance.instance.service = "api";
  instance.instance.meta = {{"version", "1"}, {"managed-by", "convergence"}, {"deployment", "d"}};
  instance.instance.modify_index = 9;
  catalog.services["api"] = ServiceState{"api", {instance}};
  FleetRow want = row("a", "api-a", "1");
  want.deployment = "d";
  const FleetView view = fleet_view(catalog);
  REQUIRE(view.size() == 1);
  std::string id;
  CHECK(row_at(view, 0, id) == want);
}

}  // namespace
}  // namespace convergence
