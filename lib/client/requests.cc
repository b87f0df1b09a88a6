#include "lib/client/requests.h"

#include <fmt/format.h>

#include <charconv>

#include "convergence/error.h"

namespace convergence {
namespace {

// Consul adds up to a sixteenth to the wait of a blocking query, so that many do not end at once.
constexpr int kWaitJitter = 16;

absl::Status wrong_shape(std::string_view wanted) {
  return make_error(ErrorKind::kDecode, fmt::format("answer: not {}", wanted));
}

absl::StatusOr<std::uint64_t> read_number_header(const HttpResponse& response, std::string_view name) {
  const std::string* text = find_header(response, name);
  if (text == nullptr || text->empty()) return std::uint64_t{0};
  std::uint64_t number = 0;
  const auto [end, problem] = std::from_chars(text->data(), text->data() + text->size(), number);
  if (problem == std::errc() && end == text->data() + text->size()) return number;
  return make_error(ErrorKind::kDecode, fmt::format("answer: header {} is not a number", name));
}

}  // namespace

Call read_call(const Target& target, const ReadOptions& options) {
  Call call;
  call.request.target = target.text();
  call.problem = target.problem();
  call.repeatable = true;
  call.waits = options.wait_index > 0;
  call.span = options.timeout;
  if (call.waits) call.span += options.wait + options.wait / kWaitJitter;
  return call;
}

Call write_call(std::string_view method, const Target& target, std::string body, const WriteOptions& options) {
  Call call;
  call.request.method = method;
  call.request.target = target.text();
  call.request.body = std::move(body);
  call.problem = target.problem();
  call.span = options.timeout;
  return call;
}

absl::StatusOr<AnswerHead> read_head(const HttpResponse& response) {
  AnswerHead head;
  CVG_ASSIGN_OR_RETURN(head.index, read_number_header(response, "x-consul-index"));
  CVG_ASSIGN_OR_RETURN(const std::uint64_t contact, read_number_header(response, "x-consul-lastcontact"));
  head.last_contact = std::chrono::milliseconds(contact);
  const std::string* leader = find_header(response, "x-consul-knownleader");
  head.known_leader = leader == nullptr || *leader == "true";
  return head;
}

bool says_absent(const HttpResponse& response) {
  return response.status == 404 && find_header(response, "x-consul-index") != nullptr;
}

absl::StatusOr<Json> read_body(const HttpResponse& response) { return parse_json(response.body, "answer"); }

absl::StatusOr<bool> read_bool(const Json& answer) {
  if (answer.as_bool() == nullptr) return wrong_shape("true or false");
  return *answer.as_bool();
}

absl::StatusOr<std::string> read_string(const Json& answer) {
  if (answer.as_string() == nullptr) return wrong_shape("a string");
  return *answer.as_string();
}

absl::StatusOr<std::vector<std::string>> read_strings(const Json& answer) {
  return read_each<std::string>(answer, read_string);
}

// Go writes an empty slice or map as null where it was never made.
absl::StatusOr<const Json::Array*> read_array(const Json& answer) {
  static const Json::Array kEmpty;
  if (answer.is_null()) return &kEmpty;
  if (answer.as_array() == nullptr) return wrong_shape("an array");
  return answer.as_array();
}

absl::StatusOr<const Json::Object*> read_object(const Json& answer) {
  static const Json::Object kEmpty;
  if (answer.is_null()) return &kEmpty;
  if (answer.as_object() == nullptr) return wrong_shape("an object");
  return answer.as_object();
}

absl::StatusOr<const Json*> read_member(const Json& answer, std::string_view name) {
  const Json* member = answer.find(name);
  if (member == nullptr) return wrong_shape(fmt::format("an object with \"{}\"", name));
  return member;
}

void start(Calls& calls, Call call, ConsulClient::Done done) {
  calls.start(std::move(call),
              [done = std::move(done)](const absl::StatusOr<HttpResponse>& response) { done(response.status()); });
}

}  // namespace convergence
