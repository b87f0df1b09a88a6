#include <cstddef>
#include <functional>
#include <memory>
#include <utility>

#include "convergence/counters.h"
#include "convergence/error.h"
#include "convergence/metrics.h"
#include "fmt/format.h"
#include "lib/base/status_macros.h"
#include "lib/counters/arm_readings.h"
#include "lib/counters/prometheus_answer.h"

namespace convergence {
namespace {

constexpr int kFewestScrapes = 4;  // of a window

std::string percent_encoded(std::string_view text) {
  std::string out;
  for (const char c : text) {
    const bool plain = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' ||
                       c == '_' || c == '.' || c == '~';
    out += plain ? std::string(1, c) : fmt::format("%{:02X}", static_cast<unsigned char>(c));
  }
  return out;
}

std::int64_t milliseconds(Duration duration) {
  return std::chrono::duration_cast<std::chrono::milliseconds>(duration).count();
}

// Its samples between the two ends, as they were scraped.
std::string target_of(const PrometheusOptions& options, const RawCounter& counter, const Measure& window) {
  const std::int64_t to = milliseconds(window.to.time_since_epoch());
  const std::int64_t length = milliseconds(window.to - window.from);
  return fmt::format("{}/api/v1/query?query={}&time={}.{:03}", options.path,
                     percent_encoded(fmt::format("{}[{}ms]", selector_of(counter), length)), to / 1000, to % 1000);
}

absl::StatusOr<std::vector<LabelledSeries>> series_from(const absl::StatusOr<HttpResponse>& response) {
  if (!response.ok()) {
    return make_error(error_kind(response.status()),
                      fmt::format("prometheus: {}", std::string(response.status().message())));
  }
  absl::StatusOr<std::vector<LabelledSeries>> out = read_prometheus_answer(response->body);
  if (response->status == 200) return out;
  // Its own words where it has some: a query that is wrong, a time-out of its own.
  const bool has_words = !response->body.empty() && response->body.front() == '{' && !out.ok();
  return make_error(ErrorKind::kServer,
                    has_words ? fmt::format("{} (HTTP {})", std::string(out.status().message()), response->status)
                              : fmt::format("prometheus: HTTP {}", response->status));
}

// The queries of one window under way; lives until the last has its answer.
struct Asked {
  MeasureRequest request{};
  std::vector<Arm> arms{};
  std::size_t open = 0;
  absl::Status problem{};  // the first
  std::function<void(const Asked&)> done{};
};

class PrometheusSource : public MetricsSource {
 public:
  PrometheusSource(Executor& executor, Transport& transport, PrometheusOptions options)
      : executor_(executor), transport_(transport), options_(std::move(options)) {}

  void check(const MeasureRequest& request, std::function<void(absl::Status)> done) override;
  void measure(const MeasureRequest& request, std::function<void(Measurement)> done) override;

 private:
  void ask(const MeasureRequest& request, const std::vector<std::string>& subsets,
           std::function<void(const Asked&)> done);
  void send(const std::shared_ptr<Asked>& asked, const RawCounter& counter, std::vector<LabelledSeries>& into);

  Executor& executor_;
  Transport& transport_;
  const PrometheusOptions options_;
};

void PrometheusSource::send(const std::shared_ptr<Asked>& asked, const RawCounter& counter,
                            std::vector<LabelledSeries>& into) {
  HttpRequest request;
  request.target = target_of(options_, counter, asked->request.window);
  request.deadline = executor_.now() + options_.timeout;
  transport_.send(std::move(request), [asked, &into](const absl::StatusOr<HttpResponse>& response) {
    absl::StatusOr<std::vector<LabelledSeries>> series = series_from(response);
    if (series.ok()) {
      into = *std::move(series);
    } else if (asked->problem.ok()) {
      asked->problem = series.status();
    }
    if (--asked->open == 0) asked->done(*asked);
  });
}

// All places for answers are made before the first query leaves, so that they stay where they are.
void PrometheusSource::ask(const MeasureRequest& request, const std::vector<std::string>& subsets,
                           std::function<void(const Asked&)> done) {
  auto asked = std::make_shared<Asked>();
  asked->request = request;
  asked->done = std::move(done);
  for (const std::string& subset : subsets) {
    absl::StatusOr<MetricPreset> preset = options_.counters(request.service, subset);
    if (!preset.ok()) {
      asked->problem = preset.status();
      return executor_.post([asked] { asked->done(*asked); });
    }
    const Arm& arm = asked->arms.emplace_back(arm_of(*std::move(preset)));
    asked->open += arm.series.requests.size() + arm.series.failures.size();
    if (arm.preset.latency && !request.bounds.empty()) ++asked->open;
  }
  if (asked->open == 0) {
    asked->problem = make_error(ErrorKind::kValidate, "metrics: no counter is named");
    return executor_.post([asked] { asked->done(*asked); });
  }
  for (Arm& arm : asked->arms) {
    for (std::size_t i = 0; i < arm.series.requests.size(); ++i) {
      send(asked, arm.preset.requests.counters[i], arm.series.requests[i]);
    }
    for (std::size_t i = 0; i < arm.series.failures.size(); ++i) {
      send(asked, arm.preset.failures.counters[i], arm.series.failures[i]);
    }
    if (arm.preset.latency && !request.bounds.empty()) send(asked, arm.preset.latency->counter, arm.series.latency);
  }
}

Measurement broken(const absl::Status& problem) {
  Measurement out;
  out.kind = EvidenceKind::kBrokenSource;
  out.problem = std::string(problem.message());
  return out;
}

ArmCounted counted(const Arm& arm, const MeasureRequest& request, Duration scrape_interval) {
  const absl::StatusOr<std::vector<InstanceCounters>> readings = readings_of(arm.preset, arm.series, request.bounds);
  CountOptions options;
  options.buckets = request.bounds.empty() ? 0 : request.bounds.size() + 1;
  options.to = request.window.to;
  options.stale_after = scrape_interval * 5 / 2;
  if (readings.ok()) return increase(*readings, options);
  ArmCounted out;
  out.kind = CountClass::kBroken;
  out.why = std::string(readings.status().message());
  return out;
}

void PrometheusSource::measure(const MeasureRequest& request, std::function<void(Measurement)> done) {
  ask(request, {request.stable_subset, request.candidate_subset},
      [done = std::move(done), every = options_.scrape_interval](const Asked& asked) {
        if (!asked.problem.ok()) return done(broken(asked.problem));
        done(measurement_of(counted(asked.arms[0], asked.request, every), counted(asked.arms[1], asked.request, every),
                            every * 3 / 2));
      });
}

// A metric that is not there must not be found out by a rollout that nothing can stop (P5), nor a window that never
// has two samples (P6).
void PrometheusSource::check(const MeasureRequest& request, std::function<void(absl::Status)> done) {
  const Duration length = request.window.to - request.window.from;
  if (length < options_.scrape_interval * kFewestScrapes) {
    return done(make_error(
        ErrorKind::kValidate,
        fmt::format("metrics: an interval of {} ms has not {} scrapes of {} ms; lengthen the policy's interval",
                    milliseconds(length), kFewestScrapes, milliseconds(options_.scrape_interval))));
  }
  ask(request, {request.stable_subset}, [done = std::move(done), every = options_.scrape_interval](const Asked& asked) {
    if (!asked.problem.ok()) return done(asked.problem);
    const ArmCounted stable = counted(asked.arms[0], asked.request, every);
    if (stable.kind == CountClass::kGood) return done(absl::OkStatus());
    done(make_error(ErrorKind::kNotFound,
                    fmt::format("metrics: {} of {}: {}: {}; a rollout needs what the stable subset does",
                                selector_of(asked.arms[0].preset.requests.counters.front()),
                                asked.request.stable_subset, to_string(stable.kind), stable.why)));
  });
}

}  // namespace

CountersOf counters_of_preset(std::string name, PresetTarget more) {
  return [name = std::move(name), more = std::move(more)](const std::string& service, const std::string& subset) {
    PresetTarget target = more;
    target.service = service;
    target.subset = subset;
    return metric_preset(name, target);
  };
}

std::unique_ptr<MetricsSource> new_prometheus_source(Executor& executor, Transport& transport,
                                                     PrometheusOptions options) {
  return std::make_unique<PrometheusSource>(executor, transport, std::move(options));
}

}  // namespace convergence
