#include "lib/driver/weight_writer.h"

#include <memory>
#include <utility>

#include "convergence/chain.h"
#include "convergence/driver.h"
#include "convergence/error.h"
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
      return finish(WriteOutcome::kDone);
    case WeightEdit::Kind::kConflict:
      return finish(WriteOutcome::kConflict, edit_.problem);
    case WeightEdit::Kind::kError:
      return finish(WriteOutcome::kError, edit_.problem);
    case WeightEdit::Kind::kWrite:
      break;
  }
  if (edit_.rises) return look();
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
  const absl::StatusOr<CandidateHealth> health = candidate_health(policy(), catalog);
  if (!health.ok()) return finish(WriteOutcome::kError, std::string(health.status().message()));
  if (health->passing == 0) return done_(*health);
  put();
}

void WeightWriter::put() {
  if (!context_.probe("before:" + id_)) return;
  const auto self = shared_from_this();
  context_.client.config_put(edit_.entry, splitter_.modify_index, {}, [self](absl::StatusOr<bool> put) {
    if (!self->context_.probe("after:" + self->id_)) return;
    // Without an answer the next read tells: our stamp is there or it is not.
    if (!put.ok()) return self->again(put.status());
    if (*put) return self->finish(WriteOutcome::kDone);
    self->again(make_error(ErrorKind::kConflict, "the splitter changed again and again while it was being written"));
  });
}

}  // namespace

void write_weights(const JobContext& context, const StateDocument& document, const Effect& effect, JobDone done) {
  std::make_shared<WeightWriter>(context, document, effect, std::move(done))->read();
}

void check_window(const JobContext& context, const StateDocument& document, const Effect& effect,
                  std::function<void(std::optional<JobResult>)> done) {
  read_catalog(context.client, {document.state.policy.service}, latest(),
               [state = document.state, id = effect.id, done = std::move(done)](absl::StatusOr<CatalogState> catalog) {
                 const auto fail = [&](WriteOutcome outcome, const absl::Status& problem) {
                   done(JobResult(EffectDone{id, outcome, std::string(problem.message())}));
                 };
                 if (!catalog.ok()) return fail(WriteOutcome::kError, catalog.status());
                 const auto splitter = catalog->entries.find(entry_key(kServiceSplitter, state.policy.service));
                 if (splitter == catalog->entries.end()) return fail(WriteOutcome::kError, no_splitter(state.policy));
                 const absl::Status ours = check_weight(state, *splitter->second);
                 if (!ours.ok()) return fail(WriteOutcome::kConflict, ours);
                 const absl::StatusOr<CandidateHealth> health = candidate_health(state.policy, *catalog);
                 if (!health.ok()) return fail(WriteOutcome::kError, health.status());
                 if (health->passing == 0) return done(JobResult(*health));
                 done(std::nullopt);
               });
}

}  // namespace convergence
