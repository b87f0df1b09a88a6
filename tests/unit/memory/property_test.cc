#include "fmt/format.h"
#include "tests/support/memory_bench.h"
#include "tests/support/memory_requests.h"

namespace convergence {
namespace {

using test::MemoryBench;
using Requests = test::MemoryRequests;
using test::summary;

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
      for (const auto& item : waiting) {
        const std::string& left = item.second;
        CAPTURE(left);
        MemoryBench probe = bench;
        CHECK_FALSE(probe.start(left).has_value());
      }
    }
  }
}

}  // namespace
}  // namespace convergence
