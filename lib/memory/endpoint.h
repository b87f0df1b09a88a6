#ifndef CONVERGENCE_LIB_MEMORY_ENDPOINT_H_
#define CONVERGENCE_LIB_MEMORY_ENDPOINT_H_

#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "lib/memory/call.h"
#include "lib/memory/store.h"

namespace convergence::memory {

// What a read that can block knows before its answer is made, so that a parked query costs little when it is looked at
// again.
struct Read {
  std::optional<HttpResponse> refusal;  // ends it at once
  std::uint64_t index = 0;
  std::vector<std::string> names;        // a change of one of these may move the index
  std::function<HttpResponse()> answer;  // refers to the state and the call
};

inline Read refuse(HttpResponse answer) {
  Read read;
  read.refusal = std::move(answer);
  return read;
}

struct Endpoint {
  using Reader = Read (*)(const State&, const Call&);
  using Handler = HttpResponse (*)(Store&, const Call&);

  std::string_view method;
  std::string_view path;     // with a slash at its end: also all below it
  Reader read = nullptr;     // either this
  Handler handle = nullptr;  // or this
  Face face = Face::kKv;
};

// In the order in which Allow names the methods of one path.
const std::vector<Endpoint>& endpoints();

Read read_kv(const State& state, const Call& call);
HttpResponse put_kv(Store& store, const Call& call);
HttpResponse delete_kv(Store& store, const Call& call);

HttpResponse create_session(Store& store, const Call& call);
HttpResponse destroy_session_call(Store& store, const Call& call);
HttpResponse renew_session(Store& store, const Call& call);
Read read_session(const State& state, const Call& call);
Read list_sessions(const State& state, const Call& call);
Read read_node_sessions(const State& state, const Call& call);

HttpResponse run_txn(Store& store, const Call& call);

HttpResponse register_catalog(Store& store, const Call& call);
HttpResponse deregister_catalog(Store& store, const Call& call);
HttpResponse list_datacenters(Store& store, const Call& call);
Read list_nodes(const State& state, const Call& call);
Read list_services(const State& state, const Call& call);
Read read_catalog_service(const State& state, const Call& call);
Read read_catalog_node(const State& state, const Call& call);
Read read_node_services(const State& state, const Call& call);

Read read_health_service(const State& state, const Call& call);
Read read_health_node(const State& state, const Call& call);
Read read_health_checks(const State& state, const Call& call);
Read read_health_state(const State& state, const Call& call);

HttpResponse agent_self(Store& store, const Call& call);
HttpResponse agent_members(Store& store, const Call& call);
HttpResponse agent_services(Store& store, const Call& call);
HttpResponse agent_register_service(Store& store, const Call& call);
HttpResponse agent_deregister_service(Store& store, const Call& call);
HttpResponse agent_service_maintenance(Store& store, const Call& call);
HttpResponse agent_checks(Store& store, const Call& call);
HttpResponse agent_register_check(Store& store, const Call& call);
HttpResponse agent_deregister_check(Store& store, const Call& call);
HttpResponse agent_pass_check(Store& store, const Call& call);
HttpResponse agent_warn_check(Store& store, const Call& call);
HttpResponse agent_fail_check(Store& store, const Call& call);
HttpResponse agent_update_check(Store& store, const Call& call);

Read read_config(const State& state, const Call& call);
HttpResponse put_config(Store& store, const Call& call);
HttpResponse delete_config(Store& store, const Call& call);
Read read_chain(const State& state, const Call& call);

HttpResponse status_leader(Store& store, const Call& call);
HttpResponse status_peers(Store& store, const Call& call);

}  // namespace convergence::memory

#endif  // CONVERGENCE_LIB_MEMORY_ENDPOINT_H_
