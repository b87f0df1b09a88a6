#ifndef CONVERGENCE_LIB_PLAN_PLACEMENT_H_
#define CONVERGENCE_LIB_PLAN_PLACEMENT_H_

#include <string>

#include "absl/status/statusor.h"
#include "convergence/catalog.h"
#include "convergence/desired.h"
#include "convergence/filter.h"

namespace convergence::plan {

// A placement, ready to be asked about many nodes.
class NodeSelector {
 public:
  // The filter's own error, with the service's name before it. Refers to `service`.
  static absl::StatusOr<NodeSelector> make(const DesiredService& service);

  bool selects(const Node& node) const;

  // "role front, zone a, one of n1 n2": where, for people.
  std::string text() const;

 private:
  explicit NodeSelector(const Placement& placement) : placement_(&placement) {}

  const Placement* placement_;
  Filter filter_{};  // the empty one selects every node
};

}  // namespace convergence::plan

#endif  // CONVERGENCE_LIB_PLAN_PLACEMENT_H_
