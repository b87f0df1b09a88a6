#include "lib/memory/call.h"

#include <charconv>

#include "fmt/format.h"
#include "lib/memory/go_json.h"

namespace convergence::memory {
namespace {

int hex_digit(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  if (c >= 'A' && c <= 'F') return c - 'A' + 10;
  return -1;
}

Query parse_query(std::string_view text) {
  Query query;
  while (!text.empty()) {
    const std::size_t end = text.find_first_of("&;");
    const std::string_view item = text.substr(0, end);
    text = end == std::string_view::npos ? std::string_view() : text.substr(end + 1);
    if (item.empty()) continue;
    const std::size_t equals = item.find('=');
    const std::string_view value = equals == std::string_view::npos ? std::string_view() : item.substr(equals + 1);
    query.items.emplace_back(percent_decode(item.substr(0, equals), true), percent_decode(value, true));
  }
  return query;
}

}  // namespace

std::string percent_decode(std::string_view text, bool plus_is_space) {
  std::string out;
  out.reserve(text.size());
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (text[i] == '%' && i + 2 < text.size() && hex_digit(text[i + 1]) >= 0 && hex_digit(text[i + 2]) >= 0) {
      out += static_cast<char>(hex_digit(text[i + 1]) * 16 + hex_digit(text[i + 2]));
      i += 2;
    } else {
      out += plus_is_space && text[i] == '+' ? ' ' : text[i];
    }
  }
  return out;
}

bool Query::has(std::string_view name) const {
  for (const auto& item : items) {
    if (item.first == name) return true;
  }
  return false;
}

std::string Query::get(std::string_view name) const {
  for (const auto& item : items) {
    if (item.first == name) return item.second;
  }
  return "";
}

std::vector<std::string> Query::all(std::string_view name) const {
  std::vector<std::string> out;
  for (const auto& item : items) {
    if (item.first == name) out.push_back(item.second);
  }
  return out;
}

Call parse_call(const HttpRequest& request, Time now) {
  Call call;
  call.method = request.method;
  const std::string_view target = request.target;
  const std::size_t mark = target.find('?');
  call.path = percent_decode(target.substr(0, mark), false);
  if (mark != std::string_view::npos) call.raw_query = std::string(target.substr(mark + 1));
  call.query = parse_query(call.raw_query);
  call.body = request.body;
  call.now = now;
  return call;
}

HttpResponse json_answer(const Call& call, const Json& json, int status) {
  return {status, {{"content-type", "application/json"}}, go_text(json, call.query.has("pretty"))};
}

HttpResponse text_answer(int status, std::string text) {
  return {status, {{"content-type", "text/plain; charset=utf-8"}}, std::move(text)};
}

HttpResponse empty_answer(int status) { return {status, {}, ""}; }

std::optional<HttpResponse> read_number(const Call& call, std::string_view name, std::uint64_t& number) {
  if (!call.query.has(name)) return std::nullopt;
  const std::string text = call.query.get(name);
  const char* end = text.data() + text.size();
  const auto [stop, error] = std::from_chars(text.data(), end, number);
  if (error == std::errc() && stop == end) return std::nullopt;
  const bool too_big = error == std::errc::result_out_of_range && stop == end;
  return server_error(
      fmt::format("strconv.ParseUint: parsing \"{}\": {}", text, too_big ? "value out of range" : "invalid syntax"));
}

HttpResponse with_index(HttpResponse answer, const Call& call, std::uint64_t index, Face face) {
  const bool failed = answer.status >= 400 && answer.status != 404;
  if (face == Face::kKv && failed) return answer;
  if (face == Face::kCatalog && !failed) {
    const char* kind = call.consistency == Consistency::kStale        ? "stale"
                       : call.consistency == Consistency::kConsistent ? "consistent"
                                                                      : "leader";
    answer.headers.emplace_back("x-consul-effective-consistency", kind);
  }
  if (failed || index == 0) index = 1;
  answer.headers.emplace_back("x-consul-index", std::to_string(index));
  answer.headers.emplace_back("x-consul-knownleader", failed ? "false" : "true");
  answer.headers.emplace_back("x-consul-lastcontact", "0");
  return answer;
}

}  // namespace convergence::memory
