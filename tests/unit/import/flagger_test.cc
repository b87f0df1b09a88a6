// Flagger's resources as policies of ours, with the report of every field.
#include <doctest/doctest.h>
#include <fmt/format.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <set>
#include <string>
#include <vector>

#include "convergence/codec.h"
#include "convergence/import.h"
#include "tests/support/status_check.h"

namespace convergence {
namespace {

std::string rows_of(const ImportedDocuments& imported) {
  std::string out;
  for (const ImportRow& row : imported.report) {
    out += fmt::format("{} {} {}{}{}\n", row.line, row.field, to_string(row.outcome), row.why.empty() ? "" : ": ",
                       row.why);
  }
  return out;
}

// By a walk of its own: what has no members and no items with members.
void walk(const Json& json, const std::string& path, std::vector<std::string>& out) {
  if (const Json::Object* members = json.as_object(); members != nullptr && !members->empty()) {
    for (const Json::Member& member : *members) {
      walk(member.value, path.empty() ? member.name : path + "." + member.name, out);
    }
    return;
  }
  const Json::Array* items = json.as_array();
  bool nested = false;
  for (std::size_t i = 0; items != nullptr && i < items->size(); ++i) {
    nested = nested || (*items)[i].is_object() || (*items)[i].is_array();
  }
  if (!nested) return out.push_back(path);
  for (std::size_t i = 0; i < items->size(); ++i) walk((*items)[i], fmt::format("{}[{}]", path, i), out);
}

void check_every_field(const std::string& text, const std::string& name) {
  CAPTURE(name);
  const auto documents = parse_yaml(text, name);
  REQUIRE_OK(documents);
  std::vector<std::string> fields;
  for (const Json& json : *documents) walk(json, "", fields);
  const auto imported = import_documents(text, name);
  REQUIRE_OK(imported);
  std::vector<std::string> reported;
  std::int64_t line = 0;
  for (const ImportRow& row : imported->report) {
    reported.push_back(row.field);
    CAPTURE(row.field);
    CHECK(row.why.empty() == (row.outcome == ImportOutcome::kImported));
    CHECK(row.line >= line);  // in the order of the text
    line = row.line;
  }
  CHECK(reported == fields);
}

constexpr const char* kWeights = R"(apiVersion: flagger.app/v1beta1
kind: Canary
metadata:
  name: podinfo
  namespace: test
spec:
  provider: istio
  progressDeadlineSeconds: 60
  targetRef:
    apiVersion: apps/v1
    kind: Deployment
    name: podinfo
  service:
    port: 9898
    timeout: 30s
    retries:
      attempts: 3
      perTryTimeout: 1s
      retryOn: "gateway-error,connect-failure,503"
    mystery: 1
  analysis:
    interval: 1m
    threshold: 5
    maxWeight: 50
    stepWeight: 20
    stepWeightPromotion: 50
    metrics:
    - name: request-success-rate
      thresholdRange:
        min: 99
      interval: 1m
    - name: latency
      templateRef:
        name: latency
      thresholdRange:
        max: 500
      interval: 30s
      templateVariables:
        direction: inbound
    - name: errors
      templateRef:
        name: nowhere
    webhooks:
    - name: go
      type: confirm-promotion
      url: http://gate.test/
    - name: load
      url: http://load.test/
---
apiVersion: flagger.app/v1beta1
kind: MetricTemplate
metadata:
  name: latency
  namespace: test
spec:
  provider:
    type: prometheus
    address: http://prometheus:9090
  query: |
    latency{service="{{ service }}",way="{{ variables.direction }}"}[{{interval}}] {{ what }}
)";

TEST_CASE("a Canary by weights becomes a policy with the same steps, limits and gates") {
  const auto imported = import_documents(kWeights, "canary.yaml");
  REQUIRE_OK(imported);
  REQUIRE(imported->policies.size() == 1);
  const Json policy = to_json(imported->policies[0]);
  const auto member = [&](std::string_view name) {
    const Json* value = policy.find(name);
    return value == nullptr ? std::string("absent") : to_text(*value);
  };
  CHECK(member("service") == R"("podinfo")");
  CHECK(member("stable_subset") == R"("primary")");
  CHECK(member("candidate_subset") == R"("canary")");
  CHECK(member("steps") == "[20,40,60]");  // Flagger passes the limit, too
  CHECK(member("interval") == R"("1m0s")");
  CHECK(member("mode") == R"("flagger")");
  CHECK(member("max_failures") == "5");
  CHECK(member("min_success_rate") == "0.99");
  CHECK(member("return_steps") == "[10]");
  CHECK(member("promotion") == R"("copy")");
  CHECK(member("no_evidence_deadline") == R"("3m0s")");
  const Json* metrics = policy.find("metrics");
  REQUIRE(metrics != nullptr);
  REQUIRE(metrics->as_array()->size() == 2);
  CHECK(to_text(*(*metrics->as_array())[0].find("query")) ==
        R"("latency{service=\"podinfo\",way=\"inbound\"}[30s] {{ what }}\n")");
  CHECK((*metrics->as_array())[0].find("max")->to_double() == 500.0);
  CHECK((*metrics->as_array())[1].find("query") == nullptr);
  const Json* gates = policy.find("gates");
  REQUIRE(gates != nullptr);
  REQUIRE(gates->as_array()->size() == 1);
  CHECK(to_text(*(*gates->as_array())[0].find("at")) == R"("promotion")");
  REQUIRE(imported->entries.size() == 1);
  CHECK(to_text(to_json(imported->entries[0])) ==
        R"({"Kind":"service-router","Name":"podinfo","Routes":[{"Match":{"HTTP":{"PathPrefix":"/"}},"Destination":)"
        R"({"RequestTimeout":"30s","NumRetries":3,"RetryOnConnectFailure":true,"RetryOn":["gateway-error"],)"
        R"("RetryOnStatusCodes":[503]}}],"CreateIndex":0,"ModifyIndex":0})");
  const std::string rows = rows_of(*imported);
  for (const char* row : {
           "7 spec.provider ignored: Consul moves the traffic\n",
           "20 spec.service.mystery unsupported: Flagger knows no field of this name\n",
           "18 spec.service.retries.perTryTimeout unsupported: Consul's router has one timeout for all attempts "
           "together\n",
           "24 spec.analysis.maxWeight translated: steps 20, 40, 60: the last passes it, as Flagger does\n",
           "42 spec.analysis.metrics[2].templateRef.name unsupported: no MetricTemplate of this name is in the text: "
           "the "
           "host has to bring the number\n",
       }) {
    CAPTURE(rows);
    CHECK(rows.find(row) != std::string::npos);
  }
  check_every_field(kWeights, "canary.yaml");
}

TEST_CASE("iterations with matches are A/B, and a match that cannot be had whole is not taken") {
  const std::string text = R"(apiVersion: flagger.app/v1beta1
kind: Canary
metadata: {name: shop}
spec:
  analysis:
    interval: 5s
    threshold: 2
    iterations: 7
    match:
    - headers: {x-beta: {exact: "yes"}}
    - headers: {x-beta: {exact: "yes"}}
      sourceLabels: {app: web}
    - queryParams: {v: {prefix: "a.b"}}
)";
  const auto imported = import_documents(text, "x");
  REQUIRE_OK(imported);
  REQUIRE(imported->policies.size() == 1);
  const Json policy = to_json(imported->policies[0]);
  CHECK(to_text(*policy.find("strategy")) == R"("match")");
  CHECK(to_text(*policy.find("match")) ==
        R"([{"headers":[{"name":"x-beta","exact":"yes"}]},{"query":[{"name":"v","regex":"a\\.b.*"}]}])");
  CHECK(policy.find("intervals_per_step")->to_int64() == 7);
  CHECK(to_text(*policy.find("interval")) == R"("10s")");
  check_every_field(text, "x");
}

TEST_CASE("what nothing acts upon is not called translated") {
  const auto imported = import_documents(kWeights, "x");
  REQUIRE_OK(imported);
  std::set<std::string> kept;
  for (const Json::Member& member : imported->policies[0].unknown) kept.insert(member.name);
  for (const ImportRow& row : imported->report) {
    if (row.field != "spec.analysis.stepWeightPromotion") continue;
    CHECK((row.outcome == ImportOutcome::kUnsupported) == kept.contains("return_steps"));
  }
}

TEST_CASE("any text of a Canary is reported field by field, whatever stands in it") {
  const char* const values[] = {"7", "-1",   "1e400",  "text",        "[]",      "{}",
                                "",  "true", "[1, 2]", "{a: {b: 1}}", "[{a: 1}]"};
  const std::string text = kWeights;
  std::vector<std::string> lines;
  for (std::size_t at = 0; at < text.size(); at = text.find('\n', at) + 1) {
    lines.push_back(text.substr(at, text.find('\n', at) - at));
  }
  for (std::size_t i = 0; i < 44; ++i) {  // before the template, whose query has lines of its own
    const std::size_t colon = lines[i].find(": ");
    if (colon == std::string::npos || lines[i].find("apiVersion") == 0 || lines[i].find("kind") == 0) continue;
    for (const char* value : values) {
      std::string changed;
      for (std::size_t j = 0; j < lines.size(); ++j) {
        changed += (j == i ? lines[j].substr(0, colon + 2) + value : lines[j]) + "\n";
      }
      check_every_field(changed, fmt::format("line {} = {}", i + 1, value));
    }
  }
}

TEST_CASE("documents of others: CONVERGENCE_SAMPLES names a folder of them") {
  const char* folder = std::getenv("CONVERGENCE_SAMPLES");
  if (folder == nullptr) return;
  for (const auto& entry : std::filesystem::recursive_directory_iterator(folder)) {
    if (entry.path().extension() != ".yaml" || entry.path().filename() == "crd.yaml") continue;
    std::ifstream file(entry.path());
    check_every_field(std::string(std::istreambuf_iterator<char>(file), {}), entry.path().string());
  }
}

}  // namespace
}  // namespace convergence
