#include <utility>

#include "convergence/codec.h"
#include "fmt/format.h"
#include "lib/memory/endpoint.h"
#include "lib/memory/go_json.h"
#include "lib/memory/rows.h"

namespace convergence::memory {
namespace {

constexpr Duration kDefaultLockDelay = std::chrono::seconds(15);
constexpr Duration kMinimalTtl = std::chrono::seconds(10);
constexpr Duration kMaximalTtl = std::chrono::hours(24);

// A bare number below 1000 is meant in seconds, else in nanoseconds.
GoDecoder::Setter lock_delay(GoDecoder& decoder, Duration& into) {
  return [&decoder, &into](const Json& json) {
    const std::optional<std::int64_t> number = json.to_int64();
    decoder.duration(into)(json);
    if (number && *number < 1000) into = std::chrono::seconds(*number);
  };
}

std::string decode_session(std::string_view body, MemorySession& session) {
  if (body.empty()) return "";
  const absl::StatusOr<Json> json = parse_body(body);
  if (!json.ok()) return std::string(json.status().message());
  GoDecoder decoder(false);
  std::vector<std::string> checks;
  bool has_checks = false;
  const auto service_check = [&](const Json& item) {
    std::string id;
    decoder.object(item, "ServiceCheck", "structs.ServiceCheck", {{"ID", decoder.text(id)}});
    session.service_checks.push_back(id);
  };
  decoder.object(*json, "Session", "structs.Session",
                 {{"Name", decoder.text(session.name)},
                  {"Node", decoder.text(session.node)},
                  {"Behavior", decoder.text(session.behavior)},
                  {"TTL", decoder.text(session.ttl_text)},
                  {"LockDelay", lock_delay(decoder, session.lock_delay)},
                  {"NodeChecks", decoder.texts(session.node_checks)},
                  {"ServiceChecks", decoder.each(service_check, "[]structs.ServiceCheck")},
                  {"Checks", [&](const Json& item) {
                     has_checks = true;
                     decoder.texts(checks)(item);
                   }}});
  if (has_checks) session.node_checks = checks;
  return decoder.error();
}

// The refusals of the server, in its order; empty when there is none.
std::string check_session(MemorySession& session) {
  if (session.node.empty()) return "Must provide Node";
  if (session.behavior != "release" && session.behavior != "delete") {
    return fmt::format("Invalid Behavior setting '{}'", session.behavior);
  }
  if (!session.ttl_text.empty()) {
    const absl::StatusOr<Duration> ttl = duration_from_text(session.ttl_text);
    if (!ttl.ok()) {
      return fmt::format("Session TTL '{}' invalid: time: invalid duration \"{}\"", session.ttl_text, session.ttl_text);
    }
    if (*ttl != Duration(0) && (*ttl < kMinimalTtl || *ttl > kMaximalTtl)) {
      return fmt::format("Invalid Session TTL '{}', must be between [{}={}]", ttl->count(),
                         duration_to_text(kMinimalTtl), duration_to_text(kMaximalTtl));
    }
    session.ttl = *ttl;
  }
  return "";
}

std::string check_registrations(const State& state, const MemorySession& session) {
  if (find_node(state, session.node) == nullptr) return "Missing node registration";
  for (const std::vector<std::string>* ids : {&session.node_checks, &session.service_checks}) {
    for (const std::string& id : *ids) {
      const MemoryCheck* check = find_check(state, session.node, id);
      if (check == nullptr) return fmt::format("Missing check '{}' registration", id);
      if (check->status == "critical") return fmt::format("Check '{}' is in critical state", id);
    }
  }
  return "";
}

void start_ttl(Store& store, MemorySession& session) {
  store.clear_timer({session.expires_at, MemoryTimer::Kind::kSession, session.id, 0});
  session.expires_at = session.ttl > Duration(0) ? store.now() + session.ttl : kNever;
  store.set_timer({session.expires_at, MemoryTimer::Kind::kSession, session.id, 0});
}

template <typename Which>
Read read_sessions(const State& state, const Call& call, const Which& which) {
  Read read;
  read.index = table_index(state, kSessionTable);
  read.names = {std::string(kSessionTable)};
  read.answer = [&state, &call, which] {
    Json::Array rows;
    for (const auto& [id, session] : state.sessions) {
      if (which(session)) rows.push_back(session_row(session));
    }
    return json_answer(call, std::move(rows));
  };
  return read;
}

}  // namespace

HttpResponse create_session(Store& store, const Call& call) {
  MemorySession session;
  session.node = store.state().node_name;
  session.behavior = "release";
  session.lock_delay = kDefaultLockDelay;
  session.node_checks = {"serfHealth"};
  if (std::string mistake = decode_session(call.body, session); !mistake.empty()) {
    return bad_request(fmt::format("Request decode failed: {}", mistake));
  }
  if (session.behavior.empty()) session.behavior = "release";
  if (std::string mistake = check_session(session); !mistake.empty()) {
    return server_error(std::move(mistake));
  }
  store.begin();
  if (std::string mistake = check_registrations(store.state(), session); !mistake.empty()) {
    return server_error(std::move(mistake));
  }
  session.id = store.new_id();
  session.create_index = store.index();
  session.modify_index = store.index();
  start_ttl(store, session);
  const std::string id = session.id;
  store.put(&State::sessions, id, std::move(session));
  store.touch(kSessionTable);
  return json_answer(call, Json::Object{{"ID", id}});
}

HttpResponse destroy_session_call(Store& store, const Call& call) {
  if (call.rest.empty()) return bad_request("Missing session");
  store.begin();
  destroy_session(store, call.rest);
  return json_answer(call, true);
}

HttpResponse renew_session(Store& store, const Call& call) {
  if (call.rest.empty()) return bad_request("Missing session");
  const auto found = store.state().sessions.find(call.rest);
  if (found == store.state().sessions.end()) {
    return text_answer(404, fmt::format("Session id '{}' not found", call.rest));
  }
  MemorySession session = found->second;
  start_ttl(store, session);
  store.put(&State::sessions, call.rest, session);
  return json_answer(call, Json::Array{session_row(session)});
}

Read read_session(const State& state, const Call& call) {
  if (call.rest.empty()) return refuse(bad_request("Missing session"));
  if (call.rest.size() != 36) {
    return refuse(server_error("failed session lookup: index error: UUID must be 36 characters"));
  }
  return read_sessions(state, call, [id = call.rest](const MemorySession& session) { return session.id == id; });
}

Read list_sessions(const State& state, const Call& call) {
  return read_sessions(state, call, [](const MemorySession&) { return true; });
}

Read read_node_sessions(const State& state, const Call& call) {
  if (call.rest.empty()) return refuse(bad_request("Missing node name"));
  return read_sessions(state, call,
                       [node = lower(call.rest)](const MemorySession& session) { return lower(session.node) == node; });
}

}  // namespace convergence::memory
