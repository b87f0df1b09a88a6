#include "lib/import/documents.h"

#include <fmt/format.h>

#include <algorithm>
#include <deque>
#include <set>
#include <string>
#include <utility>
#include <variant>

#include "convergence/codec.h"
#include "convergence/error.h"
#include "lib/base/ascii.h"
#include "lib/base/status_macros.h"
#include "lib/import/flagger.h"
#include "lib/model/entry_parts.h"

namespace convergence {
namespace importing {
namespace {

// A path without what the two ways of writing it differ in: letter case, underscores, brackets, and places in lists,
// since one item may stand for a list of it.
std::string plain_path(std::string_view path) {
  std::string out;
  std::size_t begin = 0;
  while (begin <= path.size()) {
    const std::size_t end = std::min(path.find_first_of(".[", begin), path.size());
    std::string part = ascii_lower(path.substr(begin, end - begin));
    std::erase_if(part, [](char c) { return c == '_' || c == ']'; });
    const bool is_place = !part.empty() && part.find_first_not_of("0123456789") == std::string::npos;
    if (!is_place && !part.empty()) out += "." + part;
    begin = end + 1;
  }
  return out;
}

// The paths of the members that no struct has a field for.
struct UnknownPaths {
  static constexpr bool newer = true;
  std::set<std::string>& paths;

  template <typename Part>
  void operator()(const EntryPlace& at, const Part& part) {
    for (const Json::Member& member : part.unknown) {
      if (!member.value.is_null()) paths.insert(plain_path(at.text()) + plain_path(member.name));
    }
  }
};

}  // namespace

bool is_leaf(const Json& json) {
  if (json.is_object()) return json.as_object()->empty();
  const Json::Array* items = json.as_array();
  return items == nullptr || std::none_of(items->begin(), items->end(),
                                          [](const Json& item) { return item.is_object() || item.is_array(); });
}

Lines::Lines(std::string_view text) {
  for (std::size_t at = text.find('\n'); at != std::string_view::npos; at = text.find('\n', at + 1))
    ends_.push_back(at);
}

std::int64_t Lines::line_of(std::size_t offset) const {
  return std::lower_bound(ends_.begin(), ends_.end(), offset) - ends_.begin() + 1;
}

void add_rows(const Json& json, const std::string& field, ImportOutcome outcome, std::string_view why,
              const Lines& lines, std::vector<ImportRow>& out) {
  if (is_leaf(json)) {
    out.push_back({lines.line_of(json.offset), field, outcome, std::string(why)});
    return;
  }
  if (const Json::Object* members = json.as_object()) {
    for (const Json::Member& member : *members) {
      add_rows(member.value, fmt::format("{}.{}", field, member.name), outcome, why, lines, out);
    }
    return;
  }
  for (std::size_t i = 0; i < json.as_array()->size(); ++i) {
    add_rows((*json.as_array())[i], fmt::format("{}[{}]", field, i), outcome, why, lines, out);
  }
}

void mark_unknown(const ConfigEntry& entry, std::vector<ImportRow>& report) {
  std::set<std::string> paths;
  UnknownPaths unknown{paths};
  std::visit([&](const auto& body) { visit_parts(EntryPlace(), body, unknown); }, entry.body);
  for (ImportRow& row : report) {
    if (row.outcome != ImportOutcome::kImported) continue;
    std::string path = plain_path(row.field);
    if (path.starts_with(".spec.")) path.erase(0, 5);
    const bool found = std::any_of(paths.begin(), paths.end(),
                                   [&](const std::string& one) { return path == one || path.starts_with(one + "."); });
    if (!found) continue;
    row.outcome = ImportOutcome::kUnsupported;
    row.why = "no field of Consul's is known by this name; kept as it is";
  }
}

namespace {

// Every member of an entry that is one already.
void report_entry(const Json& json, const Lines& lines, std::vector<ImportRow>& report) {
  const Json::Object* members = json.as_object();
  for (std::size_t i = 0; members != nullptr && i < members->size(); ++i) {
    add_rows((*members)[i].value, (*members)[i].name, ImportOutcome::kImported, "", lines, report);
  }
}

absl::Status add_entry(const Json& json, std::string_view document, const Lines& lines, ImportedDocuments& out) {
  std::vector<ImportRow> rows;
  ConfigEntry entry;
  if (is_custom_resource(json)) {
    CVG_ASSIGN_OR_RETURN(entry, entry_of_resource(json, document, lines, rows));
  } else {
    CVG_ASSIGN_OR_RETURN(entry, from_json<ConfigEntry>(json, document));
    report_entry(json, lines, rows);
  }
  mark_unknown(entry, rows);
  out.entries.push_back(std::move(entry));
  out.report.insert(out.report.end(), rows.begin(), rows.end());
  return absl::OkStatus();
}

absl::Status add_policy(const Json& json, std::string_view document, const Lines& lines, ImportedDocuments& out) {
  FieldReport report(json, "", lines);
  report.say("", ImportOutcome::kImported, "");
  CVG_ASSIGN_OR_RETURN(CanaryPolicy policy, from_json<CanaryPolicy>(json, document));
  for (const Json::Member& member : policy.unknown) {
    report.say(member.name, ImportOutcome::kUnsupported, "no member of a policy is known by this name; kept as it is");
  }
  out.policies.push_back(std::move(policy));
  std::vector<ImportRow> rows = std::move(report).rows("");
  out.report.insert(out.report.end(), rows.begin(), rows.end());
  return absl::OkStatus();
}

// ---- what a document is -------------------------------------------------------------------------------------

enum class DocumentKind { kEntry, kPolicy, kFlagger, kForeign };

std::string word_of(const Json& json, std::string_view member) {
  const Json* value = json.find(member);
  const std::string* text = value == nullptr ? nullptr : value->as_string();
  return text == nullptr ? "" : *text;
}

DocumentKind kind_of(const Json& json) {
  const std::string api = word_of(json, "apiVersion");
  const std::string kind = word_of(json, "kind");
  if (api.starts_with("flagger.app/")) {
    const bool known = kind == "Canary" || kind == "MetricTemplate" || kind == "AlertProvider";
    return known ? DocumentKind::kFlagger : DocumentKind::kForeign;
  }
  if (is_custom_resource(json)) {
    return api.starts_with("consul.hashicorp.com/") ? DocumentKind::kEntry : DocumentKind::kForeign;
  }
  const Json::Object* members = json.as_object();
  const bool entry = members == nullptr ||
                     std::any_of(members->begin(), members->end(),
                                 [](const Json::Member& member) { return ascii_equal_fold(member.name, "kind"); });
  const bool policy = json.find("service") != nullptr || json.find("stable_subset") != nullptr ||
                      json.find("candidate_subset") != nullptr || json.find("steps") != nullptr;
  return !entry && policy ? DocumentKind::kPolicy : DocumentKind::kEntry;
}

// Flagger's resources name each other, wherever they stand in the text.
absl::Status add_documents(const std::vector<Json>& documents, std::string_view document, const Lines& lines,
                           const ImportOptions& options, ImportedDocuments& out) {
  std::deque<FieldReport> reports;
  Sources sources;
  std::vector<const Source*> by_document(documents.size(), nullptr);
  sources.reserve(documents.size());
  bool only_foreign = !documents.empty();
  for (std::size_t i = 0; i < documents.size(); ++i) {
    const DocumentKind kind = kind_of(documents[i]);
    only_foreign = only_foreign && kind == DocumentKind::kForeign;
    if (kind != DocumentKind::kFlagger) continue;
    Source source;
    source.root.json = &documents[i];
    source.report = &reports.emplace_back(documents[i], "", lines);
    source.kind = word_of(documents[i], "kind");
    by_document[i] = &sources.emplace_back(std::move(source));
  }
  if (only_foreign) return add_entry(documents.front(), document, lines, out);  // which says what is wrong with it
  for (const Source& source : sources) {
    if (source.kind == "MetricTemplate") read_template(source);
    if (source.kind == "AlertProvider") read_alert_provider(source);
  }
  for (const Source& source : sources) {
    if (source.kind == "Canary") CVG_RETURN_IF_ERROR(read_canary(source, sources, options, document, out));
  }
  for (std::size_t i = 0; i < documents.size(); ++i) {
    if (by_document[i] != nullptr) {
      std::vector<ImportRow> rows = std::move(*by_document[i]->report).rows("Flagger knows no field of this name");
      out.report.insert(out.report.end(), rows.begin(), rows.end());
      continue;
    }
    const DocumentKind kind = kind_of(documents[i]);
    if (kind == DocumentKind::kEntry) CVG_RETURN_IF_ERROR(add_entry(documents[i], document, lines, out));
    if (kind == DocumentKind::kPolicy) CVG_RETURN_IF_ERROR(add_policy(documents[i], document, lines, out));
    if (kind != DocumentKind::kForeign) continue;
    FieldReport report(documents[i], "", lines);
    report.say("", ImportOutcome::kIgnored,
               fmt::format("{} {} is no document of a rollout", word_of(documents[i], "apiVersion"),
                           word_of(documents[i], "kind")));
    std::vector<ImportRow> rows = std::move(report).rows("");
    out.report.insert(out.report.end(), rows.begin(), rows.end());
  }
  return absl::OkStatus();
}

// JSON begins with a bracket; HCL has an assignment or a block before any colon of YAML's.
std::string_view format_of(std::string_view text) {
  const std::size_t first = text.find_first_not_of(" \t\r\n");
  if (first == std::string_view::npos || text[first] == '{' || text[first] == '[') return "json";
  std::size_t at = 0;
  while (at < text.size()) {
    const std::size_t end = std::min(text.find('\n', at), text.size());
    std::string_view line = text.substr(at, end - at);
    at = end + 1;
    line.remove_prefix(std::min(line.find_first_not_of(" \t\r"), line.size()));
    if (line.empty() || line.starts_with("#") || line.starts_with("//") || line.starts_with("/*")) continue;
    if (line.starts_with("---") || line.starts_with("- ")) return "yaml";
    const std::size_t colon = line.find(':');
    const std::size_t sign = line.find_first_of("={");
    if (colon != std::string_view::npos && colon < sign) return "yaml";
    return "hcl";
  }
  return "hcl";
}

}  // namespace
}  // namespace importing

std::string_view to_string(ImportOutcome outcome) {
  switch (outcome) {
    case ImportOutcome::kImported:
      return "imported";
    case ImportOutcome::kTranslated:
      return "translated";
    case ImportOutcome::kUnsupported:
      return "unsupported";
    case ImportOutcome::kIgnored:
      return "ignored";
  }
  return "";
}

Json to_json(const ImportRow& row) {
  return Json()
      .set("line", row.line)
      .set("field", row.field)
      .set("outcome", to_string(row.outcome))
      .set("why", row.why);
}

absl::StatusOr<ImportedDocuments> import_documents(std::string_view text, std::string_view document,
                                                   const ImportOptions& options) {
  const std::string_view format =
      options.format == "auto" ? importing::format_of(text) : std::string_view(options.format);
  std::vector<Json> documents;
  if (format == "json") {
    CVG_ASSIGN_OR_RETURN(Json json, parse_json(text, document));
    if (Json::Array* items = json.as_array()) {
      documents = std::move(*items);
    } else {
      documents.push_back(std::move(json));
    }
  } else if (format == "hcl") {
    CVG_ASSIGN_OR_RETURN(Json json, parse_hcl(text, document));
    documents.push_back(std::move(json));
  } else if (format == "yaml") {
    CVG_ASSIGN_OR_RETURN(documents, parse_yaml(text, document));
  } else {
    return make_error(ErrorKind::kUsage, fmt::format("\"{}\" is no format: auto, json, hcl, yaml", format));
  }
  const importing::Lines lines(text);
  ImportedDocuments out;
  CVG_RETURN_IF_ERROR(importing::add_documents(documents, document, lines, options, out));
  return out;
}

absl::StatusOr<Imported> import_entries(std::string_view text, std::string_view document, std::string_view format) {
  ImportOptions options;
  options.format = std::string(format);
  CVG_ASSIGN_OR_RETURN(ImportedDocuments all, import_documents(text, document, options));
  if (!all.policies.empty()) {
    return make_error(
        ErrorKind::kDecode,
        fmt::format("{}: holds a rollout's policy, where config entries are wanted; import it first", document),
        Json().set("document", document));
  }
  Imported out;
  out.entries = std::move(all.entries);
  out.report = std::move(all.report);
  return out;
}

}  // namespace convergence
