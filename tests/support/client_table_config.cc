#include <fmt/format.h>

#include <algorithm>

#include "convergence/codec.h"
#include "tests/support/client_table.h"

namespace convergence::test {
namespace {

using OneEntry = Answer<std::optional<ConfigEntry>>;
using Entries = Answer<std::vector<ConfigEntry>>;

ConfigEntry entry(const std::string& text) {
  const absl::StatusOr<ConfigEntry> parsed = parse<ConfigEntry>(text, "test");
  REQUIRE_OK(parsed);
  return *parsed;
}

ConfigEntry defaults(const std::string& name, std::string_view protocol) {
  return entry(fmt::format(R"({{"Kind":"service-defaults","Name":"{}","Protocol":"{}"}})", name, protocol));
}

ConfigEntry splitter(const std::string& name, std::string_view splits) {
  return entry(fmt::format(R"({{"Kind":"service-splitter","Name":"{}","Splits":{}}})", name, splits));
}

OneEntry read(const Backend& b, std::string_view kind, const std::string& name) {
  return must<OneEntry>(b, [&](auto done) { b.client.config_get(kind, name, {}, done); });
}

bool put_entry(const Backend& b, const ConfigEntry& e, std::optional<std::uint64_t> cas = std::nullopt) {
  return must<bool>(b, [&](auto done) { b.client.config_put(e, cas, {}, done); });
}

bool delete_entry(const Backend& b, std::string_view kind, const std::string& name,
                  std::optional<std::uint64_t> cas = std::nullopt) {
  return must<bool>(b, [&](auto done) { b.client.config_delete(kind, name, cas, {}, done); });
}

void put_get_list_delete(Backend& b) {
  const std::string name = b.name("web");
  CHECK_FALSE(read(b, "service-defaults", name).value.has_value());
  ConfigEntry web = defaults(name, "http");
  web.meta = {{"managed-by", "convergence"}};
  CHECK(put_entry(b, web));
  const OneEntry stored = read(b, "service-defaults", name);
  REQUIRE(stored.value);
  CHECK(same_content(*stored.value, web));
  CHECK(stored.value->create_index == stored.value->modify_index);
  CHECK(stored.index == stored.value->modify_index);
  const Entries all = must<Entries>(b, [&](auto done) { b.client.config_list("service-defaults", {}, done); });
  CHECK(std::count(all.value.begin(), all.value.end(), *stored.value) == 1);
  // What was read may be written as it is.
  CHECK(put_entry(b, *stored.value, stored.value->modify_index));
  CHECK(delete_entry(b, "service-defaults", name));
  CHECK_FALSE(read(b, "service-defaults", name).value.has_value());
  CHECK(delete_entry(b, "service-defaults", name));
}

void every_kind(Backend& b) {
  const std::string name = b.name("api");
  CHECK(put_entry(b, defaults(name, "http")));
  const ConfigEntry entries[] = {
      entry(fmt::format(R"({{"Kind":"service-resolver","Name":"{}","DefaultSubset":"v1","Subsets":{{
          "v1":{{"Filter":"Service.Meta.version == v1"}},"v2":{{"Filter":"Service.Meta.version == v2","OnlyPassing":true}}}},
          "ConnectTimeout":"15s"}})",
                        name)),
      splitter(name, R"([{"Weight":90.5,"ServiceSubset":"v1"},{"Weight":9.5,"ServiceSubset":"v2"}])"),
      entry(fmt::format(R"({{"Kind":"service-router","Name":"{}","Routes":[{{"Match":{{"HTTP":{{"PathPrefix":"/v2"}}}},
          "Destination":{{"ServiceSubset":"v2","NumRetries":3,"RetryOnStatusCodes":[500,503]}}}}]}})",
                        name)),
  };
  for (const ConfigEntry& e : entries) {
    CAPTURE(e.kind);
    CHECK(put_entry(b, e));
    const OneEntry stored = read(b, e.kind, name);
    REQUIRE(stored.value);
    CHECK(same_content(*stored.value, e));
  }
  const Entries every = must<Entries>(b, [&](auto done) { b.client.config_list_all({}, done); });
  for (const ConfigEntry& e : entries) {
    CAPTURE(e.kind);
    CHECK(std::ranges::any_of(every.value, [&](const ConfigEntry& one) { return same_content(one, e); }));
  }
  using Chain = Answer<DiscoveryChain>;
  const Chain chain = must<Chain>(b, [&](auto done) { b.client.discovery_chain(name, {}, done); });
  CHECK(chain.value.service_name == name);
  CHECK(chain.value.protocol == "http");
  CHECK(node_key(chain.value, chain.value.start_node) == fmt::format("router:{}.default", name));
  CHECK(find_target(chain.value, fmt::format("v2.{}.default.dc1", name)) != nullptr);
  CHECK(chain.index > 0);
  for (const char* kind : {"service-router", "service-splitter", "service-resolver", "service-defaults"}) {
    CHECK(delete_entry(b, kind, name));
  }
  const Chain bare = must<Chain>(b, [&](auto done) { b.client.discovery_chain(name, {}, done); });
  CHECK(node_key(bare.value, bare.value.start_node) == fmt::format("resolver:{}.default.dc1", name));
}

void entries_by_compare_and_set(Backend& b) {
  const std::string name = b.name("cas");
  CHECK_FALSE(put_entry(b, defaults(name, "http"), 77));
  CHECK(put_entry(b, defaults(name, "http"), 0));
  CHECK_FALSE(put_entry(b, defaults(name, "grpc"), 0));
  const std::uint64_t index = read(b, "service-defaults", name).value->modify_index;
  CHECK_FALSE(put_entry(b, defaults(name, "grpc"), index + 1000));
  CHECK(same_content(*read(b, "service-defaults", name).value, defaults(name, "http")));
  CHECK(put_entry(b, defaults(name, "grpc"), index));
  CHECK_FALSE(put_entry(b, defaults(name, "http2"), index));
  const OneEntry changed = read(b, "service-defaults", name);
  CHECK(same_content(*changed.value, defaults(name, "grpc")));
  CHECK(changed.value->create_index == index);
  CHECK(changed.value->modify_index > index);

  CHECK_FALSE(delete_entry(b, "service-defaults", name, index));
  CHECK(read(b, "service-defaults", name).value.has_value());
  CHECK(delete_entry(b, "service-defaults", name, changed.value->modify_index));
  CHECK_FALSE(read(b, "service-defaults", name).value.has_value());
  CHECK(delete_entry(b, "service-defaults", name, changed.value->modify_index));
}

void refusals(Backend& b) {
  const std::string name = b.name("ref");
  const auto refuse = [&](const ConfigEntry& e) {
    return call<bool>(b, [&](auto done) { b.client.config_put(e, {}, {}, done); });
  };
  CHECK_ERROR(refuse(splitter(name, R"([{"Weight":100}])")), ErrorKind::kServer,
              fmt::format("discovery chain \"{}\" uses a protocol \"tcp\" that does not permit advanced routing or "
                          "splitting behavior",
                          name));
  CHECK_ERROR(refuse(splitter(name, R"([{"Weight":90}])")), ErrorKind::kServer,
              "the sum of all split weights must be 100, not 90.000000");
  CHECK_ERROR(refuse(entry(fmt::format(R"({{"Kind":"service-defaults","Name":"{}","Later":1}})", name))),
              ErrorKind::kRefused, "invalid config key \"Later\"");
  CHECK_ERROR(refuse(entry(R"({"Kind":"no-such-kind","Name":"x"})")), ErrorKind::kRefused,
              "invalid config entry kind: no-such-kind");
  CHECK_FALSE(read(b, "service-splitter", name).value.has_value());
  CHECK_FALSE(read(b, "service-defaults", name).value.has_value());
  const auto kind = call<Entries>(b, [&](auto done) { b.client.config_list("no-such-kind", {}, done); });
  CHECK_FALSE(kind.ok());

  // What others stand on is not deleted.
  CHECK(put_entry(b, defaults(name, "http")));
  CHECK(put_entry(b, splitter(name, R"([{"Weight":100}])")));
  const auto deleted =
      call<bool>(b, [&](auto done) { b.client.config_delete("service-defaults", name, {}, {}, done); });
  CHECK_ERROR(deleted, ErrorKind::kServer, "does not permit advanced routing or splitting behavior");
  const Json detail = error_detail(deleted.status());
  REQUIRE(detail.find("body") != nullptr);
  CHECK(detail.find("body")->as_string()->find("discovery chain") == 0);
  CHECK(*detail.find("status") == Json(500));
  CHECK(read(b, "service-defaults", name).value.has_value());
  CHECK(delete_entry(b, "service-splitter", name));
  CHECK(delete_entry(b, "service-defaults", name));
}

void entries_wake(Backend& b) {
  const std::string name = b.name("wake");
  CHECK(put_entry(b, defaults(name, "http")));
  const OneEntry before = read(b, "service-defaults", name);
  UnderWay<OneEntry> changed(b, [&client = b.client, name, index = before.index](auto done) {
    client.config_get("service-defaults", name, waiting(index), done);
  });
  const Entries list = must<Entries>(b, [&](auto done) { b.client.config_list("service-defaults", {}, done); });
  UnderWay<Entries> any(b, [&client = b.client, index = list.index](auto done) {
    client.config_list("service-defaults", waiting(index), done);
  });
  CHECK(put_entry(b, defaults(name, "grpc")));
  const OneEntry after = changed.value();
  REQUIRE(after.value);
  CHECK(same_content(*after.value, defaults(name, "grpc")));
  CHECK(after.index > before.index);
  CHECK(any.value().index > list.index);
  CHECK(delete_entry(b, "service-defaults", name));
}

void unknown_datacenter(Backend& b) {
  ReadOptions read_elsewhere;
  read_elsewhere.datacenter = "nowhere";
  WriteOptions write_elsewhere;
  write_elsewhere.datacenter = "nowhere";
  CHECK_ERROR(call<OnePair>(b, [&](auto done) { b.client.kv_get(b.key("k"), read_elsewhere, done); }),
              ErrorKind::kServer, "No path to datacenter");
  CHECK_ERROR(call<bool>(b,
                         [&](auto done) {
                           b.client.kv_put({b.key("k"), "v", 0, {}, "", ""}, write_elsewhere, done);
                         }),
              ErrorKind::kServer, "status 500: No path to datacenter");
  ReadOptions here;
  here.datacenter = "dc1";
  CHECK_OK(call<OnePair>(b, [&](auto done) { b.client.kv_get(b.key("k"), here, done); }));
}

void namespaces(Backend& b) {
  ReadOptions options;
  options.namespace_name = "team";
  CHECK_ERROR(call<OnePair>(b, [&](auto done) { b.client.kv_get(b.key("k"), options, done); }), ErrorKind::kRefused,
              "Namespaces are a Consul Enterprise feature");
}

void consistency(Backend& b) {
  CHECK(put(b, b.key("k"), "v"));
  for (const Consistency mode : {Consistency::kDefault, Consistency::kStale, Consistency::kConsistent}) {
    ReadOptions options;
    options.consistency = mode;
    const OnePair read = must<OnePair>(b, [&](auto done) { b.client.kv_get(b.key("k"), options, done); });
    REQUIRE(read.value);
    CHECK(read.value->value == "v");
    CHECK(read.known_leader);
  }
}

}  // namespace

std::vector<ClientCase> config_cases() {
  return {
      {"put, get, list, delete an entry", put_get_list_delete},
      {"an entry of every kind, and the chain they make", every_kind},
      {"entries by compare-and-set", entries_by_compare_and_set},
      {"refusals keep Consul's text, and nothing is written", refusals},
      {"reads of entries are woken", entries_wake},
      {"a datacenter that is not there", unknown_datacenter},
      {"a namespace", namespaces},
      {"consistency modes", consistency},
  };
}

}  // namespace convergence::test
