#ifndef CONVERGENCE_LIB_MEMORY_HEALTH_FILTER_H_
#define CONVERGENCE_LIB_MEMORY_HEALTH_FILTER_H_

#include <functional>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "convergence/filter.h"
#include "lib/memory/endpoint.h"

namespace convergence::memory {

// What reads of services have in common: ?node-meta, ?tag, ?filter, and the index of a service.

// "k:v" of each ?node-meta.
std::vector<std::pair<std::string, std::string>> wanted_labels(const Call& call);
bool match_labels(const MemoryLabels& labels, const std::vector<std::pair<std::string, std::string>>& wanted);

// The instances of the service `call.rest` that have all ?tag and ?node-meta, by node and id.
void each_instance(const State& state, const Call& call,
                   const std::function<void(const MemoryNode&, const MemoryService&)>& one);

// Index and names of a service: its own while it has instances; when it has none, that of the last service to lose
// its last instance, or of the tables while no service has. `checks`: health, not catalog.
Read watch_service(const State& state, const std::string& service, bool checks);

// ?filter for rows of this kind into `out`, or the server's refusal: of a selector that no row has also where there is
// no row.
std::optional<HttpResponse> read_filter(const Call& call, RowKind kind, Filter& out);
// Of a filter from read_filter.
bool wanted(const Filter& filter, const Json& row);

}  // namespace convergence::memory

#endif  // CONVERGENCE_LIB_MEMORY_HEALTH_FILTER_H_
