// Splits by hand, taking back later, taking live entries over.

#include <string>
#include <vector>

#include "tests/support/plan_values.h"

namespace convergence {
namespace {

using test::entry;
using test::entry_map;

const char* const kDefaults = R"({"Kind":"service-defaults","Name":"web","Protocol":"http"})";
const char* const kTcp = R"({"Kind":"service-defaults","Name":"web","Protocol":"tcp"})";
const char* const kResolver =
    R"({"Kind":"service-resolver","Name":"web","Subsets":{"v1":{"Filter":"Service.Meta.version == 1"},
        "v2":{"Filter":"Service.Meta.version == 2"}}})";
const char* const kSplitter =
    R"({"Kind":"service-splitter","Name":"web","Meta":{"note":"mine"},"Splits":[{"Weight":90,"ServiceSubset":"v1"},
        {"Weight":0,"ServiceSubset":"v2"},{"Weight":10,"Service":"old"}]})";
const char* const kOld = R"({"Kind":"service-defaults","Name":"old","Protocol":"http"})";

CatalogState live(CheckStatus status_of_2) {
  CatalogState out;
  out.datacenter = "dc1";
  ServiceState service{.name = "web"};
  for (const char* version : {"1", "2"}) {
    InstanceState instance;
    const std::string node = std::string("n") + version;
    instance.instance = {.node = node, .id = "web", .service = "web", .meta = {{"version", version}}};
    const CheckStatus status = std::string_view(version) == "2" ? status_of_2 : CheckStatus::kPassing;
    instance.checks = {{.node = node, .id = "c", .status = status, .service_id = "web"}};
    out.nodes[node] = NodeState{.node = {.name = node, .datacenter = "dc1"}};
    service.instances.push_back(std::move(instance));
  }
  out.services["web"] = std::move(service);
  return out;
}

std::vector<ConfigEntry> with(std::vector<std::string> texts) {
  std::vector<ConfigEntry> out;
  std::uint64_t index = 10;
  for (const std::string& text : texts) {
    out.push_back(entry(text));
    out.back().create_index = out.back().modify_index = index++;
  }
  return out;
}

TEST_CASE("a split by hand writes the weights and nothing else") {
  const EntryMap actual = entry_map(with({kDefaults, kResolver, kSplitter, kOld}));
  const CatalogState catalog = live(CheckStatus::kPassing);
  const auto plan = plan_split({"web", {{"v1", 6750}, {"v2", 2250}}}, actual, &catalog);
  REQUIRE_OK(plan);
  CHECK(plan->held.empty());
  REQUIRE(plan->steps.size() == 1);
  ConfigEntry expected = entry(kSplitter);
  auto& splits = std::get<ServiceSplitter>(expected.body).splits;
  splits[0].weight = 6750;
  splits[1].weight = 2250;
  CHECK(std::get<ConfigEntry>(plan->steps[0].body) == expected);  // without a mark of ours
  CHECK(plan->steps[0].cas_index == 12);
  CHECK(plan->steps[0].id == "put-entry:service-splitter/web");

  const auto same = plan_split({"web", {{"v1", 9000}, {"v2", 0}}}, actual, &catalog);
  REQUIRE_OK(same);
  CHECK(same->steps.empty());
}

TEST_CASE("a service with a resolver and no splitter gets one") {
  const EntryMap actual = entry_map(with({kDefaults, kResolver}));
  const auto plan = plan_split({"web", {{"v1", 9900}, {"v2", 100}}}, actual, nullptr);
  REQUIRE_OK(plan);
  REQUIRE(plan->steps.size() == 1);
  CHECK(plan->steps[0].cas_index == 0);
  CHECK(std::get<ConfigEntry>(plan->steps[0].body) ==
        entry(R"({"Kind":"service-splitter","Name":"web","Splits":[{"Weight":99,"ServiceSubset":"v1"},
                 {"Weight":1,"ServiceSubset":"v2"}]})"));
}

TEST_CASE("a split by hand is refused where it would do harm") {
  struct Case {
    const char* name;
    std::vector<std::string> entries;
    SplitChange change;
    ErrorKind kind;
    const char* text;
  };
  const std::string stamped = R"({"Kind":"service-splitter","Name":"web","Meta":{"external-source":"kubernetes"},
                                 "Splits":[{"Weight":100,"ServiceSubset":"v1"}]})";
  const Case cases[] = {
      {"too much",
       {kDefaults, kResolver, kSplitter, kOld},
       {"web", {{"v1", 9950}}},
       ErrorKind::kValidate,
       "split of web: the weights are 109.5% together, not 100%"},
      {"no such subset",
       {kDefaults, kResolver, kSplitter, kOld},
       {"web", {{"v3", 0}}},
       ErrorKind::kValidate,
       "split of web: its resolver has no subset v3"},
      {"below zero",
       {kDefaults, kResolver, kSplitter, kOld},
       {"web", {{"v2", -100}, {"v1", 9100}}},
       ErrorKind::kValidate,
       "split of web: -1% for v2 is outside 0..100"},
      {"no resolver",
       {kDefaults},
       {"web", {{"v1", 10000}}},
       ErrorKind::kValidate,
       "split of web: it has no resolver, so there are no subsets to split over"},
      {"nobody there",
       {kDefaults, kResolver, kSplitter, kOld},
       {"web", {{"v1", 8000}, {"v2", 1000}}},
       ErrorKind::kValidate,
       "split of web: 10% would go to v2, where none of 1 instances is healthy; force it if that is meant"},
      {"somebody else's",
       {kDefaults, kResolver, stamped},
       {"web", {{"v1", 10000}, {"v2", 0}}},
       ErrorKind::kValidate,
       "split of web: service-splitter/web carries external-source=kubernetes, which would write it back; change it "
       "there, or take it over"},
      {"no split on tcp",
       {kTcp, kResolver},
       {"web", {{"v1", 10000}}},
       ErrorKind::kGraph,
       "does not permit advanced routing or splitting behavior"},
  };
  const CatalogState catalog = live(CheckStatus::kCritical);
  for (const Case& c : cases) {
    SUBCASE(c.name) { CHECK_ERROR(plan_split(c.change, entry_map(with(c.entries)), &catalog), c.kind, c.text); }
  }
}

TEST_CASE("force and taking over set aside what only an operator can") {
  const CatalogState catalog = live(CheckStatus::kCritical);
  SplitChange change{"web", {{"v1", 8000}, {"v2", 1000}}, true};
  CHECK_OK(plan_split(change, entry_map(with({kDefaults, kResolver, kSplitter, kOld})), &catalog));
  const std::string stamped = R"({"Kind":"service-splitter","Name":"web","Meta":{"external-source":"kubernetes"},
                                 "Splits":[{"Weight":100,"ServiceSubset":"v1"}]})";
  change.weights = {{"v1", 9000}, {"v2", 1000}};
  PlanOptions options;
  options.take_foreign = true;
  const auto plan = plan_split(change, entry_map(with({kDefaults, kResolver, stamped})), &catalog, options);
  REQUIRE_OK(plan);
  CHECK(std::get<ConfigEntry>(plan->steps.at(0).body).meta ==
        std::map<std::string, std::string>{{"external-source", "kubernetes"}});
}

// The entries after a plan, as the server would have them with its next indexes.
EntryMap after(const Plan& plan, EntryMap entries, std::uint64_t index) {
  CatalogState state;
  state.entries = std::move(entries);
  for (const Step& step : plan.steps) {
    auto next = after_step(std::move(state), step);
    REQUIRE_OK(next);
    state = *std::move(next);
    const auto written = state.entries.find(step.entry);
    if (written == state.entries.end()) continue;
    ConfigEntry stored = *written->second;
    stored.modify_index = index++;
    written->second = std::move(stored);
  }
  return std::move(state.entries);
}

TEST_CASE("taking back later uses the indexes of then, and not over what others did") {
  const EntryMap before = entry_map(with({kDefaults, kResolver, kSplitter, kOld}));
  const auto plan = plan_split({"web", {{"v1", 8000}, {"v2", 1000}}}, before, nullptr);
  REQUIRE_OK(plan);
  const EntryMap done = after(*plan, before, 50);
  const auto back = undo(*plan, done);
  REQUIRE_OK(back);
  REQUIRE(back->steps.size() == 1);
  CHECK(back->steps[0].cas_index == 50);
  CHECK(back->steps[0].cas_from == "");
  const EntryMap restored = after(*back, done, 60);
  for (const auto& [key, stored] : before) CHECK(same_content(*stored, *restored.at(key)));

  EntryMap touched = done;
  ConfigEntry other = *touched.at({"service-splitter", "web"});
  other.meta["note"] = "yours";
  touched[{"service-splitter", "web"}] = other;
  CHECK_ERROR(undo(*plan, touched), ErrorKind::kConflict, "service-splitter/web: is not as the plan left it");
  touched.erase({"service-splitter", "web"});
  CHECK_ERROR(undo(*plan, touched), ErrorKind::kConflict, "service-splitter/web: is not as the plan left it");
}

TEST_CASE("live entries that were taken over ask for nothing") {
  std::vector<ConfigEntry> there = with({kDefaults, kResolver, kSplitter, kOld});
  there[0].meta = {{"external-source", "kubernetes"}, {"note", "x"}};
  there[1].meta = {{"managed-by", "convergence"}};
  const EntryMap actual = entry_map(there);
  const std::vector<ConfigEntry> pulled = adopt(actual);
  for (const ConfigEntry& one : pulled) {
    CHECK(one.modify_index == 0);
    CHECK_FALSE(one.meta.contains("external-source"));
    CHECK_FALSE(one.meta.contains("managed-by"));
  }
  const auto plan = plan_config(pulled, actual, {});
  REQUIRE_OK(plan);
  CHECK(plan->steps.empty());
  CHECK(plan->held.empty());
}

}  // namespace
}  // namespace convergence
