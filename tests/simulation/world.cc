#include "tests/simulation/world.h"

#include <doctest/doctest.h>

#include "convergence/codec.h"
#include "fmt/format.h"

namespace convergence::test {
namespace {

Json object(Json::Object members) { return Json(std::move(members)); }

void require_ok(const absl::Status& status) { REQUIRE(status.ToString() == "OK"); }

}  // namespace

World::World() = default;

void World::add_node(const std::string& name, const std::string& role) {
  Json registration = object({{"Node", Json(name)}, {"Address", Json("10.0.0.1")}});
  if (!role.empty()) registration.set("NodeMeta", object({{"role", Json(role)}}));
  require_ok(await_done(executor, [&](auto done) { client.catalog_register(registration, {}, done); }));
}

void World::add_instance(const std::string& node, const std::string& service, const std::string& version,
                         CheckStatus status) {
  const Json registration = object({{"Node", Json(node)},
                                    {"Address", Json("10.0.0.1")},
                                    {"SkipNodeUpdate", Json(true)},
                                    {"Service", object({{"ID", Json(service)},
                                                        {"Service", Json(service)},
                                                        {"Port", Json(80)},
                                                        {"Meta", object({{"version", Json(version)}})}})},
                                    {"Check", object({{"Node", Json(node)},
                                                      {"CheckID", Json(service + ":up")},
                                                      {"Name", Json("up")},
                                                      {"ServiceID", Json(service)},
                                                      {"Status", Json(to_string(status))}})}});
  require_ok(await_done(executor, [&](auto done) { client.catalog_register(registration, {}, done); }));
}

void World::remove_instance(const std::string& node, const std::string& service) {
  const Json what = object({{"Node", Json(node)}, {"ServiceID", Json(service)}});
  require_ok(await_done(executor, [&](auto done) { client.catalog_deregister(what, {}, done); }));
}

void World::put_entry(const std::string& json) {
  absl::StatusOr<ConfigEntry> entry = parse<ConfigEntry>(json, "test");
  require_ok(entry.status());
  const absl::StatusOr<bool> put = wait<bool>([&](auto done) { client.config_put(*entry, std::nullopt, {}, done); });
  require_ok(put.status());
  REQUIRE(*put);
}

void World::add_api() { add_service("api"); }

void World::add_service(const std::string& name) {
  for (const char* node : {"n1", "n2", "n3", "n4"}) add_node(node);
  add_instance("n1", name, "1.0");
  add_instance("n2", name, "1.0");
  add_instance("n3", name, "2.0");
  add_instance("n4", name, "2.0");
  put_entry(fmt::format(R"({{"Kind":"service-defaults","Name":"{}","Protocol":"http"}})", name));
  put_entry(fmt::format(
      R"({{"Kind":"service-resolver","Name":"{}","DefaultSubset":"v1","Subsets":{{)"
      R"("v1":{{"Filter":"Service.Meta.version == \"1.0\""}},"v2":{{"Filter":"Service.Meta.version == \"2.0\""}}}}}})",
      name));
  put_entry(fmt::format(R"({{"Kind":"service-splitter","Name":"{}","Meta":{{"owner":"ann"}},"Splits":[)"
                        R"({{"Weight":100,"ServiceSubset":"v1"}},{{"Weight":0,"ServiceSubset":"v2"}}]}})",
                        name));
}

std::optional<ConfigEntry> World::entry(std::string_view kind, const std::string& name) {
  const auto answer =
      wait<Answer<std::optional<ConfigEntry>>>([&](auto done) { client.config_get(kind, name, {}, done); });
  require_ok(answer.status());
  return answer->value;
}

std::int32_t World::candidate_weight() {
  const std::optional<ConfigEntry> splitter = entry(kServiceSplitter, "api");
  REQUIRE(splitter.has_value());
  for (const Split& split : std::get<ServiceSplitter>(splitter->body).splits) {
    if (split.service_subset == "v2") return split.weight;
  }
  return -1;
}

void World::move_candidate(std::int32_t weight) {
  std::optional<ConfigEntry> splitter = entry(kServiceSplitter, "api");
  REQUIRE(splitter.has_value());
  for (Split& split : std::get<ServiceSplitter>(splitter->body).splits) {
    split.weight = split.service_subset == "v2" ? weight : 10000 - weight;
  }
  const absl::StatusOr<bool> put =
      wait<bool>([&](auto done) { client.config_put(*splitter, splitter->modify_index, {}, done); });
  require_ok(put.status());
  REQUIRE(*put);
}

CatalogState World::catalog() {
  absl::StatusOr<CatalogState> catalog = wait<CatalogState>([&](auto done) { read_catalog(client, {}, {}, done); });
  require_ok(catalog.status());
  return *std::move(catalog);
}

std::optional<CanaryState> World::rollout(const std::string& service) {
  const auto answer = wait<Answer<std::optional<KvPair>>>(
      [&](auto done) { client.kv_get("convergence/rollouts/" + service, {}, done); });
  require_ok(answer.status());
  if (!answer->value) return std::nullopt;
  absl::StatusOr<CanaryState> state = parse<CanaryState>(answer->value->value, "rollout");
  require_ok(state.status());
  return *std::move(state);
}

void World::put_kv(const std::string& key, const std::string& value) {
  ConsulClient::KvPut put;
  put.key = key;
  put.value = value;
  const absl::StatusOr<bool> done = wait<bool>([&](auto answered) { client.kv_put(put, {}, answered); });
  require_ok(done.status());
  REQUIRE(*done);
}

ConsulClient& World::new_client(Decide decide) {
  Side side;
  Transport* transport = &consul;
  if (decide) {
    side.transport = new_fault_transport(executor, consul, std::move(decide));
    transport = side.transport.get();
  }
  side.client = std::make_unique<ConsulClient>(executor, *transport);
  sides_.push_back(std::move(side));
  return *sides_.back().client;
}

bool World::run_until(const std::function<bool()>& done, Duration patience) {
  return executor.wait_until(done, executor.now() + patience).ok();
}

CanaryPolicy api_policy() {
  CanaryPolicy policy;
  policy.service = "api";
  policy.stable_subset = "v1";
  policy.candidate_subset = "v2";
  policy.steps = {500, 2000};
  return policy;
}

StartRollout api_start() { return {"r1", "2.0", "ann"}; }

void ScriptedMetrics::measure(const MeasureRequest& request, std::function<void(Measurement)> done) {
  asked.push_back(request);
  callbacks.push_back(done);
  if (std::optional<Measurement> answer = script_(request)) done(*std::move(answer));
}

Measurement counted(std::int64_t requests, std::int64_t errors) {
  Measurement out;
  out.stable = {10 * requests, 0};
  out.candidate = {requests, errors};
  return out;
}

std::optional<Measurement> all_good(const MeasureRequest&) { return counted(400, 1); }
std::optional<Measurement> all_bad(const MeasureRequest& request) {
  return request.window.epoch <= 2 ? counted(400, 1) : counted(400, 80);
}

std::vector<std::string> decisions(const CanaryState& state) {
  std::vector<std::string> out;
  for (const CanaryRecord& record : state.history) {
    out.push_back(fmt::format("{} {} {}", to_string(record.phase), to_string(record.reason), record.weight));
  }
  return out;
}

}  // namespace convergence::test
