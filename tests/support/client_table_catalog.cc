#include <fmt/format.h>

#include <algorithm>
#include <map>

#include "tests/support/client_table.h"

namespace convergence::test {
namespace {

using std::chrono::seconds;
using Nodes = Answer<std::vector<Node>>;
using Services = Answer<std::map<std::string, std::vector<std::string>>>;
using Checks = Answer<std::vector<HealthCheck>>;

std::string agent_node(const Backend& b) {
  const Json self = must<Json>(b, [&](auto done) { b.client.agent_self(done); });
  REQUIRE(self.find("Config") != nullptr);
  return *self.find("Config")->find("NodeName")->as_string();
}

void register_json(const Backend& b, const std::string& text) {
  must_be_done(b, [&](auto done) { b.client.catalog_register(json(text), {}, done); });
}

void deregister_node(const Backend& b, const std::string& node) {
  const Json body = json(fmt::format(R"({{"Node":"{}"}})", node));
  must_be_done(b, [&](auto done) { b.client.catalog_deregister(body, {}, done); });
}

Rows health(const Backend& b, const std::string& service, const ReadOptions& options = {}) {
  return must<Rows>(b, [&](auto done) { b.client.health_service(service, options, done); });
}

const Node* find_node(const Nodes& nodes, const std::string& name) {
  const auto found =
      std::find_if(nodes.value.begin(), nodes.value.end(), [&](const Node& node) { return node.name == name; });
  return found == nodes.value.end() ? nullptr : &*found;
}

void a_node_from_outside(Backend& b) {
  const std::string node = b.name("ext");
  const std::string service = b.name("db");
  register_json(b,
                fmt::format(R"({{"Node":"{0}","Address":"10.1.0.1","NodeMeta":{{"role":"app"}},"Service":{{"ID":"db1",
      "Service":"{1}","Port":5432,"Tags":["primary"],"Meta":{{"version":"9"}},"Address":"10.1.0.2"}},
      "Check":{{"Node":"{0}","CheckID":"db1:up","Name":"up","Status":"warning","ServiceID":"db1","Output":"slow"}}}})",
                            node, service));
  const Nodes nodes = must<Nodes>(b, [&](auto done) { b.client.catalog_nodes({}, done); });
  const Node* registered = find_node(nodes, node);
  REQUIRE(registered != nullptr);
  CHECK(registered->address == "10.1.0.1");
  CHECK(registered->datacenter == "dc1");
  CHECK(registered->meta == std::map<std::string, std::string>{{"role", "app"}});
  CHECK(registered->id.empty());
  CHECK(nodes.index >= registered->modify_index);
  const Services services = must<Services>(b, [&](auto done) { b.client.catalog_services({}, done); });
  REQUIRE(services.value.count(service) == 1);
  CHECK(services.value.at(service) == std::vector<std::string>{"primary"});

  const Rows rows = health(b, service);
  REQUIRE(rows.value.size() == 1);
  CHECK(rows.value[0].node == *registered);
  const ServiceInstance& instance = rows.value[0].instance;
  CHECK(instance.node == node);
  CHECK(instance.id == "db1");
  CHECK(instance.service == service);
  CHECK(instance.port == 5432);
  CHECK(instance.address == "10.1.0.2");
  CHECK(instance.tags == std::vector<std::string>{"primary"});
  CHECK(instance.meta == std::map<std::string, std::string>{{"version", "9"}});
  CHECK(instance.weights == ServiceWeights{1, 1});
  REQUIRE(rows.value[0].checks.size() == 1);
  const HealthCheck& check = rows.value[0].checks[0];
  CHECK(check.id == "db1:up");
  CHECK(check.status == CheckStatus::kWarning);
  CHECK(check.output == "slow");
  CHECK(check.service_id == "db1");
  CHECK(check.service_name == service);
  const Checks of_node = must<Checks>(b, [&](auto done) { b.client.health_node(node, {}, done); });
  CHECK(of_node.value == rows.value[0].checks);
  const Checks warning = must<Checks>(b, [&](auto done) { b.client.health_state("warning", {}, done); });
  CHECK(std::count(warning.value.begin(), warning.value.end(), check) == 1);

  deregister_node(b, node);
  CHECK(health(b, service).value.empty());
  CHECK(find_node(must<Nodes>(b, [&](auto done) { b.client.catalog_nodes({}, done); }), node) == nullptr);
}

void registering_the_same(Backend& b) {
  const std::string node = b.name("ext");
  const std::string text = fmt::format(
      R"({{"Node":"{0}","Address":"10.1.0.1","Service":{{"ID":"s1","Service":"{1}","Port":1}},
          "Check":{{"Node":"{0}","CheckID":"c","Name":"c","Status":"passing","ServiceID":"s1"}}}})",
      node, b.name("s"));
  register_json(b, text);
  const Rows before = health(b, b.name("s"));
  register_json(b, text);
  CHECK(health(b, b.name("s")) == before);
  deregister_node(b, node);
}

void health_wakes(Backend& b) {
  const std::string node = b.name("ext");
  const auto write = [&](const std::string& service, std::string_view status) {
    register_json(b,
                  fmt::format(R"({{"Node":"{0}","Address":"10.1.0.1","Service":{{"ID":"{1}","Service":"{1}","Port":1}},
        "Check":{{"Node":"{0}","CheckID":"{1}:c","Name":"c","Status":"{2}","ServiceID":"{1}"}}}})",
                              node, service, status));
  };
  const std::string mine = b.name("mine");
  write(mine, "passing");
  const Rows before = health(b, mine);
  const auto start = [&](const std::string& service, std::uint64_t index) {
    return UnderWay<Rows>(
        b, [&client = b.client, service, index](auto done) { client.health_service(service, waiting(index), done); });
  };
  const std::string other = b.name("other");
  write(other, "passing");
  auto existing = start(mine, before.index);
  auto sentinel = start(other, health(b, other).index);
  write(other, "critical");
  CHECK(sentinel.value().value.at(0).checks.at(0).status == CheckStatus::kCritical);
  CHECK_FALSE(existing.ended());
  write(mine, "critical");
  const Rows after = existing.value();
  CHECK(after.index > before.index);
  REQUIRE(after.value.size() == 1);
  CHECK(after.value[0].checks.at(0).status == CheckStatus::kCritical);
  // The last instance goes: the index moves on, and a read that waits hears of it.
  auto leaving = start(mine, after.index);
  deregister_node(b, node);
  const Rows gone = leaving.value();
  CHECK(gone.value.empty());
  CHECK(gone.index > after.index);
}

// Consul 1.8 gives a service that is not there the index at which a service last went for good.
void the_index_of_an_absent_service(Backend& b) {
  const std::string node = b.name("ext");
  const auto come = [&](const std::string& service) {
    register_json(
        b, fmt::format(R"({{"Node":"{0}","Address":"10.1.0.1","Service":{{"ID":"{1}","Service":"{1}","Port":1}}}})",
                       node, service));
  };
  const auto go = [&](const std::string& service) {
    const Json body = json(fmt::format(R"({{"Node":"{}","ServiceID":"{}"}})", node, service));
    must_be_done(b, [&](auto done) { b.client.catalog_deregister(body, {}, done); });
  };
  const auto absent = [&] { return health(b, b.name("absent")).index; };
  come(b.name("first"));
  go(b.name("first"));
  const std::uint64_t after_first = absent();
  come(b.name("second"));
  CHECK(absent() == after_first);
  UnderWay<Rows> waiting_read(b, [&client = b.client, service = b.name("absent"), after_first](auto done) {
    client.health_service(service, waiting(after_first), done);
  });
  go(b.name("second"));
  const Rows woken = waiting_read.value();
  CHECK(woken.value.empty());
  CHECK(woken.index > after_first);
  CHECK(woken.index == absent());
  deregister_node(b, node);
}

void filters(Backend& b) {
  const std::string node = b.name("ext");
  const std::string service = b.name("f");
  for (int i = 1; i <= 3; ++i) {
    register_json(b,
                  fmt::format(R"({{"Node":"{0}","Address":"10.1.0.1","Service":{{"ID":"i{1}","Service":"{2}","Port":{1},
        "Meta":{{"version":"{3}"}}}}}})",
                              node, i, service, i % 2));
  }
  const auto ids = [&](const std::string& filter) {
    ReadOptions options;
    options.filter = filter;
    std::string text;
    for (const HealthRow& row : health(b, service, options).value) text += row.instance.id + " ";
    return text;
  };
  CHECK(ids("Service.Meta.version == 1") == "i1 i3 ");
  CHECK(ids("Service.Meta.version != \"1\" or Service.Port == 3") == "i2 i3 ");
  CHECK(ids("Service.ID in Node.Meta") == "");
  ReadOptions bad;
  bad.filter = "Service.Meta.version ==";
  const auto refused = call<Rows>(b, [&](auto done) { b.client.health_service(service, bad, done); });
  CHECK_ERROR(refused, ErrorKind::kServer, "Failed to create boolean expression evaluator");
  deregister_node(b, node);
}

void what_the_catalog_refuses(Backend& b) {
  const auto status = [&](std::string_view text) {
    return await_done(b.executor, [&](auto done) { b.client.catalog_register(json(text), {}, done); });
  };
  CHECK_ERROR(status(R"({"Address":"10.0.0.1"})"), ErrorKind::kServer, "status 500: Must provide node");
  CHECK_ERROR(status(fmt::format(R"({{"Node":"{}"}})", b.name("n"))), ErrorKind::kServer,
              "status 500: Must provide address if SkipNodeUpdate is not set");
}

void the_agent(Backend& b) {
  ServiceInstance instance;
  instance.id = b.name("web-1");
  instance.service = b.name("web");
  instance.port = 8080;
  instance.tags = {"v1"};
  instance.meta = {{"version", "1.0"}};
  instance.weights = {10, 2};
  CheckDefinition ttl;
  ttl.name = "ttl";
  ttl.ttl = seconds(3600);
  const std::string check_id = instance.id + ":ttl";
  must_be_done(b, [&](auto done) { b.client.agent_service_register(instance, {ttl}, done); });

  using Map = std::map<std::string, ServiceInstance>;
  const Map services = must<Map>(b, [&](auto done) { b.client.agent_services({}, done); });
  REQUIRE(services.count(instance.id) == 1);
  CHECK(services.at(instance.id).service == instance.service);
  CHECK(services.at(instance.id).weights == instance.weights);
  CHECK(services.at(instance.id).meta == instance.meta);

  const auto row_status = [](const Rows& rows) {
    if (rows.value.size() != 1) return std::string("rows");
    return std::string(to_string(worst_status(rows.value[0].checks, {})));
  };
  const Rows critical =
      health_when(b, instance.service, [&](const Rows& rows) { return row_status(rows) == "critical"; });
  CHECK(critical.value[0].node.name == agent_node(b));
  CHECK(critical.value[0].instance.port == 8080);
  must_be_done(b, [&](auto done) { b.client.agent_check_update(check_id, CheckStatus::kPassing, "fine", done); });
  health_when(b, instance.service, [&](const Rows& rows) { return row_status(rows) == "passing"; });
  using CheckMap = std::map<std::string, HealthCheck>;
  const CheckMap checks = must<CheckMap>(b, [&](auto done) { b.client.agent_checks({}, done); });
  REQUIRE(checks.count(check_id) == 1);
  CHECK(checks.at(check_id).status == CheckStatus::kPassing);
  CHECK(checks.at(check_id).output == "fine");
  CHECK(checks.at(check_id).service_id == instance.id);

  // In maintenance, which a registration that keeps the other checks leaves as it is.
  must_be_done(b, [&](auto done) { b.client.agent_service_maintenance(instance.id, true, "new version", done); });
  health_when(b, instance.service, [&](const Rows& rows) { return row_status(rows) == "critical"; });
  must_be_done(
      b, [&](auto done) { b.client.agent_service_register(instance, {ttl}, done, ConsulClient::OtherChecks::kKeep); });
  const std::string maintenance = "_service_maintenance:" + instance.id;
  CHECK(must<CheckMap>(b, [&](auto done) { b.client.agent_checks({}, done); }).at(maintenance).notes == "new version");
  must_be_done(b, [&](auto done) { b.client.agent_service_maintenance(instance.id, false, "", done); });
  health_when(b, instance.service, [&](const Rows& rows) { return row_status(rows) == "passing"; });

  // Registering again changes what differs, keeps what is known of the checks that stay, and drops the others.
  CheckDefinition second = ttl;
  second.name = "second";
  must_be_done(b, [&](auto done) { b.client.agent_check_register(second, instance.id, done); });
  CHECK(must<CheckMap>(b, [&](auto done) { b.client.agent_checks({}, done); }).count(instance.id + ":second") == 1);
  instance.port = 8081;
  must_be_done(b, [&](auto done) { b.client.agent_service_register(instance, {ttl}, done); });
  const CheckMap after = must<CheckMap>(b, [&](auto done) { b.client.agent_checks({}, done); });
  CHECK(after.count(instance.id + ":second") == 0);
  REQUIRE(after.count(check_id) == 1);
  CHECK(after.at(check_id).status == CheckStatus::kPassing);
  health_when(b, instance.service,
              [&](const Rows& rows) { return row_status(rows) == "passing" && rows.value[0].instance.port == 8081; });

  must_be_done(b, [&](auto done) { b.client.agent_service_deregister(instance.id, done); });
  health_when(b, instance.service, [](const Rows& rows) { return rows.value.empty(); });
  CHECK(must<CheckMap>(b, [&](auto done) { b.client.agent_checks({}, done); }).count(check_id) == 0);
}

void a_check_of_the_agents_node(Backend& b) {
  CheckDefinition ttl;
  ttl.id = b.name("disk");
  ttl.name = "disk";
  ttl.ttl = seconds(3600);
  const std::string node = agent_node(b);
  must_be_done(b, [&](auto done) { b.client.agent_check_register(ttl, "", done); });
  must_be_done(b, [&](auto done) { b.client.agent_check_update(ttl.id, CheckStatus::kWarning, "90%", done); });
  Checks checks;
  const auto found = [&] {
    return std::any_of(checks.value.begin(), checks.value.end(), [&](const HealthCheck& check) {
      return check.id == ttl.id && check.status == CheckStatus::kWarning && check.service_id.empty();
    });
  };
  for (int tries = 0; tries < 20 && !found(); ++tries) {
    checks = must<Checks>(b, [&](auto done) { b.client.health_node(node, waiting(checks.index, seconds(5)), done); });
  }
  CHECK(found());
  must_be_done(b, [&](auto done) { b.client.agent_check_deregister(ttl.id, done); });
}

void the_leader(Backend& b) {
  CHECK_FALSE(must<std::string>(b, [&](auto done) { b.client.status_leader(done); }).empty());
}

}  // namespace

std::vector<ClientCase> catalog_cases() {
  return {
      {"a node, service and check from outside", a_node_from_outside},
      {"registering the same again changes nothing", registering_the_same},
      {"reads of health are woken by their own service only", health_wakes},
      {"the index of a service that is not there", the_index_of_an_absent_service},
      {"health with a filter", filters},
      {"what the catalog refuses", what_the_catalog_refuses},
      {"the agent: register, check, change, deregister", the_agent},
      {"a check of the agent's node", a_check_of_the_agents_node},
      {"the leader", the_leader},
  };
}

}  // namespace convergence::test
