#ifndef CONVERGENCE_MEMORY_CONSUL_H_
#define CONVERGENCE_MEMORY_CONSUL_H_

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/statusor.h"
#include "convergence/catalog.h"
#include "convergence/chain.h"
#include "convergence/executor.h"
#include "convergence/time.h"
#include "convergence/transport.h"

namespace convergence {

// The embedded Consul: a single server as a value. KV with locks, sessions, transactions, catalog, the agent of one
// node, health, config entries, blocking queries; answers in Consul's JSON. What it does not do it answers with 501 and
// says so. docs/memory-consul.md lists the endpoints and where it differs from the server.

// Go tells a map that is not there (null) from an empty one ({}), and Consul counts the difference as a change.
using MemoryLabels = std::optional<std::map<std::string, std::string>>;

struct MemoryNode {
  std::string id{};
  std::string name{};
  std::string address{};
  std::string datacenter{};
  MemoryLabels tagged_addresses{};
  MemoryLabels meta{};
  std::uint64_t create_index = 0;
  std::uint64_t modify_index = 0;
  friend bool operator==(const MemoryNode&, const MemoryNode&) = default;
};

struct MemoryService {
  std::string node{};
  std::string kind{};
  std::string id{};
  std::string service{};
  std::vector<std::string> tags{};
  std::string address{};
  Json tagged_addresses{};  // null when there are none
  MemoryLabels meta{};
  std::int64_t port = 0;
  ServiceWeights weights{};
  bool enable_tag_override = false;
  Json proxy{};
  Json connect{};
  std::uint64_t create_index = 0;
  std::uint64_t modify_index = 0;
  friend bool operator==(const MemoryService&, const MemoryService&) = default;
};

struct MemoryCheck {
  std::string node{};
  std::string id{};
  std::string name{};
  std::string status{};  // any text: the catalog does not look at it
  std::string notes{};
  std::string output{};
  std::string service_id{};
  std::string service_name{};
  std::vector<std::string> service_tags{};
  std::string type{};
  Json definition{};
  std::uint64_t create_index = 0;
  std::uint64_t modify_index = 0;
  friend bool operator==(const MemoryCheck&, const MemoryCheck&) = default;
};

// What the agent of the embedded node was told; its catalog rows are copies of these.
struct MemoryAgentCheck {
  MemoryCheck check;
  Duration ttl{0};  // 0: a check of another kind, which nobody runs
  Time expires_at = kNever;
  friend bool operator==(const MemoryAgentCheck&, const MemoryAgentCheck&) = default;
};

struct MemorySession {
  std::string id{};
  std::string name{};
  std::string node{};
  Duration lock_delay{0};
  std::string behavior{};  // "release" or "delete"
  std::string ttl_text{};  // as given
  Duration ttl{0};
  std::vector<std::string> node_checks{};
  std::vector<std::string> service_checks{};
  Time expires_at = kNever;
  std::uint64_t create_index = 0;
  std::uint64_t modify_index = 0;
  friend bool operator==(const MemorySession&, const MemorySession&) = default;
};

// A request that is parked until what it reads changes or its wait is over.
struct ParkedQuery {
  HttpRequest request{};
  std::uint64_t wait_index = 0;
  Time until = kNever;
  std::vector<std::string> names{};  // of what it waits for, as they stand in `watchers`
  friend bool operator==(const ParkedQuery&, const ParkedQuery&) = default;
};

// Something to do once its time has come. Times that are equal are worked off in this order.
struct MemoryTimer {
  enum class Kind { kSession, kCheck, kWait };
  Time at{};
  Kind kind = Kind::kSession;
  std::string name{};    // session or check
  std::uint64_t id = 0;  // parked query
  friend auto operator<=>(const MemoryTimer&, const MemoryTimer&) = default;
};

// Names in keys are in lower case, because Consul compares names of nodes, services and checks so; keys of KV are not.
// A default state has not started: the first call registers the node itself, as a server does when it becomes leader.
struct MemoryConsulState {
  using Instance = std::pair<std::string, std::string>;  // node, service id
  std::string node_name = "memory";
  std::uint64_t index = 0;    // the Raft index of the last write; 0: not started
  std::uint64_t next_id = 1;  // of sessions: ids are counted, not drawn, so that runs repeat
  std::map<std::string, KvPair> kv{};
  std::map<std::string, std::uint64_t> kv_tombstones{};  // index of the deletion, by key or deleted prefix
  std::map<std::string, Time> lock_delays{};             // keys that cannot be acquired before
  std::map<std::string, MemorySession> sessions{};
  std::map<std::string, std::set<std::string>> held_keys{};  // by session
  std::map<std::string, MemoryNode> nodes{};
  std::map<Instance, MemoryService> services{};
  std::map<std::string, std::set<Instance>> instances{};                // by service name
  std::map<std::pair<std::string, std::string>, MemoryCheck> checks{};  // by node, check id
  std::map<Instance, std::set<std::string>> checks_of{};                // check ids; service id "": of the node
  std::map<std::string, std::set<std::pair<std::string, std::string>>> checks_in{};  // node, check id; by status
  std::map<std::string, MemoryService> agent_services{};                             // by id as written
  std::map<std::string, MemoryAgentCheck> agent_checks{};
  ConfigEntries entries{};
  std::map<std::string, std::uint64_t> table_indexes{};  // last index per table and per service ("service.web")
  std::map<std::uint64_t, ParkedQuery> parked{};
  std::map<std::string, std::set<std::uint64_t>> watchers{};  // parked queries by what they wait for
  std::set<MemoryTimer> timers;
  friend bool operator==(const MemoryConsulState&, const MemoryConsulState&) = default;
};

struct MemoryAnswer {
  std::uint64_t id = 0;
  HttpResponse response;
  friend bool operator==(const MemoryAnswer&, const MemoryAnswer&) = default;
};

struct MemoryStep {
  MemoryConsulState consul{};
  std::vector<MemoryAnswer> answers{};  // to this request or to parked ones that it woke
};

// Pure: the same calls give the same bytes. `id` is the caller's name for the request, which an answer now or later
// carries. Time only moves sessions, lock delays, TTL checks and waits.
MemoryStep apply(MemoryConsulState consul, Time now, std::uint64_t id, const HttpRequest& request);
// Lets time pass: expires what is due, answers the waits that are over.
MemoryStep advance(MemoryConsulState consul, Time now);
// The request will not be answered any more.
MemoryConsulState forget(MemoryConsulState consul, std::uint64_t id);
// When advance() has something to do; kNever when nothing waits.
Time next_deadline(const MemoryConsulState& consul);

// The adapter that makes it a Transport, on the executor's time. Any number of clients may share it.
class MemoryConsul : public Transport {
 public:
  explicit MemoryConsul(Executor& executor, MemoryConsulState initial = {});
  ~MemoryConsul() override;

  SendId send(HttpRequest request, Completion completion) override;
  void cancel(SendId send) override;

  // The state now. On the executor, or while nothing runs there.
  const MemoryConsulState& state() const;

 private:
  struct Impl;
  std::shared_ptr<Impl> impl_;
};

// Consul's HTTP face for any transport (the embedded Consul, or a decorator around it) on 127.0.0.1: what `converge
// dev` and Python's MemoryConsul.serve() listen with. One thread of its own; a parked query costs a connection, not a
// thread.
class HttpFace {
 public:
  // Port 0: a free one. UNAVAILABLE kind "unreachable" when the port cannot be had.
  static absl::StatusOr<std::unique_ptr<HttpFace>> start(Transport& transport, std::uint16_t port);
  ~HttpFace();
  std::uint16_t port() const;

 private:
  struct Impl;
  explicit HttpFace(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

}  // namespace convergence

#endif  // CONVERGENCE_MEMORY_CONSUL_H_
