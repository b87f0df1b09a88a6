#ifndef CONVERGENCE_TESTS_INTEGRATION_ENTRY_SERVER_H_
#define CONVERGENCE_TESTS_INTEGRATION_ENTRY_SERVER_H_

#include <memory>
#include <string>
#include <string_view>

#include "absl/status/statusor.h"
#include "convergence/chain.h"
#include "convergence/config_entry.h"
#include "convergence/json.h"
#include "tests/support/consul_server.h"

namespace convergence::test {

// The routing kinds and gateways, in the order in which they can be taken away.
inline constexpr std::string_view kEntryKinds[] = {"ingress-gateway", kServiceRouter,   kServiceSplitter,
                                                   kServiceResolver,  kServiceDefaults, kProxyDefaults};

// A real Consul whose chains have our default trust domain, and what tests of config entries ask of it. All of them
// fail the test when the server cannot be asked.
std::unique_ptr<ConsulServer> start_entry_server();
RawAnswer ask(const ConsulServer& consul, std::string_view method, std::string_view path, std::string_view body = {});
Json ask_json(const ConsulServer& consul, std::string_view path);
RawAnswer delete_entry(const ConsulServer& consul, std::string_view kind, std::string_view name);

// The server refuses deletions that leave a broken chain, so what leans on others goes first, and again until all is
// gone. Chains that are broken already can hold each other's entries in place; a new server has none.
void clear(std::unique_ptr<ConsulServer>& consul);

// The server escapes what HTML might mistake; this is the same text without that.
std::string plain_text(const RawAnswer& answer);
// What a server would answer for it, or the problem.
std::string chain_text(const absl::StatusOr<DiscoveryChain>& chain);

}  // namespace convergence::test

#endif  // CONVERGENCE_TESTS_INTEGRATION_ENTRY_SERVER_H_
