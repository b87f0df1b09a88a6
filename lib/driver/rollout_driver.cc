#include <algorithm>
#include <deque>
#include <map>
#include <utility>

#include "convergence/driver.h"
#include "convergence/error.h"
#include "convergence/rollout_replay.h"
#include "fmt/format.h"
#include "lib/canary/invariants.h"
#include "lib/canary/shape.h"
#include "lib/driver/gather.h"
#include "lib/driver/rollout_command.h"
#include "lib/driver/state_document.h"
#include "lib/driver/weight_writer.h"
#include "lib/driver/weights.h"

namespace convergence {
namespace {

using EventBody = decltype(CanaryEvent::body);
using Done = ConsulClient::Callback<CanaryState>;

constexpr int kStartTries = 10;  // of a start that others keep overtaking
// Of state writes in a row, before a host is told that Consul cannot be written; with the pauses about two minutes.
constexpr int kMostProblems = 20;
constexpr Duration kFirstPause = std::chrono::milliseconds(100);
constexpr Duration kLongestPause = std::chrono::seconds(10);

bool will_pass(const absl::Status& status) {
  const ErrorKind kind = error_kind(status);
  return kind == ErrorKind::kUnreachable || kind == ErrorKind::kTimeout || kind == ErrorKind::kProtocol ||
         kind == ErrorKind::kServer || kind == ErrorKind::kTooLarge;
}

MeasureRequest request_for(const CanaryPolicy& policy, const Measure& window) {
  MeasureRequest out;
  out.service = policy.service;
  out.stable_subset = policy.stable_subset;
  out.candidate_subset = policy.candidate_subset;
  out.window = window;
  if (policy.evidence) out.bounds = policy.evidence->analysis.bounds;
  return out;
}

absl::Status cancelled(std::string_view service) {
  return make_error(ErrorKind::kCancelled, fmt::format("rollout of {}: the driver is gone", service));
}

}  // namespace

// ---- the run ---------------------------------------------------------------------------------------------------

// One state document, a queue of events, and the effects that this driver has under way. Everything happens in tasks of
// the executor. What is under way may end after the driver is gone, so that it holds the Impl and looks at stopped_.
struct RolloutDriver::Impl : std::enable_shared_from_this<RolloutDriver::Impl> {
  Impl(ConsulClient& consul, MetricsSource& source, std::string name, RolloutOptions given)
      : client(consul),
        executor(consul.executor()),
        metrics(source),
        service(std::move(name)),
        options(std::move(given)),
        key(rollout_key(options.prefix, service)) {}

  void stop();
  void release();
  void end_run(absl::StatusOr<CanaryState> result);
  void fail(const absl::Status& problem) { end_run(problem); }
  bool claim(Done& given);
  std::function<bool()> still();
  bool probe(std::string_view point);

  void begin(CanaryPolicy policy, StartRollout event, int tries);
  void begin_from(const CanaryPolicy& policy, const StartRollout& event, const StateDocument& there, int tries);
  void check_metrics(const CanaryPolicy& policy, const StartRollout& event, const StateDocument& there, int tries);
  void create(const CanaryPolicy& policy, const StartRollout& event, const StateDocument& there, int tries);
  void resume_from(const StateDocument& there);
  void run(StateDocument document);

  void adopt(StateDocument document);
  void watch_state();
  void handle(EventBody body);
  void pump();
  void advance(CanaryState next, CanaryEvent event);
  void wrote(const CanaryState& next, const CanaryEvent& event, absl::StatusOr<std::optional<std::uint64_t>> index);
  void record_begin(const CanaryState& state);
  void record_step(const CanaryPolicy& policy, const CanaryState& next, const CanaryEvent& event, std::uint64_t index);
  void problem(const absl::Status& status);
  void doubt();
  void reread();

  void sync_effects();
  void launch(const Effect& effect);
  void at_time(const std::string& effect, Time at, std::function<void()> task);
  bool is_pending(const std::string& effect) const;
  std::function<void(EventBody)> reporter(const std::string& id);
  void ask_gate(const std::string& id, const AskGate& gate);
  void copy_to_stable(const std::string& id, const CopyToStable& copy);
  void measure(const Effect& effect);
  void ask(const Effect& effect);
  void take(JobResult result);
  JobContext context();

  ConsulClient& client;
  Executor& executor;
  MetricsSource& metrics;
  const std::string service;
  const RolloutOptions options;
  const std::string key;

  bool stopped = false;
  Done done;  // of start() or resume(); empty: nothing runs
  // One driver may run one rollout after the other; what is left of an old run is ignored.
  std::uint64_t run_number = 0;
  StateDocument document;
  std::uint64_t recorded = 0;  // index of the last state of our own making
  std::deque<EventBody> events;
  bool writing = false;  // a state is on its way
  struct Sent {
    CanaryState state;
    CanaryEvent event;
  };
  std::optional<Sent> in_flight;  // of a journal: what is on its way
  int problems = 0;               // in a row
  Executor::TimerId pause_timer = 0;
  std::map<std::string, Executor::TimerId> under_way;  // effects by id, with their timer or 0
  std::unique_ptr<Watch> watch;
};

void RolloutDriver::Impl::stop() {
  stopped = true;
  release();
}

void RolloutDriver::Impl::release() {
  for (const auto& [id, timer] : under_way) executor.cancel(timer);
  under_way.clear();
  executor.cancel(pause_timer);
  watch.reset();
  events.clear();
}

void RolloutDriver::Impl::end_run(absl::StatusOr<CanaryState> result) {
  if (stopped || !done) return;
  release();
  std::exchange(done, nullptr)(std::move(result));
}

// Takes the callback of a run; false when another one runs.
bool RolloutDriver::Impl::claim(Done& given) {
  if (done) {
    executor.post([given = std::move(given), name = service] {
      given(make_error(ErrorKind::kUsage, fmt::format("rollout of {}: this driver is running already", name)));
    });
    return false;
  }
  done = std::move(given);
  ++run_number;
  document = {};
  writing = false;
  in_flight.reset();
  problems = 0;
  return true;
}

// Whether the run of now is going on: for the callbacks of what it starts.
std::function<bool()> RolloutDriver::Impl::still() {
  return [self = shared_from_this(), number = run_number] {
    return !self->stopped && self->done && self->run_number == number;
  };
}

bool RolloutDriver::Impl::probe(std::string_view point) {
  if (options.probe && !stopped) options.probe(point);
  return !stopped;
}

void RolloutDriver::Impl::begin(CanaryPolicy policy, StartRollout event, int tries) {
  read_state(client, key,
             [self = shared_from_this(), policy = std::move(policy), event = std::move(event),
              tries](absl::StatusOr<StateDocument> there) {
               if (self->stopped) return;
               if (!there.ok()) return self->fail(there.status());
               self->begin_from(policy, event, *there, tries);
             });
}

void RolloutDriver::Impl::begin_from(const CanaryPolicy& policy, const StartRollout& event, const StateDocument& there,
                                     int tries) {
  // The same start again, after its answer got lost: it has happened.
  if (there.index != 0 && there.state.rollout == event.rollout) return run(there);
  const bool queues = there.state.policy.on_new_revision != NewRevision::kRefuse;
  if (!is_terminal(there.state.phase) && !queues) {
    return fail(make_error(ErrorKind::kUsage, fmt::format("rollout of {}: {} is {}; wait for its end or abort it",
                                                          service, there.state.rollout, to_string(there.state.phase))));
  }
  std::vector<std::string> names;
  for (const RolloutService& one : services_of(policy)) names.push_back(one.service);
  read_catalog(client, names, latest(),
               [self = shared_from_this(), policy, event, there, tries](absl::StatusOr<CatalogState> catalog) {
                 if (self->stopped) return;
                 if (!catalog.ok()) return self->fail(catalog.status());
                 const auto splitter = catalog->entries.find(entry_key(kServiceSplitter, self->service));
                 if (splitter == catalog->entries.end()) return self->fail(no_splitter(policy));
                 absl::Status fits = check_legs(policy, *splitter->second);
                 fits.Update(check_subsets(policy, *catalog));
                 if (!fits.ok()) return self->fail(fits);
                 self->check_metrics(policy, event, there, tries);
               });
}

void RolloutDriver::Impl::check_metrics(const CanaryPolicy& policy, const StartRollout& event,
                                        const StateDocument& there, int tries) {
  const Time now = executor.now();
  metrics.check(request_for(policy, Measure{0, now - policy.interval, now}),
                [&on = executor, weak = weak_from_this(), policy, event, there, tries](const absl::Status& checked) {
                  on.post([weak, policy, event, there, tries, checked] {
                    const std::shared_ptr<Impl> self = weak.lock();
                    if (!self || self->stopped || !self->done) return;
                    if (!checked.ok()) return self->fail(checked);
                    self->create(policy, event, there, tries);
                  });
                });
}

void RolloutDriver::Impl::create(const CanaryPolicy& policy, const StartRollout& event, const StateDocument& there,
                                 int tries) {
  const CanaryEvent begins{event_time(executor, there.state), event};
  const absl::StatusOr<CanaryStep> step = canary_step(policy, there.state, begins);
  if (!step.ok()) return fail(step.status());
  if (!probe("before:state")) return;
  write_state(client, key, step->state, there.index,
              [self = shared_from_this(), state = step->state, before = there.state, policy, begins, event,
               tries](absl::StatusOr<std::optional<std::uint64_t>> index) {
                if (!self->probe("after:state")) return;
                if (!index.ok()) return self->fail(index.status());
                if (*index) {
                  self->record_begin(before);
                  self->record_step(policy, state, begins, **index);
                  return self->run({state, **index});
                }
                if (tries > 1) return self->begin(policy, event, tries - 1);
                self->fail(overtaken(self->service));
              });
}

void RolloutDriver::Impl::resume_from(const StateDocument& there) {
  if (there.index == 0) return fail(no_rollout(service));
  run(there);
}

void RolloutDriver::Impl::run(StateDocument there) {
  adopt(std::move(there));
  if (!stopped && done) watch_state();
}

// ---- the state, ours or another's ------------------------------------------------------------------------------

void RolloutDriver::Impl::adopt(StateDocument there) {
  if (there.index <= document.index) return;
  // The watch may show our own write before its answer is here.
  if (in_flight && in_flight->state == there.state) {
    record_step(there.state.policy, there.state, in_flight->event, there.index);
  } else if (there.index != recorded) {
    record_begin(there.state);
  }
  document = std::move(there);
  if (options.on_change) options.on_change(document.state);
  if (stopped) return;
  if (is_terminal(document.state.phase)) return end_run(document.state);
  sync_effects();
}

void RolloutDriver::Impl::record_begin(const CanaryState& state) {
  if (options.on_record) options.on_record(begin_record(state));
}

void RolloutDriver::Impl::record_step(const CanaryPolicy& policy, const CanaryState& next, const CanaryEvent& event,
                                      std::uint64_t index) {
  if (!options.on_record || index == recorded) return;
  options.on_record(step_record(policy, event, next));
  recorded = index;
}

// Commands and other drivers write the same key; a blocking query tells at once.
void RolloutDriver::Impl::watch_state() {
  using Pair = std::optional<KvPair>;
  const std::weak_ptr<Impl> weak = weak_from_this();
  Watch::Read<Pair> read = [&consul = client, state_key = key](std::uint64_t wait_index,
                                                               ConsulClient::Callback<Answer<Pair>> answered) {
    ReadOptions blocking;
    blocking.wait_index = wait_index;
    consul.kv_get(state_key, blocking, std::move(answered));
  };
  watch = Watch::start<Pair>(executor, std::move(read), [weak](absl::StatusOr<Answer<Pair>> answer) {
    const std::shared_ptr<Impl> self = weak.lock();
    if (!self || self->stopped || !self->done || !answer.ok()) return;  // the watch tries again by itself
    if (answer->value && answer->value->modify_index <= self->document.index) return;
    absl::StatusOr<StateDocument> there = state_from(answer->value);
    if (!there.ok()) return self->fail(there.status());
    // A follower may be behind and not know the key yet; the leader is asked before that is believed.
    if (there->index == 0) return self->doubt();
    self->adopt(*std::move(there));
  });
}

// A write under way will find out by itself.
void RolloutDriver::Impl::doubt() {
  if (writing) return;
  writing = true;
  reread();
}

void RolloutDriver::Impl::reread() {
  read_state(client, key, [self = shared_from_this(), going = still()](absl::StatusOr<StateDocument> there) {
    if (!going()) return;
    self->writing = false;
    if (!there.ok()) return self->problem(there.status());
    if (there->index == 0) {
      return self->fail(make_error(ErrorKind::kNotFound,
                                   fmt::format("rollout of {}: its state was deleted while it ran", self->service)));
    }
    self->adopt(*std::move(there));
    self->pump();
  });
}

// ---- events ----------------------------------------------------------------------------------------------------

void RolloutDriver::Impl::handle(EventBody body) {
  if (stopped || !done) return;
  events.push_back(std::move(body));
  pump();
}

void RolloutDriver::Impl::pump() {
  while (!stopped && done && !writing && !events.empty()) {
    const CanaryState& state = document.state;
    CanaryEvent event{event_time(executor, state), events.front()};
    absl::StatusOr<CanaryStep> step = canary_step(state.policy, state, event);
    if (!step.ok()) {
      const auto* measured = std::get_if<Measurement>(&events.front());
      if (!measured) return fail(step.status());
      // Numbers that cannot be: the source is broken, not the candidate.
      const Effect* effect = pending_effect<Measure>(state);
      events.front() = EffectDone{effect ? effect->id : "", WriteOutcome::kError, std::string(step.status().message())};
      continue;
    }
    if (step->state == state) {
      events.pop_front();
      continue;
    }
    advance(std::move(step->state), std::move(event));
  }
}

void RolloutDriver::Impl::advance(CanaryState next, CanaryEvent event) {
  writing = true;
  if (options.on_record) in_flight = Sent{next, event};
  if (!probe("before:state")) return;
  write_state(client, key, next, document.index,
              [self = shared_from_this(), going = still(), next,
               event = std::move(event)](absl::StatusOr<std::optional<std::uint64_t>> index) {
                if (!going() || !self->probe("after:state")) return;
                self->wrote(next, event, std::move(index));
              });
}

void RolloutDriver::Impl::wrote(const CanaryState& next, const CanaryEvent& event,
                                absl::StatusOr<std::optional<std::uint64_t>> index) {
  in_flight.reset();
  if (!index.ok()) {
    writing = false;
    return problem(index.status());
  }
  problems = 0;
  if (!*index) return reread();  // another was faster: the event is looked at again in the light of that state
  writing = false;
  events.pop_front();
  record_step(next.policy, next, event, **index);
  adopt({next, **index});
  pump();
}

// The event stays; once Consul answers again it is decided on what stands there then.
void RolloutDriver::Impl::problem(const absl::Status& status) {
  if (!will_pass(status) || ++problems >= kMostProblems) return fail(status);
  const Duration pause = std::min(kLongestPause, kFirstPause * (1 << std::min(problems, 10)));
  writing = true;
  pause_timer = executor.post_at(executor.now() + pause, [weak = weak_from_this()] {
    const std::shared_ptr<Impl> self = weak.lock();
    if (self && !self->stopped && self->done) self->reread();
  });
}

// ---- effects ---------------------------------------------------------------------------------------------------

void RolloutDriver::Impl::sync_effects() {
  std::erase_if(under_way, [this](const auto& item) {
    if (is_pending(item.first)) return false;
    executor.cancel(item.second);
    return true;
  });
  const std::vector<Effect> outbox = document.state.outbox;
  for (const Effect& effect : outbox) {
    if (under_way.try_emplace(effect.id, 0).second) launch(effect);
    if (stopped || !done) return;
  }
}

bool RolloutDriver::Impl::is_pending(const std::string& id) const {
  return std::any_of(document.state.outbox.begin(), document.state.outbox.end(),
                     [&](const Effect& effect) { return effect.id == id; });
}

JobContext RolloutDriver::Impl::context() {
  return {client, key, [self = shared_from_this(), going = still()](std::string_view point) {
            return going() && self->probe(point) && going();
          }};
}

void RolloutDriver::Impl::launch(const Effect& effect) {
  if (const auto* wake = std::get_if<WakeAt>(&effect.body)) {
    at_time(effect.id, wake->at, [this] { handle(Tick{}); });
  } else if (const auto* window = std::get_if<Measure>(&effect.body)) {
    if (executor.now() < window->to) metrics.begin(request_for(document.state.policy, *window));
    at_time(effect.id, window->to, [this, effect] { measure(effect); });
  } else if (const auto* gate = std::get_if<AskGate>(&effect.body)) {
    ask_gate(effect.id, *gate);
  } else if (const auto* copy = std::get_if<CopyToStable>(&effect.body)) {
    copy_to_stable(effect.id, *copy);
  } else {
    write_weights(context(), document, effect, [self = shared_from_this(), going = still()](JobResult result) {
      if (going()) self->take(std::move(result));
    });
  }
}

// Hands an event in on an effect. Who carries it out may report from a thread of its own, in the call itself, twice or
// never.
std::function<void(EventBody)> RolloutDriver::Impl::reporter(const std::string& id) {
  return [&on = executor, weak = weak_from_this(), id](EventBody event) {
    on.post([weak, id, event = std::move(event)]() mutable {
      const std::shared_ptr<Impl> self = weak.lock();
      if (!self || self->stopped || !self->done || !self->is_pending(id) || !self->probe("after:" + id)) return;
      self->handle(std::move(event));
    });
  };
}

void RolloutDriver::Impl::ask_gate(const std::string& id, const AskGate& gate) {
  if (!options.ask_gate || !probe("before:" + id)) return;
  options.ask_gate(gate, [report = reporter(id), id](bool open, std::string said) {
    report(GateAnswer{id, open, std::move(said)});
  });
}

void RolloutDriver::Impl::copy_to_stable(const std::string& id, const CopyToStable& copy) {
  if (!options.copy_to_stable || !probe("before:" + id)) return;
  options.copy_to_stable(copy, [report = reporter(id), id](const absl::Status& status) {
    report(EffectDone{id, status.ok() ? WriteOutcome::kDone : WriteOutcome::kError, std::string(status.message())});
  });
}

void RolloutDriver::Impl::at_time(const std::string& effect, Time at, std::function<void()> task) {
  under_way[effect] = executor.post_at(at, [weak = weak_from_this(), effect, task = std::move(task)] {
    const std::shared_ptr<Impl> self = weak.lock();
    if (self && !self->stopped && self->done && self->is_pending(effect)) task();
  });
}

void RolloutDriver::Impl::measure(const Effect& effect) {
  check_window(context(), document, effect, [self = shared_from_this(), effect](std::optional<JobResult> against) {
    if (self->stopped || !self->done || !self->is_pending(effect.id)) return;
    if (against) return self->take(*std::move(against));
    self->ask(effect);
  });
}

void RolloutDriver::Impl::ask(const Effect& effect) {
  const auto& window = std::get<Measure>(effect.body);
  if (!probe("before:" + effect.id)) return;
  metrics.measure(request_for(document.state.policy, window),
                  [report = reporter(effect.id), epoch = window.epoch](Measurement answer) {
                    answer.epoch = epoch;
                    report(std::move(answer));
                  });
}

void RolloutDriver::Impl::take(JobResult result) {
  if (auto* newer = std::get_if<StateDocument>(&result)) {
    if (newer->index == 0) return doubt();
    // The write was not carried out; where the newer state still wants it, it begins again.
    for (const Effect& effect : document.state.outbox) {
      if (std::holds_alternative<WriteWeights>(effect.body)) under_way.erase(effect.id);
    }
    return newer->index > document.index ? adopt(std::move(*newer)) : sync_effects();
  }
  if (auto* health = std::get_if<CandidateHealth>(&result)) return handle(*health);
  handle(std::get<EffectDone>(std::move(result)));
}

// ---- the face --------------------------------------------------------------------------------------------------

RolloutDriver::RolloutDriver(ConsulClient& client, MetricsSource& metrics, std::string service, RolloutOptions options)
    : impl_(std::make_shared<Impl>(client, metrics, std::move(service), std::move(options))) {}

RolloutDriver::~RolloutDriver() {
  impl_->stop();
  if (impl_->done) {
    impl_->executor.post(
        [done = std::exchange(impl_->done, nullptr), name = impl_->service] { done(cancelled(name)); });
  }
}

void RolloutDriver::start(const CanaryPolicy& policy, const StartRollout& start,
                          ConsulClient::Callback<CanaryState> done) {
  if (!impl_->claim(done)) return;
  impl_->executor.post([self = impl_, policy, start] {
    if (self->stopped) return;
    if (policy.service != self->service) {
      return self->fail(
          make_error(ErrorKind::kValidate,
                     fmt::format("canary policy: service: is {}, the driver's is {}", policy.service, self->service)));
    }
    const absl::Status valid = validate(policy);
    if (!valid.ok()) return self->fail(valid);
    if (policy.promotion == Promotion::kCopy && !self->options.copy_to_stable) {
      return self->fail(make_error(ErrorKind::kUsage,
                                   fmt::format("canary policy: promotion: is copy, and this host cannot put a version "
                                               "into {}; use swap",
                                               policy.stable_subset)));
    }
    self->begin(policy, start, kStartTries);
  });
}

void RolloutDriver::resume(ConsulClient::Callback<CanaryState> done) {
  if (!impl_->claim(done)) return;
  read_state(impl_->client, impl_->key, [self = impl_](absl::StatusOr<StateDocument> there) {
    if (self->stopped) return;
    if (!there.ok()) return self->fail(there.status());
    self->resume_from(*there);
  });
}

void RolloutDriver::command(const Command& command, ConsulClient::Callback<CanaryState> done) {
  send_command(impl_->client, impl_->options.prefix, impl_->service, command, std::move(done));
}

}  // namespace convergence
