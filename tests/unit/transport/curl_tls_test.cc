#include <doctest/doctest.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstdlib>
#include <memory>
#include <string>
#include <vector>

#include "convergence/curl_transport.h"
#include "tests/support/http_test_server.h"
#include "tests/support/temporary_directory.h"
#include "tests/support/transport_contract.h"

namespace convergence {
namespace {

using test::Results;
using test::TemporaryDirectory;

// ca.pem signs server.pem (server.dc1.consul, no address) and client.pem; other.pem signs itself.
constexpr char kMakeCertificates[] = R"(
  set -e
  key="-newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes"
  openssl req -x509 $key -keyout ca-key.pem -out ca.pem -days 2 -subj /CN=test-ca
  openssl req -x509 $key -keyout other-key.pem -out other.pem -days 2 -subj /CN=other
  for name in server client; do
    openssl req $key -keyout $name-key.pem -out $name.csr -subj /CN=$name
    echo "subjectAltName=DNS:$name.dc1.consul" > $name.ext
    openssl x509 -req -in $name.csr -CA ca.pem -CAkey ca-key.pem -CAcreateserial -days 2 -extfile $name.ext -out $name.pem
  done
  cat client.pem client-key.pem > client-both.pem
  echo "no certificate" > garbage.pem
  mkdir hashed && cp ca.pem hashed/ && openssl rehash hashed
)";

const TemporaryDirectory& certificates() {
  static const TemporaryDirectory directory;
  static const int status =
      std::system(("cd " + directory.path() + " && exec >openssl.log 2>&1; " + kMakeCertificates).c_str());
  REQUIRE_MESSAGE(status == 0, "openssl cannot make certificates; is it installed?");
  return directory;
}

std::string pem(const std::string& name) { return certificates().path(name + ".pem"); }

// `openssl s_server`: somebody else's TLS at the other end. Its standard input is what it sends, its output what it
// says and what it was sent.
class OpensslServer {
 public:
  explicit OpensslServer(const std::vector<std::string>& more) {
    std::vector<std::string> words = {"openssl", "s_server",        "-accept", "127.0.0.1:0", "-cert",    pem("server"),
                                      "-key",    pem("server-key"), "-CAfile", pem("ca"),     "-naccept", "1000"};
    words.insert(words.end(), more.begin(), more.end());
    int to[2];
    int from[2];
    REQUIRE(pipe2(to, O_CLOEXEC) == 0);
    REQUIRE(pipe2(from, O_CLOEXEC) == 0);
    std::vector<char*> arguments;
    for (std::string& word : words) arguments.push_back(word.data());
    arguments.push_back(nullptr);
    pid_ = fork();
    REQUIRE(pid_ >= 0);
    if (pid_ == 0) {
      prctl(PR_SET_PDEATHSIG, SIGKILL);
      dup2(to[0], 0);
      dup2(from[1], 1);
      dup2(from[1], 2);
      execvp(arguments[0], arguments.data());
      _exit(127);
    }
    close(to[0]);
    close(from[1]);
    input_ = to[1];
    output_ = from[0];
    constexpr char kAccept[] = "ACCEPT 127.0.0.1:";
    read_until(kAccept);
    read_until("\n", text_.find(kAccept));
    port_ = text_.substr(text_.find(kAccept) + sizeof kAccept - 1);
    port_ = port_.substr(0, port_.find('\n'));
  }
  ~OpensslServer() {
    kill(pid_, SIGKILL);
    waitpid(pid_, nullptr, 0);
    close(input_);
    close(output_);
  }
  OpensslServer(const OpensslServer&) = delete;
  OpensslServer& operator=(const OpensslServer&) = delete;

  std::string address() const { return "https://127.0.0.1:" + port_; }
  void say(const std::string& text) {
    REQUIRE(write(input_, text.data(), text.size()) == static_cast<ssize_t>(text.size()));
  }
  const std::string& read_until(const std::string& what, std::size_t from = 0) {
    while (text_.find(what, from) == std::string::npos) {
      char buffer[4096];
      const ssize_t count = read(output_, buffer, sizeof buffer);
      INFO("openssl said: ", text_);
      REQUIRE(count > 0);
      text_.append(buffer, static_cast<std::size_t>(count));
    }
    return text_;
  }

 private:
  pid_t pid_ = -1;
  int input_ = -1;
  int output_ = -1;
  std::string port_;
  std::string text_;
};

absl::StatusOr<HttpResponse> get(const CurlOptions& options) {
  const auto executor = new_loop_executor();
  auto transport = new_curl_transport(*executor, options);
  REQUIRE_OK(transport);
  Results results(*executor);
  HttpRequest request;
  request.target = "/v1/x";
  (*transport)->send(request, results.completion(""));
  REQUIRE_OK(results.wait_for(1));
  return results.all()[0].response;
}

struct Case {
  const char* name;
  void (*change)(CurlOptions&);
  const char* error;  // empty: it works
};

void check(const Case& c, CurlOptions options) {
  c.change(options);
  const absl::StatusOr<HttpResponse> response = get(options);
  if (*c.error == '\0') {
    REQUIRE_OK(response);
    CHECK(response->status == 200);
  } else {
    CHECK_ERROR(response, ErrorKind::kUnreachable, "GET /v1/x: " + options.address + ": ");
    CHECK_ERROR(response, ErrorKind::kUnreachable, c.error);
  }
}

constexpr char kCheckTls[] = "check ca_file, tls_server_name";

TEST_CASE("curl, TLS: the server's certificate and its name are verified unless told not to") {
  const Case cases[] = {
      {"authority known, name known",
       [](CurlOptions& o) {
         o.ca_file = pem("ca");
         o.tls_server_name = "server.dc1.consul";
       },
       ""},
      {"authority from a directory",
       [](CurlOptions& o) {
         o.ca_path = certificates().path("hashed");
         o.ca_file = pem("other");
         o.tls_server_name = "server.dc1.consul";
       },
       ""},
      {"by default the authority must be known", [](CurlOptions&) {}, kCheckTls},
      {"by default the name must be the address's", [](CurlOptions& o) { o.ca_file = pem("ca"); }, kCheckTls},
      {"another authority",
       [](CurlOptions& o) {
         o.ca_file = pem("other");
         o.tls_server_name = "server.dc1.consul";
       },
       kCheckTls},
      {"another name",
       [](CurlOptions& o) {
         o.ca_file = pem("ca");
         o.tls_server_name = "server.dc2.consul";
       },
       kCheckTls},
      {"an authority that is no certificate", [](CurlOptions& o) { o.ca_file = pem("garbage"); }, kCheckTls},
      {"verification off", [](CurlOptions& o) { o.verify_tls = false; }, ""},
      {"verification off, another name",
       [](CurlOptions& o) {
         o.verify_tls = false;
         o.tls_server_name = "elsewhere";
       },
       ""},
  };
  for (const Case& c : cases) {
    SUBCASE(c.name) {
      const OpensslServer server({"-www"});
      CurlOptions options;
      options.address = server.address();
      check(c, options);
    }
  }
}

TEST_CASE("curl, TLS: a server that asks for a client certificate gets ours") {
  const Case cases[] = {
      {"certificate and key",
       [](CurlOptions& o) {
         o.client_cert_file = pem("client");
         o.client_key_file = pem("client-key");
       },
       ""},
      {"both in one file", [](CurlOptions& o) { o.client_cert_file = pem("client-both"); }, ""},
      {"none", [](CurlOptions&) {}, "check client_cert_file"},
      {"of another authority",
       [](CurlOptions& o) {
         o.client_cert_file = pem("other");
         o.client_key_file = pem("other-key");
       },
       "check client_cert_file"},
      {"a key that is not the certificate's",
       [](CurlOptions& o) {
         o.client_cert_file = pem("client");
         o.client_key_file = pem("other-key");
       },
       "check client_cert_file"},
      {"a certificate that is none",
       [](CurlOptions& o) {
         o.client_cert_file = pem("garbage");
         o.client_key_file = pem("client-key");
       },
       "check client_cert_file"},
  };
  for (const Case& c : cases) {
    SUBCASE(c.name) {
      const OpensslServer server({"-www", "-Verify", "1", "-verify_return_error"});
      CurlOptions options;
      options.address = server.address();
      options.ca_file = pem("ca");
      options.tls_server_name = "server.dc1.consul";
      check(c, options);
    }
  }
}

TEST_CASE("curl, TLS: tls_server_name changes what is verified and asked for, not the Host header") {
  OpensslServer server(
      {"-servername", "server.dc1.consul", "-cert2", pem("server"), "-key2", pem("server-key"), "-servername_fatal"});
  CurlOptions options;
  options.address = server.address();
  options.ca_file = pem("ca");
  options.tls_server_name = "server.dc1.consul";
  const auto executor = new_loop_executor();
  auto transport = new_curl_transport(*executor, options);
  REQUIRE_OK(transport);
  Results results(*executor);
  HttpRequest request;
  request.target = "/v1/x";
  (*transport)->send(request, results.completion(""));
  const std::string said = server.read_until("\r\n\r\n");
  CHECK(said.find("GET /v1/x HTTP/1.1\r\n") != std::string::npos);
  CHECK(said.find("Host: " + server.address().substr(8) + "\r\n") != std::string::npos);
  server.say("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok");
  REQUIRE_OK(results.wait_for(1));
  REQUIRE_OK(results.all()[0].response);
  CHECK(results.all()[0].response->body == "ok");
}

TEST_CASE("curl, TLS: a server that speaks none") {
  test::HttpTestServer server([](const test::HttpTestServer::Received&) { return test::http_answer(200, "plain"); });
  CurlOptions options;
  options.address = "https://" + server.address();
  CHECK_ERROR(get(options), ErrorKind::kUnreachable, "that the address speaks TLS");
}

}  // namespace
}  // namespace convergence
