#include "lib/plan/forms.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>
#include <variant>

namespace convergence::plan {
namespace {

constexpr std::int32_t kWhole = 10000;  // hundredths of a percent

class Collector {
 public:
  Collector(const EntryForm& now, const EntryForm& wanted, Dialect dialect)
      : now_(now), wanted_(wanted), dialect_(dialect) {}

  // Kept where the server would take it and it is none that is there already.
  void add(ConfigEntry entry, std::string why) {
    auto normal = normalise_entry(std::move(entry), dialect_);
    if (!normal.ok()) return;
    auto same = [&](const EntryForm& other) { return other && same_content(**other, *normal); };
    if (same(now_) || same(wanted_)) return;
    if (std::any_of(found_.begin(), found_.end(), [&](const Intermediate& one) { return same(one.form); })) return;
    found_.push_back({EntryForm(*std::move(normal)), std::move(why)});
  }

  void add_absent() {
    if (now_ && wanted_) found_.push_back({std::nullopt, "absent for a moment"});
  }

  std::vector<Intermediate> take() { return std::move(found_); }

 private:
  const EntryForm& now_;
  const EntryForm& wanted_;
  Dialect dialect_;
  std::vector<Intermediate> found_;
};

// `base` with the subsets of `other` that it lacks.
ConfigEntry with_subsets(const ConfigEntry& base, const ConfigEntry& other) {
  ConfigEntry both = base;
  auto& resolver = std::get<ServiceResolver>(both.body);
  for (const auto& [name, subset] : std::get<ServiceResolver>(other.body).subsets) {
    resolver.subsets.try_emplace(name, subset);
  }
  return both;
}

ConfigEntry without_detours(const ConfigEntry& base) {
  ConfigEntry plain = base;
  auto& resolver = std::get<ServiceResolver>(plain.body);
  resolver.redirect.reset();
  resolver.failover.clear();
  return plain;
}

void add_resolver_forms(Collector& forms, const ConfigEntry* now, const ConfigEntry* wanted) {
  constexpr const char* kBoth = "with the subsets of before and after";
  constexpr const char* kPlain = "without redirect and failover";
  if (now && wanted) {
    forms.add(with_subsets(*wanted, *now), kBoth);
    forms.add(with_subsets(*now, *wanted), kBoth);
  }
  for (const ConfigEntry* base : {now, wanted}) {
    if (base) forms.add(without_detours(*base), kPlain);
  }
  if (now && wanted) forms.add(without_detours(with_subsets(*wanted, *now)), fmt::format("{}, {}", kBoth, kPlain));
  if (now && wanted) forms.add(without_detours(with_subsets(*now, *wanted)), fmt::format("{}, {}", kBoth, kPlain));
}

void add_defaults_forms(Collector& forms, const ConfigEntry* now, const ConfigEntry* wanted) {
  if (!now || !wanted) return;
  ConfigEntry protocol_first = *now;
  std::get<ServiceDefaults>(protocol_first.body).protocol = std::get<ServiceDefaults>(wanted->body).protocol;
  forms.add(std::move(protocol_first), "with the new protocol only");
}

}  // namespace

std::vector<Intermediate> intermediates(const EntryForm& now, const EntryForm& wanted, Dialect dialect) {
  const ConfigEntry* before = now ? &**now : nullptr;
  const ConfigEntry* after = wanted ? &**wanted : nullptr;
  const ConfigEntry* any = after ? after : before;
  Collector forms(now, wanted, dialect);
  if (!any) return {};
  if (any->kind == kServiceRouter) {
    ConfigEntry neutral = *any;
    neutral.body = ServiceRouter();
    forms.add(std::move(neutral), "without routes");
  }
  if (any->kind == kServiceSplitter) {
    ConfigEntry neutral = *any;
    Split whole;
    whole.weight = kWhole;
    neutral.body = ServiceSplitter{{std::move(whole)}, {}};
    forms.add(std::move(neutral), "with all weight on the service itself");
  }
  if (any->kind == kServiceResolver) add_resolver_forms(forms, before, after);
  if (any->kind == kServiceDefaults) add_defaults_forms(forms, before, after);
  if (any->kind != kProxyDefaults) forms.add_absent();
  return forms.take();
}

}  // namespace convergence::plan
