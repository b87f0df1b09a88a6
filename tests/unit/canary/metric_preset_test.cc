#include "convergence/metric_preset.h"

#include <doctest/doctest.h>

#include <string>
#include <utility>
#include <vector>

#include "tests/support/status_check.h"

namespace convergence {
namespace {

PresetTarget api_v2() {
  PresetTarget out;
  out.service = "api";
  out.subset = "v2";
  return out;
}

using Labels = std::vector<std::pair<std::string, std::string>>;

TEST_CASE("Envoy's attempts and failures are those of the subset's cluster, the retried ones with them") {
  PresetTarget target = api_v2();
  target.datacenter = "dc1";
  const auto preset = metric_preset("envoy", target);
  REQUIRE_OK(preset);
  const std::string labels =
      R"(consul_destination_service="api",consul_destination_service_subset="v2",consul_destination_datacenter="dc1")";
  const std::string completed = "envoy_cluster_upstream_rq_completed{" + labels + "}";
  const std::string failed = R"({envoy_response_code_class="5",)" + labels + "}";
  CHECK(preset->requests.promql == "sum by (instance) (" + completed +
                                       ") + (sum by (instance) (envoy_cluster_retry_upstream_rq_completed{" + labels +
                                       "}) or sum by (instance) (" + completed + ") * 0)");
  CHECK(preset->failures.promql == "(sum by (instance) (envoy_cluster_upstream_rq_xx" + failed +
                                       ") or sum by (instance) (" + completed +
                                       ") * 0) + (sum by (instance) (envoy_cluster_retry_upstream_rq_xx" + failed +
                                       ") or sum by (instance) (" + completed + ") * 0)");
  REQUIRE(preset->latency.has_value());
  CHECK(preset->latency->promql == "sum by (instance, le) (envoy_cluster_upstream_rq_time_bucket{" + labels + "})");
  CHECK(preset->success_rate == "100 * (1 - ((sum(increase(envoy_cluster_upstream_rq_xx" + failed +
                                    "[60s])) or vector(0)) + (sum(increase(envoy_cluster_retry_upstream_rq_xx" +
                                    failed + "[60s])) or vector(0))) / (sum(increase(" + completed +
                                    "[60s])) + (sum(increase(envoy_cluster_retry_upstream_rq_completed{" + labels +
                                    "}[60s])) or vector(0))))");
  CHECK(preset->duration_p99 ==
        "histogram_quantile(0.99, sum by (le) (rate(envoy_cluster_upstream_rq_time_bucket{" + labels + "}[60s])))");
}

TEST_CASE("a series of a page is the counter's when each label agrees") {
  const auto preset = metric_preset("envoy", api_v2());
  REQUIRE_OK(preset);
  const RawCounter& failed = preset->failures.counters[0];
  const Labels page = {{"envoy_response_code_class", "5"},
                       {"consul_destination_service", "api"},
                       {"consul_destination_service_subset", "v2"},
                       {"local_cluster", "web"}};
  CHECK(matches(failed, "envoy_cluster_upstream_rq_xx", page));
  CHECK_FALSE(matches(failed, "envoy_cluster_upstream_rq", page));
  for (std::size_t i = 0; i < 3; ++i) {
    CAPTURE(page[i].first);
    Labels other = page;
    other[i].second = "4";
    CHECK_FALSE(matches(failed, "envoy_cluster_upstream_rq_xx", other));
    other = page;
    other.erase(other.begin() + static_cast<std::ptrdiff_t>(i));
    CHECK_FALSE(matches(failed, "envoy_cluster_upstream_rq_xx", other));
  }
}

TEST_CASE("older Consuls have other labels in front of the same counters") {
  PresetTarget target = api_v2();
  target.name_space = "shop";
  const auto now = metric_preset("envoy", target);
  const auto then = metric_preset("envoy-1.8", target);
  REQUIRE_OK(now);
  REQUIRE_OK(then);
  REQUIRE(now->requests.counters.size() == then->requests.counters.size());
  CHECK(now->requests.counters[0].name == then->requests.counters[0].name);
  CHECK(then->requests.counters[0].labels == std::vector<LabelMatch>{{"consul_service", "api", false},
                                                                     {"consul_service_subset", "v2", false},
                                                                     {"consul_namespace", "shop", false}});
}

TEST_CASE("HAProxy has a backend for each subset, or its servers in one") {
  PresetTarget target = api_v2();
  target.window = std::chrono::milliseconds(1500);
  const auto backend = metric_preset("haproxy", target);
  REQUIRE_OK(backend);
  CHECK(backend->requests.promql == R"(sum by (instance) (haproxy_backend_http_responses_total{proxy="api-v2"}))"
                                    R"( + sum by (instance) (haproxy_backend_retry_warnings_total{proxy="api-v2"}))");
  CHECK(backend->failures.promql ==
        R"(sum by (instance) (haproxy_backend_http_responses_total{code="5xx",proxy="api-v2"}))"
        R"( + sum by (instance) (haproxy_backend_retry_warnings_total{proxy="api-v2"}))");
  CHECK_FALSE(backend->latency.has_value());
  CHECK(backend->duration_p99.empty());
  CHECK(backend->success_rate.find("[1500ms]") != std::string::npos);

  target.subset = "v2.1";
  const auto servers = metric_preset("haproxy-server", target);
  REQUIRE_OK(servers);
  CHECK(servers->failures.counters[0].labels == std::vector<LabelMatch>{{"code", "5xx", false},
                                                                        {"proxy", "api", false},
                                                                        {"server", "v2\\.1([-_][0-9]+)?", true}});
  // A backslash of the pattern is one of Prometheus' strings too.
  CHECK(servers->requests.promql.find(R"(server=~"v2\\.1([-_][0-9]+)?")") != std::string::npos);
  struct Case {
    const char* server;
    bool ours;
  };
  for (const Case& c : {Case{"v2.1", true}, Case{"v2.1-3", true}, Case{"v2.1_12", true}, Case{"v2x1", false},
                        Case{"v2.10", false}, Case{"av2.1", false}, Case{"", false}}) {
    CAPTURE(c.server);
    CHECK(matches(servers->requests.counters[0], "haproxy_server_http_responses_total",
                  {{"proxy", "api"}, {"server", c.server}}) == c.ours);
  }
}

TEST_CASE("names of backends and further labels are the user's") {
  PresetTarget target;
  target.proxy = "be_\"api\"";
  target.more = {{"job", "edge", false}};
  const auto preset = metric_preset("haproxy", target);
  REQUIRE_OK(preset);
  CHECK(preset->requests.promql.find(R"({proxy="be_\"api\"",job="edge"})") != std::string::npos);
}

TEST_CASE("what no preset can be made of is refused with its field") {
  PresetTarget target = api_v2();
  CHECK_ERROR(metric_preset("nginx", target), ErrorKind::kValidate,
              "\"nginx\" is no metric preset: envoy, envoy-1.8, haproxy, haproxy-server");
  target.window = Duration(0);
  CHECK_ERROR(metric_preset("envoy", target), ErrorKind::kValidate, "window must be 1 ms");
  target = api_v2();
  target.subset.clear();
  CHECK_ERROR(metric_preset("envoy", target), ErrorKind::kValidate, "subset is missing");
  target = api_v2();
  target.service.clear();
  CHECK_ERROR(metric_preset("haproxy", target), ErrorKind::kValidate, "service is missing");
  for (const std::string_view name : metric_preset_names()) CHECK_OK(metric_preset(name, api_v2()).status());
}

}  // namespace
}  // namespace convergence
