#include "tests/integration/agent_fleet.h"

#include <doctest/doctest.h>
#include <fmt/format.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <csignal>
#include <fstream>
#include <iterator>
#include <utility>

#include "convergence/codec.h"
#include "tests/integration/real_consul.h"
#include "tests/support/status_check.h"

extern char** environ;

namespace convergence::test {
namespace {

// Before and after each effect, and each time that the stage is remembered.
void add_points(const Task& task, std::vector<std::string>& points) {
  for (const StageRow& row : stages_of(task)) {
    const std::string stage(to_string(row.stage));
    for (const char* when : {"before ", "after "}) {
      points.push_back(fmt::format("{}remember {}", when, stage));
      // What is awaited is no effect.
      if (row.stage != Stage::kAwait && row.stage != Stage::kBackAwait) points.push_back(when + stage);
    }
  }
}

Task upgrade() {
  Task task;
  task.next.release.package.source = "p";
  task.previous = task.next;
  return task;
}

}  // namespace

std::vector<std::string> points_there() {
  std::vector<std::string> points;
  for (const char* what : {"remember end", "collect", "write-desired"}) {
    for (const char* when : {"before ", "after "}) points.push_back(fmt::format("{}{}", when, what));
  }
  add_points(upgrade(), points);
  return points;
}

std::vector<std::string> points_back() {
  Task task = upgrade();
  task.failure = "it does not pass";
  task.failed_stage = Stage::kAwait;
  std::vector<std::string> points;
  add_points(task, points);
  return points;
}

// ---- processes ---------------------------------------------------------------------------------------------------

AgentFleet::AgentFleet(std::string folder, std::string role, int nodes)
    : folder_(std::move(folder)), role_(std::move(role)) {
  for (int i = 0; i < nodes; ++i) add_node();
}

std::string AgentFleet::add_node() {
  nodes_.push_back(fmt::format("{}{:02}", role_, nodes_.size() + 1));
  real_consul().add_node(nodes_.back(), role_);
  return nodes_.back();
}

void AgentFleet::start(const std::string& node, const std::string& kill) {
  std::vector<std::string> arguments = {
      CONVERGENCE_AGENT_PROCESS, real_consul().server->address(), folder_, role_, node, kill};
  std::vector<char*> argv;
  for (std::string& argument : arguments) argv.push_back(argument.data());
  argv.push_back(nullptr);
  pid_t pid = 0;
  REQUIRE(posix_spawn(&pid, CONVERGENCE_AGENT_PROCESS, nullptr, nullptr, argv.data(), environ) == 0);
  running_[pid] = {node, kill};
}

void AgentFleet::start_all() {
  for (const std::string& node : nodes_) start(node);
}

void AgentFleet::kill(const std::string& node) {
  for (const auto& [pid, agent] : running_) {
    if (agent.first == node) ::kill(pid, SIGKILL);
  }
}

void AgentFleet::revive(const std::set<std::string>& dead) {
  int status = 0;
  for (auto at = running_.begin(); at != running_.end();) {
    if (waitpid(at->first, &status, WNOHANG) <= 0) {
      ++at;
      continue;
    }
    const std::string node = at->second.first;
    const std::string point = at->second.second;
    at = running_.erase(at);
    CAPTURE(node);
    CHECK((WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL));
    ++killed;
    reached.insert(point);
    if (!dead.contains(node)) start(node);
  }
}

void AgentFleet::end_all() {
  for (const auto& [pid, agent] : running_) {
    ::kill(pid, SIGKILL);
    waitpid(pid, nullptr, 0);
  }
  running_.clear();
}

// ---- the nodes ---------------------------------------------------------------------------------------------------

std::string AgentFleet::read(const std::string& node) const {
  std::ifstream file(folder_ + "/" + node + ".json");
  return {std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>()};
}

std::string AgentFleet::state_of(const std::string& node, const char* name) const {
  const absl::StatusOr<Json> json = parse_json(read(node), node);
  const Json* value = json.ok() ? json->find(name) : nullptr;
  return value ? *value->as_string() : "";
}

std::string AgentFleet::runs(const std::string& node) const { return state_of(node, "running"); }
std::string AgentFleet::started(const std::string& node) const { return state_of(node, "started"); }

bool AgentFleet::all_run(const std::string& deployment, const std::set<std::string>& but) const {
  return std::ranges::all_of(nodes_,
                             [&](const std::string& node) { return but.contains(node) || runs(node) == deployment; });
}

// ---- what is wanted ----------------------------------------------------------------------------------------------

std::string AgentFleet::key() const { return fmt::format("convergence/desired/{}/{}/none", role_, role_); }

DesiredService AgentFleet::wanted() const {
  using Pair = Answer<std::optional<KvPair>>;
  const auto pair = real_consul().wait<Pair>([this](auto done) { real_consul().client->kv_get(key(), {}, done); });
  REQUIRE_OK(pair);
  if (!pair->value) return {};
  absl::StatusOr<DesiredRead> read = desired_from_kv({*pair->value}, "convergence");
  REQUIRE_OK(read);
  return read->desired.services.at(0);
}

std::string AgentFleet::want(int version, const Strategy& strategy) {
  DesiredState state;
  DesiredService& service = state.services.emplace_back(wanted());
  service.name = role_;
  service.placement.role = role_;
  service.release.version = fmt::format("{}.0", version);
  service.release.package.source = "file:///web.zip";
  service.release.checks.resize(1);
  service.release.checks[0].name = "alive";
  service.release.checks[0].ttl = std::chrono::hours(1);
  service.generation = static_cast<std::uint64_t>(version);
  service.strategy = strategy;
  ConsulClient::KvPut put;
  put.key = key();
  put.cas = service.modify_index;
  put.value = desired_to_kv(state, "convergence").front().value;
  const auto written = real_consul().wait<bool>([&](auto done) { real_consul().client->kv_put(put, {}, done); });
  REQUIRE_OK(written);
  // An agent may have moved the phase on meanwhile.
  return *written ? deployment_key(service) : want(version, strategy);
}

bool AgentFleet::is_in(FleetPhase phase) const {
  const DesiredService now = wanted();
  return now.progress.generation == now.generation && now.progress.phase == phase;
}

// ---- looking on --------------------------------------------------------------------------------------------------

std::set<std::string> AgentFleet::look() {
  ReadOptions options;
  options.consistency = Consistency::kConsistent;  // others see a part of the state while a server begins
  options.wait_index = index_;
  options.wait = std::chrono::milliseconds(100);
  const auto rows = real_consul().wait<Answer<std::vector<HealthRow>>>(
      [&](auto done) { real_consul().client->health_service(role_, options, done); });
  REQUIRE_OK(rows);
  index_ = rows->index;
  std::set<std::string> down;
  std::set<std::string> there;
  for (const HealthRow& row : rows->value) {
    there.insert(row.node.name);
    if (worst_status(row.checks, {}) != CheckStatus::kPassing) down.insert(row.node.name);
    const std::string& deployment = row.instance.meta.at("deployment");
    const bool passes = runs(row.node.name) == deployment && !ill.contains(deployment);
    for (HealthCheck check : row.checks) {
      if (check.id.starts_with("_") || (check.status == CheckStatus::kPassing) == passes) continue;
      check.status = passes ? CheckStatus::kPassing : CheckStatus::kCritical;
      Json body;
      body.set("Node", row.node.name).set("Address", "127.0.0.1").set("SkipNodeUpdate", true);
      body.set("Check", to_json(check));
      // A registration that comes between makes it false; the next look mends it.
      const auto put = await_done(*real_consul().executor,
                                  [&](auto done) { real_consul().client->catalog_register(body, {}, done); });
      REQUIRE_OK(put);
    }
  }
  CAPTURE(fmt::format("{}", fmt::join(there, " ")));
  CHECK(std::ranges::includes(there, registered_));
  registered_ = std::move(there);
  return down;
}

void AgentFleet::watch(std::int32_t budget, const Arrived& arrived, const std::set<std::string>& dead,
                       const std::set<std::string>& free) {
  const auto patience = std::chrono::steady_clock::now() + std::chrono::minutes(2);
  for (bool over = false; !over;) {
    const std::set<std::string> down = look();
    revive(dead);
    const auto counted = std::ranges::count_if(down, [&](const std::string& node) { return !free.contains(node); });
    REQUIRE(counted <= budget);
    if (std::chrono::steady_clock::now() >= patience) {  // a hang, not a measure
      FAIL("down: ", fmt::format("{}", fmt::join(down, " ")), "; wanted: ", to_text(to_json(wanted())),
           "; first: ", to_text(parse_json(read(nodes_.front()), "state").value()));
    }
    over = arrived(down);
  }
}

}  // namespace convergence::test
