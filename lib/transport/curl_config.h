#ifndef CONVERGENCE_LIB_TRANSPORT_CURL_CONFIG_H_
#define CONVERGENCE_LIB_TRANSPORT_CURL_CONFIG_H_

#include <string>

#include "absl/status/statusor.h"
#include "convergence/curl_transport.h"

namespace convergence {

// CurlOptions, checked, with what every request of the transport has in common worked out.
struct CurlConfig {
  CurlOptions options;
  std::string url;          // "https://host:port/"; the request's own target goes into the request line
  std::string host_header;  // empty: what follows from the URL
  std::string connect_to;   // where to connect when the URL names tls_server_name in place of the address
  std::string unix_socket;
  bool named_host = false;  // connecting needs the resolver
};

absl::StatusOr<CurlConfig> curl_config(CurlOptions options);

}  // namespace convergence

#endif  // CONVERGENCE_LIB_TRANSPORT_CURL_CONFIG_H_
