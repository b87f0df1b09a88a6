#ifndef CONVERGENCE_LIB_IMPORT_FLAGGER_H_
#define CONVERGENCE_LIB_IMPORT_FLAGGER_H_

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "convergence/import.h"
#include "lib/import/field_report.h"

// Flagger's resources (progressive-delivery.md 2.2 to 2.5, 3.1) -> policies and routers.
namespace convergence::importing {

// A document of a text, with the report of its fields.
struct Source {
  At root{};
  FieldReport* report = nullptr;
  std::string kind{};  // of resources: "Canary", "MetricTemplate" ...
};

// What the Canaries of a text may name: its MetricTemplates and AlertProviders.
using Sources = std::vector<Source>;

// A Canary while it is read: what it says of itself, and the policy as it grows, in our own JSON.
struct CanaryDraft {
  Source source{};
  const Sources* all = nullptr;
  std::string name{};
  std::string name_space{};
  std::string target{};
  std::string service{};
  std::string provider{};
  std::string candidate_subset{};
  Duration interval = std::chrono::minutes(1);
  std::int64_t threshold = 1;
  Json policy{};
  std::optional<Json> router{};  // a service-router, if its service section asks for one

  At spec(std::string_view section) const { return source.root.member("spec").member(section); }
  void say(const At& at, ImportOutcome outcome, std::string_view why, std::string_view into = "") const {
    source.report->say(at.path, outcome, why, into);
  }
};

// The parts of a Canary; each says what became of its fields.
void read_analysis(CanaryDraft& draft, const At& analysis);
void read_metrics(CanaryDraft& draft, const At& metrics);
void read_hooks(CanaryDraft& draft, const At& webhooks, const At& alerts);
void read_service(CanaryDraft& draft, const At& service);

// The resource that a reference {name, namespace} names; null pointer when the text has none.
const Source* referenced(const CanaryDraft& draft, const At& reference, std::string_view kind);

// A resource of Flagger's; its policy and router go into `out`. An error only where our own codec refuses what was
// made.
absl::Status read_canary(const Source& source, const Sources& all, const ImportOptions& options,
                         std::string_view document, ImportedDocuments& out);
// MetricTemplate and AlertProvider by themselves: what a Canary says of them comes on top.
void read_template(const Source& source);
void read_alert_provider(const Source& source);

// Members that our structs have no field for are kept, and nothing acts upon them: the report says so.
absl::StatusOr<CanaryPolicy> finish_policy(const Json& policy, std::string_view document,
                                           const std::vector<FieldReport*>& reports);

// `count` times `interval`, and never less than three intervals: a deadline that no evidence can miss.
std::string deadline_text(Duration wanted, Duration interval, std::int64_t count);

}  // namespace convergence::importing

#endif  // CONVERGENCE_LIB_IMPORT_FLAGGER_H_
