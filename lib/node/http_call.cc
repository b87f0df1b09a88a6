#include "lib/node/http_call.h"

#include <curl/curl.h>
#include <fmt/format.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <charconv>
#include <memory>
#include <mutex>
#include <new>
#include <optional>

#include "convergence/error.h"
#include "lib/base/status_macros.h"
#include "lib/base/utf8.h"
#include "lib/node/file_calls.h"

namespace convergence {
namespace {

constexpr std::size_t kErrorBodyBytes = 4096;

// OpenSSL writes to sockets with write(): a lost peer must be an error and no signal for the host.
class WithoutSigpipe {
 public:
  WithoutSigpipe() {
    sigset_t pending;
    sigpending(&pending);
    was_pending_ = sigismember(&pending, SIGPIPE) == 1;
    sigset_t pipe;
    sigemptyset(&pipe);
    sigaddset(&pipe, SIGPIPE);
    pthread_sigmask(SIG_BLOCK, &pipe, &before_);
  }
  ~WithoutSigpipe() {
    if (!was_pending_ && sigismember(&before_, SIGPIPE) == 0) {
      sigset_t pipe;
      sigemptyset(&pipe);
      sigaddset(&pipe, SIGPIPE);
      const timespec at_once{};
      while (sigtimedwait(&pipe, nullptr, &at_once) < 0 && errno == EINTR) continue;
    }
    pthread_sigmask(SIG_SETMASK, &before_, nullptr);
  }
  WithoutSigpipe(const WithoutSigpipe&) = delete;
  WithoutSigpipe& operator=(const WithoutSigpipe&) = delete;

 private:
  sigset_t before_{};
  bool was_pending_ = false;
};

std::uint64_t to_number(std::string_view text) {
  std::uint64_t value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  return error == std::errc() && end == text.data() + text.size() ? value : 0;
}

long whole_milliseconds(Duration duration) {
  return static_cast<long>(std::chrono::ceil<std::chrono::milliseconds>(duration).count());
}

// "<Code>AccessDenied</Code>": the rest of S3's answer may repeat keys and tokens.
std::string s3_code(std::string_view body) {
  const std::size_t begin = body.find("<Code>");
  if (begin == std::string_view::npos) return "";
  const std::string_view code =
      body.substr(begin + 6, std::min<std::size_t>(body.find('<', begin + 6), 80) - begin - 6);
  const bool word = std::all_of(code.begin(), code.end(), [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
  });
  return word ? std::string(code) : "";
}

// All that libcurl keeps pointers to while one call lasts.
class Exchange {
 public:
  Exchange(const HttpCall& call, const HttpOptions& options, const HttpSink& sink)
      : call_(call), options_(options), sink_(sink), easy_(curl_easy_init()), multi_(curl_multi_init()) {}
  ~Exchange() {
    if (easy_ != nullptr && multi_ != nullptr) curl_multi_remove_handle(multi_, easy_);
    curl_easy_cleanup(easy_);
    curl_multi_cleanup(multi_);
    curl_slist_free_all(headers_);
  }
  Exchange(const Exchange&) = delete;
  Exchange& operator=(const Exchange&) = delete;

  absl::Status run(const StopSignal& stop) {
    if (easy_ == nullptr || multi_ == nullptr || !prepare() || curl_multi_add_handle(multi_, easy_) != CURLM_OK) {
      return make_error(ErrorKind::kInvariant,
                        fmt::format("{}: libcurl does not take the request; see whether memory is left", call_.label));
    }
    int running = 1;
    while (running > 0) {
      if (stop.is_set()) return stopped_error(call_.label);
      if (curl_multi_perform(multi_, &running) != CURLM_OK) break;
      if (running == 0) break;
      curl_waitfd stopped{stop.descriptor(), CURL_WAIT_POLLIN, 0};
      curl_multi_poll(multi_, &stopped, 1, 1000, nullptr);
    }
    int left = 0;
    while (const CURLMsg* message = curl_multi_info_read(multi_, &left)) {
      if (message->msg == CURLMSG_DONE) return result(message->data.result);
    }
    return make_error(ErrorKind::kInvariant, fmt::format("{}: libcurl lost the request; try again", call_.label));
  }

 private:
  template <typename T>
  bool set(CURLoption option, T value) {
    return curl_easy_setopt(easy_, option, value) == CURLE_OK;
  }
  bool add_header(const std::string& line) {
    curl_slist* longer = curl_slist_append(headers_, line.c_str());
    if (longer != nullptr) headers_ = longer;
    return longer != nullptr;
  }

  bool prepare() {
    const bool only_https = call_.url.substr(0, 6) == "https:";
    bool good = set(CURLOPT_URL, call_.url.c_str()) && set(CURLOPT_ERRORBUFFER, text_.data()) &&
                set(CURLOPT_WRITEFUNCTION, &Exchange::on_body) && set(CURLOPT_WRITEDATA, this) &&
                set(CURLOPT_HEADERFUNCTION, &Exchange::on_header) && set(CURLOPT_HEADERDATA, this) &&
                set(CURLOPT_NOSIGNAL, 1L) && set(CURLOPT_PROXY, "") && set(CURLOPT_PATH_AS_IS, 1L) &&
                set(CURLOPT_HTTP_VERSION, static_cast<long>(CURL_HTTP_VERSION_1_1)) &&
                set(CURLOPT_HTTP09_ALLOWED, 0L) &&
                set(CURLOPT_SSLVERSION, static_cast<long>(CURL_SSLVERSION_TLSv1_2)) &&
                set(CURLOPT_CONNECTTIMEOUT_MS, std::max(1L, whole_milliseconds(options_.connect_timeout))) &&
                set(CURLOPT_TIMEOUT_MS, whole_milliseconds(options_.timeout)) &&
                set(CURLOPT_FOLLOWLOCATION, call_.s3 ? 0L : 1L) && set(CURLOPT_MAXREDIRS, 5L);
#if LIBCURL_VERSION_NUM >= 0x075500
    good = good && set(CURLOPT_PROTOCOLS_STR, "http,https") &&
           set(CURLOPT_REDIR_PROTOCOLS_STR, only_https ? "https" : "http,https");
#else
    good = good && set(CURLOPT_PROTOCOLS, static_cast<long>(CURLPROTO_HTTP | CURLPROTO_HTTPS)) &&
           set(CURLOPT_REDIR_PROTOCOLS, static_cast<long>(CURLPROTO_HTTPS | (only_https ? 0 : CURLPROTO_HTTP)));
#endif
#if LIBCURL_VERSION_NUM >= 0x075700
    good = good && set(CURLOPT_QUICK_EXIT, 1L);  // a stop does not wait for a slow name server
#endif
    if (options_.stall_timeout > Duration::zero()) {
      good = good && set(CURLOPT_LOW_SPEED_LIMIT, 1L) &&
             set(CURLOPT_LOW_SPEED_TIME, std::max(1L, whole_milliseconds(options_.stall_timeout) / 1000));
    }
    if (!options_.ca_file.empty()) good = good && set(CURLOPT_CAINFO, options_.ca_file.c_str());
    if (call_.from > 0) {
      range_ = fmt::format("{}-", call_.from);
      good = good && set(CURLOPT_RANGE, range_.c_str());
    }
    if (call_.upload >= 0) {
      good = good && set(CURLOPT_UPLOAD, 1L) && set(CURLOPT_READFUNCTION, &Exchange::on_read) &&
             set(CURLOPT_READDATA, this) && set(CURLOPT_SEEKFUNCTION, &Exchange::on_seek) &&
             set(CURLOPT_SEEKDATA, this) && set(CURLOPT_INFILESIZE_LARGE, static_cast<curl_off_t>(call_.upload_size));
    }
    return good && sign() && set(CURLOPT_HTTPHEADER, headers_);
  }

  // Headers with a value only: libcurl would sign those that it is told to leave out.
  bool sign() {
    const S3Options& s3 = options_.s3;
    if (!call_.s3 || s3.access_key.empty()) return true;
    const std::string digest = call_.upload >= 0
                                   ? call_.upload_sha256
                                   : "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";  // of nothing
    signing_ = fmt::format("aws:amz:{}:s3", s3.region);
    return add_header("x-amz-content-sha256: " + digest) &&
           (s3.session_token.empty() || add_header("x-amz-security-token: " + s3.session_token)) &&
           set(CURLOPT_AWS_SIGV4, signing_.c_str()) && set(CURLOPT_USERNAME, s3.access_key.c_str()) &&
           set(CURLOPT_PASSWORD, s3.secret_key.c_str());
  }

  long status() const {
    long code = 0;
    curl_easy_getinfo(easy_, CURLINFO_RESPONSE_CODE, &code);
    return code;
  }

  // Called by C code: nothing may be thrown through these. A short count ends the transfer.
  static std::size_t on_body(char* data, std::size_t size, std::size_t count, void* self) noexcept {
    auto* exchange = static_cast<Exchange*>(self);
    try {
      return exchange->take({data, size * count}) ? size * count : 0;
    } catch (const std::bad_alloc&) {
      return 0;
    }
  }
  static std::size_t on_header(char* data, std::size_t size, std::size_t count, void* self) noexcept {
    try {
      static_cast<Exchange*>(self)->take_header({data, size * count});
    } catch (const std::bad_alloc&) {
      return 0;
    }
    return size * count;
  }
  static std::size_t on_read(char* data, std::size_t size, std::size_t count, void* self) noexcept {
    auto* exchange = static_cast<Exchange*>(self);
    try {
      return exchange->give(data, size * count);
    } catch (const std::bad_alloc&) {
      return CURL_READFUNC_ABORT;
    }
  }
  static int on_seek(void* self, curl_off_t offset, int origin) noexcept {
    auto* exchange = static_cast<Exchange*>(self);
    const off_t at = lseek(exchange->call_.upload, offset, origin);
    if (at >= 0) exchange->sent_ = static_cast<std::uint64_t>(at);
    return at >= 0 ? CURL_SEEKFUNC_OK : CURL_SEEKFUNC_FAIL;
  }

  // libcurl takes an early end for the end, and then waits for a server that waits for the rest.
  std::size_t give(char* data, std::size_t size) {
    const std::uint64_t left = call_.upload_size - std::min(sent_, call_.upload_size);
    if (left == 0) return 0;
    const absl::StatusOr<std::size_t> got =
        read_some(call_.upload, data, static_cast<std::size_t>(std::min<std::uint64_t>(size, left)), call_.label);
    if (!got.ok()) {
      failure_ = got.status();
    } else if (*got == 0) {
      failure_ = make_error(
          ErrorKind::kConflict,
          fmt::format("{}: it became shorter while it was sent; ship it once nobody writes to it", call_.label));
    } else {
      sent_ += *got;
      return *got;
    }
    return CURL_READFUNC_ABORT;
  }

  void take_header(std::string_view line) {
    if (line.substr(0, 5) == "HTTP/") content_range_.clear();
    constexpr std::string_view kName = "content-range:";
    if (line.size() < kName.size()) return;
    for (std::size_t i = 0; i < kName.size(); ++i) {
      if ((line[i] | 0x20) != (kName[i] | 0x20)) return;
    }
    line.remove_prefix(kName.size());
    while (!line.empty() && (line.front() == ' ' || line.front() == '\t')) line.remove_prefix(1);
    while (!line.empty() && static_cast<unsigned char>(line.back()) <= ' ') line.remove_suffix(1);
    content_range_ = line;
  }

  absl::Status begin() {
    begun_ = true;
    HttpBodyStart start;
    curl_off_t length = -1;
    curl_easy_getinfo(easy_, CURLINFO_CONTENT_LENGTH_DOWNLOAD_T, &length);
    start.total = length > 0 ? static_cast<std::uint64_t>(length) : 0;
    if (status() == 206) {
      if (range_.empty()) {
        return make_error(ErrorKind::kProtocol,
                          fmt::format("{}: asked for all of it the server sends a part, \"{}\"; see what serves there",
                                      call_.label, printable_utf8(content_range_)));
      }
      if (content_range_.substr(0, 6 + range_.size()) != "bytes " + range_) {
        return make_error(ErrorKind::kProtocol,
                          fmt::format("{}: asked for bytes {} the server sends \"{}\"; see what serves there",
                                      call_.label, range_, printable_utf8(content_range_)));
      }
      start.partial = true;
      start.total = to_number(std::string_view(content_range_).substr(content_range_.find('/') + 1));
    }
    return sink_.begin ? sink_.begin(start) : absl::OkStatus();
  }

  bool take(std::string_view data) {
    const long code = status();
    if (code < 200 || code > 299) {
      error_body_.append(data.substr(0, kErrorBodyBytes - std::min(kErrorBodyBytes, error_body_.size())));
      return true;
    }
    if (!begun_) failure_ = begin();
    if (failure_.ok() && sink_.bytes) failure_ = sink_.bytes(data);
    return failure_.ok();
  }

  absl::Status result(CURLcode code) {
    CVG_RETURN_IF_ERROR(failure_);
    if (code != CURLE_OK) return curl_problem(code);
    const long answer = status();
    if (answer < 200 || answer > 299) return answer_problem(answer);
    return begun_ ? absl::OkStatus() : begin();
  }

  absl::Status answer_problem(long answer) const {
    ErrorKind kind = ErrorKind::kProtocol;
    std::string_view remedy = "see what serves there";
    if (answer == 401 || answer == 403) {
      kind = ErrorKind::kDenied;
      remedy = "check the credentials and what they allow";
    } else if (answer == 404 || answer == 410) {
      kind = ErrorKind::kNotFound;
      remedy = "put it there, or correct the address";
    } else if (answer >= 400 && answer < 500) {
      kind = ErrorKind::kRefused;
      remedy = "see the server's log";
    } else if (answer >= 500) {
      kind = ErrorKind::kServer;
      remedy = "see the server's log; try later";
    }
    const std::string s3 = call_.s3 ? s3_code(error_body_) : "";
    Json detail;
    detail.set("status", static_cast<std::int64_t>(answer));
    return make_error(
        kind, fmt::format("{}: the server answers {}{}{}; {}", call_.label, answer, s3.empty() ? "" : " ", s3, remedy),
        std::move(detail));
  }

  absl::Status curl_problem(CURLcode code) const {
    ErrorKind kind = ErrorKind::kUnreachable;
    std::string_view remedy = "see whether the server runs and can be reached";
    switch (code) {
      case CURLE_OPERATION_TIMEDOUT:
        kind = ErrorKind::kTimeout;
        remedy = "try later, or allow more time";
        break;
      case CURLE_URL_MALFORMAT:
        kind = ErrorKind::kValidate;
        remedy = "correct the address";
        break;
      case CURLE_UNSUPPORTED_PROTOCOL:  // ours is http(s): the answer is no HTTP, or leads to something else
      case CURLE_WEIRD_SERVER_REPLY:
      case CURLE_TOO_MANY_REDIRECTS:
        kind = ErrorKind::kProtocol;
        remedy = "see what serves there";
        break;
      case CURLE_OUT_OF_MEMORY:
      case CURLE_WRITE_ERROR:  // ours has failure_, so only memory is left
        kind = ErrorKind::kTooLarge;
        remedy = "see whether memory is left";
        break;
      case CURLE_PEER_FAILED_VERIFICATION:
      case CURLE_SSL_CACERT_BADFILE:
      case CURLE_SSL_CONNECT_ERROR:
        remedy = "check ca_file, the server's certificate and that it speaks TLS";
        break;
      default:
        break;
    }
    std::string text = call_.hide_texts || text_[0] == '\0' ? curl_easy_strerror(code) : text_.data();
    while (!text.empty() && (text.back() == '\n' || text.back() == '\r')) text.pop_back();
    Json detail;
    detail.set("curl", static_cast<int>(code));
    return make_error(kind, fmt::format("{}: {}; {}", call_.label, printable_utf8(text), remedy), std::move(detail));
  }

  const HttpCall& call_;
  const HttpOptions& options_;
  const HttpSink& sink_;
  CURL* const easy_;
  CURLM* const multi_;
  curl_slist* headers_ = nullptr;
  std::string range_;
  std::string signing_;
  std::string content_range_;
  std::string error_body_;
  std::uint64_t sent_ = 0;
  absl::Status failure_;
  bool begun_ = false;
  std::array<char, CURL_ERROR_SIZE> text_{};
};

}  // namespace

absl::Status http_call(const HttpCall& call, const HttpOptions& options, const HttpSink& sink, const StopSignal& stop) {
  static std::once_flag once;
  static CURLcode started = CURLE_OK;
  std::call_once(once, [] { started = curl_global_init(CURL_GLOBAL_DEFAULT); });
  if (started != CURLE_OK) {
    return make_error(ErrorKind::kInvariant, fmt::format("{}: libcurl does not start: {}; see what the program does to "
                                                         "OpenSSL",
                                                         call.label, curl_easy_strerror(started)));
  }
  const WithoutSigpipe without_sigpipe;
  return Exchange(call, options, sink).run(stop);
}

std::int64_t http_status_of(const absl::Status& status) {
  const Json detail = error_detail(status);
  const Json* answer = detail.find("status");
  return answer == nullptr ? 0 : answer->to_int64().value_or(0);
}

bool may_pass(const absl::Status& status) {
  const ErrorKind kind = error_kind(status);
  return kind == ErrorKind::kUnreachable || kind == ErrorKind::kTimeout || kind == ErrorKind::kServer ||
         http_status_of(status) == 429;
}

absl::Status pause_before_retry(const HttpOptions& options, std::string_view what, const StopSignal& stop) {
  pollfd stopped{stop.descriptor(), POLLIN, 0};
  const long pause = std::clamp(whole_milliseconds(options.pause), 0L, 3'600'000L);
  while (!stop.is_set() && poll(&stopped, 1, static_cast<int>(pause)) < 0 && errno == EINTR) continue;
  return stop.is_set() ? stopped_error(what) : absl::OkStatus();
}

}  // namespace convergence
