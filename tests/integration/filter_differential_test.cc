// Filters x rows on a real Consul: its ?filter= and ours give the same rows, or the same complaint.

#include <doctest/doctest.h>
#include <fmt/format.h>

#include <cstdlib>
#include <fstream>
#include <random>
#include <sstream>

#include "convergence/filter.h"
#include "tests/support/consul_server.h"
#include "tests/support/health_rows.h"
#include "tests/support/status_check.h"

namespace convergence::test {
namespace {

Json capture() {
  std::ifstream file(CONVERGENCE_SOURCE_DIR "/tests/unit/filter/consul_1_8_7.json");
  std::stringstream text;
  text << file.rdbuf();
  auto parsed = parse_json(text.str(), "consul_1_8_7.json");
  REQUIRE_OK(parsed);
  return *std::move(parsed);
}

std::string url_encoded(std::string_view text) {
  std::string out;
  for (char c : text) out += fmt::format("%{:02X}", static_cast<unsigned char>(c));
  return out;
}

std::string ids_of(const Json::Array& rows) {
  std::string ids;
  for (const Json& row : rows) ids += member_text(*row.find("Service"), "ID") + " ";
  return ids;
}

std::string consul_says(const ConsulServer& consul, std::string_view expression) {
  auto answer = consul.request("GET", "/v1/health/service/web?filter=" + url_encoded(expression));
  REQUIRE_OK(answer);
  if (answer->status != 200) return answer->body;
  auto rows = parse_json(answer->body, "answer");
  REQUIRE_OK(rows);
  return ids_of(*rows->as_array());
}

std::string we_say(std::string_view expression, const Json::Array& rows, bool typed) {
  auto filter = Filter::parse(expression);
  if (!filter.ok()) return std::string(filter.status().message());
  if (!typed) {
    auto kept = filter_rows(*filter, rows);
    return kept.ok() ? ids_of(*kept) : std::string(kept.status().message());
  }
  Json::Array kept;
  for (const Json& row : rows) {
    const HealthRow values = health_row_from(row);
    auto matched = filter->matches(values.instance, values.node);
    if (!matched.ok()) return std::string(matched.status().message());
    if (*matched) kept.push_back(row);
  }
  return ids_of(kept);
}

// Expressions of a grammar that goes wrong now and then.
class Generator {
 public:
  explicit Generator(std::uint64_t seed) : random_(seed) {}

  std::string expression(int depth = 0) {
    switch (depth > 2 ? 0 : below(6)) {
      case 1:
        return expression(depth + 1) + " and " + expression(depth + 1);
      case 2:
        return expression(depth + 1) + " or " + expression(depth + 1);
      case 3:
        return "not " + expression(depth + 1);
      case 4:
        return "(" + space() + expression(depth + 1) + space() + (below(40) == 0 ? "" : ")");
      default:
        return match();
    }
  }

 private:
  std::uint64_t below(std::uint64_t count) { return random_() % count; }
  template <std::size_t N>
  std::string pick(const char* const (&words)[N]) {
    return words[below(N)];
  }
  std::string space() { return below(4) == 0 ? " " : ""; }

  std::string selector() {
    static const char* const kSelectors[] = {"Service.Meta.version",
                                             "Service.Meta.nope",
                                             "Service.Meta",
                                             "Service.Tags",
                                             "Service.Port",
                                             "Service.ID",
                                             "Service.Weights.Passing",
                                             "Service.EnableTagOverride",
                                             "Service.TaggedAddresses.lan.Port",
                                             "Service.Proxy.Upstreams.DestinationName",
                                             "Node.Meta.role",
                                             "Node.Meta[\"weird key\"]",
                                             "Node.Node",
                                             "Checks.Status",
                                             "Checks",
                                             "Checks.ServiceTags",
                                             "Checks.Output",
                                             "Foo",
                                             "Service.port",
                                             "Service.Meta.",
                                             "Service[`Meta`].w"};
    return pick(kSelectors);
  }

  std::string value() {
    static const char* const kValues[] = {
        "v1",  "v2",   "\"v1\"", "`a`",       "a",   "A",  "80", "-1",      "0",   "app", "true", "passing", "critical",
        "web", "\"\"", "0.5",    "\"\\x61\"", "x.y", "1x", "\"", "version", "lan", "n22", "`^v`", "\".*\""};
    return pick(kValues);
  }

  std::string match() {
    static const char* const kOperators[] = {" == ",      " != ",          "==", " contains ", " not contains ",
                                             " matches ", " not matches ", " =", "  ==\n"};
    switch (below(5)) {
      case 0:
        return selector() + (below(2) == 0 ? " is empty" : " is not empty");
      case 1:
        return value() + (below(2) == 0 ? " in " : " not in ") + selector();
      default:
        return selector() + pick(kOperators) + value();
    }
  }

  std::mt19937_64 random_;
};

std::uint64_t number_from_environment(const char* name, std::uint64_t otherwise) {
  const char* text = std::getenv(name);
  return text ? std::strtoull(text, nullptr, 10) : otherwise;
}

TEST_CASE("our filters select what Consul's select") {
  auto started = ConsulServer::start();
  REQUIRE_OK(started);
  const ConsulServer& consul = **started;
  const Json known = capture();
  for (const Json& registration : *known.find("register")->as_array()) {
    auto answer = consul.request("PUT", "/v1/catalog/register", to_text(registration));
    REQUIRE_OK(answer);
    REQUIRE(answer->status == 200);
  }
  auto everything = consul.request("GET", "/v1/health/service/web");
  REQUIRE_OK(everything);
  const Json rows_json = *parse_json(everything->body, "rows");
  const Json::Array& rows = *rows_json.as_array();
  REQUIRE(rows.size() == known.find("register")->as_array()->size());

  auto compare = [&](const std::string& expression) {
    CAPTURE(expression);
    const std::string expected = consul_says(consul, expression);
    CHECK(we_say(expression, rows, true) == expected);
    CHECK(we_say(expression, rows, false) == expected);
  };
  for (const Json& one : *known.find("cases")->as_array()) compare(*one.find("filter")->as_string());

  const std::uint64_t seed = number_from_environment("CONVERGENCE_SEED", 1);
  const std::uint64_t cases = number_from_environment("CONVERGENCE_CASES", 2000);
  MESSAGE("CONVERGENCE_SEED=", seed, " CONVERGENCE_CASES=", cases);
  Generator generator(seed);
  for (std::uint64_t i = 0; i < cases; ++i) compare(generator.expression());
}

}  // namespace
}  // namespace convergence::test
