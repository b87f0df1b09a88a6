#include "lib/agent/turns.h"

#include <algorithm>
#include <bit>
#include <utility>

#include "fmt/format.h"
#include "lib/base/fnv.h"

namespace convergence::agent {
namespace {

constexpr std::int32_t kLooksAPoll = 2;
constexpr std::int32_t kTriesASlot = 4;
constexpr std::int32_t kUnknownFleet = 1 << 17;  // as many nodes as a fleet of which nothing is known may have

// A number that is the node's own for this service: FNV-1a, its bits mixed by the finaliser of splitmix64.
std::uint64_t own_number(const DesiredService& service, std::string_view node) {
  std::uint64_t hash = kFnvStart;
  const auto add = [&](std::string_view text) { hash = fnv1a("\xff", fnv1a(text, hash)); };
  add(service.placement.role);
  add(service.name);
  add(to_string(service.slice));
  add(node);
  hash = (hash ^ (hash >> 30)) * 0xbf58476d1ce4e5b9u;
  hash = (hash ^ (hash >> 27)) * 0x94d049bb133111ebu;
  return hash ^ (hash >> 31);
}

// The first time after `after` of those that the node has once in each `period`.
Time own_time(std::uint64_t number, Duration period, Time after) {
  const auto every = static_cast<std::uint64_t>(period.count());
  const std::uint64_t since = static_cast<std::uint64_t>(after.time_since_epoch().count()) - number % every;
  return after + Duration(static_cast<std::int64_t>(every - since % every));
}

// A part of `poll`: of the 2^k nodes of a fleet half come in the last of k + 1 equal parts of it, a quarter in the one
// before, and about one in the first two.
Duration feedback_delay(std::uint64_t number, std::int32_t nodes, Duration poll) {
  const int slots = 32 - std::countl_zero(static_cast<std::uint32_t>(nodes - 1));
  if (slots == 0) return Duration::zero();
  const int slot = std::max(0, slots - std::countl_zero(number));
  const Duration length = poll / (slots + 1);
  const std::uint64_t within = (number & 0xffff) * static_cast<std::uint64_t>(length.count()) / 0x10000;
  return length * slot + Duration(static_cast<std::int64_t>(within));
}

}  // namespace

Time next_look(const DesiredService& service, std::string_view node, std::int32_t nodes, Duration poll, Time after) {
  const std::uint64_t number = own_number(service, node);
  if (!knows_release(service)) return after + feedback_delay(number, nodes > 0 ? nodes : kUnknownFleet, poll);
  return own_time(number, poll * std::max(kLooksAPoll, nodes) / kLooksAPoll, after);
}

Time next_turn(const DesiredService& service, std::string_view node, Duration retry, Time after) {
  const FleetProgress& progress = service.progress;
  const std::int32_t at_once = kTriesASlot * std::max(1, service.strategy.max_unavailable);
  const bool first = knows_release(service) && progress.phase != FleetPhase::kReverted &&
                     std::ranges::find(progress.first_wave, node) != progress.first_wave.end();
  if (first || progress.nodes <= at_once) return after;
  return own_time(own_number(service, node), retry * progress.nodes / at_once, after);
}

namespace {

Time look_after(const AgentState& state, const DesiredService& service, const FleetLook& last) {
  const std::int32_t nodes = std::max(service.progress.nodes, last.nodes);
  return next_look(service, state.config.node, nodes, state.config.fleet_poll, state.last_event_at);
}

// A new release that a look has not begun is looked at again, but not at once.
Time look_again(const AgentState& state, const DesiredService& service, const FleetLook& last) {
  return look_after(state, service, last) + (knows_release(service) ? Duration::zero() : state.config.fleet_poll);
}

bool in_same_phase(const DesiredService& a, const DesiredService& b) {
  return a.progress.generation == b.progress.generation && a.progress.phase == b.progress.phase &&
         a.progress.since == b.progress.since;
}

}  // namespace

void want(AgentState& state, std::vector<DesiredService> services) {
  std::map<std::string, FleetLook> looks;
  for (const DesiredService& service : services) {
    if (service.action != DesiredAction::kInstall || !is_under_way(service)) continue;
    const std::string id = service_id(service);
    const auto before =
        std::ranges::find(state.services, id, [](const DesiredService& one) { return service_id(one); });
    const auto look = state.looks.find(id);
    const bool watched = before != state.services.end() && look != state.looks.end() &&
                         before->generation == service.generation && in_same_phase(*before, service);
    const bool same = watched && before->progress == service.progress;
    const Time since = watched ? look->second.since : state.last_event_at;
    looks[id] = same ? look->second : FleetLook{look_after(state, service, {}), 0, since};
  }
  state.services = std::move(services);
  state.looks = std::move(looks);
}

std::vector<std::string> looks_due(AgentState& state) {
  std::vector<std::string> due;
  for (const DesiredService& service : state.services) {
    const auto look = state.looks.find(service_id(service));
    if (look == state.looks.end() || look->second.at > state.last_event_at) continue;
    due.push_back(look->first);
    look->second.at = look_again(state, service, look->second);
  }
  return due;
}

void looked(AgentState& state, const DesiredService& service, const ServiceFleet& fleet) {
  const auto look = state.looks.find(service_id(service));
  if (look == state.looks.end()) return;
  look->second.nodes = static_cast<std::int32_t>(fleet.nodes.size());
  look->second.at = look_again(state, service, look->second);
}

Duration watched(const AgentState& state, const DesiredService& service) {
  const auto look = state.looks.find(service_id(service));
  return look == state.looks.end() ? Duration::zero() : state.last_event_at - look->second.since;
}

void await_turn(AgentState& state, const NodeDecision& decision) {
  const bool takes_down = decision.action == NodeAction::kUpgrade || decision.action == NodeAction::kRedeploy;
  if (!takes_down || !decision.service) return;
  const DesiredService& service = state.services[*decision.service];
  const Time turn = next_turn(service, state.config.node, state.config.retry, state.last_event_at);
  if (turn <= state.last_event_at) return;
  state.parked[decision.service_id] = {turn, fmt::format("its turn among {} nodes comes", service.progress.nodes)};
}

Time try_again_at(const AgentState& state, const Task& task) {
  const Time soon = state.last_event_at + state.config.retry;
  if (task.stage != Stage::kAcquire) return soon;
  const auto service =
      std::ranges::find(state.services, task.service_id, [](const DesiredService& one) { return service_id(one); });
  if (service == state.services.end()) return soon;
  return std::max(soon, next_turn(*service, state.config.node, state.config.retry, state.last_event_at));
}

bool unpark(AgentState& state) {
  bool any = false;
  for (auto& [id, parked] : state.parked) {
    if (parked.over || parked.until > state.last_event_at) continue;
    parked.over = any = true;
  }
  return any;
}

Time next_of(const AgentState& state) {
  Time next = kNever;
  for (const auto& [id, look] : state.looks) next = std::min(next, look.at);
  for (const auto& [id, parked] : state.parked) {
    if (!parked.over) next = std::min(next, parked.until);
  }
  return next;
}

}  // namespace convergence::agent
