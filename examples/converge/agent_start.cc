#include "agent_start.h"

#include <fmt/format.h>

#include <cstdlib>
#include <memory>
#include <optional>
#include <utility>

#include "convergence/curl_transport.h"
#include "convergence/error.h"

namespace cli {

using namespace convergence;  // NOLINT: a program's own source

namespace {

constexpr char kEc2Metadata[] = "169.254.169.254:80";
constexpr Duration kTellAgain = std::chrono::minutes(1);  // what is being waited for

std::map<std::string, std::string> identity_variables() {
  std::map<std::string, std::string> out;
  for (const char* name : {"CONVERGENCE_ENVIRONMENT", "CONVERGENCE_ENVIRONMENT_TYPE", "CONVERGENCE_ROLE",
                           "CONVERGENCE_CLUSTER", "CONVERGENCE_INSTANCE"}) {
    if (const char* value = std::getenv(name)) out[name] = value;
  }
  return out;
}

// What is wrong with the file, or what it lacks.
std::string state_of(const absl::StatusOr<std::optional<std::string>>& content) {
  if (!content.ok()) return std::string(content.status().message());
  return *content ? "it says something else" : "it is not there";
}

}  // namespace

bool reads_environment_manager(const Arguments& arguments) {
  return !arguments.get("environment").empty() || arguments.has("environment-manager");
}

absl::StatusOr<Identity> agent_identity(const Arguments& arguments, Executor& executor) {
  IdentitySources sources;
  sources.flags.environment = arguments.get("environment");
  sources.flags.environment_type = arguments.get("environment-type");
  sources.flags.role = arguments.get("role");
  sources.flags.cluster = arguments.get("cluster");
  sources.flags.instance = arguments.get("instance");
  sources.environment = identity_variables();
  sources.file = arguments.get("identity-file");
  sources.required = {"role"};
  if (reads_environment_manager(arguments)) sources.required = {"environment", "role", "instance"};
  std::unique_ptr<Transport> metadata;
  if (arguments.has("ec2")) {
    if (!reads_environment_manager(arguments)) sources.required.push_back("instance");
    CurlOptions options;
    options.address = arguments.get("ec2-endpoint", kEc2Metadata);
    absl::StatusOr<std::unique_ptr<Transport>> made = new_curl_transport(executor, options);
    if (!made.ok()) return made.status();
    metadata = *std::move(made);
    sources.ec2 = metadata.get();
    sources.all_tags = true;  // they go into the files that are written for Sensu
  } else if (arguments.has("ec2-endpoint")) {
    return make_error(ErrorKind::kUsage, "-ec2-endpoint: says nothing without -ec2");
  }
  return find_identity(sources, executor);
}

std::string describe(const Identity& identity) {
  std::string text = fmt::format("role {}", identity.role);
  if (!identity.environment.empty()) text += fmt::format(", environment {}", identity.environment);
  if (!identity.environment_type.empty()) text += fmt::format(", environment type {}", identity.environment_type);
  if (!identity.cluster.empty()) text += fmt::format(", cluster {}", identity.cluster);
  return fmt::format("this is {}: {}", identity.instance.empty() ? "the local node" : identity.instance, text);
}

absl::StatusOr<ReadinessWait> readiness_wait(const Arguments& arguments) {
  ReadinessWait wait;
  wait.file = arguments.get("readiness-file");
  const absl::StatusOr<std::optional<Duration>> patience = duration_flag(arguments, "readiness-deadline");
  if (!patience.ok()) return patience.status();
  if (*patience) wait.patience = **patience;
  const std::string late = arguments.get("readiness-late", "stop");
  if (late != "stop" && late != "go") {
    return make_error(ErrorKind::kUsage, fmt::format("-readiness-late={}: is neither stop nor go", late));
  }
  wait.go_when_late = late == "go";
  if (wait.file.empty() && (arguments.has("readiness-deadline") || arguments.has("readiness-late"))) {
    return make_error(ErrorKind::kUsage,
                      "-readiness-deadline and -readiness-late: say nothing without -readiness-file");
  }
  return wait;
}

absl::Status wait_until_ready(const ReadinessWait& wait, LoopExecutor& executor, Output& output) {
  if (wait.file.empty()) return absl::OkStatus();
  const Time deadline = executor.now() + wait.patience;
  Time tell_at = executor.now();
  while (!stop_requested()) {
    const absl::StatusOr<std::optional<std::string>> content = read_semaphore(wait.file);
    const std::optional<std::string> said = content.ok() ? *content : std::nullopt;
    const Time now = executor.now();
    const Readiness state = readiness(said, now, deadline);
    if (state == Readiness::kReady) {
      output.say(fmt::format("{}: ok, the node is ready", wait.file));
      return absl::OkStatus();
    }
    if (state == Readiness::kLate) {
      const std::string why = fmt::format("{}: did not say ok in time: {}", wait.file, state_of(content));
      if (!wait.go_when_late) return make_error(ErrorKind::kTimeout, why);
      output.say(why + "; goes on without");
      return absl::OkStatus();
    }
    if (now >= tell_at) {
      const auto left = std::chrono::ceil<std::chrono::seconds>(deadline - now);
      output.say(fmt::format("waits for {} to say ok, {} s more: {}", wait.file, left.count(), state_of(content)));
      tell_at = now + kTellAgain;
    }
    executor.poll(std::min<Duration>(kLook, deadline - now));
  }
  return make_error(ErrorKind::kCancelled, "stopped before the node was ready");
}

}  // namespace cli
