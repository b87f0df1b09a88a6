#include <algorithm>
#include <utility>

#include "lib/memory/go_json.h"
#include "lib/memory/store.h"

namespace convergence::memory {
namespace {

constexpr Duration kMaxLockDelay = std::chrono::seconds(60);

void release_keys(Store& store, const MemorySession& session) {
  const Duration delay = std::min(session.lock_delay, kMaxLockDelay);
  const auto held = store.state().held_keys.find(session.id);
  if (held == store.state().held_keys.end()) return;
  for (const std::string& key : std::set<std::string>(held->second)) {
    if (session.behavior == "delete") {
      kv_delete(store, key);
    } else {
      KvPair pair = store.state().kv.at(key);
      pair.session.clear();
      kv_set(store, std::move(pair), true);
    }
    if (delay > Duration(0)) store.put(&State::lock_delays, key, store.now() + delay);
  }
}

bool contains(const std::vector<std::string>& ids, const std::string& id) {
  return std::any_of(ids.begin(), ids.end(), [&](const std::string& one) { return lower(one) == id; });
}

template <typename Which>
void destroy_where(Store& store, const Which& which) {
  std::vector<std::string> ids;
  for (const auto& [id, session] : store.state().sessions) {
    if (which(session)) ids.push_back(id);
  }
  for (const std::string& id : ids) destroy_session(store, id);
}

}  // namespace

void destroy_session(Store& store, const std::string& id) {
  const auto found = store.state().sessions.find(id);
  if (found == store.state().sessions.end()) return;
  const MemorySession session = found->second;
  store.clear_timer({session.expires_at, MemoryTimer::Kind::kSession, id, 0});
  store.erase(&State::sessions, id);
  store.touch(kSessionTable);
  release_keys(store, session);
}

void destroy_sessions_of_node(Store& store, const std::string& node) {
  destroy_where(store, [&](const MemorySession& session) { return lower(session.node) == node; });
}

void destroy_sessions_of_check(Store& store, const MemoryCheck& check) {
  const std::string node = lower(check.node);
  const std::string id = lower(check.id);
  destroy_where(store, [&](const MemorySession& session) {
    return lower(session.node) == node && (contains(session.node_checks, id) || contains(session.service_checks, id));
  });
}

}  // namespace convergence::memory
