#include <fmt/format.h>

#include <string>
#include <string_view>
#include <utility>

#include "convergence/error.h"
#include "lib/client/calls.h"
#include "lib/client/text.h"

namespace convergence {
namespace {

constexpr std::size_t kMessageBytes = 500;
constexpr std::size_t kTargetBytes = 200;
constexpr std::size_t kBodyBytes = 4096;  // a page of HTML in front of Consul may have megabytes

// What was asked. Headers stay out: a host may have put a token there.
Json asked(const HttpRequest& request, std::int32_t tries) {
  Json detail;
  detail.set("method", request.method);
  detail.set("target", request.target);
  if (tries > 1) detail.set("tries", tries);
  return detail;
}

Json asked_and_told(const HttpRequest& request, const HttpResponse& response, std::int32_t tries) {
  Json detail = asked(request, tries);
  detail.set("status", response.status);
  detail.set("body", clean_text(response.body, kBodyBytes));
  return detail;
}

std::string where(const HttpRequest& request) {
  return fmt::format("{} {}", request.method, one_line(request.target, kTargetBytes));
}

std::string after_tries(std::int32_t tries) { return tries > 1 ? fmt::format(" (tried {} times)", tries) : ""; }

ErrorKind kind_of(int status) {
  if (status == 401 || status == 403) return ErrorKind::kDenied;
  if (status == 404) return ErrorKind::kNotFound;
  if (status >= 400 && status < 500) return ErrorKind::kRefused;
  if (status >= 500) return ErrorKind::kServer;
  return ErrorKind::kProtocol;  // 1xx, 3xx: Consul has no such answers
}

std::string_view remedy_of(ErrorKind kind) {
  switch (kind) {
    case ErrorKind::kDenied:
      return "; use a token whose policies allow it";
    case ErrorKind::kProtocol:
      return "; check that this address is a Consul's";
    default:
      return "";
  }
}

}  // namespace

absl::Status transport_error(const HttpRequest& request, const absl::Status& problem, std::int32_t tries) {
  const ErrorKind kind = error_kind(problem);
  if (kind == ErrorKind::kNone) return problem;
  Json detail = error_detail(problem);
  const Json about = asked(request, tries);
  for (const Json::Member& member : *about.as_object()) detail.set(member.name, member.value);
  // Our own transports have named the request already; a host's may not.
  const std::string text(problem.message());
  const std::string lead = text.rfind(request.method + " ", 0) == 0 ? "" : where(request) + ": ";
  return make_error(kind, fmt::format("{}{}{}", lead, text, after_tries(tries)), detail);
}

absl::Status status_error(const HttpRequest& request, const HttpResponse& response, std::int32_t tries) {
  const ErrorKind kind = kind_of(response.status);
  const std::string text = one_line(response.body, kMessageBytes);
  return make_error(kind,
                    fmt::format("{}: status {}{}{}{}{}", where(request), response.status, text.empty() ? "" : ": ",
                                text, after_tries(tries), remedy_of(kind)),
                    asked_and_told(request, response, tries));
}

absl::Status answer_error(const HttpRequest& request, const HttpResponse& response, const absl::Status& problem) {
  Json detail = asked_and_told(request, response, 1);
  if (error_kind(problem) != ErrorKind::kNone) detail.set("problem", error_detail(problem));
  return make_error(ErrorKind::kProtocol,
                    fmt::format("{}: {}{}", where(request), one_line(std::string(problem.message()), kMessageBytes),
                                remedy_of(ErrorKind::kProtocol)),
                    detail);
}

}  // namespace convergence
