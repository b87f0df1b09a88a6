#include "tests/simulation/deploy_world.h"

#include <doctest/doctest.h>

#include <algorithm>

#include "convergence/codec.h"
#include "fmt/format.h"

namespace convergence::test {
namespace {

// How long the stages of a made-up node take.
Duration length_of(Stage stage) { return stage == Stage::kFetch ? std::chrono::seconds(5) : std::chrono::seconds(1); }

constexpr const char* kKey = "convergence/desired/web/web/none";

}  // namespace

std::string MadeUpNode::running(const std::string& service_id) const {
  auto found = running_.find(service_id);
  return found == running_.end() ? "nothing" : found->second;
}

std::vector<std::string> MadeUpNode::damaged(const AgentMemory& memory) {
  std::vector<std::string> out;
  for (const auto& [id, installed] : memory.installed) {
    auto found = files_.find(id);
    if (found == files_.end() || found->second != installed.deployment) out.push_back(id);
  }
  return out;
}

void MadeUpNode::carry_out(const Work& work, Done done) {
  if (dead) return;
  if (on_work) on_work(work, false);
  executor_.post_at(executor_.now() + length_of(work.stage), [this, work, done = std::move(done)] {
    if (dead || stopped_.contains(work.id)) return;
    WorkDone out;
    out.id = work.id;
    const std::string& id = work.service_id;
    const std::string& deployment = work.subject.deployment;
    if (auto found = broken.find({work.stage, deployment}); found != broken.end()) {
      out.ok = false;
      out.problem = found->second;
      if (on_work) on_work(work, true);
      return done(std::move(out));
    }
    switch (work.stage) {
      case Stage::kCheckNode:
        out.facts = NodeFacts{1000, 1000, ""};
        break;
      case Stage::kCheckPackage:
        out.spec = AppSpec();
        break;
      case Stage::kPlaceAside:
        out.undo = Json(files_.contains(id) ? files_.at(id) : "");
        break;
      case Stage::kStop:
      case Stage::kBackStop:
        if (running(id) == deployment) running_.erase(id);
        break;
      case Stage::kSwap:
        files_[id] = deployment;
        break;
      case Stage::kBackSwap:
        files_[id] = *work.subject.undo.as_string();
        break;
      case Stage::kStart:
      case Stage::kBackStart:
        running_[id] = deployment;
        break;
      case Stage::kRemove:
        files_.erase(id);
        break;
      default:
        break;
    }
    if (on_work) on_work(work, true);
    done(std::move(out));
  });
}

DeployWorld::DeployWorld() {
  executor.post_at(executor.now() + std::chrono::seconds(1), [this] { run_checks(); });
}

DeployWorld::~DeployWorld() { agents_.clear(); }

MadeUpNode& DeployWorld::add(const std::string& name) {
  add_node(name, "web");
  nodes_[name] = std::make_unique<MadeUpNode>(executor, name);
  revive(name);
  return *nodes_[name];
}

void DeployWorld::kill(const std::string& name) { agents_.erase(name); }

void DeployWorld::revive(const std::string& name) {
  AgentOptions options;
  options.role = "web";
  options.config.fleet_poll = std::chrono::seconds(10);
  options.session_ttl = std::chrono::seconds(15);
  Node node;
  node.name = name;
  node.address = "10.0.0.1";
  node.meta = {{"role", "web"}};
  options.catalog_node = node;
  options.config.node = name;
  Journal& journal = journals[name] = {options.config, nodes_.at(name)->memory(), {}, {}};
  options.on_event = [&journal](const AgentEvent& event) { journal.events.push_back(to_text(to_json(event))); };
  options.on_step = [&journal](const AgentStep& step) { journal.steps.push_back(step); };
  agents_[name] =
      std::make_unique<AgentDriver>(new_client(spoil), *nodes_.at(name), nodes_.at(name)->memory(), options);
  agents_[name]->run([](const absl::Status& status) { CHECK(status.ToString() == "OK"); });
}

std::optional<DesiredService> DeployWorld::wanted() {
  using Pair = Answer<std::optional<KvPair>>;
  const absl::StatusOr<Pair> pair = wait<Pair>([&](auto done) { client.kv_get(kKey, {}, done); });
  REQUIRE(pair.ok());
  if (!pair->value) return std::nullopt;
  absl::StatusOr<DesiredRead> read = desired_from_kv({*pair->value}, "convergence");
  REQUIRE(read.ok());
  REQUIRE(read->desired.services.size() == 1);
  return read->desired.services[0];
}

void DeployWorld::want(DesiredService service) {
  const std::optional<DesiredService> there = wanted();
  if (there) {
    service.last_good = there->last_good;
    service.generation = there->generation + 1;
    service.progress = there->progress;
  }
  DesiredState state;
  state.services = {service};
  put_kv(kKey, desired_to_kv(state, "convergence").front().value);
}

// As the Consul agents of the nodes would, each second.
void DeployWorld::run_checks() {
  using Rows = Answer<std::vector<HealthRow>>;
  client.health_service("web", {}, [this](const absl::StatusOr<Rows>& rows) {
    if (!rows.ok()) return;
    std::int32_t down = 0;
    for (const HealthRow& row : rows->value) {
      if (worst_status(row.checks, {}) != CheckStatus::kPassing) ++down;
      const std::string& deployment = row.instance.meta.at("deployment");
      const bool passes = nodes_.at(row.node.name)->running("web") == deployment && !ill.contains(deployment);
      for (const HealthCheck& check : row.checks) {
        if (check.service_id.empty() || check.id.starts_with("_") || (check.status == CheckStatus::kPassing) == passes)
          continue;
        Json json = to_json(check);
        json.set("Status", passes ? "passing" : "critical");
        Json body;
        body.set("Node", row.node.name).set("Address", "10.0.0.1").set("SkipNodeUpdate", true).set("Check", json);
        client.catalog_register(body, {}, [](const absl::Status&) {});
      }
    }
    most_down = std::max(most_down, down);
    if (max_down >= 0 && down > max_down && breach.empty()) breach = fmt::format("{} are down: {}", down, running());
  });
  executor.post_at(executor.now() + std::chrono::seconds(1), [this] { run_checks(); });
}

std::string DeployWorld::running() const {
  std::string out;
  for (const auto& [name, node] : nodes_) {
    out += fmt::format("{}{} {}", out.empty() ? "" : ", ", name, node->running("web"));
  }
  return out;
}

bool DeployWorld::all_run(const std::string& deployment) const {
  return std::ranges::all_of(nodes_, [&](const auto& one) { return one.second->running("web") == deployment; });
}

}  // namespace convergence::test
