// What an agent asks of the server, request by request.

#include <doctest/doctest.h>
#include <fmt/format.h>

#include <algorithm>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "convergence/codec.h"
#include "tests/simulation/deploy_world.h"

namespace convergence::test {
namespace {

using std::chrono::hours;
using std::chrono::minutes;
using std::chrono::seconds;

// One agent whose requests and events are written down; its services are to be left alone, so that nothing is deployed.
class WakeWorld : public World {
 public:
  explicit WakeWorld(const std::string& environment = "") : hands(executor, "n1") {
    add_node("n1", "web");
    AgentOptions options;
    options.role = "web";
    options.environment = environment;
    options.config.node = "n1";
    Node node;
    node.name = "n1";
    node.address = "10.0.0.1";
    node.meta = {{"role", "web"}};
    options.catalog_node = node;
    options.on_event = [this](const AgentEvent&) { event_times.push_back(executor.now()); };
    ConsulClient& client = new_client([this](std::uint64_t, const HttpRequest& request) {
      requests.push_back(request.method + " " + request.target.substr(0, request.target.find('?')));
      return Fault();
    });
    agent = std::make_unique<AgentDriver>(client, hands, AgentMemory(), options);
  }
  void start() {
    agent->run([](const absl::Status& status) { CHECK(status.ToString() == "OK"); });
    executor.advance(minutes(1));
    requests.clear();
    event_times.clear();
  }
  // What the server was asked; a node with a Consul agent beside it has its own registrations from there.
  std::vector<std::string> asked() {
    executor.advance(seconds(30));
    std::vector<std::string> out = std::exchange(requests, {});
    std::erase_if(out, [](const std::string& one) {
      return one == "GET /v1/catalog/node-services/n1" || one == "GET /v1/health/node/n1";
    });
    return out;
  }

  MadeUpNode hands;
  std::vector<std::string> requests{};
  std::vector<Time> event_times{};
  std::unique_ptr<AgentDriver> agent;
};

std::string document(int number, const std::string& version) {
  DesiredState state;
  DesiredService& service = state.services.emplace_back();
  service.name = fmt::format("s{:03}", number);
  service.placement.role = "web";
  service.action = DesiredAction::kIgnore;
  service.release.version = version;
  return desired_to_kv(state, "convergence").front().value;
}

std::string listed(std::vector<std::string> requests) {
  std::ranges::sort(requests);
  return fmt::format("{}", fmt::join(requests, ", "));
}

// W-A26: there 1 + 3N requests at every wake.
TEST_CASE("W-A26: a wake on our own layout is two requests, however many services there are") {
  for (const int services : {1, 10, 200}) {
    CAPTURE(services);
    WakeWorld world;
    for (int i = 0; i < services; ++i) {
      world.put_kv(fmt::format("convergence/desired/web/s{:03}/none", i), document(i, "1.0"));
    }
    world.start();
    CHECK(world.agent->state().services.size() == static_cast<std::size_t>(services));
    CHECK(world.asked() == std::vector<std::string>());
    world.put_kv("convergence/desired/web/s000/none", document(0, "2.0"));
    // A folder of locks that is empty has no index of its own: its reader is woken too.
    CHECK(listed(world.asked()) == "GET /v1/kv/convergence/desired/web/, GET /v1/kv/convergence/locks/");
    CHECK(world.agent->state().services[0].release.version == "2.0");
  }
}

void put_version(WakeWorld& world, int number, const std::string& version) {
  const std::string base = fmt::format("environments/pr1/services/s{:03}/{}/", number, version);
  world.put_kv(base + "definition", R"({"Service":{"Ports":{"blue":1,"green":2}}})");
  world.put_kv(base + "installation", R"({"PackageBucket":"b","PackageKey":"k"})");
  world.put_kv(fmt::format("environments/pr1/roles/web/services/s{:03}/none", number),
               fmt::format(R"({{"Name":"s{:03}","Version":"{}","DeploymentId":"d{}-{}","Action":"Ignore"}})", number,
                           version, number, version));
}

TEST_CASE("W-A26: a wake on Environment Manager's layout is 1 + ceil(2N/64) requests") {
  for (const int services : {1, 32, 33, 100}) {
    CAPTURE(services);
    WakeWorld world("pr1");
    world.put_kv("convergence/locks/role/other", "closed");
    for (int i = 0; i < services; ++i) put_version(world, i, "1.0");
    world.start();
    CHECK(world.agent->state().services.size() == static_cast<std::size_t>(services));
    CHECK(world.asked() == std::vector<std::string>());
    world.put_kv("environments/pr1/roles/web/services/s000/none",
                 R"({"Name":"s000","Version":"1.0","DeploymentId":"again","Action":"Ignore"})");
    const std::vector<std::string> asked = world.asked();
    CHECK(asked.size() == static_cast<std::size_t>(1 + (2 * services + 63) / 64));
    CHECK(std::ranges::count(asked, "PUT /v1/txn") == (2 * services + 63) / 64);
  }
}

TEST_CASE("an agent at rest wakes for its audit alone") {
  WakeWorld world;
  for (int i = 0; i < 5; ++i) {
    world.put_kv(fmt::format("convergence/desired/web/s{:03}/none", i), document(i, "1.0"));
  }
  world.start();
  world.executor.advance(hours(1));
  // Every five minutes it wakes and sees what it has registered; nothing else happens.
  CHECK(world.event_times.size() == 24);
  for (std::size_t i = 2; i < world.event_times.size(); i += 2) {
    CHECK(world.event_times[i] - world.event_times[i - 2] == minutes(5));
  }
}

}  // namespace
}  // namespace convergence::test
