#ifndef CONVERGENCE_LIB_CHAIN_DRAW_H_
#define CONVERGENCE_LIB_CHAIN_DRAW_H_

#include <cstddef>
#include <string>
#include <vector>

#include "convergence/draw.h"

namespace convergence::draw_chain {

using HealthMap = std::map<std::string, TargetHealth>;

// The chain as boxes and ways, in the order in which one comes to them from the start node.
struct Way {
  std::string label{};  // the condition or the weight
  std::size_t to = 0;
  bool failover = false;
  bool idle = false;  // of weight 0
};
struct Box {
  enum class Kind { kRouter, kSplitter, kTarget };
  Kind kind = Kind::kTarget;
  std::string title{};
  std::vector<std::string> notes{};  // of targets: filter, health, where it is
  std::vector<Way> ways{};
  bool in_trouble = false;  // a target without a healthy instance
  std::size_t column = 0;   // how many boxes stand before it on the longest way
};
std::vector<Box> boxes(const DiscoveryChain& chain, const HealthMap& health);

std::string route_label(const Route& route);
std::string weight_label(std::int32_t weight);
std::vector<std::string> target_notes(const DiscoveryChain& chain, const ChainTarget& target, const HealthMap& health);

std::string tree(const DiscoveryChain& chain, const HealthMap& health);
std::string dot(const std::vector<Box>& boxes);
std::string mermaid(const std::vector<Box>& boxes);
std::string svg(const std::vector<Box>& boxes, const std::string& title);

}  // namespace convergence::draw_chain

#endif  // CONVERGENCE_LIB_CHAIN_DRAW_H_
