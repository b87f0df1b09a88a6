// What a node does next with each of its services, compared whole as people read it.

#include <functional>
#include <string>
#include <vector>

#include "convergence/deployment.h"
#include "tests/support/plan_values.h"

namespace convergence {
namespace {

CheckDefinition alive() {
  CheckDefinition check;
  check.name = "alive";
  check.ttl = std::chrono::seconds(30);
  return check;
}

DesiredService deployed(std::string name, std::string version) {
  DesiredService out = test::service(std::move(name), std::move(version));
  out.release.package.source = "file:///p.zip";
  out.release.checks = {alive()};
  return out;
}

Installed installed(const DesiredService& service) {
  Installed out;
  out.name = service.name;
  out.slice = service.slice;
  out.deployment = deployment_key(service);
  out.release = service.release;
  out.on_removal = service.strategy.on_removal;
  return out;
}

InstanceState registered(const DesiredService& service, CheckStatus status = CheckStatus::kPassing) {
  InstanceState out;
  out.instance = wanted_instance(service, service.release, deployment_key(service), "convergence");
  for (const CheckDefinition& wanted : wanted_checks(out.instance.id, service.release, {})) {
    HealthCheck& check = out.checks.emplace_back();
    check.id = wanted.id;
    check.status = status;
  }
  return out;
}

struct NodeWorld {
  std::vector<DesiredService> services{};
  NodeView view{};

  void run(const DesiredService& service, CheckStatus status = CheckStatus::kPassing) {
    view.installed[service_id(service)] = installed(service);
    view.local[service_id(service)] = registered(service, status);
  }
};

std::string decisions(NodeWorld world) {
  world.view.node = "n1";
  std::string text;
  for (const NodeDecision& decision : plan_node(world.services, world.view)) {
    text += decision.service_id + " " + std::string(to_string(decision.action)) + ": " + decision.why + "\n";
  }
  return text;
}

TEST_CASE("a node's decisions") {
  const DesiredService web1 = deployed("web", "1.0"), web2 = deployed("web", "2.0"), api = deployed("api", "1.0");
  struct Case {
    const char* name;
    std::function<void(NodeWorld&)> make;
    std::string want;
  };
  const Case cases[] = {
      {"nothing is here",
       [&](NodeWorld& w) {
         w.services = {web1, api};
       },
       "api install: 1.0 is not here (wanted)\nweb install: 1.0 is not here (wanted)\n"},
      {"all is as wanted",
       [&](NodeWorld& w) {
         w.services = {web1};
         w.run(web1);
       },
       "web nothing: wanted\n"},
      {"another version",
       [&](NodeWorld& w) {
         w.services = {web2};
         w.run(web1);
       },
       "web upgrade: 1.0 runs, 2.0 is due (wanted)\n"},
      {"the same version again",
       [&](NodeWorld& w) {
         w.services = {web1};
         w.services[0].release.deployment = "again";
         w.run(web1);
       },
       "web redeploy: 1.0 is to be deployed again (wanted)\n"},
      {"P-H: a service that is not wanted any more, kept", [&](NodeWorld& w) { w.run(web1); },
       "web nothing: not wanted any more; its strategy keeps it\n"},
      {"W-A16: and gone, where that was asked for",
       [&](NodeWorld& w) {
         DesiredService service = web1;
         service.strategy.on_removal = OnRemoval::kUninstall;
         w.run(service);
       },
       "web uninstall: not wanted any more\n"},
      {"uninstall",
       [&](NodeWorld& w) {
         w.services = {web1};
         w.services[0].action = DesiredAction::kUninstall;
         w.run(web1);
       },
       "web uninstall: asked to be gone\n"},
      {"uninstall of what is not there",
       [&](NodeWorld& w) {
         w.services = {web1};
         w.services[0].action = DesiredAction::kUninstall;
       },
       "web nothing: gone, as asked\n"},
      {"ignore leaves what runs",
       [&](NodeWorld& w) {
         w.services = {web2};
         w.services[0].action = DesiredAction::kIgnore;
         w.run(web1);
       },
       "web ignore: asked to be left as it is\n"},
      {"P-L: somebody took it out of the catalog",
       [&](NodeWorld& w) {
         w.services = {web1};
         w.run(web1);
         w.view.local.clear();
       },
       "web reregister: it is not registered\n"},
      {"W-A5: a check is missing",
       [&](NodeWorld& w) {
         w.services = {web1};
         w.run(web1);
         w.view.local["web"].checks.clear();
       },
       "web reregister: its check web:alive is missing\n"},
      {"a check that is to ask for something else",
       [&](NodeWorld& w) {
         w.services = {web1};
         w.services[0].release.checks[0].ttl = std::chrono::seconds(60);
         w.run(web1);
       },
       "web reregister: its check web:alive is not the one that is wanted\n"},
      {"a check that is to go",
       [&](NodeWorld& w) {
         w.services = {web1};
         w.services[0].release.checks.clear();
         w.run(web1);
       },
       "web reregister: its check web:alive is not wanted any more\n"},
      {"somebody's check of another type in place of ours",
       [&](NodeWorld& w) {
         w.services = {web1};
         w.run(web1);
         w.view.local["web"].checks[0].type = "tcp";
       },
       "web reregister: its check web:alive is of type tcp, wanted is ttl\n"},
      {"or of another name",
       [&](NodeWorld& w) {
         w.services = {web1};
         w.run(web1);
         w.view.local["web"].checks[0].name = "dead";
       },
       "web reregister: its check web:alive has the name dead, wanted is alive\n"},
      {"a check of somebody else beside ours",
       [&](NodeWorld& w) {
         w.services = {web1};
         w.run(web1);
         w.view.local["web"].checks.emplace_back().id = "theirs";
       },
       "web nothing: wanted\n"},
      {"other tags",
       [&](NodeWorld& w) {
         w.services = {web1};
         w.services[0].release.tags = {"b"};
         w.run(web1);
       },
       "web reregister: its tags are [], wanted are [b]\n"},
      {"files are not as installed",
       [&](NodeWorld& w) {
         w.services = {web1};
         w.run(web1);
         w.view.damaged = {"web"};
       },
       "web repair: its files are not as installed\n"},
      {"W-A2: what failed here is not tried again, and what runs stays",
       [&](NodeWorld& w) {
         w.services = {web2};
         w.run(web1);
         w.view.failed["web"]["2.0"] = "BeforeInstall ended with 1";
       },
       "web wait: 2.0 failed here: BeforeInstall ended with 1\n"},
      {"a service of somebody else",
       [&](NodeWorld& w) {
         w.services = {web1};
         w.view.local["web"] = registered(web1);
         w.view.local["web"].instance.meta.clear();
       },
       "web wait: a service web is registered here that is not ours\n"},
      {"dependencies first, whatever the names",
       [&](NodeWorld& w) {
         w.services = {api, web1};
         w.services[0].release.depends_on = {"web"};
       },
       "web install: 1.0 is not here (wanted)\napi wait: it needs web, which is not here\n"},
      {"a dependency has to pass",
       [&](NodeWorld& w) {
         w.services = {api, web1};
         w.services[0].release.depends_on = {"web"};
         w.run(web1, CheckStatus::kCritical);
       },
       "web nothing: wanted\napi wait: it needs web, which is critical\n"},
      {"then it follows",
       [&](NodeWorld& w) {
         w.services = {api, web1};
         w.services[0].release.depends_on = {"web"};
         w.run(web1);
       },
       "web nothing: wanted\napi install: 1.0 is not here (wanted)\n"},
      {"a circle waits and says so, the others do not",
       [&](NodeWorld& w) {
         w.services = {api, web1, deployed("zip", "1.0")};
         w.services[0].release.depends_on = {"web"};
         w.services[1].release.depends_on = {"api"};
       },
       "zip install: 1.0 is not here (wanted)\n"
       "api wait: services wait for each other in a circle: api, web\n"
       "web wait: services wait for each other in a circle: api, web\n"},
      {"two slices stand side by side",
       [&](NodeWorld& w) {
         w.services = {web1, web2};
         w.services[0].slice = Slice::kGreen;
         w.services[1].slice = Slice::kBlue;
         w.run(w.services[1]);
       },
       "web-blue nothing: wanted\nweb-green install: 1.0 is not here (wanted)\n"},
  };
  for (const Case& c : cases) {
    CAPTURE(c.name);
    NodeWorld world;
    c.make(world);
    CHECK(decisions(world) == c.want);
  }
}

TEST_CASE("a service that names its id and its registration is registered so by agents") {
  DesiredService web = deployed("web", "1.0");
  web.id = "pr1-web";
  web.registered_name = "pr1-web-all";
  const ServiceInstance instance = wanted_instance(web, web.release, "d", "convergence");
  CHECK(instance.id == "pr1-web");
  CHECK(instance.service == "pr1-web-all");
}

}  // namespace
}  // namespace convergence
