#include <fmt/format.h>

#include <algorithm>

#include "convergence/error.h"
#include "lib/base/status_macros.h"
#include "lib/base/utf8.h"
#include "lib/node/file_calls.h"
#include "lib/node/http_call.h"

namespace convergence {
namespace {

bool is_unreserved(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' || c == '.' ||
         c == '_' || c == '~';
}

absl::Status s3_usage(std::string_view field, std::string_view problem) {
  return make_error(ErrorKind::kUsage, fmt::format("s3: {}: {}", field, problem));
}

// Never shows the value.
absl::Status check_plain(std::string_view field, const std::string& value) {
  const bool plain = std::all_of(value.begin(), value.end(), [](char c) { return c > ' ' && c < 0x7f; });
  if (plain) return absl::OkStatus();
  return s3_usage(field,
                  "has a character that cannot stand in a header; remove it (a file often ends in a line break)");
}

}  // namespace

std::string shown_source(std::string_view source) {
  const std::size_t scheme = source.find("://");
  if (scheme == std::string_view::npos || source.substr(0, scheme) == "s3" || source.substr(0, scheme) == "file") {
    return printable_utf8(source);
  }
  const std::string_view rest = source.substr(scheme + 3);
  const std::size_t end = std::min(rest.find_first_of("?#"), rest.size());
  const std::size_t path = std::min(rest.find('/'), end);
  // A password's "/" has to be escaped; where it is not, it ends what looks like the host, with no port after the
  // colon.
  const std::string_view host = rest.substr(0, path);
  const std::size_t colon = std::min(host.rfind(':'), host.size());
  const bool port = host.substr(colon).find_first_not_of(":0123456789") == std::string_view::npos;
  const std::size_t at = rest.substr(0, port || host.find('[') == 0 ? path : end).rfind('@');
  const std::size_t begin = at == std::string_view::npos ? 0 : at + 1;
  return printable_utf8(fmt::format("{}://{}", source.substr(0, scheme), rest.substr(begin, end - begin)));
}

absl::StatusOr<S3Object> parse_s3(std::string_view source) {
  constexpr std::string_view kScheme = "s3://";
  const std::string_view rest = source.substr(std::min(kScheme.size(), source.size()));
  const std::size_t slash = std::min(rest.find('/'), rest.size());
  S3Object object{std::string(rest.substr(0, slash)), std::string(rest.substr(std::min(slash + 1, rest.size())))};
  const bool bucket = object.bucket.size() >= 3 && object.bucket.size() <= 63 && object.bucket.front() != '.' &&
                      object.bucket.find("..") == std::string::npos &&
                      std::all_of(object.bucket.begin(), object.bucket.end(), [](char c) {
                        return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '.' || c == '-';
                      });
  const auto parts = path_parts(object.key);
  const bool dots = std::any_of(parts.begin(), parts.end(), [](const auto& p) { return p == "." || p == ".."; });
  if (source.substr(0, kScheme.size()) == kScheme && bucket && !dots && object.key.size() <= 1024 &&
      find_unprintable(object.key) == std::string_view::npos) {
    return object;
  }
  return make_error(ErrorKind::kValidate,
                    fmt::format("{}: no S3 address; give s3://bucket/key, with a bucket of 3 to 63 "
                                "small letters, digits, dots and hyphens",
                                printable_utf8(source)));
}

absl::StatusOr<std::string> s3_url(const S3Object& object, const S3Options& options) {
  std::string key;
  for (const char c : object.key) {
    key += is_unreserved(c) || c == '/' ? std::string(1, c) : fmt::format("%{:02X}", static_cast<unsigned char>(c));
  }
  if (!options.endpoint.empty()) {
    std::string_view endpoint = options.endpoint;
    while (!endpoint.empty() && endpoint.back() == '/') endpoint.remove_suffix(1);
    return fmt::format("{}/{}/{}", endpoint, object.bucket, key);
  }
  const std::string host =
      fmt::format("s3.{}.amazonaws.com{}", options.region, options.region.substr(0, 3) == "cn-" ? ".cn" : "");
  // The certificate's "*" stands for no dot.
  if (object.bucket.find('.') != std::string::npos) return fmt::format("https://{}/{}/{}", host, object.bucket, key);
  return fmt::format("https://{}.{}/{}", object.bucket, host, key);
}

absl::Status check_http_options(const HttpOptions& options) {
  if (options.attempts < 1) return make_error(ErrorKind::kUsage, "http: attempts: less than 1; give 1 or more");
  const S3Options& s3 = options.s3;
  if (s3.access_key.empty() != s3.secret_key.empty()) {
    return s3_usage(s3.access_key.empty() ? "access_key" : "secret_key", "empty while the other is set; give both");
  }
  for (const auto& [field, value] : {std::pair<std::string_view, const std::string&>{"access_key", s3.access_key},
                                     {"secret_key", s3.secret_key},
                                     {"session_token", s3.session_token}}) {
    if (const absl::Status status = check_plain(field, value); !status.ok()) return status;
  }
  const bool region = !s3.region.empty() && std::all_of(s3.region.begin(), s3.region.end(), [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-';
  });
  if (!region) return s3_usage("region", "no region's name; give one as \"eu-west-1\"");
  const std::string& endpoint = s3.endpoint;
  const bool scheme = endpoint.rfind("http://", 0) == 0 || endpoint.rfind("https://", 0) == 0;
  if (!endpoint.empty() && (!scheme || endpoint.find_first_of("@?# ") != std::string::npos)) {
    return s3_usage("endpoint", "not as http(s)://host:port, without user and query; correct it");
  }
  return absl::OkStatus();
}

absl::StatusOr<HttpCall> call_to_get(const std::string& source, const HttpOptions& options) {
  HttpCall call;
  call.label = "fetching " + shown_source(source);
  if (source.starts_with("s3://")) {
    CVG_ASSIGN_OR_RETURN(const S3Object object, parse_s3(source));
    if (object.key.empty()) {
      return make_error(ErrorKind::kValidate, fmt::format("{}: a bucket without a key; add it", call.label));
    }
    CVG_ASSIGN_OR_RETURN(call.url, s3_url(object, options.s3));
    call.s3 = true;
    return call;
  }
  if (source.starts_with("http://") || source.starts_with("https://")) {
    call.url = source;
    call.hide_texts = call.label != "fetching " + source;
    return call;
  }
  return make_error(ErrorKind::kValidate,
                    fmt::format("{}: of no known kind; give a file://, http(s):// or s3:// address", call.label));
}

}  // namespace convergence
