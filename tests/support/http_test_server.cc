#include "tests/support/http_test_server.h"

#include <arpa/inet.h>
#include <fmt/format.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <cstdlib>
#include <stdexcept>

namespace convergence::test {
namespace {

int must(int result, const char* what) {
  if (result < 0) throw std::runtime_error(std::string("test server: ") + what);
  return result;
}

std::string lower(std::string text) {
  std::transform(text.begin(), text.end(), text.begin(),
                 [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c; });
  return text;
}

std::string trimmed(const std::string& text) {
  const std::size_t begin = text.find_first_not_of(' ');
  return begin == std::string::npos ? "" : text.substr(begin, text.find_last_not_of(' ') - begin + 1);
}

// Takes one whole request from the front of `in`; false when there is none yet.
bool take_request(std::string& in, HttpTestServer::Received& request) {
  const std::size_t head = in.find("\r\n\r\n");
  if (head == std::string::npos) return false;
  std::size_t at = in.find("\r\n");
  const std::string first = in.substr(0, at);
  const std::size_t space = first.find(' ');
  const std::size_t second = first.rfind(' ');
  request.method = first.substr(0, space);
  request.target = first.substr(space + 1, second - space - 1);
  std::size_t length = 0;
  while (at < head) {
    const std::size_t begin = at + 2;
    at = in.find("\r\n", begin);
    const std::string line = in.substr(begin, at - begin);
    const std::size_t colon = line.find(':');
    request.headers.emplace_back(lower(line.substr(0, colon)), trimmed(line.substr(colon + 1)));
    if (request.headers.back().first == "content-length") length = std::stoul(request.headers.back().second);
  }
  if (in.size() < head + 4 + length) return false;
  request.body = in.substr(head + 4, length);
  in.erase(0, head + 4 + length);
  return true;
}

int listen_on_port(std::uint16_t& port) {
  const int listener = must(socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0), "socket");
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  socklen_t size = sizeof address;
  must(bind(listener, reinterpret_cast<sockaddr*>(&address), size), "bind");
  must(getsockname(listener, reinterpret_cast<sockaddr*>(&address), &size), "getsockname");
  port = ntohs(address.sin_port);
  return listener;
}

int listen_on_path(const std::string& path) {
  const int listener = must(socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0), "socket");
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  path.copy(address.sun_path, sizeof address.sun_path - 1);
  must(bind(listener, reinterpret_cast<sockaddr*>(&address), sizeof address), "bind");
  return listener;
}

}  // namespace

std::string HttpTestServer::Received::header(std::string_view name) const {
  std::string joined;
  for (const auto& [key, value] : headers) {
    if (key == name) joined += (joined.empty() ? "" : "|") + value;
  }
  return joined;
}

HttpTestServer::HttpTestServer(Script script, const std::string& unix_path) : script_(std::move(script)) {
  listener_ = unix_path.empty() ? listen_on_port(port_) : listen_on_path(unix_path);
  must(listen(listener_, 1024), "listen");
  wake_ = must(eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK), "eventfd");
  thread_ = std::thread([this] { run(); });
}

HttpTestServer::~HttpTestServer() {
  {
    const std::lock_guard lock(mutex_);
    ending_ = true;
  }
  eventfd_write(wake_, 1);
  thread_.join();
  for (const auto& [descriptor, connection] : open_) close(descriptor);
  close(listener_);
  close(wake_);
}

void HttpTestServer::release() {
  {
    const std::lock_guard lock(mutex_);
    released_ = true;
  }
  eventfd_write(wake_, 1);
}

bool HttpTestServer::wait_for(const std::function<bool()>& done) {
  std::unique_lock lock(mutex_);
  return changed_.wait_for(lock, std::chrono::seconds(30), done);
}

bool HttpTestServer::wait_for_requests(std::size_t count) {
  return wait_for([&] { return received_.size() >= count; });
}

bool HttpTestServer::wait_for_open_connections(std::size_t count) {
  return wait_for([&] { return open_count_ == count; });
}

std::vector<HttpTestServer::Received> HttpTestServer::received() const {
  const std::lock_guard lock(mutex_);
  return received_;
}

int HttpTestServer::connections() const {
  const std::lock_guard lock(mutex_);
  return accepted_;
}

std::size_t HttpTestServer::most_open_connections() const {
  const std::lock_guard lock(mutex_);
  return most_open_;
}

void HttpTestServer::run() {
  while (true) {
    std::vector<pollfd> entries = {{listener_, POLLIN, 0}, {wake_, POLLIN, 0}};
    for (const auto& [descriptor, connection] : open_) {
      const bool writing = !connection.out.empty() || !connection.for_ever.empty();
      entries.push_back({descriptor, static_cast<short>(writing ? POLLIN | POLLOUT : POLLIN), 0});
    }
    poll(entries.data(), entries.size(), -1);
    if (entries[1].revents != 0) {
      eventfd_t value = 0;
      eventfd_read(wake_, &value);
      const std::lock_guard lock(mutex_);
      if (ending_) return;
      for (auto& [descriptor, connection] : open_) {
        for (const Answer& answer : connection.held) queue(connection, answer);
        connection.held.clear();
      }
    }
    for (std::size_t i = 2; i < entries.size(); ++i) {
      if (entries[i].revents & (POLLIN | POLLHUP | POLLERR)) read_from(entries[i].fd, open_.at(entries[i].fd));
    }
    if (entries[0].revents != 0) accept_one();
    std::vector<int> done;
    for (auto& [descriptor, connection] : open_) {
      if (!write_to(descriptor, connection)) done.push_back(descriptor);
    }
    for (const int descriptor : done) close_connection(descriptor);
  }
}

void HttpTestServer::accept_one() {
  const int descriptor = accept4(listener_, nullptr, nullptr, SOCK_CLOEXEC | SOCK_NONBLOCK);
  if (descriptor < 0) return;
  const int on = 1;
  setsockopt(descriptor, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);  // no effect on a unix socket
  const std::lock_guard lock(mutex_);
  open_[descriptor].number = ++accepted_;
  most_open_ = std::max(most_open_, ++open_count_);
  changed_.notify_all();
}

void HttpTestServer::read_from(int descriptor, Connection& connection) {
  char buffer[65536];
  const ssize_t count = recv(descriptor, buffer, sizeof buffer, 0);
  if (count <= 0) {
    connection.closing = true;
    connection.out.clear();
    connection.for_ever.clear();
    return;
  }
  connection.in.append(buffer, static_cast<std::size_t>(count));
  if (connection.in.front() == '\x16') {  // a TLS client
    connection.in.clear();
    queue(connection, raw_answer("HTTP/1.0 400 Bad Request\r\n\r\n"));
  }
  answer_requests(connection);
}

void HttpTestServer::answer_requests(Connection& connection) {
  Received request;
  request.connection = connection.number;
  while (take_request(connection.in, request)) {
    const Answer answer = script_(request);
    const std::lock_guard lock(mutex_);
    received_.push_back(std::exchange(request, Received{}));
    request.connection = connection.number;
    if (answer.hold && !released_) {
      connection.held.push_back(answer);
    } else {
      queue(connection, answer);
    }
    changed_.notify_all();
  }
}

void HttpTestServer::queue(Connection& connection, const Answer& answer) {
  connection.out += answer.bytes;
  connection.for_ever = answer.for_ever;
  connection.closing = connection.closing || answer.close;
}

// False when the connection has come to its end.
bool HttpTestServer::write_to(int descriptor, Connection& connection) {
  if (connection.out.empty()) connection.out = connection.for_ever;
  if (!connection.out.empty()) {
    const ssize_t count = send(descriptor, connection.out.data(), connection.out.size(), MSG_NOSIGNAL);
    if (count < 0) return errno == EAGAIN;
    connection.out.erase(0, static_cast<std::size_t>(count));
  }
  return !(connection.closing && connection.out.empty());
}

void HttpTestServer::close_connection(int descriptor) {
  close(descriptor);
  open_.erase(descriptor);
  const std::lock_guard lock(mutex_);
  --open_count_;
  changed_.notify_all();
}

HttpTestServer::Answer http_answer(int status, std::string_view body, std::string_view more_headers) {
  HttpTestServer::Answer answer;
  answer.bytes =
      fmt::format("HTTP/1.1 {} Said\r\n{}Content-Length: {}\r\n\r\n{}", status, more_headers, body.size(), body);
  return answer;
}

HttpTestServer::Answer http_chunked(const std::vector<std::string>& chunks) {
  HttpTestServer::Answer answer;
  answer.bytes = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n";
  for (const std::string& chunk : chunks) answer.bytes += fmt::format("{:x}\r\n{}\r\n", chunk.size(), chunk);
  answer.bytes += "0\r\n\r\n";
  return answer;
}

HttpTestServer::Answer raw_answer(std::string_view bytes) {
  HttpTestServer::Answer answer;
  answer.bytes = bytes;
  answer.close = true;
  return answer;
}

HttpTestServer::Answer http_hold() {
  HttpTestServer::Answer answer = http_answer(200, "at last");
  answer.hold = true;
  return answer;
}

}  // namespace convergence::test
