#ifndef CONVERGENCE_LIB_NODE_PROC_TEXT_H_
#define CONVERGENCE_LIB_NODE_PROC_TEXT_H_

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace convergence {

// What the kernel's texts below /proc say. Pure.

struct Listener {
  std::string address{};  // with its port
  std::uint64_t inode = 0;
  friend bool operator==(const Listener&, const Listener&) = default;
};
// Of /proc/net/tcp or tcp6: the sockets that listen on the port.
std::vector<Listener> listeners_of(std::string_view text, std::uint16_t port);

// Of /proc/meminfo: MemAvailable, in bytes.
std::optional<std::uint64_t> available_memory_of(std::string_view text);

}  // namespace convergence

#endif  // CONVERGENCE_LIB_NODE_PROC_TEXT_H_
