#include "lib/driver/weights.h"

#include "convergence/codec.h"
#include "tests/support/status_check.h"

namespace convergence {
namespace {

CanaryState of(CanaryPolicy policy) {
  CanaryState state;
  state.policy = std::move(policy);
  return state;
}

CanaryState state_at(std::int32_t weight, std::int64_t epoch) {
  CanaryState state;
  state.rollout = "r1";
  state.policy.service = "api";
  state.policy.stable_subset = "v1";
  state.policy.candidate_subset = "v2";
  state.weight = weight;
  state.epoch = epoch;
  return state;
}

Split leg(std::int32_t weight, std::string subset, std::string service = "") {
  Split split;
  split.weight = weight;
  split.service_subset = std::move(subset);
  split.service = std::move(service);
  return split;
}

ConfigEntry splitter(std::vector<Split> splits, std::map<std::string, std::string> meta = {}) {
  ConfigEntry entry;
  entry.kind = "service-splitter";
  entry.name = "api";
  entry.meta = std::move(meta);
  entry.modify_index = 40;
  ServiceSplitter body;
  body.splits = std::move(splits);
  entry.body = std::move(body);
  return entry;
}

std::map<std::string, std::string> stamps(std::string effect, std::string index, std::string weight) {
  return {{"convergence-rollout", std::move(effect)},
          {"convergence-state-index", std::move(index)},
          {"convergence-weight", std::move(weight)}};
}

TEST_CASE("weights are written into the splitter that was read, or it is said why not") {
  using Kind = WeightEdit::Kind;
  const ConfigEntry fresh = splitter({leg(10000, "v1"), leg(0, "v2")});
  const ConfigEntry at_500 = splitter({leg(9500, "v1"), leg(500, "v2")}, stamps("r1/1", "50", "500"));
  struct Case {
    const char* name;
    CanaryState state;
    WriteWeights write;
    ConfigEntry entry;
    Kind kind;
    bool rises;
    const char* problem;
  };
  const Case cases[] = {
      {"the first weight", state_at(500, 0), {9500, 500}, fresh, Kind::kWrite, true, ""},
      {"the next weight", state_at(2000, 2), {8000, 2000}, at_500, Kind::kWrite, true, ""},
      {"back", state_at(0, 2), {10000, 0}, at_500, Kind::kWrite, false, ""},
      {"back, though another moved it",
       state_at(0, 2),
       {10000, 0},
       splitter({leg(2000, "v1"), leg(8000, "v2")}, stamps("r1/1", "50", "500")),
       Kind::kWrite,
       false,
       ""},
      {"back, though another took the stamps",
       state_at(0, 2),
       {10000, 0},
       splitter({leg(2000, "v1"), leg(8000, "v2")}),
       Kind::kWrite,
       false,
       ""},
      {"the same under a new id", state_at(500, 0), {9500, 500}, at_500, Kind::kWrite, false, ""},
      {"legs that name the service",
       state_at(500, 0),
       {9500, 500},
       splitter({leg(10000, "v1", "API"), leg(0, "v2", "api")}),
       Kind::kWrite,
       true,
       ""},
      {"another rollout before",
       state_at(500, 0),
       {9500, 500},
       splitter({leg(10000, "v1"), leg(0, "v2")}, stamps("r0/9", "9000", "0")),
       Kind::kWrite,
       true,
       ""},
      {"a rollout whose name begins like ours",
       state_at(500, 0),
       {9500, 500},
       splitter({leg(10000, "v1"), leg(0, "v2")}, stamps("r1/2/9", "9000", "0")),
       Kind::kWrite,
       true,
       ""},
      {"moved by another hand (E14)",
       state_at(2000, 2),
       {8000, 2000},
       splitter({leg(7000, "v1"), leg(3000, "v2")}, stamps("r1/1", "50", "500")),
       Kind::kConflict,
       false,
       "the candidate's leg is at 30.00 %, the rollout wrote 5.00 %: somebody else changed it"},
      {"set back by another hand",
       state_at(2000, 2),
       {8000, 2000},
       fresh,
       Kind::kConflict,
       false,
       "the rollout's stamp is gone from the splitter"},
      {"weight before the first",
       state_at(500, 0),
       {9500, 500},
       splitter({leg(9000, "v1"), leg(1000, "v2")}),
       Kind::kConflict,
       false,
       "the candidate's leg is at 10.00 % before the rollout wrote anything"},
      {"stamped by a later state",
       state_at(2000, 2),
       {8000, 2000},
       splitter({leg(9500, "v1"), leg(500, "v2")}, stamps("r1/9", "101", "500")),
       Kind::kConflict,
       false,
       "the splitter is stamped by state 101, the rollout is at 100"},
      {"weight elsewhere",
       state_at(500, 0),
       {9500, 500},
       splitter({leg(8000, "v1"), leg(0, "v2"), leg(2000, "", "other")}),
       Kind::kError,
       false,
       "service-splitter/api: 20.00 % goes to other legs; a rollout needs them at 0"},
      {"no leg for the candidate",
       state_at(500, 0),
       {9500, 500},
       splitter({leg(10000, "v1")}),
       Kind::kError,
       false,
       "no leg goes to subset v2; write one for each subset"},
      {"a leg of another service",
       state_at(500, 0),
       {9500, 500},
       splitter({leg(10000, "v1"), leg(0, "v2", "other")}),
       Kind::kError,
       false,
       "no leg goes to subset v2"},
      {"two legs for the candidate",
       state_at(500, 0),
       {9500, 500},
       splitter({leg(10000, "v1"), leg(0, "v2"), leg(0, "v2", "api")}),
       Kind::kError,
       false,
       "two legs go to subset v2"},
  };
  for (const Case& c : cases) {
    SUBCASE(c.name) {
      const WeightEdit edit = edit_weights(c.state, 100, "r1/3", c.write, c.entry);
      INFO("problem: ", edit.problem);
      CHECK(edit.kind == c.kind);
      CHECK(edit.rises == c.rises);
      CHECK(edit.problem.find(c.problem) != std::string::npos);
      CHECK(edit.problem.empty() == std::string_view(c.problem).empty());
      if (c.kind != Kind::kWrite) continue;
      // All else is as it was read.
      ConfigEntry want = c.entry;
      for (Split& split : std::get<ServiceSplitter>(want.body).splits) {
        split.weight = split.service_subset == "v1" ? c.write.stable : c.write.candidate;
      }
      for (auto& [key, value] : stamps("r1/3", "100", std::to_string(c.write.candidate))) want.meta[key] = value;
      CHECK(to_text(to_json(edit.entry)) == to_text(to_json(want)));
      CHECK(edit.entry == want);
      // Once it stands there, the same effect finds it done.
      CHECK(edit_weights(c.state, 100, "r1/3", c.write, edit.entry).kind == Kind::kDone);
    }
  }
}

TEST_CASE("what is not ours in the splitter stays, byte for byte") {
  ConfigEntry entry = splitter({leg(10000, "v1"), leg(0, "v2"), leg(0, "v0")}, {{"owner", "ann"}});
  auto& body = std::get<ServiceSplitter>(entry.body);
  body.unknown = {{"Future", Json("kept")}};
  body.splits[1].unknown = {{"ResponseHeaders", Json(Json::Object{{"Set", Json(Json::Object{{"x", Json("y")}})}})}};
  const WeightEdit edit = edit_weights(state_at(500, 0), 7, "r1/1", {9500, 500}, entry);
  ConfigEntry want = entry;
  std::get<ServiceSplitter>(want.body).splits[0].weight = 9500;
  std::get<ServiceSplitter>(want.body).splits[1].weight = 500;
  for (auto& [key, value] : stamps("r1/1", "7", "500")) want.meta[key] = value;
  CHECK(to_text(to_json(edit.entry)) == to_text(to_json(want)));
  CHECK(edit.entry == want);
}

TEST_CASE("taking traffic back leaves the share of other legs alone") {
  const ConfigEntry entry = splitter({leg(6000, "v1"), leg(2000, "v2"), leg(2000, "", "other")});
  const WeightEdit edit = edit_weights(state_at(0, 2), 7, "r1/1", {10000, 0}, entry);
  REQUIRE(edit.kind == WeightEdit::Kind::kWrite);
  const auto& splits = std::get<ServiceSplitter>(edit.entry.body).splits;
  CHECK(splits[0].weight == 8000);
  CHECK(splits[1].weight == 0);
  CHECK(splits[2].weight == 2000);
}

TEST_CASE("a window is measured only at the weight that the rollout wrote") {
  const CanaryState state = state_at(500, 1);
  CHECK_OK(check_weight(state, splitter({leg(9500, "v1"), leg(500, "v2")}, stamps("r1/1", "50", "500"))));
  CHECK_ERROR(check_weight(state, splitter({leg(9000, "v1"), leg(1000, "v2")}, stamps("r1/1", "50", "500"))),
              ErrorKind::kConflict, "is at 10.00 %, the rollout wrote 5.00 %");
  CHECK_ERROR(check_weight(state, splitter({leg(9500, "v1"), leg(500, "v2")})), ErrorKind::kConflict, "stamp is gone");
  CHECK_ERROR(check_weight(state, splitter({leg(10000, "v1")})), ErrorKind::kValidate, "no leg goes to subset v2");
}

// ---- health of the candidate ------------------------------------------------------------------------------------

HealthCheck check(std::string service_id, CheckStatus status) {
  HealthCheck out;
  out.id = service_id.empty() ? "serfHealth" : "service:" + service_id;
  out.service_id = std::move(service_id);
  out.status = status;
  return out;
}

struct Instance {
  const char* version;
  CheckStatus status;
  CheckStatus node;
};

CatalogState catalog_of(const std::vector<Instance>& instances, const char* filter = "Service.Meta.version == \"2\"") {
  CatalogState catalog;
  ServiceState service;
  service.name = "api";
  for (std::size_t i = 0; i < instances.size(); ++i) {
    InstanceState instance;
    instance.instance.node = "n" + std::to_string(i);
    instance.instance.id = "api";
    instance.instance.service = "api";
    instance.instance.meta["version"] = instances[i].version;
    instance.checks = {check("api", instances[i].status)};
    NodeState node;
    node.node.name = instance.instance.node;
    node.checks = {check("", instances[i].node)};
    catalog.nodes.emplace(node.node.name, node);
    service.instances.push_back(instance);
  }
  catalog.services.emplace("api", service);
  ConfigEntry resolver;
  resolver.kind = "service-resolver";
  resolver.name = "api";
  ServiceResolver body;
  ResolverSubset subset;
  subset.filter = filter;
  body.subsets["v2"] = subset;
  resolver.body = body;
  catalog.entries.emplace(entry_key(resolver), resolver);
  return catalog;
}

TEST_CASE("an instance counts when the subset selects it and all its checks pass") {
  constexpr CheckStatus kPassing = CheckStatus::kPassing;
  constexpr CheckStatus kWarning = CheckStatus::kWarning;
  constexpr CheckStatus kCritical = CheckStatus::kCritical;
  const CanaryPolicy policy = state_at(0, 0).policy;
  struct Case {
    const char* name;
    std::vector<Instance> instances;
    CandidateHealth want;
  };
  const Case cases[] = {
      {"none at all", {}, {0, 0}},
      {"none of the version", {{"1", kPassing, kPassing}}, {0, 0}},
      {"one", {{"1", kPassing, kPassing}, {"2", kPassing, kPassing}}, {1, 1}},
      {"one that is critical", {{"2", kCritical, kPassing}}, {0, 1}},
      {"one that warns", {{"2", kWarning, kPassing}}, {0, 1}},
      {"one on a node that is gone", {{"2", kPassing, kCritical}}, {0, 1}},
      {"two of three", {{"2", kPassing, kPassing}, {"2", kCritical, kPassing}, {"2", kPassing, kPassing}}, {2, 3}},
  };
  for (const Case& c : cases) {
    SUBCASE(c.name) {
      const absl::StatusOr<CandidateHealth> got = candidate_health(of(policy), catalog_of(c.instances));
      REQUIRE_OK(got);
      CHECK(got->passing == c.want.passing);
      CHECK(got->total == c.want.total);
    }
  }
  CHECK_ERROR(candidate_health(of(policy), CatalogState{}), ErrorKind::kNotFound,
              "service-resolver/api: no subset v2; write one whose filter selects its instances");
  CHECK_ERROR(candidate_health(of(policy), catalog_of({{"2", kPassing, kPassing}}, "Service.Meta.version ==")),
              ErrorKind::kFilter, "");
  CanaryPolicy other = policy;
  other.candidate_subset = "v3";
  CHECK_ERROR(candidate_health(of(other), catalog_of({})), ErrorKind::kNotFound, "no subset v3");
}

TEST_CASE("who has no splitter is told what to write") {
  CHECK_ERROR(no_splitter(state_at(0, 0).policy), ErrorKind::kNotFound,
              "service-splitter/api: is not there; write it with weight 100 to subset v1 and 0 to subset v2");
}

}  // namespace
}  // namespace convergence
