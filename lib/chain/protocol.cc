#include "lib/chain/protocol.h"

#include <array>
#include <charconv>
#include <cmath>

#include "lib/base/ascii.h"

namespace convergence {
namespace {

// Shortest digits without an exponent, as the server makes text of a number.
std::string plain_number(double value) {
  std::array<char, 400> buffer;  // the longest double has 309 digits before its point, the smallest 324 after it
  const auto end = std::to_chars(buffer.data(), buffer.data() + buffer.size(), value, std::chars_format::fixed);
  return std::string(buffer.data(), end.ptr);
}

// The server wants a text here and makes one of any scalar; lists and objects are ignored.
std::string weak_text(const Json& value) {
  if (const std::string* text = value.as_string()) return *text;
  if (const bool* flag = value.as_bool()) return *flag ? "1" : "0";
  if (const auto number = value.to_double()) return plain_number(*number);
  return "";
}

}  // namespace

bool is_http_like(std::string_view protocol) { return protocol == "http" || protocol == "http2" || protocol == "grpc"; }

std::string default_protocol(const ProxyDefaults* defaults) {
  if (defaults == nullptr) return "";
  if (const Json* exact = defaults->config.find("protocol")) return ascii_lower(weak_text(*exact));
  if (const Json::Object* members = defaults->config.as_object()) {
    for (const Json::Member& member : *members) {
      if (ascii_equal_fold(member.name, "protocol")) return ascii_lower(weak_text(member.value));
    }
  }
  return "";
}

std::string_view service_protocol(const ServiceDefaults* defaults, std::string_view proxy_default) {
  const std::string_view given = defaults != nullptr ? std::string_view(defaults->protocol) : proxy_default;
  return given.empty() ? "tcp" : given;
}

}  // namespace convergence
