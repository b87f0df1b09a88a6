#include "lib/chain/graph_check.h"

#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <set>
#include <string>
#include <string_view>
#include <utility>
#include <variant>

#include "convergence/error.h"
#include "lib/base/go_text.h"
#include "lib/base/status_macros.h"
#include "lib/chain/compile.h"
#include "lib/chain/opaque.h"
#include "lib/chain/protocol.h"

namespace convergence {
namespace {

bool forms_chains(std::string_view kind) {
  return kind == kServiceRouter || kind == kServiceSplitter || kind == kServiceResolver;
}

bool has_permissions(const OpaqueEntry& intentions) {
  bool found = false;
  const Json body{Json::Object(intentions.members)};
  each_item(plain_member(body, "sources"), [&](const Json& source) {
    each_item(plain_member(source, "permissions"), [&](const Json&) { found = true; });
  });
  return found;
}

// ---- one check of one write --------------------------------------------------------------------------------------

// What the server compiles for a write, and what it holds against the chains (discovery-chain.md (b2)).
class Check {
 public:
  Check(const EntryMap& stored, const ProposedEntry& proposed, Dialect dialect)
      : stored_(stored), proposed_(proposed), lookup_(stored, &proposed) {
    request_.cluster.datacenter = "dc1";  // the server's too, wherever it runs
    request_.cluster.dialect = dialect;
  }

  // Calls `visit` with each error until it returns false.
  template <typename Visit>
  void run(Visit visit) {
    const std::string_view kind = proposed_.id.kind;
    const bool of_chains = forms_chains(kind) || kind == kProxyDefaults || kind == kServiceDefaults;
    const bool intentions = kind == kServiceIntentions && request_.cluster.dialect != Dialect::k1_8;
    if (!of_chains && kind != kIngressGateway && !intentions) return;  // no other kind touches a chain
    collect();
    for (const std::string& name : chains_) {
      request_.service = name;
      const auto chain = compile_chain(lookup_, request_);
      if (!chain.ok() && !visit(chain.status())) return;
      if (chain.ok()) protocols_[name] = chain->protocol;
    }
    for (const OpaqueEntry* gateway : gateways_) {
      bool go_on = true;
      each_listener_service(*gateway, [&](const std::string& service, const std::string& protocol) {
        if (go_on) go_on = check_listener(service, protocol, visit);
      });
      if (!go_on) return;
    }
    for (const auto& [service, entry] : intentions_) {
      if (!check_intentions(service, *entry, visit)) return;
    }
  }

 private:
  // Names as spelled: a reference in other letters is no reference to the server (discovery-chain.md (e) 10).
  void collect() {
    const bool all = proposed_.id.kind == kProxyDefaults;
    const std::string& name = proposed_.id.name;
    if (proposed_.id.kind == kIngressGateway) {
      add_gateway(proposed_.next);
      return;
    }
    if (!all) chains_.insert(name);
    for (const auto& [key, entry] : stored_) {
      if (forms_chains(key.kind)) {
        bool touched = all;
        each_related_service(*entry, [&](std::string_view other) { touched |= other == name; });
        if (touched) chains_.insert(entry->name);
      } else if (key.kind == kIngressGateway) {
        if (all || names(*entry, name)) add_gateway(&entry);
      } else if (key.kind == kServiceIntentions && request_.cluster.dialect != Dialect::k1_8) {
        if (all || entry->name == name) add_intentions(*entry);
      }
    }
    if (proposed_.id.kind == kServiceIntentions && proposed_.next != nullptr) add_intentions(**proposed_.next);
  }

  static bool names(const ConfigEntry& gateway, const std::string& name) {
    bool found = false;
    const auto* body = std::get_if<OpaqueEntry>(&gateway.body);
    if (body != nullptr) {
      each_listener_service(*body, [&](const std::string& service, const std::string&) { found |= service == name; });
    }
    return found;
  }

  void add_gateway(const Shared<ConfigEntry>* entry) {
    const auto* body = entry == nullptr ? nullptr : std::get_if<OpaqueEntry>(&(*entry)->body);
    if (body == nullptr) return;
    gateways_.push_back(body);
    each_listener_service(*body, [&](const std::string& service, const std::string&) { chains_.insert(service); });
  }

  void add_intentions(const ConfigEntry& entry) {
    const auto* body = std::get_if<OpaqueEntry>(&entry.body);
    if (body == nullptr || entry.name == "*" || !has_permissions(*body)) return;
    intentions_[entry.name] = body;
    chains_.insert(entry.name);
  }

  template <typename Visit>
  bool check_listener(const std::string& service, const std::string& protocol, Visit& visit) const {
    const auto chain = protocols_.find(service);
    if (chain == protocols_.end() || chain->second == protocol) return true;
    return visit(graph_error(service, fmt::format("service {} has protocol {}, which does not match defined listener "
                                                  "protocol {}",
                                                  go_quote(service), go_quote(chain->second), go_quote(protocol))));
  }

  template <typename Visit>
  bool check_intentions(const std::string& service, const OpaqueEntry&, Visit& visit) const {
    const auto chain = protocols_.find(service);
    if (chain == protocols_.end() || is_http_like(chain->second)) return true;
    return visit(graph_error(
        service, fmt::format("service {} has protocol {}, which is incompatible with L7 intentions permissions",
                             go_quote(service), go_quote(chain->second))));
  }

  const EntryMap& stored_;
  const ProposedEntry& proposed_;
  EntryLookup lookup_;
  ChainRequest request_;
  std::set<std::string> chains_;
  std::vector<const OpaqueEntry*> gateways_;
  std::map<std::string, const OpaqueEntry*> intentions_;  // by destination
  std::map<std::string, std::string> protocols_;          // of the chains that compile
};

}  // namespace

std::vector<absl::Status> failing_chains(const EntryMap& stored, const ProposedEntry& proposed, Dialect dialect) {
  std::vector<absl::Status> errors;
  Check(stored, proposed, dialect).run([&](const absl::Status& error) {
    errors.push_back(error);
    return true;
  });
  return errors;
}

absl::Status check_write(const EntryMap& stored, const ProposedEntry& proposed, Dialect dialect) {
  absl::Status first;
  Check(stored, proposed, dialect).run([&](const absl::Status& error) {
    first = error;
    return false;
  });
  return first;
}

absl::Status check_entry_graph(const EntryMap& after, const EntryId& changed, const ClusterIdentity& cluster) {
  const auto stored = after.find(entry_key(changed.kind, changed.name));
  ProposedEntry proposed{changed, nullptr};
  if (stored != after.end()) proposed.next = &stored->second;
  return check_write(after, proposed, cluster.dialect);
}

}  // namespace convergence
