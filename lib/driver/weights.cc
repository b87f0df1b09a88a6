#include "lib/driver/weights.h"

#include <charconv>
#include <utility>

#include "convergence/error.h"
#include "convergence/filter.h"
#include "fmt/format.h"
#include "lib/base/status_macros.h"
#include "lib/canary/shape.h"
#include "lib/canary/verdict.h"
#include "lib/driver/candidate_routes.h"

namespace convergence {
namespace {

constexpr std::int32_t kAll = 10000;

// The two legs of a rollout by their index, and what goes elsewhere.
struct Legs {
  std::size_t stable = 0;
  std::size_t candidate = 0;
  std::int32_t others = 0;
};

bool same_name(std::string_view a, std::string_view b) { return entry_key("", a) == entry_key("", b); }

absl::StatusOr<std::size_t> find_leg(const ConfigEntry& entry, const std::vector<Split>& splits,
                                     const std::string& subset) {
  std::size_t found = splits.size();
  for (std::size_t i = 0; i < splits.size(); ++i) {
    const Split& split = splits[i];
    if (split.service_subset != subset || !(split.service.empty() || same_name(split.service, entry.name))) continue;
    if (found != splits.size()) {
      return make_error(ErrorKind::kValidate,
                        fmt::format("service-splitter/{}: two legs go to subset {}", entry.name, subset));
    }
    found = i;
  }
  if (found == splits.size()) {
    return make_error(ErrorKind::kValidate,
                      fmt::format("service-splitter/{}: no leg goes to subset {}; write one for each subset, the "
                                  "candidate's with weight 0",
                                  entry.name, subset));
  }
  return found;
}

absl::StatusOr<Legs> find_legs(const CanaryPolicy& policy, const ConfigEntry& entry) {
  const auto* splitter = std::get_if<ServiceSplitter>(&entry.body);
  if (!splitter) return make_error(ErrorKind::kValidate, fmt::format("{}/{}: no splitter", entry.kind, entry.name));
  Legs legs;
  CVG_ASSIGN_OR_RETURN(legs.stable, find_leg(entry, splitter->splits, policy.stable_subset));
  CVG_ASSIGN_OR_RETURN(legs.candidate, find_leg(entry, splitter->splits, policy.candidate_subset));
  for (std::size_t i = 0; i < splitter->splits.size(); ++i) {
    if (i != legs.stable && i != legs.candidate) legs.others += splitter->splits[i].weight;
  }
  return legs;
}

std::string stamp(const ConfigEntry& entry, std::string_view key) {
  const auto found = entry.meta.find(std::string(key));
  return found == entry.meta.end() ? "" : found->second;
}

std::uint64_t stamped_number(const ConfigEntry& entry, std::string_view key) {
  const std::string text = stamp(entry, key);
  std::uint64_t value = 0;
  std::from_chars(text.data(), text.data() + text.size(), value);
  return value;
}

// "<rollout>/<n>"
bool stamped_by(const ConfigEntry& entry, const std::string& rollout) {
  const std::string effect = stamp(entry, kStampEffect);
  const std::size_t slash = effect.rfind('/');
  return slash != std::string::npos && effect.substr(0, slash) == rollout;
}

// Why the legs are not as this rollout left them; empty when they are. Before the first weight nothing may go to the
// candidate.
std::string moved(const CanaryState& state, const ConfigEntry& entry, std::int32_t weight) {
  if (stamped_by(entry, state.rollout)) {
    const std::uint64_t ours = stamped_number(entry, kStampWeight);
    if (ours == static_cast<std::uint64_t>(weight)) return "";
    return fmt::format("the candidate's leg is at {}, the rollout wrote {}: somebody else changed it", percent(weight),
                       percent(static_cast<std::int32_t>(ours)));
  }
  if (state.epoch > 0) return "the rollout's stamp is gone from the splitter: somebody else wrote it";
  if (weight == 0) return "";
  return fmt::format("the candidate's leg is at {} before the rollout wrote anything", percent(weight));
}

WeightEdit refused(WeightEdit::Kind kind, std::string problem) { return {kind, {}, false, std::move(problem)}; }

// What stands against giving the candidate weight; empty when nothing does.
WeightEdit objection(const CanaryState& state, std::uint64_t state_index, const ConfigEntry& entry, const Legs& legs,
                     std::int32_t weight) {
  if (legs.others != 0) {
    return refused(WeightEdit::Kind::kError,
                   fmt::format("service-splitter/{}: {} goes to other legs; a rollout needs them at 0", entry.name,
                               percent(legs.others)));
  }
  if (stamped_by(entry, state.rollout) && stamped_number(entry, kStampStateIndex) > state_index) {
    return refused(WeightEdit::Kind::kConflict, fmt::format("the splitter is stamped by state {}, the rollout is at {}",
                                                            stamped_number(entry, kStampStateIndex), state_index));
  }
  if (state.policy.on_foreign_edit == ForeignEdit::kReassert) return refused(WeightEdit::Kind::kWrite, "");
  return refused(WeightEdit::Kind::kConflict, moved(state, entry, weight));
}

// Whether the leg gives its users the affinity's cookie; changes it when it should be otherwise.
bool set_cookie(const CanaryState& state, bool gives, Split& leg) {
  if (!state.policy.affinity) return false;
  const std::optional<HeaderModifiers> before = leg.response_headers;
  const std::string cookie = affinity_cookie(state);
  if (gives) {
    HeaderModifiers& headers = leg.response_headers ? *leg.response_headers : leg.response_headers.emplace();
    headers.add["Set-Cookie"] = cookie;
  } else if (leg.response_headers) {
    const auto found = leg.response_headers->add.find("Set-Cookie");
    if (found != leg.response_headers->add.end() && found->second == cookie) leg.response_headers->add.erase(found);
    if (*leg.response_headers == HeaderModifiers{}) leg.response_headers.reset();
  }
  return !(leg.response_headers == before);
}

const ResolverSubset* find_subset(const CatalogState& catalog, const std::string& service, const std::string& name) {
  const auto entry = catalog.entries.find(entry_key(kServiceResolver, service));
  if (entry == catalog.entries.end()) return nullptr;
  const auto* resolver = std::get_if<ServiceResolver>(&entry->second->body);
  if (!resolver) return nullptr;
  const auto found = resolver->subsets.find(name);
  return found == resolver->subsets.end() ? nullptr : &found->second;
}

}  // namespace

WeightEdit edit_weights(const CanaryState& state, std::uint64_t state_index, const std::string& effect,
                        const WriteWeights& write, const ConfigEntry& splitter) {
  const absl::StatusOr<Legs> legs = find_legs(state.policy, splitter);
  if (!legs.ok()) return refused(WeightEdit::Kind::kError, std::string(legs.status().message()));
  WeightEdit edit{WeightEdit::Kind::kWrite, splitter, false, ""};
  std::vector<Split>& splits = std::get<ServiceSplitter>(edit.entry.body).splits;
  std::int32_t& stable = splits[legs->stable].weight;
  std::int32_t& candidate = splits[legs->candidate].weight;
  const std::int32_t rest = kAll - legs->others - write.candidate;
  const bool new_cookie = set_cookie(state, write.gives_cookie, splits[legs->candidate]);
  if (stamp(splitter, kStampEffect) == effect && candidate == write.candidate && stable == rest && !new_cookie) {
    edit.kind = WeightEdit::Kind::kDone;
    return edit;
  }
  if (write.candidate > 0) {
    WeightEdit against = objection(state, state_index, splitter, *legs, candidate);
    if (!against.problem.empty()) return against;
  }
  edit.rises = write.candidate > candidate || write.routed;
  candidate = write.candidate;
  stable = rest;
  edit.entry.meta[std::string(kStampEffect)] = effect;
  edit.entry.meta[std::string(kStampStateIndex)] = std::to_string(state_index);
  edit.entry.meta[std::string(kStampWeight)] = std::to_string(write.candidate);
  return edit;
}

absl::Status check_legs(const CanaryPolicy& policy, const ConfigEntry& splitter) {
  return find_legs(policy, splitter).status();
}

absl::Status check_weight(const CanaryState& state, const ConfigEntry& splitter) {
  CVG_ASSIGN_OR_RETURN(const Legs legs, find_legs(state.policy, splitter));
  const std::int32_t weight = std::get<ServiceSplitter>(splitter.body).splits[legs.candidate].weight;
  const std::string problem = moved(state, splitter, weight);
  return problem.empty() ? absl::OkStatus() : make_error(ErrorKind::kConflict, problem);
}

namespace {

const NodeState& node_of(const InstanceState& instance, const CatalogState& catalog) {
  static const NodeState kUnknown;
  const auto node = catalog.nodes.find(instance.instance.node);
  return node == catalog.nodes.end() ? kUnknown : *node->second;
}

std::string version_of(const CanaryPolicy& policy, const InstanceState& instance) {
  if (policy.version_meta.empty()) return "";
  const auto found = instance.instance.meta.find(policy.version_meta);
  return found == instance.instance.meta.end() ? "" : found->second;
}

// Passing instances of one subset and all of them; `revision` is what they should be.
absl::StatusOr<CandidateHealth> subset_health(const CanaryPolicy& policy, const std::string& name,
                                              const std::string& revision, const CatalogState& catalog) {
  const ResolverSubset* subset = find_subset(catalog, policy.service, name);
  if (!subset) {
    return make_error(ErrorKind::kNotFound,
                      fmt::format("service-resolver/{}: no subset {}; write one whose filter selects its instances",
                                  policy.service, name));
  }
  CVG_ASSIGN_OR_RETURN(const Filter filter, Filter::parse(subset->filter));
  CandidateHealth health;
  const auto service = catalog.services.find(policy.service);
  if (service == catalog.services.end()) return health;
  for (const InstanceState& instance : service->second->instances) {
    const NodeState& at = node_of(instance, catalog);
    CVG_ASSIGN_OR_RETURN(const bool selected, filter.matches(instance, at));
    if (!selected) continue;
    ++health.total;
    const std::string version = version_of(policy, instance);
    if (!version.empty() && version != revision) health.revision = version;
    if (worst_status(instance.checks, at.checks) == CheckStatus::kPassing) ++health.passing;
  }
  return health;
}

}  // namespace

absl::StatusOr<CandidateHealth> candidate_health(const CanaryState& state, const CatalogState& catalog) {
  const CanaryPolicy& policy = state.policy;
  CVG_ASSIGN_OR_RETURN(CandidateHealth health, subset_health(policy, policy.candidate_subset, state.revision, catalog));
  if (state.phase == CanaryPhase::kCopying || state.phase == CanaryPhase::kReturning) {
    CVG_ASSIGN_OR_RETURN(const CandidateHealth stable, subset_health(policy, policy.stable_subset, "", catalog));
    health.stable_passing = stable.passing;
  }
  return health;
}

absl::Status check_subsets(const CanaryPolicy& policy, const CatalogState& catalog) {
  for (const RolloutService& service : services_of(policy)) {
    const ResolverSubset* stable = find_subset(catalog, service.service, service.stable_subset);
    const ResolverSubset* candidate = find_subset(catalog, service.service, service.candidate_subset);
    const auto found = catalog.services.find(service.service);
    if (!stable || !candidate || found == catalog.services.end()) continue;
    CVG_ASSIGN_OR_RETURN(const Filter one, Filter::parse(stable->filter));
    CVG_ASSIGN_OR_RETURN(const Filter other, Filter::parse(candidate->filter));
    for (const InstanceState& instance : found->second->instances) {
      const auto node = catalog.nodes.find(instance.instance.node);
      const NodeState& at = node == catalog.nodes.end() ? NodeState{} : *node->second;
      CVG_ASSIGN_OR_RETURN(const bool of_one, one.matches(instance, at));
      CVG_ASSIGN_OR_RETURN(const bool of_other, other.matches(instance, at));
      if (of_one && of_other) {
        return make_error(
            ErrorKind::kValidate,
            fmt::format("service-resolver/{}: the filters of {} and {} both select the instance on {}; "
                        "what is measured of one would be of the other, too",
                        service.service, service.stable_subset, service.candidate_subset, instance.instance.node));
      }
    }
  }
  return absl::OkStatus();
}

absl::Status no_splitter(const CanaryPolicy& policy) {
  return make_error(ErrorKind::kNotFound,
                    fmt::format("service-splitter/{}: is not there; write it with weight 100 to subset {} and 0 to "
                                "subset {}, and both subsets into service-resolver/{}",
                                policy.service, policy.stable_subset, policy.candidate_subset, policy.service));
}

}  // namespace convergence
