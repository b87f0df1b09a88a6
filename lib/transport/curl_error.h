#ifndef CONVERGENCE_LIB_TRANSPORT_CURL_ERROR_H_
#define CONVERGENCE_LIB_TRANSPORT_CURL_ERROR_H_

#include <curl/curl.h>

#include <string_view>

#include "absl/status/status.h"
#include "convergence/transport.h"
#include "lib/transport/curl_config.h"

namespace convergence {

// The remedy where the connection was lost after the request went out.
inline constexpr std::string_view kReadBack = "ask again; read back whether a write was carried out";

// What libcurl reports, as one of our kinds. `text` is its own description; may be empty.
absl::Status curl_failure(const HttpRequest& request, const CurlConfig& config, CURLcode code, std::string_view text);

}  // namespace convergence

#endif  // CONVERGENCE_LIB_TRANSPORT_CURL_ERROR_H_
