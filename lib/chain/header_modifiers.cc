#include "lib/chain/header_modifiers.h"

#include <algorithm>
#include <string>

namespace convergence {

bool says_nothing(const std::optional<HeaderModifiers>& change) {
  return !change || (change->add.empty() && change->set.empty() && change->remove.empty());
}

std::optional<HeaderModifiers> merge_headers(const std::optional<HeaderModifiers>& base,
                                             const std::optional<HeaderModifiers>& over) {
  if (says_nothing(base)) return over;
  if (says_nothing(over)) return base;
  std::optional<HeaderModifiers> out = base;
  for (const auto& [name, value] : over->add) out->add[name] = value;
  for (const auto& [name, value] : over->set) out->set[name] = value;
  for (const std::string& name : over->remove) {
    if (std::find(base->remove.begin(), base->remove.end(), name) == base->remove.end()) out->remove.push_back(name);
  }
  return out;
}

}  // namespace convergence
