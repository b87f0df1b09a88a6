#include <event2/buffer.h>
#include <event2/bufferevent.h>
#include <event2/event.h>
#include <event2/http.h>
#include <event2/keyvalq_struct.h>
#include <netinet/in.h>
#include <pthread.h>
#include <signal.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

#include <deque>
#include <map>
#include <memory>
#include <mutex>
#include <thread>
#include <utility>

#include "convergence/error.h"
#include "convergence/memory_consul.h"
#include "fmt/format.h"

namespace convergence {
namespace {

constexpr ev_ssize_t kMaximalBody = ev_ssize_t{16} << 20;
constexpr ev_ssize_t kMaximalHeaders = ev_ssize_t{1} << 20;
constexpr int kIdleSeconds = 900;

template <auto Free>
struct Freer {
  template <typename T>
  void operator()(T* thing) const {
    Free(thing);
  }
};
using EventBase = std::unique_ptr<event_base, Freer<event_base_free>>;
using Event = std::unique_ptr<event, Freer<event_free>>;
using Server = std::unique_ptr<evhttp, Freer<evhttp_free>>;
using Buffer = std::unique_ptr<evbuffer, Freer<evbuffer_free>>;

// Where completions, which come on the executor's thread, leave answers for the thread of the face. It outlives the
// face as long as a completion may still come.
class Mailbox {
 public:
  struct Letter {
    std::uint64_t key = 0;  // 0: end
    absl::StatusOr<HttpResponse> response;
  };

  Mailbox() : descriptor_(eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC)) {}
  ~Mailbox() {
    if (descriptor_ >= 0) close(descriptor_);
  }
  Mailbox(const Mailbox&) = delete;
  Mailbox& operator=(const Mailbox&) = delete;

  int descriptor() const { return descriptor_; }

  void put(Letter letter) {
    const std::lock_guard lock(mutex_);
    letters_.push_back(std::move(letter));
    const std::uint64_t one = 1;
    // Full (2^64 - 2 letters) is the only way to fail, and then it is readable all the more.
    [[maybe_unused]] const ssize_t written = write(descriptor_, &one, sizeof one);
  }

  std::deque<Letter> take() {
    const std::lock_guard lock(mutex_);
    std::uint64_t count = 0;
    [[maybe_unused]] const ssize_t got = read(descriptor_, &count, sizeof count);
    return std::exchange(letters_, {});
  }

 private:
  const int descriptor_;
  std::mutex mutex_;
  std::deque<Letter> letters_;
};

std::string_view method_name(evhttp_cmd_type command) {
  switch (command) {
    case EVHTTP_REQ_GET:
      return "GET";
    case EVHTTP_REQ_POST:
      return "POST";
    case EVHTTP_REQ_HEAD:
      return "HEAD";
    case EVHTTP_REQ_PUT:
      return "PUT";
    case EVHTTP_REQ_DELETE:
      return "DELETE";
    case EVHTTP_REQ_OPTIONS:
      return "OPTIONS";
    case EVHTTP_REQ_PATCH:
      return "PATCH";
    case EVHTTP_REQ_TRACE:
      return "TRACE";
    default:
      return "CONNECT";
  }
}

HttpRequest read_request(evhttp_request* from) {
  HttpRequest request;
  request.method = std::string(method_name(evhttp_request_get_command(from)));
  request.target = evhttp_request_get_uri(from);
  const evkeyvalq* headers = evhttp_request_get_input_headers(from);
  for (const evkeyval* one = headers->tqh_first; one != nullptr; one = one->next.tqe_next) {
    request.headers.emplace_back(one->key, one->value);
  }
  evbuffer* body = evhttp_request_get_input_buffer(from);
  request.body.resize(evbuffer_get_length(body));
  evbuffer_copyout(body, request.body.data(), request.body.size());
  return request;
}

// "x-consul-index" -> "X-Consul-Index", as Go sends it.
std::string canonical(std::string name) {
  bool start = true;
  for (char& c : name) {
    if (start && c >= 'a' && c <= 'z') c = static_cast<char>(c - 'a' + 'A');
    start = c == '-';
  }
  return name;
}

}  // namespace

struct HttpFace::Impl {
  // A request that the transport has; alive until answered or its connection is gone.
  struct Waiting {
    Impl* face = nullptr;
    std::uint64_t key = 0;
    evhttp_request* request = nullptr;
    Transport::SendId send = 0;
    Event closed;  // the client has hung up
  };

  explicit Impl(Transport& to) : transport(to) {}
  ~Impl() {
    if (!thread.joinable()) return;
    mailbox->put({0, HttpResponse{}});
    thread.join();
  }

  absl::Status listen(std::uint16_t wanted);
  void run();
  void accept(evhttp_request* request);
  void deliver();
  void answer(Waiting& waiting, absl::StatusOr<HttpResponse> response);
  void hung_up(std::uint64_t key);

  Transport& transport;
  std::shared_ptr<Mailbox> mailbox = std::make_shared<Mailbox>();
  std::uint16_t port = 0;
  std::thread thread;

  // Of the thread, once it runs.
  EventBase base;
  Event letters;
  Server server;
  std::map<std::uint64_t, Waiting> waiting;
  std::uint64_t next_key = 1;
};

absl::Status HttpFace::Impl::listen(std::uint16_t wanted) {
  base.reset(event_base_new());
  server.reset(base ? evhttp_new(base.get()) : nullptr);
  const auto no_port = [&](std::string_view why) {
    return make_error(
        ErrorKind::kUnreachable,
        fmt::format("HTTP face: cannot listen on 127.0.0.1:{}: {}; take another port, or 0 for a free one", wanted,
                    why));
  };
  if (!server || mailbox->descriptor() < 0) return no_port("the system gives no event queue");
  evhttp_set_allowed_methods(server.get(), EVHTTP_REQ_GET | EVHTTP_REQ_POST | EVHTTP_REQ_HEAD | EVHTTP_REQ_PUT |
                                               EVHTTP_REQ_DELETE | EVHTTP_REQ_OPTIONS | EVHTTP_REQ_PATCH);
  evhttp_set_max_body_size(server.get(), kMaximalBody);
  evhttp_set_max_headers_size(server.get(), kMaximalHeaders);
  evhttp_set_timeout(server.get(), kIdleSeconds);
  evhttp_set_default_content_type(server.get(), nullptr);
  evhttp_set_gencb(
      server.get(), [](evhttp_request* request, void* self) { static_cast<Impl*>(self)->accept(request); }, this);
  evhttp_bound_socket* socket = evhttp_bind_socket_with_handle(server.get(), "127.0.0.1", wanted);
  if (socket == nullptr) return no_port(evutil_socket_error_to_string(EVUTIL_SOCKET_ERROR()));
  sockaddr_in address{};
  socklen_t size = sizeof address;
  getsockname(evhttp_bound_socket_get_fd(socket), reinterpret_cast<sockaddr*>(&address), &size);
  port = ntohs(address.sin_port);
  letters.reset(event_new(
      base.get(), mailbox->descriptor(), EV_READ | EV_PERSIST,
      [](evutil_socket_t, short, void* self) { static_cast<Impl*>(self)->deliver(); }, this));
  event_add(letters.get(), nullptr);
  return absl::OkStatus();
}

void HttpFace::Impl::run() {
  event_base_dispatch(base.get());
  // What is parked still is nobody's any more: its completions go to a mailbox that is not read again.
  for (auto& [key, one] : waiting) transport.cancel(one.send);
  std::map<std::uint64_t, Waiting> left;
  left.swap(waiting);
  for (auto& [key, one] : left) {
    one.closed.reset();
    evhttp_connection_set_closecb(evhttp_request_get_connection(one.request), nullptr, nullptr);
  }
  server.reset();
  letters.reset();
}

void HttpFace::Impl::accept(evhttp_request* request) {
  const std::uint64_t key = next_key++;
  Waiting& one = waiting[key];
  one.face = this;
  one.key = key;
  one.request = request;
  evhttp_connection* connection = evhttp_request_get_connection(request);
  evhttp_connection_set_closecb(
      connection,
      [](evhttp_connection*, void* of) {
        auto* gone = static_cast<Waiting*>(of);
        gone->face->hung_up(gone->key);
      },
      &one);
  // evhttp does not read while a request is being worked on, so it does not see the client go; this does.
  one.closed.reset(event_new(
      base.get(), bufferevent_getfd(evhttp_connection_get_bufferevent(connection)), EV_CLOSED,
      [](evutil_socket_t, short, void* of) {
        evhttp_connection_free(evhttp_request_get_connection(static_cast<Waiting*>(of)->request));
      },
      &one));
  event_add(one.closed.get(), nullptr);
  one.send = transport.send(read_request(request), [box = mailbox, key](absl::StatusOr<HttpResponse> response) {
    box->put({key, std::move(response)});
  });
}

void HttpFace::Impl::deliver() {
  for (Mailbox::Letter& letter : mailbox->take()) {
    if (letter.key == 0) {
      event_base_loopbreak(base.get());
      return;
    }
    const auto found = waiting.find(letter.key);
    if (found == waiting.end()) continue;  // its client has gone
    Waiting one = std::move(found->second);
    waiting.erase(found);
    one.closed.reset();
    evhttp_connection_set_closecb(evhttp_request_get_connection(one.request), nullptr, nullptr);
    answer(one, std::move(letter.response));
  }
}

void HttpFace::Impl::answer(Waiting& one, absl::StatusOr<HttpResponse> response) {
  if (!response.ok()) {  // there was no answer: to the client the server looks gone
    evhttp_connection_free(evhttp_request_get_connection(one.request));
    return;
  }
  evkeyvalq* headers = evhttp_request_get_output_headers(one.request);
  for (const auto& [name, value] : response->headers) {
    evhttp_add_header(headers, canonical(name).c_str(), value.c_str());
  }
  const Buffer body(evbuffer_new());
  evbuffer_add(body.get(), response->body.data(), response->body.size());
  evhttp_send_reply(one.request, response->status, nullptr, body.get());
}

void HttpFace::Impl::hung_up(std::uint64_t key) {
  const auto found = waiting.find(key);
  if (found == waiting.end()) return;
  transport.cancel(found->second.send);
  waiting.erase(found);
}

HttpFace::HttpFace(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
HttpFace::~HttpFace() = default;

std::uint16_t HttpFace::port() const { return impl_->port; }

absl::StatusOr<std::unique_ptr<HttpFace>> HttpFace::start(Transport& transport, std::uint16_t port) {
  auto impl = std::make_unique<Impl>(transport);
  if (absl::Status status = impl->listen(port); !status.ok()) return status;
  // Signals are the host's business; and a client that has gone must not raise SIGPIPE.
  sigset_t all, before;
  sigfillset(&all);
  pthread_sigmask(SIG_SETMASK, &all, &before);
  impl->thread = std::thread([raw = impl.get()] { raw->run(); });
  pthread_sigmask(SIG_SETMASK, &before, nullptr);
  return std::unique_ptr<HttpFace>(new HttpFace(std::move(impl)));
}

}  // namespace convergence
