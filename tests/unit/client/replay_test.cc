// A client over a recording: what a real Consul once answered, without one.
#include <doctest/doctest.h>

#include <optional>
#include <string>
#include <vector>

#include "convergence/consul_client.h"
#include "convergence/testing/simulated_executor.h"
#include "convergence/transport_decorators.h"
#include "tests/support/scripted_transport.h"
#include "tests/support/status_check.h"

namespace convergence::test {
namespace {

using Pair = Answer<std::optional<KvPair>>;

constexpr char kRecording[] = R"({"schema":1,"exchanges":[
  {"request":{"method":"PUT","target":"/v1/kv/a%20b","body":"hello"},
   "response":{"status":200,"headers":[["content-type","application/json"]],"body":"true"}},
  {"request":{"method":"GET","target":"/v1/kv/a%20b"},
   "response":{"status":200,"headers":[["x-consul-index","18"],["x-consul-knownleader","true"]],
    "body":"[{\"LockIndex\":0,\"Key\":\"a b\",\"Flags\":0,\"Value\":\"aGVsbG8=\",\"CreateIndex\":18,\"ModifyIndex\":18}]"}},
  {"request":{"method":"GET","target":"/v1/kv/a%20b"},
   "error":{"code":"UNAVAILABLE","kind":"unreachable","message":"connection reset by peer"}},
  {"request":{"method":"GET","target":"/v1/kv/a%20b"},
   "response":{"status":404,"headers":[["x-consul-index","20"]],"body":""}}]})";

TEST_CASE("a recorded session plays again") {
  const absl::StatusOr<Json> text = parse_json(kRecording, "recording");
  REQUIRE_OK(text);
  const absl::StatusOr<std::vector<Exchange>> exchanges = recording_from_json(*text, "recording");
  REQUIRE_OK(exchanges);
  SimulatedExecutor executor;
  const auto replay = new_replay_transport(executor, *exchanges);
  ConsulClient client(executor, *replay);
  const auto read = [&] { return await<Pair>(executor, [&](auto done) { client.kv_get("a b", {}, done); }); };

  CHECK(await<bool>(executor, [&](auto done) {
          client.kv_put({"a b", "hello", 0, {}, "", ""}, {}, done);
        }) == absl::StatusOr<bool>(true));
  const absl::StatusOr<Pair> first = read();
  REQUIRE_OK(first);
  CHECK(first->index == 18);
  REQUIRE(first->value);
  CHECK(first->value->value == "hello");
  // The recorded failure is met, and tried again.
  const absl::StatusOr<Pair> second = read();
  REQUIRE_OK(second);
  CHECK(*second == Pair{std::nullopt, 20});
  CHECK_ERROR(read(), ErrorKind::kNotFound, "GET /v1/kv/a%20b");
}

TEST_CASE("what the client does can be recorded, and the recording serves a second client") {
  SimulatedExecutor executor;
  ScriptedTransport transport(executor);
  std::vector<Exchange> kept;
  const auto recorder = new_record_transport(transport, [&](const Exchange& exchange) { kept.push_back(exchange); });
  transport.script(answer("rpc error: no leader", 0, 500));
  transport.script(answer("\"127.0.0.1:8300\""));
  ConsulClient first(executor, *recorder);
  const auto leader = [&](ConsulClient& client) {
    return await<std::string>(executor, [&](auto done) { client.status_leader(done); });
  };
  const absl::StatusOr<std::string> live = leader(first);
  REQUIRE_OK(live);
  CHECK(kept.size() == 2);

  const absl::StatusOr<std::vector<Exchange>> read_back = recording_from_json(recording_to_json(kept), "recording");
  REQUIRE_OK(read_back);
  const auto replay = new_replay_transport(executor, *read_back);
  ConsulClient second(executor, *replay);
  CHECK(leader(second) == live);
}

}  // namespace
}  // namespace convergence::test
