#ifndef CONVERGENCE_LIB_MEMORY_AGENT_DEFINITION_H_
#define CONVERGENCE_LIB_MEMORY_AGENT_DEFINITION_H_

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "convergence/memory_consul.h"

namespace convergence::memory {

// What callers tell the agent, with its refusals.

struct AgentServiceDefinition {
  MemoryService service;
  std::vector<MemoryAgentCheck> checks;
};

bool is_check_status(std::string_view text);

// The answer that refuses the body; empty when `out` holds it.
std::optional<HttpResponse> read_agent_service(std::string_view body, const std::string& node,
                                               AgentServiceDefinition& out);
std::optional<HttpResponse> read_agent_check(std::string_view body, const std::string& node, MemoryAgentCheck& out);

}  // namespace convergence::memory

#endif  // CONVERGENCE_LIB_MEMORY_AGENT_DEFINITION_H_
