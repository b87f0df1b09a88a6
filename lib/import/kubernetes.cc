// The custom resources of consul-k8s (progressive-delivery.md 3.2): metadata.name is the name, spec the entry with its
// members in camelCase.
#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <string>
#include <string_view>
#include <utility>

#include "convergence/codec.h"
#include "convergence/error.h"
#include "lib/base/ascii.h"
#include "lib/base/status_macros.h"
#include "lib/import/documents.h"

namespace convergence::importing {
namespace {

struct ResourceKind {
  std::string_view resource;
  std::string_view entry;
  std::string_view name;  // which it always has; empty: metadata.name
};

constexpr std::array kKinds = {
    ResourceKind{"ProxyDefaults", "proxy-defaults", "global"},
    ResourceKind{"ServiceDefaults", "service-defaults", ""},
    ResourceKind{"ServiceRouter", "service-router", ""},
    ResourceKind{"ServiceSplitter", "service-splitter", ""},
    ResourceKind{"ServiceResolver", "service-resolver", ""},
    ResourceKind{"ServiceIntentions", "service-intentions", ""},
    ResourceKind{"Mesh", "mesh", "mesh"},
    ResourceKind{"ExportedServices", "exported-services", ""},
    ResourceKind{"IngressGateway", "ingress-gateway", ""},
    ResourceKind{"TerminatingGateway", "terminating-gateway", ""},
};

constexpr std::string_view kApi = "consul.hashicorp.com/";

const std::string* text_of(const Json& json, std::string_view name) {
  const Json* value = json.find(name);
  return value == nullptr ? nullptr : value->as_string();
}

// Words that Consul writes in capitals as a whole.
std::string capitalised(const std::string& name) {
  static constexpr std::string_view kWords[] = {"http", "tls", "sni", "jwt", "cidr", "ttl", "uri", "id", "ip"};
  std::string out = name;
  if (out.empty()) return out;
  out[0] = ascii_upper(out[0]);
  for (std::string_view word : kWords) {
    const bool first = out.size() >= word.size() &&
                       ascii_equal_fold(std::string_view(out).substr(0, word.size()), word) &&
                       (out.size() == word.size() || (out[word.size()] >= 'A' && out[word.size()] <= 'Z'));
    if (first)
      std::transform(out.begin(), out.begin() + static_cast<std::ptrdiff_t>(word.size()), out.begin(),
                     [](char c) { return ascii_upper(c); });
  }
  if (out == "CaFile") out = "CAFile";
  return out;
}

// Kinds that are kept whole are written back as they are, so their members get Consul's spelling here.
Json in_consuls_spelling(const Json& json) {
  Json out = json;
  if (const Json::Object* members = json.as_object()) {
    Json::Object renamed;
    for (const Json::Member& member : *members) {
      renamed.push_back({capitalised(member.name), in_consuls_spelling(member.value)});
    }
    out = Json(std::move(renamed));
    out.offset = json.offset;
  } else if (const Json::Array* items = json.as_array()) {
    Json::Array renamed;
    for (const Json& item : *items) renamed.push_back(in_consuls_spelling(item));
    out = Json(std::move(renamed));
    out.offset = json.offset;
  }
  return out;
}

absl::Status refuse(std::string_view document, const Lines& lines, const Json& where, std::string_view problem) {
  const std::int64_t line = lines.line_of(where.offset);
  return make_error(ErrorKind::kDecode, fmt::format("{}: line {}: {}", document, line, problem),
                    Json().set("document", document).set("line", line));
}

// Everything but apiVersion, kind, metadata.name and spec.
void report_rest(const Json& json, const Lines& lines, std::vector<ImportRow>& report) {
  for (const Json::Member& member : *json.as_object()) {
    if (member.name == "apiVersion" || member.name == "kind" || member.name == "spec") continue;
    if (member.name != "metadata") {
      add_rows(member.value, member.name, ImportOutcome::kIgnored, "of the cluster's own keeping", lines, report);
      continue;
    }
    const Json::Object* metadata = member.value.as_object();
    for (std::size_t i = 0; metadata != nullptr && i < metadata->size(); ++i) {
      const Json::Member& one = (*metadata)[i];
      if (one.name == "name") continue;
      add_rows(one.value, "metadata." + one.name, ImportOutcome::kIgnored, "of the cluster's own keeping", lines,
               report);
    }
  }
}

}  // namespace

bool is_custom_resource(const Json& json) { return json.find("apiVersion") != nullptr; }

absl::StatusOr<ConfigEntry> entry_of_resource(const Json& json, std::string_view document, const Lines& lines,
                                              std::vector<ImportRow>& report) {
  const std::string* api = text_of(json, "apiVersion");
  const std::string* kind = text_of(json, "kind");
  const auto known = std::find_if(kKinds.begin(), kKinds.end(),
                                  [&](const ResourceKind& one) { return kind != nullptr && one.resource == *kind; });
  if (api == nullptr || !api->starts_with(kApi) || known == kKinds.end()) {
    return refuse(document, lines, json,
                  fmt::format("{} {} is none of consul-k8s's config entries", api == nullptr ? "?" : *api,
                              kind == nullptr ? "?" : *kind));
  }
  const Json* metadata = json.find("metadata");
  const std::string* name = metadata == nullptr ? nullptr : text_of(*metadata, "name");
  if (name == nullptr) return refuse(document, lines, json, "metadata.name is missing");
  const Json* spec = json.find("spec");
  if (spec != nullptr && !spec->is_null() && !spec->is_object())
    return refuse(document, lines, *spec, "spec is no object");

  Json entry;
  entry.set("Kind", known->entry).set("Name", known->name.empty() ? *name : std::string(known->name));
  report.push_back({lines.line_of(json.find("apiVersion")->offset), "apiVersion", ImportOutcome::kTranslated,
                    "a resource of consul-k8s"});
  report.push_back({lines.line_of(json.find("kind")->offset), "kind", ImportOutcome::kTranslated,
                    fmt::format("{} is Consul's {}", *kind, known->entry)});
  report.push_back({lines.line_of(metadata->find("name")->offset), "metadata.name", ImportOutcome::kTranslated,
                    "the name of the entry"});
  const bool whole = from_json<ConfigEntry>(entry, document).ok() &&
                     std::holds_alternative<OpaqueEntry>(from_json<ConfigEntry>(entry, document)->body);
  const Json::Object* members = spec == nullptr ? nullptr : spec->as_object();
  for (std::size_t i = 0; members != nullptr && i < members->size(); ++i) {
    const Json::Member& member = (*members)[i];
    const std::string* destination =
        known->entry == "service-intentions" && member.name == "destination" ? text_of(member.value, "name") : nullptr;
    if (destination != nullptr) {
      entry.set("Name", *destination);
      add_rows(member.value, "spec.destination", ImportOutcome::kTranslated, "the name of the entry", lines, report);
      continue;
    }
    add_rows(member.value, "spec." + member.name, ImportOutcome::kImported, "", lines, report);
    entry.as_object()->push_back(whole ? Json::Member{capitalised(member.name), in_consuls_spelling(member.value)}
                                       : member);
  }
  report_rest(json, lines, report);
  return from_json<ConfigEntry>(entry, document);
}

}  // namespace convergence::importing
