#include <fcntl.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>

#include <algorithm>
#include <filesystem>
#include <map>
#include <set>
#include <string>
#include <vector>

#include "convergence/node_files.h"
#include "lib/node/descriptor.h"
#include "lib/node/http_call.h"
#include "tests/support/http_test_server.h"
#include "tests/support/status_check.h"
#include "tests/support/temporary_directory.h"
#include "tests/unit/node_files/archive_builder.h"

namespace convergence {
namespace {

using test::HttpTestServer;

constexpr const char* kAccessKey = "AKIDEXAMPLE";
constexpr const char* kSecretKey = "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY";

std::string hex_of(std::string_view bytes) {
  std::string text;
  for (const char c : bytes) {
    text += "0123456789abcdef"[static_cast<unsigned char>(c) >> 4];
    text += "0123456789abcdef"[static_cast<unsigned char>(c) & 15];
  }
  return text;
}

std::string digest_of(std::string_view bytes) {
  unsigned char digest[EVP_MAX_MD_SIZE];
  unsigned int size = 0;
  EVP_Digest(bytes.data(), bytes.size(), digest, &size, EVP_sha256(), nullptr);
  return hex_of({reinterpret_cast<const char*>(digest), size});
}

std::string hmac_of(std::string_view key, std::string_view text) {
  unsigned char digest[EVP_MAX_MD_SIZE];
  unsigned int size = 0;
  HMAC(EVP_sha256(), key.data(), static_cast<int>(key.size()), reinterpret_cast<const unsigned char*>(text.data()),
       text.size(), digest, &size);
  return {reinterpret_cast<const char*>(digest), size};
}

std::vector<std::string> split_at(const std::string& text, char separator) {
  std::vector<std::string> parts(1);
  for (const char c : text) {
    if (c == separator) {
      parts.emplace_back();
    } else {
      parts.back() += c;
    }
  }
  return parts;
}

// An S3 that takes nobody's word: signatures are worked out from what came in, as Amazon's "Signature Version 4" says.
struct FakeS3 {
  std::string region = "eu-west-1";
  std::string secret = kSecretKey;
  std::string token{};                           // wanted with each request; empty: none may come
  std::map<std::string, std::string> objects{};  // by target

  std::string refusal(const HttpTestServer::Received& request) const {
    const std::string header = request.header("authorization");
    const std::string scheme = "AWS4-HMAC-SHA256 ";
    if (header.rfind(scheme, 0) != 0) return "AccessDenied";
    std::map<std::string, std::string> parts;
    for (std::string part : split_at(header.substr(scheme.size()), ',')) {
      part.erase(0, part.find_first_not_of(' '));
      parts[part.substr(0, part.find('='))] = part.substr(part.find('=') + 1);
    }
    const std::vector<std::string> scope = split_at(parts["Credential"], '/');
    if (scope.size() != 5 || scope[0] != kAccessKey) return "InvalidAccessKeyId";
    if (scope[2] != region || scope[3] != "s3" || scope[4] != "aws4_request") return "AuthorizationHeaderMalformed";
    const std::string date = request.header("x-amz-date");
    if (date.substr(0, 8) != scope[1]) return "RequestTimeTooSkewed";
    if (request.header("x-amz-content-sha256") != digest_of(request.body)) return "XAmzContentSHA256Mismatch";
    if (request.header("x-amz-security-token") != token) return "InvalidToken";

    const std::vector<std::string> names = split_at(parts["SignedHeaders"], ';');
    const std::set<std::string> signed_names(names.begin(), names.end());
    for (const auto& [name, value] : request.headers) {  // all of these have to be signed
      if ((name == "host" || name.rfind("x-amz-", 0) == 0) && signed_names.count(name) == 0) return "AccessDenied";
    }
    if (!std::is_sorted(names.begin(), names.end())) return "AccessDenied";
    std::string canonical = request.method + "\n" + request.target + "\n\n";
    for (const std::string& name : names) canonical += name + ":" + request.header(name) + "\n";
    canonical += "\n" + parts["SignedHeaders"] + "\n" + request.header("x-amz-content-sha256");
    const std::string text =
        "AWS4-HMAC-SHA256\n" + date + "\n" + scope[1] + "/" + region + "/s3/aws4_request\n" + digest_of(canonical);
    std::string key = "AWS4" + secret;
    for (const std::string& piece : {scope[1], region, std::string("s3"), std::string("aws4_request")}) {
      key = hmac_of(key, piece);
    }
    return parts["Signature"] == hex_of(hmac_of(key, text)) ? "" : "SignatureDoesNotMatch";
  }

  HttpTestServer::Answer answer(const HttpTestServer::Received& request) {
    const std::string refused = refusal(request);
    if (!refused.empty()) {
      // As S3 does: keys and tokens in its answer.
      return test::http_answer(403, "<Error><Code>" + refused + "</Code><AWSAccessKeyId>" + kAccessKey +
                                        "</AWSAccessKeyId><Token>" + request.header("x-amz-security-token") +
                                        "</Token></Error>");
    }
    if (request.method == "PUT") {
      objects[request.target] = request.body;
      return test::http_answer(200, "");
    }
    const auto found = objects.find(request.target);
    if (found == objects.end()) return test::http_answer(404, "<Error><Code>NoSuchKey</Code></Error>");
    const std::string range = request.header("range");
    if (range.empty()) return test::http_answer(200, found->second);
    const std::size_t from = std::stoul(range.substr(6));
    return test::http_answer(206, found->second.substr(from),
                             "Content-Range: bytes " + std::to_string(from) + "-" +
                                 std::to_string(found->second.size() - 1) + "/" + std::to_string(found->second.size()) +
                                 "\r\n");
  }
};

HttpOptions s3_options(const HttpTestServer& server) {
  HttpOptions options;
  options.pause = Duration{0};
  options.s3 = {kAccessKey, kSecretKey, "", "eu-west-1", "http://" + server.address()};
  return options;
}

void check_no_secrets(const absl::Status& status) {
  for (const char* secret : {kSecretKey, kAccessKey, "TheToken", "Signature=", "wrong-secret"}) {
    CHECK(status.ToString().find(secret) == std::string::npos);
  }
}

TEST_CASE("S3 objects are fetched, resumed and put with signatures that hold, with and without a session token") {
  for (const std::string& token : {std::string(), std::string("TheToken/+=")}) {
    CAPTURE(token);
    const test::TemporaryDirectory folder;
    const StopSignal stop;
    FakeS3 s3;
    s3.token = token;
    s3.objects["/my-bucket/dir/app%20%2B%20%C3%BC.zip"] = "content";
    HttpTestServer server([&](const HttpTestServer::Received& request) { return s3.answer(request); });
    FetchOptions options{folder.path("cache"), 1000, s3_options(server)};
    options.http.s3.session_token = token;
    const std::string digest = digest_of("content");
    const Package package{"s3://my-bucket/dir/app + \xc3\xbc.zip", digest, 7};
    REQUIRE_OK(fetch_package(package, options, {}, stop));
    CHECK(test::read_file(folder.path("cache/sha256/" + digest)) == "content");

    std::filesystem::remove(folder.path("cache/sha256/" + digest));
    test::write_file(folder.path("cache/partial/" + digest), "con");
    REQUIRE_OK(fetch_package(package, options, {}, stop));
    CHECK(server.received().back().header("range") == "bytes=3-");
    CHECK(test::read_file(folder.path("cache/sha256/" + digest)) == "content");

    test::write_file(folder.path("run.log"), "line\n");
    test::write_file(folder.path("empty"), "");
    const auto shipped = ship_file(folder.path("run.log"), "s3://my-bucket/logs/", options.http, stop);
    REQUIRE_OK(shipped);
    CHECK(*shipped == "s3://my-bucket/logs/run.log");
    CHECK(s3.objects["/my-bucket/logs/run.log"] == "line\n");
    CHECK(*ship_file(folder.path("run.log"), "s3://my-bucket", options.http, stop) == "s3://my-bucket/run.log");
    CHECK(*ship_file(folder.path("empty"), "s3://my-bucket/named", options.http, stop) == "s3://my-bucket/named");
    CHECK(s3.objects.count("/my-bucket/named") == 1);
  }
}

TEST_CASE("what S3 refuses is told by its code alone, without keys, tokens and signatures") {
  const test::TemporaryDirectory folder;
  const StopSignal stop;
  FakeS3 s3;
  HttpTestServer server([&](const HttpTestServer::Received& request) { return s3.answer(request); });
  test::write_file(folder.path("run.log"), "line\n");
  const auto check = [&](const HttpOptions& http, ErrorKind kind, const char* fragment) {
    const auto fetched = fetch_package({"s3://my-bucket/app.zip", "", 0}, {folder.path("cache"), 1000, http}, {}, stop);
    CHECK_ERROR(fetched, kind, fragment);
    check_no_secrets(fetched.status());
    const auto shipped = ship_file(folder.path("run.log"), "s3://my-bucket/a/", http, stop);
    if (kind == ErrorKind::kDenied) CHECK_ERROR(shipped, kind, fragment);
    check_no_secrets(shipped.status());
  };
  const HttpOptions good = s3_options(server);
  check(good, ErrorKind::kNotFound, "fetching s3://my-bucket/app.zip: the server answers 404 NoSuchKey");
  HttpOptions wrong = good;
  wrong.s3.secret_key = "wrong-secret";
  check(wrong, ErrorKind::kDenied, "the server answers 403 SignatureDoesNotMatch");
  wrong = good;
  wrong.s3.session_token = "TheToken";
  check(wrong, ErrorKind::kDenied, "the server answers 403 InvalidToken");
  wrong = good;
  wrong.s3.region = "us-east-1";
  check(wrong, ErrorKind::kDenied, "403 AuthorizationHeaderMalformed");
  wrong = good;
  wrong.s3.access_key = wrong.s3.secret_key = "";
  check(wrong, ErrorKind::kDenied, "403 AccessDenied");
  CHECK(s3.objects.size() == 1);
}

TEST_CASE("a file that becomes shorter while it is sent is told, and not waited for") {
  const test::TemporaryDirectory folder;
  const StopSignal stop;
  HttpTestServer server([](const HttpTestServer::Received&) { return test::http_answer(200, ""); });
  test::write_file(folder.path("run.log"), "line\n");
  const Descriptor file(open(folder.path("run.log").c_str(), O_RDONLY | O_CLOEXEC));
  HttpCall call;
  call.label = "shipping run.log";
  call.url = "http://" + server.address() + "/run.log";
  call.upload = file.get();
  call.upload_size = 50;
  HttpOptions options;
  options.stall_timeout = Duration{0};
  CHECK_ERROR(http_call(call, options, {}, stop), ErrorKind::kConflict,
              "shipping run.log: it became shorter while it was sent");
}

TEST_CASE("options and addresses of S3 that cannot be right are refused without being shown") {
  const test::TemporaryDirectory folder;
  const StopSignal stop;
  const auto fetch = [&](const std::string& source, const S3Options& s3) {
    FetchOptions options{folder.path("cache")};
    options.http.s3 = s3;
    options.http.attempts = 1;
    return fetch_package({source, "", 0}, options, {}, stop);
  };
  const S3Options good{"key", "wrong-secret", "", "eu-west-1", "http://127.0.0.1:1"};
  S3Options bad = good;
  bad.secret_key = "wrong-secret\r\nX: y";
  CHECK_ERROR(fetch("s3://bucket/key", bad), ErrorKind::kUsage, "s3: secret_key: has a character");
  check_no_secrets(fetch("s3://bucket/key", bad).status());
  bad = good;
  bad.session_token = "a b";
  CHECK_ERROR(fetch("s3://bucket/key", bad), ErrorKind::kUsage, "s3: session_token");
  bad = good;
  bad.access_key = "";
  CHECK_ERROR(fetch("s3://bucket/key", bad), ErrorKind::kUsage, "s3: access_key: empty");
  bad = good;
  bad.region = "eu:west";
  CHECK_ERROR(fetch("s3://bucket/key", bad), ErrorKind::kUsage, "s3: region");
  bad = good;
  bad.endpoint = "127.0.0.1:1";
  CHECK_ERROR(fetch("s3://bucket/key", bad), ErrorKind::kUsage, "s3: endpoint");
  for (const char* source : {"s3://", "s3://b/k", "s3://Bucket/k", "s3://bucket/a/../b", "s3://../bucket", "s3:///k"}) {
    CAPTURE(source);
    CHECK_ERROR(fetch(source, good), ErrorKind::kValidate, "no S3 address");
  }
  CHECK_ERROR(fetch("s3://bucket", good), ErrorKind::kValidate, "a bucket without a key");
}

TEST_CASE("without an endpoint, buckets are hosts of Amazon's region, but for those with dots") {
  const S3Options west{"", "", "", "eu-west-1", ""};
  const S3Options china{"", "", "", "cn-north-1", ""};
  const S3Options own{"", "", "", "eu-west-1", "https://s3.local:9000/"};
  CHECK(*s3_url({"bucket", "a b/c"}, west) == "https://bucket.s3.eu-west-1.amazonaws.com/a%20b/c");
  CHECK(*s3_url({"my.bucket", "k"}, west) == "https://s3.eu-west-1.amazonaws.com/my.bucket/k");
  CHECK(*s3_url({"bucket", "k"}, china) == "https://bucket.s3.cn-north-1.amazonaws.com.cn/k");
  CHECK(*s3_url({"bucket", "k"}, own) == "https://s3.local:9000/bucket/k");
}

TEST_CASE("a file is shipped to a folder whole, in place of an older one") {
  const test::TemporaryDirectory folder;
  const StopSignal stop;
  std::filesystem::create_directory(folder.path("logs"));
  test::write_file(folder.path("logs/run.log"), "older");
  test::write_file(folder.path("run.log"), "line\n");
  const auto shipped = ship_file(folder.path("run.log"), folder.path("logs"), {}, stop);
  REQUIRE_OK(shipped);
  CHECK(*shipped == folder.path("logs/run.log"));
  CHECK(test::tree_of(folder.path("logs")) ==
        std::map<std::string, std::string>{{"", "directory 755"}, {"run.log", "file 644 line\n"}});
  CHECK_ERROR(ship_file(folder.path("run.log"), folder.path("absent"), {}, stop), ErrorKind::kNotFound, "absent");
  CHECK_ERROR(ship_file(folder.path("run.log"), "logs", {}, stop), ErrorKind::kUsage, "neither an absolute path");
  CHECK_ERROR(ship_file(folder.path("absent"), folder.path("logs"), {}, stop), ErrorKind::kNotFound, "absent");
  CHECK_ERROR(ship_file(folder.path(), folder.path("logs"), {}, stop), ErrorKind::kUsage, "no regular file");
  StopSignal stopped;
  stopped.set();
  CHECK_ERROR(ship_file(folder.path("run.log"), folder.path("logs"), {}, stopped), ErrorKind::kCancelled, "stopped");
  CHECK(test::tree_of(folder.path("logs")).size() == 2);
}

}  // namespace
}  // namespace convergence
