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

bool test(const Match& match, Path rest, const std::map<std::string, std::string>& map) {
  if (!rest.empty()) {
    auto found = map.find(rest.front().key);
    return found == map.end() ? absent(match.op) : test(match, std::string_view(found->second));
  }
  if (is_emptiness(match.op)) return verdict(match.op, map.empty());
  return verdict(match.op, map.contains(match.text));
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

bool test(const Match& match, Path rest, const Node& node) {
  const std::string_view name = rest.front().key;
  rest = rest.subspan(1);
  if (name == "Meta") return test(match, rest, node.meta);
  if (name == "TaggedAddresses") return test(match, rest, node.tagged_addresses);
  if (name == "Node") return test(match, std::string_view(node.name));
  if (name == "Address") return test(match, std::string_view(node.address));
  if (name == "Datacenter") return test(match, std::string_view(node.datacenter));
  return test(match, std::string_view(node.id));
}

const Json* find_member(const Json::Object& object, std::string_view name) {
  for (const Json::Member& member : object) {
    if (member.name == name) return &member.value;
  }
  return nullptr;
}

bool test(const Match& match, Path rest, const ServiceInstance& instance) {
  const Step& step = rest.front();
  const std::string_view name = step.key;
  rest = rest.subspan(1);
  if (name == "Meta") return test(match, rest, instance.meta);
  if (name == "Tags") return test(match, instance.tags);
  if (name == "ID") return test(match, std::string_view(instance.id));
  if (name == "Service") return test(match, std::string_view(instance.service));
  if (name == "Address") return test(match, std::string_view(instance.address));
  if (name == "Kind") return test(match, std::string_view(instance.kind));
  if (name == "Port") return test(match, std::int64_t{instance.port});
  if (name == "EnableTagOverride") return test(match, instance.enable_tag_override);
  if (name == "Weights") {
    const bool passing = rest.front().key == "Passing";
    return test(match, std::int64_t{passing ? instance.weights.passing : instance.weights.warning});
  }
  // Proxy, Connect and TaggedAddresses are kept as they came.
  return test(match, rest, find_member(instance.unknown, name), step.field->type);
}

bool test(const Match& match, Path rest, const HealthCheck& check) {
  const std::string_view name = rest.front().key;
  if (name == "Status") return test(match, to_string(check.status));
  if (name == "CheckID") return test(match, std::string_view(check.id));
  if (name == "Name") return test(match, std::string_view(check.name));
  if (name == "Node") return test(match, std::string_view(check.node));
  if (name == "Notes") return test(match, std::string_view(check.notes));
  if (name == "Output") return test(match, std::string_view(check.output));
  if (name == "ServiceID") return test(match, std::string_view(check.service_id));
  if (name == "ServiceName") return test(match, std::string_view(check.service_name));
  if (name == "ServiceTags") return test(match, check.service_tags);
  return test(match, std::string_view(check.type));
}

bool evaluate_match(const Match& match, const InstanceState& instance, const NodeState& node) {
  const std::string_view root = match.path.front().key;
  const Path rest = Path(match.path).subspan(1);
  if (root == "Service") return test(match, rest, instance.instance);
  if (root == "Node") return test(match, rest, node.node);
  if (rest.empty()) return verdict(match.op, instance.checks.empty() && node.checks.empty());
  auto any = [&](const std::vector<HealthCheck>& checks) {
    return std::any_of(checks.begin(), checks.end(),
                       [&](const HealthCheck& check) { return test(match, rest, check); });
  };
  return any(node.checks) || any(instance.checks);
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
  return evaluate_tree(bound, [&](const Match& match) { return evaluate_match(match, instance, node); });
}

bool evaluate(const Bound& bound, const Json& row) {
  return evaluate_tree(bound, [&](const Match& match) { return test(match, match.path, &row, Type::kStruct); });
}

}  // namespace convergence::filter
