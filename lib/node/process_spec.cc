#include <fmt/format.h>
#include <signal.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <fstream>
#include <limits>

#include "convergence/error.h"
#include "lib/base/status_macros.h"
#include "lib/node/descriptor.h"
#include "lib/node/process.h"

namespace convergence {
namespace {

// The helper's own limit, and more than any kernel takes.
constexpr std::size_t kMaxRequest = std::size_t{1} << 26;
constexpr Duration kMaxGrace = std::chrono::hours(24);

absl::Status bad_spec(std::string_view problem) {
  return make_error(ErrorKind::kUsage, fmt::format("run_process: {}", problem));
}

bool has_nul(const std::string& text) { return text.find('\0') != std::string::npos; }

absl::Status check_spec(const ProcessSpec& spec) {
  if (!spec.program.starts_with('/')) {
    return bad_spec(fmt::format("program \"{}\" is no absolute path", spec.program));
  }
  if (!spec.directory.starts_with('/')) {
    return bad_spec(fmt::format("directory \"{}\" is no absolute path", spec.directory));
  }
  bool nul = has_nul(spec.program) || has_nul(spec.directory) || has_nul(spec.user) ||
             std::any_of(spec.arguments.begin(), spec.arguments.end(), has_nul);
  for (const auto& [name, value] : spec.environment) {
    if (name.empty() || name.find('=') != std::string::npos) {
      return bad_spec(fmt::format("\"{}\" is no name of an environment variable", name));
    }
    nul = nul || has_nul(name) || has_nul(value);
  }
  if (nul) return bad_spec("a text holds a NUL byte");
  if (spec.umask > 0777) return bad_spec("umask has bits that it cannot have");
  if (spec.grace < Duration::zero() || spec.grace > kMaxGrace) return bad_spec("grace is negative, or over a day");
  return absl::OkStatus();
}

void add_limit(spawn_request& request, int resource, const std::optional<std::uint64_t>& value) {
  if (!value) return;
  request.limit[request.limits].resource = resource;
  request.limit[request.limits].value = *value;
  ++request.limits;
}

std::string first_line(const std::string& path) {
  std::ifstream file(path);
  char text[256] = {};
  file.read(text, sizeof text - 1);
  const std::string read(text, static_cast<std::size_t>(file.gcount()));
  return read.substr(0, read.find('\n'));
}

// The system reports a script whose interpreter is missing as if the script were.
std::string exec_problem(const ProcessSpec& spec, int error) {
  std::string problem = fmt::format("{}: {}", spec.program, errno_text(error));
  if (error == ENOENT && access(spec.program.c_str(), F_OK) == 0) {
    const std::string line = first_line(spec.program);
    if (line.starts_with("#!")) {
      problem = fmt::format("{}: its interpreter is not there: \"{}\"", spec.program,
                            line.ends_with('\r') ? line.substr(0, line.size() - 1) + "\\r" : line);
      if (line.ends_with('\r')) problem += "; the file has line ends of Windows";
    }
  } else if (error == ENOEXEC) {
    problem += "; a script begins with #! and its interpreter";
  }
  return problem;
}

}  // namespace

absl::StatusOr<std::string> spawn_request_of(const ProcessSpec& spec) {
  CVG_RETURN_IF_ERROR(check_spec(spec));
  spawn_request request{};
  request.version = SPAWN_VERSION;
  request.arguments = static_cast<std::uint32_t>(spec.arguments.size() + 1);
  request.variables = static_cast<std::uint32_t>(spec.environment.size());
  request.umask = spec.umask;
  const auto grace = std::chrono::ceil<std::chrono::milliseconds>(spec.grace).count();
  request.grace_ms = static_cast<std::uint32_t>(std::min<std::int64_t>(grace, std::numeric_limits<int>::max()));
  request.keep_children = spec.keep_children ? 1 : 0;
  add_limit(request, RLIMIT_NPROC, spec.limits.processes);
  add_limit(request, RLIMIT_NOFILE, spec.limits.open_files);
  add_limit(request, RLIMIT_AS, spec.limits.memory);
  add_limit(request, RLIMIT_FSIZE, spec.limits.file_size);
  add_limit(request, RLIMIT_CORE, spec.limits.core_size);
  add_limit(request, RLIMIT_CPU, spec.limits.cpu_seconds);

  std::string texts;
  const auto add = [&texts](std::string_view text) { texts.append(text).push_back('\0'); };
  add(spec.program);
  add(spec.directory);
  add(spec.user);
  add(spec.program);
  for (const std::string& argument : spec.arguments) add(argument);
  for (const auto& [name, value] : spec.environment) add(name + "=" + value);
  if (texts.size() > kMaxRequest) return bad_spec("arguments and environment are too long");
  request.size = static_cast<std::uint32_t>(texts.size());
  return std::string(reinterpret_cast<const char*>(&request), sizeof request) + texts;
}

absl::Status spawn_failure(const ProcessSpec& spec, const spawn_message& message) {
  const std::string stage(message.stage, strnlen(message.stage, sizeof message.stage));
  const int error = message.error;
  if (stage == "exec") {
    const absl::Status status = errno_error("", error);
    const ErrorKind kind = error_kind(status);
    return make_error(kind, fmt::format("exec: {}", exec_problem(spec, error)));
  }
  if (stage == "directory") return errno_error(fmt::format("directory {}", spec.directory), error);
  if (stage == "user" && error == ENOENT) {
    return make_error(ErrorKind::kNotFound, fmt::format("user {}: there is no such user", spec.user));
  }
  if (stage == "user" && error == EPERM) {
    return make_error(ErrorKind::kDenied,
                      fmt::format("user {}: only root may run a program as another user", spec.user));
  }
  if (stage == "user" || stage == "group" || stage == "groups") {
    return errno_error(fmt::format("user {} ({})", spec.user, stage), error);
  }
  if (stage == "request" || stage == "start") {
    return make_error(ErrorKind::kInvariant,
                      fmt::format("convergence-spawn ({}): {}; is it of this build?", stage, errno_text(error)));
  }
  return errno_error(stage, error);
}

std::string_view to_string(ProcessEnd end) {
  switch (end) {
    case ProcessEnd::kExited:
      return "exited";
    case ProcessEnd::kSignalled:
      return "signalled";
    case ProcessEnd::kTimedOut:
      return "timed-out";
    case ProcessEnd::kStopped:
      return "stopped";
  }
  return "";
}

std::string describe(const ProcessResult& result) {
  std::string text;
  switch (result.end) {
    case ProcessEnd::kExited:
      text = fmt::format("exit status {}", result.exit_status);
      break;
    case ProcessEnd::kSignalled:
      text = fmt::format("ended by signal {} ({})", result.signal,
                         sigabbrev_np(result.signal) ? sigabbrev_np(result.signal) : "?");
      break;
    case ProcessEnd::kTimedOut:
      text = "ended by its time-out";
      break;
    case ProcessEnd::kStopped:
      text = "stopped";
      break;
  }
  if (result.ended_children > 0) text += fmt::format("; {} left behind were ended", result.ended_children);
  if (result.survivors) text += "; something of it could not be ended";
  return text;
}

}  // namespace convergence
