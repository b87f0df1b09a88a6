#include <fmt/format.h>

#include <algorithm>
#include <memory>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "convergence/driver.h"
#include "convergence/error.h"
#include "convergence/fleet_driver.h"
#include "lib/driver/gather.h"
#include "lib/driver/state_document.h"

namespace convergence {
namespace {

static_assert(kCollectBatch == kMaxTxnOperations);

using Keys = std::vector<KvPair>;

// Consul leaves out of a list, without a word, what a token may not read; what is wanted could be among it. To look
// whether a key is there is refused aloud (to a token that may not write it, too), so one is looked for in each folder
// that decides.
std::vector<CollectBatch> looks_into(const std::set<std::string>& folders) {
  std::vector<CollectBatch> out;
  for (const std::string& folder : folders) {
    if (out.empty() || out.back().operations.size() == kCollectBatch) out.emplace_back();
    Json kv;
    kv.set("Verb", "check-not-exists").set("Key", folder + ".collect");
    out.back().operations.push_back(Json().set("KV", std::move(kv)));
  }
  return out;
}

bool is_denied(const TxnFailure& failure) { return failure.what.find("ermission denied") != std::string::npos; }

absl::Status denied(const TxnFailure& failure, const CollectBatch& batch) {
  const Json* kv =
      failure.operation < batch.operations.size() ? batch.operations[failure.operation].find("KV") : nullptr;
  const Json* key = kv ? kv->find("Key") : nullptr;
  return make_error(ErrorKind::kDenied,
                    fmt::format("collect: the token has too few rights ({}: {}); give one with the rules of converge "
                                "policy operator",
                                key && key->as_string() ? *key->as_string() : "?", failure.what));
}

// One run, which keeps itself while an answer is to come.
class CollectRun : public std::enable_shared_from_this<CollectRun> {
 public:
  CollectRun(ConsulClient& client, std::string_view prefix, CollectOptions options, Time now,
             ConsulClient::Callback<Collected> done)
      : client_(client), prefix_(prefix), options_(std::move(options)), now_(now), done_(std::move(done)) {}

  void begin() {
    auto gather = std::make_shared<Gather>();
    // What is pointed to is read last: what somebody begins meanwhile is seen to be wanted.
    const bool ours = options_.environment.empty();
    const std::string told = ours ? prefix_ + "/deployments/" : "deployments/";
    const std::string wanted = ours ? prefix_ + "/desired/" : "environments/" + options_.environment + "/";
    gather->add([self = shared_from_this(), told, wanted](Gather::Done next) {
      self->read(told, [self, wanted, next = std::move(next)](const absl::Status& status) {
        if (!status.ok()) return next(status);
        self->read(wanted, next);
      });
    });
    gather->add([self = shared_from_this()](Gather::Done next) {
      read_catalog(self->client_, {}, latest(), [self, next = std::move(next)](absl::StatusOr<CatalogState> catalog) {
        if (!catalog.ok()) return next(catalog.status());
        self->catalog_ = *std::move(catalog);
        next(absl::OkStatus());
      });
    });
    gather->run([self = shared_from_this(), gather](const absl::Status& status) {
      if (!status.ok()) return self->done_(status);
      self->decide();
    });
  }

 private:
  void read(const std::string& folder, ConsulClient::Done next) {
    client_.kv_recurse(folder, latest(), [self = shared_from_this(), next = std::move(next)](const auto& pairs) {
      if (!pairs.ok()) return next(pairs.status());
      self->pairs_.insert(self->pairs_.end(), pairs->value.begin(), pairs->value.end());
      next(absl::OkStatus());
    });
  }

  absl::StatusOr<CollectPlan> plan() {
    if (options_.environment.empty()) {
      const auto history = deployment_history(pairs_, prefix_);
      if (!history.ok()) return history.status();
      for (const StoredDeployment& one : history->deployments) {
        deciding_.insert(prefix_ + "/desired/" + one.role + "/");
        deciding_.insert(prefix_ + "/deployments/" + one.role + "/");
      }
      return plan_collect(*history, catalog_, now_, options_.rules);
    }
    const auto history = environment_history(pairs_, options_.environment);
    if (!history.ok()) return history.status();
    deciding_ = {"deployments/", "environments/" + options_.environment + "/roles/"};
    return plan_collect(*history, catalog_, now_, options_.rules);
  }

  void decide() {
    absl::StatusOr<CollectPlan> decided = plan();
    if (!decided.ok()) return done_(decided.status());
    collected_.plan = *std::move(decided);
    if (!collected_.plan.goes.empty()) batches_ = looks_into(deciding_);
    if (!options_.dry_run) {
      for (CollectBatch& batch : collect_batches(collected_.plan)) batches_.push_back(std::move(batch));
    }
    next_batch();
  }

  void next_batch() {
    if (at_ == batches_.size()) return done_(std::move(collected_));
    const CollectBatch& batch = batches_[at_];
    std::vector<TxnOperation> operations;
    for (const Json& operation : batch.operations) operations.push_back({operation});
    client_.txn(operations, {}, [self = shared_from_this()](const absl::StatusOr<TxnResult>& result) {
      if (!result.ok()) return self->done_(result.status());
      self->took(*result);
    });
  }

  void took(const TxnResult& result) {
    CollectBatch& batch = batches_[at_];
    const auto refused = std::ranges::find_if(result.failures, is_denied);
    if (refused != result.failures.end()) return done_(denied(*refused, batch));
    if (result.failures.empty()) {
      collected_.keys += static_cast<std::size_t>(std::ranges::count_if(batch.operations, deletes));
      ++at_;
    } else {
      std::set<std::size_t> lost;
      for (const TxnFailure& failure : result.failures) {
        if (failure.operation < batch.units.size()) lost.insert(batch.units[failure.operation]);
      }
      for (const std::size_t unit : lost) tell_changed(collected_.plan.goes[unit].name);
      leave_out(batch, lost);
    }
    next_batch();
  }

  static bool deletes(const Json& operation) {
    const Json* kv = operation.find("KV");
    const Json* verb = kv ? kv->find("Verb") : nullptr;
    return verb && verb->as_string() && *verb->as_string() == "delete-cas";
  }

  void tell_changed(const std::string& name) {
    if (std::ranges::find(collected_.changed, name) == collected_.changed.end()) collected_.changed.push_back(name);
  }

  // The others of the batch try again without what somebody has changed; a batch that nobody is to blame for is not
  // tried again.
  void leave_out(CollectBatch& batch, const std::set<std::size_t>& lost) {
    CollectBatch rest;
    for (std::size_t i = 0; i < batch.operations.size(); ++i) {
      if (lost.empty() || lost.contains(batch.units[i])) continue;
      rest.operations.push_back(batch.operations[i]);
      rest.units.push_back(batch.units[i]);
    }
    batch = std::move(rest);
    if (batch.operations.empty()) ++at_;
  }

  ConsulClient& client_;
  const std::string prefix_;
  const CollectOptions options_;
  const Time now_;
  ConsulClient::Callback<Collected> done_;
  Keys pairs_{};
  CatalogState catalog_{};
  std::set<std::string> deciding_{};  // folders
  Collected collected_{};
  std::vector<CollectBatch> batches_{};
  std::size_t at_ = 0;
};

}  // namespace

void collect_ended(ConsulClient& client, std::string_view prefix, const CollectOptions& options, Time now,
                   ConsulClient::Callback<Collected> done) {
  std::make_shared<CollectRun>(client, prefix, options, now, std::move(done))->begin();
}

}  // namespace convergence
