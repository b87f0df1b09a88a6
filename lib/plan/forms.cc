#include "lib/plan/forms.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>
#include <variant>

#include "lib/plan/references.h"

namespace convergence::plan {
namespace {

constexpr std::int32_t kWhole = 10000;  // hundredths of a percent
constexpr std::size_t kMostLegs = 8;    // of a splitter, for each of which there is a form

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

// All weight on the service itself, or on one leg: where the service itself is what cannot be for now.
void add_splitter_forms(Collector& forms, const ConfigEntry* now, const ConfigEntry* wanted) {
  auto add = [&](const ConfigEntry& like, Split leg, std::string why) {
    ConfigEntry whole = like;
    leg.weight = kWhole;
    whole.body = ServiceSplitter{{std::move(leg)}, {}};
    forms.add(std::move(whole), std::move(why));
  };
  add(wanted ? *wanted : *now, Split(), "with all weight on the service itself");
  for (const ConfigEntry* base : {now, wanted}) {
    if (!base) continue;
    const auto& splits = std::get<ServiceSplitter>(base->body).splits;
    if (splits.size() > kMostLegs) continue;
    for (const Split& leg : splits) {
      const std::string& service = leg.service.empty() ? base->name : leg.service;
      add(*base, leg,
          fmt::format("with all weight on {}{}{}", leg.service_subset, leg.service_subset.empty() ? "" : " of ",
                      service));
    }
  }
}

// Where services move to other defaults one by one, those of all of them may have to move twice.
void add_proxy_forms(Collector& forms, const ConfigEntry* now, const ConfigEntry* wanted) {
  for (const char* protocol : {"tcp", "http", "http2", "grpc"}) {
    ConfigEntry other = wanted ? *wanted : *now;
    std::get<ProxyDefaults>(other.body).config.set("protocol", protocol);
    forms.add(std::move(other), fmt::format("with protocol {}", protocol));
  }
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
  if (any->kind == kServiceSplitter) add_splitter_forms(forms, before, after);
  if (any->kind == kServiceResolver) add_resolver_forms(forms, before, after);
  if (any->kind == kServiceDefaults) add_defaults_forms(forms, before, after);
  if (any->kind == kProxyDefaults) add_proxy_forms(forms, before, after);
  // A gateway that is absent for a moment serves nobody.
  if (is_routing_kind(any->kind)) forms.add_absent();
  return forms.take();
}

}  // namespace convergence::plan
