#include <fmt/format.h>

#include <string>
#include <string_view>
#include <vector>

#include "convergence/operate.h"

namespace convergence {
namespace {

// One rule; of names, the prefix of all where there is none.
std::string rule(std::string_view resource, std::string_view name, bool is_prefix, std::string_view policy) {
  return fmt::format("{}{} \"{}\" {{ policy = \"{}\" }}\n", resource, is_prefix ? "_prefix" : "", name, policy);
}

std::string keys(std::string_view prefix, std::string_view policy) { return rule("key", prefix, true, policy); }

std::string below(const AclScope& scope, std::string_view folder) {
  const std::string path = fmt::format("{}/{}/", scope.prefix, folder);
  return scope.role.empty() ? path : fmt::format("{}{}/", path, scope.role);
}

std::string services(const AclScope& scope, std::string_view policy) {
  if (scope.services.empty()) return rule("service", "", true, policy);
  std::string text;
  for (const std::string& name : scope.services) text += rule("service", name, false, policy);
  return text;
}

}  // namespace

std::string agent_rules(const AclScope& scope) {
  const bool every_node = scope.node.empty();
  std::string text = "# what is wanted, and how far it has come\n";
  text += keys(below(scope, "desired"), "write");
  text += keys(below(scope, "deployments"), "write");
  text += "# the budget of a fleet\n";
  text += keys(below(scope, "slots"), "write");
  text += rule("session", scope.node, every_node, "write");
  text += "# what holds it back\n";
  text += keys(scope.prefix + "/locks/", "read");
  text += keys(every_node ? scope.prefix + "/nodes/" : fmt::format("{}/nodes/{}/", scope.prefix, scope.node), "read");
  if (!scope.environment.empty()) {
    text += "# Environment Manager's\n";
    text += keys(fmt::format("environments/{}/", scope.environment), "read");
    text += keys("deployments/", "write") + keys("nodes/", "read");
  }
  text += "# its node, and what it registers there\n";
  text += rule("agent", scope.node, every_node, "read");
  text += rule("node", scope.node, every_node, "write");
  text += services(scope, "write");
  text += "# how the fleet stands\n";
  if (!every_node) text += rule("node", "", true, "read");
  if (!scope.services.empty()) text += rule("service", "", true, "read");
  return text;
}

std::string operator_rules(const AclScope& scope) {
  std::string text = "# what is wanted, and who asked for it\n";
  text += keys(below(scope, "desired"), "write");
  text += keys(below(scope, "deployments"), "write");
  text += "# locks and maintenance\n";
  text += keys(scope.prefix + "/locks/", "write");
  text += keys(scope.prefix + "/nodes/", "write");
  if (!scope.environment.empty()) {
    text += "# Environment Manager's\n";
    text += keys(fmt::format("environments/{}/", scope.environment), "write");
    text += keys("deployments/", "write") + keys("nodes/", "write");
  }
  text += "# which slice has the traffic: the resolvers of services\n";
  text += services(scope, "write");
  text += "# how it stands\n";
  text += keys(scope.prefix + "/", "read") + rule("node", "", true, "read");
  if (!scope.services.empty()) text += rule("service", "", true, "read");
  return text;
}

}  // namespace convergence
