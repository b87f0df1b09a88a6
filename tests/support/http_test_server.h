#ifndef CONVERGENCE_TESTS_SUPPORT_HTTP_TEST_SERVER_H_
#define CONVERGENCE_TESTS_SUPPORT_HTTP_TEST_SERVER_H_

#include <condition_variable>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <map>
#include <mutex>
#include <string>
#include <string_view>
#include <thread>
#include <utility>
#include <vector>

namespace convergence::test {

// A real HTTP/1.1 server on loopback that answers what a test says, right or wrong: bodies cut off, garbage, nothing.
// One thread however many connections.
class HttpTestServer {
 public:
  struct Received {
    std::string method;
    std::string target;
    std::vector<std::pair<std::string, std::string>> headers;  // names in lower case, in their order
    std::string body;
    int connection = 0;  // 1 is the first that was accepted

    // Values of all headers of this name, joined by "|"; empty when there is none.
    std::string header(std::string_view name) const;
  };
  struct Answer {
    std::string bytes;     // sent as they are
    bool close = false;    // the connection ends after them
    bool hold = false;     // not before release()
    std::string for_ever;  // then sent again and again, until the client goes away
  };
  using Script = std::function<Answer(const Received&)>;  // called on the server's thread

  // `unix_path` empty: 127.0.0.1 and a free port.
  explicit HttpTestServer(Script script, const std::string& unix_path = "");
  ~HttpTestServer();
  HttpTestServer(const HttpTestServer&) = delete;
  HttpTestServer& operator=(const HttpTestServer&) = delete;

  std::uint16_t port() const { return port_; }
  std::string address() const { return "127.0.0.1:" + std::to_string(port_); }

  // Sends the answers that are held now and holds no more.
  void release();
  // Wait, half a minute at most, until so many requests have come in or connections are open; false when they are not.
  bool wait_for_requests(std::size_t count);
  bool wait_for_open_connections(std::size_t count);

  std::vector<Received> received() const;
  int connections() const;  // ever accepted
  std::size_t most_open_connections() const;

 private:
  struct Connection {
    int number = 0;
    std::string in;
    std::string out;
    std::string for_ever;
    std::vector<Answer> held;
    bool closing = false;
  };

  void run();
  void accept_one();
  void read_from(int descriptor, Connection& connection);
  void answer_requests(Connection& connection);
  static void queue(Connection& connection, const Answer& answer);
  bool write_to(int descriptor, Connection& connection);
  void close_connection(int descriptor);
  bool wait_for(const std::function<bool()>& done);

  const Script script_;
  int listener_ = -1;
  int wake_ = -1;
  std::uint16_t port_ = 0;
  std::map<int, Connection> open_;  // the server's thread only
  mutable std::mutex mutex_;
  std::condition_variable changed_;
  std::vector<Received> received_;
  std::size_t open_count_ = 0;
  std::size_t most_open_ = 0;
  int accepted_ = 0;
  bool released_ = false;
  bool ending_ = false;
  std::thread thread_;
};

// "HTTP/1.1 200 OK" with Content-Length; more headers as "Name: value\r\n".
HttpTestServer::Answer http_answer(int status, std::string_view body, std::string_view more_headers = "");
HttpTestServer::Answer http_chunked(const std::vector<std::string>& chunks);
// Bytes that are no HTTP, after which the connection ends.
HttpTestServer::Answer raw_answer(std::string_view bytes);
// Never answered.
HttpTestServer::Answer http_hold();

}  // namespace convergence::test

#endif  // CONVERGENCE_TESTS_SUPPORT_HTTP_TEST_SERVER_H_
