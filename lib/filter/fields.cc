#include "lib/filter/fields.h"

#include <algorithm>
#include <array>

namespace convergence::filter {
namespace {

using Type = Field::Type;

// Read off the answers of Consul 1.8.7: what it does not list here is "not valid" there too. A row of
// /v1/health/service holds a node, a service and checks as the other endpoints have them alone.
constexpr std::array kMeshGateway = {Field{"Mode", Type::kString}};
constexpr std::array kExposePath = {
    Field{"ListenerPort", Type::kInt}, Field{"Path", Type::kString},          Field{"LocalPathPort", Type::kInt},
    Field{"Protocol", Type::kString},  Field{"ParsedFromCheck", Type::kBool},
};
constexpr std::array kExpose = {Field{"Checks", Type::kBool}, Field{"Paths", Type::kStructList, kExposePath}};
constexpr std::array kUpstream = {
    Field{"DestinationType", Type::kString},           Field{"DestinationNamespace", Type::kString},
    Field{"DestinationName", Type::kString},           Field{"Datacenter", Type::kString},
    Field{"LocalBindAddress", Type::kString},          Field{"LocalBindPort", Type::kInt},
    Field{"MeshGateway", Type::kStruct, kMeshGateway},
};
constexpr std::array kProxy = {
    Field{"DestinationServiceName", Type::kString},   Field{"DestinationServiceID", Type::kString},
    Field{"LocalServiceAddress", Type::kString},      Field{"LocalServicePort", Type::kInt},
    Field{"Upstreams", Type::kStructList, kUpstream}, Field{"MeshGateway", Type::kStruct, kMeshGateway},
    Field{"Expose", Type::kStruct, kExpose},
};
constexpr std::array kConnect = {Field{"Native", Type::kBool}};
constexpr std::array kWeights = {
    Field{"Passing", Type::kInt, {}, Column::kServicePassing},
    Field{"Warning", Type::kInt, {}, Column::kServiceWarning},
};
constexpr std::array kServiceAddress = {Field{"Address", Type::kString}, Field{"Port", Type::kInt}};
constexpr std::array kNode = {
    Field{"ID", Type::kString, {}, Column::kNodeId},
    Field{"Node", Type::kString, {}, Column::kNodeName},
    Field{"Address", Type::kString, {}, Column::kNodeAddress},
    Field{"Datacenter", Type::kString, {}, Column::kNodeDatacenter},
    Field{"TaggedAddresses", Type::kStringMap, {}, Column::kNodeTaggedAddresses},
    Field{"Meta", Type::kStringMap, {}, Column::kNodeMeta},
};
constexpr std::array kService = {
    Field{"Kind", Type::kString, {}, Column::kServiceKind},
    Field{"ID", Type::kString, {}, Column::kServiceId},
    Field{"Service", Type::kString, {}, Column::kServiceName},
    Field{"Tags", Type::kStringList, {}, Column::kServiceTags},
    Field{"Address", Type::kString, {}, Column::kServiceAddress},
    Field{"TaggedAddresses", Type::kStructMap, kServiceAddress, Column::kServiceUnknown},
    Field{"Meta", Type::kStringMap, {}, Column::kServiceMeta},
    Field{"Port", Type::kInt, {}, Column::kServicePort},
    Field{"Weights", Type::kStruct, kWeights},
    Field{"EnableTagOverride", Type::kBool, {}, Column::kServiceEnableTagOverride},
    Field{"Proxy", Type::kStruct, kProxy, Column::kServiceUnknown},
    Field{"Connect", Type::kStruct, kConnect, Column::kServiceUnknown},
};
constexpr std::array kCheck = {
    Field{"Node", Type::kString, {}, Column::kCheckNode},
    Field{"CheckID", Type::kString, {}, Column::kCheckId},
    Field{"Name", Type::kString, {}, Column::kCheckName},
    Field{"Status", Type::kString, {}, Column::kCheckStatus},
    Field{"Notes", Type::kString, {}, Column::kCheckNotes},
    Field{"Output", Type::kString, {}, Column::kCheckOutput},
    Field{"ServiceID", Type::kString, {}, Column::kCheckServiceId},
    Field{"ServiceName", Type::kString, {}, Column::kCheckServiceName},
    Field{"ServiceTags", Type::kStringList, {}, Column::kCheckServiceTags},
    Field{"Type", Type::kString, {}, Column::kCheckType},
};
constexpr std::array kHealth = {
    Field{"Node", Type::kStruct, kNode},
    Field{"Service", Type::kStruct, kService},
    Field{"Checks", Type::kStructList, kCheck, Column::kChecks},
};
constexpr std::array kCatalogService = {
    Field{"ID", Type::kString},
    Field{"Node", Type::kString},
    Field{"Address", Type::kString},
    Field{"Datacenter", Type::kString},
    Field{"TaggedAddresses", Type::kStringMap},
    Field{"NodeMeta", Type::kStringMap},
    Field{"ServiceKind", Type::kString},
    Field{"ServiceID", Type::kString},
    Field{"ServiceName", Type::kString},
    Field{"ServiceTags", Type::kStringList},
    Field{"ServiceAddress", Type::kString},
    Field{"ServiceTaggedAddresses", Type::kStructMap, kServiceAddress},
    Field{"ServiceWeights", Type::kStruct, kWeights},
    Field{"ServiceMeta", Type::kStringMap},
    Field{"ServicePort", Type::kInt},
    Field{"ServiceEnableTagOverride", Type::kBool},
    Field{"ServiceProxy", Type::kStruct, kProxy},
    Field{"ServiceConnect", Type::kStruct, kConnect},
};

constexpr Field kHealthRow = {"", Type::kStruct, kHealth};
constexpr Field kNodeRow = {"", Type::kStruct, kNode};
constexpr Field kCatalogServiceRow = {"", Type::kStruct, kCatalogService};
constexpr Field kServiceRow = {"", Type::kStruct, kService};
constexpr Field kCheckRow = {"", Type::kStruct, kCheck};

constexpr Field kMapValue = {"", Type::kString};
constexpr Field kServiceAddressValue = {"", Type::kStruct, kServiceAddress};

}  // namespace

const Field& row_of(RowKind kind) {
  switch (kind) {
    case RowKind::kHealth:
      return kHealthRow;
    case RowKind::kNode:
      return kNodeRow;
    case RowKind::kCatalogService:
      return kCatalogServiceRow;
    case RowKind::kService:
      return kServiceRow;
    case RowKind::kCheck:
      break;
  }
  return kCheckRow;
}

const Field* below(const Field& field, std::string_view name) {
  switch (field.type) {
    case Type::kStruct:
    case Type::kStructList: {
      const auto found = std::find_if(field.members.begin(), field.members.end(),
                                      [&](const Field& member) { return member.name == name; });
      return found == field.members.end() ? nullptr : &*found;
    }
    case Type::kStringMap:
      return &kMapValue;
    case Type::kStructMap:
      return &kServiceAddressValue;
    default:
      return nullptr;
  }
}

}  // namespace convergence::filter
