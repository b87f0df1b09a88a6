// Decoding of Consul's answers into fleet views, beside RapidJSON's tree (in situ, its quickest) from which the same is
// taken. Both sides' results are compared before anything is timed.
#include <benchmark/benchmark.h>
#include <rapidjson/document.h>

#include <cstdio>
#include <cstdlib>
#include <string>
#include <vector>

#include "convergence/fleet_view.h"
#include "tests/support/fleet_shapes.h"

namespace convergence::bench {
namespace {

constexpr std::uint64_t kInstances = 10000;

void must(bool holds, const char* what) {
  if (holds) return;
  std::fprintf(stderr, "does not hold: %s\n", what);
  std::exit(1);
}

void must(const absl::Status& status) { must(status.ok(), std::string(status.message()).c_str()); }

const std::string& health() {
  static const std::string text = test::health_json(kInstances, 0);
  return text;
}

std::string_view text_at(const rapidjson::Value& object, const char* name) {
  const auto found = object.FindMember(name);
  if (found == object.MemberEnd()) return {};
  return {found->value.GetString(), found->value.GetStringLength()};
}

CheckStatus status_of(std::string_view name) {
  return name == "passing" ? CheckStatus::kPassing : name == "warning" ? CheckStatus::kWarning : CheckStatus::kCritical;
}

FleetView view_of_tree(const rapidjson::Document& tree) {
  FleetView view;
  reserve_rows(view, tree.Size());
  for (const rapidjson::Value& entry : tree.GetArray()) {
    const rapidjson::Value& service = entry["Service"];
    const rapidjson::Value& meta = service["Meta"];
    FleetRow row;
    row.node = text_at(entry["Node"], "Node");
    row.service = text_at(service, "Service");
    row.service_id = text_at(service, "ID");
    row.version = text_at(meta, "version");
    row.deployment = text_at(meta, "deployment");
    row.owner = text_at(meta, "managed-by");
    row.modify_index = service["ModifyIndex"].GetUint64();
    for (const rapidjson::Value& check : entry["Checks"].GetArray()) {
      row.status = std::max(row.status, status_of(text_at(check, "Status")));
    }
    add_row(view, row);
  }
  return view;
}

FleetView read_tree(std::string& buffer, const std::string& text) {
  buffer = text;
  rapidjson::Document tree;
  tree.ParseInsitu(buffer.data());
  return view_of_tree(tree);
}

FleetView read_ours(const std::string& text) {
  FleetView view;
  must(read_health(text, "answer", view));
  return view;
}

void set_speed(benchmark::State& state, const std::string& text, std::uint64_t things) {
  state.SetBytesProcessed(state.iterations() * static_cast<std::int64_t>(text.size()));
  state.SetItemsProcessed(state.iterations() * static_cast<std::int64_t>(things));
}

void health_ours(benchmark::State& state) {
  std::string buffer;
  must(read_ours(health()) == read_tree(buffer, health()), "both read the same health");
  for (auto _ : state) benchmark::DoNotOptimize(read_ours(health()));
  set_speed(state, health(), kInstances);
}
void health_tree(benchmark::State& state) {
  std::string buffer;
  for (auto _ : state) benchmark::DoNotOptimize(read_tree(buffer, health()));
  set_speed(state, health(), kInstances);
}

BENCHMARK(health_ours)->Name("health/view")->Unit(benchmark::kMicrosecond);
BENCHMARK(health_tree)->Name("health/tree_in_situ")->Unit(benchmark::kMicrosecond);

}  // namespace
}  // namespace convergence::bench

BENCHMARK_MAIN();
