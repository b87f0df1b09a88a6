#include "metrics_source.h"

#include <fmt/format.h>

#include <string>
#include <string_view>
#include <utility>

#include "convergence/curl_transport.h"
#include "metrics_command.h"
#include "url.h"

namespace cli {

using namespace convergence;  // NOLINT: a program's own source

namespace {

absl::Status refuse(std::string_view problem) {
  return absl::InvalidArgumentError(fmt::format("rollout start: {}; see --help", problem));
}

absl::StatusOr<Url> url_from(std::string_view text) {
  std::optional<Url> url = split_url(text);
  if (!url) return refuse(fmt::format("--metrics: \"{}\" is no http:// or https:// address", text));
  while (url->path.ends_with('/')) url->path.pop_back();
  return *std::move(url);
}

absl::StatusOr<Transport*> add_transport(Executor& executor, const Url& url, Metrics& out) {
  CurlOptions options;
  options.address = url.address;
  absl::StatusOr<std::unique_ptr<Transport>> transport = new_curl_transport(executor, options);
  if (!transport.ok()) return transport.status();
  out.transports.push_back(*std::move(transport));
  return out.transports.back().get();
}

absl::StatusOr<Metrics> from_prometheus(const Arguments& arguments, std::string_view where, CountersOf counters,
                                        Executor& executor) {
  Metrics out;
  absl::StatusOr<Url> url = url_from(where);
  if (!url.ok()) return url.status();
  absl::StatusOr<std::optional<Duration>> every = duration_flag(arguments, "scrape-interval");
  if (!every.ok()) return every.status();
  absl::StatusOr<Transport*> transport = add_transport(executor, *url, out);
  if (!transport.ok()) return transport.status();
  PrometheusOptions options;
  options.counters = std::move(counters);
  options.path = url->path;
  if (*every) options.scrape_interval = **every;
  if (options.scrape_interval <= Duration(0)) return refuse("--scrape-interval: must be more than 0");
  out.source = new_prometheus_source(executor, **transport, std::move(options));
  return out;
}

absl::StatusOr<Metrics> from_pages(std::string_view where, std::string_view path, CountersOf counters,
                                   Executor& executor) {
  Metrics out;
  PagesOptions options;
  options.counters = std::move(counters);
  while (!where.empty()) {
    const std::size_t comma = where.find(',');
    absl::StatusOr<Url> url = url_from(where.substr(0, comma));
    if (!url.ok()) return url.status();
    absl::StatusOr<Transport*> transport = add_transport(executor, *url, out);
    if (!transport.ok()) return transport.status();
    MetricsPage page;
    page.name = url->address.substr(url->address.find("://") + 3);
    page.transport = *transport;
    page.target = url->path.empty() ? std::string(path) : url->path;
    options.pages.push_back(std::move(page));
    where = comma == std::string_view::npos ? std::string_view() : where.substr(comma + 1);
  }
  out.source = new_pages_source(executor, std::move(options));
  return out;
}

}  // namespace

absl::StatusOr<Metrics> metrics_from(const Arguments& arguments, Executor& executor) {
  if (arguments.has("metrics") == arguments.has("metrics-command")) {
    return refuse("needs one of --metrics and --metrics-command");
  }
  if (arguments.has("metrics-command")) {
    Metrics out;
    out.source = std::make_unique<MetricsCommand>(arguments.get("metrics-command"));
    return out;
  }
  const std::string given = arguments.get("metrics");
  const std::size_t equals = given.find('=');
  const std::string_view kind = std::string_view(given).substr(0, equals);
  const std::string_view where =
      equals == std::string::npos ? std::string_view() : std::string_view(given).substr(equals + 1);
  if (where.empty() || (kind != "prometheus" && kind != "envoy" && kind != "haproxy")) {
    return refuse("--metrics: is prometheus=URL, envoy=URL,... or haproxy=URL,...");
  }
  const std::string preset = arguments.get("counters", kind == "haproxy" ? "haproxy" : "envoy");
  PresetTarget target;
  target.service = target.subset = "any";
  const absl::StatusOr<MetricPreset> known = metric_preset(preset, target);
  if (!known.ok()) return refuse(fmt::format("--counters: {}", std::string(known.status().message())));
  if (kind == "prometheus") return from_prometheus(arguments, where, counters_of_preset(preset), executor);
  return from_pages(where, kind == "envoy" ? "/stats/prometheus" : "/metrics", counters_of_preset(preset), executor);
}

}  // namespace cli
