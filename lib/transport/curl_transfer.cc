#include "lib/transport/curl_transfer.h"

#include <fmt/format.h>

#include <algorithm>
#include <new>
#include <string>
#include <utility>

#include "convergence/error.h"
#include "lib/transport/curl_error.h"
#include "lib/transport/send_book.h"

namespace convergence {
namespace {

constexpr std::size_t kMaxHeaderBytes = std::size_t{256} << 10;

char to_lower(char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c; }

std::string to_lower(std::string_view text) {
  std::string lower(text);
  std::transform(lower.begin(), lower.end(), lower.begin(), [](char c) { return to_lower(c); });
  return lower;
}

std::string_view trim(std::string_view text) {
  const std::size_t begin = text.find_first_not_of(" \t\r\n");
  if (begin == std::string_view::npos) return {};
  return text.substr(begin, text.find_last_not_of(" \t\r\n") - begin + 1);
}

bool has_header(const HttpRequest& request, std::string_view name) {
  return std::any_of(request.headers.begin(), request.headers.end(),
                     [&](const auto& header) { return to_lower(header.first) == name; });
}

long milliseconds(Duration duration) {
  return static_cast<long>(std::chrono::duration_cast<std::chrono::milliseconds>(duration).count());
}

template <typename T>
bool set(CURL* easy, CURLoption option, T value) {
  return curl_easy_setopt(easy, option, value) == CURLE_OK;
}

bool set_text(CURL* easy, CURLoption option, const std::string& value) {
  return value.empty() || set(easy, option, value.c_str());
}

}  // namespace

std::unique_ptr<CurlTransfer> CurlTransfer::make(const CurlConfig& config, Transport::SendId send,
                                                 HttpRequest request) {
  std::unique_ptr<CurlTransfer> transfer(new CurlTransfer(config, send, std::move(request)));
  return transfer->prepare() ? std::move(transfer) : nullptr;
}

CurlTransfer::CurlTransfer(const CurlConfig& config, Transport::SendId send, HttpRequest request)
    : config_(config), send_(send), request_(std::move(request)), easy_(curl_easy_init()) {}

CurlTransfer::~CurlTransfer() {
  curl_easy_cleanup(easy_);
  curl_slist_free_all(headers_);
  curl_slist_free_all(connect_to_);
}

bool CurlTransfer::prepare() {
  if (easy_ == nullptr) return false;
  const auto cap = static_cast<curl_off_t>(std::min<std::size_t>(request_.max_body, std::size_t{1} << 62));
  return set(easy_, CURLOPT_URL, config_.url.c_str()) &&
         set(easy_, CURLOPT_REQUEST_TARGET, request_.target.c_str()) &&  // byte for byte, whatever curl thinks of it
         set(easy_, CURLOPT_PRIVATE, this) && set(easy_, CURLOPT_ERRORBUFFER, text_.data()) &&
         set(easy_, CURLOPT_WRITEFUNCTION, &CurlTransfer::on_body) && set(easy_, CURLOPT_WRITEDATA, this) &&
         set(easy_, CURLOPT_HEADERFUNCTION, &CurlTransfer::on_header) && set(easy_, CURLOPT_HEADERDATA, this) &&
         set(easy_, CURLOPT_PREREQFUNCTION, &CurlTransfer::on_sending) && set(easy_, CURLOPT_PREREQDATA, this) &&
         set(easy_, CURLOPT_MAXFILESIZE_LARGE, cap) && set_method() && add_headers() && set_connection() && set_tls();
}

bool CurlTransfer::set_method() {
  const bool with_body = !request_.body.empty() || request_.method == "PUT" || request_.method == "POST";
  if (with_body) {
    if (!set(easy_, CURLOPT_POST, 1L) || !set(easy_, CURLOPT_POSTFIELDS, request_.body.data()) ||
        !set(easy_, CURLOPT_POSTFIELDSIZE_LARGE, static_cast<curl_off_t>(request_.body.size()))) {
      return false;
    }
  } else if (request_.method == "HEAD" && !set(easy_, CURLOPT_NOBODY, 1L)) {
    return false;
  }
  return set(easy_, CURLOPT_CUSTOMREQUEST, request_.method.c_str());
}

bool CurlTransfer::add_headers() {
  const CurlOptions& options = config_.options;
  // curl would wait a second for "100 Continue", and call every body a form.
  bool good = add_header("Expect:");
  if (!has_header(request_, "content-type")) good = good && add_header("Content-Type:");
  if (!config_.host_header.empty()) good = good && add_header("Host: " + config_.host_header);
  const std::string token = options.token_now ? options.token_now() : options.token;
  const bool one_line = token.find_first_of("\r\n") == std::string::npos;
  if (!token.empty() && one_line && !has_header(request_, "x-consul-token")) {
    good = good && add_header("X-Consul-Token: " + token);
  }
  if (!options.basic_auth.empty() && !has_header(request_, "authorization")) {
    good =
        good && set(easy_, CURLOPT_HTTPAUTH, CURLAUTH_BASIC) && set(easy_, CURLOPT_USERPWD, options.basic_auth.c_str());
  }
  for (const auto& [name, value] : request_.headers) {
    // "Name:" would tell curl to leave the header out; "Name;" is its spelling of an empty one.
    good = good && add_header(trim(value).empty() ? name + ";" : name + ": " + value);
  }
  return good && set(easy_, CURLOPT_HTTPHEADER, headers_);
}

bool CurlTransfer::add_header(const std::string& line) {
  curl_slist* longer = curl_slist_append(headers_, line.c_str());
  if (longer == nullptr) return false;
  headers_ = longer;
  return true;
}

bool CurlTransfer::set_connection() {
  if (!config_.connect_to.empty()) {
    connect_to_ = curl_slist_append(nullptr, config_.connect_to.c_str());
    if (connect_to_ == nullptr || !set(easy_, CURLOPT_CONNECT_TO, connect_to_)) return false;
  }
#if LIBCURL_VERSION_NUM >= 0x075500
  const bool protocols = set(easy_, CURLOPT_PROTOCOLS_STR, "http,https");
#else
  const bool protocols = set(easy_, CURLOPT_PROTOCOLS, static_cast<long>(CURLPROTO_HTTP | CURLPROTO_HTTPS));
#endif
#if LIBCURL_VERSION_NUM >= 0x075700
  // A cancelled send must not make the I/O thread wait for a slow name server.
  set(easy_, CURLOPT_QUICK_EXIT, 1L);
#endif
  return protocols && set_text(easy_, CURLOPT_UNIX_SOCKET_PATH, config_.unix_socket) &&
         set(easy_, CURLOPT_HTTP_VERSION, static_cast<long>(CURL_HTTP_VERSION_1_1)) &&
         set(easy_, CURLOPT_HTTP09_ALLOWED, 0L) && set(easy_, CURLOPT_FOLLOWLOCATION, 0L) &&
         set(easy_, CURLOPT_NOSIGNAL, 1L) && set(easy_, CURLOPT_PROXY, "") && set(easy_, CURLOPT_TCP_NODELAY, 1L) &&
         set(easy_, CURLOPT_TCP_KEEPALIVE, 1L) && set(easy_, CURLOPT_TCP_KEEPIDLE, 30L) &&
         set(easy_, CURLOPT_TCP_KEEPINTVL, 15L) &&
         set(easy_, CURLOPT_CONNECTTIMEOUT_MS, milliseconds(config_.options.connect_timeout));
}

bool CurlTransfer::set_tls() {
  const CurlOptions& options = config_.options;
  return set(easy_, CURLOPT_SSLVERSION, static_cast<long>(CURL_SSLVERSION_TLSv1_2)) &&
         set(easy_, CURLOPT_SSL_VERIFYPEER, options.verify_tls ? 1L : 0L) &&
         set(easy_, CURLOPT_SSL_VERIFYHOST, options.verify_tls ? 2L : 0L) &&
         set_text(easy_, CURLOPT_CAINFO, options.ca_file) && set_text(easy_, CURLOPT_CAPATH, options.ca_path) &&
         set_text(easy_, CURLOPT_SSLCERT, options.client_cert_file) &&
         set_text(easy_, CURLOPT_SSLKEY, options.client_key_file);
}

// The callbacks are called by C code: nothing may be thrown through it. A short count stops the transfer.
std::size_t CurlTransfer::on_body(char* data, std::size_t size, std::size_t count, void* self) noexcept {
  auto* transfer = static_cast<CurlTransfer*>(self);
  try {
    return transfer->add_body(std::string_view(data, size * count));
  } catch (const std::bad_alloc&) {
    transfer->no_memory_ = true;
    return 0;
  }
}

std::size_t CurlTransfer::on_header(char* data, std::size_t size, std::size_t count, void* self) noexcept {
  auto* transfer = static_cast<CurlTransfer*>(self);
  try {
    return transfer->add_header_line(std::string_view(data, size * count));
  } catch (const std::bad_alloc&) {
    transfer->no_memory_ = true;
    return 0;
  }
}

// curl sends again by itself when a kept connection ends before the answer begins. Consul may have carried the request
// out by then, so a write is not sent a second time: only its caller can know what that would mean.
int CurlTransfer::on_sending(void* self, char*, char*, int, int) noexcept {
  auto* transfer = static_cast<CurlTransfer*>(self);
  const bool read = transfer->request_.method == "GET" || transfer->request_.method == "HEAD";
  transfer->sent_twice_ = ++transfer->times_sent_ > 1 && !read;
  return transfer->sent_twice_ ? CURL_PREREQFUNC_ABORT : CURL_PREREQFUNC_OK;
}

std::size_t CurlTransfer::add_body(std::string_view data) {
  if (data.size() > request_.max_body - response_.body.size()) {
    too_large_ = true;
    return 0;
  }
  response_.body.append(data);
  return data.size();
}

std::size_t CurlTransfer::add_header_line(std::string_view line) {
  header_bytes_ += line.size();
  if (header_bytes_ > kMaxHeaderBytes) {
    too_large_ = true;
    return 0;
  }
  if (line.substr(0, 5) == "HTTP/") {  // a new answer: what came before was "100 Continue" or the like
    response_.headers.clear();
    headers_whole_ = false;
    return line.size();
  }
  if (trim(line).empty()) headers_whole_ = true;
  const bool continued = !line.empty() && (line.front() == ' ' || line.front() == '\t');
  const std::size_t colon = line.find(':');
  if (continued && !response_.headers.empty()) {
    const std::string_view more = trim(line);
    if (!more.empty()) response_.headers.back().second.append(" ").append(more);
  } else if (colon != std::string_view::npos) {
    response_.headers.emplace_back(to_lower(trim(line.substr(0, colon))), trim(line.substr(colon + 1)));
  }
  return line.size();
}

absl::StatusOr<HttpResponse> CurlTransfer::take_result(CURLcode code) {
  if (code != CURLE_OK) return failure(code);
  long status = 0;
  curl_easy_getinfo(easy_, CURLINFO_RESPONSE_CODE, &status);
  if (status < 200 || status > 999) {
    return request_error(
        ErrorKind::kProtocol, request_,
        fmt::format("the answer's status is {}; see what listens at {}", status, config_.options.address));
  }
  if (!headers_whole_) {  // curl takes the end of the connection for the end of the headers
    return request_error(
        ErrorKind::kUnreachable, request_,
        fmt::format("{}: the connection ended in the middle of the headers; {}", config_.options.address, kReadBack));
  }
  response_.status = static_cast<int>(status);
  return std::move(response_);
}

absl::Status CurlTransfer::failure(CURLcode code) const {
  if (no_memory_) {
    return request_error(ErrorKind::kTooLarge, request_, "no memory is left for the answer; ask for less");
  }
  if (too_large_ || code == CURLE_FILESIZE_EXCEEDED) {
    return request_error(ErrorKind::kTooLarge, request_,
                         fmt::format("the answer is longer than {} bytes; ask for less or raise max_body",
                                     header_bytes_ > kMaxHeaderBytes ? kMaxHeaderBytes : request_.max_body));
  }
  if (sent_twice_) {
    return request_error(
        ErrorKind::kUnreachable, request_,
        fmt::format("{}: the connection ended before the answer; {}", config_.options.address, kReadBack));
  }
  return curl_failure(request_, config_, code, text_.data());
}

}  // namespace convergence
