#ifndef CONVERGENCE_NODE_FACTS_H_
#define CONVERGENCE_NODE_FACTS_H_

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"
#include "convergence/executor.h"
#include "convergence/node.h"
#include "convergence/time.h"
#include "convergence/transport.h"

namespace convergence {

// What a node is and has. Linux only, but for readiness() and what reads texts. [any thread]

// ---- what it has -------------------------------------------------------------------------------------------------

// Bytes that may be written to the file system of `path` without root's reserve. Of a path that is not there yet, that
// of the nearest folder above it that is.
absl::StatusOr<std::uint64_t> free_disk(const std::string& path);
// Bytes that processes can have without swapping (MemAvailable). A limit of a container is not looked at.
absl::StatusOr<std::uint64_t> available_memory();

// Who listens on a TCP port. A process that may not be looked into, or that is gone, has pid 0 and no program.
struct PortHolder {
  std::string address{};  // "0.0.0.0:80", "[::1]:80"
  std::int32_t pid = 0;   // one of those that have the socket
  std::string program{};  // its path, or its name where the path may not be read
  friend bool operator==(const PortHolder&, const PortHolder&) = default;
};
// Empty when the port is free. IPv4 and IPv6.
absl::StatusOr<std::vector<PortHolder>> port_holders(std::uint16_t port);
// "pid 12 (/usr/bin/x) on 0.0.0.0:80", for people; empty for none.
std::string describe(const std::vector<PortHolder>& holders);

// ---- who it is ---------------------------------------------------------------------------------------------------

struct Identity {
  std::string environment{};
  std::string environment_type{};
  std::string role{};
  std::string cluster{};
  std::string instance{};                     // names the node in reports: EC2's instance id, or what was given
  std::map<std::string, std::string> tags{};  // of the EC2 instance, all of them
  friend bool operator==(const Identity&, const Identity&) = default;
};

// Where each part comes from; the first that has it wins, and one that is empty has it not.
//
//              variable, in the environment and in the file   tag of the EC2 instance
// environment  CONVERGENCE_ENVIRONMENT                        Environment
// type         CONVERGENCE_ENVIRONMENT_TYPE                   EnvironmentType
// role         CONVERGENCE_ROLE                               Role
// cluster      CONVERGENCE_CLUSTER                            OwningCluster
// instance     CONVERGENCE_INSTANCE                           (the instance id)
struct IdentitySources {
  Identity flags{};                                  // 1
  std::map<std::string, std::string> environment{};  // 2; the host's own, if it likes
  std::string file{};                                // 3: path, lines as systemd's EnvironmentFile; empty: none
  Transport* ec2 = nullptr;                          // 4: to http://169.254.169.254; null: none
  // Parts that have to be there in the end, by their names above. EC2 is asked only for want of one, or of any if
  // `all_tags`.
  std::vector<std::string> required = {"environment", "role", "instance"};
  bool all_tags = false;
};

// A part that is required and has no source is refused by its name (not-found); nothing is made up for it. `executor`
// is the transport's; not from inside one of its tasks (usage). Each request to EC2 has `timeout`.
absl::StatusOr<Identity> find_identity(const IdentitySources& sources, Executor& executor,
                                       Duration timeout = std::chrono::seconds(2));

// Instance id and tags by IMDSv2: a token first, always. Tags are there only where the instance's metadata options say
// so; otherwise there are none. Kinds: unreachable or timeout where this is no EC2 instance, denied, protocol.
absl::StatusOr<Identity> ec2_identity(Transport& transport, Executor& executor,
                                      Duration timeout = std::chrono::seconds(2));

// "NAME=value" lines: # and ; begin comments, values may be in quotes, later ones win. decode, with member offset (of
// the line), for another line.
absl::StatusOr<std::map<std::string, std::string>> read_environment_file(std::string_view text);

// ---- whether it may begin ----------------------------------------------------------------------------------------

enum class Readiness {
  kWaiting,
  kReady,
  kLate,  // the deadline has passed; going on or not is for the host to say
};
std::string_view to_string(Readiness readiness);
// By the content of the semaphore file that the instance's own set-up writes: "ok" in any letter case, with or without
// white space around it. Nothing: the file is not there. Pure.
Readiness readiness(const std::optional<std::string>& content, Time now, Time deadline);
// What readiness() takes; of a file that is not there, nothing.
absl::StatusOr<std::optional<std::string>> read_semaphore(const std::string& path);

}  // namespace convergence

#endif  // CONVERGENCE_NODE_FACTS_H_
