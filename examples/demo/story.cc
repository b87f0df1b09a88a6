#include "story.h"

#include <fmt/format.h>

#include <algorithm>
#include <memory>
#include <optional>
#include <utility>

#include "convergence/codec.h"
#include "convergence/driver.h"
#include "convergence/error.h"
#include "measure.h"
#include "scenery.h"

namespace demo {

using namespace convergence;  // NOLINT: a program's own source

namespace {

constexpr int kNodesPerRole = 6;
constexpr const char* kRoles[] = {"web", "api"};

class Teller {
 public:
  Teller(ConsulClient& client, const Setting& setting)
      : client_(client),
        setting_(setting),
        scenery_(setting.prefix),
        random_(setting.seed),
        began_(client.executor().now()) {}

  absl::StatusOr<Story> tell() {
    absl::Status refused = refuse_existing_names();
    if (!refused.ok()) return refused;
    absl::Status told = tell_from_empty();
    setting_.say("removing what the demo made");
    absl::Status removed = remove_everything();
    if (!told.ok()) return told;
    if (!removed.ok()) return removed;
    return story_;
  }

 private:
  double seconds(Time at) const { return std::chrono::duration<double>(at - began_).count(); }

  template <typename T, typename Start>
  absl::StatusOr<T> wait(Start start) {
    return await<T>(client_.executor(), start);
  }

  absl::Status refuse_existing_names() {
    auto keys =
        wait<Answer<std::vector<std::string>>>([&](auto done) { client_.kv_keys(setting_.prefix + "/", {}, done); });
    if (!keys.ok()) return keys.status();
    if (!keys->value.empty()) return taken("KV key " + keys->value.front());
    auto nodes = wait<Answer<std::vector<Node>>>([&](auto done) { client_.catalog_nodes({}, done); });
    if (!nodes.ok()) return nodes.status();
    for (const Node& node : nodes->value) {
      if (node.name.rfind(setting_.prefix, 0) == 0) return taken("node " + node.name);
    }
    auto services = wait<Answer<std::map<std::string, std::vector<std::string>>>>(
        [&](auto done) { client_.catalog_services({}, done); });
    if (!services.ok()) return services.status();
    for (const auto& [name, tags] : services->value) {
      if (name.rfind(setting_.prefix, 0) == 0) return taken("service " + name);
    }
    for (const ConfigEntry& entry : scenery_.entries(scenery_.first_roles())) {
      auto found = wait<Answer<std::optional<ConfigEntry>>>(
          [&](auto done) { client_.config_get(entry.kind, entry.name, {}, done); });
      if (!found.ok()) return found.status();
      if (found->value) return taken("config entry " + entry.kind + "/" + entry.name);
    }
    return absl::OkStatus();
  }

  absl::Status taken(const std::string& what) const {
    return absl::AlreadyExistsError(
        fmt::format("{}: is there already; the demo only touches what it makes, so give it another --prefix", what));
  }

  absl::Status tell_from_empty() {
    story_.backend = setting_.backend;
    story_.seed = setting_.seed;
    absl::Status status = make_nodes();
    if (status.ok()) status = first_deployment();
    if (status.ok()) status = deploy_by_canary("2.0", 0.0005);
    if (status.ok()) status = deploy_by_canary("3.0", 0.20);
    return status;
  }

  absl::Status make_nodes() {
    int number = 0;
    for (const char* role : kRoles) {
      for (int i = 1; i <= kNodesPerRole; ++i) {
        const Json registration = scenery_.node(role, i, ++number);
        absl::Status status =
            await_done(client_.executor(), [&](auto done) { client_.catalog_register(registration, {}, done); });
        if (!status.ok()) return status;
      }
    }
    story_.nodes = number;
    setting_.say(fmt::format("{} nodes in two roles registered", number));
    return absl::OkStatus();
  }

  absl::Status first_deployment() {
    roles_ = scenery_.first_roles();
    error_rates_["1.0"] = 0.001;
    absl::StatusOr<std::size_t> steps = want_and_converge("web 1.0 and api 1.0");
    if (!steps.ok()) return steps.status();
    story_.converge_steps = *steps;
    return absl::OkStatus();
  }

  // The new version goes to the slice that serves nobody, then the evidence decides whether that slice takes over.
  absl::Status deploy_by_canary(const std::string& version, double error_rate) {
    setting_.say("");
    setting_.say(fmt::format("api {} -> {}: fails {:.2f} % of its requests, which nobody has told the library",
                             roles_.stable_version, version, error_rate * 100));
    roles_.candidate_version = version;
    error_rates_[version] = error_rate;
    absl::StatusOr<std::size_t> steps =
        want_and_converge(fmt::format("api {} beside {}", version, roles_.stable_version));
    if (!steps.ok()) return steps.status();
    absl::StatusOr<CanaryState> end = run_rollout(version);
    if (!end.ok()) return end.status();
    if (end->phase == CanaryPhase::kSucceeded) {
      std::swap(roles_.stable, roles_.candidate);
      roles_.stable_version = version;
      roles_.candidate_version.clear();
    }
    return absl::OkStatus();
  }

  absl::StatusOr<CanaryState> run_rollout(const std::string& version) {
    RolloutStory& rollout = story_.rollouts.emplace_back();
    rollout.title = fmt::format("api {} -> {}", roles_.stable_version, version);
    TrafficMeter meter(client_, error_rates_, setting_.requests_per_interval, random_);
    std::size_t told = 0;
    RolloutOptions options;
    options.prefix = setting_.prefix;
    options.on_change = [&](const CanaryState& state) {
      for (; told < state.history.size(); ++told) tell_decision(state.history[told], rollout);
    };
    meter.on_sample = [&](Sample sample, Time at) {
      sample.seconds = seconds(at);
      sample.stable_version = roles_.stable_version;
      sample.candidate_version = version;
      tell_sample(sample);
      rollout.samples.push_back(std::move(sample));
    };
    RolloutDriver driver(client_, meter, scenery_.name("api"), std::move(options));
    const StartRollout start{setting_.prefix + "-" + version, version, "demo"};
    auto end = wait<CanaryState>(
        [&](auto done) { driver.start(scenery_.policy(roles_, setting_.interval, setting_.settle), start, done); });
    if (!end.ok()) return end;
    rollout.outcome = end->phase == CanaryPhase::kSucceeded ? "promoted" : "rolled back";
    setting_.say(fmt::format("api {}: {}", version, rollout.outcome));
    return end;
  }

  void tell_sample(const Sample& sample) {
    setting_.say(fmt::format("  {:5.1f} %  {} {:6.2f} % of {:5}   {} {:6.2f} % of {:5}   user {:6.2f} % of {:5}",
                             sample.candidate_weight, sample.stable_version, success_percent(sample.stable),
                             sample.stable.requests, sample.candidate_version, success_percent(sample.candidate),
                             sample.candidate.requests, success_percent(sample.user), sample.user.requests));
  }

  void tell_decision(const CanaryRecord& record, RolloutStory& rollout) {
    Decision decision{seconds(record.at), std::string(to_string(record.phase)), record.weight / 100.0, record.why};
    setting_.say(fmt::format("  {:7.1f} s  {:12} weight {:g} %: {}", decision.seconds, decision.phase,
                             decision.candidate_weight, decision.why));
    rollout.decisions.push_back(std::move(decision));
  }

  // Writes the desired documents, then converges; whenever the plan waits for instances to pass, the nodes of the model
  // start what was registered on them. Returns how many steps were done.
  absl::StatusOr<std::size_t> want_and_converge(const std::string& what) {
    absl::Status written = write_desired(scenery_.desired(roles_));
    if (!written.ok()) return written;
    std::size_t steps = 0;
    for (int pass = 0; pass < 10; ++pass) {
      absl::StatusOr<ConvergeReport> report = converge_and_show(false);
      if (!report.ok()) return report.status();
      steps += report->steps_done;
      absl::StatusOr<int> started = start_registered_instances();
      if (!started.ok()) return started.status();
      if (report->last_plan.steps.empty() && *started == 0) {
        setting_.say(fmt::format("{}: converged in {} steps, the plan is empty", what, steps));
        return steps;
      }
    }
    return absl::DeadlineExceededError(what + ": the plan did not become empty");
  }

  absl::StatusOr<ConvergeReport> converge_and_show(bool prune) {
    ConvergeOptions options;
    options.prefix = setting_.prefix;
    options.plan.owner = setting_.prefix;
    options.plan.prune = prune;
    return wait<ConvergeReport>([&](auto done) {
      converge_once(
          client_, options,
          [&](const ConvergeProgress& progress) {
            setting_.progress(fmt::format("  converging: round {}, step {} of {}{}", progress.round, progress.done,
                                          progress.plan.steps.size(),
                                          progress.step ? "  " + progress.step->step : std::string()));
          },
          done);
    });
  }

  absl::Status write_desired(const DesiredState& desired) {
    const std::vector<KvPair> pairs = desired_to_kv(desired, setting_.prefix);
    auto present =
        wait<Answer<std::vector<KvPair>>>([&](auto done) { client_.kv_recurse(setting_.prefix + "/", {}, done); });
    if (!present.ok()) return present.status();
    for (const KvPair& pair : pairs) {
      auto same_key = [&](const KvPair& other) { return other.key == pair.key; };
      auto old = std::find_if(present->value.begin(), present->value.end(), same_key);
      const std::uint64_t cas = old == present->value.end() ? 0 : old->modify_index;
      auto put = wait<bool>([&](auto done) { client_.kv_put({pair.key, pair.value, 0, cas, "", ""}, {}, done); });
      if (!put.ok()) return put.status();
      if (!*put) return absl::AbortedError(pair.key + ": somebody else writes below the demo's prefix");
    }
    return absl::OkStatus();
  }

  // What the agents on the nodes do in a real fleet: run the service and report its check. Returns how many were
  // started.
  absl::StatusOr<int> start_registered_instances() {
    int started = 0;
    for (const char* role : kRoles) {
      auto rows = wait<Answer<std::vector<HealthRow>>>(
          [&](auto done) { client_.health_service(scenery_.name(role), {}, done); });
      if (!rows.ok()) return rows.status();
      for (const HealthRow& row : rows->value) {
        for (HealthCheck check : row.checks) {
          if (check.status == CheckStatus::kPassing || check.service_id.empty()) continue;
          check.status = CheckStatus::kPassing;
          const Json update = Json()
                                  .set("Node", row.node.name)
                                  .set("Address", row.node.address)
                                  .set("SkipNodeUpdate", true)
                                  .set("Check", to_json(check));
          absl::Status status =
              await_done(client_.executor(), [&](auto done) { client_.catalog_register(update, {}, done); });
          if (!status.ok()) return status;
          ++started;
        }
      }
    }
    return started;
  }

  absl::Status remove_everything() {
    auto removed = wait<bool>([&](auto done) { client_.kv_delete_tree(setting_.prefix + "/", {}, done); });
    if (!removed.ok()) return removed.status();
    absl::StatusOr<ConvergeReport> pruned = converge_and_show(true);
    if (!pruned.ok()) return pruned.status();
    int number = 0;
    for (const char* role : kRoles) {
      for (int i = 1; i <= kNodesPerRole; ++i) {
        const Json node = Json().set("Node", *scenery_.node(role, i, ++number).find("Node"));
        absl::Status status =
            await_done(client_.executor(), [&](auto done) { client_.catalog_deregister(node, {}, done); });
        if (!status.ok()) return status;
      }
    }
    return absl::OkStatus();
  }

  ConsulClient& client_;
  const Setting& setting_;
  Scenery scenery_;
  Random random_;
  Time began_;
  Roles roles_;
  ErrorRates error_rates_;
  Story story_;
};

}  // namespace

absl::StatusOr<Story> tell(ConsulClient& client, const Setting& setting) { return Teller(client, setting).tell(); }

}  // namespace demo
