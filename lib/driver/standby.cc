#include "convergence/standby.h"

#include <fmt/format.h>

#include <optional>
#include <utility>

#include "convergence/deployment.h"
#include "convergence/error.h"
#include "convergence/operate.h"
#include "lib/base/utf8.h"
#include "lib/driver/agent_reads.h"
#include "lib/driver/state_document.h"

namespace convergence {
namespace {

constexpr std::size_t kLongestReason = 512;  // bytes: a text for people, in every answer about the node's health

// What the key's text says: no line ends or other white space around it, no more of it than people read.
std::string reason_in(const std::optional<KvPair>& pair) {
  constexpr const char* kSpace = " \t\r\n\v\f";
  const std::string text = pair ? pair->value : "";
  const std::size_t first = text.find_first_not_of(kSpace);
  if (first == std::string::npos) return "";
  std::string reason = printable_utf8(text.substr(first, text.find_last_not_of(kSpace) - first + 1));
  if (reason.size() > kLongestReason) {
    std::size_t end = kLongestReason;
    while ((static_cast<unsigned char>(reason[end]) & 0xC0) == 0x80) --end;  // not inside of a character
    reason.resize(end);
  }
  return reason;
}

absl::Status about(const std::string& what, const absl::Status& status) {
  return make_error(error_kind(status), fmt::format("standby: {}: {}", what, std::string(status.message())),
                    error_detail(status));
}

}  // namespace

struct Standby::Impl : std::enable_shared_from_this<Standby::Impl> {
  Impl(ConsulClient& consul, StandbyOptions given)
      : client(consul), executor(consul.executor()), options(std::move(given)) {}

  void begin();
  void watch_key();
  void seen(const absl::StatusOr<Answer<std::optional<KvPair>>>& answer);
  void tell();
  void register_check();
  void update_check(bool may_register);
  void rest(const absl::Status& status);
  void end(ConsulClient::Done done);
  void take_away();
  void later(void (Impl::*next)());
  void cancel_timer() {
    if (timer) executor.cancel(*timer);
    timer.reset();
  }

  CheckStatus status() const { return reason->empty() ? CheckStatus::kPassing : CheckStatus::kCritical; }
  std::string output() const {
    return reason->empty() ? fmt::format("in service: {} says nothing", options.key)
                           : fmt::format("{} ({})", *reason, options.key);
  }

  ConsulClient& client;
  Executor& executor;
  StandbyOptions options;
  std::unique_ptr<Watch> watch;
  std::optional<Executor::TimerId> timer;
  std::optional<std::string> reason;  // none: not known yet
  bool registered = false;
  bool busy = false;        // a word to the local agent is under way
  bool tell_again = false;  // what it says is old already
  bool in_trouble = false;  // and was said to be
  bool gone = false;
  ConsulClient::Done ended;  // of stop(), while it waits for what is under way
};

// ---- the key -----------------------------------------------------------------------------------------------------

void Standby::Impl::begin() {
  if (gone) return;
  if (!options.key.empty()) return watch_key();
  read_own_node(client, [self = shared_from_this()](const absl::StatusOr<Node>& node) {
    if (self->gone) return;
    if (!node.ok()) {
      if (!std::exchange(self->in_trouble, true) && self->options.on_problem) {
        self->options.on_problem(about("the local agent", node.status()));
      }
      return self->later(&Impl::begin);
    }
    self->in_trouble = false;
    self->options.key = maintenance_key(self->options.prefix, node->name);
    self->watch_key();
  });
}

void Standby::Impl::watch_key() {
  using Pair = std::optional<KvPair>;
  watch = Watch::start<Pair>(
      executor,
      [&client = client, key = options.key](std::uint64_t index, ConsulClient::Callback<Answer<Pair>> done) {
        ReadOptions read = latest();
        read.wait_index = index;
        client.kv_get(key, read, std::move(done));
      },
      [weak = weak_from_this()](const absl::StatusOr<Answer<Pair>>& answer) {
        if (const auto self = weak.lock()) self->seen(answer);
      });
}

void Standby::Impl::seen(const absl::StatusOr<Answer<std::optional<KvPair>>>& answer) {
  if (gone) return;
  if (!answer.ok()) {
    if (options.on_problem) options.on_problem(about(options.key, answer.status()));
    return;
  }
  std::string now = reason_in(answer->value);
  if (reason == now) return;
  reason = std::move(now);
  if (options.on_change) options.on_change(*reason);
  tell();
}

// ---- the check ---------------------------------------------------------------------------------------------------

void Standby::Impl::tell() {
  if (gone || !reason) return;
  if (busy) {
    tell_again = true;
    return;
  }
  cancel_timer();
  busy = true;
  registered ? update_check(true) : register_check();
}

// It begins with what is so: a node that comes up in standby is at no time taken for one in service.
void Standby::Impl::register_check() {
  CheckDefinition check;
  check.id = std::string(kStandbyCheck);
  check.name = "Cold standby";
  check.ttl = options.ttl;
  check.unknown = {{"Status", std::string(to_string(status()))}};
  client.agent_check_register(check, "", [self = shared_from_this()](const absl::Status& status) {
    if (!status.ok()) return self->rest(status);
    self->registered = true;
    self->update_check(false);  // one that was there already has kept its status
  });
}

void Standby::Impl::update_check(bool may_register) {
  client.agent_check_update(kStandbyCheck, status(), output(),
                            [self = shared_from_this(), may_register](const absl::Status& status) {
                              if (status.ok()) return self->rest(status);
                              self->registered = false;  // it may be gone
                              if (!may_register || self->gone) return self->rest(status);
                              self->register_check();
                            });
}

void Standby::Impl::rest(const absl::Status& status) {
  busy = false;
  if (gone) {
    if (ended) take_away();
    return;
  }
  if (!status.ok() && !in_trouble && options.on_problem) options.on_problem(about(std::string(kStandbyCheck), status));
  in_trouble = !status.ok();
  if (std::exchange(tell_again, false)) return tell();
  later(&Impl::tell);
}

void Standby::Impl::later(void (Impl::*next)()) {
  timer = executor.post_at(executor.now() + options.refresh, [self = shared_from_this(), next] {
    self->timer.reset();
    ((*self).*next)();
  });
}

// ---- the end -----------------------------------------------------------------------------------------------------

void Standby::Impl::end(ConsulClient::Done done) {
  if (gone) return executor.post([done = std::move(done)] { done(absl::OkStatus()); });
  gone = true;
  watch.reset();
  cancel_timer();
  ended = std::move(done);
  if (!busy) take_away();
}

void Standby::Impl::take_away() {
  ConsulClient::Done done = std::exchange(ended, nullptr);
  if (!registered || !reason->empty()) return executor.post([done = std::move(done)] { done(absl::OkStatus()); });
  client.agent_check_deregister(kStandbyCheck, std::move(done));
}

// ---- the handle --------------------------------------------------------------------------------------------------

Standby::Standby(ConsulClient& client, StandbyOptions options)
    : impl_(std::make_shared<Impl>(client, std::move(options))) {}

Standby::~Standby() {
  impl_->gone = true;
  impl_->watch.reset();
  impl_->cancel_timer();
}

void Standby::run() {
  impl_->executor.post([impl = impl_] { impl->begin(); });
}

void Standby::stop(ConsulClient::Done done) { impl_->end(std::move(done)); }

}  // namespace convergence
