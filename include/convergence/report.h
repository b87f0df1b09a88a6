#ifndef CONVERGENCE_REPORT_H_
#define CONVERGENCE_REPORT_H_

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "convergence/json.h"
#include "convergence/time.h"

namespace convergence {

// What a node tells of its deployment: the document at deployments/<deployment>/nodes/<instance>, in the shape in which
// Environment Manager's agent writes it (environment-manager.md 1.6), so that its pages show it. What those know
// nothing of stands in members of our own behind theirs, each left out when it says nothing.

enum class NodeStatus { kInProgress, kSuccess, kFailed };
std::string_view to_string(NodeStatus status);  // as the document has it: "In Progress", ...

// How a deployment stands on all of its nodes: the raw text at deployments/<deployment>/overall_status.
enum class OverallStatus { kInProgress, kSuccess, kFailed, kCancelled };
std::string_view to_string(OverallStatus status);  // as the text has it

struct NodeReport {
  std::string cause = "Deployment";
  Time start{};               // whole microseconds
  std::optional<Time> end{};  // none while it runs
  NodeStatus status = NodeStatus::kInProgress;
  std::string last_completed_stage{};  // "Complete" at a good end
  std::int32_t attempts = 0;
  std::string log{};  // where it lies: never an address that lets its reader in (W-A28)

  // ---- ours
  std::string service{};  // its id
  std::string node{};     // its name in Consul, where the report stands under another one
  std::string version{};
  std::string stage{};                  // the one under way
  std::int32_t percent = 0;             // of the stage
  std::string reason{};                 // of a failure, or what is waited for
  std::vector<std::string> log_tail{};  // the last lines
  std::string log_problem{};            // why the log does not lie where it should, yet
  std::string last_good_deployment{};   // what runs, or ran again, when this one failed
  std::optional<Time> updated{};        // when this was written; whole microseconds
  Json::Object unknown{};
  friend bool operator==(const NodeReport&, const NodeReport&) = default;
};

// What is shown of a node: "Not Started" while there is no report (1.6), else the report's status.
std::string_view node_status(const NodeReport* report);
// The latest time that it tells.
Time last_sign(const NodeReport& report);

}  // namespace convergence

#endif  // CONVERGENCE_REPORT_H_
