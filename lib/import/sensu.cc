#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "convergence/appspec.h"
#include "convergence/error.h"
#include "lib/base/ascii.h"
#include "lib/base/status_macros.h"
#include "lib/codec/object_writer.h"
#include "lib/import/package_document.h"

namespace convergence {
namespace package_document {
namespace {

constexpr std::int64_t kMostSeconds = 366LL * 24 * 60 * 60;

// A word of a command that a shell of the platform takes as one.
std::string quoted(std::string_view word, bool windows) {
  constexpr std::string_view kPlain = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-./:@%+=,\\";
  const bool plain = word.find_first_not_of(kPlain) == std::string_view::npos &&
                     (windows || word.find('\\') == std::string_view::npos);
  if (plain && !word.empty()) return std::string(word);
  if (windows) return fmt::format("\"{}\"", word);
  std::string out = "'";
  for (const char c : word) out += c == '\'' ? std::string("'\\''") : std::string(1, c);
  return out + "'";
}

// How a program is started: as it is, or on Windows by the interpreter of its kind (2.7).
std::string run_text(const std::string& path, const std::string& arguments, bool windows, bool as_file) {
  const std::string tail = arguments.empty() ? "" : " " + arguments;
  if (windows && ascii_lower(path).ends_with(".ps1")) {
    constexpr std::string_view kPowershell = "powershell.exe -NonInteractive -NoProfile -ExecutionPolicy RemoteSigned";
    if (as_file) return fmt::format("{} -File {}{}", kPowershell, quoted(path, windows), tail);
    return fmt::format("{} -Command \"{}{}\"", kPowershell, path, tail);
  }
  if (windows && ascii_lower(path).ends_with(".py")) return fmt::format("%PYTHON% {}{}", quoted(path, windows), tail);
  return quoted(path, windows) + tail;
}

// Reads one check and writes it as Sensu's file (6.6).
class SensuReader {
 public:
  SensuReader(Members members, std::string_view folder, const PackageContext& context)
      : members_(std::move(members)), folder_(folder), context_(context), windows_(context.platform == "windows") {}

  absl::StatusOr<SensuCheck> run() {
    SensuCheck out;
    CVG_ASSIGN_OR_RETURN(const std::string key, key_of());
    CVG_ASSIGN_OR_RETURN(const std::string command, command_of(out));
    codec::ObjectWriter check;
    check.put("command", command);
    check.put("handlers", Json(Json::Array{"default"})).put("subscribers", Json(Json::Array{"sensu-base"}));
    CVG_RETURN_IF_ERROR(put_numbers(check));
    CVG_RETURN_IF_ERROR(put_aggregation(check));
    CVG_RETURN_IF_ERROR(put_flags(check));
    CVG_RETURN_IF_ERROR(put_texts(check));
    CVG_RETURN_IF_ERROR(put_notification(check));
    for (const auto& [name, value] : context_.tags) {
      if (!name.starts_with("aws:")) check.put("ttl_" + ascii_lower(name), value);
    }
    members_.note_rest();
    out.json = codec::ObjectWriter().put("checks", codec::ObjectWriter().put(key, check.take()).take()).take();
    return out;
  }

 private:
  absl::StatusOr<std::string> key_of() {
    CVG_ASSIGN_OR_RETURN(const Field field, members_.require("name", "letters, digits, _, . and -"));
    CVG_ASSIGN_OR_RETURN(const std::string name, text_of(field));
    const bool fits = !name.empty() && std::ranges::all_of(name, [](char c) {
      return (ascii_lower(c) >= 'a' && ascii_lower(c) <= 'z') || (c >= '0' && c <= '9') || c == '_' || c == '.' ||
             c == '-';
    });
    if (!fits) return field.error(fmt::format("\"{}\" is not made of letters, digits, _, . and - alone", name));
    const std::string_view side = context_.slice == Slice::kNone ? "" : context_.slice == Slice::kBlue ? "-b" : "-g";
    return fmt::format("{}-{}{}", context_.service, name, side);
  }

  absl::StatusOr<std::string> command_of(SensuCheck& out) {
    constexpr std::string_view kKinds = "http, script, plugin";
    CVG_ASSIGN_OR_RETURN(const Field type, members_.require("type", fmt::format("one of {}", kKinds)));
    CVG_ASSIGN_OR_RETURN(const std::string kind, text_of(type));
    if (kind == "http") return http_command();
    if (kind == "script") return script_command(out);
    if (kind == "plugin") return plugin_command();
    return type.error(fmt::format("\"{}\" is none of {}", kind, kKinds));
  }

  absl::StatusOr<std::string> http_command() {
    CVG_ASSIGN_OR_RETURN(const Field field, members_.require("url", "what is asked"));
    CVG_ASSIGN_OR_RETURN(const std::string url, filled_text_of(field));
    if (!url.starts_with("http://") && !url.starts_with("https://")) {
      return field.error(fmt::format("\"{}\" is no address like http://localhost:${{PORT}}/health", url));
    }
    if (context_.port == 0 && url.find("${PORT}") != std::string::npos) {
      return field.error("asks for ${PORT}, and the service has no port");
    }
    CheckDefinition check;
    check.http = url;
    const std::string asked = quoted(with_port(check, context_.port).http, windows_);
    CVG_ASSIGN_OR_RETURN(const std::string path, plugin_path(field, windows_ ? "ttl-check-http.bat" : "check-http.rb"));
    return fmt::format("{} {}{}", quoted(path, windows_), windows_ ? "" : "-u ", asked);
  }

  absl::StatusOr<std::string> script_command(SensuCheck& out) {
    CVG_ASSIGN_OR_RETURN(const Field field, members_.require("script", "a program of the package"));
    CVG_ASSIGN_OR_RETURN(const std::string path, program_of(field));
    out.script = fmt::format("{}{}", folder_, path);
    bool as_file = false;
    if (const auto is_file = members_.take("server_script_isfile")) {
      CVG_ASSIGN_OR_RETURN(as_file, bool_of(*is_file));
    }
    CVG_ASSIGN_OR_RETURN(std::string arguments, arguments_text("script_arguments"));
    if (context_.slice != Slice::kNone) {
      arguments += fmt::format("{}{}", arguments.empty() ? "" : " ", to_string(context_.slice));
    }
    return run_text(fmt::format("{}/{}", context_.root, out.script), arguments, windows_, as_file);
  }

  absl::StatusOr<std::string> plugin_command() {
    CVG_ASSIGN_OR_RETURN(const Field field, members_.require("plugin", "a program of the search paths"));
    CVG_ASSIGN_OR_RETURN(const std::string name, program_of(field));
    CVG_ASSIGN_OR_RETURN(const std::string path, plugin_path(field, name));
    CVG_ASSIGN_OR_RETURN(const std::string arguments, arguments_text("plugin_arguments"));
    return run_text(path, arguments, windows_, false);
  }

  // As they stand: it is Sensu's shell that reads them.
  absl::StatusOr<std::string> arguments_text(std::string_view name) {
    const auto field = members_.take(name);
    if (!field) return std::string();
    return text_of(*field);
  }

  absl::StatusOr<std::string> plugin_path(const Field& field, const std::string& name) {
    const auto found = context_.plugins.find(name);
    if (found != context_.plugins.end()) return found->second;
    return field.error(fmt::format("{} is in none of the search paths of this node", name));
  }

  absl::Status put_numbers(codec::ObjectWriter& check) {
    CVG_ASSIGN_OR_RETURN(const Field interval, members_.require("interval", "a number of seconds"));
    CVG_ASSIGN_OR_RETURN(const std::int64_t seconds, whole_of(interval, 1, kMostSeconds));
    check.put("interval", seconds);
    for (const auto& [name, usual] : {std::pair<std::string_view, std::int64_t>{"alert_after", 600},
                                      {"realert_every", 0},
                                      {"occurrences", 5},
                                      {"timeout", 120}}) {
      std::int64_t value = usual;
      if (const auto field = members_.take(name)) {
        CVG_ASSIGN_OR_RETURN(value, whole_of(*field, 0, kMostSeconds));
      }
      check.put(name, value);
    }
    return absl::OkStatus();
  }

  absl::Status put_aggregation(codec::ObjectWriter& check) {
    Json standalone(true);
    Json aggregate(false);
    const auto together = members_.take("aggregate");
    if (const auto field = members_.take("standalone")) {
      CVG_ASSIGN_OR_RETURN(const bool value, bool_of(*field));
      standalone = Json(value);
    } else if (together && !is_false(*together)) {
      standalone = Json(false);  // said by the other
    }
    if (together) {
      const absl::StatusOr<bool> flag = bool_of(*together);
      if (flag.ok()) {
        aggregate = Json(*flag);
      } else {
        CVG_ASSIGN_OR_RETURN(aggregate, filled_text_of(*together));  // the name of one
      }
    }
    if (standalone == Json(true) && aggregate != Json(false)) {
      return together->error("a check that stands alone has no aggregate; set standalone to false");
    }
    if (const auto field = members_.take("aggregates")) {
      CVG_RETURN_IF_ERROR(items_of(*field).status());
      field->note(ImportOutcome::kIgnored, "goes into no file of Sensu's");
    }
    check.put("standalone", standalone).put("aggregate", aggregate);
    return absl::OkStatus();
  }

  static bool is_false(const Field& field) {
    const absl::StatusOr<bool> flag = bool_of(field);
    return flag.ok() && !*flag;
  }

  absl::Status put_flags(codec::ObjectWriter& check) {
    for (const auto& [from, to] : {std::pair{"paging_enabled", "page"}, std::pair{"ticketing_enabled", "ticket"}}) {
      bool value = false;
      if (const auto field = members_.take(from)) {
        CVG_ASSIGN_OR_RETURN(value, bool_of(*field));
      }
      check.put(to, value);
    }
    Json project(false);
    if (const auto field = members_.take("project")) {
      const absl::StatusOr<bool> flag = bool_of(*field);
      if (flag.ok()) {
        project = Json(*flag);
      } else {
        CVG_ASSIGN_OR_RETURN(project, text_of(*field));
      }
    }
    check.put("project", project);
    return absl::OkStatus();
  }

  absl::Status put_texts(codec::ObjectWriter& check) {
    for (const char* name : {"runbook", "tip", "sla", "file"}) {
      Json value;
      if (const auto field = members_.take(name)) {
        CVG_ASSIGN_OR_RETURN(value, text_of(*field));
      }
      check.put(name, value);
    }
    return absl::OkStatus();
  }

  // The member of this name, or the one that it had before.
  std::optional<Field> take_either(std::string_view name, std::string_view older) {
    std::optional<Field> field = members_.take(name);
    const std::optional<Field> other = members_.take(older);
    if (!other) return field;
    if (field) {
      other->note(ImportOutcome::kIgnored, fmt::format("{} stands beside it and counts", name));
      return field;
    }
    other->note(ImportOutcome::kTranslated, fmt::format("the older name of {}", name));
    return other;
  }

  absl::Status put_notification(codec::ObjectWriter& check) {
    std::string team = ascii_lower(context_.owning_cluster);
    if (const auto field = take_either("override_notification_settings", "team")) {
      CVG_ASSIGN_OR_RETURN(team, filled_text_of(*field));
    }
    std::string email = "undef";
    if (const auto field = take_either("override_notification_email", "notification_email")) {
      CVG_ASSIGN_OR_RETURN(const std::vector<Field> addresses, list_or_text(*field));
      email.clear();
      for (const Field& one : addresses) {
        CVG_ASSIGN_OR_RETURN(const std::string address, filled_text_of(one));
        const std::size_t at = address.find('@');
        if (at == 0 || at == std::string::npos || at + 1 == address.size() || address.rfind('@') != at ||
            address.find_first_of(" ,") != std::string::npos) {
          return one.error(fmt::format("\"{}\" is no mail address", address));
        }
        email += fmt::format("{}{}", email.empty() ? "" : ",", address);
      }
    }
    std::string channel = "undef";
    if (const auto field = members_.take("override_chat_channel")) {
      CVG_ASSIGN_OR_RETURN(const std::vector<std::string> channels, texts_of(*field));
      channel = fmt::format("{}", fmt::join(channels, ","));
    }
    check.put("team", team).put("notification_email", email).put("slack_channel", channel);
    return absl::OkStatus();
  }

  // As some documents have it, one address without a list (6.6).
  static absl::StatusOr<std::vector<Field>> list_or_text(const Field& field) {
    if (field.json().is_array()) return items_of(field);
    if (!field.json().is_string()) return field.wrong_type("a list of mail addresses");
    field.note(ImportOutcome::kTranslated, "one address without a list");
    return std::vector<Field>{field};
  }

  Members members_;
  const std::string_view folder_;
  const PackageContext& context_;
  const bool windows_;
};

}  // namespace

absl::StatusOr<std::vector<SensuCheck>> read_sensu_checks(const Field& field, std::string_view folder,
                                                          const PackageContext& context) {
  if (!field.json().is_object()) return field.wrong_type("an object of checks by their ids");
  std::vector<SensuCheck> out;
  std::map<std::string, std::string> ids;  // in lower case -> as it is written
  std::set<std::string> names;
  for (const Json::Member& member : *field.json().as_object()) {
    const Field at = field.member(member);
    if (const std::string problem = name_problem(member.name); !problem.empty()) {
      return at.error(fmt::format("the id {}", problem));
    }
    const auto [there, is_new] = ids.emplace(ascii_lower(member.name), member.name);
    if (!is_new) return at.error(fmt::format("the id differs from \"{}\" only in case", there->second));
    CVG_ASSIGN_OR_RETURN(Members members, Members::of(at));
    // Environment Manager's own document is of this form; its agent warns and makes no check of it either.
    if (!member.value.find("type") && member.value.find("local_script")) {
      at.note(ImportOutcome::kUnsupported,
              "local_script without a type is the old form, of which no check is made; write type: script and script:");
      continue;
    }
    CVG_ASSIGN_OR_RETURN(SensuCheck check, SensuReader(std::move(members), folder, context).run());
    check.id = member.name;
    const std::string& key = check.json.find("checks")->as_object()->front().name;
    if (!names.insert(key).second) return at.error(fmt::format("the name of {} is there twice", key));
    out.push_back(std::move(check));
  }
  return out;
}

}  // namespace package_document

std::string sensu_file_name(std::string_view service_id, std::string_view check_id, Slice slice) {
  return fmt::format("{}-{}-{}.json", service_id, check_id, to_string(slice));
}

}  // namespace convergence
