#include <fmt/format.h>

#include <map>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "convergence/appspec.h"
#include "convergence/error.h"
#include "lib/base/ascii.h"
#include "lib/base/status_macros.h"

namespace convergence {
namespace {

absl::Status complain(std::string_view field, std::string_view problem) {
  return make_error(ErrorKind::kValidate, fmt::format("the package: {}: {}", field, problem),
                    Json().set("field", field));
}

// What is in an archive, whether or not it names its folders.
class Contents {
 public:
  explicit Contents(const std::vector<PackedFile>& files) {
    for (const PackedFile& file : files) {
      std::string_view path = file.path;
      while (path.ends_with('/')) path.remove_suffix(1);
      while (path.starts_with("./")) path.remove_prefix(2);
      if (path.empty() || path == ".") continue;
      (file.is_directory ? folders_ : files_).emplace(path);
      for (std::size_t at = path.find('/'); at != std::string_view::npos; at = path.find('/', at + 1)) {
        folders_.emplace(path.substr(0, at));
      }
    }
  }

  bool has(const std::string& path) const { return files_.contains(path) || folders_.contains(path); }

  absl::Status check_program(std::string_view field, const std::string& path) const {
    if (files_.contains(path)) return absl::OkStatus();
    if (folders_.contains(path)) return complain(field, fmt::format("{} is a folder, no program", path));
    for (const std::string& file : files_) {
      if (ascii_equal_fold(file, path)) {
        return complain(field, fmt::format("{} is not in the archive; {} is, and case counts", path, file));
      }
    }
    return complain(field, fmt::format("{} is not in the archive", path));
  }

 private:
  std::set<std::string> files_;
  std::set<std::string> folders_;
};

absl::Status check_ids(const AppSpec& spec) {
  std::map<std::string, std::string> ids;
  for (const CheckDefinition& check : spec.checks) {
    const std::string& id = check.id.empty() ? check.name : check.id;
    const auto [there, is_new] = ids.emplace(ascii_lower(id), id);
    if (is_new) continue;
    return complain(fmt::format("checks.{}", id),
                    fmt::format("\"{}\" is an id already; case makes no difference", there->second));
  }
  ids.clear();
  for (const SensuCheck& check : spec.sensu) {
    const auto [there, is_new] = ids.emplace(ascii_lower(check.id), check.id);
    if (is_new) continue;
    return complain(fmt::format("sensu.{}", check.id),
                    fmt::format("\"{}\" is an id already; case makes no difference", there->second));
  }
  return absl::OkStatus();
}

// A program of the package: not one of the node's, which has an absolute path.
bool is_packed(const std::string& program) { return !program.empty() && program[0] != '/'; }

}  // namespace

absl::Status check_package(const AppSpec& spec, const std::vector<PackedFile>& files) {
  const Contents contents(files);
  for (std::size_t i = 0; i < spec.files.size(); ++i) {
    const std::string& source = spec.files[i].source;
    if (source == "/" || contents.has(source)) continue;
    return complain(fmt::format("files[{}].source", i), fmt::format("{} is not in the archive", source));
  }
  for (const auto& [event, hooks] : spec.hooks) {
    for (std::size_t i = 0; i < hooks.size(); ++i) {
      const std::string field = fmt::format("hooks.{}[{}].location", to_string(event), i);
      CVG_RETURN_IF_ERROR(contents.check_program(field, hooks[i].location));
    }
  }
  CVG_RETURN_IF_ERROR(check_ids(spec));
  for (const CheckDefinition& check : spec.checks) {
    if (check.args.empty() || !is_packed(check.args[0])) continue;
    CVG_RETURN_IF_ERROR(contents.check_program(fmt::format("checks.{}.script", check.id), check.args[0]));
  }
  for (const SensuCheck& check : spec.sensu) {
    if (check.script.empty()) continue;
    CVG_RETURN_IF_ERROR(contents.check_program(fmt::format("sensu.{}.script", check.id), check.script));
  }
  return absl::OkStatus();
}

}  // namespace convergence
