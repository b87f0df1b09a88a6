#include "convergence/lint.h"

#include <fmt/format.h>

#include <variant>

#include "lib/lint/rules.h"

namespace convergence {
namespace lint_rules {

const ConfigEntry* Context::find(std::string_view kind, std::string_view name) const {
  const auto found = entries.find(entry_key(kind, name));
  return found == entries.end() ? nullptr : &*found->second;
}

namespace {

template <typename Body>
using Rule = void (*)(const Context&, const ConfigEntry&, const Body&, Findings&);

constexpr Rule<ServiceRouter> kRouterRules[] = {
    catch_all_without_retries, retries_by_default, retries_on_nothing, retries_stay, split_bypassed, shadowed_route};
constexpr Rule<ServiceSplitter> kSplitterRules[] = {weight_lost, weight_to_nobody, hash_of_first_leg};
constexpr Rule<ServiceResolver> kResolverRules[] = {subsets_overlap, subset_empty, default_subset_is_canary,
                                                    redirect_hides_subsets};
constexpr Rule<ServiceDefaults> kDefaultsRules[] = {hidden_protocol};

template <typename Body, std::size_t N>
void apply(const Rule<Body> (&rules)[N], const Context& context, const ConfigEntry& entry, Findings& findings) {
  const auto* body = std::get_if<Body>(&entry.body);
  if (body == nullptr) return;
  for (const Rule<Body> rule : rules) rule(context, entry, *body, findings);
}

}  // namespace
}  // namespace lint_rules

std::vector<Finding> lint(const EntryMap& entries, const CatalogState* catalog) {
  using namespace lint_rules;  // NOLINT: the rules by their names
  const Context context{entries, catalog};
  std::vector<Finding> out;
  for (const auto& [key, entry] : entries) {
    Findings findings(*entry, out);
    apply(kRouterRules, context, *entry, findings);
    apply(kSplitterRules, context, *entry, findings);
    apply(kResolverRules, context, *entry, findings);
    apply(kDefaultsRules, context, *entry, findings);
    two_spellings(context, *entry, findings);
  }
  return out;
}

std::string describe(const std::vector<Finding>& findings) {
  std::string out;
  for (const Finding& finding : findings) {
    out += fmt::format("{}/{}{}: {}: {}\n  {} [{}]\n", finding.entry.kind, finding.entry.name, finding.pointer,
                       to_string(finding.severity), finding.why, finding.remedy, finding.rule);
  }
  return out;
}

}  // namespace convergence
