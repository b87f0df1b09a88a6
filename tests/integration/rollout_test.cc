// Rollouts on a real Consul, their driver in a process of its own that is killed at every point.
#include <doctest/doctest.h>
#include <fcntl.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <sstream>
#include <vector>

#include "convergence/codec.h"
#include "convergence/error.h"
#include "fmt/format.h"
#include "tests/integration/real_consul.h"
#include "tests/support/status_check.h"

extern char** environ;

namespace convergence {
namespace {

using test::real_consul;

struct Process {
  bool killed = false;  // by SIGKILL
  int exit = -1;
  std::vector<std::string> lines;
};

Process run_process(const std::vector<std::string>& arguments) {
  std::array<int, 2> pipes{};
  REQUIRE(pipe2(pipes.data(), O_CLOEXEC) == 0);
  posix_spawn_file_actions_t actions;
  posix_spawn_file_actions_init(&actions);
  posix_spawn_file_actions_adddup2(&actions, pipes[1], STDOUT_FILENO);
  std::string program = CONVERGENCE_ROLLOUT_PROCESS;
  std::vector<std::string> copy = arguments;
  std::vector<char*> argv = {program.data()};
  for (std::string& argument : copy) argv.push_back(argument.data());
  argv.push_back(nullptr);
  pid_t pid = 0;
  REQUIRE(posix_spawn(&pid, program.c_str(), &actions, nullptr, argv.data(), environ) == 0);
  posix_spawn_file_actions_destroy(&actions);
  close(pipes[1]);
  std::string text;
  std::array<char, 4096> buffer;
  for (ssize_t got = 0; (got = read(pipes[0], buffer.data(), buffer.size())) > 0;) {
    text.append(buffer.data(), static_cast<std::size_t>(got));
  }
  close(pipes[0]);
  int status = 0;
  REQUIRE(waitpid(pid, &status, 0) == pid);
  Process out;
  out.killed = WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL;
  if (WIFEXITED(status)) out.exit = WEXITSTATUS(status);
  std::istringstream lines(text);
  for (std::string line; std::getline(lines, line);) out.lines.push_back(line);
  return out;
}

Process drive(const std::string& service, const std::string& story, int kill_at) {
  return run_process({real_consul().server->address(), "convergence", service, story, std::to_string(kill_at)});
}

void add_service(const std::string& service) {
  real_consul().add_node("old");
  real_consul().add_node("new");
  real_consul().add_instance("old", service, "1.0");
  real_consul().add_instance("new", service, "2.0");
  const auto put = [&](std::string_view kind, std::string_view rest) {
    real_consul().put_entry(fmt::format(R"({{"Kind":"{}","Name":"{}",{}}})", kind, service, rest));
  };
  put("service-defaults", R"("Protocol":"http")");
  put("service-resolver", R"("DefaultSubset":"v1","Subsets":{"v1":{"Filter":"Service.Meta.version == \"1.0\""},)"
                          R"("v2":{"Filter":"Service.Meta.version == \"2.0\""}})");
  put("service-splitter",
      R"("Meta":{"owner":"ann"},"Splits":[{"Weight":100,"ServiceSubset":"v1"},{"Weight":0,"ServiceSubset":"v2"}])");
}

// What must be equal however often the driver died: how it ended, what was decided, what stands in the splitter.
struct Outcome {
  CanaryPhase phase = CanaryPhase::kIdle;
  std::vector<std::string> decisions;
  std::vector<std::int32_t> weights;
  std::string owner;
  friend bool operator==(const Outcome&, const Outcome&) = default;
};

CanaryState state_of(const std::string& service) {
  const auto pair = real_consul().wait<Answer<std::optional<KvPair>>>(
      [&](auto done) { real_consul().client->kv_get("convergence/rollouts/" + service, {}, done); });
  REQUIRE_OK(pair);
  REQUIRE(pair->value.has_value());
  absl::StatusOr<CanaryState> state = parse<CanaryState>(pair->value->value, "rollout");
  REQUIRE_OK(state);
  return *std::move(state);
}

Outcome outcome_of(const std::string& service) {
  const CanaryState state = state_of(service);
  Outcome out;
  out.phase = state.phase;
  for (const CanaryRecord& record : state.history) {
    out.decisions.push_back(fmt::format("{} {} {}", to_string(record.phase), to_string(record.reason), record.weight));
  }
  const std::optional<ConfigEntry> splitter = real_consul().entry(kServiceSplitter, service);
  REQUIRE(splitter.has_value());
  for (const Split& split : std::get<ServiceSplitter>(splitter->body).splits) out.weights.push_back(split.weight);
  out.owner = splitter->meta.at("owner");
  return out;
}

TEST_CASE("killed by SIGKILL before and after every effect: the next process ends as if nothing had happened") {
  const struct {
    const char* name;
    Outcome want;
  } stories[] = {
      {"good",
       {CanaryPhase::kSucceeded,
        {"settling started 500", "settling weight-written 500", "observing good-evidence 500",
         "settling step-passed 2000", "settling weight-written 2000", "observing good-evidence 2000",
         "promoting all-steps-passed 10000", "succeeded weight-written 10000"},
        {0, 10000},
        "ann"}},
      {"bad",
       {CanaryPhase::kFailed,
        {"settling started 500", "settling weight-written 500", "observing good-evidence 500",
         "settling step-passed 2000", "settling weight-written 2000", "observing bad-evidence 2000",
         "rolling-back failure-budget 0", "failed weight-written 0"},
        {10000, 0},
        "ann"}},
  };
  for (const auto& story : stories) {
    SUBCASE(story.name) {
      const std::string whole = fmt::format("{}-whole", story.name);
      add_service(whole);
      const Process uninterrupted = drive(whole, story.name, -1);
      REQUIRE(uninterrupted.exit == 0);
      CHECK(outcome_of(whole).decisions == story.want.decisions);
      CHECK(outcome_of(whole) == story.want);
      // Start, three weights, two windows, and the state after each of these and after settling; the last report may be
      // overtaken by the watch, which sees the end first.
      constexpr int kPoints = 2 * (1 + 3 + 2 + 7) - 1;
      bool killed = true;
      for (int kill_at = 0; killed; ++kill_at) {
        const std::string service = fmt::format("{}-{}", story.name, kill_at);
        add_service(service);
        const Process first = drive(service, story.name, kill_at);
        killed = first.killed;
        INFO("killed at ", kill_at, ", ", first.lines.empty() ? "" : first.lines.back());
        if (!killed) {  // it ran to its end before it came to that point: they have all been
          CHECK(first.exit == 0);
          CHECK(kill_at >= kPoints);
        } else {
          CHECK(drive(service, story.name, -1).exit == 0);
        }
        CHECK(outcome_of(service).decisions == story.want.decisions);
        CHECK(outcome_of(service) == story.want);
      }
    }
  }
}

// Never answers: the rollout stays in its first step until somebody gives an order.
class Silent : public MetricsSource {
 public:
  void measure(const MeasureRequest&, std::function<void(Measurement)>) override {}
};

CanaryPolicy patient_policy(const std::string& service) {
  CanaryPolicy policy;
  policy.service = service;
  policy.stable_subset = "v1";
  policy.candidate_subset = "v2";
  policy.settle = std::chrono::milliseconds(10);
  policy.interval = std::chrono::seconds(5);
  return policy;
}

TEST_CASE("a command from another client wakes the driver; another hand in the splitter is no hindrance to abort") {
  add_service("ordered");
  Silent silent;
  std::optional<absl::StatusOr<CanaryState>> end;
  CanaryPhase phase = CanaryPhase::kIdle;
  RolloutOptions options;
  options.on_change = [&](const CanaryState& state) { phase = state.phase; };
  RolloutDriver driver(*real_consul().client, silent, "ordered", options);
  driver.start(patient_policy("ordered"), {"r1", "2.0", "test"},
               [&](absl::StatusOr<CanaryState> state) { end = std::move(state); });
  Executor& executor = *real_consul().executor;
  const auto soon = [&] { return executor.now() + std::chrono::minutes(1); };
  REQUIRE_OK(executor.wait_until([&] { return phase == CanaryPhase::kObserving; }, soon()));
  std::optional<ConfigEntry> splitter = real_consul().entry(kServiceSplitter, "ordered");
  REQUIRE(splitter.has_value());
  auto& splits = std::get<ServiceSplitter>(splitter->body).splits;
  splits[0].weight = 6000;
  splits[1].weight = 4000;
  const absl::StatusOr<bool> moved = real_consul().wait<bool>(
      [&](auto done) { real_consul().client->config_put(*splitter, splitter->modify_index, {}, done); });
  REQUIRE_OK(moved);
  RolloutDriver other(*real_consul().client, silent, "ordered", {});
  REQUIRE_OK(real_consul().wait<CanaryState>([&](auto done) {
    other.command({CanaryVerb::kAbort, "bob", "phone rings"}, done);
  }));
  REQUIRE_OK(executor.wait_until([&] { return end.has_value(); }, soon()));
  REQUIRE_OK(*end);
  const Outcome outcome = outcome_of("ordered");
  CHECK(outcome.phase == CanaryPhase::kFailed);
  CHECK(outcome.weights == std::vector<std::int32_t>{10000, 0});
  CHECK(outcome.decisions.back() == "failed weight-written 0");
}

TEST_CASE("a service without a splitter is refused with what to write") {
  Silent silent;
  RolloutDriver driver(*real_consul().client, silent, "nothing", {});
  CHECK_ERROR(real_consul().wait<CanaryState>([&](auto done) {
    driver.start(patient_policy("nothing"), {"r1", "2.0", "test"}, done);
  }),
              ErrorKind::kNotFound, "service-splitter/nothing: is not there; write it with weight 100 to subset v1");
}

}  // namespace
}  // namespace convergence
