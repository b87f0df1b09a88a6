#ifndef CONVERGENCE_TESTS_SIMULATION_WORLD_H_
#define CONVERGENCE_TESTS_SIMULATION_WORLD_H_

#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "convergence/driver.h"
#include "convergence/memory_consul.h"
#include "convergence/testing/simulated_executor.h"
#include "convergence/transport_decorators.h"

namespace convergence::test {

// An embedded Consul on simulated time, a client of it that looks on and sets up, and as many further clients as a test
// wants. Hours pass in microseconds.
class World {
 public:
  using Decide = std::function<Fault(std::uint64_t number, const HttpRequest&)>;

  World();

  // ---- the stage
  void add_node(const std::string& name, const std::string& role = "");
  // One instance of `service` on `node`, with a check of its own.
  void add_instance(const std::string& node, const std::string& service, const std::string& version,
                    CheckStatus status = CheckStatus::kPassing);
  void remove_instance(const std::string& node, const std::string& service);
  void put_entry(const std::string& json);
  // Two instances each of 1.0 and 2.0, subsets v1 and v2, all traffic to v1.
  void add_service(const std::string& name);
  void add_api();

  // ---- looking on
  std::optional<ConfigEntry> entry(std::string_view kind, const std::string& name);
  std::int32_t candidate_weight();  // of service-splitter/api, subset v2
  // Puts the candidate's weight with all else as it is: another hand.
  void move_candidate(std::int32_t weight);
  CatalogState catalog();
  std::optional<CanaryState> rollout(const std::string& service = "api");
  void put_kv(const std::string& key, const std::string& value);

  // A client of its own whose requests `decide` may spoil. Lives as long as the world.
  ConsulClient& new_client(Decide decide = nullptr);

  // Runs the clock until `done`; false when nothing is left that could make it so, or hours have passed.
  bool run_until(const std::function<bool()>& done, Duration patience = std::chrono::hours(24));
  template <typename T, typename Start>
  absl::StatusOr<T> wait(Start start) {
    return await<T>(executor, start, std::chrono::hours(24));
  }

  SimulatedExecutor executor;
  MemoryConsul consul{executor};
  ConsulClient client{executor, consul};

 private:
  struct Side {
    std::unique_ptr<Transport> transport;
    std::unique_ptr<ConsulClient> client;
  };
  std::vector<Side> sides_;
};

// Service api from v1 to v2 in two steps of two good measurements.
CanaryPolicy api_policy();
StartRollout api_start();

// Answers as it was told, in the order of the windows; the last answer is given again and again.
class ScriptedMetrics : public MetricsSource {
 public:
  using Script = std::function<std::optional<Measurement>(const MeasureRequest& request)>;
  explicit ScriptedMetrics(Script script) : script_(std::move(script)) {}
  // No answer at all where the script has none.
  void measure(const MeasureRequest& request, std::function<void(Measurement)> done) override;

  std::vector<MeasureRequest> asked;
  std::vector<std::function<void(Measurement)>> callbacks;

 private:
  Script script_;
};

Measurement counted(std::int64_t requests, std::int64_t errors);
// Every window good, or every window bad from the second step on.
std::optional<Measurement> all_good(const MeasureRequest&);
std::optional<Measurement> all_bad(const MeasureRequest&);

// One word a decision: "settling started 500". What two runs of the same rollout must have in common; times differ.
std::vector<std::string> decisions(const CanaryState& state);

}  // namespace convergence::test

#endif  // CONVERGENCE_TESTS_SIMULATION_WORLD_H_
