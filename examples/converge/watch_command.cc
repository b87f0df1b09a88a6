#include <fmt/format.h>

#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "command.h"
#include "convergence/codec.h"
#include "convergence/error.h"
#include "plan_command.h"

namespace cli {

using namespace convergence;  // NOLINT: a program's own source

namespace {

// Converges at each change of what is wanted or of what is there; changes that come in while it works make one more
// round afterwards, not one each.
class Watcher {
 public:
  Watcher(Session& session, ConvergeOptions options, Output& output)
      : session_(session), options_(std::move(options)), output_(output) {}

  void start() {
    watch<std::vector<KvPair>>("desired state", [this](const ReadOptions& read, auto done) {
      session_.client->kv_recurse(options_.prefix + "/", read, std::move(done));
    });
    watch<std::vector<Node>>(
        "nodes", [this](const ReadOptions& read, auto done) { session_.client->catalog_nodes(read, std::move(done)); });
    watch<std::map<std::string, std::vector<std::string>>>("services", [this](const ReadOptions& read, auto done) {
      session_.client->catalog_services(read, std::move(done));
    });
    watch<std::vector<HealthCheck>>("health", [this](const ReadOptions& read, auto done) {
      session_.client->health_state("any", read, std::move(done));
    });
    for (std::string_view kind :
         {kProxyDefaults, kServiceDefaults, kServiceRouter, kServiceSplitter, kServiceResolver}) {
      watch<std::vector<ConfigEntry>>(fmt::format("{} entries", kind),
                                      [this, kind](const ReadOptions& read, auto done) {
                                        session_.client->config_list(kind, read, std::move(done));
                                      });
    }
  }

 private:
  // What is watched is the index: the list of services, say, is the same when one of two instances goes, its index is
  // not.
  template <typename T, typename Read>
  void watch(std::string what, Read read) {
    watches_.push_back(Watch::start<std::uint64_t>(
        *session_.executor,
        [this, read](std::uint64_t wait_index, ConsulClient::Callback<Answer<std::uint64_t>> done) {
          ReadOptions options = session_.read;
          options.wait_index = wait_index;
          read(options, [done = std::move(done)](absl::StatusOr<Answer<T>> answer) {
            if (!answer.ok()) return done(answer.status());
            done(Answer<std::uint64_t>{answer->index, answer->index, answer->known_leader, answer->last_contact});
          });
        },
        [this, what](absl::StatusOr<Answer<std::uint64_t>> answer) {
          if (!answer.ok()) return tell_problem(what, answer.status());
          changed();
        }));
  }

  void changed() {
    again_ = true;
    if (running_) return;
    running_ = true;
    // Posted, so that the first answers of all watches make one round.
    session_.executor->post([this] { round(); });
  }

  void round() {
    again_ = false;
    converge_once(
        *session_.client, options_,
        [this](const ConvergeProgress& progress) {
          if (output_.json() && progress.step) {
            std::string line = to_text(step_json(*progress.step)) + "\n";
            std::fputs(line.c_str(), stdout);
            std::fflush(stdout);
          }
          say_progress(progress, output_);
        },
        [this](absl::StatusOr<ConvergeReport> report) {
          running_ = false;
          if (!report.ok()) {
            tell_problem("converging", report.status());
          } else {
            tell_report(*report);
          }
          if (again_) changed();
        });
  }

  void tell_report(const ConvergeReport& report) {
    std::string state = report.last_plan.steps.empty() ? "converged" : "not converged";
    for (const Held& held : report.last_plan.held) state += fmt::format("\n  left: {}: {}", held.id, held.why);
    if (state == last_state_ && report.steps_done == 0) return;  // nothing that was not said before
    last_state_ = state;
    say_broken(report.broken, output_);
    output_.say(fmt::format("{} ({} steps)", state, report.steps_done));
  }

  void tell_problem(const std::string& what, const absl::Status& status) {
    std::fprintf(stderr, "converge: %s: %s\n", what.c_str(), std::string(status.message()).c_str());
  }

  Session& session_;
  ConvergeOptions options_;
  Output& output_;
  std::vector<std::unique_ptr<Watch>> watches_;
  bool running_ = false;
  bool again_ = false;
  std::string last_state_;
};

}  // namespace

int run_watch(const Arguments& arguments, Output& output) {
  if (!arguments.words.empty()) {
    return output.fail(absl::InvalidArgumentError(arguments.words[0] + ": watch takes no words; see --help"),
                       kBadInput);
  }
  absl::StatusOr<Session> session = connect(arguments);
  if (!session.ok()) return output.fail(session.status(), kBadInput);
  absl::StatusOr<ConvergeOptions> options = converge_options(arguments, *session);
  if (!options.ok()) return output.fail(options.status(), kBadInput);
  // A Consul that cannot be reached at all is a mistake to tell now, not to wait out.
  absl::StatusOr<std::string> leader =
      await<std::string>(*session->executor, [&](auto done) { session->client->status_leader(std::move(done)); });
  if (!leader.ok()) return output.fail(leader.status());
  catch_stop_signals();
  Watcher watcher(*session, *std::move(options), output);
  watcher.start();
  while (!stop_requested()) session->executor->poll(std::chrono::seconds(1));
  return kDone;
}

}  // namespace cli
