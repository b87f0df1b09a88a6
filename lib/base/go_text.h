#ifndef CONVERGENCE_LIB_BASE_GO_TEXT_H_
#define CONVERGENCE_LIB_BASE_GO_TEXT_H_

#include <string>
#include <string_view>

#include "convergence/time.h"

namespace convergence {

// Texts as Go's fmt writes them: Consul's messages are made of these, and ours must be equal to them.

// %q: in double quotes, with Go's escapes.
std::string go_quote(std::string_view text);

// %s of a duration: "0s", "250µs", "1.5s", "2h0m0s", "-3s".
std::string go_duration(Duration duration);

}  // namespace convergence

#endif  // CONVERGENCE_LIB_BASE_GO_TEXT_H_
