#include "lib/driver/weight_writer.h"

#include <memory>
#include <utility>

#include "convergence/chain.h"
#include "convergence/driver.h"
#include "convergence/error.h"
#include "lib/canary/shape.h"
#include "lib/driver/candidate_routes.h"
#include "lib/driver/gather.h"
#include "lib/driver/weights.h"

namespace convergence {
namespace {

constexpr int kWriteTries = 5;  // of read, look, put, before the state machine is told; it tries again later

// The server has said no: trying the same again brings nothing.
bool is_refusal(const absl::Status& status) {
  const ErrorKind kind = error_kind(status);
  return kind == ErrorKind::kRefused || kind == ErrorKind::kServer || kind == ErrorKind::kDenied;
}

// Whether the state machine must hear of it instead.
bool says_stop(const CanaryState& state, const CandidateHealth& health) {
  if (state.phase == CanaryPhase::kReturning) return health.stable_passing && *health.stable_passing == 0;
  return health.passing < state.policy.min_passing || !health.revision.empty();
}

// The state as it is for one of its services.
CanaryState state_for(CanaryState state, const RolloutService& service) {
  state.policy.service = service.service;
  state.policy.stable_subset = service.stable_subset;
  state.policy.candidate_subset = service.candidate_subset;
  return state;
}

// Of one service: the splitter, then the router where the policy has routes.
class WeightWriter : public std::enable_shared_from_this<WeightWriter> {
 public:
  WeightWriter(JobContext context, StateDocument document, const Effect& effect, JobDone done)
      : context_(std::move(context)),
        document_(std::move(document)),
        id_(effect.id),
        write_(std::get<WriteWeights>(effect.body)),
        done_(std::move(done)) {}

  void read();

 private:
  const CanaryPolicy& policy() const { return document_.state.policy; }
  void finish(WriteOutcome outcome, std::string problem = "") { done_(EffectDone{id_, outcome, std::move(problem)}); }
  void again(const absl::Status& problem);
  void compare_state();
  void decide();
  void look();
  void check(const CatalogState& catalog);
  void put();
  void route();
  void put_routes(const RouteEdit& edit);

  const JobContext context_;
  const StateDocument document_;
  const std::string id_;
  const WriteWeights write_;
  const JobDone done_;
  ConfigEntry splitter_;
  WeightEdit edit_;
  int tries_ = 0;
};

void WeightWriter::again(const absl::Status& problem) {
  if (++tries_ < kWriteTries && !is_refusal(problem) && problem.code() != absl::StatusCode::kCancelled) return read();
  const bool conflict = error_kind(problem) == ErrorKind::kConflict;
  finish(conflict ? WriteOutcome::kConflict : WriteOutcome::kError, std::string(problem.message()));
}

void WeightWriter::read() {
  context_.client.config_get(kServiceSplitter, policy().service, latest(),
                             [self = shared_from_this()](absl::StatusOr<Answer<std::optional<ConfigEntry>>> answer) {
                               if (!answer.ok()) return self->again(answer.status());
                               if (!answer->value) {
                                 const absl::Status problem = no_splitter(self->policy());
                                 return self->finish(WriteOutcome::kError, std::string(problem.message()));
                               }
                               self->splitter_ = *std::move(answer->value);
                               self->compare_state();
                             });
}

// Read after the splitter: whoever writes a later state will read the splitter later still, and win.
void WeightWriter::compare_state() {
  read_state(context_.client, context_.key, [self = shared_from_this()](absl::StatusOr<StateDocument> document) {
    if (!document.ok()) return self->again(document.status());
    if (document->index != self->document_.index) return self->done_(*std::move(document));
    self->decide();
  });
}

void WeightWriter::decide() {
  edit_ = edit_weights(document_.state, document_.index, id_, write_, splitter_);
  switch (edit_.kind) {
    case WeightEdit::Kind::kDone:
      return route();
    case WeightEdit::Kind::kConflict:
      return finish(WriteOutcome::kConflict, edit_.problem);
    case WeightEdit::Kind::kError:
      return finish(WriteOutcome::kError, edit_.problem);
    case WeightEdit::Kind::kWrite:
      break;
  }
  // On the way back it is the stable subset that must live.
  if (edit_.rises || document_.state.phase == CanaryPhase::kReturning) return look();
  put();
}

// Taking traffic back needs none of this, and must not fail for it.
void WeightWriter::look() {
  read_catalog(context_.client, {policy().service}, latest(),
               [self = shared_from_this()](absl::StatusOr<CatalogState> catalog) {
                 if (!catalog.ok()) return self->again(catalog.status());
                 self->check(*catalog);
               });
}

void WeightWriter::check(const CatalogState& catalog) {
  EntryMap after = catalog.entries;
  const EntryId key = entry_key(edit_.entry);
  after.insert_or_assign(key, edit_.entry);
  ClusterIdentity cluster;
  if (!catalog.datacenter.empty()) cluster.datacenter = catalog.datacenter;
  const absl::Status compiles = check_entry_graph(after, key, cluster);
  if (!compiles.ok()) return finish(WriteOutcome::kError, std::string(compiles.message()));
  const absl::StatusOr<CandidateHealth> health = candidate_health(document_.state, catalog);
  if (!health.ok()) return finish(WriteOutcome::kError, std::string(health.status().message()));
  if (says_stop(document_.state, *health)) return done_(*health);
  put();
}

void WeightWriter::put() {
  if (!context_.probe("before:" + id_)) return;
  const auto self = shared_from_this();
  context_.client.config_put(edit_.entry, splitter_.modify_index, {}, [self](absl::StatusOr<bool> put) {
    if (!self->context_.probe("after:" + self->id_)) return;
    // Without an answer the next read tells: our stamp is there or it is not.
    if (!put.ok()) return self->again(put.status());
    if (*put) return self->route();
    self->again(make_error(ErrorKind::kConflict, "the splitter changed again and again while it was being written"));
  });
}

void WeightWriter::route() {
  if (!has_routes(policy())) return finish(WriteOutcome::kDone);
  context_.client.config_get(kServiceRouter, policy().service, latest(),
                             [self = shared_from_this()](absl::StatusOr<Answer<std::optional<ConfigEntry>>> answer) {
                               if (!answer.ok()) return self->again(answer.status());
                               self->put_routes(edit_routes(self->document_.state, self->write_.routed, answer->value));
                             });
}

void WeightWriter::put_routes(const RouteEdit& edit) {
  if (edit.kind == RouteEdit::Kind::kNone) return finish(WriteOutcome::kDone);
  const std::string point = id_ + ":routes";
  if (!context_.probe("before:" + point)) return;
  const auto done = [self = shared_from_this(), point](absl::StatusOr<bool> written) {
    if (!self->context_.probe("after:" + point)) return;
    if (!written.ok()) return self->again(written.status());
    if (*written) return self->finish(WriteOutcome::kDone);
    self->again(make_error(ErrorKind::kConflict, "the router changed again and again while it was being written"));
  };
  if (edit.kind == RouteEdit::Kind::kPut) {
    return context_.client.config_put(edit.entry, edit.entry.modify_index, {}, done);
  }
  context_.client.config_delete(edit.entry.kind, edit.entry.name, edit.entry.modify_index, {}, done);
}

// One service after the other. Traffic is taken back from all of them, whatever one says.
class GroupWrite : public std::enable_shared_from_this<GroupWrite> {
 public:
  GroupWrite(JobContext given, StateDocument from, Effect wanted, JobDone then)
      : context_(std::move(given)),
        document_(std::move(from)),
        effect_(std::move(wanted)),
        services_(services_of(document_.state.policy)),
        done_(std::move(then)) {}
  void run();

 private:
  const JobContext context_;
  const StateDocument document_;
  const Effect effect_;
  const std::vector<RolloutService> services_;
  const JobDone done_;
  std::size_t next_ = 0;
  std::optional<JobResult> problem_;
};

void GroupWrite::run() {
  if (next_ == services_.size()) {
    return done_(problem_ ? *problem_ : JobResult(EffectDone{effect_.id, WriteOutcome::kDone, ""}));
  }
  const StateDocument view{state_for(document_.state, services_[next_++]), document_.index};
  const auto then = [self = shared_from_this()](JobResult result) {
    const auto* ended = std::get_if<EffectDone>(&result);
    if (ended && ended->outcome == WriteOutcome::kDone) return self->run();
    const bool goes_on = ended && std::get<WriteWeights>(self->effect_.body).candidate == 0;
    if (!goes_on) return self->done_(std::move(result));
    if (!self->problem_) self->problem_ = std::move(result);
    self->run();
  };
  std::make_shared<WeightWriter>(context_, view, effect_, then)->read();
}

// Empty where the window may be measured for that service, else what stands against it.
std::optional<JobResult> against_window(const CanaryState& state, const std::string& id, const CatalogState& catalog) {
  const auto fail = [&](WriteOutcome outcome, const absl::Status& problem) {
    return JobResult(EffectDone{id, outcome, std::string(problem.message())});
  };
  const auto splitter = catalog.entries.find(entry_key(kServiceSplitter, state.policy.service));
  if (splitter == catalog.entries.end()) return fail(WriteOutcome::kError, no_splitter(state.policy));
  const absl::Status ours = check_weight(state, *splitter->second);
  if (!ours.ok()) return fail(WriteOutcome::kConflict, ours);
  const absl::StatusOr<CandidateHealth> health = candidate_health(state, catalog);
  if (!health.ok()) return fail(WriteOutcome::kError, health.status());
  if (says_stop(state, *health)) return JobResult(*health);
  return std::nullopt;
}

}  // namespace

void write_weights(const JobContext& context, const StateDocument& document, const Effect& effect, JobDone done) {
  std::make_shared<GroupWrite>(context, document, effect, std::move(done))->run();
}

void check_window(const JobContext& context, const StateDocument& document, const Effect& effect,
                  std::function<void(std::optional<JobResult>)> done) {
  std::vector<std::string> names;
  for (const RolloutService& service : services_of(document.state.policy)) names.push_back(service.service);
  read_catalog(
      context.client, names, latest(),
      [state = document.state, id = effect.id, done = std::move(done)](absl::StatusOr<CatalogState> catalog) {
        if (!catalog.ok()) {
          return done(JobResult(EffectDone{id, WriteOutcome::kError, std::string(catalog.status().message())}));
        }
        for (const RolloutService& service : services_of(state.policy)) {
          std::optional<JobResult> against = against_window(state_for(state, service), id, *catalog);
          if (against) return done(std::move(against));
        }
        done(std::nullopt);
      });
}

}  // namespace convergence
