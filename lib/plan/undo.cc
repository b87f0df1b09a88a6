#include <fmt/format.h>

#include <map>
#include <set>
#include <utility>
#include <variant>

#include "convergence/error.h"
#include "convergence/plan.h"
#include "lib/plan/steps.h"

namespace convergence {
namespace {

using plan::is_entry_action;

Action opposite(const Step& step) {
  const bool was_there = !std::holds_alternative<std::monostate>(step.before);
  const bool is_there = !std::holds_alternative<std::monostate>(step.body);
  if (is_entry_action(step.action)) return was_there ? Action::kPutEntry : Action::kDeleteEntry;
  if (!was_there) return Action::kRemoveService;
  return is_there ? Action::kChangeService : Action::kRegisterService;
}

Reason opposite_reason(const Step& step, Action action) {
  if (step.reason == Reason::kIntermediate) return step.reason;
  if (action == Action::kDeleteEntry || action == Action::kRemoveService) return Reason::kNotWanted;
  return step.reason == Reason::kNotWanted ? Reason::kMissing : step.reason;
}

// Without the indexes of a time that is over.
StepBody body_of(StepBody before) {
  if (auto* entry = std::get_if<ConfigEntry>(&before)) entry->create_index = entry->modify_index = 0;
  if (auto* registration = std::get_if<ServiceRegistration>(&before)) {
    registration->instance.create_index = registration->instance.modify_index = 0;
    for (HealthCheck& check : registration->checks) check.create_index = check.modify_index = 0;
  }
  return before;
}

std::string thing_of(const Step& step) {
  return is_entry_action(step.action) ? plan::label(step.entry) : plan::label(step.instance);
}

class Undo {
 public:
  explicit Undo(const Plan& done) : done_(done) { undone_.catalog_index = done.catalog_index; }

  Plan run() {
    for (auto step = done_.steps.rbegin(); step != done_.steps.rend(); ++step) take_back(*step);
    return std::move(undone_);
  }

 private:
  void take_back(const Step& from) {
    Step step;
    step.action = opposite(from);
    step.instance = from.instance;
    step.service = from.service;
    step.entry = from.entry;
    step.reason = opposite_reason(from, step.action);
    step.why = fmt::format("takes back {}", from.id);
    step.body = body_of(from.before);
    step.before = from.body;
    const std::string plain = fmt::format("{}:{}", to_string(step.action), thing_of(from));
    step.id = plain;
    for (int number = 2; !ids_.insert(step.id).second; ++number) step.id = fmt::format("{}:{}", plain, number);
    // Of a thing that is there, the index is the one that the step taken back produced, or an earlier one of these.
    if (!std::holds_alternative<std::monostate>(from.body)) {
      auto earlier = written_by_.find(thing_of(from));
      step.cas_from = earlier == written_by_.end() ? from.id : earlier->second;
    }
    written_by_[thing_of(from)] = step.id;
    for (const std::string& other : needed_by_[from.id]) step.needs.push_back(other);
    for (const std::string& need : from.needs) needed_by_[need].push_back(step.id);
    undone_.steps.push_back(std::move(step));
  }

  const Plan& done_;
  Plan undone_;
  std::set<std::string> ids_;
  std::map<std::string, std::string> written_by_;              // thing -> step of this plan
  std::map<std::string, std::vector<std::string>> needed_by_;  // step of the other plan -> steps of this one
};

}  // namespace

Plan undo(const Plan& plan) { return Undo(plan).run(); }

absl::StatusOr<Plan> undo(const Plan& plan, const EntryMap& actual) {
  Plan back = undo(plan);
  std::set<std::string> seen;
  for (Step& step : back.steps) {
    if (!is_entry_action(step.action)) {
      return make_error(
          ErrorKind::kValidate,
          fmt::format("{}: only entries can be taken back later; instances follow the desired state", step.id));
    }
    // The first step on an entry starts from what is there; the others from what the one before it leaves.
    if (!seen.insert(plan::label(step.entry)).second) continue;
    const auto there = actual.find(entry_key(step.entry.kind, step.entry.name));
    const auto* left = std::get_if<ConfigEntry>(&step.before);
    const bool as_left =
        left == nullptr ? there == actual.end() : there != actual.end() && same_content(*left, *there->second);
    if (!as_left) {
      return make_error(
          ErrorKind::kConflict,
          fmt::format("{}: is not as the plan left it; look at what has changed it since", plan::label(step.entry)));
    }
    step.cas_from.clear();
    step.cas_index = there == actual.end() ? 0 : there->second->modify_index;
  }
  return back;
}

}  // namespace convergence
