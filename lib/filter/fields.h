#ifndef CONVERGENCE_LIB_FILTER_FIELDS_H_
#define CONVERGENCE_LIB_FILTER_FIELDS_H_

#include <span>
#include <string_view>

#include "convergence/filter.h"

namespace convergence::filter {

// Where InstanceState and NodeState hold what a selector of a health row leads to.
enum class Column {
  kNone,  // no single place
  kNodeId,
  kNodeName,
  kNodeAddress,
  kNodeDatacenter,
  kNodeTaggedAddresses,
  kNodeMeta,
  kServiceKind,
  kServiceId,
  kServiceName,
  kServiceTags,
  kServiceAddress,
  kServiceMeta,
  kServicePort,
  kServicePassing,
  kServiceWarning,
  kServiceEnableTagOverride,
  kServiceUnknown,  // Proxy, Connect and TaggedAddresses, which are kept as they came
  kChecks,          // the list as a whole
  kCheckNode,
  kCheckId,
  kCheckName,
  kCheckStatus,
  kCheckNotes,
  kCheckOutput,
  kCheckServiceId,
  kCheckServiceName,
  kCheckServiceTags,
  kCheckType,
};

// A member of a row that Consul 1.8 lets a filter speak of, and its type.
struct Field {
  enum class Type { kString, kInt, kBool, kStringList, kStringMap, kStruct, kStructList, kStructMap };
  std::string_view name;
  Type type = Type::kString;
  std::span<const Field> members{};  // of structs, and of the structs in lists and maps
  Column column = Column::kNone;
};

// The row as a whole.
const Field& row_of(RowKind kind);

// The field that a step named `name` leads to from `field`, or null.
const Field* below(const Field& field, std::string_view name);

}  // namespace convergence::filter

#endif  // CONVERGENCE_LIB_FILTER_FIELDS_H_
