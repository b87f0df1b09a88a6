#ifndef CONVERGENCE_LIB_TRANSPORT_CURL_TRANSFER_H_
#define CONVERGENCE_LIB_TRANSPORT_CURL_TRANSFER_H_

#include <curl/curl.h>

#include <array>
#include <cstddef>
#include <memory>

#include "absl/status/statusor.h"
#include "convergence/transport.h"
#include "lib/transport/curl_config.h"

namespace convergence {

// One request on its way through libcurl. Made, used and destroyed on the I/O thread only; stays where it was made,
// since libcurl keeps pointers into it.
class CurlTransfer {
 public:
  // Null pointer when libcurl has no memory left.
  static std::unique_ptr<CurlTransfer> make(const CurlConfig& config, Transport::SendId send, HttpRequest request);
  ~CurlTransfer();
  CurlTransfer(const CurlTransfer&) = delete;
  CurlTransfer& operator=(const CurlTransfer&) = delete;

  CURL* handle() const { return easy_; }
  Transport::SendId send() const { return send_; }
  // Its connection is there and the request goes out.
  bool connected() const { return times_sent_ > 0; }
  // What came of it, once libcurl says that it has ended with `code`. Leaves the transfer without its response.
  absl::StatusOr<HttpResponse> take_result(CURLcode code);

 private:
  CurlTransfer(const CurlConfig& config, Transport::SendId send, HttpRequest request);

  bool prepare();
  bool add_headers();
  bool add_header(const std::string& line);
  bool set_method();
  bool set_connection();
  bool set_tls();
  absl::Status failure(CURLcode code) const;

  static std::size_t on_body(char* data, std::size_t size, std::size_t count, void* self) noexcept;
  static std::size_t on_header(char* data, std::size_t size, std::size_t count, void* self) noexcept;
  static int on_sending(void* self, char*, char*, int, int) noexcept;
  std::size_t add_body(std::string_view data);
  std::size_t add_header_line(std::string_view line);

  const CurlConfig& config_;
  const Transport::SendId send_;
  const HttpRequest request_;
  CURL* easy_ = nullptr;
  curl_slist* headers_ = nullptr;
  curl_slist* connect_to_ = nullptr;
  HttpResponse response_;
  std::size_t header_bytes_ = 0;
  bool headers_whole_ = false;
  int times_sent_ = 0;
  bool too_large_ = false;
  bool no_memory_ = false;
  bool sent_twice_ = false;
  std::array<char, CURL_ERROR_SIZE> text_{};
};

}  // namespace convergence

#endif  // CONVERGENCE_LIB_TRANSPORT_CURL_TRANSFER_H_
