#include <memory>
#include <utility>

#include "convergence/driver.h"
#include "convergence/error.h"
#include "convergence/slices.h"
#include "lib/driver/gather.h"
#include "lib/driver/rollout_legs.h"
#include "lib/driver/state_document.h"

namespace convergence {
namespace {

// The owner whose mark counts: two prefixes on one Consul must not prune each other's things. And what a document that
// cannot be read may still want is not known to be unwanted, so then nothing is pruned at all.
PlanOptions effective(const ConvergeOptions& options, bool all_read) {
  PlanOptions plan = options.plan;
  plan.prune = plan.prune && all_read;
  if (plan.owner == kMarkValue) plan.owner = options.prefix;
  return plan;
}

struct Planning {
  ConvergeOptions options{};
  DesiredState desired{};
  std::vector<CanaryState> rollouts{};
  PlannedRound round{};
};

absl::StatusOr<PlannedRound> finish(Planning& planning) {
  planning.desired.entries = entries_for(std::move(planning.desired.entries), planning.rollouts);
  planning.desired.entries =
      keep_rollout_legs(std::move(planning.desired.entries), planning.rollouts, planning.round.catalog);
  planning.desired.entries = keep_live_slices(std::move(planning.desired.entries), planning.round.catalog.entries);
  absl::StatusOr<Plan> plan =
      converge(planning.desired, planning.round.catalog, effective(planning.options, planning.round.broken.empty()));
  if (!plan.ok()) return plan.status();
  planning.round.plan = *std::move(plan);
  return std::move(planning.round);
}

void add_desired_read(ConsulClient& client, Gather& gather, const std::shared_ptr<Planning>& planning) {
  gather.add([&client, planning](Gather::Done done) {
    read_desired(client, planning->options.prefix, planning->options.read,
                 [planning, done](absl::StatusOr<Answer<DesiredRead>> answer) {
                   if (!answer.ok()) return done(answer.status());
                   planning->round.desired_index = answer->index;
                   planning->desired = std::move(answer->value.desired);
                   planning->round.broken = std::move(answer->value.broken);
                   done(absl::OkStatus());
                 });
  });
}

}  // namespace

void read_rollouts(ConsulClient& client, std::string_view prefix, const ReadOptions& options,
                   ConsulClient::Callback<std::vector<CanaryState>> done) {
  const std::string below = rollout_key(prefix, "");
  client.kv_recurse(below, options,
                    [below, done = std::move(done)](absl::StatusOr<Answer<std::vector<KvPair>>> answer) {
                      if (!answer.ok()) return done(answer.status());
                      std::vector<CanaryState> rollouts;
                      for (const KvPair& pair : answer->value) {
                        if (pair.key.find('/', below.size()) != std::string::npos) continue;  // beside a state, not one
                        absl::StatusOr<CanaryState> state = parse<CanaryState>(pair.value, pair.key);
                        if (!state.ok()) return done(state.status());
                        rollouts.push_back(*std::move(state));
                      }
                      done(std::move(rollouts));
                    });
}

void plan_now(ConsulClient& client, const ConvergeOptions& options, ConsulClient::Callback<PlannedRound> done) {
  // Kept alive by its calls under way, not by what they fill in.
  const auto gather = std::make_shared<Gather>();
  const auto planning = std::make_shared<Planning>();
  planning->options = options;
  if (options.desired) {
    planning->desired = *options.desired;
  } else {
    add_desired_read(client, *gather, planning);
  }
  gather->add([&client, planning](Gather::Done next) {
    read_rollouts(client, planning->options.prefix, planning->options.read,
                  [planning, next](absl::StatusOr<std::vector<CanaryState>> rollouts) {
                    if (!rollouts.ok()) return next(rollouts.status());
                    planning->rollouts = *std::move(rollouts);
                    next(absl::OkStatus());
                  });
  });
  gather->add([&client, planning](Gather::Done next) {
    read_catalog(client, {}, planning->options.read, [planning, next](absl::StatusOr<CatalogState> catalog) {
      if (!catalog.ok()) return next(catalog.status());
      planning->round.catalog = *std::move(catalog);
      next(absl::OkStatus());
    });
  });
  gather->run([planning, done = std::move(done)](absl::Status status) {
    if (!status.ok()) return done(status);
    done(finish(*planning));
  });
}

}  // namespace convergence
