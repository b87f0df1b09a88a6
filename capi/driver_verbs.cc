#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "capi/verbs.h"
#include "convergence/codec.h"
#include "convergence/driver.h"
#include "convergence/error.h"

namespace convergence::capi {
namespace {

Json shape(const absl::Status& status) {
  return Json()
      .set("code", error_code_name(status))
      .set("message", std::string(status.message()))
      .set("kind", to_string(error_kind(status)));
}

Json shape(const std::vector<absl::Status>& broken) {
  Json::Array list;
  for (const absl::Status& status : broken) list.push_back(shape(status));
  return list;
}

Json shape(const StepReport& report) {
  Json json;
  json.set("step", report.step).set("outcome", to_string(report.outcome));
  if (!report.status.ok()) json.set("error", shape(report.status));
  return json;
}

std::string prefix_of(const Json& arguments) {
  return arguments.find("prefix") ? text_of(arguments, "prefix") : std::string(kDefaultPrefix);
}

ReadOptions read_options_of(const WriteOptions& options) {
  ReadOptions read;
  read.datacenter = options.datacenter;
  read.namespace_name = options.namespace_name;
  read.timeout = options.timeout;
  return read;
}

constexpr Parameter kDriverPrefix[] = {{"prefix", Shape::kText, false}};
void desired(ConsulClient& client, const Json& a, const WriteOptions& o, JsonCallback done) {
  read_desired(client, prefix_of(a), read_options_of(o),
               [done = std::move(done)](absl::StatusOr<Answer<DesiredRead>> answer) {
                 if (!answer.ok()) return done(answer.status());
                 done(Json()
                          .set("index", answer->index)
                          .set("value", to_json(answer->value.desired))
                          .set("broken", shape(answer->value.broken)));
               });
}

constexpr Parameter kServices[] = {{"services", Shape::kTextList, false}};
void catalog(ConsulClient& client, const Json& a, const WriteOptions& o, JsonCallback done) {
  read_catalog(client, texts_of(a, "services"), read_options_of(o),
               [done = std::move(done)](absl::StatusOr<CatalogState> state) {
                 if (!state.ok()) return done(state.status());
                 done(Json().set("value", to_json(*state)));
               });
}

constexpr Parameter kPlan[] = {{"plan", Shape::kObject, true}};
void apply(ConsulClient& client, const Json& a, const WriteOptions&, JsonCallback done) {
  absl::StatusOr<Plan> plan = from_json<Plan>(*a.find("plan"), "plan");
  if (!plan.ok()) return done(plan.status());
  apply_plan(client, *std::move(plan), nullptr, [done = std::move(done)](absl::StatusOr<ApplyReport> report) {
    if (!report.ok()) return done(report.status());
    Json::Array steps;
    for (const StepReport& step : report->steps) steps.push_back(shape(step));
    done(Json().set("value", Json().set("steps", std::move(steps)).set("conflict", report->conflict)));
  });
}

constexpr Parameter kConverge[] = {
    {"prefix", Shape::kText, false}, {"options", Shape::kObject, false}, {"max_rounds", Shape::kInteger, false}};
void once(ConsulClient& client, const Json& a, const WriteOptions&, JsonCallback done) {
  ConvergeOptions options;
  options.prefix = prefix_of(a);
  if (const Json* plan = a.find("options"); plan && !plan->is_null()) {
    absl::StatusOr<PlanOptions> read = from_json<PlanOptions>(*plan, "options");
    if (!read.ok()) return done(read.status());
    options.plan = *std::move(read);
  }
  if (auto rounds = integer_of(a, "max_rounds")) {
    if (*rounds < 1 || *rounds > 1000) return done(make_error(ErrorKind::kUsage, "max_rounds: is not within 1..1000"));
    options.max_rounds = static_cast<std::int32_t>(*rounds);
  }
  converge_once(client, std::move(options), nullptr, [done = std::move(done)](absl::StatusOr<ConvergeReport> report) {
    if (!report.ok()) return done(report.status());
    done(Json().set("value", Json()
                                 .set("rounds", report->rounds)
                                 .set("steps_done", std::uint64_t{report->steps_done})
                                 .set("conflicts", std::uint64_t{report->conflicts})
                                 .set("plan", to_json(report->last_plan))
                                 .set("broken", shape(report->broken))));
  });
}

const CallVerb kDriverVerbs[] = {
    {"read_desired", kDriverPrefix, desired},
    {"read_catalog", kServices, catalog},
    {"apply_plan", kPlan, apply},
    {"converge_once", kConverge, once},
};

}  // namespace

std::span<const CallVerb> driver_verbs() { return kDriverVerbs; }

}  // namespace convergence::capi
