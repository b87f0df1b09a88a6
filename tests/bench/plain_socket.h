#ifndef CONVERGENCE_TESTS_BENCH_PLAIN_SOCKET_H_
#define CONVERGENCE_TESTS_BENCH_PLAIN_SOCKET_H_

#include <cstdint>
#include <string>
#include <string_view>

namespace convergence::bench {

// What everything live is measured by: HTTP on one kept connection with as little as possible around the system's
// calls. Reads what a Consul answers with, that is Content-Length or chunks. Not to be made clever.
class PlainSocket {
 public:
  explicit PlainSocket(int port);
  ~PlainSocket();
  PlainSocket(const PlainSocket&) = delete;
  PlainSocket& operator=(const PlainSocket&) = delete;

  // Sends and takes the whole answer, whose body stands in body() until the next call. Ends the program where there is
  // none, or one whose status is not 200; returns false when another thread has called cut().
  bool ask(std::string_view method, std::string_view target, std::string_view body = {});
  std::string_view body() const { return {answer_.data() + body_at_, answer_.size() - body_at_}; }
  std::uint64_t index() const { return index_; }  // X-Consul-Index
  // A thread that waits for an answer gets none. [any thread]
  void cut();

 private:
  bool read_more();
  void take_head(std::size_t end);
  bool read_chunks(std::size_t from);

  int socket_ = -1;
  std::string answer_{};
  std::size_t body_at_ = 0;
  std::size_t length_ = 0;
  bool chunked_ = false;
  std::uint64_t index_ = 0;
};

}  // namespace convergence::bench

#endif  // CONVERGENCE_TESTS_BENCH_PLAIN_SOCKET_H_
