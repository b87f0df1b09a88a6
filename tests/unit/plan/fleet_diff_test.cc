#include "convergence/fleet_diff.h"

#include <doctest/doctest.h>

#include <string>
#include <vector>

#include "tests/support/plan_values.h"
#include "tests/support/status_check.h"

namespace convergence {
namespace {

constexpr std::uint32_t kNobody = FleetChange::kNone;

struct There {
  const char* node;
  const char* id;
  const char* version;
  const char* deployment = "";
  const char* owner = "convergence";
};

FleetView view_of(const std::vector<There>& rows) {
  FleetView view;
  for (const There& there : rows) {
    FleetRow row;
    row.node = there.node;
    row.service = row.service_id = there.id;
    row.version = there.version;
    row.deployment = there.deployment;
    row.owner = there.owner;
    add_row(view, row);
  }
  return view;
}

WantedFleet wanted_of(const std::vector<WantedRow>& rows, FleetView& view) {
  WantedFleet wanted;
  for (const WantedRow& row : rows) add_wanted(wanted, view.names, row);
  return wanted;
}

FleetDiff diff_of(const std::vector<WantedRow>& wanted, const std::vector<There>& there,
                  const PlanOptions& options = {}) {
  FleetView view = view_of(there);
  const WantedFleet fleet = wanted_of(wanted, view);
  return diff_fleet(fleet, view, options);
}

FleetDiff make_diff(std::vector<FleetChange> changes, std::uint64_t same) { return {std::move(changes), same}; }

TEST_CASE("what is wanted against what is there") {
  PlanOptions prune;
  prune.prune = true;
  PlanOptions take;
  take.take_foreign = true;
  PlanOptions stranger;
  stranger.owner = "nobody";
  const WantedRow api{"a", "api", "1"};
  struct Case {
    std::string name;
    std::vector<WantedRow> wanted;
    std::vector<There> there;
    PlanOptions options;
    FleetDiff diff;
  };
  const std::vector<Case> cases = {
      {"nothing", {}, {}, {}, {}},
      {"same", {api}, {{"a", "api", "1"}}, {}, make_diff({}, 1)},
      {"missing", {api}, {}, {}, make_diff({{0, kNobody, Reason::kMissing}}, 0)},
      {"on another node",
       {api},
       {{"b", "api", "1"}},
       {},
       make_diff({{0, kNobody, Reason::kMissing}, {kNobody, 0, Reason::kNotPruned}}, 0)},
      {"another version", {api}, {{"a", "api", "2"}}, {}, make_diff({{0, 0, Reason::kVersion}}, 0)},
      {"no version", {api}, {{"a", "api", ""}}, {}, make_diff({{0, 0, Reason::kVersion}}, 0)},
      {"another deployment",
       {{"a", "api", "1", "x"}},
       {{"a", "api", "1", "y"}},
       {},
       make_diff({{0, 0, Reason::kDefinition}}, 0)},
      {"any deployment", {api}, {{"a", "api", "1", "y"}}, {}, make_diff({}, 1)},
      {"another owner's", {api}, {{"a", "api", "2", "", "x"}}, {}, make_diff({{0, 0, Reason::kForeign}}, 0)},
      {"nobody's, of the same version",
       {api},
       {{"a", "api", "1", "", ""}},
       {},
       make_diff({{0, 0, Reason::kForeign}}, 0)},
      {"taken over", {api}, {{"a", "api", "2", "", "x"}}, take, make_diff({{0, 0, Reason::kVersion}}, 0)},
      {"taken over, of the same version",
       {api},
       {{"a", "api", "1", "", ""}},
       take,
       make_diff({{0, 0, Reason::kDefinition}}, 0)},
      {"of an owner who has nothing", {api}, {{"a", "api", "1"}}, stranger, make_diff({{0, 0, Reason::kForeign}}, 0)},
      {"not wanted", {}, {{"a", "api", "1"}}, {}, make_diff({{kNobody, 0, Reason::kNotPruned}}, 0)},
      {"not wanted, pruning", {}, {{"a", "api", "1"}}, prune, make_diff({{kNobody, 0, Reason::kNotWanted}}, 0)},
      {"not wanted, not ours", {}, {{"a", "api", "1", "", ""}}, prune, {}},
      {"of an agent, missing", {{"a", "api", "1", "", 0, true}}, {}, {}, make_diff({{0, kNobody, Reason::kAgent}}, 0)},
      {"of an agent, another version",
       {{"a", "api", "1", "", 0, true}},
       {{"a", "api", "2"}},
       {},
       make_diff({{0, 0, Reason::kAgent}}, 0)},
      {"of an agent, same", {{"a", "api", "1", "", 0, true}}, {{"a", "api", "1", "", ""}}, {}, make_diff({}, 1)},
      {"the last of two rows counts", {api}, {{"a", "api", "2"}, {"a", "api", "1"}}, prune, make_diff({}, 1)},
      {"the last of two rows counts, which differs",
       {api},
       {{"a", "api", "1"}, {"a", "api", "2"}},
       prune,
       make_diff({{0, 1, Reason::kVersion}}, 0)},
      {"the last of two that are not wanted",
       {},
       {{"a", "api", "1"}, {"a", "api", "2"}},
       prune,
       make_diff({{kNobody, 1, Reason::kNotWanted}}, 0)},
  };
  for (const Case& c : cases) {
    CAPTURE(c.name);
    CHECK(diff_of(c.wanted, c.there, c.options) == c.diff);
  }
}

DesiredService placed(const char* name, const char* version, const char* role) {
  DesiredService service = test::service(name, version, role);
  service.release.deployment = "d1";
  return service;
}

TEST_CASE("services are wanted on the nodes of their placement") {
  const CatalogState catalog = test::catalog_of({{"n1", "web"}, {"n2", "db"}, {"n3", "web"}});
  DesiredState desired;
  desired.services = {placed("api", "1", "web"), placed("sql", "2", "db")};
  desired.services[1].release.package.source = "https://packages/sql";
  NameTable names;
  const absl::StatusOr<WantedFleet> wanted = wanted_fleet(desired, catalog.nodes, names);
  REQUIRE_OK(wanted);
  NameTable same_names;
  WantedFleet expected;
  add_wanted(expected, same_names, {"n1", "api", "1", "d1", 0, false});
  add_wanted(expected, same_names, {"n3", "api", "1", "d1", 0, false});
  add_wanted(expected, same_names, {"n2", "sql", "2", "d1", 1, true});
  CHECK(*wanted == expected);
  CHECK(names == same_names);

  desired.services[1].placement.filter = "Meta.x ==";
  CHECK_ERROR(wanted_fleet(desired, catalog.nodes, names), ErrorKind::kFilter, "desired service db/sql/none");
}

TEST_CASE("what rows of a watch change") {
  FleetView view = view_of({{"a", "api", "1"}, {"b", "api", "2"}, {"c", "web", "1"}, {"d", "api", "1"}});
  const WantedFleet wanted =
      wanted_of({{"a", "api", "1"}, {"b", "api", "1"}, {"d", "api", "3"}, {"e", "api", "1"}}, view);
  const WantedIndex index(wanted);
  const InstanceRef gone{wanted.nodes[3], wanted.ids[3]};
  const InstanceRef moved{wanted.nodes[1], wanted.ids[1]};
  const InstanceRef nobody_wants{view.nodes[2], view.ids[2]};
  const std::vector<std::uint32_t> rows = {0, 1, 2};
  const std::vector<InstanceRef> left = {gone, moved, nobody_wants};
  CHECK(diff_rows(wanted, index, view, rows, left) ==
        make_diff({{1, 1, Reason::kVersion}, {3, kNobody, Reason::kMissing}, {kNobody, 2, Reason::kNotPruned}}, 1));
  CHECK(diff_rows(wanted, index, view, {}, {}) == FleetDiff{});
  CHECK(index.find(nobody_wants) == kNobody);
}

}  // namespace
}  // namespace convergence
