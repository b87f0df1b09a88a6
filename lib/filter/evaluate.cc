#include "lib/filter/evaluate.h"

#include <algorithm>
#include <span>

namespace convergence::filter {
namespace {

using Type = Field::Type;
using Path = std::span<const Step>;

bool positive(Operator op) {
  return op == Operator::kEqual || op == Operator::kIn || op == Operator::kIsEmpty || op == Operator::kMatches;
}

// `found` says whether the positive form of the operator holds.
bool verdict(Operator op, bool found) { return found == positive(op); }

// Of what lies below a key that a map does not have. Consul says yes to `matches` there, and to all negative forms.
bool absent(Operator op) { return op != Operator::kEqual && op != Operator::kIsNotEmpty && op != Operator::kIn; }

bool test(const Match& match, std::string_view value) {
  switch (match.op) {
    case Operator::kEqual:
    case Operator::kNotEqual:
      return verdict(match.op, value == match.text);
    case Operator::kIn:
    case Operator::kNotIn:
      return verdict(match.op, value.find(match.text) != std::string_view::npos);
    case Operator::kMatches:
    case Operator::kNotMatches:
      return verdict(match.op, match.regex->partial_match(value));
    default:
      return verdict(match.op, value.empty());
  }
}

bool test(const Match& match, std::int64_t value) { return verdict(match.op, value == match.number); }
bool test(const Match& match, bool value) { return verdict(match.op, value == match.truth); }

bool is_emptiness(Operator op) { return op == Operator::kIsEmpty || op == Operator::kIsNotEmpty; }

bool test(const Match& match, const std::vector<std::string>& list) {
  if (is_emptiness(match.op)) return verdict(match.op, list.empty());
  return verdict(match.op, std::find(list.begin(), list.end(), match.text) != list.end());
}

// ---- JSON

std::string_view text_of(const Json* json) {
  const std::string* text = json ? json->as_string() : nullptr;
  return text ? std::string_view(*text) : std::string_view();
}

bool test_leaf(const Match& match, const Json* json) {
  switch (match.type) {
    case Type::kString:
      return test(match, text_of(json));
    case Type::kInt:
      return test(match, json ? json->to_int64().value_or(0) : std::int64_t{0});
    case Type::kBool:
      return test(match, json && json->as_bool() && *json->as_bool());
    case Type::kStringList:
    case Type::kStructList: {
      const Json::Array* array = json ? json->as_array() : nullptr;
      if (is_emptiness(match.op)) return verdict(match.op, !array || array->empty());
      return verdict(match.op, array && std::any_of(array->begin(), array->end(), [&](const Json& item) {
                                 return item.is_string() && text_of(&item) == match.text;
                               }));
    }
    case Type::kStringMap:
    case Type::kStructMap: {
      const Json::Object* object = json ? json->as_object() : nullptr;
      if (is_emptiness(match.op)) return verdict(match.op, !object || object->empty());
      return verdict(match.op, object && json->find(match.text));
    }
    case Type::kStruct:
      break;
  }
  return false;
}

bool test(const Match& match, Path rest, const Json* json, Type type) {
  if (rest.empty()) return test_leaf(match, json);
  if (type == Type::kStructList) {
    const Json::Array* array = json ? json->as_array() : nullptr;
    return array && std::any_of(array->begin(), array->end(),
                                [&](const Json& item) { return test(match, rest, &item, Type::kStruct); });
  }
  const Step& step = rest.front();
  const Json* next = json ? json->find(step.key) : nullptr;
  if (!next && step.in_map) return absent(match.op);
  return test(match, rest.subspan(1), next, step.field->type);
}

// ---- values

const Json* find_member(const Json::Object& object, std::string_view name) {
  for (const Json::Member& member : object) {
    if (member.name == name) return &member.value;
  }
  return nullptr;
}

// Of a map: what follows the map's own name in the selector.
bool test_labels(const Match& match, const std::map<std::string, std::string>& map) {
  if (match.type == Type::kString) {
    const auto found = map.find(match.path.back().key);
    return found == map.end() ? absent(match.op) : test(match, std::string_view(found->second));
  }
  if (is_emptiness(match.op)) return verdict(match.op, map.empty());
  return verdict(match.op, map.contains(match.text));
}

bool test_check(const Match& match, const HealthCheck& check) {
  switch (match.column) {
    case Column::kCheckNode:
      return test(match, check.node);
    case Column::kCheckId:
      return test(match, check.id);
    case Column::kCheckName:
      return test(match, check.name);
    case Column::kCheckStatus:
      return test(match, to_string(check.status));
    case Column::kCheckNotes:
      return test(match, check.notes);
    case Column::kCheckOutput:
      return test(match, check.output);
    case Column::kCheckServiceId:
      return test(match, check.service_id);
    case Column::kCheckServiceName:
      return test(match, check.service_name);
    case Column::kCheckServiceTags:
      return test(match, check.service_tags);
    default:
      return test(match, check.type);
  }
}

bool test_any_check(const Match& match, const InstanceState& instance, const NodeState& node) {
  const auto any = [&](const std::vector<HealthCheck>& checks) {
    return std::any_of(checks.begin(), checks.end(), [&](const auto& check) { return test_check(match, check); });
  };
  return any(node.checks) || any(instance.checks);
}

bool test(const Match& match, const InstanceState& state, const NodeState& node_state) {
  const ServiceInstance& service = state.instance;
  const Node& node = node_state.node;
  switch (match.column) {
    case Column::kNodeId:
      return test(match, node.id);
    case Column::kNodeName:
      return test(match, node.name);
    case Column::kNodeAddress:
      return test(match, node.address);
    case Column::kNodeDatacenter:
      return test(match, node.datacenter);
    case Column::kNodeTaggedAddresses:
      return test_labels(match, node.tagged_addresses);
    case Column::kNodeMeta:
      return test_labels(match, node.meta);
    case Column::kServiceKind:
      return test(match, service.kind);
    case Column::kServiceId:
      return test(match, service.id);
    case Column::kServiceName:
      return test(match, service.service);
    case Column::kServiceTags:
      return test(match, service.tags);
    case Column::kServiceAddress:
      return test(match, service.address);
    case Column::kServiceMeta:
      return test_labels(match, service.meta);
    case Column::kServicePort:
      return test(match, std::int64_t{service.port});
    case Column::kServicePassing:
      return test(match, std::int64_t{service.weights.passing});
    case Column::kServiceWarning:
      return test(match, std::int64_t{service.weights.warning});
    case Column::kServiceEnableTagOverride:
      return test(match, service.enable_tag_override);
    case Column::kServiceUnknown: {
      const Step& member = match.path[1];  // behind "Service"
      return test(match, Path(match.path).subspan(2), find_member(service.unknown, member.key), member.field->type);
    }
    case Column::kChecks:
      return verdict(match.op, state.checks.empty() && node_state.checks.empty());
    default:
      return test_any_check(match, state, node_state);
  }
}

template <typename Leaf>
bool evaluate_tree(const Bound& bound, const Leaf& leaf) {
  switch (bound.kind) {
    case Expression::Kind::kAnd:
      return evaluate_tree(bound.parts[0], leaf) && evaluate_tree(bound.parts[1], leaf);
    case Expression::Kind::kOr:
      return evaluate_tree(bound.parts[0], leaf) || evaluate_tree(bound.parts[1], leaf);
    case Expression::Kind::kNot:
      return !evaluate_tree(bound.parts[0], leaf);
    case Expression::Kind::kMatch:
      break;
  }
  return leaf(bound.match);
}

}  // namespace

bool evaluate(const Bound& bound, const InstanceState& instance, const NodeState& node) {
  return evaluate_tree(bound, [&](const Match& match) { return test(match, instance, node); });
}

bool evaluate(const Bound& bound, const Json& row) {
  return evaluate_tree(bound, [&](const Match& match) { return test(match, match.path, &row, Type::kStruct); });
}

}  // namespace convergence::filter
