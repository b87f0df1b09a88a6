#include <fmt/format.h>

#include <string>

#include "convergence/plan.h"
#include "lib/plan/steps.h"

namespace convergence {

std::string describe(const Plan& plan) {
  std::string text;
  std::size_t number = 0;
  for (const Step& step : plan.steps) {
    const std::string thing = plan::is_entry_action(step.action) ? plan::label(step.entry) : plan::label(step.instance);
    text +=
        fmt::format("{}. {} {} [{}] {}\n", ++number, to_string(step.action), thing, to_string(step.reason), step.why);
  }
  for (const Held& held : plan.held) {
    text += fmt::format("held {} [{}] {}\n", held.id, to_string(held.reason), held.why);
  }
  if (text.empty()) text = "nothing to do\n";
  return text;
}

}  // namespace convergence
