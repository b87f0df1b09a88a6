#ifndef CONVERGENCE_MEMORY_CONSUL_H_
#define CONVERGENCE_MEMORY_CONSUL_H_

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "convergence/catalog.h"
#include "convergence/chain.h"
#include "convergence/executor.h"
#include "convergence/time.h"
#include "convergence/transport.h"

namespace convergence {

// The embedded Consul: a single server as a value. KV with locks, sessions, transactions, catalog, the agent of one node,
// health, config entries, blocking queries; answers in Consul's JSON. What it does not do it answers with 501 and says so.
// docs/memory-consul.md lists the endpoints and where it differs from the server.

struct MemorySession {
  std::string id;
  std::string name;
  std::string node;
  std::vector<std::string> checks;
  Duration ttl{0};
  Duration lock_delay{0};
  bool delete_on_release = false;
  Time expires_at = kNever;
  std::uint64_t create_index = 0;
  std::uint64_t modify_index = 0;
  friend bool operator==(const MemorySession&, const MemorySession&) = default;
};

// A request that is parked until what it reads changes or its wait is over.
struct ParkedQuery {
  std::uint64_t id = 0;
  HttpRequest request;
  std::uint64_t wait_index = 0;
  Time until = kNever;
  friend bool operator==(const ParkedQuery&, const ParkedQuery&) = default;
};

struct MemoryConsulState {
  std::string node_name = "memory";
  std::uint64_t index = 1;  // the Raft index of the last write
  std::uint64_t next_id = 1;  // of sessions: ids are counted, not drawn, so that runs repeat
  std::map<std::string, KvPair> kv;
  std::map<std::string, std::uint64_t> kv_tombstones;      // index of the deletion, by key
  std::map<std::string, Time> lock_delays;                 // keys that cannot be acquired before
  std::map<std::string, MemorySession> sessions;
  CatalogState catalog;                                    // nodes, services and their checks
  std::map<std::string, std::uint64_t> service_indexes;    // by service name, for blocking reads
  ConfigEntries entries;
  std::map<std::string, std::uint64_t> table_indexes;      // last index per table: kv, nodes, services, checks, config, ...
  std::map<std::uint64_t, ParkedQuery> parked;
  friend bool operator==(const MemoryConsulState&, const MemoryConsulState&) = default;
};

struct MemoryAnswer {
  std::uint64_t id = 0;
  HttpResponse response;
  friend bool operator==(const MemoryAnswer&, const MemoryAnswer&) = default;
};

struct MemoryStep {
  MemoryConsulState consul;
  std::vector<MemoryAnswer> answers;  // to this request or to parked ones that it woke
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

// Consul's HTTP face for any transport (the embedded Consul, or a decorator around it) on 127.0.0.1: what `converge dev` and
// Python's MemoryConsul.serve() listen with. One thread of its own; a parked query costs a connection, not a thread.
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
