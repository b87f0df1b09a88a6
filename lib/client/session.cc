#include <string>
#include <utility>
#include <vector>

#include "convergence/consul_client.h"
#include "lib/client/requests.h"

namespace convergence {
namespace {

Json session_json(const SessionRequest& request) {
  Json json;
  json.set("Name", request.name);
  if (!request.node.empty()) json.set("Node", request.node);
  if (!request.checks.empty()) json.set("Checks", Json::Array(request.checks.begin(), request.checks.end()));
  if (request.ttl != Duration(0)) json.set("TTL", duration_to_text(request.ttl));
  json.set("LockDelay", duration_to_text(request.lock_delay));
  json.set("Behavior", request.delete_on_release ? "delete" : "release");
  return json;
}

absl::StatusOr<std::string> read_id(const Json& answer) {
  CVG_ASSIGN_OR_RETURN(const Json* id, read_member(answer, "ID"));
  return read_string(*id);
}

absl::StatusOr<Json::Array> read_list(const Json& answer) {
  CVG_ASSIGN_OR_RETURN(const Json::Array* items, read_array(answer));
  return *items;
}

}  // namespace

void ConsulClient::session_create(const SessionRequest& request, const WriteOptions& options,
                                  Callback<std::string> done) {
  const Target target = Target("/v1/session/create").options(options);
  start<std::string>(*impl_, write_call("PUT", target, to_text(session_json(request)), options), read_id,
                     std::move(done));
}

void ConsulClient::session_renew(std::string_view id, const WriteOptions& options, Done done) {
  start(*impl_, write_call("PUT", Target("/v1/session/renew").name(id).options(options), "", options), std::move(done));
}

void ConsulClient::session_destroy(std::string_view id, const WriteOptions& options, Done done) {
  start(*impl_, write_call("PUT", Target("/v1/session/destroy").name(id).options(options), "", options),
        std::move(done));
}

void ConsulClient::session_list(const ReadOptions& options, Callback<Answer<Json::Array>> done) {
  start_read<Json::Array>(*impl_, Target("/v1/session/list").options(options), options, read_list, std::move(done));
}

void ConsulClient::status_leader(Callback<std::string> done) {
  start<std::string>(*impl_, read_call(Target("/v1/status/leader"), ReadOptions()), read_string, std::move(done));
}

}  // namespace convergence
