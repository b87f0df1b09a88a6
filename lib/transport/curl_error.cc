#include "lib/transport/curl_error.h"

#include <fmt/format.h>

#include "convergence/error.h"
#include "lib/transport/send_book.h"

namespace convergence {
namespace {

struct Meaning {
  ErrorKind kind;
  std::string_view remedy;
};

constexpr std::string_view kCheckListener = "see what listens there: it does not answer as Consul does";
constexpr std::string_view kCheckServer = "see whether Consul runs and can be reached there";
constexpr std::string_view kCheckTls = "check ca_file, tls_server_name and that the address speaks TLS";
constexpr std::string_view kCheckCertificate = "check client_cert_file and client_key_file";

Meaning meaning_of(CURLcode code, std::string_view text) {
  switch (code) {
    case CURLE_UNSUPPORTED_PROTOCOL:  // bytes without a status line: "HTTP/0.9"
    case CURLE_WEIRD_SERVER_REPLY:
    case CURLE_BAD_CONTENT_ENCODING:
    case CURLE_HTTP2:
    case CURLE_HTTP3:
      return {ErrorKind::kProtocol, kCheckListener};
    case CURLE_RECV_ERROR:
      // A broken chunk and a broken connection have one code; only the text tells them apart.
      if (text.find("chunk") != std::string_view::npos) return {ErrorKind::kProtocol, kCheckListener};
      // TLS 1.3: a server says only after the handshake that it does not take our certificate.
      if (text.find("alert") != std::string_view::npos) return {ErrorKind::kUnreachable, kCheckCertificate};
      return {ErrorKind::kUnreachable, kReadBack};
    case CURLE_GOT_NOTHING:
    case CURLE_PARTIAL_FILE:
    case CURLE_SEND_ERROR:
    case CURLE_SEND_FAIL_REWIND:
      return {ErrorKind::kUnreachable, kReadBack};
    case CURLE_SSL_CERTPROBLEM:
    case CURLE_SSL_CLIENTCERT:
      return {ErrorKind::kUnreachable, kCheckCertificate};
    case CURLE_SSL_CONNECT_ERROR:
    case CURLE_PEER_FAILED_VERIFICATION:
    case CURLE_SSL_CACERT_BADFILE:
    case CURLE_SSL_CIPHER:
    case CURLE_SSL_ISSUER_ERROR:
    case CURLE_SSL_CRL_BADFILE:
    case CURLE_SSL_INVALIDCERTSTATUS:
      return {ErrorKind::kUnreachable, kCheckTls};
    case CURLE_OUT_OF_MEMORY:
      return {ErrorKind::kTooLarge, "no memory is left, or a header is too long"};
    default:
      return {ErrorKind::kUnreachable, kCheckServer};
  }
}

}  // namespace

absl::Status curl_failure(const HttpRequest& request, const CurlConfig& config, CURLcode code, std::string_view text) {
  if (text.empty()) text = curl_easy_strerror(code);
  while (!text.empty() && (text.back() == '\n' || text.back() == '\r')) text.remove_suffix(1);
  const Meaning meaning = meaning_of(code, text);
  Json detail;
  detail.set("address", config.options.address);
  detail.set("curl", static_cast<int>(code));
  return request_error(meaning.kind, request, fmt::format("{}: {}; {}", config.options.address, text, meaning.remedy),
                       std::move(detail));
}

}  // namespace convergence
