// The fixture itself: each kind of server is what it says it is, seen by plain libcurl.
#include <curl/curl.h>
#include <doctest/doctest.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <memory>
#include <string>

#include "tests/support/consul_server.h"
#include "tests/support/status_check.h"

namespace convergence::test {
namespace {

std::string body_of(const absl::StatusOr<RawAnswer>& answer) {
  return answer.ok() ? answer->body : answer.status().ToString();
}

int status_of_answer(const absl::StatusOr<RawAnswer>& answer) { return answer.ok() ? answer->status : -1; }

std::size_t drop_body(char*, std::size_t size, std::size_t count, void*) { return size * count; }

// What a client without our settings sees.
CURLcode get_with(const std::string& url, const std::string& ca_file, const std::string& cert_file,
                  const std::string& key_file) {
  CURL* curl = curl_easy_init();
  curl_easy_setopt(curl, CURLOPT_URL, url.c_str());
  curl_easy_setopt(curl, CURLOPT_NOPROXY, "*");
  curl_easy_setopt(curl, CURLOPT_WRITEFUNCTION, drop_body);
  if (!ca_file.empty()) {
    curl_easy_setopt(curl, CURLOPT_CAINFO, ca_file.c_str());
  }
  if (!cert_file.empty()) {
    curl_easy_setopt(curl, CURLOPT_SSLCERT, cert_file.c_str());
    curl_easy_setopt(curl, CURLOPT_SSLKEY, key_file.c_str());
  }
  const CURLcode code = curl_easy_perform(curl);
  curl_easy_cleanup(curl);
  return code;
}

// A dead process that its new parent has not yet taken notice of does not run.
bool is_running(pid_t pid) {
  std::ifstream file("/proc/" + std::to_string(pid) + "/stat");
  std::string line;
  std::getline(file, line);
  return !line.empty() && line.find(") Z ") == std::string::npos;
}

TEST_CASE("a plain server keeps its data over restart and kill") {
  auto server = ConsulServer::start();
  REQUIRE_OK(server.status());
  ConsulServer& consul = **server;
  CHECK(consul.address() == "127.0.0.1:" + std::to_string(consul.http_port()));
  CHECK(consul.token().empty());
  CHECK(consul.version_at_least(1, 8));
  CHECK_FALSE(consul.version_at_least(99, 0));

  const auto put = consul.request("PUT", "/v1/kv/fixture", "kept");
  CHECK(body_of(put) == "true");
  CHECK(body_of(consul.request("GET", "/v1/kv/fixture?raw")) == "kept");
  // Not -dev: that indents every answer.
  CHECK(body_of(consul.request("GET", "/v1/kv/fixture?keys")) == R"(["fixture"])");
  const auto read = consul.request("GET", "/v1/kv/fixture");
  REQUIRE_OK(read.status());
  CHECK_FALSE(read->headers.at("x-consul-index").empty());

  const std::string address = consul.address();
  const pid_t first = consul.pid();
  CHECK(is_running(first));
  CHECK_OK(consul.restart());
  CHECK(consul.pid() != first);
  CHECK_FALSE(is_running(first));
  CHECK(consul.address() == address);
  CHECK(body_of(consul.request("GET", "/v1/kv/fixture?raw")) == "kept");

  CHECK_OK(consul.kill());
  CHECK(consul.pid() == 0);
  CHECK_FALSE(consul.request("GET", "/v1/status/leader").ok());
  CHECK_OK(consul.restart());
  CHECK(body_of(consul.request("GET", "/v1/kv/fixture?raw")) == "kept");
}

TEST_CASE("the server and its directory end with the object") {
  auto server = ConsulServer::start();
  REQUIRE_OK(server.status());
  const pid_t pid = (*server)->pid();
  const std::string directory = (*server)->directory();
  CHECK(std::filesystem::exists(directory + "/data"));
  server->reset();
  CHECK_FALSE(is_running(pid));
  CHECK_FALSE(std::filesystem::exists(directory));
}

TEST_CASE("the server ends with a process that is killed") {
  int ends[2];
  REQUIRE(pipe(ends) == 0);
  const pid_t host = fork();
  if (host == 0) {
    auto server = ConsulServer::start();
    const pid_t pid = server.ok() ? (*server)->pid() : 0;
    (void)!write(ends[1], &pid, sizeof pid);
    pause();
    _exit(0);
  }
  close(ends[1]);
  pid_t consul = 0;
  REQUIRE(read(ends[0], &consul, sizeof consul) == sizeof consul);
  REQUIRE(consul > 0);
  CHECK(is_running(consul));
  const std::string directory = std::filesystem::read_symlink("/proc/" + std::to_string(consul) + "/cwd");
  ::kill(host, SIGKILL);
  CHECK(waitpid(host, nullptr, 0) == host);
  for (int tries = 0; tries < 1000 && is_running(consul); ++tries) {
    usleep(10000);
  }
  CHECK_FALSE(is_running(consul));
  close(ends[0]);
  std::filesystem::remove_all(directory);
}

TEST_CASE("the ports of a living server are given to nobody, also while it is down") {
  auto server = ConsulServer::start();
  REQUIRE_OK(server.status());
  CHECK_OK((*server)->stop());
  const int port = (*server)->http_port();
  auto other = ConsulServer::start();
  REQUIRE_OK(other.status());
  CHECK((*other)->http_port() != port);
  CHECK_OK((*server)->restart());
}

TEST_CASE("extra configuration is merged, and a bad one is told with consul's own words") {
  auto server = ConsulServer::start({.extra_config = R"({"node_meta": {"fixture-key": "fixture-value"}})"});
  REQUIRE_OK(server.status());
  CHECK(body_of((*server)->request("GET", "/v1/agent/self")).find("fixture-value") != std::string::npos);

  const auto bad = ConsulServer::start({.extra_config = R"({"no_such_setting": 1})"});
  CHECK_FALSE(bad.ok());
  CHECK(bad.status().ToString().find("no_such_setting") != std::string::npos);
}

TEST_CASE("a TLS server answers only over TLS, with a certificate of its own authority") {
  auto server = ConsulServer::start({.tls = true});
  REQUIRE_OK(server.status());
  const ConsulServer& consul = **server;
  const std::string port = std::to_string(consul.http_port());
  CHECK(consul.address() == "https://127.0.0.1:" + port);
  CHECK(status_of_answer(consul.request("GET", "/v1/status/leader")) == 200);
  const std::string url = consul.address() + "/v1/status/leader";
  CHECK(get_with(url, consul.ca_file(), "", "") == CURLE_OK);
  CHECK(get_with(url, "", "", "") == CURLE_PEER_FAILED_VERIFICATION);
  CHECK(get_with("https://localhost:" + port + "/v1/status/leader", consul.ca_file(), "", "") == CURLE_OK);
  // Plain HTTP gets a complaint of Go's TLS server, never an answer of Consul's.
  CURL* curl = curl_easy_init();
  long status = 0;
  curl_easy_setopt(curl, CURLOPT_URL, ("http://127.0.0.1:" + port + "/v1/status/leader").c_str());
  curl_easy_setopt(curl, CURLOPT_NOPROXY, "*");
  curl_easy_setopt(curl, CURLOPT_WRITEFUNCTION, drop_body);
  CHECK(curl_easy_perform(curl) == CURLE_OK);
  curl_easy_getinfo(curl, CURLINFO_RESPONSE_CODE, &status);
  curl_easy_cleanup(curl);
  CHECK(status == 400);
}

TEST_CASE("a TLS server that verifies its clients turns away those without a certificate") {
  auto server = ConsulServer::start({.tls = true, .verify_incoming = true});
  REQUIRE_OK(server.status());
  const ConsulServer& consul = **server;
  const std::string url = consul.address() + "/v1/status/leader";
  CHECK(get_with(url, consul.ca_file(), consul.client_cert_file(), consul.client_key_file()) == CURLE_OK);
  CHECK(get_with(url, consul.ca_file(), "", "") != CURLE_OK);
}

TEST_CASE("a server on a unix socket listens nowhere else") {
  auto server = ConsulServer::start({.unix_socket = true});
  REQUIRE_OK(server.status());
  const ConsulServer& consul = **server;
  REQUIRE(consul.address().substr(0, 8) == "unix:///");
  CHECK(std::filesystem::is_socket(consul.address().substr(7)));
  CHECK(status_of_answer(consul.request("GET", "/v1/status/leader")) == 200);
  CHECK(get_with("http://127.0.0.1:" + std::to_string(consul.http_port()) + "/v1/status/leader", "", "", "") ==
        CURLE_COULDNT_CONNECT);
}

TEST_CASE("an ACL server denies by default and obeys its token") {
  auto server = ConsulServer::start({.acl = true});
  REQUIRE_OK(server.status());
  ConsulServer& consul = **server;
  CHECK(consul.token().size() == 36);
  CHECK(status_of_answer(consul.request("PUT", "/v1/kv/fixture", "x", false)) == 403);
  CHECK(body_of(consul.request("PUT", "/v1/kv/fixture", "x")) == "true");
  CHECK(body_of(consul.request("GET", "/v1/kv/fixture?raw")) == "x");
  CHECK(body_of(consul.request("GET", "/v1/catalog/nodes", "", false)) == "[]");
  const auto self = consul.request("GET", "/v1/acl/token/self");
  CHECK(body_of(self).find("global-management") != std::string::npos);
  CHECK_OK(consul.restart());
  CHECK(status_of_answer(consul.request("PUT", "/v1/kv/fixture", "y", false)) == 403);
  CHECK(body_of(consul.request("PUT", "/v1/kv/fixture", "y")) == "true");
}

}  // namespace
}  // namespace convergence::test
