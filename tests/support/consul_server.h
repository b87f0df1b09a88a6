#ifndef CONVERGENCE_TESTS_SUPPORT_CONSUL_SERVER_H_
#define CONVERGENCE_TESTS_SUPPORT_CONSUL_SERVER_H_

#include <curl/curl.h>
#include <sys/types.h>

#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"

namespace convergence::test {

// The consul binary to test against. CONVERGENCE_CONSUL_BIN names it; otherwise fetch_consul.sh is asked, once in a
// program. NOT_FOUND with the reason when the machine can have none; anything else is a mistake in the settings.
absl::StatusOr<std::string> consul_binary();

struct ConsulServerOptions {
  // A JSON object merged over the fixture's own configuration, as consul merges its files. Consul refuses the 201st
  // connection of one client unless limits.http_max_conns_per_client says otherwise.
  std::string extra_config = {};
  bool tls = false;              // HTTPS only, under a certificate authority made for this server
  bool verify_incoming = false;  // with tls: clients must show a certificate of that authority
  bool unix_socket = false;      // HTTP on a unix socket only
  bool acl = false;              // ACLs on, default deny, bootstrapped: see token()
};

// An answer as it came, for tests that want to see it with other eyes than our client's.
struct RawAnswer {
  int status = 0;
  std::map<std::string, std::string> headers;  // names in lower case
  std::string body;
};

// A real Consul: one server, not -dev, in a temporary directory, on loopback ports that stay its own as long as this
// object lives. It dies with the object, and with the process if that is killed first; it must therefore be started
// by a thread that lives as long (the main one). CONVERGENCE_KEEP_CONSUL=1 keeps the directory.
class ConsulServer {
 public:
  // Returns when the server leads itself, is in its own catalog and has answered with its token.
  static absl::StatusOr<std::unique_ptr<ConsulServer>> start(const ConsulServerOptions& options = {});
  ~ConsulServer();
  ConsulServer(const ConsulServer&) = delete;
  ConsulServer& operator=(const ConsulServer&) = delete;

  // As CONSUL_HTTP_ADDR: "127.0.0.1:8500", "https://127.0.0.1:8501" or "unix:///path".
  std::string address() const;
  int http_port() const { return http_port_; }
  const std::string& token() const { return token_; }  // of management; empty without acl
  const std::string& directory() const { return directory_; }
  const std::string& version() const { return version_; }  // "1.8.7"
  bool version_at_least(int major, int minor) const;
  pid_t pid() const { return pid_; }  // 0 when not running

  // With tls: what a client needs.
  std::string ca_file() const { return directory_ + "/consul-agent-ca.pem"; }
  std::string client_cert_file() const { return directory_ + "/dc1-client-consul-0.pem"; }
  std::string client_key_file() const { return directory_ + "/dc1-client-consul-0-key.pem"; }

  absl::Status stop();     // SIGTERM, then SIGKILL; the data stays
  absl::Status kill();     // SIGKILL
  absl::Status restart();  // stops if it runs; same ports, same data; waits as start does

  // One request with the right address, authority, client certificate and, unless `with_token` is false, token.
  absl::StatusOr<RawAnswer> request(std::string_view method, std::string_view path, std::string_view body = {},
                                    bool with_token = true) const;
  // The server's log so far.
  std::string log() const;

 private:
  ConsulServer() = default;
  absl::Status prepare();
  absl::Status make_certificates();
  absl::Status reserve_ports();
  void release_ports();
  absl::Status write_config() const;
  absl::Status start_on_free_ports();
  absl::Status launch();
  absl::Status launch_and_wait();
  absl::Status wait_until_ready();
  absl::Status bootstrap_acl();
  bool in_own_catalog() const;
  void set_target(CURL* curl, std::string_view path) const;
  bool exited();
  void signal_and_reap(int signal_number, int patience_ms);

  ConsulServerOptions options_;
  std::string binary_;
  std::string version_;
  std::string directory_;
  std::string token_;
  std::vector<int> reserved_;  // bound sockets that never listen: nobody else is given these ports
  int http_port_ = 0;
  int serf_port_ = 0;
  int server_port_ = 0;
  pid_t pid_ = 0;
};

}  // namespace convergence::test

#endif  // CONVERGENCE_TESTS_SUPPORT_CONSUL_SERVER_H_
