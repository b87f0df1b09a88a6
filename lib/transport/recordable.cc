#include "lib/transport/recordable.h"

#include <fmt/format.h>

#include <algorithm>
#include <string_view>
#include <utility>

#include "lib/transport/send_book.h"

namespace convergence {
namespace {

std::string lower(std::string_view text) {
  std::string result(text);
  std::transform(result.begin(), result.end(), result.begin(),
                 [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c; });
  return result;
}

bool is_secret(const std::pair<std::string, std::string>& header) {
  const std::string name = lower(header.first);
  return name == "x-consul-token" || name == "authorization" || name == "proxy-authorization" || name == "cookie" ||
         name == "set-cookie";
}

// ACL endpoints carry the secret of a token in their bodies.
bool has_secret_body(const HttpRequest& request) { return request.target.compare(0, 8, "/v1/acl/") == 0; }

void remove_secrets(HeaderList& headers) {
  headers.erase(std::remove_if(headers.begin(), headers.end(), is_secret), headers.end());
}

}  // namespace

HttpRequest recordable(HttpRequest request) {
  const HttpRequest defaults;
  request.deadline = defaults.deadline;
  request.max_body = defaults.max_body;
  request.target = hide_token(request.target);
  remove_secrets(request.headers);
  if (has_secret_body(request)) request.body.clear();
  return request;
}

Exchange recordable(Exchange exchange) {
  exchange.request = recordable(std::move(exchange.request));
  if (!exchange.response.ok()) return exchange;
  remove_secrets(exchange.response->headers);
  if (has_secret_body(exchange.request)) exchange.response->body.clear();
  return exchange;
}

absl::StatusOr<HttpResponse> capped(absl::StatusOr<HttpResponse> response, const HttpRequest& request) {
  if (!response.ok() || response->body.size() <= request.max_body) return response;
  return request_error(
      ErrorKind::kTooLarge, request,
      fmt::format("the answer is longer than {} bytes; ask for less or raise max_body", request.max_body));
}

}  // namespace convergence
