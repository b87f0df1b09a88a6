#include "lib/agent/stages.h"

#include <algorithm>

namespace convergence::agent {
namespace {

// When a stage concerns a task.
enum class When { kAlways, kPackage, kPrevious, kPreviousPackage, kNoPrevious };

struct TableRow {
  Stage stage;
  When when;
  OnFailure on_failure;
};

// The way forward: all that can be found out without touching what runs comes first (W-A1).
constexpr TableRow kDeploy[] = {
    {Stage::kCheckNode, When::kAlways, OnFailure::kWait},
    {Stage::kFetch, When::kPackage, OnFailure::kNothing},
    {Stage::kUnpack, When::kPackage, OnFailure::kNothing},
    {Stage::kCheckPackage, When::kPackage, OnFailure::kNothing},
    {Stage::kPlaceAside, When::kPackage, OnFailure::kNothing},
    {Stage::kAcquire, When::kPrevious, OnFailure::kWait},
    {Stage::kQuiet, When::kPrevious, OnFailure::kBack},
    {Stage::kStop, When::kPreviousPackage, OnFailure::kBack},
    {Stage::kBeforeInstall, When::kPackage, OnFailure::kBack},
    {Stage::kSwap, When::kPackage, OnFailure::kBack},
    {Stage::kAfterInstall, When::kPackage, OnFailure::kBack},
    {Stage::kStart, When::kPackage, OnFailure::kBack},
    {Stage::kValidateService, When::kPackage, OnFailure::kBack},
    {Stage::kRegister, When::kAlways, OnFailure::kBack},
    {Stage::kAwait, When::kAlways, OnFailure::kBack},
    {Stage::kLoud, When::kPrevious, OnFailure::kAgain},
};
// The way back. Nothing stops it: what can be put back is.
constexpr TableRow kBack[] = {
    {Stage::kBackStop, When::kPackage, OnFailure::kOn},
    {Stage::kBackSwap, When::kPackage, OnFailure::kOn},
    {Stage::kBackStart, When::kPreviousPackage, OnFailure::kOn},
    {Stage::kBackDeregister, When::kNoPrevious, OnFailure::kAgain},
    {Stage::kBackRegister, When::kPrevious, OnFailure::kAgain},
    {Stage::kBackAwait, When::kPrevious, OnFailure::kOn},
    {Stage::kBackLoud, When::kPrevious, OnFailure::kAgain},
};
constexpr TableRow kReregister[] = {
    {Stage::kRegister, When::kAlways, OnFailure::kNothing},
};
// The subject is `next`; it goes as a running one goes, and is not put back: it is not wanted.
constexpr TableRow kUninstall[] = {
    {Stage::kQuiet, When::kAlways, OnFailure::kOn},
    {Stage::kStop, When::kPackage, OnFailure::kOn},
    {Stage::kDeregister, When::kAlways, OnFailure::kAgain},
    {Stage::kRemove, When::kPackage, OnFailure::kOn},
};

bool concerns(const Task& task, When when) {
  const bool package = !task.next.release.package.source.empty();
  const bool previous_package = task.previous && !task.previous->release.package.source.empty();
  switch (when) {
    case When::kAlways:
      return true;
    case When::kPackage:
      return package;
    case When::kPrevious:
      return task.previous.has_value();
    case When::kPreviousPackage:
      return previous_package;
    case When::kNoPrevious:
      return !task.previous;
  }
  return true;
}

// A stage of the way back is there only when a failure came at or after this one.
Stage first_undone_by(Stage back) {
  switch (back) {
    case Stage::kBackStop:
      return Stage::kAfterInstall;
    case Stage::kBackSwap:
      return Stage::kSwap;
    case Stage::kBackStart:
      return Stage::kStop;
    default:
      return Stage::kCheckNode;
  }
}

template <std::size_t n>
std::vector<Row> select(const Task& task, const TableRow (&table)[n]) {
  std::vector<Row> rows;
  for (const TableRow& row : table) {
    if (concerns(task, row.when)) rows.push_back({row.stage, row.on_failure});
  }
  return rows;
}

}  // namespace

std::vector<Row> rows_of(const Task& task) {
  if (!task.failure.empty()) {
    std::vector<Row> rows = select(task, kBack);
    std::erase_if(rows, [&](const Row& row) { return task.failed_stage < first_undone_by(row.stage); });
    return rows;
  }
  switch (task.kind) {
    case TaskKind::kDeploy:
      return select(task, kDeploy);
    case TaskKind::kReregister:
      return select(task, kReregister);
    case TaskKind::kUninstall:
      return select(task, kUninstall);
  }
  return {};
}

std::optional<Row> row_after(const Task& task, Stage stage) {
  for (const Row& row : rows_of(task)) {
    if (row.stage > stage) return row;
  }
  return std::nullopt;
}

Row row_at(const Task& task, Stage stage) {
  for (const Row& row : rows_of(task)) {
    if (row.stage == stage) return row;
  }
  return {stage, stage == Stage::kBackLoud ? OnFailure::kAgain : OnFailure::kOn};
}

std::optional<HookEvent> hook_of(Stage stage) {
  switch (stage) {
    case Stage::kStop:
    case Stage::kBackStop:
      return HookEvent::kApplicationStop;
    case Stage::kBeforeInstall:
      return HookEvent::kBeforeInstall;
    case Stage::kAfterInstall:
      return HookEvent::kAfterInstall;
    case Stage::kStart:
    case Stage::kBackStart:
      return HookEvent::kApplicationStart;
    case Stage::kValidateService:
      return HookEvent::kValidateService;
    default:
      return std::nullopt;
  }
}

std::vector<Hook> hooks_of(const Installed& subject, HookEvent event) {
  auto found = subject.release.hooks.find(event);
  if (found == subject.release.hooks.end()) {
    found = subject.spec.hooks.find(event);
    if (found == subject.spec.hooks.end()) return {};
  }
  std::vector<Hook> hooks = found->second;
  for (Hook& hook : hooks) {
    if (hook.run_as.empty()) hook.run_as = subject.release.run_as;
  }
  return hooks;
}

bool touches(Stage stage) { return stage >= Stage::kQuiet; }

}  // namespace convergence::agent

namespace convergence {

std::vector<StageRow> stages_of(const Task& task) {
  constexpr std::string_view kNames[] = {"nothing", "wait", "back", "on", "again"};
  std::vector<StageRow> rows;
  for (const agent::Row& row : agent::rows_of(task)) {
    rows.push_back({row.stage, kNames[static_cast<std::size_t>(row.on_failure)]});
  }
  return rows;
}

}  // namespace convergence
