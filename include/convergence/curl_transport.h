#ifndef CONVERGENCE_CURL_TRANSPORT_H_
#define CONVERGENCE_CURL_TRANSPORT_H_

#include <cstdint>
#include <functional>
#include <memory>
#include <string>

#include "absl/status/statusor.h"
#include "convergence/executor.h"
#include "convergence/time.h"
#include "convergence/transport.h"

namespace convergence {

struct CurlOptions {
  // "host:port", "http://host:port", "https://host:port" or "unix:///path", as CONSUL_HTTP_ADDR. Proxies that the
  // environment names are not used.
  std::string address = "127.0.0.1:8500";
  std::string token{};  // sent as X-Consul-Token
  // Asked at each request in place of `token`, which may be rotated so; a text with a line break is not sent. Called on
  // the transport's thread.
  std::function<std::string()> token_now{};
  std::string basic_auth{};                             // "user:password", as CONSUL_HTTP_AUTH
  bool verify_tls = true;                               // peer and host name
  std::string ca_file{};                                // PEM; empty: the system's
  std::string ca_path{};                                // directory of hashed PEM files
  std::string client_cert_file{};                       // PEM
  std::string client_key_file{};                        // PEM
  std::string tls_server_name{};                        // name to verify in place of the address's host
  Duration connect_timeout = std::chrono::seconds(5);   // with TLS until its handshake is done; then kUnreachable
  Duration default_timeout = std::chrono::minutes(11);  // of sends without a deadline: above Consul's longest wait
  // To this address; what is over waits for one to be free. Consul resets the 201st (performance.md 4).
  std::int32_t max_connections = 64;
  bool init_curl = true;  // false: the host has called curl_global_init itself
};

// A transport over libcurl's multi interface: one I/O thread however many requests are under way, connections kept
// alive. FAILED_PRECONDITION kind "usage" for options that contradict themselves. A read is sent again
// when a kept connection ends before its answer, a write never is. `executor` must outlive it, and post() of it be
// callable from the I/O thread.
absl::StatusOr<std::unique_ptr<Transport>> new_curl_transport(Executor& executor, CurlOptions options);

}  // namespace convergence

#endif  // CONVERGENCE_CURL_TRANSPORT_H_
