#include <utility>

#include "fmt/format.h"
#include "lib/memory/store.h"

namespace convergence::memory {
namespace {

const KvPair* find_pair(const State& state, const std::string& key) {
  const auto found = state.kv.find(key);
  return found == state.kv.end() ? nullptr : &found->second;
}

// As the server compares them: a plain write over a locked key counts as a change, because it comes without LockIndex.
bool same_pair(const KvPair& a, const KvPair& b) {
  return a.lock_index == b.lock_index && a.flags == b.flags && a.value == b.value && a.session == b.session;
}

}  // namespace

bool kv_set(Store& store, KvPair pair, bool update_session) {
  const KvPair* existing = find_pair(store.state(), pair.key);
  pair.create_index = existing != nullptr ? existing->create_index : store.index();
  if (!update_session) pair.session = existing != nullptr ? existing->session : "";
  if (existing != nullptr && same_pair(*existing, pair)) return true;
  const std::string before = existing != nullptr ? existing->session : "";
  if (before != pair.session) {
    if (!before.empty()) store.exclude(&State::held_keys, before, pair.key);
    if (!pair.session.empty()) store.include(&State::held_keys, pair.session, pair.key);
  }
  pair.modify_index = store.index();
  const std::string key = pair.key;
  store.put(&State::kv, key, std::move(pair));
  store.touch(kKvTable);
  store.touch_key(key);
  return true;
}

bool kv_set_cas(Store& store, KvPair pair, std::uint64_t expected) {
  const KvPair* existing = find_pair(store.state(), pair.key);
  const std::uint64_t current = existing != nullptr ? existing->modify_index : 0;
  return current == expected && kv_set(store, std::move(pair), false);
}

bool kv_delete(Store& store, const std::string& key) {
  const KvPair* existing = find_pair(store.state(), key);
  if (existing == nullptr) return true;
  if (!existing->session.empty()) store.exclude(&State::held_keys, existing->session, key);
  store.erase(&State::kv, key);
  store.put(&State::kv_tombstones, key, store.index());
  store.touch(kTombstoneTable);
  store.touch(kKvTable);
  store.touch_key(key);
  return true;
}

bool kv_delete_cas(Store& store, const std::string& key, std::uint64_t expected) {
  const KvPair* existing = find_pair(store.state(), key);
  if (existing == nullptr) return true;
  return existing->modify_index == expected && kv_delete(store, key);
}

void kv_delete_tree(Store& store, const std::string& prefix) {
  bool deleted = false;
  auto next = store.state().kv.lower_bound(prefix);
  while (next != store.state().kv.end() && next->first.starts_with(prefix)) {
    const std::string key = next->first;
    const std::string session = next->second.session;
    ++next;
    if (!session.empty()) store.exclude(&State::held_keys, session, key);
    store.erase(&State::kv, key);
    store.touch_key(key);
    deleted = true;
  }
  if (!deleted) return;
  // One tombstone for them all. The whole store gone needs none: a read without result has the index of the table.
  if (!prefix.empty()) {
    store.put(&State::kv_tombstones, prefix, store.index());
    store.touch(kTombstoneTable);
  }
  store.touch(kKvTable);
}

bool kv_lock(Store& store, KvPair pair) {
  const KvPair* existing = find_pair(store.state(), pair.key);
  if (existing == nullptr) {
    pair.lock_index = 1;
  } else if (existing->session.empty()) {
    pair.lock_index = existing->lock_index + 1;
  } else if (existing->session == pair.session) {
    pair.lock_index = existing->lock_index;
  } else {
    return false;
  }
  return kv_set(store, std::move(pair), true);
}

bool kv_unlock(Store& store, KvPair pair) {
  const KvPair* existing = find_pair(store.state(), pair.key);
  if (existing == nullptr || existing->session != pair.session) return false;
  pair.session.clear();
  pair.lock_index = existing->lock_index;
  return kv_set(store, std::move(pair), true);
}

bool kv_lock_delayed(const State& state, const std::string& key, Time now) {
  const auto found = state.lock_delays.find(key);
  return found != state.lock_delays.end() && now < found->second;
}

std::string session_mistake(const State& state, const std::string& session) {
  if (session.empty()) return "missing session";
  if (session.size() != 36) return "failed session lookup: index error: UUID must be 36 characters";
  if (state.sessions.count(session) == 0) return fmt::format("invalid session \"{}\"", session);
  return "";
}

}  // namespace convergence::memory
