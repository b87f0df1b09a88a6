#ifndef CONVERGENCE_LIB_PLAN_STEPS_H_
#define CONVERGENCE_LIB_PLAN_STEPS_H_

#include <map>
#include <string>
#include <string_view>

#include "convergence/plan.h"

namespace convergence::plan {

// "service-router/web", "node-1/web-blue": how steps, sentences and people name things.
std::string label(const EntryId& entry);
std::string label(const InstanceId& instance);

// "put-entry:service-router/web"
std::string step_id(Action action, const EntryId& entry);
std::string step_id(Action action, const InstanceId& instance);

bool is_entry_action(Action action);

// Whether Meta says that the thing is `owner`'s.
bool is_ours(const std::map<std::string, std::string>& meta, std::string_view owner);

// The Meta that Consul's own tools put on what they look after.
inline constexpr std::string_view kExternalSource = "external-source";

// "carries external-source=consul-k8s", "carries no mark": whose something is that is not ours.
std::string owner_text(const std::map<std::string, std::string>& meta);

}  // namespace convergence::plan

#endif  // CONVERGENCE_LIB_PLAN_STEPS_H_
