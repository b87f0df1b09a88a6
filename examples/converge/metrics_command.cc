#include "metrics_command.h"

#include <fmt/format.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstring>
#include <vector>

#include "convergence/codec.h"
#include "convergence/error.h"

extern char** environ;

namespace cli {

using namespace convergence;  // NOLINT: a program's own source

namespace {

constexpr std::size_t kMaxOutput = 64 * 1024;

std::vector<std::string> environment_for(const MeasureRequest& request) {
  std::vector<std::string> environment;
  for (char** variable = environ; *variable != nullptr; ++variable) environment.emplace_back(*variable);
  environment.push_back("CONVERGENCE_SERVICE=" + request.service);
  environment.push_back("CONVERGENCE_STABLE=" + request.stable_subset);
  environment.push_back("CONVERGENCE_CANDIDATE=" + request.candidate_subset);
  environment.push_back(fmt::format("CONVERGENCE_FROM={}", request.window.from.time_since_epoch().count()));
  environment.push_back(fmt::format("CONVERGENCE_TO={}", request.window.to.time_since_epoch().count()));
  return environment;
}

std::string read_all(int descriptor) {
  std::string text;
  char buffer[4096];
  for (ssize_t n = 0; text.size() < kMaxOutput;) {
    n = read(descriptor, buffer, sizeof(buffer));
    if (n < 0 && errno == EINTR) continue;
    if (n <= 0) break;
    text.append(buffer, static_cast<std::size_t>(n));
  }
  return text;
}

// What the command printed, when it ended with status 0.
absl::StatusOr<std::string> run_shell(const std::string& command, std::vector<std::string> environment) {
  int ends[2];
  if (pipe(ends) != 0) return absl::UnavailableError(fmt::format("no pipe: {}", std::strerror(errno)));
  posix_spawn_file_actions_t actions;
  posix_spawn_file_actions_init(&actions);
  posix_spawn_file_actions_adddup2(&actions, ends[1], STDOUT_FILENO);
  posix_spawn_file_actions_addclose(&actions, ends[0]);
  posix_spawn_file_actions_addclose(&actions, ends[1]);
  std::string shell = "/bin/sh", option = "-c", text = command;
  char* arguments[] = {shell.data(), option.data(), text.data(), nullptr};
  std::vector<char*> variables;
  for (std::string& variable : environment) variables.push_back(variable.data());
  variables.push_back(nullptr);
  pid_t child = 0;
  const int error = posix_spawn(&child, "/bin/sh", &actions, nullptr, arguments, variables.data());
  posix_spawn_file_actions_destroy(&actions);
  close(ends[1]);
  if (error != 0) {
    close(ends[0]);
    return absl::UnavailableError(fmt::format("cannot be started: {}", std::strerror(error)));
  }
  std::string output = read_all(ends[0]);
  close(ends[0]);
  int status = 0;
  while (waitpid(child, &status, 0) < 0 && errno == EINTR) {
  }
  if (!WIFEXITED(status) || WEXITSTATUS(status) != 0) {
    return absl::UnavailableError(fmt::format("ended with status {}", WIFEXITED(status) ? WEXITSTATUS(status) : 128));
  }
  return output;
}

absl::StatusOr<Measurement> measured(const std::string& output, std::int64_t epoch) {
  absl::StatusOr<Json> json = parse_json(output, "metrics command");
  if (!json.ok()) return json.status();
  if (!json->is_object()) return make_error(ErrorKind::kDecode, "metrics command: printed no object");
  json->set("type", "measurement").set("at", 0).set("epoch", epoch);
  absl::StatusOr<CanaryEvent> event = from_json<CanaryEvent>(*json, "metrics command");
  if (!event.ok()) return event.status();
  return std::get<Measurement>(std::move(event->body));
}

}  // namespace

void MetricsCommand::measure(const MeasureRequest& request, std::function<void(Measurement)> done) {
  absl::StatusOr<std::string> output = run_shell(command_, environment_for(request));
  absl::StatusOr<Measurement> result =
      output.ok() ? measured(*output, request.window.epoch) : absl::StatusOr<Measurement>(output.status());
  if (!result.ok()) {
    Measurement broken;
    broken.epoch = request.window.epoch;
    broken.kind = EvidenceKind::kBrokenSource;
    broken.problem = "metrics command: " + std::string(result.status().message());
    return done(std::move(broken));
  }
  done(*std::move(result));
}

}  // namespace cli
