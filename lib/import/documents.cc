#include "lib/import/documents.h"

#include <fmt/format.h>

#include <algorithm>
#include <set>
#include <string>
#include <utility>
#include <variant>

#include "convergence/codec.h"
#include "convergence/error.h"
#include "lib/base/ascii.h"
#include "lib/base/status_macros.h"
#include "lib/model/entry_parts.h"

namespace convergence {
namespace import_documents {
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

bool is_leaf(const Json& json) {
  if (json.is_object()) return json.as_object()->empty();
  const Json::Array* items = json.as_array();
  return items == nullptr || std::none_of(items->begin(), items->end(),
                                          [](const Json& item) { return item.is_object() || item.is_array(); });
}

}  // namespace

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

absl::Status add_document(const Json& json, std::string_view document, const Lines& lines, Imported& out) {
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
}  // namespace import_documents

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

absl::StatusOr<Imported> import_entries(std::string_view text, std::string_view document, std::string_view format) {
  if (format == "auto") format = import_documents::format_of(text);
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
  const import_documents::Lines lines(text);
  Imported out;
  for (const Json& json : documents) CVG_RETURN_IF_ERROR(import_documents::add_document(json, document, lines, out));
  return out;
}

}  // namespace convergence
