#include "convergence/curl_transport.h"

#include <curl/curl.h>
#include <pthread.h>
#include <signal.h>

#include <algorithm>
#include <map>
#include <mutex>
#include <thread>
#include <utility>
#include <vector>

#include "convergence/error.h"
#include "lib/base/status_macros.h"
#include "lib/transport/curl_transfer.h"
#include "lib/transport/send_book.h"

namespace convergence {
namespace {

// A host name costs a resolver thread of libcurl for each connection that is being made; names are looked up by this
// many at a time until the answer is cached.
constexpr std::size_t kLookupsAtOnce = 4;
constexpr int kPollMilliseconds = 60'000;  // any: the loop is woken when there is something to do

absl::Status init_libcurl() {
  static std::once_flag once;
  static CURLcode code = CURLE_OK;
  std::call_once(once, [] { code = curl_global_init(CURL_GLOBAL_DEFAULT); });
  if (code == CURLE_OK) return absl::OkStatus();
  return make_error(ErrorKind::kInvariant, std::string("curl transport: libcurl does not start: ") +
                                               curl_easy_strerror(code) + "; see what the program does to OpenSSL");
}

// What the I/O thread does. Its sends are completed through the book; all else here is its own.
class CurlIo {
 public:
  CurlIo(CurlConfig config, CURLM* multi) : config_(std::move(config)), multi_(multi) {
    const long connections = config_.options.max_connections;
    curl_multi_setopt(multi_, CURLMOPT_MAX_TOTAL_CONNECTIONS, connections);
    curl_multi_setopt(multi_, CURLMOPT_MAXCONNECTS, connections);
    curl_multi_setopt(multi_, CURLMOPT_PIPELINING, static_cast<long>(CURLPIPE_NOTHING));
  }
  ~CurlIo() { curl_multi_cleanup(multi_); }
  CurlIo(const CurlIo&) = delete;
  CurlIo& operator=(const CurlIo&) = delete;

  // [any thread]
  void start(Transport::SendId send, HttpRequest request) {
    const std::lock_guard lock(mutex_);
    starts_.emplace_back(send, std::move(request));
    wake();
  }
  void drop(Transport::SendId send) {
    const std::lock_guard lock(mutex_);
    drops_.push_back(send);
    wake();
  }
  void end() {
    const std::lock_guard lock(mutex_);
    ending_ = true;
    wake();
  }

  // The I/O thread; returns after end().
  void run(SendBook& book) {
    while (take_orders()) {
      bool changed = true;
      while (changed) {
        begin_transfers(book);
        int running = 0;
        curl_multi_perform(multi_, &running);
        changed = end_transfers(book);
      }
      curl_multi_poll(multi_, nullptr, 0, kPollMilliseconds, nullptr);
    }
    for (const auto& [send, transfer] : active_) curl_multi_remove_handle(multi_, transfer->handle());
    active_.clear();
  }

 private:
  void wake() {
    if (woken_) return;
    woken_ = true;
    curl_multi_wakeup(multi_);
  }

  bool take_orders() {
    std::vector<std::pair<Transport::SendId, HttpRequest>> starts;
    std::vector<Transport::SendId> drops;
    {
      const std::lock_guard lock(mutex_);
      if (ending_) return false;
      woken_ = false;
      starts.swap(starts_);
      drops.swap(drops_);
    }
    for (auto& [send, request] : starts) waiting_.emplace(send, std::move(request));
    for (const Transport::SendId send : drops) {
      waiting_.erase(send);
      const auto found = active_.find(send);
      if (found == active_.end()) continue;
      curl_multi_remove_handle(multi_, found->second->handle());
      active_.erase(found);
    }
    return true;
  }

  // A request that has no connection yet waits here and not in libcurl, so that it costs nothing to drop.
  bool has_room() const {
    if (active_.size() >= static_cast<std::size_t>(config_.options.max_connections)) return false;
    if (!config_.named_host) return true;
    const auto connecting =
        std::count_if(active_.begin(), active_.end(), [](const auto& active) { return !active.second->connected(); });
    return static_cast<std::size_t>(connecting) < kLookupsAtOnce;
  }

  void begin_transfers(SendBook& book) {
    while (!waiting_.empty() && has_room()) {
      const auto first = waiting_.begin();
      const Transport::SendId send = first->first;
      HttpRequest request = std::move(first->second);
      waiting_.erase(first);
      if (!book.is_open(send)) continue;
      std::unique_ptr<CurlTransfer> transfer = CurlTransfer::make(config_, send, std::move(request));
      if (transfer == nullptr || curl_multi_add_handle(multi_, transfer->handle()) != CURLM_OK) {
        book.finish(send, make_error(ErrorKind::kInvariant,
                                     "curl transport: libcurl does not take the request; see "
                                     "whether memory is left"));
        continue;
      }
      active_.emplace(send, std::move(transfer));
    }
  }

  // True when something ended or connected, so that there may be room.
  bool end_transfers(SendBook& book) {
    bool ended = false;
    int left = 0;
    while (const CURLMsg* message = curl_multi_info_read(multi_, &left)) {
      if (message->msg != CURLMSG_DONE) continue;
      const CURLcode code = message->data.result;
      CurlTransfer* transfer = nullptr;
      curl_easy_getinfo(message->easy_handle, CURLINFO_PRIVATE, &transfer);
      curl_multi_remove_handle(multi_, message->easy_handle);
      const Transport::SendId send = transfer->send();
      book.finish(send, transfer->take_result(code));
      active_.erase(send);
      ended = true;
    }
    return !waiting_.empty() && (ended || has_room());
  }

  const CurlConfig config_;
  CURLM* const multi_;

  std::mutex mutex_;  // of the orders
  std::vector<std::pair<Transport::SendId, HttpRequest>> starts_;
  std::vector<Transport::SendId> drops_;
  bool ending_ = false;
  bool woken_ = false;

  std::map<Transport::SendId, HttpRequest> waiting_;  // oldest first
  std::map<Transport::SendId, std::unique_ptr<CurlTransfer>> active_;
};

// A signal of the host must not land on our thread, and a lost peer must be an error there and no SIGPIPE.
std::thread start_without_signals(std::function<void()> body) {
  sigset_t all;
  sigset_t before;
  sigfillset(&all);
  pthread_sigmask(SIG_SETMASK, &all, &before);
  std::thread thread(std::move(body));
  pthread_sigmask(SIG_SETMASK, &before, nullptr);
  return thread;
}

class CurlTransport final : public Transport {
 public:
  CurlTransport(Executor& executor, Duration default_timeout, std::shared_ptr<CurlIo> io)
      : executor_(executor),
        default_timeout_(default_timeout),
        io_(std::move(io)),
        book_(executor,
              [weak = std::weak_ptr<CurlIo>(io_)](SendId send) {
                if (const auto io_alive = weak.lock()) io_alive->drop(send);
              }),
        thread_(start_without_signals([this] { io_->run(book_); })) {}

  ~CurlTransport() override {
    io_->end();
    thread_.join();
  }  // the book completes the rest

  SendId send(HttpRequest request, Completion completion) override {
    const Time now = executor_.now();
    const Time deadline = request.deadline != kNever         ? request.deadline
                          : default_timeout_ >= kNever - now ? kNever
                                                             : now + default_timeout_;
    const SendId id = book_.open(request, deadline, std::move(completion));
    if (const absl::Status status = check_request(request); !status.ok()) {
      book_.finish(id, status);
    } else if (deadline > now) {
      io_->start(id, std::move(request));
    }
    return id;
  }

  void cancel(SendId send) override {
    if (book_.cancel(send)) io_->drop(send);
  }

 private:
  Executor& executor_;
  const Duration default_timeout_;
  const std::shared_ptr<CurlIo> io_;
  SendBook book_;
  std::thread thread_;
};

}  // namespace

absl::StatusOr<std::unique_ptr<Transport>> new_curl_transport(Executor& executor, CurlOptions options) {
  CVG_ASSIGN_OR_RETURN(CurlConfig config, curl_config(std::move(options)));
  if (config.options.init_curl) CVG_RETURN_IF_ERROR(init_libcurl());
  CURLM* multi = curl_multi_init();
  if (multi == nullptr) {
    return make_error(ErrorKind::kInvariant, "curl transport: libcurl has no memory; see what the program uses");
  }
  const Duration default_timeout = config.options.default_timeout;
  auto io = std::make_shared<CurlIo>(std::move(config), multi);
  return std::make_unique<CurlTransport>(executor, default_timeout, std::move(io));
}

}  // namespace convergence
