#ifndef CONVERGENCE_LIB_MEMORY_ROWS_H_
#define CONVERGENCE_LIB_MEMORY_ROWS_H_

#include <optional>
#include <string>
#include <vector>

#include "lib/memory/store.h"

namespace convergence::memory {

// Rows of answers, members in the server's order.
Json kv_row(const KvPair& pair, bool with_value);
Json session_row(const MemorySession& session);
Json node_row(const MemoryNode& node);
// What a transaction answers it says null in place of an empty list.
enum class Lists { kEmpty, kNull };
Json service_row(const MemoryService& service, Lists lists = Lists::kEmpty);
Json check_row(const MemoryCheck& check, Lists lists = Lists::kEmpty);
Json catalog_service_row(const MemoryNode& node, const MemoryService& service);
// As the agent tells it: without indexes.
Json agent_service_row(const MemoryService& service);
Json agent_check_row(const MemoryCheck& check);

Json text_array(const std::vector<std::string>& texts);
Json labels_json(const MemoryLabels& labels);

}  // namespace convergence::memory

#endif  // CONVERGENCE_LIB_MEMORY_ROWS_H_
