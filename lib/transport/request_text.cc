#include <fmt/format.h>

#include <algorithm>

#include "lib/transport/send_book.h"

namespace convergence {
namespace {

bool is_token_char(char c) {  // RFC 9110, 5.6.2
  constexpr std::string_view kMarks = "!#$%&'*+-.^_`|~";
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
         kMarks.find(c) != std::string_view::npos;
}

bool is_name(std::string_view text) { return !text.empty() && std::all_of(text.begin(), text.end(), is_token_char); }

bool is_target(std::string_view text) {
  return !text.empty() && text.front() == '/' &&
         std::all_of(text.begin(), text.end(), [](char c) { return c > ' ' && c < 0x7f && c != '#'; });
}

bool is_header_value(std::string_view text) {
  return std::none_of(text.begin(), text.end(), [](char c) { return c == '\r' || c == '\n' || c == '\0'; });
}

}  // namespace

const std::string* find_header(const HttpResponse& response, std::string_view name) {
  for (const auto& [key, value] : response.headers) {
    if (key == name) return &value;
  }
  return nullptr;
}

std::string hide_token(std::string_view target) {
  std::string hidden(target);
  std::size_t at = hidden.find('?');
  while (at != std::string::npos) {
    const std::size_t begin = at + 1;
    at = hidden.find('&', begin);
    constexpr std::string_view kToken = "token=";
    if (hidden.compare(begin, kToken.size(), kToken) != 0) continue;
    const std::size_t value = begin + kToken.size();
    hidden.replace(value, at == std::string::npos ? std::string::npos : at - value, "hidden");
    at = hidden.find('&', begin);
  }
  return hidden;
}

std::string request_label(const HttpRequest& request) {
  return fmt::format("{} {}", request.method, hide_token(request.target));
}

absl::Status request_error(ErrorKind kind, const HttpRequest& request, std::string_view problem_and_remedy,
                           Json detail) {
  detail.set("method", request.method);
  detail.set("target", hide_token(request.target));
  return make_error(kind, fmt::format("{}: {}", request_label(request), problem_and_remedy), std::move(detail));
}

absl::Status check_request(const HttpRequest& request) {
  if (!is_name(request.method)) {
    return make_error(ErrorKind::kUsage, "request: the method is no HTTP method; use GET, PUT, POST or DELETE");
  }
  if (!is_target(request.target)) {
    return make_error(ErrorKind::kUsage,
                      fmt::format("{} request: the target is no path of printable ASCII; begin it with '/' and "
                                  "percent-encode the rest",
                                  request.method));
  }
  for (const auto& [name, value] : request.headers) {
    if (!is_name(name)) {
      return request_error(ErrorKind::kUsage, request, "a header's name is no HTTP token; correct it");
    }
    if (!is_header_value(value)) {
      return request_error(ErrorKind::kUsage, request,
                           fmt::format("the value of header {} has a line break or a zero byte; remove it", name));
    }
  }
  return absl::OkStatus();
}

}  // namespace convergence
