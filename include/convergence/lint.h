#ifndef CONVERGENCE_LINT_H_
#define CONVERGENCE_LINT_H_

#include <string>
#include <string_view>
#include <vector>

#include "convergence/catalog.h"
#include "convergence/chain.h"
#include "convergence/config_entry.h"

namespace convergence {

// What Consul takes and does, and what its writer hardly meant. Each rule is described in docs/lint.md.

enum class Severity {
  kWarning,  // traffic may be lost, or goes where nobody thinks it does
  kNote,     // works, but not as it reads
};
std::string_view to_string(Severity severity);

struct Finding {
  std::string rule{};  // "shadowed-route", ...: stable
  Severity severity = Severity::kWarning;
  EntryId entry{};        // as written
  std::string pointer{};  // JSON pointer into the entry as GET /v1/config answers it
  std::string why{};      // one sentence with names and numbers
  std::string remedy{};   // what to write instead
  friend bool operator==(const Finding&, const Finding&) = default;
};

// The findings in the order of entries, then of rules, then of places. `catalog` may be null: then the rules that speak
// of instances are silent. Entries that no server would take are not lint's matter: put them into ConfigEntries first.
std::vector<Finding> lint(const EntryMap& entries, const CatalogState* catalog = nullptr);

// One paragraph a finding, for people.
std::string describe(const std::vector<Finding>& findings);

}  // namespace convergence

#endif  // CONVERGENCE_LINT_H_
