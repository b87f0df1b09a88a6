// lint and pull: what stands in the entries, live or in files.
#include <fmt/format.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <optional>
#include <string>
#include <system_error>
#include <utility>
#include <vector>

#include "command.h"
#include "convergence/codec.h"
#include "convergence/driver.h"
#include "convergence/error.h"
#include "convergence/lint.h"
#include "convergence/plan.h"
#include "documents.h"

namespace cli {

using namespace convergence;  // NOLINT: a program's own source

namespace {

absl::StatusOr<CatalogState> live_state(const Arguments& arguments) {
  absl::StatusOr<Session> session = connect(arguments);
  if (!session.ok()) return session.status();
  absl::StatusOr<CatalogState> state = await<CatalogState>(
      *session->executor, [&](auto done) { read_catalog(*session->client, {}, session->read, std::move(done)); });
  return state;
}

std::string file_name(const ConfigEntry& entry) {
  std::string name = entry.kind + "." + entry.name + ".json";
  std::replace(name.begin(), name.end(), '/', '_');
  return name;
}

Json document_of(const ConfigEntry& entry) {
  Json::Object members;
  const Json json = to_json(entry);
  for (const Json::Member& member : *json.as_object()) {
    if (member.name != "CreateIndex" && member.name != "ModifyIndex") members.push_back(member);
  }
  return members;
}

// A file that says something else is somebody's work: it is not written over.
absl::Status write_file(const std::filesystem::path& path, const std::string& text, bool force, Output& output) {
  std::error_code error;
  if (std::filesystem::exists(path, error)) {
    absl::StatusOr<std::string> there = read_file(path.string());
    if (there.ok() && *there == text) return absl::OkStatus();
    if (!force) {
      return make_error(ErrorKind::kUsage,
                        fmt::format("{}: is there and differs; --force writes over it", path.string()));
    }
  }
  std::ofstream file(path, std::ios::binary);
  file << text;
  file.flush();
  if (!file) return make_error(ErrorKind::kUsage, path.string() + ": cannot be written");
  output.say("wrote " + path.string());
  return absl::OkStatus();
}

}  // namespace

int run_lint(const Arguments& arguments, Output& output) {
  std::vector<Finding> findings;
  if (arguments.words.empty()) {
    absl::StatusOr<CatalogState> state = live_state(arguments);
    if (!state.ok()) return output.fail(state.status());
    findings = lint(state->entries, &*state);
  } else {
    absl::StatusOr<EntryMap> entries = entries_from_files(arguments.words, arguments);
    if (!entries.ok()) return output.fail(entries.status(), kBadInput);
    std::optional<CatalogState> instances;
    if (arguments.has("live")) {
      absl::StatusOr<CatalogState> state = live_state(arguments);
      if (!state.ok()) return output.fail(state.status());
      instances = *std::move(state);
    }
    findings = lint(*entries, instances ? &*instances : nullptr);
  }
  if (output.json()) {
    output.document(to_json(findings));
  } else if (findings.empty()) {
    output.say("nothing to say");
  } else {
    std::string text = describe(findings);
    text.pop_back();
    output.say(text);
  }
  const bool warned = std::any_of(findings.begin(), findings.end(),
                                  [](const Finding& finding) { return finding.severity == Severity::kWarning; });
  return warned ? kFailed : kDone;
}

int run_pull(const Arguments& arguments, Output& output) {
  absl::StatusOr<CatalogState> state = live_state(arguments);
  if (!state.ok()) return output.fail(state.status());
  std::vector<ConfigEntry> entries = adopt(state->entries);
  if (!arguments.words.empty()) {
    std::erase_if(entries, [&](const ConfigEntry& entry) {
      return std::find(arguments.words.begin(), arguments.words.end(), entry.name) == arguments.words.end();
    });
  }
  if (!arguments.has("dir")) {
    Json::Array list;
    for (const ConfigEntry& entry : entries) list.push_back(document_of(entry));
    output.json() ? output.document(list) : output.say(to_pretty_text(list));
    return kDone;
  }
  const std::filesystem::path folder = arguments.get("dir");
  std::error_code error;
  std::filesystem::create_directories(folder, error);
  Json::Array written;
  for (const ConfigEntry& entry : entries) {
    const std::filesystem::path path = folder / file_name(entry);
    absl::Status done = write_file(path, to_pretty_text(document_of(entry)) + "\n", arguments.has("force"), output);
    if (!done.ok()) return output.fail(done);
    written.push_back(path.string());
  }
  if (output.json()) output.document(Json().set("files", std::move(written)));
  return kDone;
}

}  // namespace cli
