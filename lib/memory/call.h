#ifndef CONVERGENCE_LIB_MEMORY_CALL_H_
#define CONVERGENCE_LIB_MEMORY_CALL_H_

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "convergence/json.h"
#include "convergence/time.h"
#include "convergence/transport.h"

namespace convergence::memory {

// The query of a target, decoded; names may repeat.
struct Query {
  std::vector<std::pair<std::string, std::string>> items;

  bool has(std::string_view name) const;
  // The first value; empty when absent.
  std::string get(std::string_view name) const;
  std::vector<std::string> all(std::string_view name) const;
};

enum class Consistency { kDefault, kStale, kConsistent };

// A request taken apart.
struct Call {
  std::string method;
  std::string path;  // decoded
  std::string rest;  // of the path, below the endpoint
  std::string raw_query;
  Query query;
  std::string_view body;
  Time now;
  Consistency consistency = Consistency::kDefault;
  std::uint64_t min_index = 0;  // of a blocking query; 0: answer now
  Duration wait{0};
};

Call parse_call(const HttpRequest& request, Time now);

// "%c3%bc" -> "ü"; what is no escape stays as it is.
std::string percent_decode(std::string_view text, bool plus_is_space);

// ---- answers -------------------------------------------------------------------------------------------------

HttpResponse json_answer(const Call& call, const Json& json, int status = 200);
HttpResponse text_answer(int status, std::string text);
HttpResponse empty_answer(int status);
inline HttpResponse bad_request(std::string text) { return text_answer(400, std::move(text)); }
inline HttpResponse server_error(std::string text) { return text_answer(500, std::move(text)); }

// The parameter as an unsigned number, where it is given; else the answer in which Go complains.
std::optional<HttpResponse> read_number(const Call& call, std::string_view name, std::uint64_t& number);

// X-Consul-Index and its kin. Consul never answers index 0.
enum class Face {
  kKv,       // KV and config: no such headers on a failure
  kSession,  // on a failure index 1 and no known leader
  kCatalog,  // as sessions, and X-Consul-Effective-Consistency
};
HttpResponse with_index(HttpResponse answer, const Call& call, std::uint64_t index, Face face);

}  // namespace convergence::memory

#endif  // CONVERGENCE_LIB_MEMORY_CALL_H_
