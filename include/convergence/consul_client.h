#ifndef CONVERGENCE_CONSUL_CLIENT_H_
#define CONVERGENCE_CONSUL_CLIENT_H_

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "absl/status/statusor.h"
#include "convergence/catalog.h"
#include "convergence/chain.h"
#include "convergence/config_entry.h"
#include "convergence/desired.h"
#include "convergence/executor.h"
#include "convergence/json.h"
#include "convergence/plan.h"
#include "convergence/transport.h"

namespace convergence {

enum class Consistency { kDefault, kStale, kConsistent };

// Options of one call. Empty strings are left out of the query.
struct ReadOptions {
  std::string datacenter{};
  std::string namespace_name{};
  Consistency consistency = Consistency::kDefault;
  std::string filter{};
  std::uint64_t wait_index = 0;             // > 0: a blocking query
  Duration wait = std::chrono::minutes(5);  // of a blocking query
  // Of the call with all its tries. On top of `wait` and the sixteenth of it that Consul may add, for each try of a
  // blocking query.
  Duration timeout = std::chrono::seconds(30);
};
struct WriteOptions {
  std::string datacenter{};
  std::string namespace_name{};
  Duration timeout = std::chrono::seconds(30);
};

// A read's value with what Consul said about it.
template <typename T>
struct Answer {
  T value{};
  std::uint64_t index = 0;  // X-Consul-Index; 0: none was sent
  bool known_leader = true;
  Duration last_contact{0};
  friend bool operator==(const Answer&, const Answer&) = default;
};

struct HealthRow {
  Node node{};
  ServiceInstance instance{};
  std::vector<HealthCheck> checks{};
  friend bool operator==(const HealthRow&, const HealthRow&) = default;
};

struct SessionRequest {
  std::string name{};
  std::string node{};                 // empty: the agent's
  std::vector<std::string> checks{};  // empty: serfHealth where it exists
  Duration ttl{0};                    // 10 s .. 24 h; 0: none
  Duration lock_delay = std::chrono::seconds(15);
  bool delete_on_release = false;  // Behavior "delete"
};

// One operation of a transaction, in Consul's own JSON: {"KV": {...}}, {"Service": {...}}, {"Check": {...}}, {"Node":
// {...}}.
struct TxnOperation {
  Json operation{};
};
struct TxnFailure {
  std::size_t operation = 0;
  std::string what{};
  friend bool operator==(const TxnFailure&, const TxnFailure&) = default;
};
struct TxnResult {
  Json::Array results{};
  std::vector<TxnFailure> failures{};  // not empty: nothing was done
  friend bool operator==(const TxnResult&, const TxnResult&) = default;
};
inline constexpr std::size_t kMaxTxnOperations = 64;

struct RetryOptions {
  // Of reads that found no server, or one that failed (5xx but 501, and 429); nothing else is tried again. Writes are
  // never repeated by the client, since they may have happened.
  std::int32_t max_tries = 3;
  Duration first_pause = std::chrono::milliseconds(100);  // doubled each time; no randomness: the host may add jitter
  Duration max_pause = std::chrono::seconds(2);
};

// Typed Consul over any transport, both of which outlive it, with the executor. Asynchronous: each call returns at once
// and its callback runs once, as a task of the executor. Calls may be made from any thread. Destroying the client
// cancels what is under way; those callbacks run as cancelled. Errors: the kinds of error.h, with "method" and "target"
// in the detail; a 4xx or 5xx keeps the server's own text in the message and as "body" in the detail, with "status".
// What a path cannot name (empty names; keys with an empty, "." or ".." segment, which only a transaction can write) is
// kind "usage", and nothing is sent.
class ConsulClient {
 public:
  template <typename T>
  using Callback = std::function<void(absl::StatusOr<T>)>;
  using Done = std::function<void(absl::Status)>;

  ConsulClient(Executor& executor, Transport& transport, RetryOptions retry = {});
  ~ConsulClient();
  ConsulClient(const ConsulClient&) = delete;
  ConsulClient& operator=(const ConsulClient&) = delete;

  Executor& executor() const;

  // ---- KV. Absent: an empty optional or vector, no error.
  void kv_get(std::string_view key, const ReadOptions&, Callback<Answer<std::optional<KvPair>>>);
  void kv_recurse(std::string_view prefix, const ReadOptions&, Callback<Answer<std::vector<KvPair>>>);
  void kv_keys(std::string_view prefix, const ReadOptions&, Callback<Answer<std::vector<std::string>>>);
  struct KvPut {
    std::string key;
    std::string value;
    std::uint64_t flags = 0;
    std::optional<std::uint64_t> cas;  // 0: create only
    std::string acquire;               // session
    std::string release;
  };
  // False: the compare-and-set (or lock) was lost; nothing was written.
  void kv_put(const KvPut&, const WriteOptions&, Callback<bool>);
  void kv_delete(std::string_view key, std::optional<std::uint64_t> cas, const WriteOptions&, Callback<bool>);
  void kv_delete_tree(std::string_view prefix, const WriteOptions&, Callback<bool>);

  // ---- transactions of at most kMaxTxnOperations; more is INVALID_ARGUMENT kind "usage" and nothing is sent.
  void txn(const std::vector<TxnOperation>&, const WriteOptions&, Callback<TxnResult>);

  // ---- catalog and health
  void catalog_nodes(const ReadOptions&, Callback<Answer<std::vector<Node>>>);
  void catalog_services(const ReadOptions&, Callback<Answer<std::map<std::string, std::vector<std::string>>>>);
  void catalog_node_services(std::string_view node, const ReadOptions&, Callback<Answer<std::vector<ServiceInstance>>>);
  void catalog_register(const Json& registration, const WriteOptions&, Done);
  void catalog_deregister(const Json& deregistration, const WriteOptions&, Done);
  void health_service(std::string_view service, const ReadOptions&, Callback<Answer<std::vector<HealthRow>>>);
  void health_node(std::string_view node, const ReadOptions&, Callback<Answer<std::vector<HealthCheck>>>);
  // `state`: passing, warning, critical, any.
  void health_state(std::string_view state, const ReadOptions&, Callback<Answer<std::vector<HealthCheck>>>);

  // ---- the local agent. No CAS there: one writer, idempotent registrations.
  void agent_self(Callback<Json>);
  void agent_services(const ReadOptions&, Callback<std::map<std::string, ServiceInstance>>);
  void agent_checks(const ReadOptions&, Callback<std::map<std::string, HealthCheck>>);
  // Checks that were there before and are named again keep their status. The others go, one for maintenance too, unless
  // they are to be kept.
  enum class OtherChecks { kRemove, kKeep };
  void agent_service_register(const ServiceInstance&, const std::vector<CheckDefinition>&, Done,
                              OtherChecks others = OtherChecks::kRemove);
  // In maintenance a service has a critical check of its own. NOT_FOUND for one that is not registered.
  void agent_service_maintenance(std::string_view id, bool enable, std::string_view reason, Done);
  void agent_service_deregister(std::string_view id, Done);
  void agent_check_register(const CheckDefinition&, std::string_view service_id, Done);
  void agent_check_deregister(std::string_view id, Done);
  void agent_check_update(std::string_view id, CheckStatus, std::string_view output, Done);

  // ---- config entries
  void config_get(std::string_view kind, std::string_view name, const ReadOptions&,
                  Callback<Answer<std::optional<ConfigEntry>>>);
  void config_list(std::string_view kind, const ReadOptions&, Callback<Answer<std::vector<ConfigEntry>>>);
  void config_list_all(const ReadOptions&, Callback<Answer<std::vector<ConfigEntry>>>);  // of every kind
  // False: the compare-and-set was lost. cas 0: create only. Refusals keep Consul's text, kind "refused" or "server".
  void config_put(const ConfigEntry&, std::optional<std::uint64_t> cas, const WriteOptions&, Callback<bool>);
  // Consul before 1.11 has no compare-and-set for deletion: there the client reads the entry right before, and says
  // false when its index is not `cas`; the moment in between stays open (docs/design.md).
  void config_delete(std::string_view kind, std::string_view name, std::optional<std::uint64_t> cas,
                     const WriteOptions&, Callback<bool>);
  void discovery_chain(std::string_view service, const ReadOptions&, Callback<Answer<DiscoveryChain>>);

  // ---- sessions
  void session_create(const SessionRequest&, const WriteOptions&, Callback<std::string>);
  void session_renew(std::string_view id, const WriteOptions&, Done);  // NOT_FOUND when it has expired
  void session_destroy(std::string_view id, const WriteOptions&, Done);
  void session_list(const ReadOptions&, Callback<Answer<Json::Array>>);

  // ---- status
  void status_leader(Callback<std::string>);

  // Cancels every call under way.
  void cancel_all();

 private:
  struct Impl;
  std::shared_ptr<Impl> impl_;
};

// Waits for an asynchronous call: the thin synchronous form. `start` may hold references to the caller's frame.
//   auto answer = await<Answer<std::optional<KvPair>>>(executor, [&](auto done) { client.kv_get("k", {}, done); });
// FAILED_PRECONDITION on the executor's own thread, and nothing is started; DEADLINE_EXCEEDED after `timeout` (the call
// goes on).
template <typename T, typename Start>
absl::StatusOr<T> await(Executor& executor, Start start, Duration timeout = std::chrono::minutes(12));
template <typename Start>
absl::Status await_done(Executor& executor, Start start, Duration timeout = std::chrono::minutes(12));

// A loop of blocking queries. Follows Consul's index rules: an index that falls starts again from 0, an answer without
// progress is no news, and the value is given only when it changed. Errors are told once in an outage (again when the
// kind changes) and retried from index 0 with growing pauses; the first answer of all, and the first after an outage,
// is told whatever it says. A read that is cancelled (its client is gone) is told and ends the watch; a client that
// goes while a watch pauses must have its watches stopped before.
class Watch {
 public:
  // Starts one read with the wait index given; calls `done` with the answer's index and a value to hand on.
  template <typename T>
  using Read = std::function<void(std::uint64_t wait_index, ConsulClient::Callback<Answer<T>> done)>;

  template <typename T>
  static std::unique_ptr<Watch> start(Executor& executor, Read<T> read, ConsulClient::Callback<Answer<T>> on_change,
                                      RetryOptions retry = {});

  // After stop(), and after destruction, `on_change` is not called again (where another thread runs the executor: once
  // more at most, when it was about to be). The read under way is left to end by itself.
  void stop();
  ~Watch();

 private:
  struct Loop;
  explicit Watch(std::shared_ptr<Loop> loop);
  std::shared_ptr<Loop> loop_;
};

}  // namespace convergence

#include "convergence/consul_client_inline.h"  // await, Watch::start

#endif  // CONVERGENCE_CONSUL_CLIENT_H_
