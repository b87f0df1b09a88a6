#ifndef CONVERGENCE_LIB_MEMORY_REGISTRATION_H_
#define CONVERGENCE_LIB_MEMORY_REGISTRATION_H_

#include <string>
#include <vector>

#include "lib/memory/go_json.h"
#include "lib/memory/store.h"

namespace convergence::memory {

// Catalog rows as callers write them.
void decode_node(GoDecoder& decoder, const Json& json, MemoryNode& node);
void decode_service(GoDecoder& decoder, const Json& json, MemoryService& service);
void decode_check(GoDecoder& decoder, const Json& json, MemoryCheck& check);

GoDecoder::Setter service_addresses(GoDecoder& decoder, Json& into);
GoDecoder::Setter weights(GoDecoder& decoder, ServiceWeights& into);
// The proxy and connect objects with the members that the server adds.
Json normal_proxy(const Json& given);
Json normal_connect(const Json& given);

// The defaults and refusals that registrations have in common; empty when there is none.
std::string prepare_service(MemoryService& service);
void prepare_check(MemoryCheck& check);
// From the definition, where the caller named none. Transactions leave it open.
void set_check_type(MemoryCheck& check);

}  // namespace convergence::memory

#endif  // CONVERGENCE_LIB_MEMORY_REGISTRATION_H_
