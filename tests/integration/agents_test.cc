// Six agents in processes of their own race for a budget of two on a real Consul, and each of them is killed at some
// point of every roll-out: all points, one after the other.
#include <doctest/doctest.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>
#include <fstream>
#include <iterator>
#include <map>
#include <set>
#include <vector>

#include "convergence/codec.h"
#include "fmt/format.h"
#include "tests/integration/real_consul.h"
#include "tests/support/status_check.h"
#include "tests/support/temporary_directory.h"

extern char** environ;

namespace convergence {
namespace {

using test::real_consul;
using Rows = Answer<std::vector<HealthRow>>;

constexpr int kAgents = 6;
constexpr std::int32_t kBudget = 2;
constexpr const char* kKey = "convergence/desired/web/web/none";

std::string name_of(int agent) { return fmt::format("n{}", agent + 1); }

// The points of one deployment, in their order.
std::vector<std::string> points() {
  Task task;
  task.next.release.package.source = "p";
  task.previous = task.next;
  std::vector<std::string> out;
  std::vector<std::string> effects = {"remember", "write-desired"};
  for (const StageRow& row : stages_of(task)) {
    if (row.stage != Stage::kAwait) effects.emplace_back(to_string(row.stage));
  }
  for (const std::string& effect : effects) {
    for (const char* when : {"before ", "after "}) out.push_back(when + effect);
  }
  return out;
}

class Fleet {
 public:
  explicit Fleet(std::string folder) : folder_(std::move(folder)) {}
  ~Fleet() { end_all(); }

  void start(int agent, const std::string& kill) {
    std::vector<std::string> arguments = {CONVERGENCE_AGENT_PROCESS, real_consul().server->address(), folder_,
                                          name_of(agent), kill};
    std::vector<char*> argv;
    for (std::string& argument : arguments) argv.push_back(argument.data());
    argv.push_back(nullptr);
    pid_t pid = 0;
    REQUIRE(posix_spawn(&pid, CONVERGENCE_AGENT_PROCESS, nullptr, nullptr, argv.data(), environ) == 0);
    running_[pid] = agent;
  }

  // Those that were killed begin again, and are left alone then; but for those that are not to.
  void revive(const std::set<int>& dead = {}) {
    int status = 0;
    for (pid_t pid = 0; (pid = waitpid(-1, &status, WNOHANG)) > 0;) {
      auto found = running_.find(pid);
      if (found == running_.end()) continue;
      const int agent = found->second;
      running_.erase(found);
      CHECK((WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL));
      ++killed;
      if (!dead.contains(agent)) start(agent, "-");
    }
  }

  void end_all() {
    for (const auto& [pid, agent] : running_) {
      ::kill(pid, SIGKILL);
      waitpid(pid, nullptr, 0);
    }
    running_.clear();
  }

  std::string runs(const std::string& node) const {
    std::ifstream file(folder_ + "/" + node + ".json");
    const std::string text((std::istreambuf_iterator<char>(file)), std::istreambuf_iterator<char>());
    const absl::StatusOr<Json> json = parse_json(text, node);
    const Json* running = json.ok() ? json->find("running") : nullptr;
    return running ? *running->as_string() : "";
  }

  int killed = 0;

 private:
  const std::string folder_;
  std::map<pid_t, int> running_;
};

DesiredService wanted() {
  using Pair = Answer<std::optional<KvPair>>;
  const auto pair = real_consul().wait<Pair>([](auto done) { real_consul().client->kv_get(kKey, {}, done); });
  REQUIRE_OK(pair);
  if (!pair->value) return {};
  absl::StatusOr<DesiredRead> read = desired_from_kv({*pair->value}, "convergence");
  REQUIRE_OK(read);
  return read->desired.services.at(0);
}

// The next version, by compare-and-set, as an operator's command writes it.
void want(int version) {
  DesiredService service = wanted();
  service.name = "web";
  service.placement.role = "web";
  service.release.version = fmt::format("{}.0", version);
  service.release.package.source = "file:///web.zip";
  service.release.checks.resize(1);
  service.release.checks[0].name = "alive";
  service.release.checks[0].ttl = std::chrono::hours(1);
  service.generation = static_cast<std::uint64_t>(version);
  service.strategy.max_unavailable = kBudget;
  service.strategy.first_wave = 0;
  DesiredState state;
  state.services = {service};
  real_consul().put_kv(kKey, desired_to_kv(state, "convergence").front().value);
}

// Looks at the service once, as the Consul agents of its nodes would: an instance passes while the process of its
// deployment runs. Returns how many do not.
std::int32_t look(const Fleet& fleet, std::uint64_t& index, std::set<std::string>& down) {
  ReadOptions options;
  options.wait_index = index;
  options.wait = std::chrono::milliseconds(100);
  const auto rows =
      real_consul().wait<Rows>([&](auto done) { real_consul().client->health_service("web", options, done); });
  REQUIRE_OK(rows);
  index = rows->index;
  down.clear();
  for (const HealthRow& row : rows->value) {
    if (worst_status(row.checks, {}) != CheckStatus::kPassing) down.insert(row.node.name);
    const bool passes = fleet.runs(row.node.name) == row.instance.meta.at("deployment");
    for (HealthCheck check : row.checks) {
      if (check.id.starts_with("_") || (check.status == CheckStatus::kPassing) == passes) continue;
      check.status = passes ? CheckStatus::kPassing : CheckStatus::kCritical;
      Json json = to_json(check);
      Json body;
      body.set("Node", row.node.name).set("Address", "127.0.0.1").set("SkipNodeUpdate", true).set("Check", json);
      // A registration that comes between makes it false; the next look mends it.
      const auto put = await_done(*real_consul().executor,
                                  [&](auto done) { real_consul().client->catalog_register(body, {}, done); });
      REQUIRE_OK(put);
    }
  }
  return static_cast<std::int32_t>(down.size());
}

bool is_done() {
  const DesiredService now = wanted();
  return now.progress.phase == FleetPhase::kDone && now.progress.generation == now.generation;
}

// Looks on until `arrived`, and at every look that the budget holds.
template <typename Arrived>
void watch(Fleet& fleet, std::int32_t budget, const std::set<int>& dead, Arrived arrived) {
  std::uint64_t index = 0;
  std::set<std::string> down;
  const auto patience = std::chrono::steady_clock::now() + std::chrono::minutes(2);
  do {
    const std::int32_t are_down = look(fleet, index, down);
    fleet.revive(dead);
    REQUIRE(are_down <= budget);
    REQUIRE(std::chrono::steady_clock::now() < patience);  // a hang, not a measure
  } while (!arrived(down));
}

bool all_run(const Fleet& fleet, const std::string& deployment, const std::set<int>& but = {}) {
  for (int agent = 0; agent < kAgents; ++agent) {
    if (!but.contains(agent) && fleet.runs(name_of(agent)) != deployment) return false;
  }
  return true;
}

TEST_CASE("six agents, killed at every point, never take down more than two, and all arrive") {
  test::TemporaryDirectory folder;
  for (int agent = 0; agent < kAgents; ++agent) real_consul().add_node(name_of(agent), "web");
  const std::vector<std::string> all = points();
  const int rollouts = (static_cast<int>(all.size()) + kAgents - 1) / kAgents;
  Fleet fleet(folder.path());
  int version = 1;
  for (; version <= 1 + rollouts; ++version) {
    CAPTURE(version);
    for (int agent = 0; agent < kAgents; ++agent) {
      const std::size_t point = static_cast<std::size_t>((version - 2) * kAgents + agent);
      fleet.start(agent, version > 1 && point < all.size() ? all[point] : "-");
    }
    want(version);
    const std::string deployment = fmt::format("{}.0@{}", version, version);
    watch(fleet, version > 1 ? kBudget : kAgents, {},
          [&](const std::set<std::string>& down) { return down.empty() && all_run(fleet, deployment) && is_done(); });
    fleet.end_all();
  }
  // Who loses each race to write the document never comes to that point.
  CHECK(fleet.killed >= static_cast<int>(all.size()) - 2);

  // One that dies with its instance down and is not begun again: its session expires, the others go on with what is
  // left of the budget, and it arrives when it comes back.
  for (int agent = 0; agent < kAgents; ++agent) fleet.start(agent, agent == 2 ? "after stop" : "-");
  want(version);
  const std::string deployment = fmt::format("{}.0@{}", version, version);
  watch(fleet, kBudget, {2},
        [&](const auto& down) { return down == std::set<std::string>{name_of(2)} && all_run(fleet, deployment, {2}); });
  CHECK(fleet.runs(name_of(2)) == "");
  fleet.start(2, "-");
  watch(fleet, kBudget, {}, [&](const auto& down) { return down.empty() && all_run(fleet, deployment) && is_done(); });
}

}  // namespace
}  // namespace convergence
