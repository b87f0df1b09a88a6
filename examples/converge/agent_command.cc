#include <fmt/format.h>

#include <memory>
#include <optional>
#include <string>
#include <utility>

#include "agent_journal.h"
#include "agent_start.h"
#include "command.h"
#include "convergence/agent_driver.h"
#include "convergence/codec.h"
#include "convergence/environment_manager.h"
#include "convergence/error.h"
#include "convergence/linux_hands.h"
#include "convergence/standby.h"
#include "fleet_words.h"

namespace cli {

using namespace convergence;  // NOLINT: a program's own source

namespace {

constexpr auto kFarewell = std::chrono::seconds(3);  // for the last word to the local agent

// Says what an agent does, in a line for each stage and each end.
class Teller {
 public:
  explicit Teller(Output& output) : output_(output) {}

  void tell(const AgentStep& step) {
    for (const AgentEffect& effect : step.effects) {
      if (const auto* report = std::get_if<ReportNode>(&effect)) tell(*report);
    }
    if (std::exchange(last_lock_, step.state.locked) != step.state.locked) {
      output_.say(step.state.locked.empty() ? "not locked any more" : "waits: " + step.state.locked);
    }
    for (const auto& [id, parked] : step.state.parked) {
      const std::string line = fmt::format("{}: waits: {}", id, parked.why);
      if (line != last_wait_) output_.say(line);
      last_wait_ = line;
    }
  }

 private:
  void tell(const ReportNode& report) {
    if (output_.json()) {
      Json json;
      json.set("service", report.service_id)
          .set("version", report.version)
          .set("deployment", report.deployment)
          .set("stage", to_string(report.stage))
          .set("finished", report.finished)
          .set("succeeded", report.succeeded)
          .set("why", report.why);
      output_.document(json);
      return;
    }
    if (!report.finished) {
      output_.say(fmt::format("{} {}: {}", report.service_id, report.version, to_string(report.stage)));
    } else if (report.succeeded) {
      output_.say(fmt::format("{} {}: done", report.service_id, report.version));
    } else {
      output_.say(fmt::format("{} {}: failed: {}", report.service_id, report.version, report.why));
    }
  }

  Output& output_;
  std::string last_wait_;
  std::string last_lock_;
};

absl::StatusOr<LinuxHandsOptions> hands_options(const Arguments& arguments) {
  LinuxHandsOptions options;
  options.folder = arguments.get("folder", "/var/lib/convergence");
  if (std::vector<std::string> roots = arguments.all("allow-root"); !roots.empty())
    options.allowed_roots = std::move(roots);
  options.sensu_folder = arguments.get("sensu-folder");
  if (std::vector<std::string> folders = arguments.all("sensu-plugins"); !folders.empty())
    options.sensu_plugin_folders = std::move(folders);
  options.ship_logs = arguments.get("ship-logs");
  options.secret_files = arguments.all("secret-file");
  options.secret_variables = arguments.all("secret-variable");
  const absl::StatusOr<std::optional<long>> free = integer_flag(arguments, "min-free-mb", 0, 1'000'000'000);
  if (!free.ok()) return free.status();
  if (*free) options.min_free_disk = static_cast<std::uint64_t>(**free) * 1'000'000;
  options.http.s3 = s3_options(arguments);
  return options;
}

// Null without -journal.
absl::StatusOr<std::unique_ptr<AgentJournal>> journal_of(const Arguments& arguments, Output& output) {
  const absl::StatusOr<std::optional<long>> most = integer_flag(arguments, "journal-max-mb", 1, 1'000'000);
  if (!most.ok()) return most.status();
  if (!arguments.has("journal")) return nullptr;
  return AgentJournal::open(arguments.get("journal"), static_cast<std::uint64_t>(most->value_or(64)) << 20, output);
}

StandbyOptions standby_options(const AgentOptions& agent, Output& output) {
  StandbyOptions options;
  if (!agent.environment.empty()) options.key = cold_standby_key(agent.instance);
  options.prefix = agent.prefix;
  options.on_change = [&output, before = std::string()](const std::string& reason) mutable {
    if (output.json()) {
      output.document(Json().set("standby", reason));
    } else if (!reason.empty()) {
      output.say("in standby, no traffic: " + reason);
    } else if (!before.empty()) {
      output.say("in service again");
    }
    before = reason;
  };
  options.on_problem = [&output](const absl::Status& problem) { output.say(std::string(problem.message())); };
  return options;
}

}  // namespace

int run_agent(const Arguments& arguments, Output& output) {
  absl::StatusOr<LinuxHandsOptions> hands_are = hands_options(arguments);
  if (!hands_are.ok()) return output.fail(hands_are.status(), kBadInput);
  const absl::StatusOr<ReadinessWait> readiness_is = readiness_wait(arguments);
  if (!readiness_is.ok()) return output.fail(readiness_is.status(), kBadInput);
  absl::StatusOr<Session> session = connect(arguments);
  if (!session.ok()) return output.fail(session.status());
  const absl::StatusOr<Identity> who = agent_identity(arguments, *session->executor);
  if (!who.ok()) {
    return error_kind(who.status()) == ErrorKind::kNotFound ? output.fail(who.status(), kBadInput)
                                                            : output.fail(who.status());
  }
  hands_are->owning_cluster = who->cluster;
  hands_are->tags = who->tags;
  absl::StatusOr<AgentMemory> memory = read_agent_memory(hands_are->folder);
  if (!memory.ok()) return output.fail(memory.status());
  absl::StatusOr<std::unique_ptr<NodeHands>> hands = new_linux_hands(*session->executor, *hands_are);
  if (!hands.ok()) return output.fail(hands.status());
  const absl::StatusOr<std::unique_ptr<AgentJournal>> journal = journal_of(arguments, output);
  if (!journal.ok()) return output.fail(journal.status());

  catch_stop_signals();
  output.say(describe(*who));
  if (absl::Status ready = wait_until_ready(*readiness_is, *session->executor, output); !ready.ok()) {
    return stop_requested() ? kDone : output.fail(ready);
  }

  Teller teller(output);
  AgentOptions options;
  options.role = who->role;
  options.prefix = session->prefix;
  options.config.owner = session->prefix;
  options.environment = reads_environment_manager(arguments) ? who->environment : "";
  options.instance = who->instance;
  const AgentDriver* told = nullptr;
  if (*journal) options.on_event = [&](const AgentEvent& event) { (*journal)->event(told->state(), event); };
  options.on_step = [&](const AgentStep& step) {
    if (*journal) (*journal)->step(step);
    teller.tell(step);
  };
  AgentDriver driver(*session->client, **hands, *std::move(memory), options);
  told = &driver;
  bool ended = false;
  absl::Status status;
  driver.run([&](absl::Status result) {
    ended = true;
    status = std::move(result);
  });
  std::optional<Standby> standby;
  if (!arguments.has("no-standby")) standby.emplace(*session->client, standby_options(options, output)).run();
  while (!ended && !stop_requested()) session->executor->poll(kLook);
  driver.stop();
  if (standby) {
    const auto stop = [&](ConsulClient::Done done) { standby->stop(std::move(done)); };
    if (absl::Status left = await_done(*session->executor, stop, kFarewell); !left.ok()) {
      output.say(std::string(left.message()));  // its ttl ends it
    }
  }
  return status.ok() ? kDone : output.fail(status);
}

}  // namespace cli
