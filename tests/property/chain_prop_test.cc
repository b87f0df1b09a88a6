// Our compiler and a second one, written apart from it, say the same of generated entries, in both dialects.
#include <doctest/doctest.h>
#include <fmt/format.h>

#include <cstdlib>
#include <random>
#include <string>

#include "convergence/chain.h"
#include "convergence/codec.h"
#include "tests/support/entry_generator.h"
#include "tests/support/naive_chain.h"
#include "tests/support/status_check.h"

namespace convergence::test {
namespace {

std::uint64_t setting(const char* name, std::uint64_t otherwise) {
  const char* text = std::getenv(name);
  return text != nullptr ? std::strtoull(text, nullptr, 10) : otherwise;
}

std::uint64_t sets(std::uint64_t usual) {
  return setting("CONVERGENCE_CHAIN_SETS", std::getenv("CONVERGENCE_NIGHTLY") != nullptr ? usual * 50 : usual);
}

// Members that only later Consuls know, put onto what the generator made.
Json with_newer_members(Json entry, EntryGenerator& random) {
  if (const Json* redirect = entry.find("Redirect"); redirect != nullptr && random.chance(30)) {
    if (const Json* service = redirect->find("Service")) {
      entry.set("Redirect", Json().set("Service", *service).set("Peer", "cluster-2"));
    }
  }
  if (entry.find("Failover") != nullptr && random.chance(60)) {
    Json::Array targets = {Json().set("Service", "b"), Json().set("Peer", "cluster-2"),
                           Json().set("Service", "c").set("Datacenter", "dc2")};
    if (random.chance(50)) targets.push_back(Json().set("Service", "d").set("Peer", "cluster-3"));
    entry.set("Failover", Json().set("*", Json().set("Targets", std::move(targets))));
  }
  if (*entry.find("Kind") == Json("service-resolver")) {
    if (random.chance(20)) entry.set("RequestTimeout", "3s");
    if (random.chance(20)) entry.set("LoadBalancer", Json().set("Policy", "maglev"));
  }
  return entry;
}

struct Seen {
  std::uint64_t chains = 0;
  std::uint64_t broken = 0;
};

void compare(const ConfigEntries& entries, const ChainRequest& request, Seen& seen) {
  CAPTURE(request.service);
  const NaiveChain expected = naive_compile(entries.map(), request);
  const NaiveChain ours = as_naive(compile_chain(entries.map(), request));
  if (!(ours == expected)) CHECK(to_text(ours) == to_text(expected));
  ++(expected.error.empty() ? seen.chains : seen.broken);
}

void compare_set(std::uint64_t seed, Dialect dialect, Seen& seen) {
  CAPTURE(seed);
  EntryGenerator generator(seed);
  ClusterIdentity cluster;
  cluster.dialect = dialect;
  ConfigEntries entries(cluster);
  for (const EntryWrite& write : generator.writes()) {
    if (write.put.is_null()) {
      static_cast<void>(entries.remove(write.removed_kind, write.removed_name));  // refused or not: both are states
      continue;
    }
    const Json json = dialect == Dialect::kCurrent ? with_newer_members(write.put, generator) : write.put;
    if (auto entry = from_json<ConfigEntry>(json, "entry"); entry.ok()) {
      static_cast<void>(entries.put(*std::move(entry)));
    }
  }
  for (const std::string& service : EntryGenerator::services()) {
    ChainRequest request;
    request.service = service;
    request.cluster = cluster;
    compare(entries, request, seen);
    if (!generator.chance(40)) continue;
    const Json overrides = generator.overrides();
    if (const Json* protocol = overrides.find("OverrideProtocol")) request.overrides.protocol = *protocol->as_string();
    if (const Json* gateway = overrides.find("OverrideMeshGateway")) {
      request.overrides.mesh_gateway_mode = *gateway->find("Mode")->as_string();
    }
    if (generator.chance(50)) request.overrides.connect_timeout = std::chrono::seconds(3);
    if (generator.chance(50)) request.evaluate_in_datacenter = generator.datacenter();
    compare(entries, request, seen);
  }
}

TEST_CASE("two compilers say the same of generated entries") {
  const std::uint64_t first = setting("CONVERGENCE_CHAIN_SEED", 1);
  for (Dialect dialect : {Dialect::k1_8, Dialect::kCurrent}) {
    const std::uint64_t count = sets(2000);
    CAPTURE(to_string(dialect));
    Seen seen;
    for (std::uint64_t seed = first; seed < first + count; ++seed) compare_set(seed, dialect, seen);
    MESSAGE(to_string(dialect), ": ", count, " sets from seed ", first, ": ", seen.chains, " chains, ", seen.broken,
            " broken");
    CHECK(seen.broken * 100 > seen.chains);
  }
}

// As deep as there are entries: nothing here may stand on the stack of the program.
TEST_CASE("splitters below splitters, twenty thousand deep") {
  constexpr int kDepth = 20000;
  EntryMap entries;
  const auto put = [&](std::string_view kind, std::string name, EntryBody body) {
    ConfigEntry entry;
    entry.kind = kind;
    entry.name = std::move(name);
    entry.body = std::move(body);
    entries.insert_or_assign(entry_key(entry), entry);
  };
  ProxyDefaults all;
  all.config.set("protocol", "http");
  put(kProxyDefaults, "global", all);
  for (int i = 0; i < kDepth; ++i) {
    ServiceSplitter splitter;
    splitter.splits = {{.weight = 10000, .service = fmt::format("s{}", i + 1)}};
    put(kServiceSplitter, fmt::format("s{}", i), splitter);
  }
  ChainRequest request;
  request.service = "s0";
  const auto chain = compile_chain(entries, request);
  REQUIRE_OK(chain);
  const std::vector<ChainSplit>& splits = std::get<SplitterNode>(chain->nodes[chain->start_node].body).splits;
  REQUIRE(splits.size() == 1);
  CHECK(splits[0].weight == 10000);
  CHECK(node_key(*chain, splits[0].next_node) == fmt::format("resolver:s{}.default.dc1", kDepth));
}

}  // namespace
}  // namespace convergence::test
