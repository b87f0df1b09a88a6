#include <algorithm>
#include <utility>

#include "convergence/driver.h"
#include "convergence/error.h"

namespace convergence {
namespace {

// A request that did not get through is no refusal: the next round finds out what became of it.
bool passes(const absl::Status& status) {
  const ErrorKind kind = error_kind(status);
  return kind == ErrorKind::kUnreachable || kind == ErrorKind::kTimeout || kind == ErrorKind::kProtocol ||
         kind == ErrorKind::kDecode || kind == ErrorKind::kConflict;
}

class ConvergeRun : public std::enable_shared_from_this<ConvergeRun> {
 public:
  ConvergeRun(ConsulClient& client, ConvergeOptions options, std::function<void(const ConvergeProgress&)> progress,
              ConsulClient::Callback<ConvergeReport> done)
      : client_(client), options_(std::move(options)), progress_(std::move(progress)), done_(std::move(done)) {}

  void round();

 private:
  void planned(PlannedRound round);
  void apply();
  void step_done(const StepReport& step);
  void applied(const ApplyReport& report);

  ConsulClient& client_;
  const ConvergeOptions options_;
  const std::function<void(const ConvergeProgress&)> progress_;
  const ConsulClient::Callback<ConvergeReport> done_;
  ConvergeReport report_;
  std::size_t done_in_round_ = 0;
};

void ConvergeRun::round() {
  plan_now(client_, options_, [self = shared_from_this()](absl::StatusOr<PlannedRound> round) {
    if (!round.ok()) return self->done_(round.status());
    self->planned(*std::move(round));
  });
}

void ConvergeRun::planned(PlannedRound round) {
  ++report_.rounds;
  report_.last_plan = std::move(round.plan);
  report_.broken = std::move(round.broken);
  done_in_round_ = 0;
  if (progress_) progress_({report_.rounds, report_.last_plan, std::nullopt, 0});
  if (report_.last_plan.steps.empty()) return done_(report_);
  apply();
}

void ConvergeRun::apply() {
  const auto self = shared_from_this();
  apply_plan(
      client_, report_.last_plan, [self](const StepReport& step) { self->step_done(step); },
      [self](absl::StatusOr<ApplyReport> report) {
        if (!report.ok()) return self->done_(report.status());
        self->applied(*report);
      });
}

void ConvergeRun::step_done(const StepReport& step) {
  if (step.outcome == StepOutcome::kDone) ++done_in_round_;
  if (progress_) progress_({report_.rounds, report_.last_plan, step, done_in_round_});
}

void ConvergeRun::applied(const ApplyReport& report) {
  report_.steps_done += done_in_round_;
  if (report.conflict) ++report_.conflicts;
  for (const StepReport& step : report.steps) {
    if (step.outcome == StepOutcome::kFailed && !passes(step.status)) return done_(step.status);
  }
  // Given up: last_plan is what is left to do.
  if (report_.rounds >= options_.max_rounds) return done_(report_);
  round();
}

}  // namespace

void converge_once(ConsulClient& client, ConvergeOptions options, std::function<void(const ConvergeProgress&)> progress,
                   ConsulClient::Callback<ConvergeReport> done) {
  std::make_shared<ConvergeRun>(client, std::move(options), std::move(progress), std::move(done))->round();
}

}  // namespace convergence
