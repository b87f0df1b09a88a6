// The documents of a package: what is read has no path that leads out of it, every error is of one kind, and every row
// of a report names a line of the text. The first byte chooses the document.
#include <algorithm>

#include "convergence/appspec.h"
#include "convergence/codec.h"
#include "convergence/error.h"
#include "tests/fuzz/fuzz.h"

namespace convergence::test {
namespace {

void check_path(std::string_view path) {
  must(!path.empty(), "a path");
  must(path == "/" || !path.starts_with('/'), "below the package", std::string(path));
  must(("/" + std::string(path) + "/").find("/../") == std::string::npos, "not above it", std::string(path));
}

void check_spec(const AppSpec& spec) {
  for (const AppFile& file : spec.files) check_path(file.source);
  for (const auto& [event, hooks] : spec.hooks) {
    for (const Hook& hook : hooks) check_path(hook.location);
  }
  for (const CheckDefinition& check : spec.checks) {
    if (!check.args.empty()) check_path(check.args[0]);
    const int kinds = int{!check.http.empty()} + int{!check.tcp.empty()} + int{!check.grpc.empty()} +
                      int{!check.args.empty()} + int{check.ttl != Duration::zero()};
    must(kinds == 1, "one kind of check", to_text(to_json(check)));
    must(with_port(check, 8080).http.find("${PORT}") == std::string::npos, "the port", check.http);
    must(instance_check(check, "s", 8080, Slice::kBlue).ok(), "an instance's check", check.id);
  }
  for (const SensuCheck& check : spec.sensu) {
    if (!check.script.empty()) check_path(check.script);
    must(parse_json(to_text(check.json), "sensu").ok(), "Sensu's file", check.id);
  }
  const std::vector<PackedFile> files = {{"a"}, {"b/c", true}};
  const absl::Status status = check_package(spec, files);
  must(status.ok() || error_kind(status) == ErrorKind::kValidate, "kind of a complaint");
}

void check_report(const std::vector<ImportRow>& report, std::string_view text) {
  const auto lines = std::count(text.begin(), text.end(), '\n') + 1;
  for (const ImportRow& row : report) must(row.line >= 1 && row.line <= lines, "line", row.field);
}

void check_error(const absl::Status& status) {
  must(error_kind(status) == ErrorKind::kDecode, "kind", std::string(status.message()));
}

}  // namespace
}  // namespace convergence::test

int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace convergence;        // NOLINT: this function has C linkage
  using namespace convergence::test;  // NOLINT
  if (size == 0) return 0;
  const std::string_view text = text_of(data + 1, size - 1);
  PackageContext context;
  context.platform = data[0] % 2 == 0 ? "linux" : "windows";
  context.slice = static_cast<Slice>(data[0] / 2 % 3);
  context.port = 80;
  context.plugins = {{"check-http.rb", "/p/check-http.rb"}, {"p", "/p/p"}};
  AppSpec spec;
  if (data[0] % 3 == 0) {
    const auto read = parse_appspec(text, "text", context);
    if (!read.ok()) return check_error(read.status()), 0;
    check_report(read->report, text);
    spec = read->spec;
  } else if (data[0] % 3 == 1) {
    const auto read = parse_healthchecks(text, "text");
    if (!read.ok()) return check_error(read.status()), 0;
    check_report(read->report, text);
    spec.checks = read->checks;
  } else {
    const auto read = parse_sensu_healthchecks(text, "text", context);
    if (!read.ok()) return check_error(read.status()), 0;
    check_report(read->report, text);
    spec.sensu = read->checks;
  }
  check_spec(spec);
  return 0;
}
