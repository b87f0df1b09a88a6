#ifndef CONVERGENCE_DEPLOYMENT_CODEC_H_
#define CONVERGENCE_DEPLOYMENT_CODEC_H_

#include <string_view>
#include <vector>

#include "absl/status/statusor.h"
#include "convergence/codec.h"
#include "convergence/deployment.h"

namespace convergence {

// What deployments are decided on, and the decisions, as JSON: by the rules of codec.h. docs/documents.md shows each.

template <>
absl::StatusOr<ServiceFleet> from_json(const Json& json, std::string_view document);
template <>
absl::StatusOr<NodeView> from_json(const Json& json, std::string_view document);
template <>
absl::StatusOr<Asked> from_json(const Json& json, std::string_view document);
template <>
absl::StatusOr<AclScope> from_json(const Json& json, std::string_view document);

Json to_json(const ServiceFleet& fleet);
Json to_json(const NodeView& view);
Json to_json(const NodeTarget& target);  // its release stands under "release"
// With the index of its service among those given, and the release that is to be there.
Json to_json(const std::vector<NodeDecision>& decisions);

}  // namespace convergence

#endif  // CONVERGENCE_DEPLOYMENT_CODEC_H_
