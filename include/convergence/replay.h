#ifndef CONVERGENCE_REPLAY_H_
#define CONVERGENCE_REPLAY_H_

#include <cstddef>
#include <functional>
#include <optional>
#include <string>
#include <string_view>

#include "absl/status/status.h"
#include "convergence/agent.h"
#include "convergence/json.h"

namespace convergence {

struct JournalObserver {
  std::function<void(const AgentState& state)> on_begin{};
  // documents: {"event", "step"}, as steps() has them.
  std::function<void(const AgentEvent& event, const AgentStep& step, const Json& documents)> on_step{};
};

// What an agent was told goes through agent_step() again. A journal is a sequence of records, JSON objects with one
// member each: {"begin": state} where a process begins, {"event": event} before each step, {"step": step} after it.
// AgentOptions::on_event and on_step give them.
class JournalReplay {
 public:
  // `name`: of the journal, in errors. The observer is told as the records are taken; either may be empty.
  explicit JournalReplay(std::string name, JournalObserver observer = {});

  // The next record. Kind "decode" where it is none; kind "conflict", with record, was and now in the detail, where its
  // step is another one than was made then: the first effect or decision that differs.
  absl::Status take(std::string_view record);

  // What was taken: {"event", "step"} each; and how many processes.
  const Json::Array& steps() const { return steps_; }
  std::size_t processes() const { return processes_; }

 private:
  absl::Status take_begin(const Json& begin, const std::string& place);
  absl::Status take_event(const Json& json, const std::string& place);
  absl::Status take_step(const Json& was, const std::string& place);

  std::string name_;
  JournalObserver observer_;
  std::size_t number_ = 0;
  std::size_t processes_ = 0;
  std::optional<AgentState> state_;
  std::optional<Json> made_;  // of the last event, until its step was compared
  Json::Array steps_;
};

}  // namespace convergence

#endif  // CONVERGENCE_REPLAY_H_
