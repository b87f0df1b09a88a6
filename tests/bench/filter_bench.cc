// A filter of three terms on ten thousand rows of /v1/health/service.
#include <benchmark/benchmark.h>
#include <fmt/format.h>

#include <cstdlib>
#include <vector>

#include "convergence/filter.h"

namespace convergence {
namespace {

constexpr int kRows = 10000;
constexpr std::string_view kExpression =
    "Service.Meta.version == v2 and Service.Tags contains canary and Checks.Status != critical";

struct Row {
  InstanceState instance;
  NodeState node;
};

HealthCheck check(std::string id, CheckStatus status, std::string service) {
  HealthCheck out;
  out.id = std::move(id);
  out.status = status;
  out.service_id = std::move(service);
  return out;
}

// Half of the rows pass the first term, a quarter the first two, an eighth all.
Row row(int i) {
  Row out;
  ServiceInstance& service = out.instance.instance;
  out.node.node.name = service.node = fmt::format("node-{}", i / 4);
  out.node.checks = {check("serfHealth", CheckStatus::kCritical, "")};
  service.service = "web";
  service.id = fmt::format("web-{}", i);
  service.tags = {"http", i % 4 < 2 ? "canary" : "stable"};
  service.meta = {{"team", "shop"}, {"version", i % 2 == 0 ? "v2" : "v1"}, {"zone", "b"}};
  out.instance.checks = {check("ttl", i % 8 < 4 ? CheckStatus::kPassing : CheckStatus::kCritical, service.id)};
  return out;
}

std::vector<Row> rows() {
  std::vector<Row> out;
  for (int i = 0; i < kRows; ++i) out.push_back(row(i));
  return out;
}

void values(benchmark::State& state) {
  const std::vector<Row> all = rows();
  for (auto _ : state) {
    const auto filter = Filter::parse(kExpression);
    int kept = 0;
    for (const Row& one : all) kept += *filter->matches(one.instance, one.node) ? 1 : 0;
    if (kept != kRows / 8) std::abort();
  }
  state.SetItemsProcessed(state.iterations() * kRows);
}
BENCHMARK(values)->Unit(benchmark::kMillisecond);

}  // namespace
}  // namespace convergence

BENCHMARK_MAIN();
