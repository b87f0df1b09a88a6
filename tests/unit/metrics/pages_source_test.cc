#include <doctest/doctest.h>

#include <deque>
#include <map>
#include <optional>

#include "convergence/metrics.h"
#include "convergence/testing/simulated_executor.h"
#include "fmt/format.h"
#include "tests/support/scripted_transport.h"
#include "tests/support/status_check.h"

namespace convergence {
namespace {

using test::ScriptedTransport;

const Time kBegin{std::chrono::seconds(1'700'000'000)};

std::string haproxy_page(int v1, int v1_bad, int v2, int v2_bad) {
  std::string out = "# TYPE haproxy_backend_http_responses_total counter\n";
  const auto backend = [&](std::string_view name, int good, int bad) {
    out += fmt::format(
        "haproxy_backend_http_responses_total{{proxy=\"{0}\",code=\"2xx\"}} {1}\n"
        "haproxy_backend_http_responses_total{{proxy=\"{0}\",code=\"5xx\"}} {2}\n"
        "haproxy_backend_retry_warnings_total{{proxy=\"{0}\"}} 0\n",
        name, good, bad);
  };
  backend("api-v1", v1, v1_bad);
  backend("api-v2", v2, v2_bad);
  return out + "haproxy_process_uptime_seconds 5\n";
}

// Pages that stand on one transport each.
struct Pages {
  explicit Pages(std::size_t count) {
    PagesOptions options;
    options.counters = counters_of_preset("haproxy");
    for (std::size_t i = 0; i < count; ++i) {
      transports.push_back(std::make_unique<ScriptedTransport>(executor));
      MetricsPage page;
      page.name = fmt::format("p{}", i);
      page.transport = transports.back().get();
      page.target = "/metrics";
      options.pages.push_back(page);
    }
    source = new_pages_source(executor, options);
  }
  void answers(std::size_t page, std::string body) { transports[page]->script(test::answer(std::move(body))); }
  void refuses(std::size_t page) { transports[page]->script(make_error(ErrorKind::kUnreachable, "refused")); }

  MeasureRequest request() const {
    MeasureRequest out;
    out.service = "api";
    out.stable_subset = "v1";
    out.candidate_subset = "v2";
    out.window = {3, kBegin, kBegin + std::chrono::seconds(10)};
    return out;
  }
  void begin() {
    source->begin(request());
    executor.run_ready();
  }
  Measurement measure() {
    executor.advance_to(kBegin + std::chrono::seconds(10));
    std::optional<Measurement> got;
    source->measure(request(), [&](Measurement answer) { got = std::move(answer); });
    executor.run_ready();
    REQUIRE(got.has_value());
    return *got;
  }
  absl::Status check() {
    std::optional<absl::Status> got;
    source->check(request(), [&](absl::Status status) { got = std::move(status); });
    executor.run_ready();
    return got.value_or(absl::UnknownError("no answer"));
  }

  SimulatedExecutor executor{kBegin};
  std::vector<std::unique_ptr<ScriptedTransport>> transports;
  std::unique_ptr<MetricsSource> source;
};

Measurement without_evidence(EvidenceKind kind, std::string problem) {
  Measurement out;
  out.kind = kind;
  out.problem = std::move(problem);
  return out;
}

TEST_CASE("what two proxies counted between the two ends of a window") {
  Pages pages(2);
  pages.answers(0, haproxy_page(100, 2, 0, 0));
  pages.answers(1, haproxy_page(1000, 9, 0, 0));
  pages.begin();
  pages.answers(0, haproxy_page(150, 3, 8, 1));
  pages.answers(1, haproxy_page(1060, 9, 4, 2));
  Measurement want;
  want.stable = {50 + 1 + 60, 1};
  want.candidate = {9 + 6, 3};
  want.stable_instances = {{51, 1, {}}, {60, 0, {}}};
  CHECK(pages.measure() == want);
  CHECK(pages.transports[0]->requests[0].target == "/metrics");
}

TEST_CASE("a proxy that began anew is counted since; one that is new is not counted") {
  Pages pages(2);
  pages.answers(0, haproxy_page(5000, 0, 0, 0));
  pages.answers(1, "haproxy_process_uptime_seconds 5\n");
  pages.begin();
  pages.answers(0, haproxy_page(30, 1, 5, 0));
  pages.answers(1, haproxy_page(700, 70, 70, 70));
  const Measurement got = pages.measure();
  CHECK(got.kind == EvidenceKind::kCounted);
  CHECK(got.stable == RequestCount{31, 1});
  CHECK(got.candidate == RequestCount{5, 0});
}

TEST_CASE("pages that do not answer are left out while most do; then the source is broken") {
  Pages pages(3);
  for (std::size_t i = 0; i < 3; ++i) pages.answers(i, haproxy_page(100, 0, 10, 0));
  pages.begin();
  SUBCASE("one of three") {
    pages.answers(0, haproxy_page(110, 0, 12, 0));
    pages.refuses(1);
    pages.answers(2, haproxy_page(120, 1, 13, 0));
    const Measurement got = pages.measure();
    CHECK(got.kind == EvidenceKind::kCounted);
    CHECK(got.stable == RequestCount{31, 1});
    CHECK(got.candidate == RequestCount{5, 0});
  }
  SUBCASE("two of three") {
    pages.answers(0, haproxy_page(110, 0, 12, 0));
    pages.refuses(1);
    pages.answers(2, "haproxy_backend_http");
    CHECK(pages.measure() == without_evidence(EvidenceKind::kBrokenSource, "1 of 3 pages answered; p1: refused"));
  }
}

TEST_CASE("a window that was not read when it began is no evidence, and never wrong") {
  Pages pages(1);
  SUBCASE("no one was there") {}
  SUBCASE("a driver takes it up in its second half") {
    pages.executor.advance(std::chrono::seconds(6));
    pages.answers(0, haproxy_page(100, 0, 10, 0));
    pages.begin();
  }
  SUBCASE("another window") {
    MeasureRequest other = pages.request();
    other.window.epoch = 2;
    pages.answers(0, haproxy_page(100, 0, 10, 0));
    pages.source->begin(other);
    pages.executor.run_ready();
  }
  pages.answers(0, haproxy_page(110, 0, 12, 0));
  CHECK(pages.measure() == without_evidence(EvidenceKind::kNone, "nothing was read when the window began"));
}

TEST_CASE("a page that was broken when the window began is told so") {
  Pages pages(1);
  pages.refuses(0);
  pages.begin();
  pages.answers(0, haproxy_page(110, 0, 12, 0));
  CHECK(pages.measure() == without_evidence(EvidenceKind::kBrokenSource, "when the window began: p0: refused"));
}

TEST_CASE("before the start the pages have to have the stable subset's counters") {
  Pages pages(1);
  SUBCASE("they have") {
    pages.answers(0, haproxy_page(1, 0, 0, 0));
    CHECK_OK(pages.check());
  }
  SUBCASE("another proxy's page") {
    pages.answers(0, "envoy_server_uptime 5\n");
    CHECK_ERROR(pages.check(), ErrorKind::kNotFound,
                "metrics: no page has haproxy_backend_http_responses_total{proxy=\"api-v1\"}");
  }
  SUBCASE("no page at all") {
    pages.transports[0]->script(test::answer("", 0, 404));
    CHECK_ERROR(pages.check(), ErrorKind::kServer, "p0: HTTP 404");
  }
}

}  // namespace
}  // namespace convergence
