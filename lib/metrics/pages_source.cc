#include <algorithm>
#include <cstddef>
#include <memory>
#include <optional>
#include <utility>

#include "convergence/counters.h"
#include "convergence/error.h"
#include "convergence/metrics.h"
#include "fmt/format.h"
#include "lib/counters/arm_readings.h"
#include "lib/counters/exposition.h"

namespace convergence {
namespace {

// All pages once; lives until the last has answered.
struct Round {
  std::vector<Arm> arms{};
  std::size_t pages = 0;
  std::size_t open = 0;
  std::size_t answered = 0;
  absl::Status problem{};  // of the first page that did not
  std::function<void(const Round&)> done{};
};

bool names(const CounterSum& sum, std::string_view name) {
  return std::any_of(sum.counters.begin(), sum.counters.end(),
                     [&](const RawCounter& counter) { return counter.name == name; });
}

bool names(const std::vector<Arm>& arms, std::string_view name) {
  return std::any_of(arms.begin(), arms.end(), [&](const Arm& arm) {
    return names(arm.preset.requests, name) || names(arm.preset.failures, name) ||
           (arm.preset.latency && arm.preset.latency->counter.name == name);
  });
}

void sort_in(const CounterSum& sum, const LabelledSeries& one, std::vector<std::vector<LabelledSeries>>& into) {
  for (std::size_t i = 0; i < sum.counters.size(); ++i) {
    if (matches(sum.counters[i], one.name, one.labels)) into[i].push_back(one);
  }
}

// Each series to the counters that it is one of, as counted by the page's instance.
void sort_in(std::vector<LabelledSeries> page, const std::string& instance, std::vector<Arm>& arms) {
  for (LabelledSeries& one : page) {
    for (Arm& arm : arms) {
      LabelledSeries named = one;
      std::erase_if(named.labels, [&](const auto& label) { return label.first == arm.preset.instance_label; });
      named.labels.emplace_back(arm.preset.instance_label, instance);
      sort_in(arm.preset.requests, named, arm.series.requests);
      sort_in(arm.preset.failures, named, arm.series.failures);
      if (arm.preset.latency && matches(arm.preset.latency->counter, named.name, named.labels)) {
        arm.series.latency.push_back(std::move(named));
      }
    }
  }
}

absl::StatusOr<std::vector<InstanceCounters>> read_arm(const Round& round, std::size_t arm,
                                                       const std::vector<double>& bounds) {
  return readings_of(round.arms[arm].preset, round.arms[arm].series, bounds);
}

Measurement no_evidence(EvidenceKind kind, std::string problem) {
  Measurement out;
  out.kind = kind;
  out.problem = std::move(problem);
  return out;
}

absl::Status problem_of(const Round& round) {
  if (round.answered * 2 > round.pages || round.problem.ok()) return absl::OkStatus();
  if (round.pages < 2) return round.problem;
  return make_error(error_kind(round.problem), fmt::format("{} of {} pages answered; {}", round.answered, round.pages,
                                                           std::string(round.problem.message())));
}

// What stands when a window began.
struct WindowBegin {
  std::int64_t epoch = 0;
  absl::Status problem{};
  CounterBaselines stable{};
  CounterBaselines candidate{};
};

class PagesSource : public MetricsSource {
 public:
  PagesSource(Executor& executor, PagesOptions options)
      : executor_(executor), options_(std::move(options)), begun_(std::make_shared<std::optional<WindowBegin>>()) {}

  void check(const MeasureRequest& request, std::function<void(absl::Status)> done) override;
  void begin(const MeasureRequest& request) override;
  void measure(const MeasureRequest& request, std::function<void(Measurement)> done) override;

 private:
  void read(const MeasureRequest& request, std::function<void(const Round&)> done);
  void send(const std::shared_ptr<Round>& round, const MetricsPage& page);

  Executor& executor_;
  const PagesOptions options_;
  // Of the last window alone: memory that a crash may take.
  const std::shared_ptr<std::optional<WindowBegin>> begun_;
};

void PagesSource::send(const std::shared_ptr<Round>& round, const MetricsPage& page) {
  HttpRequest request;
  request.target = page.target;
  request.deadline = executor_.now() + options_.timeout;
  page.transport->send(
      std::move(request), [round, &clock = executor_, name = page.name](const absl::StatusOr<HttpResponse>& response) {
        absl::StatusOr<std::vector<LabelledSeries>> series = std::vector<LabelledSeries>();
        if (!response.ok()) {
          series = response.status();
        } else if (response->status != 200) {
          series = make_error(ErrorKind::kServer, fmt::format("HTTP {}", response->status));
        } else {
          series = read_exposition(response->body, clock.now(),
                                   [&](std::string_view counter) { return names(round->arms, counter); });
        }
        if (series.ok()) {
          sort_in(*std::move(series), name, round->arms);
          ++round->answered;
        } else if (round->problem.ok()) {
          round->problem = make_error(error_kind(series.status()),
                                      fmt::format("{}: {}", name, std::string(series.status().message())));
        }
        if (--round->open == 0) round->done(*round);
      });
}

void PagesSource::read(const MeasureRequest& request, std::function<void(const Round&)> done) {
  auto round = std::make_shared<Round>();
  round->done = std::move(done);
  for (const std::string& subset : {request.stable_subset, request.candidate_subset}) {
    absl::StatusOr<MetricPreset> preset = options_.counters(request.service, subset);
    if (!preset.ok()) {
      round->problem = preset.status();
      return executor_.post([round] { round->done(*round); });
    }
    round->arms.push_back(arm_of(*std::move(preset)));
  }
  round->pages = options_.pages.size();
  round->open = round->pages;
  if (round->open == 0) {
    round->problem = make_error(ErrorKind::kValidate, "metrics: no page is named");
    return executor_.post([round] { round->done(*round); });
  }
  for (const MetricsPage& page : options_.pages) send(round, page);
}

void PagesSource::check(const MeasureRequest& request, std::function<void(absl::Status)> done) {
  read(request, [request, done = std::move(done)](const Round& round) {
    const absl::Status problem = problem_of(round);
    if (!problem.ok()) return done(problem);
    const absl::StatusOr<std::vector<InstanceCounters>> stable = read_arm(round, 0, request.bounds);
    if (!stable.ok()) return done(stable.status());
    if (!stable->empty()) return done(absl::OkStatus());
    done(make_error(ErrorKind::kNotFound,
                    fmt::format("metrics: no page has {}; a rollout needs what the stable subset does",
                                selector_of(round.arms[0].preset.requests.counters.front()))));
  });
}

void PagesSource::begin(const MeasureRequest& request) {
  begun_->reset();
  // A window of which the first half is unknown is no longer one.
  const Time latest = request.window.from + (request.window.to - request.window.from) / 2;
  read(request, [begun = std::weak_ptr(begun_), request, latest, &clock = executor_](const Round& round) {
    const auto kept = begun.lock();
    if (!kept || clock.now() > latest) return;
    WindowBegin out;
    out.epoch = request.window.epoch;
    out.problem = problem_of(round);
    if (out.problem.ok()) {
      absl::StatusOr<std::vector<InstanceCounters>> stable = read_arm(round, 0, request.bounds);
      absl::StatusOr<std::vector<InstanceCounters>> candidate = read_arm(round, 1, request.bounds);
      if (stable.ok()) out.stable = baselines_of(*std::move(stable));
      if (candidate.ok()) out.candidate = baselines_of(*std::move(candidate));
      out.problem = stable.ok() ? candidate.status() : stable.status();
    }
    *kept = std::move(out);
  });
}

Measurement measured(const WindowBegin& begun, const Round& round, const MeasureRequest& request) {
  CountOptions options;
  options.buckets = request.bounds.empty() ? 0 : request.bounds.size() + 1;
  options.to = request.window.to;
  const absl::StatusOr<std::vector<InstanceCounters>> stable = read_arm(round, 0, request.bounds);
  const absl::StatusOr<std::vector<InstanceCounters>> candidate = read_arm(round, 1, request.bounds);
  for (const absl::Status& status : {stable.status(), candidate.status()}) {
    if (!status.ok()) return no_evidence(EvidenceKind::kBrokenSource, std::string(status.message()));
  }
  return measurement_of(difference(begun.stable, *stable, options), difference(begun.candidate, *candidate, options),
                        (request.window.to - request.window.from) / 4);
}

void PagesSource::measure(const MeasureRequest& request, std::function<void(Measurement)> done) {
  read(request, [request, weak = std::weak_ptr(begun_), done = std::move(done)](const Round& round) {
    const auto begun = weak.lock();
    if (!begun) return;
    const absl::Status problem = problem_of(round);
    if (!problem.ok()) return done(no_evidence(EvidenceKind::kBrokenSource, std::string(problem.message())));
    if (!*begun || (*begun)->epoch != request.window.epoch) {
      return done(no_evidence(EvidenceKind::kNone, "nothing was read when the window began"));
    }
    if (!(*begun)->problem.ok()) {
      return done(no_evidence(EvidenceKind::kBrokenSource,
                              fmt::format("when the window began: {}", std::string((*begun)->problem.message()))));
    }
    done(measured(**begun, round, request));
  });
}

}  // namespace

std::unique_ptr<MetricsSource> new_pages_source(Executor& executor, PagesOptions options) {
  return std::make_unique<PagesSource>(executor, std::move(options));
}

}  // namespace convergence
