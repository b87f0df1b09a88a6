// import: documents of others as ours, and what became of each of their fields.

#include <fmt/format.h>

#include <string>

#include "command.h"
#include "convergence/codec.h"
#include "convergence/import.h"
#include "documents.h"

namespace cli {

using namespace convergence;  // NOLINT: a program's own source

namespace {

std::string row_line(const ImportRow& row) {
  return fmt::format("{:>5}  {:11}  {}{}", row.line, to_string(row.outcome), row.field,
                     row.why.empty() ? "" : ": " + row.why);
}

// A policy that cannot be is worth as much as the field that is missing; the report says where the rest went.
std::string doubt_of(const CanaryPolicy& policy) {
  const absl::Status valid = validate(policy);
  return valid.ok() ? "" : std::string(valid.message());
}

}  // namespace

int run_import(const Arguments& arguments, Output& output) {
  if (arguments.words.size() != 1) {
    return output.fail(absl::InvalidArgumentError("import: needs one file, or - for standard input"), kBadInput);
  }
  absl::StatusOr<std::string> text = read_file(arguments.words[0]);
  if (!text.ok()) return output.fail(text.status(), kBadInput);
  ImportOptions options;
  options.format = arguments.get("format", options.format);
  options.stable_subset = arguments.get("stable-subset", options.stable_subset);
  options.candidate_subset = arguments.get("candidate-subset", options.candidate_subset);
  absl::StatusOr<ImportedDocuments> imported = import_documents(*text, arguments.words[0], options);
  if (!imported.ok()) return output.fail(imported.status(), kBadInput);

  Json::Array documents;
  Json::Array rows;
  Json::Array doubts;
  for (const ConfigEntry& entry : imported->entries) documents.push_back(to_json(entry));
  for (const CanaryPolicy& policy : imported->policies) {
    documents.push_back(to_json(policy));
    if (std::string doubt = doubt_of(policy); !doubt.empty()) doubts.push_back(Json(std::move(doubt)));
  }
  for (const Json& document : documents) output.say(to_text(document));
  for (const ImportRow& row : imported->report) {
    rows.push_back(to_json(row));
    output.say(row_line(row));
  }
  for (const Json& doubt : doubts) output.say("cannot start as it is: " + *doubt.as_string());
  if (output.json()) {
    output.document(Json()
                        .set("imported", Json(std::move(documents)))
                        .set("report", Json(std::move(rows)))
                        .set("doubts", Json(std::move(doubts))));
  }
  return kDone;
}

}  // namespace cli
