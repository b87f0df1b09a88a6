#include <fmt/format.h>

#include <algorithm>
#include <string>
#include <utility>

#include "convergence/agent.h"
#include "lib/agent/stages.h"
#include "lib/agent/turns.h"

namespace convergence {
namespace {

using agent::OnFailure;
using agent::Row;

Time later(Time at, Duration by) { return at > kNever - by ? kNever : at + by; }

// One turn: the state being made, and what it wants done.
class Turn {
 public:
  Turn(AgentState state, Time at) : state_(std::move(state)), at_(std::max(at, state_.last_event_at)) {
    state_.last_event_at = at_;
  }

  AgentStep run(const AgentEvent& event) {
    const AgentMemory before = memory();
    std::visit([this](const auto& body) { on(body); }, event.body);
    if (memory() != before) effects_.insert(effects_.begin(), Remember{memory()});
    effects_.push_back(WakeAgent{next_wake()});
    return {std::move(state_), std::move(effects_), std::move(decisions_)};
  }

 private:
  AgentMemory& memory() { return state_.memory; }

  // ---- events

  void on(const AgentStarted&) {
    if (memory().task) {
      take_up(*memory().task);
    } else {
      effects_.push_back(ReadLocal{});
    }
  }

  void on(const DesiredSeen& seen) {
    std::vector<DesiredService> services = seen.services;
    for (const DesiredService& old : state_.services) {  // what is torn in KV stays as it was last seen
      if (std::ranges::find(seen.torn, service_id(old)) != seen.torn.end()) services.push_back(old);
    }
    if (services != state_.services) state_.parked.clear();  // what has to wait may not have to any more
    agent::want(state_, std::move(services));
    state_.locked = seen.locked;
    state_.desired_known = true;
    if (memory().task) drop_if_superseded(*memory().task);
    if (!memory().task) effects_.push_back(ReadLocal{});
  }

  void on(const LocalSeen& seen) {
    state_.local = seen.local;
    state_.damaged = seen.damaged;
    state_.audit_at = state_.config.audit == Duration::zero() ? kNever : later(at_, state_.config.audit);
    if (memory().task) {
      look_at_checks(*memory().task);
    } else {
      plan();
    }
  }

  void on(const FleetSeen& seen) {
    for (const DesiredService& service : state_.services) {
      if (service_id(service) != seen.service_id) continue;
      agent::looked(state_, service, seen.fleet);
      ServiceFleet fleet = seen.fleet;
      fleet.watched = agent::watched(state_, service);
      if (std::optional<DesiredService> next = advance(service, fleet, at_)) {
        effects_.push_back(WriteDesired{*std::move(next)});
      }
    }
  }

  void on(const WorkDone& done) {
    if (!memory().task || memory().task->work != done.id) return;  // of a task that is over
    Task& task = *memory().task;
    task.work = 0;
    const std::string problem = judge(task, done);
    if (problem.empty()) {
      learn(task, done);
      go_on(task);
    } else {
      fail(task, problem);
    }
  }

  void on(const Woken&) {
    if (memory().task) {
      wake(*memory().task);
      return;
    }
    if (agent::unpark(state_) || at_ >= state_.audit_at) effects_.push_back(ReadLocal{});
    look_at_fleets();
  }

  void on(const AgentCommand& command) {
    if (command.verb == AgentVerb::kPause) memory().paused = true;
    if (command.verb == AgentVerb::kResume) memory().paused = false;
    if (command.verb == AgentVerb::kRetry) {
      for (auto& [id, outcomes] : memory().outcomes) {
        if (!command.service_id.empty() && command.service_id != id) continue;
        std::erase_if(outcomes, [](const auto& one) { return !one.second.succeeded; });
      }
      state_.parked.clear();
    }
    if (!memory().task) effects_.push_back(ReadLocal{});
  }

  // ---- planning

  NodeView view() {
    NodeView view;
    view.node = state_.config.node;
    view.owner = state_.config.owner;
    view.installed = memory().installed;
    view.local = state_.local;
    view.damaged = {state_.damaged.begin(), state_.damaged.end()};
    for (const auto& [id, outcomes] : memory().outcomes) {
      for (const auto& [deployment, outcome] : outcomes) {
        if (!outcome.succeeded)
          view.failed[id][deployment] = fmt::format("{}: {}", to_string(outcome.stage), outcome.why);
      }
    }
    return view;
  }

  void plan() {
    if (!state_.desired_known) return;
    decisions_ = plan_node(state_.services, view());
    look_at_fleets();
    if (memory().paused || !state_.locked.empty()) return;
    for (NodeDecision& decision : decisions_) {
      const std::string& id = decision.service_id;
      if (!state_.parked.contains(id)) agent::await_turn(state_, decision);
      if (auto parked = state_.parked.find(id); parked != state_.parked.end() && !parked->second.over) {
        decision.action = NodeAction::kWait;
        decision.why = parked->second.why;
      }
      if (!begin(decision)) continue;
      state_.parked.erase(id);
      return;
    }
  }

  // What is wanted has changed while nothing was touched yet: the task ends without a verdict.
  void drop_if_superseded(const Task& task) {
    if (task.kind != TaskKind::kDeploy || !task.failure.empty() || agent::touches(task.stage)) return;
    for (const NodeDecision& decision : plan_node(state_.services, view())) {
      if (decision.service_id == task.service_id && decision.target.deployment == task.next.deployment) return;
    }
    if (task.work != 0) effects_.push_back(StopWork{task.work});
    memory().task.reset();
  }

  bool begin(const NodeDecision& decision) {
    Task task;
    task.service_id = decision.service_id;
    task.why = decision.why;
    task.started = at_;
    auto there = memory().installed.find(decision.service_id);
    switch (decision.action) {
      case NodeAction::kInstall:
      case NodeAction::kUpgrade:
      case NodeAction::kRedeploy:
      case NodeAction::kRepair:
        task.kind = TaskKind::kDeploy;
        break;
      case NodeAction::kReregister:
        task.kind = TaskKind::kReregister;
        break;
      case NodeAction::kUninstall:
        task.kind = TaskKind::kUninstall;
        break;
      case NodeAction::kIgnore:
      case NodeAction::kWait:
      case NodeAction::kNothing:
        return false;
    }
    if (decision.service) {
      const DesiredService& service = state_.services[*decision.service];
      task.strategy = service.strategy;
      if (decision.target.release) task.next = to_install(service, decision.target);
    }
    if (task.kind == TaskKind::kDeploy && there != memory().installed.end()) {
      task.previous = there->second;
      task.previous_passed = passes(decision.service_id);
    } else if (there != memory().installed.end()) {
      const AppSpec spec = there->second.spec;
      if (task.kind == TaskKind::kUninstall) task.next = there->second;
      task.next.spec = spec;
      task.next.undo = there->second.undo;
    }
    const Duration limit = task.next.release.deadline;
    task.deadline = later(at_, limit == Duration::zero() ? state_.config.deadline : limit);
    memory().task = std::move(task);
    enter(*memory().task, agent::rows_of(*memory().task).front().stage);
    return true;
  }

  static Installed to_install(const DesiredService& service, const NodeTarget& target) {
    Installed next;
    next.name = service.name;
    next.registered_name = service.registered_name;
    next.slice = service.slice;
    next.role = service.placement.role;
    next.deployment = target.deployment;
    next.release = *target.release;
    next.on_removal = service.strategy.on_removal;
    return next;
  }

  bool passes(const std::string& id) const {
    auto found = state_.local.find(id);
    return found != state_.local.end() && worst_status(found->second.checks, {}) == CheckStatus::kPassing;
  }

  void look_at_fleets() {
    for (std::string& id : agent::looks_due(state_)) effects_.push_back(ReadFleet{std::move(id)});
  }

  // ---- a task's way

  static bool awaits(Stage stage) { return stage == Stage::kAwait || stage == Stage::kBackAwait; }

  void enter(Task& task, Stage stage) {
    task.stage = stage;
    if (awaits(stage)) {
      task.deadline = later(at_, task.strategy.health_deadline);
      report(task, false);
      effects_.push_back(ReadLocal{});
      return;
    }
    issue(task);
  }

  void issue(Task& task) {
    Work work;
    work.id = task.work = memory().next_work++;
    work.stage = task.stage;
    work.service_id = task.service_id;
    work.deadline = task.deadline;
    const bool of_previous = task.previous && (task.stage == Stage::kStop || task.stage == Stage::kBackStart ||
                                               task.stage == Stage::kBackRegister);
    work.subject = of_previous ? *task.previous : task.next;
    if (std::optional<HookEvent> event = agent::hook_of(task.stage)) {
      work.event = *event;
      work.hooks = agent::hooks_of(work.subject, *event);
    }
    if (task.stage == Stage::kRegister || task.stage == Stage::kBackRegister) {
      DesiredService service;
      service.name = work.subject.name;
      service.registered_name = work.subject.registered_name;
      service.slice = work.subject.slice;
      service.placement.role = work.subject.role;
      work.instance = wanted_instance(service, work.subject.release, work.subject.deployment, state_.config.owner);
      work.instance.id = task.service_id;
      work.checks = wanted_checks(task.service_id, work.subject.release, work.subject.spec);
      work.fresh = task.kind == TaskKind::kDeploy;
    }
    work.strategy = task.strategy;
    work.why = fmt::format("{}: {}", task.next.release.version, task.why);
    report(task, false);
    effects_.push_back(std::move(work));
  }

  // What is wrong with an answer; empty when nothing is.
  static std::string judge(const Task& task, const WorkDone& done) {
    if (!done.ok) return done.problem.empty() ? "failed" : done.problem;
    if (task.stage != Stage::kCheckNode) return "";
    if (!done.facts) return "the node said nothing of itself";
    const Demands& demands = task.next.release.demands;
    if (done.facts->disk_free < demands.disk) {
      return fmt::format("{} bytes of disk are free, it needs {}", done.facts->disk_free, demands.disk);
    }
    if (done.facts->memory_free < demands.memory) {
      return fmt::format("{} bytes of memory are free, it needs {}", done.facts->memory_free, demands.memory);
    }
    // What is only registered runs already; and what ran until now gives its port up.
    const bool own = task.next.release.package.source.empty() ||
                     (task.previous && task.previous->release.port == task.next.release.port);
    if (!own && !done.facts->port_taken_by.empty()) {
      return fmt::format("its port {} is taken by {}", task.next.release.port, done.facts->port_taken_by);
    }
    return "";
  }

  static void learn(Task& task, const WorkDone& done) {
    if (task.stage == Stage::kCheckPackage && done.spec) task.next.spec = *done.spec;
    if (task.stage == Stage::kPlaceAside) task.next.undo = done.undo;
    if (task.stage == Stage::kFetch && task.next.release.package.sha256.empty()) {
      task.next.release.package.sha256 = done.digest;
    }
  }

  void wake(Task& task) {
    if (at_ < task.deadline) {
      if (awaits(task.stage)) effects_.push_back(ReadLocal{});
      return;
    }
    if (task.work != 0) effects_.push_back(StopWork{task.work});  // an answer that still comes is too late
    const bool pausing = task.work == 0 && agent::row_at(task, task.stage).on_failure == OnFailure::kAgain;
    task.work = 0;
    if (pausing) {
      task.deadline = later(at_, state_.config.deadline);
      issue(task);
    } else if (awaits(task.stage)) {
      effects_.push_back(ReadLocal{});  // the last look
    } else {
      fail(task, fmt::format("{} was not done by the deadline", to_string(task.stage)));
    }
  }

  void go_on(Task& task) {
    if (is_made_loud(task)) return enter(task, agent::rows_of(task).front().stage);
    if (std::optional<Row> next = agent::row_after(task, task.stage)) {
      enter(task, next->stage);
    } else {
      finish(task);
    }
  }

  void fail(Task& task, const std::string& problem) {
    OnFailure on_failure = agent::row_at(task, task.stage).on_failure;
    // The stop hook of what did not work anyway does not stand in the way of what may.
    if (task.stage == Stage::kStop && !task.previous_passed) on_failure = OnFailure::kOn;
    switch (on_failure) {
      case OnFailure::kOn:
        if (!task.failure.empty()) task.failure += fmt::format("; {}: {}", to_string(task.stage), problem);
        go_on(task);
        return;
      case OnFailure::kAgain:
        task.deadline = later(at_, state_.config.retry);
        return;
      case OnFailure::kWait:
        park(task, problem);
        return;
      case OnFailure::kNothing:
        give_up(task, problem);
        return;
      case OnFailure::kBack:
        go_back(task, problem);
        return;
    }
  }

  void give_up(Task& task, const std::string& problem) {
    task.failure = problem;
    task.failed_stage = task.stage;
    finish(task);
  }

  void go_back(Task& task, const std::string& problem) {
    task.failure = problem;
    task.failed_stage = task.stage;
    task.deadline = later(at_, state_.config.deadline);
    enter(task, agent::rows_of(task).front().stage);
  }

  void park(const Task& task, const std::string& why) {
    state_.parked[task.service_id] = {agent::try_again_at(state_, task), why};
    memory().task.reset();
    effects_.push_back(ReadLocal{});
  }

  void finish(const Task& task) {
    const bool failed = !task.failure.empty();
    if (task.kind == TaskKind::kDeploy) {
      remember_outcome(task, failed);
      if (!failed) memory().installed[task.service_id] = task.next;
      if (failed && agent::touches(task.failed_stage) && !task.previous) memory().installed.erase(task.service_id);
    }
    if (task.kind == TaskKind::kUninstall && !failed) {
      memory().installed.erase(task.service_id);
      memory().outcomes.erase(task.service_id);
    }
    if (task.kind == TaskKind::kReregister && !failed) learn_registration(task);
    if (task.kind != TaskKind::kDeploy && failed) {
      state_.parked[task.service_id] = {later(at_, state_.config.retry), task.failure};
    }
    report(task, true);
    memory().task.reset();
    // Before it is known what is wanted nothing goes, for it may be that.
    if (state_.desired_known) {
      effects_.push_back(what_stays(memory(), state_.services, state_.config.keep_folders));
    }
    effects_.push_back(ReadLocal{});
  }

  // What is registered now is what a way back has to register again.
  void learn_registration(const Task& task) {
    const auto there = memory().installed.find(task.service_id);
    if (there == memory().installed.end()) return;
    Release& release = there->second.release;
    release.port = task.next.release.port;
    release.tags = task.next.release.tags;
    release.meta = task.next.release.meta;
    release.checks = task.next.release.checks;
  }

  void remember_outcome(const Task& task, bool failed) {
    auto& outcomes = memory().outcomes[task.service_id];
    outcomes[task.next.deployment] = {!failed, failed ? task.failed_stage : task.stage, task.failure, task.attempt,
                                      at_};
    while (outcomes.size() > static_cast<std::size_t>(state_.config.keep_outcomes)) {
      outcomes.erase(std::ranges::min_element(outcomes, {}, [](const auto& one) { return one.second.at; }));
    }
  }

  static bool is_made_loud(const Task& task) { return task.failure.empty() && task.stage == Stage::kBackLoud; }

  // A process died over the task. What it did is not known, so the stage is entered again: each finds done what is
  // done.
  void take_up(Task& task) {
    ++task.attempt;
    task.work = 0;
    const bool too_often = task.attempt > state_.config.max_attempts;
    if (task.failure.empty() && too_often) {
      const std::string problem = fmt::format("{} processes ended over it", task.attempt - 1);
      if (agent::touches(task.stage) && task.kind == TaskKind::kDeploy) {
        go_back(task, problem);
      } else {
        give_up(task, problem);
      }
      return;
    }
    // A slot may have been lost with the process, and so may what lay in the cache: from the start, while nothing runs
    // differently.
    const bool again = task.failure.empty() && !agent::touches(task.stage);
    // Another may have the slot by now, and whether the maintenance was begun is not known: out of it, and again.
    if (task.failure.empty() && task.kind == TaskKind::kDeploy && task.stage == Stage::kQuiet) {
      task.deadline = later(at_, state_.config.deadline);
      return enter(task, Stage::kBackLoud);
    }
    enter(task, again ? agent::rows_of(task).front().stage : task.stage);
  }

  // ---- checks

  void look_at_checks(Task& task) {
    if (!awaits(task.stage)) return;
    const bool back = task.stage == Stage::kBackAwait;
    const Installed& subject = back ? *task.previous : task.next;
    std::string problem;
    auto found = state_.local.find(task.service_id);
    if (found == state_.local.end()) {
      problem = "it is not registered";
    } else {
      for (const CheckDefinition& check : wanted_checks(task.service_id, subject.release, subject.spec)) {
        const auto& checks = found->second.checks;
        auto there = std::ranges::find(checks, check.id, &HealthCheck::id);
        if (there == checks.end()) {
          problem = fmt::format("its check {} is missing", check.id);
        } else if (there->status != CheckStatus::kPassing) {
          problem = fmt::format("its check {} is {}", check.id, to_string(there->status));
        }
        if (!problem.empty()) break;
      }
    }
    if (problem.empty()) {
      go_on(task);
    } else if (at_ >= task.deadline) {
      fail(task, fmt::format("{} after {} s", problem,
                             std::chrono::duration_cast<std::chrono::seconds>(task.strategy.health_deadline).count()));
    }
  }

  // ---- what others see

  void report(const Task& task, bool finished) {
    if (task.kind == TaskKind::kReregister) return;
    ReportNode report;
    report.service_id = task.service_id;
    report.deployment = task.next.deployment;
    report.version = task.next.release.version;
    report.finished = finished;
    report.succeeded = finished && task.failure.empty();
    report.stage = finished && !task.failure.empty() ? task.failed_stage : task.stage;
    report.attempts = task.attempt;
    report.started = task.started;
    if (finished) report.ended = at_;
    report.why = task.failure.empty() ? task.why : fmt::format("{}: {}", to_string(task.failed_stage), task.failure);
    effects_.push_back(std::move(report));
  }

  Time next_wake() const {
    if (state_.memory.task) {
      const Task& task = *state_.memory.task;
      if (!awaits(task.stage)) return task.deadline;
      const Time soon = later(at_, state_.config.await_poll);
      return at_ < task.deadline ? std::min(task.deadline, soon) : soon;  // the last look is under way
    }
    return std::min(state_.audit_at, agent::next_of(state_));
  }

  AgentState state_;
  const Time at_;
  std::vector<AgentEffect> effects_;
  std::vector<NodeDecision> decisions_;
};

}  // namespace

AgentStep agent_step(AgentState state, const AgentEvent& event) { return Turn(std::move(state), event.at).run(event); }

}  // namespace convergence
