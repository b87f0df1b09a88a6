#include <fmt/format.h>

#include <cstdint>
#include <optional>
#include <string>
#include <utility>

#include "convergence/codec.h"
#include "convergence/error.h"
#include "convergence/transport_decorators.h"
#include "convergence/version.h"
#include "lib/base/status_macros.h"
#include "lib/codec/object_reader.h"
#include "lib/codec/object_writer.h"
#include "lib/transport/recordable.h"

namespace convergence {
namespace {

using codec::ObjectReader;
using codec::ObjectWriter;
using codec::Place;

// Length of the UTF-8 sequence at the front of `text`, 0 when there is none: no overlong forms, no surrogates
// (RFC 3629, 4).
std::size_t sequence_length(std::string_view text) {
  const auto at = [&](std::size_t i) { return i < text.size() ? static_cast<unsigned char>(text[i]) : 0u; };
  const auto continues = [&](std::size_t i, unsigned low = 0x80, unsigned high = 0xbf) {
    return at(i) >= low && at(i) <= high;
  };
  const unsigned first = at(0);
  if (first < 0x80) return 1;
  if (first >= 0xc2 && first <= 0xdf) return continues(1) ? 2 : 0;
  if (first >= 0xe0 && first <= 0xef) {
    return continues(1, first == 0xe0 ? 0xa0 : 0x80, first == 0xed ? 0x9f : 0xbf) && continues(2) ? 3 : 0;
  }
  if (first >= 0xf0 && first <= 0xf4) {
    return continues(1, first == 0xf0 ? 0x90 : 0x80, first == 0xf4 ? 0x8f : 0xbf) && continues(2) && continues(3) ? 4
                                                                                                                  : 0;
  }
  return 0;
}

bool is_utf8(std::string_view text) {
  while (!text.empty()) {
    const std::size_t length = sequence_length(text);
    if (length == 0) return false;
    text.remove_prefix(length);
  }
  return true;
}

// Text, or {"base64": "..."}.
Json encode_bytes(const std::string& bytes) {
  return is_utf8(bytes) ? Json(bytes) : Json().set("base64", base64_encode(bytes));
}

Json encode_headers(const HeaderList& headers) {
  Json::Array list;
  for (const auto& [name, value] : headers) list.push_back(Json::Array{encode_bytes(name), encode_bytes(value)});
  return list;
}

Json encode_request(const HttpRequest& request) {
  ObjectWriter out;
  out.put("method", encode_bytes(request.method)).put("target", encode_bytes(request.target));
  if (!request.headers.empty()) out.put("headers", encode_headers(request.headers));
  if (!request.body.empty()) out.put("body", encode_bytes(request.body));
  return out.take();
}

Json encode_response(const HttpResponse& response) {
  ObjectWriter out;
  out.put("status", response.status);
  if (!response.headers.empty()) out.put("headers", encode_headers(response.headers));
  if (!response.body.empty()) out.put("body", encode_bytes(response.body));
  return out.take();
}

Json encode_error(const absl::Status& status) {
  ObjectWriter out;
  out.put("code", error_code_name(status)).put("message", encode_bytes(std::string(status.message())));
  const ErrorKind kind = error_kind(status);
  if (kind != ErrorKind::kNone) out.put("kind", to_string(kind)).put("detail", error_detail(status));
  return out.take();
}

absl::Status decode_bytes(const Json& json, const Place& place, std::string& out) {
  if (!json.is_object()) return codec::decode(json, place, out);
  std::string text;
  CVG_RETURN_IF_ERROR(ObjectReader(json, place).required("base64", text).finish());
  absl::StatusOr<std::string> bytes = base64_decode(text);
  if (!bytes.ok()) return place.error(json, std::string(bytes.status().message()));
  out = *std::move(bytes);
  return absl::OkStatus();
}

absl::Status decode_headers(const Json& json, const Place& place, HeaderList& out) {
  const Json::Array* list = json.as_array();
  if (list == nullptr) return codec::wrong_type(json, place, "a list");
  for (std::size_t i = 0; i < list->size(); ++i) {
    const Json& item = (*list)[i];
    const Json::Array* pair = item.as_array();
    const Place at = place.item(i);
    if (pair == nullptr || pair->size() != 2) return at.error(item, "a header is a list of its name and its value");
    auto& [name, value] = out.emplace_back();
    CVG_RETURN_IF_ERROR(decode_bytes((*pair)[0], at.item(0), name));
    CVG_RETURN_IF_ERROR(decode_bytes((*pair)[1], at.item(1), value));
  }
  return absl::OkStatus();
}

absl::Status decode_request(const Json& json, const Place& place, HttpRequest& out) {
  return ObjectReader(json, place)
      .required("method", out.method, decode_bytes)
      .required("target", out.target, decode_bytes)
      .optional("headers", out.headers, decode_headers)
      .optional("body", out.body, decode_bytes)
      .finish();
}

absl::Status decode_status(const Json& json, const Place& place, int& out) {
  std::int32_t status = 0;
  CVG_RETURN_IF_ERROR(codec::decode(json, place, status));
  if (status < 100 || status > 999) return place.error(json, fmt::format("{} is no HTTP status", status));
  out = status;
  return absl::OkStatus();
}

absl::Status decode_response(const Json& json, const Place& place, HttpResponse& out) {
  return ObjectReader(json, place)
      .required("status", out.status, decode_status)
      .optional("headers", out.headers, decode_headers)
      .optional("body", out.body, decode_bytes)
      .finish();
}

std::optional<ErrorKind> kind_named(std::string_view name) {
  for (int i = 1; i <= static_cast<int>(ErrorKind::kInvariant); ++i) {
    if (to_string(static_cast<ErrorKind>(i)) == name) return static_cast<ErrorKind>(i);
  }
  return std::nullopt;
}

std::optional<absl::StatusCode> code_named(std::string_view name) {
  for (int i = 1; i <= static_cast<int>(absl::StatusCode::kUnauthenticated); ++i) {
    if (absl::StatusCodeToString(static_cast<absl::StatusCode>(i)) == name) return static_cast<absl::StatusCode>(i);
  }
  return std::nullopt;
}

// With a kind it is one of ours; else the code says which status of somebody else it was.
absl::Status decode_error(const Json& json, const Place& place, absl::Status& out) {
  std::string kind_name;
  std::string code_name;
  std::string message;
  Json detail;
  CVG_RETURN_IF_ERROR(ObjectReader(json, place)
                          .optional("kind", kind_name)
                          .optional("code", code_name)
                          .required("message", message, decode_bytes)
                          .optional("detail", detail)
                          .finish());
  if (!detail.is_null() && !detail.is_object()) return place.member("detail").error(detail, "must be an object");
  if (kind_name.empty()) {
    const std::optional<absl::StatusCode> code = code_named(code_name);
    if (!code) return place.error(json, "has neither a kind nor a code that is known");
    out = absl::Status(*code, message);
    return absl::OkStatus();
  }
  const std::optional<ErrorKind> kind = kind_named(kind_name);
  if (!kind) return place.error(json, fmt::format("\"{}\" is no kind of error", kind_name));
  out = make_error(*kind, message, std::move(detail));
  return absl::OkStatus();
}

absl::Status decode_exchange(const Json& json, const Place& place, Exchange& out) {
  std::optional<HttpResponse> response;
  absl::Status error;
  CVG_RETURN_IF_ERROR(ObjectReader(json, place)
                          .required("request", out.request, decode_request)
                          .optional("response", response,
                                    [](const Json& value, const Place& at, std::optional<HttpResponse>& to) {
                                      return decode_response(value, at, to.emplace());
                                    })
                          .optional("error", error, decode_error)
                          .finish());
  if (response.has_value() != error.ok()) {
    return place.error(json, "must have either a \"response\" or an \"error\"");
  }
  if (response.has_value()) {
    out.response = *std::move(response);
  } else {
    out.response = error;
  }
  return absl::OkStatus();
}

absl::Status decode_exchanges(const Json& json, const Place& place, std::vector<Exchange>& out) {
  const Json::Array* list = json.as_array();
  if (list == nullptr) return codec::wrong_type(json, place, "a list");
  for (std::size_t i = 0; i < list->size(); ++i) {
    CVG_RETURN_IF_ERROR(decode_exchange((*list)[i], place.item(i), out.emplace_back()));
  }
  return absl::OkStatus();
}

}  // namespace

Json recording_to_json(const std::vector<Exchange>& exchanges) {
  Json::Array list;
  for (const Exchange& given : exchanges) {
    const Exchange exchange = recordable(given);
    ObjectWriter out;
    out.put("request", encode_request(exchange.request));
    if (exchange.response.ok()) {
      out.put("response", encode_response(*exchange.response));
    } else {
      out.put("error", encode_error(exchange.response.status()));
    }
    list.push_back(out.take());
  }
  return ObjectWriter().put("schema", CVG_SCHEMA_CURRENT).put("exchanges", std::move(list)).take();
}

absl::StatusOr<std::vector<Exchange>> recording_from_json(const Json& json, std::string_view document) {
  std::vector<Exchange> exchanges;
  CVG_RETURN_IF_ERROR(ObjectReader(json, Place(document))
                          .schema(/*may_be_absent=*/false)
                          .required("exchanges", exchanges, decode_exchanges)
                          .finish());
  return exchanges;
}

}  // namespace convergence
