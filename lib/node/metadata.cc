#include <fmt/format.h>

#include <atomic>
#include <memory>
#include <string>

#include "convergence/error.h"
#include "convergence/node_facts.h"
#include "lib/base/status_macros.h"

// Amazon's instance metadata, version 2.

namespace convergence {
namespace {

constexpr char kTokenSeconds[] = "60";
constexpr std::size_t kMostBody = std::size_t{1} << 20;
constexpr std::string_view kTags = "/latest/meta-data/tags/instance";

class Metadata {
 public:
  Metadata(Transport& transport, Executor& executor, Duration timeout)
      : transport_(transport), executor_(executor), timeout_(timeout) {}

  absl::Status fetch_token() {
    HttpRequest request;
    request.method = "PUT";
    request.target = "/latest/api/token";
    request.headers = {{"X-aws-ec2-metadata-token-ttl-seconds", kTokenSeconds}};
    CVG_ASSIGN_OR_RETURN(HttpResponse response, send(request));
    if (response.status == 403) {
      return make_error(ErrorKind::kDenied, "EC2 metadata: no token (status 403); is the metadata service off?");
    }
    // Whoever answers otherwise at that address is not EC2's metadata service.
    if (response.status != 200 || response.body.empty()) return odd_answer(request, response);
    token_ = std::move(response.body);
    return absl::OkStatus();
  }

  // Nothing for 404.
  absl::StatusOr<std::optional<std::string>> get(std::string_view target) {
    HttpRequest request;
    request.target = target;
    request.headers = {{"X-aws-ec2-metadata-token", token_}};
    CVG_ASSIGN_OR_RETURN(HttpResponse response, send(request));
    if (response.status == 404) return std::optional<std::string>();
    if (response.status == 401 || response.status == 403) {
      return make_error(ErrorKind::kDenied, fmt::format("EC2 metadata: {}: status {}", target, response.status));
    }
    if (response.status != 200) return odd_answer(request, response);
    return std::optional<std::string>(std::move(response.body));
  }

 private:
  struct Answer {
    std::atomic<bool> done{false};
    absl::StatusOr<HttpResponse> response = absl::UnknownError("");
  };

  static absl::Status odd_answer(const HttpRequest& request, const HttpResponse& response) {
    return make_error(ErrorKind::kProtocol, fmt::format("EC2 metadata: {} {}: status {}, {} bytes", request.method,
                                                        request.target, response.status, response.body.size()));
  }

  absl::StatusOr<HttpResponse> send(HttpRequest request) {
    const Time deadline = executor_.now() + timeout_;
    request.deadline = deadline;
    request.max_body = kMostBody;
    const std::string what = request.method + " " + request.target;
    const auto answer = std::make_shared<Answer>();
    const auto id = transport_.send(std::move(request), [answer](absl::StatusOr<HttpResponse> response) {
      answer->response = std::move(response);
      answer->done = true;
    });
    // The transport keeps the deadline; this wait only ends when it has.
    const absl::Status waited = executor_.wait_until([answer] { return answer->done.load(); }, kNever);
    if (!waited.ok()) {
      transport_.cancel(id);
      return waited;
    }
    if (answer->response.ok()) return std::move(answer->response);
    const ErrorKind kind = error_kind(answer->response.status());
    return make_error(kind == ErrorKind::kNone ? ErrorKind::kUnreachable : kind,
                      fmt::format("EC2 metadata: {}: no answer ({}); is this an EC2 instance?", what, to_string(kind)));
  }

  Transport& transport_;
  Executor& executor_;
  Duration timeout_;
  std::string token_;
};

std::string percent_encoded(std::string_view text) {
  std::string out;
  for (const char c : text) {
    const bool plain = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
                       std::string_view("-_.~").find(c) != std::string_view::npos;
    if (plain) {
      out.push_back(c);
    } else {
      out += fmt::format("%{:02X}", static_cast<unsigned char>(c));
    }
  }
  return out;
}

}  // namespace

absl::StatusOr<Identity> ec2_identity(Transport& transport, Executor& executor, Duration timeout) {
  Metadata metadata(transport, executor, timeout);
  CVG_RETURN_IF_ERROR(metadata.fetch_token());
  Identity identity;
  CVG_ASSIGN_OR_RETURN(const auto instance, metadata.get("/latest/meta-data/instance-id"));
  if (!instance || instance->empty()) {
    return make_error(ErrorKind::kProtocol, "EC2 metadata: has no instance id");
  }
  identity.instance = *instance;
  CVG_ASSIGN_OR_RETURN(const auto names, metadata.get(kTags));
  std::string_view rest = names ? std::string_view(*names) : std::string_view();
  while (!rest.empty()) {
    const std::size_t end = std::min(rest.find('\n'), rest.size());
    const std::string name(rest.substr(0, end));
    rest.remove_prefix(std::min(end + 1, rest.size()));
    if (name.empty()) continue;
    CVG_ASSIGN_OR_RETURN(const auto value, metadata.get(fmt::format("{}/{}", kTags, percent_encoded(name))));
    // Taken off between the two requests: not there.
    if (value) identity.tags[name] = *value;
  }
  return identity;
}

}  // namespace convergence
