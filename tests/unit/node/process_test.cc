#include "lib/node/process.h"

#include <doctest/doctest.h>
#include <fcntl.h>
#include <pwd.h>

#include <fstream>
#include <thread>

#include "convergence/node_process.h"
#include "tests/unit/node/process_support.h"

// What a program is given, what it says, and what keeps it from running.

namespace convergence {
namespace {

using test::lines_of;
using test::Ran;
using test::run_all;
using test::run_until;
using test::shell;

TEST_CASE("a program's status, output and tail come back") {
  const Ran ran = run_all(shell("echo one; echo two >&2; exit 3"));
  REQUIRE_OK(ran.result);
  CHECK(ran.output == "one\ntwo\n");
  CHECK(ran.result->tail == ran.output);
  CHECK(ran.result->output_bytes == 8);
  CHECK(ran.result->end == ProcessEnd::kExited);
  CHECK(ran.result->exit_status == 3);
  CHECK_FALSE(ran.result->succeeded());
  CHECK(describe(*ran.result) == "exit status 3");
}

TEST_CASE("a program that a signal ends says which") {
  const Ran ran = run_all(shell("echo before; kill -SEGV $$"));
  REQUIRE_OK(ran.result);
  CHECK(ran.result->end == ProcessEnd::kSignalled);
  CHECK(ran.result->signal == SIGSEGV);
  CHECK(ran.output == "before\n");
  CHECK(describe(*ran.result) == "ended by signal 11 (SEGV)");
}

// Hook scripts print on both streams, and the order matters (environment-manager.md 6.5).
TEST_CASE("a thousand lines of 300 bytes on both streams keep their order") {
  const Ran ran = run_all(
      shell("pad=$(printf '%0290d' 0); i=0; while [ $i -lt 500 ]; do echo \"out $i $pad\"; echo \"err $i $pad\" >&2; "
            "i=$((i+1)); done"));
  REQUIRE_OK(ran.result);
  CHECK(ran.result->succeeded());
  const std::vector<std::string> lines = lines_of(ran.output);
  REQUIRE(lines.size() == 1000);
  const std::string pad = " " + std::string(290, '0');
  for (std::size_t i = 0; i < 500; ++i) {
    REQUIRE(lines[2 * i] == "out " + std::to_string(i) + pad);
    REQUIRE(lines[2 * i + 1] == "err " + std::to_string(i) + pad);
  }
}

TEST_CASE("output over the limit is read and left out, with one note; the tail is the last of all") {
  ProcessSpec spec = shell("head -c 5000000 /dev/zero | tr '\\0' x; echo; echo the last line");
  spec.output_limit = 1000;
  spec.tail_limit = 20;
  const Ran ran = run_all(spec);
  REQUIRE_OK(ran.result);
  CHECK(ran.result->succeeded());
  CHECK(ran.output == std::string(1000, 'x') + "\n[more than 1000 bytes of output; the rest is left out]\n");
  CHECK(ran.result->output_bytes == 5000015);
  CHECK(ran.result->dropped_bytes == 5000015 - 1000);
  CHECK(ran.result->tail == "xxxxx\nthe last line\n");
}

TEST_CASE("a flood of output without end is stopped like anything else") {
  ProcessSpec spec = shell("yes; true");
  spec.output_limit = 100000;
  const Ran ran = run_until(spec, "left out");
  REQUIRE_OK(ran.result);
  CHECK(ran.result->end == ProcessEnd::kStopped);
  CHECK(test::processes_of(spec) == 0);
}

TEST_CASE("without a sink the output is kept in the tail alone") {
  const StopSignal stop;
  const auto result = run_process(shell("echo quiet"), nullptr, stop);
  REQUIRE_OK(result);
  CHECK(result->tail == "quiet\n");
}

// W-A13: nothing of the agent's own environment gets to a hook.
TEST_CASE("the environment is the one given and nothing else") {
  setenv("CVG_SECRET_OF_THE_HOST", "x", 1);
  ProcessSpec spec = shell("");
  spec.program = "/usr/bin/env";
  spec.arguments = {};
  spec.environment = {{"A", "1"}, {"EMPTY", ""}, {"LINES", "a\nb=c"}};
  const Ran ran = run_all(spec);
  unsetenv("CVG_SECRET_OF_THE_HOST");
  REQUIRE_OK(ran.result);
  CHECK(ran.output == "A=1\nEMPTY=\nLINES=a\nb=c\n");
}

TEST_CASE("a program has /dev/null to read, its output, and no descriptor of the host") {
  const int leaked = open("/dev/null", O_RDONLY);  // as a careless host opens its files
  REQUIRE(leaked >= 0);
  const Ran ran = run_all(shell("readlink /proc/$$/fd/0; ls /proc/$$/fd; cat; echo end"));
  close(leaked);
  REQUIRE_OK(ran.result);
  CHECK(ran.output == "/dev/null\n0\n1\n2\nend\n");
}

TEST_CASE("a program has folder, umask, session and group of its own, and plain signals") {
  test::TemporaryDirectory folder;
  ProcessSpec spec =
      shell("pwd; umask; cut -d' ' -f5,6 /proc/$$/stat; echo $$ $$; exec grep -E 'Sig(Blk|Ign)' /proc/self/status");
  spec.directory = folder.path();
  spec.umask = 027;
  signal(SIGPIPE, SIG_IGN);
  const Ran ran = run_all(spec);
  signal(SIGPIPE, SIG_DFL);
  REQUIRE_OK(ran.result);
  const std::vector<std::string> lines = lines_of(ran.output);
  REQUIRE(lines.size() == 6);
  CHECK(lines[0] == folder.path());
  CHECK(lines[1] == "0027");
  CHECK(lines[2] == lines[3]);
  CHECK(lines[4] == "SigBlk:\t0000000000000000");
  // The two above 31 are the C library's own, which it gives nobody a way to set.
  CHECK((std::stoull(lines[5].substr(lines[5].find('\t') + 1), nullptr, 16) & 0x7fffffff) == 0);
}

TEST_CASE("limits are in force") {
  ProcessSpec spec = shell("");
  spec.program = "/bin/cat";
  spec.arguments = {"/proc/self/limits"};
  spec.limits = {.processes = 1000,
                 .open_files = 64,
                 .memory = std::uint64_t{1} << 30,
                 .file_size = 4096,
                 .core_size = 0,
                 .cpu_seconds = 7};
  const Ran ran = run_all(spec);
  REQUIRE_OK(ran.result);
  struct Row {
    std::string name;
    std::string value;
  };
  const std::vector<Row> rows = {{"Max processes", "1000"},           {"Max open files", "64"},
                                 {"Max address space", "1073741824"}, {"Max file size", "4096"},
                                 {"Max core file size", "0"},         {"Max cpu time", "7"}};
  for (const Row& limit : rows) {
    CAPTURE(limit.name);
    const std::size_t at = ran.output.find(limit.name);
    REQUIRE(at != std::string::npos);
    std::istringstream row(
        ran.output.substr(at + limit.name.size(), ran.output.find('\n', at) - at - limit.name.size()));
    std::string soft;
    std::string hard;
    row >> soft >> hard;
    CHECK(soft == limit.value);
    CHECK(hard == limit.value);
  }
}

TEST_CASE("a program that writes over its limit fails, the host goes on") {
  test::TemporaryDirectory folder;
  ProcessSpec spec = shell("head -c 100000 /dev/zero > big; echo $?");
  spec.directory = folder.path();
  spec.limits.file_size = 4096;
  const Ran ran = run_all(spec);
  REQUIRE_OK(ran.result);
  CHECK(std::filesystem::file_size(folder.path("big")) == 4096);
}

TEST_CASE("a program runs as another user, with its groups") {
  if (geteuid() != 0) {
    MESSAGE("left out: only root may change the user");
    return;
  }
  ProcessSpec spec = shell("id -u; id -g; id -G; id -ur; touch /root-only 2>&1 | sed 's/.*: //'");
  spec.user = "nobody";
  const Ran ran = run_all(spec);
  REQUIRE_OK(ran.result);
  const passwd* nobody = getpwnam("nobody");
  REQUIRE(nobody != nullptr);
  const std::string uid = std::to_string(nobody->pw_uid);
  const std::string gid = std::to_string(nobody->pw_gid);
  CHECK(ran.output == uid + "\n" + gid + "\n" + gid + "\n" + uid + "\nPermission denied\n");
}

TEST_CASE("what keeps a program from running is said, with its kind") {
  test::TemporaryDirectory folder;
  struct Case {
    const char* name;
    ProcessSpec spec;
    ErrorKind kind;
    std::string text;
  };
  const auto with = [](const std::string& program) {
    ProcessSpec spec = shell("");
    spec.program = program;
    spec.arguments.clear();
    return spec;
  };
  std::vector<Case> cases;
  cases.push_back({"missing", with(folder.path("none")), ErrorKind::kNotFound,
                   "exec: " + folder.path("none") + ": No such file or directory"});
  cases.push_back({"not executable", with(test::write_script(folder.path("plain"), "#!/bin/sh\n", 0644)),
                   ErrorKind::kDenied, "exec: " + folder.path("plain") + ": Permission denied"});
  cases.push_back({"a folder", with(folder.path()), ErrorKind::kDenied, "Permission denied"});
  cases.push_back({"no interpreter line", with(test::write_script(folder.path("bare"), "echo x\n")),
                   ErrorKind::kRefused, "a script begins with #!"});
  cases.push_back({"missing interpreter", with(test::write_script(folder.path("lost"), "#!/bin/none -x\n")),
                   ErrorKind::kNotFound, "its interpreter is not there: \"#!/bin/none -x\""});
  cases.push_back({"line ends of Windows", with(test::write_script(folder.path("crlf"), "#!/bin/sh\r\necho\r\n")),
                   ErrorKind::kNotFound, "the file has line ends of Windows"});
  ProcessSpec spec = shell("true");
  spec.directory = folder.path("vanished");
  cases.push_back({"folder gone", spec, ErrorKind::kNotFound,
                   "directory " + folder.path("vanished") + ": No such file or directory"});
  spec = shell("true");
  spec.user = "no-such-user-here";
  cases.push_back({"wrong user", spec, ErrorKind::kNotFound, "user no-such-user-here: there is no such user"});
  spec = shell("true");
  spec.helper = folder.path("no-helper");
  cases.push_back({"no helper", spec, ErrorKind::kInvariant, "no-helper: No such file or directory"});
  spec.helper = "/bin/true";
  cases.push_back({"another helper", spec, ErrorKind::kInvariant, "is it of this build"});
  cases.push_back({"relative program", with("bin/x"), ErrorKind::kUsage, "\"bin/x\" is no absolute path"});
  spec = shell("true");
  spec.directory = "here";
  cases.push_back({"relative folder", spec, ErrorKind::kUsage, "\"here\" is no absolute path"});
  spec = shell("true");
  spec.environment["A=B"] = "c";
  cases.push_back({"variable with =", spec, ErrorKind::kUsage, "\"A=B\" is no name"});
  spec = shell(std::string("a\0b", 3));
  cases.push_back({"NUL", spec, ErrorKind::kUsage, "NUL"});
  spec = shell("true");
  spec.arguments.push_back(std::string(std::size_t{3} << 20, 'x'));
  cases.push_back({"too many arguments", spec, ErrorKind::kRefused, "Argument list too long"});
  for (const Case& c : cases) {
    CAPTURE(c.name);
    const Ran ran = run_all(c.spec);
    CHECK_ERROR(ran.result, c.kind, c.text);
    CHECK(ran.output.empty());
  }
}

TEST_CASE("the helper is found beside the calling program") {
  ProcessSpec spec = shell("echo found");
  spec.helper.clear();
  CHECK(run_all(spec).output == "found\n");
}

TEST_CASE("a signal set before the start: nothing runs") {
  test::TemporaryDirectory folder;
  StopSignal stop;
  stop.set();
  ProcessSpec spec = shell("touch made");
  spec.directory = folder.path();
  CHECK_ERROR(run_process(spec, nullptr, stop), ErrorKind::kCancelled, "stopped before it began");
  CHECK_FALSE(std::filesystem::exists(folder.path("made")));
}

TEST_CASE("many run at once") {
  std::vector<std::string> outputs(24);
  std::vector<std::thread> threads;
  for (std::size_t t = 0; t < 4; ++t) {
    threads.emplace_back([&outputs, t] {
      for (std::size_t i = t; i < outputs.size(); i += 4)
        outputs[i] = run_all(shell("echo " + std::to_string(i))).output;
    });
  }
  for (std::thread& thread : threads) thread.join();
  for (std::size_t i = 0; i < outputs.size(); ++i) CHECK(outputs[i] == std::to_string(i) + "\n");
}

}  // namespace
}  // namespace convergence
