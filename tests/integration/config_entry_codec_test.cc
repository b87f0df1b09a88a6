// Config entries as the real server reads and answers them, against ours: made-up documents, most of them weakly typed.
#include <doctest/doctest.h>

#include <cstdint>
#include <memory>
#include <random>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "convergence/chain.h"
#include "convergence/codec.h"
#include "convergence/error.h"
#include "tests/support/consul_server.h"
#include "tests/support/status_check.h"

namespace convergence::test {
namespace {

// Documents for PUT /v1/config. Each field is mostly of its type and sometimes anything at all.
class SentEntries {
 public:
  explicit SentEntries(std::uint64_t seed) : random_(seed) {}

  Json next() {
    switch (below(5)) {
      case 0:
        return proxy_defaults();
      case 1:
        return service_defaults();
      case 2:
        return router();
      case 3:
        return splitter();
      default:
        return resolver();
    }
  }

 private:
  std::uint64_t below(std::uint64_t limit) { return random_() % limit; }
  bool chance(std::uint64_t in) { return below(in) == 0; }

  Json pick(std::initializer_list<Json> values) { return *(values.begin() + below(values.size())); }
  Json text() { return pick({"x", "", "/a", "v1", "Web"}); }
  Json flag() { return pick({true, false, "true", "f", "", 1, 0, 0.5}); }
  Json number() { return pick({0, 1, 7, "3", "0x10", "017", "0", 2.9, 4294967296, 1e3, true}); }
  Json duration() { return pick({"10s", "1h30m", "0", 1500000000, "1.5ms", 0, 2.5, "250us", "-3s"}); }
  // No number past 64 bits: the server takes 1e20 nanoseconds for -292 years, we refuse them.
  Json anything() {
    return pick({Json(),
                 "yes",
                 "5",
                 "-3",
                 "1.5",
                 "1_000",
                 "08",
                 "0b11",
                 "inf",
                 -1,
                 -2.5,
                 Json::Array{},
                 Json::Array{"x"},
                 Json::Array{"x", "y"},
                 Json::Array{1},
                 Json::Array{Json::Array{"x"}},
                 Json(Json::Object{}),
                 Json().set("a", 1),
                 Json::Array{Json().set("a", "b")},
                 Json::Array{Json().set("a", 1), Json().set("b", 2)},
                 false});
  }

  // Adds the field, in one of its spellings, three times of four.
  void add(Json& object, const std::string& name, Json value) {
    if (chance(4)) return;
    if (object.is_null()) object = Json::Object{};
    std::string key = name;
    if (chance(4)) {
      for (char& c : key) c = static_cast<char>(c >= 'A' && c <= 'Z' ? c + 32 : c);
    } else if (chance(12)) {
      key += "X";
    }
    object.set(key, chance(10) ? anything() : std::move(value));
  }

  Json list(Json item) {
    if (chance(4)) return item;
    Json::Array out;
    for (std::uint64_t i = below(3); i > 0; --i) out.push_back(item);
    return Json(std::move(out));
  }
  Json object() { return Json(Json::Object{}); }

  Json start(const char* kind, const char* name) {
    Json out = Json().set("Kind", kind).set("Name", name);
    if (chance(4))
      out.set("Meta", pick({Json(), Json().set("a", "b"), Json().set("a", 1).set("b", Json()), Json(Json::Object{})}));
    if (chance(20)) out.set("ModifyIndex", number());
    return out;
  }

  Json expose() {
    Json path = object();
    add(path, "ListenerPort", number());
    add(path, "Path", text());
    add(path, "LocalPathPort", number());
    add(path, "Protocol", text());
    Json out = object();
    add(out, "Checks", flag());
    add(out, "Paths", list(path));
    return out;
  }

  // No null: one inside Config stops the server with a panic.
  Json free_value(int depth) {
    if (depth == 0 || chance(2)) return pick({"x", 1, 2.50, true, 1e21, 1e-7, 123456789012345678, ""});
    if (chance(2)) {
      Json::Array out;
      for (std::uint64_t i = below(3); i > 0; --i) out.push_back(free_value(depth - 1));
      // A list of one in a list of one: the server takes off one list at each write, we take off both at once.
      if (out.size() == 1 && out[0].is_array() && out[0].as_array()->size() == 1) out.push_back(1);
      return Json(std::move(out));
    }
    Json out = object();
    for (std::uint64_t i = below(3); i > 0; --i) out.set("k" + std::to_string(i), free_value(depth - 1));
    return out;
  }

  Json proxy_defaults() {
    Json out = start("proxy-defaults", "global");
    Json config = object();
    config.set("protocol", pick({"http", "grpc", "http2"}));
    for (std::uint64_t i = below(4); i > 0; --i) config.set("f" + std::to_string(i), free_value(2));
    out.set("Config", config);
    add(out, "MeshGateway", Json().set("Mode", pick({"", "none", "local", "remote"})));
    add(out, "Expose", expose());
    return out;
  }

  Json service_defaults() {
    Json out = start("service-defaults", "plain");
    add(out, "Protocol", pick({"http", "TCP", "", "Grpc"}));
    add(out, "MeshGateway", Json().set("Mode", pick({"", "none", "local", "remote"})));
    add(out, "ExternalSNI", text());
    add(out, "Expose", expose());
    return out;
  }

  Json match() {
    Json header = Json().set("Name", "h");
    header.set(chance(2) ? "Exact" : "Regex", text());
    add(header, "Invert", flag());
    Json query = Json().set("Name", "q");
    add(query, "Present", flag());
    add(query, "Exact", text());
    Json http = object();
    add(http, pick({"PathExact", "PathPrefix", "PathRegex"}).as_string()->c_str(), "/a");
    if (chance(3)) add(http, "Header", list(header));
    if (chance(3)) add(http, "QueryParam", list(query));
    if (chance(3)) add(http, "Methods", pick({"get", Json::Array{"GET", "put"}, Json::Array{}, Json::Array{"get", 5}}));
    Json out = object();
    add(out, "HTTP", http);
    return out;
  }

  Json router() {
    Json destination = object();
    add(destination, "Service", text());
    add(destination, "ServiceSubset", pick({"", Json()}));
    add(destination, "Namespace", pick({"", "default", "ns"}));
    add(destination, "RequestTimeout", duration());
    add(destination, "NumRetries", number());
    add(destination, "RetryOnConnectFailure", flag());
    add(destination, "RetryOnStatusCodes", list(number()));
    Json route = object();
    add(route, "Match", match());
    add(route, "Destination", destination);
    Json out = start("service-router", "routed");
    add(out, "Routes", list(route));
    return out;
  }

  Json splitter() {
    Json::Array splits;
    if (chance(2)) {
      splits.push_back(Json().set("Weight", pick({33.333, "33.33", 33.334})).set("Service", "other"));
      splits.push_back(Json().set("weight", pick({66.67, "66.67", 66.669})));
    } else {
      splits.push_back(Json().set("Weight", pick({100, "100", "1e2", 99.999, 100.004, 1e2})));
    }
    add(splits[0], "ServiceSubset", pick({"", Json()}));
    add(splits[0], "Namespace", text());
    Json out = start("service-splitter", "routed");
    out.set("Splits", splits.size() == 1 && chance(2) ? splits[0] : Json(splits));
    return out;
  }

  Json resolver() {
    Json subset = object();
    add(subset, "Filter", text());
    add(subset, "OnlyPassing", flag());
    Json out = start("service-resolver", "resolved");
    add(out, "ConnectTimeout", duration());
    add(out, "DefaultSubset", pick({"", "v1"}));
    add(out, "Subsets", Json().set("v1", subset).set("v2", chance(2) ? Json() : subset));
    if (chance(2)) {
      Json redirect = object();
      add(redirect, "Service", "other");
      add(redirect, "Datacenter", text());
      add(redirect, "Namespace", pick({"", "ns"}));
      add(out, "Redirect", redirect);
    } else {
      Json section = object();
      add(section, "Service", pick({"other", ""}));
      add(section, "Datacenters", pick({"dc2", Json::Array{"dc2", "dc3"}, Json::Array{}}));
      add(out, "Failover", Json().set(chance(2) ? "*" : "v1", section));
    }
    return out;
  }

  std::mt19937_64 random_;
};

std::string answer_of(const ConsulServer& server, const Json& sent) {
  const std::string path = "/v1/config/" + *sent.find("Kind")->as_string() + "/" + *sent.find("Name")->as_string();
  const absl::StatusOr<RawAnswer> answer = server.request("GET", path);
  if (!answer.ok()) return answer.status().ToString();
  // Once through the reader, which takes the server's \u003c for what it is.
  const absl::StatusOr<Json> json = parse_json(answer->body, path);
  return json.ok() ? to_text(*json) : json.status().ToString();
}

// What we would answer, with the indexes of the server's own answer.
std::string ours(const absl::StatusOr<ConfigEntry>& read, const std::string& answered) {
  if (!read.ok()) return read.status().ToString();
  absl::StatusOr<ConfigEntry> entry = normalise_entry(*read, Dialect::k1_8);
  if (!entry.ok()) return entry.status().ToString();
  const absl::StatusOr<Json> indexes = parse_json(answered, "answer");
  if (!indexes.ok() || !indexes->find("ModifyIndex")) return "no indexes in " + answered;
  entry->create_index = indexes->find("CreateIndex")->to_uint64().value_or(0);
  entry->modify_index = indexes->find("ModifyIndex")->to_uint64().value_or(0);
  return to_text(to_json(*entry));
}

TEST_CASE("the server and we read and answer config entries alike") {
  absl::StatusOr<std::unique_ptr<ConsulServer>> server = ConsulServer::start();
  REQUIRE_OK(server);
  for (const char* base : {R"({"Kind":"service-defaults","Name":"routed","Protocol":"http"})",
                           R"({"Kind":"service-defaults","Name":"other","Protocol":"http"})"}) {
    REQUIRE((*server)->request("PUT", "/v1/config", base)->status == 200);
  }
  constexpr std::uint64_t kSeed = 5;
  CAPTURE(kSeed);
  SentEntries entries(kSeed);
  int accepted = 0;
  int undecoded = 0;
  for (int i = 0; i < 800; ++i) {
    const Json sent = entries.next();
    const std::string text = to_text(sent);
    CAPTURE(text);
    const absl::StatusOr<RawAnswer> put = (*server)->request("PUT", "/v1/config", text);
    REQUIRE_OK(put);
    CAPTURE(put->body);
    const absl::StatusOr<ConfigEntry> read = parse<ConfigEntry>(text, "sent");
    const bool decodes = read.ok() && error_kind(normalise_entry(*read, Dialect::k1_8).status()) != ErrorKind::kDecode;
    CHECK(decodes == (put->status != 400));
    if (put->status == 400) ++undecoded;
    if (put->status != 200) continue;
    ++accepted;
    const std::string answered = answer_of(**server, sent);
    CHECK(ours(read, answered) == answered);
    const absl::StatusOr<ConfigEntry> again = parse<ConfigEntry>(answered, "answered");
    REQUIRE_OK(again);
    CHECK(to_text(to_json(*again)) == answered);
  }
  // Else the test compares less than it says.
  CHECK(accepted > 150);
  CHECK(undecoded > 100);
}

}  // namespace
}  // namespace convergence::test
