#include "convergence/appspec.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "convergence/error.h"
#include "lib/base/status_macros.h"
#include "lib/import/package_document.h"
#include "lib/model/names.h"

namespace convergence {
namespace package_document {
namespace {

// Events of a load balancer's, or that the agent goes through without a program: known to CodeDeploy, run by nobody
// here.
constexpr std::array<std::string_view, 8> kOtherEvents = {"BeforeBlockTraffic", "BlockTraffic", "AfterBlockTraffic",
                                                          "BeforeAllowTraffic", "AllowTraffic", "DownloadBundle",
                                                          "AfterAllowTraffic",  "Install"};

constexpr std::int64_t kMaxHookSeconds = 7 * 24 * 60 * 60;

absl::StatusOr<AppFile> read_file(const Field& field, std::string_view platform) {
  CVG_ASSIGN_OR_RETURN(Members members, Members::of(field));
  AppFile out;
  CVG_ASSIGN_OR_RETURN(const Field source, members.require("source", "a path below the package, or / for all of it"));
  CVG_ASSIGN_OR_RETURN(out.source, packed_path_of(source));
  CVG_ASSIGN_OR_RETURN(const Field destination, members.require("destination", "the folder where it goes"));
  CVG_ASSIGN_OR_RETURN(out.destination, node_path_of(destination, platform));
  for (const char* name : {"file_exists_behavior", "overwrite"}) {
    if (const auto extra = members.take(name)) {
      extra->note(ImportOutcome::kIgnored, "a destination is swapped as a whole, never written into");
    }
  }
  members.note_rest();
  return out;
}

// Octal digits, as CodeDeploy has them. A tool that read 0755 and wrote it again wrote 493, which is told from an octal
// number only by luck, so it is refused where it shows (W-A30).
absl::StatusOr<std::uint32_t> mode_of(const Field& field) {
  CVG_ASSIGN_OR_RETURN(const std::string text, filled_text_of(field));
  std::string_view digits = text;
  if (digits.size() > 2 && digits[0] == '0' && digits[1] == 'o') digits.remove_prefix(2);
  const bool decimal = digits.find_first_not_of("0123456789") == std::string_view::npos && digits.size() <= 5;
  std::uint32_t octal_value = 0;
  std::uint32_t decimal_value = 0;
  bool octal = decimal && !digits.empty();
  for (const char c : digits) {
    if (!octal && !decimal) break;
    const auto digit = static_cast<std::uint32_t>(c - '0');
    octal = octal && digit < 8;
    octal_value = octal_value * 8 + digit;
    decimal_value = decimal_value * 10 + digit;
  }
  constexpr std::uint32_t kMost = 07777;
  if (octal && octal_value <= kMost) return octal_value;
  if (decimal && !octal && decimal_value <= kMost) {
    return field.error(fmt::format("\"{}\" is no octal number; if a tool has written it in tens, write \"{:04o}\"",
                                   text, decimal_value));
  }
  return field.error(fmt::format("\"{}\" is no mode like \"0755\"", text));
}

absl::StatusOr<AppPermission> read_permission(const Field& field, std::string_view platform) {
  CVG_ASSIGN_OR_RETURN(Members members, Members::of(field));
  AppPermission out;
  CVG_ASSIGN_OR_RETURN(const Field object, members.require("object", "the path that gets them"));
  CVG_ASSIGN_OR_RETURN(out.object, node_path_of(object, platform));
  if (const auto pattern = members.take("pattern")) {
    CVG_ASSIGN_OR_RETURN(out.pattern, filled_text_of(*pattern));
  }
  if (const auto except = members.take("except")) {
    CVG_ASSIGN_OR_RETURN(out.except, texts_of(*except));
  }
  if (const auto type = members.take("type")) {
    CVG_ASSIGN_OR_RETURN(out.types, texts_of(*type));
    for (std::size_t i = 0; i < out.types.size(); ++i) {
      if (out.types[i] == "file" || out.types[i] == "directory") continue;
      return type->item(i).error(fmt::format("\"{}\" is none of file, directory", out.types[i]));
    }
  }
  if (const auto owner = members.take("owner")) {
    CVG_ASSIGN_OR_RETURN(out.owner, filled_text_of(*owner));
  }
  if (const auto group = members.take("group")) {
    CVG_ASSIGN_OR_RETURN(out.group, filled_text_of(*group));
  }
  if (const auto mode = members.take("mode")) {
    CVG_ASSIGN_OR_RETURN(out.mode, mode_of(*mode));
  }
  if (const auto acls = members.take("acls")) acls->note(ImportOutcome::kUnsupported, "no access lists are set here");
  if (const auto context = members.take("context")) {
    context->note(ImportOutcome::kUnsupported, "no SELinux context is set here");
  }
  members.note_rest();
  return out;
}

absl::StatusOr<Hook> read_hook(const Field& field) {
  CVG_ASSIGN_OR_RETURN(Members members, Members::of(field));
  Hook out;
  CVG_ASSIGN_OR_RETURN(const Field location, members.require("location", "a program of the package"));
  CVG_ASSIGN_OR_RETURN(out.location, program_of(location));
  if (const auto timeout = members.take("timeout")) {
    CVG_ASSIGN_OR_RETURN(const std::int64_t seconds, whole_of(*timeout, 0, kMaxHookSeconds));
    if (seconds == 0) timeout->note(ImportOutcome::kTranslated, "0 seconds: what is left of the deployment's time");
    out.timeout = std::chrono::seconds(seconds);
  }
  if (const auto runas = members.take("runas")) {
    CVG_ASSIGN_OR_RETURN(out.run_as, filled_text_of(*runas));
  }
  members.note_rest();
  return out;
}

// Every entry of an event runs, in order (W-A31). No hooks at all are fine (W-A21).
absl::StatusOr<std::vector<Hook>> read_event(const Field& field) {
  std::vector<Field> entries;
  if (field.json().is_object()) {
    field.note(ImportOutcome::kTranslated, "one entry without a list");
    entries.push_back(field);
  } else {
    CVG_ASSIGN_OR_RETURN(entries, items_of(field));
  }
  std::vector<Hook> out;
  for (const Field& entry : entries) {
    CVG_ASSIGN_OR_RETURN(out.emplace_back(), read_hook(entry));
  }
  return out;
}

absl::StatusOr<Hooks> read_hooks(const Field& field) {
  if (!field.json().is_object()) return field.wrong_type("an object of events");
  Hooks out;
  for (const Json::Member& member : *field.json().as_object()) {
    const Field event = field.member(member);
    const std::optional<HookEvent> known = parse_name<HookEvent>(member.name);
    if (!known) {
      if (std::ranges::find(kOtherEvents, member.name) != kOtherEvents.end()) {
        event.note(ImportOutcome::kIgnored, "no event of a node's deployment; nothing of it runs");
      } else {
        event.note(ImportOutcome::kUnsupported,
                   fmt::format("nothing of it runs; the events are {}", all_names<HookEvent>()));
      }
    } else if (!member.value.is_null()) {
      CVG_ASSIGN_OR_RETURN(std::vector<Hook> hooks, read_event(event));
      if (!hooks.empty()) out[*known] = std::move(hooks);
    }
  }
  return out;
}

absl::Status read_os(Members& members, std::string_view platform, AppSpec& out) {
  CVG_ASSIGN_OR_RETURN(const Field os, members.require("os", fmt::format("{} on this node", platform)));
  CVG_ASSIGN_OR_RETURN(out.os, text_of(os));
  if (out.os == platform) return absl::OkStatus();
  return os.error(fmt::format("the package is for \"{}\", and the node is {}", out.os, platform));
}

absl::Status read_lists(Members& members, std::string_view platform, AppSpec& out) {
  if (const auto files = members.take("files")) {
    CVG_ASSIGN_OR_RETURN(const std::vector<Field> items, items_of(*files));
    for (const Field& item : items) {
      CVG_ASSIGN_OR_RETURN(out.files.emplace_back(), read_file(item, platform));
    }
  }
  if (const auto permissions = members.take("permissions")) {
    CVG_ASSIGN_OR_RETURN(const std::vector<Field> items, items_of(*permissions));
    for (const Field& item : items) {
      CVG_ASSIGN_OR_RETURN(out.permissions.emplace_back(), read_permission(item, platform));
    }
  }
  return absl::OkStatus();
}

absl::StatusOr<AppSpec> read_appspec(const Field& field, const PackageContext& context) {
  CVG_ASSIGN_OR_RETURN(Members members, Members::of(field));
  AppSpec out;
  if (const auto version = members.take("version")) {
    if (version->json().to_double() != 0.0)
      version->note(ImportOutcome::kIgnored, "0.0 is the one version that there is");
  }
  CVG_RETURN_IF_ERROR(read_os(members, context.platform, out));
  CVG_RETURN_IF_ERROR(read_lists(members, context.platform, out));
  if (const auto hooks = members.take("hooks")) {
    CVG_ASSIGN_OR_RETURN(out.hooks, read_hooks(*hooks));
  }
  if (const auto behavior = members.take("file_exists_behavior")) {
    behavior->note(ImportOutcome::kIgnored, "a destination is swapped as a whole, never written into");
  }
  if (const auto checks = members.take("consul_healthchecks")) {
    CVG_ASSIGN_OR_RETURN(out.checks, read_checks(*checks, ""));
  }
  if (const auto checks = members.take("sensu_healthchecks")) {
    CVG_ASSIGN_OR_RETURN(out.sensu, read_sensu_checks(*checks, "", context));
  }
  members.note_rest();
  return out;
}

}  // namespace
}  // namespace package_document

absl::StatusOr<AppSpecRead> parse_appspec(std::string_view text, std::string_view document,
                                          const PackageContext& context) {
  using namespace package_document;  // NOLINT: this function is its way out
  CVG_ASSIGN_OR_RETURN(const Json json, read_document(text, document));
  Source source(text, document);
  AppSpecRead out;
  CVG_ASSIGN_OR_RETURN(out.spec, read_appspec(Field(json, "", source), context));
  out.report = std::move(source.report);
  sort_report(out.report);
  return out;
}

}  // namespace convergence
