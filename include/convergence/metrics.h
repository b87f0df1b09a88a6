#ifndef CONVERGENCE_METRICS_H_
#define CONVERGENCE_METRICS_H_

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "convergence/driver.h"
#include "convergence/executor.h"
#include "convergence/metric_preset.h"
#include "convergence/transport.h"

namespace convergence {

// Evidence from raw counters (docs/metrics.md): from a Prometheus, or from proxies' own pages. A source that does not
// answer, answers in part, late or with numbers that cannot be is told as a broken source with its reason, and never
// counts against the candidate. What an instance counted before a window, or between two, is never counted into one.

// The counters of one subset; metric_preset() makes them for Envoy and HAProxy.
using CountersOf = std::function<absl::StatusOr<MetricPreset>(const std::string& service, const std::string& subset)>;

// As metric_preset() names them.
CountersOf counters_of_preset(std::string name, PresetTarget more = {});

struct PrometheusOptions {
  CountersOf counters{};
  Duration scrape_interval = std::chrono::seconds(15);  // as the Prometheus is set; a window is four of these at least
  Duration timeout = std::chrono::seconds(10);          // of one query
  std::string path{};                                   // before /api/v1/query, where there is one
};

// Asks for the samples of each window, one query a counter. Without memory: a driver that takes over loses nothing. The
// clocks of the two hosts should agree to a fraction of the scrape interval. `transport` leads to the Prometheus; both
// must outlive the source.
std::unique_ptr<MetricsSource> new_prometheus_source(Executor& executor, Transport& transport,
                                                     PrometheusOptions options);

// The page of one proxy, in the text form that Prometheus scrapes.
struct MetricsPage {
  std::string name{};              // of the instance, in reasons
  Transport* transport = nullptr;  // that leads to it
  std::string target{};            // "/stats/prometheus", "/metrics"
};

struct PagesOptions {
  CountersOf counters{};
  std::vector<MetricsPage> pages{};
  Duration timeout = std::chrono::seconds(5);  // of one page
};

// Reads the pages when a window begins and when it is over. What was read first is kept in memory alone: a driver that
// takes a window up in its second half has no evidence of it. More than half of the pages have to answer; those that
// do not are left out of the window.
std::unique_ptr<MetricsSource> new_pages_source(Executor& executor, PagesOptions options);

}  // namespace convergence

#endif  // CONVERGENCE_METRICS_H_
