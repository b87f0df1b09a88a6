// Orders for many entries that have to do with each other: found without searching, and still safe after each step.

#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <string>
#include <vector>

#include "tests/support/plan_values.h"

namespace convergence {
namespace {

using test::entry;
using test::ours;

constexpr int kServices = 24;  // three times what is searched through

std::string name_of(int number) { return fmt::format("s{:02}", number % kServices); }

ConfigEntry defaults(int number, const char* protocol) {
  return ours(
      entry(fmt::format(R"({{"Kind":"service-defaults","Name":"{}","Protocol":"{}"}})", name_of(number), protocol)));
}

ConfigEntry router(int number) {
  return ours(entry(fmt::format(
      R"({{"Kind":"service-router","Name":"{}","Routes":[{{"Match":{{"HTTP":{{"PathPrefix":"/x"}}}},"Destination":{{"Service":"{}"}}}}]}})",
      name_of(number), name_of(number + 1))));
}

ConfigEntry resolver(int number, const char* subset) {
  return ours(entry(fmt::format(
      R"({{"Kind":"service-resolver","Name":"{}","Subsets":{{"{}":{{"Filter":"Service.Meta.version == {}"}}}}}})",
      name_of(number), subset, subset)));
}

ConfigEntry splitter(int number, const char* subset) {
  return ours(entry(fmt::format(
      R"({{"Kind":"service-splitter","Name":"{}","Splits":[{{"Weight":50,"ServiceSubset":"{}"}},{{"Weight":50,"Service":"{}","ServiceSubset":"{}"}}]}})",
      name_of(number), subset, name_of(number + 1), subset)));
}

template <typename Make>
void add(std::vector<ConfigEntry>& entries, Make make) {
  for (int number = 0; number < kServices; ++number) entries.push_back(make(number));
}

bool compiles(const EntryMap& entries, int number) {
  ChainRequest request;
  request.service = name_of(number);
  return compile_chain(entries, request).ok();
}

// Applies the plan; every chain compiles all the way, and at the end everything is as wanted.
void check_plan(const std::vector<ConfigEntry>& desired, const EntryMap& actual, const Plan& plan) {
  CatalogState catalog;
  catalog.datacenter = "dc1";
  catalog.entries = actual;
  catalog.index = 1000;
  std::map<EntryId, int> writes;
  for (const Step& step : plan.steps) {
    INFO("step ", step.id);
    auto next = after_step(std::move(catalog), step);
    REQUIRE_OK(next);
    catalog = *std::move(next);
    for (int number = 0; number < kServices; ++number) REQUIRE(compiles(catalog.entries, number));
    CHECK(++writes[step.entry] <= 2);
  }
  CHECK(plan.held.empty());
  REQUIRE(catalog.entries.size() == desired.size());
  for (const ConfigEntry& wanted : desired) CHECK(same_content(*catalog.entries.at(entry_key(wanted)), wanted));
}

Plan plan_of(const std::vector<ConfigEntry>& desired, const EntryMap& actual) {
  PlanOptions options;
  options.prune = true;
  auto plan = plan_config(desired, actual, options);
  REQUIRE_OK(plan);
  return *std::move(plan);
}

TEST_CASE("a ring of routers moves to another protocol") {
  std::vector<ConfigEntry> before;
  add(before, [](int number) { return defaults(number, "http"); });
  add(before, router);
  std::vector<ConfigEntry> after;
  add(after, [](int number) { return defaults(number, "grpc"); });
  add(after, router);
  const EntryMap actual = test::entry_map(before);
  const Plan plan = plan_of(after, actual);
  check_plan(after, actual, plan);
  // Each router goes out of the way and comes back; each service is written once.
  CHECK(plan.steps.size() == 3 * kServices);
}

TEST_CASE("a subset gets another name in a ring of splitters") {
  std::vector<ConfigEntry> before;
  std::vector<ConfigEntry> after;
  for (auto* entries : {&before, &after}) {
    const char* subset = entries == &before ? "v1" : "v2";
    add(*entries, [](int number) { return defaults(number, "http"); });
    add(*entries, [&](int number) { return resolver(number, subset); });
    add(*entries, [&](int number) { return splitter(number, subset); });
  }
  const EntryMap actual = test::entry_map(before);
  const Plan plan = plan_of(after, actual);
  check_plan(after, actual, plan);
  // Each resolver has both subsets for a while.
  CHECK(plan.steps.size() == 3 * kServices);
}

TEST_CASE("a whole ring comes and goes, each entry written once") {
  std::vector<ConfigEntry> ring;
  add(ring, [](int number) { return resolver(number, "v1"); });
  add(ring, [](int number) { return splitter(number, "v1"); });
  add(ring, router);
  add(ring, [](int number) { return defaults(number, "http"); });
  const Plan coming = plan_of(ring, {});
  check_plan(ring, {}, coming);
  CHECK(coming.steps.size() == ring.size());
  const EntryMap actual = test::entry_map(ring);
  const Plan going = plan_of({}, actual);
  check_plan({}, actual, going);
  CHECK(going.steps.size() == ring.size());
}

TEST_CASE("redirects that change sides along a line") {
  auto redirect = [](int from, int to) {
    return ours(entry(fmt::format(R"({{"Kind":"service-resolver","Name":"{}","Redirect":{{"Service":"{}"}}}})",
                                  name_of(from), name_of(to))));
  };
  std::vector<ConfigEntry> before;
  std::vector<ConfigEntry> after;
  for (int number = 0; number + 1 < kServices; ++number) {
    before.push_back(redirect(number, number + 1));
    after.push_back(redirect(number + 1, number));
  }
  const EntryMap actual = test::entry_map(before);
  const Plan plan = plan_of(after, actual);
  check_plan(after, actual, plan);
  CHECK(plan.steps.size() == kServices);
}

TEST_CASE("components are planned apart: what cannot be written in one holds nothing in another") {
  std::vector<ConfigEntry> desired;
  add(desired, [](int number) { return defaults(number, number % 2 == 0 ? "http" : "tcp"); });
  add(desired, [](int number) {
    return ours(entry(fmt::format(R"({{"Kind":"service-router","Name":"{}"}})", name_of(number))));
  });
  const Plan plan = plan_of(desired, {});
  CHECK(plan.held.size() == kServices / 2);
  CHECK(plan.steps.size() == kServices + kServices / 2);
  for (const Held& held : plan.held) {
    CHECK(held.reason == Reason::kNoSafeOrder);
    CHECK(held.why.find("stands against service-defaults/") != std::string::npos);
  }
  for (const Step& step : plan.steps) {
    for (const std::string& need : step.needs)
      CHECK(need.substr(need.size() - 3) == step.id.substr(step.id.size() - 3));
  }
}

}  // namespace
}  // namespace convergence
