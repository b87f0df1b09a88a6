#include "tests/integration/real_consul.h"

#include <doctest/doctest.h>

#include "convergence/codec.h"

namespace convergence::test {
namespace {

Json object(Json::Object members) { return Json(std::move(members)); }

void require_ok(const absl::Status& status) { REQUIRE(status.ToString() == "OK"); }

}  // namespace

RealConsul::RealConsul() : executor(new_loop_executor()) {
  absl::StatusOr<std::unique_ptr<ConsulServer>> started = ConsulServer::start();
  require_ok(started.status());
  server = *std::move(started);
  CurlOptions options;
  options.address = server->address();
  absl::StatusOr<std::unique_ptr<Transport>> made = new_curl_transport(*executor, options);
  require_ok(made.status());
  transport = *std::move(made);
  client = std::make_unique<ConsulClient>(*executor, *transport);
}

void RealConsul::add_node(const std::string& name, const std::string& role) {
  Json registration = object({{"Node", Json(name)}, {"Address", Json("10.0.0.1")}});
  if (!role.empty()) registration.set("NodeMeta", object({{"role", Json(role)}}));
  require_ok(await_done(*executor, [&](auto done) { client->catalog_register(registration, {}, done); }));
}

void RealConsul::add_instance(const std::string& node, const std::string& service, const std::string& version) {
  const Json registration = object({{"Node", Json(node)},
                                    {"Address", Json("10.0.0.1")},
                                    {"SkipNodeUpdate", Json(true)},
                                    {"Service", object({{"ID", Json(service)},
                                                        {"Service", Json(service)},
                                                        {"Port", Json(80)},
                                                        {"Meta", object({{"version", Json(version)}})}})}});
  require_ok(await_done(*executor, [&](auto done) { client->catalog_register(registration, {}, done); }));
}

void RealConsul::pass(const HealthCheck& check) {
  const Json registration = object({{"Node", Json(check.node)},
                                    {"Address", Json("10.0.0.1")},
                                    {"SkipNodeUpdate", Json(true)},
                                    {"Check", object({{"Node", Json(check.node)},
                                                      {"CheckID", Json(check.id)},
                                                      {"Name", Json(check.name)},
                                                      {"Notes", Json(check.notes)},
                                                      {"ServiceID", Json(check.service_id)},
                                                      {"Definition", check.definition},
                                                      {"Status", Json("passing")}})}});
  require_ok(await_done(*executor, [&](auto done) { client->catalog_register(registration, {}, done); }));
}

void RealConsul::put_entry(const std::string& json) {
  const absl::StatusOr<ConfigEntry> entry = parse<ConfigEntry>(json, "test");
  require_ok(entry.status());
  const absl::StatusOr<bool> put = wait<bool>([&](auto done) { client->config_put(*entry, std::nullopt, {}, done); });
  require_ok(put.status());
  REQUIRE(*put);
}

void RealConsul::put_kv(const std::string& key, const std::string& value) {
  ConsulClient::KvPut put;
  put.key = key;
  put.value = value;
  const absl::StatusOr<bool> done = wait<bool>([&](auto answered) { client->kv_put(put, {}, answered); });
  require_ok(done.status());
  REQUIRE(*done);
}

CatalogState RealConsul::catalog() {
  absl::StatusOr<CatalogState> catalog = wait<CatalogState>([&](auto done) { read_catalog(*client, {}, {}, done); });
  require_ok(catalog.status());
  return *std::move(catalog);
}

std::optional<ConfigEntry> RealConsul::entry(std::string_view kind, const std::string& name) {
  const auto answer =
      wait<Answer<std::optional<ConfigEntry>>>([&](auto done) { client->config_get(kind, name, {}, done); });
  require_ok(answer.status());
  return answer->value;
}

// One server for all cases; it ends with the program.
RealConsul& real_consul() {
  static RealConsul consul;
  return consul;
}

}  // namespace convergence::test
