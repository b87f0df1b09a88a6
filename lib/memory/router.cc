#include "lib/memory/router.h"

#include <algorithm>
#include <charconv>

#include "convergence/codec.h"
#include "fmt/format.h"
#include "fmt/ranges.h"

namespace convergence::memory {
namespace {

constexpr Duration kDefaultWait = std::chrono::minutes(5);
constexpr Duration kMaximalWait = std::chrono::minutes(10);

// The server takes no control characters in a path, not even escaped.
bool is_printable(std::string_view path) {
  const auto is_control = [](char c) { return static_cast<unsigned char>(c) < 0x20 || c == 0x7f; };
  return std::none_of(path.begin(), path.end(), is_control);
}

// Go's multiplexer sends whoever writes a path in another way to its plain form.
std::string clean_path(const std::string& path) {
  std::vector<std::string> parts;
  std::size_t at = 0;
  while (at <= path.size()) {
    const std::size_t end = std::min(path.find('/', at), path.size());
    const std::string part = path.substr(at, end - at);
    if (part == "..") {
      if (!parts.empty()) parts.pop_back();
    } else if (!part.empty() && part != ".") {
      parts.push_back(part);
    }
    at = end + 1;
  }
  std::string clean = fmt::format("/{}", fmt::join(parts, "/"));
  if (path.ends_with('/') && clean != "/") clean += '/';
  return clean;
}

HttpResponse moved(const Call& call, const std::string& path) {
  const std::string place = call.raw_query.empty() ? path : path + "?" + call.raw_query;
  HttpResponse answer = empty_answer(301);
  if (call.method == "GET") {
    answer = {301,
              {{"content-type", "text/html; charset=utf-8"}},
              fmt::format("<a href=\"{}\">Moved Permanently</a>.\n\n", place)};
  }
  answer.headers.emplace_back("location", place);
  return answer;
}

std::string_view longest_match(const std::string& path) {
  std::string_view best;
  for (const Endpoint& endpoint : endpoints()) {
    const bool matches = endpoint.path == path || (endpoint.path.ends_with('/') && path.starts_with(endpoint.path));
    if (matches && endpoint.path.size() > best.size()) best = endpoint.path;
  }
  return best;
}

bool is_endpoint(const std::string& path) {
  return std::any_of(endpoints().begin(), endpoints().end(), [&](const Endpoint& one) { return one.path == path; });
}

HttpResponse wrong_method(const Call& call, std::string_view path) {
  std::string allowed = "OPTIONS";
  for (const Endpoint& endpoint : endpoints()) {
    if (endpoint.path == path) allowed += fmt::format(",{}", endpoint.method);
  }
  HttpResponse answer = empty_answer(200);
  if (call.method != "OPTIONS") answer = text_answer(405, fmt::format("method {} not allowed", call.method));
  if (call.method == "HEAD") answer.body.clear();
  answer.headers.emplace_back("allow", allowed);
  return answer;
}

// A text for the caller's mistake in ?wait, ?index, ?stale and ?consistent; empty when there is none.
std::string read_blocking(Call& call) {
  if (const std::string wait = call.query.get("wait"); !wait.empty()) {
    const absl::StatusOr<Duration> given = duration_from_text(wait);
    if (!given.ok()) return "Invalid wait time";
    call.wait = *given;
  }
  call.wait = call.wait <= Duration(0) ? kDefaultWait : std::min(call.wait, kMaximalWait);
  if (const std::string index = call.query.get("index"); !index.empty()) {
    const char* end = index.data() + index.size();
    const auto [stop, error] = std::from_chars(index.data(), end, call.min_index);
    if (error != std::errc() || stop != end) return "Invalid index";
  }
  const bool stale = call.query.has("stale");
  const bool consistent = call.query.has("consistent");
  if (stale && consistent) return "Cannot specify ?stale with ?consistent, conflicting semantics.";
  call.consistency = stale ? Consistency::kStale : consistent ? Consistency::kConsistent : Consistency::kDefault;
  return "";
}

bool takes_datacenter(const Endpoint& endpoint) {
  // The catalog's writes take it from the body; agent and status have none.
  return endpoint.read != nullptr || endpoint.path == "/v1/kv/" || endpoint.path == "/v1/txn" ||
         endpoint.path.starts_with("/v1/config") || endpoint.path.starts_with("/v1/session/") ||
         endpoint.path.starts_with("/v1/discovery-chain/");
}

std::optional<HttpResponse> check_common(const State& state, const Endpoint& endpoint, Call& call) {
  if (!takes_datacenter(endpoint)) return std::nullopt;
  if (std::string mistake = read_blocking(call); !mistake.empty()) return bad_request(std::move(mistake));
  if (call.query.has("ns")) {
    return bad_request("Bad request: Invalid query parameter: \"ns\" - Namespaces are a Consul Enterprise feature");
  }
  const std::string datacenter = call.query.get("dc");
  if (!datacenter.empty() && datacenter != state.entries.cluster().datacenter) {
    HttpResponse answer = server_error("No path to datacenter");
    return endpoint.read != nullptr ? with_index(answer, call, 1, endpoint.face) : answer;
  }
  return std::nullopt;
}

}  // namespace

const std::vector<Endpoint>& endpoints() {
  static const std::vector<Endpoint> table = {
      {"GET", "/v1/kv/", read_kv, nullptr, Face::kKv},
      {"PUT", "/v1/kv/", nullptr, put_kv},
      {"DELETE", "/v1/kv/", nullptr, delete_kv},
      {"PUT", "/v1/txn", nullptr, run_txn},
      {"PUT", "/v1/session/create", nullptr, create_session},
      {"PUT", "/v1/session/destroy/", nullptr, destroy_session_call},
      {"PUT", "/v1/session/renew/", nullptr, renew_session},
      {"GET", "/v1/session/info/", read_session, nullptr, Face::kSession},
      {"GET", "/v1/session/list", list_sessions, nullptr, Face::kSession},
      {"GET", "/v1/session/node/", read_node_sessions, nullptr, Face::kSession},
      {"PUT", "/v1/catalog/register", nullptr, register_catalog},
      {"PUT", "/v1/catalog/deregister", nullptr, deregister_catalog},
      {"GET", "/v1/catalog/datacenters", nullptr, list_datacenters},
      {"GET", "/v1/catalog/nodes", list_nodes, nullptr, Face::kCatalog},
      {"GET", "/v1/catalog/services", list_services, nullptr, Face::kCatalog},
      {"GET", "/v1/catalog/service/", read_catalog_service, nullptr, Face::kCatalog},
      {"GET", "/v1/catalog/node/", read_catalog_node, nullptr, Face::kCatalog},
      {"GET", "/v1/catalog/node-services/", read_node_services, nullptr, Face::kCatalog},
      {"GET", "/v1/health/service/", read_health_service, nullptr, Face::kCatalog},
      {"GET", "/v1/health/node/", read_health_node, nullptr, Face::kCatalog},
      {"GET", "/v1/health/checks/", read_health_checks, nullptr, Face::kCatalog},
      {"GET", "/v1/health/state/", read_health_state, nullptr, Face::kCatalog},
      {"GET", "/v1/agent/self", nullptr, agent_self},
      {"GET", "/v1/agent/members", nullptr, agent_members},
      {"GET", "/v1/agent/services", nullptr, agent_services},
      {"PUT", "/v1/agent/service/register", nullptr, agent_register_service},
      {"PUT", "/v1/agent/service/deregister/", nullptr, agent_deregister_service},
      {"PUT", "/v1/agent/service/maintenance/", nullptr, agent_service_maintenance},
      {"GET", "/v1/agent/checks", nullptr, agent_checks},
      {"PUT", "/v1/agent/check/register", nullptr, agent_register_check},
      {"PUT", "/v1/agent/check/deregister/", nullptr, agent_deregister_check},
      {"PUT", "/v1/agent/check/pass/", nullptr, agent_pass_check},
      {"PUT", "/v1/agent/check/warn/", nullptr, agent_warn_check},
      {"PUT", "/v1/agent/check/fail/", nullptr, agent_fail_check},
      {"PUT", "/v1/agent/check/update/", nullptr, agent_update_check},
      {"PUT", "/v1/config", nullptr, put_config},
      {"GET", "/v1/config/", read_config, nullptr, Face::kKv},
      {"DELETE", "/v1/config/", nullptr, delete_config},
      {"GET", "/v1/discovery-chain/", read_chain, nullptr, Face::kCatalog},
      {"POST", "/v1/discovery-chain/", read_chain, nullptr, Face::kCatalog},
      {"GET", "/v1/status/leader", nullptr, status_leader},
      {"GET", "/v1/status/peers", nullptr, status_peers},
  };
  return table;
}

Routed route_call(const State& state, Call& call) {
  if (!is_printable(call.path)) return {nullptr, empty_answer(400)};
  if (const std::string clean = clean_path(call.path); clean != call.path) return {nullptr, moved(call, clean)};
  const std::string_view path = longest_match(call.path);
  if (path.empty()) {
    if (is_endpoint(call.path + "/")) return {nullptr, moved(call, call.path + "/")};
    return {nullptr,
            text_answer(501, fmt::format("the embedded Consul does not implement {} {}", call.method, call.path))};
  }
  call.rest = call.path.substr(path.size());
  for (const Endpoint& endpoint : endpoints()) {
    if (endpoint.path != path || endpoint.method != call.method) continue;
    return {&endpoint, check_common(state, endpoint, call)};
  }
  return {nullptr, wrong_method(call, path)};
}

}  // namespace convergence::memory
