#include <random>

#include "fmt/format.h"
#include "tests/unit/memory/exchange.h"

namespace convergence {
namespace {

using test::MemoryBench;
using test::summary;

// Requests drawn from few names, so that they meet.
class Requests {
 public:
  explicit Requests(std::uint64_t seed) : random_(seed) {}

  std::uint64_t draw(std::uint64_t below) { return random_() % below; }

  std::string write() {
    switch (draw(14)) {
      case 0:
        return fmt::format("PUT /v1/kv/{} v{}", key(), draw(3));
      case 1:
        return fmt::format("PUT /v1/kv/{}?cas={} v{}", key(), draw(60), draw(3));
      case 2:
        return fmt::format("DELETE /v1/kv/{}{}", key(), draw(2) == 0 ? "" : "?recurse");
      case 3:
        return fmt::format("PUT /v1/kv/{}?{}={} v", key(), draw(2) == 0 ? "acquire" : "release", session());
      case 4:
        return R"(PUT /v1/session/create {"TTL":"10s","LockDelay":"3s"})";
      case 5:
        return "PUT /v1/session/destroy/" + session();
      case 6:
        return transaction();
      case 7:
      case 8:
        return registration();
      case 9:
        return deregistration();
      case 10:
        return fmt::format(R"(PUT /v1/agent/service/register {{"Name":"{}","Check":{{"TTL":"7s"}}}})", service());
      case 11:
        return fmt::format("PUT /v1/agent/check/{}/service:{}", draw(2) == 0 ? "pass" : "fail", service());
      case 12:
        return fmt::format(R"(PUT /v1/config {{"Kind":"service-defaults","Name":"{}","Protocol":"http"}})", service());
      default:
        return fmt::format("DELETE /v1/config/service-defaults/{}", service());
    }
  }

  std::string read() {
    const std::vector<std::string> targets = {"kv/" + key(),
                                              fmt::format("kv/{}?recurse", key()),
                                              "kv/?keys",
                                              "session/list",
                                              "catalog/nodes",
                                              "catalog/services",
                                              "catalog/node/memory",
                                              "health/state/any",
                                              "health/checks/" + service(),
                                              "config/service-defaults"};
    return "GET /v1/" + targets[draw(targets.size())];
  }

  std::string service() { return fmt::format("s{}", draw(3)); }

 private:
  std::string key() {
    static const char* const kKeys[] = {"a", "a/b", "a/b/c", "b", "c"};
    return kKeys[draw(5)];
  }
  std::string session() { return fmt::format("c0de0000-0000-4000-8000-{:012x}", 1 + draw(4)); }
  std::string node() { return fmt::format("n{}", draw(3)); }

  std::string transaction() {
    return fmt::format(R"(PUT /v1/txn [{{"KV":{{"Verb":"set","Key":"{}","Value":"dA=="}}}},)"
                       R"({{"KV":{{"Verb":"delete","Key":"{}"}}}},{{"KV":{{"Verb":"{}","Key":"{}"}}}},)"
                       R"({{"Node":{{"Verb":"{}","Node":{{"Node":"{}","Address":"1"}}}}}}])",
                       key(), key(), draw(2) == 0 ? "check-not-exists" : "get", key(), draw(2) == 0 ? "set" : "delete",
                       node());
  }
  std::string registration() {
    const std::string name = service();
    return fmt::format(
        R"(PUT /v1/catalog/register {{"Node":"{}","Address":"{}","Service":{{"Service":"{}","Port":{}}},)"
        R"("Checks":[{{"Name":"c","Status":"{}","ServiceID":"{}"}},{{"Name":"n","Status":"passing"}}]}})",
        node(), draw(2), name, draw(2), draw(2) == 0 ? "passing" : "critical", name);
  }
  std::string deregistration() {
    return fmt::format(R"(PUT /v1/catalog/deregister {{"Node":"{}"{}}})", node(),
                       draw(2) == 0 ? "" : fmt::format(R"(,"ServiceID":"{}")", service()));
  }

  std::mt19937_64 random_;
};

std::uint64_t index_of(const HttpResponse& response) {
  const std::string* text = find_header(response, "x-consul-index");
  REQUIRE(text != nullptr);
  return std::stoull(*text);
}

// The derived tables say what the tables they come from say.
void check_hangs_together(const MemoryConsulState& state) {
  std::map<std::string, std::set<MemoryConsulState::Instance>> instances;
  for (const auto& [key, service] : state.services) {
    instances[service.service].insert(key);
    CHECK(state.nodes.count(key.first) == 1);
  }
  CHECK(state.instances == instances);
  std::map<MemoryConsulState::Instance, std::set<std::string>> checks;
  for (const auto& [key, check] : state.checks) {
    checks[{key.first, check.service_id}].insert(key.second);
    if (!check.service_id.empty()) CHECK(state.services.count({key.first, check.service_id}) == 1);
  }
  CHECK(state.checks_of == checks);
  std::map<std::string, std::set<std::string>> held;
  for (const auto& [key, pair] : state.kv) {
    if (!pair.session.empty()) held[pair.session].insert(key);
  }
  CHECK(state.held_keys == held);
  for (const auto& [session, keys] : held) CHECK(state.sessions.count(session) == 1);
  std::set<MemoryTimer> timers;
  for (const auto& [id, session] : state.sessions) {
    if (session.expires_at != kNever) timers.insert({session.expires_at, MemoryTimer::Kind::kSession, id, 0});
  }
  for (const auto& [id, check] : state.agent_checks) {
    if (check.expires_at != kNever) timers.insert({check.expires_at, MemoryTimer::Kind::kCheck, id, 0});
  }
  for (const auto& [id, query] : state.parked) timers.insert({query.until, MemoryTimer::Kind::kWait, "", id});
  CHECK(state.timers == timers);
}

TEST_CASE("property: the index of a read never falls, and the tables hang together") {
  for (std::uint64_t seed = 1; seed <= 30; ++seed) {
    CAPTURE(seed);
    Requests requests(seed);
    MemoryBench bench;
    std::map<std::string, std::uint64_t> seen;
    for (int step = 0; step < 150; ++step) {
      const std::string line = requests.write();
      CAPTURE(line);
      bench.ask(line);
      // A tree deleted from above leaves no tombstone to prefixes inside it, here as in the server.
      if (line.starts_with("DELETE") && line.ends_with("?recurse")) seen.erase("GET /v1/kv/a/b?recurse");
      if (line.starts_with("DELETE") && line.ends_with("?recurse")) seen.erase("GET /v1/kv/a/b/c?recurse");
      bench.now += std::chrono::seconds(requests.draw(3));
      const std::string read = requests.read();
      CAPTURE(read);
      const std::uint64_t index = index_of(bench.ask(read));
      CHECK(index >= seen[read]);
      seen[read] = index;
      check_hangs_together(bench.state);
    }
  }
}

TEST_CASE("property: what is answered with failure has changed nothing but the index") {
  for (std::uint64_t seed = 100; seed < 120; ++seed) {
    CAPTURE(seed);
    Requests requests(seed);
    MemoryBench bench;
    for (int step = 0; step < 150; ++step) {
      const std::string line = requests.write();
      CAPTURE(line);
      const MemoryConsulState before = bench.state;
      const HttpResponse response = bench.ask(line);
      if (response.status < 400 && response.body != "false") continue;
      MemoryConsulState after = bench.state;
      after.index = before.index;
      CHECK((before.index == 0 || after == before));
    }
  }
}

TEST_CASE("property: the same calls give the same bytes, from any copy of the state") {
  for (std::uint64_t seed = 200; seed < 210; ++seed) {
    CAPTURE(seed);
    Requests requests(seed);
    MemoryBench one;
    MemoryBench two;
    for (int step = 0; step < 200; ++step) {
      const bool query = requests.draw(3) == 0;
      const std::string line = query ? requests.read() + (step % 2 == 0 ? "?index=20" : "") : requests.write();
      if (requests.draw(10) == 0) two.state = MemoryConsulState(two.state);
      one.start(line);
      two.start(line);
      CHECK(one.answers == two.answers);
      const Duration time = std::chrono::milliseconds(requests.draw(2500));
      one.pass(time);
      two.pass(time);
      CHECK(one.answers == two.answers);
    }
    CHECK(one.state == two.state);
  }
}

TEST_CASE("property: a parked query is answered by the first state in which it would not have been parked") {
  for (std::uint64_t seed = 300; seed < 320; ++seed) {
    CAPTURE(seed);
    Requests requests(seed);
    MemoryBench bench;
    std::map<std::uint64_t, std::string> waiting;
    for (int step = 0; step < 120; ++step) {
      std::string query = requests.read();
      query += fmt::format("{}index={}", query.find('?') == std::string::npos ? "?" : "&", bench.state.index);
      if (!bench.start(query)) waiting[bench.last_id] = query;
      const std::string line = requests.write();
      CAPTURE(line);
      bench.ask(line);
      for (const MemoryAnswer& answer : bench.answers) waiting.erase(answer.id);
      for (const auto& [id, left] : waiting) {
        CAPTURE(left);
        MemoryBench probe = bench;
        CHECK_FALSE(probe.start(left).has_value());
      }
    }
  }
}

}  // namespace
}  // namespace convergence
