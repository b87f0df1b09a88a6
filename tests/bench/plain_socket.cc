#include "tests/bench/plain_socket.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <cstdlib>

#include "tests/bench/must.h"

namespace convergence::bench {

PlainSocket::PlainSocket(int port) : socket_(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(static_cast<std::uint16_t>(port));
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  must(::connect(socket_, reinterpret_cast<const sockaddr*>(&address), sizeof(address)) == 0, "a connection");
  const int on = 1;
  setsockopt(socket_, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
}

PlainSocket::~PlainSocket() { ::close(socket_); }

void PlainSocket::cut() { ::shutdown(socket_, SHUT_RDWR); }

bool PlainSocket::read_more() {
  constexpr std::size_t kPiece = std::size_t{256} << 10;
  const std::size_t had = answer_.size();
  if (answer_.capacity() < had + kPiece) answer_.reserve(2 * had + kPiece);
  answer_.resize(had + kPiece);
  const ssize_t got = ::recv(socket_, answer_.data() + had, kPiece, 0);
  answer_.resize(had + static_cast<std::size_t>(std::max<ssize_t>(got, 0)));
  return got > 0;
}

void PlainSocket::take_head(std::size_t end) {
  const std::string_view head(answer_.data(), end);
  const auto number = [head](std::string_view name) -> std::uint64_t {
    const std::size_t at = head.find(name);
    return at == std::string_view::npos ? 0 : std::strtoull(head.data() + at + name.size(), nullptr, 10);
  };
  must(head.starts_with("HTTP/1.1 200"), "the answer's status is 200");
  length_ = number("Content-Length: ");
  chunked_ = head.find("Transfer-Encoding: chunked") != std::string_view::npos;
  index_ = number("X-Consul-Index: ");
}

// Puts the chunks together in place.
bool PlainSocket::read_chunks(std::size_t from) {
  std::size_t in = from;
  std::size_t out = from;
  for (;;) {
    std::size_t line = 0;
    while ((line = answer_.find("\r\n", in)) == std::string::npos) {
      if (!read_more()) return false;
    }
    const std::size_t size = std::strtoull(answer_.c_str() + in, nullptr, 16);
    while (answer_.size() < line + 2 + size + 2) {
      if (!read_more()) return false;
    }
    std::copy_n(answer_.begin() + static_cast<std::ptrdiff_t>(line + 2), size,
                answer_.begin() + static_cast<std::ptrdiff_t>(out));
    out += size;
    in = line + 2 + size + 2;
    if (size != 0) continue;
    answer_.resize(out);
    return true;
  }
}

bool PlainSocket::ask(std::string_view method, std::string_view target, std::string_view body) {
  std::string request(method);
  request.append(" ").append(target).append(" HTTP/1.1\r\nHost: localhost\r\nContent-Length: ");
  request.append(std::to_string(body.size())).append("\r\n\r\n").append(body);
  if (::send(socket_, request.data(), request.size(), MSG_NOSIGNAL) != static_cast<ssize_t>(request.size()))
    return false;
  answer_.clear();
  std::size_t end = 0;
  while ((end = answer_.find("\r\n\r\n")) == std::string::npos) {
    if (!read_more()) return false;
  }
  take_head(end);
  body_at_ = end + 4;
  if (chunked_) return read_chunks(body_at_);
  while (answer_.size() < body_at_ + length_) {
    if (!read_more()) return false;
  }
  return true;
}

}  // namespace convergence::bench
