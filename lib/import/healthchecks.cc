#include <fmt/format.h>

#include <map>
#include <set>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "convergence/appspec.h"
#include "convergence/error.h"
#include "lib/base/ascii.h"
#include "lib/base/status_macros.h"
#include "lib/import/package_document.h"

namespace convergence {
namespace package_document {
namespace {

absl::Status read_http(Members& members, CheckDefinition& out) {
  std::optional<Field> url = members.take("url");
  if (const auto older = members.take("http")) {  // as documents before `url` have it (6.3)
    if (url) return older->error("stands beside url; one is wanted");
    url = older;
  }
  if (!url) return members.field().error("needs url: what is asked");
  CVG_ASSIGN_OR_RETURN(out.http, filled_text_of(*url));
  if (!out.http.starts_with("http://") && !out.http.starts_with("https://")) {
    return url->error(fmt::format("\"{}\" is no address like http://localhost:${{PORT}}/health", out.http));
  }
  if (const auto skip = members.take("tls_skip_verify")) {
    CVG_ASSIGN_OR_RETURN(out.tls_skip_verify, bool_of(*skip));
  }
  if (const auto method = members.take("method")) {
    CVG_ASSIGN_OR_RETURN(out.method, filled_text_of(*method));
  }
  return absl::OkStatus();
}

absl::Status read_script(Members& members, std::string_view folder, CheckDefinition& out) {
  CVG_ASSIGN_OR_RETURN(const Field script, members.require("script", "a program of the package"));
  CVG_ASSIGN_OR_RETURN(const std::string path, program_of(script));
  out.args.push_back(fmt::format("{}{}", folder, path));
  const auto arguments = members.take("script_arguments");
  if (!arguments) return absl::OkStatus();
  bool odd = false;
  CVG_ASSIGN_OR_RETURN(const std::vector<std::string> words, arguments_of(*arguments, odd));
  if (odd) arguments->note(ImportOutcome::kTranslated, "no shell reads it: its signs are passed as they are");
  out.args.insert(out.args.end(), words.begin(), words.end());
  return absl::OkStatus();
}

absl::Status read_grpc(Members& members, CheckDefinition& out) {
  CVG_ASSIGN_OR_RETURN(const Field grpc, members.require("grpc", "host:port, or host:port/service"));
  CVG_ASSIGN_OR_RETURN(out.grpc, filled_text_of(grpc));
  if (const auto tls = members.take("grpc_use_tls")) {
    CVG_ASSIGN_OR_RETURN(out.grpc_use_tls, bool_of(*tls));
  }
  if (const auto skip = members.take("tls_skip_verify")) {
    CVG_ASSIGN_OR_RETURN(out.tls_skip_verify, bool_of(*skip));
  }
  return absl::OkStatus();
}

absl::Status read_kind(Members& members, std::string_view folder, CheckDefinition& out) {
  constexpr std::string_view kKinds = "script, http, tcp, grpc, ttl";
  CVG_ASSIGN_OR_RETURN(const Field type, members.require("type", fmt::format("one of {}", kKinds)));
  CVG_ASSIGN_OR_RETURN(const std::string kind, text_of(type));
  if (kind == "http") return read_http(members, out);
  if (kind == "script") return read_script(members, folder, out);
  if (kind == "grpc") return read_grpc(members, out);
  if (kind == "tcp") {
    CVG_ASSIGN_OR_RETURN(const Field tcp, members.require("tcp", "host:port"));
    CVG_ASSIGN_OR_RETURN(out.tcp, filled_text_of(tcp));
    return absl::OkStatus();
  }
  if (kind == "ttl") {
    CVG_ASSIGN_OR_RETURN(const Field ttl, members.require("ttl", "how long a sign of life counts"));
    CVG_ASSIGN_OR_RETURN(out.ttl, duration_of(ttl));
    return absl::OkStatus();
  }
  return type.error(fmt::format("\"{}\" is none of {}", kind, kKinds));
}

absl::StatusOr<CheckDefinition> read_check(const Field& field, std::string_view folder) {
  CVG_ASSIGN_OR_RETURN(Members members, Members::of(field));
  CheckDefinition out;
  CVG_ASSIGN_OR_RETURN(const Field name, members.require("name", "what people call it"));
  CVG_ASSIGN_OR_RETURN(out.name, filled_text_of(name));
  CVG_RETURN_IF_ERROR(read_kind(members, folder, out));
  const auto interval = members.take("interval");
  if (interval) {
    CVG_ASSIGN_OR_RETURN(out.interval, duration_of(*interval));
  }
  if (out.ttl == Duration::zero() && !interval) return field.error("needs interval: a time like 10s");
  if (out.ttl != Duration::zero() && interval) {
    interval->note(ImportOutcome::kIgnored, "of a check that waits for signs of life");
    out.interval = Duration::zero();
  }
  if (const auto timeout = members.take("timeout")) {
    CVG_ASSIGN_OR_RETURN(out.timeout, duration_of(*timeout));
  }
  if (const auto after = members.take("deregister_critical_service_after")) {
    CVG_ASSIGN_OR_RETURN(out.deregister_critical_service_after, duration_of(*after));
  }
  members.note_rest();
  return out;
}

}  // namespace

absl::StatusOr<std::vector<CheckDefinition>> read_checks(const Field& field, std::string_view folder) {
  if (!field.json().is_object()) return field.wrong_type("an object of checks by their ids");
  std::vector<CheckDefinition> out;
  std::map<std::string, std::string> ids;  // in lower case -> as it is written
  std::set<std::string> names;
  for (const Json::Member& member : *field.json().as_object()) {
    const Field at = field.member(member);
    if (const std::string problem = name_problem(member.name); !problem.empty()) {
      return at.error(fmt::format("the id {}", problem));
    }
    const auto [there, is_new] = ids.emplace(ascii_lower(member.name), member.name);
    if (!is_new) return at.error(fmt::format("the id differs from \"{}\" only in case", there->second));
    CVG_ASSIGN_OR_RETURN(CheckDefinition check, read_check(at, folder));
    check.id = member.name;
    if (!names.insert(check.name).second) return at.error(fmt::format("the name \"{}\" is there twice", check.name));
    out.push_back(std::move(check));
  }
  return out;
}

// The checks of a document that holds nothing else. Anything but checks is an error: a document that was meant to check
// and does not is worse than none (W-A20, P-O).
static absl::StatusOr<Json> read_checks_document(std::string_view text, std::string_view document,
                                                 std::string_view member) {
  CVG_ASSIGN_OR_RETURN(Json json, read_document(text, document));
  const Json* checks = json.find(member);
  if (checks && !checks->is_null()) return json;
  Source source(text, document);
  return Field(json, "", source).error(fmt::format("needs {}: the checks by their ids, or {{}} for none", member));
}

}  // namespace package_document

absl::StatusOr<HealthchecksRead> parse_healthchecks(std::string_view text, std::string_view document) {
  using namespace package_document;  // NOLINT: this function is its way out
  CVG_ASSIGN_OR_RETURN(const Json json, read_checks_document(text, document, "consul_healthchecks"));
  Source source(text, document);
  CVG_ASSIGN_OR_RETURN(Members members, Members::of(Field(json, "", source)));
  HealthchecksRead out;
  CVG_ASSIGN_OR_RETURN(out.checks, read_checks(*members.take("consul_healthchecks"), "healthchecks/consul/"));
  members.note_rest();
  out.report = std::move(source.report);
  sort_report(out.report);
  return out;
}

absl::StatusOr<SensuRead> parse_sensu_healthchecks(std::string_view text, std::string_view document,
                                                   const PackageContext& context) {
  using namespace package_document;  // NOLINT: this function is its way out
  CVG_ASSIGN_OR_RETURN(const Json json, read_checks_document(text, document, "sensu_healthchecks"));
  Source source(text, document);
  CVG_ASSIGN_OR_RETURN(Members members, Members::of(Field(json, "", source)));
  SensuRead out;
  CVG_ASSIGN_OR_RETURN(out.checks,
                       read_sensu_checks(*members.take("sensu_healthchecks"), "healthchecks/sensu/", context));
  members.note_rest();
  out.report = std::move(source.report);
  sort_report(out.report);
  return out;
}

CheckDefinition with_slice(CheckDefinition check, Slice slice) {
  if (!check.args.empty() && slice != Slice::kNone) check.args.emplace_back(to_string(slice));
  return check;
}

absl::StatusOr<CheckDefinition> instance_check(CheckDefinition check, std::string_view service_id, std::int32_t port,
                                               Slice slice) {
  CheckDefinition out = with_slice(with_port(check, port), slice);
  if (port == 0 && with_slice(check, slice) != out) {
    return make_error(ErrorKind::kValidate,
                      fmt::format("check {} of {} asks for ${{PORT}}, and the service has no port; give it one",
                                  check.id, service_id),
                      Json().set("where", service_id).set("field", "port"));
  }
  out.id = fmt::format("{}:{}", service_id, check.id.empty() ? check.name : check.id);
  return out;
}

}  // namespace convergence
