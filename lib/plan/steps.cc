#include "lib/plan/steps.h"

#include <fmt/format.h>

namespace convergence::plan {

std::string label(const EntryId& entry) { return fmt::format("{}/{}", entry.kind, entry.name); }
std::string label(const InstanceId& instance) { return fmt::format("{}/{}", instance.node, instance.service_id); }

std::string step_id(Action action, const EntryId& entry) {
  return fmt::format("{}:{}", to_string(action), label(entry));
}

std::string step_id(Action action, const InstanceId& instance) {
  return fmt::format("{}:{}", to_string(action), label(instance));
}

bool is_entry_action(Action action) { return action == Action::kPutEntry || action == Action::kDeleteEntry; }

bool is_ours(const std::map<std::string, std::string>& meta, std::string_view owner) {
  auto mark = meta.find(std::string(kMarkKey));
  return mark != meta.end() && mark->second == owner;
}

std::string owner_text(const std::map<std::string, std::string>& meta) {
  for (std::string_view key : {kMarkKey, kExternalSource}) {
    if (auto found = meta.find(std::string(key)); found != meta.end()) {
      return fmt::format("carries {}={}", key, found->second);
    }
  }
  return "carries no mark";
}

}  // namespace convergence::plan
