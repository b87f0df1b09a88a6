#include <doctest/doctest.h>

#include <random>
#include <string>
#include <vector>

#include "convergence/error.h"
#include "convergence/transport_decorators.h"
#include "tests/support/status_check.h"

namespace convergence {
namespace {

Exchange exchange_of(const std::string& target, absl::StatusOr<HttpResponse> response) {
  HttpRequest request;
  request.target = target;
  return Exchange{request, std::move(response)};
}

HttpResponse response_of(int status, const std::string& body) {
  HttpResponse response;
  response.status = status;
  response.body = body;
  return response;
}

bool same(const std::vector<Exchange>& a, const std::vector<Exchange>& b) {
  return std::equal(a.begin(), a.end(), b.begin(), b.end(), [](const Exchange& x, const Exchange& y) {
    return x.request == y.request && x.response == y.response;
  });
}

absl::StatusOr<std::vector<Exchange>> read(std::string_view text) {
  const absl::StatusOr<Json> json = parse_json(text, "rec.json");
  if (!json.ok()) return json.status();
  return recording_from_json(*json, "rec.json");
}

TEST_CASE("a recording is written as transport_decorators.h says") {
  HttpRequest put;
  put.method = "PUT";
  put.target = "/v1/kv/a?token=s3cret&cas=1";
  put.headers = {{"X-Consul-Token", "s3cret"}, {"A", "1"}, {"A", "2"}};
  put.body = "gr\u00fcn\n\x01";
  HttpResponse answer = response_of(200, std::string("\xff\xfe\0", 3));
  answer.headers = {{"x-consul-index", "7"}, {"set-cookie", "s3cret"}, {"odd", "\xfc"}};
  Json detail;
  detail.set("address", "127.0.0.1:1");
  const std::vector<Exchange> exchanges = {
      Exchange{put, answer}, exchange_of("/b", response_of(404, "")),
      exchange_of("/c", make_error(ErrorKind::kUnreachable, "GET /c: lost; ask again", detail)),
      exchange_of("/d", absl::NotFoundError("somebody else's"))};
  CHECK(
      to_text(recording_to_json(exchanges)) ==
      R"({"schema":1,"exchanges":[)"
      R"({"request":{"method":"PUT","target":"/v1/kv/a?token=hidden&cas=1","headers":[["A","1"],["A","2"]],)"
      "\"body\":\"gr\u00fcn\\n\\u0001\"},"
      R"("response":{"status":200,"headers":[["x-consul-index","7"],["odd",{"base64":"/A=="}]],)"
      R"("body":{"base64":"//4A"}}},)"
      R"({"request":{"method":"GET","target":"/b"},"response":{"status":404}},)"
      R"({"request":{"method":"GET","target":"/c"},"error":{"code":"UNAVAILABLE","message":"GET /c: lost; ask again",)"
      R"("kind":"unreachable","detail":{"address":"127.0.0.1:1","kind":"unreachable"}}},)"
      R"({"request":{"method":"GET","target":"/d"},"error":{"code":"NOT_FOUND","message":"somebody else's"}}]})");
}

TEST_CASE("what is written comes back equal") {
  constexpr std::uint64_t kSeed = 20240611;
  INFO("seed: ", kSeed);
  std::mt19937_64 random(kSeed);
  const std::vector<std::string> pieces = {
      "a",          "\"",   "\\",       "\n",           std::string(1, '\0'), "\u00fc",   "\u20ac",
      "\U0001F600", "\xff", "\xc0\xaf", "\xed\xa0\x80", "\xf4\x90\x80\x80",   "\xe2\x82", "\x7f"};
  const auto text = [&] {
    std::string made;
    for (std::uint64_t i = random() % 6; i > 0; --i) made += pieces[random() % pieces.size()];
    return made;
  };
  for (int round = 0; round < 300; ++round) {
    std::vector<Exchange> exchanges;
    for (std::uint64_t i = random() % 4; i > 0; --i) {
      Exchange exchange = exchange_of("/x" + std::to_string(random() % 9), response_of(200, text()));
      exchange.request.method = random() % 2 == 0 ? "GET" : "DELETE";
      exchange.request.body = text();
      for (std::uint64_t j = random() % 3; j > 0; --j) exchange.request.headers.emplace_back("H", text());
      for (std::uint64_t j = random() % 3; j > 0; --j) exchange.response->headers.emplace_back(text(), text());
      const auto kind = static_cast<ErrorKind>(1 + random() % static_cast<unsigned>(ErrorKind::kInvariant));
      if (random() % 3 == 0) exchange.response = make_error(kind, text());
      exchanges.push_back(std::move(exchange));
    }
    CAPTURE(round);
    const std::string written = to_text(recording_to_json(exchanges));
    const auto back = read(written);
    REQUIRE_OK(back);
    REQUIRE(same(*back, exchanges));
    REQUIRE(to_text(recording_to_json(*back)) == written);
  }
}

TEST_CASE("a recording written by hand may leave out what follows") {
  const auto back = read(R"({"schema":1,"exchanges":[
    {"request":{"method":"GET","target":"/a"},"response":{"status":200,"body":"x"}},
    {"request":{"method":"GET","target":"/b"},"error":{"kind":"timeout","message":"too late"}}]})");
  REQUIRE_OK(back);
  CHECK(same(*back, {exchange_of("/a", response_of(200, "x")),
                     exchange_of("/b", make_error(ErrorKind::kTimeout, "too late"))}));
}

TEST_CASE("a broken recording is one error that names document, place and problem") {
  struct Case {
    const char* name;
    const char* text;
    const char* fragment;
  };
  const Case cases[] = {
      {"no JSON", "{", "rec.json: "},
      {"no object", "[]", "rec.json: "},
      {"no schema", R"({"exchanges":[]})", "needs a member \"schema\""},
      {"unknown schema", R"({"schema":99,"exchanges":[]})", "rec.json: /schema (offset 10): unknown schema 99"},
      {"no exchanges", R"({"schema":1})", "needs a member \"exchanges\""},
      {"exchanges of another type", R"({"schema":1,"exchanges":{}})", "rec.json: /exchanges (offset 24): "},
      {"unknown member", R"({"schema":1,"exchanges":[],"x":1})", "rec.json: /x (offset 31): unknown member"},
      {"no request", R"({"schema":1,"exchanges":[{"response":{"status":200}}]})",
       "rec.json: /exchanges/0 (offset 25): needs a member \"request\""},
      {"neither answer", R"({"schema":1,"exchanges":[{"request":{"method":"GET","target":"/"}}]})",
       "rec.json: /exchanges/0 (offset 25): must have either"},
      {"both answers",
       R"({"schema":1,"exchanges":[{"request":{"method":"GET","target":"/"},"response":{"status":200},"error":{"kind":"timeout","message":""}}]})",
       "must have either"},
      {"status", R"({"schema":1,"exchanges":[{"request":{"method":"GET","target":"/"},"response":{"status":99}}]})",
       "rec.json: /exchanges/0/response/status (offset 87): 99 is no HTTP status"},
      {"base64",
       R"({"schema":1,"exchanges":[{"request":{"method":"GET","target":"/","body":{"base64":"?"}},"response":{"status":200}}]})",
       "rec.json: /exchanges/0/request/body (offset 72): base64: "},
      {"header",
       R"({"schema":1,"exchanges":[{"request":{"method":"GET","target":"/","headers":[["a"]]},"response":{"status":200}}]})",
       "rec.json: /exchanges/0/request/headers/0 (offset 76): a header is"},
      {"headers of another type",
       R"({"schema":1,"exchanges":[{"request":{"method":"GET","target":"/","headers":{}},"response":{"status":200}}]})",
       "rec.json: /exchanges/0/request/headers (offset 75): "},
      {"kind",
       R"({"schema":1,"exchanges":[{"request":{"method":"GET","target":"/"},"error":{"kind":"x","message":""}}]})",
       "\"x\" is no kind of error"},
      {"code",
       R"({"schema":1,"exchanges":[{"request":{"method":"GET","target":"/"},"error":{"code":"OK","message":""}}]})",
       "has neither a kind nor a code that is known"},
      {"detail",
       R"({"schema":1,"exchanges":[{"request":{"method":"GET","target":"/"},"error":{"kind":"timeout","message":"","detail":1}}]})",
       "rec.json: /exchanges/0/error/detail (offset 114): must be an object"},
  };
  for (const Case& c : cases) {
    SUBCASE(c.name) { CHECK_ERROR(read(c.text), ErrorKind::kDecode, c.fragment); }
  }
}

}  // namespace
}  // namespace convergence
