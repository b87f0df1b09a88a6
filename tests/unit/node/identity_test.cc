#include <doctest/doctest.h>

#include <fstream>
#include <map>
#include <memory>
#include <string>

#include "convergence/curl_transport.h"
#include "convergence/node_facts.h"
#include "tests/support/http_test_server.h"
#include "tests/support/status_check.h"
#include "tests/support/temporary_directory.h"

namespace convergence {
namespace {

using test::http_answer;
using test::HttpTestServer;

constexpr char kMetadataToken[] = "AQAEAtoken==";
constexpr char kTagList[] = "/latest/meta-data/tags/instance";

// Instance metadata as EC2's version 2 serves it: without the token that a PUT gave, 401.
struct FakeEc2 {
  explicit FakeEc2(std::map<std::string, std::string> of_tags, bool with_tags = true)
      : tags(std::move(of_tags)),
        tags_are_on(with_tags),
        server([this](const HttpTestServer::Received& request) { return answer(request); }) {
    CurlOptions options;
    options.address = server.address();
    auto made = new_curl_transport(*executor, options);
    REQUIRE_OK(made);
    transport = *std::move(made);
  }

  HttpTestServer::Answer answer(const HttpTestServer::Received& request) const {
    if (request.target == "/latest/api/token") {
      const bool right = request.method == "PUT" && !request.header("x-aws-ec2-metadata-token-ttl-seconds").empty();
      return right ? http_answer(200, kMetadataToken) : http_answer(400, "");
    }
    if (request.method != "GET" || request.header("x-aws-ec2-metadata-token") != kMetadataToken) {
      return http_answer(401, "");
    }
    if (request.target == "/latest/meta-data/instance-id") return http_answer(200, "i-0abc");
    if (!tags_are_on) return http_answer(404, "<html>not here</html>");
    if (request.target == kTagList) {
      std::string names;
      for (const auto& [name, value] : tags) names += (names.empty() ? "" : "\n") + name;
      return http_answer(200, names);
    }
    for (const auto& [name, value] : tags) {
      const std::string encoded = name == "a:b" ? "a%3Ab" : name;
      if (request.target == std::string(kTagList) + "/" + encoded) return http_answer(200, value);
    }
    return http_answer(404, "");
  }

  const std::map<std::string, std::string> tags;
  const bool tags_are_on;
  std::unique_ptr<Executor> executor = new_thread_executor();
  HttpTestServer server;
  std::unique_ptr<Transport> transport;
};

const std::map<std::string, std::string> kTags = {{"Environment", "prod"},
                                                  {"EnvironmentType", "Cloud"},
                                                  {"OwningCluster", "tango"},
                                                  {"Role", "web"},
                                                  {"a:b", "x"},
                                                  {"Empty", ""}};
constexpr Duration kLong = std::chrono::hours(1);

TEST_CASE("an EC2 instance says who it is, with a token") {
  FakeEc2 ec2(kTags);
  IdentitySources sources;
  sources.ec2 = ec2.transport.get();
  sources.required = {"environment", "environment_type", "role", "cluster", "instance"};
  const auto identity = find_identity(sources, *ec2.executor, kLong);
  REQUIRE_OK(identity);
  CHECK(*identity == Identity{.environment = "prod",
                              .environment_type = "Cloud",
                              .role = "web",
                              .cluster = "tango",
                              .instance = "i-0abc",
                              .tags = kTags});
  CHECK(ec2.server.received().front().method == "PUT");
}

// W-A32: there the text "None" became the role.
TEST_CASE("a tag that is missing or empty is refused by its name") {
  for (const bool empty : {false, true}) {
    std::map<std::string, std::string> tags = {{"Environment", "prod"}};
    if (empty) tags["Role"] = "";
    FakeEc2 ec2(tags);
    IdentitySources sources;
    sources.ec2 = ec2.transport.get();
    CHECK_ERROR(find_identity(sources, *ec2.executor, kLong), ErrorKind::kNotFound,
                "identity: no role: give --role or CONVERGENCE_ROLE, or the instance the tag Role");
    sources.required.push_back("cluster");
    CHECK_ERROR(find_identity(sources, *ec2.executor, kLong), ErrorKind::kNotFound, "the tag Role; no cluster: give");
    sources.required = {"environment", "instance"};
    const auto identity = find_identity(sources, *ec2.executor, kLong);
    REQUIRE_OK(identity);
    CHECK(identity->role.empty());
  }
}

TEST_CASE("an instance that does not show its tags is refused like one without") {
  FakeEc2 ec2(kTags, false);
  IdentitySources sources;
  sources.ec2 = ec2.transport.get();
  CHECK_ERROR(find_identity(sources, *ec2.executor, kLong), ErrorKind::kNotFound, "no environment: give");
  const auto identity = ec2_identity(*ec2.transport, *ec2.executor, kLong);
  REQUIRE_OK(identity);
  CHECK(identity->instance == "i-0abc");
  CHECK(identity->tags.empty());
}

TEST_CASE("flags go before the environment, that before the file, that before EC2, each part by itself") {
  test::TemporaryDirectory folder;
  std::ofstream(folder.path("identity"))
      << "# who we are\nCONVERGENCE_ENVIRONMENT=of-file\nCONVERGENCE_ROLE=\"of file\"\n"
         "CONVERGENCE_CLUSTER=of-file\nOTHER=1\n";
  FakeEc2 ec2(kTags);
  IdentitySources sources;
  sources.flags.environment = "of-flag";
  sources.environment = {
      {"CONVERGENCE_ENVIRONMENT", "of-variable"}, {"CONVERGENCE_ROLE", "of-variable"}, {"CONVERGENCE_CLUSTER", ""}};
  sources.file = folder.path("identity");
  sources.ec2 = ec2.transport.get();
  const auto identity = find_identity(sources, *ec2.executor, kLong);
  REQUIRE_OK(identity);
  CHECK(identity->environment == "of-flag");
  CHECK(identity->role == "of-variable");
  CHECK(identity->cluster == "of-file");
  CHECK(identity->environment_type == "Cloud");
  CHECK(identity->instance == "i-0abc");
}

TEST_CASE("EC2 is not asked for what is known, unless for its tags") {
  FakeEc2 ec2(kTags);
  IdentitySources sources;
  sources.flags = {.environment = "e", .role = "r", .instance = "i"};
  sources.ec2 = ec2.transport.get();
  REQUIRE_OK(find_identity(sources, *ec2.executor, kLong));
  CHECK(ec2.server.received().empty());
  sources.all_tags = true;
  const auto identity = find_identity(sources, *ec2.executor, kLong);
  REQUIRE_OK(identity);
  CHECK(identity->instance == "i");
  CHECK(identity->tags == kTags);
}

TEST_CASE("without EC2 what is missing is said, and that EC2 was asked in vain") {
  const auto executor = new_thread_executor();
  IdentitySources sources;
  CHECK_ERROR(find_identity(sources, *executor), ErrorKind::kNotFound,
              "identity: no environment: give --environment or CONVERGENCE_ENVIRONMENT; no role: give --role or "
              "CONVERGENCE_ROLE; no instance: give --instance or CONVERGENCE_INSTANCE");
  struct Case {
    const char* name;
    HttpTestServer::Answer answer;
    ErrorKind kind;
  };
  const std::vector<Case> cases = {
      {"another server", http_answer(404, "no"), ErrorKind::kProtocol},
      {"metadata is off", http_answer(403, ""), ErrorKind::kDenied},
      {"no HTTP", test::raw_answer(""), ErrorKind::kUnreachable},
  };
  for (const Case& c : cases) {
    CAPTURE(c.name);
    HttpTestServer server([&](const HttpTestServer::Received&) { return c.answer; });
    CurlOptions options;
    options.address = server.address();
    const auto transport = new_curl_transport(*executor, options);
    REQUIRE_OK(transport);
    sources.ec2 = transport->get();
    CHECK_ERROR(find_identity(sources, *executor, kLong), ErrorKind::kNotFound, "EC2 was asked: EC2 metadata: ");
    CHECK_ERROR(ec2_identity(**transport, *executor, kLong), c.kind, "EC2 metadata: ");
  }
}

TEST_CASE("a metadata service that never answers has its time") {
  const auto executor = new_thread_executor();
  HttpTestServer server([](const HttpTestServer::Received&) { return test::http_hold(); });
  CurlOptions options;
  options.address = server.address();
  const auto transport = new_curl_transport(*executor, options);
  REQUIRE_OK(transport);
  CHECK_ERROR(ec2_identity(**transport, *executor, std::chrono::milliseconds(1)), ErrorKind::kTimeout, "no answer");
}

TEST_CASE("identity is not asked for inside a task, nor by a name that is none") {
  FakeEc2 ec2(kTags);
  IdentitySources sources;
  sources.ec2 = ec2.transport.get();
  std::atomic<bool> done{false};
  absl::Status inside;
  ec2.executor->post([&] {
    inside = find_identity(sources, *ec2.executor, kLong).status();
    done = true;
  });
  REQUIRE_OK(ec2.executor->wait_until([&] { return done.load(); }, kNever));
  CHECK_ERROR(inside, ErrorKind::kUsage, "inside one of its own tasks");
  sources.required = {"colour"};
  CHECK_ERROR(find_identity(sources, *ec2.executor, kLong), ErrorKind::kUsage, "there is no part \"colour\"");
}

TEST_CASE("environment files") {
  const auto values = read_environment_file("\n# c\n; d\nA=1\r\n B = two words \nC=\"q u\"\nD='x\"'\nA=2\nE=\nF=a=b");
  REQUIRE_OK(values);
  CHECK(*values == std::map<std::string, std::string>{
                       {"A", "2"}, {"B", "two words"}, {"C", "q u"}, {"D", "x\""}, {"E", ""}, {"F", "a=b"}});
  CHECK_ERROR(read_environment_file("A=1\nnonsense\n"), ErrorKind::kDecode, "\"nonsense\" is not NAME=value");
  CHECK_ERROR(read_environment_file("=1"), ErrorKind::kDecode, "is not NAME=value");
  test::TemporaryDirectory folder;
  const auto executor = new_thread_executor();
  IdentitySources sources;
  sources.file = folder.path("none");
  CHECK_ERROR(find_identity(sources, *executor), ErrorKind::kNotFound, "none: No such file");
  std::ofstream(folder.path("bad")) << "bad\n";
  sources.file = folder.path("bad");
  CHECK_ERROR(find_identity(sources, *executor), ErrorKind::kDecode, "bad: environment file: \"bad\"");
}

}  // namespace
}  // namespace convergence
