#include "tests/unit/chain/entries.h"

#include <doctest/doctest.h>

#include <algorithm>
#include <string>
#include <vector>

#include "convergence/chain.h"
#include "convergence/codec.h"
#include "lib/chain/graph_check.h"
#include "tests/support/status_check.h"
#include "tests/support/test_json.h"
#include "tests/unit/chain/situations.h"

namespace convergence {
namespace {

using test::defaults;
using test::entry;
using test::http;
using test::proxy_defaults;
using test::resolver;
using test::router;
using test::splitter;

using Texts = std::vector<std::string>;

// One step of writes.json: an entry put or deleted, and every answer that a Consul 1.8.7 gave in 25 runs. An empty text
// stands for success.
struct Step {
  std::optional<ConfigEntry> put;
  EntryId removed;
  Texts answers;
};

Step read_step(const Json& json) {
  Step step;
  if (const Json* put = json.find("put")) {
    const auto given = from_json<ConfigEntry>(*put, "put");
    REQUIRE_OK(given);
    step.put = *given;
  } else {
    step.removed = {*json.find("delete")->as_string(), *json.find("name")->as_string()};
  }
  for (const Json& answer : *json.find("answers")->as_array()) step.answers.push_back(*answer.as_string());
  return step;
}

// What is wrong with the write, by every chain that it breaks.
Texts all_answers(const ConfigEntries& entries, const Step& step) {
  ProposedEntry proposed{step.removed, nullptr};
  absl::StatusOr<ConfigEntry> normal;
  Shared<ConfigEntry> next;
  if (step.put) {
    normal = normalise_entry(*step.put, entries.cluster().dialect);
    if (!normal.ok()) return {std::string(normal.status().message())};
    next = *normal;
    proposed = {entry_id(*normal), &next};
  } else if (entries.get(step.removed.kind, step.removed.name) == nullptr) {
    return {""};
  }
  Texts texts;
  for (const absl::Status& status : failing_chains(entries.map(), proposed)) texts.emplace_back(status.message());
  if (texts.empty()) texts.push_back("");
  std::sort(texts.begin(), texts.end());
  texts.erase(std::unique(texts.begin(), texts.end()), texts.end());
  return texts;
}

void run_step(ConfigEntries& entries, const Step& step, std::uint64_t index) {
  // The name of proxy-defaults is settled before the graph is looked at.
  if (step.removed.kind != kProxyDefaults) CHECK(all_answers(entries, step) == step.answers);
  const ConfigEntries before = entries;
  const absl::Status status =
      step.put ? entries.put(*step.put, index) : entries.remove(step.removed.kind, step.removed.name);
  const std::string text(status.message());
  CAPTURE(text);
  CHECK(std::find(step.answers.begin(), step.answers.end(), text) != step.answers.end());
  CHECK(status.ok() == text.empty());
  if (!status.ok()) CHECK(entries == before);
}

TEST_CASE("sequences of writes are answered as the server answered them") {
  const auto document = test::read_test_json("unit/chain/writes.json");
  REQUIRE_OK(document);
  for (const Json& sequence : *document->as_array()) {
    SUBCASE(sequence.find("name")->as_string()->c_str()) {
      ConfigEntries entries;
      const Json::Array& steps = *sequence.find("steps")->as_array();
      for (std::size_t i = 0; i < steps.size(); ++i) {
        CAPTURE(i);
        run_step(entries, read_step(steps[i]), i + 1);
      }
    }
  }
}

TEST_CASE("an entry that was put is kept in normal form, with its indexes") {
  ConfigEntries entries;
  CHECK_OK(entries.put(defaults("Web", {.protocol = "HTTP"}), 7));
  ConfigEntry expected = defaults("Web", {.protocol = "http"});
  expected.create_index = expected.modify_index = 7;
  REQUIRE(entries.get(kServiceDefaults, "wEB") != nullptr);
  CHECK(*entries.get(kServiceDefaults, "wEB") == expected);

  CHECK_OK(entries.put(defaults("web", {.protocol = "grpc"}), 9));
  expected = defaults("web", {.protocol = "grpc"});
  expected.create_index = 7;
  expected.modify_index = 9;
  CHECK(entries.map() == EntryMap{{{"service-defaults", "web"}, expected}});
  CHECK(entries.get(kServiceRouter, "web") == nullptr);
}

TEST_CASE("indexes that come with an entry do not count") {
  ConfigEntries entries;
  ConfigEntry given = resolver("web");
  given.create_index = 70;
  given.modify_index = 71;
  CHECK_OK(entries.put(given, 3));
  CHECK(entries.get(kServiceResolver, "web")->create_index == 3);
  CHECK(entries.get(kServiceResolver, "web")->modify_index == 3);
}

TEST_CASE("a copy goes its own way") {
  ConfigEntries original;
  CHECK_OK(original.put(http("web"), 1));
  ConfigEntries copy = original;
  CHECK(copy == original);
  CHECK_OK(copy.put(router("web"), 2));
  CHECK_OK(copy.put(defaults("web", {.protocol = "grpc"}), 3));
  CHECK(original.map().size() == 1);
  CHECK(std::get<ServiceDefaults>(original.get(kServiceDefaults, "web")->body).protocol == "http");
  CHECK_OK(original.remove(kServiceDefaults, "WEB"));
  CHECK(original.map().empty());
  CHECK(copy.map().size() == 2);
}

TEST_CASE("proxy-defaults have one name on writing and on deleting") {
  ConfigEntries entries;
  CHECK_OK(entries.put(entry(kProxyDefaults, "mine", ProxyDefaults{})));
  CHECK(entries.get(kProxyDefaults, "mine") == nullptr);
  CHECK(entries.get(kProxyDefaults, "Global") != nullptr);
  CHECK_OK(entries.remove(kProxyDefaults, "mine"));
  CHECK(entries.map().empty());
}

TEST_CASE("kinds that make no chain are put and deleted without a look at the graph") {
  ConfigEntries entries;
  CHECK_OK(entries.put(entry("ingress-gateway", "in", OpaqueEntry{})));
  CHECK(entries.get("ingress-gateway", "in") != nullptr);
  CHECK_OK(entries.remove("ingress-gateway", "in"));
  CHECK(entries.map().empty());
}

TEST_CASE("the dialect of the cluster decides what may be put") {
  const ConfigEntry given = resolver("web", {.unknown = {{"RequestTimeout", "1s"}}});
  ConfigEntries old;
  CHECK_ERROR(old.put(given), ErrorKind::kDecode, "invalid config key \"RequestTimeout\"");
  ConfigEntries current(ClusterIdentity{.dialect = Dialect::kCurrent});
  CHECK_OK(current.put(given));
  CHECK(current.cluster().dialect == Dialect::kCurrent);
}

TEST_CASE("the datacenter of the cluster has no part in the check of a write") {
  ConfigEntries entries(ClusterIdentity{.datacenter = "home"});
  CHECK_OK(entries.put(resolver("a", {.redirect = ResolverRedirect{.service = "b"}})));
  const absl::Status status = entries.put(resolver("b", {.redirect = ResolverRedirect{.service = "a"}}));
  CHECK(std::string(status.message()) ==
        "detected circular resolver redirect: [a.default.dc1 -> b.default.dc1 -> a.default.dc1]");
  CHECK(error_detail(status) == Json(Json::Object{{"service", "a"}, {"kind", "graph"}}));
}

TEST_CASE("would the server take these entries?") {
  struct Case {
    const char* name;
    std::vector<ConfigEntry> after;
    EntryId changed;
    std::string text;  // empty: yes
  };
  const std::string advanced =
      "discovery chain \"web\" uses a protocol \"tcp\" that does not permit advanced routing or splitting behavior";
  const Case cases[] = {
      {"an entry put", {router("web")}, {"service-router", "web"}, advanced},
      {"an entry put, and all is well", {http("web"), router("web")}, {"service-router", "web"}, ""},
      {"an entry deleted", {router("web")}, {"service-defaults", "web"}, advanced},
      {"by its key, while the entry is spelled otherwise", {router("Web")}, {"service-router", "web"}, advanced},
      {"proxy-defaults deleted", {router("api"), http("api"), router("web")}, {"proxy-defaults", "global"}, advanced},
      {"a leg of another splitter",
       {splitter("web", {{.weight = 10000, .service = "api"}})},
       {"service-defaults", "api"},
       advanced},
      {"a broken chain that the change does not touch", {router("web")}, {"service-defaults", "api"}, ""},
      {"a kind that makes no chain", {router("web")}, {"ingress-gateway", "web"}, ""},
      {"the first by name of two broken chains",
       {splitter("web", {{.weight = 10000, .service = "z"}}), splitter("xeb", {{.weight = 10000, .service = "z"}})},
       {"service-defaults", "z"},
       advanced},
  };
  for (const Case& c : cases) {
    SUBCASE(c.name) {
      const absl::Status status = check_entry_graph(test::entry_map(c.after), c.changed, {});
      CHECK(std::string(status.message()) == c.text);
      if (!c.text.empty()) {
        CHECK(error_detail(status) == Json(Json::Object{{"service", "web"}, {"kind", "graph"}}));
      }
    }
  }
}

TEST_CASE("requests that no chain can be compiled for") {
  CHECK_ERROR(compile_chain({}, {}), ErrorKind::kValidate, "serviceName is required");
  CHECK_ERROR(compile_chain({}, {.service = "web", .overrides = {.mesh_gateway_mode = "sideways"}}),
              ErrorKind::kValidate, "Invalid OverrideMeshGateway.Mode parameter");
}

TEST_CASE("the error of a chain names its service") {
  const absl::Status status = compile_chain(test::entry_map({router("web")}), {.service = "web"}).status();
  CHECK(to_string(error_kind(status)) == "graph");
  CHECK(error_detail(status) == Json(Json::Object{{"service", "web"}, {"kind", "graph"}}));
}

TEST_CASE("the trust domain and the datacenter are the cluster's") {
  ChainRequest request{.service = "web", .cluster = {.datacenter = "home", .trust_domain = "td.consul"}};
  auto chain = compile_chain(test::entry_map({proxy_defaults({.mesh_gateway_mode = "local"})}), request);
  REQUIRE_OK(chain);
  CHECK(chain->datacenter == "home");
  ChainTarget expected{.id = "web.default.home",
                       .service = "web",
                       .namespace_name = "default",
                       .datacenter = "home",
                       .name = "web.default.home.internal.td.consul"};
  CHECK(chain->targets == std::vector<ChainTarget>{expected});

  request.evaluate_in_datacenter = "dc1";
  chain = compile_chain(test::entry_map({proxy_defaults({.mesh_gateway_mode = "local"})}), request);
  REQUIRE_OK(chain);
  CHECK(chain->datacenter == "dc1");
  CHECK(find_target(*chain, "web.default.dc1")->mesh_gateway_mode == "local");
}

}  // namespace
}  // namespace convergence
