#ifndef CONVERGENCE_NODE_PROCESS_H_
#define CONVERGENCE_NODE_PROCESS_H_

#include <cstddef>
#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"
#include "convergence/node.h"
#include "convergence/time.h"

namespace convergence {

// Runs one program and is sure of its end. Linux only.
//
// The program is started by a helper, `convergence-spawn`, since a host that has threads must not fork. The helper
// stays while the program runs, as the parent of whatever that leaves behind, so that every descendant can be ended:
// children in the background, those with a session of their own, and a fork bomb. When the host dies, the helper ends
// them too; so the next process of an agent finds no hook of the last one still at work.
//
// Out of its reach: a process that has another user's rights (by sudo, say) while the helper runs without root's, and
// whatever a service manager starts on the program's behalf, which descends from that one. No cgroup is used.

// What is not given stays as the host has it. Limits hold for the program and each of its children.
struct ProcessLimits {
  // Processes of its user at once, others of that user counted. The kernel does not hold root to it.
  std::optional<std::uint64_t> processes{};
  std::optional<std::uint64_t> open_files{};
  std::optional<std::uint64_t> memory{};     // bytes of address space of one process
  std::optional<std::uint64_t> file_size{};  // bytes of one file that it writes
  std::optional<std::uint64_t> core_size = 0;
  std::optional<std::uint64_t> cpu_seconds{};  // of one process
  friend bool operator==(const ProcessLimits&, const ProcessLimits&) = default;
};

struct ProcessSpec {
  std::string program{};                             // absolute path; nothing is searched for
  std::vector<std::string> arguments{};              // after the program's name
  std::map<std::string, std::string> environment{};  // this and nothing else
  std::string directory = "/";
  std::string user{};  // by name, with its groups; empty: the host's. Another than the host's takes root
  std::uint32_t umask = 022;
  ProcessLimits limits{};
  Duration timeout = std::chrono::minutes(20);  // of all of it, start included
  Duration grace = std::chrono::seconds(10);    // between TERM and KILL
  // True: processes that are left when it has ended with status 0 go on, as a service's daemon should. Until the last
  // of them has closed its output, a small process of the helper's reads and drops that. False, or another status: they
  // are ended.
  bool keep_children = false;
  std::uint64_t output_limit = std::uint64_t{16} << 20;  // bytes given to the sink; the rest is read and dropped
  std::size_t tail_limit = std::size_t{64} << 10;        // bytes
  // Path of convergence-spawn. Empty: beside the calling program, or in ../libexec/convergence from there.
  std::string helper{};
  friend bool operator==(const ProcessSpec&, const ProcessSpec&) = default;
};

enum class ProcessEnd {
  kExited,
  kSignalled,  // by itself or by somebody else
  kTimedOut,
  kStopped,  // by the StopSignal
};
std::string_view to_string(ProcessEnd end);

struct ProcessResult {
  ProcessEnd end = ProcessEnd::kExited;
  int exit_status = 0;  // of kExited
  int signal = 0;       // of kSignalled
  std::string tail{};   // the last bytes of its output, those over the limit too
  std::uint64_t output_bytes = 0;
  std::uint64_t dropped_bytes = 0;   // over output_limit
  std::uint32_t ended_children = 0;  // processes left behind that had to be ended
  std::uint32_t kept_children = 0;   // and that go on
  bool survivors = false;  // something may go on that was to end: in a system call without end, or without a helper
  bool succeeded() const { return end == ProcessEnd::kExited && exit_status == 0; }
  friend bool operator==(const ProcessResult&, const ProcessResult&) = default;
};
// One line: "exit status 3", "ended by signal 9 (Killed)", "ended by its time-out", ...
std::string describe(const ProcessResult& result);

// Standard output and error in the order in which they were written, as they come, in pieces of any length. Called on
// the thread of run_process(); the program waits when it takes long.
using OutputSink = std::function<void(std::string_view bytes)>;

// Runs until the program has ended and nothing of it is left, the time is over or `stop` is set; what it printed until
// then is kept. It never waits for a process that merely holds the output open. An error means that the program did
// not run: kinds not-found (program, interpreter, directory or user), denied (not executable, not root), refused (what
// else the system said), cancelled (stopped before), usage (a spec that means nothing), invariant (the helper). Several
// may run at once. [any thread]
absl::StatusOr<ProcessResult> run_process(const ProcessSpec& spec, const OutputSink& sink, const StopSignal& stop);

}  // namespace convergence

#endif  // CONVERGENCE_NODE_PROCESS_H_
