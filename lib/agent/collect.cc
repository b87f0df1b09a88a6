#include <algorithm>
#include <string>
#include <utility>
#include <vector>

#include "convergence/agent.h"

namespace convergence {
namespace {

void keep(Collect& out, const std::string& service_id, const Release& release, const std::string& deployment) {
  out.folders[service_id].insert(deployment);
  if (!release.package.sha256.empty()) out.packages.insert(release.package.sha256);
}

void keep(Collect& out, const std::string& service_id, const Installed& installed) {
  keep(out, service_id, installed.release, installed.deployment);
}

}  // namespace

Collect what_stays(const AgentMemory& memory, const std::vector<DesiredService>& services, std::int32_t keep_folders) {
  Collect out;
  for (const auto& [id, installed] : memory.installed) {
    keep(out, id, installed);
    out.installed[id] = installed.deployment;
  }
  for (const DesiredService& service : services) {
    keep(out, service_id(service), service.release, deployment_key(service));
    if (service.last_good) keep(out, service_id(service), *service.last_good, deployment_key(*service.last_good, 0));
  }
  if (memory.task) {
    keep(out, memory.task->service_id, memory.task->next);
    if (memory.task->previous) keep(out, memory.task->service_id, *memory.task->previous);
  }
  for (const auto& [id, outcomes] : memory.outcomes) {
    std::vector<std::pair<Time, std::string>> ended;
    for (const auto& [deployment, outcome] : outcomes) ended.emplace_back(outcome.at, deployment);
    std::ranges::sort(ended, std::ranges::greater{});
    if (ended.size() > static_cast<std::size_t>(keep_folders)) ended.resize(static_cast<std::size_t>(keep_folders));
    for (const auto& [at, deployment] : ended) out.folders[id].insert(deployment);
  }
  return out;
}

}  // namespace convergence
