// The client's calls by name, and watches.
#include <cstdint>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "capi/guard.h"
#include "capi/handles.h"
#include "capi/verbs.h"
#include "convergence/error.h"
#include "lib/base/status_macros.h"

struct cvg_watch {
  std::unique_ptr<convergence::Watch> watch;
};

namespace convergence::capi {
namespace {

constexpr Parameter kClientOptions[] = {{"max_tries", Shape::kInteger, false}};

std::vector<Parameter> joined(std::span<const Parameter> own, std::span<const Parameter> common) {
  std::vector<Parameter> all(own.begin(), own.end());
  all.insert(all.end(), common.begin(), common.end());
  return all;
}

Json answer_json(const Answer<Json>& answer) {
  return Json()
      .set("index", answer.index)
      .set("known_leader", answer.known_leader)
      .set("last_contact", std::int64_t{answer.last_contact.count()})
      .set("value", answer.value);
}

const ReadVerb* find_read(std::string_view name) {
  for (const ReadVerb& verb : read_verbs()) {
    if (verb.name == name) return &verb;
  }
  return nullptr;
}

const CallVerb* find_call(std::string_view name) {
  for (const std::span<const CallVerb> verbs : {call_verbs(), driver_verbs()}) {
    for (const CallVerb& verb : verbs) {
      if (verb.name == name) return &verb;
    }
  }
  return nullptr;
}

absl::Status unknown_verb(std::string_view name) {
  std::string known;
  for (const ReadVerb& verb : read_verbs()) known += std::string(verb.name) + " ";
  for (const CallVerb& verb : call_verbs()) known += std::string(verb.name) + " ";
  for (const CallVerb& verb : driver_verbs()) known += std::string(verb.name) + " ";
  if (!known.empty()) known.pop_back();
  return make_error(ErrorKind::kUsage, "verb: \"" + std::string(name) + "\" is unknown; known are: " + known);
}

// A call that has been checked and only needs a place to put its result.
using Start = std::function<void(JsonCallback)>;

absl::StatusOr<Start> prepare(cvg_client* client, std::string_view verb, cvg_slice slice) {
  CVG_RETURN_IF_ERROR(require(client, "client"));
  CVG_ASSIGN_OR_RETURN(Json arguments, read_document(slice, "arguments"));
  ConsulClient& consul = *client->client;
  if (const ReadVerb* read = find_read(verb)) {
    CVG_RETURN_IF_ERROR(check_members(arguments, joined(read->parameters, read_parameters()), "arguments"));
    return Start([&consul, read, arguments](JsonCallback done) {
      read->start(consul, arguments, read_options(arguments), [done](absl::StatusOr<Answer<Json>> answer) {
        if (!answer.ok()) return done(answer.status());
        done(answer_json(*answer));
      });
    });
  }
  if (const CallVerb* call = find_call(verb)) {
    CVG_RETURN_IF_ERROR(check_members(arguments, joined(call->parameters, write_parameters()), "arguments"));
    return Start([&consul, call, arguments](JsonCallback done) {
      call->start(consul, arguments, write_options(arguments), std::move(done));
    });
  }
  return unknown_verb(verb);
}

}  // namespace
}  // namespace convergence::capi

using namespace convergence;        // NOLINT: the functions below have C linkage and cannot live inside
using namespace convergence::capi;  // NOLINT

extern "C" {

cvg_code cvg_client_new(cvg_loop* loop, cvg_connection* connection, cvg_slice options, cvg_client** out,
                        cvg_error** error) noexcept {
  return guarded(error, [&]() -> absl::Status {
    CVG_RETURN_IF_ERROR(require(loop, "loop"));
    CVG_RETURN_IF_ERROR(require(connection, "connection"));
    CVG_RETURN_IF_ERROR(require(out, "out"));
    CVG_ASSIGN_OR_RETURN(Json json, read_document(options, "options"));
    CVG_RETURN_IF_ERROR(check_members(json, kClientOptions, "options"));
    RetryOptions retry;
    if (auto tries = integer_of(json, "max_tries")) {
      if (*tries < 1 || *tries > 100) return make_error(ErrorKind::kUsage, "options: max_tries: is not within 1..100");
      retry.max_tries = static_cast<std::int32_t>(*tries);
    }
    auto client = std::make_unique<cvg_client>();
    client->loop = loop;
    client->client = std::make_unique<ConsulClient>(*loop->executor, *connection->transport, retry);
    *out = client.release();
    return absl::OkStatus();
  });
}

cvg_code cvg_client_begin(cvg_client* client, cvg_slice verb, cvg_slice arguments, uint64_t* id,
                          cvg_error** error) noexcept {
  return guarded(error, [&]() -> absl::Status {
    CVG_RETURN_IF_ERROR(require(id, "id"));
    CVG_ASSIGN_OR_RETURN(Start start, prepare(client, view(verb), arguments));
    std::shared_ptr<CompletionQueue> queue = client->loop->queue;
    const std::uint64_t own = queue->next_id++;
    start([queue, own](absl::StatusOr<Json> result) { queue->push(own, std::move(result)); });
    *id = own;
    return absl::OkStatus();
  });
}

cvg_code cvg_client_call(cvg_client* client, cvg_slice verb, cvg_slice arguments, cvg_buffer* out,
                         cvg_error** error) noexcept {
  return guarded(error, [&]() -> absl::Status {
    CVG_RETURN_IF_ERROR(require(out, "out"));
    CVG_ASSIGN_OR_RETURN(Start start, prepare(client, view(verb), arguments));
    CVG_ASSIGN_OR_RETURN(Json result, await<Json>(*client->loop->executor, start));
    return give(result, out);
  });
}

void cvg_client_free(cvg_client* client) noexcept { delete client; }

cvg_code cvg_watch_start(cvg_client* client, cvg_slice verb, cvg_slice arguments, uint64_t* id, cvg_watch** out,
                         cvg_error** error) noexcept {
  return guarded(error, [&]() -> absl::Status {
    CVG_RETURN_IF_ERROR(require(client, "client"));
    CVG_RETURN_IF_ERROR(require(id, "id"));
    CVG_RETURN_IF_ERROR(require(out, "out"));
    const ReadVerb* read = find_read(view(verb));
    if (read == nullptr) {
      if (find_call(view(verb)) == nullptr) return unknown_verb(view(verb));
      return make_error(ErrorKind::kUsage,
                        "verb: \"" + std::string(view(verb)) + "\" cannot be watched; only reads can");
    }
    CVG_ASSIGN_OR_RETURN(Json json, read_document(arguments, "arguments"));
    CVG_RETURN_IF_ERROR(check_members(json, joined(read->parameters, read_parameters()), "arguments"));
    std::shared_ptr<CompletionQueue> queue = client->loop->queue;
    const std::uint64_t own = queue->next_id++;
    ConsulClient& consul = *client->client;
    auto watch = std::make_unique<cvg_watch>();
    watch->watch = Watch::start<Json>(
        *client->loop->executor,
        [&consul, read, json](std::uint64_t wait_index, AnswerCallback done) {
          ReadOptions options = read_options(json);
          options.wait_index = wait_index;
          read->start(consul, json, options, std::move(done));
        },
        [queue, own](absl::StatusOr<Answer<Json>> answer) {
          if (!answer.ok()) return queue->push(own, answer.status());
          queue->push(own, answer_json(*answer));
        });
    *id = own;
    *out = watch.release();
    return absl::OkStatus();
  });
}

void cvg_watch_free(cvg_watch* watch) noexcept { delete watch; }

}  // extern "C"
