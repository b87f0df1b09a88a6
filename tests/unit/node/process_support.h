#ifndef CONVERGENCE_TESTS_UNIT_NODE_PROCESS_SUPPORT_H_
#define CONVERGENCE_TESTS_UNIT_NODE_PROCESS_SUPPORT_H_

#include <doctest/doctest.h>
#include <signal.h>
#include <sys/stat.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <filesystem>
#include <fstream>
#include <sstream>
#include <string>
#include <vector>

#include "convergence/node_process.h"
#include "tests/support/status_check.h"
#include "tests/support/temporary_directory.h"

namespace convergence::test {

inline std::string helper_program() { return std::string(CONVERGENCE_BINARY_DIR) + "/bin/convergence-spawn"; }

inline std::string read_text(const std::string& path) {
  std::ifstream file(path);
  std::stringstream text;
  text << file.rdbuf();
  return text.str();
}

inline std::string write_script(const std::string& path, const std::string& text, unsigned mode = 0755) {
  std::ofstream(path) << text;
  chmod(path.c_str(), mode);
  return path;
}

// Every process that descends from a spec has a mark in its environment, which no other has.
inline ProcessSpec shell(const std::string& text) {
  static std::atomic<int> count{0};
  ProcessSpec spec;
  spec.program = "/bin/sh";
  spec.arguments = {"-c", text};
  spec.environment = {{"PATH", "/usr/bin:/bin"},
                      {"CVG_MARK", std::to_string(getpid()) + "-" + std::to_string(++count) + "-end"}};
  spec.timeout = std::chrono::hours(1);
  spec.grace = std::chrono::hours(1);
  spec.helper = helper_program();
  return spec;
}

inline std::size_t processes_of(const ProcessSpec& spec) {
  const std::string mark = "CVG_MARK=" + spec.environment.at("CVG_MARK");
  std::size_t count = 0;
  for (const auto& entry : std::filesystem::directory_iterator("/proc")) {
    const std::string name = entry.path().filename();
    if (name.find_first_not_of("0123456789") != std::string::npos) continue;
    if (read_text(entry.path() / "environ").find(mark) != std::string::npos) ++count;
  }
  return count;
}

inline bool is_gone(pid_t pid) { return kill(pid, 0) != 0 && errno == ESRCH; }

inline std::vector<std::string> lines_of(const std::string& text) {
  std::vector<std::string> lines;
  std::istringstream stream(text);
  for (std::string line; std::getline(stream, line);) lines.push_back(line);
  return lines;
}

struct Ran {
  absl::StatusOr<ProcessResult> result;
  std::string output;
};

// Sets `stop` as soon as the output has `until` in it.
inline Ran run_until(const ProcessSpec& spec, const std::string& until) {
  StopSignal stop;
  Ran ran{ProcessResult{}, {}};
  ran.result = run_process(
      spec,
      [&](std::string_view bytes) {
        ran.output += bytes;
        if (!until.empty() && ran.output.find(until) != std::string::npos) stop.set();
      },
      stop);
  return ran;
}

inline Ran run_all(const ProcessSpec& spec) { return run_until(spec, ""); }

}  // namespace convergence::test

#endif  // CONVERGENCE_TESTS_UNIT_NODE_PROCESS_SUPPORT_H_
