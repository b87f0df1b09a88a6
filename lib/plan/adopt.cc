#include <string>
#include <utility>

#include "convergence/plan.h"
#include "lib/plan/steps.h"

namespace convergence {

std::vector<ConfigEntry> adopt(const EntryMap& actual) {
  std::vector<ConfigEntry> out;
  out.reserve(actual.size());
  for (const auto& item : actual) {
    ConfigEntry entry = *item.second;
    entry.create_index = entry.modify_index = 0;
    entry.meta.erase(std::string(kMarkKey));
    entry.meta.erase(std::string(plan::kExternalSource));
    out.push_back(std::move(entry));
  }
  return out;
}

}  // namespace convergence
