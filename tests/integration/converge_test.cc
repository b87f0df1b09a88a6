// Twelve nodes of a real Consul brought to what is wanted.
#include <doctest/doctest.h>

#include <map>

#include "convergence/codec.h"
#include "convergence/error.h"
#include "fmt/format.h"
#include "tests/integration/real_consul.h"
#include "tests/support/status_check.h"

namespace convergence {
namespace {

using test::real_consul;

DesiredService service(std::string name, std::string version, std::string role) {
  DesiredService out;
  out.name = std::move(name);
  out.release.version = std::move(version);
  out.placement.role = std::move(role);
  out.release.port = 80;
  CheckDefinition check;
  check.name = "up";
  check.http = "http://127.0.0.1/up";
  check.interval = std::chrono::seconds(10);
  out.release.checks = {check};
  return out;
}

ConfigEntry entry(std::string_view json) {
  absl::StatusOr<ConfigEntry> parsed = parse<ConfigEntry>(json, "entry");
  REQUIRE_OK(parsed);
  return *std::move(parsed);
}

DesiredState wanted(const std::string& web, const std::string& api) {
  DesiredState out;
  out.services = {service("api", api, "back"), service("web", web, "front")};
  out.entries = {
      entry(R"({"Kind":"service-defaults","Name":"api","Protocol":"http"})"),
      entry(R"({"Kind":"service-defaults","Name":"web","Protocol":"http"})"),
      entry(R"({"Kind":"service-resolver","Name":"api","DefaultSubset":"v1","Subsets":{)"
            R"("v1":{"Filter":"Service.Meta.version == \"1.0\""},"v2":{"Filter":"Service.Meta.version == \"2.0\""}}})"),
      entry(R"({"Kind":"service-splitter","Name":"api","Splits":[)"
            R"({"Weight":100,"ServiceSubset":"v1"},{"Weight":0,"ServiceSubset":"v2"}]})"),
      entry(R"({"Kind":"service-router","Name":"api","Routes":[{"Match":{"HTTP":{"PathPrefix":"/"}},)"
            R"("Destination":{"NumRetries":3,"RetryOnStatusCodes":[500,503]}}]})"),
      entry(R"({"Kind":"service-router","Name":"web","Routes":[)"
            R"({"Match":{"HTTP":{"PathPrefix":"/api/"}},"Destination":{"Service":"api"}}]})")};
  absl::StatusOr<DesiredState> normal = normalise(out);
  REQUIRE_OK(normal);
  return *std::move(normal);
}

void want(const DesiredState& desired) {
  for (const KvPair& pair : desired_to_kv(desired, "fleet")) real_consul().put_kv(pair.key, pair.value);
}

ConvergeReport converge(bool prune = false) {
  ConvergeOptions options;
  options.prefix = "fleet";
  options.plan.prune = prune;
  const absl::StatusOr<ConvergeReport> report = real_consul().wait<ConvergeReport>(
      [&](auto done) { converge_once(*real_consul().client, options, nullptr, done); });
  REQUIRE_OK(report);
  INFO(describe(report->last_plan));
  CHECK(report->last_plan.steps.empty());
  CHECK(report->broken.empty());
  return *report;
}

void pass_all_checks() {
  for (const auto& [name, state] : real_consul().catalog().services) {
    for (const InstanceState& instance : state->instances) {
      for (const HealthCheck& check : instance.checks) real_consul().pass(check);
    }
  }
}

std::string summary() {
  const CatalogState catalog = real_consul().catalog();
  std::string out;
  for (const auto& [name, state] : catalog.services) {
    if (name == "consul") continue;
    std::map<std::string, int> versions;
    for (const InstanceState& instance : state->instances) ++versions[instance.instance.meta.at("version")];
    for (const auto& [version, count] : versions) out += fmt::format("{} {} x{}; ", name, version, count);
  }
  for (const auto& [id, one] : catalog.entries) out += fmt::format("{}/{} ", id.kind, id.name);
  return out;
}

constexpr const char* kEntries =
    "service-defaults/api service-defaults/web service-resolver/api service-router/api service-router/web "
    "service-splitter/api ";

TEST_CASE("twelve nodes: from nothing to what is wanted, on to new versions, and down to what is left") {
  for (int i = 1; i <= 12; ++i) {
    real_consul().add_node(fmt::format("node-{:02}", i), i <= 6 ? "front" : "back");
  }
  want(wanted("7", "1.0"));
  converge();
  pass_all_checks();
  ConvergeReport report = converge();
  CHECK(report.last_plan.held.empty());
  CHECK(summary() == std::string("api 1.0 x6; web 7 x6; ") + kEntries);

  // The fixpoint: nothing to do, and nothing done.
  report = converge();
  CHECK(report.rounds == 1);
  CHECK(report.steps_done == 0);

  // A check that another agent reports on is not overruled by the change of its instance.
  want(wanted("8", "1.0"));
  report = converge();
  CHECK(report.steps_done == 6);
  CHECK(summary() == std::string("api 1.0 x6; web 8 x6; ") + kEntries);
  const CatalogState catalog = real_consul().catalog();
  for (const InstanceState& instance : catalog.services.at("web")->instances) {
    REQUIRE(instance.checks.size() == 1);
    CHECK(instance.checks[0].status == CheckStatus::kPassing);
  }

  // Without prune what is not wanted any more stays; with it, it goes.
  for (const KvPair& pair : desired_to_kv(wanted("8", "1.0"), "fleet")) {
    if (pair.key.find("web") == std::string::npos) continue;
    const auto deleted =
        real_consul().wait<bool>([&](auto done) { real_consul().client->kv_delete(pair.key, std::nullopt, {}, done); });
    REQUIRE_OK(deleted);
  }
  CHECK(converge().steps_done == 0);
  converge(true);
  CHECK(summary() == "api 1.0 x6; service-defaults/api service-resolver/api service-router/api service-splitter/api ");
}

}  // namespace
}  // namespace convergence
