#ifndef CONVERGENCE_LIB_MEMORY_ROUTER_H_
#define CONVERGENCE_LIB_MEMORY_ROUTER_H_

#include <optional>

#include "lib/memory/endpoint.h"

namespace convergence::memory {

// Where a call goes: to `endpoint`, or it is answered already.
struct Routed {
  const Endpoint* endpoint = nullptr;
  std::optional<HttpResponse> answer;
};

// Sets what the endpoint needs of the call: the rest of its path, its consistency and what it waits for.
Routed route_call(const State& state, Call& call);

}  // namespace convergence::memory

#endif  // CONVERGENCE_LIB_MEMORY_ROUTER_H_
