#include <fmt/format.h>

#include <algorithm>
#include <array>

#include "convergence/error.h"
#include "convergence/node_facts.h"
#include "convergence/node_state.h"
#include "lib/base/status_macros.h"
#include "lib/node/text.h"

namespace convergence {
namespace {

struct Part {
  std::string_view name;
  std::string Identity::*member;
  std::string_view flag;
  std::string_view variable;
  std::string_view tag;  // empty: no tag
};

constexpr std::array kParts = {
    Part{"environment", &Identity::environment, "--environment", "CONVERGENCE_ENVIRONMENT", "Environment"},
    Part{"environment_type", &Identity::environment_type, "--environment-type", "CONVERGENCE_ENVIRONMENT_TYPE",
         "EnvironmentType"},
    Part{"role", &Identity::role, "--role", "CONVERGENCE_ROLE", "Role"},
    Part{"cluster", &Identity::cluster, "--cluster", "CONVERGENCE_CLUSTER", "OwningCluster"},
    Part{"instance", &Identity::instance, "--instance", "CONVERGENCE_INSTANCE", ""},
};

std::string value_or_empty(const std::map<std::string, std::string>& values, std::string_view name) {
  const auto found = values.find(std::string(name));
  return found == values.end() ? std::string() : found->second;
}

Identity identity_of(const std::map<std::string, std::string>& variables) {
  Identity identity;
  for (const Part& part : kParts) identity.*part.member = value_or_empty(variables, part.variable);
  return identity;
}

void fill(Identity& identity, const Identity& source) {
  for (const Part& part : kParts) {
    if ((identity.*part.member).empty()) identity.*part.member = source.*part.member;
  }
  if (identity.tags.empty()) identity.tags = source.tags;
}

absl::StatusOr<std::vector<const Part*>> missing_parts(const Identity& identity,
                                                       const std::vector<std::string>& required) {
  std::vector<const Part*> missing;
  for (const std::string& name : required) {
    const auto* part = std::find_if(kParts.begin(), kParts.end(), [&](const Part& row) { return row.name == name; });
    if (part == kParts.end())
      return make_error(ErrorKind::kUsage, fmt::format("identity: there is no part \"{}\"", name));
    if ((identity.*part->member).empty()) missing.push_back(part);
  }
  return missing;
}

// `asked`: what EC2 answered, if it was asked.
absl::Status refuse(const std::vector<const Part*>& missing, const std::optional<absl::Status>& asked) {
  std::string text;
  for (const Part* part : missing) {
    if (!text.empty()) text += "; ";
    text += fmt::format("no {}: give {} or {}", part->name, part->flag, part->variable);
    if (!asked) continue;
    if (asked->ok() && !part->tag.empty()) text += fmt::format(", or the instance the tag {}", part->tag);
  }
  if (asked && !asked->ok()) text += fmt::format("; EC2 was asked: {}", std::string(asked->message()));
  return make_error(ErrorKind::kNotFound, fmt::format("identity: {}", text));
}

}  // namespace

absl::StatusOr<std::map<std::string, std::string>> read_environment_file(std::string_view text) {
  std::map<std::string, std::string> values;
  std::size_t at = 0;
  while (at < text.size()) {
    const std::size_t end = std::min(text.find('\n', at), text.size());
    const std::string_view line = without_space(text.substr(at, end - at));
    const std::size_t equals = line.find('=');
    if (!line.empty() && line.front() != '#' && line.front() != ';') {
      if (equals == std::string_view::npos || equals == 0) {
        Json detail;
        detail.set("offset", static_cast<std::int64_t>(at));
        return make_error(ErrorKind::kDecode, fmt::format("environment file: \"{}\" is not NAME=value", line),
                          std::move(detail));
      }
      std::string_view value = without_space(line.substr(equals + 1));
      const bool quoted =
          value.size() >= 2 && (value.front() == '"' || value.front() == '\'') && value.back() == value.front();
      if (quoted) value = value.substr(1, value.size() - 2);
      values[std::string(without_space(line.substr(0, equals)))] = std::string(value);
    }
    at = end + 1;
  }
  return values;
}

absl::StatusOr<Identity> find_identity(const IdentitySources& sources, Executor& executor, Duration timeout) {
  Identity identity = sources.flags;
  fill(identity, identity_of(sources.environment));
  if (!sources.file.empty()) {
    CVG_ASSIGN_OR_RETURN(const std::string text, read_file(sources.file, std::uint64_t{1} << 20));
    const auto variables = read_environment_file(text);
    if (!variables.ok()) {
      return make_error(error_kind(variables.status()),
                        fmt::format("{}: {}", sources.file, std::string(variables.status().message())),
                        error_detail(variables.status()));
    }
    fill(identity, identity_of(*variables));
  }
  CVG_ASSIGN_OR_RETURN(auto missing, missing_parts(identity, sources.required));
  std::optional<absl::Status> asked;
  if (sources.ec2 != nullptr && (!missing.empty() || sources.all_tags)) {
    auto ec2 = ec2_identity(*sources.ec2, executor, timeout);
    asked = ec2.status();
    if (ec2.ok()) {
      for (const Part& part : kParts) {
        if (!part.tag.empty()) *ec2.*part.member = value_or_empty(ec2->tags, part.tag);
      }
      fill(identity, *ec2);
    }
    if (error_kind(ec2.status()) == ErrorKind::kUsage) return ec2.status();
    CVG_ASSIGN_OR_RETURN(missing, missing_parts(identity, sources.required));
  }
  if (!missing.empty()) return refuse(missing, asked);
  if (sources.all_tags && asked && !asked->ok()) return *asked;
  return identity;
}

}  // namespace convergence
