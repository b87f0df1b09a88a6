// A rollout's driver in a process of its own: rollout_process ADDRESS PREFIX SERVICE good|bad KILL
// Takes up the rollout of SERVICE or starts it, names each point that it passes on a line, and ends itself by SIGKILL
// at the point with number KILL (-1: never). The last line is "end PHASE".
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <memory>
#include <optional>
#include <string>

#include "convergence/curl_transport.h"
#include "convergence/driver.h"
#include "convergence/error.h"

namespace convergence {
namespace {

// Good, or bad from the second step on; decided by the window alone, so that every driver sees the same.
class Story : public MetricsSource {
 public:
  explicit Story(bool good) : good_(good) {}
  void measure(const MeasureRequest& request, std::function<void(Measurement)> done) override {
    Measurement answer;
    answer.stable = {4000, 4};
    answer.candidate = {400, good_ || request.window.epoch == 1 ? 1 : 80};
    done(answer);
  }

 private:
  const bool good_;
};

CanaryPolicy policy_of(const std::string& service) {
  CanaryPolicy policy;
  policy.service = service;
  policy.stable_subset = "v1";
  policy.candidate_subset = "v2";
  policy.steps = {500, 2000};
  policy.interval = std::chrono::milliseconds(50);
  policy.settle = std::chrono::milliseconds(10);
  policy.intervals_per_step = 1;
  policy.max_failures = 1;
  return policy;
}

int fail(const absl::Status& status) {
  std::fprintf(stderr, "%s\n", std::string(status.message()).c_str());
  return 1;
}

int run(const std::string& address, const std::string& prefix, const std::string& service, bool good, int kill_at) {
  const std::unique_ptr<LoopExecutor> executor = new_loop_executor();
  CurlOptions curl;
  curl.address = address;
  absl::StatusOr<std::unique_ptr<Transport>> transport = new_curl_transport(*executor, curl);
  if (!transport.ok()) return fail(transport.status());
  ConsulClient client(*executor, **transport);
  Story story(good);
  int point = 0;
  RolloutOptions options;
  options.prefix = prefix;
  options.probe = [&](std::string_view name) {
    std::printf("%s\n", std::string(name).c_str());
    std::fflush(stdout);
    if (point++ == kill_at) std::raise(SIGKILL);
  };
  RolloutDriver driver(client, story, service, options);
  const auto patience = std::chrono::minutes(2);
  absl::StatusOr<CanaryState> end = await<CanaryState>(
      *executor, [&](auto done) { driver.resume(done); }, patience);
  if (error_kind(end.status()) == ErrorKind::kNotFound) {
    const StartRollout start{"r1", "2.0", "test"};
    end = await<CanaryState>(
        *executor, [&](auto done) { driver.start(policy_of(service), start, done); }, patience);
  }
  if (!end.ok()) return fail(end.status());
  std::printf("end %s\n", std::string(to_string(end->phase)).c_str());
  return 0;
}

}  // namespace
}  // namespace convergence

int main(int argc, char** argv) {
  if (argc != 6) return 2;
  return convergence::run(argv[1], argv[2], argv[3], std::string(argv[4]) == "good", std::atoi(argv[5]));
}
