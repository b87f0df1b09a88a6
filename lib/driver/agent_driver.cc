#include "convergence/agent_driver.h"

#include <fmt/format.h>

#include <algorithm>
#include <deque>
#include <map>
#include <optional>
#include <set>
#include <utility>

#include "convergence/error.h"
#include "lib/base/string_bridge.h"
#include "lib/driver/agent_reads.h"
#include "lib/driver/ended_deployments.h"
#include "lib/driver/registrar.h"
#include "lib/driver/slots.h"
#include "lib/driver/state_document.h"

namespace convergence {
namespace {

using AgentEventBody = decltype(AgentEvent::body);

constexpr Duration kReadAgain = std::chrono::seconds(2);  // after a read of Consul that failed

// Consul cannot be reached, or has nobody who could answer.
bool is_outage(const absl::Status& status) {
  const ErrorKind kind = error_kind(status);
  if (kind == ErrorKind::kServer) return to_std(status.message()).find("leader") != std::string_view::npos;
  return kind == ErrorKind::kUnreachable || kind == ErrorKind::kTimeout;
}

}  // namespace

// Everything happens in tasks of the executor: events are taken one after the other, and the effects of one are begun
// in their order before the next is looked at. What is under way may end after the driver; it then finds gone_.
struct AgentDriver::Impl : std::enable_shared_from_this<AgentDriver::Impl> {
  Impl(ConsulClient& consul, NodeHands& given_hands, AgentMemory memory, AgentOptions given)
      : client(consul), executor(consul.executor()), hands(given_hands), options(std::move(given)) {
    state.config = options.config;
    state.memory = std::move(memory);
  }

  void begin();
  void begin_as(const Node& node);
  void tell_desired();
  void send(AgentEventBody body);
  void pump();
  void take(const AgentEvent& event);
  bool probe(std::string_view point) const {
    if (options.probe) options.probe(point);
    return !gone;
  }
  void end(absl::Status status);

  void carry_out(const AgentEffect& effect);
  void on(const Remember& remember);
  void on(const Work& work);
  void on(const StopWork& stop);
  void on(const ReadLocal&);
  void on(const ReadFleet& read);
  void on(const WriteDesired& write);
  void on(const ReportNode& report);
  void on(const Collect& collect);
  void on(const WakeAgent& wake);

  void register_service(const Work& work, ConsulClient::Done done);
  ConsulClient::Done announced(const Work& work, ConsulClient::Done done);
  ConsulClient::Done answer(std::uint64_t id);
  void write_report(const std::string& key);
  void last_word(const ReportNode& said);
  const DesiredService* service(const std::string& id) const;

  ConsulClient& client;
  Executor& executor;
  NodeHands& hands;
  AgentOptions options;
  AgentState state{};
  ConsulClient::Done ended{};
  bool gone = false;
  bool pumping = false;
  std::deque<AgentEvent> events;
  std::vector<AgentCommand> early;  // given before it knew its node
  std::unique_ptr<Registrar> registrar;
  std::unique_ptr<Slots> slots;
  DesiredSource source{};
  std::unique_ptr<DesiredWatch> desired;
  std::unique_ptr<LockWatch> locks;
  std::unique_ptr<EndedDeployments> past;
  std::optional<DesiredSeen> seen;    // the last, without what locks it
  std::optional<std::string> locked;  // not known yet: nothing is begun
  std::optional<Executor::TimerId> timer;
  bool reading_local = false;
  bool read_local_again = false;
  // Goes up with what may have changed the node: what was read before it is too old for what was asked for after it.
  std::uint64_t changes = 0;
  std::uint64_t read_local_at = 0;  // `changes` when the read was begun
  std::set<std::string> reading_fleets;
  // Reports by key: the newest that is to be written, and whether one is under way or was just written.
  struct Pending {
    std::optional<ReportNode> next;
    bool busy = false;
  };
  std::map<std::string, Pending> reports;
};

// ---- life --------------------------------------------------------------------------------------------------------

void AgentDriver::Impl::begin() {
  if (options.catalog_node) return begin_as(*options.catalog_node);
  read_own_node(client, [self = shared_from_this()](const absl::StatusOr<Node>& node) {
    if (self->gone) return;
    if (node.ok()) return self->begin_as(*node);
    self->executor.post_at(self->executor.now() + kReadAgain, [self] {
      if (!self->gone) self->begin();
    });
  });
}

void AgentDriver::Impl::begin_as(const Node& node) {
  if (state.config.node.empty()) state.config.node = node.name;
  if (options.instance.empty()) options.instance = state.config.node;
  registrar = options.catalog_node ? catalog_registrar(client, node) : agent_registrar(client);
  slots = std::make_unique<Slots>(client, options.prefix, state.config.node, options.session_ttl, options.lock_delay);
  // What the last process left half done goes on without its slot: what is down counts without one.
  if (state.memory.task) slots->end_predecessor([](const absl::Status&) {});
  source = {options.environment, options.role, options.prefix, node};
  past = std::make_unique<EndedDeployments>(client, hands, source, options.instance);
  past->take_up(state.memory);
  send(AgentStarted{});
  for (const AgentCommand& given : std::exchange(early, {})) send(given);
  const Duration wait = part_of(options.spread, state.config.node);
  locks = std::make_unique<LockWatch>(client, source, [weak = weak_from_this()](std::string why) {
    auto self = weak.lock();
    if (!self || self->gone || self->locked == why) return;
    self->locked = std::move(why);
    self->tell_desired();
  });
  desired = watch_desired_of(client, source, [weak = weak_from_this(), wait](DesiredSeen now) {
    auto self = weak.lock();
    if (!self || self->gone) return;
    self->seen = std::move(now);
    if (wait == Duration::zero()) return self->tell_desired();
    self->executor.post_at(self->executor.now() + wait, [self] { self->tell_desired(); });
  });
}

void AgentDriver::Impl::tell_desired() {
  if (!seen || !locked) return;
  DesiredSeen now = *seen;
  now.locked = *locked;
  send(std::move(now));
}

void AgentDriver::Impl::end(absl::Status status) {
  if (gone) return;
  gone = true;
  if (desired) desired->stop();
  locks.reset();
  past.reset();
  if (timer) executor.cancel(*timer);
  if (state.memory.task && state.memory.task->work != 0) hands.stop(state.memory.task->work);
  slots.reset();
  if (ended) executor.post([ended = std::move(ended), status = std::move(status)] { ended(status); });
}

// ---- events ------------------------------------------------------------------------------------------------------

void AgentDriver::Impl::send(AgentEventBody body) {
  if (gone) return;
  events.push_back({executor.now(), std::move(body)});
  pump();
}

void AgentDriver::Impl::pump() {
  if (pumping) return;
  pumping = true;
  while (!events.empty() && !gone) {
    const AgentEvent event = std::move(events.front());
    events.pop_front();
    take(event);
  }
  pumping = false;
}

void AgentDriver::Impl::take(const AgentEvent& event) {
  if (options.on_event) options.on_event(event);
  changes += std::holds_alternative<Woken>(event.body) || std::holds_alternative<FleetSeen>(event.body) ? 0 : 1;
  AgentStep step = agent_step(std::move(state), event);
  state = std::move(step.state);
  if (options.on_step) {
    step.state = state;
    options.on_step(step);
  }
  for (const AgentEffect& effect : step.effects) {
    if (gone) return;
    carry_out(effect);
  }
}

// ---- effects -----------------------------------------------------------------------------------------------------

void AgentDriver::Impl::carry_out(const AgentEffect& effect) {
  std::visit([this](const auto& body) { on(body); }, effect);
}

void AgentDriver::Impl::on(const Remember& remember) {
  if (!probe("before remember")) return;
  if (absl::Status status = hands.remember(remember.memory); !status.ok()) return end(std::move(status));
  probe("after remember");
}

ConsulClient::Done AgentDriver::Impl::answer(std::uint64_t id) {
  return [self = shared_from_this(), id](const absl::Status& status) {
    if (self->gone) return;
    WorkDone done;
    done.id = id;
    done.ok = status.ok();
    done.problem = std::string(status.message());
    self->send(std::move(done));
  };
}

const DesiredService* AgentDriver::Impl::service(const std::string& id) const {
  auto found = std::ranges::find(state.services, id, [](const DesiredService& one) { return service_id(one); });
  return found == state.services.end() ? nullptr : &*found;
}

void AgentDriver::Impl::on(const Work& work) {
  const std::string point(to_string(work.stage));
  if (!probe("before " + point)) return;
  ConsulClient::Done done = [answer = answer(work.id), self = shared_from_this(), point,
                             work](const absl::Status& status) {
    if (!self->probe("after " + point)) return;
    if (!is_outage(status)) return answer(status);
    // No release is to blame for it: the stage has until its deadline.
    self->executor.post_at(self->executor.now() + kReadAgain, [self, work] {
      const std::optional<Task>& task = self->state.memory.task;
      if (!self->gone && task && task->work == work.id) self->on(work);
    });
  };
  const std::string& id = work.service_id;
  switch (work.stage) {
    case Stage::kAcquire: {
      DesiredService named;
      named.name = work.subject.name;
      named.registered_name = work.subject.registered_name;
      named.placement.role = work.subject.role;
      return slots->acquire(named, id, work.strategy, std::move(done));
    }
    case Stage::kQuiet:
      return registrar->quiet(id, true, work.why, std::move(done));
    case Stage::kLoud:
    case Stage::kBackLoud:
      return registrar->quiet(id, false, "", [self = shared_from_this(), id, done](const absl::Status& status) {
        if (!status.ok() || self->gone) return done(status);
        self->slots->release(id, done);
      });
    case Stage::kRegister:
    case Stage::kBackRegister:
      return register_service(work, announced(work, std::move(done)));
    case Stage::kDeregister:
    case Stage::kBackDeregister:
      return registrar->remove(id, announced(work, std::move(done)));
    default:
      break;
  }
  hands.carry_out(work, [self = shared_from_this(), point](WorkDone answered) {
    if (!self->gone && self->probe("after " + point)) self->send(std::move(answered));
  });
}

ConsulClient::Done AgentDriver::Impl::announced(const Work& work, ConsulClient::Done done) {
  return [self = shared_from_this(), work, done = std::move(done)](const absl::Status& status) {
    done(!status.ok() || self->gone ? status : self->hands.announce(work));
  };
}

void AgentDriver::Impl::register_service(const Work& work, ConsulClient::Done done) {
  std::vector<CheckDefinition> checks = work.checks;
  const bool has_package = !work.subject.release.package.source.empty();
  for (CheckDefinition& check : checks) {
    if (!has_package || check.args.empty() || check.args.front().starts_with('/')) continue;
    check.args.front() = fmt::format("{}/{}", hands.package_folder(work.service_id, work.subject), check.args.front());
  }
  registrar->put(work.instance, checks, work.fresh, std::move(done));
}

void AgentDriver::Impl::on(const StopWork& stop) {
  hands.stop(stop.id);
  // A slot that comes after all, or has come, is of no use.
  if (!state.memory.task) {
    for (const DesiredService& one : state.services) slots->release(service_id(one), [](const absl::Status&) {});
  }
}

void AgentDriver::Impl::on(const ReadLocal&) {
  if (reading_local) {
    // A look that is asked for often, and takes long, is answered all the same.
    read_local_again |= changes != read_local_at;
    return;
  }
  reading_local = true;
  read_local_at = changes;
  registrar->read([self = shared_from_this()](absl::StatusOr<Registrar::Local> local) {
    if (self->gone) return;
    self->reading_local = false;
    if (std::exchange(self->read_local_again, false)) return self->on(ReadLocal{});
    if (local.ok()) return self->send(LocalSeen{*std::move(local), self->hands.damaged(self->state.memory)});
    self->executor.post_at(self->executor.now() + kReadAgain, [self] {
      if (!self->gone) self->on(ReadLocal{});
    });
  });
}

void AgentDriver::Impl::on(const ReadFleet& read) {
  const DesiredService* wanted = service(read.service_id);
  if (!wanted || !reading_fleets.insert(read.service_id).second) return;
  read_fleet(client, options.prefix, *wanted,
             [self = shared_from_this(), id = read.service_id](absl::StatusOr<ServiceFleet> fleet) {
               if (self->gone) return;
               self->reading_fleets.erase(id);
               if (fleet.ok()) self->send(FleetSeen{id, *std::move(fleet)});
             });
}

void AgentDriver::Impl::on(const WriteDesired& write) {
  if (!probe("before write-desired")) return;
  write_desired(client, options.prefix, write.service, [self = shared_from_this()](const absl::StatusOr<bool>&) {
    self->probe("after write-desired");  // lost or not: the watch brings what stands there now
  });
}

void AgentDriver::Impl::on(const ReportNode& report) {
  const std::string key = report_key(source, options.instance, report);
  reports[key].next = report;
  if (!reports[key].busy) write_report(key);
}

void AgentDriver::Impl::write_report(const std::string& key) {
  Pending& pending = reports[key];
  if (!pending.next) {
    reports.erase(key);
    return;
  }
  const ReportNode said = *std::exchange(pending.next, std::nullopt);
  pending.busy = true;
  put_report(client, source, options.instance, said, hands.log_tail(said.service_id, said.deployment),
             [self = shared_from_this(), key, said](const absl::Status& status) {
               if (self->gone) return;
               Pending& written = self->reports[key];
               if (!status.ok() && !written.next) written.next = said;  // until Consul takes it
               if (status.ok() && said.finished) self->last_word(said);
               const Duration pause = status.ok() ? self->options.report_pause : kReadAgain;
               self->executor.post_at(self->executor.now() + pause, [self, key] {
                 if (self->gone) return;
                 self->reports[key].busy = false;
                 self->write_report(key);
               });
             });
}

// The report of an end stands in KV; what it is the end of is in the memory, unless it was begun again meanwhile.
void AgentDriver::Impl::last_word(const ReportNode& said) {
  const auto outcomes = state.memory.outcomes.find(said.service_id);
  if (outcomes == state.memory.outcomes.end()) return;
  const auto outcome = outcomes->second.find(said.deployment);
  if (outcome == outcomes->second.end() || outcome->second.at != said.ended) return;
  past->ended(said.service_id, said.deployment, outcome->second);
}

void AgentDriver::Impl::on(const Collect& collect) {
  if (!probe("before collect")) return;
  hands.collect(collect);
  probe("after collect");
}

void AgentDriver::Impl::on(const WakeAgent& wake) {
  if (timer) executor.cancel(*timer);
  timer.reset();
  if (wake.at == kNever) return;
  timer = executor.post_at(wake.at, [self = shared_from_this()] {
    self->timer.reset();
    self->send(Woken{});
  });
}

// ---- the handle --------------------------------------------------------------------------------------------------

AgentDriver::AgentDriver(ConsulClient& client, NodeHands& hands, AgentMemory memory, AgentOptions options)
    : impl_(std::make_shared<Impl>(client, hands, std::move(memory), std::move(options))) {}

AgentDriver::~AgentDriver() { stop(); }

void AgentDriver::run(ConsulClient::Done ended) {
  impl_->ended = std::move(ended);
  impl_->executor.post([impl = impl_] {
    if (!impl->gone) impl->begin();
  });
}

void AgentDriver::stop() { impl_->end(absl::OkStatus()); }

void AgentDriver::command(const AgentCommand& command) {
  if (!impl_->registrar) return impl_->early.push_back(command);
  impl_->send(command);
}

const AgentState& AgentDriver::state() const { return impl_->state; }

}  // namespace convergence
