#include "convergence/memory_consul.h"
#include "lib/memory/endpoint.h"
#include "lib/memory/router.h"

namespace convergence {
namespace {

using memory::Call;
using memory::Endpoint;
using memory::Read;
using memory::Store;

void unpark(MemoryConsulState& consul, std::map<std::uint64_t, ParkedQuery>::iterator parked) {
  for (const std::string& name : parked->second.names) {
    const auto found = consul.watchers.find(name);
    if (found == consul.watchers.end()) continue;
    found->second.erase(parked->first);
    if (found->second.empty()) consul.watchers.erase(found);
  }
  consul.timers.erase({parked->second.until, MemoryTimer::Kind::kWait, "", parked->first});
  consul.parked.erase(parked);
}

HttpResponse answer_read(const Endpoint& endpoint, const Call& call, const Read& read) {
  // What is wrong with the request itself is refused before the read has begun.
  if (read.refusal && read.refusal->status != 500) return *read.refusal;
  return memory::with_index(read.refusal ? *read.refusal : read.answer(), call, read.index, endpoint.face);
}

// Runs a read that may be parked. `until`: kNever for a new request; a parked one keeps its end.
std::optional<HttpResponse> run_read(MemoryConsulState& consul, std::uint64_t id, const HttpRequest& request,
                                     const Call& call, const Endpoint& endpoint, Time until) {
  Read read = endpoint.read(consul, call);
  const bool over = until != kNever && call.now >= until;
  if (read.refusal || call.min_index == 0 || read.index > call.min_index || over) {
    return answer_read(endpoint, call, read);
  }
  if (until == kNever) until = call.now + call.wait;
  for (const std::string& name : read.names) consul.watchers[name].insert(id);
  consul.timers.insert({until, MemoryTimer::Kind::kWait, "", id});
  consul.parked[id] = {request, call.min_index, until, std::move(read.names)};
  return std::nullopt;
}

void rerun(MemoryConsulState& consul, Time now, std::uint64_t id, std::vector<MemoryAnswer>& answers) {
  const auto parked = consul.parked.find(id);
  if (parked == consul.parked.end()) return;
  const HttpRequest request = parked->second.request;
  const Time until = parked->second.until;
  unpark(consul, parked);
  Call call = memory::parse_call(request, now);
  const memory::Routed routed = memory::route_call(consul, call);
  if (auto response = run_read(consul, id, request, call, *routed.endpoint, until)) {
    answers.push_back({id, *std::move(response)});
  }
}

// Looks again at the parked queries that what was written may concern.
void wake(MemoryConsulState& consul, const Store& store, std::vector<MemoryAnswer>& answers) {
  if (consul.parked.empty()) return;
  std::set<std::uint64_t> ids;
  const auto collect = [&](const std::string& name) {
    const auto found = consul.watchers.find(name);
    if (found != consul.watchers.end()) ids.insert(found->second.begin(), found->second.end());
  };
  for (const std::string& name : store.changed()) collect(name);
  for (const std::string& key : store.changed_keys()) {
    collect("kv/" + key);
    // Whoever waits below a prefix is found by the key, so that a write costs nothing for those whom it does not
    // concern.
    for (std::size_t length = 1; length <= key.size(); ++length) {
      collect(memory::below(std::string_view(key).substr(0, length)));
    }
  }
  for (const std::uint64_t id : ids) rerun(consul, store.now(), id, answers);
}

void start(MemoryConsulState& consul, Time now) {
  if (consul.index > 0) return;
  Store store(consul, now);
  memory::start_server(store);
}

void let_pass(MemoryConsulState& consul, Time now, std::vector<MemoryAnswer>& answers) {
  start(consul, now);
  while (!consul.timers.empty() && consul.timers.begin()->at <= now) {
    const MemoryTimer timer = *consul.timers.begin();
    consul.timers.erase(consul.timers.begin());
    Store store(consul, timer.at);
    switch (timer.kind) {
      case MemoryTimer::Kind::kSession:
        store.begin();
        memory::destroy_session(store, timer.name);
        break;
      case MemoryTimer::Kind::kCheck:
        memory::expire_agent_check(store, timer.name);
        break;
      case MemoryTimer::Kind::kWait:
        rerun(consul, timer.at, timer.id, answers);
        break;
    }
    wake(consul, store, answers);
  }
}

}  // namespace

MemoryStep apply(MemoryConsulState consul, Time now, std::uint64_t id, const HttpRequest& request) {
  MemoryStep step;
  let_pass(consul, now, step.answers);
  Store store(consul, now);
  Call call = memory::parse_call(request, now);
  const memory::Routed routed = memory::route_call(consul, call);
  std::optional<HttpResponse> response = routed.answer;
  if (!response && routed.endpoint->handle != nullptr) response = routed.endpoint->handle(store, call);
  if (!response) response = run_read(consul, id, request, call, *routed.endpoint, kNever);
  if (response) step.answers.push_back({id, *std::move(response)});
  wake(consul, store, step.answers);
  step.consul = std::move(consul);
  return step;
}

MemoryStep advance(MemoryConsulState consul, Time now) {
  MemoryStep step;
  let_pass(consul, now, step.answers);
  step.consul = std::move(consul);
  return step;
}

MemoryConsulState forget(MemoryConsulState consul, std::uint64_t id) {
  const auto parked = consul.parked.find(id);
  if (parked != consul.parked.end()) unpark(consul, parked);
  return consul;
}

Time next_deadline(const MemoryConsulState& consul) {
  return consul.timers.empty() ? kNever : consul.timers.begin()->at;
}

}  // namespace convergence
