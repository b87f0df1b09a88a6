#include "lib/hands/secrets.h"

#include <fmt/format.h>

#include <string_view>

#include "convergence/error.h"
#include "convergence/node_state.h"

namespace convergence::hands {
namespace {

// Each line is one; what is white around it is none of it.
void add_lines(std::string_view text, std::vector<std::string>& out) {
  constexpr std::string_view kWhite = " \t\r\n";
  while (!text.empty()) {
    const std::size_t end = text.find('\n');
    std::string_view line = text.substr(0, end);
    text.remove_prefix(end == std::string_view::npos ? text.size() : end + 1);
    const std::size_t first = line.find_first_not_of(kWhite);
    if (first == std::string_view::npos) continue;
    line = line.substr(first, line.find_last_not_of(kWhite) - first + 1);
    out.emplace_back(line);
  }
}

}  // namespace

absl::StatusOr<std::vector<std::string>> first_secrets(const LinuxHandsOptions& options) {
  std::vector<std::string> out = options.log.secrets;
  for (const std::string* key : {&options.http.s3.secret_key, &options.http.s3.session_token}) {
    if (!key->empty()) out.push_back(*key);
  }
  for (const std::string& path : options.secret_files) {
    const absl::StatusOr<std::string> text = read_file(path);
    if (!text.ok()) {
      return make_error(ErrorKind::kUsage, fmt::format("secrets: {}", std::string(text.status().message())));
    }
    add_lines(*text, out);
  }
  return out;
}

std::vector<std::string> secrets_of(const LinuxHandsOptions& options, const Release& release) {
  std::vector<std::string> out = options.log.secrets;
  for (const std::string& path : options.secret_files) {
    const absl::StatusOr<std::string> text = read_file(path);
    if (text.ok()) add_lines(*text, out);
  }
  for (const std::string& name : options.secret_variables) {
    const auto found = release.environment.find(name);
    if (found != release.environment.end()) add_lines(found->second, out);
  }
  return out;
}

std::string without_secrets(const std::string& text, const std::vector<std::string>& secrets) {
  Redactor redactor(secrets);
  std::string out = redactor.add(text);
  return out + redactor.finish();
}

}  // namespace convergence::hands
