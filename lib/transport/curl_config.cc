#include "lib/transport/curl_config.h"

#include <arpa/inet.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <algorithm>
#include <charconv>
#include <string_view>

#include "convergence/error.h"
#include "lib/base/status_macros.h"

namespace convergence {
namespace {

absl::Status usage(std::string_view field, std::string_view problem_and_remedy) {
  Json detail;
  detail.set("field", field);
  return make_error(ErrorKind::kUsage, fmt::format("curl transport: {}: {}", field, problem_and_remedy), detail);
}

struct HostPort {
  std::string host;  // IPv6 in brackets
  std::string port;  // empty: the scheme's
};

bool is_port(std::string_view text) {
  int value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  return error == std::errc() && end == text.data() + text.size() && value >= 1 && value <= 65535;
}

bool is_host(std::string_view text) {
  if (text.size() > 2 && text.front() == '[' && text.back() == ']') {
    in6_addr address;
    return inet_pton(AF_INET6, std::string(text.substr(1, text.size() - 2)).c_str(), &address) == 1;
  }
  return !text.empty() && std::all_of(text.begin(), text.end(), [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '.' || c == '-' ||
           c == '_';
  });
}

bool is_numeric(const std::string& host) {
  in_addr address;
  return host.front() == '[' || inet_pton(AF_INET, host.c_str(), &address) == 1;
}

absl::StatusOr<HostPort> split_host_port(std::string_view text) {
  const std::size_t colon = text.find(':', text.substr(0, 1) == "[" ? text.find(']') : 0);
  HostPort split{std::string(text.substr(0, colon)), ""};
  if (colon != std::string_view::npos) {
    split.port = text.substr(colon + 1);
    if (!is_port(split.port)) return usage("address", fmt::format("\"{}\" is no port; use 1 to 65535", split.port));
  }
  if (!is_host(split.host)) {
    return usage("address", fmt::format("\"{}\" is no host; use a name, an IPv4 address or [an IPv6 address], without "
                                        "user or path",
                                        split.host));
  }
  return split;
}

absl::Status read_unix_address(std::string_view path, CurlConfig& config) {
  if (path.empty() || path.front() != '/' || path.size() >= sizeof(sockaddr_un::sun_path)) {
    return usage("address", fmt::format("\"unix://{}\" is no socket; use unix:// and an absolute path of at most {} "
                                        "bytes",
                                        path, sizeof(sockaddr_un::sun_path) - 1));
  }
  config.unix_socket = path;
  config.url = "http://localhost/";
  return absl::OkStatus();
}

absl::Status read_address(CurlConfig& config) {
  std::string_view rest = config.options.address;
  if (rest.empty()) return usage("address", "empty; give host:port, http(s)://host:port or unix:///path");
  if (rest.find('@') != std::string_view::npos) {  // not shown: a password may stand there
    return usage("address", "has a user in it; give that as basic_auth");
  }
  std::string_view scheme = "http";
  if (const std::size_t mark = rest.find("://"); mark != std::string_view::npos) {
    scheme = rest.substr(0, mark);
    rest.remove_prefix(mark + 3);
  }
  if (scheme == "unix") return read_unix_address(rest, config);
  if (scheme != "http" && scheme != "https") {
    return usage("address", fmt::format("scheme \"{}\" is unknown; use http, https or unix", scheme));
  }
  if (!rest.empty() && rest.back() == '/') rest.remove_suffix(1);
  CVG_ASSIGN_OR_RETURN(const HostPort at, split_host_port(rest));
  const std::string colon_port = at.port.empty() ? "" : ":" + at.port;
  config.named_host = !is_numeric(at.host);
  config.url = fmt::format("{}://{}{}/", scheme, at.host, colon_port);
  const std::string& name = config.options.tls_server_name;
  if (scheme != "https" || name.empty()) return absl::OkStatus();
  if (!is_host(name)) return usage("tls_server_name", fmt::format("\"{}\" is no host name; correct it", name));
  config.url = fmt::format("https://{}{}/", name, colon_port);
  config.host_header = at.host + colon_port;
  config.connect_to = fmt::format("::{}{}", at.host, at.port.empty() ? ":443" : colon_port);
  return absl::OkStatus();
}

absl::Status check_path(std::string_view field, const std::string& path, bool directory) {
  if (path.empty()) return absl::OkStatus();
  struct stat info;
  if (stat(path.c_str(), &info) != 0) return usage(field, fmt::format("{} does not exist; correct the path", path));
  if (S_ISDIR(info.st_mode) != directory) {
    return usage(field, fmt::format("{} is {}; correct the path", path, directory ? "no directory" : "a directory"));
  }
  if (access(path.c_str(), R_OK) != 0) {
    return usage(field, fmt::format("{} cannot be read; correct its permissions", path));
  }
  return absl::OkStatus();
}

bool has_line_break(const std::string& text) { return text.find_first_of(std::string_view("\r\n\0", 3)) != text.npos; }

absl::Status check_values(const CurlOptions& options) {
  if (has_line_break(options.token)) {  // the value is never shown
    return usage("token", "has a line break; remove it (a token file often ends in one)");
  }
  if (!options.basic_auth.empty() && options.basic_auth.find(':') == std::string::npos) {
    return usage("basic_auth", "has no colon; give user:password");
  }
  if (has_line_break(options.basic_auth)) return usage("basic_auth", "has a line break; remove it");
  if (!options.client_key_file.empty() && options.client_cert_file.empty()) {
    return usage("client_key_file", "a key without a certificate; give client_cert_file as well");
  }
  if (options.max_connections < 1) {
    return usage("max_connections", fmt::format("{} is less than 1; give 1 or more", options.max_connections));
  }
  if (options.connect_timeout < std::chrono::milliseconds(1)) {
    return usage("connect_timeout", "less than a millisecond; give more");
  }
  if (options.default_timeout < std::chrono::milliseconds(1)) {
    return usage("default_timeout", "less than a millisecond; give more");
  }
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<CurlConfig> curl_config(CurlOptions options) {
  CurlConfig config;
  config.options = std::move(options);
  CVG_RETURN_IF_ERROR(read_address(config));
  CVG_RETURN_IF_ERROR(check_values(config.options));
  CVG_RETURN_IF_ERROR(check_path("ca_file", config.options.ca_file, false));
  CVG_RETURN_IF_ERROR(check_path("ca_path", config.options.ca_path, true));
  CVG_RETURN_IF_ERROR(check_path("client_cert_file", config.options.client_cert_file, false));
  CVG_RETURN_IF_ERROR(check_path("client_key_file", config.options.client_key_file, false));
  return config;
}

}  // namespace convergence
