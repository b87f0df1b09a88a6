// What hosts test themselves with: a key is written to the embedded Consul and read back.
#include <cstdio>
#include <utility>

#include "convergence/executor.h"
#include "convergence/memory_consul.h"

int main() {
  const auto loop = convergence::new_loop_executor();
  convergence::MemoryConsul consul(*loop);
  int waiting = 2;
  const auto print = [&waiting](absl::StatusOr<convergence::HttpResponse> response) {
    std::puts(response.ok() ? response->body.c_str() : response.status().ToString().c_str());
    --waiting;
  };
  consul.send({.method = "PUT", .target = "/v1/kv/colour", .body = "blue"}, print);
  consul.send({.target = "/v1/kv/colour?raw"}, print);
  while (waiting > 0) {
    loop->poll(std::chrono::seconds(1));
  }
  return 0;
}
