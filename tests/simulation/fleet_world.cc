#include "tests/simulation/fleet_world.h"

#include <doctest/doctest.h>

#include <algorithm>
#include <utility>

#include "convergence/codec.h"
#include "fmt/format.h"

namespace convergence::test {
namespace {

using std::chrono::seconds;

// An agent that has read the budget may go by it for so long.
constexpr Duration kJustLost = std::chrono::minutes(2);

std::string key_of(const std::string& service) { return "convergence/desired/web/" + service + "/none"; }

const std::string& meta_of(const MemoryService& service, const std::string& name) {
  static const std::string none;
  if (!service.meta) return none;
  const auto found = service.meta->find(name);
  return found == service.meta->end() ? none : found->second;
}

Json row_of(Json::Object members) { return Json(std::move(members)); }

}  // namespace

FleetWorld::~FleetWorld() {
  for (auto& [name, machine] : machines_) machine.agent.reset();
}

void FleetWorld::add(const std::string& name) {
  add_node(name, "web");
  Machine& machine = machines_[name];
  machine.node = std::make_unique<MadeUpNode>(executor, name);
  machine.node->on_stop = [&machine] { machine.busy.clear(); };
  machine.node->on_work = [this, name](const Work& work, bool done) { note_work(name, work, done); };
  const std::optional<DesiredService> web = wanted("web");
  machine.late = web && web->last_good;
  start(name);
}

void FleetWorld::start(const std::string& name) {
  Machine& machine = machines_.at(name);
  machine.node->dead = false;
  machine.busy.clear();
  AgentOptions options;
  options.role = "web";
  options.session_ttl = seconds(15);
  options.spread = seconds(1);
  options.config.node = name;
  Node node;
  node.name = name;
  node.address = "10.0.0.1";
  node.meta = {{"role", "web"}};
  options.catalog_node = node;
  options.on_step = [this, name](const AgentStep&) {
    ++events;
    look(name);
  };
  options.probe = [this, name](std::string_view) { probe(name); };
  machine.cut = std::make_shared<bool>(false);
  ConsulClient& agents_client = new_client([this, cut = machine.cut](std::uint64_t, const HttpRequest&) {
    Fault fault;
    if (*cut) fault.kind = Fault::Kind::kStall;
    if (away) fault.kind = Fault::Kind::kFailBefore;
    return fault;
  });
  machine.agent = std::make_unique<AgentDriver>(agents_client, *machine.node, machine.node->memory(), options);
  machine.agent->run([](const absl::Status& status) { CHECK(status.ToString() == "OK"); });
}

void FleetWorld::want(DesiredService service) {
  if (const std::optional<DesiredService> there = wanted(service.name)) {
    service.last_good = there->last_good;
    service.generation = there->generation + 1;
    service.progress = there->progress;
  }
  DesiredState state;
  state.services = {service};
  put_kv(key_of(service.name), desired_to_kv(state, "convergence").front().value);
}

std::optional<DesiredService> FleetWorld::wanted(const std::string& service) const {
  const auto pair = consul.state().kv.find(key_of(service));
  if (pair == consul.state().kv.end()) return std::nullopt;
  absl::StatusOr<DesiredRead> read = desired_from_kv({pair->second}, "convergence");
  REQUIRE(read.ok());
  REQUIRE(read->desired.services.size() == 1);
  return read->desired.services[0];
}

// ---- faults ------------------------------------------------------------------------------------------------------

void FleetWorld::kill_at(const std::string& name, int effects, Duration again_after) {
  machines_.at(name).effects_left = effects;
  machines_.at(name).again_after = again_after;
}

void FleetWorld::probe(const std::string& name) {
  Machine& machine = machines_.at(name);
  if (!machine.effects_left || (*machine.effects_left)-- > 0) return;
  machine.effects_left.reset();
  // Its driver is in the middle of a step: from now on nothing of it arrives anywhere.
  *machine.cut = true;
  machine.node->dead = true;
  executor.post([this, name] { die(name); });
  executor.post_at(executor.now() + machine.again_after, [this, name] {
    Machine& again = machines_.at(name);
    if (!again.agent && !again.lost) start(name);
  });
}

void FleetWorld::die(const std::string& name) {
  Machine& machine = machines_.at(name);
  *machine.cut = true;
  machine.node->dead = true;
  machine.agent.reset();
}

void FleetWorld::lose(const std::string& name) {
  Machine& machine = machines_.at(name);
  if (machine.lost) return;
  machine.lost = true;
  machine.lost_at = executor.now();
  die(name);
  machine.node->power_off();
  count(name);
  const Json check = row_of(
      {{"Node", Json(name)}, {"CheckID", Json("serfHealth")}, {"Name", Json("serf")}, {"Status", Json("critical")}});
  const Json body =
      row_of({{"Node", Json(name)}, {"Address", Json("10.0.0.1")}, {"SkipNodeUpdate", Json(true)}, {"Check", check}});
  client.catalog_register(body, {}, [this, name](const absl::Status&) { look(name); });
}

void FleetWorld::find(const std::string& name) {
  Machine& machine = machines_.at(name);
  if (!machine.lost) return;
  machine.lost = false;
  machine.node->power_on();
  count(name);
  const Json body = row_of({{"Node", Json(name)}, {"CheckID", Json("serfHealth")}});
  client.catalog_deregister(body, {}, [this, name](const absl::Status&) { run_checks(name); });
  start(name);
}

// ---- checks ------------------------------------------------------------------------------------------------------

void FleetWorld::check_soon(const std::string& name, Duration after) {
  if (std::exchange(machines_.at(name).checks_due, true)) return;
  executor.post_at(executor.now() + after, [this, name] {
    machines_.at(name).checks_due = false;
    run_checks(name);
  });
}

// As the Consul agent of the node would, soon after something has changed there.
void FleetWorld::run_checks(const std::string& name) {
  if (machines_.at(name).lost) return;
  const MemoryConsulState& state = consul.state();
  for (const char* service : {"web", "side"}) {
    const auto there = state.services.find({name, service});
    if (there == state.services.end()) continue;
    const std::string& deployment = meta_of(there->second, "deployment");
    const bool passes = node(name).running(service) == deployment && !ill.contains(deployment);
    const auto checks = state.checks_of.find({name, service});
    if (checks == state.checks_of.end()) continue;
    for (const std::string& id : checks->second) {
      const MemoryCheck& check = state.checks.at({name, id});
      if (id.starts_with("_") || (check.status == "passing") == passes) continue;
      const Json row = row_of({{"Node", Json(name)},
                               {"CheckID", Json(check.id)},
                               {"Name", Json(check.name)},
                               {"ServiceID", Json(check.service_id)},
                               {"Status", Json(passes ? "passing" : "critical")}});
      const Json body =
          row_of({{"Node", Json(name)}, {"Address", Json("10.0.0.1")}, {"SkipNodeUpdate", Json(true)}, {"Check", row}});
      client.catalog_register(body, {}, [this, name](const absl::Status&) { look(name); });
    }
  }
  look(name);
}

// ---- what must hold ----------------------------------------------------------------------------------------------

void FleetWorld::breach(const std::string& what) {
  if (breaches.size() < 20) breaches.push_back(what);
}

void FleetWorld::note_work(const std::string& name, const Work& work, bool done) {
  Machine& machine = machines_.at(name);
  const std::string& service = work.service_id;
  if (!done) {
    if (!machine.busy.empty() && machine.busy != service) breach(name + ": two services at once");
    machine.busy = service;
    if (work.stage != Stage::kStart && work.stage != Stage::kBackStart) return;
    // A release that is not proven begins only where its turn is, and never on a node that came later.
    const std::optional<DesiredService> now = wanted(service);
    const std::string& deployment = work.subject.deployment;
    if (now->last_good) proven_[service].insert(now->last_good->deployment);
    if (proven_[service].contains(deployment) || !now->last_good || deployment_key(*now) != deployment) return;
    const auto& wave = now->progress.first_wave;
    if (now->progress.phase != FleetPhase::kRest && std::ranges::find(wave, name) == wave.end()) {
      breach(fmt::format("{}: {} began outside of the first wave", name, deployment));
    }
    const bool fresh = !machine.node->memory().installed.contains(service);
    if (fresh && machine.late) breach(fmt::format("{}: came late and gets {}, unproven", name, deployment));
    return;
  }
  machine.busy.clear();
  count(name);
  const bool changes = work.stage == Stage::kStop || work.stage == Stage::kStart || work.stage == Stage::kBackStop ||
                       work.stage == Stage::kBackStart;
  if (changes) check_soon(name, std::chrono::milliseconds(500 + random() % 500));
}

void FleetWorld::count(const std::string& name) {
  for (const char* service : {"web", "side"}) {
    std::string& counted = instances_[{name, service}].running;
    const std::string runs = node(name).running(service);
    if (counted == runs) continue;
    --run_[service][counted];
    ++run_[service][runs];
    counted = runs;
  }
}

void FleetWorld::look(const std::string& name) {
  look(name, "web");
  look(name, "side");
}

void FleetWorld::look(const std::string& name, const std::string& service) {
  const MemoryConsulState& state = consul.state();
  const std::pair<std::string, std::string> key(name, service);
  const auto row = state.services.find(key);
  Instance& before = instances_[key];
  Instance now = before;
  now.registered = row != state.services.end();
  now.passes = now.registered;
  now.quiet = false;
  for (const auto& of : {key, std::pair<std::string, std::string>(name, "")}) {
    const auto checks = state.checks_of.find(of);
    if (checks == state.checks_of.end()) continue;
    for (const std::string& id : checks->second) {
      if (state.checks.at({name, id}).status != "passing") now.passes = false;
      if (id.starts_with("_service_maintenance:")) now.quiet = true;
    }
  }
  if (now.passes && !now.passed) passed_at[service] = executor.now();
  now.passed = now.passed || now.passes;
  if (before.passed && before.registered && !now.registered) breach(name + ": deregistered");
  auto& down = down_[service];
  if (now.passes) {
    down.erase(name);
  } else if (now.passed) {
    down.insert(name);
  }
  // An agent takes down what passes: then at most so many are down, with those that were down for some time.
  if (before.passes && now.quiet && !before.quiet) {
    const auto others = std::ranges::count_if(down, [&](const std::string& other) {
      const Machine& machine = machines_.at(other);
      return other != name && !(machine.lost && executor.now() - machine.lost_at < kJustLost);
    });
    most_down = std::max<std::int64_t>(most_down, others + 1);
    const std::int32_t budget = wanted(service)->strategy.max_unavailable;
    if (others + 1 > budget) breach(fmt::format("{}: {} of {} are down, {} may be", name, others + 1, service, budget));
  }
  before = now;
  // A new registration is looked at by its checks.
  if (now.passes || !now.registered || machines_.at(name).lost) return;
  const std::string& deployment = meta_of(row->second, "deployment");
  if (deployment == now.running && !ill.contains(deployment)) check_soon(name, seconds(1));
}

// ---- looking on --------------------------------------------------------------------------------------------------

std::vector<std::string> FleetWorld::names() const {
  std::vector<std::string> out;
  for (const auto& [name, machine] : machines_) out.push_back(name);
  return out;
}

std::int64_t FleetWorld::running(const std::string& service, const std::string& deployment) const {
  const auto of = run_.find(service);
  if (of == run_.end()) return 0;
  const auto found = of->second.find(deployment);
  return found == of->second.end() ? 0 : found->second;
}

bool FleetWorld::all_run(const std::string& service, const std::string& deployment) const {
  return running(service, deployment) == static_cast<std::int64_t>(machines_.size());
}

}  // namespace convergence::test
