#include <fmt/format.h>

#include "convergence/codec.h"
#include "tests/support/client_table.h"

namespace convergence::test {
namespace {

TxnOperation kv_set(const std::string& key, std::string_view value) {
  return {json(fmt::format(R"({{"KV":{{"Verb":"set","Key":"{}","Value":"{}"}}}})", key, base64_encode(value)))};
}

TxnOperation kv_cas(const std::string& key, std::string_view value, std::uint64_t index) {
  return {json(fmt::format(R"({{"KV":{{"Verb":"cas","Key":"{}","Value":"{}","Index":{}}}}})", key, base64_encode(value),
                           index))};
}

TxnOperation kv_verb(const std::string& verb, const std::string& key) {
  return {json(fmt::format(R"({{"KV":{{"Verb":"{}","Key":"{}"}}}})", verb, key))};
}

TxnResult run(const Backend& b, const std::vector<TxnOperation>& operations) {
  return must<TxnResult>(b, [&](auto done) { b.client.txn(operations, {}, done); });
}

void all_or_nothing(Backend& b) {
  CHECK(put(b, b.key("old"), "1"));
  const std::uint64_t index = get(b, b.key("old")).value->modify_index;
  const TxnResult lost =
      run(b, {kv_set(b.key("a"), "1"), kv_cas(b.key("old"), "2", index + 1000), kv_set(b.key("c"), "1")});
  CHECK(lost.results.empty());
  REQUIRE(lost.failures.size() == 1);
  CHECK(lost.failures[0].operation == 1);
  CHECK(lost.failures[0].what.find("index is stale") != std::string::npos);
  CHECK(recurse(b, b.key("")).value.size() == 1);

  const TxnResult done =
      run(b, {kv_set(b.key("a"), "1"), kv_cas(b.key("old"), "2", index), kv_verb("get", b.key("a"))});
  CHECK(done.failures.empty());
  REQUIRE(done.results.size() == 3);
  REQUIRE(done.results[2].find("KV") != nullptr);
  CHECK(*done.results[2].find("KV")->find("Key") == Json(b.key("a")));
  CHECK(*done.results[2].find("KV")->find("Value") == Json("MQ=="));
  const Pairs pairs = recurse(b, b.key(""));
  REQUIRE(pairs.value.size() == 2);
  CHECK(pairs.value[0].modify_index == pairs.value[1].modify_index);
  CHECK(pairs.value[1].value == "2");
}

void operations_see_each_other(Backend& b) {
  const TxnResult done = run(b, {kv_set(b.key("a"), "1"), kv_verb("delete", b.key("a")), kv_cas(b.key("a"), "2", 0),
                                 kv_verb("get", b.key("a"))});
  CHECK(done.failures.empty());
  CHECK(get(b, b.key("a")).value->value == "2");
}

void every_failure_is_told(Backend& b) {
  const TxnResult lost =
      run(b, {kv_verb("get", b.key("absent")), kv_set(b.key("a"), "1"), kv_cas(b.key("b"), "1", 99)});
  REQUIRE(lost.failures.size() == 2);
  CHECK(lost.failures[0].operation == 0);
  CHECK(lost.failures[1].operation == 2);
  CHECK(recurse(b, b.key("")).value.empty());
}

void up_to_64(Backend& b) {
  std::vector<TxnOperation> operations;
  for (int i = 0; i < 64; ++i) operations.push_back(kv_set(b.key(fmt::format("k{:02}", i)), "v"));
  CHECK(run(b, operations).failures.empty());
  CHECK(recurse(b, b.key("")).value.size() == 64);
  operations.push_back(kv_set(b.key("k64"), "v"));
  const auto refused = call<TxnResult>(b, [&](auto done) { b.client.txn(operations, {}, done); });
  CHECK_ERROR(refused, ErrorKind::kUsage, "at most 64");
  CHECK(recurse(b, b.key("")).value.size() == 64);
}

void what_is_no_operation(Backend& b) {
  const TxnResult verb = run(b, {kv_set(b.key("a"), "1"), kv_verb("frobnicate", b.key("b"))});
  REQUIRE(verb.failures.size() == 1);
  CHECK(verb.failures[0] == TxnFailure{1, "unknown KV verb \"frobnicate\""});
  CHECK(recurse(b, b.key("")).value.empty());
}

void services_by_index(Backend& b) {
  const std::string node = b.name("node");
  const std::string service = b.name("web");
  const auto write = [&](std::string_view verb, int port, std::uint64_t index) {
    return TxnOperation{json(fmt::format(
        R"({{"Service":{{"Verb":"{}","Node":"{}","Service":{{"ID":"w1","Service":"{}","Port":{},"ModifyIndex":{}}}}}}})",
        verb, node, service, port, index))};
  };
  const auto check = TxnOperation{json(fmt::format(
      R"({{"Check":{{"Verb":"set","Check":{{"Node":"{}","CheckID":"w1:up","Name":"up","Status":"passing","ServiceID":"w1"}}}}}})",
      node))};
  must_be_done(b, [&](auto done) {
    b.client.catalog_register(json(fmt::format(R"({{"Node":"{}","Address":"10.0.0.1"}})", node)), {}, done);
  });
  const auto rows = [&] { return must<Rows>(b, [&](auto done) { b.client.health_service(service, {}, done); }).value; };
  CHECK(run(b, {write("cas", 80, 0), check}).failures.empty());
  REQUIRE(rows().size() == 1);
  CHECK(rows()[0].instance.port == 80);
  CHECK(rows()[0].checks.size() == 1);
  const std::uint64_t index = rows()[0].instance.modify_index;
  for (const std::uint64_t stale : {std::uint64_t{0}, index + 1000}) {
    const TxnResult lost = run(b, {write("cas", 81, stale)});
    REQUIRE(lost.failures.size() == 1);
    CHECK(lost.failures[0].what.find("index is stale") != std::string::npos);
    CHECK(rows()[0].instance.port == 80);
  }
  CHECK(run(b, {write("cas", 82, index)}).failures.empty());
  CHECK(rows()[0].instance.port == 82);
  CHECK_FALSE(run(b, {write("delete-cas", 0, index)}).failures.empty());
  CHECK(run(b, {write("delete-cas", 0, rows()[0].instance.modify_index)}).failures.empty());
  CHECK(rows().empty());
  must_be_done(
      b, [&](auto done) { b.client.catalog_deregister(json(fmt::format(R"({{"Node":"{}"}})", node)), {}, done); });
}

}  // namespace

std::vector<ClientCase> txn_cases() {
  return {
      {"all or nothing, with one index", all_or_nothing},
      {"an operation sees those before it", operations_see_each_other},
      {"every operation that fails is told", every_failure_is_told},
      {"64 operations and no more", up_to_64},
      {"a verb that is none", what_is_no_operation},
      {"services and checks by index", services_by_index},
  };
}

}  // namespace convergence::test
