// A node's agent as a handle: its work comes out of the loop, answers go in; what it remembers, the host keeps.
#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <map>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "capi/documents.h"
#include "capi/guard.h"
#include "capi/handles.h"
#include "capi/reader.h"
#include "convergence/agent_driver.h"
#include "convergence/codec.h"
#include "convergence/error.h"
#include "convergence/version.h"
#include "lib/base/status_macros.h"

namespace convergence::capi {
namespace {

// Hosts were built with these offsets; a field may only be added at the end.
static_assert(offsetof(cvg_hands, user_data) == sizeof(void*));
static_assert(offsetof(cvg_hands, remember) == 2 * sizeof(void*));
static_assert(offsetof(cvg_hands, destroy) == 3 * sizeof(void*));

// An effect as agent_step() writes it.
Json effect_json(AgentEffect effect) {
  AgentStep step;
  step.effects.push_back(std::move(effect));
  const Json json = to_json(step);
  return json.find("effects")->as_array()->front();
}

// Work waits here until the host answers it by its id.
class HostHands : public NodeHands {
 public:
  HostHands(std::shared_ptr<CompletionQueue> queue, std::uint64_t id, const cvg_hands& functions)
      : queue_(std::move(queue)), id_(id) {
    std::memcpy(&functions_, &functions, std::min(functions.struct_size, sizeof(functions_)));
  }

  ~HostHands() override {
    if (functions_.destroy == nullptr) return;
    try {
      functions_.destroy(functions_.user_data);
    } catch (...) {  // a host in C++ may throw; there is nobody left to tell
    }
  }

  absl::Status check() const {
    if (functions_.struct_size < offsetof(cvg_hands, destroy)) {
      return make_error(ErrorKind::kUsage, "hands: struct_size is too small; set it to sizeof(cvg_hands)");
    }
    if (functions_.remember == nullptr) return make_error(ErrorKind::kUsage, "hands: remember is NULL");
    return absl::OkStatus();
  }

  void carry_out(const Work& work, Done done) override {
    open_[work.id] = std::move(done);
    queue_->push(id_, effect_json(work));
  }
  void stop(std::uint64_t work) override {
    if (open_.erase(work) != 0) queue_->push(id_, effect_json(StopWork{work}));
  }
  void collect(const Collect& stays) override { queue_->push(id_, effect_json(stays)); }

  absl::Status remember(const AgentMemory& memory) override {
    const std::string text = to_text(to_json(memory));
    try {
      const cvg_code code = functions_.remember(functions_.user_data, {text.data(), text.size()});
      if (code == CVG_OK) return absl::OkStatus();
      return make_error(ErrorKind::kRefused, "the host could not keep the memory: code " + std::to_string(code),
                        Json().set("host_code", code));
    } catch (...) {
      return make_error(ErrorKind::kInvariant, "the host's remember threw");
    }
  }

  std::vector<std::string> damaged(const AgentMemory&) override { return damaged_; }
  void set_folder(std::string folder) { folder_ = std::move(folder); }
  void set_damaged(std::vector<std::string> service_ids) { damaged_ = std::move(service_ids); }
  std::string package_folder(const std::string& service_id, const Installed& installed) override {
    return folder_ + "/" + service_id + "/" + installed.deployment;
  }
  std::vector<std::string> log_tail(const std::string&, const std::string&) override { return {}; }

  absl::Status answer(WorkDone answered) {
    auto found = open_.find(answered.id);
    if (found == open_.end()) {
      return make_error(ErrorKind::kNotFound, "work " + std::to_string(answered.id) + ": is not under way (any more)");
    }
    Done done = std::move(found->second);
    open_.erase(found);
    done(std::move(answered));
    return absl::OkStatus();
  }

 private:
  std::shared_ptr<CompletionQueue> queue_;
  std::uint64_t id_;
  std::string folder_;
  cvg_hands functions_{};
  std::map<std::uint64_t, Done> open_;
  std::vector<std::string> damaged_;
};

constexpr Parameter kAgentOptions[] = {{"config", Shape::kObject},
                                       {"memory", Shape::kObject},
                                       {"role"},
                                       {"prefix"},
                                       {"environment"},
                                       {"instance"},
                                       {"catalog_node", Shape::kObject},
                                       {"spread", Shape::kDuration},
                                       {"session_ttl", Shape::kDuration},
                                       {"lock_delay", Shape::kDuration},
                                       {"report_pause", Shape::kDuration},
                                       {"folder"},
                                       {"journal", Shape::kBool}};

absl::StatusOr<AgentState> read_begin(const Json& json) {
  const Json* config = json.find("config");
  const Json* memory = json.find("memory");
  Json state;
  state.set("schema", CVG_SCHEMA_CURRENT)
      .set("config", config && !config->is_null() ? *config : Json(Json::Object{}))
      .set("memory", memory && !memory->is_null() ? *memory : Json().set("schema", CVG_SCHEMA_CURRENT));
  return from_json<AgentState>(state, "options");
}

absl::StatusOr<AgentOptions> read_agent_options(const Json& json) {
  AgentOptions options;
  options.role = text_of(json, "role");
  if (json.find("prefix") != nullptr) options.prefix = text_of(json, "prefix");
  options.environment = text_of(json, "environment");
  options.instance = text_of(json, "instance");
  if (const Json* node = json.find("catalog_node"); node && !node->is_null()) {
    CVG_ASSIGN_OR_RETURN(options.catalog_node, from_json<Node>(*node, "options/catalog_node"));
  }
  options.spread = duration_of(json, "spread").value_or(options.spread);
  options.session_ttl = duration_of(json, "session_ttl").value_or(options.session_ttl);
  options.lock_delay = duration_of(json, "lock_delay").value_or(options.lock_delay);
  options.report_pause = duration_of(json, "report_pause").value_or(options.report_pause);
  return options;
}

// Parts of an agent's event are read by the codec, in the shape that a journal has them.
template <typename T>
absl::StatusOr<T> read_agent_event(cvg_slice slice, std::string_view type, std::string_view document) {
  CVG_ASSIGN_OR_RETURN(Json json, read_document(slice, document));
  if (!json.is_object()) return shape_error(document, "is no object");
  json.set("type", type);
  json.set("at", 0);
  CVG_ASSIGN_OR_RETURN(AgentEvent event, from_json<AgentEvent>(json, document));
  return std::get<T>(std::move(event.body));
}

}  // namespace
}  // namespace convergence::capi

struct cvg_agent {
  std::unique_ptr<convergence::capi::HostHands> hands;
  std::unique_ptr<convergence::AgentDriver> driver;
  bool begun = false;  // its journal has the state in which it began
};

using namespace convergence;        // NOLINT: the functions below have C linkage and cannot live inside
using namespace convergence::capi;  // NOLINT

namespace {

// Each step as the records of a journal, which cvg_replay takes.
void keep_journal(AgentOptions& options, cvg_agent* agent, const std::shared_ptr<CompletionQueue>& queue,
                  std::uint64_t id) {
  const auto push = [queue, id](std::string name, Json value) {
    queue->push(id, Json().set("type", "record").set("record", Json().set(std::move(name), std::move(value))));
  };
  options.on_event = [agent, push](const AgentEvent& event) {
    if (!std::exchange(agent->begun, true)) push("begin", to_json(agent->driver->state()));
    push("event", to_json(event));
  };
  options.on_step = [push](const AgentStep& step) { push("step", to_json(step)); };
}

}  // namespace

extern "C" {

cvg_code cvg_agent_new(cvg_client* client, const cvg_hands* hands, cvg_slice options, uint64_t* id, cvg_agent** out,
                       cvg_error** error) noexcept {
  return guarded(error, [&]() -> absl::Status {
    CVG_RETURN_IF_ERROR(require(client, "client"));
    CVG_RETURN_IF_ERROR(require(hands, "hands"));
    CVG_RETURN_IF_ERROR(require(id, "id"));
    CVG_RETURN_IF_ERROR(require(out, "out"));
    std::shared_ptr<CompletionQueue> queue = client->loop->queue;
    const std::uint64_t own = queue->next_id++;
    auto agent = std::make_unique<cvg_agent>();
    // From here on the host's destroy is called whatever happens.
    agent->hands = std::make_unique<HostHands>(queue, own, *hands);
    CVG_RETURN_IF_ERROR(agent->hands->check());
    CVG_ASSIGN_OR_RETURN(Json json, read_document(options, "options"));
    CVG_RETURN_IF_ERROR(check_members(json, kAgentOptions, "options"));
    CVG_ASSIGN_OR_RETURN(AgentState begin, read_begin(json));
    CVG_ASSIGN_OR_RETURN(AgentOptions agent_options, read_agent_options(json));
    agent->hands->set_folder(text_of(json, "folder"));
    agent_options.config = begin.config;
    if (flag_of(json, "journal")) keep_journal(agent_options, agent.get(), queue, own);
    agent->driver = std::make_unique<AgentDriver>(*client->client, *agent->hands, std::move(begin.memory),
                                                  std::move(agent_options));
    agent->driver->run([queue, own](const absl::Status& status) {
      if (!status.ok()) queue->push(own, status);
    });
    *id = own;
    *out = agent.release();
    return absl::OkStatus();
  });
}

cvg_code cvg_agent_done(cvg_agent* agent, cvg_slice answer, cvg_error** error) noexcept {
  return guarded(error, [&]() -> absl::Status {
    CVG_RETURN_IF_ERROR(require(agent, "agent"));
    CVG_ASSIGN_OR_RETURN(WorkDone done, read_agent_event<WorkDone>(answer, "work-done", "answer"));
    return agent->hands->answer(std::move(done));
  });
}

cvg_code cvg_agent_damaged(cvg_agent* agent, cvg_slice service_ids, cvg_error** error) noexcept {
  return guarded(error, [&]() -> absl::Status {
    CVG_RETURN_IF_ERROR(require(agent, "agent"));
    CVG_ASSIGN_OR_RETURN(const Json json, read_document(service_ids, "service_ids"));
    const Json::Array* list = json.as_array();
    if (list == nullptr) return shape_error("service_ids", "is no array; give a list");
    std::vector<std::string> texts;
    for (const Json& one : *list) {
      if (one.as_string() == nullptr) return shape_error("service_ids", "holds something else than texts");
      texts.push_back(*one.as_string());
    }
    agent->hands->set_damaged(std::move(texts));
    return absl::OkStatus();
  });
}

cvg_code cvg_agent_command(cvg_agent* agent, cvg_slice command, cvg_error** error) noexcept {
  return guarded(error, [&]() -> absl::Status {
    CVG_RETURN_IF_ERROR(require(agent, "agent"));
    CVG_ASSIGN_OR_RETURN(const AgentCommand given, read_agent_event<AgentCommand>(command, "command", "command"));
    agent->driver->command(given);
    return absl::OkStatus();
  });
}

cvg_code cvg_agent_state(const cvg_agent* agent, cvg_buffer* out, cvg_error** error) noexcept {
  return guarded(error, [&]() -> absl::Status {
    CVG_RETURN_IF_ERROR(require(agent, "agent"));
    CVG_RETURN_IF_ERROR(require(out, "out"));
    return give(to_json(agent->driver->state()), out);
  });
}

void cvg_agent_free(cvg_agent* agent) noexcept {
  if (agent == nullptr) return;
  agent->driver.reset();  // before the hands it has
  delete agent;
}

}  // extern "C"
