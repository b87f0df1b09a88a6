// Against a real Consul, each beside plain sockets in the same run: reading a fleet from end to end, from a write to
// the plan that it asks for, and what a program at rest costs. Times are the machine's and Consul's as well as ours;
// what counts are ratios.
#include <benchmark/benchmark.h>
#include <fmt/format.h>
#include <sys/resource.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstdlib>
#include <deque>
#include <filesystem>
#include <fstream>
#include <functional>
#include <memory>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "convergence/agent_driver.h"
#include "convergence/codec.h"
#include "convergence/consul_client.h"
#include "convergence/curl_transport.h"
#include "convergence/fleet_view.h"
#include "convergence/kv_view.h"
#include "convergence/plan.h"
#include "tests/bench/must.h"
#include "tests/bench/plain_socket.h"
#include "tests/support/consul_server.h"
#include "tests/support/fleet_shapes.h"

namespace convergence::bench {
namespace {

using Clock = std::chrono::steady_clock;
using std::chrono::milliseconds;
using std::chrono::seconds;

// The whole fleet takes a Consul seconds to register; by day a small one shows that all this still runs.
bool whole() { return std::getenv("CONVERGENCE_NIGHTLY") != nullptr; }
std::uint64_t service_count() { return whole() ? 100 : 10; }
std::uint64_t node_count() { return whole() ? 100 : 20; }
std::uint64_t key_count() { return whole() ? 10000 : 500; }

test::ConsulServer* server = nullptr;

double cpu_seconds() {
  rusage use{};
  getrusage(RUSAGE_SELF, &use);
  const auto of = [](const timeval& t) {
    return static_cast<double>(t.tv_sec) + 1e-6 * static_cast<double>(t.tv_usec);
  };
  return of(use.ru_utime) + of(use.ru_stime);
}

double median(std::vector<double> values) {
  must(!values.empty(), "something was measured");
  std::nth_element(values.begin(), values.begin() + static_cast<std::ptrdiff_t>(values.size() / 2), values.end());
  return values[values.size() / 2];
}

// ---- a fleet in Consul

void write_in_transactions(std::vector<Json> operations) {
  PlainSocket socket(server->http_port());
  for (std::size_t at = 0; at < operations.size(); at += kMaxTxnOperations) {
    Json::Array batch;
    for (std::size_t i = at; i < std::min(at + kMaxTxnOperations, operations.size()); ++i) {
      batch.push_back(std::move(operations[i]));
    }
    must(socket.ask("PUT", "/v1/txn", to_text(Json(std::move(batch)))), "a transaction");
  }
}

Json health_operation(std::uint64_t node, std::uint64_t service, Json& node_operation) {
  const Json row = *parse_json(test::health_row_json(node, service), "row");
  Json node_json = *row.find("Node");
  node_operation = Json().set("Node", Json().set("Verb", "set").set("Node", node_json));
  Json body;
  for (const char* member : {"ID", "Service", "Tags", "Meta", "Port", "Address"}) {
    if (const Json* value = row.find("Service")->find(member)) body.set(member, *value);
  }
  return Json().set("Service",
                    Json().set("Verb", "set").set("Node", test::node_name(node)).set("Service", std::move(body)));
}

void fill() {
  static bool filled = false;
  if (std::exchange(filled, true)) return;
  std::vector<Json> operations;
  for (std::uint64_t node = 0; node < node_count(); ++node) {
    for (std::uint64_t service = 0; service < service_count(); ++service) {
      Json node_operation;
      Json operation = health_operation(node, service, node_operation);
      if (service == 0) operations.push_back(std::move(node_operation));
      operations.push_back(std::move(operation));
    }
  }
  for (std::uint64_t key = 0; key < key_count(); ++key) {
    operations.push_back(Json().set("KV", Json()
                                              .set("Verb", "set")
                                              .set("Key", fmt::format("fleet/{:06}/value", key))
                                              .set("Value", base64_encode(fmt::format("{:0>160}", key)))));
  }
  write_in_transactions(std::move(operations));
}

std::vector<std::string> targets() {
  std::vector<std::string> all = {"/v1/kv/fleet/?recurse="};
  for (std::uint64_t i = 0; i < service_count(); ++i) all.push_back("/v1/health/service/" + test::service_name(i));
  return all;
}

// ---- reading all of it

struct Cost {
  double wall = 0;
  double cpu = 0;
};

Cost cost_of(const std::function<void()>& work) {
  const double cpu = cpu_seconds();
  const Clock::time_point begin = Clock::now();
  work();
  return {std::chrono::duration<double>(Clock::now() - begin).count(), cpu_seconds() - cpu};
}

std::size_t read_plainly() {
  PlainSocket socket(server->http_port());
  std::size_t bytes = 0;
  for (const std::string& target : targets()) {
    must(socket.ask("GET", target), "an answer");
    bytes += socket.body().size();
  }
  return bytes;
}

// The same through the transport, into what a planner reads.
class FleetReader {
 public:
  FleetReader() : executor_(new_loop_executor()) {
    CurlOptions options;
    options.address = server->address();
    auto made = new_curl_transport(*executor_, options);
    must(made.status());
    transport_ = *std::move(made);
  }

  void read() {
    FleetView view;
    KvView keys;
    std::size_t open = 0;
    const std::vector<std::string> all = targets();
    for (const std::string& target : all) {
      ++open;
      HttpRequest request;
      request.target = target;
      transport_->send(std::move(request), [&, target](absl::StatusOr<HttpResponse> answer) {
        must(answer.status());
        --open;
        if (!target.starts_with("/v1/kv/")) return must(read_health(answer->body, target, view));
        auto read = read_kv(std::move(answer->body), target);
        must(read.status());
        keys = *std::move(read);
      });
      // The next one is on its way while an answer is read. Consul answers no quicker for being asked more at a time.
      while (open > 1) executor_->poll(seconds(10));
    }
    while (open > 0) executor_->poll(seconds(10));
    must(view.size() == service_count() * node_count(), "every instance was read");
    must(keys.size() == key_count(), "every key was read");
  }

 private:
  std::unique_ptr<LoopExecutor> executor_;
  std::unique_ptr<Transport> transport_;
};

void read_all(benchmark::State& state) {
  fill();
  FleetReader reader;
  std::vector<double> plain_wall, plain_cpu, wall, cpu;
  std::size_t bytes = 0;
  for (auto _ : state) {
    const Cost plain = cost_of([&] { bytes = read_plainly(); });
    const Cost ours = cost_of([&] { reader.read(); });
    plain_wall.push_back(plain.wall);
    plain_cpu.push_back(plain.cpu);
    wall.push_back(ours.wall);
    cpu.push_back(ours.cpu);
  }
  state.counters["MB"] = static_cast<double>(bytes) / 1e6;
  state.counters["plain_ms"] = 1e3 * median(plain_wall);
  state.counters["ours_ms"] = 1e3 * median(wall);
  state.counters["wall_ratio"] = median(wall) / median(plain_wall);
  state.counters["plain_cpu_ms"] = 1e3 * median(plain_cpu);
  state.counters["ours_cpu_ms"] = 1e3 * median(cpu);
  state.counters["cpu_ratio"] = median(cpu) / median(plain_cpu);
}
BENCHMARK(read_all)->Unit(benchmark::kMillisecond);

// ---- from a write to the plan

// When a watcher was done with the index that a write has, told from its own thread.
struct Seen {
  std::atomic<std::uint64_t> index{0};
  std::atomic<std::int64_t> at{0};
  void tell(std::uint64_t now_index) {
    at = Clock::now().time_since_epoch().count();
    index = now_index;
  }
};

class PlainWatcher {
 public:
  PlainWatcher(const std::string& key, Seen& seen)
      : socket_(server->http_port()), thread_([this, key, &seen] {
          std::uint64_t index = 0;
          while (!ending_ && socket_.ask("GET", fmt::format("/v1/kv/{}?recurse=&index={}&wait=60s", key, index))) {
            index = socket_.index();
            seen.tell(index);
          }
        }) {}
  ~PlainWatcher() {
    ending_ = true;
    socket_.cut();
    thread_.join();
  }

 private:
  std::atomic<bool> ending_{false};
  PlainSocket socket_;
  std::thread thread_;
};

CatalogState nodes_of_front(int count) {
  CatalogState catalog;
  catalog.datacenter = "dc1";
  for (int i = 0; i < count; ++i) {
    Node node;
    node.name = fmt::format("n{:03}", i);
    node.address = "10.0.0.1";
    node.meta = {{"role", "front"}};
    std::string name = node.name;
    catalog.nodes[std::move(name)] = NodeState{std::move(node), {}};
  }
  return catalog;
}

class PlanningWatcher {
 public:
  PlanningWatcher(const std::string& prefix, Seen& seen)
      : catalog_(nodes_of_front(10)), executor_(new_thread_executor()) {
    CurlOptions options;
    options.address = server->address();
    auto made = new_curl_transport(*executor_, options);
    must(made.status());
    transport_ = *std::move(made);
    client_ = std::make_unique<ConsulClient>(*executor_, *transport_);
    using Pairs = std::vector<KvPair>;
    watch_ = Watch::start<Pairs>(
        *executor_,
        [this, prefix](std::uint64_t index, ConsulClient::Callback<Answer<Pairs>> done) {
          ReadOptions waiting;
          waiting.wait_index = index;
          waiting.wait = seconds(60);
          client_->kv_recurse(prefix, waiting, std::move(done));
        },
        [this, prefix, &seen](absl::StatusOr<Answer<Pairs>> answer) {
          if (!answer.ok()) return;  // the end
          const auto read = desired_from_kv(answer->value, prefix.substr(0, prefix.find('/')));
          must(read.status());
          const auto plan = converge(read->desired, catalog_);
          must(plan.status());
          must(plan->steps.size() == catalog_.nodes.size(), "a step for each node");
          seen.tell(answer->index);
        });
  }
  ~PlanningWatcher() {
    watch_->stop();
    client_.reset();
    transport_.reset();
  }

 private:
  CatalogState catalog_;
  std::unique_ptr<Executor> executor_;
  std::unique_ptr<Transport> transport_;
  std::unique_ptr<ConsulClient> client_;
  std::unique_ptr<Watch> watch_;
};

std::string service_document(int version) {
  DesiredState state;
  DesiredService& service = state.services.emplace_back();
  service.name = "web";
  service.placement.role = "front";
  service.release.version = std::to_string(version);
  service.release.port = 80;
  return desired_to_kv(state, "x").front().value;
}

// Microseconds from before the write is sent until the watcher is done with it. Only once the watcher asks again is the
// next one written, for which it is given some time.
double write_and_wait(PlainSocket& writer, const std::string& key, int version, const Seen& seen) {
  const std::uint64_t before = seen.index;
  const std::string document = service_document(version);
  const std::int64_t begin = Clock::now().time_since_epoch().count();
  must(writer.ask("PUT", "/v1/kv/" + key, document), "a write");
  while (seen.index == before) std::this_thread::sleep_for(std::chrono::microseconds(50));
  const double took = std::chrono::duration<double, std::micro>(Clock::duration(seen.at - begin)).count();
  std::this_thread::sleep_for(milliseconds(3));
  return took;
}

void reaction(benchmark::State& state) {
  PlainSocket writer(server->http_port());
  const std::string plain_key = "plain/desired/front/web/none", key = "ours/desired/front/web/none";
  must(writer.ask("PUT", "/v1/kv/" + plain_key, service_document(0)), "a write");
  must(writer.ask("PUT", "/v1/kv/" + key, service_document(0)), "a write");
  Seen plain_seen, seen;
  const PlainWatcher plain_watcher("plain/desired/", plain_seen);
  const PlanningWatcher watcher("ours/desired/", seen);
  while (plain_seen.index == 0 || seen.index == 0) std::this_thread::sleep_for(milliseconds(1));
  std::this_thread::sleep_for(milliseconds(20));
  std::vector<double> plain, ours;
  int version = 0;
  for (auto _ : state) {
    ++version;
    plain.push_back(write_and_wait(writer, plain_key, version, plain_seen));
    ours.push_back(write_and_wait(writer, key, version, seen));
  }
  state.counters["plain_p50_us"] = median(plain);
  state.counters["plan_p50_us"] = median(ours);
  state.counters["ratio"] = median(ours) / median(plain);
}
BENCHMARK(reaction)->Unit(benchmark::kMillisecond);

// ---- at rest

struct Process {
  long switches = 0;  // of their own will, of all threads: each is one wake-up
  long resident_kb = 0;
  long threads = 0;
};

Process process_now() {
  Process now;
  rusage use{};
  getrusage(RUSAGE_SELF, &use);
  now.switches = use.ru_nvcsw;
  std::ifstream status("/proc/self/status");
  for (std::string name; status >> name;) {
    if (name == "VmRSS:") status >> now.resident_kb;
    if (name == "Threads:") status >> now.threads;
  }
  return now;
}

// What goes by while nobody does anything; the one wake-up of this thread is taken off.
void rest(benchmark::State& state, const Process& before) {
  const auto pause = whole() ? seconds(20) : seconds(2);
  const Process begin = process_now();
  const double cpu = cpu_seconds();
  std::this_thread::sleep_for(pause);
  const Process end = process_now();
  const double length = std::chrono::duration<double>(pause).count();
  state.counters["wakes_per_s"] = static_cast<double>(end.switches - begin.switches - 1) / length;
  state.counters["cpu_percent"] = 100 * (cpu_seconds() - cpu) / length;
  state.counters["more_kB"] = static_cast<double>(end.resident_kb - before.resident_kb);
  state.counters["more_threads"] = static_cast<double>(end.threads - before.threads);
}

void idle_watches(benchmark::State& state) {
  PlainSocket writer(server->http_port());
  for (int i = 0; i < 100; ++i) must(writer.ask("PUT", fmt::format("/v1/kv/idle/{}", i), "x"), "a write");
  for (auto _ : state) {
    const Process before = process_now();
    std::atomic<int> told{0};
    const auto executor = new_thread_executor();
    CurlOptions options;
    options.address = server->address();
    options.max_connections = 100;  // a blocking query holds one
    auto transport = new_curl_transport(*executor, options);
    must(transport.status());
    ConsulClient client(*executor, **transport);
    std::vector<std::unique_ptr<Watch>> watches;
    using Pair = std::optional<KvPair>;
    for (int i = 0; i < 100; ++i) {
      watches.push_back(Watch::start<Pair>(
          *executor,
          [&client, i](std::uint64_t index, ConsulClient::Callback<Answer<Pair>> done) {
            ReadOptions read;
            read.wait_index = index;
            client.kv_get(fmt::format("idle/{}", i), read, std::move(done));
          },
          [&told](const absl::StatusOr<Answer<Pair>>& answer) { told += answer.ok() ? 1 : 0; }));
    }
    while (told < 100) std::this_thread::sleep_for(milliseconds(20));
    std::this_thread::sleep_for(milliseconds(300));  // by then each has asked again
    rest(state, before);
    must(told == 100, "nothing was told while nothing happened");
    for (auto& watch : watches) watch->stop();
  }
}
BENCHMARK(idle_watches)->Iterations(1)->Unit(benchmark::kMillisecond);

// Nothing is ever asked of these: the services are to be left alone.
struct NoHands : NodeHands {
  void carry_out(const Work&, Done) override {}
  void stop(std::uint64_t) override {}
  absl::Status remember(const AgentMemory&) override { return absl::OkStatus(); }
  std::vector<std::string> damaged(const AgentMemory&) override { return {}; }
  std::string package_folder(const std::string&, const Installed&) override { return {}; }
  std::vector<std::string> log_tail(const std::string&, const std::string&) override { return {}; }
};

void idle_agent(benchmark::State& state) {
  PlainSocket writer(server->http_port());
  DesiredState desired;
  DesiredService& service = desired.services.emplace_back();
  service.name = "web";
  service.placement.role = "front";
  service.action = DesiredAction::kIgnore;
  const KvPair pair = desired_to_kv(desired, "agent").front();
  must(writer.ask("PUT", "/v1/kv/" + pair.key, pair.value), "a write");
  for (auto _ : state) {
    const Process before = process_now();
    const auto executor = new_thread_executor();
    CurlOptions options;
    options.address = server->address();
    auto transport = new_curl_transport(*executor, options);
    must(transport.status());
    ConsulClient client(*executor, **transport);
    NoHands hands;
    AgentOptions agent_options;
    agent_options.role = "front";
    agent_options.prefix = "agent";
    std::atomic<int> events{0};
    agent_options.on_event = [&events](const AgentEvent&) { ++events; };
    auto agent = std::make_unique<AgentDriver>(client, hands, AgentMemory(), agent_options);
    agent->run([](const absl::Status&) {});
    for (int last = -1; events < 2 || last != events; std::this_thread::sleep_for(milliseconds(500))) last = events;
    const int told = events;
    rest(state, before);
    must(events == told, "nothing was told while nothing happened");
    executor->post([&agent] { agent->stop(); });
    std::this_thread::sleep_for(milliseconds(50));
  }
}
BENCHMARK(idle_agent)->Iterations(1)->Unit(benchmark::kMillisecond);

}  // namespace
}  // namespace convergence::bench

int main(int argc, char** argv) {
  using convergence::bench::must;
  benchmark::Initialize(&argc, argv);
  if (const auto binary = convergence::test::consul_binary(); !binary.ok()) {
    const char* required = std::getenv("CONVERGENCE_REQUIRE_CONSUL");
    must(required == nullptr || std::string(required) != "1", std::string(binary.status().message()).c_str());
    std::printf("SKIPPED bench_live: %s\n", std::string(binary.status().message()).c_str());
    return 77;
  }
  auto started = convergence::test::ConsulServer::start();
  must(started.status());
  convergence::bench::server = started->get();
  benchmark::RunSpecifiedBenchmarks();
  return 0;
}
