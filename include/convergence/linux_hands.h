#ifndef CONVERGENCE_LINUX_HANDS_H_
#define CONVERGENCE_LINUX_HANDS_H_

#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "convergence/agent_driver.h"
#include "convergence/executor.h"
#include "convergence/node_files.h"
#include "convergence/node_process.h"
#include "convergence/node_state.h"

namespace convergence {

// The hands of an agent on Linux: packages fetched, unpacked, checked, put in place and taken back, and their programs
// run. In the library convergence::node.

struct LinuxHandsOptions {
  // The agent's own, absolute: agent.json (its memory) and agent.room (the place of the next one on a full disk),
  // cache/, deployments/<service id>/<deployment>/{archive, logs}, sensu/<service id>.json.
  std::string folder{};
  std::vector<std::string> allowed_roots = {"/opt", "/srv"};  // below which packages may put files
  std::uint64_t min_free_disk = 2'000'000'000;                // bytes that stay free whatever a release asks for
  UnpackLimits unpack{};
  HttpOptions http{};
  LogOptions log{};
  // Whose texts, line by line, are kept out of logs and reports, beside those in `log`; read again for each stage, so
  // that they may be rotated. They have to be there at the start.
  std::vector<std::string> secret_files{};
  // Variables of a release's environment whose values are kept out likewise.
  std::vector<std::string> secret_variables{};
  // A folder that is there, or s3://bucket or s3://bucket/prefix: below it lies the log of each deployment that has
  // ended, at <environment or role>/<service id>/deployment-<instance>-<deployment>.log. Empty: nowhere.
  std::string ship_logs{};
  ProcessLimits limits{};  // of hooks
  Duration grace = std::chrono::seconds(10);
  std::string spawn_helper{};                                                         // ProcessSpec::helper
  std::string path = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";  // PATH of hooks
  // Where the files go that tell Sensu of a service's checks; it has to be there. Empty: what packages say of Sensu is
  // not looked at.
  std::string sensu_folder{};
  std::vector<std::string> sensu_plugin_folders = {"/etc/sensu/plugins", "/opt/sensu_server_scripts"};
  std::string owning_cluster{};               // in Sensu files
  std::map<std::string, std::string> tags{};  // likewise
};

// Takes the folder, which it makes: kind "conflict" while another process has it.
absl::StatusOr<std::unique_ptr<NodeHands>> new_linux_hands(Executor& executor, LinuxHandsOptions options);
// What the last process remembered there; empty for none, "decode" for what cannot be read: nothing is guessed.
absl::StatusOr<AgentMemory> read_agent_memory(const std::string& folder);

}  // namespace convergence

#endif  // CONVERGENCE_LINUX_HANDS_H_
