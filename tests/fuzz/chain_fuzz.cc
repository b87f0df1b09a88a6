// The bytes choose writes of entries and the dialect; they are put, and chains compiled from what was taken. A second
// compiler has to say the same, and a chain has to hang together.
#include "convergence/chain.h"
#include "convergence/codec.h"
#include "convergence/error.h"
#include "tests/fuzz/fuzz.h"
#include "tests/support/entry_generator.h"
#include "tests/support/naive_chain.h"

namespace convergence::test {
namespace {

void check_node(const DiscoveryChain& chain, NodeNumber node) {
  must(node < chain.nodes.size(), "nodes that are led to are there", std::to_string(node));
}

void check_target(const DiscoveryChain& chain, TargetNumber target) {
  must(target < chain.targets.size(), "targets that are named are there", std::to_string(target));
}

void walk(const DiscoveryChain& chain) {
  check_node(chain, chain.start_node);
  for (NodeNumber number = 0; number < chain.nodes.size(); ++number) {
    const ChainNode& node = chain.nodes[number];
    must(find_node(chain, node_key(chain, number)) == &node, "nodes stand in the order of their keys",
         node_key(chain, number));
    if (const auto* router = std::get_if<RouterNode>(&node.body)) {
      for (const ChainRoute& one : router->routes) check_node(chain, one.next_node);
    } else if (const auto* splitter = std::get_if<SplitterNode>(&node.body)) {
      for (const ChainSplit& one : splitter->splits) check_node(chain, one.next_node);
    } else {
      const auto& resolver = std::get<ResolverNode>(node.body);
      check_target(chain, resolver.target);
      for (TargetNumber target : resolver.failover_targets) check_target(chain, target);
    }
  }
  for (const ChainTarget& target : chain.targets) {
    must(find_target(chain, target.id) == &target, "targets stand in the order of their ids", target.id);
  }
  // Expressions are read no earlier than here, so that one of them may be none.
  const absl::Status routed = route(chain, HttpRequestShape{}).status();
  must(routed.ok() || error_kind(routed) == ErrorKind::kValidate, "a request goes somewhere",
       std::string(routed.message()));
}

void apply(ConfigEntries& entries, const EntryWrite& write) {
  if (write.put.is_null()) {
    static_cast<void>(entries.remove(write.removed_kind, write.removed_name));  // refused or not: both are states
    return;
  }
  auto entry = from_json<ConfigEntry>(write.put, "entry");
  if (entry.ok()) static_cast<void>(entries.put(*std::move(entry)));
}

}  // namespace
}  // namespace convergence::test

int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace convergence;        // NOLINT: this function has C linkage
  using namespace convergence::test;  // NOLINT
  if (size == 0) return 0;
  ClusterIdentity cluster;
  cluster.dialect = data[0] % 2 == 0 ? Dialect::k1_8 : Dialect::kCurrent;
  ConfigEntries entries(cluster);
  EntryGenerator generator(text_of(data + 1, size - 1));
  for (const EntryWrite& write : generator.writes()) apply(entries, write);
  for (const std::string& service : EntryGenerator::services()) {
    ChainRequest request;
    request.service = service;
    request.cluster = cluster;
    if (generator.chance(20)) request.evaluate_in_datacenter = generator.datacenter();
    const auto chain = compile_chain(entries.map(), request);
    const NaiveChain ours = as_naive(chain);
    const NaiveChain expected = naive_compile(entries.map(), request);
    must(ours == expected, "two compilers agree", to_text(ours) + "\n" + to_text(expected));
    if (chain.ok()) walk(*chain);
  }
  return 0;
}
