#include "lib/import/flagger.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <set>

#include "convergence/codec.h"
#include "lib/base/status_macros.h"

namespace convergence::importing {
namespace {

using enum ImportOutcome;

struct Verdict {
  std::string_view path;
  ImportOutcome outcome;
  std::string_view why;
};

constexpr std::string_view kClusters = "of the cluster's own keeping";

// What needs no look at the value.
constexpr std::array kOfCanary = {
    Verdict{"apiVersion", kTranslated, "the kind of document"},
    Verdict{"kind", kTranslated, "a policy of ours"},
    Verdict{"metadata", kIgnored, kClusters},
    Verdict{"status", kIgnored, "how far Flagger had come; a rollout here begins anew"},
    Verdict{"spec.targetRef", kIgnored, "Consul knows services, whatever runs them"},
    Verdict{"spec.autoscalerRef", kIgnored, "instances are started by who runs them, not by a rollout"},
    Verdict{"spec.ingressRef", kIgnored, "Consul's entries move the traffic, no ingress"},
    Verdict{"spec.routeRef", kIgnored, "Consul's entries move the traffic, no route of another gateway"},
    Verdict{"spec.upstreamRef", kIgnored, "Consul's entries move the traffic, no upstream of another gateway"},
    Verdict{"spec.provider", kIgnored, "Consul moves the traffic"},
    Verdict{"spec.metricsServer", kUnsupported,
            "a policy names no source; give it where the rollout starts, as --metrics prometheus=<address>"},
    Verdict{"spec.revertOnDeletion", kUnsupported, "a policy that is deleted changes nothing; converge undo does"},
};

constexpr std::array kOfTemplate = {
    Verdict{"apiVersion", kTranslated, "the kind of document"},
    Verdict{"kind", kTranslated, "a metric of the policies that name it"},
    Verdict{"metadata", kIgnored, kClusters},
    Verdict{"metadata.name", kIgnored, "no Canary of this text names it"},
    Verdict{"spec.query", kIgnored, "no Canary of this text names it"},
    Verdict{"spec.provider.type", kIgnored, "no Canary of this text names it"},
    Verdict{"spec.provider.address", kUnsupported,
            "a policy names no source; give it where the rollout starts, as --metrics prometheus=<address>"},
    Verdict{"spec.provider.secretRef", kUnsupported, "credentials are given to the source, never to a document"},
    Verdict{"spec.provider.headers", kUnsupported, "a policy names no source"},
    Verdict{"spec.provider.region", kUnsupported, "a policy names no source"},
    Verdict{"spec.provider.insecureSkipVerify", kUnsupported, "a policy names no source"},
};

constexpr std::string_view kNoAlerts =
    "nothing here sends messages; converge rollout history --json and the host's observer have each decision";
constexpr std::array kOfAlertProvider = {
    Verdict{"apiVersion", kTranslated, "the kind of document"},
    Verdict{"kind", kUnsupported, kNoAlerts},
    Verdict{"metadata", kIgnored, kClusters},
    Verdict{"spec", kUnsupported, kNoAlerts},
};

template <std::size_t N>
void say_all(const Source& source, const std::array<Verdict, N>& verdicts) {
  for (const Verdict& one : verdicts) source.report->say(one.path, one.outcome, one.why);
}

// Who is meant. A service's own name goes before the workload's, and that before the Canary's.
void read_names(CanaryDraft& draft, const ImportOptions& options) {
  const At metadata = draft.source.root.member("metadata");
  const At target = draft.spec("targetRef").member("name");
  const At service = draft.spec("service").member("name");
  draft.name = text_at(metadata.member("name")).value_or("");
  draft.name_space = text_at(metadata.member("namespace")).value_or("");
  draft.target = text_at(target).value_or(draft.name);
  draft.service = text_at(service).value_or(draft.target);
  draft.provider = text_at(draft.spec("provider")).value_or("");
  draft.candidate_subset = options.candidate_subset;
  const At& named = service ? service : target ? target : metadata.member("name");
  draft.say(target, kIgnored, "the service has a name of its own");
  draft.say(named, kTranslated,
            fmt::format("the service; its subsets are {} and {} unless the import is told others",
                        options.stable_subset, options.candidate_subset),
            "service");
  draft.policy.set("service", draft.service)
      .set("stable_subset", options.stable_subset)
      .set("candidate_subset", options.candidate_subset);
}

void read_switches(CanaryDraft& draft) {
  const At skip = draft.spec("skipAnalysis");
  const At suspend = draft.spec("suspend");
  if (bool_at(skip) == true) {
    draft.say(skip, kUnsupported, "no policy promotes unseen; converge rollout promote does, with a name and a reason");
  } else {
    draft.say(skip, kIgnored, "as it is here anyway");
  }
  if (bool_at(suspend) == true) {
    draft.say(suspend, kUnsupported, "a rollout is paused, no policy: converge rollout pause");
  } else {
    draft.say(suspend, kIgnored, "as it is here anyway");
  }
}

}  // namespace

std::string deadline_text(Duration wanted, Duration interval, std::int64_t count) {
  constexpr Duration kLongest = std::chrono::hours(24 * 365);
  const Duration least = interval > kLongest / 3 ? kLongest : interval * 3;
  const Duration all = count > kLongest / interval ? kLongest : interval * count;
  return duration_to_text(std::max({wanted, least, all}));
}

const Source* referenced(const CanaryDraft& draft, const At& reference, std::string_view kind) {
  const std::optional<std::string> name = text_at(reference.member("name"));
  const std::string name_space = text_at(reference.member("namespace")).value_or(draft.name_space);
  const auto found = std::find_if(draft.all->begin(), draft.all->end(), [&](const Source& one) {
    const At metadata = one.root.member("metadata");
    const std::string there = text_at(metadata.member("namespace")).value_or("");
    return one.kind == kind && text_at(metadata.member("name")) == name &&
           (there == name_space || there.empty() || name_space.empty());
  });
  return !name || found == draft.all->end() ? nullptr : &*found;
}

absl::StatusOr<CanaryPolicy> finish_policy(const Json& policy, std::string_view document,
                                           const std::vector<FieldReport*>& reports) {
  CVG_ASSIGN_OR_RETURN(CanaryPolicy out, from_json<CanaryPolicy>(policy, document));
  for (const Json::Member& member : out.unknown) {
    for (FieldReport* report : reports) {
      report->take_back(member.name, fmt::format("kept in the policy as {}, and nothing acts upon it", member.name));
    }
  }
  return out;
}

absl::Status read_canary(const Source& source, const Sources& all, const ImportOptions& options,
                         std::string_view document, ImportedDocuments& out) {
  CanaryDraft draft;
  draft.source = source;
  draft.all = &all;
  say_all(source, kOfCanary);
  read_names(draft, options);
  read_switches(draft);
  // The older name of the same section.
  const At analysis = draft.spec("analysis") ? draft.spec("analysis") : draft.spec("canaryAnalysis");
  read_analysis(draft, analysis);
  read_metrics(draft, analysis.member("metrics"));
  read_hooks(draft, analysis.member("webhooks"), analysis.member("alerts"));
  read_service(draft, draft.spec("service"));

  std::vector<FieldReport*> reports;
  for (const Source& one : all) reports.push_back(one.report);
  CVG_ASSIGN_OR_RETURN(CanaryPolicy policy, finish_policy(draft.policy, document, reports));
  out.policies.push_back(std::move(policy));
  if (draft.router) {
    CVG_ASSIGN_OR_RETURN(ConfigEntry router, from_json<ConfigEntry>(*draft.router, document));
    out.entries.push_back(std::move(router));
  }
  return absl::OkStatus();
}

void read_template(const Source& source) { say_all(source, kOfTemplate); }

void read_alert_provider(const Source& source) { say_all(source, kOfAlertProvider); }

}  // namespace convergence::importing
