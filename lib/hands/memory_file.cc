#include "lib/hands/memory_file.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cstdint>

#include "convergence/error.h"
#include "convergence/node_state.h"

namespace convergence::hands {
namespace {

constexpr std::uint64_t kLeastRoom = std::uint64_t{256} << 10;

std::string room_path(const std::string& folder) { return folder + "/agent.room"; }

// Blocks that nothing but the memory gets. Where there are none to be had the next call tries again.
void keep_room(const std::string& folder, std::uint64_t bytes) {
  const int file = open(room_path(folder).c_str(), O_WRONLY | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
  if (file < 0) return;
  const std::uint64_t room = std::max(kLeastRoom, 2 * bytes);
  struct stat facts {};
  if (fstat(file, &facts) == 0 && static_cast<std::uint64_t>(facts.st_size) < room) {
    if (posix_fallocate(file, 0, static_cast<off_t>(room)) != 0) unlink(room_path(folder).c_str());
  }
  close(file);
}

}  // namespace

std::string memory_path(const std::string& folder) { return folder + "/agent.json"; }

absl::Status write_memory(const std::string& folder, std::string_view bytes) {
  absl::Status status = write_file_atomically(memory_path(folder), bytes, 0600);
  if (error_kind(status) == ErrorKind::kTooLarge && unlink(room_path(folder).c_str()) == 0) {
    status = write_file_atomically(memory_path(folder), bytes, 0600);
  }
  if (status.ok()) keep_room(folder, bytes.size());
  return status;
}

}  // namespace convergence::hands
