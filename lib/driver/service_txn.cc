#include "lib/driver/service_txn.h"

#include <algorithm>
#include <optional>

#include "convergence/codec.h"

namespace convergence {
namespace {

TxnOperation operation(std::string_view kind, std::string_view verb, Json::Object members) {
  members.insert(members.begin(), {"Verb", Json(verb)});
  return {Json(Json::Object{{std::string(kind), Json(std::move(members))}})};
}

TxnOperation put_service(const ServiceInstance& instance, const std::string& node, std::uint64_t cas) {
  Json service = to_json(instance);
  service.set("ModifyIndex", cas);
  return operation("Service", "cas", {{"Node", Json(node)}, {"Service", std::move(service)}});
}

// Checks by compare-and-set too: between the read and this somebody may have found the instance critical, and must not
// be overruled by the status that was read. Where an earlier step of the plan wrote them, their index is not known.
std::optional<std::uint64_t> check_index(const Step& step, const std::string& id) {
  if (!step.cas_from.empty()) return std::nullopt;
  if (const auto* before = std::get_if<ServiceRegistration>(&step.before)) {
    for (const HealthCheck& check : before->checks) {
      if (check.id == id) return check.modify_index;
    }
  }
  return 0;  // create only
}

TxnOperation put_check(const Step& step, const HealthCheck& check) {
  const std::optional<std::uint64_t> index = check_index(step, check.id);
  Json body = to_json(check);
  body.set("ModifyIndex", index.value_or(0));
  return operation("Check", index ? "cas" : "set", {{"Check", std::move(body)}});
}

TxnOperation delete_check(const Step& step, const std::string& id) {
  const std::uint64_t index = check_index(step, id).value_or(0);
  Json::Object check = {{"Node", Json(step.instance.node)}, {"CheckID", Json(id)}, {"ModifyIndex", Json(index)}};
  return operation("Check", index == 0 ? "delete" : "delete-cas", {{"Check", Json(std::move(check))}});
}

TxnOperation delete_service(const Step& step, std::uint64_t cas) {
  Json::Object service = {
      {"ID", Json(step.instance.service_id)}, {"Service", Json(step.service)}, {"ModifyIndex", Json(cas)}};
  return operation("Service", "delete-cas",
                   {{"Node", Json(step.instance.node)}, {"Service", Json(std::move(service))}});
}

// All but the indexes and what the server puts in by itself.
bool same_instance(const ServiceInstance& a, const ServiceInstance& b) {
  return a.id == b.id && a.service == b.service && a.kind == b.kind && a.tags == b.tags && a.address == b.address &&
         a.port == b.port && a.meta == b.meta && a.weights == b.weights &&
         a.enable_tag_override == b.enable_tag_override;
}

}  // namespace

std::vector<TxnOperation> service_operations(const Step& step, std::uint64_t cas) {
  const auto* registration = std::get_if<ServiceRegistration>(&step.body);
  if (!registration) return {delete_service(step, cas)};  // its checks go with it
  std::vector<TxnOperation> out = {put_service(registration->instance, step.instance.node, cas)};
  for (const HealthCheck& check : registration->checks) out.push_back(put_check(step, check));
  for (const std::string& id : registration->remove_checks) out.push_back(delete_check(step, id));
  return out;
}

bool lost_race(const std::vector<TxnFailure>& failures) {
  return !failures.empty() && std::all_of(failures.begin(), failures.end(), [](const TxnFailure& failure) {
    return failure.what.find("index is stale") != std::string::npos;
  });
}

bool same_registration(const ServiceRegistration& wanted, const HealthRow& row) {
  if (!same_instance(wanted.instance, row.instance)) return false;
  const auto find = [&](const std::string& id) {
    return std::find_if(row.checks.begin(), row.checks.end(), [&](const HealthCheck& check) { return check.id == id; });
  };
  for (const HealthCheck& check : wanted.checks) {
    const auto found = find(check.id);
    if (found == row.checks.end() || found->name != check.name || found->service_id != check.service_id) return false;
  }
  return std::all_of(wanted.remove_checks.begin(), wanted.remove_checks.end(),
                     [&](const std::string& id) { return find(id) == row.checks.end(); });
}

}  // namespace convergence
