#include <doctest/doctest.h>

#include <string>
#include <vector>

#include "convergence/catalog.h"
#include "convergence/config_entry.h"

namespace convergence {
namespace {

TEST_CASE("an entry's id is as written, its key without case") {
  const ConfigEntry entry = {.kind = "service-router", .name = "Web-\xC3\x84", .body = ServiceRouter{}};
  CHECK(entry_id(entry) == EntryId{"service-router", "Web-\xC3\x84"});
  CHECK(entry_key(entry) == EntryId{"service-router", "web-\xC3\x84"});
  CHECK(entry_key("Service-Router", "API") == EntryId{"Service-Router", "api"});
}

TEST_CASE("content is everything but the indexes") {
  const ConfigEntry base = {.kind = "service-splitter", .name = "api", .meta = {{"a", "b"}}, .body = ServiceSplitter{}};
  struct Case {
    const char* name;
    ConfigEntry other;
    bool same;
  };
  std::vector<Case> cases(7, Case{"itself", base, true});
  cases[1].name = "other indexes", cases[1].other.create_index = 1, cases[1].other.modify_index = 2;
  cases[2].name = "another kind", cases[2].other.kind = "service-router", cases[2].same = false;
  cases[3].name = "another name", cases[3].other.name = "Api", cases[3].same = false;
  cases[4].name = "other meta", cases[4].other.meta["a"] = "c", cases[4].same = false;
  cases[5].name = "another body", cases[5].other.body = ServiceRouter{}, cases[5].same = false;
  ServiceSplitter splitter;
  splitter.unknown.push_back({"x", 1});
  cases[6].name = "an unknown member", cases[6].other.body = splitter, cases[6].same = false;
  for (const Case& c : cases) {
    SUBCASE(c.name) {
      CHECK(same_content(base, c.other) == c.same);
      CHECK(same_content(c.other, base) == c.same);
    }
  }
}

InstanceState instance(const std::string& node, const std::string& id) {
  InstanceState state;
  state.instance.node = node;
  state.instance.id = id;
  return state;
}

TEST_CASE("an instance is found by service, node and id") {
  CatalogState catalog;
  catalog.services["web"] =
      ServiceState{"web", {instance("a", "web"), instance("a", "web-blue"), instance("b", "web"), instance("c", "w")}};
  for (const InstanceState& state : catalog.services["web"]->instances) {
    const InstanceState* found = find_instance(catalog, "web", {state.instance.node, state.instance.id});
    REQUIRE(found != nullptr);
    CHECK(*found == state);
  }
  CHECK(find_instance(catalog, "web", {"b", "web-blue"}) == nullptr);
  CHECK(find_instance(catalog, "web", {"d", "web"}) == nullptr);
  CHECK(find_instance(catalog, "web", {"", ""}) == nullptr);
  CHECK(find_instance(catalog, "api", {"a", "web"}) == nullptr);
}

TEST_CASE("the worst check decides") {
  const auto check = [](CheckStatus status) {
    HealthCheck out;
    out.status = status;
    return out;
  };
  const HealthCheck passing = check(CheckStatus::kPassing);
  const HealthCheck warning = check(CheckStatus::kWarning);
  const HealthCheck critical = check(CheckStatus::kCritical);
  CHECK(worst_status({}, {}) == CheckStatus::kPassing);
  CHECK(worst_status({passing}, {passing}) == CheckStatus::kPassing);
  CHECK(worst_status({passing, warning}, {passing}) == CheckStatus::kWarning);
  CHECK(worst_status({passing}, {warning}) == CheckStatus::kWarning);
  CHECK(worst_status({critical, passing}, {warning}) == CheckStatus::kCritical);
  CHECK(worst_status({}, {passing, critical}) == CheckStatus::kCritical);
}

}  // namespace
}  // namespace convergence
