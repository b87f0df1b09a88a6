// The same requests to a real Consul 1.8.7 and to the embedded one: status, headers and body agree; indexes are
// other numbers, but move together.

#include <doctest/doctest.h>

#include <algorithm>
#include <map>
#include <regex>
#include <string>
#include <utility>
#include <vector>

#include "convergence/json.h"
#include "fmt/format.h"
#include "tests/support/consul_server.h"
#include "tests/support/memory_bench.h"
#include "tests/support/memory_cases.h"
#include "tests/support/memory_requests.h"
#include "tests/support/status_check.h"

namespace convergence::test {
namespace {

constexpr const char* kNode = "fixture";  // as the real server's is called; the tables say "memory"
constexpr int kTries = 400;               // a real agent tells its catalog a little later

std::string replace_all(std::string text, const std::string& from, const std::string& to) {
  for (std::size_t at = 0; !from.empty() && (at = text.find(from, at)) != std::string::npos; at += to.size()) {
    text.replace(at, from.size(), to);
  }
  return text;
}

// An answer in which nothing is left that the two may differ in but the indexes, which stand apart in their order.
struct Comparable {
  std::string text;  // status, headers, body with "#" for indexes
  std::vector<std::uint64_t> indexes;
};

// Lists whose order the server draws: tags of a service, sessions by their random ids.
void put_in_order(const std::string& target, Json& json) {
  const auto text = [](const Json& one) { return to_text(one); };
  if (Json::Object* members = json.as_object(); members != nullptr && target.starts_with("/v1/catalog/services")) {
    for (Json::Member& member : *members) {
      if (Json::Array* tags = member.value.as_array()) {
        std::sort(tags->begin(), tags->end(), [&](const Json& a, const Json& b) { return text(a) < text(b); });
      }
    }
  }
  if (Json::Array* rows = json.as_array(); rows != nullptr && target.starts_with("/v1/session/")) {
    const auto index = [](const Json& row) { return row.find("CreateIndex")->to_uint64().value_or(0); };
    std::sort(rows->begin(), rows->end(), [&](const Json& a, const Json& b) { return index(a) < index(b); });
  }
}

Comparable comparable(const std::string& target, int status, std::map<std::string, std::string> headers,
                      std::string body) {
  for (const char* ours_alone : {"date", "vary", "content-length", "transfer-encoding", "connection"}) {
    headers.erase(ours_alone);
  }
  if (absl::StatusOr<Json> json = parse_json(body, "answer"); json.ok() && !target.ends_with("raw")) {
    const std::string written = to_text(*json);
    put_in_order(target, *json);
    // Where nothing was moved the server's own bytes are compared.
    if (to_text(*json) != written) body = to_text(*json);
  }
  std::string whole = std::to_string(status);
  for (const auto& [name, value] : headers) whole += fmt::format("\n{}: {}", name, value);
  whole += "\n\n" + body;
  Comparable out;
  const std::regex pattern(R"((x-consul-index: |"CreateIndex": ?|"ModifyIndex": ?|current modify index )(\d+))");
  std::size_t last = 0;
  for (std::sregex_iterator it(whole.begin(), whole.end(), pattern), end; it != end; ++it) {
    out.text += whole.substr(last, static_cast<std::size_t>(it->position()) - last) + it->str(1) + "#";
    out.indexes.push_back(std::stoull(it->str(2)));
    last = static_cast<std::size_t>(it->position() + it->length());
  }
  out.text += whole.substr(last);
  return out;
}

// Two servers that are sent the same.
class Pair {
 public:
  Pair() {
    auto started = ConsulServer::start();
    REQUIRE_OK(started);
    consul_ = *std::move(started);
    wait_for_own_node();
    const std::string leader = real("GET", "/v1/status/leader", "").body;
    server_port_ = leader.substr(leader.rfind(':') + 1, leader.size() - leader.rfind(':') - 2);
    for (const char* target : {"/v1/catalog/nodes", "/v1/catalog/services", "/v1/health/state/any"}) {
      const RawAnswer answer = real("GET", target, "");
      base_real_ = std::max<std::uint64_t>(base_real_, std::stoull(answer.headers.at("x-consul-index")));
      if (std::string(target) == "/v1/catalog/nodes") node_id_ = id_in(answer.body);
    }
    bench.state.node_name = kNode;
    bench.ask("GET /v1/status/leader");
    base_memory_ = bench.state.index;
  }

  // Sends the request to both and compares. Sessions are written as the embedded Consul counts them from a fresh start,
  // "c0de0000-0000-4000-8000-000000000001"; "@0" is the newest index seen, "@1" the one before.
  void check(const std::string& line) {
    INFO(line);
    const HttpRequest request = MemoryBench::request(line);
    agent_ = agent_ || (request.method == "PUT" && request.target.starts_with("/v1/agent/"));
    const HttpResponse ours = bench.ask(translated(line, false));
    const HttpRequest theirs = MemoryBench::request(translated(line, true));
    const Comparable memory = comparable_memory(request.target, ours);
    RawAnswer answer = real(theirs.method, theirs.target, theirs.body);
    Comparable other = comparable_real(request.target, answer);
    for (int i = 0; agent_ && request.method == "GET" && i < kTries && !agree(memory, other); ++i) {
      answer = real(theirs.method, theirs.target, theirs.body);
      other = comparable_real(request.target, answer);
    }
    CHECK(memory.text == other.text);
    check_indexes(memory.indexes, other.indexes);
    if (request.target == "/v1/session/create" && ours.status == 200 && answer.status == 200) {
      sessions_.emplace_back(id_in(ours.body), id_in(answer.body));
    }
  }

  // Leaves both as good as new, but for what a server remembers of the past.
  void clear() {
    for (std::size_t i = 0; i < sessions_.size(); ++i) check("PUT /v1/session/destroy/" + counted(i));
    check("DELETE /v1/kv/?recurse");
    std::vector<std::string> lines;
    for (const auto& [id, service] : bench.state.agent_services) {
      lines.push_back("PUT /v1/agent/service/deregister/" + id);
    }
    for (const auto& [id, one] : bench.state.agent_checks) {
      if (one.check.service_id.empty()) lines.push_back("PUT /v1/agent/check/deregister/" + id);
    }
    for (const auto& [key, node] : bench.state.nodes) {
      if (key != kNode) lines.push_back(fmt::format(R"(PUT /v1/catalog/deregister {{"Node":"{}"}})", node.name));
    }
    const char* const kinds[] = {"service-router", "service-splitter", "service-resolver", "service-defaults",
                                 "proxy-defaults"};
    for (const char* kind : kinds) {
      for (const auto& [id, entry] : bench.state.entries.map()) {
        if (id.kind == kind) lines.push_back(fmt::format("DELETE /v1/config/{}/{}", id.kind, encoded(entry->name)));
      }
    }
    for (const std::string& line : lines) check(line);
    sessions_.clear();
    check("GET /v1/health/state/any");
    check("GET /v1/catalog/services");
    check("GET /v1/catalog/nodes");
    agent_ = false;
  }

  MemoryBench bench;

 private:
  static std::string id_in(const std::string& body) {
    const std::size_t at = body.find(R"("ID":")") + 6;
    return body.substr(at, 36);
  }
  static std::string encoded(const std::string& name) {
    std::string out;
    for (const char c : name) out += fmt::format("%{:02X}", static_cast<unsigned char>(c));
    return out;
  }
  static std::string counted(std::size_t i) { return fmt::format("c0de0000-0000-4000-8000-{:012x}", i + 1); }
  static bool agree(const Comparable& a, const Comparable& b) { return a.text == b.text; }

  // The leader registers the member and its agent adds what it knows, in whichever order.
  void wait_for_own_node() {
    std::string index = "0";
    for (int i = 0; i < 10; ++i) {
      const RawAnswer answer = real("GET", "/v1/catalog/nodes?wait=20s&index=" + index, "");
      if (answer.body.find("consul-network-segment") != std::string::npos) return;
      index = answer.headers.at("x-consul-index");
    }
    FAIL("the real server's agent does not register itself");
  }

  RawAnswer real(const std::string& method, const std::string& target, const std::string& body) {
    auto answer = consul_->request(method, target, body);
    REQUIRE_OK(answer);
    return *std::move(answer);
  }

  std::string translated(std::string line, bool for_real) const {
    line = replace_all(replace_all(line, "memory", kNode), "MEMORY", "FIXTURE");
    // In two steps: an id that is put in may look like one that is still to be replaced.
    for (std::size_t i = 0; i < sessions_.size(); ++i) line = replace_all(line, counted(i), fmt::format("<{}>", i));
    for (std::size_t i = 0; i < sessions_.size(); ++i) {
      line = replace_all(line, fmt::format("<{}>", i), for_real ? sessions_[i].second : sessions_[i].first);
    }
    for (std::size_t i = 0; i < 4 && i < recent_.size(); ++i) {
      const auto& [memory, theirs] = recent_[recent_.size() - 1 - i];
      line = replace_all(line, fmt::format("@{}", i), std::to_string(for_real ? theirs : memory));
    }
    return line;
  }

  std::string without_sessions(std::string body, bool from_real) const {
    for (std::size_t i = 0; i < sessions_.size(); ++i) {
      body = replace_all(body, from_real ? sessions_[i].second : sessions_[i].first, fmt::format("<{}>", i));
    }
    return body;
  }

  Comparable comparable_memory(const std::string& target, const HttpResponse& response) const {
    std::map<std::string, std::string> headers(response.headers.begin(), response.headers.end());
    std::string body = without_sessions(response.body, false);
    if (target == "/v1/session/create" && response.status == 200) body = replace_all(body, id_in(body), "<new>");
    body = replace_all(body, "c0de0000-0000-4000-8000-000000000000", "<node>");
    return comparable(target, response.status, headers,
                      replace_all(body, "11111111-2222-3333-4444-555555555555", "<trust>"));
  }

  Comparable comparable_real(const std::string& target, const RawAnswer& answer) const {
    std::string body = without_sessions(answer.body, true);
    if (target == "/v1/session/create" && answer.status == 200) body = replace_all(body, id_in(body), "<new>");
    body = replace_all(body, node_id_, "<node>");
    body = replace_all(body, fmt::format("\"Port\":{},", server_port_), "\"Port\":8300,");
    body = std::regex_replace(body, std::regex(R"(internal\.[0-9a-f-]{36}\.consul)"), "internal.<trust>.consul");
    return comparable(target, answer.status, answer.headers, body);
  }

  // The two servers' indexes are paired once and for all, in the same order. What was before the first request of ours
  // is one index, for a starting server writes in no fixed order.
  void check_indexes(const std::vector<std::uint64_t>& memory, const std::vector<std::uint64_t>& theirs) {
    REQUIRE(memory.size() == theirs.size());
    for (std::size_t i = 0; i < memory.size(); ++i) {
      CAPTURE(memory[i]);
      CAPTURE(theirs[i]);
      const bool old_memory = memory[i] <= base_memory_;
      CHECK(old_memory == (theirs[i] <= base_real_));
      if (old_memory || theirs[i] <= base_real_) continue;
      const auto [known, is_new] = pairs_.emplace(memory[i], theirs[i]);
      CHECK(known->second == theirs[i]);
      if (!is_new) continue;
      recent_.emplace_back(memory[i], theirs[i]);
      if (known != pairs_.begin()) CHECK(std::prev(known)->second < theirs[i]);
      if (std::next(known) != pairs_.end()) CHECK(std::next(known)->second > theirs[i]);
    }
  }

  std::unique_ptr<ConsulServer> consul_;
  std::string server_port_;
  std::string node_id_;
  std::uint64_t base_real_ = 0;
  std::uint64_t base_memory_ = 0;
  std::map<std::uint64_t, std::uint64_t> pairs_;
  std::vector<std::pair<std::uint64_t, std::uint64_t>> recent_;
  std::vector<std::pair<std::string, std::string>> sessions_;
  bool agent_ = false;
};

// What cannot be asked of both.
bool is_left_out(const std::string& line) {
  return line == "GET /v1/kv/a?index=2&wait=10s" ||  // an index of the fresh server's
         line.starts_with("HEAD ") ||                // the fixture would wait for the body
         line.find("/.") != std::string::npos;       // and its client cleans paths itself
}

TEST_CASE("the tables of the unit test get the same answers from a real server") {
  Pair pair;
  for (const std::vector<ExchangeCase>& cases :
       {memory_kv_cases(), memory_session_cases(), memory_txn_cases(), memory_catalog_cases(), memory_health_cases(),
        memory_filter_cases(), memory_agent_cases(), memory_config_cases(), memory_router_cases()}) {
    for (const ExchangeCase& one : cases) {
      CAPTURE(std::string(one.name));
      for (const Exchange& exchange : one.exchanges) {
        if (!is_left_out(exchange.request)) pair.check(exchange.request);
      }
      pair.clear();
    }
  }
}

TEST_CASE("random requests get the same answers from a real server") {
  Pair pair;
  for (std::uint64_t seed = 1; seed <= 8; ++seed) {
    CAPTURE(seed);
    MemoryRequests requests(seed);
    requests.without_time();
    for (int step = 0; step < 120; ++step) {
      std::string line = requests.write();
      if (const std::size_t cas = line.find("?cas="); cas != std::string::npos) {
        const std::size_t end = line.find(' ', cas);
        line.replace(cas, end - cas, requests.draw(3) == 0 ? "?cas=0" : fmt::format("?cas=@{}", requests.draw(3)));
      }
      pair.check(line);
      pair.check(requests.read());
    }
    pair.clear();
  }
}

}  // namespace
}  // namespace convergence::test
