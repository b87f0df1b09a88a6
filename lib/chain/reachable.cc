#include "lib/chain/reachable.h"

#include <string>

#include "lib/base/ascii.h"

namespace convergence {
namespace {

// Walks from a service to all that its chain may come to: first over splitters, then over resolvers.
class Walk {
 public:
  Walk(EntryLookup& lookup, ReachableEntries& out, Scratch& scratch)
      : lookup_(lookup), out_(out), seen_(scratch), splits_(scratch), resolves_(scratch) {}

  std::uint32_t add(std::string_view name) {
    const auto [number, is_new] = out_.names.add(name);
    if (is_new) {
      out_.services.emplace_back();
      seen_.push_back(0);
    }
    return number;
  }

  void split(std::string_view name) { enter(name, kSplits); }

  void run() {
    // A splitter's service may be resolved too, and so may all that it names.
    for (std::size_t i = 0; i < splits_.size(); ++i) visit_splitter(splits_[i]);
    resolves_ = splits_;
    for (std::uint32_t service : resolves_) seen_[service] |= kResolves;
    for (std::size_t i = 0; i < resolves_.size(); ++i) visit_resolver(resolves_[i]);
  }

 private:
  static constexpr std::uint8_t kSplits = 1;
  static constexpr std::uint8_t kResolves = 2;

  void enter(std::string_view name, std::uint8_t how) {
    const std::uint32_t service = add(name);
    if ((seen_[service] & how) != 0) return;
    seen_[service] |= how;
    (how == kSplits ? splits_ : resolves_).push_back(service);
  }

  void visit_splitter(std::uint32_t service) {
    const Shared<ConfigEntry>* entry = lookup_.find(kServiceSplitter, out_.names.text(service));
    if (entry == nullptr) return;
    out_.services[service].splitter_entry = entry;
    out_.services[service].splitter = std::get_if<ServiceSplitter>(&(*entry)->body);
    each_related_service(**entry, [this](std::string_view name) { enter(name, kSplits); });
  }

  void visit_resolver(std::uint32_t service) {
    const Shared<ConfigEntry>* entry = lookup_.find(kServiceResolver, out_.names.text(service));
    if (entry == nullptr) return;
    out_.services[service].resolver_entry = entry;
    out_.services[service].resolver = std::get_if<ServiceResolver>(&(*entry)->body);
    each_related_service(**entry, [this](std::string_view name) { enter(name, kResolves); });
  }

  EntryLookup& lookup_;
  ReachableEntries& out_;
  ScratchVector<std::uint8_t> seen_;  // by service
  ScratchVector<std::uint32_t> splits_;
  ScratchVector<std::uint32_t> resolves_;
};

}  // namespace

const Shared<ConfigEntry>* EntryLookup::find(std::string_view kind, std::string_view name) {
  if (proposed_ != nullptr && proposed_->id.kind == kind && proposed_->id.name == name) return proposed_->next;
  if (stored_ != nullptr && stored_->empty()) return nullptr;
  key_.kind.assign(kind);
  key_.name.assign(name);
  for (char& c : key_.name) c = ascii_lower(c);
  if (index_ != nullptr) return index_->find(key_);
  const auto found = stored_->find(key_);
  return found == stored_->end() ? nullptr : &found->second;
}

ReachableEntries collect_reachable(EntryLookup& lookup, std::string_view service, Scratch& scratch) {
  ReachableEntries out(scratch);
  out.proxy_defaults = lookup.find_body<ProxyDefaults>(kProxyDefaults, "global");
  Walk walk(lookup, out, scratch);
  walk.add(service);
  out.router_entry = lookup.find(kServiceRouter, service);
  if (out.router_entry != nullptr) {
    out.router = std::get_if<ServiceRouter>(&(*out.router_entry)->body);
    each_related_service(**out.router_entry, [&](std::string_view name) { walk.split(name); });
  } else {
    walk.split(service);
  }
  walk.run();
  for (std::size_t i = 0; i < out.services.size(); ++i) {
    const auto* defaults = lookup.find(kServiceDefaults, out.names.text(static_cast<std::uint32_t>(i)));
    if (defaults == nullptr) continue;
    out.services[i].defaults = std::get_if<ServiceDefaults>(&(*defaults)->body);
    if (i == 0) out.own_meta = &(*defaults)->meta;
  }
  return out;
}

}  // namespace convergence
