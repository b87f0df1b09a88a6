#include "options.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <fstream>
#include <utility>

#include "convergence/codec.h"

namespace cli {

using convergence::CurlOptions;
using convergence::Duration;

const std::vector<Flag>& common_flags() {
  static const std::vector<Flag> flags = {
      {"json", false, "write one JSON document to standard output"},
      {"http-addr", true, "address of Consul: host:port, http(s)://host:port or unix:///path (CONSUL_HTTP_ADDR)"},
      {"token", true, "ACL token (CONSUL_HTTP_TOKEN)"},
      {"token-file", true, "file that holds the token (CONSUL_HTTP_TOKEN_FILE)"},
      {"datacenter", true, "datacenter to ask"},
      {"namespace", true, "namespace to ask (CONSUL_NAMESPACE)"},
      {"stale", false, "let any server answer reads"},
      {"ca-file", true, "PEM file of the CA (CONSUL_CACERT)"},
      {"ca-path", true, "directory of CAs (CONSUL_CAPATH)"},
      {"client-cert", true, "PEM file of the client's certificate (CONSUL_CLIENT_CERT)"},
      {"client-key", true, "PEM file of its key (CONSUL_CLIENT_KEY)"},
      {"tls-server-name", true, "name to verify in place of the address's (CONSUL_TLS_SERVER_NAME)"},
      {"prefix", true, "prefix of our keys in KV (default convergence)"},
      {"help", false, "show this"},
  };
  return flags;
}

std::string Arguments::get(std::string_view name, std::string_view otherwise) const {
  auto found = flags.find(name);
  return found == flags.end() ? std::string(otherwise) : found->second;
}

std::vector<std::string> Arguments::all(std::string_view name) const {
  std::vector<std::string> values;
  for (const auto& [flag, value] : repeated) {
    if (flag == name) values.push_back(value);
  }
  return values;
}

absl::StatusOr<Arguments> parse_arguments(const std::vector<std::string>& words, const std::vector<Flag>& flags) {
  Arguments arguments;
  bool only_words = false;
  for (std::size_t i = 0; i < words.size(); ++i) {
    const std::string& word = words[i];
    if (only_words || word.size() < 2 || word[0] != '-') {
      arguments.words.push_back(word);
      continue;
    }
    if (word == "--") {
      only_words = true;
      continue;
    }
    const std::size_t start = word[1] == '-' ? 2 : 1;
    const std::size_t equals = word.find('=');
    const std::string name = word.substr(start, equals == std::string::npos ? equals : equals - start);
    auto flag = std::find_if(flags.begin(), flags.end(), [&](const Flag& f) { return f.name == name; });
    if (flag == flags.end()) return absl::InvalidArgumentError(word + ": unknown option; see --help");
    std::string value;
    if (equals != std::string::npos) {
      if (!flag->takes_value) return absl::InvalidArgumentError(word + ": takes no value");
      value = word.substr(equals + 1);
    } else if (flag->takes_value) {
      if (i + 1 == words.size()) return absl::InvalidArgumentError(word + ": needs a value");
      value = words[++i];
    }
    if (flag->repeats) arguments.repeated.emplace_back(name, value);
    arguments.flags[name] = value;
  }
  return arguments;
}

absl::StatusOr<std::optional<Duration>> duration_flag(const Arguments& arguments, std::string_view name) {
  if (!arguments.has(name)) return std::optional<Duration>();
  absl::StatusOr<Duration> duration = convergence::duration_from_text(arguments.get(name));
  if (!duration.ok() || duration->count() <= 0) {
    return absl::InvalidArgumentError(
        fmt::format("--{}={}: is no duration; write 10s or 1m30s", name, arguments.get(name)));
  }
  return std::optional<Duration>(*duration);
}

absl::StatusOr<std::optional<long>> integer_flag(const Arguments& arguments, std::string_view name, long low,
                                                 long high) {
  if (!arguments.has(name)) return std::optional<long>();
  const std::string text = arguments.get(name);
  long value = 0;
  auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc() || end != text.data() + text.size() || value < low || value > high) {
    return absl::InvalidArgumentError(fmt::format("--{}={}: is no whole number within {}..{}", name, text, low, high));
  }
  return std::optional<long>(value);
}

namespace {

// The flag, else the environment variable, else nothing.
std::string choose(const Arguments& arguments, std::string_view flag, const Environment& environment,
                   const char* variable) {
  if (arguments.has(flag)) return arguments.get(flag);
  const char* value = variable == nullptr ? nullptr : environment(variable);
  return value == nullptr ? "" : value;
}

bool is_one_of(std::string text, std::initializer_list<std::string_view> words) {
  std::transform(text.begin(), text.end(), text.begin(),
                 [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c + ('a' - 'A')) : c; });
  return std::find(words.begin(), words.end(), text) != words.end();
}

// A file is read again for each request, so that the token in it may be rotated; while it cannot be read, as in the
// middle of that, the last token counts.
absl::Status take_token(const Arguments& arguments, const Environment& environment, CurlOptions& options) {
  options.token = choose(arguments, "token", environment, "CONSUL_HTTP_TOKEN");
  const std::string path = choose(arguments, "token-file", environment, "CONSUL_HTTP_TOKEN_FILE");
  if (!options.token.empty() || path.empty()) return absl::OkStatus();
  if (!(std::ifstream(path) >> options.token)) {
    return absl::InvalidArgumentError(path + ": holds no token that can be read");
  }
  options.token_now = [path, last = options.token]() mutable {
    std::string now;
    if (std::ifstream(path) >> now) last = now;
    return last;
  };
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<CurlOptions> connection_options(const Arguments& arguments, const Environment& environment) {
  CurlOptions options;
  const std::string address = choose(arguments, "http-addr", environment, "CONSUL_HTTP_ADDR");
  if (!address.empty()) options.address = address;
  const bool tls = is_one_of(choose(arguments, "", environment, "CONSUL_HTTP_SSL"), {"1", "t", "true"});
  if (tls && options.address.find("://") == std::string::npos) options.address = "https://" + options.address;
  if (absl::Status status = take_token(arguments, environment, options); !status.ok()) return status;
  options.basic_auth = choose(arguments, "", environment, "CONSUL_HTTP_AUTH");
  options.ca_file = choose(arguments, "ca-file", environment, "CONSUL_CACERT");
  options.ca_path = choose(arguments, "ca-path", environment, "CONSUL_CAPATH");
  options.client_cert_file = choose(arguments, "client-cert", environment, "CONSUL_CLIENT_CERT");
  options.client_key_file = choose(arguments, "client-key", environment, "CONSUL_CLIENT_KEY");
  options.tls_server_name = choose(arguments, "tls-server-name", environment, "CONSUL_TLS_SERVER_NAME");
  options.verify_tls = !is_one_of(choose(arguments, "", environment, "CONSUL_HTTP_SSL_VERIFY"), {"0", "f", "false"});
  return options;
}

convergence::ReadOptions read_options(const Arguments& arguments, const Environment& environment) {
  convergence::ReadOptions options;
  options.datacenter = arguments.get("datacenter");
  options.namespace_name = choose(arguments, "namespace", environment, "CONSUL_NAMESPACE");
  if (arguments.has("stale")) options.consistency = convergence::Consistency::kStale;
  return options;
}

}  // namespace cli
