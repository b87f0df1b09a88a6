#include "agent_journal.h"

#include <fmt/format.h>

#include <utility>

#include "convergence/codec.h"

namespace cli {

using namespace convergence;  // NOLINT: a program's own source

namespace {

std::string record_of(std::string_view name, Json value) {
  return to_text(Json().set(std::string(name), std::move(value)));
}

}  // namespace

absl::StatusOr<std::unique_ptr<AgentJournal>> AgentJournal::open(const std::string& path, std::uint64_t most,
                                                                 Output& output) {
  absl::StatusOr<std::unique_ptr<Journal>> journal = Journal::open(path);
  if (!journal.ok()) return journal.status();
  (*journal)->take_records();  // those of other processes stay in the file
  return std::unique_ptr<AgentJournal>(new AgentJournal(*std::move(journal), most, output));
}

bool AgentJournal::keep(const absl::Status& status) {
  if (!status.ok() && !in_trouble_) output_.say(fmt::format("journal: {}", std::string(status.message())));
  in_trouble_ = !status.ok();
  begun_ = status.ok();
  return begun_;
}

void AgentJournal::event(const AgentState& state, const AgentEvent& event) {
  if (!begun_ || journal_->size() > most_) {
    const std::string begin = record_of("begin", to_json(state));
    if (!keep(journal_->size() > most_ ? journal_->replace({begin}) : journal_->append(begin))) return;
  }
  keep(journal_->append(record_of("event", to_json(event))));
}

void AgentJournal::step(const AgentStep& step) {
  if (begun_) keep(journal_->append(record_of("step", to_json(step))));
}

}  // namespace cli
