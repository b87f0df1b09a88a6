// Decoding of Consul's answers into fleet views, beside RapidJSON's tree (in situ, its quickest) from which the same is
// taken. Both sides' results are compared before anything is timed.
#include <benchmark/benchmark.h>
#include <rapidjson/document.h>

#include <string>
#include <vector>

#include "convergence/codec.h"
#include "convergence/fleet_view.h"
#include "convergence/kv_view.h"
#include "tests/bench/must.h"
#include "tests/support/fleet_shapes.h"

namespace convergence::bench {
namespace {

constexpr std::uint64_t kInstances = 10000;

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

FleetView read_ours(const std::string& text) {
  FleetView view;
  must(read_health(text, "answer", view));
  return view;
}

void set_speed(benchmark::State& state, const std::string& text, std::uint64_t things) {
  state.SetBytesProcessed(state.iterations() * static_cast<std::int64_t>(text.size()));
  state.SetItemsProcessed(state.iterations() * static_cast<std::int64_t>(things));
}

// Of a copy, which is made while the clock stands.
template <typename Read>
void time_in_situ(benchmark::State& state, const std::string& text, std::uint64_t things, Read read) {
  for (auto _ : state) {
    state.PauseTiming();
    std::string buffer = text;
    state.ResumeTiming();
    auto result = read(std::move(buffer));
    benchmark::DoNotOptimize(result);
    state.PauseTiming();
    { const auto end = std::move(result); }
    state.ResumeTiming();
  }
  set_speed(state, text, things);
}

FleetView read_tree(std::string buffer) {
  rapidjson::Document tree;
  tree.ParseInsitu(buffer.data());
  return view_of_tree(tree);
}

void health_ours(benchmark::State& state) {
  must(read_ours(health()) == read_tree(health()), "both read the same health");
  for (auto _ : state) benchmark::DoNotOptimize(read_ours(health()));
  set_speed(state, health(), kInstances);
}
void health_tree(benchmark::State& state) { time_in_situ(state, health(), kInstances, read_tree); }

// ---- the next answer of a watch: one row in a thousand has another version

const std::string& next_health() {
  static const std::string text = [] {
    std::vector<std::string> rows;
    for (std::uint64_t node = 0; node < kInstances; ++node) {
      rows.push_back(test::health_row_json(node, 0, node % 1000 == 500 ? "9.9.9" : ""));
    }
    return test::list_of(rows);
  }();
  return text;
}

void health_next(benchmark::State& state) {
  HealthReads reads;
  std::string answer = health();
  must(read_next_health(answer, "answer", ~std::size_t{0}, reads).status());
  bool odd = true;
  for (auto _ : state) {
    state.PauseTiming();
    answer = odd ? next_health() : health();
    state.ResumeTiming();
    const auto changes = read_next_health(answer, "answer", ~std::size_t{0}, reads);
    must(changes.ok() && !changes->whole && changes->rows.size() == kInstances / 1000, "a row in a thousand changed");
    odd = !odd;
  }
  must(reads.view == read_ours(odd ? health() : next_health()), "it is what reading it whole gives");
  set_speed(state, health(), kInstances);
}

// ---- KV

const std::string& kv() {
  static const std::string text = test::kv_recurse_json(kInstances / 10, 10);
  return text;
}

// A plain decoder by table, the usual way.
void decode_base64(std::string_view text, std::string& out) {
  static const std::vector<std::uint8_t> table = [] {
    std::vector<std::uint8_t> made(256, 0);
    constexpr std::string_view kAlphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    for (std::size_t i = 0; i < kAlphabet.size(); ++i) {
      made[static_cast<unsigned char>(kAlphabet[i])] = static_cast<std::uint8_t>(i);
    }
    return made;
  }();
  const auto letter = [&](std::size_t i) { return std::uint32_t{table[static_cast<unsigned char>(text[i])]}; };
  for (std::size_t i = 0; i + 4 <= text.size(); i += 4) {
    const std::uint32_t group = letter(i) << 18 | letter(i + 1) << 12 | letter(i + 2) << 6 | letter(i + 3);
    out += static_cast<char>(group >> 16 & 255);
    if (text[i + 2] != '=') out += static_cast<char>(group >> 8 & 255);
    if (text[i + 3] != '=') out += static_cast<char>(group & 255);
  }
}

KvView read_kv_tree(std::string buffer) {
  const std::size_t size = buffer.size();
  rapidjson::Document tree;
  tree.ParseInsitu(buffer.data());
  KvView view;
  view.bytes.reserve(size);
  view.entries.reserve(tree.Size());
  for (const rapidjson::Value& pair : tree.GetArray()) {
    KvView::Entry& entry = view.entries.emplace_back();
    const std::string_view key = text_at(pair, "Key");
    entry.key_at = static_cast<std::uint32_t>(view.bytes.size());
    entry.key_size = static_cast<std::uint32_t>(key.size());
    view.bytes += key;
    entry.value_at = static_cast<std::uint32_t>(view.bytes.size());
    decode_base64(text_at(pair, "Value"), view.bytes);
    entry.value_size = static_cast<std::uint32_t>(view.bytes.size()) - entry.value_at;
    entry.modify_index = pair["ModifyIndex"].GetUint64();
  }
  return view;
}

KvView read_kv_ours(std::string answer) {
  absl::StatusOr<KvView> view = read_kv(std::move(answer), "answer");
  must(view.status());
  return *std::move(view);
}

void kv_ours(benchmark::State& state) {
  must(read_kv_ours(kv()) == read_kv_tree(kv()), "both read the same keys");
  time_in_situ(state, kv(), kInstances, read_kv_ours);
}
void kv_tree(benchmark::State& state) { time_in_situ(state, kv(), kInstances, read_kv_tree); }

// ---- an agent's services

void agent_services(benchmark::State& state) {
  const std::string text = test::agent_services_json(100);
  for (auto _ : state) {
    FleetView view;
    must(read_agent_services(text, "answer", "n", view));
  }
  set_speed(state, text, 100);
}

BENCHMARK(health_ours)->Name("health/view")->Unit(benchmark::kMicrosecond);
BENCHMARK(health_tree)->Name("health/tree_in_situ")->Unit(benchmark::kMicrosecond);
BENCHMARK(health_next)->Name("health/next_0.1%_changed")->Unit(benchmark::kMicrosecond);
BENCHMARK(kv_ours)->Name("kv/view")->Unit(benchmark::kMicrosecond);
BENCHMARK(kv_tree)->Name("kv/tree_in_situ_and_table")->Unit(benchmark::kMicrosecond);
BENCHMARK(agent_services)->Name("agent_services/view")->Unit(benchmark::kMicrosecond);

}  // namespace
}  // namespace convergence::bench
