#ifndef CONVERGENCE_EXAMPLES_DEMO_SCENERY_H_
#define CONVERGENCE_EXAMPLES_DEMO_SCENERY_H_

#include <string>
#include <vector>

#include "convergence/canary.h"
#include "convergence/desired.h"

namespace demo {

// Which slice of `api` serves and which one tries. They change places at a promotion: nothing is copied.
struct Roles {
  convergence::Slice stable = convergence::Slice::kBlue;
  convergence::Slice candidate = convergence::Slice::kGreen;
  std::string stable_version{};
  std::string candidate_version{};  // empty: no candidate wanted
};

// The documents of the story, every name below one prefix.
class Scenery {
 public:
  explicit Scenery(std::string prefix) : prefix_(std::move(prefix)) {}

  std::string name(const std::string& plain) const { return prefix_ + "-" + plain; }
  Roles first_roles() const;

  // A registration for /v1/catalog/register; `number` makes its address.
  convergence::Json node(const std::string& role, int index, int number) const;
  convergence::DesiredState desired(const Roles& roles) const;
  std::vector<convergence::ConfigEntry> entries(const Roles& roles) const;
  convergence::CanaryPolicy policy(const Roles& roles, convergence::Duration interval,
                                   convergence::Duration settle) const;

 private:
  convergence::DesiredService service(const std::string& plain, const std::string& version, convergence::Slice slice,
                                      int port) const;
  std::string prefix_;
};

}  // namespace demo

#endif  // CONVERGENCE_EXAMPLES_DEMO_SCENERY_H_
