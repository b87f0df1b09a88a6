#include "convergence/package_search.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "convergence/error.h"
#include "lib/base/ascii.h"
#include "lib/base/status_macros.h"

namespace convergence {
namespace {

constexpr std::string_view kKinds[] = {"zip", "tar.gz", "tar.zst"};
constexpr std::string_view kSchemes[] = {"file://", "http://", "https://", "s3://"};

// What would be more than one piece of a path, or one that says something else in an address.
absl::Status check_part(std::string_view what, std::string_view piece) {
  const bool plain = std::ranges::all_of(piece, [](char c) {
    return static_cast<unsigned char>(c) > 0x20 && c != 0x7F &&
           std::string_view("/\\?#%").find(c) == std::string_view::npos;
  });
  if (plain && !piece.empty() && piece != "." && piece != "..") return absl::OkStatus();
  return make_error(ErrorKind::kValidate,
                    fmt::format("package: the {} \"{}\" can be no part of an address; name the package", what, piece));
}

std::string replaced(std::string text, std::string_view what, std::string_view by) {
  for (std::size_t at = text.find(what); at != std::string::npos; at = text.find(what, at + by.size())) {
    text.replace(at, what.size(), by);
  }
  return text;
}

absl::StatusOr<std::string> base_address(std::string_view base) {
  for (const std::string_view scheme : kSchemes) {
    if (base.starts_with(scheme)) return std::string(base);
  }
  if (base.starts_with('/')) return fmt::format("file://{}", base);
  return make_error(
      ErrorKind::kValidate,
      fmt::format("packages: \"{}\" is no absolute folder and no file://, http(s):// or s3:// address", base));
}

}  // namespace

absl::StatusOr<std::vector<std::string>> package_addresses(std::string_view base, const PackageName& name) {
  CVG_RETURN_IF_ERROR(check_part("service", name.service));
  CVG_RETURN_IF_ERROR(check_part("version", name.version));
  if (!name.environment.empty()) CVG_RETURN_IF_ERROR(check_part("environment", name.environment));
  CVG_ASSIGN_OR_RETURN(std::string below, base_address(base));
  if (below.find("{version}") != std::string::npos) {
    if (name.environment.empty() && below.find("{environment}") != std::string::npos) return std::vector<std::string>();
    below = replaced(std::move(below), "{service}", name.service);
    below = replaced(std::move(below), "{environment}", name.environment);
    return std::vector<std::string>{replaced(std::move(below), "{version}", name.version)};
  }
  while (below.ends_with('/')) below.pop_back();
  const std::string folder = fmt::format("{}/{}/{}", below, name.service, name.version);
  const std::string file = fmt::format("{}-{}", name.service, name.version);
  std::vector<std::string> out;
  for (const std::string_view kind : kKinds) {
    if (name.environment.empty()) break;
    out.push_back(fmt::format("{0}/{1}/{2}-{1}.{3}", folder, name.environment, file, kind));
  }
  for (const std::string_view kind : kKinds) out.push_back(fmt::format("{}/{}.{}", folder, file, kind));
  return out;
}

std::string digest_address(std::string_view address) { return fmt::format("{}.sha256", address); }

absl::StatusOr<std::string> digest_in(std::string_view text, std::string_view address) {
  const std::string word = ascii_lower(text.substr(0, text.find_first_of(" \t\r\n")));
  const bool hex = word.size() == 64 && word.find_first_not_of("0123456789abcdef") == std::string::npos;
  if (hex) return word;
  return make_error(ErrorKind::kDecode, fmt::format("{}: does not begin with a SHA-256, 64 digits of hex", address));
}

}  // namespace convergence
