#ifndef CONVERGENCE_LIB_LINT_RULES_H_
#define CONVERGENCE_LIB_LINT_RULES_H_

#include <string>
#include <string_view>
#include <vector>

#include "convergence/lint.h"

namespace convergence::lint_rules {

// What the rules look at.
struct Context {
  const EntryMap& entries;
  const CatalogState* catalog = nullptr;  // null: no instances are known

  const ConfigEntry* find(std::string_view kind, std::string_view name) const;
  template <typename Body>
  const Body* body(std::string_view kind, std::string_view name) const {
    const ConfigEntry* entry = find(kind, name);
    return entry == nullptr ? nullptr : std::get_if<Body>(&entry->body);
  }
};

// Takes findings of one entry.
class Findings {
 public:
  Findings(const ConfigEntry& entry, std::vector<Finding>& out) : entry_(entry), out_(out) {}
  void add(std::string_view rule, Severity severity, std::string pointer, std::string why, std::string remedy) {
    out_.push_back(
        {std::string(rule), severity, entry_id(entry_), std::move(pointer), std::move(why), std::move(remedy)});
  }

 private:
  const ConfigEntry& entry_;
  std::vector<Finding>& out_;
};

// One rule each; the ids stand beside them in lint.cc, which is the list of them.
void catch_all_without_retries(const Context&, const ConfigEntry&, const ServiceRouter&, Findings&);
void retries_by_default(const Context&, const ConfigEntry&, const ServiceRouter&, Findings&);
void retries_on_nothing(const Context&, const ConfigEntry&, const ServiceRouter&, Findings&);
void retries_stay(const Context&, const ConfigEntry&, const ServiceRouter&, Findings&);
void split_bypassed(const Context&, const ConfigEntry&, const ServiceRouter&, Findings&);
void shadowed_route(const Context&, const ConfigEntry&, const ServiceRouter&, Findings&);

void weight_lost(const Context&, const ConfigEntry&, const ServiceSplitter&, Findings&);
void weight_to_nobody(const Context&, const ConfigEntry&, const ServiceSplitter&, Findings&);
void hash_of_first_leg(const Context&, const ConfigEntry&, const ServiceSplitter&, Findings&);

void subsets_overlap(const Context&, const ConfigEntry&, const ServiceResolver&, Findings&);
void subset_empty(const Context&, const ConfigEntry&, const ServiceResolver&, Findings&);
void default_subset_is_canary(const Context&, const ConfigEntry&, const ServiceResolver&, Findings&);
void redirect_hides_subsets(const Context&, const ConfigEntry&, const ServiceResolver&, Findings&);

void hidden_protocol(const Context&, const ConfigEntry&, const ServiceDefaults&, Findings&);

// References in another spelling than the entries': the server's check of writes does not see them as one.
void two_spellings(const Context&, const ConfigEntry&, Findings&);

// Whether every request that `later` takes is taken by `earlier`. False where that is not certain.
bool takes_all_of(const Route& earlier, const Route& later);

}  // namespace convergence::lint_rules

#endif  // CONVERGENCE_LIB_LINT_RULES_H_
