#ifndef CONVERGENCE_LIB_MEMORY_STORE_H_
#define CONVERGENCE_LIB_MEMORY_STORE_H_

#include <cstdint>
#include <functional>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "convergence/memory_consul.h"

namespace convergence::memory {

using State = MemoryConsulState;
using Instance = State::Instance;

inline constexpr std::string_view kKvTable = "kvs";
inline constexpr std::string_view kTombstoneTable = "tombstones";
inline constexpr std::string_view kNodeTable = "nodes";
inline constexpr std::string_view kServiceTable = "services";
inline constexpr std::string_view kCheckTable = "checks";
inline constexpr std::string_view kSessionTable = "sessions";
inline constexpr std::string_view kConfigTable = "config-entries";
// Index of the write that took the last instance of some service away.
inline constexpr std::string_view kExtinction = "service_last_extinction";
std::string service_table(std::string_view service);
// What those wait for who have read all keys below a prefix.
std::string below(std::string_view prefix);

std::uint64_t table_index(const State& state, std::string_view table);
std::uint64_t max_index(const State& state, std::initializer_list<std::string_view> tables);

// One write at a time on a state. Every change goes through put and erase, so that a transaction that fails halfway
// is taken back without a copy of the state having been made. What has changed is kept for those who wait.
class Store {
 public:
  Store(State& state, Time now) : state_(state), now_(now) {}

  const State& state() const { return state_; }
  Time now() const { return now_; }
  // Of the write that is being made.
  std::uint64_t index() const { return state_.index; }

  // A new write: it has an index of its own, whether it changes something or not.
  void begin();
  // Takes back all since begin() but the index.
  void rollback();

  template <typename Map>
  void put(Map State::*table, const typename Map::key_type& key, typename Map::mapped_type value) {
    Map& map = state_.*table;
    const auto found = map.find(key);
    if (found == map.end()) {
      undo_.push_back([table, key](State& state) { (state.*table).erase(key); });
      map.emplace(key, std::move(value));
    } else {
      std::swap(found->second, value);
      undo_.push_back([table, key, old = std::move(value)](State& state) { (state.*table)[key] = old; });
    }
  }

  template <typename Map>
  void erase(Map State::*table, const typename Map::key_type& key) {
    Map& map = state_.*table;
    const auto found = map.find(key);
    if (found == map.end()) return;
    undo_.push_back([table, key, old = std::move(found->second)](State& state) { (state.*table)[key] = old; });
    map.erase(found);
  }

  // A member of a set that is the value of a map; a set left empty goes.
  template <typename Map>
  void include(Map State::*table, const typename Map::key_type& key,
               const typename Map::mapped_type::key_type& member) {
    if (!(state_.*table)[key].insert(member).second) return;
    undo_.push_back([table, key, member](State& state) { drop(state, table, key, member); });
  }
  template <typename Map>
  void exclude(Map State::*table, const typename Map::key_type& key,
               const typename Map::mapped_type::key_type& member) {
    if (!drop(state_, table, key, member)) return;
    undo_.push_back([table, key, member](State& state) { (state.*table)[key].insert(member); });
  }

  void set_timer(const MemoryTimer& timer);
  void clear_timer(const MemoryTimer& timer);

  std::string new_id();
  ConfigEntries& entries() { return state_.entries; }

  // The table (or service) has changed with this write.
  void touch(std::string_view table);
  // Removes the index of a service without instances.
  void forget_table(const std::string& table) { erase(&State::table_indexes, table); }
  void touch_key(const std::string& key) { changed_keys_.insert(key); }

  const std::set<std::string>& changed() const { return changed_; }
  const std::set<std::string>& changed_keys() const { return changed_keys_; }

 private:
  template <typename Map>
  static bool drop(State& state, Map State::*table, const typename Map::key_type& key,
                   const typename Map::mapped_type::key_type& member) {
    Map& map = state.*table;
    const auto found = map.find(key);
    if (found == map.end() || found->second.erase(member) == 0) return false;
    if (found->second.empty()) map.erase(found);
    return true;
  }

  State& state_;
  Time now_;
  std::vector<std::function<void(State&)>> undo_;
  std::set<std::string> changed_;
  std::set<std::string> changed_keys_;
};

// ---- key-value -----------------------------------------------------------------------------------------------

// True when the pair was stored or stood there already; false when a condition was not met.
bool kv_set(Store& store, KvPair pair, bool update_session);
bool kv_set_cas(Store& store, KvPair pair, std::uint64_t expected);
bool kv_delete(Store& store, const std::string& key);
bool kv_delete_cas(Store& store, const std::string& key, std::uint64_t expected);
void kv_delete_tree(Store& store, const std::string& prefix);
// The session is one of state().sessions.
bool kv_lock(Store& store, KvPair pair);
bool kv_unlock(Store& store, KvPair pair);
bool kv_lock_delayed(const State& state, const std::string& key, Time now);
// Why a session cannot hold a lock; empty when it can.
std::string session_mistake(const State& state, const std::string& session);

// ---- sessions ------------------------------------------------------------------------------------------------

void destroy_session(Store& store, const std::string& id);
void destroy_sessions_of_node(Store& store, const std::string& node);
void destroy_sessions_of_check(Store& store, const MemoryCheck& check);

// ---- catalog -------------------------------------------------------------------------------------------------

// Each returns the server's text of refusal, empty when done.
std::string ensure_node(Store& store, MemoryNode node);
std::string ensure_service(Store& store, MemoryService service);
std::string ensure_check(Store& store, MemoryCheck check);
void delete_node(Store& store, const std::string& node);
void delete_service(Store& store, const std::string& node, const std::string& id);
void delete_check(Store& store, const std::string& node, const std::string& id);

const MemoryNode* find_node(const State& state, std::string_view name);
const MemoryNode* find_node_by_id(const State& state, std::string_view id);
const MemoryService* find_service(const State& state, std::string_view node, std::string_view id);
const MemoryCheck* find_check(const State& state, std::string_view node, std::string_view id);

// Equal but for the indexes.
bool same(const MemoryNode& a, const MemoryNode& b);
bool same(const MemoryService& a, const MemoryService& b);
bool same(const MemoryCheck& a, const MemoryCheck& b);

// The check in the catalog gets what the agent says; what the agent tells of expiry comes from here too.
void expire_agent_check(Store& store, const std::string& id);

inline constexpr const char* kOwnNodeId = "c0de0000-0000-4000-8000-000000000000";
// The server's own node, service and check.
void start_server(Store& store);

}  // namespace convergence::memory

#endif  // CONVERGENCE_LIB_MEMORY_STORE_H_
