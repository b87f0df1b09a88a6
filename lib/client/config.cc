#include <memory>
#include <optional>
#include <utility>
#include <vector>

#include "convergence/consul_client.h"
#include "convergence/error.h"
#include "lib/client/requests.h"

namespace convergence {
namespace {

Target entry_target(std::string_view kind, std::string_view name) { return Target("/v1/config").name(kind).name(name); }

absl::StatusOr<std::optional<ConfigEntry>> read_entry(const Json& answer) {
  CVG_ASSIGN_OR_RETURN(ConfigEntry entry, read_value<ConfigEntry>(answer));
  return entry;
}

absl::StatusOr<DiscoveryChain> read_chain(const Json& answer) {
  CVG_ASSIGN_OR_RETURN(const Json* chain, read_member(answer, "Chain"));
  return read_value<DiscoveryChain>(*chain);
}

// Servers that know ?cas= on deletion answer true or false, older ones {}.
absl::StatusOr<bool> read_deleted(const Json& answer) { return answer.as_bool() == nullptr || *answer.as_bool(); }

// The server sets the indexes; what we were told before is no part of what we write.
std::string entry_body(ConfigEntry entry) {
  entry.create_index = 0;
  entry.modify_index = 0;
  Json body = to_json(entry);
  std::erase_if(*body.as_object(), [](const Json::Member& member) {
    return member.name == "CreateIndex" || member.name == "ModifyIndex";
  });
  return to_text(body);
}

}  // namespace

void ConsulClient::config_get(std::string_view kind, std::string_view name, const ReadOptions& options,
                              Callback<Answer<std::optional<ConfigEntry>>> done) {
  start_read<std::optional<ConfigEntry>>(*impl_, entry_target(kind, name).options(options), options, read_entry,
                                         std::move(done), std::optional<ConfigEntry>());
}

void ConsulClient::config_list(std::string_view kind, const ReadOptions& options,
                               Callback<Answer<std::vector<ConfigEntry>>> done) {
  start_read<std::vector<ConfigEntry>>(*impl_, Target("/v1/config").name(kind).options(options), options,
                                       read_values<ConfigEntry>, std::move(done));
}

void ConsulClient::config_list_all(const ReadOptions& options, Callback<Answer<std::vector<ConfigEntry>>> done) {
  start_read<std::vector<ConfigEntry>>(*impl_, Target("/v1/config/").options(options), options,
                                       read_values<ConfigEntry>, std::move(done));
}

void ConsulClient::config_put(const ConfigEntry& entry, std::optional<std::uint64_t> cas, const WriteOptions& options,
                              Callback<bool> done) {
  Target target("/v1/config");
  if (cas) target.query("cas", *cas);
  start<bool>(*impl_, write_call("PUT", target.options(options), entry_body(entry), options), read_bool,
              std::move(done));
}

void ConsulClient::config_delete(std::string_view kind, std::string_view name, std::optional<std::uint64_t> cas,
                                 const WriteOptions& options, Callback<bool> done) {
  Target target = entry_target(kind, name);
  if (cas) target.query("cas", *cas);
  Call call = write_call("DELETE", target.options(options), "", options);
  if (!cas) return start<bool>(*impl_, std::move(call), read_deleted, std::move(done));

  ReadOptions read;
  read.datacenter = options.datacenter;
  read.namespace_name = options.namespace_name;
  read.consistency = Consistency::kConsistent;
  read.timeout = options.timeout;
  const auto decide = [weak = std::weak_ptr<Impl>(impl_), call = std::move(call), cas,
                       done = std::move(done)](absl::StatusOr<Answer<std::optional<ConfigEntry>>> answer) {
    if (!answer.ok()) return done(answer.status());
    if (!answer->value) return done(true);  // as a compare-and-set deletion of an absent key
    if (answer->value->modify_index != *cas) return done(false);
    const std::shared_ptr<Impl> impl = weak.lock();
    if (impl == nullptr) return done(make_error(ErrorKind::kCancelled, "DELETE: cancelled with its client"));
    start<bool>(*impl, call, read_deleted, done);
  };
  config_get(kind, name, read, decide);
}

void ConsulClient::discovery_chain(std::string_view service, const ReadOptions& options,
                                   Callback<Answer<DiscoveryChain>> done) {
  start_read<DiscoveryChain>(*impl_, Target("/v1/discovery-chain").name(service).options(options), options, read_chain,
                             std::move(done));
}

}  // namespace convergence
