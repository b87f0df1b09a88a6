#ifndef CONVERGENCE_LIB_CLIENT_REQUESTS_H_
#define CONVERGENCE_LIB_CLIENT_REQUESTS_H_

#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "absl/status/statusor.h"
#include "convergence/codec.h"
#include "convergence/consul_client.h"
#include "lib/base/status_macros.h"
#include "lib/client/calls.h"
#include "lib/client/target.h"

// An endpoint is a target, a body and a way to read the answer; the rest is here.

namespace convergence {

struct ConsulClient::Impl : Calls {
  using Calls::Calls;
};

template <typename T>
using Decode = std::function<absl::StatusOr<T>(const Json& answer)>;

// ---- calls as values

Call read_call(const Target& target, const ReadOptions& options);
Call write_call(std::string_view method, const Target& target, std::string body, const WriteOptions& options);

// ---- what an answer says beside its body

struct AnswerHead {
  std::uint64_t index = 0;
  bool known_leader = true;
  Duration last_contact{0};
};
absl::StatusOr<AnswerHead> read_head(const HttpResponse& response);

// A 404 of Consul's own, about a thing that is not there: those carry an index. A 404 of a proxy, or of a server that
// does not know the path, does not.
bool says_absent(const HttpResponse& response);

// ---- ways to read a body

absl::StatusOr<Json> read_body(const HttpResponse& response);
absl::StatusOr<bool> read_bool(const Json& answer);
absl::StatusOr<std::string> read_string(const Json& answer);
absl::StatusOr<std::vector<std::string>> read_strings(const Json& answer);
absl::StatusOr<const Json::Array*> read_array(const Json& answer);
absl::StatusOr<const Json::Object*> read_object(const Json& answer);
absl::StatusOr<const Json*> read_member(const Json& answer, std::string_view name);

template <typename T>
absl::StatusOr<std::vector<T>> read_each(const Json& answer, const Decode<T>& decode) {
  CVG_ASSIGN_OR_RETURN(const Json::Array* items, read_array(answer));
  std::vector<T> out;
  out.reserve(items->size());
  for (const Json& item : *items) {
    CVG_ASSIGN_OR_RETURN(out.emplace_back(), decode(item));
  }
  return out;
}

template <typename T>
absl::StatusOr<T> read_value(const Json& answer) {
  return from_json<T>(answer, "answer");
}

template <typename T>
absl::StatusOr<std::vector<T>> read_values(const Json& answer) {
  return read_each<T>(answer, read_value<T>);
}

// ---- starting

template <typename T>
void start(Calls& calls, Call call, std::function<absl::StatusOr<T>(const HttpResponse&)> read,
           ConsulClient::Callback<T> done) {
  HttpRequest request = call.request;
  request.body.clear();  // only method and target are spoken of later
  calls.start(std::move(call), [request = std::move(request), read = std::move(read),
                                done = std::move(done)](absl::StatusOr<HttpResponse> response) {
    if (!response.ok()) return done(response.status());
    absl::StatusOr<T> value = read(*response);
    value.ok() ? done(std::move(value)) : done(answer_error(request, *response, value.status()));
  });
}

// The body alone.
template <typename T>
void start(Calls& calls, Call call, Decode<T> decode, ConsulClient::Callback<T> done) {
  const auto read = [decode = std::move(decode)](const HttpResponse& response) -> absl::StatusOr<T> {
    CVG_ASSIGN_OR_RETURN(const Json body, read_body(response));
    return decode(body);
  };
  start<T>(calls, std::move(call), std::function<absl::StatusOr<T>(const HttpResponse&)>(read), std::move(done));
}

// Any 2xx will do.
void start(Calls& calls, Call call, ConsulClient::Done done);

// The value with its index. With `absent` given, a 404 of Consul's own is that value.
template <typename T>
void start_read(Calls& calls, const Target& target, const ReadOptions& options, Decode<T> decode,
                ConsulClient::Callback<Answer<T>> done, std::optional<T> absent = std::nullopt) {
  Call call = read_call(target, options);
  if (absent) call.also = says_absent;
  const auto read = [decode = std::move(decode),
                     absent = std::move(absent)](const HttpResponse& response) -> absl::StatusOr<Answer<T>> {
    CVG_ASSIGN_OR_RETURN(const AnswerHead head, read_head(response));
    Answer<T> answer{T{}, head.index, head.known_leader, head.last_contact};
    if (absent && says_absent(response)) {
      answer.value = *absent;
      return answer;
    }
    CVG_ASSIGN_OR_RETURN(const Json body, read_body(response));
    CVG_ASSIGN_OR_RETURN(answer.value, decode(body));
    return answer;
  };
  start<Answer<T>>(calls, std::move(call), std::function<absl::StatusOr<Answer<T>>(const HttpResponse&)>(read),
                   std::move(done));
}

}  // namespace convergence

#endif  // CONVERGENCE_LIB_CLIENT_REQUESTS_H_
