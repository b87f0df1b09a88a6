#include <cstdint>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "capi/verbs.h"
#include "convergence/codec.h"
#include "convergence/error.h"

namespace convergence::capi {
namespace {

Json value_of(Json value) { return Json().set("value", std::move(value)); }

ConsulClient::Callback<bool> into_bool(JsonCallback done) {
  return [done = std::move(done)](absl::StatusOr<bool> result) {
    if (!result.ok()) return done(result.status());
    done(value_of(*result));
  };
}

ConsulClient::Done into_done(JsonCallback done) {
  return [done = std::move(done)](absl::Status status) {
    if (!status.ok()) return done(status);
    done(value_of(true));
  };
}

std::optional<std::uint64_t> cas_of(const Json& arguments) {
  auto cas = integer_of(arguments, "cas");
  return cas ? std::optional(static_cast<std::uint64_t>(*cas)) : std::nullopt;
}

constexpr Parameter kPut[] = {
    {"key", Shape::kText, true},       {"value", Shape::kText, false},  {"value_base64", Shape::kText, false},
    {"flags", Shape::kInteger, false}, {"cas", Shape::kInteger, false}, {"acquire", Shape::kText, false},
    {"release", Shape::kText, false},
};
void kv_put(ConsulClient& client, const Json& a, const WriteOptions& o, JsonCallback done) {
  ConsulClient::KvPut put;
  put.key = text_of(a, "key");
  put.value = text_of(a, "value");
  if (a.find("value_base64")) {
    absl::StatusOr<std::string> bytes = base64_decode(text_of(a, "value_base64"));
    if (!bytes.ok()) return done(bytes.status());
    put.value = *std::move(bytes);
  }
  put.flags = static_cast<std::uint64_t>(integer_of(a, "flags").value_or(0));
  put.cas = cas_of(a);
  put.acquire = text_of(a, "acquire");
  put.release = text_of(a, "release");
  client.kv_put(put, o, into_bool(std::move(done)));
}

constexpr Parameter kTxn[] = {{"operations", Shape::kArray, true}};
void txn(ConsulClient& client, const Json& a, const WriteOptions& o, JsonCallback done) {
  std::vector<TxnOperation> operations;
  for (const Json& operation : *a.find("operations")->as_array()) operations.push_back({operation});
  client.txn(operations, o, [done = std::move(done)](absl::StatusOr<TxnResult> result) {
    if (!result.ok()) return done(result.status());
    Json::Array failures;
    for (const TxnFailure& failure : result->failures) {
      failures.push_back(Json().set("OpIndex", std::uint64_t{failure.operation}).set("What", failure.what));
    }
    done(value_of(Json().set("Results", result->results).set("Errors", std::move(failures))));
  });
}

absl::StatusOr<std::vector<CheckDefinition>> checks_of(const Json& arguments) {
  std::vector<CheckDefinition> checks;
  const Json* list = arguments.find("checks");
  if (list == nullptr || !list->is_array()) return checks;
  for (const Json& item : *list->as_array()) {
    absl::StatusOr<CheckDefinition> check = from_json<CheckDefinition>(item, "checks");
    if (!check.ok()) return check.status();
    checks.push_back(*std::move(check));
  }
  return checks;
}

constexpr Parameter kAgentRegister[] = {{"service", Shape::kObject, true}, {"checks", Shape::kArray, false}};
void agent_service_register(ConsulClient& client, const Json& a, const WriteOptions&, JsonCallback done) {
  absl::StatusOr<ServiceInstance> service = from_json<ServiceInstance>(*a.find("service"), "service");
  if (!service.ok()) return done(service.status());
  absl::StatusOr<std::vector<CheckDefinition>> checks = checks_of(a);
  if (!checks.ok()) return done(checks.status());
  client.agent_service_register(*service, *checks, into_done(std::move(done)));
}

constexpr Parameter kAgentCheck[] = {{"check", Shape::kObject, true}, {"service_id", Shape::kText, false}};
void agent_check_register(ConsulClient& client, const Json& a, const WriteOptions&, JsonCallback done) {
  absl::StatusOr<CheckDefinition> check = from_json<CheckDefinition>(*a.find("check"), "check");
  if (!check.ok()) return done(check.status());
  client.agent_check_register(*check, text_of(a, "service_id"), into_done(std::move(done)));
}

constexpr Parameter kCheckUpdate[] = {
    {"id", Shape::kText, true}, {"status", Shape::kText, true}, {"output", Shape::kText, false}};
void agent_check_update(ConsulClient& client, const Json& a, const WriteOptions&, JsonCallback done) {
  const std::string status = text_of(a, "status");
  for (CheckStatus known : {CheckStatus::kPassing, CheckStatus::kWarning, CheckStatus::kCritical}) {
    if (to_string(known) == status) {
      return client.agent_check_update(text_of(a, "id"), known, text_of(a, "output"), into_done(std::move(done)));
    }
  }
  done(make_error(ErrorKind::kUsage, "status: \"" + status + "\" is unknown; use passing, warning or critical"));
}

constexpr Parameter kConfigPut[] = {{"entry", Shape::kObject, true}, {"cas", Shape::kInteger, false}};
void config_put(ConsulClient& client, const Json& a, const WriteOptions& o, JsonCallback done) {
  absl::StatusOr<ConfigEntry> entry = from_json<ConfigEntry>(*a.find("entry"), "entry");
  if (!entry.ok()) return done(entry.status());
  client.config_put(*entry, cas_of(a), o, into_bool(std::move(done)));
}

constexpr Parameter kSession[] = {
    {"name", Shape::kText, false},    {"node", Shape::kText, false},           {"checks", Shape::kTextList, false},
    {"ttl", Shape::kDuration, false}, {"lock_delay", Shape::kDuration, false}, {"behavior", Shape::kText, false},
};
void session_create(ConsulClient& client, const Json& a, const WriteOptions& o, JsonCallback done) {
  SessionRequest session;
  session.name = text_of(a, "name");
  session.node = text_of(a, "node");
  session.checks = texts_of(a, "checks");
  session.ttl = duration_of(a, "ttl").value_or(session.ttl);
  session.lock_delay = duration_of(a, "lock_delay").value_or(session.lock_delay);
  const std::string behavior = text_of(a, "behavior");
  if (!behavior.empty() && behavior != "release" && behavior != "delete") {
    return done(make_error(ErrorKind::kUsage, "behavior: \"" + behavior + "\" is unknown; use release or delete"));
  }
  session.delete_on_release = behavior == "delete";
  client.session_create(session, o, [done = std::move(done)](absl::StatusOr<std::string> id) {
    if (!id.ok()) return done(id.status());
    done(value_of(*id));
  });
}

void agent_services(ConsulClient& client, const Json&, const WriteOptions&, JsonCallback done) {
  client.agent_services({}, [done = std::move(done)](absl::StatusOr<std::map<std::string, ServiceInstance>> result) {
    if (!result.ok()) return done(result.status());
    Json::Object object;
    for (const auto& [id, instance] : *result) object.push_back({id, to_json(instance)});
    done(value_of(std::move(object)));
  });
}

void agent_checks(ConsulClient& client, const Json&, const WriteOptions&, JsonCallback done) {
  client.agent_checks({}, [done = std::move(done)](absl::StatusOr<std::map<std::string, HealthCheck>> result) {
    if (!result.ok()) return done(result.status());
    Json::Object object;
    for (const auto& [id, check] : *result) object.push_back({id, to_json(check)});
    done(value_of(std::move(object)));
  });
}

void agent_self(ConsulClient& client, const Json&, const WriteOptions&, JsonCallback done) {
  client.agent_self([done = std::move(done)](absl::StatusOr<Json> result) {
    if (!result.ok()) return done(result.status());
    done(value_of(*std::move(result)));
  });
}

void status_leader(ConsulClient& client, const Json&, const WriteOptions&, JsonCallback done) {
  client.status_leader([done = std::move(done)](absl::StatusOr<std::string> result) {
    if (!result.ok()) return done(result.status());
    done(value_of(*result));
  });
}

constexpr Parameter kKeyCas[] = {{"key", Shape::kText, true}, {"cas", Shape::kInteger, false}};
constexpr Parameter kCallPrefix[] = {{"prefix", Shape::kText, true}};
constexpr Parameter kRegistration[] = {{"registration", Shape::kObject, true}};
constexpr Parameter kDeregistration[] = {{"deregistration", Shape::kObject, true}};
constexpr Parameter kId[] = {{"id", Shape::kText, true}};
constexpr Parameter kConfigDelete[] = {
    {"kind", Shape::kText, true}, {"name", Shape::kText, true}, {"cas", Shape::kInteger, false}};

const CallVerb kCallVerbs[] = {
    {"kv_put", kPut, kv_put},
    {"kv_delete", kKeyCas,
     [](ConsulClient& client, const Json& a, const WriteOptions& o, JsonCallback done) {
       client.kv_delete(text_of(a, "key"), cas_of(a), o, into_bool(std::move(done)));
     }},
    {"kv_delete_tree", kCallPrefix,
     [](ConsulClient& client, const Json& a, const WriteOptions& o, JsonCallback done) {
       client.kv_delete_tree(text_of(a, "prefix"), o, into_bool(std::move(done)));
     }},
    {"txn", kTxn, txn},
    {"catalog_register", kRegistration,
     [](ConsulClient& client, const Json& a, const WriteOptions& o, JsonCallback done) {
       client.catalog_register(*a.find("registration"), o, into_done(std::move(done)));
     }},
    {"catalog_deregister", kDeregistration,
     [](ConsulClient& client, const Json& a, const WriteOptions& o, JsonCallback done) {
       client.catalog_deregister(*a.find("deregistration"), o, into_done(std::move(done)));
     }},
    {"agent_self", {}, agent_self},
    {"agent_services", {}, agent_services},
    {"agent_checks", {}, agent_checks},
    {"agent_service_register", kAgentRegister, agent_service_register},
    {"agent_service_deregister", kId,
     [](ConsulClient& client, const Json& a, const WriteOptions&, JsonCallback done) {
       client.agent_service_deregister(text_of(a, "id"), into_done(std::move(done)));
     }},
    {"agent_check_register", kAgentCheck, agent_check_register},
    {"agent_check_deregister", kId,
     [](ConsulClient& client, const Json& a, const WriteOptions&, JsonCallback done) {
       client.agent_check_deregister(text_of(a, "id"), into_done(std::move(done)));
     }},
    {"agent_check_update", kCheckUpdate, agent_check_update},
    {"config_put", kConfigPut, config_put},
    {"config_delete", kConfigDelete,
     [](ConsulClient& client, const Json& a, const WriteOptions& o, JsonCallback done) {
       client.config_delete(text_of(a, "kind"), text_of(a, "name"), cas_of(a), o, into_bool(std::move(done)));
     }},
    {"session_create", kSession, session_create},
    {"session_renew", kId,
     [](ConsulClient& client, const Json& a, const WriteOptions& o, JsonCallback done) {
       client.session_renew(text_of(a, "id"), o, into_done(std::move(done)));
     }},
    {"session_destroy", kId,
     [](ConsulClient& client, const Json& a, const WriteOptions& o, JsonCallback done) {
       client.session_destroy(text_of(a, "id"), o, into_done(std::move(done)));
     }},
    {"status_leader", {}, status_leader},
};

constexpr Parameter kWriteParameters[] = {
    {"dc", Shape::kText, false}, {"ns", Shape::kText, false}, {"timeout", Shape::kDuration, false}};

}  // namespace

std::span<const CallVerb> call_verbs() { return kCallVerbs; }
std::span<const Parameter> write_parameters() { return kWriteParameters; }

WriteOptions write_options(const Json& arguments) {
  WriteOptions options;
  options.datacenter = text_of(arguments, "dc");
  options.namespace_name = text_of(arguments, "ns");
  options.timeout = duration_of(arguments, "timeout").value_or(options.timeout);
  return options;
}

}  // namespace convergence::capi
