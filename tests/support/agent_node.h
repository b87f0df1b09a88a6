#ifndef CONVERGENCE_TESTS_SUPPORT_AGENT_NODE_H_
#define CONVERGENCE_TESTS_SUPPORT_AGENT_NODE_H_

#include <fmt/format.h>

#include <deque>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "convergence/agent.h"

namespace convergence::test {

// A made-up node: its disk, its processes and its local Consul agent as values, and an agent on it that can be killed
// between any two effects. Only `disk` and what the effects did survive that.
class AgentNode {
 public:
  // ---- what is made up
  std::vector<DesiredService> wanted{};
  std::map<std::pair<Stage, std::string>, std::string> broken{};  // {stage, deployment} -> how it fails
  std::set<std::string> ill{};                                    // deployments whose checks never pass
  bool slots_free = true;
  Time now{std::chrono::seconds(1000)};
  std::uint64_t disk_free = 1000;
  AgentConfig config = [] {
    AgentConfig out;
    out.node = "n1";
    out.await_poll = std::chrono::minutes(1);
    return out;
  }();

  // ---- what is there
  AgentMemory disk{};
  std::map<std::string, std::string> running{};  // service id -> deployment whose process runs
  std::map<std::string, std::string> files{};    // service id -> deployment whose files are in place
  std::map<std::string, InstanceState> registered{};
  std::set<std::string> quiet{};
  std::set<std::string> slots{};
  std::vector<std::string> trace{};
  std::vector<ReportNode> reports{};
  Collect collected{};   // what stays, as it was said last
  std::string breach{};  // the first thing that must never be, and was

  // Runs until nothing is left to do but wait, or until `effects` more were carried out: then the agent is killed.
  // True when it came to rest.
  bool run(std::optional<int> effects = std::nullopt, int max_wakes = 400) {
    slots.clear();  // they belong to the session of a process
    AgentState state;
    state.config = config;
    state.memory = disk;
    std::deque<AgentEvent> events;
    auto send = [&](auto body) { events.push_back({now, std::move(body)}); };
    send(AgentStarted{});
    send(DesiredSeen{wanted, {}, ""});
    Time wake = kNever;
    int turns = 5000;
    for (;;) {
      if (events.empty()) {
        const bool at_rest = !state.memory.task && state.parked.empty();
        if (at_rest || wake == kNever || max_wakes-- == 0) return at_rest;
        now = std::max(now, wake);
        send(Woken{});
      }
      if (--turns == 0) {
        breach = "it never comes to rest";
        return false;
      }
      const AgentEvent event = std::move(events.front());
      events.pop_front();
      AgentStep step = agent_step(std::move(state), event);
      state = std::move(step.state);
      for (AgentEffect& effect : step.effects) {
        if (effects && (*effects)-- == 0) return false;
        if (auto* at = std::get_if<WakeAgent>(&effect)) {
          wake = at->at;
        } else if (std::holds_alternative<ReadLocal>(effect)) {
          send(LocalSeen{local(), damaged()});
        } else if (auto* work = std::get_if<Work>(&effect)) {
          send(carry_out(*work));
        } else if (auto* remember = std::get_if<Remember>(&effect)) {
          disk = remember->memory;
        } else if (auto* report = std::get_if<ReportNode>(&effect)) {
          reports.push_back(*report);
        } else if (auto* collect = std::get_if<Collect>(&effect)) {
          collected = *collect;
          for (const auto& [id, deployment] : files) {
            if (!collect->folders[id].contains(deployment)) breach = fmt::format("{}: {} would go", id, deployment);
          }
        }
        check();
      }
    }
  }

  // Somebody takes it out of the catalog.
  void lose_registration(const std::string& id) {
    registered.erase(id);
    was_registered_.erase(id);
  }

  // What is there, in one line a service; what an operator would see.
  std::string text() const {
    std::set<std::string> ids;
    for (const auto& [id, deployment] : running) ids.insert(id);
    for (const auto& [id, deployment] : files) ids.insert(id);
    for (const auto& [id, state] : registered) ids.insert(id);
    for (const auto& [id, installed] : disk.installed) ids.insert(id);
    std::string out;
    for (const std::string& id : ids) {
      auto found = registered.find(id);
      const std::string meta =
          found == registered.end() ? "nothing" : found->second.instance.meta.at(std::string(kMetaDeployment));
      auto installed = disk.installed.find(id);
      out += fmt::format("{}: runs {}, files {}, registered {}{}, installed {}\n", id, value(running, id),
                         value(files, id), meta, quiet.contains(id) ? " (quiet)" : "",
                         installed == disk.installed.end() ? "nothing" : installed->second.deployment);
    }
    return out + (slots.empty() ? "" : "slots held\n");
  }

  std::string outcomes() const {
    std::string out;
    for (const auto& [id, all] : disk.outcomes) {
      for (const auto& [deployment, outcome] : all) {
        out +=
            fmt::format("{} {}: {}\n", id, deployment,
                        outcome.succeeded ? "succeeded" : fmt::format("{}: {}", to_string(outcome.stage), outcome.why));
      }
    }
    return out;
  }

 private:
  static std::string value(const std::map<std::string, std::string>& map, const std::string& id) {
    auto found = map.find(id);
    return found == map.end() ? "nothing" : found->second;
  }

  std::map<std::string, InstanceState> local() const {
    std::map<std::string, InstanceState> out = registered;
    for (auto& [id, state] : out) {
      const std::string& deployment = state.instance.meta.at(std::string(kMetaDeployment));
      const bool passes = value(running, id) == deployment && !ill.contains(deployment);
      for (HealthCheck& check : state.checks) check.status = passes ? CheckStatus::kPassing : CheckStatus::kCritical;
    }
    return out;
  }

  std::vector<std::string> damaged() const {
    std::vector<std::string> out;
    for (const auto& [id, installed] : disk.installed) {
      if (!installed.release.package.source.empty() && value(files, id) != installed.deployment) out.push_back(id);
    }
    return out;
  }

  WorkDone carry_out(const Work& work) {
    const std::string& id = work.service_id;
    const std::string& deployment = work.subject.deployment;
    trace.push_back(fmt::format("{} {} {}", to_string(work.stage), id, deployment));
    WorkDone done;
    done.id = work.id;
    if (auto found = broken.find({work.stage, deployment}); found != broken.end()) {
      done.ok = false;
      done.problem = found->second;
      return done;
    }
    switch (work.stage) {
      case Stage::kCheckNode:
        done.facts = NodeFacts{disk_free, 1000, ""};
        break;
      case Stage::kUnpack:
        unpacked_.insert(deployment);
        break;
      case Stage::kCheckPackage:
        done.spec = AppSpec();
        break;
      case Stage::kPlaceAside:
        placed_.insert(deployment);
        done.undo = Json(value(files, id));
        break;
      case Stage::kAcquire:
        done.ok = slots_free;
        done.problem = "all slots are taken";
        if (slots_free) slots.insert(id);
        break;
      case Stage::kQuiet:
        if (!uninstalling_ && !slots.contains(id)) breach = "went into maintenance without a slot";
        quiet.insert(id);
        break;
      case Stage::kStop:
      case Stage::kBackStop:
        if (work.stage == Stage::kStop && placed_.empty() && !uninstalling_)
          breach = "stopped before a successor was placed";
        if (value(running, id) == deployment) running.erase(id);
        break;
      case Stage::kSwap:
        files[id] = deployment;
        break;
      case Stage::kBackSwap:
        if (*work.subject.undo.as_string() == "nothing") {
          files.erase(id);
        } else {
          files[id] = *work.subject.undo.as_string();
        }
        break;
      case Stage::kStart:
      case Stage::kBackStart:
        if (value(files, id) != deployment) breach = fmt::format("{} was started without its files", deployment);
        running[id] = deployment;
        break;
      case Stage::kRegister:
      case Stage::kBackRegister:
        do_register(work);
        break;
      case Stage::kLoud:
      case Stage::kBackLoud:
        quiet.erase(id);
        slots.erase(id);
        break;
      case Stage::kBackDeregister:
      case Stage::kDeregister:
        registered.erase(id);
        quiet.erase(id);
        break;
      case Stage::kRemove:
        files.erase(id);
        break;
      default:
        break;
    }
    return done;
  }

  void do_register(const Work& work) {
    InstanceState state;
    state.instance = work.instance;
    for (const CheckDefinition& check : work.checks) state.checks.emplace_back().id = check.id;
    registered[work.service_id] = std::move(state);
  }

  // What must hold after every effect.
  void check() {
    if (!breach.empty()) return;
    uninstalling_ = disk.task && disk.task->kind == TaskKind::kUninstall;
    std::size_t down = 0;
    for (const auto& [id, installed] : disk.installed) {
      if (installed.release.package.source.empty()) continue;
      if (value(running, id) == "nothing") ++down;
      const bool going = uninstalling_ && disk.task->service_id == id;
      if (!registered.contains(id) && was_registered_.contains(id) && !going) breach = id + " was deregistered";
    }
    if (down > 1) breach = "two services of the node are down";
    was_registered_.clear();
    for (const auto& [id, state] : registered) was_registered_.insert(id);
  }

  std::set<std::string> unpacked_;
  std::set<std::string> placed_;
  std::set<std::string> was_registered_;
  bool uninstalling_ = false;
};

}  // namespace convergence::test

#endif  // CONVERGENCE_TESTS_SUPPORT_AGENT_NODE_H_
