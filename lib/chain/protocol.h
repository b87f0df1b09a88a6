#ifndef CONVERGENCE_LIB_CHAIN_PROTOCOL_H_
#define CONVERGENCE_LIB_CHAIN_PROTOCOL_H_

#include <string>
#include <string_view>

#include "convergence/config_entry.h"

namespace convergence {

// May have routers and splitters. Upper case does not count.
bool is_http_like(std::string_view protocol);

// What proxy-defaults say, in lower case; empty when they say nothing. `defaults` may be null.
std::string default_protocol(const ProxyDefaults* defaults);

// The protocol of one service, given what proxy-defaults say: a service-defaults entry hides those even where it names
// no protocol (discovery-chain.md (e) 1). In the letter case of the entry; the server takes it in lower case.
// `defaults` may be null.
std::string_view service_protocol(const ServiceDefaults* defaults, std::string_view proxy_default);

}  // namespace convergence

#endif  // CONVERGENCE_LIB_CHAIN_PROTOCOL_H_
