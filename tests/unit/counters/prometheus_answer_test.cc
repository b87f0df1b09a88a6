#include "lib/counters/prometheus_answer.h"

#include <doctest/doctest.h>

#include <cmath>

#include "tests/support/status_check.h"

namespace convergence {
namespace {

CounterSample sample_at(std::int64_t milliseconds, double value) {
  return {Time(std::chrono::milliseconds(milliseconds)), value};
}

TEST_CASE("a vector and a matrix, as a Prometheus answers them") {
  const auto vector =
      read_prometheus_answer(R"({"status":"success","data":{"resultType":"vector","result":[)"
                             R"({"metric":{"__name__":"rq_total","instance":"a:1"},"value":[1700000000.123,"42"]},)"
                             R"({"metric":{},"value":[1700000000,"4.5e3"]}]}})");
  REQUIRE_OK(vector);
  CHECK(*vector == std::vector<LabelledSeries>{{"rq_total", {{"instance", "a:1"}}, {sample_at(1700000000123, 42)}},
                                               {"", {}, {sample_at(1700000000000, 4500)}}});
  CHECK(label_of(vector->front(), "instance") == "a:1");
  CHECK(label_of(vector->front(), "job").empty());
  const auto matrix = read_prometheus_answer(
      R"({"status":"success","data":{"resultType":"matrix","result":[)"
      R"({"metric":{"__name__":"rq_total","le":"+Inf"},"values":[[1,"1"],[2.5,"NaN"],[3,"+Inf"]]}]},"warnings":[]})");
  REQUIRE_OK(matrix);
  REQUIRE(matrix->size() == 1);
  const std::vector<CounterSample>& samples = matrix->front().samples;
  REQUIRE(samples.size() == 3);
  CHECK(samples[0] == sample_at(1000, 1));
  CHECK(samples[1].at == sample_at(2500, 0).at);
  CHECK(std::isnan(samples[1].value));
  CHECK(std::isinf(samples[2].value));
}

TEST_CASE("what is no complete answer is refused with its reason") {
  const struct {
    const char* body;
    const char* why;
  } cases[] = {
      {"<html>", "prometheus: no JSON"},
      {R"({"status":"error","errorType":"bad_data","error":"parse error at char 3"})",
       "prometheus: bad_data: parse error at char 3"},
      {R"({"status":"success"})", "has no status \"success\" with data"},
      {R"({"data":{}})", "has no status \"success\" with data"},
      {R"({"status":"success","data":{"resultType":"scalar","result":[1,"1"]}})", "the result is a \"scalar\""},
      {R"({"status":"success","data":{"resultType":"vector","result":{}}})", "the result is a \"vector\""},
      {R"({"status":"success","data":{"resultType":"vector","result":[]},"warnings":["store b: deadline"]})",
       "not complete: store b: deadline"},
      {R"({"status":"success","data":{"resultType":"vector","result":[{"metric":{}}]}})", "has no \"metric\" or no"},
      {R"({"status":"success","data":{"resultType":"vector","result":[{"metric":{"a":1},"value":[1,"1"]}]}})",
       "label a is no text"},
      {R"({"status":"success","data":{"resultType":"vector","result":[{"metric":{},"value":[1,1]}]}})",
       "a sample is not [seconds, \"number\"]"},
      {R"({"status":"success","data":{"resultType":"vector","result":[{"metric":{},"value":[1,"0x10"]}]}})",
       "a sample is not"},
      {R"({"status":"success","data":{"resultType":"vector","result":[{"metric":{},"value":[-1,"1"]}]}})",
       "a sample is not"},
      {R"({"status":"success","data":{"resultType":"matrix","result":[{"metric":{},"values":[1,"1"]}]}})",
       "a sample is not"},
  };
  for (const auto& c : cases) {
    CAPTURE(c.body);
    CHECK_ERROR(read_prometheus_answer(c.body), ErrorKind::kProtocol, c.why);
  }
}

}  // namespace
}  // namespace convergence
