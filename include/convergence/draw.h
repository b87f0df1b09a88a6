#ifndef CONVERGENCE_DRAW_H_
#define CONVERGENCE_DRAW_H_

#include <map>
#include <string>
#include <string_view>

#include "absl/status/statusor.h"
#include "convergence/chain.h"

namespace convergence {

// Pictures of a chain: where requests go, with weights on the ways and, where the host gives it, the health of the
// instances at their ends. Names are escaped for the language of the picture; same chain, same bytes.

enum class Drawing {
  kTree,     // for a terminal, lines of Unicode
  kDot,      // Graphviz
  kMermaid,  // a flowchart
  kSvg,      // self-contained, for light and dark pages
};
// "tree", "dot", "mermaid", "svg".
std::string_view to_string(Drawing drawing);
// INVALID_ARGUMENT kind "usage" for another word.
absl::StatusOr<Drawing> drawing_from(std::string_view name);

// Health by target id, as chain_health() counts it; targets that are not in it are drawn without.
std::string draw(const DiscoveryChain& chain, Drawing drawing, const std::map<std::string, TargetHealth>& health = {});

}  // namespace convergence

#endif  // CONVERGENCE_DRAW_H_
