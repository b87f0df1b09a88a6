#ifndef CONVERGENCE_IMPORT_H_
#define CONVERGENCE_IMPORT_H_

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"
#include "convergence/canary.h"
#include "convergence/config_entry.h"
#include "convergence/json.h"

namespace convergence {

// Documents in the languages of others -> our values. Errors: INVALID_ARGUMENT kind "decode", "<document>: line L,
// column C: <problem>", with document, line and column in the detail. Depth is at most 64.

// HCL 1, the language in which `consul config write` takes entries: attributes, blocks (with labels: an object within
// an object), lists, heredocs, comments. Something that is said more than once is a list of all that was said, as
// Consul has it; from_json<ConfigEntry>() takes that as the server does. Text that begins with a brace is read as JSON.
absl::StatusOr<Json> parse_hcl(std::string_view text, std::string_view document);

// Every document of a YAML text. Json::offset is where a value begins. Aliases are followed, up to a bound on what they
// make together; a key that is there twice is an error.
absl::StatusOr<std::vector<Json>> parse_yaml(std::string_view text, std::string_view document);

// ---- what became of a document --------------------------------------------------------------------------------------

enum class ImportOutcome {
  kImported,     // a field of ours or of Consul's, taken over
  kTranslated,   // said in another place or another form here
  kUnsupported,  // means something, and nothing here does it
  kIgnored,      // says nothing to Consul, or nothing at all
};
std::string_view to_string(ImportOutcome outcome);

// What became of one field: a value that is no object and no list of objects. Nothing is lost without a row.
struct ImportRow {
  std::int64_t line = 0;  // from 1
  std::string field{};    // "spec.routes[0].match.http.pathPrefix"
  ImportOutcome outcome = ImportOutcome::kImported;
  std::string why{};  // of all but kImported
  friend bool operator==(const ImportRow&, const ImportRow&) = default;
};

// {"line","field","outcome","why"}
Json to_json(const ImportRow& row);

// ---- config entries and policies ------------------------------------------------------------------------------------

struct ImportOptions {
  std::string format = "auto";  // auto, json, hcl or yaml; auto tells by the text
  // Of rollouts whose documents know no subsets.
  std::string stable_subset = "primary";
  std::string candidate_subset = "canary";
  friend bool operator==(const ImportOptions&, const ImportOptions&) = default;
};

struct ImportedDocuments {
  std::vector<ConfigEntry> entries{};
  std::vector<CanaryPolicy> policies{};
  std::vector<ImportRow> report{};  // in the order of the text
  friend bool operator==(const ImportedDocuments&, const ImportedDocuments&) = default;
};

// Any number of documents of these kinds, mixed: config entries, in JSON, HCL or YAML; the custom resources of
// consul-k8s; policies of ours, in JSON or YAML; Flagger's Canary with the MetricTemplates and AlertProviders that it
// names. Resources of others between them are ignored, with a row for each field; a text of nothing else is an error.
// docs/documents.md says what becomes of which field.
absl::StatusOr<ImportedDocuments> import_documents(std::string_view text, std::string_view document,
                                                   const ImportOptions& options = {});

struct Imported {
  std::vector<ConfigEntry> entries{};
  std::vector<ImportRow> report{};  // in the order of the text
  friend bool operator==(const Imported&, const Imported&) = default;
};

// The same for who wants config entries alone: anything else is an error.
absl::StatusOr<Imported> import_entries(std::string_view text, std::string_view document,
                                        std::string_view format = "auto");

}  // namespace convergence

#endif  // CONVERGENCE_IMPORT_H_
