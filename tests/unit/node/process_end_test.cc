#include <doctest/doctest.h>
#include <fcntl.h>
#include <spawn.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include <array>
#include <latch>
#include <thread>

#include "lib/node/descriptor.h"
#include "lib/node/process.h"
#include "tests/unit/node/process_support.h"

// How programs end, and what they leave behind (W-A8).

namespace convergence {
namespace {

using test::is_gone;
using test::lines_of;
using test::processes_of;
using test::Ran;
using test::run_all;
using test::run_until;
using test::shell;

// A time-out at the moment that the output has `until` in it, however long that takes here.
Ran run_with_time_over(const ProcessSpec& spec, const std::string& until) {
  const StopSignal stop;
  Ran ran{ProcessResult{}, {}};
  ran.result = run_process_by(
      spec, [&](std::string_view bytes) { ran.output += bytes; }, stop,
      [&] { return ran.output.find(until) == std::string::npos ? Duration(0) : spec.timeout; });
  return ran;
}

struct Fifo {
  explicit Fifo(const std::string& at) : path(at) { REQUIRE(mkfifo(path.c_str(), 0666) == 0); }
  // Blocks until somebody else has opened the other end, and then until they all have closed it.
  std::string read_all() const { return test::read_text(path); }
  std::string path;
};

TEST_CASE("what was printed before the time-out is kept") {
  const ProcessSpec spec = shell("echo Started; sleep 1000; echo never");
  const Ran ran = run_with_time_over(spec, "Started\n");
  REQUIRE_OK(ran.result);
  CHECK(ran.result->end == ProcessEnd::kTimedOut);
  CHECK(describe(*ran.result) == "ended by its time-out");
  CHECK(ran.result->tail == "Started\n");
  CHECK(processes_of(spec) == 0);
}

TEST_CASE("a short time-out by the clock ends a program too") {
  ProcessSpec spec = shell("sleep 1000");
  spec.timeout = std::chrono::milliseconds(1);
  const Ran ran = run_all(spec);
  REQUIRE_OK(ran.result);
  CHECK(ran.result->end == ProcessEnd::kTimedOut);
  CHECK(processes_of(spec) == 0);
}

TEST_CASE("a program has its grace to end by itself, and what it says then is kept") {
  const Ran ran = run_with_time_over(shell("trap 'echo bye; exit 0' TERM; echo ready; while :; do :; done"), "ready\n");
  REQUIRE_OK(ran.result);
  CHECK(ran.result->end == ProcessEnd::kTimedOut);
  CHECK(ran.output == "ready\nbye\n");
}

TEST_CASE("a program that ignores TERM is killed after its grace") {
  ProcessSpec spec = shell("trap '' TERM; echo ready; while :; do sleep 1000; done");
  spec.grace = std::chrono::milliseconds(20);
  const Ran ran = run_with_time_over(spec, "ready\n");
  REQUIRE_OK(ran.result);
  CHECK(ran.result->end == ProcessEnd::kTimedOut);
  CHECK_FALSE(ran.result->survivors);
  CHECK(processes_of(spec) == 0);
}

TEST_CASE("a program that is held by a STOP gets its TERM") {
  const ProcessSpec spec = shell("sh -c 'echo $PPID; kill -STOP $PPID'; sleep 1000");
  const Ran ran = run_with_time_over(spec, "\n");
  REQUIRE_OK(ran.result);
  CHECK(processes_of(spec) == 0);
}

TEST_CASE("another thread stops a program") {
  const ProcessSpec spec = shell("echo ready; sleep 1000");
  StopSignal stop;
  std::latch ready(1);
  std::thread other([&] {
    ready.wait();
    stop.set();
  });
  std::string output;
  bool told = false;
  const auto result = run_process(
      spec,
      [&](std::string_view bytes) {
        output += bytes;
        if (!std::exchange(told, true)) ready.count_down();
      },
      stop);
  other.join();
  REQUIRE_OK(result);
  CHECK(result->end == ProcessEnd::kStopped);
  CHECK(output == "ready\n");
  CHECK(processes_of(spec) == 0);
}

// The fault: the Environment Manager's agent waited for the pipe (environment-manager.md 2.6).
TEST_CASE("a child in the background that holds the output keeps nobody waiting, and is ended") {
  const ProcessSpec spec = shell("sleep 1000 & echo $!");
  const Ran ran = run_all(spec);
  REQUIRE_OK(ran.result);
  CHECK(ran.result->succeeded());
  CHECK(ran.result->ended_children == 1);
  CHECK(describe(*ran.result) == "exit status 0; 1 left behind were ended");
  CHECK(is_gone(std::stoi(ran.output)));
}

TEST_CASE("a grandchild with a session of its own is ended with the rest") {
  test::TemporaryDirectory folder;
  ProcessSpec spec = shell(
      "mkfifo p; setsid sh -c 'trap \"\" TERM; (echo $$ > p; sleep 1000; sleep 1000) &' & read pid < p; echo $pid; "
      "sleep 1000");
  spec.directory = folder.path();
  spec.grace = std::chrono::milliseconds(20);
  const Ran ran = run_until(spec, "\n");
  REQUIRE_OK(ran.result);
  CHECK(ran.result->end == ProcessEnd::kStopped);
  CHECK(processes_of(spec) == 0);
}

TEST_CASE("a daemon that was asked for goes on, and may still print") {
  test::TemporaryDirectory folder;
  const Fifo go(folder.path("go"));
  const Fifo said(folder.path("said"));
  ProcessSpec spec = shell("setsid sh -c 'read line < go; echo more; echo and more; echo $line > said' & echo $!");
  spec.directory = folder.path();
  spec.keep_children = true;
  const Ran ran = run_all(spec);
  REQUIRE_OK(ran.result);
  CHECK(ran.result->succeeded());
  CHECK(ran.result->kept_children == 1);
  CHECK(lines_of(ran.output).size() == 1);
  std::ofstream(go.path) << "still here\n";
  // Had nobody read its output, it would have died of it.
  CHECK(said.read_all() == "still here\n");
}

TEST_CASE("a program that fails leaves nothing, whatever was asked for") {
  ProcessSpec spec = shell("sleep 1000 & exit 1");
  spec.keep_children = true;
  const Ran ran = run_all(spec);
  REQUIRE_OK(ran.result);
  CHECK(ran.result->exit_status == 1);
  CHECK(ran.result->ended_children == 1);
  CHECK(processes_of(spec) == 0);
}

TEST_CASE("a program that leaves nothing behind keeps nothing") {
  ProcessSpec spec = shell("true");
  spec.keep_children = true;
  const Ran ran = run_all(spec);
  REQUIRE_OK(ran.result);
  CHECK(ran.result->kept_children == 0);
  CHECK(ran.result->succeeded());
}

TEST_CASE("two hundred children, each in a session of its own, are all ended") {
  const ProcessSpec spec =
      shell("i=0; while [ $i -lt 200 ]; do setsid sleep 1000 & i=$((i+1)); done; echo ready; wait");
  const Ran ran = run_until(spec, "ready\n");
  REQUIRE_OK(ran.result);
  CHECK_FALSE(ran.result->survivors);
  CHECK(processes_of(spec) == 0);
}

TEST_CASE("a fork bomb within its limit of processes is ended to the last one") {
  if (geteuid() != 0) {
    MESSAGE("left out: needs a user of its own, so root");
    return;
  }
  ProcessSpec spec = shell("bomb() { bomb | bomb & }; bomb; while :; do sleep 1000; done");
  spec.user = "nobody";
  spec.limits.processes = 200;
  spec.grace = std::chrono::milliseconds(1);
  const Ran ran = run_until(spec, "fork");  // "Cannot fork": it has reached its limit
  REQUIRE_OK(ran.result);
  CHECK_FALSE(ran.result->survivors);
  CHECK(processes_of(spec) == 0);
}

TEST_CASE("a program that kills its helper is ended all the same") {
  if (geteuid() != 0) {
    MESSAGE("left out: would end what else the user has");
    return;
  }
  const ProcessSpec spec = shell("kill -KILL $PPID; sleep 1000");
  const Ran ran = run_all(spec);
  REQUIRE_OK(ran.result);
  CHECK(ran.result->end == ProcessEnd::kSignalled);
  CHECK(ran.result->survivors);
}

// Run by the next one, as a host to be killed.
TEST_CASE("host: runs a hook until it is killed" * doctest::skip()) {
  const char* folder = getenv("CVG_HOST_FOLDER");
  if (folder == nullptr) return;
  ProcessSpec spec = shell(
      "trap '' TERM; exec 3> held; setsid sh -c 'trap \"\" TERM; echo ready >&3; sleep 1000' & "
      "sleep 1000; sleep 1000");
  spec.directory = folder;
  const StopSignal stop;
  run_process(spec, nullptr, stop).status().IgnoreError();
}

// W-A7: the next process of the agent may begin the same hook anew.
TEST_CASE("when the host is killed, so are the hooks that it ran") {
  test::TemporaryDirectory folder;
  const Fifo held(folder.path("held"));
  std::string self = std::filesystem::read_symlink("/proc/self/exe");
  std::string filter = "--test-case=host: runs a hook*";
  std::string no_skip = "--no-skip";
  std::string variable = "CVG_HOST_FOLDER=" + folder.path();
  std::array<char*, 4> arguments{self.data(), filter.data(), no_skip.data(), nullptr};
  std::array<char*, 2> environment{variable.data(), nullptr};
  pid_t host = -1;
  REQUIRE(posix_spawn(&host, self.c_str(), nullptr, nullptr, arguments.data(), environment.data()) == 0);
  const Descriptor reader(open(held.path.c_str(), O_RDONLY));
  std::array<char, 16> text{};
  REQUIRE(read(reader.get(), text.data(), text.size()) == 6);
  kill(host, SIGKILL);
  waitpid(host, nullptr, 0);
  // The end of the file: the last process that had it open is no more.
  CHECK(read(reader.get(), text.data(), text.size()) == 0);
}

// Run by the next one, without root's rights.
TEST_CASE("host: asks for another user" * doctest::skip()) {
  if (geteuid() == 0) return;
  ProcessSpec spec = shell("true");
  spec.user = "root";
  CHECK_ERROR(run_all(spec).result, ErrorKind::kDenied, "user root: only root may run a program as another user");
  spec.user = "nobody";  // its own
  CHECK_OK(run_all(spec).result);
}

TEST_CASE("another user is refused to a host that is not root") {
  ProcessSpec spec = shell("");
  spec.program = std::filesystem::read_symlink("/proc/self/exe");
  spec.arguments = {"--test-case=host: asks for another user", "--no-skip"};
  spec.user = "nobody";
  if (geteuid() != 0) {
    MESSAGE("left out: only root may change the user");
    return;
  }
  const Ran ran = run_all(spec);
  if (error_kind(ran.result.status()) == ErrorKind::kDenied) {
    MESSAGE("left out: nobody else may read the build's folder");
    return;
  }
  REQUIRE_OK(ran.result);
  INFO(ran.output);
  CHECK(ran.result->succeeded());
  CHECK(ran.output.find("1 passed") != std::string::npos);
}

}  // namespace
}  // namespace convergence
