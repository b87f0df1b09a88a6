#include "lib/memory/store.h"

#include <algorithm>

#include "fmt/format.h"
#include "lib/memory/go_json.h"

namespace convergence::memory {

std::string service_table(std::string_view service) { return "service." + lower(service); }

std::string below(std::string_view prefix) { return fmt::format("below/{}", prefix); }

std::uint64_t table_index(const State& state, std::string_view table) {
  const auto found = state.table_indexes.find(std::string(table));
  return found == state.table_indexes.end() ? 0 : found->second;
}

std::uint64_t max_index(const State& state, std::initializer_list<std::string_view> tables) {
  std::uint64_t index = 0;
  for (const std::string_view table : tables) index = std::max(index, table_index(state, table));
  return index;
}

void Store::begin() {
  undo_.clear();
  ++state_.index;
}

void Store::rollback() {
  for (auto step = undo_.rbegin(); step != undo_.rend(); ++step) (*step)(state_);
  undo_.clear();
  changed_.clear();
  changed_keys_.clear();
}

void Store::set_timer(const MemoryTimer& timer) {
  if (timer.at == kNever || !state_.timers.insert(timer).second) return;
  undo_.push_back([timer](State& state) { state.timers.erase(timer); });
}

void Store::clear_timer(const MemoryTimer& timer) {
  if (state_.timers.erase(timer) == 0) return;
  undo_.push_back([timer](State& state) { state.timers.insert(timer); });
}

std::string Store::new_id() {
  const std::uint64_t number = state_.next_id++;
  return fmt::format("{:08x}-0000-4000-8000-{:012x}", 0xc0de0000u, number);
}

void Store::touch(std::string_view table) {
  put(&State::table_indexes, std::string(table), state_.index);
  changed_.insert(std::string(table));
}

}  // namespace convergence::memory
