#ifndef CONVERGENCE_CONSUL_CLIENT_INLINE_H_
#define CONVERGENCE_CONSUL_CLIENT_INLINE_H_

// Templates of consul_client.h; include that.

#include <atomic>
#include <memory>
#include <optional>
#include <utility>

#include "convergence/consul_client.h"
#include "convergence/error.h"

namespace convergence {

template <typename T, typename Start>
absl::StatusOr<T> await(Executor& executor, Start start, Duration timeout) {
  enum Progress { kPosted, kStarting, kStarted, kAbandoned };
  struct Slot {
    std::optional<absl::StatusOr<T>> result;
    std::atomic<bool> ready{false};
    std::atomic<int> stage{kPosted};
  };
  // Refused on the executor's own thread before anything is started: a refused write must not happen after all.
  const absl::Status may_wait = executor.wait_until([] { return true; }, kNever);
  if (!may_wait.ok()) return may_wait;

  auto slot = std::make_shared<Slot>();
  const Time deadline = executor.now() + timeout;
  executor.post([&start, slot] {
    int posted = kPosted;
    if (!slot->stage.compare_exchange_strong(posted, kStarting)) return;
    start([slot](absl::StatusOr<T> result) {
      slot->result.emplace(std::move(result));
      slot->ready.store(true, std::memory_order_release);
    });
    slot->stage.store(kStarted);
    slot->stage.notify_all();
  });
  const absl::Status waited =
      executor.wait_until([slot] { return slot->ready.load(std::memory_order_acquire); }, deadline);
  if (waited.ok()) return std::move(*slot->result);
  // `start` may hold references into this frame: it must not begin any more, and what has begun must come back.
  int posted = kPosted;
  if (!slot->stage.compare_exchange_strong(posted, kAbandoned)) slot->stage.wait(kStarting);
  return waited;
}

template <typename Start>
absl::Status await_done(Executor& executor, Start start, Duration timeout) {
  absl::StatusOr<bool> result = await<bool>(
      executor,
      [&start](std::function<void(absl::StatusOr<bool>)> done) {
        start([done](absl::Status status) { status.ok() ? done(true) : done(status); });
      },
      timeout);
  return result.status();
}

// What of a watch does not depend on the type: when to read, and whether an answer is news. Tasks of the executor run
// it, but for stop().
struct Watch::Loop : std::enable_shared_from_this<Watch::Loop> {
  Loop(Executor& executor, RetryOptions retry);
  virtual ~Loop();

  void begin();
  void stop();  // [any thread]
  bool stopped() const { return stopped_.load(); }

 protected:
  enum class News { kNone, kIfChanged, kAlways };
  // Takes in the index of an answer to the read under way.
  absl::StatusOr<News> accept(std::uint64_t index);
  // Takes in a problem; true when the caller of the watch is to hear of it.
  bool reject(const absl::Status& problem);
  // Sets out for the next read, unless the watch has ended.
  void proceed();

 private:
  virtual void read(std::uint64_t wait_index) = 0;
  // Lets go of what the host gave.
  virtual void forget() = 0;
  void start_read();

  Executor& executor_;
  const RetryOptions retry_;
  std::atomic<bool> stopped_{false};
  std::uint64_t wait_index_ = 0;
  bool news_due_ = true;  // the next good answer is told whatever it says: the first, and the first after a problem
  ErrorKind told_ = ErrorKind::kNone;  // kind of the problem told last in this outage
  bool failing_ = false;
  bool pausing_ = false;  // before the next read
  Duration pause_{0};
  Time read_at_{};
  Executor::TimerId timer_ = 0;
};

template <typename T>
std::unique_ptr<Watch> Watch::start(Executor& executor, Read<T> read, ConsulClient::Callback<Answer<T>> on_change,
                                    RetryOptions retry) {
  struct TypedLoop : Loop {
    TypedLoop(Executor& on, RetryOptions pauses, Read<T> reader, ConsulClient::Callback<Answer<T>> tell)
        : Loop(on, pauses), read_(std::move(reader)), on_change_(std::move(tell)) {}

    void read(std::uint64_t wait_index) override {
      std::weak_ptr<Loop> weak = this->weak_from_this();
      read_(wait_index, [weak](absl::StatusOr<Answer<T>> answer) {
        if (const auto loop = weak.lock()) static_cast<TypedLoop&>(*loop).on_answer(std::move(answer));
      });
    }

    void on_answer(absl::StatusOr<Answer<T>> answer) {
      if (this->stopped()) return;
      absl::StatusOr<News> news = answer.ok() ? this->accept(answer->index) : answer.status();
      if (!news.ok()) {
        if (this->reject(news.status())) on_change_(news.status());
      } else if (*news == News::kAlways || (*news == News::kIfChanged && !(last_ && *last_ == answer->value))) {
        last_ = answer->value;
        on_change_(std::move(answer));
      }
      this->proceed();
    }

    void forget() override {
      read_ = nullptr;
      on_change_ = nullptr;
      last_.reset();
    }

    Read<T> read_;
    ConsulClient::Callback<Answer<T>> on_change_;
    std::optional<T> last_;
  };
  auto loop = std::make_shared<TypedLoop>(executor, retry, std::move(read), std::move(on_change));
  loop->begin();
  return std::unique_ptr<Watch>(new Watch(std::move(loop)));
}

}  // namespace convergence

#endif  // CONVERGENCE_CONSUL_CLIENT_INLINE_H_
