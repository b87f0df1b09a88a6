#include "lib/driver/rollout_command.h"

#include <algorithm>
#include <memory>
#include <utility>

#include "convergence/error.h"
#include "fmt/format.h"
#include "lib/driver/state_document.h"

namespace convergence {
namespace {

constexpr int kTries = 10;

class CommandRun : public std::enable_shared_from_this<CommandRun> {
 public:
  CommandRun(ConsulClient& client, std::string_view prefix, std::string service, Command command,
             ConsulClient::Callback<CanaryState> done)
      : client_(client),
        key_(rollout_key(prefix, service)),
        service_(std::move(service)),
        command_(std::move(command)),
        done_(std::move(done)) {}

  void read() {
    read_state(client_, key_, [self = shared_from_this()](absl::StatusOr<StateDocument> there) {
      if (!there.ok()) return self->done_(there.status());
      if (there->index == 0) return self->done_(no_rollout(self->service_));
      self->write(*there);
    });
  }

 private:
  void write(const StateDocument& there) {
    const absl::StatusOr<CanaryStep> step =
        canary_step(there.state.policy, there.state, {event_time(client_.executor(), there.state), command_});
    if (!step.ok()) return done_(step.status());
    if (step->state == there.state) return done_(there.state);
    write_state(client_, key_, step->state, there.index,
                [self = shared_from_this(), state = step->state](absl::StatusOr<std::optional<std::uint64_t>> index) {
                  if (!index.ok()) return self->done_(index.status());
                  if (*index) return self->done_(state);
                  if (--self->tries_ > 0) return self->read();
                  self->done_(overtaken(self->service_));
                });
  }

  ConsulClient& client_;
  const std::string key_;
  const std::string service_;
  const Command command_;
  const ConsulClient::Callback<CanaryState> done_;
  int tries_ = kTries;
};

}  // namespace

void send_command(ConsulClient& client, std::string_view prefix, const std::string& service, const Command& command,
                  ConsulClient::Callback<CanaryState> done) {
  std::make_shared<CommandRun>(client, prefix, service, command, std::move(done))->read();
}

Time event_time(const Executor& executor, const CanaryState& state) {
  return std::max(executor.now(), state.last_event_at);
}

absl::Status no_rollout(std::string_view service) {
  return make_error(ErrorKind::kNotFound, fmt::format("rollout of {}: there is none; start one", service));
}

absl::Status overtaken(std::string_view service) {
  return make_error(ErrorKind::kConflict,
                    fmt::format("rollout of {}: others keep writing its state; try again", service));
}

}  // namespace convergence
