#include <doctest/doctest.h>

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

const Time kFrom{std::chrono::seconds(1'700'000'000)};

// Counters as a small program of its own would have them, by its label "version".
absl::StatusOr<MetricPreset> own_counters(const std::string&, const std::string& subset) {
  const auto counter = [&](std::string name, bool starts_absent) {
    RawCounter out;
    out.name = std::move(name);
    out.labels = {{"version", subset, false}};
    out.starts_absent = starts_absent;
    return out;
  };
  MetricPreset out;
  out.name = "own";
  out.requests.counters = {counter("rq", false)};
  out.failures.counters = {counter("bad", true)};
  out.latency.emplace().counter = counter("time_bucket", false);
  return out;
}

// One series with samples every ten seconds of the window's minute.
std::string series(std::string_view labels, const std::vector<double>& values) {
  std::string out = fmt::format(R"({{"metric":{{{}}},"values":[)", labels);
  for (std::size_t i = 0; i < values.size(); ++i) {
    out += fmt::format(R"({}[{},"{}"])", i == 0 ? "" : ",", 1'700'000'005 + 10 * i, values[i]);
  }
  return out + "]}";
}

HttpResponse matrix(const std::string& result) {
  return test::answer(R"({"status":"success","data":{"resultType":"matrix","result":[)" + result + "]}}");
}

struct Stage {
  std::optional<Measurement> measure(std::vector<double> bounds = {}) {
    std::optional<Measurement> got;
    source->measure(request(std::move(bounds)), [&](Measurement answer) { got = std::move(answer); });
    executor.run_ready();
    return got;
  }
  MeasureRequest request(std::vector<double> bounds) const {
    MeasureRequest out;
    out.service = "api";
    out.stable_subset = "v1";
    out.candidate_subset = "v2";
    out.window = {7, kFrom, kFrom + window};
    out.bounds = std::move(bounds);
    return out;
  }
  // Requests and failures of both arms, in the order in which they are asked.
  void answer_all(const std::string& stable, const std::string& stable_bad, const std::string& candidate,
                  const std::string& candidate_bad) {
    for (const std::string& one : {stable, stable_bad, candidate, candidate_bad}) transport.script(matrix(one));
  }
  absl::Status check() {
    std::optional<absl::Status> got;
    source->check(request({}), [&](absl::Status status) { got = std::move(status); });
    executor.run_ready();
    return got.value_or(absl::UnknownError("no answer"));
  }

  Duration window = std::chrono::seconds(60);
  SimulatedExecutor executor{kFrom + std::chrono::seconds(60)};
  ScriptedTransport transport{executor};
  PrometheusOptions options = [] {
    PrometheusOptions out;
    out.counters = own_counters;
    out.scrape_interval = std::chrono::seconds(10);
    out.path = "/prom";
    return out;
  }();
  std::unique_ptr<MetricsSource> source = new_prometheus_source(executor, transport, options);
};

const std::string kStable = series(R"("instance":"a","code":"200")", {100, 110, 120, 130, 140, 150}) + "," +
                            series(R"("instance":"b")", {1000, 1020, 1040, 5, 25, 45});
const std::string kCandidate = series(R"("instance":"a")", {0, 1, 2, 3, 4, 5});

TEST_CASE("raw samples of the window, by instance: differences, a reset, failures that were not there before") {
  Stage stage;
  stage.answer_all(kStable, series(R"("instance":"a")", {7, 7, 7, 7, 8, 8}), kCandidate,
                   R"({"metric":{"instance":"a"},"values":[[1700000045,"1"],[1700000055,"2"]]})");
  const std::optional<Measurement> got = stage.measure();
  REQUIRE(got.has_value());
  Measurement want;
  want.stable = {50 + (20 + 20 + 5 + 20 + 20), 1};
  want.candidate = {5, 2};
  want.stable_instances = {{50, 1, {}}, {85, 0, {}}};
  CHECK(*got == want);
  REQUIRE(stage.transport.requests.size() == 4);
  CHECK(stage.transport.requests[0].target ==
        "/prom/api/v1/query?query=rq%7Bversion%3D%22v1%22%7D%5B60000ms%5D&time=1700000060.000");
  CHECK(stage.transport.requests[3].target ==
        "/prom/api/v1/query?query=bad%7Bversion%3D%22v2%22%7D%5B60000ms%5D&time=1700000060.000");
}

TEST_CASE("buckets at the bounds of the analysis; one that is not there is a broken source") {
  const auto bucket = [](std::string_view bound, std::vector<double> values) {
    return series(fmt::format(R"("instance":"a","le":"{}")", bound), values);
  };
  const std::string slow = bucket("5", {0, 1, 1, 1, 1, 1}) + "," + bucket("25", {0, 1, 2, 3, 3, 3}) + "," +
                           bucket("+Inf", {0, 1, 2, 3, 4, 5});
  for (const bool known : {true, false}) {
    Stage stage;
    for (int arm = 0; arm < 2; ++arm) {
      for (const std::string& one : {kCandidate, std::string(), slow}) stage.transport.script(matrix(one));
    }
    const std::optional<Measurement> got = stage.measure({known ? 5.0 : 10.0, 25});
    REQUIRE(got.has_value());
    if (known) {
      CHECK(got->kind == EvidenceKind::kCounted);
      CHECK(got->stable_buckets == std::vector<double>{1, 3, 5});
      CHECK(got->candidate_buckets == std::vector<double>{1, 3, 5});
    } else {
      CHECK(got->kind == EvidenceKind::kBrokenSource);
      CHECK(got->problem == "stable: time_bucket{version=\"v1\"} has no bucket of 10 ms");
    }
  }
}

TEST_CASE("whatever is wrong with the Prometheus is a broken source with its reason, never a count") {
  HttpResponse partial = matrix(kCandidate);
  partial.body.insert(partial.body.size() - 1, R"(,"warnings":["store-2: out of reach"])");
  struct Case {
    const char* name;
    absl::StatusOr<HttpResponse> answer;
    const char* problem;
  };
  const Case cases[] = {
      {"unreachable", make_error(ErrorKind::kUnreachable, "127.0.0.1:9090: refused"),
       "prometheus: 127.0.0.1:9090: refused"},
      {"500", test::answer("oops", 0, 500), "prometheus: HTTP 500"},
      {"400", test::answer(R"({"status":"error","errorType":"bad_data","error":"parse error"})", 0, 400),
       "prometheus: bad_data: parse error (HTTP 400)"},
      {"503", test::answer(R"({"status":"error","errorType":"timeout","error":"query timed out"})", 0, 503),
       "prometheus: timeout: query timed out (HTTP 503)"},
      {"404 of another", test::answer("<html>", 0, 404), "prometheus: HTTP 404"},
      {"redirect", test::answer(R"({"status":"success"})", 0, 302),
       "prometheus: the answer has no status \"success\" with data (HTTP 302)"},
      {"half an answer", test::answer(R"({"status":"success","da)"), "prometheus: no JSON"},
      {"a part only", partial, "prometheus: the answer is not complete: store-2: out of reach"},
      {"NaN", matrix(R"({"metric":{"instance":"a"},"values":[[1700000005,"1"],[1700000055,"NaN"]]})"),
       "candidate: a: nan requests are no count"},
      {"stale", matrix(series(R"("instance":"a")", {1, 2, 3})), "candidate: a: what was read last is too old"},
  };
  for (const Case& c : cases) {
    CAPTURE(c.name);
    Stage stage;
    stage.transport.script(matrix(kCandidate));
    stage.transport.script(matrix(""));
    stage.transport.script(c.answer);
    stage.transport.script(matrix(""));
    const std::optional<Measurement> got = stage.measure();
    REQUIRE(got.has_value());
    CHECK(to_string(got->kind) == to_string(EvidenceKind::kBrokenSource));
    CHECK(got->problem.substr(0, std::string_view(c.problem).size()) == c.problem);
    CHECK(got->candidate == RequestCount{});
  }
}

TEST_CASE("nobody counts the candidate yet: no evidence, and no broken source") {
  Stage stage;
  stage.answer_all(kStable, "", "", "");
  const std::optional<Measurement> got = stage.measure();
  REQUIRE(got.has_value());
  CHECK(to_string(got->kind) == to_string(EvidenceKind::kNone));
  CHECK(got->problem == "candidate: nobody counts it");
}

TEST_CASE("a Prometheus that does not answer is given up on, and one that answers late is not heard") {
  Stage stage;
  std::optional<Measurement> got;
  stage.source->measure(stage.request({}), [&](Measurement answer) { got = std::move(answer); });
  stage.executor.run_ready();
  CHECK(!got.has_value());
  stage.executor.advance(std::chrono::seconds(10));
  REQUIRE(got.has_value());
  CHECK(to_string(got->kind) == to_string(EvidenceKind::kBrokenSource));
  CHECK(got->problem == "prometheus: too late");
}

TEST_CASE("the source may go before its answers come") {
  Stage stage;
  std::optional<Measurement> got;
  stage.source->measure(stage.request({}), [&](Measurement answer) { got = std::move(answer); });
  stage.source.reset();
  stage.executor.advance(std::chrono::seconds(10));
  REQUIRE(got.has_value());
  CHECK(to_string(got->kind) == to_string(EvidenceKind::kBrokenSource));
}

TEST_CASE("before the start: the stable subset has to be counted, over four scrapes at least (P5, P6)") {
  SUBCASE("as it should be") {
    Stage stage;
    stage.transport.script(matrix(kStable));
    stage.transport.script(matrix(""));
    CHECK_OK(stage.check());
  }
  SUBCASE("a name that is mistyped") {
    Stage stage;
    stage.transport.script(matrix(""));
    stage.transport.script(matrix(""));
    CHECK_ERROR(
        stage.check(), ErrorKind::kNotFound,
        "metrics: rq{version=\"v1\"} of v1: none: nobody counts it; a rollout needs what the stable subset does");
  }
  SUBCASE("an outage") {
    Stage stage;
    stage.transport.script(make_error(ErrorKind::kUnreachable, "refused"));
    stage.transport.script(matrix(""));
    CHECK_ERROR(stage.check(), ErrorKind::kUnreachable, "prometheus: refused");
  }
  SUBCASE("a window of three scrapes") {
    Stage stage;
    stage.window = std::chrono::seconds(30);
    CHECK_ERROR(stage.check(), ErrorKind::kValidate,
                "metrics: an interval of 30000 ms has not 4 scrapes of 10000 ms; lengthen the policy's interval");
    CHECK(stage.transport.requests.empty());
  }
}

}  // namespace
}  // namespace convergence
