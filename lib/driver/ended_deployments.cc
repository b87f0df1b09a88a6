#include "lib/driver/ended_deployments.h"

#include <algorithm>
#include <functional>
#include <map>
#include <set>
#include <utility>

#include "convergence/codec.h"
#include "convergence/environment_driver.h"
#include "convergence/report.h"
#include "lib/driver/state_document.h"

namespace convergence {
namespace {

constexpr Duration kAmendAgain = std::chrono::seconds(2);  // after Consul did not take it
constexpr Duration kFirstShipAgain = std::chrono::seconds(10);
constexpr Duration kLongestShipAgain = std::chrono::minutes(10);
constexpr Duration kFirstSettleAgain = std::chrono::seconds(5);
constexpr int kLooks = 12;  // doubled each time, ten minutes at most: an hour, as long as Environment Manager waits

using Amendment = std::function<bool(NodeReport&)>;  // false: nothing is to be changed

// The end of a report whose process died before it could tell it (environment-manager.md W-A5).
bool close_report(NodeReport& report, const Outcome& outcome) {
  if (report.end) return false;
  report.end = whole_microseconds(outcome.at);
  report.status = outcome.succeeded ? NodeStatus::kSuccess : NodeStatus::kFailed;
  report.last_completed_stage = outcome.succeeded ? "Complete" : std::string(to_string(outcome.stage));
  report.stage.clear();
  report.attempts = outcome.attempts;
  if (!outcome.succeeded) report.reason = std::string(to_string(outcome.stage)) + ": " + outcome.why;
  return true;
}

}  // namespace

struct EndedDeployments::Impl : std::enable_shared_from_this<Impl> {
  Impl(ConsulClient& consul, NodeHands& given_hands, DesiredSource given, std::string name)
      : client(consul), hands(given_hands), source(std::move(given)), instance(std::move(name)) {}

  std::string key_of(const EndedLog& log) const {
    ReportNode said;
    said.service_id = log.service_id;
    said.deployment = log.deployment;
    return report_key(source, instance, said);
  }

  void ship(EndedLog log, Duration pause);
  void told(const EndedLog& log, const std::string& place);
  void settle(const std::string& deployment, int look, Duration pause);
  void amend(const std::string& key, Amendment amendment, std::function<void()> done);
  void later(Duration pause, std::function<void()> task);

  ConsulClient& client;
  NodeHands& hands;
  const DesiredSource source;
  const std::string instance;
  bool gone = false;
  std::set<Executor::TimerId> timers;
};

void EndedDeployments::Impl::later(Duration pause, std::function<void()> task) {
  Executor& executor = client.executor();
  auto id = std::make_shared<Executor::TimerId>();
  *id = executor.post_at(executor.now() + pause, [weak = weak_from_this(), id, task = std::move(task)] {
    auto self = weak.lock();
    if (!self || self->gone) return;
    self->timers.erase(*id);
    task();
  });
  timers.insert(*id);
}

void EndedDeployments::Impl::ship(EndedLog log, Duration pause) {
  hands.ship_log(log, [weak = weak_from_this(), log, pause](const absl::StatusOr<std::string>& place) {
    auto self = weak.lock();
    if (!self || self->gone) return;
    if (place.ok()) return self->told(log, *place);
    const std::string problem(place.status().message());
    self->amend(
        self->key_of(log),
        [problem](NodeReport& report) { return std::exchange(report.log_problem, problem) != problem; }, [] {});
    self->later(pause, [self = self.get(), log, pause] { self->ship(log, std::min(2 * pause, kLongestShipAgain)); });
  });
}

void EndedDeployments::Impl::told(const EndedLog& log, const std::string& place) {
  if (place.empty()) return;
  amend(
      key_of(log),
      [place](NodeReport& report) {
        const bool known = report.log == place && report.log_problem.empty();
        report.log = place;
        report.log_problem.clear();
        return !known;
      },
      [this, log] { hands.log_told(log); });
}

// The node that ends last sees that all have; the looks after that are for nodes that are lost meanwhile.
void EndedDeployments::Impl::settle(const std::string& deployment, int look, Duration pause) {
  settle_overall_status(client, {source.environment, source.role}, deployment,
                        [weak = weak_from_this(), deployment, look, pause](const absl::StatusOr<std::string>& status) {
                          auto self = weak.lock();
                          if (!self || self->gone || look == kLooks) return;
                          if (status.ok() && *status != to_string(OverallStatus::kInProgress)) return;
                          self->later(pause, [self = self.get(), deployment, look, pause] {
                            self->settle(deployment, look + 1, std::min(2 * pause, kLongestShipAgain));
                          });
                        });
}

void EndedDeployments::Impl::amend(const std::string& key, Amendment amendment, std::function<void()> done) {
  const auto again = [weak = weak_from_this(), key, amendment, done] {
    auto self = weak.lock();
    if (!self || self->gone) return;
    self->later(kAmendAgain, [self = self.get(), key, amendment, done] { self->amend(key, amendment, done); });
  };
  client.kv_get(key, latest(), [weak = weak_from_this(), key, amendment, done, again](const auto& read) {
    auto self = weak.lock();
    if (!self || self->gone) return;
    if (!read.ok()) return again();
    if (!read->value) return done();  // collected
    absl::StatusOr<NodeReport> report = parse<NodeReport>(read->value->value, key);
    if (!report.ok() || !amendment(*report)) return done();
    report->updated = whole_microseconds(self->client.executor().now());
    ConsulClient::KvPut put;
    put.key = key;
    put.value = to_text(to_json(*report));
    put.cas = read->value->modify_index;
    self->client.kv_put(put, {}, [weak, done, again](const absl::StatusOr<bool>& written) {
      const auto still = weak.lock();
      if (!still || still->gone) return;
      if (!written.ok() || !*written) return again();
      done();
    });
  });
}

EndedDeployments::EndedDeployments(ConsulClient& client, NodeHands& hands, DesiredSource source, std::string instance)
    : impl_(std::make_shared<Impl>(client, hands, std::move(source), std::move(instance))) {}

EndedDeployments::~EndedDeployments() {
  impl_->gone = true;
  for (const Executor::TimerId id : impl_->timers) impl_->client.executor().cancel(id);
}

void EndedDeployments::take_up(const AgentMemory& memory) {
  for (const auto& [id, outcomes] : memory.outcomes) {
    // Older ones were told long before this process's predecessor ended.
    const auto last = std::ranges::max_element(outcomes, {}, [](const auto& one) { return one.second.at; });
    if (last == outcomes.end()) continue;
    EndedLog log;
    log.service_id = id;
    log.deployment = last->first;
    const bool again = memory.task && memory.task->service_id == id && memory.task->next.deployment == last->first;
    if (!again) {
      impl_->amend(
          impl_->key_of(log), [outcome = last->second](NodeReport& report) { return close_report(report, outcome); },
          [] {});
    }
    for (const auto& [deployment, outcome] : outcomes) ended(id, deployment, outcome);
  }
}

void EndedDeployments::ended(const std::string& service_id, const std::string& deployment, const Outcome& outcome) {
  EndedLog log;
  log.group = impl_->source.environment.empty() ? impl_->source.role : impl_->source.environment;
  log.instance = impl_->instance;
  log.service_id = service_id;
  log.deployment = deployment;
  log.ended = outcome.at;
  impl_->ship(log, kFirstShipAgain);
  if (!impl_->source.environment.empty()) impl_->settle(deployment, 1, kFirstSettleAgain);
}

}  // namespace convergence
