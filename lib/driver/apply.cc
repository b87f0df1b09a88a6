#include <map>
#include <set>
#include <utility>

#include "convergence/driver.h"
#include "convergence/error.h"
#include "fmt/format.h"
#include "lib/driver/service_txn.h"

namespace convergence {
namespace {

// What stands in Consul where a step wrote.
struct Observed {
  std::uint64_t index = 0;  // 0: nothing is there
  bool ours = false;        // it is what the step wanted
};

class ApplyRun : public std::enable_shared_from_this<ApplyRun> {
 public:
  ApplyRun(ConsulClient& client, Plan plan, std::function<void(const StepReport&)> progress,
           ConsulClient::Callback<ApplyReport> done)
      : client_(client), plan_(std::move(plan)), progress_(std::move(progress)), done_(std::move(done)) {
    for (const Step& step : plan_.steps) {
      if (!step.cas_from.empty()) index_wanted_.insert(step.cas_from);
    }
  }

  void next();

 private:
  const Step& step() const { return plan_.steps[at_]; }
  std::uint64_t cas() const;
  absl::Status hindrance() const;
  void write();
  void written(absl::StatusOr<bool> result);
  void observe(std::function<void(absl::StatusOr<Observed>)> done);
  void verify(const absl::Status& problem);
  void keep_index();
  void report(StepOutcome outcome, absl::Status status = absl::OkStatus());

  ConsulClient& client_;
  const Plan plan_;
  const std::function<void(const StepReport&)> progress_;
  const ConsulClient::Callback<ApplyReport> done_;
  std::set<std::string> index_wanted_;             // steps whose index a later step needs
  std::map<std::string, std::uint64_t> produced_;  // the index that a step left behind
  std::set<std::string> not_done_;
  ApplyReport result_;
  std::size_t at_ = 0;
};

bool is_deletion(const Step& step) { return std::holds_alternative<std::monostate>(step.body); }
bool is_service(const Step& step) {
  return step.action == Action::kRegisterService || step.action == Action::kChangeService ||
         step.action == Action::kRemoveService;
}

absl::Status lost(const Step& step) {
  return make_error(ErrorKind::kConflict,
                    fmt::format("{}: changed since it was read; read again and plan anew", step.id));
}

std::uint64_t ApplyRun::cas() const {
  if (step().cas_from.empty()) return step().cas_index;
  const auto produced = produced_.find(step().cas_from);
  return produced == produced_.end() ? 0 : produced->second;
}

// Why the step cannot even be tried.
absl::Status ApplyRun::hindrance() const {
  for (const std::string& need : step().needs) {
    if (not_done_.contains(need)) {
      return make_error(ErrorKind::kConflict, fmt::format("{}: needs {}, which was not done", step().id, need));
    }
  }
  if (!step().cas_from.empty() && !produced_.contains(step().cas_from)) {
    return make_error(ErrorKind::kConflict,
                      fmt::format("{}: continues {}, whose result is not there", step().id, step().cas_from));
  }
  return absl::OkStatus();
}

void ApplyRun::next() {
  while (at_ < plan_.steps.size()) {
    absl::Status hindered = hindrance();
    if (hindered.ok()) return write();
    not_done_.insert(step().id);
    result_.steps.push_back({step().id, StepOutcome::kSkipped, std::move(hindered)});
    if (progress_) progress_(result_.steps.back());
    ++at_;
  }
  done_(std::move(result_));
}

void ApplyRun::write() {
  const auto self = shared_from_this();
  const auto done = [self](absl::StatusOr<bool> result) { self->written(std::move(result)); };
  if (is_service(step())) {
    client_.txn(service_operations(step(), cas()), {}, [self, done](absl::StatusOr<TxnResult> result) {
      if (!result.ok()) return done(result.status());
      if (result->failures.empty()) return done(true);
      if (lost_race(result->failures)) return done(false);
      done(make_error(ErrorKind::kRefused, fmt::format("{}: {}", self->step().id, result->failures.front().what)));
    });
  } else if (const auto* entry = std::get_if<ConfigEntry>(&step().body)) {
    client_.config_put(*entry, cas(), {}, done);
  } else {
    client_.config_delete(step().entry.kind, step().entry.name, cas(), {}, done);
  }
}

void ApplyRun::written(absl::StatusOr<bool> result) {
  if (!result.ok()) {
    if (result.status().code() == absl::StatusCode::kCancelled) return report(StepOutcome::kFailed, result.status());
    return verify(result.status());
  }
  if (!*result) return report(StepOutcome::kConflict, lost(step()));
  if (index_wanted_.contains(step().id)) return keep_index();
  report(StepOutcome::kDone);
}

void ApplyRun::observe(std::function<void(absl::StatusOr<Observed>)> done) {
  ReadOptions options;
  options.consistency = Consistency::kConsistent;
  const auto self = shared_from_this();
  if (is_service(step())) {
    client_.health_service(
        step().service, options, [self, done](absl::StatusOr<Answer<std::vector<HealthRow>>> answer) {
          if (!answer.ok()) return done(answer.status());
          const Step& step = self->step();
          for (const HealthRow& row : answer->value) {
            if (row.node.name != step.instance.node || row.instance.id != step.instance.service_id) continue;
            const auto* wanted = std::get_if<ServiceRegistration>(&step.body);
            return done(Observed{row.instance.modify_index, wanted && same_registration(*wanted, row)});
          }
          done(Observed{0, is_deletion(step)});
        });
    return;
  }
  client_.config_get(step().entry.kind, step().entry.name, options,
                     [self, done](absl::StatusOr<Answer<std::optional<ConfigEntry>>> answer) {
                       if (!answer.ok()) return done(answer.status());
                       if (!answer->value) return done(Observed{0, is_deletion(self->step())});
                       const auto* wanted = std::get_if<ConfigEntry>(&self->step().body);
                       done(Observed{answer->value->modify_index, wanted && same_content(*wanted, *answer->value)});
                     });
}

// The write may have happened although its answer says otherwise or never came: what stands there decides.
void ApplyRun::verify(const absl::Status& problem) {
  observe([self = shared_from_this(), problem](absl::StatusOr<Observed> observed) {
    if (!observed.ok()) return self->report(StepOutcome::kFailed, problem);
    if (observed->ours) {
      self->produced_[self->step().id] = observed->index;
      return self->report(StepOutcome::kDone);
    }
    if (observed->index == self->cas()) return self->report(StepOutcome::kFailed, problem);
    self->report(StepOutcome::kConflict, lost(self->step()));
  });
}

// The server does not tell the index of what it wrote; it is the one that is read now if what is read is ours.
void ApplyRun::keep_index() {
  observe([self = shared_from_this()](absl::StatusOr<Observed> observed) {
    if (observed.ok() && observed->ours) self->produced_[self->step().id] = observed->index;
    self->report(StepOutcome::kDone);
  });
}

void ApplyRun::report(StepOutcome outcome, absl::Status status) {
  if (outcome != StepOutcome::kDone) not_done_.insert(step().id);
  if (outcome == StepOutcome::kConflict) result_.conflict = true;
  result_.steps.push_back({step().id, outcome, std::move(status)});
  if (progress_) progress_(result_.steps.back());
  ++at_;
  next();
}

}  // namespace

std::string_view to_string(StepOutcome outcome) {
  switch (outcome) {
    case StepOutcome::kDone:
      return "done";
    case StepOutcome::kConflict:
      return "conflict";
    case StepOutcome::kFailed:
      return "failed";
    case StepOutcome::kSkipped:
      return "skipped";
  }
  return "";
}

void apply_plan(ConsulClient& client, Plan plan, std::function<void(const StepReport&)> progress,
                ConsulClient::Callback<ApplyReport> done) {
  // Not inside the call: an empty plan would end before the caller has returned.
  client.executor().post([run = std::make_shared<ApplyRun>(client, std::move(plan), std::move(progress),
                                                           std::move(done))] { run->next(); });
}

}  // namespace convergence
