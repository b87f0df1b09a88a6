// Plans for config entries, compared whole as people read them.

#include <string>
#include <vector>

#include "tests/support/plan_values.h"

namespace convergence {
namespace {

using test::entry;
using test::entry_map;
using test::ours;

std::vector<ConfigEntry> entries(const std::vector<std::string>& jsons, bool marked) {
  std::vector<ConfigEntry> out;
  for (const std::string& json : jsons) out.push_back(marked ? ours(entry(json)) : entry(json));
  return out;
}

std::string plan_text(const std::vector<ConfigEntry>& desired, const std::vector<ConfigEntry>& actual,
                      const PlanOptions& options = {}) {
  auto plan = plan_config(desired, entry_map(actual), options);
  REQUIRE_OK(plan);
  return describe(*plan);
}

const char* const kHttpWeb = R"({"Kind":"service-defaults","Name":"web","Protocol":"http"})";
const char* const kHttpApi = R"({"Kind":"service-defaults","Name":"api","Protocol":"http"})";
const char* const kGrpcWeb = R"({"Kind":"service-defaults","Name":"web","Protocol":"grpc"})";
const char* const kGrpcApi = R"({"Kind":"service-defaults","Name":"api","Protocol":"grpc"})";
const char* const kTcpWeb = R"({"Kind":"service-defaults","Name":"web","Protocol":"tcp"})";
const char* const kRouter =
    R"({"Kind":"service-router","Name":"web","Routes":[{"Match":{"HTTP":{"PathPrefix":"/api"}},"Destination":{"Service":"api"}}]})";
const char* const kResolverV1 =
    R"({"Kind":"service-resolver","Name":"web","Subsets":{"v1":{"Filter":"Service.Meta.version == v1"}}})";
const char* const kResolverV2 =
    R"({"Kind":"service-resolver","Name":"web","Subsets":{"v2":{"Filter":"Service.Meta.version == v2"}}})";
const char* const kSplitV1 =
    R"({"Kind":"service-splitter","Name":"web","Splits":[{"Weight":100,"ServiceSubset":"v1"}]})";
const char* const kSplitV2 =
    R"({"Kind":"service-splitter","Name":"web","Splits":[{"Weight":100,"ServiceSubset":"v2"}]})";

TEST_CASE("plans for entries") {
  struct Row {
    const char* name;
    std::vector<std::string> actual;
    std::vector<std::string> desired;
    bool prune;
    const char* expected;
  };
  const Row rows[] = {
      {"nothing to do", {kHttpWeb}, {kHttpWeb}, false, "nothing to do\n"},
      {"a whole chain from nothing",
       {},
       {kSplitV1, kRouter, kResolverV1, kHttpWeb, kHttpApi},
       false,
       "1. put-entry service-defaults/api [missing] service-defaults/api is wanted and absent\n"
       "2. put-entry service-defaults/web [missing] service-defaults/web is wanted and absent\n"
       "3. put-entry service-resolver/web [missing] service-resolver/web is wanted and absent\n"
       "4. put-entry service-splitter/web [missing] service-splitter/web is wanted and absent\n"
       "5. put-entry service-router/web [missing] service-router/web is wanted and absent\n"},
      {"the same, taken down",
       {kSplitV1, kRouter, kResolverV1, kHttpWeb, kHttpApi},
       {},
       true,
       "1. delete-entry service-router/web [not-wanted] service-router/web is ours and not wanted\n"
       "2. delete-entry service-splitter/web [not-wanted] service-splitter/web is ours and not wanted\n"
       "3. delete-entry service-resolver/web [not-wanted] service-resolver/web is ours and not wanted\n"
       "4. delete-entry service-defaults/api [not-wanted] service-defaults/api is ours and not wanted\n"
       "5. delete-entry service-defaults/web [not-wanted] service-defaults/web is ours and not wanted\n"},
      {"not pruned",
       {kHttpWeb},
       {},
       false,
       "held delete-entry:service-defaults/web [not-pruned] service-defaults/web is ours "
       "(managed-by=convergence) and not wanted; it is deleted only when pruning\n"},
      {"weights move",
       {kHttpWeb, kResolverV1, kSplitV1},
       {kHttpWeb, kResolverV1,
        R"({"Kind":"service-splitter","Name":"web","Splits":[{"Weight":90.5,"ServiceSubset":"v1"},{"Weight":9.5,"Service":"api"}]})",
        kHttpApi},
       false,
       "1. put-entry service-defaults/api [missing] service-defaults/api is wanted and absent\n"
       "2. put-entry service-splitter/web [content] service-splitter/web differs: v1 100% -> v1 90.5%, api 9.5%\n"},
      {"a subset gets another name",
       {kHttpWeb, kResolverV1, kSplitV1},
       {kHttpWeb, kResolverV2, kSplitV2},
       false,
       "1. put-entry service-resolver/web [intermediate] service-resolver/web with the subsets of before and after, so "
       "that what follows is accepted\n"
       "2. put-entry service-splitter/web [content] service-splitter/web differs: v1 100% -> v2 100%\n"
       "3. put-entry service-resolver/web [content] service-resolver/web differs: Subsets v1 -> v2\n"},
      {"another protocol under a router that stays",
       {kHttpWeb, kHttpApi, kRouter},
       {kGrpcWeb, kGrpcApi, kRouter},
       false,
       "1. put-entry service-router/web [intermediate] service-router/web without routes, so that what follows is "
       "accepted\n"
       "2. put-entry service-defaults/api [content] service-defaults/api differs: Protocol http -> grpc\n"
       "3. put-entry service-defaults/web [content] service-defaults/web differs: Protocol http -> grpc\n"
       "4. put-entry service-router/web [intermediate] service-router/web comes back as it was\n"},
      {"from http to tcp, the router goes first",
       {kHttpWeb, kRouter, kHttpApi},
       {kTcpWeb, kHttpApi},
       true,
       "1. delete-entry service-router/web [not-wanted] service-router/web is ours and not wanted\n"
       "2. put-entry service-defaults/web [content] service-defaults/web differs: Protocol http -> tcp\n"},
      {"redirects change sides",
       {R"({"Kind":"service-resolver","Name":"a","Redirect":{"Service":"b"}})"},
       {R"({"Kind":"service-resolver","Name":"b","Redirect":{"Service":"a"}})"},
       true,
       "1. delete-entry service-resolver/a [not-wanted] service-resolver/a is ours and not wanted\n"
       "2. put-entry service-resolver/b [missing] service-resolver/b is wanted and absent\n"},
      {"a resolver that two splitters share",
       {kHttpWeb, kHttpApi, kResolverV1, kSplitV1,
        R"({"Kind":"service-splitter","Name":"api","Splits":[{"Weight":50},{"Weight":50,"Service":"web","ServiceSubset":"v1"}]})"},
       {kHttpWeb, kHttpApi, kResolverV2, kSplitV2,
        R"({"Kind":"service-splitter","Name":"api","Splits":[{"Weight":50},{"Weight":50,"Service":"web","ServiceSubset":"v2"}]})"},
       false,
       "1. put-entry service-resolver/web [intermediate] service-resolver/web with the subsets of before and after, so "
       "that what follows is accepted\n"
       "2. put-entry service-splitter/api [content] service-splitter/api differs: itself 50%, web.v1 50% -> itself "
       "50%, web.v2 50%\n"
       "3. put-entry service-splitter/web [content] service-splitter/web differs: v1 100% -> v2 100%\n"
       "4. put-entry service-resolver/web [content] service-resolver/web differs: Subsets v1 -> v2\n"},
      {"what forms no chain is held, the rest is not",
       {kHttpWeb, kHttpApi},
       {kHttpWeb, kHttpApi, kSplitV2, R"({"Kind":"service-defaults","Name":"other","Protocol":"grpc"})"},
       false,
       "1. put-entry service-defaults/other [missing] service-defaults/other is wanted and absent\n"
       "held put-entry:service-splitter/web [no-safe-order] service-splitter/web: service \"web\" does not have a "
       "subset named \"v2\"\n"},
  };
  for (const Row& row : rows) {
    SUBCASE(row.name) {
      PlanOptions options;
      options.prune = row.prune;
      CHECK(plan_text(entries(row.desired, false), entries(row.actual, true), options) == std::string(row.expected));
    }
  }
}

TEST_CASE("steps carry what is needed to write, to compare and to take back") {
  const std::vector<ConfigEntry> actual = entries({kHttpWeb, kResolverV1, kSplitV1}, true);
  const EntryMap map = entry_map(actual);
  auto plan = plan_config(entries({kHttpWeb, kResolverV2, kSplitV2}, false), map);
  REQUIRE_OK(plan);

  const EntryId resolver{"service-resolver", "web"};
  const EntryId splitter{"service-splitter", "web"};
  ConfigEntry both = ours(entry(kResolverV2));
  std::get<ServiceResolver>(both.body).subsets["v1"].filter = "Service.Meta.version == v1";

  Plan expected;
  expected.catalog_index = 12;
  Step step;
  step.id = "put-entry:service-resolver/web:intermediate";
  step.action = Action::kPutEntry;
  step.entry = resolver;
  step.reason = Reason::kIntermediate;
  step.why = "service-resolver/web with the subsets of before and after, so that what follows is accepted";
  step.cas_index = 11;
  step.body = both;
  step.before = *map.at(resolver);
  expected.steps.push_back(step);
  step.id = "put-entry:service-splitter/web";
  step.entry = splitter;
  step.reason = Reason::kContent;
  step.why = "service-splitter/web differs: v1 100% -> v2 100%";
  step.needs = {"put-entry:service-resolver/web:intermediate"};
  step.cas_index = 12;
  step.body = ours(entry(kSplitV2));
  step.before = *map.at(splitter);
  expected.steps.push_back(step);
  step.id = "put-entry:service-resolver/web";
  step.entry = resolver;
  step.why = "service-resolver/web differs: Subsets v1 -> v2";
  step.needs = {"put-entry:service-splitter/web"};
  step.cas_index = 0;
  step.cas_from = "put-entry:service-resolver/web:intermediate";
  step.body = ours(entry(kResolverV2));
  step.before = both;
  expected.steps.push_back(step);
  CHECK(*plan == expected);
}

TEST_CASE("equal by meaning is equal") {
  struct Row {
    const char* name;
    const char* actual;
    const char* desired;
  };
  const Row rows[] = {
      {"durations", R"({"Kind":"service-resolver","Name":"web","ConnectTimeout":"180s"})",
       R"({"Kind":"service-resolver","Name":"web","ConnectTimeout":"3m0s"})"},
      {"case of protocols", R"({"Kind":"service-defaults","Name":"web","Protocol":"http"})",
       R"({"Kind":"service-defaults","Name":"web","Protocol":"HTTP"})"},
      {"case of methods",
       R"({"Kind":"service-router","Name":"web","Routes":[{"Match":{"HTTP":{"PathPrefix":"/","Methods":["GET"]}}}]})",
       R"({"Kind":"service-router","Name":"web","Routes":[{"Match":{"HTTP":{"PathPrefix":"/","Methods":["get"]}}}]})"},
      {"case of names", R"({"Kind":"service-defaults","Name":"Web","Protocol":"http"})",
       R"({"Kind":"service-defaults","Name":"web","Protocol":"http"})"},
      {"weights to hundredths",
       R"({"Kind":"service-splitter","Name":"web","Splits":[{"Weight":33.33},{"Weight":66.67,"Service":"api"}]})",
       R"({"Kind":"service-splitter","Name":"web","Splits":[{"Weight":33.3300001},{"Weight":66.67,"Service":"api"}]})"},
      {"any name of proxy-defaults", R"({"Kind":"proxy-defaults","Name":"global","Config":{"protocol":"http"}})",
       R"({"Kind":"proxy-defaults","Name":"other","Config":{"protocol":"http"}})"},
      {"Meta that the document does not speak of",
       R"({"Kind":"service-defaults","Name":"web","Protocol":"http","Meta":{"convergence-weight":"500"}})",
       R"({"Kind":"service-defaults","Name":"web","Protocol":"http"})"},
  };
  for (const Row& row : rows) {
    SUBCASE(row.name) {
      auto desired = parse<ConfigEntry>(row.desired, "desired");
      REQUIRE_OK(desired);
      CHECK(plan_text({*desired}, {entry(row.actual)}) == "nothing to do\n");
    }
  }
}

TEST_CASE("entries of others") {
  const ConfigEntry wanted = entry(kHttpWeb);
  ConfigEntry unmarked = entry(kTcpWeb);
  ConfigEntry stamped = unmarked;
  stamped.meta["external-source"] = "consul-k8s";
  ConfigEntry other_owner = unmarked;
  other_owner.meta["managed-by"] = "other";
  const char* const kHeld =
      "held put-entry:service-defaults/web [foreign] service-defaults/web differs (Protocol tcp -> http) and ";
  struct Row {
    const char* name;
    ConfigEntry actual;
    const char* owner;
  };
  const Row rows[] = {
      {"without a mark", unmarked, "carries no mark"},
      {"stamped", stamped, "carries external-source=consul-k8s"},
      {"of another owner", other_owner, "carries managed-by=other"},
  };
  for (const Row& row : rows) {
    SUBCASE(row.name) {
      CHECK(plan_text({wanted}, {row.actual}) ==
            kHeld + std::string(row.owner) + "; it is changed only when taking over\n");
      PlanOptions options;
      options.take_foreign = true;
      auto plan = plan_config({wanted}, entry_map({row.actual}), options);
      REQUIRE_OK(plan);
      REQUIRE(plan->steps.size() == 1);
      CHECK(std::get<ConfigEntry>(plan->steps.front().body) == ours(wanted));
      options = {};
      options.prune = true;
      CHECK(plan_text({}, {row.actual}, options) == "nothing to do\n");
    }
  }
}

TEST_CASE("an entry of another owner is not moved out of the way") {
  const std::vector<ConfigEntry> desired = entries({kGrpcWeb, kGrpcApi}, false);
  std::vector<ConfigEntry> actual = entries({kHttpWeb, kHttpApi}, true);
  actual.push_back(entry(kRouter));
  CHECK(plan_text(desired, actual) ==
        "held put-entry:service-defaults/api [no-safe-order] service-defaults/api stands against service-defaults/web: "
        "discovery chain \"web\" uses inconsistent protocols; service \"api\" has \"grpc\" which is not \"http\"\n"
        "held put-entry:service-defaults/web [no-safe-order] service-defaults/web stands against service-defaults/api: "
        "discovery chain \"web\" uses inconsistent protocols; service \"api\" has \"http\" which is not \"grpc\"\n");
}

TEST_CASE("a desired entry that Consul would refuse is an error that names it") {
  ConfigEntry broken = entry(kSplitV1);
  std::get<ServiceSplitter>(broken.body).splits.front().weight = 9999;
  CHECK_ERROR(plan_config({broken}, {}), ErrorKind::kValidate,
              "desired entry service-splitter/web: the sum of all split weights must be 100, not 99.98");
  CHECK_ERROR(plan_config({entry(kHttpWeb), entry(kHttpWeb)}, {}), ErrorKind::kValidate, "twice");
}

TEST_CASE("a mark of one's own") {
  PlanOptions options;
  options.owner = "team-a";
  options.prune = true;
  ConfigEntry theirs = ours(entry(kHttpWeb));
  CHECK(plan_text({}, {theirs}, options) == "nothing to do\n");
  theirs.meta["managed-by"] = "team-a";
  CHECK(plan_text({}, {theirs}, options) ==
        "1. delete-entry service-defaults/web [not-wanted] service-defaults/web is ours and not wanted\n");
}

TEST_CASE("entries that a rollout has its hands on") {
  const ConfigEntry document = entry(
      R"({"Kind":"service-splitter","Name":"web","Splits":[{"Weight":100,"ServiceSubset":"v1"},{"Weight":0,"ServiceSubset":"v2"}]})");
  CanaryState rollout;
  rollout.policy.service = "web";
  rollout.policy.stable_subset = "v1";
  rollout.policy.candidate_subset = "v2";
  rollout.weight = 2500;
  auto weights = [&](CanaryPhase phase, std::string service) {
    rollout.phase = phase;
    rollout.policy.service = std::move(service);
    const std::vector<ConfigEntry> wanted = entries_for({document, entry(kHttpWeb)}, {rollout});
    REQUIRE(wanted.size() == 2);
    CHECK(wanted[1] == entry(kHttpWeb));
    const auto& splits = std::get<ServiceSplitter>(wanted[0].body).splits;
    return std::vector<std::int32_t>{splits[0].weight, splits[1].weight};
  };
  CHECK(weights(CanaryPhase::kObserving, "web") == std::vector<std::int32_t>{7500, 2500});
  CHECK(weights(CanaryPhase::kFailed, "Web") == std::vector<std::int32_t>{7500, 2500});
  CHECK(weights(CanaryPhase::kIdle, "web") == std::vector<std::int32_t>{10000, 0});
  CHECK(weights(CanaryPhase::kObserving, "api") == std::vector<std::int32_t>{10000, 0});
}

}  // namespace
}  // namespace convergence
