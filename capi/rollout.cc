// A rollout as a handle: the driver's questions and changes come out of the loop, answers go in.
#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <utility>

#include "capi/guard.h"
#include "capi/handles.h"
#include "capi/reader.h"
#include "convergence/codec.h"
#include "convergence/driver.h"
#include "convergence/error.h"
#include "lib/base/status_macros.h"

namespace convergence::capi {
namespace {

Json measure_json(const MeasureRequest& request) {
  return Json()
      .set("service", request.service)
      .set("stable_subset", request.stable_subset)
      .set("candidate_subset", request.candidate_subset)
      .set("epoch", request.window.epoch)
      .set("from", std::int64_t{request.window.from.time_since_epoch().count()})
      .set("to", std::int64_t{request.window.to.time_since_epoch().count()});
}

// Questions wait here until the host answers them by epoch.
class HostMetrics : public MetricsSource {
 public:
  HostMetrics(std::shared_ptr<CompletionQueue> queue, std::uint64_t id) : queue_(std::move(queue)), id_(id) {}

  void measure(const MeasureRequest& request, std::function<void(Measurement)> done) override {
    open_[request.window.epoch] = std::move(done);
    queue_->push(id_, Json().set("type", "measure").set("request", measure_json(request)));
  }

  absl::Status answer(Measurement measurement) {
    auto found = open_.find(measurement.epoch);
    if (found == open_.end()) {
      return make_error(ErrorKind::kNotFound,
                        "measurement: nobody asked for epoch " + std::to_string(measurement.epoch) + " (any more)");
    }
    auto done = std::move(found->second);
    open_.erase(found);
    done(std::move(measurement));
    return absl::OkStatus();
  }

 private:
  std::shared_ptr<CompletionQueue> queue_;
  std::uint64_t id_;
  std::map<std::int64_t, std::function<void(Measurement)>> open_;
};

constexpr Parameter kRolloutOptions[] = {{"prefix", Shape::kText, false}};

// Events and their parts are read by the codec, in the shape that a journal has them.
template <typename T>
absl::StatusOr<T> read_event_part(cvg_slice slice, std::string_view type, std::string_view document) {
  CVG_ASSIGN_OR_RETURN(Json json, read_document(slice, document));
  if (!json.is_object()) return make_error(ErrorKind::kDecode, std::string(document) + ": is no object");
  json.set("type", type);
  json.set("at", 0);
  CVG_ASSIGN_OR_RETURN(CanaryEvent event, from_json<CanaryEvent>(json, document));
  return std::get<T>(std::move(event.body));
}

}  // namespace
}  // namespace convergence::capi

struct cvg_rollout {
  cvg_loop* loop = nullptr;
  std::uint64_t id = 0;
  std::unique_ptr<convergence::capi::HostMetrics> metrics;
  std::unique_ptr<convergence::RolloutDriver> driver;
};

using namespace convergence;        // NOLINT: the functions below have C linkage and cannot live inside
using namespace convergence::capi;  // NOLINT

namespace {

// The end of a run, as a completion.
ConsulClient::Callback<CanaryState> finish_of(const cvg_rollout& rollout) {
  return [queue = rollout.loop->queue, id = rollout.id](absl::StatusOr<CanaryState> state) {
    if (!state.ok()) return queue->push(id, state.status());
    queue->push(id, Json().set("type", "done").set("state", to_json(*state)));
  };
}

}  // namespace

extern "C" {

cvg_code cvg_rollout_new(cvg_client* client, cvg_slice service, cvg_slice options, uint64_t* id, cvg_rollout** out,
                         cvg_error** error) noexcept {
  return guarded(error, [&]() -> absl::Status {
    CVG_RETURN_IF_ERROR(require(client, "client"));
    CVG_RETURN_IF_ERROR(require(id, "id"));
    CVG_RETURN_IF_ERROR(require(out, "out"));
    if (view(service).empty()) return make_error(ErrorKind::kUsage, "service: is empty; name the service");
    CVG_ASSIGN_OR_RETURN(Json json, read_document(options, "options"));
    CVG_RETURN_IF_ERROR(check_members(json, kRolloutOptions, "options"));
    std::shared_ptr<CompletionQueue> queue = client->loop->queue;
    auto rollout = std::make_unique<cvg_rollout>();
    rollout->loop = client->loop;
    rollout->id = queue->next_id++;
    rollout->metrics = std::make_unique<HostMetrics>(queue, rollout->id);
    RolloutOptions rollout_options;
    if (json.find("prefix")) rollout_options.prefix = text_of(json, "prefix");
    rollout_options.on_change = [queue, own = rollout->id](const CanaryState& state) {
      queue->push(own, Json().set("type", "changed").set("state", to_json(state)));
    };
    rollout->driver = std::make_unique<RolloutDriver>(*client->client, *rollout->metrics, std::string(view(service)),
                                                      std::move(rollout_options));
    *id = rollout->id;
    *out = rollout.release();
    return absl::OkStatus();
  });
}

cvg_code cvg_rollout_start(cvg_rollout* rollout, cvg_slice policy, cvg_slice start, cvg_error** error) noexcept {
  return guarded(error, [&]() -> absl::Status {
    CVG_RETURN_IF_ERROR(require(rollout, "rollout"));
    CVG_ASSIGN_OR_RETURN(CanaryPolicy canary_policy, parse<CanaryPolicy>(view(policy), "policy"));
    CVG_ASSIGN_OR_RETURN(StartRollout event, read_event_part<StartRollout>(start, "start", "start"));
    rollout->driver->start(canary_policy, event, finish_of(*rollout));
    return absl::OkStatus();
  });
}

cvg_code cvg_rollout_resume(cvg_rollout* rollout, cvg_error** error) noexcept {
  return guarded(error, [&]() -> absl::Status {
    CVG_RETURN_IF_ERROR(require(rollout, "rollout"));
    rollout->driver->resume(finish_of(*rollout));
    return absl::OkStatus();
  });
}

cvg_code cvg_rollout_command(cvg_rollout* rollout, cvg_slice command, cvg_buffer* out, cvg_error** error) noexcept {
  return guarded(error, [&]() -> absl::Status {
    CVG_RETURN_IF_ERROR(require(rollout, "rollout"));
    CVG_RETURN_IF_ERROR(require(out, "out"));
    CVG_ASSIGN_OR_RETURN(Command event, read_event_part<Command>(command, "command", "command"));
    CVG_ASSIGN_OR_RETURN(CanaryState state,
                         await<CanaryState>(*rollout->loop->executor, [&](ConsulClient::Callback<CanaryState> done) {
                           rollout->driver->command(event, std::move(done));
                         }));
    return give(to_json(state), out);
  });
}

cvg_code cvg_rollout_measured(cvg_rollout* rollout, cvg_slice measurement, cvg_error** error) noexcept {
  return guarded(error, [&]() -> absl::Status {
    CVG_RETURN_IF_ERROR(require(rollout, "rollout"));
    CVG_ASSIGN_OR_RETURN(Measurement event, read_event_part<Measurement>(measurement, "measurement", "measurement"));
    return rollout->metrics->answer(std::move(event));
  });
}

void cvg_rollout_free(cvg_rollout* rollout) noexcept {
  if (rollout == nullptr) return;
  rollout->driver.reset();  // before the metrics it asks
  delete rollout;
}

}  // extern "C"
