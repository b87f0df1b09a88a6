// Filters x rows on a real Consul: its ?filter= and ours give the same rows, or the same complaint, on each endpoint
// that has one.
//
// CONVERGENCE_CASES (2000, at night 100000) expressions are tried, made from CONVERGENCE_SEED (1).
#include <doctest/doctest.h>
#include <fmt/format.h>

#include <algorithm>
#include <cstdlib>

#include "convergence/filter.h"
#include "tests/support/consul_server.h"
#include "tests/support/filter_generator.h"
#include "tests/support/health_rows.h"
#include "tests/support/status_check.h"
#include "tests/support/test_json.h"

namespace convergence::test {
namespace {

constexpr int kRows = 12;
constexpr int kLocalRows = 6;
constexpr std::string_view kPrefix = "Failed to create boolean expression evaluator: ";

struct Endpoint {
  std::string_view path;
  RowKind kind;
};
constexpr std::string_view kLocalServices = "/v1/agent/services";
constexpr std::string_view kLocalChecks = "/v1/agent/checks";
constexpr Endpoint kEndpoints[] = {
    {"/v1/health/service/web", RowKind::kHealth},
    {"/v1/health/connect/web", RowKind::kHealth},
    {"/v1/catalog/nodes", RowKind::kNode},
    {"/v1/catalog/service/web", RowKind::kCatalogService},
    {"/v1/catalog/connect/web", RowKind::kCatalogService},
    {"/v1/catalog/node/n1", RowKind::kService},
    {"/v1/catalog/node-services/n1", RowKind::kService},
    {"/v1/health/node/n1", RowKind::kCheck},
    {"/v1/health/checks/web", RowKind::kCheck},
    {"/v1/health/state/any", RowKind::kCheck},
    {kLocalServices, RowKind::kService},
    {kLocalChecks, RowKind::kCheck},
};

std::uint64_t setting(const char* name, std::uint64_t otherwise) {
  const char* text = std::getenv(name);
  return text != nullptr ? std::strtoull(text, nullptr, 10) : otherwise;
}

std::string url_encoded(std::string_view text) {
  std::string out;
  for (char c : text) out += fmt::format("%{:02X}", static_cast<unsigned char>(c));
  return out;
}

void put(const ConsulServer& consul, std::string_view path, const Json& body) {
  auto answer = consul.request("PUT", path, to_text(body));
  REQUIRE_OK(answer);
  CAPTURE(to_text(body));
  CAPTURE(answer->body);
  REQUIRE(answer->status == 200);
}

// What no filter speaks of and the server may change while we ask.
Json without_indexes(const Json& json) {
  if (const Json::Array* array = json.as_array()) {
    Json::Array out;
    for (const Json& item : *array) out.push_back(without_indexes(item));
    return out;
  }
  if (!json.is_object()) return json;
  Json::Object out;
  for (const Json::Member& member : *json.as_object()) {
    if (member.name == "CreateIndex" || member.name == "ModifyIndex") continue;
    out.push_back({member.name, without_indexes(member.value)});
  }
  return out;
}

// The rows of an answer: an array, an object by id, or the "Services" of a node in either form.
Json::Array rows_of(const std::string& body) {
  auto document = parse_json(body, "answer");
  REQUIRE_OK(document);
  const Json* services = document->find("Node") != nullptr ? document->find("Services") : nullptr;
  const Json rows = without_indexes(services != nullptr ? *services : *document);
  if (const Json::Array* array = rows.as_array()) return *array;
  Json::Array out;
  REQUIRE(rows.is_object());
  for (const Json::Member& member : *rows.as_object()) out.push_back(member.value);
  return out;
}

Json::Array all_rows(const ConsulServer& consul, std::string_view path) {
  auto answer = consul.request("GET", path);
  REQUIRE_OK(answer);
  REQUIRE(answer->status == 200);
  return rows_of(answer->body);
}

// The rows as text, a complaint, or "" where the server closes the connection instead of answering.
std::string consul_says(const ConsulServer& consul, const Endpoint& endpoint, std::string_view expression) {
  auto answer = consul.request("GET", fmt::format("{}?filter={}", endpoint.path, url_encoded(expression)));
  if (endpoint.path == kLocalServices && !answer.ok()) return "";
  REQUIRE_OK(answer);
  return answer->status == 200 ? to_text(Json(rows_of(answer->body))) : answer->body;
}

std::string we_say(const Endpoint& endpoint, std::string_view expression, const Json::Array& rows) {
  auto filter = Filter::parse(expression, endpoint.kind);
  if (!filter.ok()) return std::string(filter.status().message());
  auto kept = filter_rows(*filter, rows);
  if (kept.ok()) return to_text(Json(*kept));
  std::string complaint(kept.status().message());
  // The checks of the agent are the one place where selectors are looked at row by row.
  if (endpoint.path == kLocalChecks && complaint.starts_with(kPrefix)) complaint.erase(0, kPrefix.size());
  return complaint;
}

std::string we_say_of_values(std::string_view expression, const Json::Array& rows) {
  auto filter = Filter::parse(expression);
  if (!filter.ok()) return std::string(filter.status().message());
  Json::Array kept;
  for (const Json& row : rows) {
    const HealthRow values = health_row_from(row);
    auto matched = filter->matches(values.instance, values.node);
    if (!matched.ok()) return std::string(matched.status().message());
    if (*matched) kept.push_back(row);
  }
  return to_text(Json(std::move(kept)));
}

// What was compared, so that a generator that makes nothing of interest is noticed.
struct Tally {
  std::uint64_t all = 0;   // every row selected
  std::uint64_t none = 0;  // or no row
  std::uint64_t some = 0;
  std::uint64_t refused = 0;
  std::uint64_t closed = 0;
};

void compare(const ConsulServer& consul, const Endpoint& endpoint, const Json::Array& rows,
             const std::string& expression, Tally& tally) {
  CAPTURE(endpoint.path);
  CAPTURE(expression);
  const std::string expected = consul_says(consul, endpoint, expression);
  if (expected.empty()) {
    // Consul 1.8 falls over a service that has no Proxy or Connect when asked for a member of them.
    const bool below_nothing =
        expression.find("Proxy") != std::string::npos || expression.find("Connect") != std::string::npos;
    CHECK(below_nothing);
    ++tally.closed;
    return;
  }
  const std::string ours = we_say(endpoint, expression, rows);
  CHECK(ours == expected);
  if (endpoint.kind == RowKind::kHealth) CHECK(we_say_of_values(expression, rows) == expected);
  ++(expected == to_text(Json(rows)) ? tally.all
     : expected == "[]"              ? tally.none
     : expected.starts_with('[')     ? tally.some
                                     : tally.refused);
}

// A service of the agent, as its own endpoint takes it, from a row of the catalog.
Json local_definition(const Json& row, int i) {
  Json out = Json::Object{{"Name", "local"},
                          {"ID", fmt::format("local-{}", i)},
                          {"Check", Json::Object{{"TTL", "10h"}, {"Status", i % 2 == 0 ? "passing" : "critical"}}}};
  const Json& service = *row.find("Service");
  const bool is_proxy = service.find("Kind") != nullptr;
  for (const Json::Member& member : *service.as_object()) {
    if (member.name == "Service" || member.name == "ID" || (member.name == "Proxy" && !is_proxy)) continue;
    out.set(member.name, member.value);
  }
  return out;
}

// The agent tells the catalog of itself and of what it was given in its own time: reads until `told` of the answer.
void await_agent(const ConsulServer& consul, const std::string& path, bool (*told)(const Json::Array& rows)) {
  std::string again = path;
  for (int round = 0; round < 100; ++round) {
    auto answer = consul.request("GET", again);
    REQUIRE_OK(answer);
    if (told(rows_of(answer->body))) return;
    again = fmt::format("{}?wait=10s&index={}", path, answer->headers.at("x-consul-index"));
  }
  FAIL("the catalog was not told: ", path);
}

bool has_local_checks(const Json::Array& checks) { return checks.size() == kLocalRows; }

bool has_whole_nodes(const Json::Array& nodes) {
  return std::any_of(nodes.begin(), nodes.end(), [](const Json& node) {
    return *node.find("Node") == Json("fixture") && !node.find("TaggedAddresses")->is_null();
  });
}

void register_rows(const ConsulServer& consul, FilterGenerator& generator) {
  for (int i = 0; i < kRows; ++i) put(consul, "/v1/catalog/register", registration_of(generator.health_row(i)));
  // A node with a few services.
  for (int i = kRows; i < 2 * kRows; ++i) {
    Json row = generator.health_row(i);
    row.set("Node",
            Json::Object{{"Node", "n1"}, {"Address", "10.0.0.1"}, {"TaggedAddresses", Json()}, {"Meta", Json()}});
    Json checks = *row.find("Checks");
    for (Json& check : *checks.as_array()) check.set("Node", "n1");
    row.set("Checks", std::move(checks));
    put(consul, "/v1/catalog/register", registration_of(row));
  }
  for (int i = 0; i < kLocalRows; ++i) {
    put(consul, "/v1/agent/service/register", local_definition(generator.health_row(i), i));
  }
  await_agent(consul, "/v1/health/checks/local", has_local_checks);
  await_agent(consul, "/v1/catalog/nodes", has_whole_nodes);
}

TEST_CASE("the recorded filters are still answered as they were") {
  auto consul = ConsulServer::start();
  REQUIRE_OK(consul);
  const auto known = read_test_json("unit/filter/consul_1_8_7.json");
  REQUIRE_OK(known);
  for (const Json& registration : *known->find("register")->as_array()) {
    put(**consul, "/v1/catalog/register", registration);
  }
  const Json::Array rows = all_rows(**consul, kEndpoints[0].path);
  REQUIRE(rows.size() == known->find("register")->as_array()->size());
  Tally tally;
  for (const Json& one : *known->find("cases")->as_array()) {
    compare(**consul, kEndpoints[0], rows, *one.find("filter")->as_string(), tally);
  }
}

TEST_CASE("our filters select what Consul's select, of generated rows") {
  const std::uint64_t seed = setting("CONVERGENCE_SEED", 1);
  const std::uint64_t cases =
      setting("CONVERGENCE_CASES", std::getenv("CONVERGENCE_NIGHTLY") != nullptr ? 100000 : 2000);
  MESSAGE("CONVERGENCE_SEED=", seed, " CONVERGENCE_CASES=", cases);
  FilterGenerator generator(seed);
  auto consul = ConsulServer::start();
  REQUIRE_OK(consul);
  register_rows(**consul, generator);
  std::vector<Json::Array> rows;
  for (const Endpoint& endpoint : kEndpoints) {
    CAPTURE(endpoint.path);
    rows.push_back(all_rows(**consul, endpoint.path));
    REQUIRE(rows.back().size() > 1);
  }
  Tally tally;
  for (std::uint64_t i = 0; i < cases; ++i) {
    const std::size_t which = i % std::size(kEndpoints);
    const Endpoint& endpoint = kEndpoints[which];
    compare(**consul, endpoint, rows[which], generator.expression(endpoint.kind), tally);
  }
  MESSAGE("all rows ", tally.all, ", some ", tally.some, ", none ", tally.none, "; refused ", tally.refused,
          ", not answered ", tally.closed);
  if (cases < 1000) return;
  CHECK(tally.some * 10 > cases);
  CHECK(tally.refused * 10 > cases);
}

TEST_CASE("rows that are not there") {
  auto consul = ConsulServer::start();
  REQUIRE_OK(consul);
  struct Row {
    std::string_view path;
    std::string_view filter;
    int status;
    std::string body;
  };
  const std::string unknown = fmt::format("{}Selector \"Foo\" is not valid", kPrefix);
  const Row rows[] = {
      {"/v1/health/service/nope", "Foo == 1", 500, unknown},
      {"/v1/health/checks/nope", "Foo == 1", 500, unknown},
      {"/v1/catalog/node/nope", "Foo == 1", 500, unknown},
      {"/v1/catalog/node/nope", "Port == 1", 200, "null"},
      {kLocalServices, "Foo == 1", 500, unknown},
      {kLocalChecks, "Foo == 1", 200, "{}"},
      {"/v1/catalog/services", "Foo ==", 200, "{\"consul\":[]}"},
  };
  for (const Row& row : rows) {
    CAPTURE(row.path);
    auto answer = (*consul)->request("GET", fmt::format("{}?filter={}", row.path, url_encoded(row.filter)));
    REQUIRE_OK(answer);
    CHECK(answer->status == row.status);
    CHECK(answer->body == row.body);
  }
}

}  // namespace
}  // namespace convergence::test
