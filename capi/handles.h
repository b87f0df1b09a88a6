#ifndef CONVERGENCE_CAPI_HANDLES_H_
#define CONVERGENCE_CAPI_HANDLES_H_

#include <cstdint>
#include <deque>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "convergence/c.h"
#include "convergence/consul_client.h"
#include "convergence/executor.h"
#include "convergence/json.h"
#include "convergence/memory_consul.h"
#include "convergence/testing/simulated_executor.h"
#include "convergence/transport.h"
#include "convergence/transport_decorators.h"

namespace convergence::capi {

// What cvg_loop_next hands out.
struct Completion {
  std::uint64_t id = 0;
  absl::StatusOr<Json> result;
};

// Shared by the loop's handle and by callbacks that may outlive it.
struct CompletionQueue {
  std::deque<Completion> waiting;
  std::uint64_t next_id = 1;
  void push(std::uint64_t id, absl::StatusOr<Json> result) { waiting.push_back({id, std::move(result)}); }
};

}  // namespace convergence::capi

// Exactly one of `real` and `simulated` is set; `executor` is that one.
struct cvg_loop {
  std::unique_ptr<convergence::LoopExecutor> real;
  std::unique_ptr<convergence::SimulatedExecutor> simulated;
  convergence::Executor* executor = nullptr;
  std::shared_ptr<convergence::capi::CompletionQueue> queue = std::make_shared<convergence::capi::CompletionQueue>();
};

struct cvg_connection {
  std::unique_ptr<convergence::Transport> owned;
  convergence::Transport* transport = nullptr;                   // `owned`, or somebody else's
  std::shared_ptr<std::vector<convergence::Exchange>> recorded;  // of recording connections
};

struct cvg_memory_consul {
  std::unique_ptr<convergence::MemoryConsul> consul;
  std::unique_ptr<convergence::HttpFace> face;
};

struct cvg_client {
  cvg_loop* loop = nullptr;
  std::unique_ptr<convergence::ConsulClient> client;
};

#endif  // CONVERGENCE_CAPI_HANDLES_H_
