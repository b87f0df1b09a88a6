#ifndef CONVERGENCE_EXAMPLES_CONVERGE_COMMAND_H_
#define CONVERGENCE_EXAMPLES_CONVERGE_COMMAND_H_

#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"
#include "convergence/consul_client.h"
#include "convergence/json.h"
#include "options.h"

namespace cli {

// Exit statuses; interfaces are built on them.
inline constexpr int kDone = 0;
inline constexpr int kFailed = 1;
inline constexpr int kBadInput = 2;
inline constexpr int kChanges = 3;

// Standard output and error of one command. With --json standard output carries exactly one document, progress goes
// nowhere; without, sentences go to standard output and progress to a terminal only.
class Output {
 public:
  Output(bool json, bool terminal) : json_(json), terminal_(terminal) {}

  bool json() const { return json_; }
  // A line for people; nothing with --json.
  void say(std::string_view line);
  // A line that the next one replaces, on a terminal; plain lines elsewhere.
  void progress(std::string_view line);
  void document(const convergence::Json& json);
  // Tells the error in the form asked for and gives the exit status: what the user wrote is 2, what failed is 1.
  int fail(const absl::Status& status, int code);
  int fail(const absl::Status& status);

 private:
  void clear_progress();
  bool json_;
  bool terminal_;
  bool open_ = false;
};

// A connected client on a loop that the command polls.
struct Session {
  std::unique_ptr<convergence::LoopExecutor> executor;
  std::unique_ptr<convergence::Transport> transport;
  std::unique_ptr<convergence::ConsulClient> client;
  convergence::ReadOptions read;
  std::string prefix;
};
absl::StatusOr<Session> connect(const Arguments& arguments);

// Below which our documents stand: -prefix, else the default.
std::string prefix_of(const Arguments& arguments);

// Who commands: -actor, else the user.
std::string actor_of(const Arguments& arguments);

struct Command {
  std::string_view name;
  std::string_view synopsis;  // after the name
  std::string_view help;
  std::vector<Flag> flags;  // beside the common ones
  int (*run)(const Arguments& arguments, Output& output);
};

int run_plan(const Arguments& arguments, Output& output);
int run_apply(const Arguments& arguments, Output& output);
int run_watch(const Arguments& arguments, Output& output);
int run_chain(const Arguments& arguments, Output& output);
int run_route(const Arguments& arguments, Output& output);
int run_lint(const Arguments& arguments, Output& output);
int run_pull(const Arguments& arguments, Output& output);
int run_split(const Arguments& arguments, Output& output);
int run_undo(const Arguments& arguments, Output& output);
int run_rollout(const Arguments& arguments, Output& output);
int run_replay(const Arguments& arguments, Output& output);
int run_import(const Arguments& arguments, Output& output);
int run_simulate(const Arguments& arguments, Output& output);
int run_agent(const Arguments& arguments, Output& output);
int run_deploy(const Arguments& arguments, Output& output);
int run_status(const Arguments& arguments, Output& output);
int run_diff(const Arguments& arguments, Output& output);
int run_cancel(const Arguments& arguments, Output& output);
int run_toggle(const Arguments& arguments, Output& output);
int run_switch(const Arguments& arguments, Output& output);
int run_upstreams(const Arguments& arguments, Output& output);
int run_undeploy(const Arguments& arguments, Output& output);
int run_logs(const Arguments& arguments, Output& output);
int run_history(const Arguments& arguments, Output& output);
int run_collect(const Arguments& arguments, Output& output);
int run_lock(const Arguments& arguments, Output& output);
int run_maintenance(const Arguments& arguments, Output& output);
int run_policy(const Arguments& arguments, Output& output);
int run_dev(const Arguments& arguments, Output& output);

// Set by SIGINT and SIGTERM; commands that go on for ever look at it.
bool stop_requested();
void catch_stop_signals();

}  // namespace cli

#endif  // CONVERGENCE_EXAMPLES_CONVERGE_COMMAND_H_
